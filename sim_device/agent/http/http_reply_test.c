#include "sim_device/agent/http/http_reply.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

#define OK    "HTTP/1.1 200 OK\r\n"
#define RANGE "HTTP/1.1 206 Partial Content\r\n"

/* How a reply reads, and what it comes to. */
static const struct sample {
    const char *name;
    const char *text;
    enum http_step end; /* HTTP_MORE: incomplete, and bad once the peer closes */
    bool by_eof;        /* end is reached by closing */
    int status;
    const char *body;
    bool close;
    const char *reason; /* part of it, for HTTP_BAD */
} samples[] = {
    {"content length", OK "Content-Length: 5\r\n\r\nhello", HTTP_END, false, 200, "hello"},
    {"chunked", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", HTTP_END,
     false, 200, "hello"},
    {"chunk extension and trailer",
     OK "Transfer-Encoding: Chunked\r\n\r\nA ;x=1\r\n0123456789\r\n0\r\nX: y\r\n\r\n", HTTP_END,
     false, 200, "0123456789"},
    {"until close", OK "X: y\r\n\r\nhello", HTTP_END, true, 200, "hello", true},
    {"empty body", OK "Content-Length: 0\r\n\r\n", HTTP_END, false, 200, ""},
    {"no body by status", "HTTP/1.1 204 No Content\r\n\r\n", HTTP_END, false, 204, ""},
    {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", HTTP_END, false, 200, "hi"},
    {"no reason phrase", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", HTTP_END, false, 404, ""},
    {"interim reply", "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK "Content-Length: 1\r\n\r\na",
     HTTP_END, false, 200, "a"},
    {"connection close", OK "Connection: foo, Close\r\nContent-Length: 1\r\n\r\na", HTTP_END, false,
     200, "a", true},
    {"version 1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", HTTP_END, false, 200,
     "a", true},
    {"version 1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
     HTTP_END, false, 200, "a"},
    {"long header of no meaning",
     OK
     "X-Long: "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nContent-Length: 1\r\n\r\na",
     HTTP_END, false, 200, "a"},
    {"same length twice", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", HTTP_END, false,
     200, "a"},
    {"cut in the head", OK "Content-Le", HTTP_MORE},
    {"cut in the body", OK "Content-Length: 5\r\n\r\nhell", HTTP_MORE, false, 200, "hell"},
    {"cut before the last chunk", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", HTTP_MORE,
     false, 200, "hello"},
    {"cut in the trailer", OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", HTTP_MORE, false,
     200, ""},
    {"not HTTP", "SSH-2.0-x\r\n", HTTP_BAD, .reason = "status line"},
    {"HTTP/2", "HTTP/2 200\r\n\r\n", HTTP_BAD, .reason = "status line"},
    {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", HTTP_BAD, .reason = "status code"},
    {"status with a letter", "HTTP/1.1 2x0 OK\r\n\r\n", HTTP_BAD, .reason = "status code"},
    {"two lengths", OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", HTTP_BAD,
     .reason = "two Content-Lengths"},
    {"negative length", OK "Content-Length: -1\r\n\r\n", HTTP_BAD, .reason = "Content-Length"},
    {"length with a plus", OK "Content-Length: +1\r\n\r\na", HTTP_BAD, .reason = "Content-Length"},
    {"length beyond 2^53", OK "Content-Length: 99999999999999999999\r\n\r\n", HTTP_BAD,
     .reason = "Content-Length"},
    {"empty length", OK "Content-Length: \r\n\r\n", HTTP_BAD, .reason = "Content-Length"},
    {"length and chunked", OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD,
     .reason = "at once"},
    {"unknown coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", HTTP_BAD, .reason = "coding"},
    {"folded line", OK "X: a\r\n b\r\n\r\n", HTTP_BAD, .reason = "folded"},
    {"line without a colon", OK "nonsense\r\n\r\n", HTTP_BAD, .reason = "without a name"},
    {"blank in a name", OK "Content-Length : 1\r\n\r\na", HTTP_BAD, .reason = "blank"},
    {"control character", OK "X: \001\r\n\r\n", HTTP_BAD, .reason = "control character"},
    {"stray carriage return", OK "X: a\rb\r\n\r\n", HTTP_BAD, .reason = "carriage return"},
    {"chunk size of nothing", OK "Transfer-Encoding: chunked\r\n\r\n\r\n", HTTP_BAD,
     .reason = "chunk size"},
    {"chunk size with garbage", OK "Transfer-Encoding: chunked\r\n\r\n5x\r\n", HTTP_BAD,
     .reason = "chunk size"},
    {"chunk longer than told", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
     HTTP_BAD, .status = 200, .reason = "longer than its size"},
    {"huge chunk", OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", HTTP_BAD,
     .reason = "too large"},
    {"protocol switch", "HTTP/1.1 101 Switching\r\n\r\n", HTTP_BAD, .reason = "switch"},
};

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->name;
}

struct outcome {
    enum http_step step;
    struct http_reply r;
    char body[64];
    size_t body_len;
    unsigned heads;
};

/* Feeds text[0..a), text[a..b), then byte by byte. */
static void feed(struct outcome *o, const char *text, size_t a, size_t b)
{
    size_t len = strlen(text), at = 0;
    memset(o, 0, sizeof(*o));
    http_reply_init(&o->r, 640);
    while (at < len && o->step != HTTP_END && o->step != HTTP_BAD) {
        size_t n = at < a ? a - at : at < b ? b - at : 1;
        for (size_t used = 0;;) {
            const uint8_t *data;
            size_t took, data_bytes;
            o->step = http_reply_feed(&o->r, (const uint8_t *)text + at + used, n - used, &took,
                                      &data, &data_bytes);
            used += took;
            if (o->step == HTTP_HEAD)
                o->heads++;
            if (o->step == HTTP_DATA && o->body_len + data_bytes < sizeof(o->body)) {
                memcpy(o->body + o->body_len, data, data_bytes);
                o->body_len += data_bytes;
            }
            if (o->step != HTTP_HEAD && o->step != HTTP_DATA)
                break;
        }
        at += n;
    }
}

static void reads(const void *row)
{
    const struct sample *s = row;
    size_t len = strlen(s->text);
    for (size_t cut = 0; cut <= len; cut++) {
        struct outcome o;
        feed(&o, s->text, cut, len);
        if (s->by_eof) {
            CHECK_INT(o.step, HTTP_MORE);
            o.step = http_reply_eof(&o.r);
        }
        if (!CHECK_INT(o.step, s->end))
            return;
        if (s->end == HTTP_BAD) {
            CHECK_HAS(o.r.reason, s->reason);
            continue;
        }
        if (s->body != NULL) {
            CHECK_INT(o.r.status, s->status);
            CHECK_INT(o.r.close, s->close);
            CHECK_INT(o.heads, 1);
            CHECK_STR(o.body, s->body);
        }
        if (s->end == HTTP_MORE)
            CHECK_INT(http_reply_eof(&o.r), HTTP_BAD);
    }
}

static void byte_by_byte(const void *row)
{
    const struct sample *s = row;
    struct outcome o;
    feed(&o, s->text, 0, 0);
    if (s->by_eof)
        o.step = http_reply_eof(&o.r);
    CHECK_INT(o.step, s->end);
    if (s->end == HTTP_END)
        CHECK_STR(o.body, s->body);
}

static const struct range {
    const char *value;
    bool has_range, has_total;
    uint64_t from, to, total;
} ranges[] = {
    {"bytes 0-127/1000", true, true, 0, 127, 1000},
    {"bytes 128-255/*", true, false, 128, 255, 0},
    {"bytes */1000", false, true, 0, 0, 1000},
    {"bytes 5-4/10", false, false},
    {"bytes 1-/10", false, false},
    {"bytes 1-2", false, false},
    {"bytes 1-2/", false, false},
    {"bytes 1-2/3x", false, false},
    {"octets 1-2/3", false, false},
    {"bytes -1-2/3", false, false},
    {"bytes 99999999999999999999-3/4", false, false},
};

static const char *range_name(const void *row)
{
    return ((const struct range *)row)->value;
}

static void content_range(const void *row)
{
    const struct range *c = row;
    struct outcome o;
    char text[200];
    (void)snprintf(text, sizeof(text), RANGE "Content-Range: %s\r\nContent-Length: 0\r\n\r\n",
                   c->value);
    feed(&o, text, strlen(text), 0);
    CHECK_INT(o.step, HTTP_END);
    CHECK_INT(o.r.has_range, c->has_range);
    if (c->has_range) {
        CHECK_INT(o.r.range_from, c->from);
        CHECK_INT(o.r.range_to, c->to);
    }
    if (c->has_range || c->has_total) {
        CHECK_INT(o.r.has_total, c->has_total);
        if (c->has_total)
            CHECK_INT(o.r.range_total, c->total);
    }
}

static void two_ranges_are_none(void)
{
    struct outcome o;
    const char *text = RANGE "Content-Range: bytes 0-1/2\r\nContent-Range: bytes 1-1/2\r\n"
                             "Content-Length: 0\r\n\r\n";
    feed(&o, text, strlen(text), 0);
    CHECK_INT(o.step, HTTP_END);
    CHECK(!o.r.has_range);
}

/* A head of exactly the limit is read, one byte more is not. */
static void head_limit(void)
{
    char text[256];
    for (size_t extra = 0; extra < 2; extra++) {
        struct http_reply r;
        size_t used, data_bytes;
        const uint8_t *data;
        int n = snprintf(
            text, sizeof(text), OK "X: %.*s\r\n\r\n", (int)(100 - 24 + extra),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        CHECK_INT(n, 100 + (int)extra);
        http_reply_init(&r, 100);
        enum http_step step =
            http_reply_feed(&r, (const uint8_t *)text, (size_t)n, &used, &data, &data_bytes);
        CHECK_INT(step, extra == 0 ? HTTP_HEAD : HTTP_BAD);
    }
}

static void rest_is_left(void)
{
    struct http_reply r;
    const char *text = OK "Content-Length: 2\r\n\r\nhiX";
    const uint8_t *data;
    size_t used, data_bytes, at = 0, len = strlen(text);
    enum http_step step = HTTP_MORE;
    http_reply_init(&r, 640);
    while (step != HTTP_END) {
        step = http_reply_feed(&r, (const uint8_t *)text + at, len - at, &used, &data, &data_bytes);
        at += used;
        REQUIRE(step != HTTP_BAD && step != HTTP_MORE);
    }
    CHECK_INT(len - at, 1);
}

static void encoding(void)
{
    struct outcome o;
    const char *gzip = OK "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n";
    const char *identity = OK "Content-Encoding: identity\r\nContent-Length: 0\r\n\r\n";
    feed(&o, gzip, strlen(gzip), 0);
    CHECK(o.r.encoded);
    feed(&o, identity, strlen(identity), 0);
    CHECK(!o.r.encoded);
}

static const struct test tests[] = {
    TEST_ROWS("in every split", reads, samples, sample_name),
    TEST_ROWS("byte by byte", byte_by_byte, samples, sample_name),
    TEST_ROWS("content range", content_range, ranges, range_name),
    {"two ranges are none", two_ranges_are_none},
    {"head limit is exact", head_limit},
    {"what follows a reply is left", rest_is_left},
    {"content encoding is seen", encoding},
};
TEST_MAIN("http reply", tests)
