#include "mock_cloud/aliyun/login.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define SIGNED_MAX (MQTT_CLIENT_ID_MAX + 4 * (ALIYUN_NAME_MAX + 1) + 128)

static bool is_name(const char *text, size_t len)
{
    if (len == 0 || len > ALIYUN_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] > '~' ||
            strchr("/+#&|", text[i]) != NULL)
            return false;
    return true;
}

bool aliyun_name_parse(const char *identity, struct aliyun_name *out)
{
    size_t len = strcspn(identity, "&");
    const char *product = identity + len + 1;
    if (identity[len] != '&' || !is_name(identity, len) || !is_name(product, strlen(product)))
        return false;
    (void)snprintf(out->device_name, sizeof out->device_name, "%.*s", (int)len, identity);
    (void)snprintf(out->product_key, sizeof out->product_key, "%s", product);
    return true;
}

void aliyun_name_identity(const struct aliyun_name *name, char out[MQTT_IDENTITY_MAX])
{
    (void)snprintf(out, MQTT_IDENTITY_MAX, "%s&%s", name->device_name, name->product_key);
}

/* Whether the pair at p, len long, has that key; *value then is what follows the sign. */
static bool pair_is(const char *p, size_t len, const char *key, const char **value,
                    size_t *value_len)
{
    size_t key_len = strlen(key);
    if (len <= key_len || memcmp(p, key, key_len) != 0 || p[key_len] != '=')
        return false;
    *value = p + key_len + 1;
    *value_len = len - key_len - 1;
    return true;
}

static bool find_sign(const char *text, size_t len, enum hmac_kind *out)
{
    static const struct {
        const char *name;
        enum hmac_kind kind;
    } table[] = {{"hmacmd5", HMAC_MD5}, {"hmacsha1", HMAC_SHA1}, {"hmacsha256", HMAC_SHA256}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, text, len) == 0) {
            *out = table[i].kind;
            return true;
        }
    }
    return false;
}

enum mqtt_connack aliyun_client_id_parse(const char *client_id, struct aliyun_client_id *out)
{
    *out = (struct aliyun_client_id){.sign = HMAC_MD5};
    size_t base = strcspn(client_id, "|");
    size_t whole = strnlen(client_id, MQTT_CLIENT_ID_MAX);
    if (base == 0 || whole == MQTT_CLIENT_ID_MAX || whole < base + 2 || client_id[whole - 1] != '|')
        return MQTT_BAD_IDENTIFIER;
    memcpy(out->base, client_id, base);
    const char *p = client_id + base + 1, *end = client_id + whole - 1;
    while (p < end) {
        size_t len = strcspn(p, ",|");
        const char *value = NULL;
        size_t value_len = 0;
        if (p + len < end && p[len] == '|')
            return MQTT_BAD_IDENTIFIER; /* a third bar */
        if (pair_is(p, len, "timestamp", &value, &value_len)) {
            if (value_len >= sizeof out->timestamp)
                return MQTT_BAD_IDENTIFIER;
            memcpy(out->timestamp, value, value_len);
            out->timestamp[value_len] = '\0';
        } else if (pair_is(p, len, "signmethod", &value, &value_len) &&
                   !find_sign(value, value_len, &out->sign)) {
            return MQTT_BAD_CREDENTIALS;
        }
        p += len + (p[len] == ',');
        if (p[0] == '|')
            break;
    }
    return MQTT_ACCEPTED;
}

/* Lower-case hex; the length says how much. */
static size_t sign_login(const struct aliyun_client_id *id, const struct aliyun_name *name,
                         const char *secret, char out[HMAC_HEX_MAX])
{
    char text[SIGNED_MAX];
    int len = snprintf(text, sizeof text, "clientId%sdeviceName%sproductKey%s%s%s", id->base,
                       name->device_name, name->product_key,
                       id->timestamp[0] != '\0' ? "timestamp" : "", id->timestamp);
    hmac_hex_of(id->sign, secret, strlen(secret), text, (size_t)len, out);
    return strlen(out);
}

/* In a time that does not depend on where they differ; either case (aliyun note §2.2). */
static bool same_password(const char *password, const char *want, size_t want_len)
{
    char lower[HMAC_HEX_MAX] = "";
    if (strnlen(password, HMAC_HEX_MAX) != want_len)
        return false;
    for (size_t i = 0; i < want_len; i++)
        lower[i] = (char)tolower((unsigned char)password[i]);
    return CRYPTO_memcmp(lower, want, want_len) == 0;
}

static enum mqtt_connack check(struct cloud *c, const struct mqtt_login *login,
                               const struct aliyun_name *name)
{
    struct aliyun_client_id id;
    struct store_product product;
    struct store_device device;
    char want[HMAC_HEX_MAX];
    enum mqtt_connack code = aliyun_client_id_parse(login->client_id, &id);
    if (code != MQTT_ACCEPTED)
        return code;
    if (store_get_product(cloud_store(c), name->product_key, &product, NULL) != 0 ||
        !product.has_team)
        return MQTT_NOT_AUTHORIZED;
    bool known = store_get_device(cloud_store(c), login->user_name, &device, NULL) == 0 &&
                 strcmp(device.product_id, name->product_key) == 0;
    if (login->password == NULL || !known)
        return MQTT_BAD_CREDENTIALS;
    size_t len = sign_login(&id, name, device.secret, want);
    return same_password(login->password, want, len) ? MQTT_ACCEPTED : MQTT_BAD_CREDENTIALS;
}

bool aliyun_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                  enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX])
{
    struct aliyun_name name;
    (void)now_ns;
    if (login->user_name == NULL || !aliyun_name_parse(login->user_name, &name))
        return false;
    *code = check(c, login, &name);
    if (*code == MQTT_ACCEPTED)
        aliyun_name_identity(&name, identity);
    return true;
}

int aliyun_password(const char *client_id, const char *extension, const char *device_name,
                    const char *product_key, const char *secret, char out[65])
{
    char raw[MQTT_CLIENT_ID_MAX];
    struct aliyun_client_id id;
    struct aliyun_name name;
    int len = snprintf(raw, sizeof raw, "%s|%s|", client_id, extension);
    if (len < 0 || (size_t)len >= sizeof raw || aliyun_client_id_parse(raw, &id) != MQTT_ACCEPTED ||
        !is_name(device_name, strlen(device_name)) || !is_name(product_key, strlen(product_key)))
        return ERR_ARG;
    (void)snprintf(name.device_name, sizeof name.device_name, "%s", device_name);
    (void)snprintf(name.product_key, sizeof name.product_key, "%s", product_key);
    size_t hex = sign_login(&id, &name, secret, out);
    for (size_t i = 0; i < hex; i++)
        out[i] = (char)toupper((unsigned char)out[i]);
    return 0;
}
