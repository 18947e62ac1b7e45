/*
 * Over-the-air updates of the 2.x and 3.x Link SDK (seed 001): one task, one handle.
 *
 *   h = IOT_OTA_Init(PRODUCT_KEY, DEVICE_NAME, pclient);      pclient from IOT_MQTT_Construct
 *   IOT_OTA_ReportVersion(h, "1.0");
 *   for (;;) {
 *       IOT_MQTT_Yield(pclient, 200);                         announcements arrive in here
 *       if (IOT_OTA_IsFetching(h))
 *           do { len = IOT_OTA_FetchYield(h, buf, size, 1); ... } while
 * (!IOT_OTA_IsFetchFinish(h));
 *   }
 *
 * States: waiting -> fetching (an announcement was understood) -> finished (all bytes came). While
 * fetching, an announcement of the same file only brings a fresh URL, any other is ignored. Only
 * IOT_OTA_Deinit leads back to waiting.
 *
 * The file comes over HTTP or HTTPS, each request for what is missing; a request that broke is
 * repeated by the next IOT_OTA_FetchYield. How often, and whether the version is wanted at all, is
 * the application's decision. Five calls in a row without a byte end a request.
 */
#ifndef OTABENCH_AGENT_IOT_OTA_IOT_EXPORT_OTA_H
#define OTABENCH_AGENT_IOT_OTA_IOT_EXPORT_OTA_H

#include <stddef.h>
#include <stdint.h>

#define OTA_VERSION_LEN_MAX 33 /* with the final zero */
#define OTA_MD5_LEN         33

/* Results below 0. */
typedef enum {
    IOT_OTAE_GENERAL = -1,
    IOT_OTAE_INVALID_PARAM = -2,
    IOT_OTAE_INVALID_STATE = -3,
    IOT_OTAE_STR_TOO_LONG = -4,
    IOT_OTAE_FETCH_FAILED = -5,
    IOT_OTAE_NOMEM = -6,
    IOT_OTAE_OSC_FAILED = -7, /* the signal channel */
    IOT_OTAE_NONE = 0
} IOT_OTA_Err_t;

/* Progress: 1..100, or what failed. */
typedef enum {
    IOT_OTAP_BURN_FAILED = -4,
    IOT_OTAP_CHECK_FALIED = -3, /* spelt as in the vendor's header */
    IOT_OTAP_FETCH_FAILED = -2,
    IOT_OTAP_GENERAL_FAILED = -1,
    IOT_OTAP_FETCH_PERCENTAGE_MIN = 0,
    IOT_OTAP_FETCH_PERCENTAGE_MAX = 100
} IOT_OTA_Progress_t;

typedef enum {
    IOT_OTAG_FETCHED_SIZE,  /* uint32_t, 4 bytes */
    IOT_OTAG_FILE_SIZE,     /* uint32_t, 4 bytes */
    IOT_OTAG_MD5SUM,        /* char[33] */
    IOT_OTAG_VERSION,       /* char[OTA_VERSION_LEN_MAX] */
    IOT_OTAG_CHECK_FIRMWARE /* uint32_t, 4 bytes: 1 the MD5 of all bytes matches, 0 it does not */
} IOT_OTA_CmdType_t;

/* Subscribes at QoS 1. Texts are copied. Null: a name is missing or too long, no memory, not
 * connected. */
void *IOT_OTA_Init(const char *product_key, const char *device_name, void *ch_signal);
/* Frees; a download under way is given up. 0, INVALID_PARAM. */
int IOT_OTA_Deinit(void *handle);
/* At QoS 1. 0; INVALID_PARAM; STR_TOO_LONG: above 32 characters; OSC_FAILED. */
int IOT_OTA_ReportVersion(void *handle, const char *version);
/* msg goes into "desc"; may be null. 0; INVALID_PARAM; STR_TOO_LONG; OSC_FAILED. */
int IOT_OTA_ReportProgress(void *handle, IOT_OTA_Progress_t progress, const char *msg);
int IOT_OTA_IsFetching(void *handle);    /* 1: an announcement was taken, bytes are missing */
int IOT_OTA_IsFetchFinish(void *handle); /* 1: all bytes came */
/*
 * (0, buf_len]: bytes of the file, in order. 0: none came within timeout_s; the state is kept.
 * INVALID_PARAM, INVALID_STATE; NOMEM; FETCH_FAILED: the request or reply is of no use, the next
 * call asks again for what is missing.
 */
int IOT_OTA_FetchYield(void *handle, char *buf, uint32_t buf_len, uint32_t timeout_s);
/*
 * Sizes are enforced: exactly 4 for numbers, at least 33 and OTA_VERSION_LEN_MAX for texts. 0;
 * INVALID_PARAM; INVALID_STATE: nothing was announced, or, for CHECK_FIRMWARE, bytes are missing.
 * A CHECK_FIRMWARE that fails reports -3 by itself.
 */
int IOT_OTA_Ioctl(void *handle, IOT_OTA_CmdType_t type, void *buf, size_t buf_len);
/* 3.x: asks the cloud to announce again, as a device that runs `version`. As ReportVersion. */
int iotx_req_image(void *handle, const char *version);
/* 3.x: with a module name. */
int iotx_ota_report_module_version(void *handle, const char *module_name, const char *version);

/* Two additions, for applications that decide: the vendor's only way is Deinit and Init. */
void iotx_ota_dismiss(void *handle); /* back to waiting: the announcement is not wanted */
void iotx_ota_rewind(void *handle);  /* fetch again from the first byte */

#endif
