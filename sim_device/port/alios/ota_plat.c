/* The five platform functions, over the slot that does not run. */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/port/alios/ota_patch.h"

static struct alios *of(const hal_ota_module_t *m)
{
    return m != NULL ? m->base.priv_dev : alios_self();
}

hal_ota_module_t *hal_ota_get_default_module(void)
{
    struct alios *a = alios_self();
    return a != NULL ? &a->module : NULL;
}

static const struct partition *area(const struct alios *a)
{
    return slots_partition(&a->slots, slots_inactive(&a->slots));
}

static uint32_t granule(const struct alios *a)
{
    return nor_geo(a->board->nor)->granule_bytes;
}

/* What was written when writing ended. */
struct kept {
    uint32_t length;   /* 0: nothing */
    uint32_t moved_to; /* a difference: where it now lies in the slot; 0: at its start */
};

static struct kept kept_of(const struct alios *a)
{
    uint8_t bytes[8];
    uint32_t len = sizeof bytes;
    if (kv_get(&a->kv, ALIOS_KV_LENGTH, bytes, &len) != 0 || len != sizeof bytes)
        return (struct kept){.length = 0};
    return (struct kept){get_le32(bytes), get_le32(bytes + 4)};
}

static int keep(struct alios *a, uint32_t length, uint32_t moved_to)
{
    const struct kept was = kept_of(a);
    uint8_t bytes[8];
    put_le32(bytes, length);
    put_le32(bytes + 4, moved_to);
    return was.length == length && was.moved_to == moved_to
               ? 0
               : kv_set(&a->kv, ALIOS_KV_LENGTH, bytes, sizeof bytes, true, NULL);
}

hal_stat_t hal_ota_init(void *something)
{
    struct alios *a = alios_self();
    uint32_t *resume = something;
    if (a == NULL || slots_may_update(&a->slots, NULL) != 0)
        return stat_err;
    const struct partition *p = area(a);
    uint32_t unit = nor_geo(a->board->nor)->erase_bytes;
    uint32_t at = resume != NULL ? *resume : 0;
    a->writing = false;
    if (at > p->size_bytes || keep(a, 0, 0) != 0)
        return stat_err;
    at -= at % unit;
    if (resume != NULL)
        *resume = at;
    a->writing = true;
    a->written_bytes = a->erased_bytes = at;
    a->tail_bytes = 0;
    return stat_ok;
}

/* Unit by unit, so that other tasks get at the chip in between. Not all at once in hal_ota_init:
 * after every power cut that would cost the whole rest of the slot. */
static int erase_for(struct alios *a, uint32_t end)
{
    uint32_t unit = nor_geo(a->board->nor)->erase_bytes;
    while (a->erased_bytes < end) {
        board_flash_lock(a->board);
        int rc = nor_erase(a->board->nor, area(a)->offset + a->erased_bytes, unit);
        board_flash_unlock(a->board);
        if (rc != 0)
            return rc;
        a->erased_bytes += unit;
    }
    return 0;
}

static int program(struct alios *a, uint32_t at, const uint8_t *data, uint32_t len_bytes)
{
    int failed = erase_for(a, at + len_bytes);
    if (failed != 0)
        return failed;
    board_flash_lock(a->board);
    int rc = nor_program(a->board->nor, area(a)->offset + at, data, len_bytes);
    board_flash_unlock(a->board);
    return rc;
}

/* The tail with what follows it, when that makes a whole granule. */
static int feed_tail(struct alios *a, const uint8_t *data, uint32_t len_bytes, uint32_t *used)
{
    uint32_t room = granule(a) - a->tail_bytes;
    uint32_t n = len_bytes < room ? len_bytes : room;
    memcpy(a->tail + a->tail_bytes, data, n);
    a->tail_bytes += n;
    a->written_bytes += n;
    *used = n;
    if (a->tail_bytes < granule(a))
        return 0;
    a->tail_bytes = 0;
    return program(a, a->written_bytes - granule(a), a->tail, granule(a));
}

hal_stat_t hal_ota_write(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *in_buf,
                         uint32_t in_buf_len)
{
    struct alios *a = of(m);
    if (a == NULL || off_set == NULL || in_buf == NULL || !a->writing ||
        *off_set != a->written_bytes || in_buf_len > area(a)->size_bytes - a->written_bytes)
        return stat_err;
    uint32_t used = 0, left = in_buf_len;
    const uint8_t *at = in_buf;
    int rc = 0;
    if (a->tail_bytes > 0)
        rc = feed_tail(a, at, left, &used);
    at += used;
    left -= used;
    uint32_t whole = left - left % granule(a);
    if (rc == 0 && whole > 0 && a->tail_bytes == 0) {
        rc = program(a, a->written_bytes, at, whole);
        a->written_bytes += rc == 0 ? whole : 0;
        at += whole;
        left -= whole;
    }
    if (rc == 0 && left > 0)
        rc = feed_tail(a, at, left, &used);
    if (rc != 0) {
        a->writing = false; /* what is in flash now is not known: begin again */
        return stat_err;
    }
    *off_set = a->written_bytes;
    return stat_ok;
}

hal_stat_t hal_ota_read(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *out_buf,
                        uint32_t out_buf_len)
{
    struct alios *a = of(m);
    if (a == NULL || off_set == NULL || out_buf == NULL)
        return stat_err;
    const struct partition *p = area(a);
    uint32_t at = *off_set;
    if (at > p->size_bytes || out_buf_len > p->size_bytes - at)
        return stat_err;
    const struct kept k = kept_of(a);
    const bool moved = !a->writing && k.moved_to > 0 && at + out_buf_len <= k.length;
    board_flash_lock(a->board);
    int rc =
        nor_read(a->board->nor, p->offset + at + (moved ? k.moved_to : 0), out_buf, out_buf_len);
    board_flash_unlock(a->board);
    if (rc != 0)
        return stat_err;
    /* What waits for its granule reads as if it were written. */
    for (uint32_t i = 0; i < a->tail_bytes; i++) {
        uint32_t of_tail = a->written_bytes - a->tail_bytes + i;
        if (of_tail >= at && of_tail - at < out_buf_len)
            out_buf[of_tail - at] = a->tail[i];
    }
    *off_set = at + out_buf_len;
    return stat_ok;
}

/* The last granule, filled up as erased flash is. */
static int flush(struct alios *a)
{
    if (a->tail_bytes == 0)
        return 0;
    memset(a->tail + a->tail_bytes, 0xFF, sizeof a->tail - a->tail_bytes);
    int rc = program(a, a->written_bytes - a->tail_bytes, a->tail, granule(a));
    a->tail_bytes = 0;
    return rc;
}

static void log_error(const struct alios *a, const struct err *err)
{
    board_log(a->board, err->text, strlen(err->text));
}

/* The image that a difference of length stands for. */
static int apply(struct alios *a, uint32_t length, struct patch_image *out, struct err *err)
{
    uint32_t at = kept_of(a).moved_to;
    int rc = 0;
    if (at == 0) {
        rc = patch_place(a, length, &at, err);
        if (rc == 0)
            rc = patch_move(a, length, at, err);
        if (rc == 0 && keep(a, length, at) != 0)
            rc = err_set(err, ERR_IO, "that a difference was moved cannot be kept");
    }
    return rc == 0 ? patch_make(a, at, length, out, err) : rc;
}

hal_stat_t hal_ota_set_boot(hal_ota_module_t *m, void *something)
{
    struct alios *a = of(m);
    const ota_finish_param_t *param = something;
    char version[SLOTS_VERSION_MAX] = "";
    uint32_t len = sizeof version - 1;
    if (a == NULL || param == NULL)
        return stat_err;
    const struct kept k = kept_of(a);
    const uint32_t length = a->writing ? a->written_bytes : k.length;
    const bool ended = a->writing;
    struct patch_image image = {.len_bytes = length};
    struct err err = {.text = ""};
    a->writing = false;
    if (length == 0 || flush(a) != 0)
        return stat_err;
    if (param->result_type == OTA_BREAKPOINT)
        return keep(a, length, ended ? 0 : k.moved_to) == 0 ? stat_ok : stat_err;
    if (param->update_type != OTA_ALL)
        return stat_err; /* a slot holds one image */
    const bool diff = param->firmware_type == OTA_DIFF;
    if (diff && apply(a, length, &image, &err) != 0) {
        log_error(a, &err);
        return stat_err;
    }
    if (kv_get(&a->kv, ALIOS_KV_VERSION, version, &len) != 0)
        len = 0;
    version[len] = '\0';
    if (slots_set_boot(&a->slots, image.len_bytes, diff ? image.sha256 : NULL, version, &err) == 0)
        return stat_ok;
    log_error(a, &err);
    return stat_err;
}

hal_stat_t hal_ota_rollback(hal_ota_module_t *m, void *something)
{
    struct alios *a = of(m);
    (void)something;
    return a != NULL && slots_rollback(&a->slots, NULL) == 0 ? stat_ok : stat_err;
}
