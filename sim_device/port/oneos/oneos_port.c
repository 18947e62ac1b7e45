#include "sim_device/port/oneos/oneos_port.h"

#include <string.h>

static void copy_name(char out[FAL_DEV_NAME_MAX], const char *name)
{
    size_t len = strnlen(name, FAL_DEV_NAME_MAX - 1);
    memcpy(out, name, len);
    out[len] = '\0';
}

static int page_read(fal_flash_t *flash, os_uint32_t page_addr, os_uint8_t *buff,
                     os_uint32_t page_nr)
{
    struct board *b = flash->priv;
    return nor_read(b->nor, page_addr * flash->page_size, buff, page_nr * flash->page_size);
}

static int page_write(fal_flash_t *flash, os_uint32_t page_addr, const os_uint8_t *buff,
                      os_uint32_t page_nr)
{
    struct board *b = flash->priv;
    return nor_program(b->nor, page_addr * flash->page_size, buff, page_nr * flash->page_size);
}

static int block_erase(fal_flash_t *flash, os_uint32_t page_addr, os_uint32_t page_nr)
{
    struct board *b = flash->priv;
    return nor_erase(b->nor, page_addr * flash->page_size, page_nr * flash->page_size);
}

int fal_part_init(void)
{
    struct board *b = board_current();
    struct oneos *o = oneos_self();
    if (o == NULL)
        return -1;
    o->part_count = 0;
    for (size_t i = 0; i < b->partitions->count && i < PARTITION_MAX; i++) {
        const struct partition *p = &b->partitions->part[i];
        fal_part_info_t *info = &o->infos[i];
        copy_name(info->name, p->name);
        copy_name(info->flash_name, o->flash.name);
        info->offset = p->offset;
        info->size = p->size_bytes;
        o->parts[i] = (fal_part_t){.info = info, .flash = &o->flash};
        o->part_count++;
    }
    return (int)o->part_count;
}

void oneos_start(struct board *b, struct oneos *o)
{
    const struct nor_geometry *geo = nor_geo(b->nor);
    memset(o, 0, sizeof(*o));
    copy_name(o->flash.name, geo->name);
    o->flash.page_size = geo->granule_bytes;
    o->flash.block_size = geo->erase_bytes;
    o->flash.capacity = geo->size_bytes;
    o->flash.ops = (struct fal_flash_ops){page_read, page_write, block_erase};
    o->flash.priv = b;
    b->flash_busy = false; /* whoever held it is gone since the last power-on */
    b->device = o;
    (void)fal_part_init();
}

struct oneos *oneos_self(void)
{
    struct board *b = board_current();
    return b != NULL ? b->device : NULL;
}

const struct oneos_port oneos_reference_port = {
    .fal_part_init = fal_part_init,
    .fal_part_find = fal_part_find,
    .fal_part_read = fal_part_read,
    .fal_part_write = fal_part_write,
    .fal_part_erase = fal_part_erase,
    .OS_ASSERT = OS_ASSERT,
    .os_tick_get = os_tick_get,
    .os_tick_from_ms = os_tick_from_ms,
    .os_malloc = os_malloc,
    .os_free = os_free,
    .os_realloc = os_realloc,
    .os_calloc = os_calloc,
    .os_mutex_create = os_mutex_create,
    .os_mutex_destroy = os_mutex_destroy,
    .os_mutex_recursive_lock = os_mutex_recursive_lock,
    .os_mutex_recursive_unlock = os_mutex_recursive_unlock,
    .os_sem_create = os_sem_create,
    .os_sem_destroy = os_sem_destroy,
    .os_sem_wait = os_sem_wait,
    .os_sem_post = os_sem_post,
    .os_task_create = os_task_create,
    .os_task_destroy = os_task_destroy,
    .os_task_startup = os_task_startup,
    .os_task_msleep = os_task_msleep,
    .os_kprintf = os_kprintf,
    .rb_ring_buff_create = rb_ring_buff_create,
    .rb_ring_buff_destroy = rb_ring_buff_destroy,
    .rb_ring_buff_reset = rb_ring_buff_reset,
    .rb_ring_buff_data_len = rb_ring_buff_data_len,
    .rb_ring_buff_space_len = rb_ring_buff_space_len,
    .rb_ring_buff_put = rb_ring_buff_put,
    .rb_ring_buff_put_force = rb_ring_buff_put_force,
    .rb_ring_buff_get = rb_ring_buff_get,
    .rb_ring_buff_put_char = rb_ring_buff_put_char,
    .rb_ring_buff_put_char_force = rb_ring_buff_put_char_force,
    .rb_ring_buff_get_char = rb_ring_buff_get_char,
    .os_socket = os_socket,
    .os_closesocket = os_closesocket,
    .os_connect = os_connect,
    .os_send = os_send,
    .os_sendto = os_sendto,
    .os_select = os_select,
    .os_setsockopt = os_setsockopt,
    .os_recv = os_recv,
    .os_recvfrom = os_recvfrom,
    .os_gethostbyname = os_gethostbyname,
    .os_getaddrinfo = os_getaddrinfo,
    .os_freeaddrinfo = os_freeaddrinfo,
};
