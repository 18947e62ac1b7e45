/* otabench explore --closure: a whole update under any number of power cuts. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/vtime.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/cmd_explore_closure.h"
#include "scenarios/cli/explore_line.h"
#include "scenarios/cli/files.h"
#include "scenarios/cli/pool.h"
#include "scenarios/cli/report.h"
#include "scenarios/engine/explore.h"
#include "scenarios/engine/whole.h"

#define BATCH_MAX     1024u /* tasks of one pool: workers know what was known when it was made */
#define CHUNK         8u    /* tasks of one item: handing over costs more than a small one */
#define BY_HAND_MAX   24u   /* such a batch costs less than making workers for it */
#define ARENA_BYTES   ((size_t)4 << 30) /* address space for the logs of a batch */
#define REPORT_BYTES  ((size_t)16 << 20)
#define SHOW_EVERY_NS (200 * NS_PER_MS)
#define TASK_MS       60000

static const char help[] =
    "usage: otabench explore --closure SCENARIO... [option...]\n"
    "\n"
    "Every state that any number of successive power cuts can lead to, from the first start to "
    "the\n"
    "accepted report: flash, what the cloud has learned, what the judge still holds against the\n"
    "device. Each is run until it idles, with every program, erase and reply of the cloud as a\n"
    "further cut, until nothing new appears. Then the result holds for cut sequences of any "
    "length.\n"
    "\n"
    "  --tears LIST    all (default), or some of nothing, prefix, all-but-last, scrambled,\n"
    "                  half-erased, weak, done, between commas; also all-but-bit, disturb, and\n"
    "                  prefix.each: borders as otabench closure has them, not half alone\n"
    "  --net           connections are lost as well, at the borders of explore --net: one in each\n"
    "                  power-on, and any number over all of them\n"
    "  --losses N      as --net, with at most N in each power-on, 1 to 4\n"
    "  --depth N       at most N cuts in a row (default: any number)\n"
    "  --states N      at most N states (default 1000000)\n"
    "  --audit N       hold what was decided against the world: really run every Nth start and "
    "heal\n"
    "                  phase, from a content drawn, and cut one of its operations (1: every one)\n"
    "  --memory MIB    stop when so much is used, about (default 4096)\n"
    "  --timeout S     stop after S real seconds per scenario\n"
    "  --jobs N        worker processes (default: one per processor); results do not change\n"
    "  --json F        JSON report, the same bytes for the same arguments\n"
    "  --cache DIR     where made packages are kept\n"
    "  --quiet         no progress\n"
    "\n"
    "example:\n"
    "  otabench explore --closure scenarios/library/cms/a-very-small-image-is-upgraded.json\n"
    "\n"
    "Ctrl-C leaves a valid, bounded report. Exit: 0 closed, 1 a counter-example, 2 bounded or a\n"
    "bench fault, 64 wrong usage, 77 no scenario that can be closed.\n";

/* Where the workers of a batch write. */
struct arena {
    size_t used; /* by atomic addition */
    uint8_t bytes[];
};

struct logged {
    size_t at, len_bytes; /* in the arena */
    bool done;
    char cause[ERR_TEXT_MAX]; /* not done: why */
};

struct chunk_result {
    struct logged log[CHUNK];
};

struct closure_command {
    struct explore_line line;
    struct whole_options options;
    int64_t timeout_ns; /* 0: none */
    bool terminal;
    struct arena *arena;

    /* the scenario under way */
    struct whole *w;
    struct whole_worker *own; /* of this process, for small batches; null: not yet */
    int64_t began_ns, shown_ns;
    uint32_t tasks[BATCH_MAX], count; /* the batch */
    struct chunk_result *results;     /* of the batch, by item */
    bool *arrived;
    size_t next; /* item to take in */
    int rc;
    struct err err;
    bool interrupted;
};

/* ---- in the worker ---- */

struct worker_state {
    struct whole_worker *k;
    struct buf log;
    struct err err;
};

static void *open_worker(void *ctx)
{
    struct closure_command *c = ctx;
    struct worker_state *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    buf_init(&s->log, WHOLE_LOG_BYTES_MAX);
    s->k = whole_worker_new(c->w, &s->err);
    return s;
}

static void close_worker(void *ctx, void *state)
{
    struct worker_state *s = state;
    (void)ctx;
    if (s == NULL)
        return;
    whole_worker_free(s->k);
    buf_free(&s->log);
    free(s);
}

static void one_task(struct closure_command *c, struct worker_state *s, uint32_t task,
                     struct logged *out)
{
    struct err err = {.text = "no memory for a worker"};
    buf_clear(&s->log);
    int rc = s->k == NULL ? ERR_NOMEM : whole_work(s->k, task, &s->log, &err);
    size_t at = 0;
    if (rc == 0)
        at = __atomic_fetch_add(&c->arena->used, s->log.len_bytes, __ATOMIC_RELAXED);
    if (rc == 0 && at + s->log.len_bytes > ARENA_BYTES - sizeof *c->arena)
        rc = err_set(&err, ERR_LIMIT, "the logs of %u runs do not fit into memory", c->count);
    if (rc == 0) {
        memcpy(c->arena->bytes + at, s->log.data, s->log.len_bytes);
        *out = (struct logged){.at = at, .len_bytes = s->log.len_bytes, .done = true};
    } else {
        memcpy(out->cause, err.text, sizeof out->cause);
    }
}

static void work(void *ctx, void *state, size_t item, void *result)
{
    struct closure_command *c = ctx;
    struct chunk_result *out = result;
    for (uint32_t i = 0; i < CHUNK && item * CHUNK + i < c->count && state != NULL; i++)
        one_task(c, state, c->tasks[item * CHUNK + i], &out->log[i]);
}

/* ---- in the parent ---- */

static void take_in(struct closure_command *c, size_t item)
{
    struct chunk_result *r = &c->results[item];
    for (uint32_t i = 0; i < CHUNK && item * CHUNK + i < c->count && c->rc == 0; i++) {
        const struct logged *l = &r->log[i];
        c->rc = whole_take(c->w, c->arena->bytes + l->at, l->len_bytes, l->done ? NULL : l->cause,
                           &c->err);
    }
}

static void done(void *ctx, size_t item, const struct pool_outcome *o)
{
    struct closure_command *c = ctx;
    struct chunk_result *r = &c->results[item];
    if (o->result != NULL)
        memcpy(r, o->result, sizeof *r);
    for (uint32_t i = 0; o->result == NULL && i < CHUNK; i++)
        (void)snprintf(r->log[i].cause, sizeof r->log[i].cause, "%s", o->cause);
    c->arrived[item] = true;
    size_t items = (c->count + CHUNK - 1) / CHUNK;
    while (c->next < items && c->arrived[c->next])
        take_in(c, c->next++);
}

static void tick(void *ctx)
{
    struct closure_command *c = ctx;
    struct whole_progress p;
    int64_t now = cli_clock_ns();
    if (c->line.quiet || now - c->shown_ns < (c->terminal ? SHOW_EVERY_NS : 50 * SHOW_EVERY_NS))
        return;
    whole_progress(c->w, &p);
    int64_t ms = (now - c->began_ns) / NS_PER_MS + 1;
    cli_status("%u states, %u runs waiting, %u cuts deep, %" PRIu64 " starts, %" PRIu64
               "/s, %u failing",
               p.states, p.left, p.depth, p.starts, p.starts * 1000 / (uint64_t)ms, p.failing);
    c->shown_ns = now;
}

/* Ctrl-C while no pool is running; a pool takes its signals itself. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* What is too little to be worth processes. */
static int by_hand(struct closure_command *c, struct err *err)
{
    struct buf log;
    int rc = 0;
    if (c->own == NULL)
        c->own = whole_worker_new(c->w, err);
    buf_init(&log, WHOLE_LOG_BYTES_MAX);
    for (uint32_t i = 0; i < c->count && rc == 0 && !interrupted; i++) {
        buf_clear(&log);
        rc = c->own == NULL ? ERR_NOMEM : whole_work(c->own, c->tasks[i], &log, err);
        if (rc == 0)
            rc = whole_take(c->w, log.data, log.len_bytes, NULL, err);
    }
    buf_free(&log);
    c->interrupted = interrupted != 0;
    tick(c);
    return rc;
}

static int batch(struct closure_command *c, struct err *err)
{
    if (c->count <= BY_HAND_MAX)
        return by_hand(c, err);
    size_t items = (c->count + CHUNK - 1) / CHUNK;
    memset(c->results, 0, BATCH_MAX / CHUNK * sizeof *c->results);
    memset(c->arrived, 0, BATCH_MAX / CHUNK * sizeof *c->arrived);
    c->next = 0;
    c->arena->used = 0;
    struct pool_report report;
    struct pool_setup p = {.n_items = items,
                           .result_bytes = sizeof(struct chunk_result),
                           .workers = c->line.jobs < items ? c->line.jobs : (unsigned)items,
                           .timeout_ms = TASK_MS,
                           .ctx = c,
                           .open = open_worker,
                           .work = work,
                           .close = close_worker,
                           .done = done,
                           .tick = tick};
    int rc = pool_run(&p, &report, err);
    if (rc == 0 && report.fault[0] != '\0')
        rc = err_set(err, ERR_BENCH, "%s", report.fault);
    c->interrupted = report.interrupted || interrupted;
    if (rc == 0 && c->rc != 0) {
        *err = c->err;
        rc = c->rc;
    }
    return rc;
}

/* Until nothing is left, or something ends it. */
static int close_it(struct closure_command *c, struct err *err)
{
    int rc = 0;
    c->rc = 0;
    while (rc == 0 && (c->count = whole_begin(c->w, c->tasks, BATCH_MAX, err)) > 0) {
        rc = batch(c, err);
        if (rc == 0 && c->interrupted)
            whole_stop(c->w, "it was interrupted");
        else if (rc == 0 && c->timeout_ns > 0 && cli_clock_ns() - c->began_ns > c->timeout_ns)
            whole_stop(c->w, "the time allowed was used");
    }
    if (!c->line.quiet)
        cli_status_clear();
    return rc;
}

/* Without merging what is erased unseen. */
static int once_more(struct closure_command *c, const struct scenario *s, struct err *err)
{
    struct whole_options o = c->options;
    o.keep_dead = true;
    whole_worker_free(c->own);
    whole_free(c->w);
    c->own = NULL;
    c->w = whole_new(s, &o, &c->line.run, err);
    return c->w == NULL ? ERR_NOMEM : close_it(c, err);
}

static int print(const struct closure_command *c, const struct whole_result *r, const char *name)
{
    struct buf out;
    buf_init(&out, REPORT_BYTES);
    int rc = whole_describe(r, name, &out);
    if (rc == 0)
        (void)fwrite(out.data, 1, out.len_bytes, stdout);
    buf_free(&out);
    int64_t ms = (cli_clock_ns() - c->began_ns) / NS_PER_MS + 1;
    (void)printf("  %" PRId64 ".%03d s, %" PRIu64 " starts per second, %u worker%s, %" PRIu64
                 " MiB\n",
                 ms / 1000, (int)(ms % 1000), r->starts * 1000 / (uint64_t)ms, c->line.jobs,
                 c->line.jobs == 1 ? "" : "s", r->memory_bytes >> 20);
    (void)fflush(stdout);
    return rc;
}

static int code_of(const struct whole_result *r)
{
    switch (whole_verdict(r)) {
    case VERDICT_PASS:
    case VERDICT_EXPECTED_FAIL:
        return EXIT_PASSED;
    case VERDICT_FAIL:
    case VERDICT_UNEXPECTED_PASS:
        return EXIT_FAILED;
    default:
        return EXIT_INCONCLUSIVE;
    }
}

/* The worse of two exit codes; not applicable is no news beside any other. */
static int worse(int a, int b)
{
    if (a == EXIT_NOT_APPLICABLE || a < 0)
        return b;
    if (b == EXIT_NOT_APPLICABLE)
        return a;
    return a == EXIT_FAILED || b == EXIT_FAILED ? EXIT_FAILED : a > b ? a : b;
}

static int one_scenario(struct closure_command *c, const char *path, struct buf *json, bool first)
{
    struct err err = {.text = ""};
    struct scenario *s = calloc(1, sizeof *s);
    struct whole_result *r = calloc(1, sizeof *r);
    int code = EXIT_INCONCLUSIVE;
    int rc = s == NULL || r == NULL ? err_set(&err, ERR_NOMEM, "no memory")
                                    : scenario_load(s, path, &err);
    c->began_ns = c->shown_ns = cli_clock_ns();
    c->w = rc == 0 ? whole_new(s, &c->options, &c->line.run, &err) : NULL;
    if (rc == 0 && c->w == NULL) {
        code = whole_refuses(s) != NULL ? EXIT_NOT_APPLICABLE : EXIT_INCONCLUSIVE;
        rc = ERR_UNSUPPORTED;
    }
    if (rc == 0)
        rc = close_it(c, &err);
    if (rc == 0 && whole_again(c->w))
        rc = once_more(c, s, &err);
    if (rc == 0)
        rc = whole_conclude(c->w, r, &err);
    if (rc == 0) {
        code = code_of(r);
        if (print(c, r, s->name) != 0 || buf_text(json, first ? "" : ",\n") != 0 ||
            whole_json(r, s->name, json) != 0)
            code =
                cli_fail(c->line.command, EXIT_INCONCLUSIVE, "the report does not fit into memory");
    } else {
        (void)cli_fail(c->line.command, code, "%s", err.text);
    }
    whole_worker_free(c->own);
    whole_free(c->w);
    c->own = NULL;
    c->w = NULL;
    free(s);
    free(r);
    return code;
}

static int all_scenarios(struct closure_command *c, const struct scenario_files *f)
{
    struct buf json;
    struct err err = {.text = ""};
    int code = -1;
    bool first = true;
    buf_init(&json, REPORT_BYTES);
    int rc = buf_text(&json, "{\"otabench\":\"" OTABENCH_VERSION "\",\"closures\":[\n");
    for (size_t i = 0; i < f->count && !c->interrupted; i++) {
        size_t before = json.len_bytes;
        code = worse(code, one_scenario(c, f->item[i].path, &json, first));
        first = first && json.len_bytes == before;
    }
    if (rc == 0)
        rc = buf_text(&json, "\n]}\n");
    if (c->line.json != NULL && (rc != 0 || report_save(c->line.json, &json, &err) != 0))
        code = cli_fail(c->line.command, EXIT_INCONCLUSIVE, "%s",
                        err.text[0] != '\0' ? err.text : "the report does not fit into memory");
    buf_free(&json);
    return code;
}

/* ---- command line ---- */

enum {
    OPT_CLOSURE = LINE_OWN,
    OPT_TEARS,
    OPT_NET,
    OPT_LOSSES,
    OPT_DEPTH,
    OPT_AUDIT,
    OPT_STATES,
    OPT_MEMORY,
    OPT_TIMEOUT
};

static const struct option longs[] = {
    {"help", no_argument, NULL, LINE_HELP},
    {"closure", no_argument, NULL, OPT_CLOSURE},
    {"tears", required_argument, NULL, OPT_TEARS},
    {"net", no_argument, NULL, OPT_NET},
    {"losses", required_argument, NULL, OPT_LOSSES},
    {"depth", required_argument, NULL, OPT_DEPTH},
    {"audit", required_argument, NULL, OPT_AUDIT},
    {"states", required_argument, NULL, OPT_STATES},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"jobs", required_argument, NULL, LINE_JOBS},
    {"json", required_argument, NULL, LINE_JSON},
    {"cache", required_argument, NULL, LINE_CACHE},
    {"quiet", no_argument, NULL, LINE_QUIET},
    {0},
};

static int take_tears(struct closure_command *c)
{
    struct explore_options o;
    struct err err = {.text = ""};
    explore_options_default(&o);
    if (explore_parse_tears(&o, optarg, &err) != 0)
        return cli_usage(c->line.command, "--tears %s: %s", optarg, err.text);
    c->options.tears = 0;
    if (strcmp(optarg, "all") == 0)
        return 0;
    for (uint32_t i = 0; i < o.n_tears; i++) {
        if (o.tears[i].arg != 0 || o.tears[i].spread == SPREAD_ANY)
            return cli_usage(c->line.command, "--tears %s: with --closure a tear has no number",
                             optarg);
        if (!(CLOSURE_TEARS_KNOWN & 1u << o.tears[i].tear))
            return cli_usage(
                c->line.command,
                "--tears %s: what %s leaves is no matter of one erase unit, and is not "
                "closed",
                optarg, nor_tear_name(o.tears[i].tear));
        c->options.borders = c->options.borders || o.tears[i].spread == SPREAD_EACH;
        c->options.tears |= 1u << o.tears[i].tear;
    }
    return 0;
}

static int take(int option, void *ctx)
{
    struct closure_command *c = ctx;
    uint64_t n = 0;
    int rc = 0;
    switch (option) {
    case OPT_TEARS:
        return take_tears(c);
    case OPT_NET:
        if (c->options.losses == 0)
            c->options.losses = 1;
        return 0;
    case OPT_LOSSES:
        rc = explore_line_number(&c->line, "losses", 1, 4, &n);
        c->options.losses = (uint32_t)n;
        return rc;
    case OPT_DEPTH:
        rc = explore_line_number(&c->line, "depth", 1, 1000000, &n);
        c->options.max_cuts = (uint32_t)n;
        return rc;
    case OPT_AUDIT:
        rc = explore_line_number(&c->line, "audit", 1, UINT32_MAX, &n);
        c->options.audit = (uint32_t)n;
        return rc;
    case OPT_STATES:
        rc = explore_line_number(&c->line, "states", 1, 100000000, &n);
        c->options.max_states = (uint32_t)n;
        return rc;
    case OPT_MEMORY:
        rc = explore_line_number(&c->line, "memory", 1, 1u << 20, &n);
        c->options.max_bytes = n << 20;
        return rc;
    case OPT_TIMEOUT:
        rc = explore_line_number(&c->line, "timeout", 1, 86400 * 7, &n);
        c->timeout_ns = (int64_t)n * NS_PER_S;
        return rc;
    default:
        return 0;
    }
}

static int run(struct closure_command *c)
{
    struct scenario_files files = {.count = 0};
    int code = explore_line_scenarios(&c->line, &files);
    c->arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    c->results = calloc(BATCH_MAX / CHUNK, sizeof *c->results);
    c->arrived = calloc(BATCH_MAX / CHUNK, sizeof *c->arrived);
    if (code == 0 && (c->arena == MAP_FAILED || c->results == NULL || c->arrived == NULL))
        code = cli_fail(c->line.command, EXIT_INCONCLUSIVE, "no memory for workers");
    if (code == 0)
        code = all_scenarios(c, &files);
    if (c->arena != MAP_FAILED)
        (void)munmap(c->arena, ARENA_BYTES);
    free(c->results);
    free(c->arrived);
    files_free(&files);
    return code;
}

int cmd_explore_closure(int argc, char **argv)
{
    struct closure_command *c = calloc(1, sizeof *c);
    if (c == NULL)
        return cli_fail("explore --closure", EXIT_INCONCLUSIVE, "no memory");
    static const char *const others[] = {"--points", "--sample", "--seed",
                                         "--shard",  "--html",   NULL};
    c->line = (struct explore_line){.command = "explore --closure", .others = others};
    c->options = (struct whole_options){.max_states = 1000000, .max_bytes = UINT64_C(4096) << 20};
    int code = explore_line_read(&c->line, argc, argv, longs, help, take, c);
    if (code < 0) {
        (void)signal(SIGINT, on_signal);
        (void)signal(SIGTERM, on_signal);
        c->terminal = isatty(STDERR_FILENO);
        code = run(c);
    }
    free(c);
    return code;
}
