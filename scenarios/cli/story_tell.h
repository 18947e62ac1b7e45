/* How each event of the trace is told: the table behind story_line. Only story*.c include this. */
#ifndef OTABENCH_CLI_STORY_TELL_H
#define OTABENCH_CLI_STORY_TELL_H

#include <cjson/cJSON.h>

#include "scenarios/cli/story.h"

struct story_event {
    int64_t t_ns;
    enum lane lane;
    const char *name;
    const cJSON *fields; /* the whole line */
};

/* Puts the event into the story; unknown events are shown by their name. */
void story_tell(struct story *s, const struct story_event *e);

/* The lane's cell for that kind of thing, in the last row or a new one; its count is one up. Null
 * when the story is full. */
struct story_cell *story_cell(struct story *s, enum lane lane, int64_t t_ns, const char *key);
/* The lane's cell in the last row, null if it is empty. */
const struct story_cell *story_last(const struct story *s, enum lane lane);
void story_rule(struct story *s, enum story_kind kind, int64_t t_ns, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The last row is complete: what comes next begins a new one. */
void story_close(struct story *s);
/* Takes back a cut that is the last row and happened at t. */
void story_undo_cut(struct story *s, int64_t t_ns);

#endif
