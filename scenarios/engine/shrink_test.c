#include "scenarios/engine/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/scenario_document.h"

#define AGAIN_FROM 6    /* the first row that is shrunk twice; those before take longer */
#define SEARCH_OPS 400u /* in which a row's failing cut must lie */

#define SMALL                                                                                      \
    "\"app_bytes\": \"0x8000\", \"download_bytes\": \"0x10000\", \"user_bytes\": 4096, "           \
    "\"compare_block_kib\": 4, \"rounds\": 2, \"tries\": 2, \"check_interval_ms\": 1000"
#define IMAGES                                                                                     \
    "\"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 1500}}]}, "     \
    "{\"version\": \"1.1\", \"images\": [{\"edit\": {\"grow_bytes\": 120}}]}]"
#define THREE_FILES ", \"files\": [{\"name\": \"a\"}, {\"name\": \"b\"}, {\"name\": \"c\"}]"
#define THREE_IMAGES                                                                               \
    "\"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 900}}, "        \
    "{\"generate\": {\"bytes\": 700}}, {\"generate\": {\"bytes\": 300}}]}, {\"version\": "         \
    "\"1.1\"}]"
/* What has nothing to do with any failure. */
#define NOISE                                                                                      \
    ", \"network\": {\"profile\": \"lan\", \"faults\": [{\"when\": {\"at_ms\": 5}, "               \
    "\"do\": \"outage\", \"for_ms\": 700}]}, \"flash\": [{\"fail\": \"read\", "                    \
    "\"address\": \"0x100000\"}]"

static const struct row {
    const char *name;
    const char *device, *rest; /* members of "device" and of the document */
    const char *id;            /* requirement */
    uint32_t cuts;             /* the token's: the last one searched for, those before harmless */
    enum nor_tear tear;
    uint32_t faults, files; /* of the smallest */
} rows[] = {
    {"no backup", SMALL ", \"breaks\": [\"boot-skip-backup\"]", IMAGES NOISE, "PWR-02", 1,
     TEAR_SCRAMBLED, 1, 1},
    {"no backup, two cuts too many", SMALL ", \"breaks\": [\"boot-skip-backup\"]", IMAGES NOISE,
     "PWR-02", 3, TEAR_WEAK, 1, 1},
    {"no backup, three files", SMALL THREE_FILES ", \"breaks\": [\"boot-skip-backup\"]",
     THREE_IMAGES, "BOT-01", 1, TEAR_HALF_ERASED, 1, 1},
    {"no restore journal", SMALL ", \"breaks\": [\"boot-skip-journal\"]", IMAGES NOISE, "BOT-01", 1,
     TEAR_DONE, 1, 1},
    {"a torn operation", SMALL ", \"breaks\": [\"boot-skip-journal\"]", IMAGES NOISE, "PWR-03", 1,
     TEAR_SCRAMBLED, 1, 1},
    {"the vendor's record", SMALL ", \"personality\": \"vendor\"", IMAGES NOISE, "PWR-02", 1,
     TEAR_SCRAMBLED, 1, 1},
    /* from here on: AGAIN_FROM */
    {"no download journal", SMALL ", \"breaks\": [\"no-journal\"]", IMAGES NOISE, "DWN-08", 2,
     TEAR_NOTHING, 1, 1},
    {"journal before data, by an event", SMALL ", \"breaks\": [\"mark-before-write\"]",
     IMAGES NOISE
     ", \"power\": [{\"when\": {\"event\": \"device/segment\", \"where\": {\"number\": 2}, "
     "\"plus_ops\": 2}, \"tear\": \"prefix\", \"tear_bytes\": 40, \"off_ms\": 9000}]",
     "DWN-08", 0, TEAR_NOTHING, 1, 1},
    {"no digest", SMALL ", \"breaks\": [\"skip-digest\"]",
     IMAGES NOISE ", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"delay\", "
                  "\"for_ms\": 100}, {\"on\": \"download\", \"do\": \"corrupt\", \"bytes\": 20}]}",
     "DWN-01", 0, TEAR_NOTHING, 1, 1},
    {"an expectation", SMALL,
     IMAGES NOISE ", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"code\", "
                  "\"code\": 1005, \"count\": 0}]}, \"expect\": {\"version\": \"1.1\"}",
     "EXPECT", 0, TEAR_NOTHING, 1, 1},
};

static const char *row_name(const void *row)
{
    return ((const struct row *)row)->name;
}

struct bench {
    struct world *w;
    struct scenario *s, *again;
    struct run_result *r;
    struct run_options run;
    struct buf document;
    char cache[TEST_PATH_MAX];
};

static void set_up(struct bench *b, const char *device, const char *rest)
{
    char text[3000];
    struct err err = {.text = ""};
    memset(b, 0, sizeof *b);
    int len = snprintf(text, sizeof text,
                       "{\"otabench\": 1, \"text\": \"t\", \"device\": {%s}, %s}", device, rest);
    REQUIRE(len > 0 && (size_t)len < sizeof text);
    test_tmpdir(b->cache);
    b->run.cache_dir = b->cache;
    b->w = world_new(&err);
    b->s = calloc(1, sizeof *b->s);
    b->again = calloc(1, sizeof *b->again);
    b->r = calloc(1, sizeof *b->r);
    REQUIRE(b->w != NULL && b->s != NULL && b->again != NULL && b->r != NULL);
    buf_init(&b->document, DOCUMENT_BYTES_MAX);
    REQUIRE_OK(scenario_parse(b->s, text, (size_t)len, "cms/tiny", &err), &err);
}

static void tear_down(struct bench *b)
{
    world_free(b->w);
    free(b->s);
    free(b->again);
    free(b->r);
    buf_free(&b->document);
}

/* Cuts 3, 4, ... and then the first operation that breaks the requirement. */
static void find_cuts(struct bench *b, const struct row *row)
{
    for (uint32_t i = 0; i + 1 < row->cuts; i++)
        b->run.cuts[i] = (struct run_cut){.op = 3 + i, .tear = TEAR_NOTHING};
    b->run.n_cuts = row->cuts;
    b->run.seed = 0x5eed;
    for (uint64_t op = 2 + row->cuts; row->cuts > 0 && op < SEARCH_OPS; op++) {
        b->run.cuts[row->cuts - 1] = (struct run_cut){.op = op, .tear = row->tear};
        world_run(b->w, b->s, &b->run, b->r);
        if (shrink_failing(b->r, row->id) != NULL)
            return;
    }
    REQUIRE(row->cuts == 0);
}

static bool still_fails(struct bench *b, const char *id)
{
    struct err err = {.text = ""};
    const struct run_options plain = {.cache_dir = b->cache};
    const char *text = (const char *)b->document.data;
    REQUIRE_OK(scenario_parse(b->again, text, b->document.len_bytes, "again", &err), &err);
    world_run(b->w, b->again, &plain, b->r);
    return shrink_failing(b->r, id) != NULL;
}

static bool fails_now(struct bench *b, const char *id)
{
    const struct run_options plain = {.cache_dir = b->cache};
    world_run(b->w, b->again, &plain, b->r);
    return shrink_failing(b->r, id) != NULL;
}

/* One operation earlier, or torn in the simplest way, the cut does no harm. */
static void cuts_are_the_simplest(struct bench *b, const char *id)
{
    static const enum nor_tear simple[] = {TEAR_NOTHING, TEAR_DONE, TEAR_PREFIX};
    for (uint32_t i = 0; i < b->again->n_power; i++) {
        struct power_rule *p = &b->again->power[i];
        const struct power_rule was = *p;
        for (size_t k = 0; k < sizeof simple / sizeof simple[0] && simple[k] != was.tear; k++) {
            p->tear = simple[k];
            CHECK(!fails_now(b, id));
        }
        *p = was;
        if (p->when.kind != TRIGGER_OP || p->when.op < 2)
            continue;
        p->when.op--;
        CHECK(!fails_now(b, id));
        *p = was;
    }
}

static void becomes_smaller(const void *arg)
{
    const struct row *row = arg;
    struct bench b;
    struct shrink_result first;
    struct err err = {.text = ""};
    set_up(&b, row->device, row->rest);
    find_cuts(&b, row);
    struct shrink_options o = {.run = &b.run, .requirement = row->id};
    REQUIRE_OK(shrink(b.s, b.w, &o, &first, &b.document, &err), &err);
    CHECK(still_fails(&b, row->id));
    CHECK_STR(first.requirement, row->id);
    CHECK_HAS((const char *)b.document.data, first.token);
    CHECK(!first.exhausted && first.runs <= SHRINK_RUNS_DEFAULT);
    CHECK_INT(first.after.faults, row->faults);
    CHECK_INT(first.after.files, row->files);
    CHECK(first.after.faults < first.before.faults || first.after.files < first.before.files);
    CHECK(first.after.image_bytes < first.before.image_bytes);
    CHECK(first.after.document_bytes < first.before.document_bytes);
    CHECK_INT(first.after.document_bytes, b.document.len_bytes);
    CHECK_INT(b.again->n_power + b.again->n_net + b.again->n_faults + b.again->n_flash,
              row->faults);
    CHECK_INT(b.again->seed, 1);
    CHECK_INT(b.again->device.rounds, 1);
    cuts_are_the_simplest(&b, row->id);
    tear_down(&b);
}

/* The last rows: cuts of a token, a rule for power, one of the cloud's. */
static void again_it_is_the_same(const void *arg)
{
    const struct row *row = arg;
    struct bench b;
    struct shrink_result first, second;
    struct err err = {.text = ""};
    struct buf same;
    buf_init(&same, DOCUMENT_BYTES_MAX);
    set_up(&b, row->device, row->rest);
    find_cuts(&b, row);
    struct shrink_options o = {.run = &b.run, .requirement = row->id};
    REQUIRE_OK(shrink(b.s, b.w, &o, &first, &b.document, &err), &err);
    REQUIRE_OK(shrink(b.s, b.w, &o, &second, &same, &err), &err);
    CHECK(first.steps > 0);
    CHECK_INT(second.runs, first.runs);
    CHECK_STR((const char *)same.data, (const char *)b.document.data);
    buf_free(&same);
    tear_down(&b);
}

/* What is as small as it gets stays as it is, but for its text. */
static void the_smallest_stays(void)
{
    const struct row *row = &rows[0];
    struct bench b;
    struct shrink_result r;
    struct err err = {.text = ""};
    set_up(&b, row->device, row->rest);
    find_cuts(&b, row);
    struct shrink_options o = {.run = &b.run, .requirement = row->id};
    REQUIRE_OK(shrink(b.s, b.w, &o, &r, &b.document, &err), &err);
    uint64_t bytes = r.after.image_bytes, ops = r.after.ops;
    CHECK(still_fails(&b, row->id));
    b.run = (struct run_options){.cache_dir = b.cache};
    buf_clear(&b.document);
    REQUIRE_OK(shrink(b.again, b.w, &o, &r, &b.document, &err), &err);
    CHECK_INT(r.steps, 0);
    CHECK_INT(r.after.image_bytes, bytes);
    CHECK_INT(r.after.ops, ops);
    tear_down(&b);
}

static bool count_runs(void *ctx, const struct shrink_progress *p)
{
    uint32_t *last = ctx;
    CHECK_INT(p->runs, *last + 1);
    CHECK(p->runs <= p->runs_max);
    *last = p->runs;
    return true;
}

static bool until_the_seventh(void *ctx, const struct shrink_progress *p)
{
    *(uint32_t *)ctx = p->runs;
    return p->runs < 7;
}

/* As by Ctrl-C: nothing runs any more, and what was found so far is the result. */
static void it_can_be_stopped(void)
{
    const struct row *row = &rows[1];
    struct bench b;
    struct shrink_result r;
    struct err err = {.text = ""};
    uint32_t seen = 0;
    set_up(&b, row->device, row->rest);
    find_cuts(&b, row);
    struct shrink_options o = {
        .run = &b.run, .requirement = row->id, .progress = until_the_seventh, .ctx = &seen};
    buf_clear(&b.document);
    REQUIRE_OK(shrink(b.s, b.w, &o, &r, &b.document, &err), &err);
    CHECK_INT(r.runs, 7);
    CHECK_INT(seen, 7);
    CHECK(r.exhausted);
    CHECK(still_fails(&b, row->id));
    tear_down(&b);
}

/* However few runs there are, what comes out fails. */
static void runs_are_bounded(void)
{
    const struct row *row = &rows[1];
    struct bench b;
    struct shrink_result r;
    struct err err = {.text = ""};
    set_up(&b, row->device, row->rest);
    find_cuts(&b, row);
    for (uint32_t n = 1; n < 20; n += 6) {
        uint32_t seen = 0;
        struct shrink_options o = {.run = &b.run,
                                   .requirement = row->id,
                                   .runs_max = n,
                                   .progress = count_runs,
                                   .ctx = &seen};
        buf_clear(&b.document);
        REQUIRE_OK(shrink(b.s, b.w, &o, &r, &b.document, &err), &err);
        CHECK_INT(r.runs, n);
        CHECK_INT(seen, n);
        CHECK(r.exhausted);
        CHECK(still_fails(&b, row->id));
    }
    tear_down(&b);
}

static void what_does_not_fail_is_refused(void)
{
    struct bench b;
    struct shrink_result r;
    struct err err = {.text = ""};
    set_up(&b, SMALL, IMAGES);
    struct shrink_options o = {.run = &b.run};
    CHECK_ERR(shrink(b.s, b.w, &o, &r, &b.document, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "nothing fails in cms/tiny#1");
    CHECK_INT(b.document.len_bytes, 0);
    tear_down(&b);

    set_up(&b, rows[8].device, rows[8].rest);
    o.requirement = "PWR-02";
    CHECK_ERR(shrink(b.s, b.w, &o, &r, &b.document, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "PWR-02 does not fail");
    CHECK_HAS(err.text, "DWN-01");
    tear_down(&b);
}

/* A scenario of the zoo fails as declared; the label is not part of what is kept. */
static void a_declared_failure_is_shrunk(void)
{
    struct bench b;
    struct shrink_result r;
    struct err err = {.text = ""};
    set_up(&b, SMALL ", \"breaks\": [\"skip-digest\"]",
           IMAGES ", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"corrupt\"}]}, "
                  "\"expect\": {\"fails\": [\"DWN-01\"]}");
    struct shrink_options o = {.run = &b.run, .requirement = "DWN-01", .repeat = "echo it"};
    REQUIRE_OK(shrink(b.s, b.w, &o, &r, &b.document, &err), &err);
    CHECK(still_fails(&b, "DWN-01"));
    CHECK_INT(b.r->verdict, VERDICT_FAIL);
    CHECK_HAS(b.again->text, "DWN-01");
    CHECK_HAS(b.again->text, "Repeat: echo it");
    tear_down(&b);
}

/* ---- documents ---- */

static void a_document_is_its_scenario(void)
{
    struct bench b;
    struct err err = {.text = ""};
    struct buf was, is;
    struct document_place p;
    buf_init(&was, DOCUMENT_BYTES_MAX);
    buf_init(&is, DOCUMENT_BYTES_MAX);
    set_up(&b, rows[7].device, rows[7].rest);
    cJSON *doc = document_of(b.s, &err);
    REQUIRE(doc != NULL);
    CHECK_INT(document_write(doc, &b.document), 0);
    CHECK_HAS((const char *)b.document.data, "\"where\": {\"number\": 2}");
    REQUIRE_OK(document_read(doc, "n", "dir/p.json", b.again, &err), &err);
    CHECK_STR(b.again->name, "n");
    CHECK_STR(b.again->path, "dir/p.json");
    CHECK_INT(scenario_write(b.s, &was), 0);
    CHECK_INT(scenario_write(b.again, &is), 0);
    CHECK_STR((const char *)is.data, (const char *)was.data);
    size_t n = 0, leaves = 0;
    for (; document_at(doc, n, &p); n++) {
        CHECK((p.parent == NULL) == (n == 0));
        leaves += p.node->child == NULL;
    }
    CHECK(n > leaves && leaves > 60);
    CHECK(!document_at(doc, n + 5, &p));
    cJSON_Delete(cJSON_DetachItemFromObjectCaseSensitive(doc, "text"));
    CHECK_ERR(document_read(doc, "n", "p", b.again, &err), ERR_FORMAT);
    cJSON_Delete(doc);
    buf_free(&was);
    buf_free(&is);
    tear_down(&b);
}

static const struct test tests[] = {
    TEST_ROWS("becomes smaller", becomes_smaller, rows, row_name),
    {.name = "again it is the same",
     .row_fn = again_it_is_the_same,
     .rows = &rows[AGAIN_FROM],
     .row_size = sizeof rows[0],
     .row_count = sizeof rows / sizeof rows[0] - AGAIN_FROM,
     .row_name = row_name},
    {"the smallest stays", the_smallest_stays},
    {"runs are bounded", runs_are_bounded},
    {"it can be stopped", it_can_be_stopped},
    {"what does not fail is refused", what_does_not_fail_is_refused},
    {"a declared failure is shrunk", a_declared_failure_is_shrunk},
    {"a document is its scenario", a_document_is_its_scenario},
};

TEST_MAIN("shrink", tests)
