/* Shared by the stage's files only. */
#ifndef OTABENCH_ENGINE_STAGE_INTERNAL_H
#define OTABENCH_ENGINE_STAGE_INTERNAL_H

#include "scenarios/engine/stage.h"

struct stage_pushes *pushes_new(void);
void pushes_free(struct stage_pushes *p);
/* The script's message of that number is to be sent at the next occasion. */
void pushes_due(struct stage_pushes *p, uint32_t push);
void pushes_drop(struct stage_pushes *p); /* nothing is due any more */

#endif
