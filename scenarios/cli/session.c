#include "scenarios/cli/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/pool.h"
#include "scenarios/cli/progress.h"
#include "scenarios/engine/token.h"

/* What pool callbacks see: read-only in workers, results and progress in the parent. */
struct shared {
    struct session *s;
    const struct session_options *o;
    struct progress_state progress;
};

/* One per worker process. */
struct bench {
    struct world *world;
    struct scenario *scenario;
    struct err err;
};

/* Name, path, seed and token: what is known without running. */
static void name_result(const struct shared *x, size_t item, struct run_result *r)
{
    const struct scenario_file *f = &x->s->files->item[item];
    struct token t = {.seed = x->o->run.seed != 0 ? x->o->run.seed : f->seed,
                      .n_cuts = x->o->run.n_cuts};
    memset(r, 0, sizeof *r);
    memcpy(r->name, f->name, sizeof r->name);
    memcpy(r->path, f->path, sizeof r->path);
    r->mode = x->o->run.mode;
    r->seed = t.seed;
    memcpy(t.name, f->name, sizeof t.name);
    memcpy(t.cuts, x->o->run.cuts, sizeof t.cuts);
    token_print(&t, r->token);
}

static void without_verdict(struct run_result *r, enum verdict verdict, const char *cause)
{
    r->verdict = verdict;
    (void)snprintf(r->cause, sizeof r->cause, "%s", cause);
}

/* ---- in the worker ---- */

static void *open_bench(void *ctx)
{
    struct shared *x = ctx;
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->scenario = malloc(sizeof *b->scenario);
    if (x->o->run.mode == RUN_SIM)
        b->world = world_new(&b->err);
    return b;
}

static void close_bench(void *ctx, void *state)
{
    (void)ctx;
    struct bench *b = state;
    if (b == NULL)
        return;
    world_free(b->world);
    free(b->scenario);
    free(b);
}

struct trace_file {
    FILE *f;
    int number; /* errno of the first line that could not be written; 0: none */
};

static void write_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    struct trace_file *t = ctx;
    (void)t_ns;
    (void)lane;
    bool whole = fwrite(line, 1, len_bytes, t->f) == len_bytes && fputc('\n', t->f) != EOF;
    if (!whole && t->number == 0)
        t->number = errno;
}

/* A run without its whole trace is no result, unless it failed. */
static void close_trace(struct trace_file *t, const char *path, struct run_result *out)
{
    char cause[sizeof out->cause];
    if (fclose(t->f) != 0 && t->number == 0)
        t->number = errno;
    if (t->number == 0)
        return;
    (void)snprintf(cause, sizeof cause, "%s: cannot be written: %s", path, strerror(t->number));
    without_verdict(out, out->verdict == VERDICT_FAIL ? VERDICT_FAIL : VERDICT_ERROR, cause);
}

static void run_one(struct shared *x, struct bench *b, size_t item, struct run_result *out)
{
    struct run_options o = x->o->run;
    const char *path = x->o->trace_paths == NULL ? NULL : x->o->trace_paths[item];
    struct trace_file trace = {.f = path == NULL ? NULL : fopen(path, "w")};
    if (path != NULL && trace.f == NULL) {
        (void)snprintf(out->cause, sizeof out->cause, "%s: cannot be written: %s", path,
                       strerror(errno));
        out->verdict = VERDICT_ERROR;
        return;
    }
    if (trace.f != NULL) {
        /* Line by line: a crash must not take the last ones along. */
        (void)setvbuf(trace.f, NULL, _IOLBF, BUFSIZ);
        o.sink = (struct trace_sink){.line = write_line, .ctx = &trace};
    }
    int64_t start_ns = cli_clock_ns();
    if (o.mode == RUN_WIRE)
        wire_run(b->scenario, &o, out);
    else
        world_run(b->world, b->scenario, &o, out);
    out->wall_ns = cli_clock_ns() - start_ns;
    if (trace.f != NULL)
        close_trace(&trace, path, out);
}

static void work(void *ctx, void *state, size_t item, void *result)
{
    struct shared *x = ctx;
    struct bench *b = state;
    struct run_result *out = result;
    struct err err = {.text = ""};
    name_result(x, item, out);
    if (b == NULL || b->scenario == NULL || (b->world == NULL && x->o->run.mode == RUN_SIM))
        without_verdict(out, VERDICT_ERROR,
                        b == NULL || b->err.text[0] == '\0' ? "no memory" : b->err.text);
    else if (scenario_load(b->scenario, out->path, &err) != 0)
        without_verdict(out, VERDICT_ERROR, err.text);
    else if (x->o->run.mode == RUN_WIRE && !b->scenario->wire && !x->s->files->item[item].named)
        without_verdict(out, VERDICT_NOT_APPLICABLE,
                        "not made for the wire; naming the file runs it all the same");
    else
        run_one(x, b, item, out);
}

/* ---- in the parent ---- */

static bool is_bad(enum verdict v)
{
    return v == VERDICT_FAIL || v == VERDICT_UNEXPECTED_PASS || v == VERDICT_ERROR ||
           v == VERDICT_INCONCLUSIVE;
}

static void done(void *ctx, size_t item, const struct pool_outcome *o)
{
    struct shared *x = ctx;
    struct run_result *r = &x->s->results[item];
    if (o->result != NULL) {
        memcpy(r, o->result, sizeof *r);
    } else {
        r->wall_ns = o->wall_ns;
        without_verdict(r, VERDICT_ERROR, o->cause);
        progress_clear(&x->progress);
        if (o->log[0] != '\0' && x->o->progress != PROGRESS_NONE)
            (void)fprintf(stderr, "---- %s: its worker died and left this behind ----\n%s\n----\n",
                          r->name, o->log);
    }
    progress_done(&x->progress, is_bad(r->verdict), cli_clock_ns());
}

static void tick(void *ctx)
{
    struct shared *x = ctx;
    progress_show(&x->progress, cli_clock_ns());
}

int session_run(struct session *s, const struct scenario_files *f, const struct session_options *o,
                struct err *err)
{
    *s = (struct session){.files = f,
                          .mode = o->run.mode,
                          .started_utc_s = (int64_t)time(NULL),
                          .results = calloc(f->count == 0 ? 1 : f->count, sizeof *s->results)};
    if (s->results == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %zu results", f->count);
    s->count = f->count;
    int64_t start_ns = cli_clock_ns();
    struct shared x = {.s = s, .o = o};
    progress_init(&x.progress, o->progress, f->count, start_ns);
    for (size_t i = 0; i < f->count; i++) {
        name_result(&x, i, &s->results[i]);
        without_verdict(&s->results[i], VERDICT_INCONCLUSIVE, "interrupted");
    }
    unsigned jobs = o->jobs < f->count ? o->jobs : (unsigned)f->count;
    struct pool_setup p = {.n_items = f->count,
                           .result_bytes = sizeof(struct run_result),
                           .workers = jobs == 0 ? 1 : jobs,
                           .timeout_ms = o->timeout_ms,
                           .ctx = &x,
                           .open = open_bench,
                           .work = work,
                           .close = close_bench,
                           .done = done,
                           .tick = tick};
    struct pool_report report;
    int rc = pool_run(&p, &report, err);
    progress_clear(&x.progress);
    s->wall_ns = cli_clock_ns() - start_ns;
    s->interrupted = report.interrupted;
    memcpy(s->fault, report.fault, sizeof s->fault);
    return rc;
}

void session_free(struct session *s)
{
    free(s->results);
    s->results = NULL;
    s->count = 0;
}

int session_exit_code(const struct session *s)
{
    int code = result_exit_code(s->results, s->count);
    bool trouble = s->interrupted || s->fault[0] != '\0';
    return trouble && (s->interrupted || code != 1) ? 2 : code;
}

void session_tally(const struct session *s, size_t counts[VERDICT_COUNT])
{
    memset(counts, 0, VERDICT_COUNT * sizeof counts[0]);
    for (size_t i = 0; i < s->count; i++)
        counts[s->results[i].verdict]++;
}

unsigned session_default_jobs(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > POOL_WORKERS_MAX ? POOL_WORKERS_MAX : (unsigned)n;
}
