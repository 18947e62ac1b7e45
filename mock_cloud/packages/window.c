#include "mock_cloud/packages/window.h"

#include <string.h>

enum { WIN_SOURCE = 0x01, WIN_TARGET = 0x02, WIN_ADLER32 = 0x04 };
#define ADLER32_BYTES    4
#define NUMBER_BYTES_MAX 5

struct reader {
    const uint8_t *data;
    size_t at;
    size_t end;
};

int delta_head_check(const uint8_t *data, size_t len_bytes, struct err *err)
{
    static const uint8_t want[DELTA_HEAD_BYTES] = {0xd6, 0xc3, 0xc4, 0x00, 0x00};
    if (len_bytes < sizeof want)
        return err_set(err, ERR_FORMAT, "delta of %zu bytes is shorter than its header", len_bytes);
    for (size_t i = 0; i < sizeof want; i++) {
        if (data[i] != want[i])
            return err_set(err, ERR_FORMAT, "delta header: byte %zu is 0x%02x, not 0x%02x", i,
                           data[i], want[i]);
    }
    return 0;
}

static int get_byte(struct reader *r, uint8_t *out, const char *what, struct err *err)
{
    if (r->at == r->end)
        return err_set(err, ERR_FORMAT, "%s is cut off", what);
    *out = r->data[r->at++];
    return 0;
}

/* Section 2: base 128, most significant digit first. */
static int get_number(struct reader *r, uint32_t *out, const char *what, struct err *err)
{
    uint64_t n = 0;
    for (int digits = 0; digits < NUMBER_BYTES_MAX; digits++) {
        uint8_t b = 0;
        int rc = get_byte(r, &b, what, err);
        if (rc != 0)
            return rc;
        n = n << 7 | (b & 0x7fU);
        if ((b & 0x80U) != 0)
            continue;
        if (n > UINT32_MAX)
            break;
        *out = (uint32_t)n;
        return 0;
    }
    return err_set(err, ERR_FORMAT, "%s exceeds 32 bits", what);
}

static int append_number(struct buf *out, uint32_t n)
{
    uint8_t digits[NUMBER_BYTES_MAX];
    size_t at = sizeof digits;
    digits[--at] = (uint8_t)(n & 0x7fU);
    while ((n >>= 7) != 0)
        digits[--at] = (uint8_t)(0x80U | (n & 0x7fU));
    return buf_append(out, digits + at, sizeof digits - at);
}

static int get_segment(struct window *w, struct reader *r, struct err *err)
{
    int rc = get_number(r, &w->source_len, "source segment size", err);
    w->pos_at = r->at;
    if (rc == 0)
        rc = get_number(r, &w->source_pos, "source segment position", err);
    w->pos_end = r->at;
    return rc;
}

/* What the delta length announced: target length, indicator, lengths of the sections, sections. */
static int get_rest(struct window *w, struct reader *r, bool has_adler, struct err *err)
{
    static const char *const names[3] = {"data length", "instruction length", "address length"};
    uint8_t indicator = 0;
    uint64_t sections = has_adler ? ADLER32_BYTES : 0;
    int rc = get_number(r, &w->target_len, "target length", err);
    if (rc == 0)
        rc = get_byte(r, &indicator, "delta indicator", err);
    for (int i = 0; rc == 0 && i < 3; i++) {
        uint32_t len = 0;
        rc = get_number(r, &len, names[i], err);
        sections += len;
    }
    if (rc != 0)
        return rc;
    if (indicator != 0)
        return err_set(err, ERR_UNSUPPORTED, "delta indicator 0x%02x: compressed sections",
                       indicator);
    if (sections != r->end - r->at)
        return err_set(err, ERR_FORMAT, "sections of %llu bytes do not fill the %zu announced",
                       (unsigned long long)sections, r->end - r->at);
    if (w->target_len == 0)
        return err_set(err, ERR_FORMAT, "makes no output");
    return 0;
}

int window_parse(struct window *w, const uint8_t *data, size_t len_bytes, struct err *err)
{
    struct reader r = {.data = data, .end = len_bytes};
    uint8_t indicator = 0;
    uint32_t rest = 0;
    *w = (struct window){0};
    int rc = get_byte(&r, &indicator, "window indicator", err);
    if (rc != 0)
        return rc;
    if ((indicator & WIN_TARGET) != 0)
        return err_set(err, ERR_UNSUPPORTED, "window indicator 0x%02x: VCD_TARGET", indicator);
    if ((indicator & ~(unsigned)(WIN_SOURCE | WIN_ADLER32)) != 0)
        return err_set(err, ERR_FORMAT, "window indicator 0x%02x is unknown", indicator);
    w->has_source = (indicator & WIN_SOURCE) != 0;
    if (w->has_source)
        rc = get_segment(w, &r, err);
    if (rc == 0)
        rc = get_number(&r, &rest, "delta length", err);
    if (rc != 0)
        return rc;
    if (rest > r.end - r.at)
        return err_set(err, ERR_FORMAT, "cut off: %u bytes announced, %zu there", rest,
                       r.end - r.at);
    r.end = r.at + rest;
    w->len_bytes = r.end;
    return get_rest(w, &r, (indicator & WIN_ADLER32) != 0, err);
}

int window_append_moved(struct buf *out, const struct window *w, const uint8_t *data,
                        uint32_t offset)
{
    if (!w->has_source)
        return buf_append(out, data, w->len_bytes);
    /* The delta length counts only what follows it, so it stays as it is. */
    int rc = buf_append(out, data, w->pos_at);
    if (rc == 0)
        rc = append_number(out, w->source_pos + offset);
    if (rc == 0)
        rc = buf_append(out, data + w->pos_end, w->len_bytes - w->pos_end);
    return rc;
}
