#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/vtime.h"
#include "mock_cloud/http/edge_testing.h"

#define WAIT_MS 2000
#define TURNS   1000

static const char *get_request(char out[1024], const char *path, const char *more)
{
    (void)snprintf(out, 1024, "GET %s?" OID " HTTP/1.1\r\nAccept: */*\r\nHost: h\r\n%s\r\n", path,
                   more);
    return out;
}

#define PART(body, range, len)                                                                     \
    "HTTP/1.1 206 Partial Content\r\nConnection: Keep-Alive\r\n"                                   \
    "Content-Type: application/octet-stream\r\nContent-Range: bytes " range "/10\r\nETag: \"" MD5  \
    "\"\r\nAccept-Ranges: bytes\r\nContent-Length: " len "\r\n\r\n" body

static void replies_byte_for_byte(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    CHECK_STR(ask(&w, fd, check_request(rq, "1.1")), NO_NEWS);
    CHECK_STR(ask(&w, fd, get_request(rq, w.url, "Range: bytes=2-5\r\n")),
              PART("2345", "2-5", "4"));
    CHECK_STR(ask(&w, fd, get_request(rq, w.url, "Range: bytes=10-\r\n")),
              "HTTP/1.1 416 Range Not Satisfiable\r\nConnection: Keep-Alive\r\n"
              "Content-Type: text/html\r\nContent-Range: bytes */10\r\nContent-Length: 39\r\n\r\n"
              "<html><body><h1>416</h1></body></html>\n");
    CHECK_STR(ask(&w, fd, get_request(rq, w.url, "If-None-Match: \"" MD5 "\"\r\n")),
              "HTTP/1.1 304 Not Modified\r\nConnection: Keep-Alive\r\n"
              "Content-Type: application/octet-stream\r\nETag: \"" MD5
              "\"\r\nAccept-Ranges: bytes\r\nContent-Length: 10\r\n\r\n");
    CHECK_STR(ask(&w, fd, "HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"),
              "HTTP/1.1 404 Not Found\r\nConnection: Keep-Alive\r\nContent-Type: text/html\r\n"
              "Content-Length: 39\r\n\r\n");
    (void)close(fd);
    tear_down(&w);
}

static void the_query_arrives_raw(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    (void)ask(&w, fd, check_request(rq, "1.0"));
    struct store_record rec;
    CHECK_OK(store_get_record(w.store, 7, OID, &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_PENDING);
    (void)ask(&w, fd, get_request(rq, w.url, "Range: bytes=0-0\r\n"));
    CHECK_OK(store_get_record(w.store, 7, OID, &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_UPGRADING);
    (void)close(fd);
    tear_down(&w);
}

static void requests_may_be_pipelined(void)
{
    struct world w;
    char rq[1024];
    struct buf all;
    set_up(&w, false);
    buf_init(&all, 4096);
    (void)buf_text(&all, check_request(rq, "1.1"));
    (void)buf_text(&all, get_request(rq, w.url, "Range: bytes=0-0\r\n"));
    (void)buf_text(&all, check_request(rq, "1.1"));
    (void)buf_text(&all, get_request(rq, w.url, "Range: bytes=8-\r\n"));
    int fd = dial(&w);
    CHECK_STR(ask(&w, fd, (const char *)all.data),
              NO_NEWS PART("0", "0-0", "1") NO_NEWS PART("89", "8-9", "2"));
    (void)close(fd);
    buf_free(&all);
    tear_down(&w);
}

static void a_request_may_come_byte_by_byte(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    for (const char *p = check_request(rq, "1.1"); *p != '\0'; p++) {
        CHECK_INT(w.in.len_bytes, 0);
        CHECK_INT(send(fd, p, 1, MSG_NOSIGNAL), 1);
        (void)edge_run(w.edge, 0);
        (void)take(&w, fd);
    }
    CHECK_STR((const char *)w.in.data, NO_NEWS);
    CHECK_INT(cloud_requests(w.cloud, RQ_ANY), 1);
    (void)close(fd);
    tear_down(&w);
}

static void delays_pass_in_virtual_time(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    const struct cloud_fault slow = {RQ_CHECK, CF_DELAY, 1, 2, .ms = 5000};
    CHECK_OK(cloud_add_fault(w.cloud, &slow), NULL);
    int first = dial(&w), second = dial(&w), quick = dial(&w);
    say(first, check_request(rq, "1.1"));
    CHECK_INT(edge_run(w.edge, 100), 5 * NS_PER_S + 100);
    say(second, check_request(rq, "1.1"));
    CHECK_INT(edge_run(w.edge, 200), 5 * NS_PER_S + 100);

    say(quick, check_request(rq, "1.1"));
    (void)edge_run(w.edge, 300);
    (void)take(&w, quick);
    CHECK_STR((const char *)w.in.data, NO_NEWS);

    buf_clear(&w.in);
    (void)edge_run(w.edge, 5 * NS_PER_S + 99);
    (void)take(&w, first);
    CHECK_INT(w.in.len_bytes, 0);
    CHECK_INT(edge_run(w.edge, 5 * NS_PER_S + 100), 5 * NS_PER_S + 200);
    (void)take(&w, second);
    CHECK_INT(w.in.len_bytes, 0);
    (void)take(&w, first);
    CHECK_STR((const char *)w.in.data, NO_NEWS);
    CHECK_INT(edge_run(w.edge, 5 * NS_PER_S + 200), VTIME_NEVER);
    (void)take(&w, second);
    CHECK_STR((const char *)w.in.data, NO_NEWS NO_NEWS);
    (void)close(first);
    (void)close(second);
    (void)close(quick);
    tear_down(&w);
}

static void a_held_back_client_may_leave(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    const struct cloud_fault slow = {RQ_ANY, CF_DELAY, 1, 2, .ms = 1};
    CHECK_OK(cloud_add_fault(w.cloud, &slow), NULL);
    int gone = dial(&w), held = dial(&w), other = dial(&w);
    say(gone, check_request(rq, "1.1"));
    (void)edge_run(w.edge, 0);
    (void)close(gone);
    CHECK_INT(edge_run(w.edge, NS_PER_MS), VTIME_NEVER);
    say(held, check_request(rq, "1.1"));
    CHECK(edge_run(w.edge, NS_PER_MS) != VTIME_NEVER);
    CHECK_STR(ask(&w, other, check_request(rq, "1.1")), NO_NEWS);
    (void)close(other);
    /* Stopped while one reply is still held back. */
    tear_down(&w);
    (void)close(held);
}

static void a_big_body_passes_whole_and_in_order(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    say(fd, get_request(rq, w.big_url, ""));
    size_t head = 0;
    for (int i = 0; i < TURNS && w.in.len_bytes < head + BIG_BYTES; i++) {
        (void)edge_run(w.edge, 0);
        (void)take(&w, fd);
        const char *end = w.in.data == NULL ? NULL : strstr((const char *)w.in.data, "\r\n\r\n");
        if (end != NULL)
            head = (size_t)(end + 4 - (const char *)w.in.data);
    }
    CHECK_HAS((const char *)w.in.data, "Content-Length: 300000\r\n");
    CHECK_INT(w.in.len_bytes, head + BIG_BYTES);
    CHECK_MEM(w.in.data + head, w.big, BIG_BYTES);
    CHECK_STR(ask(&w, fd, check_request(rq, "1.1")), NO_NEWS);
    (void)close(fd);
    tear_down(&w);
}

/* SIGPIPE would end the test binary here. */
static void a_client_may_leave_in_the_middle(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    for (int i = 0; i < 3; i++) {
        int fd = dial(&w);
        say(fd, get_request(rq, w.big_url, ""));
        if (i > 0)
            (void)edge_run(w.edge, 0);
        if (i > 1) {
            CHECK_INT(recv(fd, rq, 100, 0), 100);
            (void)edge_run(w.edge, 0);
        }
        (void)close(fd);
        (void)edge_run(w.edge, 0);
    }
    int fd = dial(&w);
    CHECK_STR(ask(&w, fd, check_request(rq, "1.1")), NO_NEWS);
    (void)close(fd);
    tear_down(&w);
}

static void close_is_announced_and_done(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    const struct cloud_fault f = {RQ_CHECK, CF_CLOSE, 1, 1};
    CHECK_OK(cloud_add_fault(w.cloud, &f), NULL);
    int fd = dial(&w);
    CHECK_HAS(ask(&w, fd, check_request(rq, "1.1")), "\r\nConnection: close\r\n");
    CHECK(strstr((const char *)w.in.data, "Keep-Alive") == NULL);
    CHECK(take(&w, fd));
    (void)close(fd);
    tear_down(&w);
}

static void scripted_heads(void)
{
    static const struct {
        struct cloud_fault fault;
        const char *has;
        const char *has_not;
    } rows[] = {
        {{RQ_CHECK, CF_NO_CHUNK, 1, 1}, "\r\nContent-Length: 50\r\n\r\n{", "chunked"},
        {{RQ_CHECK, CF_REDIRECT, 1, 1, .text = "http://e/"},
         "\r\nLocation: http://e/\r\n",
         "chunk"},
        {{RQ_CHECK, CF_STATUS, 1, 1, .code = 503}, "HTTP/1.1 503 Service Unavailable\r\n", "chunk"},
        {{RQ_CHECK, CF_TRUNCATE, 1, 1, .bytes = 7}, "\r\n2B\r\n", "null"},
        {{RQ_CHECK, CF_TRUNCATE, 1, 1, .bytes = 99}, "chunked\r\n\r\n0\r\n\r\n", "status"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        char rq[1024];
        set_up(&w, false);
        CHECK_OK(cloud_add_fault(w.cloud, &rows[i].fault), NULL);
        int fd = dial(&w);
        const char *reply = ask(&w, fd, check_request(rq, "1.1"));
        CHECK_HAS(reply, rows[i].has);
        CHECK(strstr(reply, rows[i].has_not) == NULL);
        CHECK_STR(ask(&w, fd, check_request(rq, "1.1")), NO_NEWS);
        (void)close(fd);
        tear_down(&w);
    }
}

static void requests_beyond_the_limits(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    CHECK_HAS(ask(&w, fd, "POST /register/x HTTP/1.1\r\nHost: h\r\nContent-Length: 8193\r\n\r\n"),
              "HTTP/1.1 413 ");
    CHECK(take(&w, fd));
    (void)close(fd);

    /* Without a declared length it is read and thrown away. */
    fd = dial(&w);
    buf_clear(&w.in);
    say(fd, "POST /register/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(rq, sizeof rq, "80\r\n%0128d\r\n", i);
        say(fd, rq);
        (void)edge_run(w.edge, 0);
    }
    CHECK_HAS(ask(&w, fd, "0\r\n\r\n"), "HTTP/1.1 413 ");
    (void)close(fd);

    char target[HTTP_TARGET_MAX + 64];
    (void)snprintf(target, sizeof target, "GET /%0*d HTTP/1.1\r\nHost: h\r\n\r\n",
                   HTTP_TARGET_MAX - 1, 0);
    fd = dial(&w);
    CHECK_HAS(ask(&w, fd, target), "HTTP/1.1 414 ");
    (void)close(fd);
    (void)snprintf(target, sizeof target, "GET /%0*d HTTP/1.1\r\nHost: h\r\n\r\n",
                   HTTP_TARGET_MAX - 2, 0);
    fd = dial(&w);
    CHECK_HAS(ask(&w, fd, target), "HTTP/1.1 404 ");
    (void)close(fd);
    CHECK_INT(cloud_requests(w.cloud, RQ_ANY), 1);

    /* The library would end the path there, and what comes before be served. */
    fd = dial(&w);
    CHECK_HAS(ask(&w, fd, "GET /x%00y HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400 ");
    (void)close(fd);
    CHECK_INT(cloud_requests(w.cloud, RQ_ANY), 1);
    fd = dial(&w);
    CHECK_HAS(ask(&w, fd, "GET /x?y=%00 HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 404 ");
    (void)close(fd);
    tear_down(&w);
}

/* ---- the wire ---- */

static int dial_tcp(struct world *w)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(edge_port(w->edge)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Serves until the client has got text, or nothing happens for WAIT_MS. */
static const char *ask_tcp(struct world *w, int fd, const char *text, const char *until)
{
    buf_clear(&w->in);
    say(fd, text);
    for (int i = 0; i < TURNS; i++) {
        (void)edge_run(w->edge, 0);
        (void)take(w, fd);
        if (w->in.data != NULL && strstr((const char *)w->in.data, until) != NULL)
            break;
        struct pollfd both[] = {{.fd = edge_fd(w->edge), .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};
        if (poll(both, 2, WAIT_MS) == 0)
            break;
    }
    return w->in.data == NULL ? "" : (const char *)w->in.data;
}

static void a_real_client_on_a_kernel_port(void)
{
    struct world w;
    char rq[1024];
    set_up(&w, true);
    CHECK(edge_port(w.edge) != 0);
    int fd = dial_tcp(&w), other = dial_tcp(&w);
    const char *reply = ask_tcp(&w, fd, check_request(rq, "1.1"), "\r\n0\r\n\r\n");
    CHECK_HAS(reply, "\r\nDate: ");
    CHECK_HAS(reply, "\r\nConnection: Keep-Alive\r\n");
    CHECK_HAS(reply, "\r\n\r\n32\r\n{\"status\":2101,");
    CHECK_HAS(ask_tcp(&w, other, get_request(rq, w.url, "Range: bytes=2-5\r\n"), "\r\n\r\n2345"),
              "\r\nContent-Range: bytes 2-5/10\r\n");
    CHECK_HAS(ask_tcp(&w, fd, check_request(rq, "1.1"), "\r\n0\r\n\r\n"), "\"status\":2101,");
    (void)close(fd);
    (void)close(other);
    (void)edge_run(w.edge, 0);
    tear_down(&w);
}

static void simulation_has_no_port(void)
{
    struct world w;
    set_up(&w, false);
    CHECK_INT(edge_port(w.edge), 0);
    CHECK(edge_fd(w.edge) >= 0);
    tear_down(&w);
}

/* A service of its own, which admits 20000 bytes, or nobody without a name. */
static int64_t admit(void *ctx, const struct http_request *head, struct http_reply *rp)
{
    ++*(int *)ctx;
    if (head->authorization != NULL && strcmp(head->authorization, "me") == 0)
        return 20000;
    cloud_page(rp, 401);
    return -1;
}

static void count_body(void *ctx, int64_t now_ns, const struct http_request *rq,
                       struct http_reply *rp)
{
    (void)ctx;
    (void)now_ns;
    cloud_page(rp, 200);
    (void)buf_printf(&rp->text, "%s %s %zu bytes", rq->method, rq->path, rq->body_bytes);
}

/* What one who connects, sends head and body and then waits for the end gets. */
static const char *visit(struct world *w, struct edge *e, const char *head, size_t body_bytes)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(edge_port(e))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof at) == 0);
    say(fd, head);
    buf_clear(&w->in);
    bool over = false;
    for (size_t sent = 0, turn = 0; !over && turn < TURNS; turn++) {
        char piece[1000];
        size_t len = body_bytes - sent < sizeof piece ? body_bytes - sent : sizeof piece;
        memset(piece, 'x', sizeof piece);
        ssize_t n = len == 0 ? 0 : send(fd, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        struct pollfd p[2] = {{.fd = edge_fd(e), .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        (void)poll(p, 2, sent < body_bytes ? 0 : WAIT_MS);
        (void)edge_run(e, 0);
        over = take(w, fd);
    }
    CHECK(over);
    (void)close(fd);
    return w->in.data == NULL ? "" : (const char *)w->in.data;
}

static void a_service_answers_for_the_cloud(void)
{
    struct world w;
    struct err err = {""};
    int asked = 0;
    const struct edge_service service = {.ctx = &asked, .admit = admit, .answer = count_body};
    const struct edge_address at = {.service = &service};
    set_up(&w, false);
    struct edge *e = edge_listen(w.cloud, &at, &err);
    REQUIRE_OK(e == NULL ? ERR_IO : 0, &err);
    CHECK_HAS(visit(&w, e,
                    "PUT /f HTTP/1.1\r\nHost: h\r\nAuthorization: me\r\nConnection: close\r\n"
                    "Content-Length: 20000\r\n\r\n",
                    20000),
              "PUT /f 20000 bytes");
    CHECK_HAS(visit(&w, e,
                    "PUT /f HTTP/1.1\r\nHost: h\r\nAuthorization: me\r\nConnection: close\r\n"
                    "Content-Length: 20001\r\n\r\n",
                    0),
              "413");
    /* The head is enough to be refused. */
    CHECK_HAS(visit(&w, e, "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n", 0), "401");
    CHECK_INT(asked, 3);
    edge_free(e);
    tear_down(&w);
}

static const struct test tests[] = {
    {"a service answers for the cloud", a_service_answers_for_the_cloud},
    {"replies, byte for byte", replies_byte_for_byte},
    {"the query arrives raw", the_query_arrives_raw},
    {"requests may be pipelined", requests_may_be_pipelined},
    {"a request may come byte by byte", a_request_may_come_byte_by_byte},
    {"delays pass in virtual time", delays_pass_in_virtual_time},
    {"a held-back client may leave", a_held_back_client_may_leave},
    {"a big body passes whole and in order", a_big_body_passes_whole_and_in_order},
    {"a client may leave in the middle", a_client_may_leave_in_the_middle},
    {"close is announced and done", close_is_announced_and_done},
    {"scripted heads", scripted_heads},
    {"requests beyond the limits", requests_beyond_the_limits},
    {"a real client on a kernel port", a_real_client_on_a_kernel_port},
    {"simulation has no port", simulation_has_no_port},
};
TEST_MAIN("HTTP edge", tests)
