/*
 * A message that waits for a device, without the times in it: of an announcement which firmware, of
 * a configuration that it is the product's. It is remembered so only if it is made again byte by
 * byte at the time that its id names.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/announce.h"
#include "mock_cloud/aliyun/topics.h"

#define CONFIG_ID 0 /* firmware has higher ones */

static bool is_kept(const char *topic, enum aliyun_topic *kind, struct aliyun_name *name)
{
    return aliyun_topic_parse(topic, kind, name) &&
           (*kind == TOPIC_UPGRADE || *kind == TOPIC_CONFIG_PUSH);
}

/* The message of that firmware, or the product's configuration, to that device now. */
static bool make(struct cloud *c, int64_t now_ns, const struct aliyun_name *name, int64_t id,
                 struct buf *out)
{
    char identity[MQTT_IDENTITY_MAX];
    struct store_firmware f;
    struct store_config cfg;
    aliyun_name_identity(name, identity);
    if (id == CONFIG_ID)
        return store_get_config(cloud_store(c), name->product_key, &cfg, NULL) == 0 &&
               aliyun_put_config_push(c, now_ns, &cfg, out, NULL) == 0;
    return store_get_firmware(cloud_store(c), id, &f, NULL) == 0 &&
           aliyun_put_upgrade(c, now_ns, identity, &f, out, NULL) == 0;
}

static bool find_firmware(struct cloud *c, const struct aliyun_name *name, const cJSON *root,
                          int64_t *id)
{
    struct store_firmware f;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(data, "version");
    const cJSON *module = cJSON_GetObjectItemCaseSensitive(data, "module");
    bool found = cJSON_IsString(version) && (module == NULL || cJSON_IsString(module)) &&
                 store_find_firmware(cloud_store(c), name->product_key,
                                     module == NULL ? "" : module->valuestring,
                                     version->valuestring, &f, NULL) == 0;
    if (found)
        *id = f.delta_id;
    return found;
}

/* What a message speaks of, and the time that its id names: a number, or one as a text. */
static bool find(struct cloud *c, enum aliyun_topic kind, const struct aliyun_name *name,
                 const struct mqtt_message *m, int64_t *id, int64_t *made_ns)
{
    const struct json_limits limits = {.max_bytes = ALIYUN_ANNOUNCE_MAX, .max_depth = 16};
    struct json doc;
    if (json_parse(&doc, (const char *)m->payload, m->payload_bytes, &limits, NULL) != 0)
        return false;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(doc.root, "id");
    const double said = cJSON_IsString(item)   ? strtod(item->valuestring, NULL)
                        : cJSON_IsNumber(item) ? item->valuedouble
                                               : -1;
    bool found = said >= 0 && said < 9e15;
    *id = CONFIG_ID;
    if (found && kind == TOPIC_UPGRADE)
        found = find_firmware(c, name, doc.root, id);
    if (found)
        *made_ns = ((int64_t)said - aliyun_message_id(c, 0)) * NS_PER_MS;
    json_free(&doc);
    return found && *made_ns >= 0;
}

bool aliyun_remember_message(struct cloud *c, const char *identity, const struct mqtt_message *m,
                             struct buf *out)
{
    enum aliyun_topic kind;
    struct aliyun_name name;
    int64_t id = 0, made_ns = 0;
    struct buf again;
    (void)identity;
    if (!is_kept(m->topic, &kind, &name) || !find(c, kind, &name, m, &id, &made_ns))
        return false;
    buf_init(&again, ALIYUN_ANNOUNCE_MAX);
    bool same = make(c, made_ns, &name, id, &again) && again.len_bytes == m->payload_bytes &&
                memcmp(again.data, m->payload, m->payload_bytes) == 0;
    buf_free(&again);
    uint8_t bytes[8];
    put_le64(bytes, (uint64_t)id);
    return same && buf_append(out, bytes, sizeof bytes) == 0;
}

bool aliyun_recall_message(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                           const void *memory, size_t len_bytes, struct buf *payload)
{
    enum aliyun_topic kind;
    struct aliyun_name name;
    (void)identity;
    if (len_bytes != 8 || !is_kept(topic, &kind, &name))
        return false;
    const int64_t id = (int64_t)get_le64(memory);
    return (id == CONFIG_ID) == (kind == TOPIC_CONFIG_PUSH) && make(c, now_ns, &name, id, payload);
}
