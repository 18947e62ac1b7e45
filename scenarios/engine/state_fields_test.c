/*
 * Every field of the script, the stage, the cloud, its broker and the simulated network is part of
 * a state or has a reason not to be (fields_testing.h); of what the script keeps, it is shown that
 * the table is true. The judge has a test of its own, and so has the cloud's database.
 */
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/core.h"
#include "mock_cloud/mqtt/bus_internal.h"
#include "scenarios/engine/fields_testing.h"
#include "scenarios/engine/script_internal.h"
#include "scenarios/engine/script_memory.h"
#include "scenarios/engine/sim_net.h"
#include "scenarios/engine/stage.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* For pointers that nobody follows. */
static int32_t thing;
#define A(type) ((type *)(void *)&thing)

static const char set_up[] = "there before anything is recalled";
static const char told[] = "who asks is told at once; nothing of it is left at a power-on";
static const char gone[] = "gone with power, or new with each start";
static const char counted[] = "a count for reports and tokens";
static const char no_time[] = "a time: states have none";

/* ---- script ---- */

static const struct scenario scenario = {
    .n_net = 3,
    .net = {{.action = NET_OUTAGE, .duration_ns = 90},
            {.action = NET_OUTAGE, .duration_ns = 90},
            {.action = NET_BROKER, .when = {.kind = TRIGGER_EVENT, .nth = 5}}},
    .n_offers = 1,
    .offers = {{.on_event = "segment"}},
    .n_pushes = 2,
    .pushes = {{.when = {.kind = TRIGGER_EVENT, .nth = 5}}}};

static void net(void *ctx, int64_t now_ns, const struct net_rule *r, bool begin)
{
    (void)ctx;
    (void)now_ns;
    (void)r;
    (void)begin;
}

static void byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *r)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
    (void)r;
}

static void cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
}

static void cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
    (void)op;
    (void)relative;
}

/* It is due at once. */
static bool due[PUSHES_MAX];
static void note(void *ctx, int64_t now_ns, uint32_t what)
{
    (void)ctx;
    (void)now_ns;
    due[what] = true;
}

/* Two rules last, a third waits, a message is due, and another waits. */
static const struct script every_script = {
    &scenario,                                           /* s */
    {&thing, net, byte, cut_now, cut_at_op, note, note}, /* ops */
    true,                                                /* stopped */
    {true},                                              /* published */
    2,                                                   /* fired */
    {{0, true, true, 1, 50, 2}, {1, true, true, 1, 60, 1}, {3, false, true, 1, 1, 3}}, /* net */
    {{1, true, true, 1, 1, 1}},                                                        /* power */
    {{1, true, true, 1, 1, 1}, {3, false, true, 1, 1, 1}},                             /* push */
    "x",                                                                               /* missed */
};

static const struct field script_fields[] = {
    LEFT_OUT(struct script, s, set_up),
    LEFT_OUT(struct script, ops, set_up),
    LEFT_OUT(struct script, stopped, "for the heal phase"),
    KEPT(struct script, published), /* of offers that wait for an event */
    LEFT_OUT(struct script, fired, "rules that last are numbered anew"),
    KEPT(struct script, net),
    LEFT_OUT(struct script, power, "power rules are among the cuts"),
    KEPT(struct script, push),
    LEFT_OUT(struct script, missed, "text of a report"),
};

/* Of one rule that lasts and one that waits: what is kept shows in one of them. */
static const struct field rule_fields[] = {
    KEPT(struct rule_state, seen),
    KEPT(struct rule_state, fired),
    LEFT_OUT(struct rule_state, hit, "kept of rules at bytes, which do not last"),
    LEFT_OUT(struct rule_state, end_ns, "follows from how long it lasts"),
    KEPT(struct rule_state, until_ns),
    KEPT(struct rule_state, order),
};

static void the_script_is_listed(void)
{
    fields_listed(&every_script, sizeof every_script, script_fields, N(script_fields));
    fields_listed(&every_script.net[1], sizeof every_script.net[1], rule_fields, N(rule_fields));
}

static void remembered(const struct script *x, struct script_memory *out)
{
    static const bool all_due[PUSHES_MAX] = {true};
    script_remember(x, 0, POWER_ON, 0, all_due, out);
}

/* Each field of each rule as in a new script: another memory, or it is left out. */
static void the_table_of_rules_is_true(void)
{
    struct script_memory whole, without;
    static struct script x;
    static const struct rule_state fresh = {.end_ns = VTIME_NEVER};
    remembered(&every_script, &whole);
    for (size_t f = 0; f < N(rule_fields); f++) {
        bool any = false;
        for (size_t i = 0; i < 3; i++) {
            memcpy(&x, &every_script, sizeof x);
            memcpy((uint8_t *)&x.net[i] + rule_fields[f].at,
                   (const uint8_t *)&fresh + rule_fields[f].at, rule_fields[f].size);
            remembered(&x, &without);
            any = any || memcmp(&without, &whole, sizeof whole) != 0;
        }
        CHECK_STR(any == (rule_fields[f].why == NULL) ? "" : rule_fields[f].name, "");
    }
}

static void all_of_a_script_comes_back(void)
{
    struct script_memory whole, again;
    struct script *x = script_new(&scenario, &every_script.ops);
    bool stop;
    REQUIRE(x != NULL);
    remembered(&every_script, &whole);
    memset(due, 0, sizeof due);
    script_recall(x, 0, &whole, &stop);
    script_remember(x, 0, POWER_ON, 0, due, &again);
    CHECK_MEM(&again, &whole, sizeof whole);
    script_free(x);
}

/* ---- stage ---- */

static void watch(void *ctx, enum lane lane, const char *event)
{
    (void)ctx;
    (void)lane;
    (void)event;
}

static void look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx;
    (void)addr;
    (void)len_bytes;
}

static const struct stage every_stage = {
    A(const struct scenario),     /* s */
    A(const struct run_options),  /* o */
    A(struct build),              /* build */
    A(struct nor),                /* nor */
    A(struct store),              /* store */
    A(struct cloud),              /* cloud */
    A(struct edge),               /* edge */
    {true},                       /* publish_due */
    BROKER_TO_STOP,               /* broker */
    A(struct bus),                /* bus */
    A(struct broker),             /* mosquitto */
    A(const struct edge_address), /* edge_at */
    A(struct link),               /* link */
    SIM_TLS_GOOD + 1,             /* certificate */
    A(struct judge),              /* judge */
    A(struct script),             /* script */
    A(struct trace),              /* trace */
    1,                            /* now_ns */
    1,                            /* current_conn */
    {1},                          /* link_rule_of */
    {true},                       /* rule_reported */
    1,                            /* n_link_rules */
    1,                            /* bytes_down */
    true,                         /* cut_due */
    true,                         /* counts_messages */
    1,                            /* n_messages */
    {1},                          /* cut_rule */
    {true},                       /* cut_happened */
    &thing,                       /* script_ctx */
    A(struct stage_pushes),       /* pushes */
    watch,                        /* watch */
    &thing,                       /* watch_ctx */
    look,                         /* look */
    &thing,                       /* look_ctx */
};

static const struct field stage_fields[] = {
    LEFT_OUT(struct stage, s, set_up),
    LEFT_OUT(struct stage, o, set_up),
    LEFT_OUT(struct stage, build, set_up),
    KEPT(struct stage, nor), /* its content; its faults in stage_remember */
    KEPT(struct stage, store),
    KEPT(struct stage, cloud),
    LEFT_OUT(struct stage, edge, gone),
    LEFT_OUT(struct stage, publish_due, told),
    LEFT_OUT(struct stage, broker, told),
    KEPT(struct stage, bus),
    LEFT_OUT(struct stage, mosquitto, "of the wire, which has no states"),
    LEFT_OUT(struct stage, edge_at, set_up),
    LEFT_OUT(struct stage, link,
             "a fresh network at each power-on; what lasts on it is the script's"),
    LEFT_OUT(struct stage, certificate, set_up),
    KEPT(struct stage, judge),
    KEPT(struct stage, script),
    LEFT_OUT(struct stage, trace, "text of a report"),
    LEFT_OUT(struct stage, now_ns, no_time),
    LEFT_OUT(struct stage, current_conn, gone),
    LEFT_OUT(struct stage, link_rule_of, "made again from the rules that wait"),
    LEFT_OUT(struct stage, rule_reported, "made again from the rules that wait"),
    LEFT_OUT(struct stage, n_link_rules, "made again from the rules that wait"),
    LEFT_OUT(struct stage, bytes_down, counted),
    LEFT_OUT(struct stage, cut_due, gone),
    LEFT_OUT(struct stage, counts_messages, counted),
    LEFT_OUT(struct stage, n_messages, counted),
    LEFT_OUT(struct stage, cut_rule, "of tokens, which no state has"),
    LEFT_OUT(struct stage, cut_happened, "of tokens, which no state has"),
    LEFT_OUT(struct stage, script_ctx, set_up),
    KEPT(struct stage, pushes), /* what was sent, and is due */
    LEFT_OUT(struct stage, watch, set_up),
    LEFT_OUT(struct stage, watch_ctx, set_up),
    LEFT_OUT(struct stage, look, set_up),
    LEFT_OUT(struct stage, look_ctx, set_up),
};

static void the_stage_is_listed(void)
{
    fields_listed(&every_stage, sizeof every_stage, stage_fields, N(stage_fields));
}

/* ---- simulated network ---- */

static const struct sim_net_bridge every_bridge = {
    A(struct stage),                                         /* g */
    A(struct sim_board),                                     /* board */
    {{1, 1, 1, 1, true, 1, 1, 1, A(struct sim_tls_server)}}, /* conns */
    1,                                                       /* edge_next_ns */
    1,                                                       /* bus_next_ns */
    true,                                                    /* dns_down */
};

static const struct field bridge_fields[] = {
    LEFT_OUT(struct sim_net_bridge, g, set_up),
    LEFT_OUT(struct sim_net_bridge, board, set_up),
    LEFT_OUT(struct sim_net_bridge, conns, gone),
    LEFT_OUT(struct sim_net_bridge, edge_next_ns, no_time),
    LEFT_OUT(struct sim_net_bridge, bus_next_ns, no_time),
    LEFT_OUT(struct sim_net_bridge, dns_down, "told again by a rule that lasts"),
};

static void the_network_is_listed(void)
{
    fields_listed(&every_bridge, sizeof every_bridge, bridge_fields, N(bridge_fields));
}

/* ---- cloud ---- */

static void event(void *ctx, int64_t now_ns, enum lane lane, const char *name,
                  const struct trace_field *fields, size_t n)
{
    (void)ctx;
    (void)now_ns;
    (void)lane;
    (void)name;
    (void)fields;
    (void)n;
}

static int deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    (void)ctx;
    (void)now_ns;
    (void)identity;
    (void)m;
    return 0;
}

static void end_connection(void *ctx, int64_t now_ns, const char *identity)
{
    (void)ctx;
    (void)now_ns;
    (void)identity;
}

static void free_kept(void *kept)
{
    (void)kept;
}

static const struct cloud every_cloud = {
    {A(struct store), 1, "x", 1, 1, 1, true, true, "x", 1, 1, 1, "x", event, &thing, deliver,
     &thing, end_connection, &thing},                                  /* cfg */
    "x",                                                               /* project_key */
    {A(const struct face)},                                            /* face */
    1,                                                                 /* face_count */
    {{RQ_ANY, CF_KIND_COUNT, 1, 1, 1, 1, 1, "x", 1}},                  /* fault */
    1,                                                                 /* fault_count */
    {1},                                                               /* seen */
    1,                                                                 /* seen_any */
    {A(const struct http_request), 1, RQ_ANY, 1, 1, 1, true, 1, 1, 1}, /* now */
    {A(const struct http_request), 1, RQ_ANY, 1, 1, 1, true, 1, 1, 1}, /* before */
    1,                                                                 /* due_ns */
    &thing,                                                            /* kept */
    free_kept,                                                         /* free_kept */
};

static const struct field cloud_fields[] = {
    LEFT_OUT(struct cloud, cfg, set_up),
    LEFT_OUT(struct cloud, project_key, set_up),
    LEFT_OUT(struct cloud, face, set_up),
    LEFT_OUT(struct cloud, face_count, set_up),
    LEFT_OUT(struct cloud, fault, "set up, and what of it is spent follows from what was seen"),
    LEFT_OUT(struct cloud, fault_count, set_up),
    KEPT(struct cloud, seen),
    KEPT(struct cloud, seen_any),
    LEFT_OUT(struct cloud, now, "between two requests there is none"),
    LEFT_OUT(struct cloud, before, "between two requests there is none"),
    LEFT_OUT(struct cloud, due_ns, no_time),
    LEFT_OUT(struct cloud, kept, "keys that follow from the configuration"),
    LEFT_OUT(struct cloud, free_kept, set_up),
};

static void the_cloud_is_listed(void)
{
    fields_listed(&every_cloud, sizeof every_cloud, cloud_fields, N(cloud_fields));
}

/* ---- broker ---- */

static void sends(void *ctx, int64_t now_ns, uint32_t conn, const void *data, size_t len_bytes)
{
    (void)ctx;
    (void)now_ns;
    (void)conn;
    (void)data;
    (void)len_bytes;
}

static void closes(void *ctx, int64_t now_ns, uint32_t conn)
{
    (void)ctx;
    (void)now_ns;
    (void)conn;
}

static const struct session every_session = {
    "x",                                 /* client_id */
    "x",                                 /* identity */
    A(struct bus_conn),                  /* conn */
    true,                                /* clean */
    1,                                   /* keep_alive_s */
    1,                                   /* last_id */
    {{A(char), 1}},                      /* filters */
    1,                                   /* n_filters */
    {{A(char), A(uint8_t), 1, 1, true}}, /* kept */
    1,                                   /* n_kept */
    A(char),                             /* will_topic */
    A(uint8_t),                          /* will */
    1,                                   /* will_bytes */
    1,                                   /* will_qos */
};

static const struct field session_fields[] = {
    KEPT(struct session, client_id),
    KEPT(struct session, identity),
    LEFT_OUT(struct session, conn, gone),
    LEFT_OUT(struct session, clean, "one that is ends with its connection, and is not kept"),
    LEFT_OUT(struct session, keep_alive_s, "said with each connection"),
    LEFT_OUT(struct session, last_id, "packet ids are numbered anew"),
    KEPT(struct session, filters),
    KEPT(struct session, n_filters),
    KEPT(struct session, kept),
    KEPT(struct session, n_kept),
    LEFT_OUT(struct session, will_topic, "refused: a will would be published now"),
    LEFT_OUT(struct session, will, "refused: a will would be published now"),
    LEFT_OUT(struct session, will_bytes, "refused: a will would be published now"),
    LEFT_OUT(struct session, will_qos, "refused: a will would be published now"),
};

static const struct kept every_kept = {A(char), A(uint8_t), 1, 1, true};
static const struct field kept_fields[] = {
    KEPT(struct kept, topic),
    KEPT(struct kept, payload),
    KEPT(struct kept, payload_bytes),
    KEPT(struct kept, id), /* whether it has one */
    LEFT_OUT(struct kept, dup, "set again when it is sent again"),
};

static const struct filter every_filter = {A(char), 1};
static const struct field filter_fields[] = {
    KEPT(struct filter, text),
    KEPT(struct filter, qos),
};

static const struct bus every_bus = {
    {A(struct cloud), sends, closes, &thing},                 /* cfg */
    true,                                                     /* down */
    {{1, true, A(struct session), 1, {A(uint8_t), 1, 1, 1}}}, /* conns */
    {A(struct session)},                                      /* sessions */
    {A(uint8_t), 1, 1, 1},                                    /* tx */
};

static const struct field bus_fields[] = {
    LEFT_OUT(struct bus, cfg, set_up),
    LEFT_OUT(struct bus, down, "told again by a rule that lasts"),
    LEFT_OUT(struct bus, conns, gone),
    KEPT(struct bus, sessions),
    LEFT_OUT(struct bus, tx, "empty between two packets"),
};

static void the_broker_is_listed(void)
{
    fields_listed(&every_bus, sizeof every_bus, bus_fields, N(bus_fields));
    fields_listed(&every_session, sizeof every_session, session_fields, N(session_fields));
    fields_listed(&every_kept, sizeof every_kept, kept_fields, N(kept_fields));
    fields_listed(&every_filter, sizeof every_filter, filter_fields, N(filter_fields));
}

static const struct test tests[] = {
    {"the script is listed", the_script_is_listed, NULL, NULL, 0, 0, NULL},
    {"the table of rules is true", the_table_of_rules_is_true, NULL, NULL, 0, 0, NULL},
    {"all of a script comes back", all_of_a_script_comes_back, NULL, NULL, 0, 0, NULL},
    {"the stage is listed", the_stage_is_listed, NULL, NULL, 0, 0, NULL},
    {"the network is listed", the_network_is_listed, NULL, NULL, 0, 0, NULL},
    {"the cloud is listed", the_cloud_is_listed, NULL, NULL, 0, 0, NULL},
    {"the broker is listed", the_broker_is_listed, NULL, NULL, 0, 0, NULL},
};

TEST_MAIN("engine state fields", tests)
