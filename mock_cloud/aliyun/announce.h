/*
 * The words of the cloud: upgrade messages and what remote configuration is told with. Keys in the
 * order of captures, types as on the real wire, no blanks (aliyun note §5.1, §5.2, §5.5, §11).
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_ANNOUNCE_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_ANNOUNCE_H

#include "mock_cloud/aliyun/login.h"

#define ALIYUN_ANNOUNCE_MAX (48u << 10)

/* Appends the object {"size":...} of a firmware for a device, within a push or an answer to a query
 * (cloud_begin... first: the script may spoil it). The store's errors, ERR_LIMIT. */
int aliyun_put_firmware(struct cloud *c, int64_t now_ns, const char *identity,
                        const struct store_firmware *f, struct buf *out, struct err *err);
/* A whole upgrade message. */
int aliyun_put_upgrade(struct cloud *c, int64_t now_ns, const char *identity,
                       const struct store_firmware *f, struct buf *out, struct err *err);
/* The object {"configId":...}. */
int aliyun_put_config(struct cloud *c, int64_t now_ns, const struct store_config *cfg,
                      struct buf *out, struct err *err);
/* A whole message that pushes it. */
int aliyun_put_config_push(struct cloud *c, int64_t now_ns, const struct store_config *cfg,
                           struct buf *out, struct err *err);
/* The face's memory of messages that wait (face.h): of an announcement, which firmware;
 * of a configuration, that it is one. */
bool aliyun_remember_message(struct cloud *c, const char *identity, const struct mqtt_message *m,
                             struct buf *out);
bool aliyun_recall_message(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                           const void *memory, size_t len_bytes, struct buf *payload);
/* The id of a message that the cloud begins: Unix time, ms. */
int64_t aliyun_message_id(const struct cloud *c, int64_t now_ns);

#endif
