/*
 * Replay tokens: one line that repeats a run exactly. NAME#SEED[@OPtTEAR[.ARG][,OPtTEAR[.ARG]...]]
 *
 *   cms/resume-in-tunnel#5eed@137t3      scenario, seed in hex, cut at flash operation 137 with
 * tear 3 cms/x#1@137t1.64,150t0               two cuts; the first tears after 64 bytes
 *
 * Operation numbers count over the whole run, across power-ons, so a list of cuts is a list of
 * numbers.
 */
#ifndef OTABENCH_ENGINE_TOKEN_H
#define OTABENCH_ENGINE_TOKEN_H

#include "scenarios/engine/run.h"

#define TOKEN_MAX (SCENARIO_NAME_MAX + 64)

struct token {
    char name[SCENARIO_NAME_MAX];
    uint64_t seed;
    struct run_cut cuts[RUN_CUTS_MAX]; /* operation numbers rise */
    uint32_t n_cuts;
};

/* ERR_FORMAT says what is wrong and what a token looks like. */
int token_parse(struct token *t, const char *text, struct err *err);
/* Always fits TOKEN_MAX for a token that was parsed; longer names are cut. */
void token_print(const struct token *t, char out[TOKEN_MAX]);

#endif
