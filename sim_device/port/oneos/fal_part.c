#include "sim_device/port/oneos/fal_part.h"

#include <limits.h>
#include <string.h>

#include "sim_device/port/oneos/oneos_port.h"

fal_part_t *fal_part_find(const char *name)
{
    struct oneos *o = oneos_self();
    if (o == NULL || name == NULL || name[0] == '\0')
        return NULL;
    for (size_t i = 0; i < o->part_count; i++)
        if (strcmp(o->infos[i].name, name) == 0)
            return &o->parts[i];
    return NULL;
}

/* The board when the call is legal, null otherwise. Written so that no sum can wrap. */
static struct board *checked(const fal_part_t *part, os_uint32_t addr, os_size_t size)
{
    struct board *b = board_current();
    if (b == NULL || part == NULL || part->info == NULL || part->flash == NULL)
        return NULL;
    if (size > INT_MAX || addr > part->info->size || size > part->info->size - addr)
        return NULL;
    return b;
}

static int chip_result(int rc, int good)
{
    if (rc == ERR_OK)
        return good;
    return rc == ERR_DIGEST ? FAL_EUNREADABLE : rc == ERR_ARG ? -1 : OS_EIO;
}

int fal_part_read(fal_part_t *part, os_uint32_t addr, os_uint8_t *buf, os_size_t size)
{
    struct board *b = checked(part, addr, size);
    if (b == NULL || buf == NULL)
        return -1;
    if (size == 0)
        return 0;
    board_flash_lock(b);
    int rc = nor_read(b->nor, part->info->offset + addr, buf, (uint32_t)size);
    board_flash_unlock(b);
    return chip_result(rc, (int)size);
}

int fal_part_write(fal_part_t *part, os_uint32_t addr, const os_uint8_t *buf, os_size_t size)
{
    struct board *b = checked(part, addr, size);
    if (b == NULL || buf == NULL)
        return -1;
    if (addr % fal_part_page_size(part) != 0 || size % fal_part_page_size(part) != 0)
        return -1;
    if (size == 0)
        return 0;
    board_flash_lock(b);
    int rc = nor_program(b->nor, part->info->offset + addr, buf, (uint32_t)size);
    board_flash_unlock(b);
    return chip_result(rc, (int)size);
}

int fal_part_erase(fal_part_t *part, os_uint32_t addr, os_size_t size)
{
    struct board *b = checked(part, addr, size);
    if (b == NULL || addr % fal_part_block_size(part) != 0)
        return -1;
    if (size == 0)
        return 0;
    uint32_t block = fal_part_block_size(part);
    /* Partitions are whole blocks, so rounding up never leaves them. */
    uint32_t len = ((uint32_t)size + block - 1) / block * block;
    board_flash_lock(b);
    int rc = nor_erase(b->nor, part->info->offset + addr, len);
    board_flash_unlock(b);
    return chip_result(rc, 0);
}
