/* Which scenarios a command line means: files, and folders with everything below them. */
#ifndef OTABENCH_CLI_FILES_H
#define OTABENCH_CLI_FILES_H

#include "common/bytes.h"
#include "scenarios/engine/scenario.h"

#define FILES_MAX 100000

struct scenario_file {
    char path[256];
    char name[SCENARIO_NAME_MAX];
    char text[400];
    uint64_t seed;
    bool wire;  /* made for the wire */
    bool named; /* on the command line itself, not found in a folder */
};

struct scenario_files {
    struct scenario_file *item; /* owned; sorted by path within each argument, each file once */
    size_t count, cap;
};

/*
 * Collects the files of n paths. A folder means its *.json and those of its sub-folders, hidden
 * ones left out. ERR_NOT_FOUND for a path that does not exist or a folder without scenarios,
 * ERR_LIMIT, ERR_NOMEM.
 */
int files_collect(struct scenario_files *f, char *const *paths, size_t n, struct err *err);
void files_free(struct scenario_files *f);

/* Parses them all for name, text and seed; one line per bad file goes to complaints. The number of
 * bad files, or ERR_NOMEM. */
int files_check(struct scenario_files *f, struct buf *complaints);

/* Keeps only those whose name holds the text. */
void files_only(struct scenario_files *f, const char *text);
/* The name, or the path where two scenarios share the name. */
const char *files_label(const struct scenario_files *f, size_t index);

#endif
