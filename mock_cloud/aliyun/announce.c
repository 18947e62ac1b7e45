#include "mock_cloud/aliyun/announce.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/signature.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/signed_url.h"

/* An object that is being written, member by member; the script may leave one out. */
struct object {
    struct cloud *c;
    struct buf *out;
    bool begun;
};

static struct object object_begin(struct cloud *c, struct buf *out)
{
    (void)buf_text(out, "{");
    return (struct object){.c = c, .out = out};
}

/* Writes the key; false when the member is left out. */
static bool member(struct object *o, const char *key)
{
    const struct cloud_fault *f = cloud_peek(o->c, CF_OMIT);
    if (f != NULL && strcmp(f->text, key) == 0) {
        (void)cloud_hit(o->c, CF_OMIT);
        return false;
    }
    (void)buf_printf(o->out, "%s\"%s\":", o->begun ? "," : "", key);
    o->begun = true;
    return true;
}

static void put_text(struct object *o, const char *key, const char *text)
{
    if (member(o, key))
        (void)json_put_string(o->out, text);
}

static void put_number(struct object *o, const char *key, int64_t n)
{
    if (member(o, key))
        (void)buf_printf(o->out, "%" PRId64, n);
}

static void put_raw(struct object *o, const char *key, const char *json)
{
    if (member(o, key))
        (void)buf_text(o->out, json);
}

static int object_end(struct object *o)
{
    return buf_text(o->out, "}");
}

/* One file as it is announced. */
struct words {
    int64_t size;
    char md5[DIGEST_HEX_MAX], sign[DIGEST_HEX_MAX];
    const char *sign_method;
    char method_text[STORE_TEXT_MAX];
    char url[CLOUD_URL_MAX + 1];
    const char *name;
};

_Static_assert(CLOUD_URL_MAX >= ALIYUN_URL_MAX, "room for a URL as it is made");

/* The storage passes over a member of the query that it does not know. */
static void lengthen(char url[CLOUD_URL_MAX + 1], size_t to_bytes)
{
    static const char pad[] = "&pad=";
    size_t len = strlen(url);
    for (size_t i = 0; len < to_bytes; i++)
        url[len++] = i < sizeof pad - 1 ? pad[i] : '0';
    url[len] = '\0';
}

static void map_hex(char *hex, const char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (; *hex != '\0'; hex++) {
        const char *at = strchr(digits, *hex);
        if (at != NULL)
            *hex = to[at - digits];
    }
}

static void upper(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)toupper((unsigned char)*text);
}

/* The fault may be of one file of several. */
static bool hits_file(struct cloud *c, enum cloud_fault_kind kind, uint32_t number)
{
    const struct cloud_fault *f = cloud_peek(c, kind);
    return f != NULL && (f->bytes == 0 || f->bytes == number) && cloud_hit(c, kind) != NULL;
}

static void spoil(struct cloud *c, struct words *w, uint32_t number)
{
    static const char other[] = "fedcba9876543210", bad[] = "ghijklmnopqrstuv";
    const char *map = cloud_hit(c, CF_BAD_DIGEST) != NULL     ? bad
                      : hits_file(c, CF_WRONG_DIGEST, number) ? other
                                                              : NULL;
    if (map != NULL) {
        map_hex(w->md5, map);
        map_hex(w->sign, map);
    }
    if (cloud_hit(c, CF_WRONG_SIGN) != NULL)
        map_hex(w->sign, other);
    if (cloud_hit(c, CF_UPPER_DIGEST) != NULL) {
        upper(w->md5);
        upper(w->sign);
    }
    const struct cloud_fault *f = cloud_hit(c, CF_SIGN_METHOD);
    if (f != NULL) {
        (void)snprintf(w->method_text, sizeof w->method_text, "%s", f->text);
        w->sign_method = w->method_text;
    }
    f = w->url[0] == '\0' ? NULL : cloud_hit(c, CF_URL);
    if (f != NULL)
        (void)snprintf(w->url, sizeof w->url, "%s", f->text);
    f = w->url[0] == '\0' ? NULL : cloud_hit(c, CF_LONG_URL);
    if (f != NULL)
        lengthen(w->url, (size_t)f->bytes);
    f = cloud_hit(c, CF_WRONG_SIZE);
    if (f != NULL)
        w->size += f->bytes;
}

static int find_words(struct cloud *c, int64_t now_ns, const char *identity,
                      const struct store_firmware *f, uint32_t number, struct store_file *file,
                      struct words *w, struct err *err)
{
    struct store_package p;
    int rc = store_get_file(cloud_store(c), f->delta_id, number, file, err);
    if (rc == 0)
        rc = store_get_package(cloud_store(c), file->package_id, &p, err);
    if (rc == 0 && !f->over_mqtt)
        rc = aliyun_url(c, now_ns, identity, f->delta_id, number, w->url, err);
    if (rc != 0)
        return rc;
    w->size = p.bytes;
    w->name = file->name;
    w->sign_method = f->sign == SIGN_MD5 ? "Md5" : "SHA256";
    (void)snprintf(w->md5, sizeof w->md5, "%s", p.md5_hex);
    (void)snprintf(w->sign, sizeof w->sign, "%s",
                   f->sign == SIGN_MD5 ? p.md5_hex : file->sha256_hex);
    spoil(c, w, number);
    return 0;
}

/* The members that stand for the whole firmware, at its end. */
static int put_tail(struct object *o, const struct store_firmware *f)
{
    if (f->module[0] != '\0')
        put_text(o, "module", f->module);
    if (f->extra[0] != '\0')
        put_raw(o, "extData", f->extra);
    return object_end(o);
}

static int put_files(struct cloud *c, int64_t now_ns, const char *identity,
                     const struct store_firmware *f, struct buf *out, struct err *err)
{
    struct object o = object_begin(c, out);
    struct words w = {.size = 0};
    put_text(&o, "version", f->version);
    if (f->diff)
        put_number(&o, "isDiff", 1);
    if (!member(&o, "files"))
        return put_tail(&o, f);
    for (uint32_t i = 1; i <= f->file_count; i++) {
        struct store_file file;
        int rc = find_words(c, now_ns, identity, f, i, &file, &w, err);
        if (rc != 0)
            return rc;
        (void)buf_text(out, i == 1 ? "[" : ",");
        struct object one = object_begin(c, out);
        put_number(&one, "fileSize", w.size);
        put_text(&one, "fileName", w.name);
        put_text(&one, "fileUrl", w.url);
        put_text(&one, "fileMd5", w.md5);
        put_text(&one, "fileSign", w.sign);
        (void)object_end(&one);
    }
    (void)buf_text(out, "]");
    put_text(&o, "signMethod", w.sign_method);
    return put_tail(&o, f);
}

/* Over the digest that is announced, whatever the script made of it. */
static int put_signature(struct cloud *c, struct object *o, const struct words *w, struct err *err)
{
    const char *key = cloud_config(c)->image_key_pem;
    char text[SIGNATURE_TEXT_MAX];
    uint8_t digest[DIGEST_BYTES_MAX];
    const size_t n = strlen(w->sign) / 2;
    if (key == NULL || n > sizeof digest || !hex_decode(digest, n, w->sign))
        return 0;
    int rc = signature_make(key, digest, n, text, err);
    if (rc == 0)
        put_text(o, "digestsign", text);
    return rc;
}

int aliyun_put_firmware(struct cloud *c, int64_t now_ns, const char *identity,
                        const struct store_firmware *f, struct buf *out, struct err *err)
{
    struct store_file file;
    struct words w = {.size = 0};
    if (f->file_count > 1)
        return put_files(c, now_ns, identity, f, out, err);
    int rc = find_words(c, now_ns, identity, f, 1, &file, &w, err);
    if (rc != 0)
        return rc;
    struct object o = object_begin(c, out);
    put_number(&o, "size", w.size);
    if (f->over_mqtt)
        put_number(&o, "streamId", f->delta_id);
    put_text(&o, "sign", w.sign);
    if (f->over_mqtt)
        put_text(&o, "dProtocol", "mqtt");
    put_text(&o, "version", f->version);
    if (f->diff)
        put_number(&o, "isDiff", 1);
    put_text(&o, "signMethod", w.sign_method);
    if (f->over_mqtt)
        put_number(&o, "streamFileId", 1);
    else
        put_text(&o, "url", w.url);
    put_text(&o, "md5", w.md5);
    rc = put_signature(c, &o, &w, err);
    return rc == 0 ? put_tail(&o, f) : rc;
}

int64_t aliyun_message_id(const struct cloud *c, int64_t now_ns)
{
    return cloud_config(c)->unix_start_s * 1000 + now_ns / NS_PER_MS;
}

int aliyun_put_upgrade(struct cloud *c, int64_t now_ns, const char *identity,
                       const struct store_firmware *f, struct buf *out, struct err *err)
{
    struct object o = object_begin(c, out);
    put_text(&o, "code", "1000");
    if (member(&o, "data")) {
        int rc = aliyun_put_firmware(c, now_ns, identity, f, out, err);
        if (rc != 0)
            return rc;
    }
    put_number(&o, "id", aliyun_message_id(c, now_ns));
    put_text(&o, "message", "success");
    return object_end(&o);
}

int aliyun_put_config(struct cloud *c, int64_t now_ns, const struct store_config *cfg,
                      struct buf *out, struct err *err)
{
    struct store_package p;
    char url[ALIYUN_URL_MAX];
    int rc = store_get_package(cloud_store(c), cfg->package_id, &p, err);
    if (rc == 0)
        rc = aliyun_config_url(c, now_ns, cfg->package_id, url, err);
    if (rc != 0)
        return rc;
    struct object o = object_begin(c, out);
    put_text(&o, "configId", cfg->config_id);
    put_number(&o, "configSize", p.bytes);
    put_text(&o, "sign", cfg->sha256_hex);
    put_text(&o, "signMethod", "Sha256");
    put_text(&o, "url", url);
    put_text(&o, "getType", "file");
    return object_end(&o);
}

int aliyun_put_config_push(struct cloud *c, int64_t now_ns, const struct store_config *cfg,
                           struct buf *out, struct err *err)
{
    (void)buf_printf(out, "{\"id\":\"%" PRId64 "\",\"version\":\"1.0\",\"params\":",
                     aliyun_message_id(c, now_ns));
    const int rc = aliyun_put_config(c, now_ns, cfg, out, err);
    return rc == 0 ? buf_text(out, ",\"method\":\"thing.config.push\"}") : rc;
}
