/*
 * Our plugin in the Mosquitto broker (plugin interface 5, Mosquitto 2.0): asks the cloud's process
 * about logins and topics, tells it what happens, and hands its messages to devices by their raw
 * client id. See broker.h and broker_frame.h.
 *
 * The broker has no event for a finished CONNECT, so a session is told at the next turn of its
 * loop, or when it first does something. A last will never meets the message event: it is seen as
 * a permission to publish asked for a client that is gone.
 */
#include <errno.h>
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "mock_cloud/broker/broker.h"
#include "mock_cloud/broker/broker_frame.h"
#include "mock_cloud/mqtt.h"

#define ANSWER_WAIT_S 10

enum state { FREE, PENDING /* CONNACK not sent for sure */, ONLINE, LEAVING, AWAY };

/* One client that logged in; PENDING, ONLINE and LEAVING know it by its object in the broker. */
struct client {
    enum state state;
    bool keep; /* clean session = 0 */
    struct mosquitto *object;
    char *id;
    char *identity;
};

struct plugin {
    mosquitto_plugin_id_t *self;
    int fd;
    bool ready;   /* told */
    bool leaving; /* some client is LEAVING */
    char *token;
    struct mosquitto *host; /* the cloud's own connection; null: not there */
    struct client clients[BROKER_DEVICES];
    size_t n_clients; /* slots ever used */
    struct buf tx, rx;
};

/* ---- talking with the cloud's process ---- */

/* It is gone: a broker nobody answers for must not go on. */
static void host_is_gone(struct plugin *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
    (void)kill(getpid(), SIGTERM);
}

static void send_all(struct plugin *p)
{
    for (size_t at = 0; p->fd >= 0 && at < p->tx.len_bytes;) {
        ssize_t n = send(p->fd, p->tx.data + at, p->tx.len_bytes - at, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno != EINTR)
            host_is_gone(p);
    }
    buf_clear(&p->tx);
}

static void tell(struct plugin *p, enum frame_kind kind, const char *identity)
{
    size_t at = frame_begin(&p->tx, kind);
    if (identity != NULL)
        frame_put_text(&p->tx, identity, strlen(identity));
    frame_end(&p->tx, at);
    send_all(p);
}

/* Sends what is in tx and waits for the answer. */
static bool ask(struct plugin *p, struct frame_reader *answer)
{
    send_all(p);
    buf_clear(&p->rx);
    while (p->fd >= 0) {
        int64_t whole = frame_bytes(p->rx.data, p->rx.len_bytes);
        uint8_t kind;
        if (whole > 0) {
            *answer = frame_open(p->rx.data, (size_t)whole, &kind);
            return kind == FRAME_ANSWER;
        }
        uint8_t chunk[512];
        ssize_t n = recv(p->fd, chunk, sizeof chunk, 0);
        if (n > 0 && whole == 0 && buf_append(&p->rx, chunk, (size_t)n) == 0)
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        host_is_gone(p);
    }
    return false;
}

/* ---- clients ---- */

static struct client *by_object(struct plugin *p, const struct mosquitto *object)
{
    for (size_t i = 0; i < p->n_clients; i++)
        if (p->clients[i].object == object && p->clients[i].state != FREE)
            return &p->clients[i];
    return NULL;
}

static void forget(struct client *c)
{
    free(c->id);
    free(c->identity);
    *c = (struct client){.state = FREE};
}

static struct client *client_new(struct plugin *p, struct mosquitto *object, const char *id,
                                 const char *identity)
{
    struct client *c = NULL;
    for (size_t i = 0; i < p->n_clients && c == NULL; i++)
        if (p->clients[i].state == FREE)
            c = &p->clients[i];
    if (c == NULL && p->n_clients < BROKER_DEVICES)
        c = &p->clients[p->n_clients++];
    if (c == NULL)
        return NULL;
    *c = (struct client){.state = PENDING,
                         .object = object,
                         .id = strdup(id),
                         .identity = strdup(identity),
                         .keep = !mosquitto_client_clean_session(object)};
    if (c->id != NULL && c->identity != NULL)
        return c;
    forget(c);
    return NULL;
}

static void announce(struct plugin *p, struct client *c)
{
    if (c->state != PENDING)
        return;
    c->state = ONLINE;
    tell(p, FRAME_ONLINE, c->identity);
}

/* A raw id that another device holds would give its messages away. */
static bool is_taken(const struct plugin *p, const char *id, const char *identity)
{
    for (size_t i = 0; i < p->n_clients; i++)
        if (p->clients[i].state != FREE && strcmp(p->clients[i].id, id) == 0 &&
            strcmp(p->clients[i].identity, identity) != 0)
            return true;
    return false;
}

/* Older sessions of the device give way. One with the same raw id is ended by the broker itself. */
static void make_way(struct plugin *p, const struct client *fresh)
{
    for (size_t i = 0; i < p->n_clients; i++) {
        struct client *c = &p->clients[i];
        if (c == fresh || c->state == FREE || strcmp(c->identity, fresh->identity) != 0)
            continue;
        if (c->state == AWAY)
            forget(c);
        else if (strcmp(c->id, fresh->id) != 0)
            (void)mosquitto_kick_client_by_clientid(c->id, true);
    }
}

/* ---- events ---- */

static int on_login(int event, void *data, void *ctx)
{
    struct plugin *p = ctx;
    struct mosquitto_evt_basic_auth *ed = data;
    const char *id = mosquitto_client_id(ed->client);
    (void)event;
    if (ed->username != NULL && strcmp(ed->username, "otabench") == 0 && ed->password != NULL &&
        strcmp(ed->password, p->token) == 0) {
        p->host = ed->client;
        return MOSQ_ERR_SUCCESS;
    }
    if (id == NULL || strlen(id) >= MQTT_CLIENT_ID_MAX ||
        (ed->username != NULL && strlen(ed->username) >= MQTT_CLIENT_ID_MAX) ||
        (ed->password != NULL && strlen(ed->password) >= MQTT_CLIENT_ID_MAX))
        return MOSQ_ERR_AUTH;
    size_t at = frame_begin(&p->tx, FRAME_LOGIN);
    frame_put_text(&p->tx, id, strlen(id));
    frame_put_text(&p->tx, ed->username, ed->username == NULL ? 0 : strlen(ed->username));
    frame_put_text(&p->tx, ed->password, ed->password == NULL ? 0 : strlen(ed->password));
    frame_put_8(&p->tx, mosquitto_client_clean_session(ed->client));
    frame_put_16(&p->tx, (uint16_t)mosquitto_client_keepalive(ed->client));
    frame_end(&p->tx, at);
    struct frame_reader r;
    char identity[MQTT_IDENTITY_MAX];
    if (!ask(p, &r) || frame_8(&r) != MQTT_ACCEPTED || !frame_text(&r, identity, sizeof identity))
        return MOSQ_ERR_AUTH;
    struct client *c = is_taken(p, id, identity) ? NULL : client_new(p, ed->client, id, identity);
    if (c == NULL)
        return MOSQ_ERR_AUTH;
    make_way(p, c);
    return MOSQ_ERR_SUCCESS;
}

static bool may(struct plugin *p, const struct client *c, const char *topic,
                enum mqtt_access access)
{
    size_t n = strlen(topic);
    if (n >= MQTT_TOPIC_MAX)
        return false;
    size_t at = frame_begin(&p->tx, FRAME_TOPIC);
    frame_put_text(&p->tx, c->identity, strlen(c->identity));
    frame_put_text(&p->tx, topic, n);
    frame_put_8(&p->tx, (uint8_t)access);
    frame_end(&p->tx, at);
    struct frame_reader r;
    return ask(p, &r) && frame_8(&r) == 1;
}

static void tell_message(struct plugin *p, const struct client *c, const char *topic,
                         const void *payload, size_t payload_bytes, uint8_t qos)
{
    if (payload_bytes > MQTT_PAYLOAD_MAX || strlen(topic) >= MQTT_TOPIC_MAX)
        return;
    size_t at = frame_begin(&p->tx, FRAME_MESSAGE);
    frame_put_text(&p->tx, c->identity, strlen(c->identity));
    frame_put_text(&p->tx, topic, strlen(topic));
    frame_put_8(&p->tx, qos);
    if (payload_bytes > 0)
        (void)buf_append(&p->tx, payload, payload_bytes);
    frame_end(&p->tx, at);
    send_all(p);
}

static int on_access(int event, void *data, void *ctx)
{
    struct plugin *p = ctx;
    struct mosquitto_evt_acl_check *ed = data;
    (void)event;
    if (ed->access == MOSQ_ACL_READ || ed->access == MOSQ_ACL_UNSUBSCRIBE)
        return MOSQ_ERR_SUCCESS;
    if (ed->client == p->host && p->host != NULL)
        return strcmp(ed->topic, BROKER_TOPIC) == 0 ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
    struct client *c = by_object(p, ed->client);
    if (c == NULL)
        return MOSQ_ERR_ACL_DENIED;
    announce(p, c);
    bool subscribe = ed->access == MOSQ_ACL_SUBSCRIBE;
    if (!may(p, c, ed->topic, subscribe ? MQTT_SUBSCRIBE : MQTT_PUBLISH))
        return MOSQ_ERR_ACL_DENIED;
    if (subscribe) {
        size_t at = frame_begin(&p->tx, FRAME_SUBSCRIBED);
        frame_put_text(&p->tx, c->identity, strlen(c->identity));
        frame_put_text(&p->tx, ed->topic, strlen(ed->topic));
        frame_end(&p->tx, at);
        send_all(p);
    } else if (c->state == LEAVING) { /* its last will */
        tell_message(p, c, ed->topic, ed->payload, ed->payloadlen, ed->qos);
    }
    return MOSQ_ERR_SUCCESS;
}

/* From the cloud: to the client the device is now; without a topic that client has to go. */
static void deliver(struct plugin *p, const uint8_t *data, size_t len_bytes)
{
    struct frame_reader r = {.at = data, .left = len_bytes, .ok = true};
    char identity[MQTT_IDENTITY_MAX], topic[MQTT_TOPIC_MAX];
    (void)frame_text(&r, identity, sizeof identity);
    bool is_message = frame_text(&r, topic, sizeof topic);
    uint8_t qos = frame_8(&r);
    const struct client *to = NULL;
    for (size_t i = 0; i < p->n_clients && r.ok; i++) {
        const struct client *c = &p->clients[i];
        if ((c->state == PENDING || c->state == ONLINE || c->state == AWAY) &&
            strcmp(c->identity, identity) == 0 && (to == NULL || to->state == AWAY))
            to = c;
    }
    if (to != NULL && !is_message && to->state != AWAY)
        (void)mosquitto_kick_client_by_clientid(to->id, true);
    if (to != NULL && is_message)
        (void)mosquitto_broker_publish_copy(to->id, topic, (int)r.left, r.at, qos > 0 ? 1 : 0,
                                            false, NULL);
}

static int on_message(int event, void *data, void *ctx)
{
    struct plugin *p = ctx;
    struct mosquitto_evt_message *ed = data;
    (void)event;
    if (ed->client == p->host && p->host != NULL) {
        deliver(p, ed->payload, ed->payloadlen);
        return MOSQ_ERR_ACL_DENIED; /* it goes no further */
    }
    struct client *c = by_object(p, ed->client);
    if (c == NULL)
        return MOSQ_ERR_ACL_DENIED;
    announce(p, c);
    ed->retain = false;
    tell_message(p, c, ed->topic, ed->payload, ed->payloadlen, ed->qos);
    return MOSQ_ERR_SUCCESS;
}

static int on_disconnect(int event, void *data, void *ctx)
{
    struct plugin *p = ctx;
    struct mosquitto_evt_disconnect *ed = data;
    (void)event;
    if (ed->client == p->host)
        p->host = NULL;
    struct client *c = by_object(p, ed->client);
    if (c == NULL || (c->state != PENDING && c->state != ONLINE))
        return MOSQ_ERR_SUCCESS;
    announce(p, c);
    c->state = LEAVING;
    p->leaving = true;
    size_t at = frame_begin(&p->tx, FRAME_OFFLINE);
    frame_put_text(&p->tx, c->identity, strlen(c->identity));
    frame_put_8(&p->tx, c->keep);
    frame_end(&p->tx, at);
    send_all(p);
    return MOSQ_ERR_SUCCESS;
}

/* Those that left: kept only if nobody else is that device now. */
static void settle(struct plugin *p)
{
    for (size_t i = 0; i < p->n_clients; i++) {
        struct client *c = &p->clients[i];
        if (c->state != LEAVING)
            continue;
        bool again = false;
        for (size_t k = 0; k < p->n_clients && !again; k++)
            again = k != i && p->clients[k].state != FREE &&
                    strcmp(p->clients[k].identity, c->identity) == 0;
        c->object = NULL;
        c->state = AWAY;
        if (!c->keep || again)
            forget(c);
    }
    p->leaving = false;
}

static int on_tick(int event, void *data, void *ctx)
{
    struct plugin *p = ctx;
    char byte;
    (void)event;
    (void)data;
    if (p->fd >= 0 && recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        host_is_gone(p);
    if (!p->ready) {
        p->ready = true;
        tell(p, FRAME_READY, NULL);
    }
    if (p->leaving)
        settle(p);
    for (size_t i = 0; i < p->n_clients; i++)
        announce(p, &p->clients[i]);
    return MOSQ_ERR_SUCCESS;
}

/* ---- birth and death ---- */

static const struct {
    int event;
    MOSQ_FUNC_generic_callback call;
} events[] = {
    {MOSQ_EVT_BASIC_AUTH, on_login}, {MOSQ_EVT_ACL_CHECK, on_access},
    {MOSQ_EVT_MESSAGE, on_message},  {MOSQ_EVT_DISCONNECT, on_disconnect},
    {MOSQ_EVT_TICK, on_tick},
};
#define N_EVENTS (sizeof events / sizeof events[0])

static const char *option(const struct mosquitto_opt *opts, int n, const char *key)
{
    for (int i = 0; i < n; i++)
        if (strcmp(opts[i].key, key) == 0)
            return opts[i].value;
    return NULL;
}

static int connect_host(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    if (path == NULL || strlen(path) >= sizeof a.sun_path)
        return -1;
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    return fd;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++)
        if (supported_versions[i] == 5)
            return 5;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                          struct mosquitto_opt *options, int option_count)
{
    struct plugin *p = calloc(1, sizeof *p);
    const char *token = option(options, option_count, "token");
    if (p == NULL || token == NULL) {
        free(p);
        return MOSQ_ERR_INVAL;
    }
    p->self = identifier;
    p->token = strdup(token);
    p->fd = connect_host(option(options, option_count, "socket"));
    buf_init(&p->tx, FRAME_BYTES_MAX);
    buf_init(&p->rx, FRAME_BYTES_MAX);
    *userdata = p;
    if (p->fd < 0 || p->token == NULL) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "otabench plugin: nobody answers at its socket");
        return MOSQ_ERR_CONN_REFUSED;
    }
    for (size_t i = 0; i < N_EVENTS; i++)
        if (mosquitto_callback_register(identifier, events[i].event, events[i].call, NULL, p) !=
            MOSQ_ERR_SUCCESS)
            return MOSQ_ERR_UNKNOWN;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    struct plugin *p = userdata;
    (void)options;
    (void)option_count;
    if (p == NULL)
        return MOSQ_ERR_SUCCESS;
    for (size_t i = 0; i < N_EVENTS; i++)
        (void)mosquitto_callback_unregister(p->self, events[i].event, events[i].call, NULL);
    for (size_t i = 0; i < p->n_clients; i++)
        forget(&p->clients[i]);
    if (p->fd >= 0)
        (void)close(p->fd);
    buf_free(&p->tx);
    buf_free(&p->rx);
    free(p->token);
    free(p);
    return MOSQ_ERR_SUCCESS;
}
