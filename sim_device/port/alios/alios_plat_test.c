/* The five platform functions on every kind of chip, called through the table. */
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/board/bare_testing.h"
#include "sim_device/port/alios/alios_port.h"

#define UNIT 4096u
#define SLOT (3 * UNIT)

static const struct alios_port *const port = &alios_reference_port;

struct site {
    struct board board;
    struct board_ops ops;
    struct device_config config;
    struct alios alios;
};

static void power_on(struct site *s)
{
    struct err err = {0};
    board_heap_drop(&s->board);
    REQUIRE_OK(alios_start(&s->board, &s->alios, &s->config, &err), &err);
}

static void boot(struct site *s, uint32_t want)
{
    struct slots_config cfg;
    struct slots_boot loader;
    enum boot_result rc;
    device_slots_config(&s->config, &s->board, &cfg);
    slots_boot_begin(&loader, &cfg);
    do
        rc = slots_boot_step(&loader);
    while (rc == BOOT_MORE);
    CHECK_INT(rc, BOOT_RUN);
    CHECK_INT(loader.slot, want);
    power_on(s);
}

static void site_open(struct site *s, const struct chip_row *row)
{
    struct err err = {0};
    memset(s, 0, sizeof *s);
    device_config_default_for(&s->config, AGENT_UOTA);
    s->config.geometry = *nor_geometry_find(row->chip);
    s->config.geometry.policy = row->policy;
    s->config.partitions = (struct partition_table){.count = 4,
                                                    .part = {{"app", UNIT, SLOT},
                                                             {"app2", 5 * UNIT, SLOT},
                                                             {"slots", 9 * UNIT, 2 * UNIT},
                                                             {"kv", 12 * UNIT, 2 * UNIT}}};
    s->board.nor = nor_new(&s->config.geometry, 41, &err);
    REQUIRE(s->board.nor != NULL);
    s->board.partitions = &s->config.partitions;
    s->ops.now_ns = bare_now;
    s->ops.wake = bare_wake;
    s->board.ops = &s->ops;
    board_set_current(&s->board);
    REQUIRE(partition_guard(s->board.nor, &s->config.partitions) == 0);
    power_on(s);
}

static void site_close(struct site *s)
{
    CHECK(nor_fault(s->board.nor) == NULL);
    CHECK_INT(partition_guard_check(s->board.nor, &s->config.partitions), UINT32_MAX);
    CHECK_INT(s->board.heap.used_bytes, 0);
    board_set_current(NULL);
    nor_free(s->board.nor);
}

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 13u + (i >> 8));
}

/* Pieces of many lengths from *off to `to`. */
static void write_until(uint32_t *off, uint32_t to)
{
    static const uint32_t lengths[] = {1, 7, 8, 3, 256, 1000, 13};
    uint8_t piece[1000];
    for (uint32_t i = 0; *off < to; i++) {
        uint32_t n = lengths[i % (sizeof lengths / sizeof lengths[0])];
        n = to - *off < n ? to - *off : n;
        for (uint32_t j = 0; j < n; j++)
            piece[j] = byte_at(*off + j);
        uint32_t before = *off;
        REQUIRE(port->hal_ota_write(NULL, off, piece, n) == stat_ok);
        CHECK_INT(*off, before + n);
    }
}

static uint32_t wrong_bytes(uint32_t from, uint32_t to)
{
    uint32_t wrong = 0, off = from;
    while (off < to) {
        uint8_t piece[333];
        uint32_t n = to - off < sizeof piece ? to - off : (uint32_t)sizeof piece, at = off;
        REQUIRE(port->hal_ota_read(NULL, &off, piece, n) == stat_ok);
        CHECK_INT(off, at + n);
        for (uint32_t i = 0; i < n; i++)
            wrong += piece[i] != byte_at(at + i);
    }
    return wrong;
}

/* Units are erased when they are written to, however blank they look, and no others. */
static void erases_what_it_writes(const void *row)
{
    struct site s;
    uint8_t junk[8] = {0};
    uint32_t off = 0;
    site_open(&s, row);
    for (uint32_t at = 5 * UNIT; at < 8 * UNIT; at += UNIT)
        REQUIRE(nor_load(s.board.nor, at + UNIT - 8, junk, sizeof junk) == 0);
    CHECK_INT(port->hal_ota_init(&off), stat_ok);
    CHECK_INT(off, 0);
    uint64_t ops = nor_op_count(s.board.nor);
    write_until(&off, UNIT);
    CHECK_INT(wrong_bytes(0, UNIT), 0);
    write_until(&off, UNIT + 16);
    CHECK_INT(wrong_bytes(0, UNIT + 16), 0);
    CHECK(nor_op_count(s.board.nor) >= ops + 2);
    const uint8_t *slot = nor_peek(s.board.nor) + 5 * UNIT;
    CHECK_INT(slot[2 * UNIT - 1], 0xFF);
    CHECK_INT(slot[3 * UNIT - 1], 0); /* not reached */
    CHECK_INT(port->hal_ota_init(NULL), stat_ok);
    off = SLOT + 1;
    CHECK_INT(port->hal_ota_init(&off), stat_err);
    site_close(&s);
}

/* Going on behind a power cut costs the flash no more than what was still missing. */
static void a_resume_erases_only_what_is_missing(const void *row)
{
    struct site s;
    uint32_t off = 0, straight;
    site_open(&s, row);
    uint64_t ops = nor_op_count(s.board.nor);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    write_until(&off, UNIT);
    straight = (uint32_t)(nor_op_count(s.board.nor) - ops);
    power_on(&s);
    ops = nor_op_count(s.board.nor);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    CHECK_INT(off, UNIT);
    CHECK_INT(nor_op_count(s.board.nor), ops);
    write_until(&off, 2 * UNIT);
    CHECK_INT(nor_op_count(s.board.nor) - ops, straight);
    CHECK_INT(wrong_bytes(0, 2 * UNIT), 0);
    site_close(&s);
}

static void pieces_make_one_image(const void *row)
{
    struct site s;
    uint32_t off = 0;
    site_open(&s, row);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    write_until(&off, 9001);
    CHECK_INT(wrong_bytes(0, 9001), 0); /* also the end that waits for its granule */
    ota_finish_param_t end = {
        .update_type = OTA_ALL, .result_type = OTA_FINISH, .firmware_type = OTA_RAW};
    CHECK_INT(port->ota_kv_set(ALIOS_KV_VERSION, "2.0", 3, 1), 0);
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_ok);
    CHECK_INT(wrong_bytes(0, 9001), 0);
    boot(&s, 1);
    CHECK(slots_on_trial(&s.alios.slots));
    CHECK_INT(s.alios.slots.record.image[1].len_bytes, 9001);
    CHECK_STR(s.alios.slots.record.image[1].version, "2.0");
    /* On trial: no other update, but back. */
    CHECK_INT(port->hal_ota_init(NULL), stat_err);
    CHECK_INT(port->hal_ota_rollback(NULL, NULL), stat_ok);
    boot(&s, 0);
    CHECK_INT(port->hal_ota_rollback(NULL, NULL), stat_err);
    CHECK(slots_was_refused(&s.alios.slots, "2.0") != NULL);
    site_close(&s);
}

static void goes_on_behind_a_breakpoint(const void *row)
{
    struct site s;
    uint32_t off = 0;
    site_open(&s, row);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    write_until(&off, 2 * UNIT + 5);
    ota_finish_param_t pause = {.result_type = OTA_BREAKPOINT};
    CHECK_INT(port->hal_ota_set_boot(NULL, &pause), stat_ok);
    CHECK_INT(port->hal_ota_write(NULL, &off, (uint8_t *)"", 1), stat_err); /* ended */
    power_on(&s);
    off = 2 * UNIT + 5;
    CHECK_INT(port->hal_ota_init(&off), stat_ok);
    CHECK_INT(off, 2 * UNIT); /* the unit that was begun cannot be gone on with */
    write_until(&off, SLOT);
    CHECK_INT(wrong_bytes(0, SLOT), 0);
    ota_finish_param_t end = {.update_type = OTA_ALL, .result_type = OTA_FINISH};
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_ok);
    boot(&s, 1);
    site_close(&s);
}

/* A power cut between the end of writing and the boot choice costs nothing. */
static void finishes_what_was_kept(const void *row)
{
    struct site s;
    uint32_t off = 0;
    ota_finish_param_t pause = {.result_type = OTA_BREAKPOINT},
                       end = {.update_type = OTA_ALL, .result_type = OTA_FINISH};
    site_open(&s, row);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    write_until(&off, 5003);
    CHECK_INT(port->hal_ota_set_boot(NULL, &pause), stat_ok);
    power_on(&s);
    CHECK_INT(wrong_bytes(0, 5003), 0);
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_ok);
    boot(&s, 1);
    CHECK_INT(s.alios.slots.record.image[1].len_bytes, 5003);
    REQUIRE(port->hal_ota_rollback(NULL, NULL) == stat_ok);
    boot(&s, 0);
    /* Forgotten with the next one. */
    REQUIRE(port->hal_ota_init(NULL) == stat_ok);
    power_on(&s);
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_err);
    site_close(&s);
}

static void refuses(const void *row)
{
    struct site s;
    uint8_t piece[16] = {0};
    uint32_t off = 0;
    ota_finish_param_t end = {.update_type = OTA_ALL, .result_type = OTA_FINISH},
                       diff = {.update_type = OTA_ALL, .firmware_type = OTA_DIFF};
    site_open(&s, row);
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_err); /* before init */
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_err);
    CHECK_INT(port->hal_ota_rollback(NULL, NULL), stat_err);
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    CHECK_INT(port->hal_ota_set_boot(NULL, &end), stat_err); /* nothing written */
    REQUIRE(port->hal_ota_init(&off) == stat_ok);
    CHECK_INT(port->hal_ota_set_boot(NULL, NULL), stat_err);
    CHECK_INT(port->hal_ota_write(NULL, NULL, piece, 8), stat_err);
    CHECK_INT(port->hal_ota_write(NULL, &off, NULL, 8), stat_err);
    off = 8;
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_err); /* not behind the last */
    off = 0;
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, SLOT + 1), stat_err);
    CHECK_INT(off, 0);
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_ok);
    CHECK_INT(port->hal_ota_set_boot(NULL, &diff), stat_err);
    REQUIRE(port->hal_ota_init(NULL) == stat_ok);
    off = 0;
    REQUIRE(nor_inject(s.board.nor, NOR_IO_PROGRAM, 5 * UNIT, 8, 1) == 0);
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_err);
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_err); /* only init helps */
    off = SLOT - 4;
    CHECK_INT(port->hal_ota_read(NULL, &off, piece, 8), stat_err);
    REQUIRE(nor_inject(s.board.nor, NOR_IO_ERASE, 5 * UNIT, 8, 1) == 0);
    REQUIRE(port->hal_ota_init(NULL) == stat_ok);
    off = 0;
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 8), stat_err);
    CHECK_INT(off, 0);
    CHECK(hal_ota_get_default_module() == &s.alios.module);
    site_close(&s);
}

static void outside_a_device(void)
{
    uint32_t off = 0;
    uint8_t piece[1] = {0};
    int len = 1;
    CHECK(hal_ota_get_default_module() == NULL);
    CHECK_INT(port->hal_ota_init(NULL), stat_err);
    CHECK_INT(port->hal_ota_write(NULL, &off, piece, 1), stat_err);
    CHECK_INT(port->hal_ota_rollback(NULL, NULL), stat_err);
    CHECK(port->ota_malloc(1) == NULL);
    CHECK(port->ota_mutex_init() == NULL);
    CHECK_INT(port->ota_kv_get("k", piece, &len), -1);
    CHECK_INT(port->ota_hal_mqtt_deinit_instance(), -1);
}

static const char *chip_name(const void *row)
{
    return ((const struct chip_row *)row)->what;
}

static const struct test tests[] = {
    TEST_ROWS("erases what it writes", erases_what_it_writes, chips, chip_name),
    TEST_ROWS("a resume erases only what is missing", a_resume_erases_only_what_is_missing, chips,
              chip_name),
    TEST_ROWS("pieces make one image", pieces_make_one_image, chips, chip_name),
    TEST_ROWS("goes on behind a breakpoint", goes_on_behind_a_breakpoint, chips, chip_name),
    TEST_ROWS("finishes what was kept", finishes_what_was_kept, chips, chip_name),
    TEST_ROWS("refuses", refuses, chips, chip_name),
    {"outside a device", outside_a_device},
};
TEST_MAIN("AliOS platform functions", tests)
