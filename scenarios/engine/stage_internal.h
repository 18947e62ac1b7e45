/* Shared by the stage's files only. */
#ifndef OTABENCH_ENGINE_STAGE_INTERNAL_H
#define OTABENCH_ENGINE_STAGE_INTERNAL_H

#include "scenarios/engine/script_memory.h"
#include "scenarios/engine/stage.h"

struct stage_script {
    struct stage *g;
    struct stage_world w;
};

/* A message of the run, in the order they are counted. */
void stage_message(struct stage *g, bool reply, uint32_t connection);

struct stage_pushes *pushes_new(void);
void pushes_free(struct stage_pushes *p);
/* The script's message of that number is to be sent at the next occasion. */
void pushes_due(struct stage_pushes *p, uint32_t push);
void pushes_drop(struct stage_pushes *p); /* nothing is due any more */
bool pushes_send(struct stage *g);        /* what is due; true: something was sent */
const bool *pushes_all_due(const struct stage_pushes *p); /* PUSHES_MAX */
/* Messages sent so far that rules of the script can still repeat (m: what is spent of it), and
 * back: then nothing is due. 0, ERR_LIMIT, ERR_NOMEM, ERR_FORMAT; c->bad: that is no memory. */
int pushes_remember(const struct stage *g, const struct script_memory *m, struct buf *out,
                    struct err *err);
int pushes_recall(struct stage *g, struct cursor *c, struct err *err);

/* The Aliyun side of the stage: firmware as uploads, offers as tasks of a campaign. */
bool is_aliyun(const struct stage *g);
void aliyun_stage_identity(const struct device_config *d, char out[MQTT_IDENTITY_MAX]);
int aliyun_stage_device(struct stage *g, const char *secret, struct err *err);
int aliyun_stage_publish(struct stage *g, uint32_t offer, struct err *err);
bool aliyun_stage_config(struct stage *g);
int aliyun_stage_keep_config(struct stage *g, struct err *err); /* its content alone */
bool aliyun_stage_cancel(struct stage *g); /* the newest task; false: there is none */
int aliyun_stage_heal(struct stage *g, struct err *err);
bool aliyun_stage_healed(struct stage *g);
int aliyun_stage_heal_again(struct stage *g, const char *before, struct err *err);

#endif
