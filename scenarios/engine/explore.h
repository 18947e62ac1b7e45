/*
 * Exploring: every power cut a scenario can meet, one run each.
 *
 * The scenario runs once without a cut and must pass. What it does up to the heal phase gives the
 * points: power lost in a flash operation, with one tear; power lost right after a message, when
 * the cloud may know more than the device; and, when asked for, a connection lost at a border of a
 * message. A point is run from the start, cut there, switched on again, and judged at the end of
 * its heal phase by everything that always holds. With a depth above 1 everything that follows in
 * the recovery is cut as well, and so on; with a sample, sequences are drawn instead of listed.
 *
 * Points are numbered from 0: operations, by number, then tear; messages; borders, by connection
 * lost at them, then way. A point's result depends on the scenario and
 * the options alone: whoever runs it, in whatever order, finds the same.
 */
#ifndef OTABENCH_ENGINE_EXPLORE_H
#define OTABENCH_ENGINE_EXPLORE_H

#include "scenarios/engine/run_log.h"

#define EXPLORE_TEARS_MAX    16
#define EXPLORE_POINTS_MAX   2000000u
#define EXPLORE_FAILURES_MAX 1000u /* kept per scenario, the first by number; all are counted */
#define EXPLORE_IDS_MAX      16

/* A way to tear. PREFIX with arg 0: half of the operation. */
enum explore_spread {
    SPREAD_ONE,
    SPREAD_EACH, /* PREFIX: at every border of a granule within the operation, a point each */
    SPREAD_ANY   /* PREFIX: at one of them, drawn by what the operation is */
};
struct explore_tear {
    enum nor_tear tear;
    uint32_t arg; /* see nor_arm_cut */
    enum explore_spread spread;
};
#define EXPLORE_TEAR_NAME_MAX 32
/* "scrambled", "prefix", "prefix.64", "prefix.each", "prefix.any" */
void explore_tear_name(const struct explore_tear *t, char out[EXPLORE_TEAR_NAME_MAX]);

/* What is cut. */
enum { EXPLORE_FLASH = 1, EXPLORE_MESSAGES = 2, EXPLORE_NETWORK = 4 };
#define EXPLORE_KINDS 3
const char *explore_kind_name(enum run_cut_kind kind); /* "flash", "messages", "net" */
/* Ways to lose a connection: reset, close, stall (for good). */
#define EXPLORE_WAYS 3
enum link_action explore_way(uint32_t index);
const char *explore_way_name(uint32_t index); /* "reset", "close", "silence" */

struct explore_options {
    unsigned kinds; /* of EXPLORE_FLASH, ... */
    uint32_t depth; /* cuts in a row, 1..RUN_CUTS_MAX */
    struct explore_tear tears[EXPLORE_TEARS_MAX];
    uint32_t n_tears;
    uint64_t sample; /* 0: every point; else so many random sequences of 1..depth cuts */
    uint64_t sample_seed;
};
/* Flash and messages, depth 1, no sample; every tear once but those that the reference makes no
 * claim about (disturb, unwritten), and prefix.any. */
void explore_options_default(struct explore_options *o);
/* "all", or tear names between commas, each with an optional ".ARG". ERR_FORMAT tells. */
int explore_parse_tears(struct explore_options *o, const char *list, struct err *err);
/* "flash", "messages", "net" between commas. ERR_FORMAT tells. */
int explore_parse_kinds(struct explore_options *o, const char *list, struct err *err);

/* How a run ended, from good to bad. */
enum explore_outcome {
    EXPLORE_NOT_RUN,
    EXPLORE_NEW,         /* the new version runs */
    EXPLORE_OLD,         /* another complete version runs, or the only one */
    EXPLORE_HALTED,      /* neither, but it came back in the heal phase and no check failed */
    EXPLORE_BENCH_ERROR, /* no verdict */
    EXPLORE_WRONG_REPORT,
    EXPLORE_OTHER, /* another requirement failed */
    EXPLORE_BRICKED,
    EXPLORE_OUTCOMES
};
const char *explore_outcome_name(enum explore_outcome o); /* "reached-new", "kept-old", ... */
bool explore_outcome_fails(enum explore_outcome o);

/* One sequence that failed, or that the bench could not judge. */
struct explore_failure {
    uint32_t point;
    struct run_cut cuts[RUN_CUTS_MAX];
    uint32_t n_cuts;
    enum explore_outcome outcome;
    char ids[EXPLORE_IDS_MAX][REQUIREMENT_ID_MAX];
    uint32_t n_ids;
    char detail[RESULT_DETAIL_MAX]; /* of the first; bench error: the cause */
};

struct explore_point {
    struct run_cut cuts[RUN_CUTS_MAX]; /* of a sample: the whole sequence, once it has run */
    uint32_t n_cuts;
    enum explore_outcome outcome;      /* of cuts */
    uint32_t counts[EXPLORE_OUTCOMES]; /* all runs for this point: shorter and longer sequences */
};

/* Failed runs per requirement. */
struct explore_id {
    char id[REQUIREMENT_ID_MAX];
    uint64_t runs;
};

/* A point's result as a worker hands it over; plain data. */
#define EXPLORE_RESULT_FAILURES 8 /* kept per point; all are counted */
struct explore_result {
    struct explore_point point;
    struct explore_failure failures[EXPLORE_RESULT_FAILURES];
    uint32_t n_failures;
    struct explore_id ids[EXPLORE_IDS_MAX * 2];
    uint32_t n_ids;
    uint64_t flash_ops; /* of all its runs */
};

/* One scenario: what there is to explore, and what came out. */
struct exploration {
    char name[SCENARIO_NAME_MAX], path[256];
    uint64_t seed;
    char old_version[DEVICE_TEXT_MAX], new_version[DEVICE_TEXT_MAX];
    char trace_sha256[65]; /* of the run without a cut */
    enum verdict baseline;
    char cause[ERR_TEXT_MAX]; /* baseline did not pass: why; there are no points then */
    char fails[SCENARIO_EXPECT_MAX][REQUIREMENT_ID_MAX]; /* zoo: what has to be found */
    uint32_t n_fails;
    struct nor_geometry geometry; /* name and text are not valid */
    struct partition_table partitions;
    struct run_op *ops; /* of the run without a cut; operation n is ops[n - 1]; owned */
    uint32_t n_ops;
    struct run_message *messages; /* the same; owned */
    uint32_t n_messages;
    struct run_border *borders; /* owned */
    uint32_t n_borders;
    struct explore_point *points; /* owned */
    uint32_t n_points;
    struct explore_failure *failures; /* by point number; owned */
    uint32_t n_failures, failures_cap;
    struct explore_id ids[RESULT_CHECKS_MAX]; /* by name */
    uint32_t n_ids;
    uint64_t flash_ops; /* of all runs */
};

/*
 * Runs s without a cut and lays out the points. s->expect.fails moves to x, so that s is fit for
 * explore_run. ERR_LIMIT: too many points; ERR_NOMEM. A baseline that does not pass is told in x;
 * when it already fails all of `fails` that is what was expected.
 */
int explore_prepare(struct exploration *x, struct scenario *s, const struct explore_options *o,
                    struct world *w, const struct run_options *run, struct err *err);
/* The points from ops, for a report that is read back. ERR_LIMIT, ERR_NOMEM. */
int explore_lay_out(struct exploration *x, const struct explore_options *o, struct err *err);
void explore_free(struct exploration *x);

/* Runs point `index` and everything below it. x is only read. */
void explore_run(const struct exploration *x, const struct scenario *s,
                 const struct explore_options *o, struct world *w, const struct run_options *run,
                 uint32_t index, struct explore_result *out);
/* Takes a result in; in any order. ERR_NOMEM. */
int explore_put(struct exploration *x, uint32_t index, const struct explore_result *r);
/* The same for one failure, its point number set, and for a requirement's failed runs. */
int explore_put_failure(struct exploration *x, const struct explore_failure *f);
void explore_put_id(struct exploration *x, const struct explore_id *id);

/* Of the run without a cut: what the update was doing there, and which item of its list a cut
 * belongs to; UINT32_MAX when none. */
uint32_t explore_item_of(const struct exploration *x, const struct run_cut *cut);
enum run_phase explore_phase_of(const struct exploration *x, const struct run_cut *cut);
/* What was asked of the cloud; null of a flash operation. */
const char *explore_about(const struct exploration *x, const struct run_cut *cut);
/* The tear in o->tears before `t` that leaves the same cells on this operation, or t itself. */
uint32_t explore_same_tear(const struct exploration *x, const struct run_op *op,
                           const struct explore_options *o, uint32_t t);
/* The cut that tear t makes at a border, for SPREAD_EACH; border: 0, 1, ...; false past the last.
 */
bool explore_cut_at(const struct exploration *x, const struct run_op *op, uint64_t number,
                    uint32_t border, struct run_cut *cut);
/* The cut that tear t makes of operation number `number`. */
struct run_cut explore_cut(const struct exploration *x, const struct run_op *op, uint64_t number,
                           const struct explore_tear *t);

/* Worst outcome of a point's runs. */
enum explore_outcome explore_worst(const struct explore_point *p);
void explore_token(const struct exploration *x, const struct run_cut *cuts, uint32_t n,
                   char out[RESULT_TOKEN_MAX]);

/* Sums over an exploration. */
struct explore_totals {
    uint64_t done; /* points with a result */
    uint64_t counts[EXPLORE_OUTCOMES];
    uint64_t runs, failing;
};
void explore_sum(const struct exploration *x, struct explore_totals *t);
/* Verdict: as a run's; with `fails`, expected-fail when each of them was found. Without a result
 * for every point of the shard (done < expected), inconclusive unless something failed. */
enum verdict explore_verdict(const struct exploration *x, uint64_t expected_points);

#endif
