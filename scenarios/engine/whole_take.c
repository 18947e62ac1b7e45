/*
 * Taking in what a run found: its log becomes events, an outcome and a path of the recall; then its
 * cuts are worked out.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/whole_internal.h"

#define MEMORIES_MAX 65536u

/* A log being read. */
struct reader {
    const uint8_t *at, *end;
    struct whole_taking *t;
    uint32_t clouds[MEMORIES_MAX]; /* number in the log to number in the pool */
    uint32_t judges[MEMORIES_MAX];
    struct judge_severity severities[MEMORIES_MAX];
    uint32_t n_clouds, n_judges;
    uint32_t ops;
    uint32_t spot; /* of the recall */
};

static bool bad(struct reader *r, const char *what)
{
    if (r->t->rc == 0)
        r->t->rc =
            err_set(&r->t->err, ERR_BENCH, "closure: the log of task %u has %s", r->t->task, what);
    return false;
}

static bool get(struct reader *r, void *out, size_t len_bytes)
{
    if ((size_t)(r->end - r->at) < len_bytes)
        return bad(r, "an end in its middle");
    memcpy(out, r->at, len_bytes);
    r->at += len_bytes;
    return true;
}

/* ---- records ---- */

static bool take_cloud(struct reader *r)
{
    uint32_t len;
    if (!get(r, &len, sizeof len))
        return false;
    if ((size_t)(r->end - r->at) < len || r->n_clouds == MEMORIES_MAX)
        return bad(r, "too many memories");
    r->clouds[r->n_clouds] = whole_put_cloud(r->t->w, r->at, len);
    if (r->clouds[r->n_clouds++] == POOL_NONE)
        whole_full(r->t);
    r->at += len;
    return r->t->rc == 0;
}

static bool take_judge(struct reader *r)
{
    struct judge_memory m;
    if (!get(r, &m, sizeof m))
        return false;
    if (r->n_judges == MEMORIES_MAX)
        return bad(r, "too many memories");
    r->judges[r->n_judges] = whole_put_judge(r->t->w, &m, &r->severities[r->n_judges]);
    if (r->judges[r->n_judges++] == POOL_NONE)
        whole_full(r->t);
    return r->t->rc == 0;
}

static bool memories_known(struct reader *r, uint32_t cloud, uint32_t judge)
{
    return (cloud < r->n_clouds && judge < r->n_judges) || bad(r, "a memory that is not there");
}

static bool add_event(struct reader *r, const struct whole_event *e)
{
    struct whole *w = r->t->w;
    struct whole_event *event = list_add(&w->events);
    if (event == NULL) {
        whole_full(r->t);
        return false;
    }
    *event = *e;
    whole_run_at(w, r->t->run)->n_events++;
    return true;
}

static bool take_op(struct reader *r)
{
    struct closure *c = r->t->w->flash;
    struct log_op o;
    if (!get(r, &o, sizeof o) || !memories_known(r, o.cloud, o.judge))
        return false;
    bool program = o.kind == NOR_OP_PROGRAM;
    if (program && (size_t)(r->end - r->at) < o.len_bytes)
        return bad(r, "an end in its middle");
    struct nor_op op = {.kind = (enum nor_op_kind)o.kind,
                        .addr = o.addr,
                        .len_bytes = o.len_bytes,
                        .data = program ? r->at : NULL};
    r->at += program ? o.len_bytes : 0;
    struct whole_event e = {.kind = WHOLE_OP,
                            .cloud = r->clouds[o.cloud],
                            .judge = r->judges[o.judge],
                            .severity = r->severities[o.judge],
                            .ops = ++r->ops,
                            .ns = o.ns};
    if (!closure_op_key(c, &op, &e.key)) {
        r->t->rc = c->rc;
        r->t->err = c->err;
        return false;
    }
    return add_event(r, &e);
}

static bool take_reply(struct reader *r)
{
    struct log_reply p;
    if (!get(r, &p, sizeof p) || !memories_known(r, p.cloud, p.judge))
        return false;
    struct whole_event e = {.kind = WHOLE_REPLY,
                            .cloud = r->clouds[p.cloud],
                            .judge = r->judges[p.judge],
                            .severity = r->severities[p.judge],
                            .ops = r->ops,
                            .replies = p.replies,
                            .ns = p.ns};
    return add_event(r, &e);
}

/* The run would look at that unit next: a spot of the recall. The tree is still the node's. */
static bool take_look(struct reader *r)
{
    struct whole *w = r->t->w;
    uint32_t unit, content[RECALL_KEY_WORDS];
    if (!get(r, &unit, sizeof unit))
        return false;
    if (unit >= w->flash->states.shape.units)
        return bad(r, "a look outside the chip");
    struct recall_spot *at = &w->recall.spots[r->spot];
    if (at->kind == RECALL_UNKNOWN)
        *at = (struct recall_spot){.kind = RECALL_PAGE, .value = unit};
    else if (at->kind != RECALL_PAGE || at->value != unit)
        return bad(r, "another look than a run that saw the same");
    whole_content(w, whole_node_at(w, r->t->node), r->t->reading, unit, content);
    r->spot = recall_next(&w->recall, r->spot, content, true);
    if (r->spot == RECALL_NONE)
        whole_full(r->t);
    return r->t->rc == 0;
}

static bool take_end(struct reader *r)
{
    struct whole *w = r->t->w;
    struct log_end e;
    if (!get(r, &e, sizeof e) || !memories_known(r, e.cloud, e.judge) ||
        !memories_known(r, e.cloud, e.judge_cut))
        return false;
    if (r->at != r->end)
        return bad(r, "something behind its end");
    if (e.how == WHOLE_IDLED) {
        struct whole_event idle = {.kind = WHOLE_IDLE,
                                   .cloud = r->clouds[e.cloud],
                                   .judge = r->judges[e.judge_cut],
                                   .severity = r->severities[e.judge_cut],
                                   .ops = r->ops,
                                   .replies = e.replies,
                                   .ns = e.ns};
        if (!add_event(r, &idle))
            return false;
    }
    struct whole_outcome *o = list_add(&w->outcomes);
    if (o == NULL) {
        whole_full(r->t);
        return false;
    }
    whole_run_at(w, r->t->run)->outcome = (uint32_t)w->outcomes.count - 1;
    *o = (struct whole_outcome){.how = e.how,
                                .cloud = r->clouds[e.cloud],
                                .judge = r->judges[e.judge],
                                .severity = r->severities[e.judge],
                                .replies = e.replies};
    memcpy(o->version, e.version, sizeof o->version);
    struct recall_spot *at = &w->recall.spots[r->spot];
    if (at->kind != RECALL_UNKNOWN && !w->options.no_recall)
        return bad(r, "fewer looks than a run that saw the same");
    *at = (struct recall_spot){.kind = RECALL_SEGMENT, .value = r->t->run};
    return true;
}

static bool take_record(struct reader *r)
{
    uint32_t tag;
    if (!get(r, &tag, sizeof tag))
        return false;
    switch (tag) {
    case TAG_CLOUD:
        return take_cloud(r);
    case TAG_JUDGE:
        return take_judge(r);
    case TAG_OP:
        return take_op(r);
    case TAG_REPLY:
        return take_reply(r);
    case TAG_LOOK:
        return take_look(r);
    case TAG_END:
        return take_end(r);
    default:
        return bad(r, "a record that is none");
    }
}

static void take_log(struct whole_taking *t, const void *log, size_t len_bytes)
{
    struct whole *w = t->w;
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        whole_full(t);
        return;
    }
    r->t = t;
    r->at = log;
    r->end = r->at + len_bytes;
    whole_run_at(w, t->run)->first_event = (uint32_t)w->events.count;
    r->spot = whole_recall_root(w, whole_node_at(w, t->node));
    if (r->spot == RECALL_NONE)
        whole_full(t);
    while (t->rc == 0 && r->at < r->end && take_record(r))
        ;
    free(r);
}

/* ---- a task ---- */

/* Whether what was found failed, and a repetition too: then the shortest path there is known, and
 * longer ones say nothing more. */
static bool failed(struct whole_taking *t, const uint8_t *log, size_t len_bytes)
{
    struct log_end e;
    if (len_bytes < sizeof e)
        return false;
    memcpy(&e, log + len_bytes - sizeof e, sizeof e);
    if (e.n_ids == 0 || e.n_ids > WHOLE_IDS_MAX)
        return false;
    bool sure = whole_tell_failure(t->w, t->node, t->reading, e.how == WHOLE_HEALED, &e);
    if (sure && whole_found_enough(t->w))
        whole_stop(t->w, "a counter-example was found");
    return sure;
}

static void executed(struct whole_taking *t, const void *log, size_t len_bytes)
{
    struct whole *w = t->w;
    bool over = failed(t, log, len_bytes);
    whole_step_begin(t);
    if (t->rc == 0)
        take_log(t, log, len_bytes);
    w->result.starts++;
    if (t->rc != 0)
        return;
    whole_outcome_at(w, whole_run_at(w, t->run)->outcome)->failed = over;
    if (over)
        whole_node_at(w, t->node)->failed = true;
    else if (!w->stopped)
        whole_step_all(t, t->run);
}

static void recalled(struct whole_taking *t, uint32_t source)
{
    struct whole *w = t->w;
    whole_step_begin(t);
    w->result.recalled++;
    if (t->rc != 0)
        return;
    if (!whole_outcome_at(w, whole_run_at(w, source)->outcome)->failed) {
        whole_step_all(t, source);
        return;
    }
    whole_run_at(w, t->run)->source = source;
    whole_node_at(w, t->node)->failed = true;
    w->result.failing++;
}

int whole_take_task(struct whole *w, uint32_t task, const void *log, size_t len_bytes,
                    const char *lost, struct err *err)
{
    const struct whole_task *what = whole_task_at(w, task);
    struct whole_taking t = {.w = w, .task = task, .node = what->node, .reading = what->reading};
    uint32_t spot, content[RECALL_KEY_WORDS], source = NONE;
    if (w->stopped)
        return 0;
    if (what->end == NONE && !w->options.no_recall)
        source = whole_recall(w, task, &spot, content);
    if (source != NONE)
        recalled(&t, source);
    else if (lost != NULL)
        t.rc = err_set(&t.err, ERR_BENCH, "%s", lost);
    else if (log == NULL)
        t.rc = err_set(&t.err, ERR_BENCH, "closure: task %u was recalled and is not", task);
    else if (what->end == NONE)
        executed(&t, log, len_bytes);
    else {
        w->result.heals++;
        (void)failed(&t, log, len_bytes);
    }
    if (t.rc != 0 && err != NULL)
        *err = t.err;
    if (w->options.max_bytes != 0 && w->runs.count % 64 == 0 &&
        whole_memory(w) > w->options.max_bytes)
        whole_stop(w, "the memory allowed was used");
    return t.rc;
}
