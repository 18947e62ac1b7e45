#include "sim_device/agent/link_kit/credentials.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIGN_TEXT_MAX 256

struct form {
    const char *sdk;
    enum hmac_kind hmac;
    bool upper; /* hex of the password */
    bool clean_session;
};

static const struct form forms[KIT_GENERATIONS] = {
    [KIT_2X] = {"sdk-c-2.3.0", HMAC_SHA1, false, true},
    [KIT_3X] = {"sdk-c-3.2.0", HMAC_SHA256, true, false},
    [KIT_4X] = {"sdk-c-4.2.0", HMAC_SHA256, true, true},
};

static int check(const char *what, const char *text, size_t max, struct err *err)
{
    size_t len = text != NULL ? strnlen(text, max + 1) : 0;
    if (len == 0 || len > max)
        return err_set(err, ERR_ARG, "%s: must have 1..%zu characters", what, max);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("-_.:@", text[i]) == NULL)
            return err_set(err, ERR_ARG, "%s: takes letters, digits and - _ . : @", what);
    return 0;
}

static int fit(int n, size_t cap, struct err *err)
{
    return n >= 0 && (size_t)n < cap ? 0 : err_set(err, ERR_ARG, "client id: too long");
}

static int client_id(struct kit_login *out, enum kit_generation generation, const char *base,
                     bool tls, uint32_t connect_ms, uint32_t last_error, const char *extra,
                     struct err *err)
{
    const struct form *f = &forms[generation];
    const char *comma = extra != NULL && extra[0] != '\0' ? "," : "";
    char conn[40];
    size_t cap = sizeof(out->client_id);
    int mode = tls ? 2 : 3;
    extra = extra != NULL ? extra : "";
    switch (generation) {
    case KIT_2X:
        return fit(snprintf(out->client_id, cap,
                            "%s|securemode=%d,_v=%s,timestamp=" KIT_TIMESTAMP
                            ",signmethod=hmacsha1,lan=C,gw=0,ext=0%s%s|",
                            base, mode, f->sdk, comma, extra),
                   cap, err);
    case KIT_3X:
        return fit(
            snprintf(out->client_id, cap,
                     "%s|timestamp=" KIT_TIMESTAMP
                     ",_v=%s,securemode=%d,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0%s%s|",
                     base, f->sdk, mode, comma, extra),
            cap, err);
    default:
        (void)snprintf(conn, sizeof(conn), "%s_%" PRIX32, tls ? "tls" : "tcp", connect_ms);
        if (last_error != 0)
            (void)snprintf(conn + strlen(conn), sizeof(conn) - strlen(conn), "_-%04" PRIX32,
                           last_error);
        return fit(snprintf(out->client_id, cap,
                            "%s|timestamp=" KIT_TIMESTAMP
                            ",_ss=1,_v=%s,securemode=%d,signmethod=hmacsha256,ext=3,_conn=%s%s%s|",
                            base, f->sdk, mode, conn, comma, extra),
                   cap, err);
    }
}

int kit_login(struct kit_login *out, enum kit_generation generation, const struct kit_identity *id,
              bool tls, uint16_t keep_alive_s, uint32_t connect_ms, uint32_t last_error,
              const char *extra, struct err *err)
{
    const struct form *f = &forms[generation];
    char base[KIT_PRODUCT_KEY_MAX + KIT_DEVICE_NAME_MAX + 2], text[SIGN_TEXT_MAX];
    int rc = check("product key", id->product_key, KIT_PRODUCT_KEY_MAX, err);
    if (rc == 0)
        rc = check("device name", id->device_name, KIT_DEVICE_NAME_MAX, err);
    if (rc == 0)
        rc = check("device secret", id->device_secret, KIT_DEVICE_SECRET_MAX, err);
    if (rc != 0)
        return rc;
    memset(out, 0, sizeof(*out));
    (void)snprintf(base, sizeof(base), "%s.%s", id->product_key, id->device_name);
    rc = client_id(out, generation, base, tls, connect_ms, last_error, extra, err);
    if (rc != 0)
        return rc;
    (void)snprintf(out->user_name, sizeof(out->user_name), "%s&%s", id->device_name,
                   id->product_key);
    int n =
        snprintf(text, sizeof(text), "clientId%sdeviceName%sproductKey%stimestamp" KIT_TIMESTAMP,
                 base, id->device_name, id->product_key);
    hmac_hex_of(f->hmac, id->device_secret, strlen(id->device_secret), text, (size_t)n,
                out->password);
    for (char *p = out->password; f->upper && *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    out->clean_session = f->clean_session;
    uint32_t keep = generation == KIT_3X ? keep_alive_s * 2u : keep_alive_s;
    out->keep_alive_s = keep <= UINT16_MAX ? (uint16_t)keep : UINT16_MAX;
    return 0;
}
