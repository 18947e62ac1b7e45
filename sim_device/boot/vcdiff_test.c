#include "sim_device/boot/vcdiff.h"

#include "sim_device/boot/vcdiff_testing.h"
#include "sim_device/boot/vcdiff_vectors.h"

static void assemble(const struct vector *t, struct sample *s)
{
    struct buf part[4]; /* target, data, inst, addr */
    sample_init(s);
    const char *source = t->source != NULL ? t->source : VECTOR_SOURCE;
    put(&s->source, source, strlen(source));
    put_hex(&s->delta, t->header != NULL ? t->header : "d6 c3 c4 00 00");
    for (int i = 0; i < VECTOR_WINDOWS && t->w[i].target != NULL; i++) {
        const struct vector_window *w = &t->w[i];
        put(&s->target, w->target, strlen(w->target));
        if (w->raw != NULL) {
            put_hex(&s->delta, w->raw);
            continue;
        }
        for (int k = 0; k < 4; k++)
            buf_init(&part[k], BYTES_MAX);
        put(&part[0], w->target, strlen(w->target));
        put(&part[1], w->data, w->data != NULL ? strlen(w->data) : 0);
        put_hex(&part[2], w->inst);
        put_hex(&part[3], w->addr);
        put_window(&s->delta, w, &part[0], &part[1], &part[2], &part[3]);
        for (int k = 0; k < 4; k++)
            buf_free(&part[k]);
    }
    put_hex(&s->delta, t->tail);
}

static const struct vector *vector_named(const char *name)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        if (strcmp(vectors[i].name, name) == 0)
            return &vectors[i];
    REQUIRE(false);
    return NULL;
}

static const char *vector_name(const void *row)
{
    return ((const struct vector *)row)->name;
}

/* ---- Tests over the vectors ------------------------------------------------------------------ */

static void test_vector(const void *row)
{
    const struct vector *t = row;
    struct sample s;
    assemble(t, &s);
    if (t->expect == 0) {
        check_decodes(&s);
    } else {
        struct memory m = {.source = &s.source, .delta = &s.delta};
        struct err e = {""};
        struct buf got;
        bool check;
        buf_init(&got, BYTES_MAX);
        CHECK_ERR(decode_all(&m, &got, &check, &e), t->expect);
        CHECK_HAS(e.text, "vcdiff: ");
        CHECK(check);
        CHECK_INT(m.strays, 0);
        buf_free(&got);
    }
    sample_free(&s);
}

/* Where xdelta3 is said to differ it has to: an exception that is none any more must go. */
static void test_judged(const void *row)
{
    const struct vector *t = row;
    struct sample s;
    assemble(t, &s);
    const bool agrees = t->why == NULL;
    struct buf got;
    buf_init(&got, BYTES_MAX);
    const bool decodes = xdelta3_decodes(&s.source, &s.delta, &got);
    CHECK_INT(decodes, (t->expect == 0) == agrees);
    CHECK(!(decodes && t->expect == 0) || same_bytes(&got, &s.target));
    buf_free(&got);
    sample_free(&s);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static const char *const damage_victims[] = {"the example of section 3",
                                             "Adler-32",
                                             "near, each slot",
                                             "near takes the addresses of all modes",
                                             "COPY 4 ADD 1 self and same 2",
                                             "same 1",
                                             "application header"};

static const char *victim_name(const void *row)
{
    return *(const char *const *)row;
}

static void test_truncations(const void *row)
{
    struct sample s;
    assemble(vector_named(victim_name(row)), &s);
    for (size_t len = 0; len < s.delta.len_bytes; len++) {
        struct buf cut = s.delta, got;
        struct memory m = {.source = &s.source, .delta = &cut};
        struct err e;
        bool check;
        cut.len_bytes = len;
        buf_init(&got, BYTES_MAX);
        CHECK_ERR(decode_all(&m, &got, &check, &e), ERR_FORMAT);
        CHECK_INT(m.strays, 0);
        buf_free(&got);
    }
    sample_free(&s);
}

/* A delta cut between windows is a whole delta of fewer windows: target_pos tells. */
static void test_cut_between_windows(void)
{
    struct sample s;
    assemble(vector_named("two windows"), &s);
    unsigned accepted = 0;
    for (size_t len = 0; len < s.delta.len_bytes; len++) {
        struct buf cut = s.delta, got;
        struct memory m = {.source = &s.source, .delta = &cut};
        bool check;
        cut.len_bytes = len;
        buf_init(&got, BYTES_MAX);
        if (decode_all(&m, &got, &check, NULL) == 0) {
            accepted++;
            CHECK_INT(got.len_bytes, 4);
        }
        buf_free(&got);
    }
    CHECK_INT(accepted, 1);
    sample_free(&s);
}

/* Each byte set to each other value. With Adler-32, what is still accepted is still right. */
static void test_byte_changes(const void *row)
{
    const struct vector *t = vector_named(victim_name(row));
    struct sample s;
    struct buf got;
    unsigned refused = 0;
    assemble(t, &s);
    buf_init(&got, BYTES_MAX);
    for (size_t at = 0; at < s.delta.len_bytes; at++) {
        for (unsigned mask = 1; mask < 256; mask++) {
            struct memory m = {.source = &s.source, .delta = &s.delta};
            bool check;
            s.delta.data[at] ^= (uint8_t)mask;
            const int rc = decode_all(&m, &got, &check, NULL);
            s.delta.data[at] ^= (uint8_t)mask;
            refused += rc != 0;
            if (!check || m.strays != 0 || rc > 0 ||
                (rc == 0 && (t->w[0].indicator & 4) != 0 && !same_bytes(&got, &s.target))) {
                CHECK_INT(at, -1); /* show the place */
                CHECK_INT(mask, -1);
            }
        }
    }
    CHECK(refused > 0);
    buf_free(&got);
    sample_free(&s);
}

/* Each read in turn fails: its code comes through, at once. */
static void test_read_errors(const void *row)
{
    static const int codes[] = {ERR_IO, ERR_WRONG_STATE, -77};
    struct sample s;
    struct buf got;
    bool check;
    assemble(vector_named(victim_name(row)), &s);
    buf_init(&got, BYTES_MAX);
    struct memory all = {.source = &s.source, .delta = &s.delta, .fail_at = UINT32_MAX};
    CHECK_INT(decode_all(&all, &got, &check, NULL), 0);
    CHECK(all.calls >= 3);
    for (uint32_t n = 1; n <= all.calls; n++) {
        struct memory m = all;
        struct err e = {""};
        m.calls = 0;
        m.fail_at = n;
        m.fail_code = codes[n % 3];
        CHECK_INT(decode_all(&m, &got, &check, &e), m.fail_code);
        CHECK_INT(m.calls, n);
        CHECK_HAS(e.text, "failed");
    }
    buf_free(&got);
    sample_free(&s);
}

/* ---- The calls ------------------------------------------------------------------------------- */

static void test_positions(void)
{
    struct sample s;
    struct vcdiff v;
    struct vcdiff_window w[2], again;
    struct err e;
    uint8_t out[8];
    assemble(vector_named("caches begin anew in each window"), &s);
    struct memory m = {.source = &s.source, .delta = &s.delta};
    REQUIRE_OK(open_memory(&v, &m, &e), &e);
    CHECK_OK(vcdiff_next(&v, &w[0], &e), &e);
    CHECK_OK(vcdiff_next(&v, &again, &e), &e); /* does not move on */
    CHECK_INT(again.delta_off, w[0].delta_off);
    CHECK_OK(vcdiff_skip(&v, &w[0]), NULL);
    CHECK_OK(vcdiff_next(&v, &w[1], &e), &e);
    CHECK_INT(w[1].index, 1);
    CHECK_INT(w[1].target_pos, 8);
    CHECK_INT(w[1].delta_off, w[0].delta_off + w[0].delta_len);
    CHECK_OK(vcdiff_decode(&v, &w[1], out, sizeof out, &e), &e);
    CHECK_MEM(out, "ABCDABCD", 8);
    CHECK_INT(vcdiff_next(&v, &again, &e), VCDIFF_END);
    CHECK_INT(vcdiff_next(&v, &again, &e), VCDIFF_END);
    CHECK_INT(v.target_pos, 16);
    CHECK_INT(v.window_count, 2);
    CHECK_OK(vcdiff_decode(&v, &w[0], out, sizeof out, &e), &e); /* back to an earlier one */
    CHECK_MEM(out, "EFGHIJKL", 8);
    CHECK_OK(vcdiff_next(&v, &again, &e), &e);
    CHECK_INT(again.index, 1);
    sample_free(&s);
}

static void test_buffer_limit(void)
{
    struct sample s;
    struct vcdiff v;
    struct vcdiff_window w;
    struct err e;
    uint8_t out[16];
    memset(out, 0xa5, sizeof out);
    assemble(vector_named("near begins at zero"), &s);
    struct memory m = {.source = &s.source, .delta = &s.delta};
    REQUIRE_OK(open_memory(&v, &m, &e), &e);
    REQUIRE_OK(vcdiff_next(&v, &w, &e), &e);
    CHECK_ERR(vcdiff_decode(&v, &w, out, 3, &e), ERR_LIMIT);
    CHECK_HAS(e.text, "window 0 makes 4 bytes, the buffer holds 3");
    CHECK_INT(out[0], 0xa5);
    CHECK_INT(v.window_count, 0);
    CHECK_OK(vcdiff_decode(&v, &w, out, sizeof out, &e), &e);
    CHECK_MEM(out, "CDEF\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5", 16);
    sample_free(&s);
}

/* Neither the image nor segment and target together reach 4 GiB. Headers alone tell. */
static void test_image_limit(void)
{
    uint8_t image[] = {0xd6, 0xc3, 0xc4, 0, 0, 0, 9, 0x8f, 0xff, 0xff, 0xff, 0x7f,
                       0,    0,    0,    0, 0, 5, 1, 0,    0,    0,    0};
    uint8_t window[] = {0xd6, 0xc3, 0xc4, 0, 0, 1, 0x8f, 0xff, 0xff,
                        0xff, 0x7f, 0,    5, 1, 0, 0,    0,    0};
    struct buf source, delta = {.data = image, .len_bytes = sizeof image};
    struct memory m = {.source = &source, .delta = &delta};
    struct vcdiff v;
    struct vcdiff_window w;
    struct err e;
    buf_init(&source, 1);
    REQUIRE_OK(open_memory(&v, &m, &e), &e);
    CHECK_OK(vcdiff_next(&v, &w, &e), &e);
    CHECK_INT(w.target_len, UINT32_MAX);
    CHECK_ERR(vcdiff_check(&v, &w, &e), ERR_FORMAT); /* no instructions */
    CHECK_OK(vcdiff_skip(&v, &w), NULL);
    CHECK_ERR(vcdiff_next(&v, &w, &e), ERR_LIMIT);
    CHECK_HAS(e.text, "window 1");
    delta = (struct buf){.data = window, .len_bytes = sizeof window};
    source.len_bytes = UINT32_MAX; /* never read */
    REQUIRE_OK(open_memory(&v, &m, &e), &e);
    CHECK_ERR(vcdiff_next(&v, &w, &e), ERR_LIMIT);
    CHECK_HAS(e.text, "window 0");
}

/* Read-ahead: instructions of one byte do not cost a flash read each. */
static void test_read_ahead(void)
{
    const uint32_t n = 6400;
    struct sample s;
    struct buf part[4];
    struct vcdiff v;
    struct vcdiff_window w;
    struct err e;
    const struct vector_window plain = {0};
    sample_init(&s);
    put_hex(&s.delta, "d6 c3 c4 00 00");
    for (int k = 0; k < 4; k++)
        buf_init(&part[k], BYTES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        put_byte(&part[0], i);
        put_byte(&part[1], i);
        put_byte(&part[2], 2); /* ADD 1 */
    }
    put_window(&s.delta, &plain, &part[0], &part[1], &part[2], &part[3]);
    struct memory m = {.source = &s.source, .delta = &s.delta};
    REQUIRE_OK(open_memory(&v, &m, &e), &e);
    REQUIRE_OK(vcdiff_next(&v, &w, &e), &e);
    m.calls = 0;
    CHECK_OK(vcdiff_check(&v, &w, &e), &e);
    CHECK(m.calls <= n / VCDIFF_READ_AHEAD_BYTES + 2);
    m.calls = 0;
    REQUIRE(buf_append(&s.target, NULL, n) == 0);
    CHECK_OK(vcdiff_decode(&v, &w, s.target.data, n, &e), &e);
    CHECK(same_bytes(&s.target, &part[0]));
    CHECK_INT(m.calls, 2 * n / VCDIFF_READ_AHEAD_BYTES);
    for (int k = 0; k < 4; k++)
        buf_free(&part[k]);
    sample_free(&s);
}

static const struct test tests[] = {
    TEST_ROWS("decoded", test_vector, vectors, vector_name),
    TEST_ROWS("judged by xdelta3", test_judged, vectors, vector_name),
    TEST_ROWS("every truncation is refused", test_truncations, damage_victims, victim_name),
    {"a cut between windows is seen in the length", test_cut_between_windows},
    TEST_ROWS("every byte change is survived", test_byte_changes, damage_victims, victim_name),
    TEST_ROWS("read errors come through", test_read_errors, damage_victims, victim_name),
    {"windows are positions", test_positions},
    {"a window larger than the buffer", test_buffer_limit},
    {"32 bits are the limit", test_image_limit},
    {"instructions are read ahead", test_read_ahead},
};

TEST_MAIN("vcdiff", tests)
