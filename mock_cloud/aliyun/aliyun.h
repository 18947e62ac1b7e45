/*
 * The Aliyun IoT face: devices of the Link SDK generations 2 to 4 and of uOTA over MQTT, firmware
 * from a signed object storage over HTTP. Wire facts: aliyun protocol note §2-§5, §10, §11, §14;
 * upgrade kinds and records: seed 001, campaigns/campaigns.h. docs/clouds/aliyun.md is the manual.
 *
 * A product is a store_product (product_id = product key), a device a store_device with device_id
 * "{deviceName}&{productKey}", mid the device name, secret the device secret. This identity is also
 * the user name of its MQTT connection, and the device of its records.
 *
 * When an upgrade is announced: a device that needs one is told after its first version report,
 * once it has subscribed or a second has passed (what comes first decides nothing for devices that
 * never subscribe, aliyun note §2.5, §4.1), again on every further report and when it comes online,
 * as long as it needs it; at once when a task takes in a device that is there.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_ALIYUN_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_ALIYUN_H

#include "mock_cloud/cloud.h"

extern const struct face aliyun_face;

#define ALIYUN_URL_MAX 255 /* with the final zero: real clients crash beyond (aliyun note §5.4) */

/* The content of a configuration to come, as package package_id. The store's errors. */
int aliyun_keep_config(struct cloud *c, const char *product_key, int64_t package_id,
                       const void *content, uint32_t bytes, struct err *err);
/* A remote configuration for all devices of a product; content is kept as package package_id. Those
 * that are there are told. ERR_ARG, and the store's errors. */
int aliyun_set_config(struct cloud *c, int64_t now_ns, const char *product_key,
                      const char *config_id, int64_t package_id, const void *content,
                      uint32_t bytes, struct err *err);

/* The signed URL of a firmware's file (number from 1) for a device, from now on valid for the
 * cloud's url_lifetime_ns (0: ALIYUN_URL_LIFETIME_NS). ERR_NOT_FOUND, ERR_LIMIT. */
#define ALIYUN_URL_LIFETIME_NS (INT64_C(1800) * 1000000000)
int aliyun_url(struct cloud *c, int64_t now_ns, const char *identity, int64_t firmware_id,
               uint32_t number, char out[ALIYUN_URL_MAX], struct err *err);

/* The password of a login with this client id extension (without its bars), upper-case hex: what a
 * device computes; for set-ups that are printed. */
int aliyun_password(const char *client_id, const char *extension, const char *device_name,
                    const char *product_key, const char *secret, char out[65]);

#endif
