/*
 * OneOS ring buffer (seed 000 §3.1.2.22), the whole interface. Not locked: one reader and one
 * writer, or a mutex around it.
 */
#ifndef OTABENCH_ONEOS_RING_BUFF_H
#define OTABENCH_ONEOS_RING_BUFF_H

#include "sim_device/port/oneos/os_types.h"

/* Equal indices mean empty when the mirrors agree and full when they differ. */
typedef struct rb_ring_buff {
    os_uint8_t *buff;
    os_uint32_t buff_size;
    os_uint32_t read_index;
    os_uint32_t write_index;
    os_bool_t read_mirror;
    os_bool_t write_mirror;
} rb_ring_buff_t;

rb_ring_buff_t *rb_ring_buff_create(os_uint32_t size); /* null: size 0 or no memory */
void rb_ring_buff_destroy(rb_ring_buff_t *rb);
void rb_ring_buff_reset(rb_ring_buff_t *rb);
os_uint32_t rb_ring_buff_data_len(rb_ring_buff_t *rb);
os_uint32_t rb_ring_buff_space_len(rb_ring_buff_t *rb);
/* Stores what fits and returns how much. */
os_uint32_t rb_ring_buff_put(rb_ring_buff_t *rb, const os_uint8_t *buff, os_uint32_t buff_len);
/* Overwrites the oldest data; of more than the size only the last part is kept. Returns what was
 * kept. */
os_uint32_t rb_ring_buff_put_force(rb_ring_buff_t *rb, const os_uint8_t *buff,
                                   os_uint32_t buff_len);
os_uint32_t rb_ring_buff_get(rb_ring_buff_t *rb, os_uint8_t *buff, os_uint32_t buff_len);
os_uint32_t rb_ring_buff_put_char(rb_ring_buff_t *rb, const os_uint8_t ch);
os_uint32_t rb_ring_buff_put_char_force(rb_ring_buff_t *rb, const os_uint8_t ch);
os_uint32_t rb_ring_buff_get_char(rb_ring_buff_t *rb, os_uint8_t *ch);

#endif
