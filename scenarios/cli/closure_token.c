#include "scenarios/cli/closure_token.h"

#include <stdio.h>
#include <stdlib.h>

#include "scenarios/engine/explore.h"

#define OPS_MAX (1u << 16) /* of a restore */

/* Where in the scenario's operations the restore's are; UINT32_MAX: nowhere. */
static uint32_t find(const struct exploration *x, const struct closure_cut *ops, uint32_t count)
{
    for (uint32_t at = 0; count > 0 && at + count <= x->n_ops; at++) {
        uint32_t i = 0;
        while (i < count && x->ops[at + i].kind == ops[i].kind &&
               x->ops[at + i].addr == ops[i].addr && x->ops[at + i].len_bytes == ops[i].len_bytes)
            i++;
        if (i == count)
            return at;
    }
    return UINT32_MAX;
}

static const char *make(const struct closure_result *r, uint32_t before, struct token *t)
{
    uint64_t number = before;
    if (r->path_len == 0 || r->path_len > RUN_CUTS_MAX)
        return "a token holds one to eight cuts";
    if (r->first_state != 0)
        return "it begins with a cut in the note of the pending package";
    for (uint32_t i = 0; i < r->path_len; i++) {
        const struct closure_cut *k = &r->path[i];
        if (k->op == 0)
            return "power goes while the firmware runs";
        number += k->op;
        t->cuts[t->n_cuts++] = (struct run_cut){.op = number, .tear = k->tear, .arg = k->arg};
    }
    return NULL;
}

bool closure_token(struct scenario *s, const struct closure *c, const struct closure_result *r,
                   const struct run_options *run, char out[TOKEN_MAX], const char **why)
{
    struct err err = {.text = ""};
    struct explore_options options;
    struct exploration *x = calloc(1, sizeof *x);
    struct closure_cut *ops = calloc(OPS_MAX, sizeof *ops);
    struct run_result *result = calloc(1, sizeof *result);
    struct world *w = world_new(&err);
    struct run_options o = *run;
    struct token t = {.seed = s->seed};
    *why = "no memory";
    explore_options_default(&options);
    if (x == NULL || ops == NULL || result == NULL || w == NULL)
        goto done;
    *why = "the scenario does not run";
    if (explore_prepare(x, s, &options, w, run, &err) != 0)
        goto done;
    *why = "the scenario's own restore writes otherwise";
    uint32_t before = find(x, ops, closure_first_ops(c, ops, OPS_MAX));
    if (before == UINT32_MAX)
        goto done;
    *why = make(r, before, &t);
    if (*why != NULL)
        goto done;
    (void)snprintf(t.name, sizeof t.name, "%s", s->name);
    for (uint32_t i = 0; i < t.n_cuts; i++)
        o.cuts[i] = t.cuts[i];
    o.n_cuts = t.n_cuts;
    world_run(w, s, &o, result);
    if (result->verdict != VERDICT_FAIL)
        *why = "bits that a token draws itself fall otherwise there";
    else
        token_print(&t, out);
done:
    if (x != NULL)
        explore_free(x);
    free(x);
    free(ops);
    free(result);
    world_free(w);
    return *why == NULL;
}
