#include "scenarios/cli/explore_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/cli/cli.h"

#define OPS 7u

/* An exploration whose results follow from the point number, so that any subset can be made. */
static void fill_scenario(struct exploration *x, const struct explore_options *o, const char *name)
{
    struct err err = {.text = ""};
    memset(x, 0, sizeof *x);
    (void)snprintf(x->name, sizeof x->name, "%s", name);
    (void)snprintf(x->path, sizeof x->path, "scenarios/library/%s.json", name);
    (void)snprintf(x->old_version, sizeof x->old_version, "1.0");
    (void)snprintf(x->new_version, sizeof x->new_version, "1.1 </script>");
    (void)snprintf(x->trace_sha256, sizeof x->trace_sha256, "%064d", 7);
    x->seed = 0xfedcba9876543210u;
    x->geometry = (struct nor_geometry){
        .size_bytes = 65536, .erase_bytes = 4096, .page_bytes = 256, .granule_bytes = 1};
    x->partitions = (struct partition_table){
        .part = {{"app", 0, 32768}, {"download", 32768, 16384}}, .count = 2};
    x->ops = calloc(OPS, sizeof *x->ops);
    REQUIRE(x->ops != NULL);
    x->n_ops = OPS;
    for (uint32_t i = 0; i < OPS; i++)
        x->ops[i] = (struct run_op){.kind = i % 3 == 0 ? NOR_OP_ERASE : NOR_OP_PROGRAM,
                                    .addr = i * 4096,
                                    .len_bytes = i % 3 == 0 ? 4096 : 256,
                                    .phase = (enum run_phase)(i % RUN_PHASES)};
    x->messages = calloc(2, sizeof *x->messages);
    x->borders = calloc(2, sizeof *x->borders);
    REQUIRE(x->messages != NULL && x->borders != NULL);
    x->n_messages = x->n_borders = 2;
    for (uint32_t i = 0; i < 2; i++) {
        x->messages[i] = (struct run_message){
            .reply = i == 1, .about = RQ_CHECK, .ops = i, .phase = RUN_AT_PREPARE};
        x->borders[i] = (struct run_border){.connection = 3,
                                            .dir = i == 0 ? LINK_UP : LINK_DOWN,
                                            .byte = 120 * i,
                                            .place = i == 0 ? PLACE_FIRST : PLACE_BORDER,
                                            .about = RQ_DOWNLOAD,
                                            .ops = i,
                                            .messages = i,
                                            .phase = RUN_AT_SEGMENTS};
    }
    REQUIRE_OK(explore_lay_out(x, o, &err), &err);
}

static void make_result(const struct exploration *x, uint32_t i, struct explore_result *r)
{
    memset(r, 0, sizeof *r);
    r->point = x->points[i];
    r->flash_ops = 1000 + i;
    r->point.outcome = i % 5 == 4 ? EXPLORE_BRICKED : i % 2 == 0 ? EXPLORE_NEW : EXPLORE_OLD;
    r->point.counts[r->point.outcome] = 1;
    r->point.counts[EXPLORE_NEW] += i % 4;
    if (r->point.outcome != EXPLORE_BRICKED)
        return;
    struct explore_failure *f = &r->failures[r->n_failures++];
    *f = (struct explore_failure){.point = i, .n_cuts = 2, .outcome = EXPLORE_BRICKED, .n_ids = 2};
    f->cuts[0] = r->point.cuts[0];
    f->cuts[1] = (struct run_cut){.op = 100 + i, .tear = TEAR_PREFIX, .arg = i};
    if (i % 2 == 0)
        f->cuts[1] = (struct run_cut){.kind = CUT_NETWORK,
                                      .connection = 9,
                                      .dir = LINK_DOWN,
                                      .byte = i,
                                      .action = LINK_STALL};
    memcpy(f->ids[0], "PWR-02", 7);
    memcpy(f->ids[1], i % 2 == 0 ? "BOT-01" : "RPT-02", 7);
    (void)snprintf(f->detail, sizeof f->detail, "because of \"%u\" <b>", i);
    for (uint32_t k = 0; k < 2; k++) {
        memcpy(r->ids[k].id, f->ids[k], sizeof r->ids[k].id);
        r->ids[k].runs = 1;
    }
    r->n_ids = 2;
}

/* The report of one shard, with the results of the first `most` of its points. */
static void make_report(struct explore_report *r, uint32_t shard, uint32_t shards, uint64_t most)
{
    static const char *const names[] = {"cms/first", "second"};
    struct explore_result *result = calloc(1, sizeof *result);
    REQUIRE(result != NULL);
    *r = (struct explore_report){.shard = shard, .shards = shards, .count = 2};
    explore_options_default(&r->options);
    r->options.depth = 2;
    r->options.kinds |= EXPLORE_NETWORK;
    r->scenarios = calloc(2, sizeof *r->scenarios);
    REQUIRE(r->scenarios != NULL);
    for (uint32_t s = 0; s < 2; s++)
        fill_scenario(&r->scenarios[s], &r->options, names[s]);
    uint64_t done = 0, mine = 0;
    for (uint32_t s = 2; s-- > 0;) /* backwards: the order must not matter */
        for (uint32_t i = r->scenarios[s].n_points; i-- > 0;) {
            if (!explore_report_mine(r, explore_report_first(r, s) + i))
                continue;
            mine++;
            if (done == most)
                continue;
            make_result(&r->scenarios[s], i, result);
            CHECK_INT(explore_put(&r->scenarios[s], i, result), 0);
            done++;
        }
    CHECK_INT(mine, explore_report_share(r, 0) + explore_report_share(r, 1));
    r->complete = done == mine;
    free(result);
}

static void json_of(struct explore_report *r, struct buf *b)
{
    buf_init(b, EXPLORE_REPORT_BYTES_MAX);
    CHECK_INT(explore_json_put(b, r), 0);
    REQUIRE(b->data != NULL);
}

static void check_same(const struct buf *got, const struct buf *want)
{
    CHECK_INT(got->len_bytes, want->len_bytes);
    CHECK(got->len_bytes == want->len_bytes && memcmp(got->data, want->data, got->len_bytes) == 0);
}

/* ---- tests ---- */

static void json_is_read_back_as_it_was(void)
{
    struct explore_report r, again;
    struct buf a, b;
    struct err err = {.text = ""};
    make_report(&r, 1, 1, UINT64_MAX);
    json_of(&r, &a);
    REQUIRE_OK(explore_json_read(&again, (const char *)a.data, a.len_bytes, &err), &err);
    json_of(&again, &b);
    check_same(&b, &a);
    CHECK_INT(explore_report_exit_code(&again), EXIT_FAILED);
    CHECK_STR(again.scenarios[0].new_version, "1.1 </script>");
    buf_free(&a);
    buf_free(&b);
    explore_report_free(&r);
    explore_report_free(&again);
}

static void shards_have_every_point_once(void)
{
    struct explore_report r;
    for (uint32_t shards = 1; shards < 9; shards++) {
        uint64_t sum = 0;
        for (uint32_t i = 1; i <= shards; i++) {
            make_report(&r, i, shards, 0);
            sum += explore_report_share(&r, 0) + explore_report_share(&r, 1);
            explore_report_free(&r);
        }
        make_report(&r, 1, 1, 0);
        CHECK_INT(sum, explore_report_points(&r));
        explore_report_free(&r);
    }
}

/* Through JSON, as merge does it, in an order of its own. */
static void merged_shards_are_the_whole(void)
{
    struct explore_report whole, all, part;
    struct buf want, got, json;
    struct err err = {.text = ""};
    make_report(&whole, 1, 1, UINT64_MAX);
    json_of(&whole, &want);
    static const uint32_t order[] = {3, 1, 4, 2};
    for (uint32_t i = 0; i < 4; i++) {
        struct explore_report shard;
        make_report(&shard, order[i], 4, UINT64_MAX);
        json_of(&shard, &json);
        REQUIRE_OK(
            explore_json_read(i == 0 ? &all : &part, (const char *)json.data, json.len_bytes, &err),
            &err);
        if (i > 0)
            REQUIRE_OK(explore_report_merge(&all, &part, &err), &err);
        buf_free(&json);
        explore_report_free(&shard);
    }
    explore_report_whole(&all);
    CHECK(all.complete);
    json_of(&all, &got);
    check_same(&got, &want);
    buf_clear(&got);
    buf_clear(&want);
    CHECK_INT(explore_html_put(&got, &all), 0);
    CHECK_INT(explore_html_put(&want, &whole), 0);
    check_same(&got, &want);
    buf_free(&got);
    buf_free(&want);
    explore_report_free(&whole);
    explore_report_free(&all);
}

static void a_missing_shard_is_told(void)
{
    struct explore_report a, b;
    struct err err = {.text = ""};
    make_report(&a, 1, 3, UINT64_MAX);
    make_report(&b, 3, 3, UINT64_MAX);
    REQUIRE_OK(explore_report_merge(&a, &b, &err), &err);
    explore_report_whole(&a);
    CHECK(!a.complete);
    CHECK_INT(explore_report_exit_code(&a), EXIT_INCONCLUSIVE);
    explore_report_free(&a);
}

static void an_interrupted_report_is_valid(void)
{
    struct explore_report r, again;
    struct buf a;
    struct err err = {.text = ""};
    make_report(&r, 1, 1, 3);
    CHECK(!r.complete);
    CHECK_INT(explore_report_exit_code(&r), EXIT_INCONCLUSIVE);
    json_of(&r, &a);
    REQUIRE_OK(explore_json_read(&again, (const char *)a.data, a.len_bytes, &err), &err);
    CHECK(!again.complete);
    buf_clear(&a);
    CHECK_INT(explore_html_put(&a, &again), 0);
    CHECK_HAS((const char *)a.data, "Incomplete");
    CHECK_INT(explore_text_put(&a, &again, 5, false), 0);
    CHECK_HAS((const char *)a.data, "only 3 done");
    buf_free(&a);
    explore_report_free(&r);
    explore_report_free(&again);
}

static const struct refuse_row {
    const char *name, *says;
    int change;
} refuse_rows[] = {
    {"the same shard twice", "in two parts", 0},
    {"another depth", "another depth, tears or sample", 1},
    {"other tears", "another depth, tears or sample", 2},
    {"another trace", "differs", 3},
    {"other operations", "differs", 4},
    {"fewer scenarios", "1 scenarios instead of 2", 5},
};

static const char *refuse_name(const void *row)
{
    return ((const struct refuse_row *)row)->name;
}

static void what_does_not_belong_is_not_merged(const void *arg)
{
    const struct refuse_row *row = arg;
    struct explore_report a, b;
    struct err err = {.text = ""};
    make_report(&a, 1, 2, UINT64_MAX);
    make_report(&b, row->change == 0 ? 1 : 2, 2, UINT64_MAX);
    if (row->change == 1)
        b.options.depth = 3;
    if (row->change == 2)
        b.options.tears[1].arg = 9;
    if (row->change == 3)
        b.scenarios[1].trace_sha256[0] = 'f';
    if (row->change == 4)
        b.scenarios[0].ops[2].addr += 4096;
    if (row->change == 5)
        explore_free(&b.scenarios[--b.count]);
    CHECK_ERR(explore_report_merge(&a, &b, &err), ERR_ARG);
    CHECK_HAS(err.text, row->says);
    explore_report_free(&a);
    explore_report_free(&b);
}

/* One text of a good report replaced by another. */
static const struct bad_row {
    const char *name, *from, *to, *says;
} bad_rows[] = {
    {"another report", "\"report\":\"explore\"", "\"report\":\"run\"", "no report of otabench"},
    {"a shard beyond", "\"shard\":1", "\"shard\":2", "$.shard"},
    {"no shards", "\"shards\":1", "\"shards\":0", "$.shards"},
    {"an unknown tear", "\"weak\",0]", "\"week\",0]", "is no tear"},
    {"no tears", "\"tears\":[[", "\"tears\":[],\"other\":[[", "needs a tear"},
    {"a seed that is none", "\"0x1\"", "\"0xg\"", "16 digits"},
    {"a point beyond", "{\"point\":3,", "{\"point\":3000,", "$.scenarios[0].points[3].point"},
    {"a point twice", "{\"point\":3,", "{\"point\":2,", "is listed twice"},
    {"another cut", "\"cuts\":[[1,\"nothing\",0]]", "\"cuts\":[[2,\"nothing\",0]]",
     "is not the cut of that number"},
    {"a cut beyond", "\"cuts\":[[1,\"nothing\",0]]", "\"cuts\":[[8,\"nothing\",0]]",
     "must be a cut of this run"},
    {"a cut at zero", "\"cuts\":[[1,\"nothing\",0]]", "\"cuts\":[[0,\"nothing\",0]]", "must rise"},
    {"no cut", "\"cuts\":[[1,\"nothing\",0]]", "\"cuts\":[]", "needs a cut"},
    {"an unknown outcome", "\"outcome\":\"kept-old\"", "\"outcome\":\"fine\"", "is no outcome"},
    {"half a run", "\"kept-old\":1}", "\"kept-old\":0.5}", "whole number in range"},
    {"an unknown phase", ",\"segments\"]", ",\"lunch\"]", "is no phase"},
    {"an unknown kind", "\"kinds\":[\"flash\"", "\"kinds\":[\"sector\"", "is none of flash"},
    {"an unknown message", "[\"reply\",", "[\"answer\",", "is no request or reply"},
    {"a message of nothing", ",\"check\",", ",\"chess\",", "is no kind of request"},
    {"an unknown direction", "[3,\"up\",", "[3,\"left\",", "is neither up nor down"},
    {"an unknown place", "\"begin of body\"", "\"end\"", "is no place in a message"},
    {"an unknown way", ",\"reset\"]", ",\"boom\"]", "is no way to lose it"},
    {"a message beyond", "[\"message\",2]", "[\"message\",3]", "must be a cut of this run"},
    {"a cut of nothing", "[\"message\",2]", "[\"massage\",2]", "is no cut"},
    {"an unknown operation", "[\"program\",", "[\"read\",", "is no program or erase"},
    {"an operation outside", "[\"program\",4096,256", "[\"program\",65536,256", "in range"},
    {"an unknown requirement", "\"ids\":[\"PWR-02\"", "\"ids\":[\"PWR-99\"", "is no requirement"},
    {"a partition outside", "\"offset\":32768", "\"offset\":65000", "size_bytes"},
    {"an erase unit of nothing", "\"erase_bytes\":4096", "\"erase_bytes\":0", "erase_bytes"},
    {"no end", "\"exit_code\":1}", "\"exit_code\":1", ":"},
};

static const char *bad_name(const void *row)
{
    return ((const struct bad_row *)row)->name;
}

static void a_bad_report_is_refused(const void *arg)
{
    const struct bad_row *row = arg;
    struct explore_report r, again;
    struct buf a, b;
    struct err err = {.text = ""};
    make_report(&r, 1, 1, UINT64_MAX);
    json_of(&r, &a);
    const char *text = (const char *)a.data;
    const char *at = strstr(text, row->from);
    REQUIRE(at != NULL);
    buf_init(&b, EXPLORE_REPORT_BYTES_MAX);
    CHECK_INT(buf_append(&b, text, (size_t)(at - text)), 0);
    CHECK_INT(buf_text(&b, row->to), 0);
    CHECK_INT(buf_text(&b, at + strlen(row->from)), 0);
    CHECK(explore_json_read(&again, (const char *)b.data, b.len_bytes, &err) != 0);
    CHECK_HAS(err.text, row->says);
    CHECK(again.scenarios == NULL);
    buf_free(&a);
    buf_free(&b);
    explore_report_free(&r);
}

static void the_page_fetches_nothing_and_quotes_everything(void)
{
    struct explore_report r;
    struct buf b;
    make_report(&r, 1, 1, UINT64_MAX);
    buf_init(&b, EXPLORE_REPORT_BYTES_MAX);
    CHECK_INT(explore_html_put(&b, &r), 0);
    const char *page = (const char *)b.data;
    CHECK(strstr(page, "src=") == NULL && strstr(page, "url(") == NULL);
    for (const char *at = page; (at = strstr(at, "href=")) != NULL; at++)
        CHECK(strncmp(at, "href=\"#", 7) == 0); /* within the page */
    CHECK(strstr(page, "http") == NULL);
    CHECK(strstr(page, "<b>\"") == NULL && strstr(page, "1.1 </script>") == NULL);
    CHECK_HAS(page, "1.1 &lt;/script&gt;");
    CHECK_HAS(page, "otabench replay &apos;cms/first#fedcba9876543210@");
    CHECK_HAS(page, "class=\"o7\"");
    buf_free(&b);
    explore_report_free(&r);
}

static void rows_add_up(void)
{
    struct explore_report r;
    struct explore_table table;
    const struct explore_row *row;
    char name[EXPLORE_TEAR_NAME_MAX];
    make_report(&r, 1, 1, UINT64_MAX);
    for (uint32_t s = 0; s < r.count; s++) {
        const struct exploration *x = &r.scenarios[s];
        struct explore_totals t;
        struct explore_row sum[2] = {{.points = 0}, {.points = 0}};
        explore_sum(x, &t);
        explore_rows(x, &r.options, &table);
        uint32_t rows = 0;
        for (; explore_row_at(&table, &r.options, rows, name, &row); rows++) {
            sum[0].points += row->points;
            sum[0].runs += row->runs;
            sum[0].failing += row->failing;
        }
        CHECK_INT(rows, r.options.n_tears + 1 + EXPLORE_WAYS);
        CHECK_INT(table.messages.points, 2);
        for (uint32_t i = 0; i < EXPLORE_WAYS; i++)
            CHECK_INT(table.ways[i].points, 2);
        for (uint32_t i = 0; i < RUN_PHASES; i++) {
            sum[1].points += table.phases[i].points;
            sum[1].runs += table.phases[i].runs;
            sum[1].failing += table.phases[i].failing;
        }
        for (int i = 0; i < 2; i++) {
            CHECK_INT(sum[i].points, x->n_points);
            CHECK_INT(sum[i].runs, t.runs);
            CHECK_INT(sum[i].failing, t.failing);
        }
        uint32_t alike = 0;
        for (uint32_t i = 0; i < x->n_failures; i++)
            alike += explore_alike(x, i);
        CHECK_INT(alike, x->n_failures);
        CHECK(explore_alike(x, 0) > 1);
    }
    explore_report_free(&r);
}

static const struct test tests[] = {
    {"json is read back as it was", json_is_read_back_as_it_was},
    {"shards have every point once", shards_have_every_point_once},
    {"merged shards are the whole", merged_shards_are_the_whole},
    {"a missing shard is told", a_missing_shard_is_told},
    {"an interrupted report is valid", an_interrupted_report_is_valid},
    TEST_ROWS("what does not belong is not merged", what_does_not_belong_is_not_merged, refuse_rows,
              refuse_name),
    TEST_ROWS("a bad report is refused", a_bad_report_is_refused, bad_rows, bad_name),
    {"the page fetches nothing and quotes everything",
     the_page_fetches_nothing_and_quotes_everything},
    {"rows add up", rows_add_up},
};
TEST_MAIN("explore report", tests)
