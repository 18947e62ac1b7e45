#include "sim_device/agent/cmiot/agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_log.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/agent/cmiot/session.h"

#define LOG_MAX          160
#define SLOWEST_MS       60000u
#define SLOWEST_TIMEOUTS 12u

struct device *agent_device(void)
{
    struct board *b = board_current();
    return b != NULL ? b->device : NULL;
}

void agent_start(struct board *b, struct device *d, const struct device_config *config,
                 const char *version)
{
    memset(d, 0, sizeof(*d));
    oneos_start(b, &d->oneos);
    d->config = config;
    d->version = version;
}

void agent_log(const char *fmt, ...)
{
    char text[LOG_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        return;
    cmiot_printf(text, len < LOG_MAX ? (cmiot_uint32)len : LOG_MAX - 1);
}

bool agent_too_slow(os_tick_t start)
{
    os_tick_t limit = SLOWEST_TIMEOUTS * os_tick_from_ms(cmiot_get_try_time());
    os_tick_t least = os_tick_from_ms(SLOWEST_MS);
    return os_tick_between(start, os_tick_get()) > (limit > least ? limit : least);
}

int agent_md5(const fal_part_t *part, uint32_t len_bytes, uint8_t out[MD5_BYTES])
{
    struct board *b = board_current();
    board_flash_lock(b);
    int rc = board_digest_flash(b, DIGEST_MD5, part->info->offset, len_bytes, out);
    board_flash_unlock(b);
    return rc;
}

/* ---- the record's way to flash ---- */

static int io_result(int rc)
{
    return rc >= 0 ? ERR_OK : rc == FAL_EUNREADABLE ? ERR_DIGEST : ERR_IO;
}

static int io_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    return io_result(fal_part_read(ctx, addr, out, len_bytes));
}

static int io_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    return io_result(fal_part_write(ctx, addr, data, len_bytes));
}

static int io_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    return io_result(fal_part_erase(ctx, addr, len_bytes));
}

struct state_io agent_state_io(fal_part_t *part)
{
    return (struct state_io){
        .ctx = part, .read = io_read, .program = io_program, .erase = io_erase};
}

/* ---- moments ---- */

/* All of them one after the other: no padding, and what is not written is zero. */
struct agent_memory {
    uint32_t place, round, tried, refused_delta_id;
    uint32_t heap_used, heap_peak;
    uint32_t download[AGENT_DOWNLOAD_WORDS];
    uint32_t bank, sequence, mark, mark_arg, next_pos;
    uint32_t index, index_max, delta_id, file_bytes, segment_bytes, journal_base;
    uint32_t offer_delta_id, offer_bytes;
    uint16_t update_result, offer_port;
    uint8_t flags[12];
    uint8_t md5[MD5_BYTES], offer_md5[MD5_BYTES];
    char mid[32], code[32], device_id[32], device_secret[64];
    char offer_host[OFFER_HOST_MAX], offer_path[OFFER_PATH_MAX];
    char offer_version[CMIOT_VERSION_NAME_MAX];
    char version[DEVICE_TEXT_MAX];
};

static void put_text(char *out, const char *text, size_t cap_bytes)
{
    memcpy(out, text, strnlen(text, cap_bytes));
}

static void put_offer(struct agent_memory *m, const struct offer *o)
{
    put_text(m->offer_host, o->host, sizeof m->offer_host);
    put_text(m->offer_path, o->path, sizeof m->offer_path);
    put_text(m->offer_version, o->version, sizeof m->offer_version);
    m->offer_port = o->port;
    m->offer_delta_id = o->delta_id;
    m->offer_bytes = o->file_bytes;
    memcpy(m->offer_md5, o->md5, MD5_BYTES);
    m->flags[0] = o->full;
}

static void put_state(struct agent_memory *m, const struct state *s)
{
    const struct state_record *r = &s->record;
    m->bank = s->bank;
    m->sequence = s->sequence;
    m->mark = s->mark;
    m->mark_arg = s->mark_arg;
    m->next_pos = s->next_pos;
    m->flags[1] = s->valid;
    m->flags[2] = s->pinned;
    m->flags[3] = s->firm;
    m->flags[4] = s->journalled;
    m->flags[5] = s->inherited;
    m->flags[6] = s->other_stale;
    m->flags[7] = r->report_due;
    m->update_result = r->update_result;
    m->index = r->index;
    m->index_max = r->index_max;
    m->delta_id = r->delta_id;
    m->file_bytes = r->file_bytes;
    m->segment_bytes = r->segment_bytes;
    m->journal_base = r->journal_base;
    memcpy(m->md5, r->md5, MD5_BYTES);
    memcpy(m->code, r->code, sizeof m->code);
    put_text(m->mid, r->mid, sizeof m->mid);
    put_text(m->device_id, r->device_id, sizeof m->device_id);
    put_text(m->device_secret, r->device_secret, sizeof m->device_secret);
}

void agent_moment(const struct device *d, enum agent_place place, const struct session *s,
                  const uint32_t download[AGENT_DOWNLOAD_WORDS])
{
    struct board *b = board_current();
    struct agent_memory m;
    if (b->moment == NULL)
        return;
    memset(&m, 0, sizeof m);
    m.place = place;
    m.round = d->round;
    m.tried = d->tried;
    m.refused_delta_id = d->refused_delta_id;
    m.heap_used = (uint32_t)b->heap.used_bytes;
    m.heap_peak = (uint32_t)b->heap.peak_bytes;
    m.flags[8] = d->has_offer;
    m.flags[9] = d->back_off;
    m.flags[10] = d->in_call;
    put_text(m.version, d->version, sizeof m.version);
    /* An application that checks first takes it from there. */
    if (d->has_offer)
        put_offer(&m, &d->offer);
    if (s != NULL) {
        put_state(&m, &s->state);
        memcpy(m.download, download, sizeof m.download);
    }
    board_moment(b, &m, sizeof m);
}

/* ---- the vendor's hooks ---- */

cmiot_uint32 cmiot_get_try_time(void)
{
    const struct device *d = agent_device();
    return d != NULL ? d->config->try_time_ms : CMIOT_DEFAULT_TRY_TIME;
}

cmiot_uint8 cmiot_get_try_count(void)
{
    const struct device *d = agent_device();
    return d != NULL ? d->config->try_count : CMIOT_DEFAULT_TRY_COUNT;
}

cmiot_uint32 cmiot_get_utc_time(void)
{
    return CMIOT_DEFAULT_UTC_TIME;
}

/* The vendor's type is not const; nobody writes through it. */
cmiot_char *cmiot_get_network_type(void)
{
    static const char none[] = "-";
    const struct device *d = agent_device();
    return (cmiot_char *)(uintptr_t)(d != NULL && d->config->network_type[0] != '\0'
                                         ? d->config->network_type
                                         : none);
}

cmiot_char *cmiot_download_name(void)
{
    static const char name[] = "download";
    return (cmiot_char *)(uintptr_t)name;
}

void cmiot_msleep(cmiot_uint32 time)
{
    (void)os_task_msleep(time);
}

void cmiot_printf(cmiot_char *data, cmiot_uint32 len)
{
    if (data != NULL && len > 0)
        os_kprintf("%.*s", len < OS_KPRINTF_MAX ? (int)len : OS_KPRINTF_MAX, data);
}

int cms_id_set_did(uint8_t *did, size_t did_max_len, size_t *did_len)
{
    const struct device *d = agent_device();
    if (d == NULL || did == NULL || did_len == NULL)
        return -1;
    size_t len = strnlen(d->config->did, sizeof(d->config->did));
    if (len == 0 || len > did_max_len)
        return -1;
    memcpy(did, d->config->did, len);
    *did_len = len;
    return 0;
}
