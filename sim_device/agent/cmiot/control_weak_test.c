/* The control channel on bad connections: pieces, silence, retries, servers that misbehave. */
#include "sim_device/agent/cmiot/cmiot_testing.h"

static enum act bend_bytes(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)r;
    (void)reply;
    return ACT_BYTE_BY_BYTE;
}

static void one_byte_at_a_time(void)
{
    struct world *w = world_new("spi4k", 400);
    w->bend = bend_bytes;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, 400);
    world_free(w);
}

static enum act bend_length(struct world *w, const struct request *r, struct buf *reply)
{
    char data[700], json[1024];
    if (r->kind == CHECK_VERSION) {
        world_offer(w, data, sizeof(data), NULL);
        (void)snprintf(json, sizeof(json), "{\"status\":1000,\"msg\":\"success\",\"data\":%s}",
                       data);
        test_http(reply, w->stage == 0 ? "200 OK" : "200 OK\r\nConnection: close", json,
                  strlen(json));
    }
    return w->stage == 0 ? ACT_REPLY : ACT_REPLY_CLOSE;
}

/* Content-Length instead of chunked, and a server that closes after each reply. */
static void other_framings(void)
{
    for (int stage = 0; stage < 2; stage++) {
        struct world *w = world_new("spi4k", 300);
        w->bend = bend_length;
        w->stage = stage;
        CHECK_INT(world_calls(w, "c"), 0);
        world_free(w);
    }
}

/* ---- retries and time-outs ---- */

static enum act bend_garbage(struct world *w, const struct request *r, struct buf *reply)
{
    if ((int)r->kind == w->stage) {
        buf_clear(reply);
        REQUIRE(buf_text(reply, "garbage\r\n\r\n") == 0);
    }
    return ACT_REPLY;
}

static void retries_are_exact(void)
{
    static const int kinds[] = {CHECK_VERSION, GET, REPORT_DOWN};
    for (size_t i = 0; i < 3; i++)
        for (uint8_t tries = 0; tries < 7; tries += 3) {
            struct world *w = world_new("spi4k", 300);
            w->config.try_count = tries;
            w->config.segment_retries = tries;
            w->bend = bend_garbage;
            w->stage = kinds[i];
            CHECK_INT(world_calls(w, "u"), -1);
            CHECK_INT(w->count[kinds[i]], tries + 1);
            world_free(w);
        }
}

static enum act bend_first_garbage(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    if (r->nth % 7 != 0) { /* each one comes through on its last try */
        buf_clear(reply);
        REQUIRE(buf_text(reply, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") == 0);
    }
    return ACT_REPLY;
}

static void last_try_counts(void)
{
    struct world *w = world_new("spi4k", 300);
    w->bend = bend_first_garbage;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[CHECK_VERSION], 7);
    CHECK_INT(w->count[GET], 21);
    CHECK_INT(w->count[REPORT_DOWN], 7);
    world_free(w);
}

/* Five empty receives of the configured time with 10 ms each, 500 ms after the close, no re-send.
 */
static void silence(void)
{
    struct world *w = world_new("spi4k", 300);
    w->bend = bend_silence;
    w->stage = CHECK_VERSION;
    w->config.try_time_ms = 1234;
    int64_t start_ns = w->net.now_ns;
    CHECK_INT(world_calls(w, "c"), -1);
    CHECK_INT(w->count[CHECK_VERSION], 1);
    /* look-up 10 ms, connect 10 ms */
    CHECK_INT((w->net.now_ns - start_ns) / NS_PER_MS, 20 + 5 * (1234 + 10) + 500);
    world_free(w);
    w = world_new("spi4k", 300);
    w->bend = bend_silence;
    w->stage = GET;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[GET], 1);
    world_free(w);
}

/* A reply just in time is taken, whatever single receive timed out. */
static void late_reply(void)
{
    struct world *w = world_new("spi4k", 300);
    w->net.latency_ns = 900 * NS_PER_MS; /* of 5 x 200 ms */
    CHECK_INT(world_calls(w, "u"), 0);
    world_free(w);
    w = world_new("spi4k", 300);
    w->net.latency_ns = 1100 * NS_PER_MS;
    CHECK_INT(world_calls(w, "u"), -1);
    world_free(w);
}

static void no_network(void)
{
    struct world *w = world_new("spi4k", 300);
    w->net.refuse_connect = true;
    CHECK_INT(world_calls(w, "ucr"), E_CMIOT_NO_UPGRADE);
    CHECK_INT(w->results[0], -1);
    CHECK_INT(w->results[1], -1);
    w->net.refuse_connect = false;
    w->net.no_name = true;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->request_count, 0);
    world_free(w);
}

/* Idle close between register and check: the request goes out again on a new connection. */
static enum act bend_idle_close(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)reply;
    if (r->kind == REGISTER)
        return ACT_REPLY_CLOSE;
    return ACT_REPLY;
}

static void idle_close(void)
{
    struct world *w = direct_world(300);
    w->bend = bend_idle_close;
    CHECK_INT(world_calls(w, "c"), 0);
    CHECK_INT(w->net.connects, 2);
    world_free(w);
}

static enum act bend_busy(struct world *w, const struct request *r, struct buf *reply)
{
    if ((int)r->kind == w->stage)
        test_http(reply, "503 Service Unavailable", NULL, 0);
    return ACT_REPLY;
}

static void busy_server(void)
{
    static const int kinds[] = {CHECK_VERSION, GET};
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new("spi4k", 300);
        w->bend = bend_busy;
        w->stage = kinds[i];
        CHECK_INT(world_calls(w, "u"), -1);
        CHECK_INT(w->count[kinds[i]], 1);
        CHECK(w->device.back_off);
        world_free(w);
    }
}

static enum act bend_endless_head(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    if (r->kind != GET)
        return ACT_REPLY;
    buf_clear(reply);
    REQUIRE(buf_text(reply, "HTTP/1.1 206 Partial Content\r\nX: ") == 0);
    for (int i = 0; i < 5000; i++)
        REQUIRE(buf_append(reply, "a", 1) == 0);
    return ACT_REPLY;
}

static void endless_head(void)
{
    struct world *w = world_new("spi4k", 300);
    w->bend = bend_endless_head;
    w->config.segment_retries = 1;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[GET], 2);
    world_free(w);
}

/* A body that trickles below the declared rate ends with the minute a segment may take. */
static enum act bend_trickle(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    if (r->kind != GET)
        return ACT_REPLY;
    buf_clear(reply);
    REQUIRE(buf_text(reply, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;") == 0);
    for (int i = 0; i < 100; i++)
        REQUIRE(buf_append(reply, "a", 1) == 0);
    REQUIRE(buf_text(reply, "\r\n") == 0);
    return ACT_TRICKLE;
}

static void trickle(void)
{
    struct world *w = world_new("spi4k", 300);
    w->bend = bend_trickle;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[GET], 1);
    int64_t waited_ms = (w->net.now_ns - w->requests[1].at_ns) / NS_PER_MS;
    CHECK(waited_ms > 60000 && waited_ms < 62000);
    world_free(w);
}

static const struct test tests[] = {
    {"one byte at a time", one_byte_at_a_time},
    {"Content-Length and closing servers", other_framings},
    {"retries are exact", retries_are_exact},
    {"the last try counts", last_try_counts},
    {"silence ends after five receives", silence},
    {"a late reply is taken", late_reply},
    {"no network", no_network},
    {"idle close between two requests", idle_close},
    {"a busy server is left alone", busy_server},
    {"an endless head is given up", endless_head},
    {"a trickle is given up", trickle},
};
TEST_MAIN("cmiot control channel, weak", tests)
