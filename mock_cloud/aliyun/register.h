/*
 * Dynamic registration, "one secret per product": a device that only knows its product's secret is
 * told its own. Three ways, as the vendor's SDKs have them:
 *
 *   HTTPS   POST /auth/register/device with a form of productKey, deviceName, random, sign and
 *           signMethod; answered with {"code":200,"data":{.."deviceSecret"..}}
 *   MQTT    a connection with authType=register or regnwl in its client id; told on /ext/register
 *           or /ext/regnwl without having subscribed, and good for nothing else
 *   gateway thing/sub/register for its sub-devices (gateway.h)
 *
 * A product registers devices when it has a secret. A device must be listed, but for regnwl, and
 * must never have logged in; each registration gives a new secret, only the last one counts.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_REGISTER_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_REGISTER_H

#include "mock_cloud/aliyun/login.h"

/* Codes of the vendor's table of device errors. */
enum aliyun_code {
    ALIYUN_OK = 200,
    ALIYUN_AUTH = 401,
    ALIYUN_ELSEWHERE = 427,
    ALIYUN_PARAMETER = 460,
    ALIYUN_INTERNAL = 500,
    ALIYUN_NO_SESSION = 520,
    ALIYUN_NO_DEVICE = 6100,
    ALIYUN_NO_PRODUCT = 6250,
    ALIYUN_BAD_SIGN = 6287,
    ALIYUN_NOT_DYNAMIC = 6288,
    ALIYUN_ACTIVATED = 6289,
    ALIYUN_TOPOLOGY_FULL = 6400,
    ALIYUN_NO_TOPOLOGY = 6401,
    ALIYUN_TOPOLOGY_SELF = 6402
};
const char *aliyun_code_text(enum aliyun_code code); /* "success", "request parameter error", ... */

/* Whether it could be registered now. */
enum aliyun_code aliyun_register_check(struct cloud *c, int64_t now_ns,
                                       const struct aliyun_name *name, bool listed);
/* Whether "deviceName{..}productKey{..}random{..}" is signed with the product's secret. */
bool aliyun_register_is_signed(struct cloud *c, const struct aliyun_name *name, enum hmac_kind kind,
                               const char *random, const char *signature);
/* Gives the device its new secret; listed false: it is made when it is not there. */
enum aliyun_code aliyun_register(struct cloud *c, int64_t now_ns, const struct aliyun_name *name,
                                 bool listed, struct store_device *out);

/* The answer to a CONNECT with AUTH_REGISTER or AUTH_UNLISTED: 0, 5 for a product without dynamic
 * registration, else 4. The identity stands for the registration, not for the device. */
enum mqtt_connack aliyun_register_login(struct cloud *c, int64_t now_ns,
                                        const struct mqtt_login *login,
                                        const struct aliyun_client_id *id,
                                        const struct aliyun_name *name,
                                        char identity[MQTT_IDENTITY_MAX]);
/* Tells a registration that is there its result; false when the identity is not one. */
bool aliyun_register_online(struct cloud *c, int64_t now_ns, const char *identity);

/* A form as devices post it, taken apart; texts are decoded. */
struct aliyun_form {
    char product_key[ALIYUN_NAME_MAX + 1], device_name[ALIYUN_NAME_MAX + 1];
    char random[128], sign[HMAC_HEX_MAX], sign_method[32];
};
/* False when it is malformed: a bad escape, a value too long, a name twice. */
bool aliyun_form_parse(const char *text, size_t len_bytes, struct aliyun_form *out);

/* The face's HTTP: true when the path is the registration's. */
bool aliyun_register_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                          struct http_reply *rp);

#endif
