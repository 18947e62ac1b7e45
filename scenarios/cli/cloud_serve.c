#include "scenarios/cli/cloud_serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/signature.h"
#include "common/vtime.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/broker/broker.h"
#include "mock_cloud/broker/remote.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/http/edge.h"
#include "mock_cloud/tls/ca.h"
#include "scenarios/cli/admin.h"
#include "scenarios/cli/admin_place.h"
#include "scenarios/cli/serve_state.h"

#define TRIES          10 /* for what the last start may still hold */
#define PAUSE_NS       (500 * NS_PER_MS)
#define WAIT_MAX_NS    NS_PER_S
#define IDLE_LIMIT_S   30 /* some real clients never end their request (aliyun note §7) */
#define LINE_BYTES_MAX 4096
#define LOOPBACK       "127.0.0.1"

struct serve {
    struct serve_config cfg;
    struct serve_state state;
    char signing_key[CA_PEM_MAX]; /* empty: images are not signed */
    struct ca_files ca;
    bool has_ca;
    int64_t now_ns;
    struct store *store;
    struct cloud *cloud;
    struct edge *http, *https, *admin_edge;
    struct admin *admin;
    struct admin_place place;
    char place_path[2][ADMIN_PATH_MAX]; /* where clients find it; empty: not there */
    struct broker *broker;              /* our own, or */
    struct remote *remote;              /* somebody's */
    bool told_trouble;                  /* its trouble stands in the log */
    struct buf line;
};

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct serve *s = ctx;
    (void)lane;
    serve_log_write(s->cfg.log_file, &s->line, s->cfg.log, now_ns, event, fields, n);
}

/* ---- the state ---- */

/* Never goes back, whatever the machine's clock does. */
int64_t serve_now_ns(struct serve *s)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    int64_t now_ns = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
    if (now_ns > s->now_ns)
        s->now_ns = now_ns;
    return s->now_ns;
}

static int open_state(struct serve *s, struct err *err)
{
    return serve_state_open(&s->state, s->cfg.state_dir, err);
}

static int open_signing_key(struct serve *s, struct err *err)
{
    if (s->cfg.signing_key == NULL)
        return 0;
    int rc = ca_read_pem(s->cfg.signing_key, s->signing_key, err);
    if (rc == 0 && (rc = signature_key_check(s->signing_key, true, err)) != 0)
        (void)err_prefix(err, rc, "%s", s->cfg.signing_key);
    return rc;
}

static int open_store(struct serve *s, struct err *err)
{
    char path[STATE_PATH_MAX];
    int rc = serve_state_path(&s->state, "cloud.db", path, err);
    if (rc != 0)
        return rc;
    s->store = store_open(s->cfg.state_dir == NULL ? NULL : path, err);
    return s->store == NULL ? ERR_IO : 0;
}

static int open_cloud(struct serve *s, struct err *err)
{
    static const struct face *const faces[] = {&cms_face, &aliyun_face};
    struct cloud_config cfg = {.store = s->store,
                               .url_lifetime_ns = s->cfg.url_lifetime_ns,
                               .download_tls = s->cfg.tls,
                               .auth_key = s->cfg.auth_key,
                               .image_key_pem = s->signing_key[0] == '\0' ? NULL : s->signing_key,
                               .refusals_max = s->cfg.refusals_max,
                               .task_timeout_ns = s->cfg.task_timeout_ns,
                               .project_key = s->state.key,
                               .event = on_event,
                               .event_ctx = s};
    const char *host = s->cfg.host == NULL ? s->cfg.bind_ip : s->cfg.host;
    if ((size_t)snprintf(cfg.download_host, sizeof cfg.download_host, "%s", host) >=
        sizeof cfg.download_host)
        return err_set(err, ERR_ARG, "host \"%s\": longer than %zu bytes", host,
                       sizeof cfg.download_host - 1);
    s->cloud = cloud_new(&cfg, faces, 2, err);
    return s->cloud == NULL ? ERR_ARG : 0;
}

/* ---- the edges ---- */

static void pause_ns(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    (void)nanosleep(&t, NULL);
}

static bool is_free(const char *ip, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && inet_pton(AF_INET, ip, &at.sin_addr) == 1 &&
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* Devices come back to where the cloud was: ports nobody asked for are those of the last start, as
 * long as they are free. */
static int open_ports(struct serve *s, struct err *err)
{
    uint16_t was[STATE_PORTS];
    uint16_t *const ports[STATE_PORTS] = {&s->cfg.http_port, &s->cfg.https_port, &s->cfg.mqtt_port,
                                          &s->cfg.mqtts_port, &s->cfg.admin_port};
    int rc = serve_state_ports(&s->state, was, err);
    for (int i = 0; rc == 0 && i < STATE_PORTS; i++) {
        if (*ports[i] != 0 || was[i] == 0)
            continue;
        const char *ip = ports[i] == &s->cfg.admin_port ? LOOPBACK : s->cfg.bind_ip;
        for (int t = 0; t < TRIES && !is_free(ip, was[i]); t++)
            pause_ns(PAUSE_NS);
        if (is_free(ip, was[i]))
            *ports[i] = was[i];
    }
    return rc;
}

static int keep_ports(struct serve *s, struct err *err)
{
    const uint16_t ports[STATE_PORTS] = {serve_http_port(s), serve_https_port(s),
                                         serve_mqtt_port(s), serve_mqtts_port(s),
                                         serve_admin_port(s)};
    return serve_state_keep_ports(&s->state, ports, err);
}

static int open_ca(struct serve *s, struct err *err)
{
    const char *names[] = {s->cfg.bind_ip, s->cfg.host};
    int rc = ca_ensure(s->state.dir, CA_GOOD, names, s->cfg.host == NULL ? 1 : 2, &s->ca, err);
    s->has_ca = rc == 0;
    return rc;
}

static int open_http(struct serve *s, struct err *err)
{
    const struct edge_address at = {
        .bind_ip = s->cfg.bind_ip, .port = s->cfg.http_port, .idle_limit_s = IDLE_LIMIT_S};
    s->http = edge_listen(s->cloud, &at, err);
    return s->http == NULL ? ERR_IO : 0;
}

static int open_https(struct serve *s, struct err *err)
{
    char cert[CA_PEM_MAX], key[CA_PEM_MAX];
    int rc = ca_read_pem(s->ca.cert_path, cert, err);
    if (rc == 0)
        rc = ca_read_pem(s->ca.key_path, key, err);
    if (rc != 0)
        return rc;
    const struct edge_address at = {.bind_ip = s->cfg.bind_ip,
                                    .port = s->cfg.https_port,
                                    .cert_pem = cert,
                                    .key_pem = key,
                                    .idle_limit_s = IDLE_LIMIT_S};
    s->https = edge_listen(s->cloud, &at, err);
    if (s->https == NULL)
        return ERR_IO;
    char host[sizeof cloud_config(s->cloud)->download_host];
    (void)snprintf(host, sizeof host, "%s", cloud_config(s->cloud)->download_host);
    cloud_set_download(s->cloud, host, edge_port(s->cfg.tls ? s->https : s->http));
    return 0;
}

/* The token follows from the key, so scripts may keep it. */
static int open_admin(struct serve *s, struct err *err)
{
    static const char what[] = "admin";
    char hex[HMAC_HEX_MAX];
    hmac_hex_of(HMAC_SHA256, s->state.key, strlen(s->state.key), what, sizeof what - 1, hex);
    (void)snprintf(s->place.token, sizeof s->place.token, "%.32s", hex);
    const struct admin_config cfg = {
        .cloud = s->cloud, .token = s->place.token, .dir = s->state.dir};
    if (s->cfg.no_admin)
        return 0;
    s->admin = admin_new(&cfg, err);
    if (s->admin == NULL)
        return ERR_NOMEM;
    const struct edge_address at = {.bind_ip = LOOPBACK,
                                    .port = s->cfg.admin_port,
                                    .idle_limit_s = IDLE_LIMIT_S,
                                    .service = admin_service(s->admin)};
    s->admin_edge = edge_listen(s->cloud, &at, err);
    return s->admin_edge == NULL ? ERR_IO : 0;
}

/* The user's file is a convenience: without a home there is none. */
static int tell_place(struct serve *s, struct err *err)
{
    if (s->admin_edge == NULL)
        return 0;
    (void)snprintf(s->place.url, sizeof s->place.url, "http://" LOOPBACK ":%u/admin",
                   serve_admin_port(s));
    int rc = admin_place_in(s->state.dir, s->place_path[0], err);
    if (rc == 0)
        rc = admin_place_write(s->place_path[0], &s->place, err);
    if (rc == 0 && (admin_place_of_user(s->place_path[1], NULL) != 0 ||
                    admin_place_write(s->place_path[1], &s->place, NULL) != 0))
        s->place_path[1][0] = '\0';
    return rc;
}

static int open_remote(struct serve *s, struct err *err)
{
    const struct remote_config cfg = {
        .cloud = s->cloud, .url = s->cfg.broker_url, .ca_path = s->cfg.broker_ca};
    int rc = 0;
    s->remote = remote_start(&cfg, &rc, err);
    return s->remote == NULL ? (rc == 0 ? ERR_IO : rc) : 0;
}

static int open_mqtt(struct serve *s, struct err *err)
{
    if (s->cfg.broker_url != NULL)
        return open_remote(s, err);
    const struct broker_config cfg = {.cloud = s->cloud,
                                      .dir = s->state.dir,
                                      .bind_ip = s->cfg.bind_ip,
                                      .port = s->cfg.mqtt_port,
                                      .cert_path = s->ca.cert_path,
                                      .key_path = s->ca.key_path,
                                      .tls_port = s->cfg.mqtts_port};
    int rc = 0;
    if (s->cfg.no_mqtt)
        return 0;
    /* After a kill the broker of the last start may take a moment to notice and to go. */
    for (int i = 0; i < TRIES && s->broker == NULL; i++) {
        if (i > 0)
            pause_ns(PAUSE_NS);
        rc = 0;
        s->broker = broker_start(&cfg, &rc, err);
        if (rc != ERR_IO)
            break;
    }
    if (s->broker == NULL)
        return rc == 0 ? ERR_IO : rc;
    cloud_set_mqtt(s->cloud, broker_port(s->broker), broker_tls_port(s->broker));
    return 0;
}

/* A place for each connection and session that the edges allow, here and in the broker, as far as
 * this machine lets us. */
static int open_limits(struct serve *s, struct err *err)
{
    const rlim_t wanted = 2 * EDGE_CONNECTIONS_MAX + BROKER_DEVICES + 64;
    struct rlimit files;
    (void)s, (void)err;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return 0;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    return 0;
}

struct serve *serve_open(const struct serve_config *cfg, struct err *err)
{
    static int (*const steps[])(struct serve * s, struct err * err) = {
        open_limits, open_signing_key, open_state, open_store, open_cloud, open_ca,    open_ports,
        open_http,   open_https,       open_mqtt,  open_admin, keep_ports, tell_place,
    };
    struct serve *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory");
        return NULL;
    }
    s->cfg = *cfg;
    buf_init(&s->line, LINE_BYTES_MAX);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i](s, err) != 0) {
            serve_close(s);
            return NULL;
        }
    }
    return s;
}

void serve_close(struct serve *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < 2; i++)
        admin_place_forget(s->place_path[i], &s->place);
    broker_stop(s->broker);
    remote_stop(s->remote);
    edge_free(s->admin_edge);
    admin_free(s->admin);
    edge_free(s->https);
    edge_free(s->http);
    cloud_free(s->cloud);
    store_close(s->store);
    serve_state_close(&s->state);
    buf_free(&s->line);
    free(s);
}

struct cloud *serve_cloud(struct serve *s)
{
    return s->cloud;
}

uint16_t serve_http_port(const struct serve *s)
{
    return edge_port(s->http);
}

uint16_t serve_https_port(const struct serve *s)
{
    return edge_port(s->https);
}

uint16_t serve_mqtt_port(const struct serve *s)
{
    return s->broker == NULL ? 0 : broker_port(s->broker);
}

uint16_t serve_mqtts_port(const struct serve *s)
{
    return s->broker == NULL ? 0 : broker_tls_port(s->broker);
}

uint16_t serve_admin_port(const struct serve *s)
{
    return s->admin_edge == NULL ? 0 : edge_port(s->admin_edge);
}

const char *serve_admin_token(const struct serve *s)
{
    return s->place.token;
}

const char *serve_ca_path(const struct serve *s)
{
    return s->has_ca ? s->ca.ca_path : "";
}

const char *serve_broker_trouble(const struct serve *s)
{
    return s->remote == NULL ? "" : remote_trouble(s->remote);
}

/* ---- serving ---- */

/* An external broker that is away is waited for; people are told once each time. */
static void run_remote(struct serve *s, int64_t now_ns)
{
    remote_run(s->remote, now_ns);
    bool trouble = remote_trouble(s->remote)[0] != '\0';
    if (trouble && !s->told_trouble && s->cfg.log != LOG_QUIET && s->cfg.log_file != NULL)
        (void)fprintf(s->cfg.log_file, "the broker is not reached: %s\n",
                      remote_trouble(s->remote));
    s->told_trouble = trouble;
}

static size_t mqtt_fds(const struct serve *s, struct pollfd *out)
{
    if (s->remote != NULL)
        return remote_poll_fds(s->remote, out);
    return s->broker == NULL ? 0 : broker_poll_fds(s->broker, out);
}

/* An edge, or MQTT, and when to run it: it costs some system calls, also in vain. */
struct turn {
    struct edge *edge; /* null: MQTT, or not there */
    bool ready;        /* something has arrived */
    int64_t due_ns;
};

static bool is_up(struct turn *t, int64_t now_ns)
{
    bool up = t->ready || t->due_ns <= now_ns;
    t->ready = false;
    if (up)
        t->due_ns = now_ns + WAIT_MAX_NS; /* the libraries have time-outs of their own */
    return up;
}

static int run_mqtt(struct serve *s, int64_t now_ns, struct err *err)
{
    if (s->remote != NULL)
        run_remote(s, now_ns);
    return s->broker == NULL ? 0 : broker_run(s->broker, now_ns, err);
}

enum { HTTP_TURN, HTTPS_TURN, ADMIN_TURN, EDGE_TURNS };

int serve_run(struct serve *s, int64_t until_ns, int stop_fd, struct err *err)
{
    struct turn mqtt = {.ready = true};
    struct turn edges[EDGE_TURNS] = {[HTTP_TURN] = {.edge = s->http, .ready = true},
                                     [HTTPS_TURN] = {.edge = s->https, .ready = true},
                                     [ADMIN_TURN] = {.edge = s->admin_edge, .ready = true}};
    for (;;) {
        int64_t now_ns = serve_now_ns(s);
        int rc = is_up(&mqtt, now_ns) ? run_mqtt(s, now_ns, err) : 0;
        if (rc != 0)
            return rc;
        int64_t wake_ns = vtime_min(until_ns, mqtt.due_ns);
        for (struct turn *t = edges; t < edges + EDGE_TURNS; t++) {
            if (t->edge != NULL && is_up(t, now_ns))
                t->due_ns = vtime_min(t->due_ns, edge_run(t->edge, now_ns));
            if (t->edge != NULL)
                wake_ns = vtime_min(wake_ns, t->due_ns);
        }
        if (cloud_due_ns(s->cloud) <= now_ns)
            (void)cloud_tick(s->cloud, now_ns);
        if (now_ns >= until_ns)
            return 0;
        wake_ns = vtime_min(wake_ns, cloud_due_ns(s->cloud));
        struct pollfd fds[BROKER_FDS + REMOTE_FDS + EDGE_TURNS + 1];
        size_t n_mqtt = mqtt_fds(s, fds), n = n_mqtt;
        for (size_t i = 0; i < EDGE_TURNS; i++)
            fds[n++] = (struct pollfd){.fd = edges[i].edge == NULL ? -1 : edge_fd(edges[i].edge),
                                       .events = POLLIN};
        fds[n] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
        int64_t wait_ms = wake_ns <= now_ns ? 0 : (wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (poll(fds, (nfds_t)n + 1, (int)wait_ms) < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "cannot wait: %s", strerror(errno));
        if (fds[n].revents != 0)
            return 1;
        for (size_t i = 0; i < n; i++)
            *(i < n_mqtt ? &mqtt.ready : &edges[i - n_mqtt].ready) |= fds[i].revents != 0;
    }
}
