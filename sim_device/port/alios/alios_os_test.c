/* The 28 functions of the operating system, called through the table in a task of a device. */
#include "sim_device/agent/link_kit/kit_testing.h"
#include "sim_device/port/alios/alios_port.h"

static const struct alios_port *const port = &alios_reference_port;
static struct alios software; /* of the device of the running test */

static int64_t now_ms(const struct kit_world *w)
{
    return w->net.b->ops->now_ns(w->net.b) / NS_PER_MS;
}

static void inside(void (*body)(struct kit_world *w))
{
    struct kit_world *w = kit_world_new(AGENT_UOTA, 1000);
    kit_world_call(w, body);
    kit_world_free(w);
}

static void begin(struct kit_world *w)
{
    struct err err = {0};
    REQUIRE_OK(alios_start(w->net.b, &software, &w->config, &err), &err);
}

/* ---- memory, store ---- */

static void memory_body(struct kit_world *w)
{
    begin(w);
    void *p = port->ota_malloc(100);
    CHECK(p != NULL);
    CHECK_INT(w->net.b->heap.used_bytes, 100);
    p = ota_realloc(p, 200);
    CHECK_INT(w->net.b->heap.used_bytes, 200);
    port->ota_free(p);
    port->ota_free(NULL);
    CHECK(port->ota_malloc(0) == NULL);
    CHECK(ota_calloc(0x10000, 0x10000) == NULL);
    w->net.b->heap.fail_at = w->net.b->heap.calls + 1;
    CHECK(port->ota_malloc(1) == NULL);
}

static void memory(void)
{
    inside(memory_body);
}

static void store_body(struct kit_world *w)
{
    char buf[8] = "xxxxxxx";
    int len = 3;
    begin(w);
    CHECK_INT(port->ota_kv_set("key_ota_hash", "abcd", 4, 1), 0);
    CHECK_INT(port->ota_kv_get("key_ota_hash", buf, &len), -1); /* too small */
    CHECK_STR(buf, "xxxxxxx");
    len = sizeof buf;
    CHECK_INT(port->ota_kv_get("key_ota_hash", buf, &len), 0);
    CHECK_INT(len, 4);
    CHECK_MEM(buf, "abcdxxx", 8);
    CHECK_INT(port->ota_kv_get("unknown", buf, &len), -1);
    CHECK_INT(port->ota_kv_set("key_ota_hash", "a", -1, 1), -1);
    CHECK_INT(port->ota_kv_set("", "a", 1, 1), -1);
    CHECK_INT(port->ota_kv_set("volatile", "a", 1, 0), 0);
    begin(w); /* as after a reset */
    len = sizeof buf;
    CHECK_INT(port->ota_kv_get("key_ota_hash", buf, &len), 0);
    CHECK_INT(len, 4);
    CHECK_INT(port->ota_kv_get("volatile", buf, &len), -1);
}

static void store(void)
{
    inside(store_body);
}

/* ---- mutexes, semaphores, threads ---- */

struct pair {
    struct kit_world *w;
    void *mutex, *sem, *thread;
    int64_t at_ms;
    int ran;
};

static void *lock_it(void *arg)
{
    struct pair *p = arg;
    port->ota_mutex_lock(p->mutex);
    p->at_ms = now_ms(p->w);
    port->ota_mutex_unlock(p->mutex);
    port->ota_semaphore_post(p->sem);
    return NULL;
}

static void mutex_body(struct kit_world *w)
{
    begin(w);
    struct pair p = {.w = w, .mutex = port->ota_mutex_init(), .sem = port->ota_semaphore_init()};
    hal_os_thread_param_t param = {.name = "other", .stack_size = 4096};
    int stack = 7;
    REQUIRE(p.mutex != NULL && p.sem != NULL);
    port->ota_mutex_lock(p.mutex);
    port->ota_mutex_lock(p.mutex); /* recursive */
    CHECK_INT(port->ota_thread_create(&p.thread, lock_it, &p, &param, &stack), 0);
    CHECK_INT(stack, 0);
    int64_t start_ms = now_ms(w);
    port->ota_msleep(50);
    port->ota_mutex_unlock(p.mutex);
    port->ota_msleep(50);
    CHECK_INT(p.at_ms, 0);            /* still held once */
    port->ota_mutex_destroy(p.mutex); /* waited for: stays */
    port->ota_mutex_unlock(p.mutex);
    CHECK_INT(port->ota_semaphore_wait(p.sem, OTA_WAIT_FOREVER), 0);
    CHECK_INT(p.at_ms, start_ms + 100);
    port->ota_mutex_unlock(p.mutex); /* not held */
    port->ota_mutex_destroy(p.mutex);
    port->ota_semaphore_destroy(p.sem);
    port->ota_mutex_lock(NULL);
    port->ota_mutex_unlock(NULL);
    port->ota_mutex_destroy(NULL);
    port->ota_msleep(1);
}

static void mutexes(void)
{
    inside(mutex_body);
}

static void semaphore_body(struct kit_world *w)
{
    begin(w);
    void *s = port->ota_semaphore_init();
    int64_t start_ms = now_ms(w);
    CHECK_INT(port->ota_semaphore_wait(s, 0), -1);
    CHECK_INT(now_ms(w), start_ms);
    CHECK_INT(port->ota_semaphore_wait(s, 250), -1);
    CHECK_INT(now_ms(w), start_ms + 250);
    port->ota_semaphore_post(s);
    port->ota_semaphore_post(s);
    CHECK_INT(port->ota_semaphore_wait(s, 10), 0);
    CHECK_INT(port->ota_semaphore_wait(s, 0), 0);
    CHECK_INT(port->ota_semaphore_wait(s, 0), -1);
    CHECK_INT(port->ota_semaphore_wait(NULL, 0), -1);
    port->ota_semaphore_post(NULL);
    port->ota_semaphore_destroy(s);
}

static void semaphores(void)
{
    inside(semaphore_body);
}

static void *sleep_long(void *arg)
{
    struct pair *p = arg;
    p->ran++;
    port->ota_msleep(1000);
    p->ran++;
    return NULL;
}

static void *end_itself(void *arg)
{
    struct pair *p = arg;
    p->ran++;
    port->ota_thread_exit(p->thread);
    p->ran++;
    return NULL;
}

static void thread_body(struct kit_world *w)
{
    begin(w);
    struct pair p = {.w = w};
    CHECK_INT(port->ota_thread_create(&p.thread, NULL, NULL, NULL, NULL), -1);
    CHECK_INT(port->ota_thread_create(&p.thread, sleep_long, &p, NULL, NULL), 0);
    port->ota_msleep(10);
    CHECK_INT(p.ran, 1);
    port->ota_thread_exit(p.thread); /* another one's */
    port->ota_msleep(2000);
    CHECK_INT(p.ran, 1);
    CHECK_INT(w->net.b->heap.used_bytes, 0);
    CHECK_INT(port->ota_thread_create(&p.thread, end_itself, &p, NULL, NULL), 0);
    port->ota_msleep(10);
    CHECK_INT(p.ran, 2);
    w->net.b->heap.fail_at = w->net.b->heap.calls + 1;
    CHECK_INT(port->ota_thread_create(&p.thread, end_itself, &p, NULL, NULL), -1);
}

static void threads(void)
{
    inside(thread_body);
}

static void timed_out(void *user_data)
{
    struct pair *p = user_data;
    p->at_ms = now_ms(p->w);
    p->ran++;
}

static void timer_body(struct kit_world *w)
{
    begin(w);
    struct pair p = {.w = w};
    int64_t start_ms = now_ms(w);
    CHECK(port->ota_timer_create("none", NULL, NULL) == NULL);
    void *t = port->ota_timer_create("once", timed_out, &p);
    CHECK_INT(port->ota_timer_start(t, 300), 0);
    port->ota_msleep(299);
    CHECK_INT(p.ran, 0);
    port->ota_msleep(1000);
    CHECK_INT(p.ran, 1);
    CHECK_INT(p.at_ms, start_ms + 300);
    /* Started again while it runs: only the later one counts. */
    start_ms = now_ms(w);
    CHECK_INT(port->ota_timer_start(t, 100), 0);
    port->ota_msleep(50);
    CHECK_INT(port->ota_timer_start(t, 100), 0);
    port->ota_msleep(500);
    CHECK_INT(p.ran, 2);
    CHECK_INT(p.at_ms, start_ms + 150);
    CHECK_INT(port->ota_timer_start(t, -1), -1);
    CHECK_INT(port->ota_timer_start(NULL, 1), -1);
    port->ota_free(t);
}

static void timers(void)
{
    inside(timer_body);
}

/* ---- network ---- */

static void socket_body(struct kit_world *w)
{
    char host[] = "files.test", get[] = "GET / HTTP/1.1\r\nRange: bytes=10-19\r\n\r\n";
    char buf[300] = "";
    begin(w);
    int fd = port->ota_socket_connect(host, 80);
    REQUIRE(fd >= 0);
    CHECK_INT(port->ota_socket_send(fd, get, sizeof get - 1), (int)sizeof get - 1);
    int n = port->ota_socket_recv(fd, buf, sizeof buf);
    CHECK(n > 10);
    CHECK_HAS(buf, "HTTP/1.1 206 Partial Content\r\n");
    int64_t start_ms = now_ms(w);
    CHECK_INT(port->ota_socket_recv(fd, buf, sizeof buf), BOARD_TIMEOUT);
    CHECK_INT(now_ms(w), start_ms + OTA_SOCKET_TIMEOUT_MS);
    port->ota_socket_close(fd);
    CHECK_INT(port->ota_socket_recv(fd, buf, sizeof buf), BOARD_ERROR);
    CHECK_INT(port->ota_socket_send(fd, get, 1), -1);
    CHECK_INT(port->ota_socket_connect(NULL, 80), -1);
    CHECK_INT(port->ota_socket_connect(host, 0), -1);
    CHECK_INT(port->ota_socket_connect(host, 65536), -1);
    CHECK_INT(port->ota_socket_recv(fd, NULL, 1), BOARD_ERROR);
    w->net.refuse_connect = true;
    CHECK_INT(port->ota_socket_connect(host, 80), -1);
}

static void sockets(void)
{
    inside(socket_body);
}

/* What TLS itself does is the board's test; here: nothing without a CA, and nothing stays open. */
static void ssl_body(struct kit_world *w)
{
    char byte[1];
    begin(w);
    CHECK(port->ota_ssl_connect("files.test", 443, NULL, 0) == NULL);
    CHECK(port->ota_ssl_connect("files.test", 443, "no terminator", 5) == NULL);
    w->net.refuse_connect = true;
    CHECK(port->ota_ssl_connect("files.test", 443, "x", 2) == NULL);
    CHECK_INT(port->ota_ssl_send(NULL, byte, 1), -1);
    CHECK_INT(port->ota_ssl_recv(NULL, byte, 1), BOARD_ERROR);
}

static void ssl(void)
{
    inside(ssl_body);
}

struct heard {
    int count;
    char topic[64];
    uint8_t payload[64];
    int topic_len, payload_len;
    void *ctx;
};

static void hear(char *topic, int topic_len, void *payload, int payload_len, void *ctx)
{
    struct heard *h = ctx;
    h->count++;
    h->topic_len = topic_len;
    h->payload_len = payload_len;
    h->ctx = ctx;
    (void)snprintf(h->topic, sizeof h->topic, "%.*s", topic_len, topic);
    memcpy(h->payload, payload, (size_t)payload_len < 64 ? (size_t)payload_len : 64);
}

static int login(struct kit_world *w, int max)
{
    return port->ota_hal_mqtt_init_instance(w->config.product_id, w->config.did,
                                            w->config.device_secret, max);
}

static void mqtt_body(struct kit_world *w)
{
    struct heard h = {0};
    char topic[] = "/ota/device/upgrade/a/b", up[] = "/ota/device/inform/a/b", bytes[] = "a\0b";
    begin(w);
    w->announce = false;
    CHECK_INT(port->ota_hal_mqtt_publish(up, 0, bytes, 3), -1);
    CHECK_INT(port->ota_hal_mqtt_subscribe(topic, hear, &h), -1);
    CHECK_INT(port->ota_hal_mqtt_deinit_instance(), -1);
    CHECK_INT(login(w, 0), -1);
    CHECK_INT(login(w, 100), 0);
    CHECK_INT(login(w, 100), -1);
    CHECK_STR(w->user_name, "device1&a1OtaBench1");
    CHECK_HAS(w->client_id, "signmethod=hmacsha256");
    CHECK_INT(strlen(w->password), 64);
    CHECK_INT(port->ota_hal_mqtt_subscribe(topic, hear, &h), 0);
    CHECK_STR(w->subscribed, "/ota/device/upgrade/a/b 0\n");
    for (int qos = 0; qos <= 1; qos++)
        CHECK_INT(port->ota_hal_mqtt_publish(up, qos, bytes, 3), 0);
    CHECK_INT(port->ota_hal_mqtt_publish(up, 2, bytes, 3), -1);
    CHECK_INT(port->ota_hal_mqtt_publish(up, 0, NULL, 3), -1);
    kw_send(w, topic, "x\0y\0", 4, 0);
    port->ota_msleep(100);
    CHECK_INT(h.count, 1);
    CHECK_STR(h.topic, topic);
    CHECK_INT(h.topic_len, (int)strlen(topic));
    CHECK_INT(h.payload_len, 4);
    CHECK_MEM(h.payload, "x\0y", 4);
    CHECK(h.ctx == &h);
    kw_send(w, "/another", "x", 1, 0);
    uint8_t big[101] = {0};
    kw_send(w, topic, big, sizeof big, 0);
    port->ota_msleep(100);
    CHECK_INT(h.count, 1); /* of no subscription; too long */
    /* The connection is lost, and comes back with the subscription. */
    w->mqtt_drop = true;
    kw_send(w, topic, "1", 1, 0);
    port->ota_msleep(10000);
    CHECK_INT(w->opens, 2);
    CHECK_STR(w->subscribed, "/ota/device/upgrade/a/b 0\n/ota/device/upgrade/a/b 0\n");
    CHECK_INT(h.count, 2);
    kw_send(w, topic, "2", 1, 500 * NS_PER_MS);
    CHECK_INT(port->ota_hal_mqtt_deinit_instance(), 0);
    port->ota_msleep(2000);
    CHECK_INT(h.count, 2);
    CHECK_INT(w->net.b->heap.used_bytes, 0);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(login(w, 100), 0);
        CHECK_INT(port->ota_hal_mqtt_deinit_instance(), 0);
    }
    w->connack = 4;
    CHECK_INT(login(w, 100), -1);
    CHECK_HAS(w->events, "mqtt refused 4\n");
    w->mqtt_off = true;
    CHECK_INT(login(w, 100), -1);
}

static void mqtt(void)
{
    inside(mqtt_body);
}

static void hear_and_end(char *topic, int topic_len, void *payload, int payload_len, void *ctx)
{
    hear(topic, topic_len, payload, payload_len, ctx);
    CHECK_INT(port->ota_hal_mqtt_deinit_instance(), 0);
}

static void mqtt_end_body(struct kit_world *w)
{
    struct heard h = {0};
    char topic[] = "/ota/device/upgrade/a/b";
    begin(w);
    CHECK_INT(login(w, 100), 0);
    CHECK_INT(port->ota_hal_mqtt_subscribe(topic, hear_and_end, &h), 0);
    kw_send(w, topic, "1", 1, 0);
    kw_send(w, topic, "2", 1, 0);
    port->ota_msleep(1000);
    CHECK_INT(h.count, 1);
    CHECK_INT(port->ota_hal_mqtt_deinit_instance(), -1);
}

static void mqtt_ended_by_a_subscriber(void)
{
    inside(mqtt_end_body);
}

static const struct test tests[] = {
    {"memory", memory},   {"key-value store", store},
    {"mutexes", mutexes}, {"semaphores", semaphores},
    {"threads", threads}, {"timers", timers},
    {"sockets", sockets}, {"TLS", ssl},
    {"MQTT", mqtt},       {"MQTT ended by a subscriber", mqtt_ended_by_a_subscriber},
};
TEST_MAIN("AliOS system functions", tests)
