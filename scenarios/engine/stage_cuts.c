/* Messages as they are counted, and those cuts of a token that are not at flash operations. */
#include "scenarios/engine/stage_internal.h"

void stage_message(struct stage *g, bool reply, uint32_t connection)
{
    if (!g->counts_messages || g->cut_due)
        return;
    const struct stage_script *x = g->script_ctx;
    const struct run_options *o = g->o;
    g->n_messages++;
    if (o->probe.message != NULL)
        o->probe.message(o->probe.ctx, reply, connection);
    script_message(g->script, g->now_ns, g->n_messages);
    for (uint32_t i = 0; i < o->n_cuts; i++)
        if (o->cuts[i].kind == CUT_MESSAGE && o->cuts[i].op == g->n_messages)
            x->w.cut_now(x->w.ctx, g->now_ns, SCENARIO_RULES_MAX);
}

void stage_arrived(struct stage *g, uint32_t connection)
{
    stage_message(g, true, connection);
}

void stage_arm_cuts(struct stage *g)
{
    for (uint32_t i = 0; i < g->o->n_cuts; i++) {
        const struct run_cut *c = &g->o->cuts[i];
        struct link_byte_rule b = {.connection = c->connection,
                                   .dir = c->dir,
                                   .offset = c->byte,
                                   .action = c->action,
                                   .duration_ns = RUN_SILENCE_NS};
        g->cut_rule[i] = LINK_RULES_MAX;
        if (c->kind != CUT_NETWORK || g->n_link_rules == LINK_RULES_MAX ||
            link_add_rule(g->link, &b) != 0)
            continue;
        g->cut_rule[i] = g->n_link_rules;
        g->link_rule_of[g->n_link_rules++] = SCENARIO_RULES_MAX; /* none of the scenario's */
    }
}

void stage_cut_happened(struct stage *g, enum run_cut_kind kind, uint64_t number)
{
    for (uint32_t i = 0; i < g->o->n_cuts; i++)
        if (g->o->cuts[i].kind == kind && g->o->cuts[i].op == number)
            g->cut_happened[i] = true;
}

uint32_t stage_missed_cut(const struct stage *g)
{
    for (uint32_t i = 0; i < g->o->n_cuts; i++) {
        bool happened = g->cut_happened[i];
        if (g->o->cuts[i].kind == CUT_NETWORK) {
            const struct link_byte_rule *r = link_rule_at(g->link, g->cut_rule[i]);
            happened = r != NULL && r->done;
        }
        if (!happened)
            return i + 1;
    }
    return 0;
}
