/*
 * Authentication ahead of MQTT, an option of the Link SDKs 2 and 3 and of older clients (aliyun
 * note §2.2): the device signs a form as it would sign its CONNECT, posts it to /auth/devicename,
 * and is told a name and a token to log in with, and where.
 *
 *   {"code":200,"data":{"iotId":"..","iotToken":"..","resources":{"mqtt":{"host":"..","port":1883}}},
 *    "message":"success"}
 *
 * The whole stays below 300 bytes, name and token below 64 each: what the SDKs have room for. A
 * request over HTTPS is told the port with TLS. Codes are those of the vendor's page: 401
 * signature, 460 form, 5001 no such device; the status is 200 in any case.
 *
 * Nothing is kept: the token says until when it is good and is signed with a key that follows from
 * the device's secret, so another secret ends it.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_PRE_AUTH_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_PRE_AUTH_H

#include "mock_cloud/aliyun/login.h"

#define PRE_AUTH_TOKEN_LIFETIME_S INT64_C(604800) /* seven days */
#define PRE_AUTH_TEXT_MAX         64              /* iotId, iotToken; with the final zero */

/* The form, taken apart; texts are decoded. */
struct pre_auth_form {
    char client_id[MQTT_CLIENT_ID_MAX];
    char product_key[ALIYUN_NAME_MAX + 1], device_name[ALIYUN_NAME_MAX + 1];
    char timestamp[32], sign[HMAC_HEX_MAX], sign_method[32]; /* hmacmd5 when empty */
};
/* False when it is malformed: a bad escape, a value too long, a name twice. */
bool pre_auth_form_parse(const char *text, size_t len_bytes, struct pre_auth_form *out);

/* An iotId: "{deviceName}&{productKey}&iot". False when it is none. */
bool pre_auth_name_parse(const char *iot_id, struct aliyun_name *out);

/* The face's HTTP: true when the path is that of the authentication. */
bool pre_auth_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                   struct http_reply *rp);
/* The face's login for who comes with an iotId; false: it is none. Refused: 5 for a product
 * without team, 3 for a token that is wrong, over, or of another secret (as the vendor's page
 * says). */
bool pre_auth_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                    enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX]);

#endif
