/*
 * Downloading a file of the 4.x Link SDK block by block over the MQTT session: what is announced
 * with AIOT_OTA_PROTOCOL_MQTT (aliyun note §10).
 *
 *   md = aiot_mqtt_download_init();
 *   aiot_mqtt_download_setopt(md, AIOT_MDOPT_TASK_DESC, task);     its mqtt_handle is used
 *   aiot_mqtt_download_setopt(md, AIOT_MDOPT_RECV_HANDLE, on_block);
 *   while ((rc = aiot_mqtt_download_process(md)) == STATE_MQTT_DOWNLOAD_RUNNING) ...
 *
 * Another task must be inside aiot_mqtt_recv: replies arrive there, and are handed on here. A block
 * that is damaged is asked for again at once, one that does not come after 10 s; both three times.
 * An MD5 runs along when the whole file is fetched.
 */
#ifndef OTABENCH_AGENT_AIOT_MQTT_DOWNLOAD_API_H
#define OTABENCH_AGENT_AIOT_MQTT_DOWNLOAD_API_H

#include "sim_device/agent/aiot/aiot_ota_api.h"

#define STATE_MQTT_DOWNLOAD_BASE             (-0x1D00)
#define STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL   (-0x1D01)
#define STATE_MQTT_DOWNLOAD_DEINIT           (-0x1D02) /* going on in deinit */
#define STATE_MQTT_DOWNLOAD_INIT             (-0x1D03) /* no task description yet */
#define STATE_MQTT_DOWNLOAD_RUNNING          (-0x1D04) /* a block came, more are needed */
#define STATE_MQTT_DOWNLOAD_FINISHED         (-0x1D05) /* all of the range came */
#define STATE_MQTT_DOWNLOAD_SUCCESS          (-0x1D06) /* all of the file, and its digest matches */
#define STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT   (-0x1D07) /* no usable block after all repeats */
#define STATE_MQTT_DOWNLOAD_FAILED_MISMATCH  (-0x1D08) /* digest */
#define STATE_MQTT_DOWNLOAD_FAILED_RECVERROR (-0x1D09) /* the cloud refuses the file */
#define STATE_MQTT_DOWNLOAD_ABORT            (-0x1D0A) /* the session is down */
#define STATE_MQTT_DOWNLOAD_FAILED_FILE_SIZE (-0x1D0B) /* not the announced one */

#define AIOT_MQTT_DOWNLOAD_BLOCK_MAX 8192 /* bytes */

typedef enum { AIOT_MDRECV_DATA } aiot_mqtt_download_recv_type_t;

typedef struct {
    aiot_mqtt_download_recv_type_t type;
    struct {
        uint8_t *buffer;
        uint32_t len;
        uint32_t offset;
        int32_t percent;
    } data;
} aiot_mqtt_download_recv_t;

typedef void (*aiot_mqtt_download_recv_handler_t)(void *handle,
                                                  const aiot_mqtt_download_recv_t *packet,
                                                  void *userdata);

typedef enum {
    AIOT_MDOPT_TASK_DESC,      /* aiot_download_task_desc_t *, copied */
    AIOT_MDOPT_RECV_HANDLE,    /* aiot_mqtt_download_recv_handler_t */
    AIOT_MDOPT_USERDATA,       /* void *, may be null */
    AIOT_MDOPT_DATABLOCK_SIZE, /* uint32_t *: bytes, 1..8192; default 5 KiB */
    AIOT_MDOPT_RANGE_START,    /* uint32_t *: first byte */
    AIOT_MDOPT_RANGE_END,      /* uint32_t *: last byte, inclusive */
    AIOT_MDOPT_MAX
} aiot_mqtt_download_option_t;

void *aiot_mqtt_download_init(void);
int32_t aiot_mqtt_download_deinit(void **handle);
/* HANDLE_IS_NULL, -0x0101 (data), -0x0102, -0x0103, -0x0201, -0x0924. */
int32_t aiot_mqtt_download_setopt(void *handle, aiot_mqtt_download_option_t option, void *data);
/* Asks for the next block, waits for it and hands it over: the states above. */
int32_t aiot_mqtt_download_process(void *handle);

#endif
