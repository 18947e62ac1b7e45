/*
 * The story of a run: its trace, thousands of events on seven lanes, folded into the few rows a
 * person can read. The terminal timeline and the HTML lanes are two drawings of it.
 *
 * A row has at most one cell per lane and covers a stretch of time. An event goes into the last
 * row: into the lane's cell when that cell tells the same kind of thing ("segments 12-57 stored"),
 * else into an empty lane; when the lane already tells something else, a new row begins. Power
 * cuts, starts and the heal phase are rules across all lanes. Blocks of rows that repeat become one
 * row that says how often. After "heal" only totals are kept.
 */
#ifndef OTABENCH_CLI_STORY_H
#define OTABENCH_CLI_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/trace.h"

#define STORY_TEXT_MAX 200
#define STORY_KEY_MAX  96
#define STORY_ROWS_MAX 5000 /* before repeats are folded; further events are only counted */

enum story_mood { MOOD_PLAIN, MOOD_GOOD, MOOD_BAD };

struct story_cell {
    char text[STORY_TEXT_MAX]; /* empty: nothing on that lane */
    char key[STORY_KEY_MAX];   /* the kind of thing told, without numbers */
    int64_t from_ns, to_ns;
    enum story_mood mood;
    uint64_t count, first, last, bytes; /* for folding; meaning depends on the key */
    uint32_t erases;
    char tail[48]; /* said once, after the folded text */
};

enum story_kind {
    STORY_CELLS,
    STORY_CUT,   /* rule: power lost */
    STORY_START, /* rule: power-on or reset */
    STORY_HEAL,  /* rule: the main phase is over */
    STORY_REPEAT /* the `rows` rows above happened `times` times in all, until to_ns */
};

struct story_row {
    enum story_kind kind;
    int64_t from_ns, to_ns;
    bool dark;                 /* power is off after this row */
    bool closed;               /* what comes next begins a new row */
    char text[STORY_TEXT_MAX]; /* rules, heal totals */
    struct story_cell cell[LANE_COUNT];
    size_t rows;
    uint64_t times;
};

struct story {
    struct story_row *rows; /* owned */
    size_t count, cap;
    uint64_t events, left_out;
    /* while reading */
    bool healing, off, restarting, record_news;
    bool slots; /* the device starts from two slots */
    uint32_t starts;
    char record[24], log[64];
    int64_t heal_from_ns, last_ns;
    uint64_t heal_starts, heal_requests, heal_ops;
    char heal_version[64];
};

void story_init(struct story *s);
void story_free(struct story *s);

/* One trace line. ERR_FORMAT when it is not one, ERR_NOMEM. */
int story_line(struct story *s, const char *line, size_t len_bytes, struct err *err);
/* After the last line: heal totals, repeats. */
int story_end(struct story *s, struct err *err);
/* All of it from an NDJSON file; a last line cut short (a crashed run) is left out. */
int story_read(struct story *s, const char *path, struct err *err);

#endif
