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

struct story_teller {
    enum lane lane;
    const char *name;
    void (*tell)(struct story *s, const struct story_event *e);
};
/* Devices with MQTT and two slots (story_iot.c). */
extern const struct story_teller story_iot_tellers[];
extern const size_t story_iot_tellers_count;

/* A field of the event; 0 or "" when it is missing. */
int64_t story_number(const struct story_event *e, const char *key);
const char *story_text(const struct story_event *e, const char *key);
/* The letter of the slot that the field is the number of. */
char story_slot(const struct story_event *e, const char *key);
/* Tells one cell with its own text; how often it came is appended. Null when the story is full. */
struct story_cell *story_say(struct story *s, const struct story_event *e, const char *key,
                             enum story_mood mood, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void story_tell_nothing(struct story *s, const struct story_event *e);

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
