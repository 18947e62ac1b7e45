/*
 * The script of a run: which fault comes when. Watches time and events, and tells its owner what to
 * do; knows nothing about how it is done, so simulation and wire share it. Every rule counts its
 * hits: a fault that never happened makes the run inconclusive.
 */
#ifndef OTABENCH_ENGINE_SCRIPT_H
#define OTABENCH_ENGINE_SCRIPT_H

#include "common/trace.h"
#include "scenarios/engine/scenario.h"

struct script_ops {
    void *ctx;
    /* A network rule fires now. begin = false: its duration is over (door opens, profile returns).
     */
    void (*net)(void *ctx, int64_t now_ns, const struct net_rule *r, bool begin);
    /* A byte rule is to be installed: at that offset of the connection the reply travels on
     * (request >= 0), or as given. */
    void (*byte)(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *r);
    /* Power rule: cut now, or at plus_ops operations from now (0 = now), or at an absolute
     * operation. */
    void (*cut_now)(void *ctx, int64_t now_ns, uint32_t rule);
    void (*cut_at_op)(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative);
    void (*publish)(void *ctx, int64_t now_ns, uint32_t offer);
    /* A scripted message for the device is due. Called in the midst of an event: the owner sends it
     * afterwards and then tells script_hit_push. */
    void (*push)(void *ctx, int64_t now_ns, uint32_t push);
};

struct script;

struct script *script_new(const struct scenario *s, const struct script_ops *ops);
void script_free(struct script *x);
/* Installs what is fixed from the start (byte rules, absolute operations, offers at their time). */
void script_start(struct script *x, int64_t now_ns);
void script_event(struct script *x, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
/* Message `number` of the run has passed: power rules that wait for it. */
void script_message(struct script *x, int64_t now_ns, uint64_t number);
/* Fires everything due; returns the next time something is due, VTIME_NEVER if nothing. */
int64_t script_time(struct script *x, int64_t now_ns);
int64_t script_next(const struct script *x);
/* From now on nothing fires (heal phase). */
void script_stop(struct script *x);
/* The owner tells that a byte rule or a cut really happened. */
void script_hit_net(struct script *x, uint32_t rule);
void script_hit_power(struct script *x, uint32_t rule);
void script_hit_push(struct script *x, uint32_t push);
/* What a power rule has counted, and back: the device process of wire mode lives shorter than the
 * run. */
void script_power_state(const struct script *x, uint32_t rule, uint32_t *seen, bool *fired);
void script_resume_power(struct script *x, uint32_t rule, uint32_t seen, bool fired);
/* Null when every rule happened; else a sentence about the first that did not. */
const char *script_missed(struct script *x);

#endif
