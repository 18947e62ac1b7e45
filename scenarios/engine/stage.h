/*
 * The stage: what the simulated and the wire world have in common. Images, packages, the factory
 * flash, cloud with its store, link, judge, script and trace; set up from a scenario, healed,
 * concluded and taken down in one place, so the two worlds differ only in how the device runs and
 * how bytes travel.
 */
#ifndef OTABENCH_ENGINE_STAGE_H
#define OTABENCH_ENGINE_STAGE_H

#include "mock_cloud/http/edge.h"
#include "scenarios/engine/build.h"
#include "scenarios/engine/judge.h"
#include "scenarios/engine/run.h"
#include "scenarios/engine/script.h"
#include "sim_device/board/sim_tls.h"

struct broker;
struct bus;

struct stage {
    const struct scenario *s;
    const struct run_options *o;
    struct build *build; /* not owned; filled by build_make before stage_set_up */
    struct nor *nor;
    struct store *store; /* not owned */
    struct cloud *cloud;
    struct edge *edge;
    bool publish_due[SCENARIO_VERSIONS_MAX];
    enum { BROKER_STAYS, BROKER_TO_STOP, BROKER_TO_START } broker; /* what is to become of it */
    struct bus *bus;          /* of the simulated world, made by its network; null on the wire */
    struct broker *mosquitto; /* of the wire; null: none */
    const struct edge_address *edge_at; /* where the HTTP edge listens; null: plain, on loopback */
    struct link *link;
    enum sim_tls_certificate certificate; /* what the cloud shows at TLS handshakes */
    struct judge *judge;
    struct script *script;
    struct trace *trace;
    int64_t now_ns;
    uint32_t current_conn;                 /* connection whose request the cloud is answering */
    uint32_t link_rule_of[LINK_RULES_MAX]; /* scenario rule behind each link rule */
    bool rule_reported[LINK_RULES_MAX];
    uint32_t n_link_rules;
    uint64_t bytes_down;
    bool cut_due;         /* power is about to go: what moves until then is no message any more */
    bool counts_messages; /* set by a world that calls stage_arrived, over in the heal phase */
    uint64_t n_messages;
    uint32_t cut_rule[RUN_CUTS_MAX]; /* link rule of each CUT_NETWORK of the token */
    bool cut_happened[RUN_CUTS_MAX]; /* other cuts of the token */
    void *script_ctx;                /* owned */
    struct stage_pushes *pushes;     /* owned: messages for the device, sent and to be sent */
    /* Told of every event after judge and script, and of faults at bytes; may be null. */
    void (*watch)(void *ctx, enum lane lane, const char *event);
    void *watch_ctx;
    /* Told of every range of the flash that judge or firmware look at beside the chip; may be null.
     */
    void (*look)(void *ctx, uint32_t addr, uint32_t len_bytes);
    void *look_ctx;
};

/* How the world cuts power and tears down live connections; the rest of the script is served by the
 * stage. */
struct stage_world {
    void *ctx;
    void (*cut_now)(void *ctx, int64_t now_ns, uint32_t rule);
    void (*cut_at_op)(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative);
    void (*break_all)(void *ctx, unsigned kinds, enum link_action action, int64_t now_ns);
};

/*
 * Fills g from the scenario. The chip is made by the caller before (g->nor) and gets the factory
 * image here. listen: the HTTP edge has a TCP port. g must be zeroed but for s, o, nor, store. On
 * error stage_free as well.
 */
int stage_set_up(struct stage *g, const struct stage_world *w, bool listen, struct err *err);
void stage_free(struct stage *g); /* everything but nor and store */

/* One event of the run: trace, judge, script. */
void stage_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n);
/* The MQTT edge is made: what the cloud sends to devices is noted on its way there, so that the
 * script can send it again. */
void stage_edge_ready(struct stage *g);
/* What the script wants of cloud and broker, and what the cloud does by itself at this time. Called
 * between two events, never within one. True: something was done. */
bool stage_act(struct stage *g);
int64_t stage_next(const struct stage *g); /* when it has something to do */
/* The whole of what the cloud sent last on that connection has reached the device: a message, as a
 * request is that the cloud serves (run.h). */
void stage_arrived(struct stage *g, uint32_t connection);
/* The broker has dealt with bytes of a device: told to `watch` as LANE_CLOUD "heard", not traced.
 */
void stage_heard(struct stage *g);
/* Arms the network cuts of the token. Power cuts at operations are the world's; those at messages
 * are asked of it with rule SCENARIO_RULES_MAX. */
void stage_arm_cuts(struct stage *g);
/* The token's power cut at that message (kind) and number has happened. */
void stage_cut_happened(struct stage *g, enum run_cut_kind kind, uint64_t number);
/* The first of the token's cuts that has not happened, from 1; 0: none. */
uint32_t stage_missed_cut(const struct stage *g);
/* Looks for byte rules the link has applied since the last call and reports them. */
void stage_collect(struct stage *g);

/* Version complete in flash, "?" if none. ctx is the stage. */
const char *stage_version(void *ctx);

/* Main phase over: verdict on expectations; faults that never happened are put into missed ("" if
 * none). */
void stage_main_over(struct stage *g, struct run_result *out, char *missed, size_t missed_cap);
/* Stops the script, heals network, cloud and chip, offers the known-good package. */
int stage_heal(struct stage *g, struct err *err);
/* The device as it is healed: memory no longer fails, and its application installs what it finds.
 */
void stage_heal_device(struct device_config *c);
/* The known-good package runs and the cloud knows. */
bool stage_healed(struct stage *g);
/* Behind a start of the heal phase at which version `before` ran: when that start has installed
 * what was announced earlier and had waited in the broker, the known-good update is offered again.
 */
int stage_heal_again(struct stage *g, const char *before, struct err *err);
/* Fills verdict and figures; rc < 0 makes it an error with err's text. missed makes a pass
 * inconclusive. */
void stage_conclude(struct stage *g, int rc, const struct err *err, const char *missed,
                    struct run_result *out);
/* The scenario needs something that is not on this machine. */
void stage_not_applicable(const struct err *err, struct run_result *out);
/* Name, seed, mode, token. */
void stage_begin(struct stage *g, enum run_mode mode, struct run_result *out);
uint64_t stage_seed(const struct stage *g);

#define STAGE_UTC_START_S                                                                          \
    1767225600 /* 2026-01-01: the device's clock and the cloud's at time 0                         \
                */
#define HEAL_LIMIT_NS (2 * 3600 * NS_PER_S)
#define HEAL_STARTS   8

#endif
