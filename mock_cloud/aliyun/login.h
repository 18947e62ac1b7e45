/*
 * Logins: what the client id's extension says, and the signature over it (aliyun note §2.1, §2.2).
 * A connection may also be for a registration alone (register.h), or come with what an
 * authentication over HTTP gave it (pre_auth.h).
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_LOGIN_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_LOGIN_H

#include "common/digest.h"
#include "mock_cloud/aliyun/aliyun.h"

#define ALIYUN_NAME_MAX 63 /* device name and product key, without the final zero */

/* Who a connection or topic speaks for. */
struct aliyun_name {
    char product_key[ALIYUN_NAME_MAX + 1];
    char device_name[ALIYUN_NAME_MAX + 1];
};
/* "{deviceName}&{productKey}"; false when it is not that, or holds bytes no topic may hold. */
bool aliyun_name_parse(const char *identity, struct aliyun_name *out);
void aliyun_name_identity(const struct aliyun_name *name, char out[MQTT_IDENTITY_MAX]);

/* The device of that name: MQTT_ACCEPTED; MQTT_NOT_AUTHORIZED for a product that is unknown or has
 * no team, MQTT_BAD_CREDENTIALS for an unknown device. */
enum mqtt_connack aliyun_find_device(struct cloud *c, const struct aliyun_name *name,
                                     struct store_device *out);

/* What a connection proves itself with (authType; without it, the device's secret). */
enum aliyun_auth {
    AUTH_DEVICE,
    AUTH_REGISTER, /* "register": the product's secret, for a device that is listed */
    AUTH_UNLISTED, /* "regnwl": the product's secret, for one that need not be */
    AUTH_TOKEN     /* "connwl": what the latter was given, as it is */
};

/* A client id taken apart: "base|key=value,key=value|". A value may hold bars: one SDK for
 * JavaScript calls its language "JS|Ali". */
struct aliyun_client_id {
    char base[MQTT_CLIENT_ID_MAX];
    char timestamp[32]; /* empty: not given, and not signed */
    char random[64];
    enum hmac_kind sign;
    enum aliyun_auth auth;
};
/* MQTT_ACCEPTED; MQTT_BAD_IDENTIFIER for a form that is not the above; MQTT_BAD_CREDENTIALS for a
 * sign method or kind of proof the cloud does not know. Without a sign method it is hmacmd5. */
enum mqtt_connack aliyun_client_id_parse(const char *client_id, struct aliyun_client_id *out);

/* A sign method by its name, in any case ("hmacsha1", "HmacMD5"); false: not one of ours. */
bool aliyun_sign_method(const char *text, size_t len_bytes, enum hmac_kind *out);
/* Whether signature is the hex HMAC of text, in either case; the time it takes does not depend on
 * where they differ. */
bool aliyun_is_signed(enum hmac_kind kind, const char *secret, const char *text,
                      const char *signature);
/* "clientId{..}deviceName{..}productKey{..}timestamp{..}": what devices and gateways sign; members
 * that are empty are left out. ERR_LIMIT. */
#define ALIYUN_SIGNED_MAX (MQTT_CLIENT_ID_MAX + 4 * (ALIYUN_NAME_MAX + 1) + 128)
int aliyun_text_to_sign(const char *client_id, const struct aliyun_name *name,
                        const char *timestamp, char out[ALIYUN_SIGNED_MAX]);

/* The face's login: 2 for a client id without extension, 5 for a product that is unknown or has no
 * team, 4 for an unknown device or a wrong password. */
bool aliyun_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                  enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX]);

#endif
