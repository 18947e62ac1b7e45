/* The API against a scripted cloud: results, packages, reports that get lost, hooks, memory. */
#include "sim_device/agent/cmiot/cmiot_client.h"
#include "sim_device/agent/cmiot/cmiot_log.h"
#include "sim_device/agent/cmiot/cmiot_testing.h"

#define SEGMENT 128u
#define LIMIT_C 524288u /* 0xA0000 - 64 KiB backup - 64 KiB erase unit */
#define DID     "866000000000001"

/* ---- the package ---- */

static void sizes_around_segments(void)
{
    static const uint32_t sizes[] = {1, 127, 128, 129, 4095, 4096, 4097, 9000};
    static const char *const chips[] = {"spi4k", "internal8"};
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t size = sizes[i / 2];
        struct world *w = world_new(chips[i % 2], size);
        /* Fits the smaller chip too. */
        w->config.partitions = (struct partition_table){
            .part = {{"app", 0x20000, 0x40000}, {"download", 0x70000, 0x80000}}, .count = 2};
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_MEM(world_download(w), w->package, size);
        CHECK_INT(w->count[GET], (size + SEGMENT - 1) / SEGMENT);
        CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
        world_free(w);
    }
}

static void segment_sizes(void)
{
    for (uint8_t index = 3; index <= 5; index++) {
        struct world *w = world_new("spi4k", 1024);
        w->config.segment_index = index;
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_INT(w->count[GET], 1024u / (16u << index));
        CHECK_INT(w->requests[1].to, (16u << index) - 1);
        world_free(w);
    }
}

/* Exactly the limit fits; one byte more is refused before anything is erased. */
static void size_limit(void)
{
    for (uint32_t extra = 0; extra < 2; extra++) {
        struct world *w = world_new("spi64k", LIMIT_C + extra);
        w->config.segment_index = 5;
        uint64_t ops = nor_op_count(w->nor);
        if (extra == 0) {
            CHECK_INT(world_calls(w, "c"), 0);
        } else {
            CHECK_INT(world_calls(w, "cu"), E_CMIOT_PAKAGE_TOO_LARGE);
            CHECK_INT(w->results[0], E_CMIOT_PAKAGE_TOO_LARGE);
            CHECK_INT(nor_op_count(w->nor), ops);
            CHECK_INT(w->count[GET], 0);
            CHECK_INT(w->count[REPORT_DOWN], 1); /* by upgrade only */
            CHECK_HAS(w->requests[w->request_count - 1].text, "\"downloadStatus\":10,");
        }
        world_free(w);
    }
    struct world *w = direct_world(0xA0000 - 2 * 4096 + 1);
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    CHECK_INT(w->count[REPORT_DOWN], 1);
    CHECK_INT(w->count[GET], 0);
    w->package_bytes--;
    CHECK_INT(world_calls(w, "c"), 0);
    world_free(w);
}

static void whole_limit_is_stored(void)
{
    struct world *w = world_new("spi64k", LIMIT_C);
    w->config.segment_index = 5;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, LIMIT_C);
    world_free(w);
}

static void check_then_download(void)
{
    struct world *w = world_new("spi4k", 1000);
    CHECK_INT(world_calls(w, "oco"), 0);
    CHECK_INT(w->results[0], E_CMIOT_FAILURE); /* nothing checked yet */
    CHECK_INT(w->results[1], 0);
    CHECK_STR(w->versions[1], "1.1");
    CHECK_INT(w->count[CHECK_VERSION], 1);
    CHECK_MEM(world_download(w), w->package, 1000);
    world_forget(w);
    CHECK_INT(world_calls(w, "o"), E_CMIOT_FAILURE); /* not in this power-on */
    CHECK_INT(w->request_count, 0);
    CHECK_INT(world_calls(w, "c"), E_CMIOT_NEW_VERSION_EXIST);
    CHECK_INT(w->request_count, 1);
    CHECK_INT(world_calls(w, "co"), 0); /* complete: nothing is fetched */
    CHECK_INT(w->count[GET], 0);
    world_free(w);
}

static void pending_upgrade(void)
{
    struct world *w = world_new("spi4k", 1000);
    CHECK_INT(world_calls(w, "u"), 0);
    world_forget(w);
    CHECK_INT(world_calls(w, "ru"), 0);
    CHECK_INT(w->results[0], E_CMIOT_NO_UPGRADE);
    CHECK_INT(w->request_count, 1); /* checkVersion alone */
    /* Spoilt in flash: noticed, and fetched again. */
    const uint8_t zero = 0;
    uint32_t at = partition_find(&w->config.partitions, "download")->offset + 500;
    while (nor_peek(w->nor)[at] == 0)
        at++;
    REQUIRE(nor_load(w->nor, at, &zero, 1) == 0);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[GET], 8);
    CHECK_MEM(world_download(w), w->package, 1000);
    /* Another package: the pending flag goes. */
    w->delta_id = 78;
    w->package[0] ^= 1;
    CHECK_INT(world_calls(w, "c"), 0);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_NONE);
    CHECK_INT(world_record(w, NULL).delta_id, 78);
    world_free(w);
}

static const struct running {
    const char *name, *now, *offered;
    cmiot_int8 result;
} runnings[] = {
    {"higher", "1.0", "1.1", 0},
    {"by value, not by text", "1.9", "1.10", 0},
    {"lower by value", "1.10", "1.9", -4},
    {"the same", "1.0", "1.0", -4},
    {"lower with more fields", "2.0", "1.9.9", -4},
    {"one more field", "1.0", "1.0.1", 0},
    {"lower", "1.0", "0.9", -4},
    {"text", "1.0-a", "1.0-b", 0},
    {"leading zero", "010.0", "9.0", -4},
    {"not announced", "1.0", NULL, 0},
};

static const char *running_name(const void *row)
{
    return ((const struct running *)row)->name;
}

static void only_upwards(const void *row)
{
    const struct running *r = row;
    struct world *w = world_new("spi4k", 300);
    w->version = r->now;
    w->version_name = r->offered;
    CHECK_INT(world_calls(w, "u"), r->result);
    CHECK_INT(w->count[GET], r->result == 0 ? 3 : 0);
    world_free(w);
}

/* ---- reports that get lost ---- */

static void report_repeated(void)
{
    struct world *w = world_new("spi4k", 300);
    w->status[REPORT_DOWN] = 2201;
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    CHECK_INT(world_record(w, NULL).report_due, 1);
    w->status[REPORT_DOWN] = 1000;
    world_forget(w);
    CHECK_INT(world_calls(w, "uu"), 0);
    CHECK_INT(w->results[0], 0);
    CHECK_INT(w->count[REPORT_DOWN], 1); /* again, once */
    CHECK_INT(w->count[GET], 0);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    world_free(w);
}

/* Lost until after the restore: the two reports come in order. */
static void report_after_restore(void)
{
    struct world *w = world_new("spi4k", 300);
    w->bend = bend_silence;
    w->stage = REPORT_DOWN;
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    w->bend = NULL;
    world_set_result(w, UPDATE_OK);
    world_forget(w);
    CHECK_INT(world_calls(w, "r"), 0);
    CHECK_INT(w->request_count, 2);
    CHECK_INT(w->requests[0].kind, REPORT_DOWN);
    CHECK_INT(w->requests[1].kind, REPORT_UP);
    world_free(w);
}

/* A result that could not be delivered is not overwritten by a newer package. */
static void result_before_package(void)
{
    struct world *w = world_new("spi4k", 300);
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_FAIL);
    w->delta_id = 78;
    world_forget(w);
    w->bend = bend_silence;
    w->stage = REPORT_UP;
    CHECK_INT(world_calls(w, "ru"), -1);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_FAIL);
    CHECK_INT(w->count[GET], 0);
    w->bend = NULL;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[REPORT_UP], 3);
    CHECK_INT(w->count[GET], 3);
    CHECK_INT(world_record(w, NULL).delta_id, 78);
    world_free(w);
}

/* Nor is one that the server would have taken another time. */
static void result_postponed(const void *row)
{
    const int *code = row;
    struct world *w = world_new("spi4k", 300);
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    w->delta_id = 78;
    world_forget(w);
    w->status[REPORT_UP] = *code;
    CHECK_INT(world_calls(w, "ru"), -1);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_OK);
    CHECK_INT(w->count[GET], 0);
    w->status[REPORT_UP] = 2301; /* never: the device is free for the next package */
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(world_record(w, NULL).delta_id, 78);
    world_free(w);
}
static const int postponing[] = {1005, 1010, 1015, 2001, 2103};

/* What a refused report made the device forget stays forgotten. */
static void refusal_forgets_identity(void)
{
    struct world *w = direct_world(300);
    w->status[REPORT_DOWN] = 2201;
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    w->status[REPORT_DOWN] = 2103;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_STR(world_record(w, NULL).device_id, "");
    CHECK_INT(world_record(w, NULL).report_due, 1);
    w->status[REPORT_DOWN] = 1000;
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[REGISTER], 1);
    CHECK_INT(w->count[REPORT_DOWN], 1);
    CHECK_STR(world_record(w, NULL).device_id, "dev-42");
    CHECK_INT(world_record(w, NULL).report_due, 0);
    world_free(w);
}

/* Restored, but the boot loader could not write its result: the agent's writes keep its steps. */
static void restore_steps_stay(void)
{
    struct world *w = world_new("spi4k", 300);
    struct state s;
    struct err err;
    struct state_layout layout;
    const struct state_io io = {w, world_peek, world_program, world_erase};
    uint32_t mark = 0;
    w->status[REPORT_DOWN] = 2201;
    CHECK_INT(world_calls(w, "u"), E_CMIOT_FAILURE);
    device_state_layout(&w->config, &layout);
    REQUIRE_OK(state_open(&s, &io, &layout, &err), &err);
    for (uint32_t i = 1; i <= 3; i++)
        REQUIRE_OK(state_mark(&s, i, i, &err), &err);
    w->status[REPORT_DOWN] = 1000;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(world_record(w, &mark).report_due, 0);
    CHECK_INT(world_record(w, &mark).update_result, UPDATE_PENDING);
    CHECK_INT(mark, 3);
    world_free(w);
}

/* The server goes on offering what the boot loader refused: not fetched again in this power-on. */
static void refused_package(void)
{
    struct world *w = world_new("spi4k", 300);
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_FAIL);
    world_forget(w);
    CHECK_INT(world_calls(w, "ruc"), -1);
    CHECK_INT(w->results[0], 0);
    CHECK_INT(w->results[1], -1);
    CHECK_INT(w->count[GET], 0);
    CHECK(w->device.back_off);
    CHECK_INT(world_calls(w, "u"), 0); /* next power-on: once more */
    CHECK_INT(w->count[GET], 3);
    world_set_result(w, UPDATE_AUTH_FAIL);
    w->delta_id++;
    CHECK_INT(world_calls(w, "ru"), 0); /* another one is welcome at once */
    world_free(w);
}

/* ---- other ---- */

static int did_of_size(struct world *w, size_t room, size_t *len, uint8_t *buf)
{
    (void)w;
    return cms_id_set_did(buf, room, len);
}

static void hooks_main(void *arg)
{
    struct world *w = arg;
    struct device software;
    uint8_t buf[40];
    size_t len = 99;
    agent_start(w->net.b, &software, &w->config, w->version);
    memset(buf, '#', sizeof(buf));
    CHECK_INT(did_of_size(w, 15, &len, buf), 0);
    CHECK_INT(len, 15);
    CHECK_MEM(buf, DID "#", 16);
    memset(buf, '#', sizeof(buf));
    CHECK_INT(did_of_size(w, 14, &len, buf), -1);
    CHECK_MEM(buf, "##", 2);
    CHECK_INT(cms_id_set_did(NULL, 31, &len), -1);
    CHECK_INT(cms_id_set_did(buf, 31, NULL), -1);
    CHECK_STR(cmiot_download_name(), "download");
    CHECK_STR(cmiot_get_network_type(), "4G");
    CHECK_INT(cmiot_get_try_time(), 200);
    CHECK_INT(cmiot_get_try_count(), 6);
    CHECK_INT(cmiot_get_utc_time(), 133);
    CHECK_INT(cmiot_init(), 0);
    cmiot_printf((cmiot_char[]){"abcdef"}, 3);
    cmiot_printf(NULL, 3);
    int64_t start_ns = w->net.b->ops->now_ns(w->net.b);
    cmiot_msleep(77);
    CHECK_INT(w->net.b->ops->now_ns(w->net.b) - start_ns, 77 * NS_PER_MS);
    CHECK_INT(cmiot_check_version(NULL), 0);
    w->net.b->ops->idle(w->net.b);
}

static void hooks(void)
{
    struct world *w = world_new("spi4k", 300);
    CHECK_INT(world_run(w, hooks_main, w), SIM_IDLE);
    CHECK_HAS(w->events, "log abc\n");
    world_free(w);
}

static void no_device_id(void)
{
    struct world *w = world_new("spi4k", 300);
    w->config.did[0] = '\0';
    CHECK_INT(world_calls(w, "uc"), -1);
    CHECK_INT(w->results[0], -1);
    CHECK_INT(w->request_count, 0);
    world_free(w);
}

/* The n-th allocation fails, for every n: an error code, nothing leaks, and the next call works. */
static void every_allocation_fails(void)
{
    bool reached_end = false;
    for (uint64_t n = 1; n < 100 && !reached_end; n++) {
        struct world *w = direct_world(300);
        w->net.b->heap.fail_at = n;
        cmiot_int8 rc = world_calls(w, "u");
        CHECK(rc == 0 || rc == E_CMIOT_NOMEMORY || rc == E_CMIOT_FAILURE);
        if (n <= 4)
            CHECK_INT(rc, E_CMIOT_NOMEMORY);
        reached_end = rc == 0;
        w->net.b->heap.fail_at = 0;
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_MEM(world_download(w), w->package, 300);
        world_free(w);
    }
    CHECK(reached_end);
}

static void memory_is_bounded(void)
{
    struct world *w = world_new("spi4k", 20000);
    w->config.segment_index = 5;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK(w->peak_bytes < 8192);
    world_free(w);
}

/* Ticks wrap during the download. */
static void tick_wrap(void)
{
    struct world *w = world_new("spi4k", 3000);
    w->net.now_ns = (0xFFFFFFFFLL - 300) * NS_PER_MS;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, 3000);
    world_free(w);
}

static void hundred_cycles(void)
{
    struct world *w = world_new("spi4k", 300);
    for (uint32_t i = 0; i < 100; i++) {
        char version[16];
        (void)snprintf(version, sizeof(version), "1.%u", (unsigned)i + 1);
        w->delta_id = 100 + i;
        w->version_name = version;
        CHECK_INT(world_calls(w, "ru"), 0);
        world_set_result(w, UPDATE_OK);
        world_forget(w);
    }
    world_free(w);
}

static void vendor_personality(void)
{
    struct world *w = direct_world(1000);
    w->config.personality = STATE_VENDOR;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, 1000);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    CHECK_INT(world_calls(w, "c"), E_CMIOT_NEW_VERSION_EXIST);
    world_set_result(w, UPDATE_OK);
    CHECK_INT(world_calls(w, "rr"), E_CMIOT_NO_UPGRADE);
    CHECK_INT(w->results[0], 0);
    world_free(w);
}

static const struct test tests[] = {
    {"package sizes around segments and blocks", sizes_around_segments},
    {"segment sizes", segment_sizes},
    {"size limit is exact", size_limit},
    {"the largest package is stored whole", whole_limit_is_stored},
    {"check, then download", check_then_download},
    {"a pending package", pending_upgrade},
    TEST_ROWS("only upwards", only_upwards, runnings, running_name),
    {"a refused download report is repeated", report_repeated},
    {"a lost download report comes before the result", report_after_restore},
    {"a result is delivered before the next package", result_before_package},
    TEST_ROWS("a result the server puts off stays owed", result_postponed, postponing, NULL),
    {"a refused report forgets the identity", refusal_forgets_identity},
    {"the agent keeps restore steps", restore_steps_stay},
    {"a refused package is not fetched in circles", refused_package},
    {"hooks", hooks},
    {"no device id, no traffic", no_device_id},
    {"every allocation fails once", every_allocation_fails},
    {"memory is bounded", memory_is_bounded},
    {"tick wrap during a download", tick_wrap},
    {"a hundred updates in a row", hundred_cycles},
    {"the vendor's record", vendor_personality},
};
TEST_MAIN("cmiot agent", tests)
