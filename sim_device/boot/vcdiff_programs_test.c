#include "common/rng.h"
#include "sim_device/boot/vcdiff_testing.h"

/*
 * Generated deltas: every code of the table, random programs written by an encoder of the test's
 * own, and firmware-like image pairs encoded by the xdelta3 program.
 */

/* ---- All codes, and random programs ---------------------------------------------------------- */

struct half {
    char type; /* A, R, C or 0 */
    uint8_t size, mode;
};

struct code {
    struct half half[2];
};

/* The table of section 5.6 line by line, in the order in which the standard lists it. */
static void list_codes(struct code table[256])
{
    int n = 0;
    table[n++] = (struct code){{{'R', 0, 0}}};
    for (uint8_t size = 0; size <= 17; size++)
        table[n++] = (struct code){{{'A', size, 0}}};
    for (uint8_t mode = 0; mode <= 8; mode++) {
        table[n++] = (struct code){{{'C', 0, mode}}};
        for (uint8_t size = 4; size <= 18; size++)
            table[n++] = (struct code){{{'C', size, mode}}};
    }
    for (uint8_t mode = 0; mode <= 5; mode++)
        for (uint8_t add = 1; add <= 4; add++)
            for (uint8_t size = 4; size <= 6; size++)
                table[n++] = (struct code){{{'A', add, 0}, {'C', size, mode}}};
    for (uint8_t mode = 6; mode <= 8; mode++)
        for (uint8_t add = 1; add <= 4; add++)
            table[n++] = (struct code){{{'A', add, 0}, {'C', 4, mode}}};
    for (uint8_t mode = 0; mode <= 8; mode++)
        table[n++] = (struct code){{{'C', 4, mode}, {'A', 1, 0}}};
    REQUIRE(n == 256);
}

/* A window being written: sections, output so far, the encoder's own caches. */
struct writer {
    struct vector_window w;
    const struct buf *source;
    struct buf target, data, inst, addr;
    uint32_t near[4], same[768];
    unsigned copies;
    struct rng *rng;
};

static void writer_init(struct writer *x, struct rng *rng, const struct buf *source,
                        uint32_t seg_pos, uint32_t seg_len, bool adler)
{
    *x = (struct writer){.source = source, .rng = rng};
    x->w.indicator = (uint8_t)((seg_len > 0 ? 1 : 0) | (adler ? 4 : 0));
    x->w.seg_pos = seg_pos;
    x->w.seg_len = seg_len;
    buf_init(&x->target, BYTES_MAX);
    buf_init(&x->data, BYTES_MAX);
    buf_init(&x->inst, BYTES_MAX);
    buf_init(&x->addr, BYTES_MAX);
}

static void writer_end(struct writer *x, struct sample *s)
{
    put(&s->target, x->target.data, x->target.len_bytes);
    put_window(&s->delta, &x->w, &x->target, &x->data, &x->inst, &x->addr);
    buf_free(&x->target);
    buf_free(&x->data);
    buf_free(&x->inst);
    buf_free(&x->addr);
}

/* A random address the mode can express; its encoding in *coded. False if there is none. */
static bool pick_address(struct writer *x, unsigned mode, uint32_t here, uint32_t *address,
                         uint32_t *coded)
{
    const uint32_t any = (uint32_t)rng_below(x->rng, here);
    if (mode < 2) {
        *address = any;
        *coded = mode == 0 ? any : here - any;
    } else if (mode < 6) {
        const uint32_t base = x->near[mode - 2];
        *coded = (uint32_t)rng_below(x->rng, here - base);
        *address = base + *coded;
    } else {
        *coded = (uint32_t)rng_below(x->rng, 256);
        *address = x->same[(mode - 6) * 256 + *coded];
    }
    return *address < here;
}

/* One half of a code. False, and nothing written, where no address was found for the copy. */
static bool write_half(struct writer *x, struct half h, uint32_t size)
{
    const uint32_t here = x->w.seg_len + (uint32_t)x->target.len_bytes;
    uint32_t address = 0, coded = 0;
    if (h.type != 'C') {
        uint8_t byte = (uint8_t)rng_below(x->rng, 256);
        put(&x->data, &byte, h.type == 'R');
        for (uint32_t i = 0; i < size; i++) {
            put_byte(&x->target, byte);
            put(&x->data, &byte, h.type == 'A');
            byte = h.type == 'A' ? (uint8_t)rng_below(x->rng, 256) : byte;
        }
        return true;
    }
    int tries = 32;
    while (--tries > 0 && here > 0)
        if (pick_address(x, h.mode, here, &address, &coded) &&
            (address >= x->w.seg_len || size <= x->w.seg_len - address))
            break;
    if (tries <= 0 || here == 0)
        return false;
    for (uint32_t i = 0; i < size; i++)
        put_byte(&x->target, address + i < x->w.seg_len
                                 ? x->source->data[x->w.seg_pos + address + i]
                                 : x->target.data[address + i - x->w.seg_len]);
    if (h.mode < 6)
        put_number(&x->addr, coded);
    else
        put_byte(&x->addr, coded);
    x->near[x->copies++ % 4] = address;
    x->same[address % 768] = address;
    return true;
}

static bool write_code(struct writer *x, const struct code table[256], uint8_t code)
{
    const struct code *c = &table[code];
    struct buf sized;
    buf_init(&sized, 64);
    put_byte(&sized, code);
    bool ok = true;
    for (int i = 0; ok && i < 2 && c->half[i].type != 0; i++) {
        uint32_t size = c->half[i].size;
        if (size == 0) {
            size = (uint32_t)rng_below(x->rng, rng_below(x->rng, 4) == 0 ? 300 : 30);
            put_number(&sized, size);
        }
        ok = write_half(x, c->half[i], size);
        REQUIRE(ok || i == 0 || c->half[0].type == 'A');
        if (!ok && i == 1) { /* the ADD stands already: say it alone */
            sized.data[0] = (uint8_t)(1 + c->half[0].size);
            ok = true;
        }
    }
    if (ok)
        put(&x->inst, sized.data, sized.len_bytes);
    buf_free(&sized);
    return ok;
}

static void random_source(struct sample *s, struct rng *rng, size_t len)
{
    sample_init(s);
    REQUIRE(buf_append(&s->source, NULL, len) == 0);
    rng_fill(rng, s->source.data, len);
    put_hex(&s->delta, "d6 c3 c4 00 00");
}

/* A window for each code: eight copies fill the caches, then the code, then a copy reading them. */
static void test_all_codes(void)
{
    struct code table[256];
    struct sample s;
    struct rng rng;
    list_codes(table);
    rng_init(&rng, 1, "vcdiff", "codes", 0);
    random_source(&s, &rng, 1000);
    for (unsigned code = 0; code < 256; code++) {
        struct writer x;
        writer_init(&x, &rng, &s.source, code, 700, code % 2 == 0);
        for (int i = 0; i < 8; i++)
            CHECK(write_code(&x, table, (uint8_t)(20 + i))); /* COPY 4..11, self */
        const size_t before = x.inst.len_bytes;
        CHECK(write_code(&x, table, (uint8_t)code));
        CHECK(x.inst.data[before] == code);
        CHECK(write_code(&x, table, 52)); /* COPY 4, near 0 */
        writer_end(&x, &s);
    }
    check_decodes(&s);
    check_xdelta3(&s, true);
    sample_free(&s);
}

static void test_random_programs(void)
{
    struct code table[256];
    list_codes(table);
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct sample s;
        struct rng rng;
        rng_init(&rng, seed, "vcdiff", "programs", 0);
        random_source(&s, &rng, 1 + rng_below(&rng, 5000));
        for (uint64_t windows = 1 + rng_below(&rng, 4); windows > 0; windows--) {
            struct writer x;
            const uint32_t len = (uint32_t)rng_below(&rng, s.source.len_bytes + 1);
            const uint32_t pos = (uint32_t)rng_below(&rng, s.source.len_bytes - len + 1);
            writer_init(&x, &rng, &s.source, pos, len, rng_below(&rng, 2) == 1);
            for (uint64_t codes = rng_below(&rng, 400); codes > 0; codes--)
                (void)write_code(&x, table, (uint8_t)rng_below(&rng, 256));
            writer_end(&x, &s);
        }
        check_decodes(&s);
        if (seed < 20)
            check_xdelta3(&s, true);
        sample_free(&s);
    }
}

/* ---- Round trips with the xdelta3 encoder ---------------------------------------------------- */

enum edit { SAME, PATCH, INSERT, MOVE, GROW, SHRINK, BLANK_TAIL, REWRITE_ADDRESSES, OTHER };

struct trip {
    const char *name;
    enum edit edit;
};

static const struct trip trips[] = {{"same", SAME},
                                    {"patch", PATCH},
                                    {"insert", INSERT},
                                    {"move", MOVE},
                                    {"grow", GROW},
                                    {"shrink", SHRINK},
                                    {"blank tail", BLANK_TAIL},
                                    {"rewrite addresses", REWRITE_ADDRESSES},
                                    {"other image", OTHER}};

static const char *trip_name(const void *row)
{
    return ((const struct trip *)row)->name;
}

/* Looks like firmware to an encoder: recurring words, and every few words an address. */
static void make_image(struct buf *image, struct rng *rng, size_t len)
{
    uint32_t words[64];
    rng_fill(rng, words, sizeof words);
    for (size_t at = 0; at < len; at += 4) {
        uint8_t word[4];
        const uint64_t kind = rng_below(rng, 8);
        if (kind == 0)
            put_le32(word, 0x08000000u + (uint32_t)rng_below(rng, len));
        else
            put_le32(word, kind < 6 ? words[rng_below(rng, 64)] : (uint32_t)rng_u64(rng));
        put(image, word, len - at < 4 ? len - at : 4);
    }
}

static void make_edit(struct sample *s, struct rng *rng, enum edit edit)
{
    const uint8_t *old = s->source.data;
    const size_t len = s->source.len_bytes;
    const size_t third = len / 3 & ~(size_t)3;
    struct buf *t = &s->target;
    if (edit == OTHER) {
        make_image(t, rng, len + 10);
    } else if (edit == INSERT) {
        put(t, old, third);
        make_image(t, rng, 768);
        put(t, len > 0 ? old + third : NULL, len - third);
    } else if (edit == MOVE) {
        put(t, len > 0 ? old + third : NULL, len - third);
        put(t, old, third);
    } else {
        put(t, old, edit == SHRINK ? third : len);
    }
    if (edit == GROW)
        make_image(t, rng, len / 2 + 100);
    if (edit == PATCH)
        for (size_t i = 0; i < t->len_bytes; i += 1 + (size_t)rng_below(rng, 5000))
            t->data[i] ^= 0x5a;
    if (edit == BLANK_TAIL && len > 0)
        memset(t->data + third, 0xff, len - third);
    if (edit == REWRITE_ADDRESSES)
        for (size_t i = 0; i + 4 <= t->len_bytes; i += 4)
            if (get_le32(t->data + i) - 0x08000000u < len)
                put_le32(t->data + i, get_le32(t->data + i) + 768);
}

static void xdelta3_encodes(const struct sample *s, bool adler, struct buf *delta)
{
    struct exchange x;
    exchange_init(&x);
    write_file(x.source, &s->source);
    write_file(x.target, &s->target);
    const char *const argv[] = {"xdelta3", "-e",     "-f",     "-9",    "-B",  "524288",
                                "-W",      "16384",  "-S",     "none",  "-A=", adler ? "-q" : "-qn",
                                "-s",      x.source, x.target, x.delta, NULL};
    REQUIRE(run_xdelta3(argv) == 0);
    REQUIRE(read_file(x.delta, delta));
}

static void test_trip(const void *row)
{
    static const size_t sizes[] = {0, 1, 333, 65536, 204800};
    const struct trip *t = row;
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        const bool adler = i % 2 == 1;
        struct sample s;
        struct rng rng;
        rng_init(&rng, 7, "vcdiff", t->name, i / 2);
        sample_init(&s);
        make_image(&s.source, &rng, sizes[i / 2]);
        make_edit(&s, &rng, t->edit);
        xdelta3_encodes(&s, adler, &s.delta);
        REQUIRE(s.delta.len_bytes > 5);
        CHECK_INT(s.delta.data[4], 0);             /* neither compressor nor names */
        CHECK_INT(s.delta.data[5] & 4, adler * 4); /* the first window's indicator */
        check_decodes(&s);
        sample_free(&s);
    }
}

static const struct test tests[] = {
    {"all 256 codes", test_all_codes},
    {"random programs", test_random_programs},
    TEST_ROWS("round trip", test_trip, trips, trip_name),
};

TEST_MAIN("vcdiff programs", tests)
