/*
 * Closure of whole updates of small devices with two slots on the Aliyun cloud: what is right
 * closes, what is broken is found and repeated, merging what is erased unseen changes nothing, and
 * all agrees with every sequence of two cuts run one by one.
 */
#include "scenarios/engine/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/whole_testing.h"

#define NOTHING   (1u << TEAR_NOTHING)
#define SCRAMBLED (1u << TEAR_SCRAMBLED)
#define HALF      (1u << TEAR_HALF_ERASED)
#define DONE      (1u << TEAR_DONE)

struct bench {
    struct scenario *s;
    struct run_options run;
    struct whole_result r;
    uint32_t begun_again;
    char cache[TEST_PATH_MAX];
};

/* An image of so many bytes in a slot of its erase units, and members of device and document. Where
 * the device has files, a small second one in a unit of its own. */
static void set_up(struct bench *b, const char *agent, uint32_t image_bytes, const char *device,
                   const char *rest)
{
    char text[2048];
    struct err err = {.text = ""};
    const bool files = strstr(device, "\"files\"") != NULL;
    uint32_t slot = (image_bytes + 0xfff) / 0x1000 * 0x1000 + (files ? 0x1000 : 0);
    memset(b, 0, sizeof *b);
    (void)snprintf(
        text, sizeof text,
        "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"agent\": \"%s\", \"rounds\": 2, "
        "\"app_bytes\": %u, \"user_bytes\": 4096, \"chip_bytes\": %u%s}, \"versions\": "
        "[{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": %u}}%s]}, "
        "{\"version\": \"1.1\"}]%s}",
        agent, slot, 2 * slot + 0xe000, device, image_bytes,
        files ? ", {\"generate\": {\"bytes\": 300}}" : "", rest);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    REQUIRE(b->s != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
}

static void tear_down(struct bench *b)
{
    free(b->s);
}

static void close_it(struct bench *b, const struct whole_options *options)
{
    struct err err = {.text = ""};
    struct whole_options o = *options;
    struct whole *w = whole_new(b->s, &o, &b->run, &err);
    REQUIRE(w != NULL);
    whole_run_all(w, 0);
    if (whole_again(w)) {
        b->begun_again++;
        whole_free(w);
        o.keep_dead = true;
        w = whole_new(b->s, &o, &b->run, &err);
        REQUIRE(w != NULL);
        whole_run_all(w, 0);
        CHECK(!whole_again(w));
    }
    REQUIRE_OK(whole_conclude(w, &b->r, &err), &err);
    whole_free(w);
}

/* ---- what is right closes ---- */

#define TWO_FILES                                                                                  \
    ", \"files\": [{\"name\": \"app.bin\", \"area_bytes\": 4096}, {\"name\": \"ui.bin\"}]"

#define CONFIG(nth)                                                                                \
    ", \"cloud\": {\"pushes\": [{\"when\": {\"event\": \"cloud/message\", \"where\": "             \
    "{\"rq\": \"inform\"}, \"nth\": " nth "}, \"do\": \"config\"}]}"

struct closed_row {
    const char *name, *agent, *device, *rest;
    uint32_t tears;
};
static const struct closed_row closed_rows[] = {
    {"Link SDK 3.x", "iot-ota", "", "", NOTHING},
    {"Link SDK 4.x", "aiot", "", "", NOTHING | SCRAMBLED},
    {"uOTA", "uota", "", "", NOTHING},
    {"file over MQTT", "aiot", "", ", \"offers\": [{\"transport\": \"mqtt\"}]", NOTHING},
    {"two files", "aiot", TWO_FILES, "", NOTHING},
    {"a configuration", "iot-ota", "", CONFIG("2"), NOTHING},
    {"a configuration, clean sessions", "aiot", "", CONFIG("1"), NOTHING},
    {"a server error at the first request", "aiot", "",
     ", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"status\", \"code\": 503}]}",
     NOTHING},
};

static const char *closed_name(const void *row)
{
    return ((const struct closed_row *)row)->name;
}

static void closes(const void *row)
{
    const struct closed_row *c = row;
    struct bench b;
    struct buf text;
    buf_init(&text, 1u << 16);
    set_up(&b, c->agent, 700, c->device, c->rest);
    close_it(&b, &(struct whole_options){.tears = c->tears, .max_states = 100000});
    CHECK_INT(b.r.failing, 0);
    CHECK(b.r.closed);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "pass");
    CHECK_STR(b.r.new_version, "1.1");
    CHECK(b.r.states > 30 && b.r.ends_new > 0 && b.r.ends_other == 0);
    CHECK(b.r.ends_old > 0); /* enough cuts use a trial up */
    CHECK(b.r.work_ops > 0 && b.r.work_ns > 0 && b.r.work_boots > 1);
    CHECK_INT(b.begun_again, 0);
    CHECK_INT(whole_describe(&b.r, "tiny", &text), 0);
    CHECK_HAS((const char *)text.data, "signed URLs");
    buf_free(&text);
    tear_down(&b);
}

/* The damage is to keep the device on 1.0. After a cut it meets another try, and 1.1 comes: nothing
 * is wrong with that. */
static void a_fault_may_fall_into_another_try(void)
{
    struct bench b;
    set_up(&b, "aiot", 700, TWO_FILES,
           ", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"corrupt\", \"from\": 2, "
           "\"bytes\": 9}]}, \"expect\": {\"version\": \"1.0\"}");
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 3000, .max_cuts = 2});
    CHECK_INT(b.r.failing, 0);
    CHECK_STR(b.r.new_version, "1.0");
    CHECK(b.r.ends_new > 0 && b.r.ends_old > 0);
    tear_down(&b);
}

/* ---- what is broken is found ---- */

struct broken_row {
    const char *name, *agent;
    uint32_t image_bytes;
    const char *device, *id;
    uint32_t cuts; /* of the shortest way there */
};
static const struct broken_row broken_rows[] = {
    {"chosen before it is verified", "iot-ota", 700, ", \"quirks\": [\"boot-before-verify\"]",
     "BOT-08", 0},
    {"the boot record in one copy", "aiot", 700, ", \"breaks\": [\"slots-single-copy\"]", "BOT-09",
     1},
    {"the keys in one copy", "uota", 24000, ", \"breaks\": [\"kv-single-copy\"]", "PWR-05", 1},
    {"no resume", "uota", 24000, ", \"quirks\": [\"no-resume\"]", "PWR-05", 1},
};

static const char *broken_name(const void *row)
{
    return ((const struct broken_row *)row)->name;
}

static void is_found(const void *row)
{
    const struct broken_row *c = row;
    struct bench b;
    set_up(&b, c->agent, c->image_bytes, c->device, "");
    memcpy(b.s->expect.fails[0], c->id, strlen(c->id) + 1);
    b.s->expect.n_fails = 1;
    close_it(&b, &(struct whole_options){.tears = NOTHING | HALF, .max_states = 20000});
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "expected-fail");
    b.s->expect.n_fails = 0; /* or it would be an expected failure */
    (void)check_found(b.s, &b.run, &b.r, c->id, c->cuts);
    tear_down(&b);
}

/* ---- a reset without end is a counter-example, and without a cut ---- */

static void resets_without_end_are_told(void)
{
    struct bench b;
    set_up(&b, "aiot", 700,
           ", \"fates\": [{\"fate\": \"crashes\"}], \"breaks\": [\"slots-no-count\"]", "");
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 20000});
    CHECK(!b.r.closed);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "fail");
    CHECK_INT(b.r.failures[0].n_cuts, 0);
    CHECK(b.r.failures[0].confirmed && repeats(b.s, &b.run, &b.r.failures[0], "PWR-15"));
    tear_down(&b);
}

/* ---- what is merged would have behaved the same ---- */

static void merging_changes_nothing(void)
{
    struct bench b;
    struct whole_options o = {.tears = NOTHING, .max_states = 100000};
    set_up(&b, "aiot", 5000, "", "");
    close_it(&b, &o);
    struct whole_result with = b.r;
    o.keep_dead = true;
    close_it(&b, &o);
    CHECK(with.closed && b.r.closed);
    CHECK(with.merged > 0);
    CHECK_INT(b.r.merged, 0);
    CHECK(with.states < b.r.states);
    CHECK_INT(with.cloud_states, b.r.cloud_states);
    CHECK_INT(with.judge_states, b.r.judge_states);
    CHECK_INT(with.boots_needed, b.r.boots_needed);
    CHECK_INT(with.work_ops, b.r.work_ops);
    CHECK_INT(with.work_ns, b.r.work_ns);
    CHECK_STR(with.new_version, b.r.new_version);
    tear_down(&b);
}

/* ---- against every sequence of two cuts ---- */

struct naive_row {
    const char *name, *agent, *device;
};
static const struct naive_row naive_rows[] = {
    {"as it should be, SDK 3.x", "iot-ota", ""},
    {"as it should be, uOTA", "uota", ""},
    {"the boot record in one copy", "aiot", ", \"breaks\": [\"slots-single-copy\"]"},
    {"two files", "aiot", TWO_FILES},
};

static const char *naive_name(const void *row)
{
    return ((const struct naive_row *)row)->name;
}

static void agrees_with_a_naive_search(const void *row)
{
    const struct naive_row *c = row;
    struct bench b;
    bool is_old = false, is_new = false;
    set_up(&b, c->agent, 700, c->device, "");
    uint32_t least = naive_two_cuts(b.s, &b.run, "half-erased", &is_old, &is_new);
    close_it(&b, &(struct whole_options){.tears = HALF, .max_states = 100000, .max_cuts = 2});
    bool found = b.r.n_failures > 0 && b.r.failures[0].confirmed;
    CHECK(found == (least > 0));
    if (found)
        CHECK(b.r.failures[0].n_cuts <= least);
    else {
        CHECK(is_new && b.r.ends_new > 0);
        CHECK(!is_old || b.r.ends_old > 0);
    }
    tear_down(&b);
}

/* ---- what is refused ---- */

struct refused_row {
    const char *name, *rest, *why;
};
static const struct refused_row refused_rows[] = {
    {"messages at a time",
     ", \"cloud\": {\"pushes\": [{\"when\": {\"at_ms\": 7}, \"do\": \"repeat\"}]}",
     "at a certain time"},
    {"an offer that waits for an event", ", \"offers\": [{}, {\"on_event\": \"segment\"}]",
     "waits for an event"},
    {"messages held back",
     ", \"cloud\": {\"faults\": [{\"on\": \"push\", \"do\": \"delay\", \"for_ms\": 5}]}",
     "held back"},
    {"a device that the cloud does not know", ", \"cloud\": {\"registered\": false}", "login"},
    {"network rules",
     ", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 5}, \"do\": \"outage\", \"for_ms\": 9}]}",
     "network rule"},
};

static const char *refused_name(const void *row)
{
    return ((const struct refused_row *)row)->name;
}

static void is_refused(const void *row)
{
    const struct refused_row *c = row;
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, "aiot", 700, "", c->rest);
    const char *why = whole_refuses(b.s);
    CHECK(why != NULL);
    CHECK_HAS(why == NULL ? "" : why, c->why);
    CHECK(whole_new(b.s, &(struct whole_options){.max_states = 9}, &b.run, &err) == NULL);
    CHECK_HAS(err.text, c->why);
    tear_down(&b);
}

static const struct test tests[] = {
    TEST_ROWS("closes", closes, closed_rows, closed_name),
    {"a fault may fall into another try", a_fault_may_fall_into_another_try},
    TEST_ROWS("broken", is_found, broken_rows, broken_name),
    {"resets without end are told", resets_without_end_are_told},
    {"merging changes nothing", merging_changes_nothing},
    TEST_ROWS("agrees with a naive search", agrees_with_a_naive_search, naive_rows, naive_name),
    TEST_ROWS("refused", is_refused, refused_rows, refused_name),
};

TEST_MAIN("engine whole slots", tests)
