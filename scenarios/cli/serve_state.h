/*
 * The folder in which a cloud of `otabench cloud` keeps what outlives it: its key, the ports it
 * listened on, and the files of those who ask for a path here (store, CA, place of the live
 * operation).
 */
#ifndef OTABENCH_CLI_SERVE_STATE_H
#define OTABENCH_CLI_SERVE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define STATE_PATH_MAX 256 /* with terminator */
#define STATE_KEY_MAX  33  /* 32 hex digits and terminator */
#define STATE_PORTS    5

struct serve_state {
    char dir[STATE_PATH_MAX];
    char key[STATE_KEY_MAX]; /* signs URLs and makes secrets: random, made once per folder */
    bool temporary;          /* the folder was made here and goes at the end */
};

/* Opens or makes the folder and its key. dir null: a temporary one. ERR_LIMIT, ERR_IO, ERR_FORMAT
 * (the key is none). Close it whatever came back. */
int serve_state_open(struct serve_state *s, const char *dir, struct err *err);
void serve_state_close(struct serve_state *s);

/* The path of a file in it. ERR_LIMIT. */
int serve_state_path(const struct serve_state *s, const char *name, char out[STATE_PATH_MAX],
                     struct err *err);

/* The ports of the last start, in the order they were kept; 0: not known. ERR_LIMIT. */
int serve_state_ports(const struct serve_state *s, uint16_t out[STATE_PORTS], struct err *err);
/* ERR_LIMIT, ERR_IO. */
int serve_state_keep_ports(const struct serve_state *s, const uint16_t ports[STATE_PORTS],
                           struct err *err);

#endif
