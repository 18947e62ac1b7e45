#include "sim_device/agent/link_kit/push.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "common/json.h"
#include "sim_device/agent/link_kit/kit.h"

#define TEXT_MAX   KIT_PUSH_URL_MAX
#define CODE_GOOD  1000
#define CODE_REPLY 200

/* The block under construction: texts are copied behind the struct. */
struct pack {
    struct kit_push *push;
    char *at, *end;
    enum digest_kind method; /* of what stands under "sign" */
};

static const char *keep(struct pack *p, const char *text)
{
    size_t len = text != NULL ? strlen(text) + 1 : 0;
    if (len == 0 || len > (size_t)(p->end - p->at))
        return NULL;
    char *copy = memcpy(p->at, text, len);
    p->at += len;
    return copy;
}

/* ---- members that come as number or text ---- */

static int number(const cJSON *root, const cJSON *obj, const char *key, int64_t min, int64_t max,
                  int64_t *out, struct err *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!cJSON_IsString(item))
        return json_get_int(root, obj, key, min, max, out, err);
    char *end;
    const char *text = item->valuestring;
    size_t digits = strspn(text, "0123456789");
    int64_t v = digits > 0 && digits <= 15 ? strtoll(text, &end, 10) : -1;
    if (digits == 0 || text[digits] != '\0' || v < min || v > max)
        return json_error(root, item, err, "must be a number from %lld to %lld", (long long)min,
                          (long long)max);
    *out = v;
    return 0;
}

static int text_of(const cJSON *root, const cJSON *obj, const char *key, size_t max,
                   const char **out, struct err *err)
{
    return json_get_string(root, obj, key, 1, max, out, err);
}

static int need_text(const cJSON *root, const cJSON *obj, const char *key, size_t max,
                     const char **out, struct err *err)
{
    return json_need(text_of(root, obj, key, max, out, err), root, obj, key, err);
}

/* ---- digest ---- */

static int read_method(enum digest_kind *out, const char *word, bool strict, struct err *err)
{
    static const struct {
        const char *word;
        enum digest_kind kind;
    } exact[] = {{"Md5", DIGEST_MD5}, {"Sha256", DIGEST_SHA256}, {"SHA256", DIGEST_SHA256}};
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        if (strict ? strcmp(word, exact[i].word) != 0 : strcasecmp(word, exact[i].word) != 0)
            continue;
        *out = exact[i].kind;
        return 0;
    }
    return err_set(err, ERR_UNSUPPORTED, "signMethod: is neither Md5 nor Sha256");
}

static int check_digest(enum digest_kind method, const char *hex, const char *key, struct err *err)
{
    uint8_t raw[DIGEST_BYTES_MAX];
    size_t len = digest_bytes(method);
    if (!hex_decode(raw, len, hex))
        return err_set(err, ERR_FORMAT, "%s: must be %zu hex digits", key, 2 * len);
    return 0;
}

/* Where the digest of a file may stand, in the order of preference of the generation. */
static int read_digest(struct pack *p, struct kit_push_file *f, const cJSON *root, const cJSON *obj,
                       const char *sign_key, const char *md5_key, bool md5_only, struct err *err)
{
    const char *sign = NULL, *md5 = NULL;
    int rc = md5_only ? 1 : text_of(root, obj, sign_key, TEXT_MAX, &sign, err);
    if (rc >= 0)
        rc = text_of(root, obj, md5_key, TEXT_MAX, &md5, err);
    if (rc < 0)
        return rc;
    if (sign == NULL && md5 == NULL)
        return json_need(1, root, obj, md5_only ? md5_key : sign_key, err);
    f->method = sign != NULL ? p->method : DIGEST_MD5;
    f->digest = keep(p, sign != NULL ? sign : md5);
    return check_digest(f->method, sign != NULL ? sign : md5, sign != NULL ? sign_key : md5_key,
                        err);
}

/* ---- the message ---- */

struct keys {
    const char *version, *size, *url, *sign, *md5, *name;
};
static const struct keys plain_keys = {"version", "size", "url", "sign", "md5", NULL};
static const struct keys config_keys = {"configId", "configSize", "url", "sign", "md5", NULL};
static const struct keys file_keys = {NULL,       "fileSize", "fileUrl",
                                      "fileSign", "fileMd5",  "fileName"};

static int read_file(struct pack *p, const cJSON *root, const cJSON *obj, const struct keys *k,
                     bool md5_only, struct err *err)
{
    struct kit_push_file *f = &p->push->files[p->push->file_count];
    const char *url = NULL, *name = NULL;
    int64_t size = 0, file_id = 0;
    int rc =
        json_need(number(root, obj, k->size, 1, INT32_MAX, &size, err), root, obj, k->size, err);
    if (rc == 0)
        rc = text_of(root, obj, k->url, KIT_PUSH_URL_MAX, &url, err);
    if (rc == 1 && !p->push->over_mqtt)
        rc = json_need(1, root, obj, k->url, err);
    if (rc >= 0 && k->name != NULL)
        rc = text_of(root, obj, k->name, KIT_VERSION_MAX, &name, err);
    if (rc >= 0 && p->push->over_mqtt)
        rc = json_need(number(root, obj, "streamFileId", 0, UINT32_MAX, &file_id, err), root, obj,
                       "streamFileId", err);
    if (rc >= 0)
        rc = read_digest(p, f, root, obj, k->sign, k->md5, md5_only, err);
    if (rc < 0)
        return rc;
    f->size_bytes = (uint32_t)size;
    f->file_id = (uint32_t)file_id;
    f->url = keep(p, url);
    f->name = keep(p, name);
    p->push->file_count++;
    return 0;
}

static int read_files(struct pack *p, const cJSON *root, const cJSON *data, bool md5_only,
                      struct err *err)
{
    const cJSON *files = NULL, *item;
    int rc = json_get_array(root, data, "files", 1, KIT_FILES_MAX, &files, err);
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(item, files)
    {
        if (!cJSON_IsObject(item))
            return json_error(root, item, err, "must be an object");
        rc = read_file(p, root, item, &file_keys, md5_only, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_protocol(struct pack *p, const cJSON *root, const cJSON *data, struct err *err)
{
    static const char *const words[] = {"https", "mqtt"};
    int word = 0;
    int64_t stream = 0;
    int rc = json_get_word(root, data, "dProtocol", words, 2, &word, err);
    p->push->over_mqtt = rc == 0 && word == 1;
    if (rc == 0)
        rc = number(root, data, "streamId", 0, UINT32_MAX, &stream, err);
    if (rc == 1 && p->push->over_mqtt)
        rc = json_need(1, root, data, "streamId", err);
    p->push->stream_id = (uint32_t)stream;
    return rc < 0 ? rc : 0;
}

static int read_data(struct pack *p, const cJSON *root, const cJSON *data,
                     enum kit_generation generation, const struct kit_quirks *q, struct err *err)
{
    const struct keys *k = p->push->kind == KIT_PUSH_FIRMWARE ? &plain_keys : &config_keys;
    const char *version = NULL, *module = NULL, *method = NULL;
    bool md5_only = generation != KIT_4X && p->push->kind == KIT_PUSH_FIRMWARE;
    int rc = need_text(root, data, k->version, KIT_VERSION_MAX, &version, err);
    if (rc >= 0)
        rc = text_of(root, data, "module", KIT_PUSH_MODULE_MAX, &module, err);
    if (rc >= 0 && !md5_only)
        rc = text_of(root, data, "signMethod", TEXT_MAX, &method, err);
    if (rc >= 0 && generation == KIT_4X)
        rc = read_protocol(p, root, data, err);
    if (rc < 0)
        return rc;
    p->push->version = keep(p, version);
    p->push->module = keep(p, module);
    p->method = DIGEST_MD5;
    if (method != NULL && (rc = read_method(&p->method, method, q->strict_sign_method, err)))
        return rc;
    rc = generation == KIT_4X ? read_files(p, root, data, md5_only, err) : 1;
    return rc == 1 ? read_file(p, root, data, k, md5_only, err) : rc;
}

static int read_envelope(const cJSON *root, enum kit_push_kind kind, enum kit_generation generation,
                         const cJSON **data, struct err *err)
{
    const char *message = NULL;
    int64_t code = CODE_GOOD;
    if (!cJSON_IsObject(root))
        return json_error(root, root, err, "must be an object");
    int rc = number(root, root, "code", 0, INT32_MAX, &code, err);
    if (rc >= 0)
        rc = json_get_string(root, root, "message", 0, TEXT_MAX, &message, err);
    if (rc < 0)
        return rc;
    if (code != CODE_GOOD && code != CODE_REPLY)
        return err_set(err, ERR_FORMAT, "$.code: is %lld, must be 1000 or 200", (long long)code);
    if (generation != KIT_4X && kind == KIT_PUSH_FIRMWARE &&
        (message == NULL || strcmp(message, "success") != 0))
        return err_set(err, ERR_FORMAT, "$.message: must be \"success\"");
    rc = json_get_object(root, root, "data", data, err);
    if (rc == 1)
        rc = json_get_object(root, root, "params", data, err);
    return json_need(rc, root, root, "data", err);
}

/* ---- a careless reader: the first key of a name wins, wherever it stands ---- */

static const char *first_value(const char *text, size_t len, const char *key, size_t *value_bytes)
{
    char word[40];
    int n = snprintf(word, sizeof(word), "\"%s\":", key);
    const char *at = memmem(text, len, word, (size_t)n);
    if (at == NULL)
        return NULL;
    at += n;
    const char *end = text + len, *stop;
    if (at < end && *at == '"') {
        at++;
        stop = memchr(at, '"', (size_t)(end - at));
    } else {
        for (stop = at; stop < end && *stop >= '0' && *stop <= '9';)
            stop++;
    }
    *value_bytes = stop != NULL ? (size_t)(stop - at) : 0;
    return stop != NULL && stop > at ? at : NULL;
}

/* The document those readers see, with only the members they look for. */
static int flatten(cJSON *data, const char *text, size_t len)
{
    static const char *const names[] = {"size", "version",    "url",    "sign",
                                        "md5",  "signMethod", "module", "streamId"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char value[KIT_PUSH_URL_MAX + 1];
        size_t n = 0;
        const char *at = first_value(text, len, names[i], &n);
        if (at == NULL || n > KIT_PUSH_URL_MAX)
            continue;
        memcpy(value, at, n);
        value[n] = '\0';
        cJSON_DeleteItemFromObjectCaseSensitive(data, names[i]);
        if (cJSON_AddStringToObject(data, names[i], value) == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

/* ---- the whole ---- */

static int build(struct pack *p, struct board *b, const cJSON *root, const cJSON *data,
                 enum kit_push_kind kind, enum kit_generation generation, size_t len_bytes,
                 const struct kit_quirks *quirks, struct err *err)
{
    const cJSON *ext = cJSON_GetObjectItemCaseSensitive(data, "extData");
    char *ext_text = cJSON_IsObject(ext) ? cJSON_PrintUnformatted(ext) : NULL;
    size_t room = len_bytes + 1 + (ext_text != NULL ? strlen(ext_text) + 1 : 0);
    p->push = kit_calloc(b, sizeof(*p->push) + room);
    int rc = p->push == NULL ? err_set(err, ERR_NOMEM, "no memory for an announcement") : 0;
    if (rc == 0) {
        p->push->kind = kind;
        p->at = (char *)(p->push + 1);
        p->end = p->at + room;
        p->push->ext = keep(p, ext_text);
        rc = read_data(p, root, data, generation, quirks, err);
    }
    cJSON_free(ext_text);
    return rc;
}

int kit_push_parse(struct kit_push **out, struct board *b, enum kit_push_kind kind,
                   enum kit_generation generation, const void *payload, size_t len_bytes,
                   const struct kit_quirks *quirks, struct err *err)
{
    const struct json_limits limits = {.max_bytes = BOARD_MQTT_BYTES_MAX,
                                       .max_depth = KIT_PUSH_DEPTH_MAX};
    struct json doc = {.root = NULL};
    struct pack pack = {.push = NULL};
    const cJSON *data = NULL;
    *out = NULL;
    int rc = json_parse(&doc, payload, len_bytes, &limits, err);
    if (rc == 0)
        rc = read_envelope(doc.root, kind, generation, &data, err);
    if (rc == 0 && data->child == NULL)
        rc = err_set(err, ERR_NOT_FOUND, "nothing is to be done");
    if (rc == 0 && quirks->first_key_wins)
        rc = flatten((cJSON *)(uintptr_t)data, payload, len_bytes);
    if (rc == 0)
        rc = build(&pack, b, doc.root, data, kind, generation, 2 * len_bytes, quirks, err);
    json_free(&doc);
    if (rc != 0)
        board_free(b, pack.push);
    else
        *out = pack.push;
    return rc;
}
