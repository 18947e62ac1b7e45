/*
 * Audits of closures of whole updates: what was decided is what the world does, and where it is
 * not, it is noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/whole_internal.h"

#define NOTHING   (1u << TEAR_NOTHING)
#define SCRAMBLED (1u << TEAR_SCRAMBLED)

static const char small[] =
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": 1, \"check_interval_ms\": 100}, "
    "\"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 700}}]}, "
    "{\"version\": \"1.1\"}]}";
static const char slots[] =
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"agent\": \"aiot\", \"rounds\": 2, "
    "\"app_bytes\": 4096, \"user_bytes\": 4096, \"chip_bytes\": 65536}, \"versions\": "
    "[{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 2000}}]}, "
    "{\"version\": \"1.1\"}]}";

struct bench {
    struct scenario *s;
    struct run_options run;
    struct whole *w;
    struct whole_worker *k;
    char cache[TEST_PATH_MAX];
};

static void set_up_with(struct bench *b, const char *text, const struct whole_options *o)
{
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    REQUIRE(b->s != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
    b->w = whole_new(b->s, o, &b->run, &err);
    REQUIRE(b->w != NULL);
    b->k = whole_worker_new(b->w, &err);
    REQUIRE(b->k != NULL);
}

static void set_up(struct bench *b, const char *text, uint32_t tears, uint32_t audit)
{
    struct whole_options o = {.tears = tears, .max_states = 100000, .audit = audit};
    set_up_with(b, text, &o);
}

static void tear_down(struct bench *b)
{
    whole_worker_free(b->k);
    whole_free(b->w);
    free(b->s);
}

/* Until nothing is left, or an error; `meddle` may change what is known before each batch. */
static int run_all(struct bench *b, bool (*meddle)(struct whole *w), struct err *err)
{
    struct buf log;
    uint32_t tasks[32], n;
    int rc = 0;
    bool meddled = meddle == NULL;
    buf_init(&log, WHOLE_LOG_BYTES_MAX);
    while (rc == 0 && (n = whole_begin(b->w, tasks, sizeof tasks / sizeof tasks[0], err)) > 0) {
        for (uint32_t i = 0; i < n && rc == 0; i++) {
            buf_clear(&log);
            rc = whole_work(b->k, tasks[i], &log, err);
            if (rc == 0)
                rc = whole_take(b->w, log.data, log.len_bytes, NULL, err);
        }
        meddled = meddled || meddle(b->w);
    }
    CHECK(meddled);
    buf_free(&log);
    return rc;
}

/* ---- what is right ---- */

struct right_row {
    const char *name, *text;
    uint32_t tears, audit;
};
static const struct right_row right_rows[] = {
    {"one slot", small, NOTHING | SCRAMBLED, 7},
    {"one slot, weak cells", small, 1u << TEAR_WEAK, 24},
    {"one slot, half-erased", small, 1u << TEAR_HALF_ERASED, 24},
    {"two slots", slots, NOTHING | SCRAMBLED, 12},
};

static const char *right_name(const void *row)
{
    return ((const struct right_row *)row)->name;
}

static void changes_nothing(const void *row)
{
    const struct right_row *c = row;
    struct bench b;
    struct err err = {.text = ""};
    struct whole_result with, without;
    set_up(&b, c->text, c->tears, c->audit);
    REQUIRE_OK(run_all(&b, NULL, &err), &err);
    CHECK(!whole_again(b.w));
    REQUIRE_OK(whole_conclude(b.w, &with, &err), &err);
    tear_down(&b);
    set_up(&b, c->text, c->tears, 0);
    REQUIRE_OK(run_all(&b, NULL, &err), &err);
    REQUIRE_OK(whole_conclude(b.w, &without, &err), &err);
    tear_down(&b);
    CHECK(with.closed);
    CHECK(with.audited > 5 && with.audited_cuts > 5 && with.audited_heals > 0);
    CHECK_INT(without.audited + without.audited_cuts + without.audited_heals, 0);
    CHECK_INT(with.states, without.states);
    CHECK_INT(with.starts, without.starts);
    CHECK_INT(with.recalled, without.recalled);
    CHECK_INT(with.edges, without.edges);
    CHECK_INT(with.heals, without.heals);
    CHECK_INT(with.merged, without.merged);
}

/* ---- what is wrong ---- */

static bool is_start(const struct whole *w, const struct recall_spot *at)
{
    return at->kind == RECALL_SEGMENT && whole_outcome_of(w, at->value)->how != WHOLE_HEALED;
}

/* What leads to one behaviour leads to the other. */
static bool swap_known(struct whole *w)
{
    struct recall_spot *first = NULL, *spots = w->flash->recall.spots;
    for (uint32_t i = 0; i < w->flash->recall.edges.count; i++) {
        if (!is_start(w, &spots[i]))
            continue;
        if (first == NULL) {
            first = &spots[i];
        } else if (spots[i].value != first->value) {
            uint32_t value = first->value;
            first->value = spots[i].value;
            spots[i].value = value;
            return true;
        }
    }
    return false;
}

/* What a start leaves behind is remembered wrongly. */
static bool bend_outcome(struct whole *w)
{
    for (uint32_t i = 0; i < w->behaviours.count; i++) {
        struct whole_behaviour *b = whole_behaviour_at(w, i);
        struct whole_outcome o = *whole_outcome_of(w, i);
        if (o.how != WHOLE_IDLED || b->walk_run != NONE)
            continue;
        memcpy(o.version, "9.9", 4);
        b->outcome = pool_put(&w->outcomes, &o, NULL);
        return true;
    }
    return false;
}

static bool too_early(struct whole *w)
{
    for (uint32_t i = 0; i < w->event_ns.count; i++)
        *whole_event_ns(w, i) = 0;
    return w->event_ns.count > 0;
}

struct wrong_row {
    const char *name;
    bool (*meddle)(struct whole *w);
    const char *says;
};
static const struct wrong_row wrong_rows[] = {
    {"recalled behaviours are exchanged", swap_known, "audit of state"},
    {"a start ends otherwise", bend_outcome, "it ends otherwise"},
    {"a start takes longer", too_early, "needs more time"},
};

static const char *wrong_name(const void *row)
{
    return ((const struct wrong_row *)row)->name;
}

static void is_noticed(const void *row)
{
    const struct wrong_row *c = row;
    struct bench b;
    struct err err = {.text = ""};
    /* Nothing is merged: that what was merged was looked at after all would be noticed first. */
    struct whole_options o = {
        .tears = NOTHING, .max_states = 100000, .audit = 1, .keep_dead = true};
    set_up_with(&b, slots, &o);
    CHECK_INT(run_all(&b, c->meddle, &err), ERR_BENCH);
    CHECK_HAS(err.text, c->says);
    tear_down(&b);
}

/* And not by anything else. */
static void is_not_noticed_without(void)
{
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, slots, NOTHING, 0);
    CHECK_INT(run_all(&b, bend_outcome, &err), 0);
    tear_down(&b);
}

static const struct test tests[] = {
    TEST_ROWS("changes nothing", changes_nothing, right_rows, right_name),
    TEST_ROWS("is noticed", is_noticed, wrong_rows, wrong_name),
    {"is not noticed without", is_not_noticed_without},
};

TEST_MAIN("engine whole audit", tests)
