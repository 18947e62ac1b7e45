/*
 * An announcement that waits for a device, without the times in it: which firmware. It is
 * remembered so only if the firmware gives it again byte by byte at the time that its id names.
 */
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/announce.h"
#include "mock_cloud/aliyun/topics.h"

static bool is_announcement(const char *topic, char identity[MQTT_IDENTITY_MAX])
{
    enum aliyun_topic kind;
    struct aliyun_name name;
    if (!aliyun_topic_parse(topic, &kind, &name) || kind != TOPIC_UPGRADE)
        return false;
    aliyun_name_identity(&name, identity);
    return true;
}

/* The firmware and the time that a message speaks of. */
static bool find_firmware(struct cloud *c, const char *identity, const struct mqtt_message *m,
                          struct store_firmware *out, int64_t *made_ns)
{
    const struct json_limits limits = {.max_bytes = ALIYUN_ANNOUNCE_MAX, .max_depth = 16};
    struct json doc;
    struct aliyun_name name;
    if (!aliyun_name_parse(identity, &name) ||
        json_parse(&doc, (const char *)m->payload, m->payload_bytes, &limits, NULL) != 0)
        return false;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(doc.root, "data");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(doc.root, "id");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(data, "version");
    const cJSON *module = cJSON_GetObjectItemCaseSensitive(data, "module");
    bool found = cJSON_IsNumber(id) && id->valuedouble >= 0 && id->valuedouble < 9e15 &&
                 cJSON_IsString(version) && (module == NULL || cJSON_IsString(module)) &&
                 store_find_firmware(cloud_store(c), name.product_key,
                                     module == NULL ? "" : module->valuestring,
                                     version->valuestring, out, NULL) == 0;
    if (found)
        *made_ns = ((int64_t)id->valuedouble - aliyun_message_id(c, 0)) * NS_PER_MS;
    json_free(&doc);
    return found && *made_ns >= 0;
}

bool aliyun_remember_message(struct cloud *c, const char *identity, const struct mqtt_message *m,
                             struct buf *out)
{
    struct store_firmware f;
    int64_t made_ns = 0;
    char whose[MQTT_IDENTITY_MAX];
    struct buf again;
    if (!is_announcement(m->topic, whose) || !find_firmware(c, whose, m, &f, &made_ns))
        return false;
    (void)identity;
    buf_init(&again, ALIYUN_ANNOUNCE_MAX);
    bool same = aliyun_put_upgrade(c, made_ns, whose, &f, &again, NULL) == 0 &&
                again.len_bytes == m->payload_bytes &&
                memcmp(again.data, m->payload, m->payload_bytes) == 0;
    buf_free(&again);
    uint8_t id[8];
    put_le64(id, (uint64_t)f.delta_id);
    return same && buf_append(out, id, sizeof id) == 0;
}

bool aliyun_recall_message(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                           const void *memory, size_t len_bytes, struct buf *payload)
{
    struct store_firmware f;
    char whose[MQTT_IDENTITY_MAX];
    (void)identity;
    return len_bytes == 8 && is_announcement(topic, whose) &&
           store_get_firmware(cloud_store(c), (int64_t)get_le64(memory), &f, NULL) == 0 &&
           aliyun_put_upgrade(c, now_ns, whose, &f, payload, NULL) == 0;
}
