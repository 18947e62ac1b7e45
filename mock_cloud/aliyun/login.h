/*
 * Logins: what the client id's extension says, and the signature over it (aliyun note §2.1, §2.2).
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

/* A client id taken apart: "base|key=value,key=value|". */
struct aliyun_client_id {
    char base[MQTT_CLIENT_ID_MAX];
    char timestamp[32]; /* empty: not given, and not signed */
    enum hmac_kind sign;
};
/* MQTT_ACCEPTED; MQTT_BAD_IDENTIFIER for a form that is not the above; MQTT_BAD_CREDENTIALS for a
 * sign method the cloud does not know. Without a sign method it is hmacmd5. */
enum mqtt_connack aliyun_client_id_parse(const char *client_id, struct aliyun_client_id *out);

/* The face's login: 2 for a client id without extension, 5 for a product that is unknown or has no
 * team, 4 for an unknown device or a wrong password. */
bool aliyun_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                  enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX]);

#endif
