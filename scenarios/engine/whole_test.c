/*
 * Closure of whole updates on small devices: what is right closes, what is broken is found and
 * repeated, and both agree with every sequence of two cuts run one by one.
 */
#include "scenarios/engine/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/whole_testing.h"

#define NOTHING   (1u << TEAR_NOTHING)
#define SCRAMBLED (1u << TEAR_SCRAMBLED)
#define DONE      (1u << TEAR_DONE)
#define PLAIN     (NOTHING | 1u << TEAR_PREFIX)

struct bench {
    struct scenario *s;
    struct run_options run;
    struct whole_result r;
    char cache[TEST_PATH_MAX];
    struct contents contents; /* what states stand for, if they are wanted */
    bool wants_contents;
};

/* Members of the device besides the usual, and of the document. */
static void set_up(struct bench *b, const char *device, const char *rest)
{
    char text[2048];
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": 1, "
                   "\"check_interval_ms\": 100%s}, \"versions\": [{\"version\": \"1.0\", "
                   "\"images\": [{\"generate\": {\"bytes\": 700}}]}, {\"version\": \"1.1\"}]%s}",
                   device, rest);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    REQUIRE(b->s != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
}

static void close_it(struct bench *b, const struct whole_options *o, uint32_t every)
{
    struct err err = {.text = ""};
    struct whole *w = whole_new(b->s, o, &b->run, &err);
    REQUIRE_OK(w == NULL ? ERR_ARG : 0, &err);
    whole_run_all(w, every);
    REQUIRE_OK(whole_conclude(w, &b->r, &err), &err);
    if (b->wants_contents)
        contents_take(&b->contents, w);
    whole_free(w);
}

static void tear_down(struct bench *b)
{
    free(b->contents.item);
    free(b->s);
}

/* ---- what is right closes ---- */

/* The same release once more, when the first segment is stored. */
#define ANEW                                                                                       \
    ", \"offers\": [{\"from\": \"1.0\", \"to\": \"1.1\", \"kind\": \"full\"}, {\"from\": "         \
    "\"1.0\", \"to\": "                                                                            \
    "\"1.1\", \"kind\": \"full\", \"on_event\": \"segment\"}]"

struct closed_row {
    const char *name, *device, *rest;
    uint32_t tears;
};
static const struct closed_row closed_rows[] = {
    {"differential", "", "", NOTHING | SCRAMBLED},
    {"full package", "", ", \"offers\": [{\"from\": \"1.0\", \"to\": \"1.1\", \"kind\": \"full\"}]",
     NOTHING},
    {"a device that registers", ", \"variant\": \"direct\"", "", NOTHING},
    {"weak cells", "", "", 1u << TEAR_WEAK},
    {"an offer that waits for an event", "", ANEW, NOTHING | SCRAMBLED},
    {"a server error at the second request", "",
     ", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"status\", \"code\": 500}]}",
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
    set_up(&b, c->device, c->rest);
    close_it(&b, &(struct whole_options){.tears = c->tears, .max_states = 100000}, 0);
    CHECK_INT(b.r.failing, 0);
    CHECK(b.r.closed);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "pass");
    CHECK_STR(b.r.new_version, "1.1");
    CHECK(b.r.states > 30 && b.r.ends_new > 0 && b.r.ends_other == 0);
    CHECK_INT(b.r.boots_needed, 2);
    CHECK(b.r.work_ops > 0 && b.r.work_ns > 0 && b.r.work_boots > 1);
    tear_down(&b);
}

/* ---- what is broken is found ---- */

struct broken_row {
    const char *name, *device, *id;
    uint32_t cuts;  /* of the shortest way there */
    uint32_t tears; /* 0: nothing and scrambled */
};
static const struct broken_row broken_rows[] = {
    {"no journal", ", \"breaks\": [\"no-journal\"], \"segment_index\": 3", "PWR-05", 1},
    {"marks before it writes", ", \"breaks\": [\"mark-before-write\"], \"segment_index\": 3",
     "PWR-04", 1},
    {"no backup", ", \"breaks\": [\"boot-skip-backup\"]", "PWR-02", 1},
    {"no journal in the boot loader", ", \"breaks\": [\"boot-skip-journal\"]", "BOT-01", 1},
    {"believes a record without its CRC", ", \"breaks\": [\"record-no-check\"]", "INT-16", 1,
     PLAIN},
    {"forgets its report", ", \"breaks\": [\"forget-report\"]", "PWR-08", 1},
};

static const char *broken_name(const void *row)
{
    return ((const struct broken_row *)row)->name;
}

static void is_found(const void *row)
{
    const struct broken_row *c = row;
    struct bench b;
    set_up(&b, c->device, "");
    memcpy(b.s->expect.fails[0], c->id, strlen(c->id) + 1);
    b.s->expect.n_fails = 1;
    struct whole_options o = {.tears = c->tears != 0 ? c->tears : NOTHING | SCRAMBLED,
                              .borders = c->tears != 0,
                              .max_states = 3000};
    close_it(&b, &o, 0);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "expected-fail");
    b.s->expect.n_fails = 0; /* or it would be an expected failure */
    (void)check_found(b.s, &b.run, &b.r, c->id, c->cuts);
    tear_down(&b);
}

/* ---- bounds ---- */

static void bounds_are_told(void)
{
    struct bench b;
    set_up(&b, "", "");
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 20}, 0);
    CHECK(!b.r.closed);
    CHECK_STR(b.r.bound, "the number of states was reached");
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "inconclusive");
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 1000, .max_bytes = 1}, 0);
    CHECK_STR(b.r.bound, "the memory allowed was used");
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 1000, .max_cuts = 1}, 0);
    CHECK_STR(b.r.bound, "the number of cuts in a row was reached");
    CHECK_INT(b.r.depth, 1);
    tear_down(&b);
}

static void what_depends_on_time_is_refused(void)
{
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, "",
           ", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 5}, \"do\": \"outage\", "
           "\"for_ms\": 9}]}");
    CHECK(whole_refuses(b.s) != NULL);
    CHECK(whole_new(b.s, &(struct whole_options){.max_states = 9}, &b.run, &err) == NULL);
    CHECK_HAS(err.text, "network rule");
    tear_down(&b);
}

/* ---- it does not matter who does the work ---- */

static void workers_change_nothing(void)
{
    struct bench b;
    struct buf one, many;
    buf_init(&one, 1u << 20);
    buf_init(&many, 1u << 20);
    set_up(&b, "", "");
    close_it(&b, &(struct whole_options){.tears = PLAIN, .max_states = 100000}, 0);
    CHECK_INT(whole_json(&b.r, "tiny", &one), 0);
    close_it(&b, &(struct whole_options){.tears = PLAIN, .max_states = 100000}, 3);
    CHECK_INT(whole_json(&b.r, "tiny", &many), 0);
    CHECK_STR((const char *)one.data, (const char *)many.data);
    CHECK(b.r.closed);
    buf_free(&one);
    buf_free(&many);
    tear_down(&b);
}

/* ---- what is recalled is what would have been run ---- */

static void recall_changes_nothing(void)
{
    struct bench b;
    set_up(&b, "", "");
    struct whole_options o = {.tears = NOTHING | SCRAMBLED, .max_states = 100000};
    close_it(&b, &o, 0);
    struct whole_result with = b.r;
    o.no_recall = true;
    close_it(&b, &o, 0);
    CHECK(with.closed && b.r.closed);
    CHECK(with.recalled > 0);
    CHECK_INT(b.r.recalled, 0);
    CHECK_INT(with.states, b.r.states);
    CHECK_INT(with.resets, b.r.resets);
    CHECK_INT(with.flash_states, b.r.flash_states);
    CHECK_INT(with.judge_states, b.r.judge_states);
    CHECK_INT(with.depth, b.r.depth);
    CHECK_INT(with.boots_needed, b.r.boots_needed);
    CHECK_INT(with.work_ops, b.r.work_ops);
    CHECK_INT(with.work_ns, b.r.work_ns);
    CHECK_INT(with.ends_new, b.r.ends_new);
    tear_down(&b);
}

/* ---- sets stand for what every tear alone leads to ---- */

struct same_row {
    const char *name, *device, *rest;
    uint32_t tears, cuts;
};
#define FULL ", \"offers\": [{\"from\": \"1.0\", \"to\": \"1.1\", \"kind\": \"full\"}]"
static const struct same_row same_rows[] = {
    {"all tears", "", "", 0, 1},
    {"all tears, full package", "", FULL, 0, 1},
    {"weak, two cuts", "", "", 1u << TEAR_WEAK, 2},
    {"half-erased, full package, any number", "", FULL, 1u << TEAR_HALF_ERASED, 0},
    {"torn, an offer that waits for an event", "", ANEW, PLAIN, 2},
    {"torn, a device that registers", ", \"variant\": \"direct\"", "", PLAIN, 0},
    {"broken: no backup", ", \"breaks\": [\"boot-skip-backup\"]", "", PLAIN, 1},
};

static const char *same_name(const void *row)
{
    return ((const struct same_row *)row)->name;
}

/* Every choice of contents run by itself, nothing recalled, nothing joined. */
static void sets_are_exact(const void *row)
{
    const struct same_row *c = row;
    struct bench b, naive;
    set_up(&b, c->device, c->rest);
    set_up(&naive, c->device, c->rest);
    b.wants_contents = naive.wants_contents = true;
    struct whole_options o = {
        .tears = c->tears, .max_cuts = c->cuts, .max_states = 200000, .all_failures = true};
    close_it(&b, &o, 0);
    o.no_recall = true;
    close_it(&naive, &o, 0);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), verdict_name(whole_verdict(&naive.r)));
    CHECK_INT(b.r.closed, naive.r.closed);
    CHECK_INT(b.r.failing > 0, naive.r.failing > 0);
    CHECK_INT(b.r.depth, naive.r.depth);
    CHECK_INT(b.r.ends_new > 0, naive.r.ends_new > 0);
    CHECK_INT(b.r.ends_old > 0, naive.r.ends_old > 0);
    CHECK_INT(b.r.ends_other > 0, naive.r.ends_other > 0);
    CHECK_INT(b.r.boots_needed, naive.r.boots_needed);
    CHECK_INT(naive.r.recalled, 0);
    CHECK(b.r.states <= naive.r.states && b.r.starts <= naive.r.starts);
    if (naive.r.failing == 0)
        CHECK(b.r.closed == (c->cuts == 0) && b.r.starts < naive.r.starts);
    CHECK_INT(b.contents.n, naive.contents.n);
    CHECK(contents_are_same(&b.contents, &naive.contents));
    tear_down(&b);
    tear_down(&naive);
}

/* ---- against every sequence of two cuts ---- */

struct naive_row {
    const char *name, *device;
};
static const struct naive_row naive_rows[] = {
    {"as it should be", ""},
    {"no backup", ", \"breaks\": [\"boot-skip-backup\"]"},
    {"no journal in the boot loader", ", \"breaks\": [\"boot-skip-journal\"]"},
    {"the vendor's record", ", \"personality\": \"vendor\""},
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
    set_up(&b, c->device, "");
    uint32_t least = naive_two_cuts(b.s, &b.run, "done", &is_old, &is_new);
    close_it(&b, &(struct whole_options){.tears = DONE, .max_states = 100000, .max_cuts = 2}, 0);
    bool found = b.r.n_failures > 0 && b.r.failures[0].confirmed;
    CHECK(found == (least > 0));
    if (found)
        CHECK(b.r.failures[0].n_cuts <= least);
    else {
        CHECK(is_old == (b.r.ends_old > 0));
        CHECK(is_new == (b.r.ends_new > 0));
    }
    tear_down(&b);
}

static const struct test tests[] = {
    {"bounds are told", bounds_are_told},
    {"what depends on time is refused", what_depends_on_time_is_refused},
    {"workers change nothing", workers_change_nothing},
    {"recall changes nothing", recall_changes_nothing},
    TEST_ROWS("sets are exact", sets_are_exact, same_rows, same_name),
    TEST_ROWS("broken", is_found, broken_rows, broken_name),
    TEST_ROWS("agrees with a naive search", agrees_with_a_naive_search, naive_rows, naive_name),
    TEST_ROWS("closes", closes, closed_rows, closed_name),
};

TEST_MAIN("engine whole", tests)
