#include "mock_cloud/packages/packages_testing.h"

/* A temporary directory that does not exist tells whether xdelta3 would have been run. */
static void cache_hits(void)
{
    char dir[TEST_PATH_MAX], cache[TEST_PATH_MAX + 16], path[FILE_PATH_MAX];
    struct pair p;
    struct buf made, hit, file;
    enum package_kind kind = PACKAGE_FULL;
    struct err e = {""};
    test_tmpdir(dir);
    (void)snprintf(cache, sizeof cache, "%s/not/yet", dir);
    pair_make(&p, 7, 30000, 0);
    const struct package_source s = source_of("app", 0, &p);
    struct package_params params = params_of(8192, 2048);
    params.cache_dir = cache;
    make(&made, &s, 1, &params, &kind);
    REQUIRE(entries(cache, path) == 1);

    params.temp_dir = "/nonexistent";
    kind = PACKAGE_FULL;
    make(&hit, &s, 1, &params, &kind);
    CHECK_INT(kind, PACKAGE_DELTA);
    REQUIRE(hit.len_bytes == made.len_bytes);
    CHECK_MEM(hit.data, made.data, made.len_bytes);
    buf_free(&hit);

    /* Damaged: not used, and made again. */
    buf_init(&file, BYTES_MAX);
    REQUIRE(file_read(&file, path, &e) == 0);
    file.data[file.len_bytes / 2] ^= 0x10;
    REQUIRE(file_write(path, file.data, file.len_bytes, &e) == 0);
    buf_init(&hit, BYTES_MAX);
    CHECK_ERR(package_make(&hit, &s, 1, &params, &kind, &e), ERR_IO);
    CHECK_INT(hit.len_bytes, 0);
    params.temp_dir = NULL;
    REQUIRE_OK(package_make(&hit, &s, 1, &params, &kind, &e), &e);
    REQUIRE(hit.len_bytes == made.len_bytes);
    CHECK_MEM(hit.data, made.data, made.len_bytes);
    buf_clear(&file);
    REQUIRE(file_read(&file, path, &e) == 0);
    REQUIRE(file.len_bytes == made.len_bytes);
    CHECK_MEM(file.data, made.data, made.len_bytes);
    CHECK_INT(entries(cache, NULL), 1);
    buf_free(&hit);
    buf_free(&file);
    buf_free(&made);
    pair_free(&p);
}

/* A good package of other images under this name is not taken either. */
static void cache_of_others(void)
{
    char dir[TEST_PATH_MAX], path[FILE_PATH_MAX];
    struct pair p, other;
    struct buf made, again, wrong;
    enum package_kind kind;
    struct err e = {""};
    test_tmpdir(dir);
    pair_make(&p, 8, 20000, 0);
    pair_make(&other, 9, 20000, 0);
    const struct package_source s = source_of("app", 0, &p);
    const struct package_source t = source_of("app", 0, &other);
    struct package_params params = params_of(8192, 2048);
    make(&wrong, &t, 1, &params, &kind);
    params.cache_dir = dir;
    make(&made, &s, 1, &params, &kind);
    REQUIRE(entries(dir, path) == 1);
    REQUIRE(file_write(path, wrong.data, wrong.len_bytes, &e) == 0);
    make(&again, &s, 1, &params, &kind);
    REQUIRE(again.len_bytes == made.len_bytes);
    CHECK_MEM(again.data, made.data, made.len_bytes);
    buf_free(&made);
    buf_free(&again);
    buf_free(&wrong);
    pair_free(&p);
    pair_free(&other);
}

/* Everything that decides the content is in the key. */
static void cache_keys(void)
{
    char dir[TEST_PATH_MAX];
    struct pair p, q;
    struct buf made;
    enum package_kind kind;
    test_tmpdir(dir);
    pair_make(&p, 10, 20000, 0);
    pair_make(&q, 11, 20000, 0);
    const struct package_source s = source_of("app", 0, &p);
    const struct package_params base = params_of(8192, 2048);
    for (int i = 0; i < 11; i++) {
        struct package_source t = s;
        struct package_params params = base;
        params.cache_dir = dir;
        t.address = i == 1 ? 4096 : 0;
        t.name[0] = i == 2 ? 'A' : 'a';
        t.old_image = i == 3 ? q.was.data : t.old_image;
        t.new_image = i == 4 ? q.is.data : t.new_image;
        params.from_version[0] = i == 5 ? '2' : '1';
        params.to_version[0] = i == 6 ? '2' : '1';
        params.compare_block_kib = i == 7 ? 32 : 64;
        params.restore_block_bytes = i == 8 ? 4096 : 8192;
        params.window_bytes = i == 9 ? 4096 : 2048;
        params.full = i == 10;
        make(&made, &t, 1, &params, &kind);
        CHECK_INT(entries(dir, NULL), i + 1);
        buf_free(&made);
    }
    pair_free(&p);
    pair_free(&q);
}

static const struct test tests[] = {
    {"cache: hit, damage, repair", cache_hits},
    {"cache: another's package is not taken", cache_of_others},
    {"cache: all parameters count", cache_keys},
};
TEST_MAIN("packages that are kept", tests)
