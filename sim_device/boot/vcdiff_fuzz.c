#include "sim_device/boot/vcdiff.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES 65536

struct input {
    const uint8_t *source, *delta;
    uint32_t source_len, delta_len;
};

static int read_range(const uint8_t *from, uint32_t from_len, uint32_t off, void *out, uint32_t len)
{
    if (len == 0 || off > from_len || len > from_len - off)
        abort(); /* the decoder promises to ask inside only */
    memcpy(out, from + off, len);
    return 0;
}

static int read_delta(void *ctx, uint32_t off, void *out, uint32_t len)
{
    const struct input *in = ctx;
    return read_range(in->delta, in->delta_len, off, out, len);
}

static int read_source(void *ctx, uint32_t off, void *out, uint32_t len)
{
    const struct input *in = ctx;
    return read_range(in->source, in->source_len, off, out, len);
}

/* Checking and decoding must judge alike: one is what the loader trusts before it erases. */
static void decode(struct input *in, uint8_t *out)
{
    const struct vcdiff_io io = {in, read_delta, read_source};
    struct vcdiff v;
    struct vcdiff_window w;
    struct err e;
    int rc = vcdiff_open(&v, &io, in->delta_len, in->source_len, &e);
    while (rc == 0 && vcdiff_next(&v, &w, &e) == 0) {
        const int checked = vcdiff_check(&v, &w, &e);
        rc = vcdiff_decode(&v, &w, out, OUT_BYTES, &e);
        if (rc != ERR_LIMIT && checked != (rc == ERR_DIGEST ? 0 : rc))
            abort();
    }
}

static uint8_t *put_number(uint8_t *p, size_t n)
{
    for (int shift = 28; shift >= 0; shift -= 7)
        *p++ = (uint8_t)((n >> shift & 0x7f) | (shift > 0 ? 0x80 : 0)); /* padded: five digits */
    return p;
}

/*
 * Headers that add up around sections that need not: what mutation alone hardly finds. The first
 * bytes are the lengths of target, data and addresses; the sections follow. Bytes written.
 */
static size_t frame(uint8_t *out, const uint8_t *in, size_t size, size_t source_len)
{
    static const uint8_t begin[] = {0xd6, 0xc3, 0xc4, 0, 0, 1};
    const size_t target_len = in[0];
    size -= 3;
    const size_t data_len = in[1] < size ? in[1] : size;
    const size_t addr_len = in[2] < size - data_len ? in[2] : size - data_len;
    uint8_t *p = out;
    memcpy(p, begin, sizeof begin);
    p = put_number(p + sizeof begin, source_len);
    p = put_number(p, 0);
    p = put_number(p, 21 + size);
    p = put_number(p, target_len);
    *p++ = 0;
    p = put_number(p, data_len);
    p = put_number(p, size - data_len - addr_len);
    p = put_number(p, addr_len);
    memcpy(p, in + 3, size);
    return (size_t)(p - out) + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte odd: sections, to be framed; even: a delta. Second byte: that much source at the end.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    const size_t source_len = data[1] < size - 5 ? data[1] : size - 5;
    const size_t delta_len = size - 2 - source_len;
    uint8_t *out = malloc(OUT_BYTES);
    uint8_t *delta = malloc(delta_len + 64);
    if (out != NULL && delta != NULL) {
        struct input in = {.source = data + size - source_len,
                           .delta = data + 2,
                           .source_len = (uint32_t)source_len,
                           .delta_len = (uint32_t)delta_len};
        if (data[0] % 2 == 1) {
            in.delta_len = (uint32_t)frame(delta, data + 2, delta_len, source_len);
            in.delta = delta;
        }
        decode(&in, out);
    }
    free(delta);
    free(out);
    return 0;
}
