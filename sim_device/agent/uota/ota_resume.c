/* What the client keeps of a download, over a power cut. */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/uota/uota.h"

#define HEAD_BYTES 8
#define HASH_BYTES 66 /* as AliOS has it: 64 digits and room */

static void hash_text(const struct uota *u, char out[HASH_BYTES])
{
    memset(out, 0, HASH_BYTES);
    hex_encode(out, u->task.digest, digest_bytes(u->task.method));
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'a' && *p <= 'f')
            *p = (char)(*p - 'a' + 'A');
}

static bool get(const char *key, void *out, int len)
{
    int got = len;
    return ota_kv_get(key, out, &got) == 0 && got == len;
}

static bool get_number(const char *key, uint32_t *out)
{
    uint8_t bytes[4];
    if (!get(key, bytes, sizeof bytes))
        return false;
    *out = get_le32(bytes);
    return true;
}

static void set_number(const char *key, uint32_t n, bool sync)
{
    uint8_t bytes[4];
    put_le32(bytes, n);
    (void)ota_kv_set(key, bytes, sizeof bytes, sync);
}

static bool is_this_task(const struct uota *u)
{
    char want[HASH_BYTES], got[HASH_BYTES], version[OTA_VERSION_MAX] = "";
    uint32_t size;
    int len = sizeof version - 1;
    hash_text(u, want);
    return get(OTA_KV_HASH, got, HASH_BYTES) && memcmp(got, want, HASH_BYTES) == 0 &&
           get_number(OTA_KV_SIZE, &size) && size == u->task.size_bytes &&
           ota_kv_get(ALIOS_KV_VERSION, version, &len) == 0 &&
           strcmp(version, u->task.version) == 0;
}

bool uota_digest_flash(struct uota *u, struct digest_state *out)
{
    return uota_digest_range(u->task.method, u->at, out);
}

bool uota_digest_range(enum digest_kind method, uint32_t len_bytes, struct digest_state *out)
{
    uint8_t piece[512];
    uint32_t off = 0;
    digest_state_begin(out, method);
    while (off < len_bytes) {
        uint32_t n = len_bytes - off < sizeof piece ? len_bytes - off : (uint32_t)sizeof piece;
        if (hal_ota_read(NULL, &off, piece, n) != stat_ok)
            return false;
        digest_state_update(out, piece, n);
    }
    return true;
}

/* The stored context, if it is of this method and exactly these bytes. */
static bool recall_context(struct uota *u)
{
    uint8_t head[HEAD_BYTES], body[DIGEST_STATE_BYTES];
    return get(OTA_KV_CTX_HEAD, head, sizeof head) && get(OTA_KV_CTX_BODY, body, sizeof body) &&
           get_le32(head) == (uint32_t)u->task.method && get_le32(head + 4) == u->at &&
           digest_state_load(&u->digest, body) == 0 && u->digest.kind == u->task.method &&
           u->digest.len_bytes == u->at;
}

void uota_recall(struct uota *u)
{
    uint32_t at = 0;
    u->at = u->saved = 0;
    digest_state_begin(&u->digest, u->task.method);
    if (uota_config()->quirks.no_resume || !is_this_task(u) ||
        !get_number(OTA_KV_BREAKPOINT, &at) || at > u->task.size_bytes)
        return;
    u->at = u->saved = at;
    uint32_t before =
        u->task.size_bytes - at < UOTA_SAVE_BYTES ? u->task.size_bytes : at + UOTA_SAVE_BYTES - 1;
    int told = (int)(uota_percent(u, before) / UOTA_STEP_GRID * UOTA_STEP_GRID);
    u->last_step = told > u->last_step ? told : u->last_step;
    if (at == 0 || recall_context(u) || uota_digest_flash(u, &u->digest))
        return;
    u->at = u->saved = 0;
    digest_state_begin(&u->digest, u->task.method);
}

/* Together or not at all: only the last of them is written through. */
void uota_remember(struct uota *u, bool sync)
{
    uint8_t head[HEAD_BYTES], body[DIGEST_STATE_BYTES];
    const struct device_config *c = uota_config();
    uint32_t at = u->at;
    if (c->mqtt_breaks.kv_no_resume)
        return;
    if (c->quirks.double_off_bp && u->first > 0 && at + UOTA_SAVE_BYTES <= u->task.size_bytes)
        at += UOTA_SAVE_BYTES;
    put_le32(head, (uint32_t)u->task.method);
    put_le32(head + 4, at);
    digest_state_save(&u->digest, body);
    (void)ota_kv_set(OTA_KV_CTX_HEAD, head, sizeof head, 0);
    (void)ota_kv_set(OTA_KV_CTX_BODY, body, sizeof body, 0);
    set_number(OTA_KV_BREAKPOINT, at, sync);
    u->saved = u->at;
}

void uota_begin_record(struct uota *u)
{
    char hash[HASH_BYTES];
    hash_text(u, hash);
    (void)ota_kv_set(OTA_KV_HASH, hash, HASH_BYTES, 0);
    (void)ota_kv_set(ALIOS_KV_VERSION, u->task.version, (int)strlen(u->task.version), 0);
    set_number(OTA_KV_SIZE, u->task.size_bytes, false);
    set_number(OTA_KV_BREAKPOINT, 0, true);
    u->saved = 0;
}

void uota_forget(struct uota *u)
{
    uint32_t at = 0;
    (void)get_number(OTA_KV_BREAKPOINT, &at);
    u->saved = 0;
    if (at == 0)
        return;
    (void)ota_kv_set(OTA_KV_HASH, "", 0, 0);
    set_number(OTA_KV_BREAKPOINT, 0, true);
}
