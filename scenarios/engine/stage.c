#include "scenarios/engine/stage_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/signature_keys.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/broker/broker.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/factory.h"
#include "scenarios/engine/token.h"

#define USER_PATTERN 0xa7

uint64_t stage_seed(const struct stage *g)
{
    return g->o->seed != 0 ? g->o->seed : g->s->seed;
}

void stage_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n)
{
    struct stage *g = ctx;
    trace_emit(g->trace, now_ns, lane, event, fields, n);
    judge_event(g->judge, now_ns, lane, event, fields, n);
    script_event(g->script, now_ns, lane, event, fields, n);
    if (lane == LANE_CLOUD && strcmp(event, "request") == 0)
        stage_message(g, false, g->current_conn);
    if (g->watch != NULL)
        g->watch(g->watch_ctx, lane, event);
}

void stage_heard(struct stage *g)
{
    if (g->watch != NULL)
        g->watch(g->watch_ctx, LANE_CLOUD, "heard");
}

static const uint8_t *flash_now(void *ctx)
{
    struct stage *g = ctx;
    return nor_peek(g->nor);
}

static void look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct stage *g = ctx;
    if (g->look != NULL)
        g->look(g->look_ctx, addr, len_bytes);
}

/* Which slot runs is in the boot record. */
static void look_at_record(struct stage *g)
{
    const struct partition *p = g->s->device.agent == AGENT_CMIOT
                                    ? NULL
                                    : partition_find(&g->s->device.partitions, SLOTS_PARTITION);
    if (p != NULL)
        look(g, p->offset, p->size_bytes);
}

static uint32_t update_address(void *ctx)
{
    struct stage *g = ctx;
    look_at_record(g);
    return build_update_address(g->s, nor_peek(g->nor));
}

const char *stage_version(void *ctx)
{
    struct stage *g = ctx;
    const struct device_config *c = &g->s->device;
    look_at_record(g);
    for (uint32_t f = 0; f < c->file_count && f < PACKAGE_FILES_MAX; f++) {
        uint32_t bytes = build_image_bytes_max(g->build, g->s, f);
        uint32_t room = c->files[f].area_bytes;
        look(g, build_file_address(g->s, build_running_address(g->s, nor_peek(g->nor)), f),
             bytes < room ? bytes : room);
    }
    int v = build_version_of(g->build, g->s, nor_peek(g->nor));
    if (v < 0)
        return "?";
    return (uint32_t)v < g->s->n_versions ? g->s->versions[v].version : BUILD_HEAL_VERSION;
}

/* User data nobody may touch: bytes that differ from their neighbours and from erased flash. */
static uint8_t user_byte(uint32_t i)
{
    return (uint8_t)(USER_PATTERN ^ i ^ (i >> 8));
}

static uint32_t foreign_change(void *ctx)
{
    struct stage *g = ctx;
    uint32_t at = partition_guard_check(g->nor, &g->s->device.partitions);
    const struct partition *p = partition_find(&g->s->device.partitions, "user");
    const uint8_t *flash = nor_peek(g->nor);
    for (uint32_t i = 0; p != NULL && at == UINT32_MAX && i < p->size_bytes; i++)
        if (flash[p->offset + i] != user_byte(i))
            at = p->offset + i;
    return at;
}

/* ---- script ---- */

static void on_net(void *ctx, int64_t now_ns, const struct net_rule *rule, bool begin)
{
    struct stage_script *x = ctx;
    struct stage *g = x->g;
    static const char *const names[NET_ACTION_COUNT] = {"outage",  "refuse",         "black-hole",
                                                        "profile", "broker-restart", "byte"};
    static const unsigned kinds_of[] = {[NET_ON_ALL] = LINK_ALL,
                                        [NET_ON_MQTT] = LINK_ONLY(LINK_MQTT),
                                        [NET_ON_HTTP] = LINK_ONLY(LINK_HTTP)};
    const unsigned kinds = kinds_of[rule->scope];
    const char *name =
        rule->action == NET_BYTE ? link_action_name(rule->byte_action) : names[rule->action];
    struct trace_field f[] = {F_STR("do", name), F_INT("begin", begin),
                              F_INT("for_ms", rule->duration_ns / NS_PER_MS)};
    trace_emit(g->trace, now_ns, LANE_NETWORK, "fault", f, 3);
    switch (rule->action) {
    case NET_OUTAGE:
        link_outage_of(g->link, kinds, vtime_after(now_ns, rule->duration_ns));
        break;
    case NET_REFUSE:
        link_door_of(g->link, kinds, begin ? LINK_REFUSED : LINK_OPEN);
        break;
    case NET_BLACK_HOLE:
        link_door_of(g->link, kinds, begin ? LINK_BLACK_HOLE : LINK_OPEN);
        break;
    case NET_PROFILE:
        link_set_profile(g->link, begin ? &rule->profile : &g->s->profile);
        break;
    case NET_BROKER: /* the bus may be in the midst of a message */
        g->broker = begin ? BROKER_TO_STOP : BROKER_TO_START;
        link_door_of(g->link, LINK_ONLY(LINK_MQTT), begin ? LINK_REFUSED : LINK_OPEN);
        break;
    case NET_BYTE:
        x->w.break_all(x->w.ctx, kinds, rule->byte_action, now_ns);
        break;
    case NET_ACTION_COUNT:
        break;
    }
    if (begin && (kinds & LINK_ONLY(LINK_MQTT)) != 0 && rule->action != NET_PROFILE)
        judge_mqtt_fault(g->judge, now_ns, vtime_after(now_ns, rule->duration_ns));
    if (begin)
        judge_network(g->judge, now_ns, rule->action, rule->byte_action);
}

static void on_byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *n)
{
    struct stage *g = ((struct stage_script *)ctx)->g;
    (void)now_ns;
    struct link_byte_rule b = {.connection = n->when.connection,
                               .dir = n->when.dir,
                               .offset = n->when.byte,
                               .action = n->byte_action,
                               .duration_ns = n->duration_ns,
                               .mask = n->mask == 0 ? 1 : n->mask};
    if (n->when.kind == TRIGGER_REPLY) {
        b.connection = g->current_conn;
        b.dir = LINK_DOWN;
        b.offset += link_sent(g->link, b.connection, LINK_DOWN);
    }
    if (g->n_link_rules < LINK_RULES_MAX && link_add_rule(g->link, &b) == 0)
        g->link_rule_of[g->n_link_rules++] = rule;
}

static void on_cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    struct stage_script *x = ctx;
    x->w.cut_now(x->w.ctx, now_ns, rule);
}

static void on_cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    struct stage_script *x = ctx;
    x->w.cut_at_op(x->w.ctx, now_ns, rule, op, relative);
}

static void on_publish(void *ctx, int64_t now_ns, uint32_t offer)
{
    struct stage *g = ((struct stage_script *)ctx)->g;
    const struct build_package *p = &g->build->offers[offer];
    if (is_aliyun(g)) {
        g->publish_due[offer] = true;
        return;
    }
    struct store_package row = p->row;
    row.offered_from_ns = 0; /* it was not there before */
    if (store_put_package(g->store, &row, p->bytes.data, NULL) == 0)
        TRACE(g->trace, now_ns, LANE_CLOUD, "publish", F_INT("delta_id", row.delta_id),
              F_STR("to", row.to_version), F_INT("bytes", row.bytes),
              F_STR("kind", row.kind == PACKAGE_FULL ? "full" : "delta"));
}

static void on_push(void *ctx, int64_t now_ns, uint32_t push)
{
    (void)now_ns;
    pushes_due(((struct stage_script *)ctx)->g->pushes, push);
}

/* Uploads and starts tasks: within an event the cloud may be in the midst of a message. */
static bool publish_due(struct stage *g)
{
    bool any = false;
    for (uint32_t i = 0; i < g->s->n_offers; i++) {
        if (!g->publish_due[i])
            continue;
        struct err err = {""};
        g->publish_due[i] = false;
        any = true;
        const struct store_package *row = &g->build->offers[i].row;
        if (aliyun_stage_publish(g, i, &err) == 0)
            TRACE(g->trace, g->now_ns, LANE_CLOUD, "publish", F_INT("delta_id", row->delta_id),
                  F_STR("to", row->to_version), F_INT("bytes", row->bytes));
        else
            TRACE(g->trace, g->now_ns, LANE_CLOUD, "publish", F_INT("delta_id", row->delta_id),
                  F_STR("refused", err.text));
    }
    return any;
}

static void stop_broker(struct stage *g)
{
    if (g->bus != NULL)
        bus_stop(g->bus, g->now_ns, true);
    if (g->mosquitto != NULL)
        broker_halt(g->mosquitto, g->now_ns);
}

/* On the wire it may fail; then the device cannot connect, and the judge says so. */
static void start_broker(struct stage *g)
{
    if (g->bus != NULL)
        bus_start(g->bus);
    if (g->mosquitto != NULL)
        (void)broker_again(g->mosquitto, NULL);
}

bool stage_act(struct stage *g)
{
    bool any = g->broker != BROKER_STAYS;
    if (g->broker == BROKER_TO_STOP)
        stop_broker(g);
    else if (g->broker == BROKER_TO_START)
        start_broker(g);
    g->broker = BROKER_STAYS;
    any = publish_due(g) || any;
    any = pushes_send(g) || any;
    if (is_aliyun(g) && cloud_due_ns(g->cloud) <= g->now_ns) {
        (void)cloud_tick(g->cloud, g->now_ns);
        any = true;
    }
    return any;
}

int64_t stage_next(const struct stage *g)
{
    return is_aliyun(g) ? cloud_due_ns(g->cloud) : VTIME_NEVER;
}

void stage_collect(struct stage *g)
{
    const struct link_byte_rule *b;
    for (uint32_t i = 0; i < g->n_link_rules && (b = link_rule_at(g->link, i)) != NULL; i++) {
        if (!b->done || g->rule_reported[i])
            continue;
        g->rule_reported[i] = true;
        TRACE(g->trace, g->now_ns, LANE_NETWORK, "fault", F_STR("do", link_action_name(b->action)),
              F_INT("conn", b->connection), F_STR("dir", b->dir == LINK_UP ? "up" : "down"),
              F_INT("byte", b->offset));
        script_hit_net(g->script, g->link_rule_of[i]);
        judge_network(g->judge, g->now_ns, NET_BYTE, b->action);
        if (b->action == LINK_STALL && b->duration_ns >= RUN_SILENCE_NS)
            judge_silent(g->judge, b->connection);
        if (g->watch != NULL)
            g->watch(g->watch_ctx, LANE_NETWORK, "fault");
    }
}

/* ---- set-up ---- */

/* The boot record, of the image in the first slot. */
static int load_record(struct stage *g, struct err *err)
{
    const struct scenario *s = g->s;
    struct buf all;
    buf_init(&all, PACKAGE_IMAGE_MAX);
    int rc = s->device.file_count > 1 ? build_slot_image(g->build, s, 0, &all) : 0;
    if (rc == 0)
        rc = factory_slots(g->nor, &s->device,
                           s->device.file_count > 1 ? &all : &g->build->images[0][0],
                           s->versions[0].version, err);
    buf_free(&all);
    return rc;
}

static int load_flash(struct stage *g, struct err *err)
{
    const struct scenario *s = g->s;
    int rc = partition_guard(g->nor, &s->device.partitions);
    const struct partition *user = partition_find(&s->device.partitions, "user");
    uint8_t chunk[4096];
    for (uint32_t i = 0; rc == 0 && user != NULL && i < user->size_bytes; i += sizeof chunk) {
        uint32_t n = user->size_bytes - i < sizeof chunk ? user->size_bytes - i : sizeof chunk;
        for (uint32_t k = 0; k < n; k++)
            chunk[k] = user_byte(i + k);
        rc = nor_load(g->nor, user->offset + i, chunk, n);
    }
    for (uint32_t f = 0; rc == 0 && f < s->device.file_count && f < PACKAGE_FILES_MAX; f++)
        rc = nor_load(g->nor, s->device.files[f].address, g->build->images[0][f].data,
                      (uint32_t)g->build->images[0][f].len_bytes);
    if (rc == 0 && s->device.agent != AGENT_CMIOT)
        rc = load_record(g, err);
    if (rc == 0 && s->base_altered)
        rc = nor_load(g->nor, s->device.files[0].address + g->build->altered_at,
                      &g->build->altered_byte, 1);
    return rc == 0 ? 0 : err_set(err, rc, "the factory image cannot be written to flash");
}

/* Variant C devices are known to the platform by their OID, or it is another one's; variant A
 * devices register themselves. */
static int put_device(struct stage *g, const char *product_id, bool known, struct err *err)
{
    if (is_aliyun(g))
        return known ? aliyun_stage_device(g, g->s->product.secret, err) : 0;
    if (g->s->device.variant != DEVICE_CMS)
        return 0;
    struct store_device d = {.registered_ns = g->now_ns};
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", g->s->device.oid);
    (void)snprintf(d.product_id, sizeof d.product_id, "%s", product_id);
    (void)snprintf(d.mid, sizeof d.mid, "%s", known ? g->s->device.did : "another-device");
    return store_put_device(g->store, &d, err);
}

static const char *image_key_of(const struct scenario *s)
{
    return s->image_key == IMAGE_KEY_GOOD    ? signature_private_pem
           : s->image_key == IMAGE_KEY_OTHER ? signature_other_private_pem
                                             : NULL;
}

static int set_up_cloud(struct stage *g, bool listen, struct err *err)
{
    const struct scenario *s = g->s;
    g->certificate = s->certificate;
    int rc = store_reset(g->store, err);
    if (rc == 0)
        rc = store_put_product(g->store, &s->product, err);
    if (rc == 0)
        rc = put_device(g, s->product.product_id, s->registered, err);
    if (rc != 0)
        return rc;
    struct cloud_config c = {.store = g->store,
                             .url_lifetime_ns = s->url_lifetime_ns,
                             .image_key_pem = image_key_of(s),
                             .download_host = "ota.example",
                             .download_port = s->device.tls ? 443 : 80,
                             .download_tls = s->device.tls,
                             .unix_start_s = STAGE_UTC_START_S,
                             .refusals_max = s->refusals_max,
                             .task_timeout_ns = 15 * 60 * NS_PER_S,
                             .project_key = s->product.secret,
                             .event = stage_event,
                             .event_ctx = g};
    const struct face *const faces[] = {&cms_face, &aliyun_face};
    g->cloud = cloud_new(&c, faces, sizeof faces / sizeof faces[0], err);
    if (g->cloud == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; rc == 0 && i < s->n_faults; i++)
        rc = cloud_add_fault(g->cloud, &s->faults[i]);
    g->edge = g->edge_at != NULL ? edge_listen(g->cloud, g->edge_at, err)
                                 : edge_new(g->cloud, listen, err);
    if (g->edge == NULL)
        return ERR_IO;
    g->link = link_new(&s->profile, stage_seed(g));
    return g->link == NULL ? ERR_NOMEM : rc;
}

static int set_up_judge(struct stage *g, const struct stage_world *w)
{
    const struct scenario *s = g->s;
    struct state_layout layout;
    const bool slots = s->device.agent != AGENT_CMIOT;
    device_state_layout(&s->device, &layout);
    const struct partition *slot = slots ? partition_find(&s->device.partitions, "app2") : NULL;
    struct judge_setup js = {.scenario = s,
                             .by_token = g->o->n_cuts > 0,
                             .update_address = update_address,
                             .package_limit =
                                 slots ? slot->size_bytes : state_package_limit(&layout),
                             .segment_bytes = 16u << s->device.segment_index,
                             .flash = flash_now,
                             .look = look,
                             .version = stage_version,
                             .foreign_change = foreign_change,
                             .ctx = g};
    g->judge = judge_new(&js);
    struct stage_script *x = calloc(1, sizeof *x);
    if (x == NULL)
        return ERR_NOMEM;
    *x = (struct stage_script){.g = g, .w = *w};
    struct script_ops ops = {.ctx = x,
                             .net = on_net,
                             .byte = on_byte,
                             .cut_now = on_cut_now,
                             .cut_at_op = on_cut_at_op,
                             .publish = on_publish,
                             .push = on_push};
    g->script_ctx = x;
    g->script = script_new(s, &ops);
    g->trace = trace_new(&g->o->sink);
    g->pushes = pushes_new();
    if (g->pushes == NULL || g->judge == NULL || g->script == NULL || g->trace == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n_offers; i++) {
        const struct build_package *b = &g->build->offers[i];
        struct judge_package p = {.delta_id = b->row.delta_id,
                                  .bytes = b->bytes.data,
                                  .len_bytes = (uint32_t)b->bytes.len_bytes,
                                  .from = s->offers[i].from,
                                  .to = s->offers[i].to,
                                  .kind = b->kind,
                                  .parts = b->parts,
                                  .n_parts = b->n_parts,
                                  .tamper = s->offers[i].tamper};
        if (slots && !s->offers[i].full)
            p.image = &g->build->images[s->offers[i].to][0];
        if (judge_add_package(g->judge, &p) != 0)
            return ERR_LIMIT;
    }
    return 0;
}

int stage_set_up(struct stage *g, const struct stage_world *w, bool listen, struct err *err)
{
    int rc = load_flash(g, err);
    if (rc == 0)
        rc = set_up_judge(g, w);
    if (rc == 0)
        rc = set_up_cloud(g, listen, err);
    const struct scenario *s = g->s;
    for (uint32_t i = 0; rc == 0 && i < s->n_flash; i++)
        if (nor_inject(g->nor, s->flash[i].kind, s->flash[i].addr, s->flash[i].len_bytes,
                       s->flash[i].count) != 0)
            rc = err_set(err, ERR_LIMIT, "flash fault %u cannot be armed", i + 1);
    return rc;
}

void stage_free(struct stage *g)
{
    edge_free(g->edge);
    cloud_free(g->cloud);
    link_free(g->link);
    script_free(g->script);
    free(g->script_ctx);
    judge_free(g->judge);
    trace_free(g->trace);
    pushes_free(g->pushes);
}

/* ---- the end ---- */

void stage_main_over(struct stage *g, struct run_result *out, char *missed, size_t missed_cap)
{
    judge_main_over(g->judge, g->now_ns);
    /* A token's cuts are not what the scenario counted on: only what always holds is judged. */
    if (g->o->n_cuts == 0)
        judge_expectations(g->judge);
    (void)snprintf(out->final_version, sizeof out->final_version, "%s", stage_version(g));
    out->main_ops = nor_op_count(g->nor);
    out->cut_missed = stage_missed_cut(g);
    g->counts_messages = false;
    const char *m = script_missed(g->script);
    (void)snprintf(missed, missed_cap, "%s", m == NULL ? "" : m);
    if (missed[0] == '\0' && out->cut_missed > 0) {
        char cut[TOKEN_CUT_MAX];
        token_print_cut(&g->o->cuts[out->cut_missed - 1], cut);
        (void)snprintf(missed, missed_cap, "the cut %s of the token never happened", cut);
    }
    const struct cloud_fault *f;
    for (size_t i = 0; missed[0] == '\0' && (f = cloud_fault_at(g->cloud, i)) != NULL; i++)
        if (f->hits == 0)
            (void)snprintf(missed, missed_cap, "cloud fault %zu (%s) never happened", i + 1,
                           cloud_fault_name(f->kind));
}

int stage_heal(struct stage *g, struct err *err)
{
    script_stop(g->script);
    g->certificate = SIM_TLS_GOOD;
    pushes_drop(g->pushes);
    cloud_clear_faults(g->cloud);
    cloud_set_url_lifetime(g->cloud, 0);
    if (g->s->image_key != IMAGE_KEY_NONE || g->s->device.signature_required)
        cloud_set_image_key(g->cloud, signature_private_pem);
    nor_clear_faults(g->nor);
    link_heal(g->link, g->now_ns);
    struct build_options bo = {.cache_dir = g->o->cache_dir, .firmware_dir = g->o->firmware_dir};
    int rc = 0;
    if (g->build->heal.bytes.len_bytes == 0)
        rc = build_heal(g->build, g->s, &bo, stage_version(g), err);
    if (rc != 0)
        return rc;
    struct judge_package jp = {.delta_id = BUILD_HEAL_ID,
                               .bytes = g->build->heal.bytes.data,
                               .len_bytes = (uint32_t)g->build->heal.bytes.len_bytes,
                               .to = g->s->n_versions,
                               .kind = PACKAGE_FULL,
                               .parts = g->build->heal.parts,
                               .n_parts = g->build->heal.n_parts,
                               .heal = true};
    if (is_aliyun(g)) {
        start_broker(g);
        rc = aliyun_stage_heal(g, err);
        return rc == 0 ? judge_add_package(g->judge, &jp) : rc;
    }
    /* A wrong project or an exhausted visit limit is part of what is healed. */
    const struct device_config *d = &g->s->device;
    struct store_product p = g->s->product;
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", d->product_id);
    (void)snprintf(p.secret, sizeof p.secret, "%s", d->product_key);
    (void)snprintf(p.oem, sizeof p.oem, "%s", d->oem);
    (void)snprintf(p.model, sizeof p.model, "%s", d->model);
    (void)snprintf(p.platform, sizeof p.platform, "%s", d->platform);
    (void)snprintf(p.device_type, sizeof p.device_type, "%s", d->device_type);
    p.has_team = true;
    p.cms = d->variant == DEVICE_CMS;
    p.device_visits_per_day = p.owner_visits_per_day = 0;
    struct store_package row = g->build->heal.row;
    (void)snprintf(row.product_id, sizeof row.product_id, "%s", p.product_id);
    row.offered_from_ns = 0;
    rc = store_put_product(g->store, &p, err);
    if (rc == 0)
        rc = store_put_package(g->store, &row, g->build->heal.bytes.data, err);
    if (rc == 0)
        rc = put_device(g, p.product_id, true, err);
    if (rc != 0)
        return rc;
    return judge_add_package(g->judge, &jp);
}

void stage_heal_device(struct device_config *c)
{
    c->alloc_fail_at = 0;
    c->n_images = 0;
    c->cancel_at_percent = 0;
    if (c->app == APP_CHECK_ONLY)
        c->app = APP_ONE_KEY;
}

int stage_heal_again(struct stage *g, const char *before, struct err *err)
{
    return is_aliyun(g) ? aliyun_stage_heal_again(g, before, err) : 0;
}

bool stage_healed(struct stage *g)
{
    struct store_record rec;
    struct store_device dev = {0};
    if (is_aliyun(g))
        return aliyun_stage_healed(g);
    if (g->s->device.variant == DEVICE_CMS)
        (void)snprintf(dev.device_id, sizeof dev.device_id, "%s", g->s->device.oid);
    else if (store_find_device_by_mid(g->store, g->s->device.product_id, g->s->device.did, &dev,
                                      NULL) != 0)
        return false;
    return strcmp(stage_version(g), BUILD_HEAL_VERSION) == 0 &&
           store_get_record(g->store, BUILD_HEAL_ID, dev.device_id, &rec, NULL) == 0 &&
           rec.state == RECORD_SUCCESS;
}

void stage_begin(struct stage *g, enum run_mode mode, struct run_result *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->name, g->s->name, sizeof out->name);
    memcpy(out->path, g->s->path, sizeof out->path);
    out->mode = mode;
    out->seed = stage_seed(g);
    struct token t = {.seed = out->seed, .n_cuts = g->o->n_cuts};
    memcpy(t.name, g->s->name, sizeof t.name);
    memcpy(t.cuts, g->o->cuts, sizeof t.cuts);
    token_print(&t, out->token);
}

void stage_not_applicable(const struct err *err, struct run_result *out)
{
    out->verdict = VERDICT_NOT_APPLICABLE;
    memcpy(out->cause, err->text, sizeof out->cause);
}

void stage_conclude(struct stage *g, int rc, const struct err *err, const char *missed,
                    struct run_result *out)
{
    if (rc != 0) {
        out->verdict = VERDICT_ERROR;
        memcpy(out->cause, err->text, sizeof out->cause);
        return;
    }
    judge_results(g->judge, out);
    out->virtual_ns = g->now_ns;
    out->flash_ops = nor_op_count(g->nor);
    out->requests = cloud_requests(g->cloud, RQ_ANY);
    out->bytes_down = g->bytes_down;
    trace_sha256(g->trace, out->trace_sha256);
    if (missed[0] != '\0' && out->verdict != VERDICT_FAIL) {
        out->verdict = VERDICT_INCONCLUSIVE;
        (void)snprintf(out->cause, sizeof out->cause, "%s", missed);
    }
}
