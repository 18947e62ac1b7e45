/* What there is to explore: tears, the operations of the run without a cut, and the points. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_emu/tear.h"
#include "scenarios/engine/explore_internal.h"
#include "scenarios/engine/token.h"

/* ---- tears ---- */

void explore_options_default(struct explore_options *o)
{
    *o = (struct explore_options){.depth = 1, .sample_seed = 1};
    for (int t = 0; t < TEAR_COUNT; t++)
        o->tears[o->n_tears++].tear = (enum nor_tear)t;
}

void explore_tear_name(const struct explore_tear *t, char out[EXPLORE_TEAR_NAME_MAX])
{
    if (t->arg == 0)
        (void)snprintf(out, EXPLORE_TEAR_NAME_MAX, "%s", nor_tear_name(t->tear));
    else
        (void)snprintf(out, EXPLORE_TEAR_NAME_MAX, "%s.%" PRIu32, nor_tear_name(t->tear), t->arg);
}

static int parse_tear(struct explore_tear *t, const char *text, size_t len_bytes, struct err *err)
{
    char word[EXPLORE_TEAR_NAME_MAX];
    if (len_bytes >= sizeof word)
        return err_set(err, ERR_FORMAT, "\"%.*s\" is no tear", (int)len_bytes, text);
    memcpy(word, text, len_bytes);
    word[len_bytes] = '\0';
    char *dot = strchr(word, '.');
    *t = (struct explore_tear){.arg = 0};
    if (dot != NULL) {
        *dot = '\0';
        char *end = dot + 1;
        unsigned long long v = 0;
        if (dot[1] >= '0' && dot[1] <= '9')
            v = strtoull(dot + 1, &end, 10);
        if (end == dot + 1 || *end != '\0' || v > UINT32_MAX)
            return err_set(err, ERR_FORMAT, "\"%s\" behind the tear \"%s\" is no number", dot + 1,
                           word);
        t->arg = (uint32_t)v;
    }
    if (nor_tear_parse(word, &t->tear) == 0)
        return 0;
    char known[160] = "";
    size_t at = 0;
    for (int i = 0; i < TEAR_COUNT && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i == 0 ? "" : ", ",
                               nor_tear_name((enum nor_tear)i));
    return err_set(err, ERR_FORMAT, "\"%s\" is no tear; there are %s", word, known);
}

int explore_parse_tears(struct explore_options *o, const char *list, struct err *err)
{
    if (strcmp(list, "all") == 0) {
        struct explore_options all;
        explore_options_default(&all);
        memcpy(o->tears, all.tears, sizeof o->tears);
        o->n_tears = all.n_tears;
        return 0;
    }
    o->n_tears = 0;
    for (const char *at = list;; at++) {
        size_t n = strcspn(at, ",");
        if (o->n_tears == EXPLORE_TEARS_MAX)
            return err_set(err, ERR_FORMAT, "more than %d tears", EXPLORE_TEARS_MAX);
        struct explore_tear t;
        int rc = parse_tear(&t, at, n, err);
        if (rc != 0)
            return rc;
        for (uint32_t i = 0; i < o->n_tears; i++)
            if (o->tears[i].tear == t.tear && o->tears[i].arg == t.arg)
                return err_set(err, ERR_FORMAT, "\"%.*s\" is listed twice", (int)n, at);
        o->tears[o->n_tears++] = t;
        at += n;
        if (*at == '\0')
            return 0;
    }
}

struct run_cut explore_cut(const struct exploration *x, const struct explore_op *op,
                           uint64_t number, const struct explore_tear *t)
{
    struct run_cut c = {.op = number, .tear = t->tear, .arg = t->arg};
    if (t->tear == TEAR_PREFIX && t->arg == 0)
        c.arg = op->len_bytes / 2 / x->geometry.granule_bytes * x->geometry.granule_bytes;
    return c;
}

/* Both leave the same cells: the same plan, and nothing that is drawn differently. */
static bool same_cells(const struct exploration *x, const struct explore_op *op,
                       const struct explore_tear *a, const struct explore_tear *b)
{
    struct tear_outcome plan[2];
    struct run_cut cut[2] = {explore_cut(x, op, 1, a), explore_cut(x, op, 1, b)};
    for (int i = 0; i < 2; i++) {
        if (cut[i].tear == TEAR_HALF_ERASED && op->kind == NOR_OP_ERASE)
            return cut[0].tear == cut[1].tear && cut[0].arg == cut[1].arg; /* which half is drawn */
        struct rng rng;
        rng_init(&rng, 0, "explore", "unused", 0);
        plan[i] = tear_plan(cut[i].tear, op->kind, cut[i].arg, op->len_bytes,
                            x->geometry.granule_bytes, &rng);
    }
    bool drawn = plan[0].torn_to > plan[0].torn_from || plan[1].torn_to > plan[1].torn_from;
    return plan[0].done_to - plan[0].done_from == plan[1].done_to - plan[1].done_from &&
           plan[0].done_from == plan[1].done_from && plan[0].torn_from == plan[1].torn_from &&
           plan[0].torn_to == plan[1].torn_to && plan[0].weak == plan[1].weak &&
           (!drawn || cut[0].arg == cut[1].arg);
}

uint32_t explore_same_tear(const struct exploration *x, const struct explore_op *op,
                           const struct explore_options *o, uint32_t t)
{
    for (uint32_t i = 0; i < t; i++)
        if (same_cells(x, op, &o->tears[i], &o->tears[t]))
            return i;
    return t;
}

/* ---- operations ---- */

static const char *const phase_names[EXPLORE_PHASES] = {
    [EXPLORE_AT_START] = "start",     [EXPLORE_AT_REGISTER] = "register",
    [EXPLORE_AT_PREPARE] = "prepare", [EXPLORE_AT_SEGMENTS] = "segments",
    [EXPLORE_AT_VERIFY] = "verify",   [EXPLORE_AT_BOOT] = "boot",
    [EXPLORE_AT_RESTORE] = "restore", [EXPLORE_AT_RESULT] = "result",
    [EXPLORE_AT_REPORT] = "report",
};

const char *explore_phase_name(enum explore_phase p)
{
    return (unsigned)p < EXPLORE_PHASES ? phase_names[p] : "unknown";
}

/* The event that begins a phase. */
static const struct {
    enum lane lane;
    const char *event, *request; /* request null: any */
    enum explore_phase phase;
} phase_rows[] = {
    {LANE_BOOT, "boot", NULL, EXPLORE_AT_BOOT},
    {LANE_BOOT, "prove", NULL, EXPLORE_AT_RESTORE},
    {LANE_BOOT, "restore", NULL, EXPLORE_AT_RESTORE},
    {LANE_BOOT, "restored", NULL, EXPLORE_AT_RESULT},
    {LANE_BOOT, "refuse", NULL, EXPLORE_AT_RESULT},
    {LANE_DEVICE, "start", NULL, EXPLORE_AT_START},
    {LANE_DEVICE, "package", NULL, EXPLORE_AT_PREPARE},
    {LANE_DEVICE, "verify", NULL, EXPLORE_AT_VERIFY},
    {LANE_CLOUD, "request", "register", EXPLORE_AT_REGISTER},
    {LANE_CLOUD, "request", "download", EXPLORE_AT_SEGMENTS},
    {LANE_CLOUD, "request", "report-upgrade", EXPLORE_AT_REPORT},
};

static enum explore_phase phase_after(enum explore_phase now, enum lane lane, const char *event,
                                      const char *request)
{
    for (size_t i = 0; i < sizeof phase_rows / sizeof phase_rows[0]; i++)
        if (phase_rows[i].lane == lane && strcmp(phase_rows[i].event, event) == 0 &&
            (phase_rows[i].request == NULL || strcmp(phase_rows[i].request, request) == 0))
            return phase_rows[i].phase;
    return now;
}

/* Copies the string value of a key out of a trace line, whose keys and words need no unescaping. */
static void line_text(const char *line, const char *key, char out[32])
{
    char quoted[40];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *at = strstr(line, quoted);
    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(quoted);
    size_t n = strcspn(at, "\"");
    n = n < 31 ? n : 31;
    memcpy(out, at, n);
    out[n] = '\0';
}

static uint64_t line_number(const char *line, const char *key)
{
    char quoted[40];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at == NULL ? 0 : strtoull(at + strlen(quoted), NULL, 10);
}

static void record_op(struct op_recorder *r, const char *line, enum nor_op_kind kind)
{
    if (r->n >= EXPLORE_OPS_MAX) {
        r->rc = ERR_LIMIT;
        return;
    }
    if (r->n == r->cap) {
        uint32_t cap = r->cap == 0 ? 1024 : r->cap * 2;
        struct explore_op *grown = realloc(r->ops, cap * sizeof *grown);
        if (grown == NULL) {
            r->rc = ERR_NOMEM;
            return;
        }
        r->ops = grown;
        r->cap = cap;
    }
    if (line_number(line, "op") != (uint64_t)r->n + 1)
        r->rc = ERR_BENCH; /* two operations overlapped: numbers are not in order */
    r->ops[r->n++] = (struct explore_op){.kind = kind,
                                         .addr = (uint32_t)line_number(line, "addr"),
                                         .len_bytes = (uint32_t)line_number(line, "len"),
                                         .phase = r->phase};
}

void op_recorder_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    (void)t_ns;
    (void)len_bytes;
    struct op_recorder *r = ctx;
    if (r->over || r->rc != 0)
        return;
    char event[32], request[32];
    line_text(line, "event", event);
    if (lane == LANE_BENCH) {
        r->over = strcmp(event, "heal") == 0;
    } else if (lane == LANE_FLASH) {
        if (strcmp(event, "program") == 0)
            record_op(r, line, NOR_OP_PROGRAM);
        else if (strcmp(event, "erase") == 0)
            record_op(r, line, NOR_OP_ERASE);
    } else {
        line_text(line, "rq", request);
        r->phase = phase_after(r->phase, lane, event, request);
    }
}

/* ---- points ---- */

static int lay_out_all(struct exploration *x, const struct explore_options *o, struct err *err)
{
    uint64_t most = (uint64_t)x->n_ops * o->n_tears;
    if (most > EXPLORE_POINTS_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: %u operations with %u tears are more than %u points; take fewer tears "
                       "or a sample",
                       x->name, x->n_ops, o->n_tears, EXPLORE_POINTS_MAX);
    x->points = calloc(most > 0 ? most : 1, sizeof *x->points);
    if (x->points == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %" PRIu64 " points", most);
    for (uint32_t i = 0; i < x->n_ops; i++)
        for (uint32_t t = 0; t < o->n_tears; t++)
            if (explore_same_tear(x, &x->ops[i], o, t) == t) {
                struct explore_point *p = &x->points[x->n_points++];
                p->cuts[0] = explore_cut(x, &x->ops[i], i + 1, &o->tears[t]);
                p->n_cuts = 1;
            }
    return 0;
}

int explore_lay_out(struct exploration *x, const struct explore_options *o, struct err *err)
{
    free(x->points);
    x->points = NULL;
    x->n_points = 0;
    if (o->sample == 0)
        return lay_out_all(x, o, err);
    if (o->sample > EXPLORE_POINTS_MAX)
        return err_set(err, ERR_LIMIT, "a sample has at most %u sequences", EXPLORE_POINTS_MAX);
    uint32_t n = x->n_ops == 0 ? 0 : (uint32_t)o->sample;
    x->points = calloc(n > 0 ? n : 1, sizeof *x->points);
    if (x->points == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %u points", n);
    x->n_points = n; /* the cuts are drawn when they run */
    return 0;
}

/* Whether the run failed every requirement that the zoo says it must. */
static bool fails_as_labelled(const struct exploration *x, const struct run_result *r)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < x->n_fails; i++)
        for (uint32_t k = 0; k < r->n_checks; k++)
            found +=
                r->checks[k].verdict == VERDICT_FAIL && strcmp(r->checks[k].id, x->fails[i]) == 0;
    return x->n_fails > 0 && found == x->n_fails;
}

/* Why a baseline is none. */
static void explain(struct err *why, const struct run_result *r)
{
    const char *text = r->cause;
    char failed[RESULT_DETAIL_MAX + REQUIREMENT_ID_MAX + 2];
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].verdict == VERDICT_FAIL) {
            (void)snprintf(failed, sizeof failed, "%s %s", r->checks[i].id, r->checks[i].detail);
            text = failed;
            break;
        }
    (void)err_set(why, ERR_ARG, "without a cut the scenario is %s: %s", verdict_name(r->verdict),
                  text);
}

static int read_baseline(struct exploration *x, const struct scenario *s,
                         const struct run_result *r, struct op_recorder *rec, struct err *err)
{
    if (rec->rc != 0)
        return err_set(err, rec->rc, "%s: its operations cannot be listed: %s", s->path,
                       err_name(rec->rc));
    memcpy(x->name, r->name, sizeof x->name);
    memcpy(x->path, r->path, sizeof x->path);
    memcpy(x->new_version, r->final_version, sizeof x->new_version);
    memcpy(x->old_version, s->versions[0].version, sizeof x->old_version);
    memcpy(x->trace_sha256, r->trace_sha256, sizeof x->trace_sha256);
    x->seed = r->seed;
    x->baseline = r->verdict;
    x->geometry = s->device.geometry;
    x->geometry.name = x->geometry.text = NULL;
    x->partitions = s->device.partitions;
    if (r->verdict != VERDICT_PASS) {
        struct err why;
        explain(&why, r);
        memcpy(x->cause, why.text, sizeof x->cause);
        if (r->verdict == VERDICT_FAIL && fails_as_labelled(x, r))
            x->baseline = VERDICT_EXPECTED_FAIL;
        return 0;
    }
    if (rec->n != r->main_ops)
        return err_set(err, ERR_BENCH, "%s: %u operations in the trace, %" PRIu64 " on the chip",
                       s->path, rec->n, r->main_ops);
    x->ops = rec->ops;
    x->n_ops = rec->n;
    rec->ops = NULL;
    return 0;
}

int explore_prepare(struct exploration *x, struct scenario *s, const struct explore_options *o,
                    struct world *w, const struct run_options *run, struct err *err)
{
    memset(x, 0, sizeof *x);
    memcpy(x->fails, s->expect.fails, sizeof x->fails);
    x->n_fails = s->expect.n_fails;
    s->expect.n_fails = 0;
    struct op_recorder rec = {.phase = EXPLORE_AT_START};
    struct run_options ro = *run;
    ro.mode = RUN_SIM;
    ro.n_cuts = 0;
    ro.sink = (struct trace_sink){.line = op_recorder_line, .ctx = &rec};
    struct run_result *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a result");
    world_run(w, s, &ro, r);
    int rc = read_baseline(x, s, r, &rec, err);
    if (rc == 0)
        rc = explore_lay_out(x, o, err);
    free(r);
    free(rec.ops);
    return rc;
}

void explore_free(struct exploration *x)
{
    free(x->ops);
    free(x->points);
    free(x->failures);
    *x = (struct exploration){.n_ops = 0};
}

void explore_token(const struct exploration *x, const struct run_cut *cuts, uint32_t n,
                   char out[SCENARIO_NAME_MAX + 64])
{
    struct token t = {.seed = x->seed, .n_cuts = n};
    memcpy(t.name, x->name, sizeof t.name);
    for (uint32_t i = 0; i < n; i++)
        t.cuts[i] = cuts[i];
    token_print(&t, out);
}
