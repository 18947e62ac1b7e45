/* Shared by explore.c and explore_plan.c only. */
#ifndef OTABENCH_ENGINE_EXPLORE_INTERNAL_H
#define OTABENCH_ENGINE_EXPLORE_INTERNAL_H

#include "scenarios/engine/explore.h"

/* A trace sink that keeps the flash operations of the main phase. */
struct op_recorder {
    struct explore_op *ops; /* owned by who made the recorder */
    uint32_t n, cap;
    enum explore_phase phase;
    bool over;
    int rc; /* ERR_LIMIT, ERR_NOMEM, ERR_BENCH: the list is not complete */
};
void op_recorder_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes);

#endif
