/*
 * Running one scenario: in simulation (this process, virtual time) or on the wire (device as its
 * own process, real sockets, real time).
 */
#ifndef OTABENCH_ENGINE_RUN_H
#define OTABENCH_ENGINE_RUN_H

#include "common/trace.h"
#include "common/vtime.h"
#include "scenarios/engine/result.h"

/* What replay tokens and explorers cut. Numbers count over the whole run, from 1. */
enum run_cut_kind {
    CUT_FLASH,   /* power, in a flash operation */
    CUT_MESSAGE, /* power, right after a request was served or its reply has arrived */
    CUT_NETWORK, /* a connection, before a byte of it passes */
    CUT_BETWEEN  /* power, behind flash operation op (0: before the first): see after */
};
struct run_cut {
    uint64_t op; /* number of the operation, or of the message */
    enum nor_tear tear;
    uint32_t arg; /* the tear's bytes, see nor.h */
    enum run_cut_kind kind;
    uint32_t connection; /* CUT_NETWORK: which; how: reset, close, or silence for good */
    enum link_dir dir;
    uint64_t byte;
    enum link_action action;
    uint16_t after;   /* CUT_BETWEEN: at the cloud's reply of that number behind op, from 1;
                         RUN_CUT_IDLE: when the device has nothing more to do */
    bool by_place;    /* CUT_FLASH: what the tear draws depends on place and kind of the operation,
                         not on its number: see nor_draw_by_place */
    uint32_t reading; /* power: how weak cells read when it is back: 0 drawn, else 1 +
                         closure_reading's number */
};
#define RUN_CUTS_MAX 8
#define RUN_CUT_IDLE UINT16_MAX
/* A connection that is silent so long is a black hole: no run lasts that long. */
#define RUN_SILENCE_NS (7 * 86400 * NS_PER_S)

/* What the trace does not say. Calls may be null; main phase and heal phase alike. */
struct run_probe {
    void *ctx;
    /* A message that CUT_MESSAGE counts: a request was served, or a whole reply has arrived. */
    void (*message)(void *ctx, bool reply, uint32_t connection);
    /* Bytes enter a connection at byte `at` of that direction. */
    void (*bytes)(void *ctx, uint32_t connection, enum link_dir dir, uint64_t at,
                  const uint8_t *data, size_t len_bytes);
};

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
        cuts[RUN_CUTS_MAX]; /* besides the scenario's own; numbers of a kind rise; sim only */
    uint32_t n_cuts;
    struct trace_sink sink; /* line may be null */
    struct run_probe probe; /* sim only */
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
