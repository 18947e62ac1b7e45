/*
 * A device on the simulated board against a cloud in the same test: every request is kept as text,
 * every reply can be bent. For tests only; functions are static, so each test binary has its own.
 */
#ifndef OTABENCH_AGENT_CMIOT_TESTING_H
#define OTABENCH_AGENT_CMIOT_TESTING_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "sim_device/agent/cmiot/agent.h"
#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/board/net_testing.h"

#define WORLD_REQUESTS_MAX 4096
#define WORLD_CALLS_MAX    16

enum request_kind { REGISTER, CHECK_VERSION, GET, REPORT_DOWN, REPORT_UP, OTHER, KINDS };

struct request {
    enum request_kind kind;
    unsigned nth;        /* of its kind, from 1 */
    unsigned connection; /* from 1 */
    char *text;          /* whole request */
    uint32_t from, to;   /* GET */
    int64_t at_ns;
};

struct world;
/* Bends the honest answer in *reply; null: honest. */
typedef enum act (*bend_fn)(struct world *w, const struct request *r, struct buf *reply);

struct world {
    struct test_net net; /* first */
    struct device_config config;
    struct nor *nor;
    const char *version; /* running */
    /* The calls of the next power-on: u upgrade, c check, o only upgrade, r report, and space:
     * sleep 10 s. */
    const char *calls;
    cmiot_int8 results[WORLD_CALLS_MAX];
    char versions[WORLD_CALLS_MAX][CMIOT_VERSION_NAME_MAX];
    size_t done;
    size_t peak_bytes;
    struct device device; /* as at the end of the power-on */
    /* Cloud. */
    uint8_t *package;
    uint32_t package_bytes;
    uint32_t delta_id;
    const char *version_name; /* null: not announced */
    int status[KINDS];        /* service code per step; 1000 by default */
    bend_fn bend;
    int stage; /* for bend functions */
    /* What happened. */
    struct request requests[WORLD_REQUESTS_MAX];
    size_t request_count;
    unsigned count[KINDS];
    char events[65536]; /* names of device events and their first field */
    size_t events_len;
    unsigned raised; /* programs that asked for a bit to rise */
};

/* ---- cloud ---- */

/* A control reply as the real cloud sends it: chunked. */
static inline void world_json(struct buf *out, const char *json)
{
    buf_clear(out);
    REQUIRE(buf_printf(out,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: "
                       "keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                       strlen(json), json) == 0);
}

static inline void world_status(struct buf *out, int status, const char *data)
{
    char json[1024];
    (void)snprintf(json, sizeof(json), "{\"status\":%d,\"msg\":\"%s\",\"data\":%s}", status,
                   status == 1000 ? "success" : "refused", data);
    world_json(out, json);
}

/* The data of a checkVersion reply; md5 null: the package's. */
static inline void world_offer(const struct world *w, char *out, size_t cap, const char *md5)
{
    char hex[DIGEST_HEX_MAX], name[200] = "";
    digest_hex_of(DIGEST_MD5, w->package, w->package_bytes, hex);
    if (w->version_name != NULL)
        (void)snprintf(name, sizeof(name), "\"versionName\":\"%s\",\"packageType\":1,",
                       w->version_name);
    (void)snprintf(out, cap,
                   "{\"version\":{%s\"deltaUrl\":\"http://dl.test:8080/p/%" PRIu32
                   "\",\"deltaID\":\"%" PRIu32 "\",\"fileSize\":%" PRIu32 ",\"md5sum\":\"%s\"}}",
                   name, w->delta_id, w->delta_id, w->package_bytes, md5 != NULL ? md5 : hex);
}

static inline void world_answer(struct world *w, const struct request *r, struct buf *reply)
{
    char data[700];
    switch (r->kind) {
    case REGISTER:
        world_status(reply, w->status[REGISTER],
                     "{\"deviceSecret\":\"s3cret-0123456789\",\"deviceId\":\"dev-42\"}");
        break;
    case CHECK_VERSION:
        world_offer(w, data, sizeof(data), NULL);
        world_status(reply, w->status[CHECK_VERSION],
                     w->status[CHECK_VERSION] == 1000 ? data : "null");
        break;
    case GET:
        test_http_range(reply, w->package, w->package_bytes, r->from, r->to);
        break;
    case REPORT_DOWN:
    case REPORT_UP:
        world_status(reply, w->status[r->kind], "null");
        break;
    default:
        test_http(reply, "404 Not Found", NULL, 0);
    }
}

/* ---- network ---- */

static inline void world_received(struct world *w, int sock, size_t len)
{
    static const char *const words[KINDS] = {[REGISTER] = "/register/",
                                             [CHECK_VERSION] = "/ota/checkVersion",
                                             [GET] = "GET ",
                                             [REPORT_DOWN] = "/ota/reportDownResult",
                                             [REPORT_UP] = "/ota/reportUpgradeResult",
                                             [OTHER] = ""};
    struct request *r = &w->requests[w->request_count++];
    if (w->request_count >= WORLD_REQUESTS_MAX)
        abort();
    r->text = strndup((const char *)w->net.sock[sock].in.data, len);
    char *line_end = strstr(r->text, "\r\n");
    *line_end = '\0';
    while (strstr(r->text, words[r->kind]) == NULL)
        r->kind++;
    *line_end = '\r';
    r->nth = ++w->count[r->kind];
    r->connection = w->net.sock[sock].connection;
    r->at_ns = w->net.b->ops->now_ns(w->net.b);
    const char *range = strstr(r->text, "\r\nRange: bytes=");
    if (range != NULL)
        (void)sscanf(range, "\r\nRange: bytes=%" SCNu32 "-%" SCNu32, &r->from, &r->to);
    buf_consume(&w->net.sock[sock].in, len);

    struct test_net_event *e = test_net_queue(&w->net, sock, w->net.latency_ns, NET_DATA);
    world_answer(w, r, &e->data);
    test_net_act(&w->net, e, w->bend != NULL ? w->bend(w, r, &e->data) : ACT_REPLY);
}

static inline int world_send(void *ctx, int sock, const void *data, size_t len_bytes)
{
    struct world *w = ctx;
    struct buf *in = &w->net.sock[sock].in;
    REQUIRE(buf_append(in, data, len_bytes) == 0);
    for (;;) {
        const char *text = (const char *)in->data;
        const char *end = in->len_bytes > 0 ? strstr(text, "\r\n\r\n") : NULL;
        if (end == NULL)
            break;
        size_t body = 0;
        const char *length = strstr(text, "\r\nContent-Length: ");
        if (length != NULL && length < end)
            body = strtoul(length + 18, NULL, 10);
        size_t len = (size_t)(end - text) + 4 + body;
        if (in->len_bytes < len)
            break;
        world_received(w, sock, len);
    }
    return (int)len_bytes;
}

static inline void world_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                               const struct trace_field *fields, size_t n)
{
    struct world *w = ctx;
    (void)now_ns;
    for (size_t i = 0; i < n; i++)
        w->raised += strcmp(fields[i].key, "raised") == 0;
    if (lane == LANE_FLASH || strcmp(event, "segment") == 0 || strcmp(event, "heap") == 0)
        return;
    if (w->events_len + 600 > sizeof(w->events))
        return;
    w->events_len +=
        (size_t)snprintf(w->events + w->events_len, sizeof(w->events) - w->events_len, "%s", event);
    for (size_t i = 0; i < n; i++) {
        char *at = w->events + w->events_len;
        size_t room = sizeof(w->events) - w->events_len;
        w->events_len += fields[i].text != NULL
                             ? (size_t)snprintf(at, room, " %.200s", fields[i].text)
                             : (size_t)snprintf(at, room, " %" PRId64, fields[i].integer);
    }
    w->events[w->events_len++] = '\n';
    w->events[w->events_len] = '\0';
}

/* ---- life ---- */

static inline struct world *world_new(const char *chip, uint32_t package_bytes)
{
    struct err err;
    struct world *w = calloc(1, sizeof(*w));
    REQUIRE(w != NULL);
    device_config_default(&w->config);
    w->config.geometry = *nor_geometry_find(chip);
    w->config.try_time_ms = 200;
    w->version = "1.0";
    w->version_name = "1.1";
    w->delta_id = 77;
    w->package_bytes = package_bytes;
    w->package = calloc(1, package_bytes + 1);
    struct rng rng;
    rng_init(&rng, 1, "package", "bytes", 0);
    rng_fill(&rng, w->package, package_bytes);
    for (int i = 0; i < KINDS; i++)
        w->status[i] = 1000;
    w->nor = nor_new(&w->config.geometry, 5, &err);
    REQUIRE(w->nor != NULL);
    test_net_init(&w->net, 10 * NS_PER_MS);
    const struct sim_board_config cfg = {
        .nor = w->nor,
        .partitions = &w->config.partitions,
        .net = {w, test_net_connect, world_send, test_net_close, test_net_resolve, NULL},
        .connect_timeout_ns = 20 * NS_PER_S,
        .event = world_event,
        .event_ctx = w,
    };
    w->net.s = sim_board_new(&cfg, &err);
    REQUIRE(w->net.s != NULL);
    w->net.b = sim_board_board(w->net.s);
    return w;
}

/* Forgets the requests and events so far. */
static inline void world_forget(struct world *w)
{
    for (size_t i = 0; i < w->request_count; i++)
        free(w->requests[i].text);
    memset(w->requests, 0, sizeof(w->requests));
    memset(w->count, 0, sizeof(w->count));
    w->request_count = 0;
    w->net.connects = 0;
    w->events_len = 0;
    w->events[0] = '\0';
}

static inline void world_free(struct world *w)
{
    CHECK(nor_fault(w->nor) == NULL);
    sim_board_free(w->net.s);
    nor_free(w->nor);
    world_forget(w);
    test_net_free(&w->net);
    free(w->package);
    free(w);
}

static inline void world_main(void *arg)
{
    struct world *w = arg;
    struct device software;
    agent_start(w->net.b, &software, &w->config, w->version);
    for (const char *c = w->calls; *c != '\0' && w->done < WORLD_CALLS_MAX; c++) {
        w->net.b->heap.peak_bytes = 0;
        cmiot_int8 rc = 0;
        if (*c == ' ') {
            board_sleep_ns(w->net.b, 10 * NS_PER_S);
            continue;
        }
        if (*c == 'u')
            rc = cmiot_upgrade();
        if (*c == 'c')
            rc = cmiot_check_version(w->versions[w->done]);
        if (*c == 'o')
            rc = cmiot_only_upgrade();
        if (*c == 'r')
            rc = cmiot_report_upgrade();
        w->results[w->done++] = rc;
        if (w->net.b->heap.peak_bytes > w->peak_bytes)
            w->peak_bytes = w->net.b->heap.peak_bytes;
        /* Nothing stays behind. */
        CHECK_INT(w->net.b->heap.used_bytes, 0);
        CHECK_INT(board_heap_blocks(w->net.b), 0);
        CHECK(!software.in_call);
    }
    w->device = software;
    w->net.b->ops->idle(w->net.b);
}

/* Runs a task "main" to the end of its power-on. */
static inline enum sim_state world_run(struct world *w, void (*entry)(void *), void *arg)
{
    test_net_drop(&w->net);
    memset(&w->device, 0, sizeof(w->device));
    w->done = 0;
    if (!nor_is_on(w->nor))
        nor_power_on(w->nor);
    CHECK_INT(sim_board_power_on(w->net.s, w->net.now_ns, entry, arg), 0);
    return test_net_run(&w->net);
}

/* One power-on with these calls; the result of the last one. */
static inline cmiot_int8 world_calls(struct world *w, const char *calls)
{
    w->calls = calls;
    CHECK_INT(world_run(w, world_main, w), SIM_IDLE);
    CHECK(w->done > 0);
    return w->done > 0 ? w->results[w->done - 1] : (cmiot_int8)-99;
}

/* The record as it is on flash now. */
static inline struct state_record world_record(struct world *w, uint32_t *mark);

static inline const uint8_t *world_download(struct world *w)
{
    return nor_peek(w->nor) + partition_find(&w->config.partitions, "download")->offset;
}

static inline int world_peek(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    memcpy(out, world_download(ctx) + addr, len_bytes);
    return 0;
}

static inline int world_refuse_program(void *ctx, uint32_t addr, const void *data, uint32_t len)
{
    (void)ctx;
    (void)addr;
    (void)data;
    (void)len;
    return ERR_IO;
}

static inline int world_refuse_erase(void *ctx, uint32_t addr, uint32_t len)
{
    return world_refuse_program(ctx, addr, NULL, len);
}

static inline struct state_record world_record(struct world *w, uint32_t *mark)
{
    struct state s;
    struct err err;
    struct state_layout layout;
    const struct state_io io = {w, world_peek, world_refuse_program, world_refuse_erase};
    device_state_layout(&w->config, &layout);
    CHECK_OK(state_open(&s, &io, &layout, &err), &err);
    if (mark != NULL)
        *mark = s.mark;
    return s.record;
}

/* Writes the record as another program (the boot loader) would. */
static inline int world_program(void *ctx, uint32_t addr, const void *data, uint32_t len)
{
    struct world *w = ctx;
    return nor_load(w->nor, partition_find(&w->config.partitions, "download")->offset + addr, data,
                    len);
}

static inline int world_erase(void *ctx, uint32_t addr, uint32_t len)
{
    uint8_t *blank = malloc(len);
    memset(blank, 0xFF, len);
    int rc = world_program(ctx, addr, blank, len);
    free(blank);
    return rc;
}

static inline void world_set_result(struct world *w, uint16_t result)
{
    struct state s;
    struct err err;
    struct state_layout layout;
    const struct state_io io = {w, world_peek, world_program, world_erase};
    device_state_layout(&w->config, &layout);
    REQUIRE_OK(state_open(&s, &io, &layout, &err), &err);
    struct state_record r = s.record;
    r.update_result = result;
    r.journal_base = 0;
    REQUIRE_OK(state_write(&s, &r, &err), &err);
}

/* ---- bends and looks that several tests use ---- */

static inline bool is_blank(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0xFF)
            return false;
    return true;
}

/* The last byte of the GET numbered by w->stage has a wrong bit. */
static inline enum act bend_flip(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind == GET && r->nth == (unsigned)w->stage)
        reply->data[reply->len_bytes - 1] ^= 0x10;
    return ACT_REPLY;
}

static inline enum act bend_stop_at_five(struct world *w, const struct request *r,
                                         struct buf *reply)
{
    (void)w;
    (void)reply;
    return r->kind == GET && r->nth == 5 ? ACT_RESET : ACT_REPLY;
}

/* A device of variant A. */
static inline struct world *direct_world(uint32_t package_bytes)
{
    struct world *w = world_new("spi4k", package_bytes);
    w->config.variant = DEVICE_DIRECT;
    return w;
}

/* Requests of the kind w->stage get no answer. */
static inline enum act bend_silence(struct world *w, const struct request *r, struct buf *reply)
{
    (void)reply;
    return (int)r->kind == w->stage ? ACT_SILENT : ACT_REPLY;
}

#endif
