/*
 * The simulated world: one thread, virtual time. At every instant the device runs until all its
 * tasks wait, the cloud until it has answered, the link until nothing is due; only then does the
 * clock move to the next deadline. So the order of events is a function of the scenario and the
 * seed alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/cms/cms.h"
#include "scenarios/engine/build.h"
#include "scenarios/engine/judge.h"
#include "scenarios/engine/run.h"
#include "scenarios/engine/script.h"
#include "scenarios/engine/sim_net.h"

#define MAX_STEPS     20000000u /* of the main loop: a device that spins is a hang */
#define HEAL_LIMIT_NS (2 * 3600 * NS_PER_S)
#define HEAL_STARTS   8
#define ARMED_MAX     SCENARIO_RULES_MAX
#define USER_PATTERN  0xa7

struct world {
    struct store *store;
};

/* A cut waiting for its flash operation. */
struct armed {
    uint64_t op;
    uint32_t rule; /* SCENARIO_RULES_MAX: the replay token's own cut */
    enum nor_tear tear;
    uint32_t tear_bytes;
    int64_t off_ns;
};

struct run {
    const struct scenario *s;
    const struct run_options *o;
    struct build build;
    struct nor *nor;
    struct sim_board *board;
    struct cloud *cloud;
    struct edge *edge;
    struct link *link;
    struct sim_net_bridge bridge;
    struct judge *judge;
    struct script *script;
    struct trace *trace;
    struct store *store;
    struct device_setup setup;
    int64_t now_ns;
    int64_t power_on_ns; /* when power returns; VTIME_NEVER while on or off for good */
    bool on, idle;
    bool cut_now;
    uint32_t cut_rule;
    struct armed armed[ARMED_MAX + 1];
    uint32_t n_armed;
    uint32_t cuts;
    uint64_t cut_ops[8]; /* for the token */
    int cut_tears[8];
    uint32_t n_cut_ops;
    uint32_t link_rule_of[LINK_RULES_MAX]; /* scenario rule behind a link rule */
    uint32_t n_link_rules;
    uint32_t link_rules_seen;
    bool rule_reported[LINK_RULES_MAX];
    char version[DEVICE_TEXT_MAX];
};

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct run *r = ctx;
    trace_emit(r->trace, now_ns, lane, event, fields, n);
    judge_event(r->judge, now_ns, lane, event, fields, n);
    script_event(r->script, now_ns, lane, event, fields, n);
}

static const uint8_t *flash_now(void *ctx)
{
    struct run *r = ctx;
    return nor_peek(r->nor);
}

static const char *version_now(void *ctx)
{
    struct run *r = ctx;
    int v = build_version_of(&r->build, r->s, nor_peek(r->nor));
    if (v < 0)
        return "?";
    return (uint32_t)v < r->s->n_versions ? r->s->versions[v].version : BUILD_HEAL_VERSION;
}

static const struct partition *user_partition(const struct scenario *s)
{
    return partition_find(&s->device.partitions, "user");
}

static uint32_t foreign_change(void *ctx)
{
    struct run *r = ctx;
    uint32_t at = partition_guard_check(r->nor, &r->s->device.partitions);
    const struct partition *p = user_partition(r->s);
    const uint8_t *flash = nor_peek(r->nor);
    for (uint32_t i = 0; p != NULL && at == UINT32_MAX && i < p->size_bytes; i++)
        if (flash[p->offset + i] != (uint8_t)(USER_PATTERN ^ i))
            at = p->offset + i;
    return at;
}

/* ---- power ---- */

static void arm_next(struct run *r)
{
    const struct armed *first = NULL;
    for (uint32_t i = 0; i < r->n_armed; i++)
        if (r->armed[i].op > nor_op_count(r->nor) && (first == NULL || r->armed[i].op < first->op))
            first = &r->armed[i];
    if (first != NULL)
        nor_arm_cut(r->nor, first->op, first->tear, first->tear_bytes);
    else
        nor_arm_cut(r->nor, 0, TEAR_NOTHING, 0);
}

static void arm(struct run *r, const struct armed *a)
{
    if (r->n_armed <= ARMED_MAX)
        r->armed[r->n_armed++] = *a;
    arm_next(r);
}

static void power_on(struct run *r)
{
    r->power_on_ns = VTIME_NEVER;
    r->on = true;
    r->idle = false;
    if (!nor_is_on(r->nor))
        nor_power_on(r->nor);
    arm_next(r);
    (void)sim_board_power_on(r->board, r->now_ns, device_main, &r->setup);
}

static void went_off(struct run *r, int64_t off_ns)
{
    r->on = false;
    r->idle = false;
    r->cuts++;
    bridge_device_gone(&r->bridge);
    r->power_on_ns = vtime_after(r->now_ns, off_ns > 0 ? off_ns : NS_PER_MS);
}

/* An armed cut fired inside a flash operation: find which one it was. */
static void armed_cut_fired(struct run *r)
{
    uint64_t op = nor_op_count(r->nor);
    int64_t off_ns = NS_PER_S;
    for (uint32_t i = 0; i < r->n_armed; i++)
        if (r->armed[i].op == op) {
            off_ns = r->armed[i].off_ns;
            script_hit_power(r->script, r->armed[i].rule);
            if (r->n_cut_ops < 8) {
                r->cut_tears[r->n_cut_ops] = (int)r->armed[i].tear;
                r->cut_ops[r->n_cut_ops++] = op;
            }
            r->armed[i].op = 0;
        }
    went_off(r, off_ns);
}

static void cut_at_once(struct run *r)
{
    const struct power_rule *p = &r->s->power[r->cut_rule];
    r->cut_now = false;
    if (!r->on)
        return;
    script_hit_power(r->script, r->cut_rule);
    sim_board_power_off(r->board, r->now_ns, p->tear, p->tear_bytes);
    TRACE(r->trace, r->now_ns, LANE_POWER, "off", F_INT("for_ms", p->off_ns / NS_PER_MS));
    struct trace_field f[] = {F_INT("op", nor_op_count(r->nor)), F_STR("tear", "at once")};
    judge_event(r->judge, r->now_ns, LANE_POWER, "cut", f, 2);
    went_off(r, p->off_ns);
}

/* ---- script ---- */

static void script_net(void *ctx, int64_t now_ns, const struct net_rule *rule, bool begin)
{
    struct run *r = ctx;
    static const char *const names[NET_ACTION_COUNT] = {"outage", "refuse", "black-hole", "profile",
                                                        "byte"};
    const char *name =
        rule->action == NET_BYTE ? link_action_name(rule->byte_action) : names[rule->action];
    struct trace_field f[] = {F_STR("do", name), F_INT("begin", begin),
                              F_INT("for_ms", rule->duration_ns / NS_PER_MS)};
    trace_emit(r->trace, now_ns, LANE_NETWORK, "fault", f, 3);
    switch (rule->action) {
    case NET_OUTAGE:
        link_outage(r->link, vtime_after(now_ns, rule->duration_ns));
        break;
    case NET_REFUSE:
        link_door(r->link, begin ? LINK_REFUSED : LINK_OPEN);
        break;
    case NET_BLACK_HOLE:
        link_door(r->link, begin ? LINK_BLACK_HOLE : LINK_OPEN);
        break;
    case NET_PROFILE:
        link_set_profile(r->link, begin ? &rule->profile : &r->s->profile);
        break;
    case NET_BYTE:
        for (size_t i = 0; i < NET_CONNS; i++)
            if (r->bridge.conns[i].number != 0)
                link_break(r->link, r->bridge.conns[i].number, rule->byte_action, now_ns);
        break;
    case NET_ACTION_COUNT:
        break;
    }
    if (begin)
        judge_network(r->judge, now_ns, rule->action, rule->byte_action);
}

static void script_byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *n)
{
    struct run *r = ctx;
    (void)now_ns;
    struct link_byte_rule b = {.connection = n->when.connection,
                               .dir = n->when.dir,
                               .offset = n->when.byte,
                               .action = n->byte_action,
                               .duration_ns = n->duration_ns,
                               .mask = n->mask == 0 ? 1 : n->mask};
    if (n->when.kind == TRIGGER_REPLY) {
        b.connection = r->bridge.current;
        b.dir = LINK_DOWN;
        b.offset += link_sent(r->link, b.connection, LINK_DOWN);
    }
    if (r->n_link_rules < LINK_RULES_MAX && link_add_rule(r->link, &b) == 0)
        r->link_rule_of[r->n_link_rules++] = rule;
}

static void script_cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    struct run *r = ctx;
    (void)now_ns;
    r->cut_now = true;
    r->cut_rule = rule;
}

static void script_cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    struct run *r = ctx;
    (void)now_ns;
    const struct power_rule *p = &r->s->power[rule];
    struct armed a = {.op = op + (relative ? nor_op_count(r->nor) : 0),
                      .rule = rule,
                      .tear = p->tear,
                      .tear_bytes = p->tear_bytes,
                      .off_ns = p->off_ns};
    arm(r, &a);
}

static void script_publish(void *ctx, int64_t now_ns, uint32_t offer)
{
    struct run *r = ctx;
    const struct build_package *p = &r->build.offers[offer];
    struct store_package row = p->row;
    row.offered_from_ns = now_ns;
    struct err err;
    if (store_put_package(r->store, &row, p->bytes.data, &err) == 0)
        TRACE(r->trace, now_ns, LANE_CLOUD, "publish", F_INT("delta_id", row.delta_id),
              F_STR("to", row.to_version), F_INT("bytes", row.bytes),
              F_STR("kind", row.kind == PACKAGE_FULL ? "full" : "delta"));
}

/* Byte rules that the link applied since the last look. */
static void collect_byte_rules(struct run *r)
{
    const struct link_byte_rule *b;
    for (uint32_t i = 0; i < r->n_link_rules && (b = link_rule_at(r->link, i)) != NULL; i++) {
        if (!b->done || r->rule_reported[i])
            continue;
        r->rule_reported[i] = true;
        TRACE(r->trace, r->now_ns, LANE_NETWORK, "fault", F_STR("do", link_action_name(b->action)),
              F_INT("conn", b->connection), F_STR("dir", b->dir == LINK_UP ? "up" : "down"),
              F_INT("byte", b->offset));
        script_hit_net(r->script, r->link_rule_of[i]);
        judge_network(r->judge, r->now_ns, NET_BYTE, b->action);
    }
}

/* ---- set-up ---- */

static int load_flash(struct run *r, struct err *err)
{
    const struct scenario *s = r->s;
    r->nor = nor_new(&s->device.geometry, r->o->seed != 0 ? r->o->seed : s->seed, err);
    if (r->nor == NULL)
        return ERR_NOMEM;
    int rc = partition_guard(r->nor, &s->device.partitions);
    const struct partition *user = user_partition(s);
    for (uint32_t i = 0; rc == 0 && user != NULL && i < user->size_bytes; i++) {
        uint8_t byte = (uint8_t)(USER_PATTERN ^ i);
        rc = nor_load(r->nor, user->offset + i, &byte, 1);
    }
    for (uint32_t f = 0; rc == 0 && f < s->device.file_count && f < PACKAGE_FILES_MAX; f++)
        rc = nor_load(r->nor, s->device.files[f].address, r->build.images[0][f].data,
                      (uint32_t)r->build.images[0][f].len_bytes);
    if (rc == 0 && s->base_altered)
        rc = nor_load(r->nor, s->device.files[0].address + r->build.altered_at,
                      &r->build.altered_byte, 1);
    for (uint32_t i = 0; rc == 0 && i < s->n_flash; i++)
        rc = nor_inject(r->nor, s->flash[i].kind, s->flash[i].addr, s->flash[i].len_bytes,
                        s->flash[i].count);
    return rc == 0 ? 0 : err_set(err, rc, "the factory image cannot be written to flash");
}

static int set_up_cloud(struct run *r, struct err *err)
{
    const struct scenario *s = r->s;
    int rc = store_reset(r->store, err);
    if (rc == 0)
        rc = store_put_product(r->store, &s->product, err);
    if (rc == 0 && s->device.variant == DEVICE_CMS && s->registered) {
        struct store_device d = {0};
        memcpy(d.device_id, s->device.oid, sizeof s->device.oid);
        memcpy(d.product_id, s->product.product_id, sizeof d.product_id);
        memcpy(d.mid, s->device.did, sizeof s->device.did);
        rc = store_put_device(r->store, &d, err);
    }
    if (rc != 0)
        return rc;
    struct cloud_config c = {.store = r->store,
                             .url_lifetime_ns = s->url_lifetime_ns,
                             .download_host = "ota.example",
                             .download_port = 80,
                             .task_timeout_ns = 15 * 60 * NS_PER_S,
                             .project_key = s->product.secret,
                             .event = on_event,
                             .event_ctx = r};
    const struct face *const faces[] = {&cms_face};
    r->cloud = cloud_new(&c, faces, 1, err);
    if (r->cloud == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; rc == 0 && i < s->n_faults; i++)
        rc = cloud_add_fault(r->cloud, &s->faults[i]);
    r->edge = edge_new(r->cloud, false, err);
    if (r->edge == NULL)
        return ERR_IO;
    r->link = link_new(&s->profile, r->o->seed != 0 ? r->o->seed : s->seed);
    return r->link == NULL ? ERR_NOMEM : rc;
}

static int set_up_judge(struct run *r)
{
    const struct scenario *s = r->s;
    const struct partition *download = partition_find(&s->device.partitions, "download");
    struct state_layout layout;
    device_state_layout(&s->device, &layout);
    struct judge_setup js = {.scenario = s,
                             .download_offset = download == NULL ? 0 : download->offset,
                             .package_limit = state_package_limit(&layout),
                             .segment_bytes = 16u << s->device.segment_index,
                             .flash = flash_now,
                             .version = version_now,
                             .foreign_change = foreign_change,
                             .ctx = r};
    r->judge = judge_new(&js);
    struct script_ops ops = {.ctx = r,
                             .net = script_net,
                             .byte = script_byte,
                             .cut_now = script_cut_now,
                             .cut_at_op = script_cut_at_op,
                             .publish = script_publish};
    r->script = script_new(s, &ops);
    r->trace = trace_new(&r->o->sink);
    if (r->judge == NULL || r->script == NULL || r->trace == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n_offers; i++) {
        const struct build_package *b = &r->build.offers[i];
        struct judge_package p = {.delta_id = b->row.delta_id,
                                  .bytes = b->bytes.data,
                                  .len_bytes = (uint32_t)b->bytes.len_bytes,
                                  .from = s->offers[i].from,
                                  .to = s->offers[i].to,
                                  .kind = b->kind,
                                  .tamper = s->offers[i].tamper};
        if (judge_add_package(r->judge, &p) != 0)
            return ERR_LIMIT;
    }
    return 0;
}

static int set_up_device(struct run *r, struct err *err)
{
    const struct scenario *s = r->s;
    uint64_t seed = r->o->seed != 0 ? r->o->seed : s->seed;
    r->bridge = (struct sim_net_bridge){
        .link = r->link, .edge = r->edge, .edge_next_ns = VTIME_NEVER, .ctx = r, .event = on_event};
    for (size_t i = 0; i < NET_CONNS; i++)
        r->bridge.conns[i] = (struct net_conn){.sock = -1, .fd = -1};
    struct sim_board_config bc = {.nor = r->nor,
                                  .partitions = &s->device.partitions,
                                  .ram_limit_bytes = s->device.ram_bytes,
                                  .connect_timeout_ns = (int64_t)s->device.try_time_ms * NS_PER_MS,
                                  .utc_start_s = 1767225600, /* 2026-01-01 */
                                  .seed = seed,
                                  .event = on_event,
                                  .event_ctx = r};
    bridge_net(&r->bridge, &bc.net);
    r->board = sim_board_new(&bc, err);
    if (r->board == NULL)
        return ERR_NOMEM;
    r->bridge.board = r->board;
    r->setup = (struct device_setup){.config = &s->device,
                                     .board = sim_board_board(r->board),
                                     .version_of_flash = version_now,
                                     .version_ctx = r};
    return 0;
}

/* ---- the loop ---- */

/* Runs until the device is idle and nothing scripted is left, or `until`. ERR_LIMIT when it spins.
 */
static int run_phase(struct run *r, int64_t until_ns, bool scripted)
{
    for (uint32_t step = 0; step < MAX_STEPS; step++) {
        int64_t next = VTIME_NEVER;
        if (r->cut_now)
            cut_at_once(r);
        if (r->on && !r->idle) {
            enum sim_state st = sim_board_run(r->board, r->now_ns, &next);
            if (r->cut_now)
                continue;
            if (st == SIM_CUT) {
                armed_cut_fired(r);
                continue;
            }
            if (st == SIM_RESET) {
                bridge_device_gone(&r->bridge);
                power_on(r);
                continue;
            }
            if (st == SIM_IDLE) {
                bridge_device_gone(&r->bridge);
                r->idle = true;
            }
        }
        bool moved = bridge_pump(&r->bridge, r->now_ns);
        collect_byte_rules(r);
        if (moved || r->cut_now)
            continue;
        int64_t script = scripted ? script_next(r->script) : VTIME_NEVER;
        if (r->idle && r->power_on_ns == VTIME_NEVER && script == VTIME_NEVER)
            return 0;
        int64_t t =
            vtime_min(vtime_min(next, bridge_next(&r->bridge)), vtime_min(script, r->power_on_ns));
        if (t == VTIME_NEVER || t > until_ns) {
            r->now_ns = until_ns;
            return 0;
        }
        if (t > r->now_ns)
            r->now_ns = t;
        r->bridge.now_ns = r->now_ns;
        if (scripted)
            (void)script_time(r->script, r->now_ns);
        if (r->power_on_ns <= r->now_ns)
            power_on(r);
    }
    return ERR_LIMIT;
}

/*
 * Everything is healed and a known-good update offered: a device that lives must install it. It is
 * switched off and on as a user would, at most HEAL_STARTS times.
 */
static int heal(struct run *r, bool *healed, char *why, size_t why_cap, struct err *err)
{
    *healed = false;
    script_stop(r->script);
    cloud_clear_faults(r->cloud);
    nor_clear_faults(r->nor);
    link_heal(r->link, r->now_ns);
    r->n_armed = 0;
    r->cut_now = false;
    nor_arm_cut(r->nor, 0, TEAR_NOTHING, 0);
    struct build_options bo = {.cache_dir = r->o->cache_dir, .firmware_dir = r->o->firmware_dir};
    int rc = build_heal(&r->build, r->s, &bo, version_now(r), err);
    if (rc == 0)
        rc = store_put_package(r->store, &r->build.heal.row, r->build.heal.bytes.data, err);
    if (rc == 0) {
        /* A wrong project or an exhausted visit limit is part of what is healed. */
        struct store_product p = r->s->product;
        memcpy(p.product_id, r->s->device.product_id, sizeof r->s->device.product_id);
        memcpy(p.secret, r->s->device.product_key, sizeof r->s->device.product_key);
        memcpy(p.oem, r->s->device.oem, sizeof r->s->device.oem);
        memcpy(p.model, r->s->device.model, sizeof r->s->device.model);
        memcpy(p.platform, r->s->device.platform, sizeof r->s->device.platform);
        memcpy(p.device_type, r->s->device.device_type, sizeof r->s->device.device_type);
        p.has_team = true;
        p.device_visits_per_day = p.owner_visits_per_day = 0;
        rc = store_put_product(r->store, &p, err);
        struct store_package row = r->build.heal.row;
        memcpy(row.product_id, p.product_id, sizeof row.product_id);
        if (rc == 0)
            rc = store_put_package(r->store, &row, r->build.heal.bytes.data, err);
        struct store_device d = {0};
        memcpy(d.device_id, r->s->device.oid, sizeof r->s->device.oid);
        memcpy(d.product_id, p.product_id, sizeof d.product_id);
        memcpy(d.mid, r->s->device.did, sizeof r->s->device.did);
        if (rc == 0 && r->s->device.variant == DEVICE_CMS)
            rc = store_put_device(r->store, &d, err);
    }
    if (rc != 0)
        return rc;
    struct judge_package jp = {.delta_id = BUILD_HEAL_ID,
                               .bytes = r->build.heal.bytes.data,
                               .len_bytes = (uint32_t)r->build.heal.bytes.len_bytes,
                               .to = r->s->n_versions,
                               .kind = PACKAGE_FULL,
                               .heal = true};
    rc = judge_add_package(r->judge, &jp);
    if (rc != 0)
        return rc;
    int64_t until = vtime_after(r->now_ns, HEAL_LIMIT_NS);
    for (int i = 0; i < HEAL_STARTS && r->now_ns < until; i++) {
        if (r->on && !r->idle)
            sim_board_power_off(r->board, r->now_ns, TEAR_NOTHING, 0);
        else if (r->on)
            sim_board_power_off(r->board, r->now_ns, TEAR_NOTHING, 0);
        bridge_device_gone(&r->bridge);
        TRACE(r->trace, r->now_ns, LANE_BENCH, "heal", F_INT("start", i + 1));
        r->now_ns = vtime_after(r->now_ns, NS_PER_S);
        r->bridge.now_ns = r->now_ns;
        power_on(r);
        rc = run_phase(r, until, false);
        if (rc != 0)
            break;
        struct store_record rec;
        const char *id = NULL;
        struct store_device dev;
        if (r->s->device.variant == DEVICE_CMS)
            id = r->s->device.oid;
        else if (store_find_device_by_mid(r->store, r->s->device.product_id, r->s->device.did, &dev,
                                          NULL) == 0)
            id = dev.device_id;
        if (strcmp(version_now(r), BUILD_HEAL_VERSION) == 0 && id != NULL &&
            store_get_record(r->store, BUILD_HEAL_ID, id, &rec, NULL) == 0 &&
            rec.state == RECORD_SUCCESS) {
            *healed = true;
            return 0;
        }
    }
    (void)snprintf(why, why_cap, "%s",
                   rc != 0 ? "the device spins"
                   : strcmp(version_now(r), BUILD_HEAL_VERSION) == 0
                       ? "installed, but the cloud was not told"
                       : "the known-good update was not installed");
    return 0;
}

static void make_token(struct run *r, struct run_result *out)
{
    uint64_t seed = r->o->seed != 0 ? r->o->seed : r->s->seed;
    int at = snprintf(out->token, sizeof out->token, "%s#%" PRIx64, r->s->name, seed);
    if (r->o->cut_op > 0 && at > 0 && (size_t)at < sizeof out->token)
        (void)snprintf(out->token + at, sizeof out->token - (size_t)at, "@%" PRIu64 "t%d",
                       r->o->cut_op, (int)r->o->cut_tear);
}

static void tear_down(struct run *r)
{
    if (r->board != NULL)
        bridge_close_all(&r->bridge);
    sim_board_free(r->board);
    edge_free(r->edge);
    cloud_free(r->cloud);
    link_free(r->link);
    nor_free(r->nor);
    script_free(r->script);
    judge_free(r->judge);
    trace_free(r->trace);
    build_free(&r->build);
}

static int set_up(struct run *r, struct err *err)
{
    struct build_options bo = {.cache_dir = r->o->cache_dir, .firmware_dir = r->o->firmware_dir};
    int rc = build_make(&r->build, r->s, &bo, err);
    if (rc == 0)
        rc = load_flash(r, err);
    if (rc == 0)
        rc = set_up_judge(r);
    if (rc == 0)
        rc = set_up_cloud(r, err);
    if (rc == 0)
        rc = set_up_device(r, err);
    return rc;
}

static void conclude(struct run *r, struct run_result *out)
{
    judge_results(r->judge, out);
    out->virtual_ns = r->now_ns;
    out->cuts = r->cuts;
    out->flash_ops = nor_op_count(r->nor);
    out->requests = cloud_requests(r->cloud, RQ_ANY);
    out->bytes_down = r->bridge.bytes_down;
    trace_sha256(r->trace, out->trace_sha256);
}

void world_run(struct world *w, const struct scenario *s, const struct run_options *o,
               struct run_result *out)
{
    struct run r = {.s = s, .o = o, .store = w->store, .power_on_ns = VTIME_NEVER};
    struct err err = {.text = ""};
    memset(out, 0, sizeof *out);
    memcpy(out->name, s->name, sizeof out->name);
    memcpy(out->path, s->path, sizeof out->path);
    out->mode = RUN_SIM;
    out->seed = o->seed != 0 ? o->seed : s->seed;
    make_token(&r, out);
    int rc = set_up(&r, &err);
    if (rc == 0) {
        TRACE(r.trace, 0, LANE_BENCH, "scenario", F_STR("name", s->name), F_INT("seed", out->seed));
        script_start(r.script, 0);
        (void)script_time(r.script, 0);
        if (o->cut_op > 0) {
            struct armed a = {.op = o->cut_op,
                              .rule = SCENARIO_RULES_MAX,
                              .tear = o->cut_tear,
                              .off_ns = NS_PER_S};
            arm(&r, &a);
        }
        power_on(&r);
        rc = run_phase(&r, s->limit_ns, true);
        if (rc != 0)
            (void)err_set(&err, rc, "hang: the device never waits");
    }
    const char *missed = NULL;
    char missed_text[160];
    if (rc == 0) {
        judge_main_over(r.judge, r.now_ns);
        judge_expectations(r.judge);
        (void)snprintf(out->final_version, sizeof out->final_version, "%s", version_now(&r));
        missed = script_missed(r.script);
        const struct cloud_fault *f;
        for (size_t i = 0; missed == NULL && (f = cloud_fault_at(r.cloud, i)) != NULL; i++)
            if (f->hits == 0) {
                (void)snprintf(missed_text, sizeof missed_text,
                               "cloud fault %zu (%s) never happened", i + 1,
                               cloud_fault_name(f->kind));
                missed = missed_text;
            }
        if (missed != NULL && missed != missed_text) {
            (void)snprintf(missed_text, sizeof missed_text, "%s", missed);
            missed = missed_text;
        }
        bool healed = false;
        char why[80] = "";
        if (!s->expect.config_refused) {
            rc = heal(&r, &healed, why, sizeof why, &err);
            (void)cloud_tick(r.cloud, vtime_after(r.now_ns, 3600 * NS_PER_S));
        }
        if (rc == 0)
            judge_heal_over(r.judge, r.now_ns, healed, why);
    }
    if (rc == 0 && nor_fault(r.nor) != NULL)
        rc = err_set(&err, ERR_BENCH, "flash was used while off: %s", nor_fault(r.nor));
    if (rc == 0)
        conclude(&r, out);
    if (rc != 0) {
        out->verdict = VERDICT_ERROR;
        memcpy(out->cause, err.text, sizeof out->cause);
    } else if (missed != NULL && out->verdict != VERDICT_FAIL) {
        out->verdict = VERDICT_INCONCLUSIVE;
        (void)snprintf(out->cause, sizeof out->cause, "%s", missed);
    }
    tear_down(&r);
}

struct world *world_new(struct err *err)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for a world");
        return NULL;
    }
    w->store = store_open(NULL, err);
    if (w->store == NULL) {
        world_free(w);
        return NULL;
    }
    return w;
}

void world_free(struct world *w)
{
    if (w == NULL)
        return;
    store_close(w->store);
    free(w);
}
