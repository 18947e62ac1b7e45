#include "mock_cloud/broker/broker_frame.h"

#include <string.h>

int64_t frame_bytes(const uint8_t *data, size_t len_bytes)
{
    if (len_bytes < FRAME_HEAD_BYTES)
        return 0;
    uint32_t rest = get_le32(data);
    if (rest < 1 || rest > FRAME_BYTES_MAX - FRAME_HEAD_BYTES)
        return ERR_FORMAT;
    return len_bytes < FRAME_HEAD_BYTES + rest ? 0 : (int64_t)FRAME_HEAD_BYTES + rest;
}

struct frame_reader frame_open(const uint8_t *frame, size_t len_bytes, uint8_t *kind)
{
    struct frame_reader r = {
        .at = frame + FRAME_HEAD_BYTES, .left = len_bytes - FRAME_HEAD_BYTES, .ok = true};
    *kind = frame_8(&r);
    return r;
}

uint8_t frame_8(struct frame_reader *r)
{
    if (r->left < 1) {
        r->ok = false;
        return 0;
    }
    r->left--;
    return *r->at++;
}

uint16_t frame_16(struct frame_reader *r)
{
    unsigned low = frame_8(r);
    return (uint16_t)(low | (unsigned)frame_8(r) << 8);
}

bool frame_text(struct frame_reader *r, char *out, size_t cap)
{
    size_t n = frame_16(r);
    out[0] = '\0';
    if (!r->ok || n == FRAME_NULL)
        return false;
    if (n >= cap || n > r->left || (n > 0 && memchr(r->at, 0, n) != NULL)) {
        r->ok = false;
        return false;
    }
    memcpy(out, r->at, n);
    out[n] = '\0';
    r->at += n;
    r->left -= n;
    return true;
}
