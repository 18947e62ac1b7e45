/* What must be true of an image before it is chosen. */
#include <string.h>

#include "sim_device/agent/uota/uota.h"

/* What arrived and what flash holds. */
static enum uota_stage check_digest(struct uota *u)
{
    uint8_t got[DIGEST_BYTES_MAX];
    struct digest_state flash;
    const size_t n = digest_bytes(u->task.method);
    digest_state_end(&u->digest, got);
    if (memcmp(got, u->task.digest, n) != 0)
        return STAGE_CHECK;
    if (!uota_digest_flash(u, &flash))
        return STAGE_READ;
    digest_state_end(&flash, got);
    return memcmp(got, u->task.digest, n) == 0 ? STAGE_NONE : STAGE_CHECK;
}

/* The announced digest was compared before, so its signature is one of the image. */
static enum uota_stage check_signature(const struct uota *u)
{
    const struct device_config *c = uota_config();
    struct err err = {.text = ""};
    if (u->task.signature[0] == '\0' && !c->signature_required)
        return STAGE_NONE;
    if (signature_check(c->image_key_pem, u->task.digest, digest_bytes(u->task.method),
                        u->task.signature, &err) == 0)
        return STAGE_NONE;
    uota_log("image of %.32s: %s", u->task.version, err.text);
    return STAGE_SIGN;
}

static enum uota_stage check_trailer(struct uota *u, enum image_part *part)
{
    uint8_t bytes[IMAGE_TRAILER_BYTES], got[MD5_BYTES];
    struct image_trailer t;
    struct digest_state flash;
    struct err err = {.text = ""};
    const uint32_t all = u->at;
    uint32_t off = all - IMAGE_TRAILER_BYTES;
    if (all < IMAGE_TRAILER_BYTES)
        return STAGE_IMAGE;
    if (hal_ota_read(NULL, &off, bytes, sizeof bytes) != stat_ok)
        return STAGE_READ;
    if (image_trailer_decode(&t, bytes, all, &err) != 0) {
        uota_log("image of %.32s: %s", u->task.version, err.text);
        return STAGE_IMAGE;
    }
    if (!uota_digest_range(DIGEST_MD5, t.size_bytes, &flash))
        return STAGE_READ;
    digest_state_end(&flash, got);
    *part = t.part;
    return memcmp(got, t.md5, sizeof got) == 0 ? STAGE_NONE : STAGE_IMAGE;
}

enum uota_stage uota_verify(struct uota *u, enum image_part *part)
{
    const struct device_config *c = uota_config();
    enum uota_stage stage = STAGE_NONE;
    *part = IMAGE_SINGLE;
    if (!c->mqtt_breaks.skip_digest)
        stage = check_digest(u);
    if (stage == STAGE_NONE && !c->mqtt_breaks.skip_signature)
        stage = check_signature(u);
    if (stage == STAGE_NONE && c->image_trailer && !u->task.is_diff)
        stage = check_trailer(u, part);
    UOTA_EVENT("verify", F_INT("ok", stage == STAGE_NONE));
    return stage;
}
