/*
 * Inside a closure of a whole update: what its parts share. whole.c keeps the graph, whole_batch.c
 * says what is to be run and takes in order what is known, whole_work.c runs it, whole_learn.c
 * reads what was found, whole_step.c works out what every cut leaves, whole_graph.c measures,
 * whole_loop.c finds resets without end, whole_confirm.c repeats counter-examples, whole_audit.c
 * has decided starts run all the same, whole_report.c tells, whole_memory.c says what can be closed
 * and what the cloud remembers, whole_dead.c merges what is erased unseen, whole_loss.c lists
 * connections that may be lost, whole_moment.c brings a worker to a moment.
 *
 * The flash part is a struct closure without a boot loader: its sets, its recall and its scratch
 * chip. A node's flash is a set of contents for each erase unit, as in closure.h, and stands for
 * every choice of one each.
 *
 * Recall: what a power-on does is a function of what the cloud and the judge remember and of the
 * bytes that device and judge look at before they are erased. What the boot loader does is worked
 * out first, by the steps of the closure of the restore, and stands for all that it looked at. All
 * that looks at the same contents does the same, and is run once: its behaviour. A node is led
 * along what is known, and is parted only where its elements show different things; parts that
 * behave the same are followed as one.
 */
#ifndef OTABENCH_ENGINE_WHOLE_INTERNAL_H
#define OTABENCH_ENGINE_WHOLE_INTERNAL_H

#include "scenarios/engine/closure_internal.h"
#include "scenarios/engine/judge_memory.h"
#include "scenarios/engine/whole.h"

#define CLOUD_MEMORY_MAX 2048u

/* Equal nodes have equal keys. */
struct whole_key {
    uint32_t flash, cloud;
    uint32_t judge; /* with severity 0 */
    /* 0: power comes back, weak cells read anew. 1: after a reset, as they did. WHOLE_MOMENT_0 and
     * more: in the midst of a power-on, at that one of the moments. */
    uint32_t reset;
};
#define WHOLE_MOMENT_0 2u

/*
 * A moment (board.h): from here on a run is a function of this, of flash, cloud and judge's memory.
 * Nothing is under way in the network. Compared as bytes.
 */
#define DEVICE_MEMORY_MAX 2048u
struct whole_moment {
    uint32_t lost;    /* connections, so far in this power-on */
    uint32_t is_open; /* the newest connection */
    uint32_t device_bytes, zero;
    struct judge_moment judge;
    uint8_t device[DEVICE_MEMORY_MAX];
};

/* Where a node was met first. */
struct whole_node {
    struct whole_key key;
    struct judge_severity severity;
    uint32_t older;      /* the one of the same key before it; NONE: none */
    uint32_t parent_run; /* NONE: the first node */
    uint32_t event;      /* of that run: what was cut; NONE: a reset */
    uint32_t depth;      /* cuts */
    uint64_t ops_before; /* operations on the way here */
    uint32_t replies;    /* of the cloud since the last of them */
    uint32_t first_run;  /* NONE: not run yet */
    uint32_t last_run;   /* and those before it */
    uint32_t stricter;   /* NONE, or a node of the same key that covers this one: it is not run */
    bool weak_cut;       /* by the tear that leaves weak cells */
    bool asked;          /* something was run for it */
    bool failed;         /* a run from here failed a requirement */
};

/* What is to be taken in: all starts of a node, or all heal phases of an end. */
struct whole_todo {
    uint32_t node; /* NONE: an end */
    uint32_t end;
    uint32_t loss; /* what is lost in this power-on, among the losses; NONE: nothing */
    uint32_t base; /* the part it is for, among the bases of the flash; NONE: all of the node */
    uint32_t first_path, n_paths; /* of the boot loader; 0: not asked for yet, or there are none */
    bool foreign;                 /* some foreign unit is not as at the beginning */
};

/* What is to be run: one content of each unit, the first of its set. */
struct whole_task {
    struct whole_todo of;
    uint32_t base;  /* among the bases of the flash */
    uint32_t chain; /* what the boot loader does: number of a boot_chain; NONE: not known apart */
    uint32_t audit; /* number of a whole_audit; NONE: nobody knows what it will do */
};

/* What is known of a start or heal phase and has to be found again by really running it. */
struct whole_audit {
    uint32_t run;           /* NONE: a heal phase */
    uint32_t behaviour;     /* that it must show */
    uint32_t event;         /* that power is lost in; NONE: it goes to its end */
    struct tear_variant by; /* how */
    uint32_t after;         /* place of that tear among those of the operation */
    uint64_t draw;          /* where a content stands for any: number of what it is instead */
};

/* A connection that is lost behind a node. Compared as bytes. */
struct whole_loss {
    uint32_t before;     /* what is lost in front of it; NONE: nothing */
    uint32_t connection; /* from 1, since the node; 0: the one that was open there */
    uint32_t dir, action;
    uint64_t byte; /* of the one that was open there: since then */
};

/* The end of a main phase, to be healed. */
struct whole_end {
    struct whole_key key;
    struct judge_severity severity;
    uint32_t older; /* the one of the same key before it; NONE: none */
    uint32_t run;   /* that led here first */
};

/* Something in a run that may be cut. Compared as bytes; when it comes is kept apart. */
enum whole_kind {
    WHOLE_OP,
    WHOLE_REPLY,
    WHOLE_IDLE,
    WHOLE_TORN /* an operation under way; what comes before its WHOLE_OP finds it undone */
};
struct whole_event {
    struct op_key key; /* WHOLE_OP, WHOLE_TORN */
    uint32_t kind;
    uint32_t cloud, judge; /* if it is cut */
    struct judge_severity severity;
    uint32_t ops;         /* of the run, so far and this one included */
    uint32_t replies;     /* of the cloud, since the last of them in this run */
    uint32_t connections; /* of the run, so far; counted only where they may be lost */
};

/* What failed in a run. Compared as bytes. */
struct whole_blame {
    uint32_t n_ids;
    char ids[WHOLE_IDS_MAX][REQUIREMENT_ID_MAX];
    char detail[RESULT_DETAIL_MAX];
};

/* How a run ended. Compared as bytes. */
struct whole_outcome {
    uint32_t how; /* enum whole_how */
    uint32_t cloud, judge;
    struct judge_severity severity;
    uint32_t replies;
    uint32_t connections;
    uint32_t blame;         /* NONE: nothing failed */
    uint32_t moment;        /* WHOLE_AT_MOMENT: which */
    uint32_t goes_on;       /* the connection that is open there is the one that was open before */
    uint64_t sent_bytes[2]; /* by link_dir: on the one that is open there, since the node */
    char version[DEVICE_TEXT_MAX];
};

/* Where the recall leads to. Compared as bytes. */
struct whole_leaf {
    uint32_t behaviour;
    uint32_t losses; /* what may be lost besides: a chain of pairs of them, the last first */
};

/* All that can be told apart of a run: whoever does the same has the same behaviour. */
struct whole_behaviour {
    uint32_t first_event, n_events;
    uint32_t outcome;
    uint32_t walk_run; /* the first run that went through it to its end; NONE: none yet */
    uint64_t points;   /* cuts of it */
    int64_t length_ns; /* to its end, the most of all that behaved so */
    uint32_t first_look, n_looks; /* units that it looks at before it erases them */
    bool told;                    /* its failure was told, and */
    bool sure;                    /* repeated: what comes behind it says nothing more */
};

/*
 * A part of a node that was taken in. Its steps are the cuts worked out for it, step i being event
 * i of its behaviour; behind them it is that of the run that it joined, from step n_steps on.
 */
struct whole_run {
    uint32_t node;
    uint32_t older;     /* of the same node; NONE: none */
    uint32_t loss;      /* what was lost; NONE: nothing */
    uint32_t next_node; /* by a reset; NONE: it idled */
    uint32_t origin;    /* its part, weak cells as read: among the bases of the flash */
    uint32_t behaviour;
    uint32_t first_step, n_steps;
    uint32_t joined; /* NONE: went to its end by itself */
    bool merged;     /* not followed: next_node takes its place (whole_dead.c) */
};

/* A part of a node or end of which all is known. */
struct whole_known {
    uint32_t base; /* among the bases of the flash */
    uint32_t behaviour;
    uint32_t losses; /* as in a leaf */
};

/* The successors of a step are those behind the previous step's. */
struct whole_step_log {
    uint32_t edges_end;
};

struct whole {
    struct scenario *s; /* owned: without power rules and `fails` */
    struct whole_options options;
    struct run_options run;
    struct world *world; /* images, and for repetitions */
    struct closure *flash;
    struct states_tree off;     /* flash->tree of the run that is taken in, with power off */
    struct pool clouds, judges; /* CLOUD_MEMORY_MAX with the length in front; struct judge_memory */
    struct pool keys, end_keys;
    struct list newest, newest_end; /* per key: the last of its nodes, of its ends */
    uint32_t first_chain;           /* the node where the update without a cut is; NONE: it idled */
    struct list nodes, tasks, ends, runs, steps, edges;       /* edges: nodes */
    struct pool event_pool, outcomes, blames, behaviour_keys; /* keys: (events, outcome) */
    struct pool losses, leaves;
    struct pool moments;          /* struct whole_moment */
    bool has_moments;             /* runs are parted there */
    struct list events, event_ns; /* since power-on, the latest of all that behaved so */
    struct list behaviours;
    struct list looks;   /* unit numbers, of behaviours */
    uint32_t any, blank; /* sets: of a content that stands for any, NONE if none does; erased */
    bool again;          /* begin again without the first */
    struct list queue, next_queue; /* struct whole_todo: of this depth, and of the next */
    size_t queue_at, queue_ahead;  /* taken in up to there; looked at up to there */
    uint32_t depth;
    bool *foreign;            /* per unit: it belongs to neither firmware nor download area */
    uint32_t *first_unit;     /* the first node's */
    bool has_boot;            /* the flash has a boot loader, so starts are known by what it does */
    struct list paths;        /* struct boot_path */
    struct list known;        /* of the node or end that is looked at */
    struct list asked, spare; /* numbers in the queue: something is run for them; room */
    uint32_t batch_first;     /* task; the batch goes from there to the last one */
    uint32_t batch_taken;
    struct pool awaited; /* where the runs of each batch leave what is known */
    uint32_t batches;
    struct list audits, audit_tasks; /* struct whole_audit; tasks of them that were not begun */
    size_t audits_begun;
    uint64_t audit_seen; /* what could have been audited */
    const char *bound;
    bool stopped;
    struct whole_result result;
};

static inline struct whole_node *whole_node_at(const struct whole *w, uint32_t i)
{
    return (struct whole_node *)w->nodes.items + i;
}
static inline struct whole_task *whole_task_at(const struct whole *w, uint32_t i)
{
    return (struct whole_task *)w->tasks.items + i;
}
static inline struct whole_end *whole_end_at(const struct whole *w, uint32_t i)
{
    return (struct whole_end *)w->ends.items + i;
}
static inline struct whole_run *whole_run_at(const struct whole *w, uint32_t i)
{
    return (struct whole_run *)w->runs.items + i;
}
static inline struct whole_behaviour *whole_behaviour_at(const struct whole *w, uint32_t i)
{
    return (struct whole_behaviour *)w->behaviours.items + i;
}
static inline const struct whole_outcome *whole_outcome_of(const struct whole *w, uint32_t i)
{
    return pool_at(&w->outcomes, whole_behaviour_at(w, i)->outcome);
}
static inline const struct whole_event *whole_event_at(const struct whole *w, uint32_t i)
{
    return pool_at(&w->event_pool, ((const uint32_t *)w->events.items)[i]);
}
/* Whether it is cut within an operation. */
static inline bool whole_is_within(const struct whole_event *e)
{
    return e->kind == WHOLE_OP || e->kind == WHOLE_TORN;
}
/* What is done is done after what the cloud learned meanwhile. */
static inline bool whole_may_tear(const struct whole_event *e, const struct tear_variant *v)
{
    return e->kind != WHOLE_TORN || v->tear != TEAR_DONE;
}
static inline uint32_t whole_cuts(const struct closure *c, const struct whole_event *e)
{
    struct tear_variant v[VARIANTS_MAX];
    uint32_t n = whole_is_within(e) ? closure_variants(c, &e->key, v) : 1;
    return e->kind == WHOLE_TORN ? n - 1 : n; /* TEAR_DONE always is among them */
}
static inline bool whole_is_moment(const struct whole_node *n)
{
    return n->key.reset >= WHOLE_MOMENT_0;
}
static inline const struct whole_moment *whole_moment_of(const struct whole *w,
                                                         const struct whole_node *n)
{
    return pool_at(&w->moments, n->key.reset - WHOLE_MOMENT_0);
}
static inline const struct whole_loss *whole_loss_at(const struct whole *w, uint32_t i)
{
    return pool_at(&w->losses, i);
}
static inline int64_t *whole_event_ns(const struct whole *w, uint32_t i)
{
    return (int64_t *)w->event_ns.items + i;
}
static inline uint32_t whole_edge_at(const struct whole *w, uint32_t i)
{
    return ((const uint32_t *)w->edges.items)[i];
}
static inline uint32_t whole_edges_end(const struct whole *w, uint32_t step)
{
    return ((const struct whole_step_log *)w->steps.items)[step].edges_end;
}
static inline uint32_t whole_edges_from(const struct whole *w, uint32_t step)
{
    return step == 0 ? 0 : whole_edges_end(w, step - 1);
}

/* A part being taken in. */
struct whole_taking {
    struct whole *w;
    uint32_t node, run;
    bool may_cut; /* the bound on cuts in a row is not reached */
    int rc;
    struct err err;
};

/* ---- what a task writes: records one after the other, each a tag and its struct ---- */

enum whole_tag {
    TAG_CLOUD = 1, /* uint32_t length, bytes: the next cloud memory of this log */
    TAG_JUDGE,     /* struct judge_memory: the next one of this log */
    TAG_OP,        /* struct log_op, then len_bytes of data if it is a program */
    TAG_TORN,      /* the same: such an operation has begun, and now the cloud learns something */
    TAG_REPLY,     /* struct log_reply */
    TAG_LOOK,      /* struct log_look */
    TAG_UNIT,      /* struct log_unit, of an audit, before the end: each that was changed */
    TAG_BORDER,    /* struct log_border */
    TAG_MOMENT,    /* struct log_moment, then device_bytes */
    TAG_END        /* struct log_end, the last record */
};

/* Memories are given by their number in the log, from 0. */
struct log_op {
    int64_t ns; /* since power-on */
    uint32_t addr, len_bytes;
    uint32_t kind;
    uint32_t cloud, judge; /* if it is cut, not weakly */
    uint32_t connections;  /* so far */
};
/* The cloud has answered and knows something new. */
struct log_reply {
    int64_t ns;
    uint32_t replies; /* since the last operation of this run */
    uint32_t cloud, judge;
    uint32_t connections;
};
/* What is looked at first now, and was not erased before; as in a recall_spot. */
struct log_look {
    uint32_t page;
    uint32_t from, to;
};
struct log_unit {
    uint32_t unit;
    uint8_t sha256[SHA256_BYTES]; /* closure_unit_fingerprint */
};
/* Where the connection could be lost besides. */
struct log_border {
    uint64_t byte;
    uint32_t connection, dir; /* connection: of this power-on */
};
/* The run has come to a moment; what follows is counted from there. */
struct log_moment {
    int64_t ns;
    uint32_t last; /* nothing follows */
    uint32_t replies, connections;
    uint32_t cloud, judge;
    uint32_t lost, is_open, goes_on, device_bytes;
    uint64_t sent_bytes[2];
    struct judge_moment moment;
};
enum whole_how { WHOLE_AT_MOMENT, WHOLE_IDLED, WHOLE_RESET, WHOLE_HEALED, WHOLE_LOST };
struct log_end {
    int64_t ns;
    uint32_t how;
    uint32_t replies, connections;
    uint32_t cloud, cloud_cut, judge, judge_cut; /* _cut: if power goes then */
    char version[DEVICE_TEXT_MAX];
    uint32_t n_ids;
    char ids[WHOLE_IDS_MAX][REQUIREMENT_ID_MAX];
    char detail[RESULT_DETAIL_MAX];
};

/* whole.c */
uint32_t whole_put_cloud(struct whole *w, const void *memory, size_t len_bytes);
uint32_t whole_put_judge(struct whole *w, const struct judge_memory *m,
                         struct judge_severity *severity);
/* The node of that key, told how it came about; its number, NONE with w->bound or ERR_NOMEM. */
uint32_t whole_put_node(struct whole *w, const struct whole_node *found);
uint32_t whole_put_end(struct whole *w, const struct whole_end *found);
size_t whole_memory(const struct whole *w);
/* How weak cells read, as closure_reading's number: of the first contents of these sets. */
uint32_t whole_reading(const struct whole *w, const uint32_t *unit);
bool whole_add_number(struct list *l, uint32_t number);
bool whole_add_todo(struct whole *w, const struct whole_todo *todo, uint32_t depth);

/* whole_loss.c */
/* How many connections are lost in it; NONE: 0. */
uint32_t whole_loss_count(const struct whole *w, uint32_t loss);
/* What is lost first and what follows, in order; how many. */
#define WHOLE_LOSSES_MAX 4u
uint32_t whole_loss_list(const struct whole *w, uint32_t loss,
                         struct whole_loss out[WHOLE_LOSSES_MAX]);
/* A border as ways to lose a connection, behind `before`, into the chain *losses. False: no memory.
 */
bool whole_put_losses(struct whole *w, uint32_t before, const struct log_border *b,
                      uint32_t *losses);
/* What may be lost of a part that is known becomes something to be done. False: no memory. */
bool whole_add_losses(struct whole *w, const struct whole_todo *of, const struct whole_known *k);

/* whole_step.c */
/* No room for more states: w->bound, or t->rc. */
void whole_full(struct whole_taking *t);
/* A part of t's node becomes t's run, with what is lost in it. */
void whole_begin_part(struct whole_taking *t, const struct whole_known *k, uint32_t loss);
/* All of that run's cuts and its end. */
void whole_step_all(struct whole_taking *t);

/* whole_memory.c */
struct stage;
/* What the cloud and its broker remember, as if every connection broke now. Appended. */
int whole_remember_cloud(const struct stage *g, struct buf *out, struct err *err);
/* The same with what of the scenario's faults is spent in front. cloud: that part if it is known,
 * or null. */
enum whole_when {
    WHOLE_AS_IT_IS,
    WHOLE_CUT,      /* as if power went now */
    WHOLE_OFF,      /* it has gone */
    WHOLE_NO_FAULTS /* the faults do not count any more */
};
int whole_remember(struct stage *g, enum whole_when when, const struct buf *cloud, struct buf *out,
                   struct err *err);
/* Puts it back at time 0, on a new link: nobody is connected. The faults are left alone unless
 * with_faults. */
int whole_recall(struct stage *g, const void *memory, size_t len_bytes, bool with_faults,
                 struct err *err);
/* That memory if power stays away until what lasts of the faults is over: the same number if
 * nothing does; POOL_NONE without memory. */
uint32_t whole_over(struct whole *w, uint32_t cloud);
/* The script's moment 0: what is offered from the start is offered. */
int whole_start_script(struct stage *g, struct err *err);

/* whole_dead.c */
/* Makes w->any, unless nothing is to be merged. */
int whole_dead_init(struct whole *w);
/* Whether someone depended on a content that stands for any; then it is over. */
bool whole_looked_at_any(struct whole *w);
/* Whether a unit of a tree is such a set. */
bool whole_holds_any(const struct whole *w, const struct states_tree *t);
bool whole_is_any(const struct whole *w, uint32_t element);
/* As closure_set_after, of such a set too. */
uint32_t whole_set_after(struct whole *w, uint32_t set, const struct op_key *op, uint32_t torn[2]);
/* t's run does what is known: another node takes the place of its part, where what is erased unseen
 * is left out. False: there is nothing to leave out. */
bool whole_merge(struct whole_taking *t);

/* whole_batch.c */
/* Where the recall of all that it may look at begins; RECALL_NONE without memory. */
uint32_t whole_recall_root(struct whole *w, const struct whole_todo *of, uint32_t chain);
/* The same of a node that may not exist. */
uint32_t whole_recall_key(struct whole *w, const struct whole_key *k,
                          const struct judge_severity *s, bool foreign, uint32_t chain,
                          uint32_t loss);
/* With no_recall: the spot of that very base. */
uint32_t whole_recall_choice(struct whole *w, const struct whole_todo *of, uint32_t base);
/* flash->tree becomes that of a node or end when power comes. False: no memory. */
bool whole_load(struct whole *w, const struct whole_todo *of);

/* whole_learn.c */
/* What a task wrote becomes a behaviour, known from then on. */
int whole_learn(struct whole *w, uint32_t task, const void *log, size_t len_bytes, struct err *err);

/* whole_audit.c */
/* A part was taken in; t's run, unless it is an end's. It may have to be run after all. */
void whole_audit_part(struct whole_taking *t, const struct whole_todo *of,
                      const struct whole_known *k);
/* Tasks of that kind instead of others: when there are enough, or, at the end, any. At most max. */
bool whole_audit_begin(struct whole *w, bool at_the_end, uint32_t max);
static inline const struct whole_audit *whole_audit_at(const struct whole *w, uint32_t i)
{
    return (const struct whole_audit *)w->audits.items + i;
}
/* What a unit must hold in the end. True: sha256; false: nothing is known of it, or t's rc. */
bool whole_audit_unit(struct whole *w, const struct whole_task *t, uint32_t unit,
                      uint8_t sha256[SHA256_BYTES], int *rc);
/* The run of the moment that a run leads to, nothing being lost, for that content: one set of one
 * element each. NONE: it is not known for a judge like this one. */
uint32_t whole_audit_next(struct whole *w, uint32_t run, const struct states_tree *content);
/* Whether the cut, which came at that event, leads to one of the successors that were found. */
bool whole_audit_leads(struct whole *w, const struct whole_task *t, uint32_t event);

/* whole_confirm.c */
/* Counts a failed run (t's) or heal phase; the first of its behaviour is repeated from the start.
 * True when that failed too. */
bool whole_tell_failure(struct whole_taking *t, const struct whole_todo *of,
                        const struct whole_known *k);
/* A state from which the device resets itself without end, as a failure: repeated from the start,
 * where the judge counts starts. */
struct whole_loop {
    uint32_t node;   /* where it was met first; NONE: there is none */
    uint32_t starts; /* until it is there again */
};
void whole_tell_loop(struct whole *w, const struct whole_loop *loop);
/* Nothing more has to be found. */
bool whole_found_enough(const struct whole *w);
/* whole_loop.c */
/* Without lost connections: the most power-ons and resets until it idles; and the first, by cuts,
 * of those that never do. 0 or ERR_NOMEM. */
int whole_boots(const struct whole *w, uint32_t *most, struct whole_loop *loop);

/* whole_graph.c */
int whole_measure(struct whole *w, struct whole_result *out);

#endif
