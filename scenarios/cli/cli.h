/*
 * The otabench command: what its subcommands share. Only this room prints, reads the environment
 * and exits; each subcommand is one file with one function that gets its own argv (argv[0] is the
 * subcommand) and returns the exit code of the program.
 */
#ifndef OTABENCH_CLI_CLI_H
#define OTABENCH_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/bytes.h"
#include "common/err.h"
#include "scenarios/cli/paper.h"

#define OTABENCH_VERSION "0.1.0"

enum exit_code {
    EXIT_PASSED = 0,
    EXIT_FAILED = 1,       /* a requirement failed */
    EXIT_INCONCLUSIVE = 2, /* inconclusive, bench fault, or a file that cannot be used */
    EXIT_USAGE = 64,
    EXIT_NOT_APPLICABLE = 77
};

struct command {
    const char *name;
    const char *text; /* one line for the list; null: not listed */
    int (*run)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_shrink(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_flash(int argc, char **argv);
int cmd_package(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explore(int argc, char **argv);
int cmd_closure(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_cloud(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_device_cloud(int argc, char **argv); /* cmd_device without --scenario */

/* Prints "otabench COMMAND: <formatted>" and where help is to be found; returns EXIT_USAGE. */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same without the hint; returns code. */
int cli_fail(const char *command, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* After getopt_long has answered '?': names the option that does not exist or lacks its value;
 * returns EXIT_USAGE. */
int cli_bad_option(const char *command, char *const *argv);

/* Before long work: whether the reports can be written that will go to n paths, null ones left out.
 * 0, or the exit code after a complaint. */
int cli_reports(const char *command, const char *const *paths, size_t n);

/* Progress on stderr: on a terminal one line that takes the place of the one before, cut to the
 * terminal's width; else a line of its own. */
void cli_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Takes it away, before anything else is printed. */
void cli_status_clear(void);
/* Cuts UTF-8 text to so many characters. */
void cli_clip(char *text, unsigned columns);

/* Reads the options; 'h' among longs is help. take gets the others, with optarg set, and returns 0,
 * or an exit code after a complaint. -1: go on, what is no option begins at argv[optind]; else the
 * exit code of the program. */
int cli_options(const char *command, const char *help, const struct option *longs, int argc,
                char **argv, int (*take)(int option, void *ctx), void *ctx);

/* A whole decimal or 0x number within min..max; false otherwise. */
bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* The machine's monotonic clock, from anywhere. */
int64_t cli_clock_ns(void);

/* Default folder for made packages: $XDG_CACHE_HOME/otabench, ~/.cache/otabench, else
 * /tmp/otabench-cache-<uid>. */
void cli_cache_dir(char *out, size_t cap);
/* Where images named in scenarios are looked up besides. */
#define CLI_FIRMWARE_DIR "build/firmware"
/* What goes to f is written on: colour on a terminal when NO_COLOR is not set, a terminal's width.
 */
struct paper cli_paper(FILE *f);

#endif
