/* Shared by script.c and script_memory.c only. */
#ifndef OTABENCH_ENGINE_SCRIPT_INTERNAL_H
#define OTABENCH_ENGINE_SCRIPT_INTERNAL_H

#include "scenarios/engine/script.h"

struct rule_state {
    uint32_t seen;    /* matching events so far */
    bool fired;       /* told to the owner */
    bool hit;         /* happened */
    int64_t end_ns;   /* when the owner is told that its duration is over; VTIME_NEVER: not */
    int64_t until_ns; /* fired: when its duration is over; VTIME_NEVER: it has none */
    uint32_t order;   /* among those that fired, from 1 */
};

struct script {
    const struct scenario *s;
    struct script_ops ops;
    bool stopped;
    bool published[SCENARIO_VERSIONS_MAX];
    uint32_t fired; /* network rules */
    struct rule_state net[SCENARIO_RULES_MAX];
    struct rule_state power[SCENARIO_RULES_MAX];
    struct rule_state push[PUSHES_MAX];
    char missed[160];
};

/* Whether the owner is told when that rule's duration is over. */
bool script_is_ended(const struct net_rule *r);
/* The rule, which has fired, begins to last so long; 0: for good, or it does not last. */
void script_begin(struct script *x, uint32_t i, int64_t now_ns, int64_t for_ns);

#endif
