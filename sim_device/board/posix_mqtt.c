/*
 * The posix board's MQTT client: libmosquitto, driven by a task of the board. It is only touched by
 * the task that has the turn; the reader waits for its socket without the turn, as socket calls do.
 * Everybody else waits on the client itself and looks again at any news.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/board/posix_board_internal.h"
#include "sim_device/board/posix_tls.h"

#define READER_PRIORITY (BOARD_MAIN_PRIORITY - 1)
#define KEEP_ALIVE_MIN  5 /* libmosquitto takes no less */

static struct posix_board *posix_of(struct board *b)
{
    return (struct posix_board *)b;
}

static struct posix_mqtt *client_at(struct board *b, int client)
{
    struct posix_board *p = posix_of(b);
    if (client < 0 || client >= BOARD_MQTT_CLIENTS || p->mqtt[client].state == POSIX_MQTT_FREE)
        return NULL;
    return &p->mqtt[client];
}

static void clear(struct posix_mqtt *k)
{
    if (k->m != NULL)
        mosquitto_destroy(k->m);
    struct posix_board *p = k->board;
    uint64_t generation = k->generation + 1;
    memset(k, 0, sizeof *k);
    k->board = p;
    k->generation = generation;
}

void posix_mqtt_init(struct posix_board *p)
{
    (void)mosquitto_lib_init();
    for (size_t i = 0; i < BOARD_MQTT_CLIENTS; i++)
        p->mqtt[i].board = p;
}

void posix_mqtt_drop(struct posix_board *p)
{
    for (size_t i = 0; i < BOARD_MQTT_CLIENTS; i++)
        clear(&p->mqtt[i]); /* queued payloads go with the heap */
}

void posix_mqtt_deinit(struct posix_board *p)
{
    posix_mqtt_drop(p);
    (void)mosquitto_lib_cleanup();
}

static void news(struct posix_mqtt *k)
{
    struct board *b = &k->board->board;
    b->ops->wake(b, k, INT_MAX);
}

static void lost(struct posix_mqtt *k)
{
    if (k->state == POSIX_MQTT_DOWN)
        return;
    k->state = POSIX_MQTT_DOWN;
    news(k);
}

/* ---- what the library tells, in the reader's task ---- */

static void on_connack(struct mosquitto *m, void *ctx, int code, int flags)
{
    struct posix_mqtt *k = ctx;
    (void)m;
    k->connack = (uint8_t)code;
    k->session_present = (flags & 1) != 0;
    if (code != 0)
        return;
    k->state = POSIX_MQTT_UP;
    news(k);
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg)
{
    struct posix_mqtt *k = ctx;
    struct board_mqtt_message in = {.qos = (uint8_t)msg->qos};
    (void)m;
    size_t topic_len = strlen(msg->topic), n = (size_t)msg->payloadlen;
    if (n > BOARD_MQTT_BYTES_MAX || topic_len >= sizeof in.topic || mqtt_inbox_is_full(&k->inbox))
        return;
    memcpy(in.topic, msg->topic, topic_len + 1);
    if (mqtt_inbox_put(&k->inbox, &k->board->board, &in, msg->payload, n))
        news(k);
}

static void acknowledged(struct posix_mqtt *k, int mid, int code)
{
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (mid != 0 && k->waits[i].mid == mid) {
            k->waits[i].done = true;
            k->waits[i].code = code;
            news(k);
        }
}

static void on_published(struct mosquitto *m, void *ctx, int mid)
{
    (void)m;
    acknowledged(ctx, mid, 0);
}

static void on_subscribed(struct mosquitto *m, void *ctx, int mid, int n, const int *granted)
{
    (void)m;
    acknowledged(ctx, mid, n > 0 ? granted[0] : 0x80);
}

/* ---- the reader ---- */

/* TLS has read more of the stream than the library has taken. */
static bool has_pending(const struct posix_mqtt *k)
{
    const SSL *ssl = mosquitto_ssl_get(k->m);
    return ssl != NULL && SSL_pending(ssl) > 0;
}

/* Waits for the socket, a duty of the library (each second), or a kick. True: something to read. */
static bool await_socket(struct posix_mqtt *k)
{
    struct posix_board *p = k->board;
    bool room = !mqtt_inbox_is_full(&k->inbox);
    bool pending = room && has_pending(k);
    bool write = !k->began || mosquitto_want_write(k->m);
    short events = (short)((room ? POLLIN : 0) | (write ? POLLOUT : 0));
    int fd = mosquitto_socket(k->m);
    struct board_task *t = posix_go_away(p, k);
    struct pollfd set[2] = {{.fd = fd, .events = events}, {.fd = t->kick_fd, .events = POLLIN}};
    (void)poll(set, 2, pending ? 0 : 1000);
    posix_come_back(p, t); /* a client that was closed meanwhile has ended this task */
    if (!room)
        k->heard_ns = posix_now_ns(p); /* the silence is our own */
    k->began = k->began || (set[0].revents & POLLOUT) != 0;
    return room && (pending || (set[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0);
}

/* One turn; false: the connection is over. */
static bool serve(struct posix_mqtt *k)
{
    if (mosquitto_socket(k->m) < 0)
        return false;
    bool readable = await_socket(k);
    int rc = mosquitto_loop_write(k->m, 1);
    if (rc == MOSQ_ERR_SUCCESS && readable) {
        k->heard_ns = posix_now_ns(k->board);
        rc = mosquitto_loop_read(k->m, 1);
    }
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_loop_misc(k->m);
    int64_t silent_ns = posix_now_ns(k->board) - k->heard_ns;
    if (k->state == POSIX_MQTT_UP && k->keep_alive_s > 0 &&
        silent_ns >= k->keep_alive_s * (NS_PER_S * 3 / 2))
        return false;
    return rc == MOSQ_ERR_SUCCESS && k->connack == 0;
}

static void reader_main(void *arg)
{
    struct posix_mqtt *k = arg;
    while ((k->state == POSIX_MQTT_OPENING || k->state == POSIX_MQTT_UP) && serve(k))
        ;
    k->reader = NULL; /* this task ends by itself */
    lost(k);
}

/* ---- calls of the application ---- */

/* Waits for news of the client. BOARD_ERROR: it is not the same client any more. */
static int await(struct posix_mqtt *k, int64_t deadline_ns)
{
    struct board *b = &k->board->board;
    int64_t left_ns = deadline_ns - posix_now_ns(k->board);
    uint64_t generation = k->generation;
    int rc = b->ops->wait(b, k, left_ns);
    return k->generation != generation ? BOARD_ERROR : rc;
}

static void give_up(struct board *b, struct posix_mqtt *k)
{
    if (k->reader != NULL)
        (void)b->ops->task_free(b, k->reader);
    mqtt_inbox_drop(&k->inbox, b);
    news(k);
    clear(k);
}

static int set_up(struct posix_mqtt *k, const struct board_mqtt_config *c)
{
    k->m = mosquitto_new(c->client_id, c->clean_session, k);
    if (k->m == NULL)
        return BOARD_ERROR;
    mosquitto_connect_with_flags_callback_set(k->m, on_connack);
    mosquitto_message_callback_set(k->m, on_message);
    mosquitto_publish_callback_set(k->m, on_published);
    mosquitto_subscribe_callback_set(k->m, on_subscribed);
    mosquitto_unsubscribe_callback_set(k->m, on_published);
    (void)mosquitto_int_option(k->m, MOSQ_OPT_TCP_NODELAY, 1);
    int rc = mosquitto_username_pw_set(k->m, c->user_name, c->password);
    if (rc == MOSQ_ERR_SUCCESS && c->will_topic != NULL)
        rc = mosquitto_will_set(k->m, c->will_topic, (int)c->will_bytes, c->will_payload, 0, false);
    if (rc == MOSQ_ERR_SUCCESS && c->ca_pem != NULL) {
        /* Our own context: the library would compare the address it connects to with the name. */
        SSL_CTX *ctx = posix_tls_context(c->host, c->ca_pem);
        (void)mosquitto_int_option(k->m, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
        rc = ctx == NULL ? MOSQ_ERR_TLS : mosquitto_void_option(k->m, MOSQ_OPT_SSL_CTX, ctx);
        SSL_CTX_free(ctx);
    }
    return rc == MOSQ_ERR_SUCCESS ? BOARD_OK : BOARD_ERROR;
}

static int start(struct board *b, struct posix_mqtt *k, const struct board_mqtt_config *c,
                 int64_t deadline_ns)
{
    uint32_t ip = 0;
    if (b->ops->resolve(b, c->host, &ip) != 0 || set_up(k, c) != BOARD_OK)
        return BOARD_ERROR;
    uint16_t port = posix_relayed(k->board, &ip, c->port);
    char literal[INET_ADDRSTRLEN];
    struct in_addr a = {.s_addr = htonl(ip)};
    (void)inet_ntop(AF_INET, &a, literal, sizeof literal);
    int keep_alive_s = c->keep_alive_s;
    if (keep_alive_s > 0 && keep_alive_s < KEEP_ALIVE_MIN)
        keep_alive_s = KEEP_ALIVE_MIN;
    k->keep_alive_s = (uint16_t)keep_alive_s;
    k->heard_ns = posix_now_ns(k->board);
    if (mosquitto_connect_async(k->m, literal, port, keep_alive_s) != MOSQ_ERR_SUCCESS)
        return BOARD_ERROR;
    k->reader = b->ops->task_new(b, "mqtt", reader_main, k, 0, READER_PRIORITY);
    if (k->reader == NULL || b->ops->task_start(b, k->reader) != BOARD_OK)
        return BOARD_ERROR;
    while (k->state == POSIX_MQTT_OPENING) {
        int rc = await(k, deadline_ns);
        if (rc == BOARD_ERROR || (rc == BOARD_TIMEOUT && k->state == POSIX_MQTT_OPENING))
            return rc;
    }
    return k->state == POSIX_MQTT_UP ? BOARD_OK : BOARD_ERROR;
}

static int op_open(struct board *b, const struct board_mqtt_config *c, int64_t timeout_ns,
                   uint8_t *connack, bool *session_present)
{
    struct posix_board *p = posix_of(b);
    *connack = 0;
    *session_present = false;
    int client = 0;
    while (client < BOARD_MQTT_CLIENTS && p->mqtt[client].state != POSIX_MQTT_FREE)
        client++;
    if (client == BOARD_MQTT_CLIENTS)
        return BOARD_ERROR;
    struct posix_mqtt *k = &p->mqtt[client];
    k->state = POSIX_MQTT_OPENING;
    int rc = start(b, k, c, vtime_after(posix_now_ns(p), timeout_ns));
    *connack = k->connack;
    *session_present = k->session_present;
    if (rc == BOARD_OK)
        return client;
    give_up(b, k);
    return rc;
}

/* What could not be written at once is the reader's. */
static void pass_on(struct posix_mqtt *k)
{
    if (mosquitto_want_write(k->m))
        posix_kick(k->board, k);
}

static struct posix_mqtt_wait *free_wait(struct posix_mqtt *k)
{
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (k->waits[i].mid == 0)
            return &k->waits[i];
    return NULL;
}

/* After the call that sent it: waits for its acknowledgement. */
static int await_answer(struct posix_mqtt *k, struct posix_mqtt_wait *w, int rc, int mid,
                        int64_t timeout_ns, int *code)
{
    int64_t deadline_ns = vtime_after(posix_now_ns(k->board), timeout_ns);
    if (rc != MOSQ_ERR_SUCCESS)
        return BOARD_ERROR;
    *w = (struct posix_mqtt_wait){.mid = mid};
    pass_on(k);
    int result = BOARD_OK;
    while (result == BOARD_OK && !w->done) {
        result = k->state == POSIX_MQTT_UP ? await(k, deadline_ns) : BOARD_ERROR;
        if (result == BOARD_ERROR)
            return result; /* waits may be another client's by now */
        if (w->done)
            result = BOARD_OK;
    }
    *code = w->code;
    *w = (struct posix_mqtt_wait){.mid = 0};
    return result;
}

static int op_publish(struct board *b, int client, const char *topic, const void *payload,
                      size_t len_bytes, uint8_t qos, int64_t timeout_ns)
{
    struct posix_mqtt *k = client_at(b, client);
    int mid = 0, code = 0;
    if (k == NULL || k->state != POSIX_MQTT_UP || len_bytes > BOARD_MQTT_BYTES_MAX || qos > 1)
        return BOARD_ERROR;
    struct posix_mqtt_wait *w = free_wait(k);
    if (w == NULL)
        return BOARD_ERROR;
    int rc = mosquitto_publish(k->m, &mid, topic, (int)len_bytes, payload, qos, false);
    if (qos > 0)
        return await_answer(k, w, rc, mid, timeout_ns, &code);
    pass_on(k);
    return rc == MOSQ_ERR_SUCCESS ? BOARD_OK : BOARD_ERROR;
}

static int op_subscribe(struct board *b, int client, const char *filter, uint8_t qos,
                        int64_t timeout_ns)
{
    struct posix_mqtt *k = client_at(b, client);
    int mid = 0, code = 0;
    struct posix_mqtt_wait *w = k == NULL ? NULL : free_wait(k);
    if (w == NULL || k->state != POSIX_MQTT_UP || qos > 1)
        return BOARD_ERROR;
    int rc = mosquitto_subscribe(k->m, &mid, filter, qos);
    rc = await_answer(k, w, rc, mid, timeout_ns, &code);
    return rc == BOARD_OK && code > 2 ? BOARD_ERROR : rc;
}

static int op_unsubscribe(struct board *b, int client, const char *filter, int64_t timeout_ns)
{
    struct posix_mqtt *k = client_at(b, client);
    int mid = 0, code = 0;
    struct posix_mqtt_wait *w = k == NULL ? NULL : free_wait(k);
    if (w == NULL || k->state != POSIX_MQTT_UP)
        return BOARD_ERROR;
    int rc = mosquitto_unsubscribe(k->m, &mid, filter);
    return await_answer(k, w, rc, mid, timeout_ns, &code);
}

static int op_receive(struct board *b, int client, struct board_mqtt_message *out,
                      int64_t timeout_ns)
{
    struct posix_mqtt *k = client_at(b, client);
    if (k == NULL)
        return BOARD_ERROR;
    int64_t deadline_ns = vtime_after(posix_now_ns(k->board), timeout_ns);
    while (k->inbox.n == 0) {
        if (k->state != POSIX_MQTT_UP)
            return BOARD_ERROR;
        int rc = await(k, deadline_ns);
        if (rc == BOARD_ERROR || (rc == BOARD_TIMEOUT && k->inbox.n == 0))
            return rc;
    }
    if (mqtt_inbox_take(&k->inbox, out))
        posix_kick(k->board, k); /* the reader waits for room */
    return BOARD_OK;
}

static bool op_is_up(struct board *b, int client)
{
    const struct posix_mqtt *k = client_at(b, client);
    return k != NULL && k->state == POSIX_MQTT_UP;
}

static void op_close(struct board *b, int client)
{
    struct posix_mqtt *k = client_at(b, client);
    if (k == NULL)
        return;
    if (k->state == POSIX_MQTT_UP)
        (void)mosquitto_disconnect(k->m);
    give_up(b, k);
}

const struct board_mqtt_ops posix_mqtt_ops = {
    .open = op_open,
    .publish = op_publish,
    .subscribe = op_subscribe,
    .unsubscribe = op_unsubscribe,
    .receive = op_receive,
    .is_up = op_is_up,
    .close = op_close,
};
