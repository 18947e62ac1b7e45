#include "mock_cloud/aliyun/register.h"

#include <stdio.h>
#include <string.h>

#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/push.h"
#include "mock_cloud/aliyun/signed_url.h"

#define PATH       "/auth/register/device"
#define REPLY_MAX  1024
#define RANDOM_MAX 127
#define LISTED     '|' /* between product key and device name of a registration's identity: */
#define NOT_LISTED '+' /* no name has either */

const char *aliyun_code_text(enum aliyun_code code)
{
    static const struct {
        enum aliyun_code code;
        const char *text;
    } table[] = {{ALIYUN_OK, "success"},
                 {ALIYUN_AUTH, "request auth error"},
                 {ALIYUN_ELSEWHERE, "device connect in elsewhere"},
                 {ALIYUN_PARAMETER, "request parameter error"},
                 {ALIYUN_NO_SESSION, "device no session"},
                 {ALIYUN_NO_DEVICE, "device not found"},
                 {ALIYUN_NO_PRODUCT, "product not found"},
                 {ALIYUN_BAD_SIGN, "invalid sign"},
                 {ALIYUN_NOT_DYNAMIC, "dynamic registration is not enabled"},
                 {ALIYUN_ACTIVATED, "device is already activated"},
                 {ALIYUN_TOPOLOGY_FULL, "topo relation count exceed"},
                 {ALIYUN_NO_TOPOLOGY, "topo relation not exist"},
                 {ALIYUN_TOPOLOGY_SELF, "topo relation cannot add by self"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].text;
    return "internal error";
}

static enum aliyun_code failed(struct cloud *c, int64_t now_ns, const struct err *err)
{
    aliyun_error(c, now_ns, err);
    return ALIYUN_INTERNAL;
}

static enum aliyun_code find_product(struct cloud *c, const struct aliyun_name *name,
                                     struct store_product *out)
{
    if (store_get_product(cloud_store(c), name->product_key, out, NULL) != 0 || !out->has_team)
        return ALIYUN_NO_PRODUCT;
    return out->secret[0] == '\0' ? ALIYUN_NOT_DYNAMIC : ALIYUN_OK;
}

bool aliyun_register_is_signed(struct cloud *c, const struct aliyun_name *name, enum hmac_kind kind,
                               const char *random, const char *signature)
{
    struct store_product product;
    char text[ALIYUN_SIGNED_MAX];
    if (find_product(c, name, &product) != ALIYUN_OK || random[0] == '\0' ||
        strlen(random) > RANDOM_MAX)
        return false;
    (void)snprintf(text, sizeof text, "deviceName%sproductKey%srandom%s", name->device_name,
                   name->product_key, random);
    return aliyun_is_signed(kind, product.secret, text, signature);
}

/* The device, or a new one; it has never been there. */
static enum aliyun_code find_device(struct cloud *c, int64_t now_ns, const struct aliyun_name *name,
                                    bool listed, struct store_device *out)
{
    char identity[MQTT_IDENTITY_MAX];
    aliyun_name_identity(name, identity);
    if (store_get_device(cloud_store(c), identity, out, NULL) == 0)
        return out->seen_ns != 0 ? ALIYUN_ACTIVATED : ALIYUN_OK;
    *out = (struct store_device){.registered_ns = now_ns};
    (void)snprintf(out->device_id, sizeof out->device_id, "%s", identity);
    (void)snprintf(out->product_id, sizeof out->product_id, "%s", name->product_key);
    (void)snprintf(out->mid, sizeof out->mid, "%s", name->device_name);
    return listed ? ALIYUN_NO_DEVICE : ALIYUN_OK;
}

static enum aliyun_code check(struct cloud *c, int64_t now_ns, const struct aliyun_name *name,
                              bool listed, struct store_device *out)
{
    struct store_product product;
    enum aliyun_code code = find_product(c, name, &product);
    return code == ALIYUN_OK ? find_device(c, now_ns, name, listed, out) : code;
}

enum aliyun_code aliyun_register_check(struct cloud *c, int64_t now_ns,
                                       const struct aliyun_name *name, bool listed)
{
    struct store_device d;
    return check(c, now_ns, name, listed, &d);
}

enum aliyun_code aliyun_register(struct cloud *c, int64_t now_ns, const struct aliyun_name *name,
                                 bool listed, struct store_device *out)
{
    struct err err = {""};
    char whose[2 * MD5_BYTES + 1], secret[2 * MD5_BYTES + 1];
    enum aliyun_code code = check(c, now_ns, name, listed, out);
    if (code != ALIYUN_OK)
        return code;
    /* Follows from the one before, so it is another each time and the same in each run. */
    signed_url_derive(c, "registered", out->device_id, whose);
    signed_url_derive(c, whose, out->secret, secret);
    memcpy(out->secret, secret, sizeof secret);
    /* The device keeps it for ever, whatever happens to us. */
    return store_put_device(cloud_store(c), out, &err) == 0 && store_sync(cloud_store(c), &err) == 0
               ? ALIYUN_OK
               : failed(c, now_ns, &err);
}

/* ---- over MQTT ---- */

enum mqtt_connack aliyun_register_login(struct cloud *c, int64_t now_ns,
                                        const struct mqtt_login *login,
                                        const struct aliyun_client_id *id,
                                        const struct aliyun_name *name,
                                        char identity[MQTT_IDENTITY_MAX])
{
    struct store_product product;
    struct store_device device;
    bool listed = id->auth == AUTH_REGISTER;
    if (find_product(c, name, &product) != ALIYUN_OK)
        return MQTT_NOT_AUTHORIZED;
    if (login->password == NULL ||
        !aliyun_register_is_signed(c, name, id->sign, id->random, login->password) ||
        find_device(c, now_ns, name, listed, &device) != ALIYUN_OK)
        return MQTT_BAD_CREDENTIALS;
    (void)snprintf(identity, MQTT_IDENTITY_MAX, "%s%c%s", name->product_key,
                   listed ? LISTED : NOT_LISTED, name->device_name);
    return MQTT_ACCEPTED;
}

static void put_names(struct buf *out, const struct store_device *d)
{
    aliyun_put_member(out, "{", "productKey", d->product_id);
    aliyun_put_member(out, ",", "deviceName", d->mid);
}

bool aliyun_register_online(struct cloud *c, int64_t now_ns, const char *identity)
{
    static const char between[] = {LISTED, NOT_LISTED, '\0'};
    struct aliyun_name name;
    struct store_device d;
    struct buf text;
    size_t product = strcspn(identity, between);
    if (identity[product] == '\0')
        return false;
    bool listed = identity[product] == LISTED;
    (void)snprintf(name.product_key, sizeof name.product_key, "%.*s", (int)product, identity);
    (void)snprintf(name.device_name, sizeof name.device_name, "%s", identity + product + 1);
    if (aliyun_register(c, now_ns, &name, listed, &d) != ALIYUN_OK)
        return true; /* it has logged in since its CONNECT: nothing to tell */
    buf_init(&text, REPLY_MAX);
    cloud_begin_push(c, now_ns);
    put_names(&text, &d);
    if (!listed) {
        char client_id[2 * ALIYUN_NAME_MAX + 2];
        (void)snprintf(client_id, sizeof client_id, "%s.%s", name.product_key, name.device_name);
        aliyun_put_member(&text, ",", "clientId", client_id);
    }
    aliyun_put_member(&text, ",", listed ? "deviceSecret" : "deviceToken", d.secret);
    (void)buf_text(&text, "}");
    const struct mqtt_message m = {.topic = listed ? "/ext/register" : "/ext/regnwl",
                                   .payload = text.data,
                                   .payload_bytes = text.len_bytes,
                                   .qos = 1};
    (void)cloud_send(c, now_ns, identity, &m);
    cloud_end_push(c);
    buf_free(&text);
    return true;
}

/* ---- over HTTPS ---- */

bool aliyun_form_parse(const char *text, size_t len_bytes, struct aliyun_form *out)
{
    *out = (struct aliyun_form){.sign = ""};
    const struct signed_url_field fields[] = {
        {"productKey", out->product_key, sizeof out->product_key},
        {"deviceName", out->device_name, sizeof out->device_name},
        {"random", out->random, sizeof out->random},
        {"sign", out->sign, sizeof out->sign},
        {"signMethod", out->sign_method, sizeof out->sign_method}};
    return signed_url_fields(text, len_bytes, fields, sizeof fields / sizeof fields[0]);
}

static enum aliyun_code answer_form(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                                    struct store_device *d)
{
    struct aliyun_form f;
    struct aliyun_name name;
    struct store_product product;
    enum hmac_kind kind = HMAC_MD5;
    char identity[2 * ALIYUN_NAME_MAX + 2];
    if (rq->body == NULL || !aliyun_form_parse((const char *)rq->body, rq->body_bytes, &f))
        return ALIYUN_PARAMETER;
    (void)snprintf(identity, sizeof identity, "%s&%s", f.device_name, f.product_key);
    if (!aliyun_name_parse(identity, &name) || f.random[0] == '\0' ||
        !aliyun_sign_method(f.sign_method, strlen(f.sign_method), &kind))
        return ALIYUN_PARAMETER;
    enum aliyun_code code = find_product(c, &name, &product);
    if (code != ALIYUN_OK)
        return code;
    if (!aliyun_register_is_signed(c, &name, kind, f.random, f.sign))
        return ALIYUN_AUTH;
    return aliyun_register(c, now_ns, &name, true, d);
}

bool aliyun_register_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                          struct http_reply *rp)
{
    struct store_device d;
    if (strcmp(rq->path, PATH) != 0)
        return false;
    cloud_begin(c, RQ_REGISTER);
    if (cloud_refuse(c, rp))
        return true;
    if (strcmp(rq->method, "POST") != 0) {
        cloud_page(rp, 405);
        return true;
    }
    enum aliyun_code code = answer_form(c, now_ns, rq, &d);
    cloud_code(c, (int)code);
    rp->status = 200;
    rp->content_type = "application/json;charset=UTF-8";
    (void)buf_printf(&rp->text, "{\"code\":%d,", (int)code);
    if (code == ALIYUN_OK) {
        (void)buf_text(&rp->text, "\"data\":");
        put_names(&rp->text, &d);
        aliyun_put_member(&rp->text, ",", "deviceSecret", d.secret);
        (void)buf_text(&rp->text, "},");
    }
    (void)buf_printf(&rp->text, "\"message\":\"%s\"}", aliyun_code_text(code));
    return true;
}
