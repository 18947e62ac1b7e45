#include "mock_cloud/aliyun/block.h"

#include <inttypes.h>
#include <string.h>

#include "mock_cloud/aliyun/push.h"
#include "mock_cloud/campaigns/campaigns.h"

#define TOKEN_MAX 128

uint16_t aliyun_crc16(const void *data, size_t len_bytes)
{
    const uint8_t *p = data;
    uint16_t crc = 0;
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc & 1) != 0 ? (crc >> 1) ^ 0xA001 : crc >> 1);
    }
    return crc;
}

struct wanted {
    char token[TOKEN_MAX];
    int64_t stream_id, file_id, size, offset;
};

static int read_wanted(const struct aliyun_message *m, struct wanted *out, struct err *err)
{
    const cJSON *root = m->doc.root, *info = NULL, *block = NULL;
    *out = (struct wanted){.token = ""};
    if (m->params == NULL)
        return err_set(err, ERR_FORMAT, "$: needs \"params\"");
    int rc = aliyun_message_text(m, "fileToken", out->token, sizeof out->token, err);
    if (rc == 0)
        rc = json_need(json_get_object(root, m->params, "fileInfo", &info, err), root, m->params,
                       "fileInfo", err);
    if (rc == 0)
        rc = json_need(json_get_object(root, m->params, "fileBlock", &block, err), root, m->params,
                       "fileBlock", err);
    if (rc == 0)
        rc = aliyun_message_number(m, info, "streamId", 1, INT32_MAX, &out->stream_id, err);
    if (rc == 0)
        rc = aliyun_message_number(m, info, "fileId", 1, STORE_FILES_MAX, &out->file_id, err);
    if (rc == 0)
        rc = aliyun_message_number(m, block, "size", 1, ALIYUN_BLOCK_MAX, &out->size, err);
    if (rc == 0)
        rc = aliyun_message_number(m, block, "offset", 0, STORE_PACKAGE_BYTES_MAX, &out->offset,
                                   err);
    return rc;
}

/* The file must be of a firmware that goes over MQTT, of the device's product. */
static int find_file(struct cloud *c, const struct aliyun_name *name, const struct wanted *w,
                     const uint8_t **data, size_t *len, struct err *err)
{
    struct store *s = cloud_store(c);
    struct store_firmware f;
    struct store_file file;
    int rc = store_get_firmware(s, w->stream_id, &f, err);
    if (rc == 0 && (!f.over_mqtt || strcmp(f.product_id, name->product_key) != 0))
        rc = err_set(err, ERR_NOT_FOUND, "no stream %" PRId64, w->stream_id);
    if (rc == 0)
        rc = store_get_file(s, f.delta_id, (uint32_t)w->file_id, &file, err);
    if (rc == 0)
        rc = store_package_bytes(s, file.package_id, data, len, err);
    if (rc == 0 && (uint64_t)w->offset >= *len)
        rc = err_set(err, ERR_LIMIT, "offset %" PRId64 " of a file of %zu bytes", w->offset, *len);
    return rc;
}

static int put_frame(struct buf *out, const struct buf *head, const uint8_t *block, size_t len)
{
    uint16_t crc = aliyun_crc16(block, len);
    const uint8_t length[2] = {(uint8_t)(head->len_bytes >> 8), (uint8_t)head->len_bytes};
    const uint8_t tail[2] = {(uint8_t)crc, (uint8_t)(crc >> 8)};
    int rc = buf_append(out, length, 2);
    if (rc == 0)
        rc = buf_append(out, head->data, head->len_bytes);
    if (rc == 0 && len > 0)
        rc = buf_append(out, block, len);
    return rc == 0 ? buf_append(out, tail, 2) : rc;
}

void aliyun_block_get(struct cloud *c, int64_t now_ns, const char *via,
                      const struct aliyun_name *name, const struct aliyun_message *m)
{
    struct wanted w;
    struct err err = {""};
    const uint8_t *data = NULL;
    size_t file_bytes = 0, len = 0;
    struct buf head, frame;
    buf_init(&head, 1024);
    buf_init(&frame, ALIYUN_BLOCK_MAX + 2048);
    int rc = read_wanted(m, &w, &err);
    if (rc == 0)
        rc = find_file(c, name, &w, &data, &file_bytes, &err);
    if (rc == 0) {
        char identity[MQTT_IDENTITY_MAX];
        struct err failed = {""};
        aliyun_name_identity(name, identity);
        if (campaign_fetched(c, identity, w.stream_id, &failed) != 0)
            aliyun_error(c, now_ns, &failed);
        len = file_bytes - (size_t)w.offset;
        len = len < (size_t)w.size ? len : (size_t)w.size;
        (void)buf_printf(
            &head, "{\"id\":%s,\"code\":200,\"msg\":\"success\",\"data\":{\"fileToken\":", m->id);
        (void)json_put_string(&head, w.token);
        (void)buf_printf(&head, ",\"fileLength\":%zu,\"bSize\":%zu,\"bOffset\":%" PRId64 "}}",
                         file_bytes, len, w.offset);
        data += w.offset;
    } else {
        cloud_refused(c, now_ns, via, err.text);
        (void)buf_printf(&head, "{\"id\":%s,\"code\":%d,\"msg\":\"%s\",\"data\":{}}", m->id,
                         rc == ERR_NOT_FOUND ? 404 : 400,
                         rc == ERR_NOT_FOUND ? "file not found" : "request parameter error");
    }
    if (put_frame(&frame, &head, data, len) == 0)
        aliyun_send(c, now_ns, via, TOPIC_FILE_REPLY, name, frame.data, frame.len_bytes, 0);
    buf_free(&head);
    buf_free(&frame);
}
