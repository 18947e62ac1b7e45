/* otabench explore: every power cut of a scenario, run and judged. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/cmd_explore_closure.h"
#include "scenarios/cli/explore_line.h"
#include "scenarios/cli/explore_report.h"
#include "scenarios/cli/files.h"
#include "scenarios/cli/pool.h"
#include "scenarios/cli/progress.h"
#include "scenarios/cli/report.h"

#define FAILURES_SHOWN 10

static const char help[] =
    "usage: otabench explore SCENARIO... [option...]\n"
    "\n"
    "Runs each scenario once without a power cut; then once for every program and erase of that\n"
    "run and every way an interrupted one can leave the flash, with the power cut there, and once\n"
    "for every message between device and cloud, with the power cut behind it. All requirements\n"
    "that always hold are judged, to the end of the heal phase.\n"
    "\n"
    "  --depth N       up to N cuts in a row: each operation of a recovery is cut as well (1 to "
    "8)\n"
    "  --points LIST   what is cut: flash (power, in each operation), messages (power, right "
    "after\n"
    "                  each request or reply), net (connections, at each border of a message),\n"
    "                  between commas; default flash,messages\n"
    "  --net           net as well\n"
    "  --tears LIST    all (default: nothing, prefix, all-but-last, scrambled, half-erased, weak,\n"
    "                  done, prefix.any, all-but-bit, unreadable), or some of them and of disturb\n"
    "                  and unwritten, between commas; prefix.K is the first K bytes (prefix "
    "alone:\n"
    "                  half, prefix.any: one border of a granule, prefix.each: every one),\n"
    "                  scrambled.K another draw, unwritten.K the last K operations\n"
    "  --sample N      N random sequences of 1 to --depth cuts instead of all\n"
    "  --seed S        of the sample (default 1)\n"
    "  --shard I/N     only every Nth point, from the Ith; see otabench merge\n"
    "  --jobs N        worker processes (default: one per processor); results do not change\n"
    "  --timeout S     real seconds one point may take, with everything below it (default 60,\n"
    "                  from depth 2 on 3600)\n"
    "  --json F        JSON report, the same bytes for the same arguments\n"
    "  --html F        one self-contained page: a cell per cut, coloured by outcome\n"
    "  --cache DIR     where made packages are kept\n"
    "  --quiet         no progress\n"
    "  --closure       cut sequences of any length instead: see explore --closure --help\n"
    "\n"
    "examples:\n"
    "  otabench explore scenarios/library/cms/a-differential-upgrade-runs-clean.json --html "
    "cuts.html\n"
    "  otabench explore bug.json --depth 3 --sample 10000 --seed 7\n"
    "\n"
    "Ctrl-C leaves a valid report of what is done. Exit: 0 no cut did harm, 1 one did, or the\n"
    "scenario fails without any, 2 incomplete, a bench fault, or no verdict without a cut,\n"
    "64 wrong usage, 77 nothing that could be cut.\n";

struct explore_command {
    struct explore_line line;
    struct explore_report report;
    struct scenario *scenarios; /* owned; one per exploration */
    struct world *world;        /* of the parent, for the runs without a cut */
    int64_t timeout_ms;
    bool net;
    uint64_t *numbers; /* owned: the points of the shard */
    size_t n_numbers;
    struct progress_state progress;
    int64_t explore_ns;
    uint64_t runs;
    int rc;
};

/* Which scenario a point belongs to; number becomes its index there. */
static uint32_t scenario_of(const struct explore_report *r, uint64_t *number)
{
    uint32_t s = 0;
    while (*number >= r->scenarios[s].n_points)
        *number -= r->scenarios[s++].n_points;
    return s;
}

/* ---- in the worker ---- */

static void *open_world(void *ctx)
{
    (void)ctx;
    return world_new(NULL);
}

static void close_world(void *ctx, void *state)
{
    (void)ctx;
    world_free(state);
}

static void work(void *ctx, void *state, size_t item, void *result)
{
    struct explore_command *c = ctx;
    struct explore_result *out = result;
    uint64_t index = c->numbers[item];
    uint32_t s = scenario_of(&c->report, &index);
    if (state == NULL)
        return; /* no memory for a world: the point stays not run, and the report says so */
    explore_run(&c->report.scenarios[s], &c->scenarios[s], &c->report.options, state, &c->line.run,
                (uint32_t)index, out);
}

/* ---- in the parent ---- */

static void worker_lost(const struct exploration *x, uint32_t index, const char *cause,
                        struct explore_result *r)
{
    memset(r, 0, sizeof *r);
    r->point = x->points[index];
    if (r->point.n_cuts == 0) { /* a sample is drawn in the worker */
        r->point.n_cuts = 1;
        r->point.cuts[0] =
            (struct run_cut){.op = 1, .kind = x->n_ops > 0 ? CUT_FLASH : CUT_MESSAGE};
    }
    r->point.outcome = EXPLORE_BENCH_ERROR;
    r->point.counts[EXPLORE_BENCH_ERROR] = 1;
    struct explore_failure *f = &r->failures[r->n_failures++];
    *f = (struct explore_failure){
        .point = index, .n_cuts = r->point.n_cuts, .outcome = EXPLORE_BENCH_ERROR};
    memcpy(f->cuts, r->point.cuts, sizeof f->cuts);
    (void)snprintf(f->detail, sizeof f->detail, "%.*s", RESULT_DETAIL_MAX - 1, cause);
}

static void done(void *ctx, size_t item, const struct pool_outcome *o)
{
    struct explore_command *c = ctx;
    struct explore_result r;
    uint64_t index = c->numbers[item];
    struct exploration *x = &c->report.scenarios[scenario_of(&c->report, &index)];
    if (o->result != NULL)
        memcpy(&r, o->result, sizeof r);
    else
        worker_lost(x, (uint32_t)index, o->cause, &r);
    if (explore_put(x, (uint32_t)index, &r) != 0)
        c->rc = ERR_NOMEM;
    for (int k = 0; k < EXPLORE_OUTCOMES; k++)
        c->runs += r.point.counts[k];
    progress_done(&c->progress, explore_worst(&r.point) >= EXPLORE_BENCH_ERROR, cli_clock_ns());
}

static void tick(void *ctx)
{
    struct explore_command *c = ctx;
    progress_show(&c->progress, cli_clock_ns());
}

static int prepare(struct explore_command *c, const struct scenario_files *f, struct err *err)
{
    struct explore_report *r = &c->report;
    r->scenarios = calloc(f->count, sizeof *r->scenarios);
    c->scenarios = calloc(f->count, sizeof *c->scenarios);
    c->world = world_new(err);
    if (r->scenarios == NULL || c->scenarios == NULL || c->world == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %zu scenarios", f->count);
    for (size_t i = 0; i < f->count; i++) {
        struct exploration *x = &r->scenarios[r->count++];
        bool told = !c->line.quiet && f->count > 1 && isatty(STDERR_FILENO);
        if (told)
            cli_status("%zu of %zu scenarios without a cut first", i + 1, f->count);
        int rc = scenario_load(&c->scenarios[i], f->item[i].path, err);
        if (rc == 0)
            rc = explore_prepare(x, &c->scenarios[i], &r->options, c->world, &c->line.run, err);
        if (told)
            cli_status_clear();
        if (rc != 0)
            return rc;
        if (x->cause[0] != '\0' && !c->line.quiet)
            (void)fprintf(stderr, "%s: %s\n", x->name, x->cause);
    }
    uint64_t all = explore_report_points(r);
    c->numbers = calloc(all / r->shards + 1, sizeof *c->numbers);
    if (c->numbers == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %" PRIu64 " points", all);
    for (uint64_t n = 0; n < all; n++)
        if (explore_report_mine(r, n))
            c->numbers[c->n_numbers++] = n;
    return 0;
}

static int explore(struct explore_command *c, struct err *err)
{
    struct pool_report pool = {.interrupted = false};
    int64_t start_ns = cli_clock_ns();
    enum progress kind = progress_kind(c->line.quiet);
    progress_init(&c->progress, kind, c->n_numbers, start_ns);
    struct pool_setup p = {.n_items = c->n_numbers,
                           .result_bytes = sizeof(struct explore_result),
                           .workers = c->line.jobs,
                           .timeout_ms = c->timeout_ms,
                           .ctx = c,
                           .open = open_world,
                           .work = work,
                           .close = close_world,
                           .done = done,
                           .tick = tick};
    int rc = c->n_numbers == 0 ? 0 : pool_run(&p, &pool, err);
    progress_clear(&c->progress);
    c->explore_ns = cli_clock_ns() - start_ns;
    if (rc == 0 && c->rc != 0)
        rc = err_set(err, c->rc, "no memory for results");
    if (pool.fault[0] != '\0' && rc == 0)
        rc = err_set(err, ERR_BENCH, "%s", pool.fault);
    uint64_t finished = 0;
    for (uint32_t i = 0; i < c->report.count; i++) {
        struct explore_totals t;
        explore_sum(&c->report.scenarios[i], &t);
        finished += t.done;
    }
    c->report.complete = finished == c->n_numbers;
    if (pool.interrupted)
        (void)fprintf(stderr, "interrupted: %" PRIu64 " of %zu points are done\n", finished,
                      c->n_numbers);
    return rc;
}

int explore_save(const char *command, const struct explore_report *r, const char *json,
                 const char *html)
{
    struct err err = {.text = ""};
    struct buf b;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        const char *path = i == 0 ? json : html;
        if (path == NULL)
            continue;
        buf_init(&b, EXPLORE_REPORT_BYTES_MAX);
        rc = i == 0 ? explore_json_put(&b, r) : explore_html_put(&b, r);
        if (rc != 0)
            (void)err_set(&err, rc, "%s: the report does not fit into memory", path);
        else
            rc = report_save(path, &b, &err);
        buf_free(&b);
    }
    return rc == 0 ? 0 : cli_fail(command, EXIT_INCONCLUSIVE, "%s", err.text);
}

void explore_print(const struct explore_report *r)
{
    struct buf b;
    buf_init(&b, EXPLORE_REPORT_BYTES_MAX);
    if (explore_text_put(&b, r, FAILURES_SHOWN, cli_paper(stdout).colour) == 0 && b.len_bytes > 0)
        (void)fwrite(b.data, 1, b.len_bytes, stdout);
    buf_free(&b);
}

static int conclude(struct explore_command *c)
{
    explore_print(&c->report);
    int64_t ms = c->explore_ns / NS_PER_MS;
    if (ms > 0)
        (void)printf("%" PRIu64 " runs in %" PRId64 ".%03d s: %" PRIu64
                     " per second, %u worker%s\n",
                     c->runs, ms / 1000, (int)(ms % 1000), c->runs * 1000 / (uint64_t)ms,
                     c->line.jobs, c->line.jobs == 1 ? "" : "s");
    (void)fflush(stdout);
    int code = explore_save("explore", &c->report, c->line.json, c->line.html);
    return code != 0 ? code : explore_report_exit_code(&c->report);
}

/* ---- command line ---- */

enum {
    OPT_DEPTH = LINE_OWN,
    OPT_POINTS,
    OPT_NET,
    OPT_TEARS,
    OPT_SAMPLE,
    OPT_SEED,
    OPT_SHARD,
    OPT_TIMEOUT,
    OPT_HTML
};

static const struct option longs[] = {
    {"help", no_argument, NULL, LINE_HELP},
    {"depth", required_argument, NULL, OPT_DEPTH},
    {"points", required_argument, NULL, OPT_POINTS},
    {"net", no_argument, NULL, OPT_NET},
    {"tears", required_argument, NULL, OPT_TEARS},
    {"sample", required_argument, NULL, OPT_SAMPLE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"shard", required_argument, NULL, OPT_SHARD},
    {"jobs", required_argument, NULL, LINE_JOBS},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", required_argument, NULL, LINE_JSON},
    {"html", required_argument, NULL, OPT_HTML},
    {"cache", required_argument, NULL, LINE_CACHE},
    {"quiet", no_argument, NULL, LINE_QUIET},
    {0},
};

static int take_shard(struct explore_report *r)
{
    char text[32];
    uint64_t i = 0, n = 0;
    (void)snprintf(text, sizeof text, "%s", optarg);
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    if (slash == NULL || !cli_number(slash + 1, 1, EXPLORE_SHARDS_MAX, &n) ||
        !cli_number(text, 1, n, &i))
        return cli_usage("explore", "--shard %s: must be I/N with I from 1 to N", optarg);
    r->shard = (uint32_t)i;
    r->shards = (uint32_t)n;
    return 0;
}

static int take(int option, void *ctx)
{
    struct explore_command *c = ctx;
    struct explore_options *o = &c->report.options;
    struct err err = {.text = ""};
    uint64_t n = 0;
    int rc = 0;
    switch (option) {
    case OPT_DEPTH:
        rc = explore_line_number(&c->line, "depth", 1, RUN_CUTS_MAX, &n);
        o->depth = (uint32_t)n;
        return rc;
    case OPT_POINTS:
        return explore_parse_kinds(o, optarg, &err) == 0
                   ? 0
                   : cli_usage("explore", "--points %s: %s", optarg, err.text);
    case OPT_NET:
        c->net = true;
        return 0;
    case OPT_TEARS:
        return explore_parse_tears(o, optarg, &err) == 0
                   ? 0
                   : cli_usage("explore", "--tears %s: %s", optarg, err.text);
    case OPT_SAMPLE:
        return explore_line_number(&c->line, "sample", 1, EXPLORE_POINTS_MAX, &o->sample);
    case OPT_SEED:
        return explore_line_number(&c->line, "seed", 0, UINT64_MAX, &o->sample_seed);
    case OPT_SHARD:
        return take_shard(&c->report);
    case OPT_TIMEOUT:
        rc = explore_line_number(&c->line, "timeout", 1, 86400, &n);
        c->timeout_ms = (int64_t)n * 1000;
        return rc;
    case OPT_HTML:
        c->line.html = optarg;
        return 0;
    default:
        return 0;
    }
}

static int run(struct explore_command *c)
{
    struct scenario_files files = {.count = 0};
    struct err err = {.text = ""};
    int code = explore_line_scenarios(&c->line, &files);
    if (code == 0) {
        int rc = prepare(c, &files, &err);
        if (rc == 0)
            rc = explore(c, &err);
        code = rc == 0 ? conclude(c) : cli_fail("explore", EXIT_INCONCLUSIVE, "%s", err.text);
    }
    files_free(&files);
    explore_report_free(&c->report);
    world_free(c->world);
    free(c->scenarios);
    free(c->numbers);
    return code;
}

int cmd_explore(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--closure") == 0)
            return cmd_explore_closure(argc, argv);
    static const char *const others[] = {"--losses", "--audit", "--states", "--memory", NULL};
    struct explore_command c = {.line = {.command = "explore", .others = others},
                                .report = {.shard = 1, .shards = 1}};
    explore_options_default(&c.report.options);
    int code = explore_line_read(&c.line, argc, argv, longs, help, take, &c);
    if (code >= 0)
        return code;
    if (c.net)
        c.report.options.kinds |= EXPLORE_NETWORK;
    if (c.timeout_ms == 0)
        c.timeout_ms = c.report.options.depth > 1 ? 3600000 : 60000;
    return run(&c);
}
