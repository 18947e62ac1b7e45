/* What the tests of the CMS-OTA cloud share. */
#ifndef OTABENCH_MOCK_CLOUD_CMS_TESTING_H
#define OTABENCH_MOCK_CLOUD_CMS_TESTING_H

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/cms/cms.h"
#include "mock_cloud/cms/download.h"

/* The two products: A registers and signs with secrets, C comes through the CMS tunnel. */
#define PID_A  "1000000001"
#define PID_C  "g1i3zV1okW"
#define MID    "861234567890123"
#define SECRET "prodsecretprodsecretprodsecret12"
/* What registering MID gives, worked out with another program from the rule in cms.c. */
#define DID     "69742f97934956b980be29b5"
#define DSECRET "5b9b647e23fb4b8fb0f4eae2bec18000"
#define OID     "OID0000000000000000000001"
/* Signatures over timestamp 133, worked out with another program. */
#define SIGN_REGISTER "563f0c1bb7835ace0b12bc1344b2e33a"
#define SIGN_A        "b5c5fd2ee7dc4efdf169eb07058b7ea0"
#define SIGN_C        "d0dd0857ddc06fa1080b6b18df99a70c"
#define MD5           "781e5e245d69b566979b86e28d23f2c7"
#define URL_A         "http://127.0.0.1:8080/fota/7/1a442624200/c53cd65928a3387e6f8dfe6e26672743"
#define URL_C         "http://127.0.0.1:8080/fota/8/1a442624200/06134bffdfcedf6f8e85482f18a7c912"
#define NOW_NS        (5 * NS_PER_S)
#define LIFETIME_NS   (1800 * NS_PER_S)

#define REGISTER                                                                                   \
    "{\"mid\":\"" MID "\",\"oem\":\"acme\",\"models\":\"m1\",\"platform\":\"W217\","               \
    "\"deviceType\":\"watch\",\"timestamp\":133,\"sign\":\"" SIGN_REGISTER "\","                   \
    "\"sdkversion\":\"-\",\"appversion\":\"ONEOS_V1.0\",\"version\":\"1.0\",\"networkType\":\"-"   \
    "\"}"
#define CHECK_BODY(v, sign)                                                                        \
    "{\"mid\":\"" MID "\",\"version\":\"" v "\",\"timestamp\":133,\"sign\":\"" sign "\"}"
#define DOWN_BODY(id, status, sign)                                                                \
    "{\"mid\":\"" MID "\",\"deltaID\":" id ",\"downloadStatus\":" status                           \
    ",\"downStart\":133,\"downEnd\":133,\"downSize\":10,\"timestamp\":133,\"sign\":\"" sign "\"}"
#define UP_BODY(id, status, sign)                                                                  \
    "{\"mid\":\"" MID "\",\"deltaID\":" id ",\"updateStatus\":" status                             \
    ",\"timestamp\":133,\"sign\":\"" sign "\"}"
#define REPLY(code, text) "{\"status\":" code ",\"msg\":\"" text "\",\"data\":null}"
#define GOOD              REPLY("1000", "success")

#define A_PATH(op) "/product/" PID_A "/" DID "/ota/" op
#define C_PATH(op) "/product/" PID_C "/" OID "/ota/" op

struct world {
    struct store *store;
    struct cloud *cloud;
    struct http_reply reply;
};

static inline void put_package(struct store *s, int64_t id, const char *product, const char *to,
                               enum package_kind kind)
{
    struct store_package p = {.delta_id = id, .kind = kind, .bytes = 10, .md5_hex = MD5};
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", product);
    (void)snprintf(p.from_version, sizeof p.from_version, "%s", kind == PACKAGE_FULL ? "" : "1.0");
    (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
    REQUIRE_OK(store_put_package(s, &p, "0123456789", NULL), NULL);
}

static inline void set_up(struct world *w)
{
    static const struct face *const faces[] = {&cms_face};
    struct err err = {""};
    *w = (struct world){.store = store_open(NULL, &err)};
    REQUIRE_OK(w->store == NULL ? ERR_IO : 0, &err);
    buf_init(&w->reply.text, 65536);
    struct cloud_config cfg = {.store = w->store,
                               .url_lifetime_ns = LIFETIME_NS,
                               .download_host = "127.0.0.1",
                               .download_port = 8080,
                               .project_key = "bench-key"};
    w->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(w->cloud == NULL ? ERR_IO : 0, &err);
    struct store_product a = {.product_id = PID_A,
                              .secret = SECRET,
                              .has_team = true,
                              .oem = "acme",
                              .model = "m1",
                              .platform = "W217",
                              .device_type = "watch",
                              .owner = "someone"};
    REQUIRE_OK(store_put_product(w->store, &a, &err), &err);
    struct store_product c = {
        .product_id = PID_C, .cms = true, .has_team = true, .owner = "someone"};
    REQUIRE_OK(store_put_product(w->store, &c, &err), &err);
    put_package(w->store, 7, PID_A, "1.1", PACKAGE_DELTA);
    put_package(w->store, 8, PID_C, "2.0", PACKAGE_FULL);
}

static inline void tear_down(struct world *w)
{
    cloud_free(w->cloud);
    store_close(w->store);
    buf_free(&w->reply.text);
}

static inline const char *post_at(struct world *w, int64_t now_ns, const char *path,
                                  const char *body)
{
    struct http_request rq = {
        .method = "POST", .path = path, .body = (const uint8_t *)body, .body_bytes = strlen(body)};
    cloud_http(w->cloud, now_ns, &rq, &w->reply);
    return (const char *)w->reply.text.data;
}

static inline const char *post(struct world *w, const char *path, const char *body)
{
    return post_at(w, NOW_NS, path, body);
}

/* Registers the A device and lets both devices be offered their package. */
static inline void make_known(struct world *w)
{
    CHECK_HAS(post(w, "/register/" PID_A, REGISTER), "\"status\":1000,");
    CHECK_HAS(post(w, A_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_A)), "\"status\":1000,");
    CHECK_HAS(post(w, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C)), "\"status\":1000,");
}

struct get_row {
    const char *name;
    const char *method;
    const char *range, *if_range, *if_none_match;
    int status;
    const char *body; /* null: no view */
    const char *content_range;
};

static inline const struct http_reply *get(struct world *w, int64_t now_ns, const struct get_row *r,
                                           const char *path, const char *query)
{
    struct http_request rq = {.method = r->method,
                              .path = path,
                              .query = query,
                              .range = r->range,
                              .if_range = r->if_range,
                              .if_none_match = r->if_none_match};
    cloud_http(w->cloud, now_ns, &rq, &w->reply);
    return &w->reply;
}

static const struct get_row plain_get = {.method = "GET"};

#endif
