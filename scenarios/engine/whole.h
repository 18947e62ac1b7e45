/*
 * Closure of a whole update: every state that any number of successive power cuts can lead to, from
 * the first start to the accepted report, with the cloud and the network in play.
 *
 * A node is what a power cut leaves of the world: flash (content, weak cells, granule marks), what
 * the cloud has learned (cloud_remember) and what the judge still holds against the device
 * (judge_remember). RAM, sockets and what is under way in the network are gone at a cut. Time, wear
 * and operation counts are not part of a node: every power-on begins at the same moment with a
 * fresh network, so time-outs of the cloud never run out between two power-ons.
 *
 * The flash of a node is a set of contents for each erase unit and stands for every choice of one
 * each, as in closure.h: what the tears of one operation leave is one node, and weak cells that may
 * read in three ways are three elements. Tears that leave weak cells are a node apart, for the
 * judge is more lenient with them. Sets are exact, so a proof is neither weaker nor stronger.
 *
 * From each node the world runs until the device idles or resets itself, once for each part of it
 * that shows device, boot loader and judge something else. Every program and erase on the way is a
 * cut with every tear; so is every reply of the cloud that changed what it knows, and idling. What
 * each cut leaves is worked out on a scratch chip (closure_tear.c), so one run gives all
 * successors. A reset leads to a node of its own, with the readings as they are. Where the device
 * idles the main phase is over, and the heal phase is run from there, once per distinct end.
 * Breadth first by number of cuts, until nothing new is left. Contents are compared, never only
 * hashes.
 *
 * A power-on that would look at nothing else than an earlier one is recalled instead of run, and
 * parts of a node that behave the same are followed as one (whole_internal.h).
 *
 * With `losses`, connections are lost as well: from every part of a node, the run is repeated with
 * its connection lost at each border of each message (run_log.h), in each of the ways that
 * explorers have, and what follows in the same power-on is cut like all else. So many in each
 * power-on; over all power-ons their number has no bound. Starts are then parted at moments
 * (board.h), where the device tells all that it remembers and nothing is under way in the network:
 * a moment is a node as well, with what device and judge remember within a power-on, and a
 * connection is lost between two moments. Time since power-on is not part of it; a network that
 * draws, faults of the scenario and URLs that expire are, and there each start goes to its end.
 *
 * On the Aliyun cloud the broker's sessions are part of what the cloud has learned: filters and
 * unacknowledged messages of those that outlive a connection. The broker learns of a power cut at
 * once. Of an announcement that waits is kept which firmware it is of, so its URL is signed anew.
 * Contents that a start erases before anyone looks are not told apart there: see whole_again.
 *
 * A node that differs from an earlier one only in having been served fewer bytes is not run again:
 * the judge would be less strict with it (judge_memory.h).
 *
 * An audit runs what was decided: a world of its own is put into one of the contents that a part of
 * a node stands for, and must do the same operations, hear and learn the same, end the same way
 * with the same flash; cut for real at one of them it must leave what was worked out. A difference
 * is an error of the bench (ERR_BENCH).
 *
 * Work is cut into tasks that do not depend on each other: whole_work may run in other processes,
 * whole_take must be called in order of the tasks. So the result depends on scenario and options
 * alone.
 */
#ifndef OTABENCH_ENGINE_WHOLE_H
#define OTABENCH_ENGINE_WHOLE_H

#include "common/bytes.h"
#include "common/digest.h"
#include "scenarios/engine/closure.h"
#include "scenarios/engine/run.h"

#define WHOLE_LOG_BYTES_MAX (64u << 20) /* of one task */
#define WHOLE_PATH_MAX      64
#define WHOLE_FAILURES_MAX  16 /* kept; all are counted */
#define WHOLE_IDS_MAX       16

struct whole_options {
    uint32_t tears; /* 1 << enum nor_tear each, of CLOSURE_TEARS_KNOWN; 0: CLOSURE_TEARS_ALL.
                       TEAR_DONE always is */
    bool borders; /* a prefix has the borders that the closure of the restore has, not half alone */
    uint32_t max_states;
    uint64_t max_bytes; /* of memory, about; 0: any */
    uint32_t max_cuts;  /* in a row; 0: any number */
    bool no_sets;       /* every tear a state of its own, every reading a start */
    bool no_recall;     /* run every start; with no_sets */
    bool keep_dead;     /* follow what is erased unseen as well; see whole_again */
    uint32_t losses;    /* connections that may be lost in each power-on; with keep_dead */
    uint32_t loss_cuts; /* for tests: none is lost behind so many cuts; 0: any number */
    bool all_failures;  /* go on after a counter-example, also behind it */
    uint32_t audit;     /* of all starts and heal phases that were decided every so-manyth is run
                           all the same, from a content drawn, and one of its operations is cut;
                           they must do what was decided. 0: none */
};

/* One step of a path to a counter-example. */
struct whole_step {
    struct run_cut cut; /* as in a token; valid unless reset */
    bool reset;         /* no cut: the device reset itself */
    bool lost;          /* no power cut: a connection was lost on the way to the next step */
    enum nor_op_kind kind;
    uint32_t addr, len_bytes; /* of the operation; len_bytes 0: between operations */
};

struct whole_failure {
    struct whole_step path[WHOLE_PATH_MAX]; /* the first path_len steps at most */
    uint32_t path_len;                      /* from the first start */
    uint32_t n_cuts;                        /* of them, of power */
    uint32_t n_losses;                      /* of connections */
    char token[RESULT_TOKEN_MAX];           /* empty: more cuts than a token holds */
    bool in_heal;                           /* it failed in the heal phase */
    bool confirmed; /* repeated from the start with these cuts, and the same failed */
    char ids[WHOLE_IDS_MAX][REQUIREMENT_ID_MAX]; /* of the repetition, if there was one */
    uint32_t n_ids;
    char detail[RESULT_DETAIL_MAX];
};

struct whole_result {
    bool closed;       /* nothing new is left, and nothing is unsure */
    const char *bound; /* what stopped it or what is unsure, when not closed: static text */
    uint32_t states;   /* nodes that are power-ons after a cut, and the first; each a set of them */
    uint32_t resets;   /* and those that are resets */
    uint32_t
        moments; /* besides, those in the midst of a power-on: only where connections are lost */
    uint32_t flash_states, cloud_states, judge_states;
    uint32_t again;    /* power-ons of a known state that the judge may be stricter with */
    uint32_t depth;    /* cuts before the deepest new state */
    uint64_t starts;   /* power-ons and resets executed, and */
    uint64_t recalled; /* parts of nodes for which none had to be */
    uint64_t merged;   /* parts of states that differ from another in what is erased unseen only */
    uint64_t heals;    /* heal phases executed */
    uint64_t audited, audited_cuts, audited_heals; /* by an audit, beside them */
    uint64_t audited_moments;                      /* that those starts went through */
    uint32_t losses;      /* connections that may be lost in each power-on, */
    uint64_t lost_starts; /* starts executed with that, and */
    uint64_t lost_parts;  /* parts of nodes followed with it, by running or recall */
    uint32_t ways_lost;   /* different ways to lose them */
    uint64_t points;      /* cuts worked out: (part of a node, place, tear) */
    uint64_t decided;     /* the same with those decided by joins */
    uint64_t edges;       /* successors found by them */
    uint32_t ends_new, ends_old, ends_other; /* runs to idling by the version in flash */
    bool over_mqtt; /* the device has two slots and speaks MQTT: more is left out, see the report */
    char new_version[DEVICE_TEXT_MAX]; /* what the update without a cut leads to */
    uint32_t boots_needed; /* power-ons and resets until idling, when power stays: the most */
    /* Minimum useful power-on: so much work, powered, brings the device from any state to one from
     * which no cut leads back. Valid when closed. */
    uint32_t work_ops;
    int64_t work_ns;     /* of virtual time, with waiting for the network */
    uint32_t work_boots; /* so many such pieces of work are needed at most */
    uint64_t memory_bytes;
    uint32_t failing;     /* runs and heal phases with a failed requirement, confirmed or not */
    uint32_t unconfirmed; /* of those that were repeated */
    struct whole_failure failures[WHOLE_FAILURES_MAX]; /* in order of discovery */
    uint32_t n_failures;
    char fails[SCENARIO_EXPECT_MAX][REQUIREMENT_ID_MAX]; /* zoo: what has to be found */
    uint32_t n_fails;
};

struct whole;

/* Why that scenario cannot be closed: something in it depends on absolute time, or on counts that
 * are not part of a node. Null: it can. Static text. */
const char *whole_refuses(const struct scenario *s);

/*
 * s and run must live as long; run gives seed and directories. The scenario's own power rules are
 * left out, being among the cuts. Null on error, also for a scenario that whole_refuses.
 */
struct whole *whole_new(const struct scenario *s, const struct whole_options *o,
                        const struct run_options *run, struct err *err);
void whole_free(struct whole *w); /* null is fine */

/*
 * The next tasks that are to be done, at most max of them; 0: nothing is left, or it was stopped.
 * All of the last ones must have been taken in. What max is decides how much is run, not what is
 * found.
 */
uint32_t whole_begin(struct whole *w, uint32_t *tasks, uint32_t max, struct err *err);

/* A worker, perhaps in a process forked from the owner's. Null on error. */
struct whole_worker;
struct whole_worker *whole_worker_new(const struct whole *w, struct err *err);
void whole_worker_free(struct whole_worker *k);
/* Does a task; what it found is appended to log. w may have grown since the worker was made. */
int whole_work(struct whole_worker *k, uint32_t task, struct buf *log, struct err *err);

/* Takes in what the next of these tasks found, in their order. lost: it could not be done, and why
 * (null: it was). ERR_NOMEM, ERR_BENCH when the bench contradicts itself. */
int whole_take(struct whole *w, const void *log, size_t len_bytes, const char *lost,
               struct err *err);
/* No more will be taken in: why (static text). */
void whole_stop(struct whole *w, const char *why);

struct whole_progress {
    uint32_t states, left; /* known; of them not yet run */
    uint32_t depth;
    uint64_t starts;
    uint32_t failing;
};
void whole_progress(const struct whole *w, struct whole_progress *out);

/* It has to be begun again with keep_dead: of devices with two slots, contents that a start erases
 * before anyone looks are not told apart, and someone looked behind a further cut. */
bool whole_again(const struct whole *w);

/* What it all comes to. */
int whole_conclude(struct whole *w, struct whole_result *out, struct err *err);
/* As a run's: fail with a confirmed counter-example, inconclusive when not closed; with `fails`,
 * expected-fail when each of them was found. */
enum verdict whole_verdict(const struct whole_result *r);

/* For people, and as a JSON object. No wall time in either: same input, same bytes. */
int whole_describe(const struct whole_result *r, const char *name, struct buf *out);
int whole_json(const struct whole_result *r, const char *name, struct buf *out);

/* For tests: every content that a node stands for, with what cloud and judge remember, as a
 * fingerprint, and the node's depth. It may come several times. ERR_LIMIT: a node stands for too
 * many. */
typedef void whole_content(void *ctx, const uint8_t sha256[SHA256_BYTES], uint32_t depth);
int whole_contents(const struct whole *w, whole_content *each, void *ctx);

#endif
