/* Whole runs in virtual time. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/testing/testing.h"
#include "scenarios/engine/run.h"

/* Small images on a small chip: a run takes some hundredths of a second. */
#define DEVICE                                                                                     \
    "\"app_bytes\": \"0x8000\", \"download_bytes\": \"0x10000\", \"user_bytes\": \"0x1000\", "     \
    "\"compare_block_kib\": 4, \"segment_index\": 5, \"rounds\": 2, \"check_interval_ms\": 1000"
#define VERSIONS                                                                                   \
    ", \"versions\": [{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 16384}}]}, "  \
    "{\"version\": \"1.1\", \"images\": [{\"edit\": {\"grow_bytes\": 300}}]}]"
#define SCENARIO(rest)                                                                             \
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {" DEVICE "}" VERSIONS rest "}"

/* What runs need around them. */
struct fixture {
    struct world *w;
    struct scenario *s;
    struct run_result r;
    struct err err;
    char cache[TEST_PATH_MAX];
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    REQUIRE(f != NULL);
    f->s = calloc(1, sizeof *f->s);
    f->w = world_new(&f->err);
    REQUIRE(f->s != NULL && f->w != NULL);
    test_tmpdir(f->cache);
    return f;
}

static void fixture_free(struct fixture *f)
{
    world_free(f->w);
    free(f->s);
    free(f);
}

static const struct run_result *run_with(struct fixture *f, const char *text, struct run_options o)
{
    REQUIRE_OK(scenario_parse(f->s, text, strlen(text), "test", &f->err), &f->err);
    o.cache_dir = f->cache;
    world_run(f->w, f->s, &o, &f->r);
    return &f->r;
}

static const struct run_result *run(struct fixture *f, const char *text)
{
    return run_with(f, text, (struct run_options){.mode = RUN_SIM});
}

static const struct check_result *check_of(const struct run_result *r, const char *id)
{
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (strcmp(r->checks[i].id, id) == 0)
            return &r->checks[i];
    return NULL;
}

static void check_passed(const struct run_result *r)
{
    CHECK_STR(verdict_name(r->verdict), "pass");
    CHECK_STR(r->cause, "");
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].verdict != VERDICT_PASS)
            CHECK_STR(r->checks[i].detail, r->checks[i].id);
}

/* ---- what a good run says ---- */

static void the_least_scenario_passes(void)
{
    struct fixture *f = fixture_new();
    const struct run_result *r = run(f, "{\"otabench\": 1, \"text\": \"t\"}");
    check_passed(r);
    CHECK_STR(r->final_version, "1.1");
    CHECK_STR(r->name, "test");
    CHECK_STR(r->token, "test#1");
    CHECK_INT(r->mode, RUN_SIM);
    CHECK_INT(r->seed, 1);
    CHECK_INT(r->cuts, 0);
    CHECK(r->boots >= 2);
    CHECK(r->main_ops > 0 && r->flash_ops > r->main_ops);
    CHECK(r->requests > 0 && r->bytes_down > 0 && r->virtual_ns > 0);
    CHECK(r->agent_peak_bytes > 0 && r->boot_peak_bytes > 0);
    static const char *const seen[] = {"DWN-01", "INT-01", "BOT-01", "BOT-03", "RPT-02", "RPT-17"};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        CHECK(check_of(r, seen[i]) != NULL);
    CHECK(check_of(r, "PWR-01") == NULL && check_of(r, "NET-06") == NULL);
    fixture_free(f);
}

static void every_chip_is_updated(const void *row)
{
    const char *chip = *(const char *const *)row;
    char text[600];
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"chip\": \"%s\", "
                   "\"segment_index\": 5, \"rounds\": 2}, \"expect\": {\"version\": \"1.1\", "
                   "\"download_status\": [1], \"upgrade_status\": [1]}}",
                   chip);
    struct fixture *f = fixture_new();
    const struct run_result *r = run(f, text);
    check_passed(r);
    CHECK_STR(r->final_version, "1.1");
    CHECK(check_of(r, "EXPECT") != NULL);
    fixture_free(f);
}

static const char *const chips[] = {"spi4k", "spi64k", "internal8"};

static const char *chip_name(const void *row)
{
    return *(const char *const *)row;
}

/* ---- determinism ---- */

static const char rough[] = SCENARIO(
    ", \"network\": {\"profile\": \"gprs\", \"faults\": [{\"when\": {\"event\": "
    "\"device/segment\", \"where\": {\"number\": 2}}, \"do\": \"outage\", \"for_ms\": 9000}]}, "
    "\"power\": [{\"when\": {\"event\": \"boot/restore\", \"nth\": 2, \"plus_ops\": 3}, "
    "\"tear\": \"scrambled\"}]");

/* Runs that leave as much behind as a run can: caps used up, another project, broken flash. */
static const char *const others[] = {
    SCENARIO(", \"cloud\": {\"device_visits_per_day\": 1}"),
    SCENARIO(", \"cloud\": {\"product_id\": \"another\", \"registered\": false, \"faults\": "
             "[{\"on\": \"any\", \"do\": \"status\", \"code\": 500, \"count\": 0}]}"),
    SCENARIO(", \"flash\": [{\"fail\": \"erase\", \"address\": \"0x9000\", \"count\": -1}], "
             "\"network\": {\"faults\": [{\"when\": {\"at_ms\": 0}, \"do\": \"refuse\", "
             "\"for_ms\": 86400000}]}, \"limit_ms\": 60000"),
    SCENARIO(", \"power\": [{\"when\": {\"op\": 5}, \"tear\": \"half-erased\"}]"),
};

static void the_seed_decides_the_trace(void)
{
    struct fixture *f = fixture_new();
    char first[65];
    check_passed(run(f, rough));
    (void)snprintf(first, sizeof first, "%s", f->r.trace_sha256);
    CHECK_INT(strlen(first), 64);
    CHECK_STR(run(f, rough)->trace_sha256, first);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(run(f, others[i])->verdict != VERDICT_ERROR);
        CHECK(strcmp(f->r.trace_sha256, first) != 0);
        CHECK_STR(run(f, rough)->trace_sha256, first);
        check_passed(&f->r);
    }
    struct fixture *g = fixture_new(); /* another world, an empty cache */
    CHECK_STR(run(g, rough)->trace_sha256, first);
    fixture_free(g);
    fixture_free(f);
}

/* The trace but for what the bench itself says, which includes the seed. */
struct listener {
    struct digest all, others;
    size_t lines;
};

static void on_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    struct listener *l = ctx;
    CHECK(t_ns >= 0);
    digest_update(&l->all, line, len_bytes);
    digest_update(&l->all, "\n", 1);
    if (lane != LANE_BENCH)
        digest_update(&l->others, line, len_bytes);
    l->lines++;
}

static void listen_to(struct fixture *f, const char *text, uint64_t seed, char all[65],
                      char rest[65])
{
    struct listener l = {.lines = 0};
    uint8_t raw[SHA256_BYTES];
    REQUIRE(digest_begin(&l.all, DIGEST_SHA256) == 0);
    REQUIRE(digest_begin(&l.others, DIGEST_SHA256) == 0);
    (void)run_with(f, text,
                   (struct run_options){.seed = seed, .sink = {.line = on_line, .ctx = &l}});
    CHECK(l.lines > 100);
    digest_end(&l.all, raw);
    hex_encode(all, raw, sizeof raw);
    digest_end(&l.others, raw);
    hex_encode(rest, raw, sizeof raw);
}

static void another_seed_is_another_run(void)
{
    struct fixture *f = fixture_new();
    char all[2][65];
    char rest[2][65];
    listen_to(f, rough, 0, all[0], rest[0]);
    CHECK_STR(f->r.trace_sha256, all[0]); /* the hash is over the lines as they were told */
    CHECK_INT(f->r.seed, 1);
    listen_to(f, rough, 0x5eed, all[1], rest[1]);
    check_passed(&f->r);
    CHECK_INT(f->r.seed, 0x5eed);
    CHECK_STR(f->r.token, "test#5eed");
    CHECK(strcmp(rest[0], rest[1]) != 0);
    listen_to(f, rough, 1, all[1], rest[1]); /* given, instead of the file's */
    CHECK_STR(all[1], all[0]);
    fixture_free(f);
}

static size_t open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    REQUIRE(d != NULL);
    size_t n = 0;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static void runs_leave_no_files_open(void)
{
    struct fixture *f = fixture_new();
    (void)run(f, rough);
    size_t n = open_files();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        (void)run(f, others[i]);
    CHECK_INT(open_files(), n);
    fixture_free(f);
}

/* ---- faults that never happen ---- */

struct missed {
    const char *name, *text, *cause;
};

static const struct missed misses[] = {
    {"a power cut", SCENARIO(", \"power\": [{\"when\": {\"op\": 1000000}}]"),
     "power cut 1 never happened"},
    {"the second of two cuts",
     SCENARIO(", \"power\": [{\"when\": {\"op\": 3}}, {\"when\": {\"event\": \"boot/bricked\"}}]"),
     "power cut 2 never happened"},
    {"a network fault at an event",
     SCENARIO(", \"network\": {\"faults\": [{\"when\": {\"event\": \"device/segment\", \"where\": "
              "{\"number\": 5000}}, \"do\": \"reset\"}]}"),
     "network event 1 never happened"},
    {"a network fault at a byte",
     SCENARIO(", \"network\": {\"faults\": [{\"when\": {\"connection\": 1, \"byte\": 900000}, "
              "\"do\": \"reset\"}]}"),
     "network event 1 never happened"},
    {"a fault in a reply that is too short",
     SCENARIO(", \"network\": {\"faults\": [{\"when\": {\"reply\": \"check\", \"byte\": 900000}, "
              "\"do\": \"close\"}]}"),
     "network event 1 never happened"},
    {"a fault of the cloud",
     SCENARIO(", \"cloud\": {\"faults\": [{\"on\": \"register\", \"do\": \"status\", \"code\": "
              "500}]}"),
     "cloud fault 1 (status) never happened"},
    {"an offer", SCENARIO(", \"offers\": [{}, {\"on_event\": \"bricked\"}]"),
     "offer 2 was never published"},
};

static const char *missed_name(const void *row)
{
    return ((const struct missed *)row)->name;
}

static void a_run_without_its_fault_is_inconclusive(const void *row)
{
    const struct missed *m = row;
    struct fixture *f = fixture_new();
    const struct run_result *r = run(f, m->text);
    CHECK_STR(verdict_name(r->verdict), "inconclusive");
    CHECK_STR(r->cause, m->cause);
    fixture_free(f);
}

/* A failure is news even if some other fault did not happen. */
static void a_failure_outweighs_a_missed_fault(void)
{
    struct fixture *f = fixture_new();
    const struct run_result *r = run(f, SCENARIO(", \"power\": [{\"when\": {\"op\": 1000000}}], "
                                                 "\"expect\": {\"version\": \"1.0\"}"));
    CHECK_STR(verdict_name(r->verdict), "fail");
    REQUIRE(check_of(r, "EXPECT") != NULL);
    CHECK_STR(check_of(r, "EXPECT")->detail, "expected version 1.0 to run, but 1.1 does");
    fixture_free(f);
}

/* ---- what may be asked for ---- */

static void cuts_of_a_token_happen(void)
{
    struct fixture *f = fixture_new();
    struct run_options o = {
        .cuts = {{.op = 7, .tear = TEAR_PREFIX, .arg = 16}, {.op = 40, .tear = TEAR_NOTHING}},
        .n_cuts = 2};
    const struct run_result *r = run_with(f, SCENARIO(""), o);
    check_passed(r);
    CHECK_INT(r->cuts, 2);
    CHECK_STR(r->token, "test#1@7t1.16,40t0");
    CHECK(check_of(r, "PWR-01") != NULL && check_of(r, "PWR-03") != NULL &&
          check_of(r, "PWR-11") != NULL);
    char first[65];
    (void)snprintf(first, sizeof first, "%s", r->trace_sha256);
    CHECK_STR(run_with(f, SCENARIO(""), o)->trace_sha256, first);
    CHECK(strcmp(run(f, SCENARIO(""))->trace_sha256, first) != 0);
    fixture_free(f);
}

/* A token whose cut comes behind the end has repeated nothing. */
static void a_token_whose_cut_never_comes_is_inconclusive(void)
{
    struct fixture *f = fixture_new();
    static const struct {
        struct run_cut cut;
        const char *cause;
    } rows[] = {
        {{.op = 1000000, .tear = TEAR_SCRAMBLED}, "the cut 1000000t3 of the token never happened"},
        {{.op = 90000, .kind = CUT_MESSAGE}, "the cut m90000 of the token never happened"},
        {{.kind = CUT_NETWORK, .connection = 900, .action = LINK_RESET},
         "the cut n900u0r of the token never happened"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_options o = {.cuts = {{.op = 7, .tear = TEAR_NOTHING}, rows[i].cut},
                                .n_cuts = 2};
        const struct run_result *r = run_with(f, SCENARIO(""), o);
        CHECK_STR(verdict_name(r->verdict), "inconclusive");
        CHECK_STR(r->cause, rows[i].cause);
    }
    fixture_free(f);
}

/* A label of the zoo is of the scenario as it is written, or of some cut, not of every one. */
static void a_label_does_not_bind_a_token(void)
{
    static const struct {
        const char *rest;
        uint64_t op;
        enum verdict want;
    } rows[] = {
        {", \"expect\": {\"fails\": [\"PWR-06\"]}", 7, VERDICT_PASS},
        {", \"expect\": {\"fails\": [\"PWR-06\"]}", 0, VERDICT_FAIL},
    };
    struct fixture *f = fixture_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_options o = {.cuts = {{.op = rows[i].op, .tear = TEAR_NOTHING}},
                                .n_cuts = rows[i].op > 0};
        char text[2048];
        (void)snprintf(text, sizeof text, SCENARIO("%s"), rows[i].rest);
        const struct run_result *r = run_with(f, text, o);
        CHECK_STR(verdict_name(r->verdict), verdict_name(rows[i].want));
    }
    fixture_free(f);
}

/* What tokens of a closure say of a cut can be said in a scenario as well. */
static void a_rule_cuts_as_a_token_does(void)
{
    struct fixture *f = fixture_new();
    uint32_t differ = 0;
    for (uint32_t op = 3; op < 12; op++) {
        char last[65] = "";
        for (uint32_t reading = 1; reading <= 2; reading++) {
            struct run_options o = {
                .cuts = {{.op = op, .tear = TEAR_WEAK, .by_place = true, .reading = reading}},
                .n_cuts = 1};
            char text[2048], hash[65];
            (void)snprintf(text, sizeof text,
                           SCENARIO(", \"power\": [{\"when\": {\"op\": %u}, \"tear\": \"weak\", "
                                    "\"draw_by_place\": true, \"reading\": %u}]"),
                           op, reading);
            (void)snprintf(hash, sizeof hash, "%s", run(f, text)->trace_sha256);
            CHECK_STR(run_with(f, SCENARIO(""), o)->trace_sha256, hash);
            differ += reading == 2 && strcmp(hash, last) != 0;
            memcpy(last, hash, sizeof last);
        }
    }
    CHECK(differ > 0);
    fixture_free(f);
}

static void count_message(void *ctx, bool reply, uint32_t connection)
{
    (void)reply;
    (void)connection;
    ++*(uint32_t *)ctx;
}

/* Where requests and replies take no time: behind a cut no message passes in the same instant. */
static void cuts_at_one_message_and_the_next_happen(void)
{
    struct fixture *f = fixture_new();
    const char *text = SCENARIO("");
    uint32_t messages = 0;
    struct run_options plain = {.probe = {.message = count_message, .ctx = &messages}};
    check_passed(run_with(f, text, plain));
    CHECK(messages > 10);
    for (uint32_t m = 1; m < messages; m++) {
        struct run_options o = {
            .n_cuts = 2,
            .cuts = {{.kind = CUT_MESSAGE, .op = m}, {.kind = CUT_MESSAGE, .op = m + 1}}};
        check_passed(run_with(f, text, o));
        CHECK_INT(f->r.cut_missed, 0);
        CHECK_INT(f->r.cuts, 2);
    }
    fixture_free(f);
}

static void the_flash_can_be_kept(void)
{
    struct fixture *f = fixture_new();
    char path[TEST_PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/flash.bin", f->cache);
    check_passed(run_with(f, SCENARIO(""), (struct run_options){.flash_out = path}));
    FILE *in = fopen(path, "rb");
    REQUIRE(in != NULL);
    REQUIRE(fseek(in, 0, SEEK_END) == 0);
    CHECK_INT(ftell(in), f->s->device.geometry.size_bytes);
    (void)fclose(in);
    const struct run_result *r =
        run_with(f, SCENARIO(""), (struct run_options){.flash_out = "/nowhere/flash.bin"});
    CHECK_STR(verdict_name(r->verdict), "error");
    CHECK_HAS(r->cause, "/nowhere/flash.bin");
    fixture_free(f);
}

static void a_bench_fault_is_an_error_and_no_more(void)
{
    struct fixture *f = fixture_new();
    const struct run_result *r =
        run(f, "{\"otabench\": 1, \"text\": \"t\", \"versions\": [{\"version\": \"1.0\", "
               "\"images\": [{\"file\": \"no-such-image.bin\"}]}], \"offers\": []}");
    CHECK_STR(verdict_name(r->verdict), "error");
    CHECK_HAS(r->cause, "no-such-image.bin");
    CHECK_INT(r->n_checks, 0);
    check_passed(run(f, SCENARIO(""))); /* the world goes on */
    fixture_free(f);
}

static void a_refused_configuration_ends_the_run(void)
{
    struct fixture *f = fixture_new();
    const struct run_result *r =
        run(f, "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"segment_index\": 1}, "
               "\"offers\": [], \"expect\": {\"config_refused\": true}}");
    check_passed(r);
    CHECK(check_of(r, "LIM-14") != NULL);
    CHECK_INT(r->requests, 0);
    fixture_free(f);
}

/* The judge really listens: a broken device fails, and as declared it is an expected failure. */
static void a_broken_device_is_found(void)
{
#define BROKEN(rest)                                                                               \
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {" DEVICE                                      \
    ", \"breaks\": [\"resume-too-far\"]}" VERSIONS                                                 \
    ", \"power\": [{\"when\": {\"event\": \"device/segment\", \"where\": {\"number\": 2}}}]" rest  \
    "}"
    struct fixture *f = fixture_new();
    const struct run_result *r = run(f, BROKEN(""));
    CHECK_STR(verdict_name(r->verdict), "fail");
    char fails[512] = "";
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].verdict == VERDICT_FAIL) {
            size_t n = strlen(fails);
            (void)snprintf(fails + n, sizeof fails - n, "%s\"%s\"", n == 0 ? "" : ", ",
                           r->checks[i].id);
        }
    CHECK_HAS(fails, "PWR-04");
    char text[2048];
    (void)snprintf(text, sizeof text, BROKEN(", \"expect\": {\"fails\": [%s]}"), fails);
    CHECK_STR(verdict_name(run(f, text)->verdict), "expected-fail");
    fixture_free(f);
}

static const struct test tests[] = {
    {"the least scenario passes", the_least_scenario_passes},
    TEST_ROWS("every chip is updated", every_chip_is_updated, chips, chip_name),
    {"the seed decides the trace, whatever ran before", the_seed_decides_the_trace},
    {"another seed is another run", another_seed_is_another_run},
    {"runs leave no files open", runs_leave_no_files_open},
    TEST_ROWS("inconclusive without", a_run_without_its_fault_is_inconclusive, misses, missed_name),
    {"a failure outweighs a missed fault", a_failure_outweighs_a_missed_fault},
    {"a rule cuts as a token does", a_rule_cuts_as_a_token_does},
    {"a label does not bind a token", a_label_does_not_bind_a_token},
    {"a token whose cut never comes is inconclusive",
     a_token_whose_cut_never_comes_is_inconclusive},
    {"cuts of a token happen", cuts_of_a_token_happen},
    {"cuts at one message and the next happen", cuts_at_one_message_and_the_next_happen},
    {"the flash can be kept", the_flash_can_be_kept},
    {"a bench fault is an error and no more", a_bench_fault_is_an_error_and_no_more},
    {"a refused configuration ends the run", a_refused_configuration_ends_the_run},
    {"a broken device is found", a_broken_device_is_found},
};
TEST_MAIN("simulated world", tests)
