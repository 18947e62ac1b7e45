#include "mock_cloud/http/edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/vtime.h"
#include "mock_cloud/http/guests.h"

/* TLS_RSA_WITH_AES_256_CBC_SHA256 and its like are what field devices offer (aliyun note §2.4). */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+RSA:+AES-256-CBC:+AES-128-CBC:+SHA256:+SHA1"

/* With a TLS handshake under way the library claims to have work all the time while it waits for
 * the client, who may be waiting for this thread: after some turns it is asked again later. */
#define TLS_TURNS_MAX 64
#define TLS_TURN_NS   NS_PER_MS

#define TEXT_MAX  (STORE_PACKAGE_BYTES_MAX + (size_t)CLOUD_EXTRA_MAX)
#define TURNS_MAX 100000 /* of the daemon per edge_run: busy strangers cannot hold the caller */
/* The same where real clients come in, up to 128 of them in a turn: the owner has other edges,
 * whose clients wait for it as well. */
#define WIRE_TURNS_MAX 16

/* What is asked of real clients, see edge.h. */
#define SLOWEST_BYTES_PER_S 16
#define CROWD               (EDGE_CONNECTIONS_MAX * 3 / 4)
#define REFUSAL_DELAY_NS    NS_PER_S
/* Left to itself the kernel takes some megabytes of each reply at once, for clients that may never
 * read them; with hundreds of them nobody else is served for seconds. */
#define SEND_BUFFER_BYTES (128 << 10)

/* One request on its way: made when its first line is read, freed when its reply is done. */
struct exchange {
    struct edge *edge;
    struct MHD_Connection *connection;
    char query[HTTP_TARGET_MAX]; /* raw, as the client wrote it */
    bool has_query;
    bool too_long;  /* target */
    bool cut;       /* a zero byte in the path: the library would end it there */
    bool too_large; /* body */
    bool begun;
    struct buf body;
    struct MHD_Response *response; /* made, not yet queued */
    unsigned status;
    uint64_t reply_bytes;
    bool waiting; /* suspended, in the edge's list */
    int64_t due_ns;
    struct exchange *next;
};

struct edge {
    struct cloud *cloud;
    const struct edge_service *service; /* null: the cloud answers */
    struct MHD_Daemon *daemon;
    int fd;
    bool tls;
    uint16_t port;
    int64_t now_ns;
    struct buf text;          /* reused for every reply */
    struct exchange *waiting; /* by due time, first come first among equals */
    /* Real clients only: */
    int64_t limit_ns; /* for their next step; 0: they may take their time */
    struct guests guests;
};

/* ---- replies ---- */

/* A control reply's body, owned by its response. */
struct chunk {
    size_t len_bytes;
    uint8_t data[];
};

static ssize_t read_chunk(void *ctx, uint64_t at, char *out, size_t room)
{
    const struct chunk *chunk = ctx;
    if (at >= chunk->len_bytes)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t len = chunk->len_bytes - (size_t)at;
    if (len > room)
        len = room;
    memcpy(out, chunk->data + at, len);
    return (ssize_t)len;
}

static struct MHD_Response *chunked_response(const struct http_reply *rp)
{
    const void *from = rp->view != NULL ? rp->view : rp->text.data;
    size_t len = rp->view != NULL ? rp->view_bytes : rp->text.len_bytes;
    struct chunk *chunk = malloc(sizeof *chunk + len);
    if (chunk == NULL)
        return NULL;
    chunk->len_bytes = len;
    if (len > 0)
        memcpy(chunk->data, from, len);
    struct MHD_Response *made =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, len + 1, read_chunk, chunk, free);
    if (made == NULL)
        free(chunk);
    return made;
}

static struct MHD_Response *sized_response(const struct http_reply *rp)
{
    if (rp->view != NULL)
        return MHD_create_response_from_buffer(rp->view_bytes, (void *)(uintptr_t)rp->view,
                                               MHD_RESPMEM_PERSISTENT);
    if (rp->text.len_bytes == 0)
        return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(rp->text.len_bytes, rp->text.data,
                                           MHD_RESPMEM_MUST_COPY);
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return value == NULL || value[0] == '\0' ||
           MHD_add_response_header(response, name, value) == MHD_YES;
}

static struct MHD_Response *make_response(const struct http_reply *rp)
{
    struct MHD_Response *made = rp->chunked ? chunked_response(rp) : sized_response(rp);
    char retry[16] = "";
    if (made == NULL)
        return NULL;
    if (rp->retry_after_s > 0)
        (void)snprintf(retry, sizeof retry, "%d", rp->retry_after_s);
    bool good =
        MHD_set_response_options(made, MHD_RF_SEND_KEEP_ALIVE_HEADER, MHD_RO_END) == MHD_YES;
    good = good && add_header(made, "Content-Type", rp->content_type);
    good = good && add_header(made, "Content-Range", rp->content_range);
    good = good && add_header(made, "ETag", rp->etag);
    good = good && add_header(made, "Accept-Ranges", rp->accept_ranges ? "bytes" : NULL);
    good = good && add_header(made, "Location", rp->location);
    good = good && add_header(made, "Retry-After", retry);
    for (size_t i = 0; i < rp->more_count; i++)
        good = good && add_header(made, rp->more[i].name, rp->more[i].value);
    good = good && add_header(made, "Connection", rp->close ? "close" : NULL);
    if (good)
        return made;
    MHD_destroy_response(made);
    return NULL;
}

/* ---- real clients ---- */

/* Null: it is not watched. */
static struct guest *guest_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct edge *e = ctx;
    if (e->limit_ns == 0)
        return;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        guests_remove(&e->guests, *slot);
        *slot = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL)
        return;
    const int room = SEND_BUFFER_BYTES;
    (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    *slot =
        guests_add(&e->guests, info->connect_fd, e->now_ns, vtime_after(e->now_ns, e->limit_ns));
}

/* Its next step must be done by then. The guest; null: nobody is waited for. */
static struct guest *expect(struct edge *e, struct MHD_Connection *connection, int64_t due_ns)
{
    struct guest *guest = e->limit_ns == 0 ? NULL : guest_of(connection);
    if (guest == NULL)
        return NULL;
    guest->due_ns = due_ns;
    guest->rests = false;
    return guest;
}

/* It may ask for more. */
static void expect_request(struct edge *e, struct MHD_Connection *connection)
{
    struct guest *guest = expect(e, connection, vtime_after(e->now_ns, e->limit_ns));
    if (guest != NULL)
        guest->rests = true;
}

/* It has asked for something, and the body goes on. */
static void expect_body(struct edge *e, struct MHD_Connection *connection)
{
    struct guest *guest = expect(e, connection, vtime_after(e->now_ns, e->limit_ns));
    if (guest != NULL)
        guest->asked = true;
}

/* The reply may take its time, but not for ever. */
static void expect_reading(struct edge *e, struct MHD_Connection *connection, uint64_t bytes)
{
    int64_t limit_ns = (int64_t)(bytes / SLOWEST_BYTES_PER_S) * NS_PER_S;
    (void)expect(e, connection, vtime_after(vtime_after(e->now_ns, e->limit_ns), limit_ns));
}

/* Who asks again and again for what is refused gets his answers late. */
static void brake(struct edge *e, struct http_reply *rp)
{
    if (e->limit_ns > 0 && rp->status >= 400 && guests_refused(&e->guests, e->now_ns) &&
        rp->delay_ns < REFUSAL_DELAY_NS)
        rp->delay_ns = REFUSAL_DELAY_NS;
}

static void look_at_guests(struct edge *e)
{
    char text[GUESTS_TEXT_MAX];
    guests_look(&e->guests, e->now_ns, CROWD);
    if (guests_tell(&e->guests, e->now_ns, text, sizeof text))
        cloud_refused(e->cloud, e->now_ns, "http", text);
}

/* ---- requests ---- */

static void wait_until(struct exchange *x, int64_t due_ns)
{
    struct exchange **at = &x->edge->waiting;
    while (*at != NULL && (*at)->due_ns <= due_ns)
        at = &(*at)->next;
    x->due_ns = due_ns;
    x->next = *at;
    x->waiting = true;
    *at = x;
    (void)expect(x->edge, x->connection, VTIME_NEVER);
    MHD_suspend_connection(x->connection);
}

static void stop_waiting(struct exchange *x)
{
    struct exchange **at = &x->edge->waiting;
    while (*at != NULL && *at != x)
        at = &(*at)->next;
    if (*at == x)
        *at = x->next;
    x->waiting = false;
}

static enum MHD_Result queue(struct exchange *x)
{
    expect_reading(x->edge, x->connection, x->reply_bytes);
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return result;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct http_request read_request(const struct exchange *x, const char *method,
                                        const char *path)
{
    struct MHD_Connection *connection = x->connection;
    return (struct http_request){
        .method = method,
        .path = path,
        .query = x->has_query ? x->query : NULL,
        .range = header(connection, "Range"),
        .if_range = header(connection, "If-Range"),
        .if_none_match = header(connection, "If-None-Match"),
        .if_match = header(connection, "If-Match"),
        .if_modified_since = header(connection, "If-Modified-Since"),
        .if_unmodified_since = header(connection, "If-Unmodified-Since"),
        .range_behavior = header(connection, "x-oss-range-behavior"),
        .content_type = header(connection, "Content-Type"),
        .host = header(connection, "Host"),
        .authorization = header(connection, "Authorization"),
        .body = x->body.data,
        .body_bytes = x->body.len_bytes,
        .tls = x->edge->tls,
    };
}

static enum MHD_Result send_reply(struct exchange *x, struct http_reply *reply)
{
    struct edge *e = x->edge;
    brake(e, reply);
    x->reply_bytes = reply->view != NULL ? reply->view_bytes : reply->text.len_bytes;
    x->response = make_response(reply);
    x->status = (unsigned)reply->status;
    e->text = reply->text;
    if (x->response == NULL)
        return MHD_NO;
    if (reply->delay_ns <= 0)
        return queue(x);
    wait_until(x, vtime_after(e->now_ns, reply->delay_ns));
    return MHD_YES;
}

/* Asks the cloud, or answers in its place when the request is beyond a limit. */
static enum MHD_Result answer(struct exchange *x, const char *method, const char *path)
{
    struct edge *e = x->edge;
    struct http_reply reply = {.text = e->text};
    const struct http_request request = read_request(x, method, path);
    if (x->too_long || x->cut || x->too_large) {
        cloud_page(&reply, x->too_long ? 414 : x->cut ? 400 : 413);
        reply.close = true;
    } else if (e->service != NULL) {
        e->service->answer(e->service->ctx, e->now_ns, &request, &reply);
    } else {
        cloud_http(e->cloud, e->now_ns, &request, &reply);
    }
    return send_reply(x, &reply);
}

/* A declared body that is too large is refused before it is read. */
static bool declares_too_much(struct exchange *x)
{
    const char *length = header(x->connection, "Content-Length");
    if (length == NULL)
        return false;
    length += strspn(length, "0");
    size_t digits = strspn(length, "0123456789");
    return digits > 9 || strtoul(length, NULL, 10) > x->body.max_bytes;
}

/* The head is there: whether and how far the body is read. */
static enum MHD_Result begin(struct exchange *x, const char *method, const char *path)
{
    const struct edge_service *service = x->edge->service;
    if (service != NULL && !x->too_long && !x->cut) {
        struct http_reply reply = {.text = x->edge->text};
        const struct http_request head = read_request(x, method, path);
        int64_t most = service->admit(service->ctx, &head, &reply);
        x->edge->text = reply.text;
        if (most < 0) {
            reply.close = true;
            return send_reply(x, &reply);
        }
        x->body.max_bytes = (size_t)most;
    }
    x->too_large = declares_too_much(x);
    return x->too_long || x->cut || x->too_large ? answer(x, method, path) : MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **slot)
{
    struct exchange *x = *slot;
    (void)ctx;
    (void)version;
    if (x == NULL)
        return MHD_NO; /* no memory when the first line came */
    x->connection = connection;
    if (!x->begun) {
        x->begun = true;
        expect_body(x->edge, connection);
        return begin(x, method, path);
    }
    if (*upload_bytes > 0) {
        expect_body(x->edge, connection);
        if (!x->too_large && buf_append(&x->body, upload, *upload_bytes) != 0)
            x->too_large = true;
        *upload_bytes = 0;
        return MHD_YES;
    }
    return x->response != NULL ? queue(x) : answer(x, method, path);
}

/* The library cuts the query into pairs; the cloud wants it as it was written. */
static void *on_first_line(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->edge = ctx;
    x->connection = connection;
    x->too_long = strnlen(target, HTTP_TARGET_MAX) == HTTP_TARGET_MAX;
    buf_init(&x->body, HTTP_BODY_MAX);
    const char *mark = x->too_long ? NULL : strchr(target, '?');
    const char *zero = x->too_long ? NULL : strstr(target, "%00");
    x->cut = zero != NULL && (mark == NULL || zero < mark);
    if (mark != NULL) {
        x->has_query = true;
        (void)snprintf(x->query, sizeof x->query, "%s", mark + 1);
    }
    return x;
}

static void on_done(void *ctx, struct MHD_Connection *connection, void **slot,
                    enum MHD_RequestTerminationCode why)
{
    struct exchange *x = *slot;
    struct edge *e = ctx;
    (void)why;
    expect_request(e, connection);
    if (x == NULL)
        return;
    if (x->waiting)
        stop_waiting(x);
    if (x->response != NULL)
        MHD_destroy_response(x->response);
    buf_free(&x->body);
    free(x);
    *slot = NULL;
}

/* ---- the daemon ---- */

/* at null: no listener, connections are handed in. */
static struct MHD_Daemon *start(struct edge *e, const struct edge_address *at,
                                const struct sockaddr_in *address)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (at == NULL)
        flags |= MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
    const struct MHD_OptionItem always[] = {
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_first_line, e},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_done, e},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, e},
        {MHD_OPTION_CONNECTION_LIMIT, EDGE_CONNECTIONS_MAX, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, at == NULL ? 0 : (intptr_t)at->idle_limit_s, NULL},
        {at != NULL ? MHD_OPTION_SOCK_ADDR : MHD_OPTION_END, 0, (void *)(uintptr_t)address},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem tls[] = {{MHD_OPTION_END, 0, NULL},
                                   {MHD_OPTION_END, 0, NULL},
                                   {MHD_OPTION_END, 0, NULL},
                                   {MHD_OPTION_END, 0, NULL}};
    if (at != NULL && at->cert_pem != NULL && at->key_pem != NULL) {
        flags |= MHD_USE_TLS;
        tls[0] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)at->cert_pem};
        tls[1] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)at->key_pem};
        tls[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                         (void *)(uintptr_t)TLS_PRIORITIES};
    }
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, e, MHD_OPTION_ARRAY, always,
                            MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static struct edge *edge_make(struct cloud *cloud, const struct edge_address *at, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *ip = at == NULL || at->bind_ip == NULL ? "127.0.0.1" : at->bind_ip;
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        (void)err_set(err, ERR_ARG, "HTTP edge: \"%s\" is not an IPv4 address", ip);
        return NULL;
    }
    if (at != NULL)
        address.sin_port = htons(at->port);
    struct edge *e = calloc(1, sizeof *e);
    if (e == NULL) {
        (void)err_set(err, ERR_NOMEM, "HTTP edge: no memory");
        return NULL;
    }
    e->cloud = cloud;
    e->service = at == NULL ? NULL : at->service;
    e->limit_ns = at == NULL ? 0 : (int64_t)at->idle_limit_s * NS_PER_S;
    buf_init(&e->text, TEXT_MAX);
    errno = 0;
    e->daemon = start(e, at, &address);
    if (e->daemon == NULL) {
        (void)err_set(err, ERR_IO, "HTTP edge: the server does not start on %s, port %u: %s", ip,
                      at == NULL ? 0 : at->port,
                      errno != 0 ? strerror(errno) : "certificate or key cannot be used");
        edge_free(e);
        return NULL;
    }
    e->fd = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    e->tls = at != NULL && at->cert_pem != NULL && at->key_pem != NULL;
    if (at != NULL)
        e->port = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return e;
}

struct edge *edge_new(struct cloud *cloud, bool listen, struct err *err)
{
    const struct edge_address loopback = {.port = 0};
    return edge_make(cloud, listen ? &loopback : NULL, err);
}

struct edge *edge_listen(struct cloud *cloud, const struct edge_address *at, struct err *err)
{
    return edge_make(cloud, at, err);
}

void edge_free(struct edge *e)
{
    if (e == NULL)
        return;
    /* The library must not be stopped with suspended connections. */
    for (struct exchange *x = e->waiting; x != NULL; x = x->next)
        MHD_resume_connection(x->connection);
    if (e->daemon != NULL)
        MHD_stop_daemon(e->daemon);
    buf_free(&e->text);
    free(e);
}

uint16_t edge_port(const struct edge *e)
{
    return e->port;
}

int edge_fd(const struct edge *e)
{
    return e->fd;
}

int edge_connect(struct edge *e, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, ERR_IO, "HTTP edge: no socketpair: %s", strerror(errno));
    const struct sockaddr_in peer = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* The library closes its end itself when it refuses. */
    if (MHD_add_connection(e->daemon, pair[1], (const struct sockaddr *)&peer, sizeof peer) !=
        MHD_YES) {
        (void)close(pair[0]);
        return err_set(err, ERR_LIMIT, "HTTP edge: connection refused, at most %d at a time",
                       EDGE_CONNECTIONS_MAX);
    }
    return pair[0];
}

static void release_due(struct edge *e)
{
    while (e->waiting != NULL && e->waiting->due_ns <= e->now_ns) {
        struct exchange *x = e->waiting;
        e->waiting = x->next;
        x->waiting = false;
        MHD_resume_connection(x->connection);
    }
}

static bool has_work(struct edge *e)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (MHD_get_timeout(e->daemon, &ms) == MHD_YES && ms == 0)
        return true;
    struct pollfd p = {.fd = e->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

int64_t edge_run(struct edge *e, int64_t now_ns)
{
    e->now_ns = now_ns;
    release_due(e);
    if (e->limit_ns > 0)
        look_at_guests(e);
    int turns = 0, turns_max = e->tls ? TLS_TURNS_MAX : e->port != 0 ? WIRE_TURNS_MAX : TURNS_MAX;
    bool more;
    do
        (void)MHD_run(e->daemon);
    while ((more = has_work(e)) && ++turns < turns_max);
    int64_t next_ns = e->waiting == NULL ? VTIME_NEVER : e->waiting->due_ns;
    if (e->guests.count > 0)
        next_ns = vtime_min(next_ns, e->guests.look_ns);
    if (more && !e->tls)
        next_ns = vtime_min(next_ns, now_ns);
    if (e->tls &&
        MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections > 0)
        next_ns = vtime_min(next_ns, vtime_after(now_ns, TLS_TURN_NS));
    return next_ns;
}
