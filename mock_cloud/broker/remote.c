#include "mock_cloud/broker/remote.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/vtime.h"

#define KEEP_ALIVE_S 60
#define AGAIN_MIN_NS (1 * NS_PER_S)
#define AGAIN_MAX_NS (30 * NS_PER_S)
#define READ_MAX     64 /* packets per call: one chatty broker must not hold the owner */
#define TROUBLE_MAX  160

struct remote {
    struct remote_config cfg;
    struct remote_url url;
    struct mosquitto *m;
    bool up;
    bool connecting; /* a TCP connection or CONNACK is awaited */
    int64_t now_ns, again_ns, pause_ns;
    char **online; /* identities, sorted */
    size_t n_online, cap_online;
    char trouble[TROUBLE_MAX];
};

/* ---- who is there ---- */

static size_t place_of(const struct remote *r, const char *identity, bool *there)
{
    size_t low = 0, high = r->n_online;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(r->online[mid], identity);
        if (order == 0) {
            *there = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *there = false;
    return low;
}

/* True when it is there, now or already. */
static bool note_online(struct remote *r, const char *identity)
{
    bool there;
    size_t at = place_of(r, identity, &there);
    if (there)
        return true;
    if (r->n_online == REMOTE_DEVICES)
        return false;
    if (r->n_online == r->cap_online) {
        size_t cap = r->cap_online == 0 ? 64 : 2 * r->cap_online;
        char **grown = realloc(r->online, cap * sizeof *grown);
        if (grown == NULL)
            return false;
        r->online = grown;
        r->cap_online = cap;
    }
    char *copy = strdup(identity);
    if (copy == NULL)
        return false;
    memmove(&r->online[at + 1], &r->online[at], (r->n_online - at) * sizeof r->online[0]);
    r->online[at] = copy;
    r->n_online++;
    cloud_mqtt_online(r->cfg.cloud, r->now_ns, identity);
    return true;
}

static void all_offline(struct remote *r)
{
    for (size_t i = 0; i < r->n_online; i++) {
        cloud_mqtt_offline(r->cfg.cloud, r->now_ns, r->online[i]);
        free(r->online[i]);
    }
    r->n_online = 0;
}

/* ---- what the library tells ---- */

static void went_down(struct remote *r, const char *why)
{
    bool was_up = r->up;
    r->up = r->connecting = false;
    (void)snprintf(r->trouble, sizeof r->trouble, "%s:%u: %s", r->url.host, r->url.port, why);
    r->again_ns = vtime_after(r->now_ns, r->pause_ns);
    r->pause_ns = vtime_min(2 * r->pause_ns, AGAIN_MAX_NS);
    if (was_up)
        all_offline(r);
}

static void on_connack(struct mosquitto *m, void *ctx, int code)
{
    struct remote *r = ctx;
    const char *filter;
    r->connecting = false;
    if (code != 0) {
        went_down(r, mosquitto_connack_string(code));
        return;
    }
    r->up = true;
    r->pause_ns = AGAIN_MIN_NS;
    r->trouble[0] = '\0';
    for (size_t i = 0; (filter = cloud_mqtt_filter_at(r->cfg.cloud, i)) != NULL; i++)
        (void)mosquitto_subscribe(m, NULL, filter, 1);
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg)
{
    struct remote *r = ctx;
    char identity[MQTT_IDENTITY_MAX];
    const struct mqtt_message in = {.topic = msg->topic,
                                    .payload = msg->payload,
                                    .payload_bytes = (size_t)msg->payloadlen,
                                    .qos = msg->qos > 0 ? 1 : 0};
    (void)m;
    if (msg->payloadlen < 0 || in.payload_bytes > MQTT_PAYLOAD_MAX ||
        strlen(msg->topic) >= MQTT_TOPIC_MAX || msg->retain)
        return;
    if (!cloud_mqtt_owner(r->cfg.cloud, msg->topic, identity))
        cloud_mqtt_denied(r->cfg.cloud, r->now_ns, "unknown", msg->topic, MQTT_PUBLISH);
    else if (!cloud_mqtt_topic(r->cfg.cloud, identity, msg->topic, MQTT_PUBLISH))
        cloud_mqtt_denied(r->cfg.cloud, r->now_ns, identity, msg->topic, MQTT_PUBLISH);
    else if (note_online(r, identity))
        cloud_mqtt_message(r->cfg.cloud, r->now_ns, identity, &in);
}

/* ---- messages to devices ---- */

static int deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    struct remote *r = ctx;
    bool there;
    (void)now_ns;
    (void)place_of(r, identity, &there);
    if (!r->up || !there || m->payload_bytes > MQTT_PAYLOAD_MAX)
        return ERR_NOT_FOUND;
    int rc = mosquitto_publish(r->m, NULL, m->topic, (int)m->payload_bytes, m->payload,
                               m->qos > 0 ? 1 : 0, false);
    return rc == MOSQ_ERR_SUCCESS ? 0 : ERR_IO;
}

/* ---- start ---- */

static int connect_now(struct remote *r)
{
    int rc = mosquitto_connect_async(r->m, r->url.host, r->url.port, KEEP_ALIVE_S);
    if (rc != MOSQ_ERR_SUCCESS) {
        went_down(r, mosquitto_strerror(rc));
        return ERR_IO;
    }
    r->connecting = true;
    return 0;
}

static int set_up(struct remote *r, struct err *err)
{
    char id[64];
    (void)snprintf(id, sizeof id, "otabench-%ld", (long)getpid());
    r->m = mosquitto_new(r->cfg.client_id != NULL ? r->cfg.client_id : id, true, r);
    if (r->m == NULL)
        return err_set(err, ERR_NOMEM, "no memory for an MQTT client");
    mosquitto_connect_callback_set(r->m, on_connack);
    mosquitto_message_callback_set(r->m, on_message);
    int rc = MOSQ_ERR_SUCCESS;
    if (r->url.user_name[0] != '\0')
        rc = mosquitto_username_pw_set(r->m, r->url.user_name,
                                       r->url.password[0] == '\0' ? NULL : r->url.password);
    if (rc == MOSQ_ERR_SUCCESS && r->url.tls)
        rc = mosquitto_tls_set(r->m, r->cfg.ca_path,
                               r->cfg.ca_path == NULL ? "/etc/ssl/certs" : NULL, NULL, NULL, NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        return err_set(err, ERR_IO, "%s: cannot be used for TLS: %s",
                       r->cfg.ca_path == NULL ? "/etc/ssl/certs" : r->cfg.ca_path,
                       mosquitto_strerror(rc));
    return 0;
}

static void give_back(struct remote *r)
{
    if (r->m != NULL)
        mosquitto_destroy(r->m);
    for (size_t i = 0; i < r->n_online; i++)
        free(r->online[i]);
    free(r->online);
    (void)mosquitto_lib_cleanup();
    free(r);
}

struct remote *remote_start(const struct remote_config *cfg, int *rc, struct err *err)
{
    struct remote_url url;
    *rc = remote_url_parse(cfg->url, &url, err);
    if (*rc != 0)
        return NULL;
    struct remote *r = calloc(1, sizeof *r);
    if (r == NULL) {
        *rc = err_set(err, ERR_NOMEM, "no memory for an MQTT client");
        return NULL;
    }
    (void)mosquitto_lib_init();
    r->cfg = *cfg;
    r->url = url;
    r->pause_ns = AGAIN_MIN_NS;
    *rc = set_up(r, err);
    if (*rc != 0) {
        give_back(r);
        return NULL;
    }
    (void)connect_now(r); /* when it fails it is tried again */
    cloud_set_deliver(cfg->cloud, deliver, r);
    return r;
}

void remote_stop(struct remote *r)
{
    if (r == NULL)
        return;
    cloud_set_deliver(r->cfg.cloud, NULL, NULL);
    if (r->up)
        (void)mosquitto_disconnect(r->m);
    give_back(r);
}

/* ---- loop ---- */

size_t remote_poll_fds(const struct remote *r, struct pollfd *out)
{
    int fd = mosquitto_socket(r->m);
    if (fd < 0)
        return 0;
    out[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    if (mosquitto_want_write(r->m) || r->connecting)
        out[0].events |= POLLOUT;
    return 1;
}

void remote_run(struct remote *r, int64_t now_ns)
{
    r->now_ns = now_ns;
    if (!r->up && !r->connecting) {
        if (now_ns >= r->again_ns)
            (void)connect_now(r);
        return;
    }
    struct pollfd p = {.fd = mosquitto_socket(r->m), .events = POLLIN | POLLOUT};
    if (poll(&p, 1, 0) <= 0)
        p.revents = 0;
    int rc = MOSQ_ERR_SUCCESS;
    if ((p.revents & POLLOUT) != 0)
        rc = mosquitto_loop_write(r->m, 1);
    for (int i = 0; i < READ_MAX && rc == MOSQ_ERR_SUCCESS && (r->up || r->connecting); i++) {
        struct pollfd in = {.fd = mosquitto_socket(r->m), .events = POLLIN};
        if (poll(&in, 1, 0) <= 0)
            break;
        rc = mosquitto_loop_read(r->m, 1);
    }
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_loop_misc(r->m);
    if (rc != MOSQ_ERR_SUCCESS && (r->up || r->connecting))
        went_down(r, mosquitto_strerror(rc));
}

bool remote_is_up(const struct remote *r)
{
    return r->up;
}

const char *remote_trouble(const struct remote *r)
{
    return r->trouble;
}
