#include "sim_device/agent/link_kit/block.h"

#include <string.h>

#include "common/bytes.h"
#include "common/json.h"

#define TEXT_MAX  4096
#define DEPTH_MAX 4
#define CRC_BYTES 2
#define LEN_BYTES 2

uint16_t kit_block_crc16(const uint8_t *data, size_t len_bytes)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < len_bytes; i++) {
        crc = (uint16_t)(crc ^ data[i]);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc >> 1) ^ ((crc & 1) != 0 ? 0xA001 : 0));
    }
    return crc;
}

static int read_text(struct kit_block *out, const cJSON *root, int64_t *size, struct err *err)
{
    const cJSON *data = NULL;
    const char *token = "";
    int64_t code = 0, offset = 0, file = 0;
    if (!cJSON_IsObject(root))
        return json_error(root, root, err, "must be an object");
    int rc = json_need(json_get_int(root, root, "code", INT32_MIN, INT32_MAX, &code, err), root,
                       root, "code", err);
    if (rc != 0)
        return rc;
    if (code != 200)
        return err_set(err, ERR_UNSUPPORTED, "$.code: is %lld, must be 200", (long long)code);
    if ((rc = json_need(json_get_object(root, root, "data", &data, err), root, root, "data",
                        err)) != 0 ||
        (rc = json_need(json_get_int(root, data, "fileLength", 1, INT32_MAX, &file, err), root,
                        data, "fileLength", err)) != 0 ||
        (rc = json_need(json_get_int(root, data, "bSize", 1, INT32_MAX, size, err), root, data,
                        "bSize", err)) != 0 ||
        (rc = json_need(json_get_int(root, data, "bOffset", 0, INT32_MAX, &offset, err), root, data,
                        "bOffset", err)) != 0)
        return rc;
    if ((rc = json_get_string(root, data, "fileToken", 0, KIT_BLOCK_TOKEN_MAX, &token, err)) < 0)
        return rc;
    memcpy(out->token, token, strlen(token));
    out->offset = (uint32_t)offset;
    out->file_bytes = (uint32_t)file;
    return 0;
}

int kit_block_parse(struct kit_block *out, const uint8_t *payload, size_t len_bytes,
                    struct err *err)
{
    const struct json_limits limits = {.max_bytes = TEXT_MAX, .max_depth = DEPTH_MAX};
    struct json doc;
    int64_t size = 0;
    memset(out, 0, sizeof(*out));
    size_t text = len_bytes >= LEN_BYTES ? (size_t)(payload[0] << 8 | payload[1]) : SIZE_MAX;
    if (len_bytes < LEN_BYTES || text > len_bytes - LEN_BYTES)
        return err_set(err, ERR_FORMAT, "a block without its text");
    int rc = json_parse(&doc, (const char *)payload + LEN_BYTES, text, &limits, err);
    if (rc != 0)
        return rc;
    rc = read_text(out, doc.root, &size, err);
    json_free(&doc);
    if (rc != 0)
        return rc;
    size_t rest = len_bytes - LEN_BYTES - text;
    if (rest < CRC_BYTES || rest - CRC_BYTES != (uint64_t)size)
        return err_set(err, ERR_FORMAT, "a block of %zu bytes that calls itself %lld", rest,
                       (long long)size);
    out->data = payload + LEN_BYTES + text;
    out->len_bytes = (size_t)size;
    if (get_le16(out->data + size) != kit_block_crc16(out->data, (size_t)size))
        return err_set(err, ERR_DIGEST, "CRC of the block at %u is wrong", out->offset);
    return 0;
}
