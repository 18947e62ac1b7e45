/*
 * Inside a closure: what its parts share. closure.c runs starts and finds successors,
 * closure_tear.c works out what a cut leaves, closure_graph.c reads the finished graph,
 * closure_confirm.c repeats a counter-example, closure_report.c tells.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_INTERNAL_H
#define OTABENCH_ENGINE_CLOSURE_INTERNAL_H

#include "scenarios/engine/closure.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/closure_recall.h"
#include "scenarios/engine/closure_states.h"

#define VARIANTS_MAX 64 /* tears of one operation */
#define DIFFER_MAX   64 /* units in which two states may differ and still be compared */
#define NONE         UINT32_MAX

/* A state, as it was found first: the start that was cut, and where. */
struct node {
    uint32_t parent; /* NONE: one of the first */
    uint32_t first_run;
    uint32_t depth;
    uint16_t weak_units;
    uint8_t end; /* worst of its runs */
    struct closure_cut cut;
};

/* One start from one state with one reading. */
struct run {
    uint32_t state;
    uint32_t first_op; /* into ops; its last is before the next run's first */
    uint32_t next_op;  /* where it goes on when it joined another; NONE: it ended */
    uint32_t final_state;
    uint8_t end;
    uint8_t weak_looked; /* as in closure, of the first CLOSURE_WEAK_UNITS */
    uint64_t points;     /* decided by this start */
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

/* A part of a run from one moment between two steps to the next with the recall. */
struct segment {
    uint32_t run, first_op, op_count;
    uint32_t base;     /* flash at its beginning, among the bases */
    uint32_t next_ram; /* at its end; NONE: the run ended */
    uint64_t points_before;
};

/* Arrays that grow; count and cap in items. */
struct list {
    void *items;
    size_t item_bytes, count, cap, max;
};
int list_init(struct list *l, size_t item_bytes, size_t max);
void *list_add(struct list *l); /* null: full or out of memory */

struct tear_variant {
    enum nor_tear tear;
    uint32_t arg;
};

struct closure {
    struct closure_subject subject;
    struct closure_options options;
    struct closure_device device;
    struct nor *scratch; /* one erase unit */
    struct states states;
    struct states_tree tree;  /* the start under way, as it goes; weak cells unsettled */
    struct states_tree begin; /* what the segment under way began with */
    uint32_t tree_weak;       /* weak units in it */
    uint32_t *chip_unit;      /* what the device's chip holds; POOL_NONE: something else */
    uint32_t *first_unit;     /* the first start's units, and */
    uint8_t *ours;            /* which of them may change */
    uint32_t *words;          /* room for a unit record */
    uint8_t *page, *page_weak, *marks;

    struct list nodes, runs, ops, edges, heads;
    struct pool data, torn_keys; /* programmed bytes; (unit before, operation) */
    struct list torn;            /* per key: where its results begin in torn_units */
    struct list torn_units;      /* units after: done, then each variant */
    struct pool head_pool, ram_pages, ram_pairs;
    uint32_t *head_words; /* room for a head's record */
    uint8_t *ram_before;  /* RAM as last interned, and the numbers up to each of its pages */
    uint32_t *ram_numbers;
    size_t ram_before_bytes, ram_cap;

    struct recall recall;
    struct list segments;
    struct pool bases;            /* flash at their beginnings */
    struct segment segment;       /* the one under way */
    uint32_t spot;                /* where it stands in the recall; NONE: not followed */
    uint32_t *looked, look_epoch; /* per page: epoch in which it was looked at or erased */

    /* the start under way */
    uint32_t now_run, now_state, now_reading, now_ops;
    uint32_t skip_ops; /* of the device, told already */
    uint64_t now_points;
    int64_t ns_before;
    uint32_t weak_list[DIFFER_MAX], weak_count;
    uint32_t weak_looked; /* bit per unit of weak_list: its reading may have mattered */

    int rc; /* what went wrong inside a callback */
    struct err err;
    const char *bound;
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
static inline uint32_t ops_end(const struct closure *c, uint32_t run)
{
    return run + 1 < c->runs.count ? run_at(c, run + 1)->first_op : (uint32_t)c->ops.count;
}
static inline uint32_t edges_from(const struct closure *c, uint32_t op)
{
    return op == 0 ? 0 : op_at(c, op - 1)->edges_end;
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
/* The unit after the operation, [0], and after each of its tears, in the order of
 * closure_variants. Until the next call. Null and c->rc on failure. */
const uint32_t *closure_after(struct closure *c, uint32_t unit, const struct op_key *op);
/* Reads a unit of a chip as the number of a state's unit: weak cells and what hangs on their
 * reading in one fixed form. POOL_NONE when full. */
uint32_t closure_take_unit(struct closure *c, const struct nor *chip, uint32_t unit);
/* Writes a unit to a chip. */
void closure_put_unit(const struct closure *c, struct nor *chip, uint32_t unit, uint32_t number);

/* closure.c */
/* The tree as a node; found is how it came about. NONE: not stored, c->rc or c->bound tells. */
uint32_t closure_add_node(struct closure *c, const struct node *found);
bool closure_set_unit(struct closure *c, uint32_t unit, uint32_t number);

/* closure_start.c: one start from a state; hooks of the device. */
void closure_start(struct closure *c, uint32_t state, uint32_t reading);
void closure_on_op(void *ctx, const struct nor_op *op);

/* closure_path.c: the recall. */
void closure_on_look(void *ctx, uint32_t addr, uint32_t len_bytes);
/* A segment begins with that RAM (RECALL_POWER_ON: at power-on), flash as in the tree. */
void closure_follow(struct closure *c, uint32_t ram);
/* The unit was erased: what it held before matters no more. */
void closure_forget(struct closure *c, uint32_t unit);
/* The segment ends, with that RAM or, NONE, with the run. */
void closure_segment_end(struct closure *c, uint32_t next_ram);
/* The segment that goes the way which a start with that RAM and the tree as it is goes; null:
 * nobody went it yet. */
const struct segment *closure_recall(struct closure *c, uint32_t ram);
/* After how many of its operations the flash of both is the same; NONE: not within it. */
uint32_t closure_meets(struct closure *c, const struct segment *g);
/* What weak cells of unit u read in the start under way: 0 if there are none, else 1 + reading. */
uint32_t closure_reading_of(const struct closure *c, uint32_t unit);
/* That reading is used. */
void closure_note_reading(struct closure *c, uint32_t unit);

/* closure_graph.c: fills work_ops, work_ns, work_boots. 0 or ERR_NOMEM. */
int closure_measure(const struct closure *c, struct closure_result *out);
/* The operation after this one in its run, or in the run it joined; NONE: the end. */
uint32_t closure_next_op(const struct closure *c, uint32_t op);

/* closure_confirm.c: path and confirmed of the result, for the run that failed. */
int closure_confirm(struct closure *c, uint32_t run, struct closure_result *out);

#endif
