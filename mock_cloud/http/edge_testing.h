/* What the tests of the HTTP edge share. */
#ifndef OTABENCH_MOCK_CLOUD_EDGE_TESTING_H
#define OTABENCH_MOCK_CLOUD_EDGE_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/testing/testing.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/cms/download.h"
#include "mock_cloud/http/edge.h"

#define PID       "g1i3zV1okW"
#define OID       "OID0000000000000000000001"
#define MD5       "781e5e245d69b566979b86e28d23f2c7"
#define BIG_BYTES 300000u
#define SCAN_HEAD "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\n"

struct world {
    struct store *store;
    struct cloud *cloud;
    struct edge *edge;
    uint8_t *big;
    char url[CMS_PATH_MAX], big_url[CMS_PATH_MAX];
    struct buf in; /* what the client got */
};

static inline void put_package(struct world *w, int64_t id, const char *from, const char *to,
                               const void *content, uint32_t bytes)
{
    struct store_package p = {
        .delta_id = id, .product_id = PID, .kind = PACKAGE_DELTA, .bytes = bytes, .md5_hex = MD5};
    (void)snprintf(p.from_version, sizeof p.from_version, "%s", from);
    (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
    REQUIRE_OK(store_put_package(w->store, &p, content, NULL), NULL);
}

static inline void set_up(struct world *w, bool listen)
{
    static const struct face *const faces[] = {&cms_face};
    struct err err = {""};
    *w = (struct world){.store = store_open(NULL, &err)};
    REQUIRE_OK(w->store == NULL ? ERR_IO : 0, &err);
    struct cloud_config cfg = {.store = w->store,
                               .download_host = "127.0.0.1",
                               .download_port = 80,
                               .project_key = "bench-key"};
    w->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(w->cloud == NULL ? ERR_IO : 0, &err);
    w->edge = edge_new(w->cloud, listen, &err);
    REQUIRE_OK(w->edge == NULL ? ERR_IO : 0, &err);
    struct store_product p = {.product_id = PID, .cms = true, .has_team = true};
    REQUIRE_OK(store_put_product(w->store, &p, &err), &err);
    w->big = malloc(BIG_BYTES);
    REQUIRE(w->big != NULL);
    for (uint32_t i = 0; i < BIG_BYTES; i++)
        w->big[i] = (uint8_t)(i * 7 + (i >> 8));
    put_package(w, 7, "1.0", "1.1", "0123456789", 10);
    put_package(w, 8, "5.0", "5.1", w->big, BIG_BYTES);
    cms_download_path(w->cloud, 0, 7, w->url);
    cms_download_path(w->cloud, 0, 8, w->big_url);
    buf_init(&w->in, 1 << 20);
}

static inline void tear_down(struct world *w)
{
    edge_free(w->edge);
    cloud_free(w->cloud);
    store_close(w->store);
    free(w->big);
    buf_free(&w->in);
}

static inline int dial(struct world *w)
{
    struct err err = {""};
    int fd = edge_connect(w->edge, &err);
    REQUIRE_OK(fd < 0 ? fd : 0, &err);
    return fd;
}

static inline void say(int fd, const char *text)
{
    size_t len = strlen(text);
    CHECK_INT(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Takes what is there now; true if the other side has closed. */
static inline bool take(struct world *w, int fd)
{
    char piece[4096];
    ssize_t n = 0;
    while ((n = recv(fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
        REQUIRE(buf_append(&w->in, piece, (size_t)n) == 0);
    return n == 0;
}

/* All that the client gets for one write, as text. */
static inline const char *ask(struct world *w, int fd, const char *text)
{
    buf_clear(&w->in);
    say(fd, text);
    (void)edge_run(w->edge, 0);
    (void)take(w, fd);
    return w->in.data == NULL ? "" : (const char *)w->in.data;
}

static inline const char *check_request(char out[1024], const char *version)
{
    char sign[33], body[512];
    cms_sign("", OID, PID, 133, sign);
    (void)snprintf(body, sizeof body,
                   "{\"mid\":\"861234567890123\",\"version\":\"%s\",\"timestamp\":133,"
                   "\"sign\":\"%s\"}",
                   version, sign);
    (void)snprintf(out, 1024,
                   "POST /product/" PID "/" OID "/ota/checkVersion HTTP/1.1\r\nAccept: */*\r\n"
                   "Host: h\r\nContent-Type: application/json\r\nContent-Length: %04zu\r\n\r\n%s",
                   strlen(body), body);
    return out;
}

#define NO_NEWS                                                                                    \
    SCAN_HEAD "Content-Type: application/json;charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n" \
              "32\r\n{\"status\":2101,\"msg\":\"no new version\",\"data\":null}\r\n0\r\n\r\n"

#endif
