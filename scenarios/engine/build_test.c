#include "scenarios/engine/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"

#define HEAD                                                                                       \
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"app_bytes\": \"0x8000\", "                  \
    "\"download_bytes\": \"0x10000\", \"user_bytes\": \"0x1000\", \"compare_block_kib\": 4"

/* A scenario and what is built from it. Made again after something in s was changed. */
struct fixture {
    struct scenario s;
    struct build b;
    struct build_options o;
    struct err err;
    int rc;
    uint8_t *flash;
};

static struct fixture *fixture_of(const char *path, const char *text)
{
    struct fixture *f = calloc(1, sizeof *f);
    REQUIRE(f != NULL);
    REQUIRE_OK(scenario_parse(&f->s, text, strlen(text), "test", &f->err), &f->err);
    if (path != NULL)
        (void)snprintf(f->s.path, sizeof f->s.path, "%s", path);
    f->rc = build_make(&f->b, &f->s, &f->o, &f->err);
    f->flash = malloc(f->s.device.geometry.size_bytes);
    REQUIRE(f->flash != NULL);
    memset(f->flash, 0xff, f->s.device.geometry.size_bytes);
    return f;
}

static void fixture_free(struct fixture *f)
{
    build_free(&f->b);
    free(f->flash);
    free(f);
}

static void put(struct fixture *f, uint32_t file, const struct buf *image)
{
    memcpy(f->flash + f->s.device.files[file].address, image->data, image->len_bytes);
}

static int version(const struct fixture *f)
{
    return build_version_of(&f->b, &f->s, f->flash);
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len_bytes == b->len_bytes && memcmp(a->data, b->data, a->len_bytes) == 0;
}

/* ---- images ---- */

static void images_follow_their_specification(void)
{
    struct fixture *f = fixture_of(
        NULL, HEAD ", \"files\": [{}, {\"name\": \"b\"}]}, \"versions\": ["
                   "{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 5000, "
                   "\"seed\": 3}}, {\"generate\": {\"bytes\": 700}}]}, "
                   "{\"version\": \"1.1\", \"images\": [{\"edit\": {\"grow_bytes\": 300}}, "
                   "{\"same\": true}]}, "
                   "{\"version\": \"1.2\", \"images\": [{\"edit\": {\"grow_bytes\": -400}}, "
                   "{\"generate\": {\"bytes\": 700, \"seed\": 9}}]}], \"offers\": []}");
    REQUIRE_OK(f->rc, &f->err);
    CHECK_INT(f->b.images[0][0].len_bytes, 5000);
    CHECK_INT(f->b.images[1][0].len_bytes, 5300);
    CHECK_INT(f->b.images[2][0].len_bytes, 4900);
    CHECK(same(&f->b.images[0][1], &f->b.images[1][1]));
    CHECK(!same(&f->b.images[1][1], &f->b.images[2][1]));
    struct buf again;
    buf_init(&again, PACKAGE_IMAGE_MAX);
    REQUIRE(package_generate(&again, 3, 5000) == 0);
    CHECK(same(&f->b.images[0][0], &again));
    buf_free(&again);
    fixture_free(f);
}

static void write_file(const char *path, const void *data, size_t len_bytes)
{
    FILE *out = fopen(path, "wb");
    REQUIRE(out != NULL && fwrite(data, 1, len_bytes, out) == len_bytes && fclose(out) == 0);
}

/* Beside the scenario first, then in the firmware directory. */
static void files_are_looked_up(void)
{
    static const char text[] = HEAD "}, \"versions\": [{\"version\": \"1.0\", \"images\": "
                                    "[{\"file\": \"otabench-test-image.bin\"}]}], \"offers\": []}";
    char dir[TEST_PATH_MAX];
    char other[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 40];
    test_tmpdir(dir);
    test_tmpdir(other);
    (void)snprintf(path, sizeof path, "%.200s/scenario.json", dir);
    struct fixture *f = fixture_of(path, text);
    CHECK_ERR(f->rc, ERR_NOT_FOUND);
    CHECK_HAS(f->err.text, "otabench-test-image.bin not found beside the scenario");
    build_free(&f->b);

    (void)snprintf(path, sizeof path, "%.200s/otabench-test-image.bin", other);
    write_file(path, "firmware", 8);
    f->o.firmware_dir = other;
    REQUIRE_OK(build_make(&f->b, &f->s, &f->o, &f->err), &f->err);
    CHECK_INT(f->b.images[0][0].len_bytes, 8);
    CHECK_MEM(f->b.images[0][0].data, "firmware", 8);
    build_free(&f->b);

    (void)snprintf(path, sizeof path, "%.200s/otabench-test-image.bin", dir);
    write_file(path, "nearer", 6);
    REQUIRE_OK(build_make(&f->b, &f->s, &f->o, &f->err), &f->err);
    CHECK_INT(f->b.images[0][0].len_bytes, 6);
    fixture_free(f);
}

static void an_image_larger_than_its_area_is_refused(void)
{
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 40];
    static const uint8_t block[0x8001];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%.200s/large.bin", dir);
    write_file(path, block, sizeof block);
    (void)snprintf(path, sizeof path, "%.200s/scenario.json", dir);
    struct fixture *f =
        fixture_of(path, HEAD "}, \"versions\": [{\"version\": \"7.5\", \"images\": [{\"file\": "
                              "\"large.bin\"}]}], \"offers\": []}");
    CHECK_ERR(f->rc, ERR_LIMIT);
    CHECK_HAS(f->err.text, "version 7.5, file app.bin: 32769 bytes do not fit its area of 32768");
    fixture_free(f);
}

/* ---- packages ---- */

static void rows_describe_their_packages(void)
{
    struct fixture *f =
        fixture_of(NULL, HEAD "}, \"versions\": [{\"version\": \"1.0\"}, {\"version\": \"1.1\"}], "
                              "\"offers\": [{}, {\"kind\": \"full\", \"at_ms\": 5000}, "
                              "{\"pad_to_bytes\": 40000}]}");
    REQUIRE_OK(f->rc, &f->err);
    for (uint32_t i = 0; i < 3; i++) {
        const struct build_package *p = &f->b.offers[i];
        char md5[DIGEST_HEX_MAX];
        digest_hex_of(DIGEST_MD5, p->bytes.data, p->bytes.len_bytes, md5);
        CHECK_INT(p->row.delta_id, BUILD_DELTA_ID + i);
        CHECK_INT(p->row.bytes, p->bytes.len_bytes);
        CHECK_STR(p->row.md5_hex, md5);
        CHECK_STR(p->row.to_version, "1.1");
        CHECK_INT(p->row.kind, p->kind);
        CHECK_STR(p->row.product_id, f->s.product.product_id);
    }
    CHECK_STR(f->b.offers[0].row.from_version, "1.0");
    CHECK_INT(f->b.offers[0].kind, PACKAGE_DELTA);
    CHECK_STR(f->b.offers[1].row.from_version, ""); /* any source */
    CHECK_INT(f->b.offers[1].kind, PACKAGE_FULL);
    CHECK_INT(f->b.offers[1].row.offered_from_ns, 5 * NS_PER_S);
    CHECK(f->b.offers[1].bytes.len_bytes > f->b.images[1][0].len_bytes);
    CHECK_INT(f->b.offers[2].bytes.len_bytes, 40000);
    CHECK_MEM(f->b.offers[2].bytes.data, f->b.offers[0].bytes.data, f->b.offers[0].bytes.len_bytes);
    fixture_free(f);
}

static void the_same_scenario_gives_the_same_bytes(void)
{
    static const char text[] = HEAD "}}";
    char dir[TEST_PATH_MAX];
    test_tmpdir(dir);
    struct fixture *a = fixture_of(NULL, text);
    struct fixture *b = fixture_of(NULL, text);
    REQUIRE_OK(a->rc, &a->err);
    CHECK(same(&a->b.offers[0].bytes, &b->b.offers[0].bytes));
    b->o.cache_dir = dir;
    for (int i = 0; i < 2; i++) { /* made, then found */
        build_free(&b->b);
        REQUIRE_OK(build_make(&b->b, &b->s, &b->o, &b->err), &b->err);
        CHECK(same(&a->b.offers[0].bytes, &b->b.offers[0].bytes));
        CHECK_INT(b->b.offers[0].kind, PACKAGE_DELTA);
    }
    fixture_free(a);
    fixture_free(b);
}

/* What a tampered package must still be: how far a reader gets with it, and what differs. */
enum depth { NO_HEAD, HEAD_ONLY, TABLE, ALL };
struct tampered {
    enum tamper tamper;
    enum depth depth;
    int32_t longer_bytes; /* than the good one */
};

static const struct tampered tampers[] = {
    {TAMPER_NONE, ALL, 0},
    {TAMPER_SOURCE_DIGEST, ALL, 0},
    {TAMPER_PAYLOAD_DIGEST, TABLE, 0},
    {TAMPER_TARGET_DIGEST, ALL, 0},
    {TAMPER_PAYLOAD_BYTE, TABLE, 0},
    {TAMPER_COMPARE_BLOCK, ALL, 0},
    {TAMPER_ALGORITHM, TABLE, 0},
    {TAMPER_ADDRESS, ALL, 0},
    {TAMPER_NAME, ALL, 0},
    {TAMPER_HEAD, NO_HEAD, 0},
    {TAMPER_TRUNCATE, TABLE, -1},
    {TAMPER_EMPTY, NO_HEAD, INT32_MIN},
};
_Static_assert(sizeof tampers / sizeof tampers[0] == TAMPER_TRAILER_MAGIC,
               "one row per kind of packages");

static const char *tampered_name(const void *row)
{
    return tamper_name(((const struct tampered *)row)->tamper);
}

static void check_difference(enum tamper t, const struct fixture *f, const struct package_head *h,
                             const struct package_file *p, const uint8_t *data)
{
    const struct buf *old = &f->b.images[0][0];
    const struct buf *new = &f->b.images[1][0];
    uint8_t sha[3][SHA256_BYTES];
    digest_of(DIGEST_SHA256, old->data, old->len_bytes, sha[0]);
    digest_of(DIGEST_SHA256, data + p->payload_offset, p->payload_bytes, sha[1]);
    digest_of(DIGEST_SHA256, new->data, new->len_bytes, sha[2]);
    bool source = memcmp(p->old_sha256, sha[0], SHA256_BYTES) == 0;
    bool payload = memcmp(p->payload_sha256, sha[1], SHA256_BYTES) == 0;
    bool target = memcmp(p->new_sha256, sha[2], SHA256_BYTES) == 0;
    CHECK_INT(source, t != TAMPER_SOURCE_DIGEST);
    CHECK_INT(payload, t != TAMPER_PAYLOAD_DIGEST && t != TAMPER_PAYLOAD_BYTE);
    CHECK_INT(target, t != TAMPER_TARGET_DIGEST);
    CHECK_INT(h->compare_block_kib, t == TAMPER_COMPARE_BLOCK ? 8 : 4);
    CHECK_INT(h->algorithm, t == TAMPER_ALGORITHM ? PACKAGE_ALGORITHM + 1 : PACKAGE_ALGORITHM);
    CHECK_INT(p->address, t == TAMPER_ADDRESS ? f->s.device.geometry.erase_bytes : 0);
    CHECK_STR(p->name, t == TAMPER_NAME ? "elsewhere.bin" : "app.bin");
}

static void packages_are_damaged_as_named(const void *row)
{
    const struct tampered *t = row;
    struct fixture *f = fixture_of(NULL, HEAD "}}");
    REQUIRE_OK(f->rc, &f->err);
    struct buf good = f->b.offers[0].bytes;
    buf_init(&f->b.offers[0].bytes, 1);
    build_free(&f->b);
    f->s.offers[0].tamper = t->tamper;
    REQUIRE_OK(build_make(&f->b, &f->s, &f->o, &f->err), &f->err);
    const struct buf *bad = &f->b.offers[0].bytes;
    CHECK_INT(bad->len_bytes,
              t->longer_bytes == INT32_MIN ? 1 : (int64_t)good.len_bytes + t->longer_bytes);
    CHECK_INT(same(bad, &good), t->tamper == TAMPER_NONE);
    char md5[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, bad->data, bad->len_bytes, md5);
    CHECK_STR(f->b.offers[0].row.md5_hex, md5); /* announced as it now is */
    CHECK_INT(f->b.offers[0].row.bytes, bad->len_bytes);

    CHECK_INT(package_verify(bad->data, bad->len_bytes, &f->err) == 0, t->depth == ALL);
    struct package_head head;
    struct package_file file;
    if (bad->len_bytes >= PACKAGE_HEAD_BYTES) {
        CHECK_INT(package_head_decode(&head, bad->data, &f->err) == 0, t->depth != NO_HEAD);
        if (t->depth != NO_HEAD) {
            CHECK_OK(package_file_decode(&file, &head, bad->data + PACKAGE_HEAD_BYTES, &f->err),
                     &f->err);
            uint8_t table[SHA256_BYTES];
            digest_of(DIGEST_SHA256, bad->data + PACKAGE_HEAD_BYTES, PACKAGE_FILE_BYTES, table);
            CHECK_MEM(head.table_sha256, table, SHA256_BYTES);
            if (t->tamper != TAMPER_TRUNCATE)
                check_difference(t->tamper, f, &head, &file, bad->data);
        }
    }
    buf_free(&good);
    fixture_free(f);
}

/* ---- which version is in flash ---- */

#define TWO_FILES                                                                                  \
    ", \"files\": [{}, {\"name\": \"b\"}]}, \"versions\": [{\"version\": \"1.0\"}, "               \
    "{\"version\": \"1.1\"}, {\"version\": \"1.2\", \"images\": [{\"same\": true}, "               \
    "{\"same\": true}]}]}"

static void a_version_is_all_its_files(void)
{
    struct fixture *f = fixture_of(NULL, HEAD TWO_FILES);
    REQUIRE_OK(f->rc, &f->err);
    CHECK_INT(version(f), -1);
    put(f, 0, &f->b.images[0][0]);
    CHECK_INT(version(f), -1);
    put(f, 1, &f->b.images[0][1]);
    CHECK_INT(version(f), 0);
    put(f, 0, &f->b.images[1][0]);
    CHECK_INT(version(f), -1); /* new and old mixed */
    put(f, 1, &f->b.images[1][1]);
    CHECK_INT(version(f), 2); /* 1.2 has the same content: the newest one counts */
    f->flash[f->s.device.files[1].address + f->b.images[1][1].len_bytes] ^= 1;
    CHECK_INT(version(f), 2); /* behind the image */
    f->flash[f->s.device.files[1].address + f->b.images[1][1].len_bytes - 1] ^= 1;
    CHECK_INT(version(f), -1);
    fixture_free(f);
}

static void an_altered_base_is_its_version(void)
{
    struct fixture *f = fixture_of(NULL, HEAD ", \"base_altered\": true" TWO_FILES);
    REQUIRE_OK(f->rc, &f->err);
    const struct build *b = &f->b;
    CHECK(b->altered_at < b->images[0][0].len_bytes);
    CHECK(b->altered_byte != b->images[0][0].data[b->altered_at]);
    put(f, 0, &b->images[0][0]);
    put(f, 1, &b->images[0][1]);
    CHECK_INT(version(f), 0);
    f->flash[b->altered_at] = b->altered_byte;
    CHECK_INT(version(f), 0); /* the factory wrote it so */
    f->flash[b->altered_at] ^= 0xff;
    CHECK_INT(version(f), -1); /* some other byte */
    f->flash[b->altered_at] = b->altered_byte;
    f->flash[b->altered_at + 1] ^= 1;
    CHECK_INT(version(f), -1); /* one more byte */
    f->flash[b->altered_at + 1] ^= 1;
    put(f, 1, &b->images[1][1]);
    CHECK_INT(version(f), -1); /* altered, and the other file is new: mixed */
    fixture_free(f);
}

static void the_heal_package_fits_every_version(void)
{
    struct fixture *f = fixture_of(NULL, HEAD TWO_FILES);
    REQUIRE_OK(f->rc, &f->err);
    put(f, 0, &f->b.images[0][0]);
    put(f, 1, &f->b.images[0][1]);
    REQUIRE_OK(build_heal(&f->b, &f->s, &f->o, "1.0", &f->err), &f->err);
    CHECK_INT(version(f), 0);
    const struct build_package *p = &f->b.heal;
    CHECK_OK(package_verify(p->bytes.data, p->bytes.len_bytes, &f->err), &f->err);
    CHECK_INT(p->kind, PACKAGE_FULL);
    CHECK_INT(p->row.delta_id, BUILD_HEAL_ID);
    CHECK_STR(p->row.from_version, "");
    CHECK_STR(p->row.to_version, BUILD_HEAL_VERSION);
    for (uint32_t v = 0; v < f->s.n_versions; v++)
        CHECK(!same(&f->b.heal_image, &f->b.images[v][0]));
    put(f, 0, &f->b.heal_image);
    CHECK_INT(version(f), f->s.n_versions);
    f->flash[f->b.heal_image.len_bytes - 1] ^= 1;
    CHECK_INT(version(f), -1);
    struct buf first = f->b.heal.bytes;
    buf_init(&f->b.heal.bytes, 1);
    REQUIRE_OK(build_heal(&f->b, &f->s, &f->o, "?", &f->err), &f->err); /* from a ruin too */
    CHECK(same(&first, &f->b.heal.bytes));
    buf_free(&first);
    fixture_free(f);
}

static const struct test tests[] = {
    {"images follow their specification", images_follow_their_specification},
    {"image files are looked up in order", files_are_looked_up},
    {"an image larger than its area is refused", an_image_larger_than_its_area_is_refused},
    {"the cloud's rows describe their packages", rows_describe_their_packages},
    {"the same scenario gives the same bytes", the_same_scenario_gives_the_same_bytes},
    TEST_ROWS("packages are damaged as named", packages_are_damaged_as_named, tampers,
              tampered_name),
    {"a version is all its files", a_version_is_all_its_files},
    {"an altered base is its version", an_altered_base_is_its_version},
    {"the heal package fits every version", the_heal_package_fits_every_version},
};
TEST_MAIN("images and packages", tests)
