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

struct inst {
    enum inst_type type;
    uint32_t size; /* 0: the size follows in the instruction section */
    uint8_t mode;  /* INST_COPY only */
};

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

/* Most numbers have one digit, and it has been read ahead. */
static inline int get_number(struct vcdiff *v, struct vcdiff_cursor *c, uint32_t *out,
                             struct err *e)
{
    if (c->pos == c->have || (c->buf[c->pos] & 0x80) != 0)
        return get_long_number(v, c, out, e);
    *out = c->buf[c->pos++];
    return 0;
}

/* ---- Code table and address caches --------------------------------------------------------- */

/* The standard code table, section 5.6, computed: one or two instructions for each byte. */
static void code_table(uint8_t code, struct inst out[2])
{
    uint8_t n; /* position inside the group of codes */
    out[1] = (struct inst){.type = INST_NOOP};
    if (code == 0) {
        out[0] = (struct inst){.type = INST_RUN};
    } else if (code < 19) { /* ADD, size explicit or 1..17 */
        out[0] = (struct inst){.type = INST_ADD, .size = code - 1u};
    } else if (code < 163) { /* COPY, modes 0..8, size explicit or 4..18 */
        n = (uint8_t)(code - 19);
        out[0] = (struct inst){
            .type = INST_COPY, .size = n % 16 == 0 ? 0 : n % 16 + 3u, .mode = (uint8_t)(n / 16)};
    } else if (code < 235) { /* ADD 1..4, then COPY 4..6 in modes 0..5 */
        n = (uint8_t)(code - 163);
        out[0] = (struct inst){.type = INST_ADD, .size = n / 3 % 4 + 1u};
        out[1] = (struct inst){.type = INST_COPY, .size = n % 3 + 4u, .mode = (uint8_t)(n / 3 / 4)};
    } else if (code < 247) { /* ADD 1..4, then COPY 4 in modes 6..8 */
        n = (uint8_t)(code - 235);
        out[0] = (struct inst){.type = INST_ADD, .size = n % 4 + 1u};
        out[1] = (struct inst){.type = INST_COPY, .size = 4, .mode = (uint8_t)(6 + n / 4)};
    } else { /* COPY 4 in modes 0..8, then ADD 1 */
        out[0] = (struct inst){.type = INST_COPY, .size = 4, .mode = (uint8_t)(code - 247)};
        out[1] = (struct inst){.type = INST_ADD, .size = 1};
    }
}

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

static int copy(struct vcdiff *v, const struct vcdiff_window *w, const struct inst *in,
                uint8_t *out, uint32_t done, struct err *e)
{
    uint32_t address = 0;
    int rc = get_address(v, in->mode, w->source_len + done, &address, e);
    if (rc != 0)
        return rc;
    if (address >= w->source_len) { /* from this window: may run into its own output */
        const uint32_t from = address - w->source_len;
        for (uint32_t i = 0; out != NULL && i < in->size; i++)
            out[done + i] = out[from + i];
        return 0;
    }
    if (in->size > w->source_len - address)
        return err_set(e, ERR_FORMAT,
                       "COPY of %u bytes at address %u runs past the source segment of %u bytes",
                       in->size, address, w->source_len);
    if (out == NULL || in->size == 0)
        return 0;
    rc = v->io.read_source(v->io.ctx, w->source_pos + address, out + done, in->size);
    if (rc != 0)
        return err_set(e, rc < 0 ? rc : ERR_IO, "reading %u bytes of the source at %u failed",
                       in->size, w->source_pos + address);
    return 0;
}

static int run_one(struct vcdiff *v, const struct vcdiff_window *w, struct inst *in, uint8_t *out,
                   uint32_t *done, struct err *e)
{
    int rc = in->size == 0 ? get_number(v, &v->inst, &in->size, e) : 0;
    if (rc != 0)
        return rc;
    if (in->size > w->target_len - *done)
        return err_set(e, ERR_FORMAT,
                       "the instruction before delta offset %u makes %u bytes where %u of the "
                       "window's %u are left",
                       cursor_at(&v->inst), in->size, w->target_len - *done, w->target_len);
    if (in->type == INST_ADD) {
        rc = get_bytes(v, &v->data, out == NULL ? NULL : out + *done, in->size, e);
    } else if (in->type == INST_RUN) {
        uint8_t b = 0;
        rc = get_byte(v, &v->data, &b, e);
        if (rc == 0 && out != NULL)
            memset(out + *done, b, in->size);
    } else {
        rc = copy(v, w, in, out, *done, e);
    }
    *done += in->size;
    return rc;
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
        struct inst pair[2];
        int rc = get_byte(v, &v->inst, &code, e);
        if (rc != 0)
            return rc;
        code_table(code, pair);
        rc = run_one(v, w, &pair[0], out, &done, e);
        if (rc == 0 && pair[1].type != INST_NOOP)
            rc = run_one(v, w, &pair[1], out, &done, e);
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
    return rc == 0 ? vcdiff_skip(v, w) : err_prefix(e, rc, "vcdiff: window %u", w->index);
}
