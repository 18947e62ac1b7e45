#include "scenarios/cli/load_fleet.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/bytes.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/vtime.h"
#include "scenarios/cli/load_range.h"
#include "sim_device/agent/link_kit/credentials.h"

#define CONNECTING_MAX 32 /* logins on their way: the broker's backlog holds 100 */
#define KEEP_ALIVE_S   120
#define MISC_NS        NS_PER_S
#define READS_MAX      16
#define TOPIC_MAX      128
#define TENTHS         10

enum state {
    WAITING, /* for its turn to connect */
    CONNECTING,
    TELLING,  /* has told its old version, or is about to */
    FETCHING, /* the file */
    LEAVING,  /* all told; DISCONNECT is on its way */
    WAITING_AGAIN,
    RESTARTED, /* connecting anew */
    ASKING,    /* has told its new version, and asks for more */
    DONE,
    FAILED
};

struct light_device {
    struct fleet *fleet;
    size_t number;
    enum state state;
    bool logged_in;
    struct mosquitto *m;
    struct kit_login login;
    struct load_watch watch;
    int fd; /* watched; -1: none */
    bool wants_write;
    int last_mid; /* of the message it waits for before it leaves; 0: none */
    struct range_client *http;
    struct digest md5;
    char url[512], md5_hex[33];
    uint64_t file_bytes;
    unsigned tenth;
};

struct fleet {
    struct fleet_config cfg;
    char to_version[32], from_version[32];
    int64_t now_ns, misc_ns;
    size_t connecting, waiting;
    bool leaving;
    struct fleet_figures figures;
    struct light_device *devices;
};

void fleet_name(size_t i, char out[FLEET_NAME_MAX])
{
    (void)snprintf(out, FLEET_NAME_MAX, "d%05u", (unsigned)i);
}

void fleet_secret(size_t i, char out[FLEET_SECRET_MAX])
{
    char name[FLEET_NAME_MAX];
    fleet_name(i, name);
    hmac_md5_hex("load", 4, name, strlen(name), out);
}

/* ---- a device's states ---- */

static void end_download(struct light_device *d)
{
    if (d->http == NULL)
        return;
    range_client_free(d->http);
    d->http = NULL;
    digest_abort(&d->md5);
    d->fleet->figures.downloads--;
}

static void fail(struct light_device *d, const char *what, const char *detail)
{
    struct fleet_figures *g = &d->fleet->figures;
    if (d->state == FAILED)
        return;
    if (d->state == CONNECTING || d->state == RESTARTED)
        d->fleet->connecting--;
    d->state = FAILED;
    if (g->failed++ == 0)
        (void)snprintf(g->trouble, sizeof g->trouble, "device %zu: %s%s", d->number, what, detail);
}

static void rewatch(struct light_device *d)
{
    int fd = mosquitto_socket(d->m);
    if (fd < 0) {
        d->fd = -1;
        return;
    }
    bool wants = mosquitto_want_write(d->m);
    if (fd == d->fd && wants == d->wants_write)
        return;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &d->watch};
    if (wants)
        e.events |= EPOLLOUT;
    if (epoll_ctl(d->fleet->cfg.epoll_fd, fd == d->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0)
        fail(d, "cannot be watched", "");
    d->fd = fd;
    d->wants_write = wants;
}

static void topic_of(const struct light_device *d, const char *before, const char *after,
                     char out[TOPIC_MAX])
{
    char name[FLEET_NAME_MAX];
    fleet_name(d->number, name);
    (void)snprintf(out, TOPIC_MAX, "%s/" FLEET_PRODUCT "/%s%s", before, name, after);
}

static void publish(struct light_device *d, const char *before, const char *after,
                    const char *payload)
{
    char topic[TOPIC_MAX];
    topic_of(d, before, after, topic);
    int rc = mosquitto_publish(d->m, &d->last_mid, topic, (int)strlen(payload), payload, 1, false);
    if (rc != MOSQ_ERR_SUCCESS)
        fail(d, "cannot publish: ", mosquitto_strerror(rc));
    d->fleet->figures.published++;
}

static void tell_version(struct light_device *d, const char *version)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"id\":\"%zu\",\"params\":{\"version\":\"%s\"}}", d->number,
                   version);
    publish(d, "/ota/device/inform", "", text);
}

static void tell_progress(struct light_device *d, unsigned step)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"id\":\"%zu\",\"params\":{\"step\":\"%u\",\"desc\":\"\"}}",
                   d->number, step);
    publish(d, "/ota/device/progress", "", text);
}

static void on_data(void *ctx, uint64_t at, const uint8_t *data, size_t len_bytes)
{
    struct light_device *d = ctx;
    digest_update(&d->md5, data, len_bytes);
    d->fleet->figures.bytes += len_bytes;
    unsigned tenth = (unsigned)((at + len_bytes) * TENTHS / d->file_bytes);
    if (tenth == d->tenth)
        return;
    d->tenth = tenth;
    tell_progress(d, tenth * 100 / TENTHS);
    rewatch(d);
}

/* The last progress is on its way; once it is acknowledged the device leaves. */
static void on_downloaded(void *ctx, int rc, const char *story)
{
    struct light_device *d = ctx;
    uint8_t raw[MD5_BYTES];
    char hex[2 * MD5_BYTES + 1];
    d->fleet->figures.last_range_ns = d->fleet->now_ns;
    if (rc == 0) {
        digest_end(&d->md5, raw);
        hex_encode(hex, raw, sizeof raw);
    }
    end_download(d);
    if (rc != 0)
        fail(d, "", story);
    else if (strcmp(hex, d->md5_hex) != 0)
        fail(d, "the file has another MD5 than announced", "");
    else
        d->state = LEAVING;
}

static void begin_download(struct light_device *d)
{
    struct fleet *f = d->fleet;
    struct err err = {.text = ""};
    const struct range_config cfg = {.epoll_fd = f->cfg.epoll_fd,
                                     .url = d->url,
                                     .file_bytes = d->file_bytes,
                                     .range_bytes = f->cfg.range_bytes,
                                     .requests = &f->figures.requests,
                                     .data = on_data,
                                     .done = on_downloaded,
                                     .ctx = d};
    if (d->number > 0 && f->figures.first_upgrade_ns == 0)
        f->figures.first_upgrade_ns = f->now_ns;
    if (digest_begin(&d->md5, DIGEST_MD5) != 0) {
        fail(d, "no memory", "");
        return;
    }
    d->http = range_client_new(&cfg, &err);
    if (d->http == NULL) {
        digest_abort(&d->md5);
        fail(d, "cannot fetch: ", err.text);
        return;
    }
    d->state = FETCHING;
    if (++f->figures.downloads > f->figures.downloads_peak)
        f->figures.downloads_peak = f->figures.downloads;
}

/* ---- what it is told ---- */

static int read_upgrade(struct light_device *d, const struct json *doc, struct err *err)
{
    const cJSON *data = NULL;
    const char *url = NULL, *md5 = NULL, *version = NULL;
    int64_t size = 0;
    int rc = json_need(json_get_object(doc->root, doc->root, "data", &data, err), doc->root,
                       doc->root, "data", err);
    if (rc == 0)
        rc = json_need(json_get_string(doc->root, data, "url", 1, sizeof d->url - 1, &url, err),
                       doc->root, data, "url", err);
    if (rc == 0)
        rc = json_need(json_get_string(doc->root, data, "md5", 32, 32, &md5, err), doc->root, data,
                       "md5", err);
    if (rc == 0)
        rc = json_need(json_get_string(doc->root, data, "version", 1, 31, &version, err), doc->root,
                       data, "version", err);
    if (rc == 0)
        rc = json_need(json_get_int(doc->root, data, "size", 1, INT32_MAX, &size, err), doc->root,
                       data, "size", err);
    if (rc == 0 && strcmp(version, d->fleet->to_version) != 0)
        rc = err_set(err, ERR_FORMAT, "version %s is offered", version);
    if (rc != 0)
        return rc;
    (void)snprintf(d->url, sizeof d->url, "%s", url);
    (void)snprintf(d->md5_hex, sizeof d->md5_hex, "%s", md5);
    d->file_bytes = (uint64_t)size;
    return 0;
}

/* The answer to its question: an empty "data" says that there is nothing more. */
static int read_answer(struct light_device *d, const struct json *doc, struct err *err)
{
    struct fleet *f = d->fleet;
    const cJSON *data = NULL;
    int rc = json_need(json_get_object(doc->root, doc->root, "data", &data, err), doc->root,
                       doc->root, "data", err);
    if (rc == 0 && data->child != NULL)
        rc = err_set(err, ERR_FORMAT, "something is still offered");
    if (rc != 0)
        return rc;
    d->state = DONE;
    f->figures.done++;
    f->figures.last_done_ns = f->now_ns;
    return 0;
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg)
{
    static const struct json_limits limits = {.max_bytes = 16384, .max_depth = 8};
    struct light_device *d = ctx;
    struct json doc;
    struct err err = {.text = ""};
    bool upgrade = strncmp(msg->topic, "/ota/device/upgrade/", 20) == 0;
    (void)m;
    d->fleet->figures.received++;
    if (d->state != (upgrade ? TELLING : ASKING))
        return; /* told again */
    int rc = json_parse(&doc, msg->payload, (size_t)msg->payloadlen, &limits, &err);
    if (rc == 0)
        rc = upgrade ? read_upgrade(d, &doc, &err) : read_answer(d, &doc, &err);
    json_free(&doc);
    if (rc != 0) {
        fail(d, "what it is told cannot be used: ", err.text);
        return;
    }
    if (upgrade) {
        tell_progress(d, 0);
        begin_download(d);
    }
}

static void on_connack(struct mosquitto *m, void *ctx, int code)
{
    struct light_device *d = ctx;
    struct fleet_figures *g = &d->fleet->figures;
    char topic[TOPIC_MAX];
    if (code != 0) {
        fail(d, "login refused: ", mosquitto_connack_string(code));
        return;
    }
    d->fleet->connecting--;
    d->logged_in = true;
    g->logins++;
    if (++g->sessions > g->sessions_peak)
        g->sessions_peak = g->sessions;
    topic_of(d, "/ota/device/upgrade", "", topic);
    if (mosquitto_subscribe(m, NULL, topic, 1) != MOSQ_ERR_SUCCESS) {
        fail(d, "cannot subscribe", "");
        return;
    }
    if (d->state == CONNECTING) {
        d->state = TELLING;
        tell_version(d, d->fleet->from_version);
        g->ready++;
    } else {
        d->state = ASKING;
        tell_version(d, d->fleet->to_version);
        publish(d, "/sys", "/thing/ota/firmware/get",
                "{\"id\":\"2\",\"version\":\"1.0\",\"params\":{},"
                "\"method\":\"thing.ota.firmware.get\"}");
    }
}

static void on_published(struct mosquitto *m, void *ctx, int mid)
{
    struct light_device *d = ctx;
    if (d->state == LEAVING && mid == d->last_mid)
        (void)mosquitto_disconnect(m);
}

static void wait_again(struct light_device *d)
{
    d->state = WAITING_AGAIN;
    d->fleet->waiting++;
}

/* The library may tell it twice. */
static void on_down(struct mosquitto *m, void *ctx, int code)
{
    struct light_device *d = ctx;
    (void)m;
    d->fd = -1; /* closed, so no longer watched */
    if (d->logged_in)
        d->fleet->figures.sessions--;
    d->logged_in = false;
    if (d->state == LEAVING && code == 0)
        wait_again(d);
    else if (d->state != DONE && d->state != WAITING_AGAIN && !d->fleet->leaving)
        fail(d, "its connection to the broker has ended: ", mosquitto_strerror(code));
}

/* ---- the wire ---- */

static void on_ready(void *ctx, uint32_t events)
{
    struct light_device *d = ctx;
    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        (void)mosquitto_loop_read(d->m, READS_MAX);
    if (mosquitto_socket(d->m) >= 0 && mosquitto_want_write(d->m))
        (void)mosquitto_loop_write(d->m, READS_MAX);
    rewatch(d);
}

static void connect_device(struct light_device *d)
{
    struct fleet *f = d->fleet;
    bool again = d->state == WAITING_AGAIN;
    f->connecting++;
    f->waiting--;
    d->state = again ? RESTARTED : CONNECTING;
    if (f->figures.first_login_ns == 0)
        f->figures.first_login_ns = f->now_ns;
    int rc = again ? mosquitto_reconnect(d->m)
                   : mosquitto_connect(d->m, "127.0.0.1", f->cfg.mqtt_port, KEEP_ALIVE_S);
    if (rc != MOSQ_ERR_SUCCESS)
        fail(d, "cannot connect: ", mosquitto_strerror(rc));
    rewatch(d);
}

void fleet_turn(struct fleet *f, int64_t now_ns)
{
    f->now_ns = now_ns;
    bool misc = now_ns >= f->misc_ns;
    if (misc)
        f->misc_ns = now_ns + MISC_NS;
    for (size_t i = 0; i < f->cfg.devices && (misc || f->waiting > 0); i++) {
        struct light_device *d = &f->devices[i];
        if (misc && mosquitto_socket(d->m) >= 0)
            (void)mosquitto_loop_misc(d->m);
        if ((d->state == WAITING || d->state == WAITING_AGAIN) && f->connecting < CONNECTING_MAX)
            connect_device(d);
    }
}

/* ---- birth and death ---- */

static int make_device(struct fleet *f, size_t i, struct err *err)
{
    struct light_device *d = &f->devices[i];
    char name[FLEET_NAME_MAX], secret[FLEET_SECRET_MAX];
    *d = (struct light_device){.fleet = f, .number = i, .fd = -1};
    d->watch = (struct load_watch){.ready = on_ready, .ctx = d};
    fleet_name(i, name);
    fleet_secret(i, secret);
    const struct kit_identity id = {
        .product_key = FLEET_PRODUCT, .device_name = name, .device_secret = secret};
    int rc = kit_login(&d->login, KIT_4X, &id, false, KEEP_ALIVE_S, 0, 0, NULL, err);
    if (rc != 0)
        return rc;
    d->m = mosquitto_new(d->login.client_id, true, d);
    if (d->m == NULL ||
        mosquitto_username_pw_set(d->m, d->login.user_name, d->login.password) != MOSQ_ERR_SUCCESS)
        return err_set(err, ERR_NOMEM, "no memory or descriptors for %zu devices", f->cfg.devices);
    mosquitto_connect_callback_set(d->m, on_connack);
    mosquitto_disconnect_callback_set(d->m, on_down);
    mosquitto_message_callback_set(d->m, on_message);
    mosquitto_publish_callback_set(d->m, on_published);
    return 0;
}

struct fleet *fleet_new(const struct fleet_config *cfg, struct err *err)
{
    struct fleet *f = calloc(1, sizeof *f);
    (void)mosquitto_lib_init();
    if (f != NULL) {
        f->cfg = *cfg;
        f->waiting = cfg->devices;
        (void)snprintf(f->from_version, sizeof f->from_version, "%s", cfg->from_version);
        (void)snprintf(f->to_version, sizeof f->to_version, "%s", cfg->to_version);
        f->devices = calloc(cfg->devices, sizeof f->devices[0]);
    }
    int rc = f == NULL || f->devices == NULL ? err_set(err, ERR_NOMEM, "no memory") : 0;
    for (size_t i = 0; rc == 0 && i < cfg->devices; i++)
        rc = make_device(f, i, err);
    if (rc == 0)
        return f;
    fleet_free(f);
    return NULL;
}

void fleet_free(struct fleet *f)
{
    if (f != NULL) {
        for (size_t i = 0; f->devices != NULL && i < f->cfg.devices; i++) {
            end_download(&f->devices[i]);
            if (f->devices[i].m != NULL)
                mosquitto_destroy(f->devices[i].m);
        }
        free(f->devices);
        free(f);
    }
    (void)mosquitto_lib_cleanup();
}

const struct fleet_figures *fleet_figures(const struct fleet *f)
{
    return &f->figures;
}

const char *fleet_url(const struct fleet *f, size_t i)
{
    return f->devices[i].url;
}

void fleet_leave(struct fleet *f)
{
    f->leaving = true;
    for (size_t i = 0; i < f->cfg.devices; i++)
        if (mosquitto_socket(f->devices[i].m) >= 0)
            (void)mosquitto_disconnect(f->devices[i].m);
}
