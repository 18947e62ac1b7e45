#include "mock_cloud/packages/packages.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "mock_cloud/packages/packages_testing.h"
#include "mock_cloud/packages/window.h"

static void check_digest(const uint8_t want[SHA256_BYTES], const void *data, size_t len_bytes)
{
    uint8_t got[SHA256_BYTES];
    digest_of(DIGEST_SHA256, data, len_bytes, got);
    CHECK_MEM(got, want, sizeof got);
}

/* ---- The delta stream, judged by the xdelta3 program ----------------------------------------- */

/*
 * Restores in place as a boot loader would: block after block is decoded by xdelta3 against what
 * the flash holds at that moment, and written over it. A window that read a byte already
 * overwritten, or crossed a block, would give another image.
 */
static void restore_in_place(const struct opened *o, const struct package_file *f,
                             const uint8_t *payload, const struct pair *p)
{
    char dir[TEST_PATH_MAX];
    struct buf stream, block;
    const uint32_t block_bytes = o->head.restore_block_bytes;
    const uint32_t blocks = package_blocks(&o->head, f);
    uint8_t *flash = malloc((size_t)f->old_bytes + f->new_bytes);
    REQUIRE(flash != NULL);
    memcpy(flash, p->was.data, f->old_bytes);
    buf_init(&stream, BYTES_MAX);
    buf_init(&block, BYTES_MAX);
    test_tmpdir(dir);
    size_t at = DELTA_HEAD_BYTES;
    for (uint32_t turn = 0; turn < blocks; turn++) {
        const uint32_t index = f->direction == PACKAGE_ASCENDING ? turn : blocks - 1 - turn;
        const size_t begin = (size_t)index * block_bytes;
        const size_t want = f->new_bytes - begin < block_bytes ? f->new_bytes - begin : block_bytes;
        size_t made = 0;
        buf_clear(&stream);
        REQUIRE(buf_append(&stream, payload, DELTA_HEAD_BYTES) == 0);
        while (made < want) {
            struct window w;
            struct err e = {""};
            REQUIRE_OK(window_parse(&w, payload + at, f->payload_bytes - at, &e), &e);
            REQUIRE(buf_append(&stream, payload + at, w.len_bytes) == 0);
            CHECK(w.target_len <= o->head.window_bytes);
            at += w.len_bytes;
            made += w.target_len;
        }
        CHECK_INT(made, want);
        xdelta3_decode(dir, flash, f->old_bytes, &stream, &block);
        REQUIRE(block.len_bytes == want);
        memcpy(flash + begin, block.data, want);
    }
    CHECK_INT(at, f->payload_bytes);
    CHECK_MEM(flash, p->is.data, f->new_bytes);
    free(flash);
    buf_free(&stream);
    buf_free(&block);
}

/* The stream as a whole, against the untouched old image: the blocks in the order of turns. */
static void decode_whole(const struct opened *o, const struct package_file *f,
                         const uint8_t *payload, const struct pair *p)
{
    char dir[TEST_PATH_MAX];
    struct buf stream, got, want;
    const uint32_t block_bytes = o->head.restore_block_bytes;
    const uint32_t blocks = package_blocks(&o->head, f);
    buf_init(&stream, BYTES_MAX);
    buf_init(&got, BYTES_MAX);
    buf_init(&want, BYTES_MAX);
    test_tmpdir(dir);
    REQUIRE(buf_append(&stream, payload, f->payload_bytes) == 0);
    xdelta3_decode(dir, p->was.data, p->was.len_bytes, &stream, &got);
    for (uint32_t turn = 0; turn < blocks; turn++) {
        const uint32_t index = f->direction == PACKAGE_ASCENDING ? turn : blocks - 1 - turn;
        const size_t begin = (size_t)index * block_bytes;
        const size_t n = f->new_bytes - begin < block_bytes ? f->new_bytes - begin : block_bytes;
        REQUIRE(buf_append(&want, p->is.data + begin, n) == 0);
    }
    REQUIRE(got.len_bytes == want.len_bytes);
    CHECK_MEM(got.data, want.data, want.len_bytes);
    buf_free(&stream);
    buf_free(&got);
    buf_free(&want);
}

static const struct stream_row {
    const char *name;
    uint64_t seed;
    uint32_t old_bytes;
    int32_t grow_bytes;
    uint32_t block_bytes;
    uint32_t window_bytes;
    int direction; /* that it must have; -1: either */
} streams[] = {
    {"one block", 1, 40000, 0, 65536, 16384, PACKAGE_ASCENDING},
    {"many blocks", 2, 65536, 0, 8192, 4096, -1},
    {"blocks of an odd size", 3, 50000, 0, 5000, 5000, -1},
    {"small windows", 4, 16384, 0, 4096, 512, -1},
    {"window larger than 16 KiB", 5, 100000, 0, 65536, 20000, -1},
    {"window as large as the block", 6, 200000, 0, 65536, 65536, -1},
    {"grows by less than a block", 7, 60000, 3000, 8192, 4096, PACKAGE_DESCENDING},
    {"grows by several blocks", 8, 60000, 20000, 8192, 4096, PACKAGE_DESCENDING},
    {"shrinks by less than a block", 9, 60000, -3000, 8192, 4096, PACKAGE_ASCENDING},
    {"shrinks by several blocks", 10, 60000, -20000, 8192, 4096, PACKAGE_ASCENDING},
    {"doubles", 11, 30000, 15001, 8192, 8192, PACKAGE_DESCENDING},
    {"larger than xdelta3's source window, growing", 12, 800000, 6000, 65536, 16384,
     PACKAGE_DESCENDING},
    {"larger than xdelta3's source window, shrinking", 13, 800000, -6000, 65536, 16384,
     PACKAGE_ASCENDING},
};

static const char *stream_name(const void *row)
{
    return ((const struct stream_row *)row)->name;
}

static void stream_restores(const void *row)
{
    const struct stream_row *t = row;
    struct pair p;
    struct buf package;
    struct opened o;
    enum package_kind kind = PACKAGE_FULL;
    pair_make(&p, t->seed, t->old_bytes, t->grow_bytes);
    const struct package_source s = source_of("app", 0x10000, &p);
    const struct package_params params = params_of(t->block_bytes, t->window_bytes);
    make(&package, &s, 1, &params, &kind);
    open_package(&o, &package);
    const struct package_file *f = &o.files[0];
    REQUIRE(kind == PACKAGE_DELTA && f->kind == PACKAGE_DELTA);
    if (t->direction >= 0)
        CHECK_INT(f->direction, t->direction);
    CHECK_INT(f->old_bytes, p.was.len_bytes);
    CHECK_INT(f->new_bytes, p.is.len_bytes);
    CHECK((uint64_t)f->payload_bytes * 10 < (uint64_t)f->new_bytes * 9);
    check_digest(f->old_sha256, p.was.data, p.was.len_bytes);
    check_digest(f->new_sha256, p.is.data, p.is.len_bytes);
    check_digest(f->payload_sha256, package.data + f->payload_offset, f->payload_bytes);
    decode_whole(&o, f, package.data + f->payload_offset, &p);
    restore_in_place(&o, f, package.data + f->payload_offset, &p);
    buf_free(&package);
    pair_free(&p);
}

/* ---- The container --------------------------------------------------------------------------- */

static void several_files(void)
{
    struct pair a, b, c;
    struct buf package;
    struct opened o;
    enum package_kind kind = PACKAGE_FULL;
    pair_make(&a, 1, 20000, 0);
    pair_make(&b, 2, 8192, 0);
    pair_make(&c, 3, 8192, 0);
    struct package_source files[] = {source_of("app", 0x10000, &a), source_of("same", 0x20000, &b),
                                     source_of("fresh", 0x30000, &c)};
    files[1].new_image = files[1].old_image;
    files[2].old_image = NULL;
    files[2].old_bytes = 0;
    const struct package_params params = params_of(16384, 4096);
    make(&package, files, 3, &params, &kind);
    open_package(&o, &package);
    CHECK_INT(kind, PACKAGE_DELTA);
    REQUIRE(o.head.file_count == 2);
    CHECK_INT(o.head.total_bytes, package.len_bytes);
    CHECK_INT(o.head.algorithm, PACKAGE_ALGORITHM);
    CHECK_INT(o.head.compare_block_kib, 64);
    CHECK_INT(o.head.restore_block_bytes, 16384);
    CHECK_INT(o.head.window_bytes, 4096);
    CHECK_STR(o.head.from_version, "1.0");
    CHECK_STR(o.head.to_version, "1.1");
    CHECK_STR(o.files[0].name, "app");
    CHECK_INT(o.files[0].kind, PACKAGE_DELTA);
    CHECK_INT(o.files[0].address, 0x10000);
    CHECK_STR(o.files[1].name, "fresh");
    CHECK_INT(o.files[1].kind, PACKAGE_FULL);
    CHECK_INT(o.files[1].payload_offset, o.files[0].payload_offset + o.files[0].payload_bytes);
    REQUIRE(o.files[1].payload_bytes == c.is.len_bytes);
    CHECK_MEM(package.data + o.files[1].payload_offset, c.is.data, c.is.len_bytes);
    check_digest(o.head.table_sha256, package.data + PACKAGE_HEAD_BYTES,
                 (size_t)2 * PACKAGE_FILE_BYTES);
    buf_free(&package);
    pair_free(&a);
    pair_free(&b);
    pair_free(&c);
}

static void check_all_full(const struct package_source *s, const struct package_params *params)
{
    struct buf package;
    struct opened o;
    enum package_kind kind = PACKAGE_DELTA;
    make(&package, s, 1, params, &kind);
    open_package(&o, &package);
    CHECK_INT(kind, PACKAGE_FULL);
    CHECK_INT(o.files[0].kind, PACKAGE_FULL);
    CHECK_INT(package.len_bytes, PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES + s->new_bytes);
    CHECK_MEM(package.data + o.files[0].payload_offset, s->new_image, s->new_bytes);
    buf_free(&package);
}

static void full_packages(void)
{
    struct pair p;
    struct rng r;
    pair_make(&p, 1, 20000, 0);
    struct package_source s = source_of("app", 0, &p);
    struct package_params params = params_of(4096, 4096);
    params.full = true;
    check_all_full(&s, &params);
    params.full = false;
    rng_init(&r, 1, "packages_test", "incompressible", 0);
    rng_fill(&r, p.is.data, p.is.len_bytes);
    check_all_full(&s, &params);
    s.old_image = NULL;
    s.old_bytes = 0;
    check_all_full(&s, &params);
    pair_free(&p);
}

/* 9/10 is the border: random bytes of which a part comes from the old image. */
static void delta_must_pay(void)
{
    struct pair p;
    struct rng r;
    struct buf package;
    struct opened o;
    enum package_kind kind;
    pair_make(&p, 1, 20000, 0);
    const struct package_source s = source_of("app", 0, &p);
    const struct package_params params = params_of(32768, 16384);
    int deltas = 0, fulls = 0;
    for (uint32_t kept = 1000; kept <= 3000; kept += 100) {
        rng_init(&r, kept, "packages_test", "border", 0);
        rng_fill(&r, p.is.data, p.is.len_bytes);
        memcpy(p.is.data, p.was.data, kept);
        make(&package, &s, 1, &params, &kind);
        open_package(&o, &package);
        if (kind == PACKAGE_DELTA) {
            CHECK(o.files[0].payload_bytes < 18000);
            deltas++;
        } else {
            CHECK(20000 - kept > 17800);
            fulls++;
        }
        buf_free(&package);
    }
    CHECK(deltas > 5);
    CHECK(fulls > 5);
    pair_free(&p);
}

static void same_again(void)
{
    struct pair p;
    struct buf first, second;
    enum package_kind kind;
    pair_make(&p, 5, 30000, 100);
    const struct package_source s = source_of("app", 0x8000, &p);
    const struct package_params params = params_of(8192, 2048);
    make(&first, &s, 1, &params, &kind);
    REQUIRE(setenv("XDELTA", "-N", 1) == 0);
    make(&second, &s, 1, &params, &kind);
    (void)unsetenv("XDELTA");
    REQUIRE(first.len_bytes == second.len_bytes);
    CHECK_MEM(first.data, second.data, first.len_bytes);
    /* Appends, and appends the same. */
    struct err e = {""};
    REQUIRE_OK(package_make(&first, &s, 1, &params, &kind, &e), &e);
    REQUIRE(first.len_bytes == 2 * second.len_bytes);
    CHECK_MEM(first.data + second.len_bytes, second.data, second.len_bytes);
    buf_free(&first);
    buf_free(&second);
    pair_free(&p);
}

static void description(void)
{
    struct pair p;
    struct buf package, text;
    enum package_kind kind;
    struct err e = {""};
    pair_make(&p, 6, 30000, 1000);
    const struct package_source s = source_of("modem.bin", 0x8000, &p);
    const struct package_params params = params_of(8192, 2048);
    make(&package, &s, 1, &params, &kind);
    buf_init(&text, 4096);
    REQUIRE_OK(package_describe(package.data, package.len_bytes, &text, &e), &e);
    const char *t = (const char *)text.data;
    CHECK_HAS(t, "package 1.0 to 1.1, ");
    CHECK_HAS(t, "1 file\n");
    CHECK_HAS(t, "restore block 8192 bytes, window 2048 bytes, compare block 64 KiB");
    CHECK_HAS(t, "file modem.bin at 0x00008000: delta, 4 blocks descending\n");
    CHECK_HAS(t, "new      31000 bytes");
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_SHA256, p.is.data, p.is.len_bytes, hex);
    CHECK_HAS(t, hex);
    package.data[package.len_bytes - 1] ^= 1;
    CHECK_ERR(package_describe(package.data, package.len_bytes, &text, &e), ERR_FORMAT);
    CHECK_HAS(e.text, "damaged package");
    package.data[package.len_bytes - 1] ^= 1;
    struct buf tiny;
    buf_init(&tiny, 20);
    CHECK_ERR(package_describe(package.data, package.len_bytes, &tiny, &e), ERR_LIMIT);
    buf_free(&tiny);
    buf_free(&text);
    buf_free(&package);
    pair_free(&p);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* A program of the test's own instead of xdelta3; null: none at all. */
static void with_program(const char *script, const char *text)
{
    char bin[TEST_PATH_MAX], temp[TEST_PATH_MAX], path[FILE_PATH_MAX];
    struct pair p;
    struct buf out;
    enum package_kind kind;
    struct err e = {""};
    test_tmpdir(bin);
    test_tmpdir(temp);
    if (script != NULL) {
        (void)snprintf(path, sizeof path, "%s/xdelta3", bin);
        REQUIRE(file_write(path, (const uint8_t *)script, strlen(script), &e) == 0);
        REQUIRE(chmod(path, 0700) == 0);
    }
    pair_make(&p, 12, 20000, 0);
    const struct package_source s = source_of("app", 0, &p);
    struct package_params params = params_of(8192, 2048);
    params.temp_dir = temp;
    char *before = strdup(getenv("PATH"));
    REQUIRE(before != NULL && setenv("PATH", bin, 1) == 0);
    buf_init(&out, BYTES_MAX);
    const int rc = package_make(&out, &s, 1, &params, &kind, &e);
    REQUIRE(setenv("PATH", before, 1) == 0);
    free(before);
    CHECK_ERR(rc, ERR_IO);
    CHECK_HAS(e.text, "file app: ");
    CHECK_HAS(e.text, text);
    CHECK_INT(out.len_bytes, 0);
    CHECK_INT(entries(temp, NULL), 0);
    REQUIRE_OK(package_make(&out, &s, 1, &params, &kind, &e), &e);
    CHECK_INT(entries(temp, NULL), 0);
    buf_free(&out);
    pair_free(&p);
}

static const struct program_row {
    const char *name;
    const char *script;
    const char *text;
} programs[] = {
    {"missing", NULL, "apt install xdelta3"},
    {"failing", "#!/bin/sh\necho 'no room' >&2\nexit 3\n", "status 3: no room"},
    {"killed", "#!/bin/sh\nkill -9 $$\n", "signal 9"},
    {"writing nothing", "#!/bin/sh\nexit 0\n", "delta: No such file"},
    {"writing another format", "#!/bin/sh\nfor f; do :; done\necho 'VCDIFF?' >\"$f\"\n",
     "delta header: byte 0 is 0x56, not 0xd6"},
    {"writing too little", "#!/bin/sh\nfor f; do :; done\nprintf '\\326\\303\\304\\0\\0' >\"$f\"\n",
     "xdelta3 encoded 0 of 2048 bytes"},
};

static const char *program_name(const void *row)
{
    return ((const struct program_row *)row)->name;
}

static void program_fails(const void *row)
{
    const struct program_row *t = row;
    with_program(t->script, t->text);
}

struct argument {
    struct package_source files[2];
    struct package_params params;
    size_t n;
    size_t room;
};

static void no_files(struct argument *a)
{
    a->n = 0;
}
static void too_many(struct argument *a)
{
    a->n = PACKAGE_FILES_MAX + 1;
}
static void nameless(struct argument *a)
{
    a->files[0].name[0] = '\0';
}
static void unterminated(struct argument *a)
{
    memset(a->files[1].name, 'x', sizeof a->files[1].name);
}
static void unprintable(struct argument *a)
{
    a->files[1].name[0] = '\n';
}
static void twice(struct argument *a)
{
    a->files[1] = a->files[0];
}
static void no_new(struct argument *a)
{
    a->files[0].new_bytes = 0;
}
static void no_old(struct argument *a)
{
    a->files[0].old_image = NULL;
}
static void too_large(struct argument *a)
{
    a->files[0].new_bytes = PACKAGE_IMAGE_MAX + 1;
}
static void too_high(struct argument *a)
{
    a->files[0].address = UINT32_MAX - 5;
}
static void unchanged(struct argument *a)
{
    for (int i = 0; i < 2; i++)
        a->files[i].new_image = a->files[i].old_image;
}
static void no_version(struct argument *a)
{
    a->params.to_version[0] = '\0';
}
static void no_block(struct argument *a)
{
    a->params.restore_block_bytes = 0;
}
static void no_window(struct argument *a)
{
    a->params.window_bytes = 0;
}
static void wide_window(struct argument *a)
{
    a->params.window_bytes = a->params.restore_block_bytes + 1;
}
static void no_compare(struct argument *a)
{
    a->params.compare_block_kib = 0;
}
static void tiny_blocks(struct argument *a)
{
    a->params.restore_block_bytes = a->params.window_bytes = 1;
}
static void no_temp(struct argument *a)
{
    a->params.temp_dir = "/nonexistent";
}
static void no_room(struct argument *a)
{
    a->room = 1000;
}
static void bad_cache(struct argument *a)
{
    a->params.cache_dir = "/dev/null/cache";
}

static const struct argument_row {
    const char *name;
    void (*change)(struct argument *a);
    int code;
    const char *text;
} arguments[] = {
    {"no files", no_files, ERR_ARG, "nothing to update"},
    {"too many files", too_many, ERR_LIMIT, "allowed are 1 to 20"},
    {"a file without a name", nameless, ERR_ARG, "file 0: name"},
    {"a name without an end", unterminated, ERR_ARG, "file 1: name"},
    {"a name that cannot be printed", unprintable, ERR_ARG, "printable"},
    {"a name given twice", twice, ERR_ARG, "file app is given twice"},
    {"an empty new image", no_new, ERR_ARG, "file app: the new image is empty"},
    {"old bytes without an image", no_old, ERR_ARG, "no old image"},
    {"an image above the maximum", too_large, ERR_LIMIT, "allowed are 16777216"},
    {"an image beyond 32 bits", too_high, ERR_ARG, "32-bit addresses"},
    {"nothing changes", unchanged, ERR_ARG, "none of 2 files changes"},
    {"no target version", no_version, ERR_ARG, "to_version"},
    {"block of 0 bytes", no_block, ERR_ARG, "restore_block_bytes is 0"},
    {"window of 0 bytes", no_window, ERR_ARG, "window_bytes is 0"},
    {"window larger than the block", wide_window, ERR_ARG, "window_bytes is 8193"},
    {"compare block of 0 KiB", no_compare, ERR_ARG, "compare_block_kib is 0"},
    {"more runs than allowed", tiny_blocks, ERR_ARG, "make them larger"},
    {"no temporary directory", no_temp, ERR_IO, "/nonexistent"},
    {"a buffer too small", no_room, ERR_LIMIT, "above 1000 bytes"},
    {"a cache that is no directory", bad_cache, ERR_IO, "package cache: creating directory"},
};

static const char *argument_name(const void *row)
{
    return ((const struct argument_row *)row)->name;
}

static void argument_refused(const void *row)
{
    const struct argument_row *t = row;
    struct pair p, q;
    struct buf out;
    enum package_kind kind;
    struct err e = {""};
    pair_make(&p, 13, 20000, 0);
    pair_make(&q, 14, 10000, 0);
    struct argument a = {.files = {source_of("app", 0, &p), source_of("modem", 0x10000, &q)},
                         .params = params_of(8192, 2048),
                         .n = 2,
                         .room = BYTES_MAX};
    t->change(&a);
    buf_init(&out, a.room);
    CHECK_ERR(package_make(&out, a.files, a.n, &a.params, &kind, &e), t->code);
    CHECK_HAS(e.text, t->text);
    CHECK_INT(out.len_bytes, 0);
    buf_free(&out);
    pair_free(&p);
    pair_free(&q);
}

static const struct test tests[] = {
    TEST_ROWS("delta restores in place", stream_restores, streams, stream_name),
    {"files: changed, unchanged, new", several_files},
    {"full payloads: asked for, incompressible, no old image", full_packages},
    {"a delta is used only below 9/10", delta_must_pay},
    {"same input, same package, whatever XDELTA says", same_again},
    {"description", description},
    TEST_ROWS("xdelta3", program_fails, programs, program_name),
    TEST_ROWS("refused", argument_refused, arguments, argument_name),
};
TEST_MAIN("update packages", tests)
