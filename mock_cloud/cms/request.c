#include "mock_cloud/cms/request.h"

#include <string.h>

#include "common/json.h"

#define DEPTH_MAX  4
#define NUMBER_MAX (INT64_C(1) << 53)
#define DIGITS_MAX 15

enum type { MID, TEXT, FACT, NUMBER, NUMBER_OR_TEXT };

struct member {
    const char *key;
    enum type type;
    size_t offset;
    bool optional;
};

#define AT(name) offsetof(struct cms_request, name)

static const struct member register_members[] = {
    {"mid", MID, AT(mid), false},
    {"oem", FACT, AT(oem), false},
    {"models", FACT, AT(models), false},
    {"platform", FACT, AT(platform), false},
    {"deviceType", FACT, AT(device_type), false},
    {"timestamp", NUMBER, AT(timestamp), false},
    {"sign", TEXT, AT(sign), false},
    {"sdkversion", FACT, AT(sdk_version), true},
    {"appversion", FACT, AT(app_version), true},
    {"version", TEXT, AT(version), false},
    {"networkType", FACT, AT(network_type), true},
    {.key = NULL},
};
static const struct member check_members[] = {
    {"mid", MID, AT(mid), false},
    {"version", TEXT, AT(version), false},
    {"timestamp", NUMBER, AT(timestamp), false},
    {"sign", TEXT, AT(sign), false},
    {.key = NULL},
};
static const struct member download_members[] = {
    {"mid", MID, AT(mid), false},
    {"deltaID", NUMBER_OR_TEXT, AT(delta_id), false},
    {"downloadStatus", NUMBER_OR_TEXT, AT(download_status), false},
    {"downStart", NUMBER, AT(down_start), false},
    {"downEnd", NUMBER, AT(down_end), false},
    {"downSize", NUMBER, AT(down_size), false},
    {"timestamp", NUMBER, AT(timestamp), false},
    {"sign", TEXT, AT(sign), false},
    {.key = NULL},
};
static const struct member upgrade_members[] = {
    {"mid", MID, AT(mid), false},
    {"deltaID", NUMBER_OR_TEXT, AT(delta_id), false},
    {"updateStatus", NUMBER_OR_TEXT, AT(update_status), false},
    {"timestamp", NUMBER, AT(timestamp), false},
    {"sign", TEXT, AT(sign), false},
    {.key = NULL},
};

static const struct member *members_of(enum cloud_request rq)
{
    switch (rq) {
    case RQ_REGISTER:
        return register_members;
    case RQ_CHECK:
        return check_members;
    case RQ_REPORT_DOWNLOAD:
        return download_members;
    default:
        return upgrade_members;
    }
}

static int read_text(const cJSON *value, enum type type, char *out)
{
    if (!cJSON_IsString(value))
        return CMS_PARAM_INVALID;
    size_t len = strlen(value->valuestring);
    if (type == MID && (len < CMS_MID_MIN || len > CMS_MID_MAX))
        return CMS_MID_LENGTH;
    if (len >= STORE_TEXT_MAX || (type == TEXT && len == 0))
        return CMS_RULE_BROKEN;
    memcpy(out, value->valuestring, len + 1);
    return CMS_SUCCESS;
}

static int read_digits(const char *text, int64_t *out)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > DIGITS_MAX || text[len] != '\0')
        return CMS_RULE_BROKEN;
    *out = 0;
    for (; *text != '\0'; text++)
        *out = *out * 10 + (*text - '0');
    return CMS_SUCCESS;
}

static int read_number(const cJSON *root, const cJSON *value, const struct member *m, int64_t *out)
{
    if (m->type == NUMBER_OR_TEXT && cJSON_IsString(value))
        return read_digits(value->valuestring, out);
    if (!cJSON_IsNumber(value))
        return CMS_PARAM_INVALID;
    return json_get_int(root, root, m->key, 0, NUMBER_MAX, out, NULL) == 0 ? CMS_SUCCESS
                                                                           : CMS_RULE_BROKEN;
}

static int read_member(const cJSON *root, const struct member *m, struct cms_request *out)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(root, m->key);
    char *place = (char *)out + m->offset;
    if (value == NULL)
        return m->optional ? CMS_SUCCESS : CMS_PARAM_MISSING;
    if (m->type != NUMBER && m->type != NUMBER_OR_TEXT)
        return read_text(value, m->type, place);
    int64_t number = 0;
    int code = read_number(root, value, m, &number);
    memcpy(place, &number, sizeof number);
    return code;
}

int cms_request_parse(struct cms_request *out, enum cloud_request rq, const uint8_t *body,
                      size_t body_bytes)
{
    const struct json_limits limits = {.max_bytes = HTTP_BODY_MAX, .max_depth = DEPTH_MAX};
    struct json doc;
    *out = (struct cms_request){.timestamp = 0};
    if (body_bytes == 0 || json_parse(&doc, (const char *)body, body_bytes, &limits, NULL) != 0)
        return CMS_JSON_ERROR;
    int code = cJSON_IsObject(doc.root) ? CMS_SUCCESS : CMS_JSON_ERROR;
    for (const struct member *m = members_of(rq); code == CMS_SUCCESS && m->key != NULL; m++)
        code = read_member(doc.root, m, out);
    json_free(&doc);
    return code;
}
