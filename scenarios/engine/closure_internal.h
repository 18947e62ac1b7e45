/*
 * Inside a closure: what its parts share. closure.c runs starts and finds successors,
 * closure_tear.c works out what a cut leaves, closure_graph.c reads the finished graph,
 * closure_confirm.c repeats a counter-example, closure_report.c tells.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_INTERNAL_H
#define OTABENCH_ENGINE_CLOSURE_INTERNAL_H

#include "scenarios/engine/closure.h"
#include "scenarios/engine/closure_device.h"
#include "scenarios/engine/closure_states.h"

#define VARIANTS_MAX 64 /* tears of one operation */
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
    uint32_t next_op;  /* where a joined run goes on; NONE: this one ended itself */
    uint32_t final_state;
    uint8_t end;
    uint64_t points; /* decided by this start */
};

/* One operation of a run. Its edges are those behind the previous operation's. */
struct op_log {
    uint32_t edges_end;
    uint32_t chip_us; /* since the operation before, this one included */
};

/* A moment between two steps. */
struct head {
    uint32_t run, op;
    uint64_t points_before; /* of its run */
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
    struct states_tree tree; /* what the chip holds, weak cells unsettled */
    uint32_t tree_weak;      /* weak units in it */
    uint32_t *first_unit;    /* the first start's units, and */
    uint8_t *ours;           /* which of them may change */
    uint32_t *words;         /* room for a unit record */
    uint8_t *page, *page_weak, *marks;

    struct list nodes, runs, ops, edges, heads;
    struct pool head_pool, ram_pages, ram_pairs;
    uint32_t *head_words; /* room for a head's record */
    uint8_t *ram_before;  /* RAM as last interned, and the numbers up to each of its pages */
    uint32_t *ram_numbers;
    size_t ram_before_bytes, ram_cap;

    /* the start under way */
    uint32_t now_state, now_reading, now_ops;
    uint64_t now_points;
    int64_t ns_before;
    uint32_t weak_list[CLOSURE_WEAK_UNITS];
    uint32_t weak_count;

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

/* closure_tear.c */
uint32_t closure_variants(const struct closure *c, const struct nor_op *op,
                          struct tear_variant out[VARIANTS_MAX]);
/* The unit that the operation works on, after that tear; POOL_NONE and c->rc on failure. */
uint32_t closure_torn_unit(struct closure *c, const struct nor_op *op,
                           const struct tear_variant *v);
/* Reads a unit of a chip as the number of a state's unit: weak cells and what hangs on their
 * reading in one fixed form. POOL_NONE when full. */
uint32_t closure_take_unit(struct closure *c, const struct nor *chip, uint32_t unit);
/* Writes a unit to a chip. */
void closure_put_unit(const struct closure *c, struct nor *chip, uint32_t unit, uint32_t number);

/* closure_graph.c: fills work_ops, work_ns, work_boots. 0 or ERR_NOMEM. */
int closure_measure(const struct closure *c, struct closure_result *out);
/* The operation after this one in its run, or in the run it joined; NONE: the end. */
uint32_t closure_next_op(const struct closure *c, uint32_t op);

/* closure_confirm.c: path and confirmed of the result, for the run that failed. */
int closure_confirm(struct closure *c, uint32_t run, struct closure_result *out);

#endif
