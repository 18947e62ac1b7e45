#include "mock_cloud/aliyun/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX  8
#define DIGITS_MAX 15
#define BLANK      " \t\r\n"

/* Without zero bytes and blanks at the end, and without commas before a closing bracket. */
static size_t clean(const uint8_t *payload, size_t len, char *out)
{
    while (len > 0 && (payload[len - 1] == '\0' || strchr(BLANK, payload[len - 1]) != NULL))
        len--;
    size_t n = 0;
    bool text = false;
    for (size_t i = 0; i < len; i++) {
        char ch = (char)payload[i];
        if (text && ch == '\\' && i + 1 < len) {
            out[n++] = ch;
            out[n++] = (char)payload[++i];
            continue;
        }
        if (ch == '"')
            text = !text;
        if (!text && ch == ',') {
            size_t next = i + 1;
            while (next < len && payload[next] != '\0' && strchr(BLANK, payload[next]) != NULL)
                next++;
            if (next < len && (payload[next] == '}' || payload[next] == ']'))
                continue;
        }
        out[n++] = ch;
    }
    return n;
}

/* Nothing that JSON would escape. One SDK writes the topic of the reply into its ids. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

/* The id as it came; "0" when it is missing or of another kind. */
static void keep_id(const cJSON *root, char out[ALIYUN_ID_MAX])
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(root, "id");
    const char *text = cJSON_IsString(id) ? id->valuestring : NULL;
    int64_t number = 0;
    (void)snprintf(out, ALIYUN_ID_MAX, "0");
    if (text != NULL && is_plain(text) && strlen(text) <= ALIYUN_ID_MAX - 3)
        (void)snprintf(out, ALIYUN_ID_MAX, "\"%s\"", text);
    else if (cJSON_IsNumber(id) && json_get_int(root, root, "id", -(INT64_C(1) << 52),
                                                INT64_C(1) << 52, &number, NULL) == 0)
        (void)snprintf(out, ALIYUN_ID_MAX, "%" PRId64, number);
}

int aliyun_message_open(struct aliyun_message *m, const uint8_t *payload, size_t len_bytes,
                        struct err *err)
{
    const struct json_limits limits = {.max_bytes = ALIYUN_MESSAGE_MAX, .max_depth = DEPTH_MAX};
    char text[ALIYUN_MESSAGE_MAX];
    *m = (struct aliyun_message){.id = "0"};
    if (len_bytes > sizeof text)
        return err_set(err, ERR_LIMIT, "%zu bytes, at most %d are read", len_bytes,
                       ALIYUN_MESSAGE_MAX);
    size_t len = clean(payload, len_bytes, text);
    int rc = json_parse(&m->doc, text, len, &limits, err);
    if (rc != 0)
        return rc;
    if (!cJSON_IsObject(m->doc.root))
        return err_set(err, ERR_FORMAT, "$: must be an object");
    keep_id(m->doc.root, m->id);
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(m->doc.root, "params");
    m->params = cJSON_IsObject(params) ? params : NULL;
    m->list = cJSON_IsArray(params) ? params : NULL;
    return 0;
}

void aliyun_message_close(struct aliyun_message *m)
{
    json_free(&m->doc);
    m->params = NULL;
    m->list = NULL;
}

int aliyun_message_text(const struct aliyun_message *m, const char *key, char *out, size_t room,
                        struct err *err)
{
    const char *text = "";
    out[0] = '\0';
    if (m->params == NULL)
        return 0;
    int rc = json_get_string(m->doc.root, m->params, key, 0, room - 1, &text, err);
    if (rc == 0)
        (void)snprintf(out, room, "%s", text);
    return rc < 0 ? rc : 0;
}

static bool read_digits(const char *text, int64_t *out)
{
    text += strspn(text, BLANK);
    bool minus = *text == '-';
    text += minus;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > DIGITS_MAX || text[len + strspn(text + len, BLANK)] != '\0')
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + (text[i] - '0');
    *out = minus ? -*out : *out;
    return true;
}

int aliyun_message_number(const struct aliyun_message *m, const cJSON *object, const char *key,
                          int64_t min, int64_t max, int64_t *out, struct err *err)
{
    const cJSON *root = m->doc.root;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsString(value))
        return json_need(json_get_int(root, object, key, min, max, out, err), root, object, key,
                         err);
    if (!read_digits(value->valuestring, out) || *out < min || *out > max)
        return json_error(root, value, err, "must be a whole number from %" PRId64 " to %" PRId64,
                          min, max);
    return 0;
}

void aliyun_put_member(struct buf *out, const char *before, const char *key, const char *value)
{
    (void)buf_printf(out, "%s\"%s\":", before, key);
    (void)json_put_string(out, value);
}
