/*
 * What the command lines of `otabench explore` share, with --closure and without: the options both
 * have, where things are, and which scenarios are meant.
 */
#ifndef OTABENCH_CLI_EXPLORE_LINE_H
#define OTABENCH_CLI_EXPLORE_LINE_H

#include <getopt.h>

#include "scenarios/cli/files.h"
#include "scenarios/engine/run.h"

/* Values of long options; those of one command alone begin at LINE_OWN. */
enum { LINE_HELP = 'h', LINE_JOBS = 1000, LINE_JSON, LINE_CACHE, LINE_QUIET, LINE_OWN };

struct explore_line {
    const char *command;       /* as a user types it: "explore", "explore --closure" */
    const char *const *others; /* options that only the other one has; ends with null */
    struct run_options run;
    const char *json, *html;
    unsigned jobs;
    bool quiet;
    char **paths;
    int n_paths;
    char cache[512];
};

/* optarg as a number; 0, or EXIT_USAGE after a complaint. */
int explore_line_number(const struct explore_line *l, const char *option, uint64_t min,
                        uint64_t max, uint64_t *out);
/* Reads the line, of which command and others are set; own takes the options from LINE_OWN on, 0 or
 * an exit code. -1: go on, else the exit code of the program. */
int explore_line_read(struct explore_line *l, int argc, char **argv, const struct option *longs,
                      const char *help, int (*own)(int option, void *ctx), void *ctx);
/* The scenarios of its paths, all of them good, and reports that can be written. 0, or an exit code
 * after a complaint. */
int explore_line_scenarios(const struct explore_line *l, struct scenario_files *f);

#endif
