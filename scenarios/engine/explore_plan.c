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
    *o = (struct explore_options){
        .kinds = EXPLORE_FLASH | EXPLORE_MESSAGES, .depth = 1, .sample_seed = 1};
    static const struct explore_tear all[] = {
        {TEAR_NOTHING, 0, SPREAD_ONE},      {TEAR_PREFIX, 0, SPREAD_ONE},
        {TEAR_ALL_BUT_LAST, 0, SPREAD_ONE}, {TEAR_SCRAMBLED, 0, SPREAD_ONE},
        {TEAR_HALF_ERASED, 0, SPREAD_ONE},  {TEAR_WEAK, 0, SPREAD_ONE},
        {TEAR_DONE, 0, SPREAD_ONE},         {TEAR_PREFIX, 0, SPREAD_ANY},
        {TEAR_ALL_BUT_BIT, 0, SPREAD_ONE},  {TEAR_UNREADABLE, 0, SPREAD_ONE},
    };
    o->n_tears = sizeof all / sizeof all[0];
    memcpy(o->tears, all, sizeof all);
}

void explore_tear_name(const struct explore_tear *t, char out[EXPLORE_TEAR_NAME_MAX])
{
    if (t->spread != SPREAD_ONE)
        (void)snprintf(out, EXPLORE_TEAR_NAME_MAX, "%s.%s", nor_tear_name(t->tear),
                       t->spread == SPREAD_EACH ? "each" : "any");
    else if (t->arg == 0)
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
        bool each = strcmp(dot + 1, "each") == 0, any = strcmp(dot + 1, "any") == 0;
        if (strcmp(word, nor_tear_name(TEAR_PREFIX)) == 0 && (each || any)) {
            t->tear = TEAR_PREFIX;
            t->spread = each ? SPREAD_EACH : SPREAD_ANY;
            return 0;
        }
        if (end == dot + 1 || *end != '\0' || v == 0 || v > UINT32_MAX)
            return err_set(err, ERR_FORMAT, "\"%s\" behind the tear \"%s\" is no number from 1",
                           dot + 1, word);
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
            if (o->tears[i].tear == t.tear && o->tears[i].arg == t.arg &&
                o->tears[i].spread == t.spread)
                return err_set(err, ERR_FORMAT, "\"%.*s\" is listed twice", (int)n, at);
        o->tears[o->n_tears++] = t;
        at += n;
        if (*at == '\0')
            return 0;
    }
}

static uint32_t borders_of(const struct exploration *x, const struct run_op *op)
{
    uint32_t granules = op->len_bytes / x->geometry.granule_bytes;
    return granules > 0 ? granules - 1 : 0;
}

bool explore_cut_at(const struct exploration *x, const struct run_op *op, uint64_t number,
                    uint32_t border, struct run_cut *cut)
{
    *cut = (struct run_cut){
        .op = number, .tear = TEAR_PREFIX, .arg = (border + 1) * x->geometry.granule_bytes};
    return border < borders_of(x, op);
}

struct run_cut explore_cut(const struct exploration *x, const struct run_op *op, uint64_t number,
                           const struct explore_tear *t)
{
    struct run_cut c = {.op = number, .tear = t->tear, .arg = t->arg};
    if (t->spread == SPREAD_ANY && borders_of(x, op) > 0) {
        struct rng rng;
        rng_init(&rng, x->seed, "explore", "prefix", (uint64_t)op->addr << 1 | op->kind);
        (void)explore_cut_at(x, op, number, (uint32_t)rng_below(&rng, borders_of(x, op)), &c);
    } else if (t->tear == TEAR_PREFIX && t->arg == 0) {
        c.arg = op->len_bytes / 2 / x->geometry.granule_bytes * x->geometry.granule_bytes;
    }
    return c;
}

/* Both leave the same cells: the same plan, and nothing that is drawn differently. */
static bool same_cells(const struct exploration *x, const struct run_op *op,
                       const struct explore_tear *a, const struct explore_tear *b)
{
    struct tear_outcome plan[2];
    if (a->spread == SPREAD_EACH || b->spread == SPREAD_EACH) /* told apart point by point */
        return b->spread == SPREAD_EACH && borders_of(x, op) == 0;
    struct run_cut cut[2] = {explore_cut(x, op, 1, a), explore_cut(x, op, 1, b)};
    for (int i = 0; i < 2; i++) {
        if (cut[i].tear == TEAR_UNWRITTEN && x->geometry.write_back_ops > 0)
            return cut[0].tear == cut[1].tear && cut[0].arg == cut[1].arg;
        if (cut[i].tear == TEAR_HALF_ERASED && op->kind == NOR_OP_ERASE)
            return cut[0].tear == cut[1].tear && cut[0].arg == cut[1].arg; /* which half is drawn */
        struct rng rng;
        rng_init(&rng, 0, "explore", "unused", 0);
        plan[i] = tear_plan(cut[i].tear, op->kind, cut[i].arg, op->len_bytes,
                            x->geometry.granule_bytes, &rng);
    }
    bool drawn = plan[0].torn_to > plan[0].torn_from || plan[1].torn_to > plan[1].torn_from ||
                 plan[0].disturbs;
    return plan[0].done_to - plan[0].done_from == plan[1].done_to - plan[1].done_from &&
           plan[0].done_from == plan[1].done_from && plan[0].torn_from == plan[1].torn_from &&
           plan[0].torn_to == plan[1].torn_to && plan[0].weak == plan[1].weak &&
           plan[0].but_bit == plan[1].but_bit && plan[0].unreadable == plan[1].unreadable &&
           plan[0].disturbs == plan[1].disturbs && (!drawn || cut[0].arg == cut[1].arg);
}

uint32_t explore_same_tear(const struct exploration *x, const struct run_op *op,
                           const struct explore_options *o, uint32_t t)
{
    for (uint32_t i = 0; i < t; i++)
        if (same_cells(x, op, &o->tears[i], &o->tears[t]))
            return i;
    return t;
}

/* ---- what is cut ---- */

static const struct {
    const char *name;
    unsigned flag;
} kind_rows[EXPLORE_KINDS] = {
    [CUT_FLASH] = {"flash", EXPLORE_FLASH},
    [CUT_MESSAGE] = {"messages", EXPLORE_MESSAGES},
    [CUT_NETWORK] = {"net", EXPLORE_NETWORK},
};

const char *explore_kind_name(enum run_cut_kind kind)
{
    return (unsigned)kind < EXPLORE_KINDS ? kind_rows[kind].name : "unknown";
}

int explore_parse_kinds(struct explore_options *o, const char *list, struct err *err)
{
    o->kinds = 0;
    for (const char *at = list;; at++) {
        size_t n = strcspn(at, ",");
        unsigned flag = 0;
        for (int i = 0; i < EXPLORE_KINDS; i++)
            if (strlen(kind_rows[i].name) == n && memcmp(kind_rows[i].name, at, n) == 0)
                flag = kind_rows[i].flag;
        if (flag == 0)
            return err_set(err, ERR_FORMAT, "\"%.*s\" is none of flash, messages, net", (int)n, at);
        if ((o->kinds & flag) != 0)
            return err_set(err, ERR_FORMAT, "\"%.*s\" is listed twice", (int)n, at);
        o->kinds |= flag;
        at += n;
        if (*at == '\0')
            return 0;
    }
}

static const struct {
    const char *name;
    enum link_action action;
} way_rows[EXPLORE_WAYS] = {{"reset", LINK_RESET}, {"close", LINK_CLOSE}, {"silence", LINK_STALL}};

enum link_action explore_way(uint32_t index)
{
    return way_rows[index < EXPLORE_WAYS ? index : 0].action;
}

const char *explore_way_name(uint32_t index)
{
    return index < EXPLORE_WAYS ? way_rows[index].name : "unknown";
}

struct run_log explore_base(const struct exploration *x)
{
    return (struct run_log){.ops = x->ops,
                            .n_ops = x->n_ops,
                            .messages = x->messages,
                            .n_messages = x->n_messages,
                            .borders = x->borders,
                            .n_borders = x->n_borders};
}

uint32_t explore_item_of(const struct exploration *x, const struct run_cut *cut)
{
    if (cut->kind != CUT_NETWORK) {
        uint32_t n = cut->kind == CUT_FLASH ? x->n_ops : x->n_messages;
        return cut->op >= 1 && cut->op <= n ? (uint32_t)cut->op - 1 : UINT32_MAX;
    }
    for (uint32_t i = 0; i < x->n_borders; i++)
        if (x->borders[i].connection == cut->connection && x->borders[i].dir == cut->dir &&
            x->borders[i].byte == cut->byte)
            return i;
    return UINT32_MAX;
}

enum run_phase explore_phase_of(const struct exploration *x, const struct run_cut *cut)
{
    uint32_t i = explore_item_of(x, cut);
    if (i == UINT32_MAX)
        return RUN_AT_START;
    return cut->kind == CUT_FLASH     ? x->ops[i].phase
           : cut->kind == CUT_MESSAGE ? x->messages[i].phase
                                      : x->borders[i].phase;
}

const char *explore_about(const struct exploration *x, const struct run_cut *cut)
{
    uint32_t i = explore_item_of(x, cut);
    if (i == UINT32_MAX || cut->kind == CUT_FLASH)
        return NULL;
    return cloud_request_name(cut->kind == CUT_MESSAGE ? x->messages[i].about
                                                       : x->borders[i].about);
}

/* ---- the walk ---- */

void explore_walk_init(struct explore_walk *w, const struct exploration *x,
                       const struct explore_options *o, const struct run_log *log,
                       struct run_mark after)
{
    *w = (struct explore_walk){
        .x = x, .o = o, .log = log, .after = after, .kind = CUT_FLASH, .item = after.ops};
}

/* A tear in front of t makes this very cut. */
static bool made_before(const struct explore_walk *w, const struct run_op *op, uint32_t t,
                        const struct run_cut *cut)
{
    for (uint32_t i = 0; i < t; i++) {
        struct run_cut c = explore_cut(w->x, op, cut->op, &w->o->tears[i]);
        if (w->o->tears[i].spread != SPREAD_EACH && run_cut_same(&c, cut))
            return true;
    }
    return false;
}

/* The next border of a tear that takes each of them. */
static bool next_part(struct explore_walk *w, const struct run_op *op, struct run_cut *cut)
{
    while (explore_cut_at(w->x, op, (uint64_t)w->item + 1, w->part++, cut))
        if (!made_before(w, op, w->way, cut))
            return true;
    return false;
}

static bool next_op(struct explore_walk *w, struct run_cut *cut)
{
    for (; w->item < w->log->n_ops; w->item++, w->way = 0)
        for (; w->way < w->o->n_tears; w->way++, w->part = 0) {
            const struct run_op *op = &w->log->ops[w->item];
            const struct explore_tear *t = &w->o->tears[w->way];
            if (t->spread == SPREAD_EACH && next_part(w, op, cut))
                return true;
            if (t->spread == SPREAD_EACH || w->part > 0 ||
                explore_same_tear(w->x, op, w->o, w->way) != w->way)
                continue;
            *cut = explore_cut(w->x, op, (uint64_t)w->item + 1, t);
            w->part = 1;
            return true;
        }
    return false;
}

static bool next_message(struct explore_walk *w, struct run_cut *cut)
{
    if (w->item >= w->log->n_messages)
        return false;
    *cut = (struct run_cut){.kind = CUT_MESSAGE, .op = ++w->item};
    return true;
}

static bool next_border(struct explore_walk *w, struct run_cut *cut)
{
    for (; w->item < w->log->n_borders; w->item++, w->way = 0) {
        const struct run_border *b = &w->log->borders[w->item];
        bool begun = w->after.begun > 0 && b->begun <= w->after.begun;
        if (begun || b->ops < w->after.ops || b->messages < w->after.messages ||
            w->way == EXPLORE_WAYS)
            continue;
        *cut = (struct run_cut){.kind = CUT_NETWORK,
                                .connection = b->connection,
                                .dir = b->dir,
                                .byte = b->byte,
                                .action = explore_way(w->way++)};
        return true;
    }
    return false;
}

bool explore_walk_next(struct explore_walk *w, struct run_cut *cut)
{
    static bool (*const next[EXPLORE_KINDS])(struct explore_walk *, struct run_cut *) = {
        [CUT_FLASH] = next_op, [CUT_MESSAGE] = next_message, [CUT_NETWORK] = next_border};
    for (; w->kind < EXPLORE_KINDS; w->kind++) {
        if ((w->o->kinds & kind_rows[w->kind].flag) != 0 && next[w->kind](w, cut))
            return true;
        w->item = w->kind == CUT_FLASH ? w->after.messages : 0;
        w->way = w->part = 0;
    }
    return false;
}

/* ---- points ---- */

static int too_many(const struct exploration *x, struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "%s: %u operations, %u messages and %u borders give more than %u points; take "
                   "fewer tears or kinds, or a sample",
                   x->name, x->n_ops, x->n_messages, x->n_borders, EXPLORE_POINTS_MAX);
}

static int lay_out_all(struct exploration *x, const struct explore_options *o, struct err *err)
{
    struct run_log base = explore_base(x);
    struct explore_walk w;
    struct run_cut cut;
    uint64_t n = 0;
    explore_walk_init(&w, x, o, &base, (struct run_mark){.ops = 0});
    while (n <= EXPLORE_POINTS_MAX && explore_walk_next(&w, &cut))
        n++;
    if (n > EXPLORE_POINTS_MAX)
        return too_many(x, err);
    x->points = calloc(n > 0 ? n : 1, sizeof *x->points);
    if (x->points == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %" PRIu64 " points", n);
    explore_walk_init(&w, x, o, &base, (struct run_mark){.ops = 0});
    while (explore_walk_next(&w, &cut))
        x->points[x->n_points++] = (struct explore_point){.cuts = {cut}, .n_cuts = 1};
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
    struct run_log base = explore_base(x);
    struct explore_walk w;
    struct run_cut cut;
    explore_walk_init(&w, x, o, &base, (struct run_mark){.ops = 0});
    uint32_t n = explore_walk_next(&w, &cut) ? (uint32_t)o->sample : 0;
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
    if (r->verdict == VERDICT_FAIL)
        (void)err_set(why, ERR_ARG, "the scenario fails without a cut: %s", text);
    else
        (void)err_set(why, ERR_ARG, "the scenario is %s without a cut: %s",
                      verdict_name(r->verdict), text);
}

static int read_baseline(struct exploration *x, const struct scenario *s,
                         const struct run_result *r, struct run_log *log, struct err *err)
{
    if (run_log_end(log) != 0)
        return err_set(err, log->rc, "%s: what it does cannot be listed: %s", s->path,
                       err_name(log->rc));
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
    if (log->n_ops != r->main_ops)
        return err_set(err, ERR_BENCH, "%s: %u operations in the trace, %" PRIu64 " on the chip",
                       s->path, log->n_ops, r->main_ops);
    x->ops = log->ops;
    x->n_ops = log->n_ops;
    x->messages = log->messages;
    x->n_messages = log->n_messages;
    x->borders = log->borders;
    x->n_borders = log->n_borders;
    log->ops = NULL;
    log->messages = NULL;
    log->borders = NULL;
    return 0;
}

int explore_prepare(struct exploration *x, struct scenario *s, const struct explore_options *o,
                    struct world *w, const struct run_options *run, struct err *err)
{
    memset(x, 0, sizeof *x);
    memcpy(x->fails, s->expect.fails, sizeof x->fails);
    x->n_fails = s->expect.n_fails;
    s->expect.n_fails = 0;
    struct run_log log = {.n_ops = 0};
    struct run_options ro = *run;
    ro.mode = RUN_SIM;
    ro.n_cuts = 0;
    ro.sink = run_log_sink(&log);
    ro.probe = run_log_probe(&log);
    struct run_result *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a result");
    world_run(w, s, &ro, r);
    int rc = read_baseline(x, s, r, &log, err);
    if (rc == 0)
        rc = explore_lay_out(x, o, err);
    free(r);
    run_log_free(&log);
    return rc;
}

void explore_free(struct exploration *x)
{
    free(x->ops);
    free(x->messages);
    free(x->borders);
    free(x->points);
    free(x->failures);
    *x = (struct exploration){.n_ops = 0};
}

void explore_token(const struct exploration *x, const struct run_cut *cuts, uint32_t n,
                   char out[RESULT_TOKEN_MAX])
{
    struct token t = {.seed = x->seed, .n_cuts = n};
    memcpy(t.name, x->name, sizeof t.name);
    for (uint32_t i = 0; i < n; i++)
        t.cuts[i] = cuts[i];
    token_print(&t, out);
}
