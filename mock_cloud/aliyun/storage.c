#include "mock_cloud/aliyun/storage.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "common/xml.h"
#include "mock_cloud/content.h"

#define KEY_ID_CHARS   16
#define TAG_CHARS      8
#define PATH_MAX_BYTES 96
#define BASE64_MAX     (4 * ((SHA1_BYTES + 2) / 3) + 1)
#define SIGNED_TEXT    512

/* ---- keys and signatures ---- */

static void derive(const struct cloud *c, const char *what, const char *of,
                   char out[2 * MD5_BYTES + 1])
{
    const char *key = cloud_config(c)->project_key;
    char text[STORE_TEXT_MAX + 32];
    int len = snprintf(text, sizeof text, "%s/%.*s", what, STORE_TEXT_MAX - 1, of);
    hmac_md5_hex(key, strlen(key), text, (size_t)len, out);
}

static void key_id(const struct cloud *c, char out[KEY_ID_CHARS + 5])
{
    char hex[2 * MD5_BYTES + 1];
    derive(c, "storage", "id", hex);
    (void)snprintf(out, KEY_ID_CHARS + 5, "LTAI%.*s", KEY_ID_CHARS, hex);
}

static void string_to_sign(const char *verb, const char *type, const char *expires,
                           const char *path, char out[SIGNED_TEXT])
{
    (void)snprintf(out, SIGNED_TEXT, "%s\n\n%.64s\n%s\n/" STORAGE_BUCKET "%.256s", verb, type,
                   expires, path);
}

static void sign(const struct cloud *c, const char *text, char out[BASE64_MAX])
{
    uint8_t raw[HMAC_BYTES_MAX];
    char secret[2 * MD5_BYTES + 1];
    derive(c, "storage", "secret", secret);
    size_t len = hmac_of(HMAC_SHA1, secret, strlen(secret), text, strlen(text), raw);
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
    derive(c, "tag", identity, hex);
    (void)snprintf(out, TAG_CHARS + 1, "%.*s", TAG_CHARS, hex);
}

/* ---- URLs ---- */

static int64_t unix_s(const struct cloud *c, int64_t now_ns)
{
    return cloud_config(c)->unix_start_s + now_ns / NS_PER_S;
}

static int make_url(const struct cloud *c, int64_t now_ns, const char *path,
                    char out[ALIYUN_URL_MAX], struct err *err)
{
    const struct cloud_config *cfg = cloud_config(c);
    int64_t lifetime_ns = cfg->url_lifetime_ns == 0 ? ALIYUN_URL_LIFETIME_NS : cfg->url_lifetime_ns;
    char text[SIGNED_TEXT], base64[BASE64_MAX], encoded[3 * BASE64_MAX], id[KEY_ID_CHARS + 5];
    char expires[24], port[8] = "";
    (void)snprintf(expires, sizeof expires, "%" PRId64,
                   unix_s(c, vtime_after(now_ns, lifetime_ns)));
    string_to_sign("GET", "", expires, path, text);
    sign(c, text, base64);
    url_encode(base64, encoded, sizeof encoded);
    key_id(c, id);
    if (cfg->download_port != (cfg->download_tls ? 443 : 80))
        (void)snprintf(port, sizeof port, ":%u", cfg->download_port);
    int len = snprintf(out, ALIYUN_URL_MAX, "%s://%s%s%s?Expires=%s&OSSAccessKeyId=%s&Signature=%s",
                       cfg->download_tls ? "https" : "http", cfg->download_host, port, path,
                       expires, id, encoded);
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

bool storage_query_parse(const char *query, struct storage_query *out)
{
    *out = (struct storage_query){.expires = ""};
    const struct {
        const char *name;
        char *value;
        size_t room;
    } names[] = {{"Expires", out->expires, sizeof out->expires},
                 {"OSSAccessKeyId", out->key_id, sizeof out->key_id},
                 {"Signature", out->signature, sizeof out->signature}};
    for (const char *p = query; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "&"), name = strcspn(p, "=&");
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (name < len && strlen(names[i].name) == name &&
                memcmp(p, names[i].name, name) == 0 &&
                !decode(p + name + 1, len - name - 1, names[i].value, names[i].room))
                return false;
        p += len + (p[len] == '&');
    }
    return true;
}

/* Digits only; saturates. */
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

/* ---- refusals ---- */

/* UTC as the storage writes it. Days to a date after H. Hinnant's civil_from_days. */
static void put_utc(int64_t s, char out[32])
{
    int64_t days = s / 86400, rest = s % 86400;
    int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    (void)snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.000Z", (int)(year % 10000), (int)month,
                   (int)day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

static void put_element(struct buf *out, const char *name, const char *text)
{
    (void)buf_printf(out, "  <%s>", name);
    (void)xml_put_lines(out, text);
    (void)buf_printf(out, "</%s>\n", name);
}

static void begin_error(struct cloud *c, struct http_reply *rp, int status, const char *code,
                        const char *message)
{
    struct buf text = rp->text;
    char hex[2 * MD5_BYTES + 1], number[16];
    buf_clear(&text);
    *rp = (struct http_reply){.status = status, .content_type = "application/xml", .text = text};
    (void)snprintf(number, sizeof number, "%u", cloud_requests(c, RQ_ANY));
    derive(c, "request", number, hex);
    for (char *p = hex; *p != '\0'; p++)
        if (*p >= 'a')
            *p = (char)(*p - 'a' + 'A');
    hex[24] = '\0';
    (void)buf_text(&rp->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n");
    put_element(&rp->text, "Code", code);
    put_element(&rp->text, "Message", message);
    put_element(&rp->text, "RequestId", hex);
    put_element(&rp->text, "HostId", cloud_config(c)->download_host);
}

static void end_error(struct http_reply *rp)
{
    (void)buf_text(&rp->text, "</Error>\n");
}

static void refuse_expired(struct cloud *c, int64_t now_ns, int64_t expires_s,
                           struct http_reply *rp)
{
    char utc[32];
    begin_error(c, rp, 403, "AccessDenied", "Request has expired.");
    put_utc(expires_s, utc);
    put_element(&rp->text, "Expires", utc);
    put_utc(unix_s(c, now_ns), utc);
    put_element(&rp->text, "ServerTime", utc);
    put_element(&rp->text, "EC", "0002-00000069");
    end_error(rp);
}

static void refuse_signature(struct cloud *c, const struct storage_query *q, const char *text,
                             struct http_reply *rp)
{
    begin_error(c, rp, 403, "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.");
    put_element(&rp->text, "OSSAccessKeyId", q->key_id);
    put_element(&rp->text, "SignatureProvided", q->signature);
    put_element(&rp->text, "StringToSign", text);
    (void)buf_text(&rp->text, "  <StringToSignBytes>");
    for (const char *p = text; *p != '\0'; p++)
        (void)buf_printf(&rp->text, "%s%02X", p == text ? "" : " ", (unsigned char)*p);
    (void)buf_text(&rp->text, "</StringToSignBytes>\n");
    put_element(&rp->text, "EC", "0002-00000040");
    end_error(rp);
}

static void refuse(struct cloud *c, struct http_reply *rp, int status, const char *code,
                   const char *message)
{
    begin_error(c, rp, status, code, message);
    end_error(rp);
}

/* ---- requests ---- */

/* Whether the URL is one of ours and still good; else the refusal is made. */
static bool check_url(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                      struct http_reply *rp)
{
    struct storage_query q;
    char text[SIGNED_TEXT], want[BASE64_MAX], id[KEY_ID_CHARS + 5];
    int64_t expires_s = 0;
    bool read = storage_query_parse(rq->query, &q);
    key_id(c, id);
    if (q.key_id[0] == '\0' && q.signature[0] == '\0') {
        refuse(c, rp, 403, "AccessDenied", "You have no right to access this object.");
        return false;
    }
    if (!read || !read_expires(q.expires, &expires_s)) {
        refuse(c, rp, 403, "AccessDenied", "Invalid date (should be seconds since epoch).");
        return false;
    }
    if (strcmp(q.key_id, id) != 0) {
        refuse(c, rp, 403, "InvalidAccessKeyId",
               "The OSS Access Key Id you provided does not exist in our records.");
        return false;
    }
    string_to_sign(rq->method, rq->content_type == NULL ? "" : rq->content_type, q.expires,
                   rq->path, text);
    sign(c, text, want);
    bool same =
        strlen(want) == strlen(q.signature) && CRYPTO_memcmp(want, q.signature, strlen(want)) == 0;
    if (!same || cloud_hit(c, CF_FORGED) != NULL) {
        refuse_signature(c, &q, text, rp);
        return false;
    }
    if (unix_s(c, now_ns) >= expires_s || cloud_hit(c, CF_EXPIRED) != NULL) {
        refuse_expired(c, now_ns, expires_s, rp);
        return false;
    }
    return true;
}

/* A number up to the character end; false else. */
static bool read_number(const char **p, char end, int64_t *out)
{
    size_t len = strspn(*p, "0123456789");
    if (len == 0 || len > 10 || (*p)[len] != end)
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + ((*p)[i] - '0');
    *p += len + 1;
    return true;
}

/* The package that a path names. */
static int find_package(struct cloud *c, const char *path, struct store_package *out,
                        struct err *err)
{
    const char *p = path + 5;
    int64_t id = 0, number = 0;
    struct store_file file;
    if (path[1] == 'c')
        return read_number(&p, '.', &id) ? store_get_package(cloud_store(c), id, out, err)
                                         : ERR_NOT_FOUND;
    if (!read_number(&p, '/', &id) || !read_number(&p, '-', &number) || number < 1 ||
        number > STORE_FILES_MAX)
        return ERR_NOT_FOUND;
    int rc = store_get_file(cloud_store(c), id, (uint32_t)number, &file, err);
    return rc == 0 ? store_get_package(cloud_store(c), file.package_id, out, err) : rc;
}

static void serve(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                  struct http_reply *rp)
{
    struct store_package p;
    struct content content = {.data = NULL};
    struct err err = {""};
    int rc = find_package(c, rq->path, &p, &err);
    if (rc == 0 && p.withdrawn)
        rc = ERR_NOT_FOUND;
    if (rc == 0)
        rc = store_package_bytes(cloud_store(c), p.delta_id, &content.data, &content.bytes, &err);
    if (rc == ERR_NOT_FOUND) {
        refuse(c, rp, 404, "NoSuchKey", "The specified key does not exist.");
        return;
    }
    if (rc != 0) {
        cloud_event(c, now_ns, "error", &F_STR("what", err.text), 1);
        refuse(c, rp, 500, "InternalError", "We encountered an internal error. Please try again.");
        return;
    }
    (void)snprintf(content.etag, sizeof content.etag, "\"%s\"", p.md5_hex);
    for (char *ch = content.etag; *ch != '\0'; ch++)
        if (*ch >= 'a' && *ch <= 'f')
            *ch = (char)(*ch - 'a' + 'A');
    content_serve(c, rq, &content, rp);
    if (rp->status == 416) {
        char range[sizeof rp->content_range];
        memcpy(range, rp->content_range, sizeof range);
        refuse(c, rp, 416, "InvalidRange", "The requested range cannot be satisfied.");
        memcpy(rp->content_range, range, sizeof range);
    }
}

bool aliyun_storage(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                    struct http_reply *rp)
{
    if (strncmp(rq->path, "/ota/", 5) != 0 && strncmp(rq->path, "/cfg/", 5) != 0)
        return false;
    cloud_begin(c, RQ_DOWNLOAD);
    if (cloud_refuse(c, rp))
        return true;
    if (strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0) {
        refuse(c, rp, 405, "MethodNotAllowed",
               "The specified method is not allowed against this resource.");
        return true;
    }
    if (check_url(c, now_ns, rq, rp))
        serve(c, now_ns, rq, rp);
    return true;
}
