/*
 * The flash chip as OneOS sees it (seed 000 §3.1.1.1). One chip per device.
 */
#ifndef OTABENCH_ONEOS_FAL_H
#define OTABENCH_ONEOS_FAL_H

#include "sim_device/port/oneos/os_types.h"

#define FAL_DEV_NAME_MAX 16 /* with terminator */

typedef struct fal_flash fal_flash_t;

/* page_addr and page_nr count bytes / page_size; erase_block counts bytes of the erased range the
 * same way. 0 or negative. */
struct fal_flash_ops {
    int (*read_page)(fal_flash_t *flash, os_uint32_t page_addr, os_uint8_t *buff,
                     os_uint32_t page_nr);
    int (*write_page)(fal_flash_t *flash, os_uint32_t page_addr, const os_uint8_t *buff,
                      os_uint32_t page_nr);
    int (*erase_block)(fal_flash_t *flash, os_uint32_t page_addr, os_uint32_t page_nr);
};

typedef struct os_list_node {
    struct os_list_node *next;
    struct os_list_node *prev;
} os_list_node_t;

struct fal_flash {
    char name[FAL_DEV_NAME_MAX];
    os_uint32_t page_size;  /* smallest program unit, bytes */
    os_uint32_t block_size; /* smallest erase unit, bytes */
    os_uint32_t capacity;   /* bytes */
    struct fal_flash_ops ops;
    os_list_node_t list; /* unused here: one chip */
    void *priv;
};

#endif
