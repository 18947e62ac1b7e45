/*
 * An upgrade message as AliOS Things takes it (aliyun note §5, §12.4): message "success", then url,
 * version, size, sign by signMethod or else md5, and maybe isDiff and digestsign. Read strictly
 * (common/json.h).
 */
#ifndef OTABENCH_AGENT_UOTA_OTA_PUSH_H
#define OTABENCH_AGENT_UOTA_OTA_PUSH_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/signature.h"

#define OTA_VERSION_MAX    64    /* with terminator */
#define OTA_URL_MAX        1024  /* with terminator */
#define OTA_PUSH_BYTES_MAX 16384 /* the port drops what is longer than OTA_MESSAGE_MAX */
#define OTA_PUSH_DEPTH_MAX 8

struct ota_push {
    char version[OTA_VERSION_MAX];
    char url[OTA_URL_MAX];
    uint32_t size_bytes; /* 1..INT32_MAX */
    enum digest_kind method;
    uint8_t digest[DIGEST_BYTES_MAX];
    bool is_diff;
    char signature[SIGNATURE_TEXT_MAX]; /* digestsign, as announced; "": none */
};

/* Trailing zero bytes are passed over. ERR_FORMAT, ERR_LIMIT; ERR_UNSUPPORTED: digest method;
 * ERR_NOT_FOUND: a message without success, or of another kind. */
int ota_push_parse(struct ota_push *out, const void *payload, size_t len_bytes, struct err *err);

#endif
