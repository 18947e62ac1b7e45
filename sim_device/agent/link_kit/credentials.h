/*
 * How a Link SDK logs in: client id with its extension, user name, password (aliyun note §2.1-2.2).
 *
 *   2.x  {id}|securemode=,_v=,timestamp=,signmethod=hmacsha1,lan=C,gw=0,ext=0|
 *   3.x  {pk}.{dn}|timestamp=,_v=,securemode=,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|
 *   4.x  {pk}.{dn}|timestamp=,_ss=1,_v=,securemode=,signmethod=hmacsha256,ext=3,_conn=|
 *
 * User name {dn}&{pk}. Password: HMAC, keyed with the device secret, over names and values run
 * together in the order clientId, deviceName, productKey, timestamp; the client id counts up to the
 * first bar. The time stamp is a constant, so the password of a device never changes.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_CREDENTIALS_H
#define OTABENCH_AGENT_LINK_KIT_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

#define KIT_PRODUCT_KEY_MAX   20 /* characters, as the 3.x SDK has it */
#define KIT_DEVICE_NAME_MAX   32
#define KIT_DEVICE_SECRET_MAX 64
#define KIT_CLIENT_ID_MAX     256 /* with the final zero */
#define KIT_USER_NAME_MAX     (KIT_DEVICE_NAME_MAX + KIT_PRODUCT_KEY_MAX + 2)
#define KIT_TIMESTAMP         "2524608000000"

enum kit_generation { KIT_2X, KIT_3X, KIT_4X, KIT_GENERATIONS };

/* Texts live as long as the device. */
struct kit_identity {
    const char *product_key;
    const char *device_name;
    const char *device_secret;
};

struct kit_login {
    char client_id[KIT_CLIENT_ID_MAX];
    char user_name[KIT_USER_NAME_MAX];
    char password[HMAC_HEX_MAX];
    bool clean_session;    /* 4.x only */
    uint16_t keep_alive_s; /* as CONNECT carries it: 3.x doubles what it was asked for */
};

/*
 * connect_ms and last_error are for _conn of 4.x: how long the last connect took, and why the
 * connection before it was lost (0: first connect). extra: more client id parameters, "a=1,b=2", or
 * null. 0, or ERR_ARG: a name is empty, too long, or holds a character the cloud does not take.
 */
int kit_login(struct kit_login *out, enum kit_generation generation, const struct kit_identity *id,
              bool tls, uint16_t keep_alive_s, uint32_t connect_ms, uint32_t last_error,
              const char *extra, struct err *err);

#endif
