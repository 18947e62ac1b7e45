#include "mock_cloud/aliyun/signed_url.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"

#define KEY_ID_CHARS   16
#define TAG_CHARS      8
#define PATH_MAX_BYTES 96
#define BASE64_MAX     (4 * ((SHA1_BYTES + 2) / 3) + 1)
#define QUERY_MAX      256

/* ---- keys and signatures ---- */

void signed_url_derive(const struct cloud *c, const char *what, const char *of,
                       char out[2 * MD5_BYTES + 1])
{
    const char *key = cloud_config(c)->project_key;
    char text[STORE_TEXT_MAX + 32];
    int len = snprintf(text, sizeof text, "%s/%.*s", what, STORE_TEXT_MAX - 1, of);
    hmac_md5_hex(key, strlen(key), text, (size_t)len, out);
}

/* What follows from the project key, made once per cloud: each request wants it. */
struct storage_keys {
    char key_id[KEY_ID_CHARS + 5];
    char auth_secret[2 * MD5_BYTES + 1];
    struct hmac_key signing;
};

static void free_keys(void *kept)
{
    struct storage_keys *k = kept;
    hmac_key_end(&k->signing);
    free(k);
}

static const struct storage_keys *storage_keys(struct cloud *c)
{
    struct storage_keys *k = cloud_kept(c);
    char hex[2 * MD5_BYTES + 1];
    if (k != NULL)
        return k;
    k = calloc(1, sizeof *k);
    assert(k != NULL);
    signed_url_derive(c, "storage", "id", hex);
    (void)snprintf(k->key_id, sizeof k->key_id, "LTAI%.*s", KEY_ID_CHARS, hex);
    signed_url_derive(c, "storage", "auth", k->auth_secret);
    signed_url_derive(c, "storage", "secret", hex);
    int rc = hmac_key_begin(&k->signing, HMAC_SHA1, hex, strlen(hex));
    assert(rc == 0);
    (void)rc;
    cloud_keep(c, k, free_keys);
    return k;
}

static void string_to_sign(const char *verb, const char *type, const char *expires,
                           const char *path, char out[SIGNED_TEXT_MAX])
{
    (void)snprintf(out, SIGNED_TEXT_MAX, "%s\n\n%.64s\n%s\n/" STORAGE_BUCKET "%.256s", verb, type,
                   expires, path);
}

static void sign(struct cloud *c, const char *text, char out[BASE64_MAX])
{
    uint8_t raw[HMAC_BYTES_MAX];
    size_t len = hmac_key_of(&storage_keys(c)->signing, text, strlen(text), raw);
    (void)EVP_EncodeBlock((unsigned char *)out, raw, (int)len);
}

static void url_encode(const char *text, char *out, size_t room)
{
    size_t at = 0;
    for (; *text != '\0' && at + 4 < room; text++) {
        if (strchr("+/=", *text) != NULL)
            at += (size_t)snprintf(out + at, room - at, "%%%02X", (unsigned)*text);
        else
            out[at++] = *text;
    }
    out[at] = '\0';
}

/* Eight digits that stand for a device in paths, and tell nobody who it is. */
static void device_tag(const struct cloud *c, const char *identity, char out[TAG_CHARS + 1])
{
    char hex[2 * MD5_BYTES + 1];
    signed_url_derive(c, "tag", identity, hex);
    (void)snprintf(out, TAG_CHARS + 1, "%.*s", TAG_CHARS, hex);
}

bool signed_url_is_of(const struct cloud *c, const char *path, const char *identity)
{
    char tag[TAG_CHARS + 1];
    const char *at = strrchr(path, '-');
    device_tag(c, identity, tag);
    return at != NULL && strncmp(at + 1, tag, TAG_CHARS) == 0;
}

/* ---- URLs ---- */

int64_t signed_url_unix_s(const struct cloud *c, int64_t now_ns)
{
    return cloud_config(c)->unix_start_s + now_ns / NS_PER_S;
}

static void put_query(struct cloud *c, const char *expires, const char *path, char out[QUERY_MAX])
{
    char text[SIGNED_TEXT_MAX], base64[BASE64_MAX], encoded[3 * BASE64_MAX];
    string_to_sign("GET", "", expires, path, text);
    sign(c, text, base64);
    url_encode(base64, encoded, sizeof encoded);
    (void)snprintf(out, QUERY_MAX, "Expires=%s&OSSAccessKeyId=%s&Signature=%s", expires,
                   storage_keys(c)->key_id, encoded);
}

/* What the content network in front of the storage signs: path, time, a number used once, user 0.
 */
static void auth_digest(struct cloud *c, const char *path, const char *expires, const char *once,
                        char out[DIGEST_HEX_MAX])
{
    char text[SIGNED_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%.256s-%s-%s-0-%s", path, expires, once,
                       storage_keys(c)->auth_secret);
    digest_hex_of(DIGEST_MD5, text, (size_t)len, out);
}

static void put_auth_key(struct cloud *c, const char *expires, const char *path,
                         char out[QUERY_MAX])
{
    char once[2 * MD5_BYTES + 1], digest[DIGEST_HEX_MAX], of[STORE_TEXT_MAX];
    (void)snprintf(of, sizeof of, "%s/%.96s", expires, path);
    signed_url_derive(c, "once", of, once);
    auth_digest(c, path, expires, once, digest);
    (void)snprintf(out, QUERY_MAX, "auth_key=%s-%s-0-%s", expires, once, digest);
}

static int make_url(struct cloud *c, int64_t now_ns, const char *path, char out[ALIYUN_URL_MAX],
                    struct err *err)
{
    const struct cloud_config *cfg = cloud_config(c);
    int64_t lifetime_ns = cfg->url_lifetime_ns == 0 ? ALIYUN_URL_LIFETIME_NS : cfg->url_lifetime_ns;
    char query[QUERY_MAX], expires[24], port[8] = "";
    (void)snprintf(expires, sizeof expires, "%" PRId64,
                   signed_url_unix_s(c, vtime_after(now_ns, lifetime_ns)));
    if (cfg->auth_key)
        put_auth_key(c, expires, path, query);
    else
        put_query(c, expires, path, query);
    if (cfg->download_port != (cfg->download_tls ? 443 : 80))
        (void)snprintf(port, sizeof port, ":%u", cfg->download_port);
    int len = snprintf(out, ALIYUN_URL_MAX, "%s://%s%s%s?%s", cfg->download_tls ? "https" : "http",
                       cfg->download_host, port, path, query);
    return len > 0 && len < ALIYUN_URL_MAX
               ? 0
               : err_set(err, ERR_LIMIT, "storage: a URL of %d bytes, at most %d are announced",
                         len, ALIYUN_URL_MAX - 1);
}

int aliyun_url(struct cloud *c, int64_t now_ns, const char *identity, int64_t firmware_id,
               uint32_t number, char out[ALIYUN_URL_MAX], struct err *err)
{
    char path[PATH_MAX_BYTES], tag[TAG_CHARS + 1];
    struct store_file file;
    int rc = store_get_file(cloud_store(c), firmware_id, number, &file, err);
    if (rc != 0)
        return rc;
    device_tag(c, identity, tag);
    (void)snprintf(path, sizeof path, "/ota/%" PRId64 "/%u-%s.bin", firmware_id, number, tag);
    return make_url(c, now_ns, path, out, err);
}

int aliyun_config_url(struct cloud *c, int64_t now_ns, int64_t package_id, char out[ALIYUN_URL_MAX],
                      struct err *err)
{
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "/cfg/%" PRId64 ".bin", package_id);
    return make_url(c, now_ns, path, out, err);
}

/* ---- the query ---- */

static int hex_value(char ch)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = ch == '\0' ? NULL : strchr(digits, ch);
    return at == NULL ? -1 : (int)((at - digits) & 15);
}

static bool decode(const char *p, size_t len, char *out, size_t room)
{
    size_t n = 0;
    if (out[0] != '\0')
        return false; /* the name came before */
    for (size_t i = 0; i < len; i++) {
        int high = 0, low = 0;
        char ch = p[i];
        if (ch == '%') {
            if (len - i < 3 || (high = hex_value(p[i + 1])) < 0 || (low = hex_value(p[i + 2])) < 0)
                return false;
            ch = (char)(high * 16 + low);
            i += 2;
        }
        if (ch == '\0' || n + 1 >= room)
            return false;
        out[n++] = ch;
    }
    out[n] = '\0';
    return true;
}

/* Length of the part before one of the two characters, or the end. */
static size_t part(const char *p, const char *end, char a, char b)
{
    const char *at = p;
    while (at < end && *at != a && *at != b)
        at++;
    return (size_t)(at - p);
}

bool signed_url_fields(const char *text, size_t len_bytes, const struct signed_url_field *fields,
                       size_t n)
{
    const char *end = text + len_bytes;
    for (const char *p = text; p < end;) {
        size_t len = part(p, end, '&', '&'), name = part(p, end, '=', '&');
        for (size_t i = 0; i < n; i++)
            if (name < len && strlen(fields[i].name) == name &&
                memcmp(p, fields[i].name, name) == 0 &&
                !decode(p + name + 1, len - name - 1, fields[i].value, fields[i].room))
                return false;
        p += len < (size_t)(end - p) ? len + 1 : len;
    }
    return true;
}

bool storage_query_parse(const char *query, struct storage_query *out)
{
    *out = (struct storage_query){.expires = ""};
    const struct signed_url_field fields[] = {{"Expires", out->expires, sizeof out->expires},
                                              {"OSSAccessKeyId", out->key_id, sizeof out->key_id},
                                              {"Signature", out->signature, sizeof out->signature},
                                              {"auth_key", out->auth_key, sizeof out->auth_key}};
    return query == NULL ||
           signed_url_fields(query, strlen(query), fields, sizeof fields / sizeof fields[0]);
}

/* Digits only. */
static bool read_expires(const char *text, int64_t *out)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 18 || text[len] != '\0')
        return false;
    *out = 0;
    for (; *text != '\0'; text++)
        *out = *out * 10 + (*text - '0');
    return true;
}

/* ---- checking ---- */

static bool same_text(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

/* "expires-once-0-digest" */
static enum url_verdict check_auth_key(struct cloud *c, const char *path, char *text,
                                       int64_t *expires_s)
{
    char *part[4] = {text, NULL, NULL, NULL}, want[DIGEST_HEX_MAX];
    for (int i = 1; i < 4; i++) {
        part[i] = strchr(part[i - 1], '-');
        if (part[i] == NULL)
            return URL_UNREADABLE;
        *part[i]++ = '\0';
    }
    if (!read_expires(part[0], expires_s) || strlen(part[1]) > 2 * MD5_BYTES)
        return URL_UNREADABLE;
    auth_digest(c, path, part[0], part[1], want);
    return strcmp(part[2], "0") == 0 && same_text(want, part[3]) ? URL_GOOD : URL_FORGED;
}

enum url_verdict signed_url_check(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                                  struct signed_url *out)
{
    char want[BASE64_MAX];
    enum url_verdict verdict = URL_GOOD;
    *out = (struct signed_url){.expires_s = 0};
    bool read = storage_query_parse(rq->query, &out->query);
    if (out->query.auth_key[0] != '\0') {
        verdict = read ? check_auth_key(c, rq->path, out->query.auth_key, &out->expires_s)
                       : URL_UNREADABLE;
    } else {
        if (out->query.key_id[0] == '\0' && out->query.signature[0] == '\0')
            return URL_UNSIGNED;
        if (!read || !read_expires(out->query.expires, &out->expires_s))
            return URL_UNREADABLE;
        if (strcmp(out->query.key_id, storage_keys(c)->key_id) != 0)
            return URL_UNKNOWN_KEY;
        string_to_sign(rq->method, rq->content_type == NULL ? "" : rq->content_type,
                       out->query.expires, rq->path, out->text);
        sign(c, out->text, want);
        verdict = same_text(want, out->query.signature) ? URL_GOOD : URL_FORGED;
    }
    if (verdict != URL_GOOD)
        return verdict;
    return signed_url_unix_s(c, now_ns) >= out->expires_s ? URL_EXPIRED : URL_GOOD;
}
