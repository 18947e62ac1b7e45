/*
 * The judge: watches the event stream of a run and the flash, and says requirement by requirement
 * whether the update behaved. Always on; a scenario cannot switch a check off.
 *
 * A check is "seen" when the run exercised it and "failed" at the first violation, with the
 * sentence that explains it. At the end: failed -> fail, seen -> pass, neither -> not-applicable.
 * Events come from the simulated world directly and from the wire as parsed trace lines: same
 * judge, same verdicts.
 */
#ifndef OTABENCH_ENGINE_JUDGE_H
#define OTABENCH_ENGINE_JUDGE_H

#include "common/trace.h"
#include "scenarios/engine/build.h"
#include "scenarios/engine/result.h"

/* A package as the bench knows it to be, whatever the network made of it. */
struct judge_package {
    int64_t delta_id;
    const uint8_t *bytes; /* outlives the judge */
    uint32_t len_bytes;
    uint32_t from, to; /* version indexes */
    enum package_kind kind;
    const struct buf *image;        /* with two slots: what becomes of it; null: it is the image */
    const struct build_part *parts; /* files of a slot of several, in the order of the cloud's */
    uint32_t n_parts;               /* 0: it is one file */
    enum tamper tamper;
    bool heal; /* the known-good update of the heal phase */
};

#define JUDGE_PACKAGES_MAX 12

struct judge_setup {
    const struct scenario *scenario;
    bool by_token; /* more is cut than the scenario says: what it is labelled with may fail, but
                      need not */
    uint32_t (*update_address)(void *ctx); /* where on the chip the package being fetched goes */
    uint32_t package_limit;                /* largest package the device may take */
    uint32_t segment_bytes;
    /* Flash as it reads now; valid at every event. */
    const uint8_t *(*flash)(void *ctx);
    /* That range of it is about to decide something; may be null. */
    void (*look)(void *ctx, uint32_t addr, uint32_t len_bytes);
    /* Version that is complete in flash now, "?" when it is neither. */
    const char *(*version)(void *ctx);
    /* First byte outside "app" and "download" that changed (guard or user data), UINT32_MAX: none.
     */
    uint32_t (*foreign_change)(void *ctx);
    void *ctx;
};

struct judge;

struct judge *judge_new(const struct judge_setup *setup);
void judge_free(struct judge *j);
int judge_add_package(struct judge *j, const struct judge_package *p); /* ERR_LIMIT */

/* Every event of the run, in order. */
void judge_event(struct judge *j, int64_t now_ns, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n);
/* A network fault happened (its action, as documented in docs/scenarios.md). */
void judge_network(struct judge *j, int64_t now_ns, enum net_action action,
                   enum link_action byte_action);
/* That connection has become a black hole for good. */
void judge_silent(struct judge *j, uint32_t connection);
/* MQTT connections fail from now until then, by the network or the broker. */
void judge_mqtt_fault(struct judge *j, int64_t now_ns, int64_t end_ns);
/* The device repeats itself without time passing: what it was doing in this call counts as it is.
 */
void judge_spins(struct judge *j);
/* Main phase over / heal phase over. Call in this order, then judge_results. */
void judge_main_over(struct judge *j, int64_t now_ns);
void judge_heal_over(struct judge *j, int64_t now_ns, bool healed, const char *why);
void judge_expectations(struct judge *j);

/* Appends the checks that were seen to r and counts them into r->verdict (PASS, FAIL,
 * EXPECTED_FAIL, ...). */
void judge_results(const struct judge *j, struct run_result *r);

#endif
