#include "scenarios/cli/load_range.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_device/agent/http/http_reply.h"
#include "sim_device/agent/link_kit/url.h"

#define HEAD_MAX    4096
#define REQUEST_MAX 1024
#define URL_MAX     512
#define CHUNK_BYTES 16384
#define STORY_MAX   160

struct range_client {
    struct range_config cfg;
    char url[URL_MAX];
    struct kit_url parts; /* views into url */
    struct load_watch watch;
    int fd;
    uint64_t at; /* of the file: where this range begins, and so many bytes of it are here */
    uint64_t got;
    char request[REQUEST_MAX];
    size_t request_bytes, sent_bytes;
    struct http_reply reply;
    bool wants_write;
    char story[STORY_MAX];
};

static void finish(struct range_client *c, int rc)
{
    (void)close(c->fd);
    c->fd = -1;
    c->cfg.done(c->cfg.ctx, rc, c->story);
}

static int story(struct range_client *c, int rc, const char *what, const char *detail)
{
    (void)snprintf(c->story, sizeof c->story, "range at %" PRIu64 ": %s%s", c->at, what, detail);
    return rc;
}

static uint64_t range_end(const struct range_client *c)
{
    uint64_t end = c->at + c->cfg.range_bytes;
    return end < c->cfg.file_bytes ? end : c->cfg.file_bytes;
}

static int watch(struct range_client *c, bool wants_write, int op)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c->watch};
    if (wants_write)
        e.events |= EPOLLOUT;
    c->wants_write = wants_write;
    return epoll_ctl(c->cfg.epoll_fd, op, c->fd, &e) == 0
               ? 0
               : story(c, ERR_IO, "epoll: ", strerror(errno));
}

static int send_rest(struct range_client *c)
{
    ssize_t n = send(c->fd, c->request + c->sent_bytes, c->request_bytes - c->sent_bytes,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return story(c, ERR_IO, "cannot be asked for: ", strerror(errno));
    c->sent_bytes += n > 0 ? (size_t)n : 0;
    bool more = c->sent_bytes < c->request_bytes;
    return more == c->wants_write ? 0 : watch(c, more, EPOLL_CTL_MOD);
}

static int ask(struct range_client *c)
{
    const struct kit_url *u = &c->parts;
    c->request_bytes = (size_t)snprintf(
        c->request, sizeof c->request,
        "GET %.*s HTTP/1.1\r\nHost: %.*s:%u\r\nRange: bytes=%" PRIu64 "-%" PRIu64 "\r\n\r\n",
        (int)u->path_bytes, u->path, (int)u->host_bytes, u->host, u->port, c->at, range_end(c) - 1);
    c->sent_bytes = 0;
    c->got = 0;
    http_reply_init(&c->reply, HEAD_MAX);
    return send_rest(c);
}

static int check_head(struct range_client *c)
{
    const struct http_reply *r = &c->reply;
    char number[32];
    if (r->status != 206) {
        (void)snprintf(number, sizeof number, "%d", r->status);
        return story(c, ERR_FORMAT, "answered with status ", number);
    }
    if (!r->has_range || r->range_from != c->at || r->range_to != range_end(c) - 1)
        return story(c, ERR_FORMAT, "answered with another range", "");
    return r->close ? story(c, ERR_FORMAT, "the connection is not kept", "") : 0;
}

/* What has come: 1 the file is complete, 0 more is to come. */
static int take(struct range_client *c, const uint8_t *in, size_t len_bytes)
{
    for (;;) {
        const uint8_t *data = NULL;
        size_t used = 0, data_bytes = 0;
        enum http_step step = http_reply_feed(&c->reply, in, len_bytes, &used, &data, &data_bytes);
        in += used;
        len_bytes -= used;
        int rc = 0;
        switch (step) {
        case HTTP_MORE:
            return 0;
        case HTTP_HEAD:
            rc = check_head(c);
            break;
        case HTTP_DATA:
            if (c->got + data_bytes > range_end(c) - c->at)
                return story(c, ERR_FORMAT, "more bytes than asked for", "");
            c->cfg.data(c->cfg.ctx, c->at + c->got, data, data_bytes);
            c->got += data_bytes;
            break;
        case HTTP_END:
            if (c->got != range_end(c) - c->at)
                return story(c, ERR_FORMAT, "fewer bytes than asked for", "");
            ++*c->cfg.requests;
            c->at = range_end(c);
            if (c->at == c->cfg.file_bytes)
                return 1;
            rc = len_bytes > 0 ? story(c, ERR_FORMAT, "bytes behind the reply", "") : ask(c);
            return rc;
        case HTTP_BAD:
            return story(c, ERR_FORMAT, "no HTTP reply: ", c->reply.reason);
        }
        if (rc != 0)
            return rc;
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct range_client *c = ctx;
    uint8_t in[CHUNK_BYTES];
    int rc = 0;
    if (c->wants_write && (events & EPOLLOUT) != 0)
        rc = send_rest(c);
    if (rc == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t n = recv(c->fd, in, sizeof in, MSG_DONTWAIT);
        if (n > 0)
            rc = take(c, in, (size_t)n);
        else if (n == 0)
            rc = story(c, ERR_IO, "the server closed the connection", "");
        else if (errno != EAGAIN && errno != EINTR)
            rc = story(c, ERR_IO, "", strerror(errno));
    }
    if (rc != 0)
        finish(c, rc < 0 ? rc : 0);
}

/* The request goes out when the connection is there. */
static int start(struct range_client *c, struct err *err)
{
    char host[INET_ADDRSTRLEN];
    struct sockaddr_in to = {.sin_family = AF_INET};
    int on = 1;
    if (kit_url_parse(&c->parts, c->url) != KIT_URL_OK || c->parts.tls ||
        c->parts.host_bytes >= sizeof host)
        return err_set(err, ERR_ARG, "not a URL of the kind http://IPv4:PORT/...");
    (void)snprintf(host, sizeof host, "%.*s", (int)c->parts.host_bytes, c->parts.host);
    to.sin_port = htons(c->parts.port);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return err_set(err, ERR_ARG, "%s is not an IPv4 address", host);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_set(err, ERR_IO, "no socket: %s", strerror(errno));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (const struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        return err_set(err, ERR_IO, "%s:%u: %s", host, c->parts.port, strerror(errno));
    if (watch(c, true, EPOLL_CTL_ADD) != 0 || (errno = 0, ask(c)) != 0)
        return err_set(err, ERR_IO, "%s", c->story);
    return 0;
}

struct range_client *range_client_new(const struct range_config *cfg, struct err *err)
{
    struct range_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory");
        return NULL;
    }
    c->cfg = *cfg;
    c->fd = -1;
    c->watch = (struct load_watch){.ready = on_ready, .ctx = c};
    int rc = strlen(cfg->url) < sizeof c->url ? 0 : err_set(err, ERR_LIMIT, "too long a URL");
    if (rc == 0) {
        (void)snprintf(c->url, sizeof c->url, "%s", cfg->url);
        rc = start(c, err);
    }
    if (rc == 0)
        return c;
    range_client_free(c);
    return NULL;
}

void range_client_free(struct range_client *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c);
}
