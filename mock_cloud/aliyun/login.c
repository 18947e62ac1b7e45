#include "mock_cloud/aliyun/login.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mock_cloud/aliyun/pre_auth.h"
#include "mock_cloud/aliyun/register.h"

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

bool aliyun_sign_method(const char *text, size_t len_bytes, enum hmac_kind *out)
{
    static const struct {
        const char *name;
        enum hmac_kind kind;
    } table[] = {{"hmacmd5", HMAC_MD5}, {"hmacsha1", HMAC_SHA1}, {"hmacsha256", HMAC_SHA256}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == len_bytes &&
            strncasecmp(table[i].name, text, len_bytes) == 0) {
            *out = table[i].kind;
            return true;
        }
    }
    return false;
}

static bool find_auth(const char *text, size_t len, enum aliyun_auth *out)
{
    static const struct {
        const char *name;
        enum aliyun_auth auth;
    } table[] = {{"register", AUTH_REGISTER}, {"regnwl", AUTH_UNLISTED}, {"connwl", AUTH_TOKEN}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, text, len) == 0) {
            *out = table[i].auth;
            return true;
        }
    }
    return false;
}

static bool keep_value(const char *value, size_t len, char *out, size_t room)
{
    if (len >= room)
        return false;
    memcpy(out, value, len);
    out[len] = '\0';
    return true;
}

enum mqtt_connack aliyun_client_id_parse(const char *client_id, struct aliyun_client_id *out)
{
    *out = (struct aliyun_client_id){.sign = HMAC_MD5, .auth = AUTH_DEVICE};
    size_t base = strcspn(client_id, "|");
    size_t whole = strnlen(client_id, MQTT_CLIENT_ID_MAX);
    if (base == 0 || whole == MQTT_CLIENT_ID_MAX || whole < base + 2 || client_id[whole - 1] != '|')
        return MQTT_BAD_IDENTIFIER;
    memcpy(out->base, client_id, base);
    const char *p = client_id + base + 1, *end = client_id + whole - 1;
    while (p < end) {
        size_t len = strcspn(p, ",");
        const char *value = NULL;
        size_t value_len = 0;
        if (len > (size_t)(end - p))
            len = (size_t)(end - p);
        if (pair_is(p, len, "timestamp", &value, &value_len)) {
            if (!keep_value(value, value_len, out->timestamp, sizeof out->timestamp))
                return MQTT_BAD_IDENTIFIER;
        } else if (pair_is(p, len, "random", &value, &value_len)) {
            if (!keep_value(value, value_len, out->random, sizeof out->random))
                return MQTT_BAD_IDENTIFIER;
        } else if (pair_is(p, len, "signmethod", &value, &value_len)) {
            if (!aliyun_sign_method(value, value_len, &out->sign))
                return MQTT_BAD_CREDENTIALS;
        } else if (pair_is(p, len, "authType", &value, &value_len) &&
                   !find_auth(value, value_len, &out->auth)) {
            return MQTT_BAD_CREDENTIALS;
        }
        p += len + 1;
    }
    return MQTT_ACCEPTED;
}

int aliyun_text_to_sign(const char *client_id, const struct aliyun_name *name,
                        const char *timestamp, char out[ALIYUN_SIGNED_MAX])
{
    int len = snprintf(out, ALIYUN_SIGNED_MAX, "%s%sdeviceName%sproductKey%s%s%s",
                       client_id[0] != '\0' ? "clientId" : "", client_id, name->device_name,
                       name->product_key, timestamp[0] != '\0' ? "timestamp" : "", timestamp);
    return len > 0 && len < (int)ALIYUN_SIGNED_MAX ? 0 : ERR_LIMIT;
}

bool aliyun_is_signed(enum hmac_kind kind, const char *secret, const char *text,
                      const char *signature)
{
    char want[HMAC_HEX_MAX], lower[HMAC_HEX_MAX] = "";
    hmac_hex_of(kind, secret, strlen(secret), text, strlen(text), want);
    size_t len = strlen(want);
    if (strnlen(signature, HMAC_HEX_MAX) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)signature[i]);
    return CRYPTO_memcmp(lower, want, len) == 0;
}

/* What a device was given when it registered without being listed, letter by letter. */
static bool is_token(const char *password, const char *token)
{
    size_t len = strlen(token);
    return len > 0 && strlen(password) == len && CRYPTO_memcmp(password, token, len) == 0;
}

enum mqtt_connack aliyun_find_device(struct cloud *c, const struct aliyun_name *name,
                                     struct store_device *out)
{
    struct store_product product;
    char identity[MQTT_IDENTITY_MAX];
    if (store_get_product(cloud_store(c), name->product_key, &product, NULL) != 0 ||
        !product.has_team)
        return MQTT_NOT_AUTHORIZED;
    aliyun_name_identity(name, identity);
    bool known = store_get_device(cloud_store(c), identity, out, NULL) == 0 &&
                 strcmp(out->product_id, name->product_key) == 0;
    return known ? MQTT_ACCEPTED : MQTT_BAD_CREDENTIALS;
}

static enum mqtt_connack check(struct cloud *c, const struct mqtt_login *login,
                               const struct aliyun_client_id *id, const struct aliyun_name *name)
{
    struct store_device device;
    char text[ALIYUN_SIGNED_MAX];
    enum mqtt_connack code = aliyun_find_device(c, name, &device);
    if (code != MQTT_ACCEPTED)
        return code;
    if (login->password == NULL)
        return MQTT_BAD_CREDENTIALS;
    bool good = id->auth == AUTH_TOKEN
                    ? is_token(login->password, device.secret)
                    : aliyun_text_to_sign(id->base, name, id->timestamp, text) == 0 &&
                          aliyun_is_signed(id->sign, device.secret, text, login->password);
    return good ? MQTT_ACCEPTED : MQTT_BAD_CREDENTIALS;
}

bool aliyun_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                  enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX])
{
    struct aliyun_client_id id;
    struct aliyun_name name;
    if (login->user_name == NULL)
        return false;
    if (pre_auth_login(c, now_ns, login, code, identity))
        return true;
    if (!aliyun_name_parse(login->user_name, &name))
        return false;
    *code = aliyun_client_id_parse(login->client_id, &id);
    if (*code != MQTT_ACCEPTED)
        return true;
    if (id.auth == AUTH_REGISTER || id.auth == AUTH_UNLISTED) {
        *code = aliyun_register_login(c, now_ns, login, &id, &name, identity);
        return true;
    }
    *code = check(c, login, &id, &name);
    if (*code == MQTT_ACCEPTED)
        aliyun_name_identity(&name, identity);
    return true;
}

int aliyun_password(const char *client_id, const char *extension, const char *device_name,
                    const char *product_key, const char *secret, char out[65])
{
    char raw[MQTT_CLIENT_ID_MAX], text[ALIYUN_SIGNED_MAX];
    struct aliyun_client_id id;
    struct aliyun_name name;
    int len = snprintf(raw, sizeof raw, "%s|%s|", client_id, extension);
    if (len < 0 || (size_t)len >= sizeof raw || aliyun_client_id_parse(raw, &id) != MQTT_ACCEPTED ||
        !is_name(device_name, strlen(device_name)) || !is_name(product_key, strlen(product_key)))
        return ERR_ARG;
    (void)snprintf(name.device_name, sizeof name.device_name, "%s", device_name);
    (void)snprintf(name.product_key, sizeof name.product_key, "%s", product_key);
    if (aliyun_text_to_sign(id.base, &name, id.timestamp, text) != 0)
        return ERR_ARG;
    hmac_hex_of(id.sign, secret, strlen(secret), text, strlen(text), out);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    return 0;
}
