/*
 * Inside a closure of a whole update: what its parts share. whole.c keeps the graph, whole_batch.c
 * says what is to be run, whole_work.c runs it, whole_take.c reads what was found, whole_step.c
 * works out what every cut leaves, whole_graph.c measures, whole_confirm.c repeats
 * counter-examples, whole_report.c tells.
 *
 * The flash part is a struct closure without a boot loader: its pools and its scratch chip.
 *
 * Recall: what a power-on does is a function of what the cloud and the judge remember and of the
 * erase units that device and judge look at before they are erased. A power-on that would look at
 * the same contents as an earlier one is not run: its cuts are worked out from the earlier one's
 * operations, up to where both have made the rest of the flash the same; from there on all has been
 * said. So what lies torn and is erased unseen costs a few operations, not a run.
 */
#ifndef OTABENCH_ENGINE_WHOLE_INTERNAL_H
#define OTABENCH_ENGINE_WHOLE_INTERNAL_H

#include "scenarios/engine/closure_internal.h"
#include "scenarios/engine/closure_recall.h"
#include "scenarios/engine/judge_memory.h"
#include "scenarios/engine/whole.h"

#define CLOUD_MEMORY_MAX 2048u
#define WHOLE_READINGS   15 /* weak units whose reading a reset node can hold */
#define READINGS_OPEN    UINT32_MAX

/* Equal nodes have equal keys. */
struct whole_key {
    uint32_t flash, cloud;
    uint32_t judge;    /* with severity 0 */
    uint32_t readings; /* READINGS_OPEN: power comes back, weak cells read anew; else, after a
                          reset, 2 bits for each weak unit in order of address: 1 + reading */
};

/* Where a node was met first. */
struct whole_node {
    struct whole_key key;
    struct judge_severity severity;
    uint32_t older;      /* the one of the same key before it; NONE: none */
    uint32_t parent;     /* NONE: the first */
    uint32_t depth;      /* cuts */
    uint64_t ops_before; /* operations on the way here */
    uint32_t replies;    /* of the cloud since the last of them */
    uint32_t first_run;  /* and the others by sibling; NONE: not run yet */
    uint32_t stricter; /* NONE, or a node of the same key that covers this one, which is not run */
    uint16_t weak_units;
    uint32_t parent_reading;
    bool failed; /* a run from here failed a requirement */
    struct whole_step step;
};

struct whole_task {
    uint32_t node;
    uint32_t end; /* NONE: a start; else what is to be healed */
    uint32_t reading;
};

/* The end of a main phase, to be healed. */
struct whole_end {
    struct whole_key key;
    struct judge_severity severity;
    uint32_t older; /* the one of the same key before it; NONE: none */
    uint32_t node;  /* whose run led here first, and its reading */
    uint32_t reading;
    uint16_t weak_units;
};

/* Something in a run that may be cut. */
enum whole_kind { WHOLE_OP, WHOLE_REPLY, WHOLE_IDLE };
struct whole_event {
    struct op_key key; /* WHOLE_OP */
    uint32_t kind;
    uint32_t cloud, judge; /* if it is cut */
    struct judge_severity severity;
    uint32_t ops;     /* of the run, so far and this one included */
    uint32_t replies; /* of the cloud, since the last of them in this run */
    int64_t ns;       /* since power-on */
};

/* How a run that was executed ended. */
struct whole_outcome {
    uint32_t how; /* enum whole_how */
    uint32_t cloud, judge;
    struct judge_severity severity;
    uint32_t replies;
    uint32_t flash; /* state at its end; weak units in it */
    uint16_t weak_units;
    bool failed;
    uint64_t points; /* cuts of the run */
    char version[DEVICE_TEXT_MAX];
};

/*
 * A power-on that was taken in: one per node and reading. Its steps are the cuts worked out for it,
 * step i being event i of the run that was executed, which may be another's; behind them it is that
 * one from step n_steps on, if joined.
 */
struct whole_run {
    uint32_t node;
    uint32_t sibling;   /* another run of the node; NONE */
    uint32_t next_node; /* by a reset; NONE: it idled */
    uint32_t source;    /* the run that was executed: itself or another */
    uint32_t first_step, n_steps;
    bool joined;
    uint32_t first_event, n_events, outcome; /* of a run that was executed */
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
    struct states_tree tree;    /* the node or run that is being looked at; weak cells unsettled */
    uint32_t tree_weak;         /* weak units in it */
    struct pool clouds, judges; /* CLOUD_MEMORY_MAX with the length in front; struct judge_memory */
    struct pool keys, end_keys;
    struct list newest, newest_end; /* per key: the last of its nodes, of its ends */
    uint32_t first_chain;           /* the node where the update without a cut is; NONE: it idled */
    struct list nodes, tasks, ends, runs, events, outcomes, steps, edges; /* edges: nodes */
    struct list queue, next_queue; /* task numbers: of this depth, and of the next */
    size_t queue_at;
    uint32_t depth;
    struct recall recall;
    struct list batch; /* of struct whole_item, in order */
    size_t batch_at;
    struct list deferred, spare; /* task numbers, for the next batch; room */
    struct pool awaited;         /* where the runs of each batch leave what is known */
    uint32_t batches;
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
static inline struct whole_event *whole_event_at(const struct whole *w, uint32_t i)
{
    return (struct whole_event *)w->events.items + i;
}
static inline struct whole_outcome *whole_outcome_at(const struct whole *w, uint32_t i)
{
    return (struct whole_outcome *)w->outcomes.items + i;
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

/* A task of the batch under way. */
struct whole_item {
    uint32_t task;
    bool recalled; /* nobody has to do it */
};

/* A run being taken in. */
struct whole_taking {
    struct whole *w;
    uint32_t task, node, reading;
    uint32_t run;
    bool may_cut;                              /* the bound on cuts in a row is not reached */
    uint8_t start_reading[WHOLE_READINGS + 1]; /* of the weak units at the start, and */
    uint32_t start_unit[WHOLE_READINGS + 1];
    uint32_t start_weak;
    int rc;
    struct err err;
};

/* ---- what a task writes: records one after the other, each a tag and its struct ---- */

enum whole_tag {
    TAG_CLOUD = 1, /* uint32_t length, bytes: the next cloud memory of this log */
    TAG_JUDGE,     /* struct judge_memory: the next one of this log */
    TAG_OP,        /* struct log_op, then len_bytes of data if it is a program */
    TAG_REPLY,     /* struct log_reply */
    TAG_LOOK,      /* uint32_t: erase unit that is looked at first now, not erased before */
    TAG_END        /* struct log_end, the last record */
};

/* Memories are given by their number in the log, from 0. */
struct log_op {
    int64_t ns; /* since power-on */
    uint32_t addr, len_bytes;
    uint32_t kind;
    uint32_t cloud, judge; /* if it is cut, not weakly */
};
/* The cloud has answered and knows something new. */
struct log_reply {
    int64_t ns;
    uint32_t replies; /* since the last operation of this run */
    uint32_t cloud, judge;
};
enum whole_how { WHOLE_IDLED, WHOLE_RESET, WHOLE_HEALED };
struct log_end {
    int64_t ns;
    uint32_t how;
    uint32_t replies;
    uint32_t cloud, judge, judge_cut;
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
/* How the i-th weak unit (of all, in order of address) reads in a run. */
enum tear_reading whole_reading(const struct whole_key *key, uint32_t reading, uint32_t index);
/* The tree becomes that of a node; a unit of it gets that content. */
void whole_load(struct whole *w, uint32_t flash);
bool whole_set_unit(struct whole *w, uint32_t unit, uint32_t content);
size_t whole_memory(const struct whole *w);

/* whole_step.c */
/* No room for more states: w->bound, or t->rc. */
void whole_full(struct whole_taking *t);
/* Begins a run of t's node: its tree in w->flash. */
void whole_step_begin(struct whole_taking *t);
/* All of the run's cuts and its end, by the events of the run that was executed. */
void whole_step_all(struct whole_taking *t, uint32_t source);

/* whole_batch.c */
/* Leads along what the task would look at: the run that was executed there, NONE if there is none.
 * Then spot and content say where what is known ends (spot RECALL_NONE: there is no memory). */
uint32_t whole_recall(struct whole *w, uint32_t task, uint32_t *spot,
                      uint32_t content[RECALL_KEY_WORDS]);
/* The root of a node's recall. */
uint32_t whole_recall_root(struct whole *w, const struct whole_node *n);
/* What the unit of the flash tree reads as in a run of that node. */
void whole_content(const struct whole *w, const struct whole_node *n, uint32_t reading,
                   uint32_t unit, uint32_t content[RECALL_KEY_WORDS]);

/* whole_take.c */
/* Takes in a task: by the log, or by what is recalled. */
int whole_take_task(struct whole *w, uint32_t task, const void *log, size_t len_bytes,
                    const char *lost, struct err *err);

/* whole_confirm.c */
/* Counts a failed run or heal phase and repeats it from the start; true when that failed too. */
bool whole_tell_failure(struct whole *w, uint32_t node, uint32_t reading, bool in_heal,
                        const struct log_end *end);
/* Nothing more has to be found. */
bool whole_found_enough(const struct whole *w);
/* whole_graph.c */
int whole_measure(struct whole *w, struct whole_result *out);

#endif
