#include "sim_device/agent/uota/ota_push.h"

#include <string.h>

#include "common/bytes.h"
#include "common/json.h"

static int text_of(const struct json *doc, const cJSON *obj, const char *key, char *out, size_t cap,
                   struct err *err)
{
    const char *text = NULL;
    int rc = json_get_string(doc->root, obj, key, 1, cap - 1, &text, err);
    if (rc != 0)
        return json_need(rc, doc->root, obj, key, err);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

/* A number, or a number as text. */
static int size_of(const struct json *doc, const cJSON *obj, uint32_t *out, struct err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, "size");
    int64_t n = 0;
    if (!cJSON_IsString(item)) {
        int rc = json_get_int(doc->root, obj, "size", 1, INT32_MAX, &n, err);
        if (rc != 0)
            return json_need(rc, doc->root, obj, "size", err);
        *out = (uint32_t)n;
        return 0;
    }
    for (const char *p = item->valuestring; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || n > INT32_MAX)
            return json_error(doc->root, item, err, "is no size");
        n = 10 * n + (*p - '0');
    }
    if (n < 1 || n > INT32_MAX)
        return json_error(doc->root, item, err, "is no size, allowed are 1..%d", INT32_MAX);
    *out = (uint32_t)n;
    return 0;
}

/* sign by signMethod, or md5. */
static int digest_in(const struct json *doc, const cJSON *data, struct ota_push *out,
                     struct err *err)
{
    static const struct {
        const char *name;
        enum digest_kind kind;
    } methods[] = {{"Md5", DIGEST_MD5},       {"MD5", DIGEST_MD5},       {"md5", DIGEST_MD5},
                   {"SHA256", DIGEST_SHA256}, {"Sha256", DIGEST_SHA256}, {"sha256", DIGEST_SHA256}};
    char hex[DIGEST_HEX_MAX], method[16];
    const char *key = cJSON_HasObjectItem(data, "signMethod") ? "sign" : "md5";
    size_t i = 0, n = sizeof methods / sizeof methods[0];
    int rc = text_of(doc, data, key, hex, sizeof hex, err);
    out->method = DIGEST_MD5;
    if (rc == 0 && strcmp(key, "sign") == 0) {
        rc = text_of(doc, data, "signMethod", method, sizeof method, err);
        while (rc == 0 && i < n && strcmp(method, methods[i].name) != 0)
            i++;
        if (rc == 0 && i == n)
            return err_set(err, ERR_UNSUPPORTED, "signMethod %s is not known", method);
        if (rc == 0)
            out->method = methods[i].kind;
    }
    if (rc != 0)
        return rc;
    size_t want = digest_bytes(out->method);
    if (strlen(hex) != 2 * want || !hex_decode(out->digest, want, hex))
        return err_set(err, ERR_FORMAT, "$.data.%s: must be %zu hex digits", key, 2 * want);
    return 0;
}

static int read_message(const struct json *doc, struct ota_push *out, struct err *err)
{
    char message[16] = "";
    const cJSON *data = NULL;
    int rc = text_of(doc, doc->root, "message", message, sizeof message, err);
    if (rc != 0 || strcmp(message, "success") != 0)
        return err_set(err, ERR_NOT_FOUND, "a message without success");
    rc = json_get_object(doc->root, doc->root, "data", &data, err);
    rc = json_need(rc, doc->root, doc->root, "data", err);
    if (rc == 0)
        rc = text_of(doc, data, "url", out->url, sizeof out->url, err);
    if (rc == 0)
        rc = text_of(doc, data, "version", out->version, sizeof out->version, err);
    if (rc == 0)
        rc = size_of(doc, data, &out->size_bytes, err);
    if (rc == 0)
        rc = digest_in(doc, data, out, err);
    if (rc != 0)
        return rc;
    if (cJSON_HasObjectItem(data, "digestsign"))
        rc = text_of(doc, data, "digestsign", out->signature, sizeof out->signature, err);
    if (rc != 0)
        return rc;
    const cJSON *diff = cJSON_GetObjectItemCaseSensitive(data, "isDiff");
    out->is_diff = cJSON_IsTrue(diff) || (cJSON_IsNumber(diff) && diff->valueint != 0);
    for (const char *p = out->version; *p != '\0'; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return err_set(err, ERR_FORMAT, "$.data.version: a character that may not be there");
    return 0;
}

int ota_push_parse(struct ota_push *out, const void *payload, size_t len_bytes, struct err *err)
{
    const struct json_limits limits = {.max_bytes = OTA_PUSH_BYTES_MAX,
                                       .max_depth = OTA_PUSH_DEPTH_MAX};
    const char *text = payload;
    struct json doc;
    memset(out, 0, sizeof *out);
    while (len_bytes > 0 && text[len_bytes - 1] == '\0')
        len_bytes--;
    int rc = json_parse(&doc, text, len_bytes, &limits, err);
    if (rc != 0)
        return rc;
    rc = cJSON_IsObject(doc.root) ? read_message(&doc, out, err)
                                  : err_set(err, ERR_FORMAT, "$: is not an object");
    json_free(&doc);
    return rc;
}
