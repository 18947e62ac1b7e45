#include "flash_emu/nor.h"

#include "flash_emu/nor_testing.h"

static void geometries_make_sense(const void *row)
{
    const struct chip_row *c = row;
    const struct nor_geometry *geo = nor_geometry_find(c->name);
    REQUIRE(geo != NULL);
    CHECK(geo->size_bytes % geo->erase_bytes == 0);
    CHECK(geo->erase_bytes % geo->page_bytes == 0);
    CHECK(geo->page_bytes % geo->granule_bytes == 0);
    CHECK(geo->program_ns > 0 && geo->erase_ns > geo->program_ns && geo->endurance > 0);
}

static void geometries_are_listed(void)
{
    size_t count = 0;
    for (const struct nor_geometry *g; (g = nor_geometry_at(count)) != NULL; count++)
        CHECK(nor_geometry_find(g->name) == g);
    CHECK_INT(count, 3);
    CHECK(nor_geometry_find("spi8k") == NULL);
    CHECK(nor_geometry_find(NULL) == NULL);
}

struct bad_geometry {
    const char *name;
    uint32_t size, erase, page, granule;
};
static const struct bad_geometry bad_geometries[] = {
    {"no size", 0, 4096, 256, 1},
    {"no granule", 8192, 4096, 256, 0},
    {"size not in erase units", 8192 + 256, 4096, 256, 1},
    {"erase unit not in pages", 8200, 4100, 256, 1},
    {"page not in granules", 8192, 4096, 256, 3},
    {"too large", 512u << 20, 4096, 256, 1},
    {"page too large", 1u << 20, 65536, 2048, 1},
};

static const char *bad_geometry_name(const void *row)
{
    return ((const struct bad_geometry *)row)->name;
}

static void bad_geometry_is_refused(const void *row)
{
    const struct bad_geometry *b = row;
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    struct err err = {""};
    geo.size_bytes = b->size;
    geo.erase_bytes = b->erase;
    geo.page_bytes = b->page;
    geo.granule_bytes = b->granule;
    CHECK(nor_new(&geo, 0, &err) == NULL);
    CHECK_HAS(err.text, "spi4k");
    geo = *nor_geometry_find("spi4k");
    geo.erase_ns = -1;
    CHECK(nor_new(&geo, 0, &err) == NULL);
    CHECK_HAS(err.text, "negative");
}

static void new_chip_is_erased_and_on(const void *row)
{
    struct nor *n = chip_new(row, 1);
    CHECK(nor_is_on(n));
    CHECK(all_are(nor_peek(n), nor_geo(n)->size_bytes, 0xFF));
    CHECK_INT(nor_op_count(n), 0);
    CHECK(nor_fault(n) == NULL);
    nor_free(n);
}

static void program_reads_back_and_changes_nothing_else(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint8_t data[1024];
    uint8_t got[1024];
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_program(n, 512 + 16, data, sizeof(data)), 0);
    CHECK_INT(nor_read(n, 512 + 16, got, sizeof(got)), 0);
    CHECK_MEM(got, data, sizeof(data));
    CHECK(all_are(nor_peek(n), 512 + 16, 0xFF));
    CHECK(all_are(nor_peek(n) + 512 + 16 + 1024, nor_geo(n)->size_bytes - 512 - 16 - 1024, 0xFF));
    nor_free(n);
}

static void program_is_split_at_pages_and_numbered(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t data[600];
    uint32_t page = nor_geo(n)->page_bytes;
    diary_attach(&d, n);
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_program(n, page - 8, data, sizeof(data)), 0);
    REQUIRE(d.ops == 4);
    const uint32_t addr[] = {page - 8, page, 2 * page, 3 * page};
    const uint32_t len[] = {8, page, page, sizeof(data) - 8 - 2 * page};
    uint32_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(d.op[i].number, i + 1);
        CHECK_INT(d.op[i].kind, NOR_OP_PROGRAM);
        CHECK_INT(d.op[i].addr, addr[i]);
        CHECK_INT(d.op[i].len_bytes, len[i]);
        CHECK(!d.op[i].torn && !d.op[i].raised_bits);
        CHECK_MEM(d.data[i], data + at, 8);
        at += len[i];
    }
    CHECK_INT(nor_op_count(n), 4);
    nor_free(n);
}

static void erase_is_one_operation_per_unit(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t data[64];
    uint32_t unit = nor_geo(n)->erase_bytes;
    fill_data(data, sizeof(data), 0);
    for (uint32_t u = 0; u < 4; u++)
        CHECK_INT(nor_program(n, u * unit, data, sizeof(data)), 0);
    diary_attach(&d, n);
    CHECK_INT(nor_erase(n, unit, 2 * unit), 0);
    REQUIRE(d.ops == 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(d.op[i].number, 5 + i);
        CHECK_INT(d.op[i].kind, NOR_OP_ERASE);
        CHECK_INT(d.op[i].addr, (i + 1) * unit);
        CHECK_INT(d.op[i].len_bytes, unit);
    }
    CHECK_INT(d.spent_ns, 2 * nor_geo(n)->erase_ns);
    CHECK(all_are(nor_peek(n) + unit, 2 * unit, 0xFF));
    CHECK_MEM(nor_peek(n), data, sizeof(data));
    CHECK_MEM(nor_peek(n) + 3 * unit, data, sizeof(data));
    const uint32_t wear[] = {0, 1, 1, 0};
    for (uint32_t u = 0; u < 4; u++)
        CHECK_INT(nor_wear(n, u * unit + unit - 1), wear[u]);
    CHECK_INT(nor_wear(n, 4 * unit), 0);
    nor_free(n);
}

static void operations_take_their_time(const void *row)
{
    struct nor *n = chip_new(row, 1);
    const struct nor_geometry *geo = nor_geo(n);
    struct diary d = {0};
    uint8_t data[256];
    diary_attach(&d, n);
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_program(n, 0, data, 256), 0);
    CHECK_INT(d.spent_ns, geo->program_ns);
    d.spent_ns = 0;
    CHECK_INT(nor_program(n, 256, data, 128), 0);
    CHECK_INT(d.spent_ns, geo->program_ns / 2);
    d.spent_ns = 0;
    CHECK_INT(nor_program(n, 512, data, 8), 0);
    CHECK_INT(d.spent_ns, geo->program_ns / 16);
    d.spent_ns = 0;
    CHECK_INT(nor_read(n, 3, data, 100), 0);
    CHECK_INT(d.spent_ns, 100 * geo->read_ns_per_byte);
    nor_free(n);
}

static void second_program_follows_the_policy(const void *row)
{
    const struct chip_row *c = row;
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t first[16];
    uint8_t second[16];
    memset(first, 0xF0, sizeof(first));
    memset(second, 0x3C, sizeof(second));
    diary_attach(&d, n);
    CHECK_INT(nor_program(n, 32, first, sizeof(first)), 0);
    int rc = nor_program(n, 32, second, sizeof(second));
    if (c->policy == NOR_REWRITE) {
        CHECK_INT(rc, 0);
        CHECK(all_are(nor_peek(n) + 32, sizeof(first), 0xF0 & 0x3C));
        REQUIRE(d.ops == 2);
        CHECK(!d.op[0].raised_bits);
        CHECK(d.op[1].raised_bits);
    } else {
        CHECK_ERR(rc, ERR_IO);
        CHECK_MEM(nor_peek(n) + 32, first, sizeof(first));
        CHECK_INT(nor_op_count(n), 1);
        CHECK_INT(d.ops, 1);
        /* Also when the granule holds 0xFF: programming it set its check bits. */
        memset(second, 0xFF, sizeof(second));
        CHECK_INT(nor_program(n, 64, second, sizeof(second)), 0);
        CHECK_ERR(nor_program(n, 64, first, sizeof(first)), ERR_IO);
        /* The page before the refused one stays done. */
        CHECK_INT(nor_program(n, 512, first, sizeof(first)), 0);
        uint8_t run[264];
        fill_data(run, sizeof(run), 1);
        CHECK_ERR(nor_program(n, 512 - 256, run, sizeof(run)), ERR_IO);
        CHECK_MEM(nor_peek(n) + 256, run, 256);
        CHECK_MEM(nor_peek(n) + 512, first, sizeof(first));
        CHECK_INT(nor_erase(n, 0, nor_geo(n)->erase_bytes), 0);
        CHECK_INT(nor_program(n, 32, first, sizeof(first)), 0);
    }
    nor_free(n);
}

static void bad_ranges_are_refused(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    const struct nor_geometry *geo = nor_geo(n);
    uint32_t size = geo->size_bytes;
    uint32_t unit = geo->erase_bytes;
    uint8_t data[64] = {0};
    uint8_t untouched[64] = {0};
    diary_attach(&d, n);
    CHECK_ERR(nor_read(n, size - 63, data, 64), ERR_ARG);
    CHECK_ERR(nor_read(n, size, data, 1), ERR_ARG);
    CHECK_ERR(nor_read(n, UINT32_MAX, data, 64), ERR_ARG);
    CHECK_ERR(nor_read(n, 64, data, UINT32_MAX), ERR_ARG);
    CHECK_ERR(nor_read(n, 0, NULL, 1), ERR_ARG);
    CHECK_ERR(nor_program(n, size - 56, data, 64), ERR_ARG);
    CHECK_ERR(nor_program(n, UINT32_MAX - 7, data, 64), ERR_ARG);
    CHECK_ERR(nor_program(n, 0, NULL, 64), ERR_ARG);
    CHECK_ERR(nor_erase(n, size, unit), ERR_ARG);
    CHECK_ERR(nor_erase(n, size - unit, 2 * unit), ERR_ARG);
    CHECK_ERR(nor_erase(n, 1, unit), ERR_ARG);
    CHECK_ERR(nor_erase(n, 0, unit - 1), ERR_ARG);
    CHECK_ERR(nor_load(n, size - 8, data, 64), ERR_ARG);
    if (geo->granule_bytes > 1) {
        CHECK_ERR(nor_program(n, 4, data, 8), ERR_ARG);
        CHECK_ERR(nor_program(n, 8, data, 12), ERR_ARG);
    }
    CHECK_MEM(data, untouched, sizeof(data));
    CHECK(all_are(nor_peek(n), size, 0xFF));
    CHECK_INT(nor_op_count(n), 0);
    CHECK_INT(d.ops, 0);
    CHECK_INT(d.spent_ns, 0);
    CHECK(nor_fault(n) == NULL);
    CHECK_INT(nor_weak_cells(n, size - 8, 9), 0);
    CHECK(!nor_is_torn(n, size, 1));
    nor_free(n);
}

static void nothing_is_an_answer(const void *row)
{
    struct nor *n = chip_new(row, 1);
    uint32_t size = nor_geo(n)->size_bytes;
    CHECK_INT(nor_read(n, size, NULL, 0), 0);
    CHECK_INT(nor_program(n, 0, NULL, 0), 0);
    CHECK_INT(nor_erase(n, 0, 0), 0);
    CHECK_INT(nor_load(n, 0, NULL, 0), 0);
    CHECK_INT(nor_op_count(n), 0);
    nor_free(n);
}

static void load_is_free_and_counts_as_written(const void *row)
{
    const struct chip_row *c = row;
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    uint8_t data[304];
    uint8_t zero[16] = {0};
    diary_attach(&d, n);
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_load(n, 100, data, 300), 0);
    CHECK_MEM(nor_peek(n) + 100, data, 300);
    CHECK_INT(nor_op_count(n), 0);
    CHECK_INT(nor_wear(n, 100), 0);
    CHECK_INT(d.spent_ns + d.spends + (int64_t)d.ops, 0);
    /* 96..104 is half loaded, 400..408 not at all. */
    int want = c->policy == NOR_REWRITE ? 0 : ERR_IO;
    CHECK_INT(nor_program(n, 96, zero, 8), want);
    CHECK_INT(nor_program(n, 400, zero, 8), 0);
    memset(data, 0xFF, sizeof(data));
    CHECK_INT(nor_load(n, 96, data, 304), 0);
    CHECK_INT(nor_program(n, 96, zero, 16), 0);
    nor_free(n);
}

static const enum nor_io failing[] = {NOR_IO_READ, NOR_IO_PROGRAM, NOR_IO_ERASE};

static int access_once(struct nor *n, enum nor_io kind, uint32_t unit_index)
{
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint8_t data[16] = {0};
    if (kind == NOR_IO_READ)
        return nor_read(n, unit_index * unit, data, sizeof(data));
    if (kind == NOR_IO_ERASE)
        return nor_erase(n, unit_index * unit, unit);
    memset(data, 0x55, sizeof(data));
    int rc = nor_program(n, unit_index * unit, data, sizeof(data));
    uint8_t erased[16];
    memset(erased, 0xFF, sizeof(erased));
    if (rc == 0)
        CHECK_INT(nor_load(n, unit_index * unit, erased, sizeof(erased)), 0);
    return rc;
}

static void injected_faults_fail_as_often_as_told(const void *row)
{
    for (size_t i = 0; i < 3; i++) {
        struct nor *n = chip_new(row, 1);
        struct diary d = {0};
        uint32_t unit = nor_geo(n)->erase_bytes;
        diary_attach(&d, n);
        CHECK_INT(nor_inject(n, failing[i], unit + 8, 1, 2), 0);
        CHECK_INT(access_once(n, failing[i], 0), 0);
        uint64_t ops = nor_op_count(n);
        size_t seen = d.ops;
        CHECK_ERR(access_once(n, failing[i], 1), ERR_IO);
        CHECK_ERR(access_once(n, failing[i], 1), ERR_IO);
        CHECK_INT(nor_op_count(n), ops);
        CHECK_INT(d.ops, seen);
        CHECK(all_are(nor_peek(n) + unit, unit, 0xFF));
        CHECK_INT(nor_wear(n, unit), 0);
        CHECK_INT(access_once(n, failing[i], 1), 0);
        CHECK_INT(nor_inject(n, failing[i], unit, unit, -1), 0);
        for (int k = 0; k < 20; k++)
            CHECK_ERR(access_once(n, failing[i], 1), ERR_IO);
        for (size_t k = 0; k < 3; k++)
            if (k != i)
                CHECK_INT(access_once(n, failing[k], 1), 0);
        nor_clear_faults(n);
        CHECK_INT(access_once(n, failing[i], 1), 0);
        nor_free(n);
    }
}

static void corruption_is_one_bit_and_silent(const void *row)
{
    struct nor *n = chip_new(row, 7);
    uint8_t data[256];
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_inject(n, NOR_IO_CORRUPT, 100, 3, 1), 0);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), 0);
    int wrong = 0;
    for (uint32_t i = 0; i < sizeof(data); i++)
        for (int bit = 0; bit < 8; bit++)
            if ((nor_peek(n)[i] ^ data[i]) >> bit & 1) {
                wrong++;
                CHECK(i >= 100 && i < 103);
            }
    CHECK_INT(wrong, 1);
    CHECK_INT(nor_program(n, 256, data, sizeof(data)), 0);
    CHECK_MEM(nor_peek(n) + 256, data, sizeof(data));
    nor_free(n);
}

struct looks {
    uint32_t addr[8], len_bytes[8];
    int count;
};

static void note_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct looks *l = ctx;
    REQUIRE(l->count < 8);
    l->addr[l->count] = addr;
    l->len_bytes[l->count++] = len_bytes;
}

/* Everything on flash that can decide what firmware does next is told before it does. */
static void looks_are_told(const void *row)
{
    const struct chip_row *c = row;
    struct nor *n = chip_new(row, 1);
    struct looks l = {.count = 0};
    uint8_t data[512];
    fill_data(data, sizeof(data), 0);
    nor_set_hooks(n, &(struct nor_hooks){.ctx = &l, .look = note_look});
    CHECK_INT(nor_erase(n, 0, nor_geo(n)->erase_bytes), 0);
    CHECK_INT(l.count, 0);
    CHECK_INT(nor_read(n, 100, data, 8), 0);
    CHECK_INT(nor_read(n, 100, data, 0), 0);
    REQUIRE(l.count == 1);
    CHECK_INT(l.addr[0], 100);
    CHECK_INT(l.len_bytes[0], 8);
    CHECK_INT(nor_program(n, 0, data, sizeof(data)), 0);
    if (c->policy == NOR_REWRITE) {
        CHECK_INT(l.count, 1);
    } else {
        REQUIRE(l.count == 3);
        CHECK_INT(l.addr[1], 0);
        CHECK_INT(l.addr[2], 256);
        CHECK_ERR(nor_program(n, 256, data, 16), ERR_IO);
        REQUIRE(l.count == 4);
        CHECK_INT(l.addr[3], 256);
        CHECK_INT(l.len_bytes[3], 16);
    }
    nor_free(n);
}

/* Cells are programmed many at a time: held against one bit at a time, for every length that ends
 * in another piece, at an odd place. */
static void bits_only_fall(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    struct diary d = {0};
    uint8_t old[80], data[80], want[80];
    diary_attach(&d, n);
    for (uint32_t len = 1; len <= sizeof(data); len++) {
        bool raised = false;
        d.ops = 0;
        fill_data(old, len, len);
        fill_data(data, len, 100 + len);
        for (uint32_t i = 0; i < len; i++)
            data[i] &= len % 3 == 0 ? old[i] : 0xFF; /* those ask for nothing */
        for (uint32_t i = 0; i < len; i++) {
            want[i] = old[i] & data[i];
            raised = raised || (data[i] & ~old[i]) != 0;
        }
        CHECK_INT(nor_erase(n, 0, nor_geo(n)->erase_bytes), 0);
        CHECK_INT(nor_program(n, 3, old, len), 0);
        CHECK_INT(nor_program(n, 3, data, len), 0);
        CHECK_MEM(nor_peek(n) + 3, want, len);
        CHECK(all_are(nor_peek(n), 3, 0xFF) && all_are(nor_peek(n) + 3 + len, 100, 0xFF));
        REQUIRE(d.ops == 3);
        CHECK(!d.op[1].raised_bits);
        CHECK_INT(d.op[2].raised_bits, raised);
    }
    nor_free(n);
}

static void reading_in_place_is_reading(const void *row)
{
    struct nor *n = chip_new(row, 1);
    struct diary d = {0};
    const uint8_t *got = NULL;
    uint8_t data[512];
    fill_data(data, sizeof(data), 0);
    CHECK_INT(nor_program(n, 256, data, sizeof(data)), 0);
    diary_attach(&d, n);
    CHECK_INT(nor_read_in_place(n, 256, sizeof(data), &got), 0);
    CHECK_MEM(got, data, sizeof(data));
    CHECK_INT(d.spent_ns, nor_geo(n)->read_ns_per_byte * (int64_t)sizeof(data));
    CHECK_ERR(nor_read_in_place(n, nor_geo(n)->size_bytes, 1, &got), ERR_ARG);
    CHECK_INT(nor_inject(n, NOR_IO_READ, 256, 1, 1), 0);
    CHECK_ERR(nor_read_in_place(n, 0, 257, &got), ERR_IO);
    CHECK_INT(nor_read_in_place(n, 0, 257, &got), 0);
    nor_free(n);
}

static void injections_are_bounded(void)
{
    struct nor *n = chip_new(&chip_rows[0], 1);
    uint32_t size = nor_geo(n)->size_bytes;
    CHECK_ERR(nor_inject(n, NOR_IO_READ, 0, 1, 0), ERR_ARG);
    CHECK_ERR(nor_inject(n, NOR_IO_READ, 0, 0, 1), ERR_ARG);
    CHECK_ERR(nor_inject(n, NOR_IO_READ, size, 1, 1), ERR_ARG);
    CHECK_ERR(nor_inject(n, NOR_IO_READ, size - 1, 2, 1), ERR_ARG);
    for (int i = 0; i < 32; i++)
        CHECK_INT(nor_inject(n, NOR_IO_READ, 0, size, 1), 0);
    CHECK_ERR(nor_inject(n, NOR_IO_READ, 0, 1, 1), ERR_LIMIT);
    /* Each is used up in turn. */
    uint8_t byte;
    for (int i = 0; i < 32; i++)
        CHECK_ERR(nor_read(n, 5, &byte, 1), ERR_IO);
    CHECK_INT(nor_read(n, 5, &byte, 1), 0);
    nor_free(n);
}

static const struct test tests[] = {
    TEST_ROWS("geometry makes sense", geometries_make_sense, chip_rows, chip_name),
    {"geometries are listed", geometries_are_listed},
    TEST_ROWS("bad geometry is refused", bad_geometry_is_refused, bad_geometries,
              bad_geometry_name),
    TEST_ROWS("a new chip is erased and on", new_chip_is_erased_and_on, chip_rows, chip_name),
    TEST_ROWS("program reads back, nothing else changes",
              program_reads_back_and_changes_nothing_else, chip_rows, chip_name),
    TEST_ROWS("program is split at pages and numbered", program_is_split_at_pages_and_numbered,
              chip_rows, chip_name),
    TEST_ROWS("erase is one operation per unit", erase_is_one_operation_per_unit, chip_rows,
              chip_name),
    TEST_ROWS("operations take their time", operations_take_their_time, chip_rows, chip_name),
    TEST_ROWS("a second program follows the policy", second_program_follows_the_policy, chip_rows,
              chip_name),
    TEST_ROWS("bad ranges are refused", bad_ranges_are_refused, chip_rows, chip_name),
    TEST_ROWS("zero bytes are an answer", nothing_is_an_answer, chip_rows, chip_name),
    TEST_ROWS("load is free and counts as written", load_is_free_and_counts_as_written, chip_rows,
              chip_name),
    TEST_ROWS("injected faults fail as often as told", injected_faults_fail_as_often_as_told,
              chip_rows, chip_name),
    TEST_ROWS("corruption is one bit and silent", corruption_is_one_bit_and_silent, chip_rows,
              chip_name),
    TEST_ROWS("looks are told", looks_are_told, chip_rows, chip_name),
    {"bits only fall", bits_only_fall},
    TEST_ROWS("reading in place is reading", reading_in_place_is_reading, chip_rows, chip_name),
    {"injections are bounded", injections_are_bounded},
};
TEST_MAIN("flash chip", tests)
