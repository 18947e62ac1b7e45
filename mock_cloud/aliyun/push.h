/*
 * When a device is told of an upgrade (aliyun note §2.5, §4.1, §15 rows 2 and 9). One session per
 * device that is there, sub-devices included; what is due is done by the tick.
 *
 *   comes online, and is known to need one   told after ALIYUN_SETTLE_NS
 *   first version report of the session      told after ALIYUN_SETTLE_NS, or ALIYUN_LISTEN_NS after
 *                                            it has subscribed: the second report of a v3 device,
 *                                            which corrects the first, is on its way by then
 *   subscribes after it was told             told again after ALIYUN_LISTEN_NS: it could not hear
 *   every further report, a request          told at once
 *   a task takes it in                       told at once, if it has told a version before
 *
 * The same moment judges an upgrade that had told 100 % and whose version did not come
 * (campaign_settle).
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_PUSH_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_PUSH_H

#include "mock_cloud/aliyun/register.h"
#include "mock_cloud/aliyun/topics.h"

#define ALIYUN_SETTLE_NS (INT64_C(1000) * 1000000)
#define ALIYUN_LISTEN_NS (INT64_C(200) * 1000000)

void aliyun_online(struct cloud *c, int64_t now_ns, const char *identity);
/* A sub-device logged in over the connection of via. */
void aliyun_sub_online(struct cloud *c, int64_t now_ns, const char *identity, const char *via);
/* There is one session of a device: that over another connection than via ends. A connection of its
 * own does, too; a gateway is told the code, on /ext/error. */
void aliyun_end_session(struct cloud *c, int64_t now_ns, const char *identity, const char *via,
                        enum aliyun_code code);
void aliyun_offline(struct cloud *c, int64_t now_ns, const char *identity);
void aliyun_subscribed(struct cloud *c, int64_t now_ns, const char *identity, const char *filter);
void aliyun_offered(struct cloud *c, int64_t now_ns, const char *identity, int64_t delta_id);
/* A version of a module came over the connection of via. */
void aliyun_told(struct cloud *c, int64_t now_ns, const char *identity, const char *via,
                 const char *module, const char *version);
/* The device asks to be told now (/ota/device/request). */
void aliyun_requested(struct cloud *c, int64_t now_ns, const char *identity, const char *via);
int64_t aliyun_tick(struct cloud *c, int64_t now_ns);

/* Sends text to the device under one of its topics, over the connection of via, within the current
 * request or push (the script may spoil it). */
void aliyun_send(struct cloud *c, int64_t now_ns, const char *via, enum aliyun_topic topic,
                 const struct aliyun_name *name, const void *payload, size_t len_bytes, int qos);
/* Notes a failure of the store. */
void aliyun_error(struct cloud *c, int64_t now_ns, const struct err *err);

#endif
