/*
 * The operating system's part of a port of AliOS Things' uOTA: the 28 functions of seed 002 §1.5,
 * with its signatures, and the few that are present beside them (aliyun note §12.2).
 *
 * All handles are pointers to memory of the device's heap. Functions that cannot report a fault
 * ignore a null handle.
 */
#ifndef OTABENCH_ALIOS_OTA_HAL_OS_H
#define OTABENCH_ALIOS_OTA_HAL_OS_H

#include <stddef.h>
#include <stdint.h>

#define OTA_WAIT_FOREVER      UINT32_MAX
#define OTA_SOCKET_TIMEOUT_MS 5000 /* of every receive: no call sets it */

/* Memory. As malloc and friends; zero bytes give null. */
void *ota_malloc(uint32_t size);
void ota_free(void *ptr);
void *ota_calloc(uint32_t n, uint32_t size);
void *ota_realloc(void *ptr, uint32_t size);

/* Mutexes: recursive for the task that holds them; a task that does not hold one cannot unlock it.
 * Destroying one that is waited for does nothing. */
void *ota_mutex_init(void);
void ota_mutex_lock(void *mutex);
void ota_mutex_unlock(void *mutex);
void ota_mutex_destroy(void *mutex);

/* Counting semaphores, at first 0. wait: 0, or -1 when the time is over; 0 ms tries. */
void *ota_semaphore_init(void);
int ota_semaphore_wait(void *sem, uint32_t timeout_ms);
void ota_semaphore_post(void *sem);
void ota_semaphore_destroy(void *sem);

/* Threads. */
typedef struct {
    const char *name;
    uint32_t stack_size;
    int priority; /* 0: the device's usual one */
    int detach_state;
} hal_os_thread_param_t;
/* 0, or -1 without memory or tasks. The handle is good until the routine returns or is ended.
 * param may be null. *stack_used, when not null, is set to 0: the stack is the port's own. */
int ota_thread_create(void **thread_handle, void *(*work_routine)(void *), void *arg,
                      hal_os_thread_param_t *param, int *stack_used);
/* Ends that thread; null or the own handle: the calling one, and does not return then. */
void ota_thread_exit(void *thread);

/* One-shot timers. func runs in a task of its own. start: 0, or -1; a running timer starts anew. */
void *ota_timer_create(const char *name, void (*func)(void *), void *user_data);
int ota_timer_start(void *t, int ms);
void ota_msleep(uint32_t ms);

/* Key-value store (store/kv.h). 0, or -1: bounds, no such key, buffer too small, flash refuses.
 * buffer_len: capacity in, length out. sync not 0: durable when the call returns. */
int ota_kv_set(const char *key, const void *val, int len, int sync);
int ota_kv_get(const char *key, void *buffer, int *buffer_len);

/* TCP. connect resolves the name: descriptor, or -1. send: all of it, or -1. recv: > 0 bytes; 0 the
 * peer closed; -1 nothing came in OTA_SOCKET_TIMEOUT_MS; -2 the connection is lost. */
int ota_socket_connect(char *host, int port);
int ota_socket_send(int fd, char *buf, size_t len);
int ota_socket_recv(int fd, char *buf, size_t len);
void ota_socket_close(int fd);

/* TLS 1.2. Only a server whose certificate the given CA signed, for that host; null otherwise.
 * ca_crt_len counts the terminator. Results as for TCP. */
void *ota_ssl_connect(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len);
int32_t ota_ssl_send(void *ssl, char *buf, uint32_t len);
int32_t ota_ssl_recv(void *ssl, char *buf, uint32_t len);
void ota_ssl_close(void *ssl); /* beside the 28: the document leaves out who ends a connection */

/*
 * MQTT, one instance per device. init connects and logs in: 0, or -1 (refused, no server, there is
 * one already). The port keeps the connection: a lost one is opened again, with what was
 * subscribed. publish: 0, or -1 when it could not be sent or, with QoS 1, was not acknowledged.
 * subscribe: cb gets topic and payload with their lengths, no terminators, in a task of the port;
 * messages longer than maxMsgSize are dropped. After deinit no cb is called.
 */
int ota_hal_mqtt_publish(char *topic, int qos, void *data, int len);
int ota_hal_mqtt_subscribe(char *topic,
                           void (*cb)(char *topic, int topic_len, void *payload, int payload_len,
                                      void *ctx),
                           void *ctx);
int ota_hal_mqtt_deinit_instance(void);
int ota_hal_mqtt_init_instance(char *productKey, char *deviceName, char *deviceSecret,
                               int maxMsgSize);

/* Present, not counted. The getters give texts that live as long as the device. */
void ota_reboot(void);
const char *ota_get_product_key(void);
const char *ota_get_device_name(void);
const char *ota_get_device_secret(void);
const char *ota_get_ca(void); /* PEM, or null: none */

#endif
