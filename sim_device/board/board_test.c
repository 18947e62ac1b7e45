#include "sim_device/board/board.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

static int64_t fixed_now_ns(struct board *b)
{
    (void)b;
    return 42;
}

static const struct board_ops clock_only = {.now_ns = fixed_now_ns};

/* ---- heap ---- */

static void heap_counts(void)
{
    struct board b = {.ops = &clock_only};
    uint8_t *p = board_alloc(&b, 100);
    uint8_t *q = board_alloc(&b, 28);
    REQUIRE(p != NULL && q != NULL);
    CHECK_INT(b.heap.used_bytes, 128);
    CHECK_INT(b.heap.calls, 2);
    CHECK_INT(board_heap_blocks(&b), 2);
    CHECK_INT(p[0], p[99]);
    board_free(&b, p);
    CHECK_INT(b.heap.used_bytes, 28);
    CHECK_INT(b.heap.peak_bytes, 128);
    CHECK_INT(board_heap_blocks(&b), 1);
    board_free(&b, q);
    board_free(&b, NULL);
    CHECK_INT(b.heap.used_bytes, 0);
    CHECK_INT(board_heap_blocks(&b), 0);
    CHECK(board_alloc(&b, 0) == NULL);
    CHECK_INT(b.heap.calls, 2);
}

static void heap_frees_in_any_order(void)
{
    struct board b = {.ops = &clock_only};
    void *p[5];
    for (size_t i = 0; i < 5; i++)
        p[i] = board_alloc(&b, i + 1);
    static const size_t order[5] = {2, 0, 4, 1, 3};
    for (size_t i = 0; i < 5; i++) {
        board_free(&b, p[order[i]]);
        CHECK_INT(board_heap_blocks(&b), 4 - i);
    }
    CHECK_INT(b.heap.used_bytes, 0);
}

struct shown {
    uint8_t first[4];
    size_t len_bytes[4];
    size_t count;
};

static void show(void *ctx, const void *data, size_t len_bytes)
{
    struct shown *s = ctx;
    REQUIRE(s->count < 4);
    s->first[s->count] = *(const uint8_t *)data;
    s->len_bytes[s->count++] = len_bytes;
}

static void heap_shows_its_blocks(void)
{
    struct board b = {.ops = &clock_only};
    struct shown s = {0};
    uint8_t *p[3];
    for (uint8_t i = 0; i < 3; i++) {
        p[i] = board_alloc(&b, 10u + i);
        p[i][0] = i;
    }
    board_free(&b, p[1]);
    board_heap_each(&b, show, &s);
    CHECK_INT(s.count, 2);
    CHECK_INT(s.first[0], 2);
    CHECK_INT(s.len_bytes[0], 12);
    CHECK_INT(s.first[1], 0);
    CHECK_INT(s.len_bytes[1], 10);
    board_heap_drop(&b);
}

static void heap_limit_holds(void)
{
    struct board b = {.ops = &clock_only, .heap.limit_bytes = 1000};
    void *p = board_alloc(&b, 600);
    CHECK(p != NULL);
    CHECK(board_alloc(&b, 401) == NULL);
    void *q = board_alloc(&b, 400);
    CHECK(q != NULL);
    CHECK(board_alloc(&b, 1) == NULL);
    CHECK(board_alloc(&b, SIZE_MAX) == NULL);
    CHECK(board_realloc(&b, p, 601) == NULL);
    p = board_realloc(&b, p, 500);
    CHECK(p != NULL);
    CHECK_INT(b.heap.used_bytes, 900);
    CHECK_INT(b.heap.peak_bytes, 1000);
    board_heap_drop(&b);

    struct board free_for_all = {.ops = &clock_only};
    CHECK(board_alloc(&free_for_all, SIZE_MAX) == NULL);
    CHECK(board_alloc(&free_for_all, SIZE_MAX - 8) == NULL);
    CHECK_INT(free_for_all.heap.used_bytes, 0);
}

static void heap_fails_the_nth_allocation(void)
{
    for (uint64_t n = 1; n <= 3; n++) {
        struct board b = {.ops = &clock_only, .heap.fail_at = n};
        for (uint64_t i = 1; i <= 4; i++)
            CHECK_INT(board_alloc(&b, 8) == NULL, i == n);
        board_heap_drop(&b);
        CHECK_INT(b.heap.fail_at, n);
        CHECK_INT(b.heap.calls, 0);
    }
}

static void heap_realloc_keeps_content(void)
{
    struct board b = {.ops = &clock_only};
    char *p = board_realloc(&b, NULL, 6);
    REQUIRE(p != NULL);
    memcpy(p, "hello", 6);
    p = board_realloc(&b, p, 4000);
    REQUIRE(p != NULL);
    CHECK_STR(p, "hello");
    p = board_realloc(&b, p, 2);
    REQUIRE(p != NULL);
    CHECK_MEM(p, "he", 2);
    CHECK_INT(b.heap.used_bytes, 2);
    b.heap.fail_at = b.heap.calls + 1;
    CHECK(board_realloc(&b, p, 10) == NULL);
    CHECK_MEM(p, "he", 2);
    CHECK(board_realloc(&b, p, 0) == NULL);
    CHECK_INT(board_heap_blocks(&b), 0);
}

static void heap_drop_frees_all(void)
{
    struct board b = {.ops = &clock_only, .heap.limit_bytes = 4096};
    for (size_t i = 1; i <= 20; i++)
        CHECK(board_alloc(&b, i) != NULL);
    board_heap_drop(&b);
    CHECK_INT(board_heap_blocks(&b), 0);
    CHECK_INT(b.heap.used_bytes, 0);
    CHECK_INT(b.heap.peak_bytes, 0);
    CHECK_INT(b.heap.limit_bytes, 4096);
}

/* ---- events ---- */

struct seen {
    int count;
    int64_t now_ns;
    enum lane lane;
    char text[1024];
};

static void see(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                const struct trace_field *fields, size_t n)
{
    struct seen *seen = ctx;
    seen->count++;
    seen->now_ns = now_ns;
    seen->lane = lane;
    size_t at = (size_t)snprintf(seen->text, sizeof seen->text, "%s", event);
    for (size_t i = 0; i < n && at < sizeof seen->text; i++) {
        if (fields[i].text != NULL)
            at += (size_t)snprintf(seen->text + at, sizeof seen->text - at, " %s=%s", fields[i].key,
                                   fields[i].text);
        else
            at += (size_t)snprintf(seen->text + at, sizeof seen->text - at, " %s=%lld",
                                   fields[i].key, (long long)fields[i].integer);
    }
}

static void events_reach_the_bench(void)
{
    struct seen seen = {0};
    struct board b = {.ops = &clock_only};
    board_log(&b, "nobody listens", 14);
    CHECK_INT(seen.count, 0);
    b.event = see;
    b.event_ctx = &seen;

    board_log(&b, "line\r\nmore", 6);
    CHECK_STR(seen.text, "log text=line");
    CHECK_INT(seen.now_ns, 42);
    CHECK_INT(seen.lane, LANE_DEVICE);

    char longer[2000];
    memset(longer, 'x', sizeof longer);
    board_log(&b, longer, sizeof longer);
    CHECK_INT(strlen(seen.text), strlen("log text=") + 512);

    struct nor_op op = {.number = 7, .kind = NOR_OP_PROGRAM, .addr = 4096, .len_bytes = 256};
    board_flash_event(&b, &op);
    CHECK_STR(seen.text, "program op=7 addr=4096 len=256");
    CHECK_INT(seen.lane, LANE_FLASH);
    op.kind = NOR_OP_ERASE;
    op.torn = true;
    op.tear = TEAR_PREFIX;
    op.raised_bits = true;
    board_flash_event(&b, &op);
    CHECK_STR(seen.text, "erase op=7 addr=4096 len=256 torn=1 tear=prefix raised=1");
    board_cut_event(&b, 7, TEAR_DONE);
    CHECK_STR(seen.text, "cut op=7 tear=done");
    CHECK_INT(seen.lane, LANE_POWER);
}

static void current_is_set_and_cleared(void)
{
    struct board b = {.ops = &clock_only};
    CHECK(board_current() == NULL);
    board_set_current(&b);
    CHECK(board_current() == &b);
    board_set_current(NULL);
    CHECK(board_current() == NULL);
}

/* ---- literals ---- */

struct literal {
    const char *text;
    bool ok;
    uint32_t ip;
};

static const struct literal literals[] = {
    {"127.0.0.1", true, 0x7F000001},
    {"10.1.2.3", true, 0x0A010203},
    {"255.255.255.255", true, 0xFFFFFFFF},
    {"10.1.2", false, 0},
    {"10.1.2.256", false, 0},
    {"10.1.2.3 ", false, 0},
    {"cloud.example", false, 0},
    {"", false, 0},
};

static const char *literal_name(const void *row)
{
    const struct literal *l = row;
    return l->text[0] != '\0' ? l->text : "nothing";
}

static void literal_is_parsed(const void *row)
{
    const struct literal *l = row;
    uint32_t ip = 99;
    CHECK_INT(board_literal_ip(l->text, &ip), l->ok);
    CHECK_INT(ip, l->ok ? l->ip : 99);
}

/* ---- digest ---- */

static void digest_reads_the_chip(void)
{
    struct err err;
    struct nor *nor = nor_new(nor_geometry_find("spi4k"), 1, &err);
    REQUIRE(nor != NULL);
    struct board b = {.ops = &clock_only, .nor = nor};
    uint8_t image[10000];
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)(i * 7 + i / 251);
    CHECK_INT(nor_load(nor, 4100, image, sizeof image), 0);

    static const enum digest_kind kinds[] = {DIGEST_MD5, DIGEST_SHA256};
    for (size_t i = 0; i < 2; i++) {
        uint8_t got[DIGEST_BYTES_MAX];
        uint8_t want[DIGEST_BYTES_MAX];
        CHECK_INT(board_digest_flash(&b, kinds[i], 4100, sizeof image, got), 0);
        digest_of(kinds[i], image, sizeof image, want);
        CHECK_MEM(got, want, digest_bytes(kinds[i]));
    }
    uint8_t got[DIGEST_BYTES_MAX];
    uint8_t want[DIGEST_BYTES_MAX];
    CHECK_INT(board_digest_flash(&b, DIGEST_MD5, 0, 0, got), 0);
    digest_of(DIGEST_MD5, "", 0, want);
    CHECK_MEM(got, want, MD5_BYTES);

    uint32_t size = nor_geo(nor)->size_bytes;
    CHECK_ERR(board_digest_flash(&b, DIGEST_MD5, size - 10, 11, got), ERR_ARG);
    CHECK_ERR(board_digest_flash(&b, DIGEST_MD5, UINT32_MAX, 11, got), ERR_ARG);
    CHECK_INT(nor_inject(nor, NOR_IO_READ, 4100 + 9000, 4, 1), 0);
    CHECK_ERR(board_digest_flash(&b, DIGEST_SHA256, 4100, sizeof image, got), ERR_IO);
    CHECK(b.digests == NULL);
    CHECK_OK(board_digest_flash(&b, DIGEST_SHA256, 4100, sizeof image, got), NULL);
    nor_free(nor);
}

static void digest_meets_the_ecc_trap(void)
{
    struct err err;
    const struct nor_geometry *geo = NULL;
    for (size_t i = 0; nor_geometry_at(i) != NULL; i++)
        if (nor_geometry_at(i)->policy == NOR_ECC)
            geo = nor_geometry_at(i);
    struct nor_geometry ecc = geo != NULL ? *geo : *nor_geometry_find("internal8");
    ecc.policy = NOR_ECC;
    struct nor *nor = nor_new(&ecc, 3, &err);
    REQUIRE(nor != NULL);
    struct board b = {.ops = &clock_only, .nor = nor};
    uint8_t data[64] = {0};
    nor_arm_cut(nor, 1, TEAR_SCRAMBLED, 0);
    CHECK_ERR(nor_program(nor, 0, data, ecc.granule_bytes), ERR_IO);
    nor_power_on(nor);
    uint8_t got[DIGEST_BYTES_MAX];
    CHECK_ERR(board_digest_flash(&b, DIGEST_SHA256, 0, 64, got), ERR_DIGEST);
    nor_free(nor);
}

static const struct test tests[] = {
    {"the heap counts what is taken and given back", heap_counts},
    {"the heap frees blocks in any order", heap_frees_in_any_order},
    {"heap shows its blocks", heap_shows_its_blocks},
    {"the heap keeps its limit", heap_limit_holds},
    {"the heap fails the n-th allocation", heap_fails_the_nth_allocation},
    {"realloc keeps the content", heap_realloc_keeps_content},
    {"dropping the heap frees all", heap_drop_frees_all},
    {"events reach the bench with time and lane", events_reach_the_bench},
    {"the current board is set and cleared", current_is_set_and_cleared},
    TEST_ROWS("an address literal", literal_is_parsed, literals, literal_name),
    {"the digest of flash is that of its bytes", digest_reads_the_chip},
    {"the digest of a torn granule traps", digest_meets_the_ecc_trap},
};

TEST_MAIN("board", tests)
