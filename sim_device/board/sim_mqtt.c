/*
 * The simulated board's MQTT client: packets of common/mqtt_packet.h on a stream socket of the
 * board. Each client has a task that reads: it queues what comes, acknowledges it, notes what was
 * acknowledged, and keeps the connection alive. Everybody who waits waits on the client itself and
 * looks again at any news.
 */
#include <limits.h>
#include <string.h>

#include "common/mqtt_packet.h"
#include "sim_device/board/sim_board_internal.h"

#define READER_PRIORITY (BOARD_MAIN_PRIORITY - 1) /* before the application, as network stacks */
#define CHUNK_BYTES     4096

static struct sim_board *sim_of(struct board *b)
{
    return (struct sim_board *)b;
}

static struct sim_mqtt *client_at(struct board *b, int client)
{
    struct sim_board *s = sim_of(b);
    if (client < 0 || client >= BOARD_MQTT_CLIENTS || s->mqtt[client].state == SIM_MQTT_FREE)
        return NULL;
    return &s->mqtt[client];
}

static void clear(struct sim_mqtt *k)
{
    k->state = SIM_MQTT_FREE;
    k->generation++;
    k->fd = -1;
    k->reader = NULL;
    k->answered = false;
    k->connack = 0;
    k->session_present = false;
    k->last_id = 0;
    k->inbox.n = 0;
    memset(k->waits, 0, sizeof k->waits);
    buf_clear(&k->rx);
    buf_clear(&k->tx);
}

void sim_mqtt_init(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_MQTT_CLIENTS; i++) {
        s->mqtt[i].board = s;
        buf_init(&s->mqtt[i].rx, MQTT_PACKET_BYTES_MAX + CHUNK_BYTES);
        buf_init(&s->mqtt[i].tx, MQTT_PACKET_BYTES_MAX);
        clear(&s->mqtt[i]);
    }
}

void sim_mqtt_drop(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_MQTT_CLIENTS; i++)
        clear(&s->mqtt[i]); /* queued payloads go with the heap */
}

void sim_mqtt_deinit(struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_MQTT_CLIENTS; i++) {
        buf_free(&s->mqtt[i].rx);
        buf_free(&s->mqtt[i].tx);
    }
}

/* Something changed that somebody may wait for. */
static void news(struct sim_mqtt *k)
{
    sim_wake(k->board, k, INT_MAX);
}

static void lost(struct sim_mqtt *k)
{
    if (k->state == SIM_MQTT_DOWN)
        return;
    k->state = SIM_MQTT_DOWN;
    if (k->fd >= 0)
        (void)sim_sock_close(&k->board->board, k->fd);
    k->fd = -1;
    news(k);
}

/* 0 or -1: the connection is gone. */
static int send_packet(struct sim_mqtt *k, const struct mqtt_packet *p)
{
    buf_clear(&k->tx);
    if (k->fd < 0 || mqtt_encode(p, &k->tx) != 0)
        return -1;
    for (size_t at = 0; at < k->tx.len_bytes;) {
        int n = sim_sock_send(&k->board->board, k->fd, k->tx.data + at, k->tx.len_bytes - at);
        if (n <= 0)
            return -1;
        at += (size_t)n;
    }
    k->sent_ns = k->board->now_ns;
    return 0;
}

/* ---- the reader ---- */

static void on_publish(struct sim_mqtt *k, const struct mqtt_packet *p)
{
    struct board_mqtt_message m = {.qos = p->qos, .dup = p->dup};
    if (p->payload.len_bytes <= BOARD_MQTT_BYTES_MAX &&
        mqtt_text_copy(m.topic, sizeof m.topic, p->topic)) {
        /* What there is no memory for is not acknowledged: it comes again. */
        if (!mqtt_inbox_put(&k->inbox, &k->board->board, &m, p->payload.data, p->payload.len_bytes))
            return;
        news(k);
    }
    if (p->qos > 0)
        (void)send_packet(k, &(struct mqtt_packet){.type = PACKET_PUBACK, .id = p->id});
}

static void on_acknowledged(struct sim_mqtt *k, uint16_t id, uint8_t code)
{
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (id != 0 && k->waits[i].id == id) {
            k->waits[i].done = true;
            k->waits[i].code = code;
            news(k);
        }
}

/* True when the connection goes on. */
static bool on_packet(struct sim_mqtt *k, const struct mqtt_packet *p)
{
    if (k->answered == (p->type == PACKET_CONNACK))
        return false; /* it comes first, and once */
    switch (p->type) {
    case PACKET_CONNACK:
        k->answered = true;
        k->connack = p->code;
        k->session_present = p->present;
        if (p->code != 0)
            return false;
        k->state = SIM_MQTT_UP;
        news(k);
        return true;
    case PACKET_PUBLISH:
        on_publish(k, p);
        return true;
    case PACKET_PUBACK:
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
        on_acknowledged(k, p->id, p->code);
        return true;
    case PACKET_PINGRESP:
        return true;
    case PACKET_CONNECT:
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
    case PACKET_PINGREQ:
    case PACKET_DISCONNECT:
        break;
    }
    return false;
}

/* Handles whole packets while there is room for a message. False: the connection must end. */
static bool handle_received(struct sim_mqtt *k)
{
    while (!mqtt_inbox_is_full(&k->inbox)) {
        struct mqtt_packet p;
        int64_t n = mqtt_decode(k->rx.data, k->rx.len_bytes, MQTT_PACKET_BYTES_MAX, &p);
        if (n == 0)
            return true;
        if (n < 0 || !on_packet(k, &p))
            return false;
        buf_consume(&k->rx, (size_t)n);
    }
    return true;
}

static int64_t silence_ns(const struct sim_mqtt *k)
{
    return k->keep_alive_s * (NS_PER_S * 3 / 2);
}

/* Sends a PINGREQ when one is due. False: the peer has been silent too long. */
static bool keep_alive(struct sim_mqtt *k)
{
    int64_t now_ns = k->board->now_ns;
    if (k->keep_alive_s == 0 || k->state != SIM_MQTT_UP)
        return true;
    bool reading = !mqtt_inbox_is_full(&k->inbox); /* else the silence is our own */
    if (reading && now_ns - k->heard_ns >= silence_ns(k))
        return false;
    if (now_ns - k->sent_ns < k->keep_alive_s * NS_PER_S)
        return true;
    return send_packet(k, &(struct mqtt_packet){.type = PACKET_PINGREQ}) == 0;
}

static int64_t next_duty(const struct sim_mqtt *k)
{
    if (k->keep_alive_s == 0 || k->state != SIM_MQTT_UP)
        return VTIME_NEVER;
    return vtime_min(vtime_after(k->sent_ns, k->keep_alive_s * NS_PER_S),
                     vtime_after(k->heard_ns, silence_ns(k)));
}

/* Waits for bytes or the next duty, and takes what came. False: the connection is over. */
static bool read_some(struct sim_mqtt *k)
{
    struct sim_board *s = k->board;
    int64_t duty_ns = next_duty(k);
    if (mqtt_inbox_is_full(&k->inbox)) {
        k->heard_ns = s->now_ns;
        (void)sim_block(s, k,
                        vtime_after(k->sent_ns, k->keep_alive_s == 0 ? VTIME_NEVER
                                                                     : k->keep_alive_s * NS_PER_S));
        return true;
    }
    uint8_t chunk[CHUNK_BYTES];
    int64_t wait_ns = duty_ns == VTIME_NEVER ? BOARD_FOREVER : duty_ns - s->now_ns;
    if (sim_sock_poll(&s->board, k->fd, BOARD_READABLE, wait_ns) == 0)
        return true;
    int n = sim_sock_recv(&s->board, k->fd, chunk, sizeof chunk);
    if (n <= 0)
        return false;
    k->heard_ns = s->now_ns;
    return buf_append(&k->rx, chunk, (size_t)n) == 0;
}

static void reader_main(void *arg)
{
    struct sim_mqtt *k = arg;
    while (k->state == SIM_MQTT_OPENING || k->state == SIM_MQTT_UP)
        if (!handle_received(k) || !keep_alive(k) || !read_some(k))
            break;
    k->reader = NULL; /* this task ends by itself */
    lost(k);
}

/* ---- calls of the application ---- */

/* Waits for news of the client. BOARD_ERROR: it is not the same client any more. */
static int await(struct sim_mqtt *k, int64_t deadline_ns)
{
    if (deadline_ns <= k->board->now_ns) {
        sim_spin(k->board);
        return BOARD_TIMEOUT;
    }
    uint64_t generation = k->generation;
    bool timed_out = sim_block(k->board, k, deadline_ns);
    if (k->generation != generation)
        return BOARD_ERROR;
    return timed_out ? BOARD_TIMEOUT : BOARD_OK;
}

static void give_up(struct board *b, struct sim_mqtt *k)
{
    if (k->reader != NULL)
        (void)b->ops->task_free(b, k->reader);
    if (k->fd >= 0)
        (void)sim_sock_close(b, k->fd);
    mqtt_inbox_drop(&k->inbox, b);
    clear(k);
    news(k);
}

static int start(struct board *b, struct sim_mqtt *k, const struct board_mqtt_config *c,
                 int64_t deadline_ns)
{
    struct sim_board *s = k->board;
    uint32_t ip = 0;
    if (b->ops->resolve(b, c->host, &ip) != 0 || (k->fd = sim_sock_open(b, BOARD_STREAM)) < 0)
        return BOARD_ERROR;
    if (sim_connect_until(s, k->fd, ip, c->port, deadline_ns) != 0)
        return s->now_ns >= deadline_ns ? BOARD_TIMEOUT : BOARD_ERROR;
    if (c->ca_pem != NULL && sim_sock_tls(b, k->fd, c->host, c->ca_pem) != 0)
        return BOARD_ERROR;
    const struct mqtt_packet p = {
        .type = PACKET_CONNECT,
        .client_id = mqtt_text(c->client_id),
        .user_name = mqtt_text(c->user_name),
        .password = mqtt_text(c->password),
        .topic = mqtt_text(c->will_topic),
        .payload = {.data = c->will_payload, .len_bytes = c->will_bytes},
        .keep_alive_s = c->keep_alive_s,
        .clean = c->clean_session,
    };
    if (send_packet(k, &p) != 0)
        return BOARD_ERROR;
    k->keep_alive_s = c->keep_alive_s;
    k->heard_ns = s->now_ns;
    k->reader = b->ops->task_new(b, "mqtt", reader_main, k, 0, READER_PRIORITY);
    if (k->reader == NULL || b->ops->task_start(b, k->reader) != BOARD_OK)
        return BOARD_ERROR;
    while (k->state == SIM_MQTT_OPENING) {
        int rc = await(k, deadline_ns);
        if (rc == BOARD_ERROR || (rc == BOARD_TIMEOUT && k->state == SIM_MQTT_OPENING))
            return rc;
    }
    return k->state == SIM_MQTT_UP ? BOARD_OK : BOARD_ERROR;
}

static int op_open(struct board *b, const struct board_mqtt_config *c, int64_t timeout_ns,
                   uint8_t *connack, bool *session_present)
{
    struct sim_board *s = sim_of(b);
    *connack = 0;
    *session_present = false;
    int client = 0;
    while (client < BOARD_MQTT_CLIENTS && s->mqtt[client].state != SIM_MQTT_FREE)
        client++;
    if (client == BOARD_MQTT_CLIENTS)
        return BOARD_ERROR;
    struct sim_mqtt *k = &s->mqtt[client];
    k->state = SIM_MQTT_OPENING;
    int rc = start(b, k, c, vtime_after(s->now_ns, timeout_ns));
    *connack = k->connack;
    *session_present = k->session_present;
    if (rc == BOARD_OK)
        return client;
    give_up(b, k);
    return rc;
}

/* Sends a packet that is acknowledged and waits for that; *code is what the acknowledgement says.
 */
static int ask(struct sim_mqtt *k, struct mqtt_packet *p, int64_t timeout_ns, uint8_t *code)
{
    int64_t deadline_ns = vtime_after(k->board->now_ns, timeout_ns);
    struct sim_mqtt_wait *w = NULL;
    for (size_t i = 0; i < BOARD_TASKS && w == NULL; i++)
        if (k->waits[i].id == 0)
            w = &k->waits[i];
    if (w == NULL || k->state != SIM_MQTT_UP)
        return BOARD_ERROR;
    k->last_id = k->last_id == UINT16_MAX ? 1 : (uint16_t)(k->last_id + 1);
    p->id = k->last_id;
    *w = (struct sim_mqtt_wait){.id = p->id};
    if (send_packet(k, p) != 0) {
        *w = (struct sim_mqtt_wait){.id = 0};
        return BOARD_ERROR;
    }
    int rc = BOARD_OK;
    while (rc == BOARD_OK && !w->done) {
        rc = k->state == SIM_MQTT_UP ? await(k, deadline_ns) : BOARD_ERROR;
        if (rc == BOARD_TIMEOUT && w->done)
            rc = BOARD_OK;
        else if (rc == BOARD_ERROR)
            return rc; /* waits may be another client's by now */
    }
    *code = w->code;
    *w = (struct sim_mqtt_wait){.id = 0};
    return rc;
}

static int op_publish(struct board *b, int client, const char *topic, const void *payload,
                      size_t len_bytes, uint8_t qos, int64_t timeout_ns)
{
    struct sim_mqtt *k = client_at(b, client);
    if (k == NULL || k->state != SIM_MQTT_UP || len_bytes > BOARD_MQTT_BYTES_MAX || qos > 1)
        return BOARD_ERROR;
    struct mqtt_packet p = {.type = PACKET_PUBLISH,
                            .topic = mqtt_text(topic),
                            .payload = {.data = payload, .len_bytes = len_bytes},
                            .qos = qos};
    uint8_t code = 0;
    if (qos == 0)
        return send_packet(k, &p) == 0 ? BOARD_OK : BOARD_ERROR;
    return ask(k, &p, timeout_ns, &code);
}

static int op_subscribe(struct board *b, int client, const char *filter, uint8_t qos,
                        int64_t timeout_ns)
{
    struct sim_mqtt *k = client_at(b, client);
    if (k == NULL || qos > 1)
        return BOARD_ERROR;
    struct mqtt_packet p = {.type = PACKET_SUBSCRIBE, .topic = mqtt_text(filter), .qos = qos};
    uint8_t code = 0;
    int rc = ask(k, &p, timeout_ns, &code);
    return rc == BOARD_OK && code == MQTT_SUBACK_FAILURE ? BOARD_ERROR : rc;
}

static int op_unsubscribe(struct board *b, int client, const char *filter, int64_t timeout_ns)
{
    struct sim_mqtt *k = client_at(b, client);
    if (k == NULL)
        return BOARD_ERROR;
    struct mqtt_packet p = {.type = PACKET_UNSUBSCRIBE, .topic = mqtt_text(filter)};
    uint8_t code = 0;
    return ask(k, &p, timeout_ns, &code);
}

static int op_receive(struct board *b, int client, struct board_mqtt_message *out,
                      int64_t timeout_ns)
{
    struct sim_mqtt *k = client_at(b, client);
    if (k == NULL)
        return BOARD_ERROR;
    int64_t deadline_ns = vtime_after(k->board->now_ns, timeout_ns);
    while (k->inbox.n == 0) {
        if (k->state != SIM_MQTT_UP)
            return BOARD_ERROR;
        int rc = await(k, deadline_ns);
        if (rc == BOARD_ERROR || (rc == BOARD_TIMEOUT && k->inbox.n == 0))
            return rc;
    }
    if (mqtt_inbox_take(&k->inbox, out))
        news(k); /* the reader waits for room */
    return BOARD_OK;
}

static bool op_is_up(struct board *b, int client)
{
    const struct sim_mqtt *k = client_at(b, client);
    sim_spin(sim_of(b));
    return k != NULL && k->state == SIM_MQTT_UP;
}

static void op_close(struct board *b, int client)
{
    struct sim_mqtt *k = client_at(b, client);
    if (k == NULL)
        return;
    if (k->state == SIM_MQTT_UP)
        (void)send_packet(k, &(struct mqtt_packet){.type = PACKET_DISCONNECT});
    give_up(b, k);
}

const struct board_mqtt_ops sim_mqtt_ops = {
    .open = op_open,
    .publish = op_publish,
    .subscribe = op_subscribe,
    .unsubscribe = op_unsubscribe,
    .receive = op_receive,
    .is_up = op_is_up,
    .close = op_close,
};
