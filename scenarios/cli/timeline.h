/* The story of a run as text of at most 110 columns: lanes side by side, time downwards. */
#ifndef OTABENCH_CLI_TIMELINE_H
#define OTABENCH_CLI_TIMELINE_H

#include "common/bytes.h"
#include "scenarios/cli/story.h"

#define TIMELINE_COLUMNS 110

/* 0 or the buffer's error. colour: ANSI sequences. */
int timeline_put(struct buf *out, const struct story *s, bool colour);

#endif
