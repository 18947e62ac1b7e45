#include "mock_cloud/aliyun/aliyun.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mock_cloud/aliyun/announce.h"
#include "mock_cloud/aliyun/block.h"
#include "mock_cloud/aliyun/config.h"
#include "mock_cloud/aliyun/gateway.h"
#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/pre_auth.h"
#include "mock_cloud/aliyun/push.h"
#include "mock_cloud/aliyun/register.h"
#include "mock_cloud/aliyun/storage.h"
#include "mock_cloud/campaigns/campaigns.h"

/* A message on its way: who it speaks for, and over whose connection it came. */
struct call {
    struct cloud *c;
    int64_t now_ns;
    const char *via;
    struct aliyun_name name;
    char identity[MQTT_IDENTITY_MAX];
    const struct mqtt_message *message;
    struct aliyun_message m;
    struct err err;
};

/* The device as the store knows it: seen, and what its default module runs. */
static void keep_device(struct call *call, const char *module, const char *version)
{
    struct store_device d;
    if (store_get_device(cloud_store(call->c), call->identity, &d, NULL) != 0)
        return;
    if (module[0] == '\0' && version[0] != '\0')
        (void)snprintf(d.version, sizeof d.version, "%s", version);
    d.seen_ns = call->now_ns;
    if (store_put_device(cloud_store(call->c), &d, &call->err) != 0)
        aliyun_error(call->c, call->now_ns, &call->err);
}

/* "default" is how the platform calls the module without a name. */
static int read_module(struct call *call, char out[STORE_TEXT_MAX])
{
    int rc = aliyun_message_text(&call->m, "module", out, STORE_TEXT_MAX, &call->err);
    if (rc == 0 && strcmp(out, "default") == 0)
        out[0] = '\0';
    return rc;
}

static int do_inform(struct call *call)
{
    char version[STORE_TEXT_MAX], module[STORE_TEXT_MAX];
    int rc = aliyun_message_text(&call->m, "version", version, sizeof version, &call->err);
    if (rc == 0)
        rc = read_module(call, module);
    if (rc == 0 && version[0] == '\0')
        rc = err_set(&call->err, ERR_FORMAT, "$.params: needs \"version\"");
    if (rc != 0)
        return rc;
    keep_device(call, module, version);
    aliyun_told(call->c, call->now_ns, call->identity, call->via, module, version);
    return 0;
}

static int do_progress(struct call *call)
{
    char module[STORE_TEXT_MAX];
    int64_t step = 0;
    int rc = call->m.params == NULL
                 ? err_set(&call->err, ERR_FORMAT, "$: needs \"params\"")
                 : aliyun_message_number(&call->m, call->m.params, "step", INT32_MIN, INT32_MAX,
                                         &step, &call->err);
    if (rc == 0)
        rc = read_module(call, module);
    if (rc != 0)
        return rc;
    keep_device(call, module, "");
    rc = campaign_progress(call->c, call->now_ns, call->identity, module, (int)step, &call->err);
    if (rc != 0)
        aliyun_error(call->c, call->now_ns, &call->err);
    return 0;
}

/* A version in it counts as told, but the answer does not wait. */
static int do_request(struct call *call)
{
    char version[STORE_TEXT_MAX], module[STORE_TEXT_MAX];
    int rc = aliyun_message_text(&call->m, "version", version, sizeof version, &call->err);
    if (rc == 0)
        rc = read_module(call, module);
    if (rc != 0)
        return rc;
    if (version[0] != '\0') {
        keep_device(call, module, version);
        if (campaign_version(call->c, call->now_ns, call->identity, module, version, &call->err) !=
            0)
            aliyun_error(call->c, call->now_ns, &call->err);
    }
    aliyun_requested(call->c, call->now_ns, call->identity, call->via);
    return 0;
}

static int do_query(struct call *call)
{
    char module[STORE_TEXT_MAX];
    struct store_firmware f;
    struct buf text;
    int rc = read_module(call, module);
    if (rc != 0)
        return rc;
    buf_init(&text, ALIYUN_ANNOUNCE_MAX);
    (void)buf_text(&text, "{\"code\":200,\"data\":");
    bool found = campaign_needed(call->c, call->identity, module, 0, &f, NULL) == 0 &&
                 cloud_hit(call->c, CF_EMPTY) == NULL;
    if (found)
        rc = aliyun_put_firmware(call->c, call->now_ns, call->identity, &f, &text, &call->err);
    else
        (void)buf_text(&text, "{}");
    (void)buf_printf(&text, ",\"id\":%s,\"message\":\"success\"}", call->m.id);
    if (rc == 0)
        aliyun_send(call->c, call->now_ns, call->via, TOPIC_FIRMWARE_GET_REPLY, &call->name,
                    text.data, text.len_bytes, 1);
    else
        aliyun_error(call->c, call->now_ns, &call->err);
    buf_free(&text);
    return 0;
}

static int do_config(struct call *call)
{
    aliyun_config_get(call->c, call->now_ns, call->via, &call->name, &call->m);
    return 0;
}

static int do_block(struct call *call)
{
    aliyun_block_get(call->c, call->now_ns, call->via, &call->name, &call->m);
    return 0;
}

/* What a device without a clock asks before it can check a certificate. */
static int do_time(struct call *call)
{
    char text[256];
    const cJSON *root = call->m.doc.root;
    int64_t ms = 0;
    int rc = aliyun_message_number(&call->m, root, "deviceSendTime", 0, INT64_C(1) << 50, &ms,
                                   &call->err);
    if (rc != 0)
        return rc;
    int64_t now_ms = aliyun_message_id(call->c, call->now_ns);
    int len = snprintf(text, sizeof text,
                       "{\"deviceSendTime\":\"%" PRId64 "\",\"serverRecvTime\":\"%" PRId64
                       "\",\"serverSendTime\":\"%" PRId64 "\"}",
                       ms, now_ms, now_ms);
    aliyun_send(call->c, call->now_ns, call->via, TOPIC_TIME_REPLY, &call->name, text, (size_t)len,
                0);
    return 0;
}

/* What each topic is counted as and does; neither: taken and forgotten. */
static const struct {
    enum cloud_request rq;
    int (*act)(struct call *call);
    void (*gateway)(const struct aliyun_request *r);
} acts[TOPIC_COUNT] = {
    [TOPIC_INFORM] = {RQ_INFORM, do_inform, NULL},
    [TOPIC_PROGRESS] = {RQ_PROGRESS, do_progress, NULL},
    [TOPIC_REQUEST] = {RQ_QUERY, do_request, NULL},
    [TOPIC_UPGRADE] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_FIRMWARE_GET] = {RQ_QUERY, do_query, NULL},
    [TOPIC_FIRMWARE_GET_REPLY] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_CONFIG_GET] = {RQ_CONFIG, do_config, NULL},
    [TOPIC_CONFIG_GET_REPLY] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_CONFIG_PUSH] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_CONFIG_PUSH_REPLY] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_FILE] = {RQ_BLOCK, do_block, NULL},
    [TOPIC_FILE_REPLY] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_TOPO_ADD] = {RQ_MESSAGE, NULL, aliyun_topo_add},
    [TOPIC_TOPO_DELETE] = {RQ_MESSAGE, NULL, aliyun_topo_delete},
    [TOPIC_TOPO_GET] = {RQ_MESSAGE, NULL, aliyun_topo_get},
    [TOPIC_SUB_REGISTER] = {RQ_MESSAGE, NULL, aliyun_sub_register},
    [TOPIC_PRODUCT_REGISTER] = {RQ_MESSAGE, NULL, aliyun_product_register},
    [TOPIC_LOGIN] = {RQ_MESSAGE, NULL, aliyun_combine_login},
    [TOPIC_LOGOUT] = {RQ_MESSAGE, NULL, aliyun_combine_logout},
    [TOPIC_POST] = {RQ_MESSAGE, NULL, aliyun_take_post},
    [TOPIC_TIME] = {RQ_MESSAGE, do_time, NULL},
    [TOPIC_TIME_REPLY] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_ERROR] = {RQ_MESSAGE, NULL, NULL},
    [TOPIC_OTHER] = {RQ_MESSAGE, NULL, NULL},
};

static int act_on(struct call *call, enum aliyun_topic topic)
{
    const struct aliyun_request r = {.c = call->c,
                                     .now_ns = call->now_ns,
                                     .gateway = call->identity,
                                     .via = call->via,
                                     .message = call->message,
                                     .m = &call->m};
    if (acts[topic].act != NULL)
        return acts[topic].act(call);
    if (topic != TOPIC_POST && strcmp(call->identity, call->via) != 0)
        return err_set(&call->err, ERR_ARG, "a sub-device is no gateway");
    acts[topic].gateway(&r);
    return 0;
}

/* The version and step that a device told, and nothing else it may have written, go into the log.
 */
static void log_refusal(struct call *call, enum cloud_request rq)
{
    cloud_refused(call->c, call->now_ns, call->via, call->err.text);
    (void)store_log_message(cloud_store(call->c), call->now_ns, "aliyun", cloud_request_name(rq),
                            call->err.text, NULL);
}

static bool aliyun_message(struct cloud *c, int64_t now_ns, const char *identity,
                           const struct mqtt_message *m)
{
    struct call call = {.c = c, .now_ns = now_ns, .via = identity, .message = m};
    enum aliyun_topic topic;
    if (!aliyun_topic_parse(m->topic, &topic, &call.name))
        return false;
    aliyun_name_identity(&call.name, call.identity);
    cloud_begin_message(c, now_ns, acts[topic].rq, identity, m);
    if ((acts[topic].act == NULL && acts[topic].gateway == NULL) || cloud_hit(c, CF_LOST) != NULL)
        return true;
    if (!aliyun_topic_allowed(c, identity, m->topic, MQTT_PUBLISH)) {
        (void)err_set(&call.err, ERR_ARG, "a topic of another device");
        log_refusal(&call, acts[topic].rq);
        return true;
    }
    int rc = aliyun_message_open(&call.m, m->payload, m->payload_bytes, &call.err);
    if (rc == 0)
        rc = act_on(&call, topic);
    if (rc != 0)
        log_refusal(&call, acts[topic].rq);
    aliyun_message_close(&call.m);
    return true;
}

static bool aliyun_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                        struct http_reply *rp)
{
    return aliyun_storage(c, now_ns, rq, rp) || aliyun_register_http(c, now_ns, rq, rp) ||
           pre_auth_http(c, now_ns, rq, rp);
}

const struct face aliyun_face = {
    .name = "aliyun",
    .http = aliyun_http,
    .login = aliyun_login,
    .topic = aliyun_topic_allowed,
    .filter_at = aliyun_filter_at,
    .owner = aliyun_topic_owner,
    .online = aliyun_online,
    .subscribed = aliyun_subscribed,
    .message = aliyun_message,
    .offline = aliyun_offline,
    .offered = aliyun_offered,
    .remember = aliyun_remember_message,
    .recall = aliyun_recall_message,
    .tick = aliyun_tick,
};
