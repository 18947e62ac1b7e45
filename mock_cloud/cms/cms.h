/*
 * The China Mobile CMS-OTA face: register, checkVersion, ranged download, reportDownResult,
 * reportUpgradeResult, both signature rules, client variants A (direct) and C (CMS tunnel, at HTTP
 * level). Wire facts: cms-ota protocol note §1-§4; service codes: seed 000 §5.5. docs/cms-cloud.md
 * lists which cause raises which code.
 */
#ifndef OTABENCH_MOCK_CLOUD_CMS_H
#define OTABENCH_MOCK_CLOUD_CMS_H

#include "mock_cloud/cloud.h"

extern const struct face cms_face;

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
