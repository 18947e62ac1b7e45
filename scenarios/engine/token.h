/*
 * Replay tokens: one line that repeats a run exactly. NAME#SEED[@CUT[,CUT]...]
 *
 *   OPtTEAR[.ARG]    power, at flash operation OP with that tear: 137t3, 150t1.64
 *                    with p what the tear draws follows from place and kind of the operation
 *                    instead of its number: 137t3p
 *   OPrREPLY, OPi    power, behind operation OP: when the cloud has answered so often since (over
 *                    MQTT: heard the device or told it something); when the device is idle: 137r2,
 *                    190i
 *   ...wREADING      behind any of these: how weak cells read then, instead of drawn: 150t5pw2
 *   mNUMBER          power, right after message NUMBER: m12
 *   nCONNdBYTEhow    connection CONN, direction u (up) or d (down), before byte BYTE passes:
 *                    how is r (reset), c (orderly close) or s (silence for good): n3d120r
 *
 *   cms/resume-in-tunnel#5eed@137t3          scenario, seed in hex, one cut
 *   cms/x#1@n2d0r,137t1.64,150t0             three
 *
 * Operations, messages and connections are numbered over the whole run, across power-ons. The
 * numbers of operations rise, and so do those of messages.
 */
#ifndef OTABENCH_ENGINE_TOKEN_H
#define OTABENCH_ENGINE_TOKEN_H

#include "scenarios/engine/run.h"

#define TOKEN_MAX RESULT_TOKEN_MAX

struct token {
    char name[SCENARIO_NAME_MAX];
    uint64_t seed;
    struct run_cut cuts[RUN_CUTS_MAX]; /* numbers of a kind rise */
    uint32_t n_cuts;
};

/* ERR_FORMAT says what is wrong and what a token looks like. */
int token_parse(struct token *t, const char *text, struct err *err);
/* One cut as it stands in a token. */
#define TOKEN_CUT_MAX 64
void token_print_cut(const struct run_cut *c, char out[TOKEN_CUT_MAX]);
/* Always fits TOKEN_MAX for a token that was parsed; longer names are cut. */
void token_print(const struct token *t, char out[TOKEN_MAX]);

#endif
