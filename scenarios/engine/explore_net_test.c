/* What is cut besides flash operations: power behind messages, and connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/explore.h"
#include "scenarios/engine/token.h"

struct bench {
    struct scenario *s;
    struct world *w;
    struct exploration x;
    struct explore_options o;
    struct run_options run;
    struct explore_result r;
    char cache[TEST_PATH_MAX];
};

/* A whole update of 300 bytes, laid out with these kinds of points and clean flash cuts. */
static struct bench *set_up(const char *device, unsigned kinds, uint32_t depth)
{
    struct bench *b = calloc(1, sizeof *b);
    char text[1024];
    struct err err = {.text = ""};
    REQUIRE(b != NULL);
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": 1, "
                   "\"check_interval_ms\": 100%s}, \"versions\": [{\"version\": \"1.0\", "
                   "\"images\": [{\"generate\": {\"bytes\": 300}}]}, {\"version\": \"1.1\"}]}",
                   device);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    explore_options_default(&b->o);
    b->o.kinds = kinds;
    b->o.depth = depth;
    b->s = calloc(1, sizeof *b->s);
    b->w = world_new(&err);
    REQUIRE(b->s != NULL && b->w != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
    REQUIRE_OK(explore_parse_tears(&b->o, "nothing", &err), &err);
    REQUIRE_OK(explore_prepare(&b->x, b->s, &b->o, b->w, &b->run, &err), &err);
    CHECK_STR(b->x.cause, "");
    REQUIRE(b->x.n_points > 0);
    return b;
}

static void tear_down(struct bench *b)
{
    explore_free(&b->x);
    world_free(b->w);
    free(b->s);
    free(b);
}

static void run_point(struct bench *b, uint32_t index)
{
    explore_run(&b->x, b->s, &b->o, b->w, &b->run, index, &b->r);
    CHECK_INT(explore_put(&b->x, index, &b->r), 0);
}

static uint64_t runs_of(const struct explore_result *r)
{
    uint64_t n = 0;
    for (int o = 0; o < EXPLORE_OUTCOMES; o++)
        n += r->point.counts[o];
    return n;
}

/* ---- what there is ---- */

static void kinds_are_named(void)
{
    struct explore_options o;
    struct err err = {.text = ""};
    CHECK_OK(explore_parse_kinds(&o, "net,flash", &err), &err);
    CHECK_INT(o.kinds, EXPLORE_NETWORK | EXPLORE_FLASH);
    CHECK_OK(explore_parse_kinds(&o, "messages", &err), &err);
    CHECK_INT(o.kinds, EXPLORE_MESSAGES);
    static const char *const wrong[] = {"", "net,", "nets", "net,net", "flash messages"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(explore_parse_kinds(&o, wrong[i], &err), ERR_FORMAT);
}

/* Every request is served, then its reply arrives; that is all that passes in a clean run. */
static void messages_come_in_pairs(void)
{
    struct bench *b = set_up("", EXPLORE_MESSAGES, 1);
    CHECK_INT(b->x.n_points, b->x.n_messages);
    CHECK(b->x.n_messages >= 8 && b->x.n_messages % 2 == 0);
    bool seen[RQ_COUNT] = {false};
    for (uint32_t i = 0; i < b->x.n_messages; i++) {
        const struct run_message *m = &b->x.messages[i];
        CHECK_INT(m->reply, i % 2);
        CHECK_INT(m->about, b->x.messages[i - i % 2].about);
        CHECK(m->ops <= b->x.n_ops && (i == 0 || m->ops >= m[-1].ops));
        CHECK_INT(b->x.points[i].cuts[0].kind, CUT_MESSAGE);
        CHECK_INT(b->x.points[i].cuts[0].op, i + 1);
        seen[m->about] = true;
    }
    CHECK(seen[RQ_CHECK] && seen[RQ_DOWNLOAD] && seen[RQ_REPORT_DOWNLOAD]);
    CHECK(seen[RQ_REPORT_UPGRADE] && !seen[RQ_OTHER]);
    tear_down(b);
}

/* All six classes of a reply with a body, from its first byte on, at rising bytes. */
static void borders_are_of_every_class(void)
{
    struct bench *b = set_up("", EXPLORE_NETWORK, 1);
    CHECK_INT(b->x.n_points, b->x.n_borders * EXPLORE_WAYS);
    uint32_t i = 0;
    while (i < b->x.n_borders &&
           !(b->x.borders[i].about == RQ_DOWNLOAD && b->x.borders[i].dir == LINK_DOWN))
        i++;
    REQUIRE(i + PLACE_COUNT <= b->x.n_borders);
    for (uint32_t k = 0; k < PLACE_COUNT; k++) {
        const struct run_border *at = &b->x.borders[i + k];
        CHECK_INT(at->place, k);
        CHECK_INT(at->connection, b->x.borders[i].connection);
        CHECK_INT(at->about, RQ_DOWNLOAD);
        CHECK(k == 0 || at->byte > at[-1].byte);
    }
    CHECK_INT(b->x.borders[i].byte, 0); /* a connection of its own */
    CHECK_INT(b->x.points[1].cuts[0].action, LINK_CLOSE);
    CHECK_INT(b->x.points[2].cuts[0].action, LINK_STALL);
    tear_down(b);
}

/* ---- running ---- */

static const unsigned each_kind[] = {EXPLORE_MESSAGES, EXPLORE_NETWORK};

/* An eighth of the points: all classes and ways come up. */
static void the_reference_survives(const void *kind)
{
    struct bench *b = set_up("", *(const unsigned *)kind, 1);
    uint32_t done = 0;
    for (uint32_t i = 0; i < b->x.n_points; i += b->x.n_points < 30 ? 1 : 8) {
        run_point(b, i);
        CHECK_INT(runs_of(&b->r), 1);
        CHECK_INT(b->r.point.outcome, EXPLORE_NEW);
        if (b->r.n_failures > 0)
            CHECK_STR(b->r.failures[0].detail, "");
        done++;
    }
    struct explore_totals t;
    explore_sum(&b->x, &t);
    CHECK_INT(t.done, done);
    CHECK_INT(t.failing + t.counts[EXPLORE_BENCH_ERROR], 0);
    tear_down(b);
}

/* Without a power cut: cleared, and the request that tells it never reaches the cloud. */
static void a_forgotten_report_is_found_by_a_lost_connection(void)
{
    struct bench *b = set_up(", \"breaks\": [\"forget-report\"]", EXPLORE_NETWORK, 1);
    struct token token;
    struct err err = {.text = ""};
    char text[RESULT_TOKEN_MAX];
    for (uint32_t i = 0; i < b->x.n_points; i++)
        if (strcmp(explore_about(&b->x, &b->x.points[i].cuts[0]), "report-upgrade") == 0)
            run_point(b, i);
    REQUIRE(b->x.n_failures > 0);
    const struct explore_failure *f = &b->x.failures[0];
    CHECK_STR(f->ids[0], "RPT-02");
    CHECK_INT(f->outcome, EXPLORE_WRONG_REPORT);
    CHECK_STR(explore_about(&b->x, &f->cuts[0]), "report-upgrade");
    CHECK_INT(explore_phase_of(&b->x, &f->cuts[0]), RUN_AT_REPORT);
    /* And its token repeats it. */
    explore_token(&b->x, f->cuts, f->n_cuts, text);
    REQUIRE_OK(token_parse(&token, text, &err), &err);
    struct run_options o = b->run;
    struct run_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    memcpy(o.cuts, token.cuts, sizeof o.cuts);
    o.n_cuts = token.n_cuts;
    world_run(b->w, b->s, &o, r);
    CHECK_INT(r->verdict, VERDICT_FAIL);
    CHECK_INT(r->cut_missed, 0);
    CHECK_STR(r->token, text);
    free(r);
    tear_down(b);
}

static void a_cut_that_never_happens_is_told(void)
{
    static const struct run_cut never[] = {
        {.op = 100000},
        {.kind = CUT_MESSAGE, .op = 100000},
        {.kind = CUT_NETWORK, .connection = 99, .dir = LINK_DOWN, .byte = 5, .action = LINK_RESET},
        {.kind = CUT_NETWORK, .connection = 1, .dir = LINK_UP, .byte = 1u << 20}};
    struct bench *b = set_up("", EXPLORE_MESSAGES, 1);
    struct run_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        struct run_options o = b->run;
        o.cuts[0] = (struct run_cut){.kind = CUT_MESSAGE, .op = 1};
        o.cuts[1] = never[i];
        o.n_cuts = 2;
        world_run(b->w, b->s, &o, r);
        CHECK_INT(r->cut_missed, 2);
    }
    free(r);
    tear_down(b);
}

/* A connection is lost, and in what follows power is cut at everything there is. */
static void a_lost_connection_and_then_power(void)
{
    struct bench *b = set_up("", EXPLORE_FLASH | EXPLORE_MESSAGES | EXPLORE_NETWORK, 2);
    uint32_t first = b->x.n_points;
    for (uint32_t i = 0; i < b->x.n_points;
         i++) { /* the last reply of the update: little follows */
        const struct run_cut *c = &b->x.points[i].cuts[0];
        if (c->kind == CUT_NETWORK && c->dir == LINK_DOWN && c->action == LINK_RESET &&
            strcmp(explore_about(&b->x, c), "report-upgrade") == 0)
            first = i;
    }
    REQUIRE(first < b->x.n_points);
    run_point(b, first);
    CHECK_INT(b->r.point.outcome, EXPLORE_NEW);
    CHECK(runs_of(&b->r) > 20);
    CHECK_INT(b->r.point.counts[EXPLORE_NEW], runs_of(&b->r)); /* none a bench error */
    CHECK_INT(b->r.n_failures, 0);
    tear_down(b);
}

static void a_mixed_sample_repeats_itself(void)
{
    struct bench *b = set_up("", EXPLORE_FLASH | EXPLORE_MESSAGES | EXPLORE_NETWORK, 3);
    struct err err = {.text = ""};
    bool seen[EXPLORE_KINDS] = {false};
    b->o.sample = 16;
    b->o.sample_seed = 3;
    REQUIRE_OK(explore_lay_out(&b->x, &b->o, &err), &err);
    for (uint32_t i = 0; i < b->x.n_points; i++) {
        run_point(b, i);
        struct explore_point was = b->r.point;
        run_point(b, i);
        CHECK_INT(b->r.point.n_cuts, was.n_cuts);
        CHECK_INT(b->r.point.outcome, was.outcome);
        CHECK(was.outcome != EXPLORE_BENCH_ERROR);
        for (uint32_t k = 0; k < was.n_cuts; k++) {
            CHECK(run_cut_same(&was.cuts[k], &b->r.point.cuts[k]));
            seen[was.cuts[k].kind] = true;
        }
    }
    for (int k = 0; k < EXPLORE_KINDS; k++)
        CHECK(seen[k]);
    tear_down(b);
}

/* ---- the broker ---- */

static const char *const generations[] = {
    "a-small-image-is-upgraded-with-link-sdk-3",
    "a-small-image-is-upgraded-with-link-sdk-4",
    "a-small-image-is-upgraded-with-uota",
};

/* What is lost with a connection, and what the cloud takes for delivered although nobody hears it:
 * the device comes to it when it has connected again. */
static void a_lost_connection_harms_no_generation(const void *row)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err err = {.text = ""};
    char path[160];
    REQUIRE(b != NULL);
    b->s = calloc(1, sizeof *b->s);
    b->w = world_new(&err);
    REQUIRE(b->s != NULL && b->w != NULL);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    (void)snprintf(path, sizeof path, "scenarios/library/aliyun/%s.json",
                   *(const char *const *)row);
    REQUIRE_OK(scenario_load(b->s, path, &err), &err);
    explore_options_default(&b->o);
    b->o.kinds = EXPLORE_NETWORK;
    REQUIRE_OK(explore_prepare(&b->x, b->s, &b->o, b->w, &b->run, &err), &err);
    for (uint32_t i = 0; i < b->x.n_points; i++) {
        run_point(b, i);
        for (uint32_t k = 0; k < b->r.n_failures; k++)
            CHECK_STR(b->r.failures[k].detail, "");
    }
    CHECK(b->x.n_points > 100);
    tear_down(b);
}

static const char *generation_name(const void *row)
{
    return *(const char *const *)row;
}

static const struct test tests[] = {
    {"kinds are named", kinds_are_named},
    {"messages come in pairs", messages_come_in_pairs},
    {"borders are of every class", borders_are_of_every_class},
    TEST_ROWS("the reference survives", the_reference_survives, each_kind, NULL),
    {"a forgotten report is found by a lost connection",
     a_forgotten_report_is_found_by_a_lost_connection},
    {"a cut that never happens is told", a_cut_that_never_happens_is_told},
    {"a lost connection and then power", a_lost_connection_and_then_power},
    TEST_ROWS("a lost connection harms no generation", a_lost_connection_harms_no_generation,
              generations, generation_name),
    {"a mixed sample repeats itself", a_mixed_sample_repeats_itself},
};
TEST_MAIN("explore net", tests)
