/*
 * Closure of whole updates with the network in play: what of a scenario's faults is spent is part
 * of a state. Sets must be exact, and all must agree with every sequence of two cuts run one by
 * one.
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

struct bench {
    struct scenario *s;
    struct run_options run;
    struct whole_result r;
    char cache[TEST_PATH_MAX];
    struct contents contents; /* what states stand for */
};

/* Members of the device besides the usual, and of the document. An agent: with two slots. */
static void set_up(struct bench *b, const char *agent, const char *device, const char *rest)
{
    char text[2048];
    struct err err = {.text = ""};
    const char *kind = agent[0] == '\0' ? ", \"check_interval_ms\": 100"
                                        : ", \"app_bytes\": 4096, \"user_bytes\": 4096, "
                                          "\"chip_bytes\": 65536, \"agent\": ";
    memset(b, 0, sizeof *b);
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": %d%s%s%s}, "
                   "\"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": "
                   "700}}]}, {\"version\": \"1.1\"}]%s}",
                   agent[0] == '\0' ? 1 : 2, kind, agent, device, rest);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->s = calloc(1, sizeof *b->s);
    REQUIRE(b->s != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
}

static void tear_down(struct bench *b)
{
    free(b->contents.item);
    free(b->s);
}

static void close_it(struct bench *b, const struct whole_options *options)
{
    struct err err = {.text = ""};
    struct whole_options o = *options;
    o.keep_dead = true;
    struct whole *w = whole_new(b->s, &o, &b->run, &err);
    REQUIRE_OK(w == NULL ? ERR_ARG : 0, &err);
    whole_run_all(w, 0);
    REQUIRE_OK(whole_conclude(w, &b->r, &err), &err);
    contents_take(&b->contents, w);
    whole_free(w);
}

#define NET(rule) ", \"network\": {\"faults\": [" rule "]}"
#define LINK_SDK  "\"aiot\""

/* ---- what is right closes ---- */

struct closed_row {
    const char *name, *agent, *rest;
    uint32_t tears;
    bool old; /* some power-ons end with the old version: the fault made them give up */
};
static const struct closed_row closed_rows[] = {
    {"a reply is lost", "",
     NET("{\"when\": {\"reply\": \"download\", \"byte\": 20}, \"do\": \"reset\"}"),
     NOTHING | SCRAMBLED, false},
    {"the third connection is lost", "",
     NET("{\"when\": {\"connection\": 3, \"byte\": 1}, \"do\": \"close\"}"), NOTHING, false},
    {"refused for a while", "",
     NET("{\"when\": {\"event\": \"device/package\"}, \"do\": \"refuse\", \"for_ms\": 900000}"),
     NOTHING, true},
    {"an outage that is set off by the cut", "",
     NET("{\"when\": {\"event\": \"power/cut\"}, \"do\": \"outage\", \"for_ms\": 4000}"), NOTHING,
     false},
    {"another network for good", "",
     NET("{\"when\": {\"event\": \"device/package\"}, \"do\": \"profile\", \"profile\": "
         "{\"one_way_ms\": 40}}"),
     NOTHING, false},
    {"flash that cannot be written once", "",
     ", \"flash\": [{\"fail\": \"program\", \"address\": \"0x9000\", \"len_bytes\": 4096}]",
     NOTHING, false},
    {"a message is repeated", LINK_SDK,
     ", \"cloud\": {\"pushes\": [{\"when\": {\"event\": \"device/progress\"}, \"do\": "
     "\"repeat\"}]}",
     NOTHING, true},
    {"the broker restarts", LINK_SDK,
     NET("{\"when\": {\"event\": \"device/progress\"}, \"do\": \"broker-restart\", \"for_ms\": "
         "2000}"),
     NOTHING, true},
};

static const char *closed_name(const void *row)
{
    return ((const struct closed_row *)row)->name;
}

static void closes(const void *row)
{
    const struct closed_row *c = row;
    struct bench b;
    set_up(&b, c->agent, "", c->rest);
    CHECK(whole_refuses(b.s) == NULL);
    close_it(&b, &(struct whole_options){.tears = c->tears, .max_states = 100000, .audit = 11});
    CHECK_INT(b.r.failing, 0);
    CHECK(b.r.audited > 0 && b.r.audited_cuts > 0);
    CHECK(b.r.closed);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "pass");
    CHECK(b.r.ends_new > 0 && b.r.ends_other == 0);
    CHECK_INT(b.r.ends_old > 0, c->old);
    tear_down(&b);
}

/* ---- sets stand for what every tear alone leads to ---- */

struct same_row {
    const char *name, *agent, *rest;
    uint32_t tears, cuts, losses;
};
static const struct same_row same_rows[] = {
    {"a reply is lost", "",
     NET("{\"when\": {\"reply\": \"download\", \"nth\": 2, \"byte\": 20}, \"do\": \"reset\"}"),
     NOTHING, 0},
    {"an outage, half-erased", "",
     NET("{\"when\": {\"event\": \"device/package\"}, \"do\": \"outage\", \"for_ms\": 7000}"),
     1u << TEAR_HALF_ERASED, 1},
    {"the fifth connection, weak cells", "",
     NET("{\"when\": {\"connection\": 5, \"byte\": 30}, \"do\": \"reset\"}"), 1u << TEAR_WEAK, 1},
    {"any connection is lost", "", "", NOTHING, 1, 1},
};

static const char *same_name(const void *row)
{
    return ((const struct same_row *)row)->name;
}

static void sets_are_exact(const void *row)
{
    const struct same_row *c = row;
    struct bench b, naive;
    /* Larger segments are fewer messages. */
    const char *device = c->losses > 0 ? ", \"segment_index\": 5" : "";
    set_up(&b, c->agent, device, c->rest);
    set_up(&naive, c->agent, device, c->rest);
    struct whole_options o = {.tears = c->tears,
                              .max_cuts = c->cuts,
                              .max_states = 200000,
                              .all_failures = true,
                              .losses = c->losses,
                              .loss_cuts = 1};
    close_it(&b, &o);
    o.no_recall = true;
    close_it(&naive, &o);
    CHECK_STR(verdict_name(whole_verdict(&b.r)), verdict_name(whole_verdict(&naive.r)));
    CHECK_INT(b.r.closed, naive.r.closed);
    CHECK_INT(b.r.failing, 0);
    CHECK_INT(naive.r.failing, 0);
    CHECK_INT(b.r.depth, naive.r.depth);
    CHECK_INT(b.r.ends_old > 0, naive.r.ends_old > 0);
    CHECK(b.r.starts < naive.r.starts);
    CHECK_INT(naive.r.recalled, 0);
    CHECK_INT(b.contents.n, naive.contents.n);
    CHECK(contents_are_same(&b.contents, &naive.contents));
    tear_down(&b);
    tear_down(&naive);
}

/* ---- a lost connection ---- */

struct lost_row {
    const char *name, *device, *id;
};
static const struct lost_row lost_rows[] = {
    {"resumes too far", ", \"breaks\": [\"resume-too-far\"], \"segment_index\": 3", "DWN-08"},
    {"forgets its report", ", \"breaks\": [\"forget-report\"]", "RPT-02"},
};

static const char *lost_name(const void *row)
{
    return ((const struct lost_row *)row)->name;
}

/* Found without any power cut, and told so that it can be repeated. */
static void a_loss_is_found(const void *row)
{
    const struct lost_row *c = row;
    struct bench b;
    struct buf text;
    buf_init(&text, 1u << 16);
    set_up(&b, "", c->device, "");
    memcpy(b.s->expect.fails[0], c->id, strlen(c->id) + 1);
    b.s->expect.n_fails = 1;
    close_it(&b, &(struct whole_options){.tears = NOTHING, .max_states = 3000, .losses = 1});
    CHECK_STR(verdict_name(whole_verdict(&b.r)), "expected-fail");
    CHECK_INT(whole_describe(&b.r, "tiny", &text), 0);
    CHECK_HAS((const char *)text.data, " before byte ");
    b.s->expect.n_fails = 0; /* or it would be an expected failure */
    CHECK_INT(check_found(b.s, &b.run, &b.r, c->id, 0)->n_losses, 1);
    buf_free(&text);
    tear_down(&b);
}

/* ---- several lost connections in one power-on ---- */

struct several_row {
    const char *name;
    uint32_t losses;
    bool old;
};
static const struct several_row several_rows[] = {
    {"one of two calls", 1, false},
    {"both calls", 2, true},
};

static const char *several_name(const void *row)
{
    return ((const struct several_row *)row)->name;
}

/* A device that calls twice in its only round: one lost connection never costs it the update. Some
 * starts are followed through their moments to their real end. */
static void several_are_lost(const void *row)
{
    const struct several_row *c = row;
    struct bench b;
    set_up(&b, "", ", \"segment_index\": 5, \"tries\": 2", "");
    close_it(&b, &(struct whole_options){.tears = DONE,
                                         .max_states = 100000,
                                         .max_cuts = 1,
                                         .losses = c->losses,
                                         .loss_cuts = 1,
                                         .audit = 50});
    CHECK_INT(b.r.failing, 0);
    CHECK(b.r.moments > 0 && b.r.audited_moments > 0);
    CHECK_INT(b.r.ends_old > 0, c->old);
    CHECK(b.r.ends_new > 0);
    tear_down(&b);
}

/* ---- against every sequence of two cuts ---- */

struct naive_row {
    const char *name, *agent, *device, *rest;
};
static const struct naive_row naive_rows[] = {
    {"a reply is lost", "", "",
     NET("{\"when\": {\"reply\": \"download\", \"byte\": 20}, \"do\": \"reset\"}")},
    {"a reply is lost, no backup", "", ", \"breaks\": [\"boot-skip-backup\"]",
     NET("{\"when\": {\"reply\": \"check\", \"byte\": 20}, \"do\": \"close\"}")},
    {"a message is repeated", LINK_SDK, "",
     ", \"cloud\": {\"pushes\": [{\"when\": {\"event\": \"device/progress\"}, \"do\": "
     "\"repeat\"}]}"},
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
    set_up(&b, c->agent, c->device, c->rest);
    uint32_t least = naive_two_cuts(b.s, &b.run, "done", &is_old, &is_new);
    close_it(&b, &(struct whole_options){.tears = DONE, .max_states = 100000, .max_cuts = 2});
    bool found = b.r.n_failures > 0 && b.r.failures[0].confirmed;
    CHECK(found == (least > 0));
    if (found) {
        CHECK(b.r.failures[0].n_cuts <= least);
        CHECK(repeats(b.s, &b.run, &b.r.failures[0], b.r.failures[0].ids[0]));
    } else {
        CHECK(!is_old || b.r.ends_old > 0);
        CHECK(is_new && b.r.ends_new > 0);
    }
    tear_down(&b);
}

/* ---- against every single cut and lost connection ---- */

static const struct naive_row single_rows[] = {
    {"as it should be", "", ", \"segment_index\": 5", ""},
    {"resumes too far", "", ", \"breaks\": [\"resume-too-far\"], \"segment_index\": 3", ""},
};

static void agrees_with_every_single_one(const void *row)
{
    const struct naive_row *c = row;
    struct bench b;
    struct exploration x;
    struct explore_options o;
    struct err err = {.text = ""};
    struct world *w = world_new(&err);
    struct explore_result *r = calloc(1, sizeof *r);
    uint32_t failing = 0;
    bool is_old = false, is_new = false;
    REQUIRE(w != NULL && r != NULL);
    set_up(&b, c->agent, c->device, c->rest);
    explore_options_default(&o);
    o.kinds = EXPLORE_FLASH | EXPLORE_NETWORK;
    REQUIRE_OK(explore_parse_tears(&o, "done", &err), &err);
    REQUIRE_OK(explore_prepare(&x, b.s, &o, w, &b.run, &err), &err);
    CHECK(x.n_points > 100);
    for (uint32_t i = 0; i < x.n_points; i++) {
        memset(r, 0, sizeof *r);
        explore_run(&x, b.s, &o, w, &b.run, i, r);
        failing += r->n_failures > 0;
        is_old = is_old || r->point.counts[EXPLORE_OLD] > 0;
        is_new = is_new || r->point.counts[EXPLORE_NEW] > 0;
    }
    close_it(&b,
             &(struct whole_options){
                 .tears = DONE, .max_states = 100000, .max_cuts = 1, .losses = 1, .loss_cuts = 1});
    bool found = b.r.n_failures > 0 && b.r.failures[0].confirmed;
    CHECK_INT(found, failing > 0);
    CHECK(!found || b.r.failures[0].n_cuts + b.r.failures[0].n_losses <= 2);
    CHECK(found || (!is_old || b.r.ends_old > 0));
    CHECK(found || (is_new && b.r.ends_new > 0));
    CHECK(b.r.lost_starts > 0 && b.r.ways_lost > 0);
    explore_free(&x);
    world_free(w);
    free(r);
    tear_down(&b);
}

static const struct test tests[] = {
    TEST_ROWS("closes", closes, closed_rows, closed_name),
    TEST_ROWS("sets are exact", sets_are_exact, same_rows, same_name),
    TEST_ROWS("a loss is found", a_loss_is_found, lost_rows, lost_name),
    TEST_ROWS("several are lost", several_are_lost, several_rows, several_name),
    TEST_ROWS("agrees with a naive search", agrees_with_a_naive_search, naive_rows, naive_name),
    TEST_ROWS("agrees with every single one", agrees_with_every_single_one, single_rows,
              naive_name),
};

TEST_MAIN("engine whole net", tests)
