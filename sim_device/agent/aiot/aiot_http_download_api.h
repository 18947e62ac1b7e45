/*
 * Downloading a file of the 4.x Link SDK over HTTP or HTTPS, in one go or in ranges (seed 004).
 *
 *   dl = aiot_download_init();
 *   aiot_download_setopt(dl, AIOT_DLOPT_TASK_DESC, msg->task_desc);    inside the OTA handler
 *   aiot_download_setopt(dl, AIOT_DLOPT_RECV_HANDLER, on_bytes);
 *   aiot_download_send_request(dl);
 *   while ((rc = aiot_download_recv(dl)) >= 0 or -0x0922) ...
 *
 * aiot_download_recv hands at most one buffer of bytes to the handler, in order and without gaps.
 * After a break it asks for the rest by itself (-0x0922, renewal): how often is the application's
 * decision, who stops calling. A digest runs along from the first byte, so it means something only
 * when the whole file went through this handle; with a range that begins elsewhere it is left out.
 */
#ifndef OTABENCH_AGENT_AIOT_HTTP_DOWNLOAD_API_H
#define OTABENCH_AGENT_AIOT_HTTP_DOWNLOAD_API_H

#include <stdint.h>

typedef enum {
    AIOT_OTA_DIGEST_MD5,
    AIOT_OTA_DIGEST_SHA256,
    AIOT_OTA_DIGEST_MAX
} aiot_ota_digest_type_t;

typedef enum {
    AIOT_OTA_PROTOCOL_HTTPS,
    AIOT_OTA_PROTOCOL_MQTT,
    AIOT_OTA_PROTOCOL_MAX
} aiot_ota_protocol_type_t;

typedef struct {
    char *product_key; /* whom the announcement was addressed to: the device or a sub-device */
    char *device_name;
    char *url;             /* null with AIOT_OTA_PROTOCOL_MQTT */
    uint32_t size_total;   /* bytes */
    uint8_t digest_method; /* aiot_ota_digest_type_t */
    char *expect_digest;   /* hex */
    char *version;
    char *module;     /* null: none */
    char *extra_data; /* extData as JSON text, or null */
    void *mqtt_handle;
    uint8_t protocol_type; /* aiot_ota_protocol_type_t */
    uint32_t stream_id;    /* file over MQTT */
    uint32_t stream_file_id;
    char *file_name;   /* several files: the handler is called once for each */
    uint32_t file_num; /* of them; 1 for a plain announcement */
    uint32_t file_id;  /* from 0 */
} aiot_download_task_desc_t;

typedef enum { AIOT_DLRECV_HTTPBODY } aiot_download_recv_type_t;

typedef struct {
    aiot_download_recv_type_t type;
    struct {
        uint8_t *buffer;
        uint32_t len;
        int32_t percent; /* of the file; negative: a failure code of the seed */
    } data;
} aiot_download_recv_t;

typedef void (*aiot_download_recv_handler_t)(void *handle, const aiot_download_recv_t *packet,
                                             void *userdata);

typedef enum {
    AIOT_DLOPT_NETWORK_CRED,        /* char *: CA certificates (PEM), copied; https needs them */
    AIOT_DLOPT_NETWORK_PORT,        /* uint16_t *: used when the URL names none */
    AIOT_DLOPT_RECV_TIMEOUT_MS,     /* uint32_t * */
    AIOT_DLOPT_USERDATA,            /* void *, may be null */
    AIOT_DLOPT_TASK_DESC,           /* aiot_download_task_desc_t *, copied */
    AIOT_DLOPT_RANGE_START,         /* uint32_t *: first byte */
    AIOT_DLOPT_RANGE_END,           /* uint32_t *: last byte, inclusive */
    AIOT_DLOPT_RECV_HANDLER,        /* aiot_download_recv_handler_t */
    AIOT_DLOPT_BODY_BUFFER_MAX_LEN, /* uint32_t *: bytes; default 2 KiB */
    AIOT_DLOPT_MAX
} aiot_download_option_t;

/* A handle, or null without memory or outside a device. */
void *aiot_download_init(void);
/* -0x090C. *handle becomes null. */
int32_t aiot_download_deinit(void **handle);
/* -0x090D, -0x090E, -0x090F (the task lacks a name, or a copy failed), -0x0923, -0x0924, -0x0102,
 * -0x0103, -0x0201. A second task description replaces the first: what was received stays, when
 * size and digest are the same (a fresh URL), else it starts over. */
int32_t aiot_download_setopt(void *handle, aiot_download_option_t option, void *data);
/* Connects and asks for what is missing of the range. -0x091B, -0x091C, -0x091D, -0x0925, -0x0926,
 * -0x0929, -0x092A, -0x0906, -0x0201. */
int32_t aiot_download_send_request(void *handle);
/*
 * The next bytes. > 0: that many went to the handler. 0: none came yet. -0x091F: all received (and
 * matched, when a digest ran along); -0x0904: all received, wrong; -0x0907: the end of the range;
 * -0x0922: lost, and asked again; -0x0906: lost, and asking failed; -0x0903: the reply cannot be
 * used; -0x0920: status neither 200 nor 206; -0x0921: no Content-Length; -0x0927: more than
 * announced; -0x091A. After -0x0903, -0x0906, -0x0920, -0x0921 send_request may be called again.
 */
int32_t aiot_download_recv(void *handle);
/* percent 1..100 or a code of aiot_ota_protocol_errcode_t. -0x0918, -0x0919, -0x0902, -0x0102. */
int32_t aiot_download_report_progress(void *handle, int32_t percent);

#endif
