/*
 * The AliOS Things porting layer as one table: what a vendor ships and what the port suites test.
 * The reference port stands on struct board_ops, the two slots and the key-value store, and finds
 * its device by the running task.
 */
#ifndef OTABENCH_ALIOS_PORT_H
#define OTABENCH_ALIOS_PORT_H

#include "sim_device/boot/slots.h"
#include "sim_device/device.h"
#include "sim_device/port/alios/ota_hal_os.h"
#include "sim_device/port/alios/ota_hal_plat.h"
#include "sim_device/store/kv.h"

#define ALIOS_TAIL_BYTES        16 /* of a program granule that is not full yet */
#define ALIOS_SUBSCRIPTIONS_MAX 4

struct alios_mqtt;

/* Volatile state of the reference port; storage of the caller, needs no release. */
struct alios {
    struct board *board;
    const struct device_config *config;
    struct slots slots;
    struct kv kv;
    hal_ota_module_t module;
    /* Between hal_ota_init and hal_ota_set_boot. */
    bool writing;
    uint32_t written_bytes; /* of the image, the tail included */
    uint32_t erased_bytes;  /* of the slot, from its start */
    uint32_t tail_bytes;
    uint8_t tail[ALIOS_TAIL_BYTES];
    struct alios_mqtt *mqtt; /* null: none */
};

/* To be called first in task "main" of every power-on: opens slots and store, and hangs a on the
 * board. a is the first member of what board->device shall be. 0, or the error of slots_open or
 * kv_open. */
int alios_start(struct board *b, struct alios *a, const struct device_config *c, struct err *err);

/* The state of the running task's device; null outside one. */
struct alios *alios_self(void);

/* All calls of seed 002 §1.5, in its order. */
struct alios_port {
    hal_stat_t (*hal_ota_init)(void *something);
    hal_stat_t (*hal_ota_write)(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *in_buf,
                                uint32_t in_buf_len);
    hal_stat_t (*hal_ota_read)(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *out_buf,
                               uint32_t out_buf_len);
    hal_stat_t (*hal_ota_set_boot)(hal_ota_module_t *m, void *something);
    hal_stat_t (*hal_ota_rollback)(hal_ota_module_t *m, void *something);
    void *(*ota_malloc)(uint32_t size);
    void (*ota_free)(void *ptr);
    void *(*ota_mutex_init)(void);
    void (*ota_mutex_lock)(void *mutex);
    void (*ota_mutex_unlock)(void *mutex);
    void (*ota_mutex_destroy)(void *mutex);
    void *(*ota_semaphore_init)(void);
    int (*ota_semaphore_wait)(void *sem, uint32_t timeout_ms);
    void (*ota_semaphore_post)(void *sem);
    void (*ota_semaphore_destroy)(void *sem);
    int (*ota_thread_create)(void **thread_handle, void *(*work_routine)(void *), void *arg,
                             hal_os_thread_param_t *param, int *stack_used);
    void (*ota_thread_exit)(void *thread);
    void *(*ota_timer_create)(const char *name, void (*func)(void *), void *user_data);
    int (*ota_timer_start)(void *t, int ms);
    void (*ota_msleep)(uint32_t ms);
    int (*ota_kv_set)(const char *key, const void *val, int len, int sync);
    int (*ota_kv_get)(const char *key, void *buffer, int *buffer_len);
    int (*ota_socket_connect)(char *host, int port);
    int (*ota_socket_send)(int fd, char *buf, size_t len);
    int (*ota_socket_recv)(int fd, char *buf, size_t len);
    void (*ota_socket_close)(int fd);
    void *(*ota_ssl_connect)(const char *host, uint16_t port, const char *ca_crt,
                             uint32_t ca_crt_len);
    int32_t (*ota_ssl_send)(void *ssl, char *buf, uint32_t len);
    int32_t (*ota_ssl_recv)(void *ssl, char *buf, uint32_t len);
    int (*ota_hal_mqtt_publish)(char *topic, int qos, void *data, int len);
    int (*ota_hal_mqtt_subscribe)(char *topic,
                                  void (*cb)(char *topic, int topic_len, void *payload,
                                             int payload_len, void *ctx),
                                  void *ctx);
    int (*ota_hal_mqtt_deinit_instance)(void);
    int (*ota_hal_mqtt_init_instance)(char *productKey, char *deviceName, char *deviceSecret,
                                      int maxMsgSize);
};

extern const struct alios_port alios_reference_port;

#endif
