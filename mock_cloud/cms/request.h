/*
 * The bodies of CMS control requests: one JSON object each, members in any order, unknown members
 * ignored (real clients add some).
 */
#ifndef OTABENCH_MOCK_CLOUD_CMS_REQUEST_H
#define OTABENCH_MOCK_CLOUD_CMS_REQUEST_H

#include "mock_cloud/cms/cms.h"

#define CMS_MID_MIN 4
#define CMS_MID_MAX 31

struct cms_request {
    char mid[STORE_TEXT_MAX];
    char sign[STORE_TEXT_MAX];
    int64_t timestamp;
    char oem[STORE_TEXT_MAX], models[STORE_TEXT_MAX], platform[STORE_TEXT_MAX],
        device_type[STORE_TEXT_MAX];         /* register */
    char version[STORE_TEXT_MAX];            /* register, checkVersion */
    int64_t delta_id;                        /* reports; a string or a number on the wire */
    int64_t download_status;                 /* reportDownResult */
    int64_t update_status;                   /* reportUpgradeResult */
    int64_t down_start, down_end, down_size; /* reportDownResult */
    char sdk_version[STORE_TEXT_MAX], app_version[STORE_TEXT_MAX],
        network_type[STORE_TEXT_MAX]; /* register, optional */
};

/* CMS_SUCCESS, or 1006, 1004, 1003, 1007, 1008 by the first wrong member in the documented order.
 * rq is one of the four control requests. */
int cms_request_parse(struct cms_request *out, enum cloud_request rq, const uint8_t *body,
                      size_t body_bytes);

#endif
