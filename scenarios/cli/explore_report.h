/*
 * What an exploration reports: the same data whether it was run here or merged from shards, so a
 * report depends on scenarios and options alone. No clock, no machine, no worker is in it.
 *
 * Points are numbered through all scenarios of a report, from 0; shard i of n holds those whose
 * number leaves i - 1 when divided by n.
 */
#ifndef OTABENCH_CLI_EXPLORE_REPORT_H
#define OTABENCH_CLI_EXPLORE_REPORT_H

#include "common/bytes.h"
#include "scenarios/engine/explore.h"

#define EXPLORE_REPORT_BYTES_MAX ((size_t)512 << 20)
#define EXPLORE_SHARDS_MAX       100000u

struct explore_report {
    struct explore_options options;
    uint32_t shard, shards;        /* from 1 */
    bool complete;                 /* every point of the shard has a result */
    struct exploration *scenarios; /* owned */
    uint32_t count;
};

void explore_report_free(struct explore_report *r);

uint64_t explore_report_points(const struct explore_report *r); /* of all shards */
uint64_t explore_report_first(const struct explore_report *r, uint32_t scenario); /* number */
bool explore_report_mine(const struct explore_report *r, uint64_t number);
/* Points of this scenario in the shard. */
uint64_t explore_report_share(const struct explore_report *r, uint32_t scenario);
/* 1 a requirement failed, 2 incomplete, bench error or no baseline, 77 no point at all. */
int explore_report_exit_code(const struct explore_report *r);

/* JSON, one line per point; 0 or the buffer's error. */
int explore_json_put(struct buf *out, const struct explore_report *r);
/* Reads such a report; "path: $.place: ..." on error and nothing to free then. */
int explore_json_read(struct explore_report *r, const char *text, size_t len_bytes,
                      struct err *err);

/* Takes the results of another shard in and frees it. ERR_ARG: not the same exploration, or a point
 * is in both. */
int explore_report_merge(struct explore_report *r, struct explore_report *part, struct err *err);
/* Makes it the report of an undivided run, complete if all points are there. */
void explore_report_whole(struct explore_report *r);

/* For the terminal: per scenario outcomes, tears, phases, failing requirements and replay
 * commands, at most `failures` of them. */
int explore_text_put(struct buf *out, const struct explore_report *r, uint32_t failures,
                     bool colour);
/* One self-contained page. */
int explore_html_put(struct buf *out, const struct explore_report *r);

/* Writes the reports asked for (null: not asked); 0 or an exit code, said on stderr. */
int explore_save(const char *command, const struct explore_report *r, const char *json,
                 const char *html);
void explore_print(const struct explore_report *r); /* on stdout */

/* Appends the command that repeats a sequence of cuts. */
int explore_put_replay(struct buf *out, const struct exploration *x, const struct run_cut *cuts,
                       uint32_t n);

/* Failures are alike when outcome and requirements are the same: how many of those kept are like
 * number i, itself included; 0 when an earlier one is. */
uint32_t explore_alike(const struct exploration *x, uint32_t i);

/* Runs, and failing ones, of the points that one row of a table stands for. */
struct explore_row {
    uint64_t points, runs, failing, errors;
};
/* By the first cut: how it was made, and in which phase. */
struct explore_table {
    struct explore_row tears[EXPLORE_TEARS_MAX]; /* as o->tears */
    struct explore_row messages;
    struct explore_row ways[EXPLORE_WAYS]; /* connections lost */
    struct explore_row phases[RUN_PHASES];
};
void explore_rows(const struct exploration *x, const struct explore_options *o,
                  struct explore_table *out);
/* The rows of a table of first cuts, one after the other: name and figures. False past the end. */
bool explore_row_at(const struct explore_table *t, const struct explore_options *o, uint32_t index,
                    char name[EXPLORE_TEAR_NAME_MAX], const struct explore_row **row);
/* Index for explore_way; EXPLORE_WAYS when the cut is not of the network. */
uint32_t explore_way_of(const struct run_cut *cut);
/* Which of o->tears made the cut; n_tears when none. */
uint32_t explore_tear_of(const struct exploration *x, const struct explore_options *o,
                         const struct run_cut *cut);

#endif
