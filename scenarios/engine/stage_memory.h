/*
 * What of the faults of a scenario is spent, for searches that go from state to state: of its
 * network rules and messages (script_memory.h), of what the cloud has sent as far as a message
 * repeats it, and of its flash faults. How many requests the cloud has counted is in
 * cloud_remember.
 */
#ifndef OTABENCH_ENGINE_STAGE_MEMORY_H
#define OTABENCH_ENGINE_STAGE_MEMORY_H

#include "scenarios/engine/script_memory.h"
#include "scenarios/engine/stage.h"

/* Why it cannot be kept exactly; null: it can. Static text. */
const char *stage_forgets(const struct scenario *s);
/* There is something that can be spent: else memories are empty. */
bool stage_has_faults(const struct scenario *s);

/* For a world that memories are put back into: what the script makes later and memories only name
 * lies ready. Before the script starts. The store's errors. */
int stage_lay_ready(struct stage *g, struct err *err);

/* Appended. ERR_LIMIT, ERR_NOMEM. */
int stage_remember(struct stage *g, enum script_power power, struct buf *out, struct err *err);
/* Tells a judge what would be set off if power went now, as the script would. False: nothing. */
bool stage_tell_cut(const struct stage *g, struct judge *j);
/* Puts it back at g->now_ns: on a new link, and a cloud and broker that were put back before.
 * ERR_FORMAT: those bytes are no such memory. */
int stage_recall(struct stage *g, const void *memory, size_t len_bytes, struct err *err);
/* Another memory: what lasts over a power cut is over. Appended. ERR_NOT_FOUND: nothing lasts. */
int stage_memory_over(const struct scenario *s, const void *memory, size_t len_bytes,
                      struct buf *out);

#endif
