#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flash_emu/nor_testing.h"

struct place {
    char dir[TEST_PATH_MAX];
    char image[TEST_PATH_MAX + 16];
    char meta[TEST_PATH_MAX + 32];
};

static void place_new(struct place *p)
{
    test_tmpdir(p->dir);
    (void)snprintf(p->image, sizeof(p->image), "%s/chip.bin", p->dir);
    (void)snprintf(p->meta, sizeof(p->meta), "%s.meta", p->image);
}

static struct nor *open_chip(const void *row, const struct place *p)
{
    struct err err = {""};
    struct nor_geometry geo = chip_geometry(row);
    struct nor *n = nor_open(&geo, p->image, 9, &err);
    if (n == NULL)
        CHECK_STR(err.text, "");
    REQUIRE(n != NULL);
    return n;
}

static long long file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

static void write_file(const char *path, const void *data, size_t len_bytes)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f != NULL);
    CHECK_INT(fwrite(data, 1, len_bytes, f), len_bytes);
    CHECK_INT(fclose(f), 0);
}

static void absent_chip_is_made_erased(const void *row)
{
    struct place p;
    place_new(&p);
    struct nor *n = open_chip(row, &p);
    CHECK(nor_is_on(n));
    CHECK(all_are(nor_peek(n), nor_geo(n)->size_bytes, 0xFF));
    CHECK_INT(file_size(p.image), nor_geo(n)->size_bytes);
    CHECK(file_size(p.meta) > 0);
    nor_free(n);
    /* Nothing half-made is left beside them. */
    CHECK_INT(unlink(p.image), 0);
    CHECK_INT(unlink(p.meta), 0);
    CHECK_INT(rmdir(p.dir), 0);
}

/* Content, wear, operations, written marks and weak cells all come back. */
static void chip_survives_reopening(const void *row)
{
    const struct chip_row *c = row;
    struct place p;
    uint8_t data[256];
    uint8_t got[256];
    place_new(&p);
    fill_data(data, sizeof(data), 0);
    struct nor *n = open_chip(row, &p);
    uint32_t unit = nor_geo(n)->erase_bytes;
    CHECK_INT(nor_erase(n, unit, unit), 0);
    CHECK_INT(nor_program(n, unit, data, sizeof(data)), 0);
    nor_arm_cut(n, 3, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, 2 * unit, data, sizeof(data)), ERR_IO);
    uint32_t weak = nor_weak_cells(n, 2 * unit, 256);
    CHECK(weak > 0);
    nor_free(n);

    int wrong = 0;
    for (int i = 0; i < 20; i++) {
        n = open_chip(row, &p);
        CHECK(nor_is_on(n));
        CHECK_INT(nor_op_count(n), 3);
        CHECK_INT(nor_wear(n, unit), 1);
        CHECK_INT(nor_wear(n, 0), 0);
        CHECK_INT(nor_read(n, unit, got, sizeof(got)), 0);
        CHECK_MEM(got, data, sizeof(got));
        CHECK_INT(nor_weak_cells(n, 2 * unit, 256), weak);
        /* Opening is a power-on: marginal cells are read anew. */
        wrong += nor_read(n, 2 * unit, got, 256) != 0 || memcmp(got, data, 256) != 0;
        nor_free(n);
    }
    CHECK(wrong > 0);

    n = open_chip(row, &p);
    CHECK_INT(nor_program(n, unit, data, 16), c->policy == NOR_REWRITE ? 0 : ERR_IO);
    nor_free(n);
}

static void die_in_spend(void *ctx, int64_t ns)
{
    int *left = ctx;
    (void)ns;
    if (--*left == 0)
        (void)raise(SIGKILL);
}

static void killed_process_loses_nothing_done(const void *row)
{
    struct place p;
    uint8_t data[1024];
    place_new(&p);
    fill_data(data, sizeof(data), 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        int left = 3;
        struct nor_geometry geo = chip_geometry(row);
        struct nor *n = nor_open(&geo, p.image, 9, NULL);
        if (n == NULL)
            _exit(1);
        nor_set_hooks(n, &(struct nor_hooks){.ctx = &left, .spend = die_in_spend});
        (void)nor_erase(n, 0, geo.erase_bytes);
        (void)nor_program(n, 0, data, sizeof(data));
        _exit(2);
    }
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    struct nor *n = open_chip(row, &p);
    /* The third operation had begun and was not done. */
    CHECK_INT(nor_op_count(n), 3);
    CHECK_INT(nor_wear(n, 0), 1);
    CHECK_MEM(nor_peek(n), data, 256);
    CHECK(all_are(nor_peek(n) + 256, 768, 0xFF));
    CHECK_INT(nor_program(n, 256, data + 256, 768), 0);
    nor_free(n);
}

static void image_without_sidecar_is_taken(const void *row)
{
    const struct chip_row *c = row;
    struct place p;
    uint8_t data[64];
    place_new(&p);
    fill_data(data, sizeof(data), 0);
    struct nor *n = open_chip(row, &p);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), 0);
    nor_free(n);
    CHECK_INT(unlink(p.meta), 0);
    n = open_chip(row, &p);
    CHECK_MEM(nor_peek(n), data, sizeof(data));
    CHECK_INT(nor_op_count(n), 0);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), c->policy == NOR_REWRITE ? 0 : ERR_IO);
    CHECK_INT(nor_program(n, 64, data, sizeof(data)), 0);
    nor_free(n);
}

static void sidecar_without_image_is_remade(const void *row)
{
    struct place p;
    place_new(&p);
    struct nor *n = open_chip(row, &p);
    CHECK_INT(nor_erase(n, 0, nor_geo(n)->erase_bytes), 0);
    nor_free(n);
    CHECK_INT(unlink(p.image), 0);
    n = open_chip(row, &p);
    CHECK_INT(nor_op_count(n), 0);
    CHECK_INT(nor_wear(n, 0), 0);
    CHECK(all_are(nor_peek(n), nor_geo(n)->size_bytes, 0xFF));
    nor_free(n);
}

static void view_changes_nothing(const void *row)
{
    struct place p;
    uint8_t data[256];
    struct err err = {""};
    place_new(&p);
    fill_data(data, sizeof(data), 0);
    struct nor *n = open_chip(row, &p);
    nor_arm_cut(n, 1, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, 0, data, sizeof(data)), ERR_IO);
    uint32_t size = nor_geo(n)->size_bytes;
    uint8_t *before = malloc(size);
    REQUIRE(before != NULL);
    memcpy(before, nor_peek(n), size);

    struct nor *v = nor_view(NULL, p.image, &err);
    REQUIRE(v != NULL);
    CHECK(!nor_is_on(v));
    CHECK_STR(nor_geo(v)->name, nor_geo(n)->name);
    CHECK_INT(nor_geo(v)->erase_bytes, nor_geo(n)->erase_bytes);
    CHECK_INT(nor_geo(v)->policy, nor_geo(n)->policy);
    CHECK_INT(nor_geo(v)->erase_ns, nor_geo(n)->erase_ns);
    CHECK_INT(nor_geo(v)->endurance, nor_geo(n)->endurance);
    CHECK_INT(nor_weak_cells(v, 0, 256), nor_weak_cells(n, 0, 256));
    CHECK_MEM(nor_peek(v), before, size);
    CHECK_INT(nor_load(v, 0, before + 4096, 256), 0);
    CHECK_MEM(nor_peek(n), before, size);
    nor_free(v);
    nor_free(n);
    free(before);
}

static void plain_image_is_viewed_with_a_geometry(void)
{
    struct place p;
    struct err err = {""};
    uint8_t image[4 * 4096];
    struct nor_geometry geo = chip_geometry(&chip_rows[2]);
    place_new(&p);
    memset(image, 0xFF, sizeof(image));
    image[8] = 0;
    write_file(p.image, image, sizeof(image));
    CHECK(nor_view(NULL, p.image, &err) == NULL);
    CHECK_HAS(err.text, "chip.bin.meta");
    struct nor *v = nor_view(&geo, p.image, &err);
    REQUIRE(v != NULL);
    CHECK_MEM(nor_peek(v), image, sizeof(image));
    nor_free(v);
    CHECK_INT(file_size(p.meta), -1);
    geo.size_bytes *= 2;
    CHECK(nor_view(&geo, p.image, &err) == NULL);
    CHECK_HAS(err.text, "16384 bytes");
}

/* A chip on the heap is written out whole, over what was there. */
static void chip_is_exported(const void *row)
{
    struct nor_geometry geo = chip_geometry(row);
    struct place p;
    struct err err = {""};
    uint8_t data[256];
    place_new(&p);
    fill_data(data, sizeof(data), 0);
    write_file(p.image, "old", 3);
    struct nor *n = nor_new(&geo, 1, &err);
    REQUIRE(n != NULL);
    CHECK_INT(nor_erase(n, geo.erase_bytes, geo.erase_bytes), 0);
    CHECK_INT(nor_program(n, geo.erase_bytes, data, sizeof(data)), 0);
    CHECK_OK(nor_export(n, p.image, &err), &err);
    struct nor *v = nor_view(NULL, p.image, &err);
    REQUIRE(v != NULL);
    CHECK_INT(nor_op_count(v), 2);
    CHECK_INT(nor_wear(v, geo.erase_bytes), 1);
    CHECK_MEM(nor_peek(v), nor_peek(n), geo.size_bytes);
    CHECK_ERR(nor_export(n, p.dir, &err), ERR_ARG);
    nor_free(v);
    nor_free(n);
}

static void wrong_files_are_refused(void)
{
    struct place p;
    struct err err = {""};
    struct nor_geometry geo = chip_geometry(&chip_rows[0]);
    struct nor_geometry other = chip_geometry(&chip_rows[2]);
    place_new(&p);

    write_file(p.image, "short", 5);
    CHECK(nor_open(&geo, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "5 bytes");
    CHECK_HAS(err.text, "16384");
    CHECK_INT(file_size(p.meta), -1);
    CHECK_INT(unlink(p.image), 0);

    nor_free(nor_open(&geo, p.image, 1, &err));
    CHECK(nor_open(&other, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "spi4k");
    CHECK_HAS(err.text, "internal8");

    long long meta_size = file_size(p.meta);
    CHECK_INT(truncate(p.meta, meta_size - 1), 0);
    CHECK(nor_open(&geo, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "chip.bin.meta");
    write_file(p.meta, "otanor1\n", 8);
    CHECK(nor_open(&geo, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "shorter");
    char junk[200] = "something else";
    write_file(p.meta, junk, sizeof(junk));
    CHECK(nor_open(&geo, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "not a flash sidecar");
    CHECK(nor_view(NULL, p.image, &err) == NULL);
    CHECK_HAS(err.text, "not a flash sidecar");
    char zero_sizes[200] = "otanor1\n";
    write_file(p.meta, zero_sizes, sizeof(zero_sizes));
    CHECK(nor_view(NULL, p.image, &err) == NULL);
    CHECK_HAS(err.text, "must not be 0");

    (void)snprintf(p.image, sizeof(p.image), "%s/none/chip.bin", p.dir);
    CHECK(nor_open(&geo, p.image, 1, &err) == NULL);
    CHECK_HAS(err.text, "none/chip.bin");
    CHECK(nor_view(&geo, p.image, &err) == NULL);
    CHECK_HAS(err.text, "none/chip.bin");
    CHECK(nor_open(&geo, p.dir, 1, &err) == NULL);
}

static const struct test tests[] = {
    TEST_ROWS("an absent chip is made erased", absent_chip_is_made_erased, chip_rows, chip_name),
    TEST_ROWS("a chip survives reopening", chip_survives_reopening, chip_rows, chip_name),
    TEST_ROWS("a killed process loses nothing done", killed_process_loses_nothing_done, chip_rows,
              chip_name),
    TEST_ROWS("an image without sidecar is taken", image_without_sidecar_is_taken, chip_rows,
              chip_name),
    TEST_ROWS("a sidecar without image is remade", sidecar_without_image_is_remade, chip_rows,
              chip_name),
    TEST_ROWS("a view changes nothing", view_changes_nothing, chip_rows, chip_name),
    {"a plain image is viewed with a geometry", plain_image_is_viewed_with_a_geometry},
    TEST_ROWS("a chip is exported", chip_is_exported, chip_rows, chip_name),
    {"wrong files are refused", wrong_files_are_refused},
};
TEST_MAIN("flash files", tests)
