/* A program run beside this one, its output, and what it costs. */
#ifndef OTABENCH_CLI_CHILD_H
#define OTABENCH_CLI_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct child {
    pid_t pid;  /* 0: none */
    int out_fd; /* its standard output, when asked for; -1: none */
};

/* Standard error goes to log_path, and standard output too unless it is to be read here. It is in a
 * process group of its own, so Ctrl-C is for this process alone; it gets TERM when this one dies.
 * ERR_IO. */
int child_start(struct child *c, char *const argv[], bool read_out, const char *log_path,
                struct err *err);
/* Reads its output up to a line that begins with the word and hands over each line, that one too.
 * 0; ERR_IO: it ended, or said nothing for 30 s. */
int child_read_until(struct child *c, const char *word, void (*line)(void *ctx, const char *text),
                     void *ctx, struct err *err);
bool child_alive(struct child *c); /* false also when there is none */
/* Sends the signal, waits (KILL after 10 s) and forgets it. Its exit code, -1: by a signal, none.
 */
int child_end(struct child *c, int signal);

struct child_cost {
    uint64_t peak_kib; /* of resident memory */
    uint64_t cpu_ms;   /* user and system, so far */
    uint32_t processes;
};
/* Of a process alone, or with all its children summed up; zeros when it is gone. */
struct child_cost child_cost(pid_t pid, bool children);
/* The first child of a process; 0: none. */
pid_t child_of(pid_t pid);

#endif
