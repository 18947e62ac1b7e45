#include "mock_cloud/aliyun/gateway.h"
#include "mock_cloud/aliyun/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/aliyun/push.h"
#include "mock_cloud/aliyun/register.h"

/* ---- answering ---- */

static void reply(const struct aliyun_request *r, enum aliyun_code code, const struct buf *data)
{
    const cJSON *root = r->m->doc.root;
    const cJSON *sys = cJSON_GetObjectItemCaseSensitive(root, "sys");
    const cJSON *ack = cJSON_GetObjectItemCaseSensitive(sys, "ack");
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(root, "method");
    char topic[MQTT_TOPIC_MAX];
    struct buf out;
    if (cJSON_IsNumber(ack) && ack->valueint == 0)
        return;
    if (snprintf(topic, sizeof topic, "%s_reply", r->message->topic) >= MQTT_TOPIC_MAX)
        return;
    buf_init(&out, MQTT_PAYLOAD_MAX);
    (void)buf_printf(&out, "{\"code\":%d,\"data\":", (int)code);
    if (data != NULL)
        (void)buf_append(&out, data->data, data->len_bytes);
    else
        (void)buf_text(&out, "{}");
    (void)buf_printf(&out, ",\"id\":%s,\"message\":\"%s\"", r->m->id, aliyun_code_text(code));
    if (cJSON_IsString(method)) {
        (void)buf_text(&out, ",\"method\":");
        (void)json_put_string(&out, method->valuestring);
    }
    (void)buf_text(&out, ",\"version\":\"1.0\"}");
    const struct mqtt_message m = {.topic = topic,
                                   .payload = out.data,
                                   .payload_bytes = out.len_bytes,
                                   .qos = r->message->qos};
    (void)cloud_send(r->c, r->now_ns, r->via, &m);
    buf_free(&out);
}

static void answer(const struct aliyun_request *r, enum aliyun_code code, const struct buf *data)
{
    if (code != ALIYUN_OK)
        cloud_refused(r->c, r->now_ns, r->gateway, aliyun_code_text(code));
    reply(r, code, code == ALIYUN_OK ? data : NULL);
}

void aliyun_take_post(const struct aliyun_request *r)
{
    answer(r, ALIYUN_OK, NULL);
}

static enum aliyun_code failed(const struct aliyun_request *r, const struct err *err)
{
    aliyun_error(r->c, r->now_ns, err);
    return ALIYUN_INTERNAL;
}

/* Begins an object that stands alone or in a list. */
static void begin_name(struct buf *out, const struct aliyun_name *name)
{
    aliyun_put_member(out, out->len_bytes > 1 ? ",{" : "{", "deviceName", name->device_name);
    aliyun_put_member(out, ",", "productKey", name->product_key);
}

static void put_name(struct buf *out, const struct aliyun_name *name)
{
    begin_name(out, name);
    (void)buf_text(out, "}");
}

/* ---- what an entry says ---- */

struct entry {
    struct aliyun_name name;
    char identity[MQTT_IDENTITY_MAX];
    const cJSON *object;
};

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static bool read_entry(const cJSON *object, struct entry *out)
{
    const char *device = text_of(object, "deviceName"), *product = text_of(object, "productKey");
    *out = (struct entry){.object = object};
    int len = snprintf(out->identity, sizeof out->identity, "%s&%s", device, product);
    return len > 0 && (size_t)len < sizeof out->identity &&
           aliyun_name_parse(out->identity, &out->name);
}

/* In two spellings; one SDK says it once for a whole list. */
static const char *sign_method(const struct aliyun_request *r, const struct entry *e)
{
    const cJSON *const objects[] = {e->object, r->m->params};
    static const char *const keys[] = {"signMethod", "signmethod"};
    for (size_t i = 0; i < 4; i++) {
        const char *text = text_of(objects[i / 2], keys[i % 2]);
        if (text[0] != '\0')
            return text;
    }
    return "hmacmd5";
}

/* "timestamp" comes as a text or as a number. */
static bool is_signed(const struct aliyun_request *r, const struct entry *e, const char *secret)
{
    const char *method = sign_method(r, e);
    char stamp[32], text[ALIYUN_SIGNED_MAX];
    enum hmac_kind kind = HMAC_MD5;
    int64_t time = 0;
    if (json_get_int(e->object, e->object, "timestamp", 0, INT64_C(1) << 50, &time, NULL) == 0)
        (void)snprintf(stamp, sizeof stamp, "%" PRId64, time);
    else
        (void)snprintf(stamp, sizeof stamp, "%.31s", text_of(e->object, "timestamp"));
    if (!aliyun_sign_method(method, strlen(method), &kind))
        return false;
    return aliyun_text_to_sign(text_of(e->object, "clientId"), &e->name, stamp, text) == 0 &&
           aliyun_is_signed(kind, secret, text, text_of(e->object, "sign"));
}

/* The device, when it is listed and its own secret has signed the entry; bad: the code if not. */
static enum aliyun_code check_signed(const struct aliyun_request *r, const struct entry *e,
                                     enum aliyun_code bad)
{
    struct store_device d;
    if (store_get_device(cloud_store(r->c), e->identity, &d, NULL) != 0 ||
        strcmp(d.product_id, e->name.product_key) != 0)
        return ALIYUN_NO_DEVICE;
    return is_signed(r, e, d.secret) ? ALIYUN_OK : bad;
}

static bool is_under(const struct aliyun_request *r, const struct entry *e)
{
    struct store_sub_device d;
    return store_get_sub_device(cloud_store(r->c), e->identity, &d, NULL) == 0 &&
           strcmp(d.gateway_id, r->gateway) == 0;
}

static bool has_session(const struct aliyun_request *r, const struct entry *e)
{
    struct store_session x;
    return store_get_session(cloud_store(r->c), e->identity, &x, NULL) == 0 &&
           strcmp(x.via, r->via) == 0;
}

/* Over the connection of a gateway, this one or another. */
static bool goes_by_gateway(const struct aliyun_request *r, const struct entry *e)
{
    struct store_session x;
    return store_get_session(cloud_store(r->c), e->identity, &x, NULL) == 0 &&
           strcmp(x.via, e->identity) != 0;
}

/* ---- lists ---- */

typedef enum aliyun_code step(const struct aliyun_request *r, const struct entry *e,
                              struct buf *data);

/* Checks all, then does all; data begins and ends as the list it is. */
static void walk(const struct aliyun_request *r, const cJSON *list, step *check, step *act)
{
    struct entry e;
    struct buf data;
    const cJSON *item = NULL;
    int n = cJSON_GetArraySize(list);
    enum aliyun_code code = n >= 1 && n <= ALIYUN_BATCH_MAX ? ALIYUN_OK : ALIYUN_PARAMETER;
    buf_init(&data, MQTT_PAYLOAD_MAX);
    (void)buf_text(&data, "[");
    for (int pass = 0; pass < 2; pass++) {
        cJSON_ArrayForEach(item, list)
        {
            if (code == ALIYUN_OK && !read_entry(item, &e))
                code = ALIYUN_PARAMETER;
            if (code == ALIYUN_OK)
                code = (pass == 0 ? check : act)(r, &e, &data);
        }
    }
    (void)buf_text(&data, "]");
    answer(r, code, &data);
    buf_free(&data);
}

/* ---- topology ---- */

static enum aliyun_code check_add(const struct aliyun_request *r, const struct entry *e,
                                  struct buf *data)
{
    struct err err = {""};
    uint32_t count = 0;
    (void)data;
    if (strcmp(e->identity, r->gateway) == 0)
        return ALIYUN_TOPOLOGY_SELF;
    if (store_count_sub_devices(cloud_store(r->c), r->gateway, &count, &err) != 0)
        return failed(r, &err);
    if (!is_under(r, e) && count >= ALIYUN_SUB_DEVICES_MAX)
        return ALIYUN_TOPOLOGY_FULL;
    return check_signed(r, e, ALIYUN_AUTH);
}

static enum aliyun_code add(const struct aliyun_request *r, const struct entry *e, struct buf *data)
{
    struct store_sub_device d = {.logs_in = true};
    struct err err = {""};
    int rc = 0;
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", e->identity);
    (void)snprintf(d.gateway_id, sizeof d.gateway_id, "%s", r->gateway);
    if (!is_under(r, e) && goes_by_gateway(r, e)) /* whoever it was under before has lost it */
        aliyun_end_session(r->c, r->now_ns, e->identity, r->via, ALIYUN_NO_TOPOLOGY);
    if (rc == 0)
        rc = store_put_sub_device(cloud_store(r->c), &d, &err);
    put_name(data, &e->name);
    return rc == 0 ? ALIYUN_OK : failed(r, &err);
}

void aliyun_topo_add(const struct aliyun_request *r)
{
    walk(r, r->m->list, check_add, add);
}

static enum aliyun_code check_under(const struct aliyun_request *r, const struct entry *e,
                                    struct buf *data)
{
    (void)data;
    return is_under(r, e) ? ALIYUN_OK : ALIYUN_NO_TOPOLOGY;
}

static enum aliyun_code take_off(const struct aliyun_request *r, const struct entry *e,
                                 struct buf *data)
{
    struct err err = {""};
    int rc = has_session(r, e) ? store_drop_session(cloud_store(r->c), e->identity, &err) : 0;
    if (rc == 0)
        rc = store_drop_sub_device(cloud_store(r->c), e->identity, &err);
    put_name(data, &e->name);
    return rc == 0 ? ALIYUN_OK : failed(r, &err);
}

void aliyun_topo_delete(const struct aliyun_request *r)
{
    walk(r, r->m->list, check_under, take_off);
}

void aliyun_topo_get(const struct aliyun_request *r)
{
    struct store_sub_device d = {.device_id = ""};
    struct aliyun_name name;
    struct buf data;
    buf_init(&data, MQTT_PAYLOAD_MAX);
    (void)buf_text(&data, "[");
    while (store_next_sub_device(cloud_store(r->c), r->gateway, d.device_id, &d, NULL) == 0)
        if (aliyun_name_parse(d.device_id, &name))
            put_name(&data, &name);
    (void)buf_text(&data, "]");
    answer(r, ALIYUN_OK, &data);
    buf_free(&data);
}

/* ---- secrets of sub-devices ---- */

static enum aliyun_code check_register(const struct aliyun_request *r, const struct entry *e,
                                       struct buf *data)
{
    (void)data;
    return strcmp(e->identity, r->gateway) == 0
               ? ALIYUN_TOPOLOGY_SELF
               : aliyun_register_check(r->c, r->now_ns, &e->name, true);
}

static enum aliyun_code give_secret(const struct aliyun_request *r, const struct entry *e,
                                    struct buf *data)
{
    struct store_device d;
    enum aliyun_code code = aliyun_register(r->c, r->now_ns, &e->name, true, &d);
    if (code != ALIYUN_OK)
        return code;
    begin_name(data, &e->name);
    aliyun_put_member(data, ",", "iotId", e->name.device_name);
    aliyun_put_member(data, ",", "deviceSecret", d.secret);
    (void)buf_text(data, "}");
    return ALIYUN_OK;
}

void aliyun_sub_register(const struct aliyun_request *r)
{
    walk(r, r->m->list, check_register, give_secret);
}

/* Signed for with the product's secret; what fails does not hold up the others. */
static enum aliyun_code register_proxied(const struct aliyun_request *r, const struct entry *e,
                                         struct buf *data)
{
    enum aliyun_code code = check_register(r, e, data);
    if (code != ALIYUN_OK)
        return code;
    const char *method = sign_method(r, e);
    enum hmac_kind kind = HMAC_MD5;
    if (!aliyun_sign_method(method, strlen(method), &kind) ||
        !aliyun_register_is_signed(r->c, &e->name, kind, text_of(e->object, "random"),
                                   text_of(e->object, "sign")))
        return ALIYUN_AUTH;
    return give_secret(r, e, data);
}

void aliyun_product_register(const struct aliyun_request *r)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->m->params, "proxieds"), *item = NULL;
    struct buf good, bad;
    int n = cJSON_GetArraySize(list);
    if (n < 1 || n > ALIYUN_BATCH_MAX) {
        answer(r, ALIYUN_PARAMETER, NULL);
        return;
    }
    buf_init(&good, MQTT_PAYLOAD_MAX);
    buf_init(&bad, MQTT_PAYLOAD_MAX);
    (void)buf_text(&bad, "[");
    (void)buf_text(&good, "[");
    cJSON_ArrayForEach(item, list)
    {
        struct entry e;
        enum aliyun_code code = ALIYUN_PARAMETER;
        if (!read_entry(item, &e) || (code = register_proxied(r, &e, &good)) != ALIYUN_OK) {
            begin_name(&bad, &e.name);
            (void)buf_printf(&bad, ",\"code\":%d,\"message\":\"%s\"}", (int)code,
                             aliyun_code_text(code));
        }
    }
    (void)buf_printf(&bad, "],\"successes\":%s]}", (const char *)good.data);
    buf_clear(&good);
    (void)buf_printf(&good, "{\"failures\":%s", (const char *)bad.data);
    answer(r, ALIYUN_OK, &good);
    buf_free(&good);
    buf_free(&bad);
}

/* ---- sessions ---- */

static enum aliyun_code check_login(const struct aliyun_request *r, const struct entry *e,
                                    struct buf *data)
{
    enum aliyun_code code = check_signed(r, e, ALIYUN_BAD_SIGN);
    return code == ALIYUN_OK ? check_under(r, e, data) : code;
}

static enum aliyun_code login(const struct aliyun_request *r, const struct entry *e,
                              struct buf *data)
{
    aliyun_sub_online(r->c, r->now_ns, e->identity, r->via);
    put_name(data, &e->name);
    return ALIYUN_OK;
}

static enum aliyun_code check_logout(const struct aliyun_request *r, const struct entry *e,
                                     struct buf *data)
{
    enum aliyun_code code = check_under(r, e, data);
    if (code != ALIYUN_OK)
        return code;
    return has_session(r, e) ? ALIYUN_OK : ALIYUN_NO_SESSION;
}

static enum aliyun_code logout(const struct aliyun_request *r, const struct entry *e,
                               struct buf *data)
{
    struct err err = {""};
    put_name(data, &e->name);
    cloud_event(r->c, r->now_ns, "offline", &F_STR("identity", e->identity), 1);
    return store_drop_session(cloud_store(r->c), e->identity, &err) == 0 ? ALIYUN_OK
                                                                         : failed(r, &err);
}

/* One, whose names are the data; or a list of them. */
static void one_or_list(const struct aliyun_request *r, step *check, step *act)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(r->m->params, "deviceList");
    struct entry e;
    struct buf data;
    if (list != NULL || r->m->list != NULL) {
        walk(r, list != NULL ? list : r->m->list, check, act);
        return;
    }
    buf_init(&data, ALIYUN_MESSAGE_MAX);
    enum aliyun_code code =
        r->m->params != NULL && read_entry(r->m->params, &e) ? ALIYUN_OK : ALIYUN_PARAMETER;
    if (code == ALIYUN_OK)
        code = check(r, &e, &data);
    if (code == ALIYUN_OK)
        code = act(r, &e, &data);
    answer(r, code, &data);
    buf_free(&data);
}

void aliyun_combine_login(const struct aliyun_request *r)
{
    one_or_list(r, check_login, login);
}

void aliyun_combine_logout(const struct aliyun_request *r)
{
    one_or_list(r, check_logout, logout);
}
