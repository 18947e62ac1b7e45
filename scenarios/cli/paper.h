/* What text for people is written on. */
#ifndef OTABENCH_CLI_PAPER_H
#define OTABENCH_CLI_PAPER_H

#include <stdbool.h>

#define PAPER_COLUMNS_MIN 72
#define PAPER_COLUMNS_MAX 110

struct paper {
    bool colour; /* ANSI sequences */
    int columns; /* PAPER_COLUMNS_MIN to PAPER_COLUMNS_MAX */
};

#endif
