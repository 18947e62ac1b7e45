#include "mock_cloud/cloud.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/core.h"

#define EVENT_TEXT_MAX 512

const char *cloud_request_name(enum cloud_request rq)
{
    static const char *const names[] = {
        "register", "check", "download", "report-download", "report-upgrade", "other", "inform",
        "progress", "query", "config",   "block",           "message",        "push",  "any"};
    _Static_assert(sizeof names / sizeof names[0] == RQ_COUNT + 1, "a name each");
    return (unsigned)rq < sizeof names / sizeof names[0] ? names[rq] : "?";
}

static bool fits(const char *text, size_t room)
{
    return text != NULL && text[0] != '\0' && strnlen(text, room) < room;
}

struct cloud *cloud_new(const struct cloud_config *cfg, const struct face *const *faces,
                        size_t n_faces, struct err *err)
{
    const char *wrong = cfg->store == NULL                                     ? "store"
                        : !fits(cfg->project_key, CLOUD_KEY_MAX)               ? "project key"
                        : !fits(cfg->download_host, sizeof cfg->download_host) ? "download host"
                        : cfg->url_lifetime_ns < 0 || cfg->task_timeout_ns < 0 ? "times"
                        : n_faces == 0 || n_faces > CLOUD_FACES_MAX            ? "faces"
                                                                               : NULL;
    if (wrong != NULL) {
        (void)err_set(err, ERR_ARG, "cloud: %s missing or out of range", wrong);
        return NULL;
    }
    struct cloud *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)err_set(err, ERR_NOMEM, "cloud: no memory");
        return NULL;
    }
    c->cfg = *cfg;
    (void)snprintf(c->project_key, sizeof c->project_key, "%s", cfg->project_key);
    c->cfg.project_key = c->project_key;
    memcpy(c->face, faces, n_faces * sizeof faces[0]);
    c->face_count = n_faces;
    c->due_ns = VTIME_NEVER;
    return c;
}

void cloud_free(struct cloud *c)
{
    if (c != NULL && c->kept != NULL)
        c->free_kept(c->kept);
    free(c);
}

void *cloud_kept(const struct cloud *c)
{
    return c->kept;
}

void cloud_keep(struct cloud *c, void *kept, void (*free_it)(void *kept))
{
    if (c->kept != NULL)
        c->free_kept(c->kept);
    c->kept = kept;
    c->free_kept = free_it;
}

struct store *cloud_store(struct cloud *c)
{
    return c->cfg.store;
}

const struct cloud_config *cloud_config(const struct cloud *c)
{
    return &c->cfg;
}

void cloud_set_download(struct cloud *c, const char *host, uint16_t port)
{
    (void)snprintf(c->cfg.download_host, sizeof c->cfg.download_host, "%s", host);
    c->cfg.download_port = port;
}

void cloud_set_mqtt(struct cloud *c, uint16_t port, uint16_t tls_port)
{
    c->cfg.mqtt_port = port;
    c->cfg.mqtts_port = tls_port;
}

void cloud_set_url_lifetime(struct cloud *c, int64_t lifetime_ns)
{
    c->cfg.url_lifetime_ns = lifetime_ns;
}

void cloud_set_image_key(struct cloud *c, const char *private_pem)
{
    c->cfg.image_key_pem = private_pem;
}

uint32_t cloud_requests(const struct cloud *c, enum cloud_request rq)
{
    return (unsigned)rq < RQ_COUNT ? c->seen[rq] : c->seen_any;
}

void cloud_event(struct cloud *c, int64_t now_ns, const char *event,
                 const struct trace_field *fields, size_t n)
{
    if (c->cfg.event != NULL)
        c->cfg.event(c->cfg.event_ctx, now_ns, LANE_CLOUD, event, fields, n);
}

void cloud_wake(struct cloud *c, int64_t at_ns)
{
    c->due_ns = vtime_min(c->due_ns, at_ns);
}

int64_t cloud_due_ns(const struct cloud *c)
{
    return c->due_ns;
}

void cloud_refused(struct cloud *c, int64_t now_ns, const char *identity, const char *what)
{
    const struct trace_field fields[] = {F_STR("identity", identity), F_STR("what", what)};
    cloud_event(c, now_ns, "refused", fields, 2);
}

void cloud_offered(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id)
{
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->offered != NULL)
            c->face[i]->offered(c, now_ns, device_id, delta_id);
}

void cloud_code(struct cloud *c, int code)
{
    c->now.code = code;
}

void cloud_range(struct cloud *c, struct http_reply *rp, uint64_t from, uint64_t to, uint64_t total)
{
    c->now.part = true;
    c->now.from = from;
    c->now.to = to;
    c->now.total = total;
    rp->status = 206;
    (void)snprintf(rp->content_range, sizeof rp->content_range,
                   "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, to, total);
}

void cloud_page(struct http_reply *rp, int status)
{
    struct buf text = rp->text;
    buf_clear(&text);
    *rp = (struct http_reply){.status = status, .content_type = "text/html", .text = text};
    (void)buf_printf(&rp->text, "<html><body><h1>%d</h1></body></html>\n", status);
}

static void tell_request(struct cloud *c)
{
    const struct current *now = &c->now;
    const struct http_request *rq = now->request;
    char body[EVENT_TEXT_MAX] = "";
    size_t len = rq->body_bytes < sizeof body ? rq->body_bytes : sizeof body - 1;
    if (len > 0)
        memcpy(body, rq->body, len);
    const struct trace_field fields[] = {
        F_STR("rq", cloud_request_name(now->rq)),
        F_INT("n", now->n),
        F_STR("method", rq->method),
        F_STR("path", rq->path),
        rq->range != NULL ? F_STR("range", rq->range) : F_STR("body", body),
    };
    size_t n = sizeof fields / sizeof fields[0];
    cloud_event(c, now->now_ns, "request", fields, rq->range == NULL && len == 0 ? n - 1 : n);
}

static void tell_reply(struct cloud *c, const struct http_reply *rp)
{
    const struct current *now = &c->now;
    struct trace_field fields[8] = {
        F_STR("rq", cloud_request_name(now->rq)),
        F_INT("n", now->n),
        F_INT("status", rp->status),
    };
    size_t n = 3;
    if (now->code != 0)
        fields[n++] = F_INT("code", now->code);
    fields[n++] = F_INT("bytes", rp->view != NULL ? rp->view_bytes : rp->text.len_bytes);
    if (now->part) {
        fields[n++] = F_INT("from", now->from);
        fields[n++] = F_INT("to", now->to);
        fields[n++] = F_INT("total", now->total);
    }
    cloud_event(c, now->now_ns, "reply", fields, n);
}

void cloud_begin(struct cloud *c, enum cloud_request rq)
{
    c->now.rq = rq;
    c->now.n = ++c->seen[rq];
    c->now.n_any = ++c->seen_any;
    if (c->cfg.event != NULL)
        tell_request(c);
}

void cloud_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                struct http_reply *rp)
{
    struct buf text = rp->text;
    buf_clear(&text);
    *rp = (struct http_reply){.status = 500, .content_type = "text/html", .text = text};
    c->now = (struct current){.request = rq, .now_ns = now_ns};
    bool done = false;
    for (size_t i = 0; i < c->face_count && !done; i++)
        done = c->face[i]->http != NULL && c->face[i]->http(c, now_ns, rq, rp);
    if (!done) {
        cloud_begin(c, RQ_OTHER);
        if (!cloud_refuse(c, rp))
            cloud_page(rp, 404);
    }
    faults_apply(c, rp);
    if (c->cfg.event != NULL)
        tell_reply(c, rp);
    c->now.request = NULL;
}
