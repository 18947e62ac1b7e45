#include "mock_cloud/aliyun/pre_auth.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/signed_url.h"

#define PATH "/auth/devicename"
#define MARK "&iot" /* behind an identity: no product key has an & */

enum pre_auth_code { PASSED = 200, BAD_SIGN = 401, BAD_FORM = 460, NO_DEVICE = 5001 };

static const char *code_text(enum pre_auth_code code)
{
    static const struct {
        enum pre_auth_code code;
        const char *text;
    } table[] = {{PASSED, "success"},
                 {BAD_SIGN, "request auth error"},
                 {BAD_FORM, "param error"},
                 {NO_DEVICE, "meta device not found"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].text;
    return "unknown error";
}

bool pre_auth_form_parse(const char *text, size_t len_bytes, struct pre_auth_form *out)
{
    *out = (struct pre_auth_form){.sign = ""};
    const struct signed_url_field fields[] = {
        {"clientId", out->client_id, sizeof out->client_id},
        {"productKey", out->product_key, sizeof out->product_key},
        {"deviceName", out->device_name, sizeof out->device_name},
        {"timestamp", out->timestamp, sizeof out->timestamp},
        {"sign", out->sign, sizeof out->sign},
        {"signmethod", out->sign_method, sizeof out->sign_method}};
    return signed_url_fields(text, len_bytes, fields, sizeof fields / sizeof fields[0]);
}

bool pre_auth_name_parse(const char *iot_id, struct aliyun_name *out)
{
    char identity[PRE_AUTH_TEXT_MAX];
    size_t len = strnlen(iot_id, PRE_AUTH_TEXT_MAX), mark = sizeof MARK - 1;
    if (len == PRE_AUTH_TEXT_MAX || len <= mark || strcmp(iot_id + len - mark, MARK) != 0)
        return false;
    (void)snprintf(identity, sizeof identity, "%.*s", (int)(len - mark), iot_id);
    return aliyun_name_parse(identity, out);
}

/* "{until, Unix time}-{digest}" */
static void make_token(const struct cloud *c, const struct store_device *d, int64_t until_s,
                       char out[PRE_AUTH_TEXT_MAX])
{
    char text[24], key[2 * MD5_BYTES + 1], whose[2 * MD5_BYTES + 1], digest[2 * MD5_BYTES + 1];
    (void)snprintf(text, sizeof text, "%" PRId64, until_s);
    signed_url_derive(c, "pre-auth", d->device_id, whose);
    signed_url_derive(c, whose, d->secret, key);
    signed_url_derive(c, key, text, digest);
    (void)snprintf(out, PRE_AUTH_TEXT_MAX, "%s-%s", text, digest);
}

/* ---- HTTP ---- */

static enum pre_auth_code check_form(struct cloud *c, const struct http_request *rq,
                                     char iot_id[PRE_AUTH_TEXT_MAX], struct store_device *d)
{
    struct pre_auth_form f;
    struct aliyun_name name;
    enum hmac_kind kind = HMAC_MD5;
    char text[ALIYUN_SIGNED_MAX];
    if (rq->body == NULL || !pre_auth_form_parse((const char *)rq->body, rq->body_bytes, &f))
        return BAD_FORM;
    int len = snprintf(iot_id, PRE_AUTH_TEXT_MAX, "%s&%s" MARK, f.device_name, f.product_key);
    if (len >= PRE_AUTH_TEXT_MAX || !pre_auth_name_parse(iot_id, &name) || f.client_id[0] == '\0')
        return BAD_FORM;
    if (f.sign_method[0] != '\0' &&
        !aliyun_sign_method(f.sign_method, strlen(f.sign_method), &kind))
        return BAD_FORM;
    if (aliyun_find_device(c, &name, d) != MQTT_ACCEPTED)
        return NO_DEVICE;
    return aliyun_text_to_sign(f.client_id, &name, f.timestamp, text) == 0 &&
                   aliyun_is_signed(kind, d->secret, text, f.sign)
               ? PASSED
               : BAD_SIGN;
}

/* Where to log in, unless the broker is somebody else's. */
static void put_resources(const struct cloud *c, bool tls, struct buf *out)
{
    const struct cloud_config *cfg = cloud_config(c);
    uint16_t port = tls ? cfg->mqtts_port : cfg->mqtt_port;
    if (port == 0)
        return;
    aliyun_put_member(out, ",\"resources\":{\"mqtt\":{", "host", cfg->download_host);
    (void)buf_printf(out, ",\"port\":%u}}", port);
}

bool pre_auth_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                   struct http_reply *rp)
{
    struct store_device d;
    char iot_id[PRE_AUTH_TEXT_MAX], token[PRE_AUTH_TEXT_MAX];
    if (strcmp(rq->path, PATH) != 0)
        return false;
    cloud_begin(c, RQ_OTHER);
    if (cloud_refuse(c, rp))
        return true;
    if (strcmp(rq->method, "POST") != 0) {
        cloud_page(rp, 405);
        return true;
    }
    enum pre_auth_code code = check_form(c, rq, iot_id, &d);
    cloud_code(c, (int)code);
    rp->status = 200;
    rp->content_type = "application/json;charset=UTF-8";
    (void)buf_printf(&rp->text, "{\"code\":%d,", (int)code);
    if (code == PASSED) {
        make_token(c, &d, signed_url_unix_s(c, now_ns) + PRE_AUTH_TOKEN_LIFETIME_S, token);
        aliyun_put_member(&rp->text, "\"data\":{", "iotId", iot_id);
        aliyun_put_member(&rp->text, ",", "iotToken", token);
        put_resources(c, rq->tls, &rp->text);
        (void)buf_text(&rp->text, "},");
    }
    (void)buf_printf(&rp->text, "\"message\":\"%s\"}", code_text(code));
    return true;
}

/* ---- MQTT ---- */

static bool is_good(struct cloud *c, int64_t now_ns, const char *password,
                    const struct store_device *d)
{
    char want[PRE_AUTH_TEXT_MAX];
    size_t digits = password == NULL ? 0 : strspn(password, "0123456789");
    if (digits == 0 || digits > 12 || strnlen(password, PRE_AUTH_TEXT_MAX) == PRE_AUTH_TEXT_MAX)
        return false;
    int64_t until_s = strtoll(password, NULL, 10);
    make_token(c, d, until_s, want);
    return strlen(password) == strlen(want) && CRYPTO_memcmp(password, want, strlen(want)) == 0 &&
           signed_url_unix_s(c, now_ns) < until_s;
}

bool pre_auth_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                    enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX])
{
    struct store_device d;
    struct aliyun_name name;
    if (!pre_auth_name_parse(login->user_name, &name))
        return false;
    *code = aliyun_find_device(c, &name, &d);
    if (*code == MQTT_BAD_CREDENTIALS ||
        (*code == MQTT_ACCEPTED && !is_good(c, now_ns, login->password, &d)))
        *code = MQTT_UNAVAILABLE;
    if (*code == MQTT_ACCEPTED)
        aliyun_name_identity(&name, identity);
    return true;
}
