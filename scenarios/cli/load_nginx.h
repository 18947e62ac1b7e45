/* nginx as a yardstick: it serves a folder's files with ranges, at 127.0.0.1. */
#ifndef OTABENCH_CLI_LOAD_NGINX_H
#define OTABENCH_CLI_LOAD_NGINX_H

#include "scenarios/cli/child.h"

/* Where it is installed; null: it is not. */
const char *nginx_find(void);
/* Serves the files of dir as Debian sets it up, but without an access log: one worker per
 * processor, sendfile. What it writes stays in dir. ERR_IO with the end of its log. */
int nginx_start(struct child *c, const char *program, const char *dir, uint16_t *port,
                struct err *err);

#endif
