#include "sim_device/agent/cmiot/message.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

#define BODY_AT   512 /* bodies are written here first: their length goes into the head */
#define BODY_MAX  (MESSAGE_REQUEST_MAX - BODY_AT)
#define DEPTH_MAX 8
#define SIGN_TEXT 128

/* Text under construction in storage of the caller. */
struct text {
    char *at;
    size_t cap_bytes, len_bytes;
    bool overflow;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at + t->len_bytes, t->cap_bytes - t->len_bytes, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->cap_bytes - t->len_bytes)
        t->overflow = true;
    else
        t->len_bytes += (size_t)n;
}

/* ,"sign":"..." with the key and id that the step demands (cms-ota §3). */
static void add_sign(struct text *t, const struct speaker *who, const char *id, const char *key)
{
    char text[3 * SIGN_TEXT], sign[2 * MD5_BYTES + 1];
    int n = snprintf(text, sizeof(text), "%s%s%" PRIu32, id, who->config->product_id,
                     (uint32_t)cmiot_get_utc_time());
    hmac_md5_hex(key, strlen(key), text, (size_t)n, sign);
    add(t, ",\"sign\":\"%s\"", sign);
}

static struct text body_open(char *out, const struct speaker *who)
{
    struct text t = {.at = out + BODY_AT, .cap_bytes = BODY_MAX};
    add(&t, "{\"mid\":\"%s\"", who->mid);
    return t;
}

/* Puts the head before the body; path holds one %s after "/product/": see callers. */
static size_t post(char *out, const struct speaker *who, struct text *body, const char *path)
{
    struct text head = {.at = out, .cap_bytes = BODY_AT};
    add(&head,
        "POST %s HTTP/1.1\r\nAccept: */*\r\nHost: %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %04zu\r\n\r\n",
        path, who->config->host, body->len_bytes);
    if (head.overflow || body->overflow)
        return 0;
    memmove(out + head.len_bytes, body->at, body->len_bytes + 1);
    return head.len_bytes + body->len_bytes;
}

static size_t post_ota(char *out, const struct speaker *who, struct text *body, const char *verb)
{
    char path[256];
    int n = snprintf(path, sizeof(path), "/product/%s/%s/ota/%s", who->config->product_id,
                     who->device_id, verb);
    add(body, "}");
    return n > 0 && (size_t)n < sizeof(path) ? post(out, who, body, path) : 0;
}

static void add_timestamp(struct text *t)
{
    add(t, ",\"timestamp\":%" PRIu32, (uint32_t)cmiot_get_utc_time());
}

size_t message_register(char *out, const struct speaker *who)
{
    const struct device_config *c = who->config;
    char path[128];
    struct text t = body_open(out, who);
    add(&t, ",\"oem\":\"%s\",\"models\":\"%s\",\"platform\":\"%s\",\"deviceType\":\"%s\"", c->oem,
        c->model, c->platform, c->device_type);
    add_timestamp(&t);
    add_sign(&t, who, who->mid, c->product_key);
    add(&t,
        ",\"sdkversion\":\"-\",\"appversion\":\"ONEOS_V1.0\",\"version\":\"%s\","
        "\"networkType\":\"%s\"}",
        who->version, cmiot_get_network_type());
    (void)snprintf(path, sizeof(path), "/register/%s", c->product_id);
    return post(out, who, &t, path);
}

size_t message_check(char *out, const struct speaker *who)
{
    struct text t = body_open(out, who);
    add(&t, ",\"version\":\"%s\"", who->version);
    add_timestamp(&t);
    add_sign(&t, who, who->device_id, who->device_secret);
    return post_ota(out, who, &t, "checkVersion");
}

size_t message_download_report(char *out, const struct speaker *who, uint32_t delta_id, int status,
                               uint32_t size_bytes)
{
    uint32_t now = cmiot_get_utc_time();
    struct text t = body_open(out, who);
    add(&t,
        ",\"deltaID\":\"%" PRIu32 "\",\"downloadStatus\":%d,\"downStart\":%" PRIu32
        ",\"downEnd\":%" PRIu32 ",\"downSize\":%" PRIu32,
        delta_id, status, now, now, size_bytes);
    add_timestamp(&t);
    add_sign(&t, who, who->device_id, who->device_secret);
    return post_ota(out, who, &t, "reportDownResult");
}

size_t message_upgrade_report(char *out, const struct speaker *who, uint32_t delta_id, int status)
{
    struct text t = body_open(out, who);
    add(&t, ",\"deltaID\":\"%" PRIu32 "\",\"updateStatus\":%d", delta_id, status);
    add_timestamp(&t);
    add_sign(&t, who, who->device_id, who->device_secret);
    return post_ota(out, who, &t, "reportUpgradeResult");
}

size_t message_get(char *out, const struct speaker *who, const struct offer *o, uint32_t from,
                   uint32_t to)
{
    struct text t = {.at = out, .cap_bytes = MESSAGE_REQUEST_MAX};
    add(&t, "GET %s", o->path);
    /* A path that has a query already, a signed one for example, keeps it intact. */
    if (who->device_id[0] != '\0')
        add(&t, "%c%s", strchr(o->path, '?') == NULL ? '?' : '&', who->device_id);
    add(&t, " HTTP/1.1\r\nAccept: */*\r\nHost: %s\r\nRange: bytes=%" PRIu32 "-%" PRIu32 "\r\n\r\n",
        o->host, from, to);
    return t.overflow ? 0 : t.len_bytes;
}

/* ---- replies ---- */

/* Only visible ASCII may go into a request line or a path. */
static bool visible(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

static bool is_id(const char *s)
{
    for (const char *p = s; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
            return false;
    return *s != '\0';
}

static bool copy(char *out, size_t cap_bytes, const char *from, size_t len_bytes)
{
    if (len_bytes >= cap_bytes)
        return false;
    memcpy(out, from, len_bytes);
    out[len_bytes] = '\0';
    return true;
}

/* http://host[:port]/path, nothing else (cms-ota §1.7). */
static int read_url(struct offer *o, const char *url, struct err *err)
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || !visible(url))
        return err_set(err, ERR_UNSUPPORTED,
                       "deltaUrl: must begin with http:// and have no blanks");
    const char *host = url + sizeof(scheme) - 1;
    size_t authority = strcspn(host, "/?#");
    size_t host_len = strcspn(host, ":/?#");
    const char *path = host + authority;
    unsigned port = 80;
    if (host[host_len] == ':') {
        size_t digits = strspn(host + host_len + 1, "0123456789");
        port = 0;
        for (size_t i = 0; i < digits && port <= UINT16_MAX; i++)
            port = port * 10 + (unsigned)(host[host_len + 1 + i] - '0');
        if (host_len + 1 + digits != authority || port == 0 || port > UINT16_MAX)
            return err_set(err, ERR_UNSUPPORTED, "deltaUrl: the port must be 1..65535");
    }
    o->port = (uint16_t)port;
    if (host_len == 0 || !copy(o->host, sizeof(o->host), host, host_len) || !is_id(o->host))
        return err_set(err, ERR_UNSUPPORTED,
                       "deltaUrl: the host must have 1..%d letters, digits, "
                       "dots and dashes",
                       OFFER_HOST_MAX - 1);
    if (*path != '/' || strchr(path, '#') != NULL ||
        !copy(o->path, sizeof(o->path), path, strlen(path)))
        return err_set(err, ERR_UNSUPPORTED,
                       "deltaUrl: the path must begin with / and have at most "
                       "%d characters",
                       OFFER_PATH_MAX - 1);
    return 0;
}

static int read_delta_id(struct offer *o, const char *text, struct err *err)
{
    uint64_t v = 0;
    size_t n = strspn(text, "0123456789");
    for (size_t i = 0; i < n && v <= INT32_MAX; i++)
        v = v * 10 + (uint64_t)(text[i] - '0');
    if (n == 0 || text[n] != '\0' || v == 0 || v > INT32_MAX)
        return err_set(err, ERR_UNSUPPORTED, "deltaID: must be a decimal text of 1..2147483647");
    o->delta_id = (uint32_t)v;
    return 0;
}

#define JSON_INT_MAX (INT64_C(1) << 53)

static int read_offer(struct offer *o, const cJSON *root, const cJSON *data, struct err *err)
{
    const cJSON *version;
    const char *url, *delta_id, *md5, *name = "";
    int64_t size, type = 0;
    int rc;
    if ((rc = json_need(json_get_object(root, data, "version", &version, err), root, data,
                        "version", err)) != 0 ||
        (rc = json_need(json_get_string(root, version, "deltaUrl", 0, SIZE_MAX, &url, err), root,
                        version, "deltaUrl", err)) != 0 ||
        (rc = json_need(json_get_string(root, version, "deltaID", 0, SIZE_MAX, &delta_id, err),
                        root, version, "deltaID", err)) != 0 ||
        (rc = json_need(
             json_get_int(root, version, "fileSize", -JSON_INT_MAX, JSON_INT_MAX, &size, err), root,
             version, "fileSize", err)) != 0 ||
        (rc = json_need(json_get_string(root, version, "md5sum", 0, SIZE_MAX, &md5, err), root,
                        version, "md5sum", err)) != 0 ||
        (rc = json_get_string(root, version, "versionName", 0, SIZE_MAX, &name, err)) < 0 ||
        (rc = json_get_int(root, version, "packageType", -JSON_INT_MAX, JSON_INT_MAX, &type, err)) <
            0)
        return rc;
    if ((rc = read_url(o, url, err)) != 0 || (rc = read_delta_id(o, delta_id, err)) != 0)
        return rc;
    if (size <= 0)
        return err_set(err, ERR_UNSUPPORTED, "fileSize: is %" PRId64 ", must be above 0", size);
    o->file_bytes = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    if (!hex_decode(o->md5, MD5_BYTES, md5))
        return err_set(err, ERR_UNSUPPORTED, "md5sum: must be 32 hex digits");
    if (!copy(o->version, sizeof(o->version), name, strlen(name)))
        return err_set(err, ERR_UNSUPPORTED, "versionName: at most %d characters",
                       CMIOT_VERSION_NAME_MAX - 1);
    o->full = type == 2;
    return 0;
}

static int read_identity(struct reply_data *out, const cJSON *root, const cJSON *data,
                         struct err *err)
{
    const char *id, *secret;
    int rc = json_need(json_get_string(root, data, "deviceId", 0, SIZE_MAX, &id, err), root, data,
                       "deviceId", err);
    if (rc == 0)
        rc = json_need(json_get_string(root, data, "deviceSecret", 0, SIZE_MAX, &secret, err), root,
                       data, "deviceSecret", err);
    if (rc != 0)
        return rc;
    if (!copy(out->device_id, sizeof(out->device_id), id, strlen(id)) || !is_id(out->device_id))
        return err_set(err, ERR_UNSUPPORTED, "deviceId: must have 1..%d letters, digits, . _ -",
                       CMIOT_DEVICEID_MAX_LEN);
    if (!copy(out->device_secret, sizeof(out->device_secret), secret, strlen(secret)) ||
        secret[0] == '\0' || !visible(secret))
        return err_set(err, ERR_UNSUPPORTED, "deviceSecret: must have 1..%d visible characters",
                       CMIOT_DEVICESECRET_MAX_LEN);
    return 0;
}

static int read_reply(struct reply_data *out, const cJSON *root, enum message_data want, bool force,
                      struct err *err)
{
    const cJSON *data;
    const char *msg;
    int64_t status;
    int rc = json_need(json_get_int(root, root, "status", INT32_MIN, INT32_MAX, &status, err), root,
                       root, "status", err);
    if (rc != 0)
        return rc;
    out->envelope.status = (int)status;
    rc = json_need(json_get_string(root, root, "msg", 0, SIZE_MAX, &msg, err), root, root, "msg",
                   err);
    /* A refusal is a refusal, with or without its text. */
    if (rc != 0 && status == 1000)
        return rc;
    out->envelope.success = status == 1000 && strcmp(msg, "success") == 0;
    if (want == DATA_NONE || !(out->envelope.success || force))
        return 0;
    if ((rc = json_need(json_get_object(root, root, "data", &data, err), root, root, "data",
                        err)) != 0)
        return rc;
    return want == DATA_IDENTITY ? read_identity(out, root, data, err)
                                 : read_offer(&out->offer, root, data, err);
}

int message_decode(struct reply_data *out, const char *body, size_t len_bytes,
                   enum message_data want, bool force, struct err *err)
{
    const struct json_limits limits = {.max_bytes = len_bytes, .max_depth = DEPTH_MAX};
    struct json doc;
    memset(out, 0, sizeof(*out));
    int rc = json_parse(&doc, body, len_bytes, &limits, err);
    if (rc != 0)
        return rc == ERR_NOMEM ? rc : ERR_FORMAT;
    if (!cJSON_IsObject(doc.root))
        rc = json_error(doc.root, doc.root, err, "must be an object");
    else
        rc = read_reply(out, doc.root, want, force, err);
    json_free(&doc);
    return rc;
}
