#include "mock_cloud/broker/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/vtime.h"
#include "mock_cloud/broker/broker_internal.h"

#define START_WAIT_MS 10000
#define START_TRIES   5
#define READS_MAX     8

/* ---- what the plugin says ---- */

static struct device *device_of(struct broker *b, const char *identity)
{
    for (size_t i = 0; i < b->n_devices; i++)
        if (strcmp(b->devices[i].identity, identity) == 0)
            return &b->devices[i];
    return NULL;
}

static void note_online(struct broker *b, const char *identity)
{
    struct device *d = device_of(b, identity);
    if (d == NULL && b->n_devices < BROKER_DEVICES) {
        if (b->n_devices == b->cap_devices) {
            size_t cap = b->cap_devices == 0 ? 64 : 2 * b->cap_devices;
            struct device *grown = realloc(b->devices, cap * sizeof *grown);
            if (grown == NULL)
                return;
            b->devices = grown;
            b->cap_devices = cap;
        }
        d = &b->devices[b->n_devices++];
        *d = (struct device){.online = false};
        (void)snprintf(d->identity, sizeof d->identity, "%s", identity);
    }
    if (d != NULL)
        d->online = true;
}

static void note_offline(struct broker *b, const char *identity, bool kept)
{
    struct device *d = device_of(b, identity);
    if (d == NULL)
        return;
    d->online = false;
    d->kept = kept;
    if (!kept)
        *d = b->devices[--b->n_devices];
}

/* The plugin waits for it: a few bytes, and it reads them at once. */
static int answer(struct broker *b, size_t at)
{
    frame_end(&b->tx, at);
    ssize_t n = send(b->plugin_fd, b->tx.data, b->tx.len_bytes, MSG_NOSIGNAL);
    bool whole = n == (ssize_t)b->tx.len_bytes;
    buf_clear(&b->tx);
    return whole ? 0 : ERR_IO;
}

static int on_login(struct broker *b, int64_t now_ns, struct frame_reader *r)
{
    char id[MQTT_CLIENT_ID_MAX], user[MQTT_CLIENT_ID_MAX], password[MQTT_CLIENT_ID_MAX];
    char identity[MQTT_IDENTITY_MAX] = "";
    struct mqtt_login login = {.client_id = id};
    (void)frame_text(r, id, sizeof id);
    login.user_name = frame_text(r, user, sizeof user) ? user : NULL;
    login.password = frame_text(r, password, sizeof password) ? password : NULL;
    login.clean_session = frame_8(r) != 0;
    login.keep_alive_s = frame_16(r);
    if (!r->ok)
        return ERR_FORMAT;
    enum mqtt_connack code = cloud_mqtt_login(b->cfg.cloud, now_ns, &login, identity);
    size_t at = frame_begin(&b->tx, FRAME_ANSWER);
    frame_put_8(&b->tx, (uint8_t)code);
    frame_put_text(&b->tx, identity, strlen(identity));
    return answer(b, at);
}

static int on_topic(struct broker *b, int64_t now_ns, struct frame_reader *r)
{
    char identity[MQTT_IDENTITY_MAX], topic[MQTT_TOPIC_MAX];
    (void)frame_text(r, identity, sizeof identity);
    (void)frame_text(r, topic, sizeof topic);
    uint8_t access = frame_8(r);
    if (!r->ok || access > MQTT_SUBSCRIBE)
        return ERR_FORMAT;
    bool allowed = cloud_mqtt_topic(b->cfg.cloud, identity, topic, (enum mqtt_access)access);
    if (!allowed)
        cloud_mqtt_denied(b->cfg.cloud, now_ns, identity, topic, (enum mqtt_access)access);
    size_t at = frame_begin(&b->tx, FRAME_ANSWER);
    frame_put_8(&b->tx, allowed);
    return answer(b, at);
}

static int on_frame(struct broker *b, int64_t now_ns, uint8_t kind, struct frame_reader *r)
{
    char identity[MQTT_IDENTITY_MAX], topic[MQTT_TOPIC_MAX];
    if (kind == FRAME_READY) {
        b->ready = true;
        return 0;
    }
    if (kind == FRAME_LOGIN)
        return on_login(b, now_ns, r);
    if (kind == FRAME_TOPIC)
        return on_topic(b, now_ns, r);
    (void)frame_text(r, identity, sizeof identity);
    if (kind == FRAME_ONLINE && r->ok) {
        note_online(b, identity);
        cloud_mqtt_online(b->cfg.cloud, now_ns, identity);
    } else if (kind == FRAME_OFFLINE) {
        bool kept = frame_8(r) != 0;
        note_offline(b, identity, kept);
        cloud_mqtt_offline(b->cfg.cloud, now_ns, identity);
    } else if (kind == FRAME_SUBSCRIBED && frame_text(r, topic, sizeof topic)) {
        cloud_mqtt_subscribed(b->cfg.cloud, now_ns, identity, topic);
    } else if (kind == FRAME_MESSAGE && frame_text(r, topic, sizeof topic)) {
        struct mqtt_message m = {.topic = topic, .qos = frame_8(r)};
        m.payload = r->at;
        m.payload_bytes = r->left;
        if (r->ok)
            cloud_mqtt_message(b->cfg.cloud, now_ns, identity, &m);
    } else {
        return ERR_FORMAT;
    }
    return r->ok ? 0 : ERR_FORMAT;
}

/* Reads what is there and handles every whole frame; what is behind READS_MAX chunks waits for the
 * next call, the owner has other edges. */
static int read_plugin(struct broker *b, int64_t now_ns, struct err *err)
{
    uint8_t chunk[16384];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = recv(b->plugin_fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0)
            return err_set(err, ERR_IO, "the MQTT broker has ended");
        if (buf_append(&b->rx, chunk, (size_t)n) != 0)
            return err_set(err, ERR_LIMIT, "the MQTT broker says too much at a time");
        size_t at = 0;
        int64_t whole;
        while ((whole = frame_bytes(b->rx.data + at, b->rx.len_bytes - at)) > 0) {
            uint8_t kind;
            struct frame_reader r = frame_open(b->rx.data + at, (size_t)whole, &kind);
            int rc = on_frame(b, now_ns, kind, &r);
            if (rc != 0)
                return err_set(err, rc, "the MQTT broker's plugin cannot be understood");
            at += (size_t)whole;
        }
        buf_consume(&b->rx, at);
        if (whole < 0)
            return err_set(err, ERR_FORMAT, "the MQTT broker's plugin cannot be understood");
    }
    return 0;
}

/* ---- messages to devices ---- */

static int deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    struct broker *b = ctx;
    const struct device *d = device_of(b, identity);
    size_t topic_len = strlen(m->topic);
    (void)now_ns;
    if (d == NULL || (!d->online && !(d->kept && m->qos > 0)) || topic_len >= MQTT_TOPIC_MAX ||
        m->payload_bytes > MQTT_PAYLOAD_MAX)
        return ERR_NOT_FOUND;
    buf_clear(&b->tx);
    frame_put_text(&b->tx, identity, strlen(identity));
    frame_put_text(&b->tx, m->topic, topic_len);
    frame_put_8(&b->tx, m->qos);
    int rc = m->payload_bytes > 0 ? buf_append(&b->tx, m->payload, m->payload_bytes) : 0;
    if (rc == 0 && mosquitto_publish(b->client, NULL, BROKER_TOPIC, (int)b->tx.len_bytes,
                                     b->tx.data, 0, false) != MOSQ_ERR_SUCCESS)
        rc = ERR_IO;
    buf_clear(&b->tx);
    return rc;
}

/* A message without a topic. */
static void end_connection(void *ctx, int64_t now_ns, const char *identity)
{
    struct broker *b = ctx;
    const struct device *d = device_of(b, identity);
    (void)now_ns;
    if (d == NULL || !d->online || b->client == NULL)
        return;
    buf_clear(&b->tx);
    frame_put_text(&b->tx, identity, strlen(identity));
    frame_put_text(&b->tx, NULL, 0);
    frame_put_8(&b->tx, 0);
    (void)mosquitto_publish(b->client, NULL, BROKER_TOPIC, (int)b->tx.len_bytes, b->tx.data, 0,
                            false);
    buf_clear(&b->tx);
}

/* ---- start ---- */

static void log_in(struct mosquitto *m, void *ctx, int code)
{
    (void)m;
    *(int *)ctx = code;
}

/* Our own connection, for messages to devices. */
static int connect_own(struct broker *b, int *left_ms, struct err *err)
{
    char path[PATH_MAX_BYTES];
    int code = -1;
    int rc = broker_path(b, "own.sock", path, err);
    if (rc != 0)
        return rc;
    b->client = mosquitto_new("otabench", true, &code);
    if (b->client == NULL)
        return err_set(err, ERR_NOMEM, "no memory for an MQTT client");
    mosquitto_connect_callback_set(b->client, log_in);
    (void)mosquitto_username_pw_set(b->client, "otabench", b->token);
    int mrc = mosquitto_connect(b->client, path, 0, 60);
    while (mrc == MOSQ_ERR_SUCCESS && code < 0) {
        rc = broker_await(b, mosquitto_socket(b->client), left_ms, err);
        if (rc != 0)
            return rc;
        mrc = mosquitto_loop_read(b->client, 1);
    }
    mosquitto_connect_callback_set(b->client, NULL);
    if (mrc != MOSQ_ERR_SUCCESS || code != 0)
        return err_set(err, ERR_IO, "the MQTT broker refuses its own host: %s",
                       mrc != MOSQ_ERR_SUCCESS ? mosquitto_strerror(mrc)
                                               : mosquitto_connack_string(code));
    return 0;
}

static int start(struct broker *b, struct err *err)
{
    int left_ms = START_WAIT_MS;
    int rc = broker_listen(b, err);
    if (rc == 0)
        rc = broker_spawn(b, err);
    if (rc == 0)
        rc = broker_await(b, b->listen_fd, &left_ms, err);
    if (rc != 0)
        return rc;
    b->plugin_fd = accept4(b->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (b->plugin_fd < 0)
        return err_set(err, ERR_IO, "the broker's plugin: %s", strerror(errno));
    while (rc == 0 && !b->ready) {
        rc = broker_await(b, b->plugin_fd, &left_ms, err);
        if (rc == 0 && read_plugin(b, 0, err) != 0)
            rc = broker_await(b, -1, &left_ms, err); /* it ends: wait for its last words */
    }
    return rc != 0 ? rc : connect_own(b, &left_ms, err);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void end(struct broker *b)
{
    if (b->client != NULL)
        mosquitto_destroy(b->client);
    b->client = NULL;
    if (b->pid != 0) {
        (void)kill(b->pid, SIGKILL); /* it keeps nothing that could be lost */
        while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    b->pid = 0;
    close_fd(&b->plugin_fd);
    close_fd(&b->listen_fd);
    b->ready = false;
    b->n_devices = 0;
    buf_clear(&b->rx);
}

struct broker *broker_start(const struct broker_config *cfg, int *rc, struct err *err)
{
    uint8_t token[TOKEN_BYTES];
    struct broker *b = calloc(1, sizeof *b);
    *rc = ERR_NOMEM;
    if (b == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for the MQTT broker");
        return NULL;
    }
    b->cfg = *cfg;
    b->listen_fd = b->plugin_fd = -1;
    buf_init(&b->rx, 4 * FRAME_BYTES_MAX);
    buf_init(&b->tx, FRAME_BYTES_MAX);
    (void)mosquitto_lib_init();
    if (snprintf(b->dir, sizeof b->dir, "%s", cfg->dir) >= (int)sizeof b->dir ||
        getrandom(token, sizeof token, 0) != (ssize_t)sizeof token) {
        *rc = err_set(err, ERR_LIMIT, "%s: too long a path for a socket", cfg->dir);
        broker_stop(b);
        return NULL;
    }
    hex_encode(b->token, token, sizeof token);
    /* A chosen port may be taken by somebody else before Mosquitto has it. */
    bool fixed = cfg->port != 0 && (cfg->cert_path == NULL || cfg->tls_port != 0);
    for (int i = 0; i < START_TRIES; i++) {
        *rc = start(b, err);
        if (*rc == 0) {
            cloud_set_deliver(cfg->cloud, deliver, b);
            cloud_set_end_connection(cfg->cloud, end_connection, b);
            return b;
        }
        bool in_use = *rc == ERR_IO && strstr(err == NULL ? "" : err->text, "in use") != NULL;
        end(b);
        if (fixed || !in_use)
            break;
    }
    broker_stop(b);
    return NULL;
}

void broker_stop(struct broker *b)
{
    if (b == NULL)
        return;
    cloud_set_deliver(b->cfg.cloud, NULL, NULL);
    cloud_set_end_connection(b->cfg.cloud, NULL, NULL);
    end(b);
    (void)mosquitto_lib_cleanup();
    buf_free(&b->rx);
    buf_free(&b->tx);
    free(b->devices);
    free(b);
}

void broker_halt(struct broker *b, int64_t now_ns)
{
    b->cfg.port = b->port;
    b->cfg.tls_port = b->tls_port;
    size_t n = b->n_devices;
    end(b);
    for (size_t i = 0; i < n; i++)
        if (b->devices[i].online)
            cloud_mqtt_offline(b->cfg.cloud, now_ns, b->devices[i].identity);
}

int broker_again(struct broker *b, struct err *err)
{
    int rc = b->pid != 0 ? 0 : start(b, err);
    if (rc != 0)
        end(b);
    return rc;
}

uint16_t broker_port(const struct broker *b)
{
    return b->port;
}

uint16_t broker_tls_port(const struct broker *b)
{
    return b->tls_port;
}

pid_t broker_pid(const struct broker *b)
{
    return b->pid;
}

size_t broker_poll_fds(const struct broker *b, struct pollfd *out)
{
    if (b->client == NULL)
        return 0; /* halted */
    out[0] = (struct pollfd){.fd = b->plugin_fd, .events = POLLIN};
    out[1] = (struct pollfd){.fd = mosquitto_socket(b->client), .events = POLLIN};
    if (mosquitto_want_write(b->client))
        out[1].events |= POLLOUT;
    return 2;
}

int broker_run(struct broker *b, int64_t now_ns, struct err *err)
{
    if (b->client == NULL)
        return 0; /* halted */
    int rc = read_plugin(b, now_ns, err);
    if (rc != 0)
        return rc;
    struct pollfd p = {.fd = mosquitto_socket(b->client), .events = POLLIN};
    int mrc = MOSQ_ERR_SUCCESS;
    if (mosquitto_want_write(b->client))
        mrc = mosquitto_loop_write(b->client, 1);
    if (mrc == MOSQ_ERR_SUCCESS && poll(&p, 1, 0) > 0)
        mrc = mosquitto_loop_read(b->client, 1);
    if (mrc == MOSQ_ERR_SUCCESS)
        mrc = mosquitto_loop_misc(b->client);
    if (mrc != MOSQ_ERR_SUCCESS)
        return err_set(err, ERR_IO, "the MQTT broker: %s", mosquitto_strerror(mrc));
    return 0;
}
