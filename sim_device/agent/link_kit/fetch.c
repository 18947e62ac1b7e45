#include "sim_device/agent/link_kit/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/link_kit/kit.h"

#define REQUEST_MAX    (KIT_HOST_MAX + KIT_PATH_MAX + 512)
#define WINDOW_NS      (60 * NS_PER_S)
#define CUT_RANGE_FROM 1000000u
#define LONG_URL_BYTES 254

/* ---- request ---- */

/* The Range line; empty when the whole file is asked for by a client that then sends none. */
static void range_line(char *out, size_t cap, const struct kit_fetch_config *c)
{
    if (c->to == KIT_FETCH_OPEN_END)
        (void)snprintf(out, cap, "Range: bytes=%" PRIu32 "-\r\n", c->from);
    else
        (void)snprintf(out, cap, "Range: bytes=%" PRIu32 "-%" PRIu32 "\r\n", c->from, c->to);
}

static int request_text(char *out, const struct kit_fetch_config *c, const struct kit_url *u)
{
    char range[64], port[8] = "";
    const char *rest = c->generation == KIT_4X ? "Content-Length: 0\r\n" : "";
    const char *end = "\r\n";
    range_line(range, sizeof(range), c);
    if (u->has_port)
        (void)snprintf(port, sizeof(port), ":%u", (unsigned)u->port);
    if (c->quirks->cut_range_header && c->from >= CUT_RANGE_FROM) {
        range[strlen(range) - 2] = '\0';
        end = "\r\r\n";
    }
    int n =
        snprintf(out, REQUEST_MAX,
                 "GET %.*s HTTP/1.1\r\nHost: %.*s%s\r\nAccept: text/html, "
                 "application/xhtml+xml, application/xml;q=0.9, */*;q=0.8\r\n%s%s%s",
                 (int)u->path_bytes, u->path, (int)u->host_bytes, u->host, port, rest, range, end);
    return n > 0 && n < REQUEST_MAX ? n : -1;
}

/* ---- connection ---- */

static int connect_to(struct kit_fetch *f, const struct kit_fetch_config *c,
                      const struct kit_url *u)
{
    struct board *b = f->board;
    char host[KIT_HOST_MAX + 1];
    uint32_t ip;
    uint16_t port = u->has_port || c->port == 0 ? u->port : c->port;
    memcpy(host, u->host, u->host_bytes);
    host[u->host_bytes] = '\0';
    if (u->tls && (c->ca_pem == NULL || b->ops->sock_tls == NULL))
        return KIT_FETCH_LOST;
    if (b->ops->resolve(b, host, &ip) != 0)
        return KIT_FETCH_LOST;
    f->fd = b->ops->sock_open(b, BOARD_STREAM);
    if (f->fd < 0 || b->ops->sock_recv_timeout(b, f->fd, c->recv_timeout_ns) != 0 ||
        b->ops->sock_connect(b, f->fd, ip, port) != 0)
        return KIT_FETCH_LOST;
    return u->tls && b->ops->sock_tls(b, f->fd, host, c->ca_pem) != 0 ? KIT_FETCH_LOST : 0;
}

static int send_all(struct kit_fetch *f, const char *text, size_t len)
{
    while (len > 0) {
        int n = f->board->ops->sock_send(f->board, f->fd, text, len);
        if (n <= 0)
            return KIT_FETCH_LOST;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

int kit_fetch_open(struct kit_fetch **out, struct board *b, const struct kit_fetch_config *c,
                   enum kit_url_result *url_result)
{
    struct kit_url u;
    *out = NULL;
    if (c->quirks->crash_on_long_url && strlen(c->url) > LONG_URL_BYTES)
        b->ops->reset(b);
    *url_result = kit_url_parse(&u, c->url);
    if (*url_result != KIT_URL_OK)
        return KIT_FETCH_URL;
    struct kit_fetch *f = kit_calloc(b, sizeof(*f));
    char *request = board_alloc(b, REQUEST_MAX);
    int rc = f != NULL && request != NULL ? 0 : KIT_FETCH_NOMEM;
    if (f != NULL) {
        f->board = b;
        f->head_in_one_read = c->quirks->head_in_one_read;
        f->fd = -1;
        f->at = f->in;
        f->window_ns = b->ops->now_ns(b);
        http_reply_init(&f->http, KIT_FETCH_HEAD_MAX);
    }
    if (rc == 0) {
        int n = request_text(request, c, &u);
        rc = n > 0 ? connect_to(f, c, &u) : KIT_FETCH_LOST;
        if (rc == 0)
            rc = send_all(f, request, (size_t)n);
    }
    board_free(b, request);
    if (rc != 0)
        kit_fetch_close(f);
    else
        *out = f;
    return rc;
}

void kit_fetch_close(struct kit_fetch *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        (void)f->board->ops->sock_close(f->board, f->fd);
    board_free(f->board, f);
}

/* ---- reply ---- */

/* The next bytes of the connection into `in`. 0, or a result. */
static int receive(struct kit_fetch *f)
{
    struct board *b = f->board;
    int n = b->ops->sock_recv(b, f->fd, f->in, sizeof(f->in));
    if (n == BOARD_TIMEOUT)
        return KIT_FETCH_TIMEOUT;
    if (n < 0)
        return KIT_FETCH_LOST;
    if (n == 0)
        return http_reply_eof(&f->http) == HTTP_END ? KIT_FETCH_END : KIT_FETCH_LOST;
    f->at = f->in;
    f->left_bytes = (size_t)n;
    f->window_bytes += (size_t)n;
    int64_t now = b->ops->now_ns(b);
    if (now - f->window_ns >= WINDOW_NS) {
        if (f->window_bytes < KIT_FETCH_SLOWEST_BYTES)
            return KIT_FETCH_LOST;
        f->window_ns = now;
        f->window_bytes = 0;
    }
    return 1;
}

/* Feeds until something happens. A step, or a negative result. */
static int step(struct kit_fetch *f, bool in_one_read)
{
    for (unsigned receives = 0;; receives++) {
        size_t used;
        enum http_step s =
            http_reply_feed(&f->http, f->at, f->left_bytes, &used, &f->data, &f->data_bytes);
        f->at += used;
        f->left_bytes -= used;
        if (s != HTTP_MORE)
            return (int)s;
        if (in_one_read && receives > 0)
            return (int)HTTP_BAD;
        int rc = receive(f);
        if (rc <= 0)
            return rc == KIT_FETCH_END ? (int)HTTP_END : rc;
    }
}

int kit_fetch_head(struct kit_fetch *f)
{
    int s = step(f, f->head_in_one_read);
    if (s < 0)
        return s;
    return s == (int)HTTP_HEAD ? 0 : KIT_FETCH_BAD;
}

int kit_fetch_read(struct kit_fetch *f, void *out, size_t cap_bytes)
{
    if (f->data_bytes == 0) {
        int s = step(f, false);
        if (s < 0)
            return s;
        if (s == (int)HTTP_END)
            return KIT_FETCH_END;
        if (s != (int)HTTP_DATA)
            return KIT_FETCH_BAD;
    }
    size_t n = f->data_bytes < cap_bytes ? f->data_bytes : cap_bytes;
    memcpy(out, f->data, n);
    f->data += n;
    f->data_bytes -= n;
    return (int)n;
}

/* ---- meaning ---- */

static enum kit_fetch_meaning whole(const struct http_reply *h, uint32_t from, uint32_t size,
                                    const struct kit_quirks *q, uint32_t *skip)
{
    *skip = q->append_whole_reply ? 0 : from;
    if (q->append_whole_reply || h->length_bytes == size)
        return KIT_FETCH_BODY;
    return h->length_bytes > size ? KIT_FETCH_OVERSIZED : KIT_FETCH_OTHER;
}

static enum kit_fetch_meaning part(const struct http_reply *h, uint32_t from, uint32_t to,
                                   uint32_t size)
{
    uint32_t last = to == KIT_FETCH_OPEN_END || to >= size ? size - 1 : to;
    if (!h->has_range)
        return KIT_FETCH_OTHER;
    if ((h->has_total && h->range_total > size) || h->range_to > last)
        return KIT_FETCH_OVERSIZED;
    if ((h->has_total && h->range_total != size) || h->range_from != from)
        return KIT_FETCH_OTHER;
    return h->length_bytes == h->range_to - h->range_from + 1 ? KIT_FETCH_BODY : KIT_FETCH_OTHER;
}

/* In chunks, for clients that do without Content-Length. */
static enum kit_fetch_meaning unmeasured(const struct http_reply *h, uint32_t from, uint32_t *skip)
{
    if (h->status == 206)
        return h->has_range && h->range_from == from ? KIT_FETCH_BODY : KIT_FETCH_OTHER;
    *skip = from;
    return KIT_FETCH_BODY;
}

enum kit_fetch_meaning kit_fetch_meaning(const struct http_reply *h, uint32_t from, uint32_t to,
                                         uint32_t size, const struct kit_quirks *q, uint32_t *skip)
{
    *skip = 0;
    if (h->status != 200 && h->status != 206)
        return q->any_status_is_body ? KIT_FETCH_BODY : KIT_FETCH_STATUS;
    if (q->length_not_needed && h->chunked && !h->encoded)
        return unmeasured(h, from, skip);
    if (!h->has_length || h->encoded)
        return KIT_FETCH_LENGTHLESS;
    return h->status == 200 ? whole(h, from, size, q, skip) : part(h, from, to, size);
}
