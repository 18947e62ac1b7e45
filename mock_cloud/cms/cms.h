/*
 * The China Mobile CMS-OTA face: register, checkVersion, ranged download, reportDownResult,
 * reportUpgradeResult, both signature rules, client variants A (direct) and C (CMS tunnel, at HTTP
 * level). Wire facts: cms-ota protocol note §1-§4; service codes: seed 000 §5.5. docs/cms-cloud.md
 * lists which cause raises which code.
 *
 *   POST /register/{product}                              variant A only
 *   POST /product/{product}/{device}/ota/checkVersion
 *   POST /product/{product}/{device}/ota/reportDownResult
 *   POST /product/{product}/{device}/ota/reportUpgradeResult
 *   GET  /fota/{delta}/{expiry}/{signature}?{device}      what deltaUrl names; HEAD too
 *
 * Control replies are HTTP 200, chunked, {"status":N,"msg":"...","data":{...}|null} without a
 * blank, and with their head stay below CMS_REPLY_MAX, the smallest receive buffer of real clients.
 */
#ifndef OTABENCH_MOCK_CLOUD_CMS_H
#define OTABENCH_MOCK_CLOUD_CMS_H

#include "mock_cloud/cloud.h"

#define CMS_REPLY_MAX 767 /* head, chunk framing and body (cms-ota §1.3, segment index 3) */

extern const struct face cms_face;

enum cms_status {
    CMS_SUCCESS = 1000,
    CMS_PRODUCT_INVALID = 1001,
    CMS_NO_PROJECT = 1002,
    CMS_PARAM_INVALID = 1003,
    CMS_PARAM_MISSING = 1004,
    CMS_SYSTEM_ERROR = 1005,
    CMS_JSON_ERROR = 1006,
    CMS_RULE_BROKEN = 1007,
    CMS_MID_LENGTH = 1008,
    CMS_AES_ERROR = 1009,
    CMS_DEVICE_VISITS = 1010,
    CMS_OWNER_VISITS = 1015,
    CMS_SIGN_ERROR = 2001,
    CMS_NO_VERSION = 2101,
    CMS_VERSION_INVALID = 2102,
    CMS_NOT_REGISTERED = 2103,
    CMS_NO_TEAM = 2104,
    CMS_DOWNLOAD_STATUS = 2201,
    CMS_DOWNLOAD_DELTA = 2202,
    CMS_UPGRADE_DELTA = 2301,
    CMS_UPGRADE_STATUS = 2302
};

/* A service code with its documented text and natural cause; null if unknown. cms_code_at walks the
 * table. */
struct cms_code {
    int code;
    const char *text;  /* as the vendor's table words it in substance */
    const char *cause; /* what raises it here; null: only by script */
};
const struct cms_code *cms_code_find(int code);
const struct cms_code *cms_code_at(size_t index);

/* HMAC-MD5 signature, lower-case hex: key, id + productId + decimal timestamp (cms-ota §3). */
void cms_sign(const char *key, const char *id, const char *product_id, int64_t timestamp,
              char out[33]);

#endif
