/* A counter-example of the closure as a replay token of its scenario. */
#ifndef OTABENCH_CLI_CLOSURE_TOKEN_H
#define OTABENCH_CLI_CLOSURE_TOKEN_H

#include "scenarios/engine/closure.h"
#include "scenarios/engine/token.h"

/*
 * The closure numbers operations from the power-on of the restore, and starts from a device set up
 * for it; a token counts over the whole scenario. So the scenario is run once without a cut, the
 * restore's operations are found in it, and the token is tried: true only when it fails. Else why
 * says in some words what is in the way. s->expect.fails may be moved.
 */
bool closure_token(struct scenario *s, const struct closure *c, const struct closure_result *r,
                   const struct run_options *run, char out[TOKEN_MAX], const char **why);

#endif
