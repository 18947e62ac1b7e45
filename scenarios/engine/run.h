/*
 * Running one scenario: in simulation (this process, virtual time) or on the wire (device as its
 * own process, real sockets, real time).
 */
#ifndef OTABENCH_ENGINE_RUN_H
#define OTABENCH_ENGINE_RUN_H

#include "common/trace.h"
#include "scenarios/engine/result.h"

/* A power cut at a flash operation, as replay tokens and explorers give it. */
struct run_cut {
    uint64_t op; /* absolute number, from 1 */
    enum nor_tear tear;
    uint32_t arg; /* the tear's bytes, see nor.h */
};
#define RUN_CUTS_MAX 8

struct run_options {
    uint64_t seed; /* 0: the scenario's own */
    enum run_mode mode;
    const char *cache_dir;    /* packages; null: none kept */
    const char *firmware_dir; /* for IMAGE_FILE paths; null: working directory */
    const char *work_dir; /* wire: flash file, database; null: a fresh directory under /tmp, removed
                             afterwards */
    const char *self_exe; /* wire: path of this program, to start "device" */
    const char
        *flash_out; /* non-null: the flash image at the end of the main phase is saved there */
    struct run_cut
        cuts[RUN_CUTS_MAX]; /* besides the scenario's own; operation numbers rise; sim only */
    uint32_t n_cuts;
    struct trace_sink sink; /* line may be null */
};

/* A reusable simulated world: cloud, HTTP edge and caches survive between runs, nothing that can
 * influence a verdict does. */
struct world;
struct world *world_new(struct err *err);
void world_free(struct world *w);

/* Always fills *out; bench faults become VERDICT_ERROR with a cause. */
void world_run(struct world *w, const struct scenario *s, const struct run_options *o,
               struct run_result *out);
void wire_run(const struct scenario *s, const struct run_options *o, struct run_result *out);

#endif
