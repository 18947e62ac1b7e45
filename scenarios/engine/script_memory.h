/*
 * What of a script is spent, for searches that go from state to state: which rules have fired, how
 * often those that wait for an event have seen it, and what lasts. Network rules and messages of
 * the script, and offers that wait for an event; power rules are none of it, and other offers must
 * be published from the start.
 *
 * What lasts begins anew in a memory that is taken as if power went: how long power stays away is
 * no part of a state. The other extreme, that it is over when power returns, is
 * script_memory_over. At a reset it lasts on as it did.
 */
#ifndef OTABENCH_ENGINE_SCRIPT_MEMORY_H
#define OTABENCH_ENGINE_SCRIPT_MEMORY_H

#include "common/bytes.h"
#include "common/cursor.h"
#include "scenarios/engine/script.h"

enum script_spent {
    SPENT_NOT,     /* it waits */
    SPENT_ALL,     /* it has happened, or can happen no more */
    SPENT_LASTS,   /* a network rule that lasts; a message that is about to be sent */
    SPENT_STOPPED, /* a broker that was down and is up again, without what it had kept */
    SPENT_COUNT
};

/* Plain data without padding; compared as bytes. */
struct script_memory {
    struct {
        int64_t left_ns;               /* SPENT_LASTS: so long; 0: for good */
        uint32_t seen;                 /* SPENT_NOT: events */
        uint8_t spent, order, zero[2]; /* order: of those that last, from 1 */
    } net[SCENARIO_RULES_MAX];
    struct {
        uint32_t seen;
        uint8_t spent, zero[3];
    } push[PUSHES_MAX];
    uint8_t published[SCENARIO_VERSIONS_MAX]; /* offers that wait for an event */
    uint32_t connections; /* so far, as far as a rule waits for one by its number */
    uint32_t zero;
};

/* An offer waits for an event. */
bool script_offers_late(const struct scenario *s);
/* Why what that scenario's script has spent cannot be kept exactly; null: it can. Static text. */
const char *script_forgets(const struct scenario *s);

/* Connections begun so far in the run; a rule at a byte of a
 * connection that was begun, or of a reply, is over with that connection. due: messages that are
 * about to be sent. */
enum script_power {
    POWER_ON,  /* as it is */
    POWER_CUT, /* as if power went now */
    POWER_OFF  /* it has gone, and the script was told */
};
void script_remember(const struct script *x, int64_t now_ns, enum script_power power,
                     uint32_t connections, const bool due[PUSHES_MAX], struct script_memory *out);
/* Whether that network rule would be set off if power went now. */
bool script_cut_sets_off(const struct script *x, uint32_t rule);
/* As if what lasts were over. False: nothing lasted. */
bool script_memory_over(const struct scenario *s, struct script_memory *m);
/* Makes a script of the same scenario go on from there: what lasts, and bytes that are waited for,
 * are told to its owner again. The owner's broker has been put back before; *stop tells that it
 * has to be stopped and started. */
void script_recall(struct script *x, int64_t now_ns, const struct script_memory *m, bool *stop);

/* As bytes, no more of them than the scenario has rules. script_memory_get leaves c->bad when that
 * cannot be a memory. */
int script_memory_put(const struct scenario *s, const struct script_memory *m, struct buf *out);
void script_memory_get(const struct scenario *s, struct cursor *c, struct script_memory *out);

#endif
