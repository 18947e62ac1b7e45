/* The key-value store: what it keeps and refuses, and power cuts at every flash operation. */
#include "sim_device/store/kv.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/rng.h"
#include "common/testing/testing.h"
#include "sim_device/board/bare_testing.h"

#define UNIT 4096u

struct site {
    struct board board;
    struct board_ops ops;
    struct nor_geometry geo;
    struct partition_table parts;
    struct kv kv;
    jmp_buf lost;
    bool single;
};

static void site_lost(void *ctx, const struct nor_op *op)
{
    (void)op;
    longjmp(((struct site *)ctx)->lost, 1);
}

static void power_on(struct site *s)
{
    board_heap_drop(&s->board);
    s->board.flash_busy = false;
    nor_power_on(s->board.nor);
    REQUIRE(kv_open(&s->kv, &s->board, &s->parts, s->single, NULL) == 0);
}

static void site_open(struct site *s, const struct chip_row *row)
{
    struct err err = {0};
    memset(s, 0, sizeof *s);
    s->geo = *nor_geometry_find(row->chip);
    s->geo.policy = row->policy;
    s->geo.size_bytes = 4 * UNIT;
    s->parts = (struct partition_table){.count = 1, .part = {{"kv", UNIT, 2 * UNIT}}};
    s->board.nor = nor_new(&s->geo, 31, &err);
    REQUIRE(s->board.nor != NULL);
    s->ops.now_ns = bare_now;
    s->ops.wake = bare_wake;
    s->board.ops = &s->ops;
    nor_set_hooks(s->board.nor, &(struct nor_hooks){.ctx = s, .power_lost = site_lost});
    REQUIRE(partition_guard(s->board.nor, &s->parts) == 0);
    power_on(s);
}

static void site_close(struct site *s)
{
    CHECK(nor_fault(s->board.nor) == NULL);
    CHECK_INT(partition_guard_check(s->board.nor, &s->parts), UINT32_MAX);
    board_heap_drop(&s->board);
    nor_free(s->board.nor);
}

/* Value of a number key, -1 when there is none. */
static int64_t number(struct site *s, const char *key)
{
    uint8_t v[4];
    uint32_t len = sizeof v;
    int rc = kv_get(&s->kv, key, v, &len);
    CHECK(rc == 0 ? len == 4 : rc == ERR_NOT_FOUND);
    return rc == 0 ? (int64_t)get_le32(v) : -1;
}

static int set_number(struct site *s, const char *key, uint32_t n, bool sync)
{
    uint8_t v[4];
    put_le32(v, n);
    return kv_set(&s->kv, key, v, sizeof v, sync, NULL);
}

static void keeps_what_was_set(const void *row)
{
    struct site s;
    uint8_t buf[16];
    uint32_t len = sizeof buf;
    site_open(&s, row);
    CHECK_INT(kv_get(&s.kv, "nobody", buf, &len), ERR_NOT_FOUND);
    CHECK_INT(kv_set(&s.kv, "key_ota_breakpoint", "\1\0\2", 3, true, NULL), 0);
    CHECK_INT(kv_set(&s.kv, "empty", NULL, 0, true, NULL), 0);
    CHECK_INT(set_number(&s, "later", 7, false), 0);
    CHECK_INT(number(&s, "later"), 7);
    power_on(&s);
    CHECK_INT(kv_get(&s.kv, "key_ota_breakpoint", buf, &len), 0);
    CHECK_INT(len, 3);
    CHECK_MEM(buf, "\1\0\2", 3);
    len = sizeof buf;
    CHECK_INT(kv_get(&s.kv, "empty", buf, &len), 0);
    CHECK_INT(len, 0);
    CHECK_INT(number(&s, "later"), -1); /* without sync it went with the power */
    CHECK_INT(set_number(&s, "later", 8, false), 0);
    CHECK_INT(set_number(&s, "now", 9, true), 0);
    power_on(&s);
    CHECK_INT(number(&s, "later"), 8);
    /* Replaced by one of another length. */
    CHECK_INT(kv_set(&s.kv, "now", "longer value", 12, true, NULL), 0);
    power_on(&s);
    len = sizeof buf;
    CHECK_INT(kv_get(&s.kv, "now", buf, &len), 0);
    CHECK_INT(len, 12);
    CHECK_INT(number(&s, "later"), 8);
    struct buf text;
    buf_init(&text, 1024);
    CHECK_INT(kv_describe(nor_peek(s.board.nor), &s.geo, &s.parts, &text), 0);
    CHECK_HAS((char *)text.data, "  key_ota_breakpoint: 3 bytes\n");
    CHECK_HAS((char *)text.data, "  now: 12 bytes\n");
    buf_free(&text);
    site_close(&s);
}

static void refuses(void)
{
    struct site s;
    struct err err;
    char key[KV_KEY_MAX + 2];
    uint8_t big[KV_BYTES] = {0}, small[3] = {0xAA, 0xAA, 0xAA};
    uint32_t len = 2;
    site_open(&s, &chips[0]);
    memset(key, 'k', sizeof key);
    key[KV_KEY_MAX + 1] = '\0';
    CHECK_ERR(kv_set(&s.kv, key, "", 0, true, &err), ERR_ARG);
    CHECK_STR(err.text, "key of 64 characters, allowed are 1..63");
    CHECK_ERR(kv_set(&s.kv, "", "", 0, true, NULL), ERR_ARG);
    CHECK_ERR(kv_set(&s.kv, "k", big, KV_VALUE_MAX + 1, true, &err), ERR_ARG);
    CHECK_STR(err.text, "key k: value of 513 bytes, allowed are 0..512");
    key[KV_KEY_MAX] = '\0';
    CHECK_INT(kv_set(&s.kv, key, big, KV_VALUE_MAX, true, NULL), 0);
    CHECK_ERR(kv_set(&s.kv, "k", big, 400, true, &err), ERR_LIMIT);
    CHECK_STR(err.text, "key k: a value of 400 bytes, all pairs may have 944");
    CHECK_INT(kv_set(&s.kv, "k", "abc", 3, true, NULL), 0);
    CHECK_ERR(kv_get(&s.kv, "k", small, &len), ERR_LIMIT);
    CHECK_INT(len, 3);
    CHECK_INT(small[0], 0xAA);
    REQUIRE(nor_inject(s.board.nor, NOR_IO_ERASE, UNIT, 2 * UNIT, -1) == 0);
    CHECK_ERR(kv_set(&s.kv, "k", "xyz", 3, true, &err), ERR_IO);
    nor_clear_faults(s.board.nor);
    len = 3;
    CHECK_INT(kv_get(&s.kv, "k", small, &len), 0);
    CHECK_MEM(small, "abc", 3);
    power_on(&s);
    CHECK_INT(kv_get(&s.kv, "k", small, &len), 0);
    CHECK_MEM(small, "abc", 3);
    struct partition_table half = s.parts;
    half.part[0].size_bytes = UNIT;
    CHECK_ERR(kv_check(&s.geo, &half, &err), ERR_ARG);
    CHECK_HAS(err.text, "partition \"kv\": 4096 bytes for a record of 944");
    site_close(&s);
}

struct record_row {
    const char *what;
    const char *bytes;
    uint32_t len_bytes;
    bool sense;
};
static const struct record_row records[] = {
    {"two pairs", "\1\1\0ax\1\1\0by", 10, true},
    {"a key twice", "\1\1\0ax\1\1\0ay", 10, false},
    {"a key and one it begins", "\1\1\0ax\2\1\0aby", 11, true},
    {"an empty key", "\1\1\0ax\0\1\0y", 9, false},
    {"more promised than there is", "\1\1\0ax\1\2\0by", 10, false},
};

static void a_record_without_sense_counts_as_none(const void *v)
{
    const struct record_row *row = v;
    struct site s;
    uint8_t got[2];
    uint32_t len = sizeof got;
    site_open(&s, &chips[0]);
    REQUIRE(twin_write(&s.kv.twin, (const uint8_t *)row->bytes, row->len_bytes, NULL) == 0);
    power_on(&s);
    CHECK_INT(kv_get(&s.kv, "a", got, &len), row->sense ? 0 : ERR_NOT_FOUND);
    CHECK_INT(kv_set(&s.kv, "a", "z", 1, true, NULL), 0);
    power_on(&s);
    len = sizeof got;
    CHECK_INT(kv_get(&s.kv, "a", got, &len), 0);
    CHECK(len == 1 && got[0] == 'z');
    site_close(&s);
}

/* Two numbers that are always set together, the second with sync: never seen apart, never going
 * back behind what was acknowledged. */
struct life {
    uint32_t acknowledged;
    unsigned wrong;
};

static bool climb(struct site *s, struct life *l, uint32_t goal)
{
    if (setjmp(s->lost) != 0)
        return false;
    power_on(s);
    int64_t a = number(s, "a"), b = number(s, "b");
    l->wrong += a != b || b < (int64_t)l->acknowledged;
    uint32_t n = b < 0 ? 0 : (uint32_t)b;
    l->acknowledged = n;
    if (setjmp(s->lost) != 0)
        return false;
    while (l->acknowledged < goal) {
        l->wrong += set_number(s, "a", l->acknowledged + 1, false) != 0;
        l->wrong += set_number(s, "b", l->acknowledged + 1, true) != 0;
        l->acknowledged++;
    }
    return true;
}

static void every_cut_every_tear(const void *row)
{
    struct site s;
    struct rng rng;
    unsigned bad = 0;
    site_open(&s, row);
    REQUIRE(kv_set(&s.kv, "other", "stays", 5, true, NULL) == 0);
    REQUIRE(set_number(&s, "a", 0, false) == 0);
    REQUIRE(set_number(&s, "b", 0, true) == 0);
    struct nor_snapshot *from = nor_save(s.board.nor);
    for (uint64_t op = 1; op <= 16; op++)
        for (int tear = 0; tear < TEAR_COUNT; tear++)
            for (uint32_t draw = 0; draw < 8; draw++) {
                struct life l = {0};
                char other[8];
                uint32_t len = sizeof other;
                bool done = false;
                rng_init(&rng, 9, "kv cuts", "more", op * 100 + draw);
                REQUIRE(nor_restore(s.board.nor, from) == 0);
                nor_arm_cut(s.board.nor, nor_op_count(s.board.nor) + op, (enum nor_tear)tear, 24);
                for (uint32_t i = 0; i < 20 && !done; i++) {
                    done = climb(&s, &l, 4);
                    if (!done && i < draw) {
                        enum nor_tear next = (enum nor_tear)rng_below(&rng, TEAR_COUNT);
                        uint64_t at = 1 + rng_below(&rng, 10);
                        nor_arm_cut(s.board.nor, nor_op_count(s.board.nor) + at, next, 8);
                    }
                }
                nor_arm_cut(s.board.nor, 0, TEAR_NOTHING, 0);
                for (int again = 0; again < 3; again++)
                    done = climb(&s, &l, 4) && done;
                int rc = kv_get(&s.kv, "other", other, &len);
                bool good = done && l.wrong == 0 && rc == 0 && memcmp(other, "stays", 5) == 0;
                if (!good && bad++ < 3)
                    (void)fprintf(stderr, "op %d %s draw %u: wrong %u, at %u\n", (int)op,
                                  nor_tear_name((enum nor_tear)tear), draw, l.wrong,
                                  l.acknowledged);
            }
    CHECK_INT(bad, 0);
    nor_snapshot_free(from);
    site_close(&s);
}

static void a_single_copy_loses_all(void)
{
    struct site s;
    site_open(&s, &chips[0]);
    s.single = true;
    power_on(&s);
    REQUIRE(set_number(&s, "a", 1, true) == 0);
    nor_arm_cut(s.board.nor, nor_op_count(s.board.nor) + 2, TEAR_NOTHING, 0);
    if (setjmp(s.lost) == 0)
        (void)set_number(&s, "a", 2, true);
    power_on(&s);
    CHECK_INT(number(&s, "a"), -1);
    site_close(&s);
}

/* A proof that was cut weakly on flash with ECC: touched at every later start, however it reads. So
 * the record counts and is firm, and no start spends a place on it. */
static void a_weak_proof_is_enough_with_ecc(void)
{
    struct site s;
    site_open(&s, &chips[1]);
    REQUIRE(set_number(&s, "a", 1, true) == 0);
    nor_arm_cut(s.board.nor, nor_op_count(s.board.nor) + 3, TEAR_WEAK, 0);
    if (setjmp(s.lost) == 0)
        (void)set_number(&s, "a", 2, true);
    CHECK(!nor_is_on(s.board.nor));
    CHECK(nor_weak_cells(s.board.nor, UNIT, 2 * UNIT) > 0);
    uint64_t ops = nor_op_count(s.board.nor);
    for (int i = 0; i < 20; i++) {
        power_on(&s);
        CHECK_INT(number(&s, "a"), 2);
        CHECK_INT(nor_op_count(s.board.nor), ops);
        nor_power_off(s.board.nor, TEAR_NOTHING, 0);
    }
    power_on(&s);
    CHECK_INT(set_number(&s, "a", 3, true), 0);
    power_on(&s);
    CHECK_INT(number(&s, "a"), 3);
    site_close(&s);
}

static const char *chip_name(const void *row)
{
    return ((const struct chip_row *)row)->what;
}

static const char *record_name(const void *row)
{
    return ((const struct record_row *)row)->what;
}

static const struct test tests[] = {
    TEST_ROWS("keeps what was set", keeps_what_was_set, chips, chip_name),
    {"refuses", refuses},
    TEST_ROWS("a record without sense counts as none", a_record_without_sense_counts_as_none,
              records, record_name),
    TEST_ROWS("every cut, every tear", every_cut_every_tear, chips, chip_name),
    {"a single copy loses all", a_single_copy_loses_all},
    {"with ECC a weak proof is enough", a_weak_proof_is_enough_with_ecc},
};
TEST_MAIN("key-value store", tests)
