/*
 * Behind state.h: what a layout provides. state.c checks arguments and dispatches; state_safe.c and
 * state_vendor.c know the bytes.
 */
#ifndef OTABENCH_AGENT_CMIOT_STATE_OPS_H
#define OTABENCH_AGENT_CMIOT_STATE_OPS_H

#include "sim_device/agent/cmiot/state.h"

#define STATE_TRIES 3 /* of one flash write before it counts as failed */

struct state_ops {
    /* Bytes a unit needs for the record and a useful journal. */
    uint32_t (*min_erase)(const struct state_layout *l);
    int (*open)(struct state *s, struct err *err);
    /* Stores r as the record, its journal starting at r->journal_base with that argument. */
    int (*store)(struct state *s, const struct state_record *r, uint32_t base_arg, struct err *err);
    /* Programs the mark's place. ERR_LIMIT: there is none (left). */
    int (*put_mark)(struct state *s, uint32_t number, uint32_t arg, struct err *err);
    uint32_t (*room)(const struct state *s);
    int (*firm)(struct state *s, struct err *err);
};

extern const struct state_ops state_safe_ops;
extern const struct state_ops state_vendor_ops;

static inline uint32_t state_bank_a(const struct state_layout *l)
{
    return l->part_bytes - l->erase_bytes;
}

static inline uint32_t state_bank_b(const struct state_layout *l)
{
    return l->part_bytes - 2 * l->erase_bytes;
}

/* Program and read back; ERR_IO when the content is not as asked. At most 256 bytes. */
int state_program(struct state *s, uint32_t addr, const uint8_t *data, uint32_t len_bytes);
bool state_blank(const uint8_t *data, uint32_t len_bytes);
/* A text of cap bytes as stored; what lies on flash may lack its terminator. */
void state_text(char *out, const uint8_t *in, size_t cap);

#endif
