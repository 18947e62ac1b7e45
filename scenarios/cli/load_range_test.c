#include "scenarios/cli/load_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/testing/testing.h"

#define FILE_BYTES  10
#define RANGE_BYTES 4
#define TURNS_MAX   500

/* A server that is read like a script: a reply to each request. Null: it closes. */
struct sample {
    const char *name;
    const char *replies[4];
    const char *story; /* part of it; null: the file is complete */
    const char *got;
    unsigned requests;
};

#define PART(range, length, body)                                                                  \
    "HTTP/1.1 206 Partial Content\r\nContent-Length: " length "\r\nContent-Range: bytes " range    \
    "/10\r\n\r\n" body

static const struct sample samples[] = {
    {"the file",
     {PART("0-3", "4", "0123"), PART("4-7", "4", "4567"), PART("8-9", "2", "89")},
     NULL,
     "0123456789",
     3},
    {"a status that is not 206",
     {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"},
     "range at 0: answered with status 403",
     "",
     0},
    {"the whole for a part",
     {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"},
     "range at 0: answered with status 200",
     "",
     0},
    {"another range",
     {PART("0-3", "4", "0123"), PART("5-8", "4", "5678")},
     "range at 4: answered with another range",
     "0123",
     1},
    {"a range without its place",
     {"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\n0123"},
     "answered with another range",
     "",
     0},
    {"a short body", {PART("0-3", "3", "012")}, "fewer bytes than asked for", "012", 0},
    {"a long body", {PART("0-3", "5", "01234")}, "more bytes than asked for", "", 0},
    {"bytes behind the reply", {PART("0-3", "4", "0123HTTP")}, "bytes behind the reply", "0123", 1},
    {"a connection that ends", {PART("0-3", "4", "01"), NULL}, "the server closed", "01", 0},
    {"a connection that is not kept",
     {"HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: 4\r\n"
      "Content-Range: bytes 0-3/10\r\n\r\n0123"},
     "the connection is not kept",
     "",
     0},
    {"no HTTP", {"SSH-2.0-OpenSSH\r\n\r\n"}, "no HTTP reply", "", 0},
};

struct desk {
    char got[64], story[160];
    int rc;
    bool done;
    uint64_t requests;
};

static void on_data(void *ctx, uint64_t at, const uint8_t *data, size_t len_bytes)
{
    struct desk *d = ctx;
    CHECK_INT(at, strlen(d->got));
    REQUIRE(strlen(d->got) + len_bytes < sizeof d->got);
    (void)strncat(d->got, (const char *)data, len_bytes);
}

static void on_done(void *ctx, int rc, const char *story)
{
    struct desk *d = ctx;
    CHECK(!d->done);
    d->done = true;
    d->rc = rc;
    (void)snprintf(d->story, sizeof d->story, "%s", story);
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 4) == 0 &&
            getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Reads one request, answers with the next reply. */
static void serve(int *fd, const struct sample *s, size_t *next)
{
    char request[1024], want[64];
    ssize_t n = recv(*fd, request, sizeof request - 1, MSG_DONTWAIT);
    if (n <= 0)
        return;
    request[n] = '\0';
    (void)snprintf(want, sizeof want, "Range: bytes=%zu-%zu\r\n", *next * RANGE_BYTES,
                   *next == 2 ? (size_t)FILE_BYTES - 1 : *next * RANGE_BYTES + RANGE_BYTES - 1);
    CHECK_HAS(request, "GET /f?a=b HTTP/1.1\r\nHost: 127.0.0.1:");
    CHECK_HAS(request, want);
    const char *reply = s->replies[(*next)++];
    REQUIRE(reply != NULL && send(*fd, reply, strlen(reply), MSG_NOSIGNAL) > 0);
    if (*next < 4 && s->replies[*next] == NULL && strstr(s->name, "that ends") != NULL)
        (void)shutdown(*fd, SHUT_WR);
}

static void fetches(const void *row)
{
    const struct sample *s = row;
    struct desk d = {.requests = 0};
    struct err err = {.text = ""};
    uint16_t port = 0;
    char url[64];
    size_t next = 0;
    int listener = listen_here(&port), peer = -1, loop = epoll_create1(EPOLL_CLOEXEC);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/f?a=b", port);
    const struct range_config cfg = {.epoll_fd = loop,
                                     .url = url,
                                     .file_bytes = FILE_BYTES,
                                     .range_bytes = RANGE_BYTES,
                                     .requests = &d.requests,
                                     .data = on_data,
                                     .done = on_done,
                                     .ctx = &d};
    struct range_client *c = range_client_new(&cfg, &err);
    REQUIRE_OK(c == NULL ? ERR_IO : 0, &err);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    REQUIRE(peer >= 0);
    for (int i = 0; i < TURNS_MAX && !d.done; i++) {
        struct epoll_event e;
        if (epoll_wait(loop, &e, 1, 10) == 1) {
            const struct load_watch *w = e.data.ptr;
            w->ready(w->ctx, e.events);
        }
        serve(&peer, s, &next);
    }
    CHECK(d.done);
    CHECK_INT(d.rc != 0, s->story != NULL);
    CHECK_HAS(d.story, s->story == NULL ? "" : s->story);
    CHECK_STR(d.got, s->got);
    CHECK_INT(d.requests, s->requests);
    range_client_free(c);
    (void)close(peer);
    (void)close(listener);
    (void)close(loop);
}

static void other_urls(void)
{
    static const char *const urls[] = {"", "https://127.0.0.1/f", "http://localhost/f",
                                       "http://127.0.0.1", "ftp://127.0.0.1/f"};
    struct desk d = {.requests = 0};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct err err = {.text = ""};
        const struct range_config cfg = {.epoll_fd = -1,
                                         .url = urls[i],
                                         .file_bytes = 1,
                                         .range_bytes = 1,
                                         .requests = &d.requests,
                                         .data = on_data,
                                         .done = on_done,
                                         .ctx = &d};
        CHECK(range_client_new(&cfg, &err) == NULL);
        CHECK(err.text[0] != '\0');
    }
    CHECK(!d.done);
}

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->name;
}

static const struct test tests[] = {
    TEST_ROWS("a client is served", fetches, samples, sample_name),
    {"URLs that it does not take", other_urls},
};
TEST_MAIN("load in ranges", tests)
