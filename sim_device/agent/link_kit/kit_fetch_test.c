/*
 * What a reply's head means, blocks of files over MQTT, and the image on flash.
 */
#include "sim_device/agent/link_kit/fetch.h"

#include <string.h>

#include "sim_device/agent/link_kit/block.h"
#include "sim_device/agent/link_kit/image.h"
#include "sim_device/agent/link_kit/kit_testing.h"

/* ---- heads ---- */

struct head {
    const char *name;
    const char *text;
    uint32_t from, to;
    enum kit_fetch_meaning want;
    uint32_t skip;
};
#define OPEN    KIT_FETCH_OPEN_END
#define R(t, l) "HTTP/1.1 206 P\r\nContent-Range: bytes " t "\r\nContent-Length: " l "\r\n\r\n"

/* The file has 1000 bytes. */
static const struct head heads[] = {
    {"all by 206", R("0-999/1000", "1000"), 0, OPEN, KIT_FETCH_BODY, 0},
    {"all by 200", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 0, OPEN, KIT_FETCH_BODY, 0},
    {"the rest", R("400-999/1000", "600"), 400, OPEN, KIT_FETCH_BODY, 0},
    {"the rest, total not told", R("400-999/*", "600"), 400, OPEN, KIT_FETCH_BODY, 0},
    {"less than asked for", R("400-499/1000", "100"), 400, OPEN, KIT_FETCH_BODY, 0},
    {"a range", R("100-199/1000", "100"), 100, 199, KIT_FETCH_BODY, 0},
    {"200 to a range", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 400, OPEN, KIT_FETCH_BODY,
     400},
    {"more than the range", R("100-299/1000", "200"), 100, 199, KIT_FETCH_OVERSIZED, 0},
    {"a longer file", R("0-1000/1001", "1001"), 0, OPEN, KIT_FETCH_OVERSIZED, 0},
    {"a longer file by 200", "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0, OPEN,
     KIT_FETCH_OVERSIZED, 0},
    {"a shorter file", R("0-998/999", "999"), 0, OPEN, KIT_FETCH_OTHER, 0},
    {"a shorter file by 200", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", 0, OPEN,
     KIT_FETCH_OTHER, 0},
    {"from elsewhere", R("300-999/1000", "700"), 400, OPEN, KIT_FETCH_OTHER, 0},
    {"206 without a range", "HTTP/1.1 206 P\r\nContent-Length: 1000\r\n\r\n", 0, OPEN,
     KIT_FETCH_OTHER, 0},
    {"a length that contradicts", R("400-999/1000", "601"), 400, OPEN, KIT_FETCH_OTHER, 0},
    {"no length", "HTTP/1.1 200 OK\r\n\r\n", 0, OPEN, KIT_FETCH_LENGTHLESS, 0},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, OPEN,
     KIT_FETCH_LENGTHLESS, 0},
    {"compressed", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n", 0,
     OPEN, KIT_FETCH_LENGTHLESS, 0},
    {"302", "HTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n", 0, OPEN, KIT_FETCH_STATUS, 0},
    {"403", "HTTP/1.1 403 F\r\nContent-Length: 9\r\n\r\n", 0, OPEN, KIT_FETCH_STATUS, 0},
    {"416", "HTTP/1.1 416 R\r\nContent-Range: bytes */1000\r\nContent-Length: 0\r\n\r\n", 400, OPEN,
     KIT_FETCH_STATUS, 0},
    {"503", "HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n", 0, OPEN, KIT_FETCH_STATUS, 0},
};

static const char *head_name(const void *row)
{
    return ((const struct head *)row)->name;
}

static enum kit_fetch_meaning meaning_of(const struct head *h, const struct kit_quirks *q,
                                         uint32_t *skip)
{
    struct http_reply r;
    size_t used, n;
    const uint8_t *data;
    http_reply_init(&r, KIT_FETCH_HEAD_MAX);
    REQUIRE(http_reply_feed(&r, (const uint8_t *)h->text, strlen(h->text), &used, &data, &n) ==
            HTTP_HEAD);
    return kit_fetch_meaning(&r, h->from, h->to, 1000, q, skip);
}

static void means(const void *row)
{
    const struct head *h = row;
    const struct kit_quirks none = {.first_key_wins = false};
    uint32_t skip;
    CHECK_INT(meaning_of(h, &none, &skip), h->want);
    if (h->want == KIT_FETCH_BODY)
        CHECK_INT(skip, h->skip);
}

static void personalities(void)
{
    const struct head forbidden = {"", "HTTP/1.1 403 F\r\nContent-Length: 9\r\n\r\n", 0, OPEN, 0,
                                   0};
    const struct head whole = {"", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 400, OPEN, 0,
                               0};
    const struct kit_quirks any = {.any_status_is_body = true};
    const struct kit_quirks append = {.append_whole_reply = true};
    uint32_t skip;
    CHECK_INT(meaning_of(&forbidden, &any, &skip), KIT_FETCH_BODY);
    CHECK_INT(meaning_of(&whole, &append, &skip), KIT_FETCH_BODY);
    CHECK_INT(skip, 0);
}

/* ---- requests ---- */

static const char *want_url;
static uint32_t want_from, want_to;
static struct kit_quirks quirks;
static int opened;

static void ask(struct kit_world *w)
{
    struct kit_fetch *f;
    enum kit_url_result url;
    const struct kit_fetch_config c = {.url = want_url,
                                       .from = want_from,
                                       .to = want_to,
                                       .recv_timeout_ns = NS_PER_S,
                                       .generation = KIT_4X,
                                       .quirks = &quirks};
    opened = kit_fetch_open(&f, w->net.b, &c, &url);
    kit_fetch_close(f);
}

static void requests(void)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, 100);
    want_url = "http://files.test:8080/a?b=c%2F";
    want_from = 7;
    want_to = OPEN;
    memset(&quirks, 0, sizeof(quirks));
    kit_world_call(w, ask);
    CHECK_INT(opened, 0);
    CHECK_HAS(w->last_get, "GET /a?b=c%2F HTTP/1.1\r\nHost: files.test:8080\r\n");
    CHECK_HAS(w->last_get, "\r\nRange: bytes=7-\r\n");
    want_to = 9;
    kit_world_call(w, ask);
    CHECK_HAS(w->last_get, "\r\nRange: bytes=7-9\r\n");
    /* https without a CA does not fall back to anything. */
    unsigned before = w->net.connects;
    want_url = "https://files.test/a";
    kit_world_call(w, ask);
    CHECK_INT(opened, KIT_FETCH_LOST);
    CHECK_INT(w->net.connects, before);
    /* The 3.x defect: beyond 1 000 000 the request never ends. */
    quirks.cut_range_header = true;
    want_url = "http://files.test/a";
    want_from = 1000000;
    before = w->gets;
    kit_world_call(w, ask);
    CHECK_INT(w->gets, before);
    kit_world_free(w);
}

/* ---- blocks ---- */

static size_t block(uint8_t *out, const char *json, const char *data)
{
    size_t text = strlen(json), len = strlen(data);
    out[0] = (uint8_t)(text >> 8);
    out[1] = (uint8_t)text;
    memcpy(out + 2, json, text);
    memcpy(out + 2 + text, data, len);
    put_le16(out + 2 + text + len, kit_block_crc16((const uint8_t *)data, len));
    return text + len + 4;
}

#define BLOCK(code, size)                                                                          \
    "{\"id\":\"1\",\"code\":" code                                                                 \
    ",\"data\":{\"fileToken\":\"t\",\"fileLength\":10,\"bSize\":" size ",\"bOffset\":2}}"

static void blocks(void)
{
    uint8_t in[512];
    struct kit_block b;
    struct err err;
    CHECK_INT(kit_block_crc16((const uint8_t *)"123456789", 9), 0xBB3D);
    size_t len = block(in, BLOCK("200", "4"), "abcd");
    CHECK_OK(kit_block_parse(&b, in, len, &err), &err);
    CHECK_INT(b.offset, 2);
    CHECK_INT(b.file_bytes, 10);
    CHECK_INT(b.len_bytes, 4);
    CHECK_MEM(b.data, "abcd", 4);
    CHECK_STR(b.token, "t");
    for (size_t cut = 0; cut < len; cut++)
        CHECK(kit_block_parse(&b, in, cut, &err) != 0);
    in[len - 1] ^= 1;
    CHECK_ERR(kit_block_parse(&b, in, len, &err), ERR_DIGEST);
    len = block(in, BLOCK("200", "5"), "abcd");
    CHECK_ERR(kit_block_parse(&b, in, len, &err), ERR_FORMAT);
    len = block(in, BLOCK("404", "4"), "abcd");
    CHECK_ERR(kit_block_parse(&b, in, len, &err), ERR_UNSUPPORTED);
    len = block(in, "{\"code\":200}", "abcd");
    CHECK_ERR(kit_block_parse(&b, in, len, &err), ERR_FORMAT);
}

/* ---- the image ---- */

static void write_image(struct kit_world *w)
{
    struct kit_image m;
    struct err err;
    uint8_t got[SHA256_BYTES], want[SHA256_BYTES];
    const struct partition *part = partition_find(&w->config.partitions, "app2");
    CHECK_ERR(kit_image_begin(&m, w->net.b, part, part->size_bytes + 1, &err), ERR_LIMIT);
    CHECK_ERR(kit_image_begin(&m, w->net.b, part, 0, &err), ERR_LIMIT);
    CHECK_OK(kit_image_begin(&m, w->net.b, part, part->size_bytes, &err), &err);
    CHECK_OK(kit_image_begin(&m, w->net.b, part, w->image_bytes, &err), &err);
    CHECK_ERR(kit_image_write(&m, w->image, w->image_bytes + 1), ERR_LIMIT);
    for (uint32_t at = 0, n = 1; at < w->image_bytes; at += n, n = n * 3 % 701 + 1) {
        n = n < w->image_bytes - at ? n : w->image_bytes - at;
        CHECK_INT(kit_image_write(&m, w->image + at, n), 0);
        if (at + n < w->image_bytes)
            CHECK_ERR(kit_image_end(&m), ERR_WRONG_STATE);
    }
    CHECK_INT(kit_image_end(&m), 0);
    CHECK_MEM(kw_slot(w, "app2"), w->image, w->image_bytes);
    digest_of(DIGEST_SHA256, w->image, w->image_bytes, want);
    CHECK_INT(kit_image_digest(&m, DIGEST_SHA256, got), 0);
    CHECK_MEM(got, want, SHA256_BYTES);
    CHECK_ERR(kit_image_write(&m, w->image, 1), ERR_LIMIT);
    /* Once more over what is there. */
    kit_image_restart(&m);
    CHECK_INT(kit_image_write(&m, w->image, w->image_bytes), 0);
    CHECK_INT(kit_image_end(&m), 0);
    CHECK_MEM(kw_slot(w, "app2"), w->image, w->image_bytes);
}

static void image(void)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, 20001);
    kit_world_call(w, write_image);
    CHECK(strstr(w->events, "raised") == NULL);
    kit_world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("head", means, heads, head_name),
    {"personalities take more", personalities},
    {"requests", requests},
    {"blocks over MQTT", blocks},
    {"an image of odd pieces", image},
};

TEST_MAIN("fetching", tests)
