/* What the tests of the two slots share. */
#ifndef OTABENCH_BOOT_SLOTS_TESTING_H
#define OTABENCH_BOOT_SLOTS_TESTING_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/rng.h"
#include "common/testing/testing.h"
#include "sim_device/board/bare_testing.h"
#include "sim_device/boot/slots.h"

#define UNIT       4096u
#define IMAGE_A    5000u
#define IMAGE_B    6001u
#define TRIALS     3
#define STARTS_MAX 40

enum { RIG_CUT = 100 };

/* A device of flash and boot loader; the application is the test. */
struct site {
    struct board board; /* first */
    struct board_ops ops;
    struct nor_geometry geo;
    struct partition_table parts;
    struct slots_config cfg;
    struct slots_boot boot;
    jmp_buf lost;
    char events[4096];
};

static inline void site_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                              const struct trace_field *fields, size_t n)
{
    struct site *s = ctx;
    (void)now_ns;
    size_t at = strlen(s->events);
    if (lane != LANE_BOOT || sizeof s->events - at < 128)
        return;
    at += (size_t)snprintf(s->events + at, sizeof s->events - at, "%s", event);
    for (size_t i = 0; i < n; i++)
        at += (size_t)(fields[i].text != NULL
                           ? snprintf(s->events + at, sizeof s->events - at, " %s", fields[i].text)
                           : snprintf(s->events + at, sizeof s->events - at, " %d",
                                      (int)fields[i].integer));
    (void)snprintf(s->events + at, sizeof s->events - at, "\n");
}

static inline void site_lost(void *ctx, const struct nor_op *op)
{
    struct site *s = ctx;
    (void)op;
    longjmp(s->lost, 1);
}

static inline uint8_t byte_of(char image, uint32_t i)
{
    return (uint8_t)((uint32_t)image * 31u + i * 7u + (i >> 8));
}

static inline void put_image(struct site *s, uint32_t slot, char image, uint32_t len)
{
    uint8_t bytes[8192];
    uint32_t padded = (len + 7) / 8 * 8;
    memset(bytes, 0xFF, sizeof bytes);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte_of(image, i);
    REQUIRE(nor_load(s->board.nor, s->parts.part[slot].offset, bytes, padded) == 0);
}

static inline void digest_image(char image, uint32_t len, uint8_t out[SHA256_BYTES])
{
    uint8_t bytes[8192];
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte_of(image, i);
    digest_of(DIGEST_SHA256, bytes, len, out);
}

static inline void site_open_seeded(struct site *s, const struct chip_row *row, uint64_t seed)
{
    struct err err = {0};
    struct slots_image factory = {.len_bytes = IMAGE_A, .version = "1.0"};
    uint8_t record[2 * UNIT];
    memset(s, 0, sizeof *s);
    s->geo = *nor_geometry_find(row->chip);
    s->geo.policy = row->policy;
    s->geo.size_bytes = 8 * UNIT;
    s->parts = (struct partition_table){.count = 3,
                                        .part = {{"app", UNIT, 2 * UNIT},
                                                 {"app2", 3 * UNIT, 2 * UNIT},
                                                 {"slots", 5 * UNIT, 2 * UNIT}}};
    s->board.nor = nor_new(&s->geo, seed, &err);
    REQUIRE(s->board.nor != NULL);
    s->ops.now_ns = bare_now;
    s->ops.wake = bare_wake;
    s->board.ops = &s->ops;
    s->board.event = site_event;
    s->board.event_ctx = s;
    s->board.partitions = &s->parts;
    nor_set_hooks(s->board.nor, &(struct nor_hooks){.ctx = s, .power_lost = site_lost});
    s->cfg = (struct slots_config){
        .board = &s->board, .partitions = &s->parts, .trial_boots_max = TRIALS};
    put_image(s, 0, 'a', IMAGE_A);
    digest_image('a', IMAGE_A, factory.sha256);
    REQUIRE_OK(slots_factory(&s->cfg, &factory, record, &err), &err);
    REQUIRE(nor_load(s->board.nor, 5 * UNIT, record, sizeof record) == 0);
    REQUIRE(partition_guard(s->board.nor, &s->parts) == 0);
}

static inline void site_open(struct site *s, const struct chip_row *row)
{
    site_open_seeded(s, row, 21);
}

static inline void site_close(struct site *s)
{
    CHECK(nor_fault(s->board.nor) == NULL);
    CHECK_INT(partition_guard_check(s->board.nor, &s->parts), UINT32_MAX);
    board_heap_drop(&s->board);
    nor_free(s->board.nor);
}

/* The slot that was started, -1 when bricked, RIG_CUT. */
static inline int start(struct site *s)
{
    enum boot_result rc;
    board_heap_drop(&s->board);
    s->board.flash_busy = false;
    s->events[0] = '\0';
    nor_power_on(s->board.nor);
    if (setjmp(s->lost) != 0)
        return RIG_CUT;
    slots_boot_begin(&s->boot, &s->cfg);
    do
        rc = slots_boot_step(&s->boot);
    while (rc == BOOT_MORE);
    return rc == BOOT_RUN ? (int)s->boot.slot : -1;
}

enum call { SET_BOOT, CONFIRM, ROLLBACK };

/* What the application does after a start; RIG_CUT or the result. */
static inline int call(struct site *s, enum call what)
{
    struct slots app;
    uint8_t sha[SHA256_BYTES];
    if (setjmp(s->lost) != 0)
        return RIG_CUT;
    int rc = slots_open(&app, &s->cfg, NULL);
    digest_image('b', IMAGE_B, sha);
    if (rc == 0 && what == SET_BOOT)
        rc = slots_set_boot(&app, IMAGE_B, sha, "1.1", NULL);
    if (rc == 0 && what == CONFIRM)
        rc = slots_confirm(&app, NULL);
    if (rc == 0 && what == ROLLBACK)
        rc = slots_rollback(&app, NULL);
    return rc;
}

static inline void reopen(struct site *s, struct slots *app)
{
    REQUIRE(slots_open(app, &s->cfg, NULL) == 0);
}

static inline const char *chip_name(const void *row)
{
    return ((const struct chip_row *)row)->what;
}

#endif
