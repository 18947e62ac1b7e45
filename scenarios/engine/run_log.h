/*
 * What happened in a run, as far as power or the network could be cut there: flash operations,
 * messages between device and cloud, and the bytes of each exchange at which a connection can be
 * lost. Filled by a run's sink and probe; explorers read it.
 *
 * Everything is that of the main phase and numbered from 1 over the whole run, across power-ons.
 */
#ifndef OTABENCH_ENGINE_RUN_LOG_H
#define OTABENCH_ENGINE_RUN_LOG_H

#include "scenarios/engine/run.h"

#define RUN_LOG_OPS_MAX      1000000u
#define RUN_LOG_MESSAGES_MAX 1000000u /* also of exchanges */

/* What the update was doing when something began, from the events before it. */
enum run_phase {
    RUN_AT_START, /* firmware start, nothing asked yet */
    RUN_AT_REGISTER,
    RUN_AT_PREPARE,  /* package announced: record of the download */
    RUN_AT_SEGMENTS, /* download */
    RUN_AT_VERIFY,   /* digest, record of the pending package, download report */
    RUN_AT_BOOT,
    RUN_AT_RESTORE,
    RUN_AT_RESULT, /* restored or refused: records of the result */
    RUN_AT_REPORT,
    RUN_PHASES
};
const char *run_phase_name(enum run_phase p);

struct run_op {
    enum nor_op_kind kind;
    uint32_t addr, len_bytes;
    enum run_phase phase;
};

/* A request was served by the cloud, or its whole reply has reached the device. */
struct run_message {
    bool reply;
    enum cloud_request about;
    uint32_t ops; /* flash operations before it */
    enum run_phase phase;
};

/* Classes of places within an HTTP message at which its connection can be lost. */
enum run_place {
    PLACE_FIRST,  /* before its first byte */
    PLACE_LINE,   /* within the request or status line */
    PLACE_HEAD,   /* within the header fields */
    PLACE_BORDER, /* before the first byte of the body */
    PLACE_BODY,   /* within it */
    PLACE_LAST,   /* before the last byte */
    PLACE_COUNT
};
const char *run_place_name(enum run_place p); /* "first byte", "start line", ... */

struct run_border {
    uint32_t connection;
    enum link_dir dir;
    uint64_t byte; /* of that direction, 0-based; the first that does not pass */
    enum run_place place;
    enum cloud_request about;
    uint32_t ops, messages; /* before the first byte of its message */
    uint32_t begun;         /* which of those that begin to pass it belongs to, from 1 */
    enum run_phase phase;
};

/* Operations and messages before a place in a run; of a network fault also which requests and
 * replies had begun to pass (0: those that the messages tell). */
struct run_mark {
    uint32_t ops, messages, begun;
};

struct run_log {
    struct run_op *ops; /* owned */
    uint32_t n_ops, ops_cap;
    struct run_message *messages; /* owned */
    uint32_t n_messages, messages_cap;
    struct run_border *borders; /* owned; by run_log_end */
    uint32_t n_borders;
    /* A network fault to look for (set before the run), and where in the run it was. */
    const struct run_cut *fault;
    struct run_mark fault_at;

    struct run_exchange *exchanges; /* owned; inner */
    uint32_t n_exchanges, exchanges_cap;
    uint32_t begun; /* requests and replies whose first byte has passed */
    enum run_phase phase;
    enum cloud_request about; /* of the request the cloud serves */
    bool over;
    int rc; /* ERR_LIMIT, ERR_NOMEM, ERR_BENCH: the lists are not complete */
};

/* What a run needs to fill *l, which is zeroed. */
struct trace_sink run_log_sink(struct run_log *l);
struct run_probe run_log_probe(struct run_log *l);
/* The run is over: lists the borders. l->rc. */
int run_log_end(struct run_log *l);
void run_log_free(struct run_log *l);
/* Both cut the same, in the same way. */
bool run_cut_same(const struct run_cut *a, const struct run_cut *b);
/* Where a cut was in the run that it belongs to. */
struct run_mark run_log_mark(const struct run_log *l, const struct run_cut *cut);

#endif
