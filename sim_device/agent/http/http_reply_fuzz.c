/* Any bytes, split as the first byte says: no crash, no endless loop, the same verdict as whole. */
#include <stdlib.h>

#include "sim_device/agent/http/http_reply.h"

/* Feeds all of in, piece bytes at a time; returns the last step and counts the body. */
static enum http_step run(const uint8_t *in, size_t len_bytes, size_t piece, uint64_t *body_bytes)
{
    struct http_reply r;
    enum http_step step = HTTP_MORE;
    http_reply_init(&r, 640);
    *body_bytes = 0;
    for (size_t at = 0; at < len_bytes && step == HTTP_MORE;) {
        size_t n = len_bytes - at < piece ? len_bytes - at : piece;
        for (size_t used = 0;;) {
            const uint8_t *data;
            size_t data_bytes, took;
            step = http_reply_feed(&r, in + at + used, n - used, &took, &data, &data_bytes);
            if (took > n - used)
                abort();
            used += took;
            *body_bytes += data_bytes;
            if (step == HTTP_MORE || step == HTTP_END || step == HTTP_BAD)
                break;
        }
        at += n;
    }
    return step == HTTP_MORE ? http_reply_eof(&r) : step;
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len_bytes)
{
    uint64_t whole_bytes, split_bytes;
    if (len_bytes == 0)
        return 0;
    enum http_step whole = run(in + 1, len_bytes - 1, len_bytes, &whole_bytes);
    enum http_step split = run(in + 1, len_bytes - 1, 1u + in[0] % 16u, &split_bytes);
    if (whole != split || whole_bytes != split_bytes)
        abort();
    return 0;
}
