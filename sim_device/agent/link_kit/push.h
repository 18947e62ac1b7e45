/*
 * What the cloud announces: an upgrade message, a reply to firmware/get, or a remote configuration,
 * read strictly (common/json.h) into one block of the device's heap (aliyun note §5, §11).
 *
 * Taken: code and id as number or text, size as number or text, unknown members anywhere, digests
 * in either letter case. Refused: duplicate keys, depth above 8, sizes outside 1..2^31-1, digests
 * that are not hex of the right length, texts that are too long.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_PUSH_H
#define OTABENCH_AGENT_LINK_KIT_PUSH_H

#include "common/digest.h"
#include "common/err.h"
#include "sim_device/agent/link_kit/credentials.h"
#include "sim_device/agent/link_kit/quirks.h"
#include "sim_device/board/board.h"

#define KIT_FILES_MAX       20
#define KIT_VERSION_MAX     128 /* characters */
#define KIT_PUSH_DEPTH_MAX  8
#define KIT_PUSH_URL_MAX    4096
#define KIT_PUSH_MODULE_MAX 64

enum kit_push_kind { KIT_PUSH_FIRMWARE, KIT_PUSH_CONFIG };

struct kit_push_file {
    const char *name; /* null for the one file of a plain message */
    const char *url;  /* null when it comes over MQTT */
    uint32_t size_bytes;
    enum digest_kind method;
    const char *digest; /* hex of the method, as announced */
    uint32_t file_id;   /* over MQTT */
};

/* Texts point into the block. */
struct kit_push {
    enum kit_push_kind kind;
    const char *version; /* configuration: its configId */
    const char *module;  /* null: none */
    const char *ext;     /* extData as JSON text, or null */
    bool over_mqtt;      /* dProtocol "mqtt" */
    uint32_t stream_id;
    struct kit_push_file files[KIT_FILES_MAX];
    size_t file_count; /* 1 for a plain message */
};

/*
 * 0 and *out (board_free it); ERR_NOT_FOUND: a well-formed answer that nothing is to be done;
 * ERR_FORMAT, ERR_LIMIT; ERR_UNSUPPORTED: the digest method is unknown; ERR_NOMEM. 3.x wants
 * message "success" and an MD5, 4.x takes sign with signMethod before an MD5.
 */
int kit_push_parse(struct kit_push **out, struct board *b, enum kit_push_kind kind,
                   enum kit_generation generation, const void *payload, size_t len_bytes,
                   const struct kit_quirks *quirks, struct err *err);

#endif
