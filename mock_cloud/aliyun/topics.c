#include "mock_cloud/aliyun/topics.h"

#include <stdio.h>
#include <string.h>

/* Ordered: the first row that fits decides about a topic, any row that allows it about a filter. */
static const struct aliyun_topic_row rows[] = {
    {TOPIC_INFORM, "/ota/device/inform/{p}/{d}", true, false},
    {TOPIC_PROGRESS, "/ota/device/progress/{p}/{d}", true, false},
    {TOPIC_REQUEST, "/ota/device/request/{p}/{d}", true, true},
    {TOPIC_UPGRADE, "/ota/device/upgrade/{p}/{d}", false, true},
    {TOPIC_FIRMWARE_GET, "/sys/{p}/{d}/thing/ota/firmware/get", true, false},
    {TOPIC_FIRMWARE_GET_REPLY, "/sys/{p}/{d}/thing/ota/firmware/get_reply", false, true},
    {TOPIC_CONFIG_GET, "/sys/{p}/{d}/thing/config/get", true, false},
    {TOPIC_CONFIG_GET_REPLY, "/sys/{p}/{d}/thing/config/get_reply", false, true},
    {TOPIC_CONFIG_PUSH, "/sys/{p}/{d}/thing/config/push", false, true},
    {TOPIC_CONFIG_PUSH_REPLY, "/sys/{p}/{d}/thing/config/push_reply", true, false},
    {TOPIC_FILE, "/sys/{p}/{d}/thing/file/download", true, false},
    {TOPIC_FILE_REPLY, "/sys/{p}/{d}/thing/file/download_reply", false, true},
    {TOPIC_TOPO_ADD, "/sys/{p}/{d}/thing/topo/add", true, false},
    {TOPIC_TOPO_DELETE, "/sys/{p}/{d}/thing/topo/delete", true, false},
    {TOPIC_TOPO_GET, "/sys/{p}/{d}/thing/topo/get", true, false},
    {TOPIC_SUB_REGISTER, "/sys/{p}/{d}/thing/sub/register", true, false},
    {TOPIC_PRODUCT_REGISTER, "/sys/{p}/{d}/thing/proxy/provisioning/product_register", true, false},
    {TOPIC_LOGIN, "/ext/session/{p}/{d}/combine/login", true, false},
    {TOPIC_LOGIN, "/ext/session/{p}/{d}/combine/batch_login", true, false},
    {TOPIC_LOGOUT, "/ext/session/{p}/{d}/combine/logout", true, false},
    {TOPIC_LOGOUT, "/ext/session/{p}/{d}/combine/batch_logout", true, false},
    {TOPIC_POST, "/sys/{p}/{d}/thing/event/+/post", true, false},
    {TOPIC_POST, "/sys/{p}/{d}/thing/deviceinfo/update", true, false},
    {TOPIC_POST, "/sys/{p}/{d}/thing/deviceinfo/delete", true, false},
    {TOPIC_OTHER, "/sys/{p}/{d}/#", true, true},
    {TOPIC_OTHER, "/ext/session/{p}/{d}/combine/+", false, true},
    {TOPIC_OTHER, "/{p}/{d}/user/#", true, true},
    {TOPIC_OTHER, "/shadow/update/{p}/{d}", true, false},
    {TOPIC_OTHER, "/shadow/get/{p}/{d}", false, true},
    {TOPIC_TIME, "/ext/ntp/{p}/{d}/request", true, false},
    {TOPIC_TIME_REPLY, "/ext/ntp/{p}/{d}/response", false, true},
    {TOPIC_ERROR, "/ext/error/{p}/{d}", false, true},
};

const struct aliyun_topic_row *aliyun_topic_at(size_t index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

/* One level: up to the next slash or the end. */
static size_t level(const char *p)
{
    return strcspn(p, "/");
}

static bool keep_name(const char *p, size_t len, char *out)
{
    if (len == 0 || len > ALIYUN_NAME_MAX || memchr(p, '+', len) != NULL ||
        memchr(p, '#', len) != NULL)
        return false;
    memcpy(out, p, len);
    out[len] = '\0';
    return true;
}

/* Whether filter, which may hold wildcards when wild, stays within the row; and for whom. */
static bool row_fits(const struct aliyun_topic_row *row, const char *filter, bool wild,
                     struct aliyun_name *name)
{
    const char *want = row->pattern, *got = filter;
    bool named = false;
    *name = (struct aliyun_name){.product_key = ""};
    for (;;) {
        size_t want_len = level(want), got_len = level(got);
        if (want_len == 1 && *want == '#')
            return named && (wild || strpbrk(got, "+#") == NULL);
        if (got_len == 1 && *got == '#')
            return wild && named && got[1] == '\0';
        if (want_len == 3 && memcmp(want, "{p}", 3) == 0) {
            if (!keep_name(got, got_len, name->product_key))
                return false;
        } else if (want_len == 3 && memcmp(want, "{d}", 3) == 0) {
            if (!keep_name(got, got_len, name->device_name))
                return false;
            named = true;
        } else if (want_len == 1 && *want == '+') {
            if (got_len == 0)
                return false;
        } else if (!(wild && got_len == 1 && *got == '+') &&
                   (want_len != got_len || memcmp(want, got, got_len) != 0)) {
            return false;
        }
        want += want_len;
        got += got_len;
        if (*want == '\0' || *got == '\0')
            return *want == *got;
        want++;
        got++;
    }
}

bool aliyun_topic_parse(const char *topic, enum aliyun_topic *out, struct aliyun_name *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (row_fits(&rows[i], topic, false, name)) {
            *out = rows[i].topic;
            return true;
        }
    }
    return false;
}

void aliyun_topic_make(enum aliyun_topic topic, const struct aliyun_name *name,
                       char out[MQTT_TOPIC_MAX])
{
    size_t at = 0;
    const char *p = "";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].topic == topic) {
            p = rows[i].pattern;
            break;
        }
    }
    while (*p != '\0' && at + 1 < MQTT_TOPIC_MAX) {
        if (*p != '{') {
            out[at++] = *p++;
            continue;
        }
        at += (size_t)snprintf(out + at, MQTT_TOPIC_MAX - at, "%s",
                               p[1] == 'p' ? name->product_key : name->device_name);
        p += 3;
    }
    out[at < MQTT_TOPIC_MAX ? at : MQTT_TOPIC_MAX - 1] = '\0';
}

const char *aliyun_filter_at(size_t index)
{
    static const char *const filters[] = {
        "/ota/device/inform/+/+",          "/ota/device/progress/+/+",
        "/ota/device/request/+/+",         "/sys/+/+/thing/ota/firmware/get",
        "/sys/+/+/thing/config/get",       "/sys/+/+/thing/config/push_reply",
        "/sys/+/+/thing/file/download",    "/sys/+/+/thing/topo/add",
        "/sys/+/+/thing/topo/delete",      "/sys/+/+/thing/topo/get",
        "/sys/+/+/thing/sub/register",     "/sys/+/+/thing/proxy/provisioning/product_register",
        "/ext/session/+/+/combine/login",  "/ext/session/+/+/combine/batch_login",
        "/ext/session/+/+/combine/logout", "/ext/session/+/+/combine/batch_logout",
    };
    return index < sizeof filters / sizeof filters[0] ? filters[index] : NULL;
}

bool aliyun_topic_owner(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX])
{
    enum aliyun_topic kind;
    struct aliyun_name name;
    struct store_device d;
    if (!aliyun_topic_parse(topic, &kind, &name))
        return false;
    aliyun_name_identity(&name, identity);
    return store_get_device(cloud_store(c), identity, &d, NULL) == 0;
}

static bool speaks_for(struct cloud *c, const char *identity, const struct aliyun_name *name)
{
    char whose[MQTT_IDENTITY_MAX];
    struct store_sub_device d;
    struct store_session x;
    aliyun_name_identity(name, whose);
    if (strcmp(whose, identity) == 0)
        return true;
    if (store_get_sub_device(cloud_store(c), whose, &d, NULL) != 0 ||
        strcmp(d.gateway_id, identity) != 0)
        return false;
    return !d.logs_in || (store_get_session(cloud_store(c), whose, &x, NULL) == 0 &&
                          strcmp(x.via, identity) == 0);
}

bool aliyun_topic_allowed(struct cloud *c, const char *identity, const char *topic,
                          enum mqtt_access access)
{
    struct aliyun_name name;
    bool wild = access == MQTT_SUBSCRIBE;
    if (strnlen(topic, MQTT_TOPIC_MAX) == MQTT_TOPIC_MAX)
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!row_fits(&rows[i], topic, wild, &name))
            continue;
        if (wild ? rows[i].subscribe : rows[i].publish)
            return speaks_for(c, identity, &name);
        if (!wild)
            return false; /* a filter may fit a later row as well */
    }
    return false;
}
