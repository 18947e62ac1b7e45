/*
 * Topics: which there are, who may publish and subscribe (aliyun note §3).
 *
 * A device may use the topics that carry its own product key and device name, and those of
 * sub-devices that are registered under it; those that log in, only while they are. Filters may
 * hold wildcards anywhere but in place of the two names, so nobody hears of another device.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_TOPICS_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_TOPICS_H

#include "mock_cloud/aliyun/login.h"

enum aliyun_topic {
    TOPIC_INFORM,
    TOPIC_PROGRESS,
    TOPIC_REQUEST,
    TOPIC_UPGRADE,
    TOPIC_FIRMWARE_GET,
    TOPIC_FIRMWARE_GET_REPLY,
    TOPIC_CONFIG_GET,
    TOPIC_CONFIG_GET_REPLY,
    TOPIC_CONFIG_PUSH,
    TOPIC_CONFIG_PUSH_REPLY,
    TOPIC_FILE,
    TOPIC_FILE_REPLY,
    TOPIC_TOPO_ADD,
    TOPIC_TOPO_DELETE,
    TOPIC_TOPO_GET,
    TOPIC_SUB_REGISTER,
    TOPIC_PRODUCT_REGISTER,
    TOPIC_LOGIN, /* of sub-devices */
    TOPIC_LOGOUT,
    TOPIC_POST, /* properties, events and tags: acknowledged */
    TOPIC_TIME, /* asks for it */
    TOPIC_TIME_REPLY,
    TOPIC_ERROR, /* what has become of a sub-device's session */
    TOPIC_OTHER, /* things of the platform that have nothing to do with updates */
    TOPIC_COUNT
};

struct aliyun_topic_row {
    enum aliyun_topic topic;
    const char *pattern; /* "{p}" product key, "{d}" device name, "+" any level, "#" at the end:
                            anything */
    bool publish, subscribe;
};
const struct aliyun_topic_row *aliyun_topic_at(size_t index); /* null past the end */

/* The first row that a topic without wildcards is of, and for whom it is; false: of none. */
bool aliyun_topic_parse(const char *topic, enum aliyun_topic *out, struct aliyun_name *name);
void aliyun_topic_make(enum aliyun_topic topic, const struct aliyun_name *name,
                       char out[MQTT_TOPIC_MAX]);

/* For a broker that knows no identities: filters of what devices publish about updates, null past
 * the end, and whose a topic is: the device it names. */
const char *aliyun_filter_at(size_t index);
bool aliyun_topic_owner(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX]);

/* The face's rule. */
bool aliyun_topic_allowed(struct cloud *c, const char *identity, const char *topic,
                          enum mqtt_access access);

#endif
