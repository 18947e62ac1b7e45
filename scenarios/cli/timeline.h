/* The story of a run as text: lanes side by side, time downwards. */
#ifndef OTABENCH_CLI_TIMELINE_H
#define OTABENCH_CLI_TIMELINE_H

#include "common/bytes.h"
#include "scenarios/cli/paper.h"
#include "scenarios/cli/story.h"

/* 0 or the buffer's error. The lanes share the paper's width. */
int timeline_put(struct buf *out, const struct story *s, const struct paper *p);

#endif
