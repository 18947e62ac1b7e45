#include "sim_device/port/oneos/ring_buff.h"

#include <stdint.h>
#include <string.h>

#include "sim_device/port/oneos/os_memory.h"

rb_ring_buff_t *rb_ring_buff_create(os_uint32_t size)
{
    if (size == 0 || size > INT32_MAX)
        return NULL;
    rb_ring_buff_t *rb = os_calloc(1, sizeof(*rb));
    if (rb == NULL)
        return NULL;
    rb->buff = os_malloc(size);
    rb->buff_size = size;
    if (rb->buff == NULL) {
        os_free(rb);
        return NULL;
    }
    return rb;
}

void rb_ring_buff_destroy(rb_ring_buff_t *rb)
{
    if (rb == NULL)
        return;
    os_free(rb->buff);
    os_free(rb);
}

void rb_ring_buff_reset(rb_ring_buff_t *rb)
{
    if (rb == NULL)
        return;
    rb->read_index = rb->write_index = 0;
    rb->read_mirror = rb->write_mirror = OS_FALSE;
}

os_uint32_t rb_ring_buff_data_len(rb_ring_buff_t *rb)
{
    if (rb == NULL)
        return 0;
    if (rb->read_index == rb->write_index)
        return rb->read_mirror == rb->write_mirror ? 0 : rb->buff_size;
    return rb->write_index > rb->read_index ? rb->write_index - rb->read_index
                                            : rb->buff_size - (rb->read_index - rb->write_index);
}

os_uint32_t rb_ring_buff_space_len(rb_ring_buff_t *rb)
{
    return rb == NULL ? 0 : rb->buff_size - rb_ring_buff_data_len(rb);
}

/* Moves an index by n <= size, turning its mirror at the end of the buffer. */
static void advance(const rb_ring_buff_t *rb, os_uint32_t *index, os_bool_t *mirror, os_uint32_t n)
{
    *index += n;
    if (*index >= rb->buff_size) {
        *index -= rb->buff_size;
        *mirror = !*mirror;
    }
}

os_uint32_t rb_ring_buff_put(rb_ring_buff_t *rb, const os_uint8_t *buff, os_uint32_t buff_len)
{
    if (rb == NULL || buff == NULL)
        return 0;
    os_uint32_t space = rb_ring_buff_space_len(rb);
    os_uint32_t n = buff_len < space ? buff_len : space;
    os_uint32_t first = rb->buff_size - rb->write_index;
    first = n < first ? n : first;
    memcpy(rb->buff + rb->write_index, buff, first);
    memcpy(rb->buff, buff + first, n - first);
    advance(rb, &rb->write_index, &rb->write_mirror, n);
    return n;
}

os_uint32_t rb_ring_buff_put_force(rb_ring_buff_t *rb, const os_uint8_t *buff, os_uint32_t buff_len)
{
    if (rb == NULL || buff == NULL)
        return 0;
    os_uint32_t n = buff_len < rb->buff_size ? buff_len : rb->buff_size;
    os_uint32_t space = rb_ring_buff_space_len(rb);
    if (n > space)
        advance(rb, &rb->read_index, &rb->read_mirror, n - space);
    return rb_ring_buff_put(rb, buff + (buff_len - n), n);
}

os_uint32_t rb_ring_buff_get(rb_ring_buff_t *rb, os_uint8_t *buff, os_uint32_t buff_len)
{
    if (rb == NULL || buff == NULL)
        return 0;
    os_uint32_t have = rb_ring_buff_data_len(rb);
    os_uint32_t n = buff_len < have ? buff_len : have;
    os_uint32_t first = rb->buff_size - rb->read_index;
    first = n < first ? n : first;
    memcpy(buff, rb->buff + rb->read_index, first);
    memcpy(buff + first, rb->buff, n - first);
    advance(rb, &rb->read_index, &rb->read_mirror, n);
    return n;
}

os_uint32_t rb_ring_buff_put_char(rb_ring_buff_t *rb, const os_uint8_t ch)
{
    return rb_ring_buff_put(rb, &ch, 1);
}

os_uint32_t rb_ring_buff_put_char_force(rb_ring_buff_t *rb, const os_uint8_t ch)
{
    return rb_ring_buff_put_force(rb, &ch, 1);
}

os_uint32_t rb_ring_buff_get_char(rb_ring_buff_t *rb, os_uint8_t *ch)
{
    return rb_ring_buff_get(rb, ch, 1);
}
