/*
 * Reading bytes that buf_put_* wrote, from front to back. A cursor that was asked for more than is
 * there, or for a text without its end, turns bad and stays so: what it gives then is 0 and "", and
 * the caller looks once, at the end.
 */
#ifndef OTABENCH_COMMON_CURSOR_H
#define OTABENCH_COMMON_CURSOR_H

#include "common/bytes.h"

/* Append; 0, or buf_append's error. Numbers are 8 bytes, low byte first; texts have their zero. */
int buf_put_int(struct buf *out, int64_t v);
int buf_put_text(struct buf *out, const char *text);
int buf_put_bytes(struct buf *out, const void *data, size_t len_bytes); /* the length in front */

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

struct cursor cursor_over(const void *data, size_t len_bytes);
/* From min to max, or the cursor is bad. */
int64_t cursor_int(struct cursor *c, int64_t min, int64_t max);
void cursor_text(struct cursor *c, char *out, size_t room);
/* A view of what buf_put_bytes wrote; null when bad. */
const uint8_t *cursor_bytes(struct cursor *c, size_t *len_bytes);
/* Nothing was wrong, and nothing is left. */
bool cursor_done(const struct cursor *c);

#endif
