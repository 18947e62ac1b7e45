/*
 * package_verify against damage: single bits, and fields changed with all digests made right again,
 * so that the check behind the digest has to see it.
 */
#include "mock_cloud/packages/packages_testing.h"
#include "mock_cloud/packages/window.h"

#define BLOCK_BYTES  4096u
#define WINDOW_BYTES 2048u
#define TABLE        PACKAGE_HEAD_BYTES
#define ENTRY(i)     ((size_t)TABLE + (size_t)(i)*PACKAGE_FILE_BYTES)

/* A delta of 5 blocks, ascending, and a full file behind it. */
static void sample(struct buf *package, struct opened *o)
{
    struct pair p, q;
    enum package_kind kind;
    struct err e = {""};
    pair_make(&p, 1, 20000, -500);
    pair_make(&q, 2, 3000, 0);
    struct package_source files[] = {source_of("app", 0x10000, &p),
                                     source_of("fresh", 0x20000, &q)};
    files[1].old_image = NULL;
    files[1].old_bytes = 0;
    const struct package_params params = params_of(BLOCK_BYTES, WINDOW_BYTES);
    buf_init(package, BYTES_MAX);
    REQUIRE_OK(package_make(package, files, 2, &params, &kind, &e), &e);
    open_package(o, package);
    REQUIRE(o->files[0].kind == PACKAGE_DELTA && o->files[1].kind == PACKAGE_FULL);
    REQUIRE(o->files[0].direction == PACKAGE_ASCENDING);
    pair_free(&p);
    pair_free(&q);
}

static void every_byte_counts(void)
{
    struct buf package;
    struct opened o;
    sample(&package, &o);
    REQUIRE(package_verify(package.data, package.len_bytes, NULL) == 0);
    for (size_t i = 0; i < package.len_bytes; i++) {
        const uint8_t bit = (uint8_t)(1u << (i % 8));
        package.data[i] ^= bit;
        if (!CHECK(package_verify(package.data, package.len_bytes, NULL) != 0))
            break;
        package.data[i] ^= bit;
    }
    buf_free(&package);
}

static void every_length_counts(void)
{
    struct buf package;
    struct opened o;
    sample(&package, &o);
    for (size_t len = 0; len < package.len_bytes; len += len < 600 ? 1 : 97)
        if (!CHECK(package_verify(package.data, len, NULL) != 0))
            break;
    CHECK_ERR(package_verify(package.data, package.len_bytes + 1, NULL), ERR_FORMAT);
    buf_free(&package);
}

static void algorithm(struct buf *b, const struct opened *o)
{
    (void)o;
    b->data[22]++;
}
static void file_twice(struct buf *b, const struct opened *o)
{
    (void)o;
    memcpy(b->data + ENTRY(1), b->data + ENTRY(0), PACKAGE_NAME_MAX);
}
static void overlapping(struct buf *b, const struct opened *o)
{
    put_le32(b->data + ENTRY(1) + 48, o->files[1].payload_offset - 1);
}
static void trailing(struct buf *b, const struct opened *o)
{
    REQUIRE(buf_append(b, "x", 1) == 0);
    put_le32(b->data + 8, o->head.total_bytes + 1);
}
static void other_image(struct buf *b, const struct opened *o)
{
    b->data[o->files[1].payload_offset + 7] ^= 1;
}
static void stream_head(struct buf *b, const struct opened *o)
{
    b->data[o->files[0].payload_offset + 4] = 4;
}
static void narrower_window(struct buf *b, const struct opened *o)
{
    (void)o;
    put_le32(b->data + 12 + 4, WINDOW_BYTES - 1);
}
static void other_blocks(struct buf *b, const struct opened *o)
{
    (void)o;
    put_le32(b->data + 12, WINDOW_BYTES + 500);
}
static void other_direction(struct buf *b, const struct opened *o)
{
    (void)o;
    b->data[ENTRY(0) + 37] = PACKAGE_DESCENDING;
}
static void shorter_old(struct buf *b, const struct opened *o)
{
    put_le32(b->data + ENTRY(0) + 40, o->files[0].old_bytes / 2);
}
static void shorter_new(struct buf *b, const struct opened *o)
{
    put_le32(b->data + ENTRY(0) + 44, o->files[0].new_bytes - 1);
}
static void longer_new(struct buf *b, const struct opened *o)
{
    put_le32(b->data + ENTRY(0) + 44, o->files[0].new_bytes + 5000);
}
static void fewer_blocks(struct buf *b, const struct opened *o)
{
    (void)o;
    put_le32(b->data + ENTRY(0) + 44, BLOCK_BYTES);
}
static void vcd_target(struct buf *b, const struct opened *o)
{
    b->data[o->files[0].payload_offset + DELTA_HEAD_BYTES] = 2;
}
static void cut_stream(struct buf *b, const struct opened *o)
{
    /* The last byte of the delta becomes the first of the image behind it. */
    put_le32(b->data + ENTRY(0) + 52, o->files[0].payload_bytes - 1);
    put_le32(b->data + ENTRY(1) + 48, o->files[1].payload_offset - 1);
}
/* The third window, which begins the second block, reads one byte before its block. */
static void reads_overwritten(struct buf *b, const struct opened *o)
{
    const size_t end = (size_t)o->files[0].payload_offset + o->files[0].payload_bytes;
    size_t at = (size_t)o->files[0].payload_offset + DELTA_HEAD_BYTES;
    struct window w;
    for (int i = 0; i < 2; i++) {
        REQUIRE(window_parse(&w, b->data + at, end - at, NULL) == 0);
        at += w.len_bytes;
    }
    REQUIRE(window_parse(&w, b->data + at, end - at, NULL) == 0);
    REQUIRE(w.has_source && w.source_pos >= BLOCK_BYTES && w.pos_end - w.pos_at == 2);
    b->data[at + w.pos_at] = (uint8_t)(0x80 | ((BLOCK_BYTES - 1) >> 7));
    b->data[at + w.pos_at + 1] = (BLOCK_BYTES - 1) & 0x7f;
}

static const struct damage {
    const char *name;
    void (*change)(struct buf *b, const struct opened *o);
    int code;
    const char *text;
} damages[] = {
    {"another algorithm", algorithm, ERR_UNSUPPORTED, "algorithm is 2"},
    {"a name twice", file_twice, ERR_FORMAT, "app: the name is there twice"},
    {"overlapping payloads", overlapping, ERR_FORMAT, "fresh: payload at"},
    {"bytes behind the last payload", trailing, ERR_FORMAT, "1 bytes behind"},
    {"a full image of other content", other_image, ERR_DIGEST, "fresh: the full image"},
    {"a delta header with options", stream_head, ERR_FORMAT, "delta header: byte 4"},
    {"windows larger than announced", narrower_window, ERR_FORMAT,
     "makes 2048 bytes, the head allows 2047"},
    {"a window across blocks", other_blocks, ERR_FORMAT, "the block needs only 500"},
    {"the other direction", other_direction, ERR_FORMAT, "block"},
    {"segments beyond the old image", shorter_old, ERR_FORMAT, "readable for its block"},
    {"a delta that makes too much", shorter_new, ERR_FORMAT, "needs only"},
    {"a delta that makes too little", longer_new, ERR_FORMAT, "before the image"},
    {"a delta that goes on", fewer_blocks, ERR_FORMAT, "output behind the image"},
    {"a window from the target", vcd_target, ERR_UNSUPPORTED, "window 0 at 5"},
    {"a delta cut short", cut_stream, ERR_FORMAT, "cut off"},
    {"a window that reads what is overwritten", reads_overwritten, ERR_FORMAT, "old bytes at 4095"},
};

static const char *damage_name(const void *row)
{
    return ((const struct damage *)row)->name;
}

static void damage_seen(const void *row)
{
    const struct damage *t = row;
    struct buf package;
    struct opened o;
    struct err e = {""};
    sample(&package, &o);
    sign_package(&package);
    REQUIRE_OK(package_verify(package.data, package.len_bytes, &e), &e);
    t->change(&package, &o);
    sign_package(&package);
    CHECK_ERR(package_verify(package.data, package.len_bytes, &e), t->code);
    CHECK_HAS(e.text, t->text);
    buf_free(&package);
}

/* ---- Window headers -------------------------------------------------------------------------- */

static const struct header {
    const char *name;
    const char *hex;
    int code;
    const char *text;
    struct window want;
} headers[] = {
    {"without a source", "00 07 01 00 01 01 00 41 02", 0, "", {.target_len = 1, .len_bytes = 9}},
    {"with a source",
     "01 05 81 00 07 05 00 00 01 01 18 00",
     0,
     "",
     {.has_source = true,
      .source_len = 5,
      .source_pos = 128,
      .target_len = 5,
      .pos_at = 2,
      .pos_end = 4,
      .len_bytes = 12}},
    {"with an Adler-32",
     "04 0b 01 00 01 01 00 00 42 00 42 41 02",
     0,
     "",
     {.target_len = 1, .len_bytes = 13}},
    {"empty", "", ERR_FORMAT, "window indicator is cut off", {0}},
    {"of an unknown kind", "08 07", ERR_FORMAT, "0x08", {0}},
    {"from the target", "02 07", ERR_UNSUPPORTED, "VCD_TARGET", {0}},
    {"cut in the segment", "01 85", ERR_FORMAT, "source segment size is cut off", {0}},
    {"with a number of 33 bits", "01 05 90 80 80 80 00 07", ERR_FORMAT, "exceeds 32 bits", {0}},
    {"with a number of six digits", "01 05 81 80 80 80 80 00", ERR_FORMAT, "exceeds 32", {0}},
    {"longer than the stream", "00 08 01 00 01 01 00 41 02", ERR_FORMAT, "8 bytes announced", {0}},
    {"with compressed sections", "00 07 01 01 01 01 00 41 02", ERR_UNSUPPORTED, "0x01", {0}},
    {"with sections too short", "00 08 01 00 01 01 00 41 02 00", ERR_FORMAT, "do not fill", {0}},
    {"with sections too long", "00 07 01 00 01 02 00 41 02", ERR_FORMAT, "do not fill", {0}},
    {"without output", "00 05 00 00 00 00 00", ERR_FORMAT, "no output", {0}},
};

static const char *header_name(const void *row)
{
    return ((const struct header *)row)->name;
}

static size_t bytes_of(const char *hex, uint8_t out[32])
{
    size_t n = 0;
    for (; *hex != '\0'; hex += hex[2] == ' ' ? 3 : 2) {
        const char pair[3] = {hex[0], hex[1], '\0'};
        REQUIRE(n < 32 && hex_decode(out + n, 1, pair));
        n++;
    }
    return n;
}

static void header_parsed(const void *row)
{
    const struct header *t = row;
    uint8_t data[32] = {0};
    struct window w;
    struct err e = {""};
    const size_t len = bytes_of(t->hex, data);
    CHECK_ERR(window_parse(&w, data, len, &e), t->code);
    CHECK_HAS(e.text, t->text);
    if (t->code != 0)
        return;
    CHECK_INT(w.has_source, t->want.has_source);
    CHECK_INT(w.source_len, t->want.source_len);
    CHECK_INT(w.source_pos, t->want.source_pos);
    CHECK_INT(w.target_len, t->want.target_len);
    CHECK_INT(w.pos_at, t->want.pos_at);
    CHECK_INT(w.pos_end, t->want.pos_end);
    CHECK_INT(w.len_bytes, t->want.len_bytes);
    for (size_t shorter = 0; shorter < len; shorter++)
        CHECK_ERR(window_parse(&w, data, shorter, &e), ERR_FORMAT);
}

/* All lengths of the number, up to the largest offset; the rest of the window stays as it was. */
static void segments_move(void)
{
    static const uint32_t offsets[] = {0,         1,         127,     128,
                                       16383 - 3, 16384,     2097151, 2097152,
                                       268435455, 268435456, 1 << 30, UINT32_MAX - 3};
    static const uint8_t data[] = {0x01, 0x05, 0x03, 0x07, 0x05, 0x00,
                                   0x00, 0x01, 0x01, 0x18, 0x00};
    struct window w, moved;
    struct err e = {""};
    REQUIRE_OK(window_parse(&w, data, sizeof data, &e), &e);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct buf b;
        buf_init(&b, 64);
        REQUIRE(window_append_moved(&b, &w, data, offsets[i]) == 0);
        REQUIRE_OK(window_parse(&moved, b.data, b.len_bytes, &e), &e);
        CHECK_INT(moved.source_pos, offsets[i] + 3);
        CHECK_INT(moved.source_len, 5);
        CHECK_INT(moved.len_bytes, b.len_bytes);
        CHECK_INT(b.len_bytes - moved.pos_end, sizeof data - w.pos_end);
        CHECK_MEM(b.data + moved.pos_end, data + w.pos_end, sizeof data - w.pos_end);
        buf_free(&b);
    }
}

static const struct test tests[] = {
    {"every byte counts", every_byte_counts},
    {"every length counts", every_length_counts},
    TEST_ROWS("refused", damage_seen, damages, damage_name),
    TEST_ROWS("window", header_parsed, headers, header_name),
    {"source segments move", segments_move},
};
TEST_MAIN("package verification", tests)
