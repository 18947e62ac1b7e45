/*
 * Replay tokens: 'cms/resume-in-tunnel#5eed@137t3' is a scenario's name, the seed in hex and, if
 * there is one, an extra power cut: flash operation (decimal) and tear (number of enum nor_tear).
 */
#ifndef OTABENCH_CLI_TOKEN_H
#define OTABENCH_CLI_TOKEN_H

#include "common/bytes.h"
#include "scenarios/engine/result.h"

struct token {
    char name[SCENARIO_NAME_MAX];
    uint64_t seed;   /* not 0 */
    uint64_t cut_op; /* 0: no extra cut */
    enum nor_tear tear;
};

/* ERR_FORMAT saying which part is wrong and how a token looks. */
int token_parse(struct token *t, const char *text, struct err *err);
int token_format(const struct token *t, char *out, size_t cap); /* 0 or ERR_LIMIT */

/*
 * The file of that scenario: with library, only DIR/NAME.json; else scenarios/library/NAME.json or
 * scenarios/NAME.json (zoo/..., demo/...). ERR_NOT_FOUND naming what was tried.
 */
int token_find(const struct token *t, const char *library, char *out, size_t cap, struct err *err);

/* Appends the command that repeats a result, quoted for a shell. 0 or the buffer's error. */
int token_command(struct buf *out, const struct run_result *r);

#endif
