/*
 * Over-the-air updates of the 4.x Link SDK (seed 004): version reports, announcements, progress.
 * The file itself comes by aiot_http_download_api.h or aiot_mqtt_download_api.h.
 *
 *   ota = aiot_ota_init();
 *   aiot_ota_setopt(ota, AIOT_OTAOPT_MQTT_HANDLE, mqtt);      from aiot_mqtt_init
 *   aiot_ota_setopt(ota, AIOT_OTAOPT_RECV_HANDLER, handler);  called inside aiot_mqtt_recv
 *   aiot_mqtt_connect(mqtt);
 *   aiot_ota_report_version(ota, "1.0.0");                    after every start
 *
 * No SUBSCRIBE is sent: the cloud knows the topics a device of this SDK listens to. The handler
 * sees every well-formed announcement; which ones count is the application's decision (repeated and
 * late ones come too, and those for sub-devices).
 *
 * Codes are negative also when they are good: -0x0901 (digest matched) and -0x091F (all received).
 */
#ifndef OTABENCH_AGENT_AIOT_OTA_API_H
#define OTABENCH_AGENT_AIOT_OTA_API_H

#include <stdint.h>

#include "sim_device/agent/aiot/aiot_http_download_api.h"
#include "sim_device/agent/aiot/aiot_state_api.h"

#define STATE_OTA_BASE                                 (-0x0900)
#define STATE_OTA_DIGEST_MATCH                         (-0x0901)
#define STATE_OTA_REPORT_FAILED                        (-0x0902)
#define STATE_DOWNLOAD_RECV_ERROR                      (-0x0903)
#define STATE_OTA_DIGEST_MISMATCH                      (-0x0904)
#define STATE_OTA_PARSE_JSON_ERROR                     (-0x0905)
#define STATE_DOWNLOAD_SEND_REQUEST_FAILED             (-0x0906)
#define STATE_DOWNLOAD_RANGE_FINISHED                  (-0x0907)
#define STATE_OTA_PARSE_JSON_MALLOC_FAILED             (-0x0908)
#define STATE_OTA_DEINIT_HANDLE_IS_NULL                (-0x0909)
#define STATE_OTA_SETOPT_HANDLE_IS_NULL                (-0x090A)
#define STATE_OTA_SETOPT_DATA_IS_NULL                  (-0x090B)
#define STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL           (-0x090C)
#define STATE_DOWNLOAD_SETOPT_HANDLE_IS_NULL           (-0x090D)
#define STATE_DOWNLOAD_SETOPT_DATA_IS_NULL             (-0x090E)
#define STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL      (-0x090F)
#define STATE_OTA_REPORT_HANDLE_IS_NULL                (-0x0910)
#define STATE_OTA_REPORT_VERSION_IS_NULL               (-0x0911)
#define STATE_OTA_REPORT_MQTT_HANDLE_IS_NULL           (-0x0912)
#define STATE_OTA_REPORT_EXT_HANELD_IS_NULL            (-0x0913) /* spelt as in the document */
#define STATE_OTA_REPORT_EXT_VERSION_NULL              (-0x0914)
#define STATE_OTA_REPORT_EXT_PRODUCT_KEY_IS_NULL       (-0x0915)
#define STATE_OTA_REPORT_EXT_DEVICE_NAME_IS_NULL       (-0x0916)
#define STATE_OTA_REPORT_EXT_MQTT_HANDLE_IS_NULL       (-0x0917)
#define STATE_DOWNLOAD_REPORT_HANDLE_IS_NULL           (-0x0918)
#define STATE_DOWNLOAD_REPORT_TASK_DESC_IS_NULL        (-0x0919)
#define STATE_DOWNLOAD_RECV_HANDLE_IS_NULL             (-0x091A)
#define STATE_DOWNLOAD_REQUEST_HANDLE_IS_NULL          (-0x091B)
#define STATE_DOWNLOAD_REQUEST_TASK_DESC_IS_NULL       (-0x091C)
#define STATE_DOWNLOAD_REQUEST_URL_IS_NULL             (-0x091D)
#define STATE_OTA_UNKNOWN_DIGEST_METHOD                (-0x091E)
#define STATE_DOWNLOAD_FINISHED                        (-0x091F)
#define STATE_DOWNLOAD_HTTPRSP_CODE_ERROR              (-0x0920)
#define STATE_DOWNLOAD_HTTPRSP_HEADER_ERROR            (-0x0921)
#define STATE_DOWNLOAD_RENEWAL_REQUEST_SENT            (-0x0922)
#define STATE_DOWNLOAD_SETOPT_MALLOC_SHA256_CTX_FAILED (-0x0923)
#define STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED    (-0x0924)
#define STATE_OTA_PARSE_URL_HOST_IS_NULL               (-0x0925)
#define STATE_OTA_PARSE_URL_PATH_IS_NULL               (-0x0926)
#define STATE_DOWNLOAD_FETCH_TOO_MANY                  (-0x0927)
#define STATE_OTA_QUERY_FIRMWARE_HANDLE_IS_NULL        (-0x0928)
#define STATE_OTA_HOST_STRING_OVERFLOW                 (-0x0929)
#define STATE_OTA_PATH_STRING_OVERFLOW                 (-0x092A)

typedef enum {
    AIOT_OTARECV_FOTA, /* firmware */
    AIOT_OTARECV_COTA  /* remote configuration: version is its configId */
} aiot_ota_recv_type_t;

/* An announcement; lives for the call of the handler (aiot_download_setopt copies the task). */
typedef struct {
    aiot_ota_recv_type_t type;
    aiot_download_task_desc_t *task_desc;
} aiot_ota_recv_t;

typedef void (*aiot_ota_recv_handler_t)(void *handle, const aiot_ota_recv_t *const msg,
                                        void *userdata);

/* What aiot_download_report_progress takes besides 1..100. */
typedef enum {
    AIOT_OTAERR_UPGRADE_FAILED = -1,
    AIOT_OTAERR_FETCH_FAILED = -2,
    AIOT_OTAERR_CHECKSUM_MISMATCH = -3,
    AIOT_OTAERR_BURN_FAILED = -4
} aiot_ota_protocol_errcode_t;

typedef enum {
    AIOT_OTAOPT_RECV_HANDLER, /* aiot_ota_recv_handler_t */
    AIOT_OTAOPT_MQTT_HANDLE,  /* of aiot_mqtt_init; lives longer than the OTA handle */
    AIOT_OTAOPT_USERDATA,     /* void *, may be null */
    AIOT_OTAOPT_MODULE,       /* char *, copied: reported with the version */
    AIOT_OTAOPT_MAX
} aiot_ota_option_t;

/* A handle, or null without memory or outside a device. */
void *aiot_ota_init(void);
/* -0x0909. *handle becomes null. Before aiot_mqtt_deinit of its MQTT handle. */
int32_t aiot_ota_deinit(void **handle);
/* -0x090A, -0x090B, -0x0103 (unknown option), -0x0201. */
int32_t aiot_ota_setopt(void *handle, aiot_ota_option_t option, void *data);
/* -0x0910, -0x0911, -0x0912, -0x0902 when the message could not be sent. */
int32_t aiot_ota_report_version(void *handle, char *version);
/* Of a sub-device, under its names, by its gateway. -0x0913..-0x0917, -0x0902. */
int32_t aiot_ota_report_version_ext(void *handle, char *product_key, char *device_name,
                                    char *version);
/* Asks the cloud to announce the pending task again. -0x0928, -0x0912 without MQTT handle, -0x0902.
 */
int32_t aiot_ota_query_firmware(void *handle);

#endif
