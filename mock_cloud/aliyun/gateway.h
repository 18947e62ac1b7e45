/*
 * Gateways: which sub-devices speak over whose connection, and since when. What devices ask for:
 *
 *   thing/topo/add, delete, get    the topology; whoever is added is signed for with its own secret
 *   thing/sub/register             secrets of listed sub-devices (register.h)
 *   thing/proxy/provisioning/product_register   the same, signed for with the product's secret
 *   combine/login, batch_login     a session over the gateway's connection, signed likewise
 *   combine/logout, batch_logout   its end
 *
 * A list succeeds as a whole or not at all. The reply has "code", "data", "id", "message", "method"
 * and "version", and is told on the topic of the request and "_reply", subscribed or not; but not
 * when the request says {"sys":{"ack":0}}.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_GATEWAY_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_GATEWAY_H

#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/topics.h"

#define ALIYUN_SUB_DEVICES_MAX 1500 /* of one gateway; the list that reaches it is still taken */
#define ALIYUN_BATCH_MAX       50   /* in one list */

/* A request of a gateway that is there, and the answer to it. */
struct aliyun_request {
    struct cloud *c;
    int64_t now_ns;
    const char *gateway; /* its identity: whose topic it is */
    const char *via;     /* over whose connection it came and the answer goes */
    const struct mqtt_message *message;
    const struct aliyun_message *m;
};
void aliyun_topo_add(const struct aliyun_request *r);
void aliyun_topo_delete(const struct aliyun_request *r);
void aliyun_topo_get(const struct aliyun_request *r);
void aliyun_sub_register(const struct aliyun_request *r);
void aliyun_product_register(const struct aliyun_request *r); /* says for each how it went */
void aliyun_combine_login(const struct aliyun_request *r);
void aliyun_combine_logout(const struct aliyun_request *r);

/* Properties, events and tags: acknowledged and forgotten. */
void aliyun_take_post(const struct aliyun_request *r);

#endif
