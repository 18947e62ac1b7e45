/* Real clients that are bad: whatever they do is bounded, told, and disturbs nobody else. Time is
 * given, so nothing waits. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/cms/download.h"
#include "mock_cloud/http/edge.h"

#define PID       "g1i3zV1okW"
#define MD5       "781e5e245d69b566979b86e28d23f2c7"
#define BIG_BYTES (4u << 20) /* more than the kernel's buffers hold */
#define LIMIT_S   30
#define SILENT    900
#define TURNS_MAX 2000

struct world {
    struct store *store;
    struct cloud *cloud;
    struct edge *edge;
    uint8_t *big;
    char url[CMS_PATH_MAX], big_url[CMS_PATH_MAX];
    int64_t now_ns;
    char told[1024];
    struct buf in;
};

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct world *w = ctx;
    size_t at = strlen(w->told);
    (void)now_ns, (void)lane;
    if (strcmp(event, "refused") == 0 && n == 2)
        (void)snprintf(w->told + at, sizeof w->told - at, "%s: %s|", fields[0].text,
                       fields[1].text);
}

static void put_package(struct world *w, int64_t id, const void *content, uint32_t bytes)
{
    const struct store_package p = {.delta_id = id,
                                    .product_id = PID,
                                    .from_version = "1.0",
                                    .to_version = "1.1",
                                    .kind = PACKAGE_DELTA,
                                    .bytes = bytes,
                                    .md5_hex = MD5};
    REQUIRE_OK(store_put_package(w->store, &p, content, NULL), NULL);
}

static void set_up(struct world *w)
{
    static const struct face *const faces[] = {&cms_face};
    const struct edge_address at = {.idle_limit_s = LIMIT_S};
    struct err err = {""};
    *w = (struct world){.store = store_open(NULL, &err), .now_ns = 1000 * NS_PER_S};
    REQUIRE_OK(w->store == NULL ? ERR_IO : 0, &err);
    const struct cloud_config cfg = {.store = w->store,
                                     .download_host = "127.0.0.1",
                                     .project_key = "bench-key",
                                     .event = on_event,
                                     .event_ctx = w};
    w->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(w->cloud == NULL ? ERR_IO : 0, &err);
    w->edge = edge_listen(w->cloud, &at, &err);
    REQUIRE_OK(w->edge == NULL ? ERR_IO : 0, &err);
    const struct store_product p = {.product_id = PID, .cms = true, .has_team = true};
    REQUIRE_OK(store_put_product(w->store, &p, &err), &err);
    w->big = calloc(1, BIG_BYTES);
    REQUIRE(w->big != NULL);
    put_package(w, 7, "0123456789", 10);
    put_package(w, 8, w->big, BIG_BYTES);
    cms_download_path(w->cloud, 0, 7, w->url);
    cms_download_path(w->cloud, 0, 8, w->big_url);
    buf_init(&w->in, 2 * BIG_BYTES);
}

static void tear_down(struct world *w)
{
    edge_free(w->edge);
    cloud_free(w->cloud);
    store_close(w->store);
    free(w->big);
    buf_free(&w->in);
}

static int dial(struct world *w, int receive_bytes)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(edge_port(w->edge)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (receive_bytes > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    REQUIRE(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void say(int fd, const char *path)
{
    char text[512];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    CHECK_INT(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* Runs the edge until what it has answered has part in it, or a bound of turns. */
static bool hears(struct world *w, int fd, const char *part)
{
    char piece[65536];
    buf_clear(&w->in);
    for (int i = 0; i < TURNS_MAX; i++) {
        (void)edge_run(w->edge, w->now_ns);
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n > 0)
            REQUIRE(buf_append(&w->in, piece, (size_t)n) == 0);
        if (w->in.data != NULL && strstr((const char *)w->in.data, part) != NULL)
            return true;
        if (n == 0)
            return false;
        struct pollfd p[] = {{.fd = fd, .events = POLLIN},
                             {.fd = edge_fd(w->edge), .events = POLLIN}};
        if (n < 0 && poll(p, 2, 10) == 0 && i > 20)
            return false;
    }
    return false;
}

/* Whether the other side has closed it; what is there is thrown away. */
static bool is_closed(struct world *w, int fd)
{
    char piece[65536];
    for (int i = 0; i < 20; i++) {
        (void)edge_run(w->edge, w->now_ns);
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n == 0)
            return true;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        (void)poll(&p, 1, 1);
    }
    return false;
}

static bool serves(struct world *w)
{
    int fd = dial(w, 0);
    say(fd, w->url);
    bool good = hears(w, fd, "0123456789");
    (void)close(fd);
    return good;
}

static void pass(struct world *w, int64_t s)
{
    (void)edge_run(w->edge, w->now_ns);
    w->now_ns += s * NS_PER_S;
    (void)edge_run(w->edge, w->now_ns);
}

static void who_says_nothing_goes(void)
{
    struct world w;
    set_up(&w);
    int fd = dial(&w, 0);
    pass(&w, LIMIT_S - 1);
    CHECK(!is_closed(&w, fd));
    CHECK(serves(&w));
    pass(&w, 2);
    CHECK(is_closed(&w, fd));
    pass(&w, 1);
    CHECK_STR(w.told, "http: 1 connections closed that did not ask or read in time, 0 that had not "
                      "asked when places ran short; 0 refusals held back|");
    (void)close(fd);
    tear_down(&w);
}

/* A head that comes byte by byte and never ends; every byte counts as life for a plain time-out. */
static void a_head_without_an_end_goes(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct world w;
    set_up(&w);
    int fd = dial(&w, 0);
    for (int s = 0; s < LIMIT_S - 1; s++) {
        CHECK_INT(send(fd, &head[s], 1, MSG_NOSIGNAL), 1);
        pass(&w, 1);
    }
    CHECK(!is_closed(&w, fd));
    pass(&w, 2);
    CHECK(is_closed(&w, fd));
    CHECK(serves(&w));
    (void)close(fd);
    tear_down(&w);
}

static void who_hardly_reads_disturbs_nobody_and_goes(void)
{
    struct world w;
    char byte;
    set_up(&w);
    int fd = dial(&w, 4096);
    say(fd, w.big_url);
    for (int s = 0; s < 3 * LIMIT_S; s++) { /* a byte a second */
        pass(&w, 1);
        (void)recv(fd, &byte, 1, MSG_DONTWAIT);
        CHECK(s % 10 != 0 || serves(&w));
    }
    CHECK_STR(w.told, ""); /* slow, but not for too long yet */
    int other = dial(&w, 0);
    say(other, w.big_url);
    CHECK(!hears(&w, other, "no such text"));
    CHECK(w.in.len_bytes > BIG_BYTES); /* somebody else got all of it meanwhile */
    pass(&w, BIG_BYTES / 16);
    pass(&w, 1);
    CHECK_HAS(w.told, "1 connections closed that did not ask or read in time");
    CHECK(serves(&w));
    (void)close(fd);
    (void)close(other);
    tear_down(&w);
}

/* Else hundreds of such clients cost seconds in which nobody is served. */
static void who_does_not_read_takes_little(void)
{
    struct world w;
    char piece[65536];
    size_t taken = 0;
    ssize_t n = 0;
    set_up(&w);
    int fd = dial(&w, 4096);
    say(fd, w.big_url);
    for (int i = 0; i < 20; i++) {
        struct pollfd p = {.fd = edge_fd(w.edge), .events = POLLIN};
        (void)poll(&p, 1, 5);
        (void)edge_run(w.edge, w.now_ns);
    }
    edge_free(w.edge); /* what the kernel has of it still comes */
    w.edge = NULL;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
        taken += (size_t)n;
    CHECK_INT(n, 0);
    CHECK(taken > 0 && taken < BIG_BYTES / 4);
    (void)close(fd);
    tear_down(&w);
}

static void a_connection_that_is_kept_must_ask_again(void)
{
    struct world w;
    set_up(&w);
    int fd = dial(&w, 0);
    for (int i = 0; i < 5; i++) {
        say(fd, w.url);
        CHECK(hears(&w, fd, "0123456789"));
        pass(&w, LIMIT_S - 1);
    }
    CHECK(!is_closed(&w, fd));
    pass(&w, 2);
    CHECK(is_closed(&w, fd));
    pass(&w, 2);
    CHECK_STR(w.told, ""); /* nothing bad about it */
    (void)close(fd);
    tear_down(&w);
}

static void a_silent_crowd_makes_room(void)
{
    struct world w;
    static int fds[SILENT];
    struct rlimit files;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 2 * SILENT + 64);
    set_up(&w);
    for (int i = 0; i < SILENT; i++) {
        fds[i] = dial(&w, 0);
        (void)edge_run(w.edge, w.now_ns);
    }
    pass(&w, 1);
    CHECK(!is_closed(&w, fds[0])); /* who has just come may still ask */
    CHECK_STR(w.told, "");
    pass(&w, 1);
    for (int i = 0; i < 20; i++)
        CHECK(serves(&w));
    pass(&w, 1);
    CHECK_STR(w.told, "http: 0 connections closed that did not ask or read in time, 132 that had "
                      "not asked when places ran short; 0 refusals held back|");
    CHECK(is_closed(&w, fds[0]));
    CHECK(!is_closed(&w, fds[SILENT - 1]));
    for (int i = 0; i < SILENT; i++)
        (void)close(fds[i]);
    tear_down(&w);
}

static void who_is_refused_again_and_again_waits(void)
{
    struct world w;
    int early = 0;
    set_up(&w);
    int fd = dial(&w, 0);
    for (int i = 0; i < 100 && early == i; i++) {
        say(fd, "/nowhere");
        early += hears(&w, fd, "<h1>404</h1>");
    }
    CHECK_INT(early, 50);
    CHECK(serves(&w)); /* others do not wait */
    pass(&w, 1);
    CHECK(hears(&w, fd, "<h1>404</h1>"));
    pass(&w, 1);
    CHECK_HAS(w.told, "1 refusals held back");
    (void)close(fd);
    tear_down(&w);
}

static const struct test tests[] = {
    {"who says nothing goes", who_says_nothing_goes},
    {"a head without an end goes", a_head_without_an_end_goes},
    {"who hardly reads disturbs nobody, and goes", who_hardly_reads_disturbs_nobody_and_goes},
    {"who does not read takes little", who_does_not_read_takes_little},
    {"a connection that is kept must ask again", a_connection_that_is_kept_must_ask_again},
    {"a silent crowd makes room", a_silent_crowd_makes_room},
    {"who is refused again and again waits", who_is_refused_again_and_again_waits},
};
TEST_MAIN("HTTP edge and bad clients", tests)
