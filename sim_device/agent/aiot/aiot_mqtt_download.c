#include "sim_device/agent/aiot/aiot_mqtt_download_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/vtime.h"
#include "sim_device/agent/aiot/aiot_mqtt_api.h"
#include "sim_device/agent/aiot/aiot_ota.h"
#include "sim_device/agent/link_kit/block.h"

#define BLOCK_BYTES 5120u
#define REPLY_NS    (10 * NS_PER_S)
#define REPEATS     3u
#define RANGE_OPEN  UINT32_MAX

/* What is known of the block that was asked for. */
enum reply { WAITING, ARRIVED, DAMAGED, REFUSED, WRONG_SIZE };

struct mqtt_download {
    struct kit *kit;
    struct board *board;
    aiot_download_task_desc_t *task;
    aiot_mqtt_download_recv_handler_t handler;
    void *userdata;
    uint32_t block_bytes, range_start, range_end;
    uint32_t received; /* of the range, handed over */
    bool subscribed;
    char topic[AIOT_TOPIC_MAX]; /* of replies */
    char token[KIT_BLOCK_TOKEN_MAX + 1];
    struct board_digest *digest;
    int32_t outcome; /* told once the end was reached; 0: not yet */
    enum reply reply;
    uint32_t block_len;
    uint8_t *block; /* block_bytes */
};

void *aiot_mqtt_download_init(void)
{
    struct kit *k = kit_self();
    struct mqtt_download *d = k != NULL ? kit_calloc(k->board, sizeof(*d)) : NULL;
    if (d == NULL)
        return NULL;
    d->kit = k;
    d->board = k->board;
    d->block_bytes = BLOCK_BYTES;
    d->range_end = RANGE_OPEN;
    return d;
}

static void drop_digest(struct mqtt_download *d)
{
    if (d->digest != NULL)
        board_digest_free(d->board, d->digest);
    d->digest = NULL;
}

int32_t aiot_mqtt_download_deinit(void **handle)
{
    if (handle == NULL || *handle == NULL)
        return aiot_state(STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    struct mqtt_download *d = *handle;
    if (d->subscribed)
        (void)aiot_mqtt_unsub(d->task->mqtt_handle, d->topic);
    drop_digest(d);
    board_free(d->board, d->block);
    board_free(d->board, d->task);
    board_free(d->board, d);
    *handle = NULL;
    return STATE_SUCCESS;
}

/* ---- options ---- */

static int32_t begin_digest(struct mqtt_download *d)
{
    drop_digest(d);
    d->received = 0;
    d->outcome = 0;
    if (d->task == NULL || d->range_start != 0)
        return STATE_SUCCESS;
    void *room = board_alloc(d->board, 1);
    if (room != NULL)
        d->digest = board_digest_begin(d->board, aiot_ota_digest_kind(d->task->digest_method));
    board_free(d->board, room);
    return d->digest != NULL ? STATE_SUCCESS : STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED;
}

static int32_t set_task(struct mqtt_download *d, const aiot_download_task_desc_t *task)
{
    if (task->product_key == NULL || task->device_name == NULL || task->mqtt_handle == NULL)
        return STATE_USER_INPUT_NULL_POINTER;
    if (d->subscribed || task->size_total == 0 || task->digest_method >= AIOT_OTA_DIGEST_MAX)
        return STATE_USER_INPUT_OUT_OF_RANGE;
    aiot_download_task_desc_t *copy = aiot_ota_copy_task(d->board, task);
    if (copy == NULL)
        return STATE_SYS_DEPEND_MALLOC_FAILED;
    board_free(d->board, d->task);
    d->task = copy;
    return begin_digest(d);
}

static int32_t set_number(struct mqtt_download *d, aiot_mqtt_download_option_t option,
                          const void *data)
{
    uint32_t v = 0;
    memcpy(&v, data, sizeof(v));
    if (option == AIOT_MDOPT_DATABLOCK_SIZE) {
        if (v == 0 || v > AIOT_MQTT_DOWNLOAD_BLOCK_MAX || d->block != NULL)
            return STATE_USER_INPUT_OUT_OF_RANGE;
        d->block_bytes = v;
        return STATE_SUCCESS;
    }
    uint32_t start = option == AIOT_MDOPT_RANGE_START ? v : d->range_start;
    uint32_t end = option == AIOT_MDOPT_RANGE_END ? v : d->range_end;
    if (start > end)
        return STATE_USER_INPUT_OUT_OF_RANGE;
    d->range_start = start;
    d->range_end = end;
    return begin_digest(d);
}

int32_t aiot_mqtt_download_setopt(void *handle, aiot_mqtt_download_option_t option, void *data)
{
    struct mqtt_download *d = handle;
    int32_t rc = STATE_SUCCESS;
    if (d == NULL)
        return aiot_state(STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    if (data == NULL && option != AIOT_MDOPT_USERDATA)
        return aiot_state(STATE_USER_INPUT_NULL_POINTER);
    switch (option) {
    case AIOT_MDOPT_TASK_DESC:
        rc = set_task(d, data);
        break;
    case AIOT_MDOPT_RECV_HANDLE:
        memcpy(&d->handler, &data, sizeof(data));
        break;
    case AIOT_MDOPT_USERDATA:
        d->userdata = data;
        break;
    case AIOT_MDOPT_DATABLOCK_SIZE:
    case AIOT_MDOPT_RANGE_START:
    case AIOT_MDOPT_RANGE_END:
        rc = set_number(d, option, data);
        break;
    default:
        rc = STATE_USER_INPUT_UNKNOWN_OPTION;
    }
    return rc == STATE_SUCCESS ? rc : aiot_state(rc);
}

/* ---- replies, in the task that receives ---- */

static uint32_t next_byte(const struct mqtt_download *d)
{
    return d->range_start + d->received;
}

static uint32_t last_byte(const struct mqtt_download *d)
{
    uint32_t end = d->task->size_total - 1;
    return d->range_end < end ? d->range_end : end;
}

static void on_reply(void *mqtt, const aiot_mqtt_recv_t *packet, void *userdata)
{
    struct mqtt_download *d = userdata;
    struct kit_block b;
    struct err err;
    (void)mqtt;
    if (d->reply != WAITING || d->block == NULL)
        return; /* late, or twice */
    int rc = kit_block_parse(&b, packet->data.pub.payload, packet->data.pub.payload_len, &err);
    if (rc != 0)
        kit_log(d->board, "file block: %s", err.text);
    if (rc == 0 && b.offset != next_byte(d))
        return;
    d->reply = rc == ERR_UNSUPPORTED                 ? REFUSED
               : rc != 0                             ? DAMAGED
               : b.file_bytes != d->task->size_total ? WRONG_SIZE
               : b.len_bytes > d->block_bytes || b.len_bytes > last_byte(d) - b.offset + 1
                   ? DAMAGED
                   : ARRIVED;
    if (d->reply == ARRIVED) {
        d->block_len = (uint32_t)b.len_bytes;
        memcpy(d->block, b.data, b.len_bytes);
        memcpy(d->token, b.token, sizeof(d->token));
    }
    d->board->ops->wake(d->board, &d->reply, 1);
}

/* ---- requests ---- */

static bool subscribe(struct mqtt_download *d)
{
    if (d->subscribed)
        return true;
    (void)snprintf(d->topic, sizeof(d->topic), "/sys/%s/%s/thing/file/download_reply",
                   d->task->product_key, d->task->device_name);
    d->subscribed = aiot_mqtt_sub(d->task->mqtt_handle, d->topic, on_reply, 0, d) == STATE_SUCCESS;
    if (!d->subscribed)
        (void)aiot_mqtt_unsub(d->task->mqtt_handle, d->topic);
    return d->subscribed;
}

static bool ask(struct mqtt_download *d)
{
    char topic[AIOT_TOPIC_MAX];
    uint32_t left = last_byte(d) - next_byte(d) + 1;
    (void)snprintf(topic, sizeof(topic), "/sys/%s/%s/thing/file/download", d->task->product_key,
                   d->task->device_name);
    d->reply = WAITING;
    return aiot_ota_send(d->task->mqtt_handle, topic,
                         "{\"id\":\"%" PRIu32 "\",\"version\":\"1.0\",\"params\":{\"fileToken\":"
                         "\"%s\",\"fileInfo\":{\"streamId\":%" PRIu32 ",\"fileId\":%" PRIu32
                         "%s},\"fileBlock\":{\"size\":%" PRIu32 ",\"offset\":%" PRIu32 "}}}",
                         aiot_mqtt_next_id(d->task->mqtt_handle), d->token, d->task->stream_id,
                         d->task->stream_file_id, d->kit->quirks.stray_comma ? "," : "",
                         left < d->block_bytes ? left : d->block_bytes, next_byte(d));
}

/* The block that is due. RUNNING: it is here; or the state that ends the download. */
static int32_t get_block(struct mqtt_download *d)
{
    for (unsigned i = 0; i <= REPEATS; i++) {
        if (!subscribe(d) || !ask(d))
            return STATE_MQTT_DOWNLOAD_ABORT;
        if (d->reply == WAITING)
            (void)d->board->ops->wait(d->board, &d->reply, REPLY_NS);
        if (d->reply == ARRIVED)
            return STATE_MQTT_DOWNLOAD_RUNNING;
        if (d->reply == REFUSED)
            return STATE_MQTT_DOWNLOAD_FAILED_RECVERROR;
        if (d->reply == WRONG_SIZE)
            return STATE_MQTT_DOWNLOAD_FAILED_FILE_SIZE;
    }
    return STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT;
}

static void hand_over(struct mqtt_download *d)
{
    aiot_mqtt_download_recv_t packet = {.type = AIOT_MDRECV_DATA};
    packet.data.buffer = d->block;
    packet.data.len = d->block_len;
    packet.data.offset = next_byte(d);
    d->received += d->block_len;
    packet.data.percent = (int32_t)((uint64_t)next_byte(d) * 100 / d->task->size_total);
    if (d->digest != NULL)
        board_digest_update(d->digest, d->block, d->block_len);
    if (d->handler != NULL)
        d->handler(d, &packet, d->userdata);
}

/* All of the range is here. */
static int32_t judge(struct mqtt_download *d)
{
    uint8_t want[DIGEST_BYTES_MAX], got[DIGEST_BYTES_MAX];
    size_t len = digest_bytes(aiot_ota_digest_kind(d->task->digest_method));
    if (d->digest == NULL || next_byte(d) != d->task->size_total)
        return STATE_MQTT_DOWNLOAD_FINISHED;
    board_digest_end(d->digest, got);
    drop_digest(d);
    bool ok = d->task->expect_digest != NULL && hex_decode(want, len, d->task->expect_digest) &&
              memcmp(want, got, len) == 0;
    return ok ? STATE_MQTT_DOWNLOAD_SUCCESS : STATE_MQTT_DOWNLOAD_FAILED_MISMATCH;
}

int32_t aiot_mqtt_download_process(void *handle)
{
    struct mqtt_download *d = handle;
    if (d == NULL)
        return aiot_state(STATE_MQTT_DOWNLOAD_HANDLE_IS_NULL);
    if (d->task == NULL || next_byte(d) >= d->task->size_total)
        return d->outcome != 0 ? d->outcome : aiot_state(STATE_MQTT_DOWNLOAD_INIT);
    if (d->outcome != 0)
        return d->outcome;
    if (d->block == NULL)
        d->block = board_alloc(d->board, d->block_bytes);
    if (d->block == NULL)
        return aiot_state(STATE_SYS_DEPEND_MALLOC_FAILED);
    int32_t rc = get_block(d);
    if (rc == STATE_MQTT_DOWNLOAD_RUNNING) {
        hand_over(d);
        if (next_byte(d) <= last_byte(d))
            return rc;
        d->outcome = rc = judge(d);
    }
    if (rc == STATE_MQTT_DOWNLOAD_FAILED_TIMEOUT && d->kit->quirks.file_failure_is_burn)
        (void)aiot_ota_report_step(d->task, AIOT_OTAERR_BURN_FAILED);
    return aiot_state(rc);
}
