#include "mock_cloud/aliyun/push.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/announce.h"
#include "mock_cloud/aliyun/register.h"
#include "mock_cloud/campaigns/campaigns.h"

#define ANOTHER_DEVICE "another-device"

void aliyun_error(struct cloud *c, int64_t now_ns, const struct err *err)
{
    cloud_event(c, now_ns, "error", &F_STR("what", err->text), 1);
}

void aliyun_send(struct cloud *c, int64_t now_ns, const char *via, enum aliyun_topic topic,
                 const struct aliyun_name *name, const void *payload, size_t len_bytes, int qos)
{
    char text[MQTT_TOPIC_MAX];
    aliyun_topic_make(topic, name, text);
    const struct mqtt_message m = {
        .topic = text, .payload = payload, .payload_bytes = len_bytes, .qos = (uint8_t)qos};
    (void)cloud_send(c, now_ns, via, &m);
}

/* ---- announcing ---- */

/* What the script sends behind an announcement. */
static void replay(struct cloud *c, int64_t now_ns, const struct store_session *x,
                   const struct aliyun_name *name, const struct buf *sent)
{
    struct buf first;
    buf_init(&first, ALIYUN_ANNOUNCE_MAX);
    bool other = cloud_peek(c, CF_REPLAY) != NULL &&
                 store_first_announced(cloud_store(c), x->device_id, &first, NULL) == 0 &&
                 (first.len_bytes != sent->len_bytes ||
                  memcmp(first.data, sent->data, sent->len_bytes) != 0);
    if (other && cloud_hit(c, CF_REPLAY) != NULL)
        aliyun_send(c, now_ns, x->via, TOPIC_UPGRADE, name, first.data, first.len_bytes, 1);
    buf_free(&first);
}

static void announce(struct cloud *c, int64_t now_ns, const struct store_session *x,
                     const struct store_firmware *f)
{
    struct aliyun_name name;
    struct buf text;
    struct err err = {""};
    if (!aliyun_name_parse(x->device_id, &name))
        return;
    buf_init(&text, ALIYUN_ANNOUNCE_MAX);
    cloud_begin_push(c, now_ns);
    int rc = aliyun_put_upgrade(c, now_ns, x->device_id, f, &text, &err);
    if (rc == 0)
        rc = store_keep_announced(cloud_store(c), x->device_id, text.data, text.len_bytes, &err);
    if (rc == 0) {
        struct aliyun_name to = name;
        if (cloud_hit(c, CF_FOREIGN) != NULL)
            (void)snprintf(to.device_name, sizeof to.device_name, ANOTHER_DEVICE);
        aliyun_send(c, now_ns, x->via, TOPIC_UPGRADE, &to, text.data, text.len_bytes, 1);
        replay(c, now_ns, x, &name, &text);
    } else {
        aliyun_error(c, now_ns, &err);
    }
    cloud_end_push(c);
    buf_free(&text);
}

/* Tells the device of the upgrades it needs, or of one of them (0: all), and notes that. Of silent
 * ones only when it has asked. */
static void announce_needed(struct cloud *c, int64_t now_ns, struct store_session *x,
                            int64_t delta_id, bool asked)
{
    struct store_firmware f;
    struct err err = {""};
    x->due_ns = VTIME_NEVER;
    for (size_t i = 0; campaign_needed(c, x->device_id, "*", i, &f, NULL) == 0; i++) {
        if (delta_id != 0 && f.delta_id != delta_id)
            continue;
        if (!asked && campaign_is_silent(c, x->device_id, f.delta_id))
            continue;
        announce(c, now_ns, x, &f);
        x->pushed_ns = now_ns;
    }
    if (store_put_session(cloud_store(c), x, &err) != 0)
        aliyun_error(c, now_ns, &err);
}

static void put_due(struct cloud *c, int64_t now_ns, struct store_session *x, int64_t due_ns)
{
    struct err err = {""};
    x->due_ns = vtime_min(x->due_ns, due_ns);
    if (store_put_session(cloud_store(c), x, &err) != 0)
        aliyun_error(c, now_ns, &err);
    cloud_wake(c, x->due_ns);
}

/* ---- sessions ---- */

static struct store_session new_session(const char *identity, const char *via)
{
    struct store_session x = {.pushed_ns = -1, .due_ns = VTIME_NEVER};
    (void)snprintf(x.device_id, sizeof x.device_id, "%s", identity);
    (void)snprintf(x.via, sizeof x.via, "%s", via);
    return x;
}

/* The device has logged in: its secret is in use from now on (register.h). */
static void activate(struct cloud *c, int64_t now_ns, const char *identity)
{
    struct store_device d;
    struct err err = {""};
    if (store_get_device(cloud_store(c), identity, &d, NULL) != 0 || d.seen_ns != 0)
        return;
    d.seen_ns = now_ns;
    if (store_put_device(cloud_store(c), &d, &err) != 0)
        aliyun_error(c, now_ns, &err);
}

/* A gateway keeps its connection when it loses a sub-device. */
static void tell_gateway(struct cloud *c, int64_t now_ns, const struct store_session *lost,
                         enum aliyun_code code)
{
    struct aliyun_name gateway, name;
    struct buf text;
    if (!aliyun_name_parse(lost->via, &gateway) || !aliyun_name_parse(lost->device_id, &name))
        return;
    buf_init(&text, ALIYUN_ANNOUNCE_MAX);
    (void)buf_printf(&text, "{\"code\":%d,\"data\":{\"deviceName\":", (int)code);
    (void)json_put_string(&text, name.device_name);
    (void)buf_text(&text, ",\"productKey\":");
    (void)json_put_string(&text, name.product_key);
    (void)buf_printf(&text, "},\"id\":\"%" PRId64 "\",\"message\":\"%s\"}",
                     aliyun_message_id(c, now_ns), aliyun_code_text(code));
    char topic[MQTT_TOPIC_MAX];
    aliyun_topic_make(TOPIC_ERROR, &gateway, topic);
    const struct mqtt_message m = {
        .topic = topic, .payload = text.data, .payload_bytes = text.len_bytes};
    (void)cloud_deliver(c, now_ns, lost->via, &m);
    buf_free(&text);
}

void aliyun_end_session(struct cloud *c, int64_t now_ns, const char *identity, const char *via,
                        enum aliyun_code code)
{
    struct store_session old;
    struct err err = {""};
    if (store_get_session(cloud_store(c), identity, &old, NULL) != 0 || strcmp(old.via, via) == 0)
        return;
    if (store_drop_session(cloud_store(c), identity, &err) != 0)
        aliyun_error(c, now_ns, &err);
    if (strcmp(old.via, identity) == 0)
        cloud_end_connection(c, now_ns, identity);
    else
        tell_gateway(c, now_ns, &old, code);
}

static void begin_session(struct cloud *c, int64_t now_ns, const char *identity, const char *via)
{
    aliyun_end_session(c, now_ns, identity, via, ALIYUN_ELSEWHERE);
    struct store_session x = new_session(identity, via);
    struct store_firmware f;
    struct err err = {""};
    if (campaign_restarted(c, identity, &err) != 0)
        aliyun_error(c, now_ns, &err);
    activate(c, now_ns, identity);
    bool needs = campaign_needed(c, identity, "*", 0, &f, NULL) == 0;
    put_due(c, now_ns, &x, needs ? vtime_after(now_ns, ALIYUN_SETTLE_NS) : VTIME_NEVER);
}

void aliyun_online(struct cloud *c, int64_t now_ns, const char *identity)
{
    struct aliyun_name name;
    if (!aliyun_register_online(c, now_ns, identity) && aliyun_name_parse(identity, &name))
        begin_session(c, now_ns, identity, identity);
}

void aliyun_sub_online(struct cloud *c, int64_t now_ns, const char *identity, const char *via)
{
    cloud_event(c, now_ns, "online", &F_STR("identity", identity), 1);
    begin_session(c, now_ns, identity, via);
}

void aliyun_offline(struct cloud *c, int64_t now_ns, const char *identity)
{
    struct err err = {""};
    if (store_drop_sessions(cloud_store(c), identity, &err) != 0)
        aliyun_error(c, now_ns, &err);
}

void aliyun_subscribed(struct cloud *c, int64_t now_ns, const char *identity, const char *filter)
{
    struct store_session x;
    struct aliyun_name name;
    enum aliyun_topic topic;
    char whose[MQTT_IDENTITY_MAX];
    if (!aliyun_topic_parse(filter, &topic, &name) || topic != TOPIC_UPGRADE)
        return;
    aliyun_name_identity(&name, whose);
    if (store_get_session(cloud_store(c), whose, &x, NULL) != 0)
        x = new_session(whose, identity);
    x.listens = true;
    bool waits = x.due_ns != VTIME_NEVER || x.pushed_ns >= 0;
    put_due(c, now_ns, &x, waits ? vtime_after(now_ns, ALIYUN_LISTEN_NS) : VTIME_NEVER);
}

void aliyun_offered(struct cloud *c, int64_t now_ns, const char *identity, int64_t delta_id)
{
    struct store_session x;
    if (store_get_session(cloud_store(c), identity, &x, NULL) == 0 && x.due_ns == VTIME_NEVER)
        announce_needed(c, now_ns, &x, delta_id, false);
}

void aliyun_told(struct cloud *c, int64_t now_ns, const char *identity, const char *via,
                 const char *module, const char *version)
{
    struct store_session x;
    struct err err = {""};
    if (store_get_session(cloud_store(c), identity, &x, NULL) != 0)
        x = new_session(identity, via);
    if (campaign_version(c, now_ns, identity, module, version, &err) != 0)
        aliyun_error(c, now_ns, &err);
    bool first = !x.told;
    x.told = true;
    if (first) {
        put_due(c, now_ns, &x,
                vtime_after(now_ns, x.listens ? ALIYUN_LISTEN_NS : ALIYUN_SETTLE_NS));
        return;
    }
    if (campaign_settle(c, now_ns, identity, &err) != 0)
        aliyun_error(c, now_ns, &err);
    announce_needed(c, now_ns, &x, 0, false);
}

void aliyun_requested(struct cloud *c, int64_t now_ns, const char *identity, const char *via)
{
    struct store_session x;
    if (store_get_session(cloud_store(c), identity, &x, NULL) != 0)
        x = new_session(identity, via);
    announce_needed(c, now_ns, &x, 0, true);
}

int64_t aliyun_tick(struct cloud *c, int64_t now_ns)
{
    struct store_session x;
    struct err err = {""};
    int64_t next_ns = campaign_tick(c, now_ns);
    while (store_due_session(cloud_store(c), &x, NULL) == 0) {
        if (x.due_ns > now_ns)
            return vtime_min(next_ns, x.due_ns);
        if (x.told && campaign_settle(c, now_ns, x.device_id, &err) != 0)
            aliyun_error(c, now_ns, &err);
        announce_needed(c, now_ns, &x, 0, false);
    }
    return next_ns;
}
