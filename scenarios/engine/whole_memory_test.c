/*
 * What cloud, broker and judge remember, taken at every moment of an update: put into another world
 * it gives the same bytes again; cut off, longer or of something else it is refused.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

struct bench {
    struct scenario *s;
    struct run_options run;
    struct world *world, *other;
    struct sim_run r, q; /* q: another world that takes the memories in */
    struct judge *scratch;
    struct buf first, second;
    uint32_t moments, kept; /* with a message that waits in the broker */
    char cache[TEST_PATH_MAX];
};

static void world_up(struct bench *b, struct sim_run *r, struct world *w)
{
    struct err err = {.text = ""};
    *r = (struct sim_run){.g = {.s = b->s, .o = &b->run, .store = w->store, .build = &w->build},
                          .power_on_ns = VTIME_NEVER};
    REQUIRE_OK(sim_build_for(w, b->s, &b->run, &err), &err);
    REQUIRE_OK(sim_set_up(r, w->stacks, &err), &err);
    REQUIRE_OK(whole_start_script(&r->g, &err), &err);
}

static void set_up(struct bench *b, const char *device, const char *rest)
{
    char text[1024];
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    (void)snprintf(
        text, sizeof text,
        "{\"otabench\": 1, \"text\": \"t\", \"device\": {%s}, \"versions\": [{\"version\": "
        "\"1.0\", \"images\": [{\"generate\": {\"bytes\": 9000}}]}, {\"version\": \"1.1\"}]%s}",
        device, rest);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    REQUIRE(b->s != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
    b->world = world_new(&err);
    b->other = world_new(&err);
    REQUIRE(b->world != NULL && b->other != NULL);
    world_up(b, &b->r, b->world);
    world_up(b, &b->q, b->other);
    struct judge_setup none = {.scenario = b->s};
    b->scratch = judge_new(&none);
    REQUIRE(b->scratch != NULL);
    buf_init(&b->first, 1u << 16);
    buf_init(&b->second, 1u << 16);
}

static void tear_down(struct bench *b)
{
    sim_take_down(&b->r);
    sim_take_down(&b->q);
    world_free(b->world);
    world_free(b->other);
    judge_free(b->scratch);
    buf_free(&b->first);
    buf_free(&b->second);
    free(b->s);
}

/* ---- round trips ---- */

static void remember(struct stage *g, struct buf *out)
{
    struct err err = {.text = ""};
    buf_clear(out);
    REQUIRE_OK(whole_remember(g, WHOLE_AS_IT_IS, NULL, out, &err), &err);
}

static void cloud_trip(struct bench *b)
{
    struct err err = {.text = ""};
    remember(&b->r.g, &b->first);
    REQUIRE_OK(whole_recall(&b->q.g, b->first.data, b->first.len_bytes, true, &err), &err);
    remember(&b->q.g, &b->second);
    CHECK_INT(b->second.len_bytes, b->first.len_bytes);
    CHECK_MEM(b->second.data, b->first.data, b->first.len_bytes);
}

static void judge_trip(struct bench *b)
{
    struct judge_memory m, read, again;
    struct err err = {.text = ""};
    judge_remember_cut(b->r.g.judge, b->r.g.now_ns, b->scratch, &m);
    REQUIRE_OK(judge_memory_read(b->q.g.judge, &m, sizeof m, &read, &err), &err);
    judge_recall(b->q.g.judge, &read, 0);
    judge_remember(b->q.g.judge, 0, &again);
    CHECK_MEM(&again, &m, sizeof m);
    CHECK(judge_as_strict(&again.severity, &m.severity));
}

/* Within an event: neither may notice. */
static void on_event(void *ctx, enum lane lane, const char *event)
{
    struct bench *b = ctx;
    if (!sim_is_reply(lane, event) && !(lane == LANE_BOOT && strcmp(event, "run") == 0))
        return;
    b->moments++;
    cloud_trip(b);
    judge_trip(b);
    b->kept += b->first.data != NULL &&
               memmem(b->first.data, b->first.len_bytes, "/ota/device/upgrade/", 20) != NULL;
}

static void run_it(struct bench *b)
{
    b->r.g.watch = on_event;
    b->r.g.watch_ctx = b;
    sim_power_on(&b->r);
    CHECK(sim_run_phase(&b->r, b->s->limit_ns, true));
    CHECK_STR(stage_version(&b->r.g), "1.1");
}

struct device_row {
    const char *name, *device, *rest;
};
static const struct device_row device_rows[] = {
    {"CMS", "\"check_interval_ms\": 100", ""},
    {"Link SDK 3.x", "\"agent\": \"iot-ota\", \"check_interval_ms\": 3000", ""},
    {"Link SDK 4.x", "\"agent\": \"aiot\", \"check_interval_ms\": 3000", ""},
    {"uOTA", "\"agent\": \"uota\"", ""},
    {"file over MQTT", "\"agent\": \"aiot\", \"check_interval_ms\": 3000",
     ", \"offers\": [{\"transport\": \"mqtt\"}]"},
    {"a configuration that waits", "\"agent\": \"iot-ota\", \"check_interval_ms\": 3000",
     ", \"cloud\": {\"pushes\": [{\"when\": {\"event\": \"device/segment\"}, \"do\": "
     "\"config\"}]}"},
    {"CMS, an offer that waits for an event", "\"check_interval_ms\": 100",
     ", \"offers\": [{\"kind\": \"full\"}, {\"kind\": \"full\", \"on_event\": \"segment\"}]"},
    {"a fault in the first download", "\"agent\": \"aiot\", \"check_interval_ms\": 3000",
     ", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"status\", \"code\": 503}]}"},
};

static const char *device_name(const void *row)
{
    return ((const struct device_row *)row)->name;
}

static void round_trips(const void *row)
{
    const struct device_row *c = row;
    struct bench b;
    set_up(&b, c->device, c->rest);
    run_it(&b);
    CHECK(b.moments > 5);
    if (strstr(c->device, "iot-ota") != NULL)
        CHECK(b.kept > 0); /* its session outlives the connection */
    tear_down(&b);
}

/* ---- what is refused ---- */

/* Memory in the midst of an update: a message waits. */
static void half_way(struct bench *b)
{
    set_up(b, device_rows[1].device, "");
    b->r.g.watch = on_event;
    b->r.g.watch_ctx = b;
    sim_power_on(&b->r);
    while (b->kept == 0 && b->r.g.now_ns < b->s->limit_ns)
        (void)sim_run_phase(&b->r, b->r.g.now_ns + NS_PER_S, true);
    REQUIRE(b->kept > 0);
}

static void foreign_clouds_are_refused(void)
{
    struct bench b;
    half_way(&b);
    struct err err = {.text = ""};
    remember(&b.r.g, &b.first);
    for (size_t n = 0; n < b.first.len_bytes; n++) {
        CHECK_INT(whole_recall(&b.q.g, b.first.data, n, true, &err), ERR_FORMAT);
        CHECK(err.text[0] != '\0');
    }
    REQUIRE_OK(buf_append(&b.first, "", 1), &err);
    CHECK_INT(whole_recall(&b.q.g, b.first.data, b.first.len_bytes, true, &err), ERR_FORMAT);
    uint8_t junk[200];
    memset(junk, 0xa5, sizeof junk);
    CHECK_INT(cloud_recall(b.q.g.cloud, junk, sizeof junk, 0, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "no memory of a cloud");
    CHECK_INT(bus_recall(b.q.g.bus, 0, junk, sizeof junk, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "no memory of a bus");
    tear_down(&b);
}

/* Each byte spoilt in turn: refused, or another memory that comes back as itself. */
static void spoilt_clouds_do_no_harm(void)
{
    struct bench b;
    half_way(&b);
    struct buf spoilt, third;
    struct err err = {.text = ""};
    buf_init(&spoilt, 1u << 16);
    buf_init(&third, 1u << 16);
    remember(&b.r.g, &b.first);
    uint32_t taken = 0;
    for (size_t i = 0; i < b.first.len_bytes; i++) {
        buf_clear(&spoilt);
        REQUIRE_OK(buf_append(&spoilt, b.first.data, b.first.len_bytes), &err);
        spoilt.data[i] ^= 0x11;
        if (whole_recall(&b.q.g, spoilt.data, spoilt.len_bytes, true, &err) != 0)
            continue;
        taken++;
        remember(&b.q.g, &b.second);
        REQUIRE_OK(whole_recall(&b.q.g, b.second.data, b.second.len_bytes, true, &err), &err);
        remember(&b.q.g, &third);
        CHECK_INT(third.len_bytes, b.second.len_bytes);
        CHECK_MEM(third.data, b.second.data, third.len_bytes);
    }
    CHECK(taken > 0 && taken < b.first.len_bytes);
    buf_free(&spoilt);
    buf_free(&third);
    tear_down(&b);
}

struct wrong_row {
    const char *name;
    size_t at; /* of a byte of the memory */
    const char *what;
};
#define AT(member) offsetof(struct judge_memory, member)
static const struct wrong_row wrong_rows[] = {
    {"phase", AT(phase), "phase"},
    {"fault", AT(offer_fault), "fault"},
    {"package", AT(package), "package"},
    {"cuts", AT(cuts), "flag"},
    {"flag", AT(flags), "flag"},
    {"installed versions", AT(restored_count), "installed versions"},
    {"padding", AT(zero0), "padding"},
    {"flag of the slots", AT(slots.flags), "flag of the slots"},
    {"slot", AT(slots.chosen_slot), "slot"},
    {"codes", AT(slots.n_arrived), "codes"},
};

static const char *wrong_name(const void *row)
{
    return ((const struct wrong_row *)row)->name;
}

static void wrong_judges_are_refused(const void *row)
{
    const struct wrong_row *c = row;
    struct bench b;
    struct judge_memory m, out;
    struct err err = {.text = ""};
    uint8_t bytes[sizeof m + 1] = {0};
    set_up(&b, device_rows[2].device, "");
    judge_remember(b.r.g.judge, 0, &m);
    memcpy(bytes, &m, sizeof m);
    CHECK_INT(judge_memory_read(b.q.g.judge, bytes, sizeof m - 1, &out, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "bytes");
    CHECK_INT(judge_memory_read(b.q.g.judge, bytes, sizeof m + 1, &out, &err), ERR_FORMAT);
    bytes[c->at] = 0xff;
    CHECK_INT(judge_memory_read(b.q.g.judge, bytes, sizeof m, &out, &err), ERR_FORMAT);
    CHECK_HAS(err.text, c->what);
    memcpy(bytes, &m, sizeof m);
    memset(bytes + AT(slots.newest), 'x', DEVICE_TEXT_MAX);
    CHECK_INT(judge_memory_read(b.q.g.judge, bytes, sizeof m, &out, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "text");
    tear_down(&b);
}

static const struct test tests[] = {
    TEST_ROWS("round trips", round_trips, device_rows, device_name),
    {"foreign clouds are refused", foreign_clouds_are_refused},
    {"spoilt clouds do no harm", spoilt_clouds_do_no_harm},
    TEST_ROWS("wrong judges are refused", wrong_judges_are_refused, wrong_rows, wrong_name),
};

TEST_MAIN("engine whole memory", tests)
