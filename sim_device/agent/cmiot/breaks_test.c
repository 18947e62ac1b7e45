/* The deliberately broken behaviours of struct device_breaks do what their names say. */
#include "sim_device/agent/cmiot/cmiot_testing.h"

#define SEGMENT 128u
#define SIZE    1000u /* eight segments, the last of 104 bytes */
#define COUNT   8u

static void broken_digest(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.skip_digest = true;
    w->bend = bend_flip;
    w->stage = 2;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK(memcmp(world_download(w), w->package, SIZE) != 0);
    world_free(w);
}

static void broken_resume(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.resume_too_far = true;
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    w->bend = NULL;
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->requests[1].from, 5 * SEGMENT);
    world_free(w);
}

static void broken_journal(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.no_journal = true;
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    w->bend = NULL;
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, 0);
    world_free(w);
}

static void broken_order(void)
{
    bool lost = false;
    for (uint64_t op = 2; op < 20; op++) {
        struct world *w = world_new("spi4k", SIZE);
        w->config.breaks.mark_before_write = true;
        w->calls = "u";
        nor_arm_cut(w->nor, op, TEAR_NOTHING, 0);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        lost = lost || world_calls(w, "u") != 0;
        world_free(w);
    }
    CHECK(lost);
}

static enum act bend_shifted(struct world *w, const struct request *r, struct buf *reply)
{
    char head[160];
    if (r->kind != GET)
        return ACT_REPLY;
    (void)snprintf(head, sizeof(head), "206 Partial Content\r\nContent-Range: bytes %u-%u/%u",
                   r->from + 1, r->to + 1, SIZE);
    test_http(reply, head, w->package + r->from + 1, r->to - r->from + 1);
    return ACT_REPLY;
}

static void broken_range(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.ignore_range = true;
    w->bend = bend_shifted;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK(memcmp(world_download(w), w->package + 1, SEGMENT) == 0);
    world_free(w);
}

static enum act bend_fifty_noises(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    if (r->nth <= 50) {
        buf_clear(reply);
        REQUIRE(buf_text(reply, "noise\r\n\r\n") == 0);
    }
    return ACT_REPLY;
}

static void broken_patience(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.endless_retry = true;
    w->bend = bend_fifty_noises;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[CHECK_VERSION], 51);
    CHECK_INT(w->count[GET], 50 + COUNT);
    world_free(w);
}

static void broken_early_report(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.report_before_verify = true;
    w->bend = bend_flip;
    w->stage = 2;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[REPORT_DOWN], 2);
    CHECK_HAS(w->requests[w->request_count - 2].text, "\"downloadStatus\":1,");
    world_free(w);
}

static enum act bend_lost_report(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)reply;
    return r->kind == REPORT_UP ? ACT_SILENT : ACT_REPLY;
}

static void broken_memory_of_report(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.forget_report = true;
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    w->bend = bend_lost_report;
    CHECK_INT(world_calls(w, "r"), -1);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_NONE);
    world_free(w);
}

static void broken_status(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.accept_any_status = true;
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    w->status[REPORT_UP] = 2301;
    CHECK_INT(world_calls(w, "r"), 0);
    world_free(w);
}

static void broken_size_limit(void)
{
    struct world *w = world_new("spi64k", 524288 + 1);
    w->config.breaks.no_size_limit = true;
    CHECK_INT(world_calls(w, "c"), 0);
    world_free(w);
}

static void broken_exact_fit(void)
{
    struct world *w = world_new("spi64k", 524288);
    w->config.breaks.no_exact_fit = true;
    CHECK_INT(world_calls(w, "c"), E_CMIOT_PAKAGE_TOO_LARGE);
    world_free(w);
}

static const struct test tests[] = {
    {"digest", broken_digest},
    {"resume", broken_resume},
    {"journal", broken_journal},
    {"order of mark and data", broken_order},
    {"range", broken_range},
    {"patience", broken_patience},
    {"early report", broken_early_report},
    {"memory of the report", broken_memory_of_report},
    {"status", broken_status},
    {"size limit", broken_size_limit},
    {"exact fit", broken_exact_fit},
};
TEST_MAIN("broken agents", tests)
