#include "scenarios/engine/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/token.h"

/* One scenario laid out, with everything its points need. */
struct bench {
    struct scenario *s;
    struct world *w;
    struct exploration x;
    struct explore_options o;
    struct run_options run;
    char cache[TEST_PATH_MAX];
};

static void set_up(struct bench *b, const char *device, const char *expect, uint32_t bytes)
{
    char text[1024];
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": 1, "
                   "\"check_interval_ms\": 100%s}, \"versions\": [{\"version\": \"1.0\", "
                   "\"images\": [{\"generate\": {\"bytes\": %u}}]}, {\"version\": \"1.1\"}], "
                   "\"expect\": {\"version\": \"1.1\", \"requests\": {\"check\": 2}%s}}",
                   device, bytes, expect);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    explore_options_default(&b->o);
    b->o.kinds = EXPLORE_FLASH; /* the others: explore_net_test.c */
    b->s = calloc(1, sizeof *b->s);
    b->w = world_new(&err);
    REQUIRE(b->s != NULL && b->w != NULL);
    REQUIRE_OK(scenario_parse(b->s, text, strlen(text), "tiny", &err), &err);
}

static void lay_out(struct bench *b, const char *tears)
{
    struct err err = {.text = ""};
    REQUIRE_OK(explore_parse_tears(&b->o, tears, &err), &err);
    REQUIRE_OK(explore_prepare(&b->x, b->s, &b->o, b->w, &b->run, &err), &err);
    CHECK_STR(b->x.cause, "");
    REQUIRE(b->x.n_points > 0);
}

static void run_point(struct bench *b, uint32_t index, struct explore_result *r)
{
    explore_run(&b->x, b->s, &b->o, b->w, &b->run, index, r);
}

static void tear_down(struct bench *b)
{
    explore_free(&b->x);
    world_free(b->w);
    free(b->s);
}

/* ---- tears ---- */

/* Chip with 1-byte granules unless said otherwise. */
static const struct same_row {
    const char *name;
    enum nor_op_kind kind;
    uint32_t len_bytes, granule_bytes;
    const char *tears;
    const char *same; /* per tear the index of the one it equals */
} same_rows[] = {
    {"half-erased is scrambled on a program", NOR_OP_PROGRAM, 256, 1, "all", "0123356789"},
    {"an erase tells all apart", NOR_OP_ERASE, 4096, 1, "all", "0123456789"},
    {"one granule has no part", NOR_OP_PROGRAM, 8, 8, "all", "0003356089"},
    {"half of two granules is all but the last", NOR_OP_PROGRAM, 16, 8, "all", "0113356189"},
    {"a prefix of everything is done", NOR_OP_PROGRAM, 16, 1, "done,prefix.16,prefix.200", "000"},
    {"a prefix of nothing is nothing", NOR_OP_PROGRAM, 16, 8, "nothing,prefix.7,prefix.8", "002"},
    {"another draw is another tear", NOR_OP_PROGRAM, 256, 1,
     "scrambled,scrambled.1,half-erased,half-erased.1", "0101"},
    {"another draw of what is not drawn is none", NOR_OP_PROGRAM, 256, 1, "weak,weak.1,done,done.3",
     "0022"},
    {"without a cache nothing was held back", NOR_OP_PROGRAM, 256, 1,
     "nothing,unwritten,unwritten.3", "000"},
    {"an erase disturbs no page", NOR_OP_ERASE, 4096, 1, "done,disturb,disturb.1", "000"},
    {"another draw disturbs another bit", NOR_OP_PROGRAM, 256, 1, "done,disturb,disturb.1", "012"},
    {"each border is none of one granule", NOR_OP_PROGRAM, 8, 8, "nothing,prefix.each", "00"},
    {"halves of an erase are drawn", NOR_OP_ERASE, 4096, 1, "half-erased,half-erased.1,scrambled",
     "012"},
};

static const char *same_name(const void *row)
{
    return ((const struct same_row *)row)->name;
}

static void tears_that_leave_the_same(const void *arg)
{
    const struct same_row *row = arg;
    struct exploration x = {.geometry = {.granule_bytes = row->granule_bytes}};
    struct run_op op = {.kind = row->kind, .len_bytes = row->len_bytes};
    struct explore_options o;
    struct err err = {.text = ""};
    REQUIRE_OK(explore_parse_tears(&o, row->tears, &err), &err);
    CHECK_INT(o.n_tears, strlen(row->same));
    for (uint32_t t = 0; t < o.n_tears; t++)
        CHECK_INT(explore_same_tear(&x, &op, &o, t), row->same[t] - '0');
}

static void tears_are_named(void)
{
    struct explore_options o;
    struct err err = {.text = ""};
    char name[EXPLORE_TEAR_NAME_MAX];
    CHECK_OK(explore_parse_tears(&o, "prefix.64,weak", &err), &err);
    explore_tear_name(&o.tears[0], name);
    CHECK_STR(name, "prefix.64");
    explore_tear_name(&o.tears[1], name);
    CHECK_STR(name, "weak");
    CHECK_OK(explore_parse_tears(&o, "prefix,prefix.each,prefix.any,unwritten.4", &err), &err);
    explore_tear_name(&o.tears[1], name);
    CHECK_STR(name, "prefix.each");
    explore_tear_name(&o.tears[2], name);
    CHECK_STR(name, "prefix.any");
    static const char *const wrong[] = {"weak.each",
                                        "prefix.all",
                                        "prefix.any,prefix.any",
                                        "",
                                        "half",
                                        "weak,",
                                        "weak,weak",
                                        "prefix.",
                                        "prefix.-1",
                                        "prefix.0",
                                        "prefix.99999999999",
                                        "prefix.1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(explore_parse_tears(&o, wrong[i], &err), ERR_FORMAT);
}

/* ---- points ---- */

static void points_are_numbered_by_operation_and_tear(void)
{
    struct bench b;
    set_up(&b, "", "", 300);
    lay_out(&b, "all");
    uint32_t n = 0;
    for (uint32_t i = 0; i < b.x.n_ops; i++)
        for (uint32_t t = 0; t < b.o.n_tears; t++) {
            if (explore_same_tear(&b.x, &b.x.ops[i], &b.o, t) != t)
                continue;
            REQUIRE(n < b.x.n_points);
            CHECK_INT(b.x.points[n].cuts[0].op, i + 1);
            CHECK_INT(b.x.points[n].cuts[0].tear, b.o.tears[t].tear);
            n++;
        }
    CHECK_INT(n, b.x.n_points);
    CHECK(n > 8 * b.x.n_ops && n < 10 * b.x.n_ops);
    tear_down(&b);
}

/* A page of spi4k has 255 borders, the half among them is not taken twice. */
static void each_border_is_a_point(void)
{
    struct bench b;
    set_up(&b, "", "", 300);
    lay_out(&b, "prefix,prefix.each,prefix.any");
    uint32_t n = 0, seen[256] = {0};
    for (uint32_t i = 0; i < b.x.n_points; i++) {
        const struct run_cut *c = &b.x.points[i].cuts[0];
        if (b.x.ops[c->op - 1].kind != NOR_OP_PROGRAM || b.x.ops[c->op - 1].len_bytes != 256)
            continue;
        REQUIRE(c->arg > 0 && c->arg < 256);
        n = n == 0 ? (uint32_t)c->op : n;
        seen[c->arg] += c->op == n;
    }
    CHECK(n > 0);
    for (uint32_t k = 1; k < 256; k++)
        CHECK(seen[k] >= 1 && seen[k] <= 2); /* prefix.any is one of them again */
    tear_down(&b);
}

static void operations_know_their_phase(void)
{
    struct bench b;
    uint32_t seen[RUN_PHASES] = {0};
    set_up(&b, "", "", 300);
    lay_out(&b, "nothing");
    enum run_phase first = b.x.ops[0].phase, last = b.x.ops[b.x.n_ops - 1].phase;
    CHECK_INT(first, RUN_AT_PREPARE);
    CHECK_INT(last, RUN_AT_REPORT);
    for (uint32_t i = 0; i < b.x.n_ops; i++) {
        const struct partition *p = partition_at(&b.x.partitions, b.x.ops[i].addr);
        REQUIRE(p != NULL);
        seen[b.x.ops[i].phase]++;
        if (strcmp(p->name, "app") == 0)
            CHECK_INT(b.x.ops[i].phase, RUN_AT_RESTORE);
    }
    static const enum run_phase all[] = {RUN_AT_PREPARE, RUN_AT_SEGMENTS, RUN_AT_VERIFY,
                                         RUN_AT_RESTORE, RUN_AT_RESULT,   RUN_AT_REPORT};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        CHECK(seen[all[i]] > 0);
    tear_down(&b);
}

static void what_fails_without_a_cut_is_not_explored(void)
{
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, "", ", \"results\": [-3]", 300);
    REQUIRE_OK(explore_prepare(&b.x, b.s, &b.o, b.w, &b.run, &err), &err);
    CHECK_INT(b.x.n_points, 0);
    CHECK_INT(b.x.baseline, VERDICT_FAIL);
    CHECK_HAS(b.x.cause, "EXPECT");
    CHECK_INT(explore_verdict(&b.x, 0), VERDICT_FAIL);
    tear_down(&b);
}

static void what_is_labelled_may_fail_without_a_cut(void)
{
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, ", \"breaks\": [\"report-before-verify\"]", ", \"fails\": [\"INT-16\"]", 300);
    REQUIRE_OK(explore_prepare(&b.x, b.s, &b.o, b.w, &b.run, &err), &err);
    CHECK_INT(b.x.n_points, 0);
    CHECK_HAS(b.x.cause, "INT-16");
    CHECK_INT(explore_verdict(&b.x, 0), VERDICT_EXPECTED_FAIL);
    tear_down(&b);
}

static void too_many_points_are_refused(void)
{
    struct bench b;
    struct err err = {.text = ""};
    set_up(&b, "", "", 300);
    lay_out(&b, "nothing");
    b.o.sample = EXPLORE_POINTS_MAX + 1;
    CHECK_ERR(explore_lay_out(&b.x, &b.o, &err), ERR_LIMIT);
    tear_down(&b);
}

/* ---- running ---- */

/* Runs every point and returns the sums. */
static void explore_all(struct bench *b, struct explore_totals *t)
{
    struct explore_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    for (uint32_t i = b->x.n_points; i-- > 0;) { /* the order must not matter */
        run_point(b, i, r);
        CHECK_INT(explore_put(&b->x, i, r), 0);
    }
    free(r);
    explore_sum(&b->x, t);
}

static void the_reference_survives_every_cut(void)
{
    struct bench b;
    struct explore_totals t;
    set_up(&b, "", "", 300);
    lay_out(&b, "all");
    explore_all(&b, &t);
    CHECK_INT(t.done, b.x.n_points);
    CHECK_INT(t.runs, b.x.n_points);
    CHECK_INT(t.counts[EXPLORE_NEW] + t.counts[EXPLORE_OLD], b.x.n_points);
    CHECK_INT(t.failing, 0);
    CHECK_INT(b.x.n_failures, 0);
    CHECK_INT(explore_verdict(&b.x, b.x.n_points), VERDICT_PASS);
    CHECK_INT(explore_verdict(&b.x, b.x.n_points + 1), VERDICT_INCONCLUSIVE);
    tear_down(&b);
}

static const struct zoo_row {
    const char *name, *device, *tears, *id;
    enum explore_outcome outcome;
} zoo_rows[] = {
    {"restore without a backup", ", \"breaks\": [\"boot-skip-backup\"]", "nothing", "PWR-02",
     EXPLORE_BRICKED},
    {"restore without a journal", ", \"breaks\": [\"boot-skip-journal\"]", "nothing", "PWR-02",
     EXPLORE_BRICKED},
    {"download without a journal", ", \"breaks\": [\"no-journal\"]", "nothing", "DWN-08",
     EXPLORE_OTHER},
    {"journal before data", ", \"breaks\": [\"mark-before-write\"]", "nothing", "PWR-04",
     EXPLORE_OTHER},
    {"the vendor's single record", ", \"personality\": \"vendor\"", "scrambled", "PWR-02",
     EXPLORE_BRICKED},
};

static const char *zoo_name(const void *row)
{
    return ((const struct zoo_row *)row)->name;
}

static void a_broken_device_is_found(const void *arg)
{
    const struct zoo_row *row = arg;
    struct bench b;
    struct explore_totals t;
    char label[64];
    (void)snprintf(label, sizeof label, ", \"fails\": [\"%s\"]", row->id);
    set_up(&b, row->device, label, 1200);
    lay_out(&b, row->tears);
    explore_all(&b, &t);
    CHECK(t.counts[row->outcome] > 0);
    CHECK_INT(t.counts[EXPLORE_BENCH_ERROR], 0);
    CHECK_INT(explore_verdict(&b.x, b.x.n_points), VERDICT_EXPECTED_FAIL);
    uint64_t runs = 0;
    for (uint32_t i = 0; i < b.x.n_ids; i++)
        if (strcmp(b.x.ids[i].id, row->id) == 0)
            runs = b.x.ids[i].runs;
    CHECK(runs > 0 && runs <= t.failing);
    CHECK_INT(b.x.n_failures, t.failing);
    for (uint32_t i = 1; i < b.x.n_failures; i++)
        CHECK(b.x.failures[i - 1].point < b.x.failures[i].point);
    b.x.n_fails = 0; /* without the label the same exploration fails */
    CHECK_INT(explore_verdict(&b.x, b.x.n_points), VERDICT_FAIL);
    tear_down(&b);
}

/* The token of a failing point repeats it in a plain run. */
static void a_failure_repeats_from_its_token(void)
{
    struct bench b;
    struct explore_totals t;
    struct token token;
    struct err err = {.text = ""};
    char text[TOKEN_MAX];
    set_up(&b, ", \"breaks\": [\"boot-skip-backup\"]", "", 300);
    lay_out(&b, "scrambled");
    explore_all(&b, &t);
    REQUIRE(b.x.n_failures > 0);
    const struct explore_failure *f = &b.x.failures[b.x.n_failures - 1];
    explore_token(&b.x, f->cuts, f->n_cuts, text);
    REQUIRE_OK(token_parse(&token, text, &err), &err);
    struct run_options o = b.run;
    struct run_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    o.seed = token.seed;
    memcpy(o.cuts, token.cuts, sizeof o.cuts);
    o.n_cuts = token.n_cuts;
    world_run(b.w, b.s, &o, r);
    CHECK_INT(r->verdict, VERDICT_FAIL);
    uint32_t same = 0;
    for (uint32_t i = 0; i < r->n_checks; i++)
        for (uint32_t k = 0; k < f->n_ids; k++)
            same += r->checks[i].verdict == VERDICT_FAIL && strcmp(r->checks[i].id, f->ids[k]) == 0;
    CHECK_INT(same, f->n_ids);
    CHECK_STR(r->token, text);
    free(r);
    tear_down(&b);
}

/* A fault of the scenario and a cut right behind it: what the fault spoilt is not the cut's doing.
 */
static const struct innocent_row {
    const char *name;
    uint64_t from, to;
    enum nor_tear tear;
} innocent_rows[] = {
    {"a-range-that-is-refused-leads-to-one-fresh-start", 82, 86, TEAR_DONE},
    {"a-wrong-bit-at-any-border-of-a-download-reply-is-caught", 268, 273, TEAR_NOTHING},
    {"a-wrong-digest-announced-is-never-accepted", 8, 12, TEAR_NOTHING},
    {"another-package-offered-while-one-is-pending-replaces-it", 29, 33, TEAR_ALL_BUT_LAST},
};

static const char *innocent_name(const void *row)
{
    return ((const struct innocent_row *)row)->name;
}

static void a_cut_is_not_blamed_for_a_fault(const void *arg)
{
    const struct innocent_row *row = arg;
    struct bench b;
    struct err err = {.text = ""};
    char path[256];
    set_up(&b, "", "", 300);
    (void)snprintf(path, sizeof path, "scenarios/library/cms/%s.json", row->name);
    REQUIRE_OK(scenario_load(b.s, path, &err), &err);
    struct run_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    for (uint64_t op = row->from; op <= row->to; op++) {
        struct run_options o = b.run;
        o.cuts[0] = (struct run_cut){.op = op, .tear = row->tear};
        o.n_cuts = 1;
        world_run(b.w, b.s, &o, r);
        CHECK_STR(r->cause, "");
        for (uint32_t i = 0; i < r->n_checks; i++)
            if (r->checks[i].verdict != VERDICT_PASS)
                CHECK_STR(r->checks[i].detail, r->checks[i].id);
        CHECK_INT(r->verdict, VERDICT_PASS);
    }
    free(r);
    tear_down(&b);
}

/* ---- several cuts ---- */

/* How many runs there are below a cut, counted the plain way: one tear, so every operation behind
 * the cut is one more sequence. */
static uint64_t runs_below(struct bench *b, const struct run_cut *first)
{
    struct run_options o = b->run;
    struct run_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    o.cuts[0] = *first;
    o.n_cuts = 1;
    world_run(b->w, b->s, &o, r);
    uint64_t n = r->main_ops - first->op;
    free(r);
    return n;
}

static void depth_two_cuts_every_operation_of_the_recovery(void)
{
    struct bench b;
    struct explore_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    set_up(&b, "", "", 300);
    b.o.depth = 2;
    lay_out(&b, "nothing");
    for (uint32_t i = b.x.n_points - 4; i < b.x.n_points; i++) {
        run_point(&b, i, r);
        uint64_t runs = 0;
        for (int o = 0; o < EXPLORE_OUTCOMES; o++)
            runs += r->point.counts[o];
        CHECK_INT(runs, 1 + runs_below(&b, &b.x.points[i].cuts[0]));
        CHECK_INT(r->n_failures, 0);
        CHECK_INT(r->point.outcome, EXPLORE_NEW);
        CHECK_INT(r->point.n_cuts, 1);
    }
    free(r);
    tear_down(&b);
}

/* Without a backup a cut amid the rewriting bricks alone; a harmless one before it does with a
 * second cut. */
static void a_failing_sequence_is_not_made_longer(void)
{
    struct bench b;
    struct explore_result *r = calloc(1, sizeof *r);
    REQUIRE(r != NULL);
    set_up(&b, ", \"breaks\": [\"boot-skip-backup\"]", "", 300);
    b.o.depth = 2;
    lay_out(&b, "nothing");
    bool alone = false, second = false;
    for (uint32_t i = 0; i < b.x.n_points && !(alone && second); i++) {
        if (b.x.ops[i].phase != RUN_AT_RESTORE)
            continue;
        run_point(&b, i, r);
        if (r->point.outcome == EXPLORE_BRICKED) {
            CHECK_INT(r->n_failures, 1);
            CHECK_INT(r->failures[0].n_cuts, 1);
            alone = true;
        } else if (r->n_failures > 0) {
            CHECK_INT(r->failures[0].n_cuts, 2);
            CHECK(r->failures[0].cuts[1].op > r->failures[0].cuts[0].op);
            second = true;
        }
    }
    CHECK(alone);
    CHECK(second);
    free(r);
    tear_down(&b);
}

static void a_sample_repeats_itself(void)
{
    struct bench b;
    struct explore_result *r = calloc(2, sizeof *r);
    REQUIRE(r != NULL);
    set_up(&b, "", "", 300);
    b.o.depth = 3;
    b.o.sample = 12;
    b.o.sample_seed = 5;
    lay_out(&b, "all");
    CHECK_INT(b.x.n_points, 12);
    uint32_t longest = 0, differ = 0;
    for (uint32_t i = 0; i < b.x.n_points; i++) {
        run_point(&b, i, &r[0]);
        run_point(&b, i, &r[1]);
        CHECK_MEM(&r[0], &r[1], sizeof r[0]);
        uint64_t runs = 0;
        for (int o = 0; o < EXPLORE_OUTCOMES; o++)
            runs += r[0].point.counts[o];
        CHECK_INT(runs, r[0].point.n_cuts);
        for (uint32_t k = 1; k < r[0].point.n_cuts; k++)
            CHECK(r[0].point.cuts[k].op > r[0].point.cuts[k - 1].op);
        longest = r[0].point.n_cuts > longest ? r[0].point.n_cuts : longest;
        differ += i > 0 && r[0].point.cuts[0].op != b.x.points[i - 1].cuts[0].op;
        CHECK_INT(explore_put(&b.x, i, &r[0]), 0);
    }
    CHECK_INT(longest, 3);
    CHECK(differ > 0);
    free(r);
    tear_down(&b);
}

/* Kept failures are the first by number, whatever order they come in. */
static void the_first_failures_are_kept(void)
{
    struct exploration x = {.n_ops = 0};
    for (uint32_t i = 0; i < EXPLORE_FAILURES_MAX + 50; i++) {
        struct explore_failure f = {.point = (i * 7919) % (EXPLORE_FAILURES_MAX + 50), .n_cuts = 1};
        CHECK_INT(explore_put_failure(&x, &f), 0);
    }
    CHECK_INT(x.n_failures, EXPLORE_FAILURES_MAX);
    for (uint32_t i = 0; i < x.n_failures; i++)
        CHECK_INT(x.failures[i].point, i);
    explore_free(&x);
}

static const struct test tests[] = {
    TEST_ROWS("tears that leave the same", tears_that_leave_the_same, same_rows, same_name),
    {"tears are named", tears_are_named},
    {"points are numbered by operation and tear", points_are_numbered_by_operation_and_tear},
    {"each border is a point", each_border_is_a_point},
    {"operations know their phase", operations_know_their_phase},
    {"what fails without a cut is not explored", what_fails_without_a_cut_is_not_explored},
    {"what is labelled may fail without a cut", what_is_labelled_may_fail_without_a_cut},
    {"too many points are refused", too_many_points_are_refused},
    {"the reference survives every cut", the_reference_survives_every_cut},
    TEST_ROWS("a broken device is found", a_broken_device_is_found, zoo_rows, zoo_name),
    {"a failure repeats from its token", a_failure_repeats_from_its_token},
    TEST_ROWS("a cut is not blamed for a fault", a_cut_is_not_blamed_for_a_fault, innocent_rows,
              innocent_name),
    {"depth two cuts every operation of the recovery",
     depth_two_cuts_every_operation_of_the_recovery},
    {"a failing sequence is not made longer", a_failing_sequence_is_not_made_longer},
    {"a sample repeats itself", a_sample_repeats_itself},
    {"the first failures are kept", the_first_failures_are_kept},
};
TEST_MAIN("explore", tests)
