/*
 * Announcements from anywhere: the first byte chooses generation, kind and the careless reader, the
 * rest is the message. What is accepted must keep its promises, and nothing may stay behind.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/link_kit/push.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct kit_push *p, bool strict)
{
    require(p->version != NULL && strlen(p->version) <= KIT_PUSH_URL_MAX);
    require(p->file_count >= 1 && p->file_count <= KIT_FILES_MAX);
    for (size_t i = 0; i < p->file_count; i++) {
        const struct kit_push_file *f = &p->files[i];
        uint8_t raw[DIGEST_BYTES_MAX];
        require(f->size_bytes >= 1 && f->size_bytes <= INT32_MAX);
        require(f->digest != NULL && hex_decode(raw, digest_bytes(f->method), f->digest));
        require(f->url != NULL || p->over_mqtt || !strict);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board b = {.heap = {.limit_bytes = 1 << 20}};
    struct kit_quirks quirks = {.first_key_wins = false};
    struct kit_push *p;
    struct err err;
    if (size < 1)
        return 0;
    quirks.first_key_wins = (data[0] & 4) != 0;
    quirks.strict_sign_method = (data[0] & 8) != 0;
    int rc =
        kit_push_parse(&p, &b, (data[0] & 1) != 0 ? KIT_PUSH_CONFIG : KIT_PUSH_FIRMWARE,
                       (data[0] & 2) != 0 ? KIT_3X : KIT_4X, data + 1, size - 1, &quirks, &err);
    require((rc == 0) == (p != NULL));
    if (p != NULL)
        check(p, !quirks.first_key_wins);
    board_free(&b, p);
    require(b.heap.used_bytes == 0);
    return 0;
}
