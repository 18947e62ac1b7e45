/*
 * The OneOS porting layer as one table: what a vendor ships and what the port suites test. The
 * reference port stands on struct board_ops alone and finds its device by the running task.
 *
 * Per-device state (partition objects, task list, look-up result) is a struct oneos, the first
 * member of whatever board->device points to; oneos_start puts it there at each power-on.
 */
#ifndef OTABENCH_ONEOS_PORT_H
#define OTABENCH_ONEOS_PORT_H

#include "common/vtime.h"
#include "sim_device/board/board.h"
#include "sim_device/port/oneos/fal_part.h"
#include "sim_device/port/oneos/os_assert.h"
#include "sim_device/port/oneos/os_clock.h"
#include "sim_device/port/oneos/os_memory.h"
#include "sim_device/port/oneos/os_mutex.h"
#include "sim_device/port/oneos/os_sem.h"
#include "sim_device/port/oneos/os_task.h"
#include "sim_device/port/oneos/os_utils.h"
#include "sim_device/port/oneos/ring_buff.h"
#include "sim_device/port/oneos/socket.h"

/* Volatile state of the reference port; storage of the caller, needs no release. */
struct oneos {
    fal_flash_t flash;
    fal_part_info_t infos[PARTITION_MAX];
    fal_part_t parts[PARTITION_MAX];
    size_t part_count;
    struct os_task *tasks; /* every task made by os_task_create */
    struct hostent host;   /* result of os_gethostbyname */
    char host_name[MAX_DNS_LEN];
    unsigned char host_ip[4];
    char *host_list[2];
};

/* To be called first in task "main" of every power-on: fills o from the board's partitions and
 * hangs it on the board. o is the first member of what board->device shall be. */
void oneos_start(struct board *b, struct oneos *o);

/* For the port's own files: the state of the running task's device, null outside. */
struct oneos *oneos_self(void);
/* As board wait, noting in the task's handle where it waits, so that os_task_destroy can undo
 * *waiters. 0 or OS_ETIMEOUT. */
int oneos_wait(struct board *b, os_uint32_t *waiters, int64_t deadline_ns);
/* Time of giving up for a time-out in ticks. */
int64_t oneos_deadline(struct board *b, os_tick_t timeout);

/* All calls of seed 000 §3.1, in its order. */
struct oneos_port {
    int (*fal_part_init)(void);
    fal_part_t *(*fal_part_find)(const char *name);
    int (*fal_part_read)(fal_part_t *part, os_uint32_t addr, os_uint8_t *buf, os_size_t size);
    int (*fal_part_write)(fal_part_t *part, os_uint32_t addr, const os_uint8_t *buf,
                          os_size_t size);
    int (*fal_part_erase)(fal_part_t *part, os_uint32_t addr, os_size_t size);
    void (*OS_ASSERT)(os_bool_t condition);
    os_tick_t (*os_tick_get)(void);
    os_tick_t (*os_tick_from_ms)(os_uint32_t ms);
    void *(*os_malloc)(os_size_t size);
    void (*os_free)(void *ptr);
    void *(*os_realloc)(void *ptr, os_size_t size);
    void *(*os_calloc)(os_size_t count, os_size_t size);
    os_mutex_t *(*os_mutex_create)(const char *name, os_bool_t recursive);
    os_err_t (*os_mutex_destroy)(os_mutex_t *mutex);
    os_err_t (*os_mutex_recursive_lock)(os_mutex_t *mutex, os_tick_t timeout);
    os_err_t (*os_mutex_recursive_unlock)(os_mutex_t *mutex);
    os_sem_t *(*os_sem_create)(const char *name, os_uint32_t value, os_uint32_t max_value);
    os_err_t (*os_sem_destroy)(os_sem_t *sem);
    os_err_t (*os_sem_wait)(os_sem_t *sem, os_tick_t timeout);
    os_err_t (*os_sem_post)(os_sem_t *sem);
    os_task_t *(*os_task_create)(const char *name, void (*entry)(void *arg), void *arg,
                                 os_uint32_t stack_size, os_uint8_t priority);
    os_err_t (*os_task_destroy)(os_task_t *task);
    os_err_t (*os_task_startup)(os_task_t *task);
    os_err_t (*os_task_msleep)(os_uint32_t ms);
    void (*os_kprintf)(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
    rb_ring_buff_t *(*rb_ring_buff_create)(os_uint32_t size);
    void (*rb_ring_buff_destroy)(rb_ring_buff_t *rb);
    void (*rb_ring_buff_reset)(rb_ring_buff_t *rb);
    os_uint32_t (*rb_ring_buff_data_len)(rb_ring_buff_t *rb);
    os_uint32_t (*rb_ring_buff_space_len)(rb_ring_buff_t *rb);
    os_uint32_t (*rb_ring_buff_put)(rb_ring_buff_t *rb, const os_uint8_t *buff,
                                    os_uint32_t buff_len);
    os_uint32_t (*rb_ring_buff_put_force)(rb_ring_buff_t *rb, const os_uint8_t *buff,
                                          os_uint32_t buff_len);
    os_uint32_t (*rb_ring_buff_get)(rb_ring_buff_t *rb, os_uint8_t *buff, os_uint32_t buff_len);
    os_uint32_t (*rb_ring_buff_put_char)(rb_ring_buff_t *rb, const os_uint8_t ch);
    os_uint32_t (*rb_ring_buff_put_char_force)(rb_ring_buff_t *rb, const os_uint8_t ch);
    os_uint32_t (*rb_ring_buff_get_char)(rb_ring_buff_t *rb, os_uint8_t *ch);
    int (*os_socket)(int domain, int type, int protocol);
    int (*os_closesocket)(int fd);
    int (*os_connect)(int fd, const struct sockaddr *name, socklen_t namelen);
    int (*os_send)(int fd, const void *data, os_size_t size, int flags);
    int (*os_sendto)(int fd, const void *data, os_size_t size, int flags, const struct sockaddr *to,
                     socklen_t tolen);
    int (*os_select)(int fd, os_bool_t isreadset, os_bool_t iswriteset, os_bool_t isexceptset,
                     int timeout_ms);
    int (*os_setsockopt)(int fd, int level, int optname, const void *optval, socklen_t optlen);
    int (*os_recv)(int fd, void *mem, os_size_t len, int flags);
    int (*os_recvfrom)(int fd, void *mem, os_size_t len, int flags, struct sockaddr *from,
                       socklen_t *fromlen);
    struct hostent *(*os_gethostbyname)(const char *name);
    int (*os_getaddrinfo)(const char *node, const char *service, const struct addrinfo *hints,
                          struct addrinfo **res);
    void (*os_freeaddrinfo)(struct addrinfo *ai);
};

extern const struct oneos_port oneos_reference_port;

#endif
