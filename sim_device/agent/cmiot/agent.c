#include "sim_device/agent/cmiot/agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_log.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

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
