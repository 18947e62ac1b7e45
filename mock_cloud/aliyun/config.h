/*
 * Remote configuration (COTA): what a product's devices are told, asked or not (aliyun note §11).
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_CONFIG_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_CONFIG_H

#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/topics.h"

#define ALIYUN_CONFIG_NONE 6710 /* code of a get_reply without a configuration */

/* Answers config/get over the connection of via. */
void aliyun_config_get(struct cloud *c, int64_t now_ns, const char *via,
                       const struct aliyun_name *name, const struct aliyun_message *m);

#endif
