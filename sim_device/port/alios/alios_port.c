#include "sim_device/port/alios/alios_port.h"

#include <string.h>

int alios_start(struct board *b, struct alios *a, const struct device_config *c, struct err *err)
{
    struct slots_config cfg;
    memset(a, 0, sizeof *a);
    a->board = b;
    a->config = c;
    a->module = (hal_ota_module_t){.base = {.name = "otabench", .priv_dev = a},
                                   .ota_write = hal_ota_write,
                                   .ota_read = hal_ota_read,
                                   .ota_set_boot = hal_ota_set_boot,
                                   .ota_rollback = hal_ota_rollback};
    b->device = a;
    device_slots_config(c, b, &cfg);
    int rc = slots_open(&a->slots, &cfg, err);
    return rc == 0 ? kv_open(&a->kv, b, b->partitions, c->mqtt_breaks.kv_single_copy, err) : rc;
}

struct alios *alios_self(void)
{
    struct board *b = board_current();
    return b != NULL ? b->device : NULL;
}

void ota_reboot(void)
{
    struct alios *a = alios_self();
    if (a != NULL)
        a->board->ops->reset(a->board);
}

const char *ota_get_product_key(void)
{
    return alios_self()->config->product_id;
}

const char *ota_get_device_name(void)
{
    return alios_self()->config->did;
}

const char *ota_get_device_secret(void)
{
    return alios_self()->config->device_secret;
}

const char *ota_get_ca(void)
{
    return alios_self()->config->ca_pem;
}

const struct alios_port alios_reference_port = {
    .hal_ota_init = hal_ota_init,
    .hal_ota_write = hal_ota_write,
    .hal_ota_read = hal_ota_read,
    .hal_ota_set_boot = hal_ota_set_boot,
    .hal_ota_rollback = hal_ota_rollback,
    .ota_malloc = ota_malloc,
    .ota_free = ota_free,
    .ota_mutex_init = ota_mutex_init,
    .ota_mutex_lock = ota_mutex_lock,
    .ota_mutex_unlock = ota_mutex_unlock,
    .ota_mutex_destroy = ota_mutex_destroy,
    .ota_semaphore_init = ota_semaphore_init,
    .ota_semaphore_wait = ota_semaphore_wait,
    .ota_semaphore_post = ota_semaphore_post,
    .ota_semaphore_destroy = ota_semaphore_destroy,
    .ota_thread_create = ota_thread_create,
    .ota_thread_exit = ota_thread_exit,
    .ota_timer_create = ota_timer_create,
    .ota_timer_start = ota_timer_start,
    .ota_msleep = ota_msleep,
    .ota_kv_set = ota_kv_set,
    .ota_kv_get = ota_kv_get,
    .ota_socket_connect = ota_socket_connect,
    .ota_socket_send = ota_socket_send,
    .ota_socket_recv = ota_socket_recv,
    .ota_socket_close = ota_socket_close,
    .ota_ssl_connect = ota_ssl_connect,
    .ota_ssl_send = ota_ssl_send,
    .ota_ssl_recv = ota_ssl_recv,
    .ota_hal_mqtt_publish = ota_hal_mqtt_publish,
    .ota_hal_mqtt_subscribe = ota_hal_mqtt_subscribe,
    .ota_hal_mqtt_deinit_instance = ota_hal_mqtt_deinit_instance,
    .ota_hal_mqtt_init_instance = ota_hal_mqtt_init_instance,
};
