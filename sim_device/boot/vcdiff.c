#include "sim_device/boot/vcdiff.h"

#include <stddef.h>
#include <string.h>
#include <zlib.h>

/* Bits of the three indicator bytes; RFC 3284 sections 4.1 to 4.3, the last of each by xdelta3. */
enum { HDR_DECOMPRESS = 0x01, HDR_CODETABLE = 0x02, HDR_APPHEADER = 0x04 };
enum { WIN_SOURCE = 0x01, WIN_TARGET = 0x02, WIN_ADLER32 = 0x04 };
enum { DELTA_COMPRESSED = 0x07 };

/* Address modes, section 5.3: two plain ones, then the near cache, then the same cache. */
enum { MODE_SELF = 0, MODE_HERE = 1, MODE_NEAR = 2, MODE_SAME = MODE_NEAR + VCDIFF_NEAR };

enum inst_type { INST_NOOP, INST_ADD, INST_RUN, INST_COPY };

/* ---- Cursors ------------------------------------------------------------------------------- */

static void cursor_init(struct vcdiff_cursor *c, const char *name, uint32_t off, uint32_t len)
{
    c->name = name;
    c->off = off;
    c->end = off + len;
    c->pos = 0;
    c->have = 0;
}

static uint32_t cursor_left(const struct vcdiff_cursor *c)
{
    return c->end - c->off + (uint32_t)(c->have - c->pos);
}

/* Delta offset of the next byte. */
static uint32_t cursor_at(const struct vcdiff_cursor *c)
{
    return c->off - (uint32_t)(c->have - c->pos);
}

static int fetch(struct vcdiff *v, struct vcdiff_cursor *c, void *out, uint32_t len, struct err *e)
{
    int rc = v->io.read_delta(v->io.ctx, c->off, out, len);
    if (rc != 0)
        return err_set(e, rc < 0 ? rc : ERR_IO, "reading %u bytes of the delta at offset %u failed",
                       len, c->off);
    c->off += len;
    return 0;
}

/* Bytes that have not all been read ahead. */
static int fetch_bytes(struct vcdiff *v, struct vcdiff_cursor *c, uint8_t *out, uint32_t len,
                       struct err *e)
{
    const uint32_t left = cursor_left(c);
    uint32_t n = (uint32_t)(c->have - c->pos);
    if (len > left)
        return err_set(e, ERR_FORMAT, "%s ends at delta offset %u, %u bytes short", c->name, c->end,
                       len - left);
    if (n > len)
        n = len;
    if (out != NULL)
        memcpy(out, c->buf + c->pos, n);
    c->pos = (uint8_t)(c->pos + n);
    len -= n;
    if (len == 0)
        return 0;
    if (out == NULL) {
        c->off += len;
        return 0;
    }
    if (len >= sizeof c->buf)
        return fetch(v, c, out + n, len, e);
    const uint32_t ahead = c->end - c->off < sizeof c->buf ? c->end - c->off : sizeof c->buf;
    c->pos = c->have = 0;
    int rc = fetch(v, c, c->buf, ahead, e);
    if (rc != 0)
        return rc;
    memcpy(out + n, c->buf, len);
    c->have = (uint8_t)ahead;
    c->pos = (uint8_t)len;
    return 0;
}

/* Takes len bytes, short pieces through the read-ahead; a null out drops them. */
static inline int get_bytes(struct vcdiff *v, struct vcdiff_cursor *c, uint8_t *out, uint32_t len,
                            struct err *e)
{
    if (len > (uint32_t)(c->have - c->pos))
        return fetch_bytes(v, c, out, len, e);
    if (out != NULL)
        memcpy(out, c->buf + c->pos, len);
    c->pos = (uint8_t)(c->pos + len);
    return 0;
}

static inline int get_byte(struct vcdiff *v, struct vcdiff_cursor *c, uint8_t *out, struct err *e)
{
    if (c->pos == c->have)
        return fetch_bytes(v, c, out, 1, e);
    *out = c->buf[c->pos++];
    return 0;
}

/* Section 2: base 128, most significant digit first, high bit set on all digits but the last. */
static int get_long_number(struct vcdiff *v, struct vcdiff_cursor *c, uint32_t *out, struct err *e)
{
    uint32_t at = cursor_at(c);
    uint64_t n = 0;
    for (int digits = 0; digits < 5; digits++) {
        uint8_t b = 0;
        int rc = get_byte(v, c, &b, e);
        if (rc != 0)
            return rc;
        n = n << 7 | (b & 0x7f);
        if ((b & 0x80) == 0 && n <= UINT32_MAX) {
            *out = (uint32_t)n;
            return 0;
        }
        if ((b & 0x80) == 0)
            break;
    }
    return err_set(e, ERR_FORMAT, "the number at delta offset %u of %s exceeds 32 bits", at,
                   c->name);
}

/* Most numbers have up to three digits, which have been read ahead. */
static inline int get_number(struct vcdiff *v, struct vcdiff_cursor *c, uint32_t *out,
                             struct err *e)
{
    const uint8_t *at = c->buf + c->pos;
    uint32_t n = 0;
    for (uint32_t i = 0; i < 3 && i < (uint32_t)(c->have - c->pos); i++) {
        n = n << 7 | (at[i] & 0x7f);
        if ((at[i] & 0x80) != 0)
            continue;
        *out = n;
        c->pos = (uint8_t)(c->pos + i + 1);
        return 0;
    }
    return get_long_number(v, c, out, e);
}

/* ---- Code table and address caches --------------------------------------------------------- */

/* The standard code table, section 5.6: for each byte two instructions of type, size (0: it follows
 * in the instruction section) and mode. */
#define INST_BYTES        3
#define NOOP              INST_NOOP, 0, 0
#define RUN               INST_RUN, 0, 0, NOOP
#define ADD(n)            INST_ADD, n, 0, NOOP
#define COPY(n, m)        INST_COPY, n, m, NOOP
#define ADD_COPY(a, n, m) INST_ADD, a, 0, INST_COPY, n, m
#define COPY_ADD(m)       INST_COPY, 4, m, INST_ADD, 1, 0
#define COPIES_4(n, m)    COPY(n, m), COPY(n + 1, m), COPY(n + 2, m), COPY(n + 3, m)
#define COPIES(m)                                                                                  \
    COPY(0, m), COPIES_4(4, m), COPIES_4(8, m), COPIES_4(12, m), COPY(16, m), COPY(17, m),         \
        COPY(18, m)
#define ADD_COPIES(n, m) ADD_COPY(n, 4, m), ADD_COPY(n, 5, m), ADD_COPY(n, 6, m)
#define ADDS_COPIES(m)   ADD_COPIES(1, m), ADD_COPIES(2, m), ADD_COPIES(3, m), ADD_COPIES(4, m)
#define ADDS_COPY(m)     ADD_COPY(1, 4, m), ADD_COPY(2, 4, m), ADD_COPY(3, 4, m), ADD_COPY(4, 4, m)
#define FOUR(of, n)      of(n), of(n + 1), of(n + 2), of(n + 3)

/* clang-format off */
static const uint8_t code_table[256 * 2 * INST_BYTES] = {
    RUN,
    FOUR(ADD, 0), FOUR(ADD, 4), FOUR(ADD, 8), FOUR(ADD, 12), ADD(16), ADD(17),
    FOUR(COPIES, 0), FOUR(COPIES, 4), COPIES(8),
    FOUR(ADDS_COPIES, 0), ADDS_COPIES(4), ADDS_COPIES(5),
    ADDS_COPY(6), ADDS_COPY(7), ADDS_COPY(8),
    FOUR(COPY_ADD, 0), FOUR(COPY_ADD, 4), COPY_ADD(8),
};
/* clang-format on */

/* Section 5.3. The address is below here, the position of the copy in source plus target. */
static int get_address(struct vcdiff *v, uint8_t mode, uint32_t here, uint32_t *out, struct err *e)
{
    uint32_t at = cursor_at(&v->addr);
    uint64_t address;
    int rc;
    if (mode >= MODE_SAME) {
        uint8_t b = 0;
        rc = get_byte(v, &v->addr, &b, e);
        address = v->same[(mode - MODE_SAME) * 256 + b];
    } else {
        uint32_t n = 0;
        rc = get_number(v, &v->addr, &n, e);
        if (mode == MODE_SELF)
            address = n;
        else if (mode == MODE_HERE)
            address = (uint64_t)here - n; /* wraps far above here when n is too large */
        else
            address = (uint64_t)v->near[mode - MODE_NEAR] + n;
    }
    if (rc != 0)
        return rc;
    if (address >= here)
        return err_set(
            e, ERR_FORMAT,
            "the COPY address at delta offset %u (mode %u) is not below %u, where the copy goes",
            at, mode, here);
    *out = (uint32_t)address;
    v->near[v->near_slot] = *out;
    v->near_slot = (v->near_slot + 1) % VCDIFF_NEAR;
    v->same[*out % VCDIFF_SAME] = *out;
    return 0;
}

/* ---- Instructions; a null out checks only -------------------------------------------------- */

static int copy(struct vcdiff *v, const struct vcdiff_window *w, uint8_t mode, uint32_t size,
                uint8_t *out, uint32_t done, struct err *e)
{
    uint32_t address = 0;
    int rc = get_address(v, mode, w->source_len + done, &address, e);
    if (rc != 0)
        return rc;
    if (address >= w->source_len) { /* from this window: may run into its own output */
        const uint32_t from = address - w->source_len;
        for (uint32_t i = 0; out != NULL && i < size; i++)
            out[done + i] = out[from + i];
        return 0;
    }
    if (size > w->source_len - address)
        return err_set(e, ERR_FORMAT,
                       "COPY of %u bytes at address %u runs past the source segment of %u bytes",
                       size, address, w->source_len);
    if (out == NULL || size == 0)
        return 0;
    rc = v->io.read_source(v->io.ctx, w->source_pos + address, out + done, size);
    if (rc != 0)
        return err_set(e, rc < 0 ? rc : ERR_IO, "reading %u bytes of the source at %u failed", size,
                       w->source_pos + address);
    return 0;
}

static int run(struct vcdiff *v, uint32_t size, uint8_t *out, struct err *e)
{
    uint8_t b = 0;
    int rc = get_byte(v, &v->data, &b, e);
    if (rc == 0 && out != NULL)
        memset(out, b, size);
    return rc;
}

/* Both instructions of a byte of the instruction section. */
static int run_code(struct vcdiff *v, const struct vcdiff_window *w, const uint8_t *in,
                    uint8_t *out, uint32_t *done, struct err *e)
{
    const uint8_t *end = in + (in[INST_BYTES] == INST_NOOP ? INST_BYTES : 2 * INST_BYTES);
    uint32_t at = *done;
    for (; in < end; in += INST_BYTES) {
        uint32_t size = in[1];
        int rc = size == 0 ? get_number(v, &v->inst, &size, e) : 0;
        if (rc != 0)
            return rc;
        if (size > w->target_len - at)
            return err_set(e, ERR_FORMAT,
                           "the instruction before delta offset %u makes %u bytes where %u of the "
                           "window's %u are left",
                           cursor_at(&v->inst), size, w->target_len - at, w->target_len);
        uint8_t *to = out == NULL ? NULL : out + at;
        if (in[0] == INST_COPY)
            rc = copy(v, w, in[2], size, out, at, e);
        else if (in[0] == INST_ADD)
            rc = get_bytes(v, &v->data, to, size, e);
        else
            rc = run(v, size, to, e);
        if (rc != 0)
            return rc;
        at += size;
    }
    *done = at;
    return 0;
}

static int run_all(struct vcdiff *v, const struct vcdiff_window *w, uint8_t *out, struct err *e)
{
    cursor_init(&v->data, "the data section", w->data_off, w->data_len);
    cursor_init(&v->inst, "the instruction section", w->data_off + w->data_len, w->inst_len);
    cursor_init(&v->addr, "the address section", v->inst.end, w->addr_len);
    memset(v->near, 0, sizeof v->near);
    memset(v->same, 0, sizeof v->same);
    v->near_slot = 0;

    uint32_t done = 0;
    while (cursor_left(&v->inst) > 0) {
        uint8_t code = 0;
        int rc = get_byte(v, &v->inst, &code, e);
        if (rc != 0)
            return rc;
        rc = run_code(v, w, code_table + code * 2 * INST_BYTES, out, &done, e);
        if (rc != 0)
            return rc;
    }
    if (done != w->target_len)
        return err_set(e, ERR_FORMAT, "the instructions make %u of %u bytes", done, w->target_len);
    if (cursor_left(&v->data) > 0 || cursor_left(&v->addr) > 0)
        return err_set(e, ERR_FORMAT, "%u bytes of data and %u of addresses are left over",
                       cursor_left(&v->data), cursor_left(&v->addr));
    return 0;
}

/* ---- Headers ------------------------------------------------------------------------------- */

static int file_header(struct vcdiff *v, struct err *e)
{
    static const uint8_t magic[3] = {0xd6, 0xc3, 0xc4}; /* "VCD" with the high bits set */
    struct vcdiff_cursor *c = &v->inst;
    uint8_t head[5] = {0};
    cursor_init(c, "the file header", 0, v->delta_len_bytes);
    int rc = get_bytes(v, c, head, sizeof head, e);
    if (rc != 0)
        return rc;
    if (memcmp(head, magic, sizeof magic) != 0)
        return err_set(e, ERR_FORMAT, "the delta begins with %02x %02x %02x, not with d6 c3 c4",
                       head[0], head[1], head[2]);
    if (head[3] != 0)
        return err_set(e, ERR_UNSUPPORTED, "VCDIFF version 0x%02x, only 0 is decoded", head[3]);
    if ((head[4] & ~(HDR_DECOMPRESS | HDR_CODETABLE | HDR_APPHEADER)) != 0)
        return err_set(e, ERR_FORMAT, "unknown bits in header indicator 0x%02x", head[4]);
    if ((head[4] & HDR_DECOMPRESS) != 0)
        return err_set(e, ERR_UNSUPPORTED, "secondary compression (xdelta3: -S none)");
    if ((head[4] & HDR_CODETABLE) != 0)
        return err_set(e, ERR_UNSUPPORTED, "custom code table");
    if ((head[4] & HDR_APPHEADER) != 0) {
        uint32_t len = 0;
        rc = get_number(v, c, &len, e);
        if (rc == 0)
            rc = get_bytes(v, c, NULL, len, e);
    }
    v->delta_off = cursor_at(c);
    return rc;
}

int vcdiff_open(struct vcdiff *v, const struct vcdiff_io *io, uint32_t delta_len_bytes,
                uint32_t source_len_bytes, struct err *e)
{
    memset(v, 0, sizeof *v);
    v->io = *io;
    v->delta_len_bytes = delta_len_bytes;
    v->source_len_bytes = source_len_bytes;
    int rc = file_header(v, e);
    return rc == 0 ? 0 : err_prefix(e, rc, "vcdiff");
}

/* Section 4.2: indicator, source segment, length of the rest; narrows the cursor to that rest. */
static int window_header(struct vcdiff *v, struct vcdiff_window *w, struct err *e)
{
    struct vcdiff_cursor *c = &v->inst;
    uint8_t indicator = 0;
    uint32_t rest = 0;
    cursor_init(c, "the delta", w->delta_off, v->delta_len_bytes - w->delta_off);
    int rc = get_byte(v, c, &indicator, e);
    if (rc != 0)
        return rc;
    const bool both = (indicator & WIN_SOURCE) != 0 && (indicator & WIN_TARGET) != 0;
    if (both || (indicator & ~(WIN_SOURCE | WIN_TARGET | WIN_ADLER32)) != 0)
        return err_set(e, ERR_FORMAT, "window indicator 0x%02x", indicator);
    if ((indicator & WIN_TARGET) != 0)
        return err_set(e, ERR_UNSUPPORTED, "VCD_TARGET window (copies from earlier target bytes)");
    if ((indicator & WIN_SOURCE) != 0) {
        rc = get_number(v, c, &w->source_len, e);
        if (rc == 0)
            rc = get_number(v, c, &w->source_pos, e);
        if (rc != 0)
            return rc;
        if (w->source_len > v->source_len_bytes ||
            w->source_pos > v->source_len_bytes - w->source_len)
            return err_set(e, ERR_FORMAT,
                           "source segment of %u bytes at %u lies outside the source of %u bytes",
                           w->source_len, w->source_pos, v->source_len_bytes);
    }
    rc = get_number(v, c, &rest, e);
    if (rc != 0)
        return rc;
    if (rest > cursor_left(c))
        return err_set(e, ERR_FORMAT, "truncated: %u bytes announced at delta offset %u, %u there",
                       rest, cursor_at(c), cursor_left(c));
    w->has_adler = (indicator & WIN_ADLER32) != 0;
    w->delta_len = cursor_at(c) - w->delta_off + rest;
    cursor_init(c, "the window header", cursor_at(c), rest);
    return 0;
}

/* Section 4.3: target length, delta indicator, lengths of the three sections that must add up. */
static int delta_header(struct vcdiff *v, struct vcdiff_window *w, struct err *e)
{
    struct vcdiff_cursor *c = &v->inst;
    uint32_t *const lengths[3] = {&w->data_len, &w->inst_len, &w->addr_len};
    uint8_t indicator = 0;
    int rc = get_number(v, c, &w->target_len, e);
    if (rc == 0)
        rc = get_byte(v, c, &indicator, e);
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = get_number(v, c, lengths[i], e);
    for (int i = 0; rc == 0 && w->has_adler && i < 4; i++) {
        uint8_t b = 0;
        rc = get_byte(v, c, &b, e);
        w->adler = w->adler << 8 | b;
    }
    if (rc != 0)
        return rc;
    if (indicator != 0)
        return err_set(e, ERR_FORMAT, "delta indicator 0x%02x%s", indicator,
                       (indicator & ~DELTA_COMPRESSED) == 0
                           ? ": compressed sections, but the file header names no compressor"
                           : "");
    w->data_off = cursor_at(c);
    if ((uint64_t)w->data_len + w->inst_len + w->addr_len != cursor_left(c))
        return err_set(e, ERR_FORMAT, "sections of %u, %u and %u bytes do not add up to %u",
                       w->data_len, w->inst_len, w->addr_len, cursor_left(c));
    if (w->target_len > UINT32_MAX - w->target_pos || w->target_len > UINT32_MAX - w->source_len)
        return err_set(e, ERR_LIMIT,
                       "target of %u bytes exceeds 32 bits, with %u before it or %u of segment",
                       w->target_len, w->target_pos, w->source_len);
    return 0;
}

int vcdiff_next(struct vcdiff *v, struct vcdiff_window *w, struct err *e)
{
    if (v->delta_off == v->delta_len_bytes && v->window_count > 0)
        return VCDIFF_END;
    *w = (struct vcdiff_window){
        .index = v->window_count, .target_pos = v->target_pos, .delta_off = v->delta_off};
    int rc = window_header(v, w, e);
    if (rc == 0)
        rc = delta_header(v, w, e);
    return rc == 0 ? 0 : err_prefix(e, rc, "vcdiff: window %u", w->index);
}

/* ---- Windows ------------------------------------------------------------------------------- */

int vcdiff_skip(struct vcdiff *v, const struct vcdiff_window *w)
{
    v->delta_off = w->delta_off + w->delta_len;
    v->target_pos = w->target_pos + w->target_len;
    v->window_count = w->index + 1;
    return 0;
}

int vcdiff_check(struct vcdiff *v, const struct vcdiff_window *w, struct err *e)
{
    int rc = run_all(v, w, NULL, e);
    return rc == 0 ? 0 : err_prefix(e, rc, "vcdiff: window %u", w->index);
}

/* Between windows nothing is read ahead: two decoders at the same place are the same. */
static void drop_read_ahead(struct vcdiff *v)
{
    memset(&v->data, 0, sizeof v->data);
    memset(&v->inst, 0, sizeof v->inst);
    memset(&v->addr, 0, sizeof v->addr);
}

int vcdiff_decode(struct vcdiff *v, const struct vcdiff_window *w, uint8_t *out,
                  uint32_t out_cap_bytes, struct err *e)
{
    if (w->target_len > out_cap_bytes)
        return err_set(e, ERR_LIMIT, "vcdiff: window %u makes %u bytes, the buffer holds %u",
                       w->index, w->target_len, out_cap_bytes);
    int rc = run_all(v, w, out, e);
    if (rc == 0 && w->has_adler) {
        uint32_t got = (uint32_t)adler32(1, out, w->target_len);
        if (got != w->adler)
            rc = err_set(e, ERR_DIGEST, "Adler-32 is %08x, the delta says %08x", got, w->adler);
    }
    drop_read_ahead(v);
    return rc == 0 ? vcdiff_skip(v, w) : err_prefix(e, rc, "vcdiff: window %u", w->index);
}
