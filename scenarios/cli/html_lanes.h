/* The story of a run as an SVG picture: a column per lane, time downwards, cuts across. */
#ifndef OTABENCH_CLI_HTML_LANES_H
#define OTABENCH_CLI_HTML_LANES_H

#include "common/bytes.h"
#include "scenarios/cli/story.h"

/* Appends a heading and the picture. 0 or the buffer's error. */
int html_lanes(struct buf *out, const struct story *s);

#endif
