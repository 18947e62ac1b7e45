/*
 * The inside of a worker of whole closures (whole.h): its world and its log. whole_work.c puts the
 * world into a state and runs it, whole_watch.c writes down what happens there.
 */
#ifndef OTABENCH_ENGINE_WHOLE_WORKER_H
#define OTABENCH_ENGINE_WHOLE_WORKER_H

#include "scenarios/engine/run_log.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

/* What happens between two moments of the way to a task's node, and behind it. */
struct whole_leg {
    uint32_t base; /* what flash holds there: the first content of each set */
    uint32_t loss;
    uint32_t node;
};
#define WHOLE_LEGS_MAX 16384u

struct whole_worker {
    const struct whole *w;
    struct world *main, *heal; /* a store each; the images are the graph's */
    struct sim_run main_run;
    bool ready;        /* it is set up */
    struct sim_run *r; /* the one under way */
    struct judge *scratch;
    struct states_tree tree;
    uint32_t *chip_unit;    /* what main_run's chip holds; POOL_NONE: something else */
    uint8_t *seen;          /* per byte: looked at or erased in this run, where */
    uint32_t *seen_in;      /* per page: it is of this */
    uint32_t *all_seen;     /* per page: and nothing is left to see since this */
    uint32_t *touched;      /* per unit: an operation was done to it in this run */
    uint32_t runs;          /* run */
    bool booting;           /* what the device looks at is told by what the boot loader does */
    bool has_faults;        /* the scenario has faults that can be spent */
    bool offers_late;       /* an offer of it waits for an event */
    bool healing;           /* nothing but looks is told, and these tell of weak cells, too */
    struct run_options run; /* the graph's, with a probe */
    struct run_log borders; /* messages of the run under way, for as much as may be lost of them */
    uint32_t lost;          /* connections that have been lost in it */
    uint32_t begun_before;  /* requests and replies until the last of them */
    uint32_t first_connection;      /* of the run, less 1 */
    struct buf memory, last, cloud; /* cloud: the newest of the cloud alone */
    bool auditing;                  /* looks are not told */

    /* The leg under way (whole_moment.c). The log is that of the last one, and of what follows. */
    struct whole_leg *legs;
    uint32_t n_legs, legs_cap, leg;
    const struct whole_task *task;
    struct buf *log_of_task;
    int64_t began_ns;
    bool stopped;          /* nothing more is written down */
    uint32_t lost_before;  /* connections */
    uint32_t open;         /* the connection that was open when it began; 0: none */
    uint64_t open_sent[2]; /* bytes by then */

    /* the task under way */
    struct buf *log;
    uint32_t clouds, judges;       /* memories in the log */
    struct judge_memory now, told; /* told: the newest in the log */
    uint32_t replies;
    struct log_op begun; /* the operation under way; len_bytes 0: none */
    uint8_t begun_data[4096];
    int rc;
    struct err err;
};

/* ---- the log; without one, nothing is written ---- */

void worker_put(struct whole_worker *k, uint32_t tag, const void *data, size_t len_bytes);
/* More of the same record. */
void worker_put_more(struct whole_worker *k, const void *data, size_t len_bytes);
/* What cloud and faults remember; the newest in the log from then on. True when it is another than
 * before. fresh: the cloud may know something new. */
bool worker_note_cloud(struct whole_worker *k, bool fresh, enum whole_when when);
/* k->now, unless it is the newest in the log; its number there. */
uint32_t worker_note_judge(struct whole_worker *k);
/* What the judge would remember if power were lost now; its number in the log. */
uint32_t worker_note_cut(struct whole_worker *k);
/* Connections so far; counted only where they may be lost. */
uint32_t worker_connections(const struct whole_worker *k);
/* The requirements that failed, with the first one's story. */
void worker_note_failed(const struct judge *j, struct log_end *end);

/* ---- legs (whole_moment.c) ---- */

/* The way to the task's node; the first leg is that of a power-on or reset. */
int worker_find_legs(struct whole_worker *k, const struct whole_task *t);
/* What is lost in the leg is armed, and counting begins. */
void worker_begin_leg(struct whole_worker *k);
/* Where another connection could be lost, behind those that were. */
void worker_tell_borders(struct whole_worker *k);
/* What is left on flash, where it is another than when the leg began. */
void worker_put_units(struct whole_worker *k);
/* Flash becomes the first content of each set of a base, while the device is on (whole_work.c). */
void worker_put_flash(struct whole_worker *k, uint32_t base);
/* A moment of the device; ctx is the worker. */
void worker_on_moment(void *ctx, const void *memory, size_t len_bytes);

/* ---- hooks of the world; ctx is the worker ---- */

/* What judge, device or boot loader read of the flash. */
void worker_on_look(void *ctx, uint32_t addr, uint32_t len_bytes);
/* The device alone: not told while what the boot loader does tells it. */
void worker_on_device_look(void *ctx, uint32_t addr, uint32_t len_bytes);
void worker_look_at_unit(struct whole_worker *k, uint32_t unit);
void worker_on_begun(void *ctx, const struct nor_op *op);
void worker_on_op(void *ctx, const struct nor_op *op);
/* Instead of the world's own: there are no cuts of a token. */
void worker_on_event(void *ctx, enum lane lane, const char *event);

#endif
