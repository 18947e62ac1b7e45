/*
 * Inside a closure: what its parts share. closure.c is its life, closure_start.c walks starts and
 * finds successors, closure_learn.c has the device do what nobody did before, closure_path.c
 * recalls what somebody did, closure_boot.c follows the boot loader alone, closure_tear.c works out
 * what a cut leaves, closure_end.c judges,
 * closure_graph.c reads the finished graph, closure_confirm.c repeats a counter-example,
 * closure_report.c tells.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_INTERNAL_H
#define OTABENCH_ENGINE_CLOSURE_INTERNAL_H

#include "scenarios/engine/closure.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/closure_recall.h"
#include "scenarios/engine/closure_set.h"
#include "scenarios/engine/closure_states.h"
#include "scenarios/engine/tear_variants.h"

#define DIFFER_MAX 64   /* units in which two states may differ and still be compared */
#define OVERS_MAX  16   /* units that a step may tell apart */
#define JUDGED_MAX 4096 /* contents that an end may leave open */
#define TRIED_MAX  256  /* of a part, to find the one that fails */
#define NONE       UINT32_MAX

/* A state, as it was found first: the start that was cut, and where. Its units are sets: it stands
 * for every choice of one element each. */
struct node {
    uint32_t run; /* NONE: one of the first */
    uint32_t first_run;
    uint32_t depth;
    uint32_t op; /* the operation that was cut, from 1; 0: cut after the end */
    uint8_t end; /* worst of its runs */
};

/*
 * One start from a state, or from that part of it in which the device does the same. Of the runs of
 * a state each has its part: every choice of elements, with each reading, is in one of them.
 */
struct run {
    uint32_t state;
    uint32_t origin;   /* its part, weak cells as read: among the bases */
    uint32_t first_op; /* into ops; its last is before the next run's first */
    uint32_t next_op;  /* where it goes on when it joined another; NONE: it ended */
    uint32_t final_state;
    uint8_t end;
    uint64_t points; /* decided by this start */
};

/* An operation by what it does: enough to do it to another content. */
struct op_key {
    uint32_t addr, len_bytes;
    uint32_t kind; /* enum nor_op_kind */
    uint32_t data; /* number of the programmed bytes */
};

/* One operation of a run. Its edges are those behind the previous operation's. */
struct op_log {
    struct op_key key;
    uint32_t edges_end;
    uint32_t chip_us; /* since the operation before, this one included */
    uint32_t points;
};

/* A moment between two steps. */
struct head {
    uint32_t run, op;
    uint64_t points_before; /* of its run */
};

/* An operation as the device did it. */
struct step_op {
    struct op_key key;
    uint32_t chip_us;
};

/* A step of the boot loader, from one moment to the next: what it did, and what RAM it left. */
struct segment {
    uint32_t first_op, op_count; /* among the step_ops */
    uint32_t next_ram;           /* NONE: the start ended */
    uint32_t result;             /* enum boot_result */
    uint32_t behaviour;          /* equal for those that do and leave the same */
    /* The first run that went through it: where it lies in its log, and flash before. */
    uint32_t walk_run, walk_op, walk_base;
    uint64_t walk_points;
};

/* Arrays that grow; count and cap in items. */
struct list {
    void *items;
    size_t item_bytes, count, cap, max;
};
int list_init(struct list *l, size_t item_bytes, size_t max);
void *list_add(struct list *l); /* null: full or out of memory */

/* The part of the tree that goes through one segment. */
struct part {
    uint32_t spot;      /* of the recall */
    uint32_t segment;   /* NONE: not there yet */
    uint32_t behaviour; /* once it is there */
    bool waits;         /* nobody went on from the spot */
    uint32_t count;
    struct over {
        uint32_t unit, set;
    } over[OVERS_MAX]; /* in ascending order of units */
};

/* An element by where in the recall looking at it leads. */
struct keyed {
    uint32_t spot, element;
    bool waits;
};

/* Where the boot loader leads a part of a flash: steps that do the same, to the end. */
struct boot_path {
    uint32_t origin; /* that part: among the bases */
    uint32_t chain;  /* number of the boot_chain */
};
struct boot_chain {
    uint32_t behaviours; /* of all steps: a chain of pairs */
    uint32_t ops, n_ops; /* all operations: a chain of their op_keys; NONE, 0: none */
};

/* A part that is still to be run; before operation `prefix` its edges are those of that run. */
struct branch {
    uint32_t origin;
    uint32_t run, prefix;
};

struct closure {
    struct closure_subject subject;
    struct closure_options options;
    struct closure_device device;
    struct nor_geometry scratch_geometry; /* one erase unit */
    struct nor *scratch;
    struct states states;
    struct sets sets;
    struct states_tree tree;   /* the start under way, as it goes: sets */
    struct states_tree origin; /* what is left of its beginning */
    struct states_tree other;  /* for a moment */
    uint32_t *first_unit;      /* the first start's units, and */
    uint8_t *ours;             /* which of them may change */
    uint32_t *words;           /* room for a unit record */
    uint8_t *page, *page_weak, *marks;

    struct list nodes, runs, ops, edges, heads, branches;
    struct pool data, torn_keys; /* programmed bytes; (content before, operation) */
    struct list torn;            /* per key: content after; its place in torn_units */
    struct list torn_units;      /* contents after: done, then each variant */
    struct pool set_keys;        /* (set before, operation) */
    struct list set_after;       /* per key: set when done, sets when torn */
    struct pool head_pool, ram_pages, pairs;
    uint32_t *head_words; /* room for a head's record */
    uint8_t *ram_before;  /* RAM as last interned, and the numbers up to each of its pages */
    uint32_t *ram_numbers;
    size_t ram_before_bytes, ram_cap;

    struct recall recall;
    struct list segments, step_ops;
    struct pool bases;   /* flash at their beginnings, and origins of runs */
    struct pool op_keys; /* for behaviours */
    struct pool boot_chains, told_texts;
    struct pool leave_keys;       /* (spot, element) */
    struct list leaves;           /* the spot behind all looks at that unit */
    struct pool masked_keys;      /* (page, range) */
    struct list masked;           /* the page with all else cleared */
    uint32_t bank_unit[2];        /* where reads are told by range and not by page */
    struct list parts, keyed;     /* of the step under way; elements by what they show */
    uint32_t *looked, look_epoch; /* per page: epoch in which it was looked at or erased */
    /* Units that had weak cells at power-on; at most OVERS_MAX are told. */
    uint32_t weak_unit[OVERS_MAX], weak_units;

    /* the start under way */
    uint32_t now_run, now_state, now_ops, now_heads;
    uint32_t copy_run, copy_ops; /* edges of its first operations are those of that run */
    uint64_t now_points;
    struct list now_met, now_walked; /* heads and segments that are known by it */

    /* the device */
    bool device_on;
    bool recording; /* its hooks write a segment */
    uint32_t device_run, device_heads;
    uint32_t *chip_unit;    /* per unit: content on its chip; POOL_NONE: something else */
    uint32_t *device_unit;  /* element that it works with, now */
    uint32_t *device_begin; /* and at the beginning of the step */
    uint32_t spot;          /* where the step stands in the recall; NONE: not followed */
    uint32_t step_first;    /* its first operation */
    int64_t ns_before;
    int64_t step_began_ns;
    uint32_t told; /* in this step: a chain of pairs */

    int rc; /* what went wrong inside a callback */
    struct err err;
    const char *bound;
    uint32_t any;   /* a content that stands for any; NONE: there is none */
    bool any_shown; /* somebody looked at it */
    bool stuck;     /* the start under way cannot be followed: bound says why */
    struct closure_result result;
    uint32_t failed_run;
};

static inline struct node *node_at(const struct closure *c, uint32_t i)
{
    return (struct node *)c->nodes.items + i;
}
static inline struct run *run_at(const struct closure *c, uint32_t i)
{
    return (struct run *)c->runs.items + i;
}
static inline struct op_log *op_at(const struct closure *c, uint32_t i)
{
    return (struct op_log *)c->ops.items + i;
}
static inline struct part *part_at(const struct closure *c, size_t i)
{
    return (struct part *)c->parts.items + i;
}
static inline struct segment *segment_at(const struct closure *c, uint32_t i)
{
    return (struct segment *)c->segments.items + i;
}
static inline const struct step_op *step_op_at(const struct closure *c, uint32_t i)
{
    return (const struct step_op *)c->step_ops.items + i;
}
static inline uint32_t ops_end(const struct closure *c, uint32_t run)
{
    return run + 1 < c->runs.count ? run_at(c, run + 1)->first_op : (uint32_t)c->ops.count;
}
static inline uint32_t edges_from(const struct closure *c, uint32_t op)
{
    return op == 0 ? 0 : op_at(c, op - 1)->edges_end;
}
static inline uint32_t unit_of(const struct closure *c, const struct op_key *op)
{
    return op->addr / c->states.shape.erase_bytes;
}

static inline int no_room(struct closure *c)
{
    if (c->rc == 0)
        c->rc = err_set(&c->err, ERR_NOMEM, "closure: no memory for the graph");
    return c->rc;
}

/* closure_tear.c */
uint32_t closure_variants(const struct closure *c, const struct op_key *op,
                          struct tear_variant out[VARIANTS_MAX]);
/* The key of an operation as the chip tells it; false and c->rc on failure. */
bool closure_op_key(struct closure *c, const struct nor_op *op, struct op_key *out);
/* The content after the operation, [0], and after each of its tears, in the order of
 * closure_variants. Until the next call. Null and c->rc on failure. */
const uint32_t *closure_after(struct closure *c, uint32_t content, const struct op_key *op);
/* The element when the operation is done; POOL_NONE and c->rc on failure. */
uint32_t closure_element_after(struct closure *c, uint32_t element, const struct op_key *op);
/* The set when it is done; torn, unless null: what its tears leave, power off, that is neither
 * what was there nor what is there when it is done, if those are tears too. With weak_apart torn[1]
 * is what weak tears leave, and torn[0] the rest. SET_NONE: nothing, or for the result c->rc. */
uint32_t closure_set_after(struct closure *c, uint32_t set, const struct op_key *op,
                           uint32_t torn[2]);
/* Reads a unit of a chip as a content: weak cells and what hangs on their reading in one fixed
 * form. POOL_NONE when full. */
uint32_t closure_take_unit(struct closure *c, const struct nor *chip, uint32_t unit);
/* Writes a content to a unit of a chip. */
void closure_put_unit(const struct closure *c, struct nor *chip, uint32_t unit, uint32_t content);

/* closure.c */
/* The tree, with power off, as a node; found is how it came about. NONE: not stored, c->rc or
 * c->bound tells. */
uint32_t closure_add_node(struct closure *c, const struct node *found);
bool closure_set_unit(struct closure *c, uint32_t unit, uint32_t set);
size_t closure_memory(struct closure *c); /* bytes */
/* Of what a unit of a chip holds, weak cells in one fixed form. */
void closure_unit_fingerprint(const struct nor *chip, uint32_t unit, uint8_t sha256[SHA256_BYTES]);
void closure_load_tree(struct closure *c, const struct states_tree *t); /* into c->tree */
/* Puts a tree among the bases; POOL_NONE and c->rc when full. closure_get_base is the way back. */
uint32_t closure_put_base(struct closure *c, const struct states_tree *t);
void closure_get_base(const struct closure *c, uint32_t base, struct states_tree *t);

/* closure_start.c: all starts from a state. */
void closure_start(struct closure *c, uint32_t state);
/* Those elements of the beginning that the run under way has turned into elements of the set;
 * SET_NONE and c->rc on failure. */
uint32_t closure_narrow(struct closure *c, uint32_t unit, uint32_t set);
/* Parts that behave the same, and are choices of one element each together, become one. */
void closure_unite(struct closure *c);
/* What an element of a unit is after the first `ops` operations of a run. */
uint32_t closure_fold(struct closure *c, uint32_t run, uint32_t ops, uint32_t unit,
                      uint32_t element);

/* The segment that the start under way goes through next; what would go through another becomes a
 * branch. NONE: c->rc or c->stuck. */
uint32_t closure_next_segment(struct closure *c, uint32_t ram);

/* closure_boot.c */
/* Where the boot loader leads from a base, weak cells as read: a boot_path for each part of it,
 * appended to out. With tell_all; not within closure_run. 0, or c->rc; c->stuck. */
int closure_boot_paths(struct closure *c, uint32_t base, struct list *out);
/* Has the device tell its events; the moment within the step. */
void closure_listen(struct closure *c);
void closure_tell_time(struct closure *c);

/* closure_learn.c: the device. */
/* Has it do the next step of the start under way, on elements of that part, from the RAM of that
 * number. The segment, NONE and c->rc on failure. */
uint32_t closure_learn(struct closure *c, uint32_t ram, const struct part *p);
/* Has it do a whole run, from one content of its part; it must end and leave what the run says. */
int closure_audit(struct closure *c, uint32_t run);
void closure_device_hooks(struct closure *c);
/* Ends what it does. */
void closure_device_rest(struct closure *c);
/* The device's chip gets that element in a unit, weak cells as read. */
void closure_device_put(struct closure *c, uint32_t unit, uint32_t element);

/* closure_end.c: the worst end that the tree is worth, should the boot loader end so. */
uint8_t closure_judge(struct closure *c, enum boot_result result);

/* closure_path.c: the recall. */
/* The parts of the tree by the segments they go through from a moment with that RAM
 * (RECALL_POWER_ON: at power-on); the device is asked where nobody was. False: c->rc or c->stuck.
 */
bool closure_resolve(struct closure *c, uint32_t ram);
/* Leads a part of the tree, from its spot on, as far as anybody came; it is split where its
 * elements show different things. It has a segment then, or waits, or stands where nobody went on.
 */
void closure_walk(struct closure *c, size_t index);
/* What the part holds in a unit. */
uint32_t closure_set_in(const struct closure *c, const struct part *p, uint32_t unit);
/* What an element shows to that look. */
void closure_shown(struct closure *c, const struct element *e, const struct recall_spot *look,
                   uint32_t key[RECALL_KEY_WORDS]);
/* While the device does a step: begins, looks, was erased by the step itself, ends. */
void closure_follow(struct closure *c, uint32_t ram);
void closure_look(struct closure *c, uint32_t addr, uint32_t len_bytes);
void closure_forget(struct closure *c, uint32_t unit);
/* The segment, known or new: it did the operations from c->step_first on. NONE and c->rc. */
uint32_t closure_segment_end(struct closure *c, uint32_t next_ram, enum boot_result result);
/* After how many of its operations the flash of the tree is that of the first run that went
 * through it; NONE: not within it. */
uint32_t closure_meets(struct closure *c, const struct segment *g);

/* closure_graph.c: fills work_ops, work_ns, work_boots. 0 or ERR_NOMEM. */
int closure_measure(const struct closure *c, struct closure_result *out);
/* The operation after this one in its run, or in the run it joined; NONE: the end. */
uint32_t closure_next_op(const struct closure *c, uint32_t op);

/* closure_confirm.c: path and confirmed of the result, for the run that failed. */
int closure_confirm(struct closure *c, uint32_t run, struct closure_result *out);

#endif
