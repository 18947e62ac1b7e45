/* Download and resume: what servers and middleboxes do to ranges, broken connections, power cuts.
 */
#include "sim_device/agent/cmiot/cmiot_testing.h"
#include "sim_device/agent/cmiot/session.h"

#define SEGMENT 128u
#define SIZE    1000u /* eight segments, the last of 104 bytes */
#define COUNT   8u

static void range_head(char *out, size_t cap, uint32_t from, uint32_t to, uint32_t total)
{
    (void)snprintf(out, cap, "206 Partial Content\r\nContent-Range: bytes %u-%u/%u", from, to,
                   total);
}

static void chunked(struct buf *out, const char *head, const uint8_t *body, uint32_t len)
{
    buf_clear(out);
    REQUIRE(buf_printf(out, "HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n", head) == 0);
    for (uint32_t at = 0; at < len; at += 77) {
        uint32_t n = len - at < 77 ? len - at : 77;
        REQUIRE(buf_printf(out, "%x\r\n", n) == 0 && buf_append(out, body + at, n) == 0 &&
                buf_text(out, "\r\n") == 0);
    }
    REQUIRE(buf_text(out, "0\r\n\r\n") == 0);
}

static void until_close(struct buf *out, const char *head, const uint8_t *body, uint32_t len)
{
    buf_clear(out);
    REQUIRE(buf_printf(out, "HTTP/1.1 %s\r\n\r\n", head) == 0);
    REQUIRE(buf_append(out, body, len) == 0);
}

/* ---- one fault on every GET ---- */

enum fault {
    WHOLE,
    WHOLE_CHUNKED,
    WHOLE_CLOSE,
    WHOLE_OPEN,
    RANGE_CHUNKED,
    RANGE_CLOSE,
    RANGE_OPEN,
    RANGE_NO_TOTAL,
    RANGE_SMALLER,
    CLOSE_EACH,
    BYTES,
    SHIFTED,
    LARGER_RANGE,
    NO_RANGE,
    OTHER_TOTAL,
    LENGTH_LONGER,
    LENGTH_SHORTER,
    EXCESS,
    GZIP,
    PORTAL,
    PORTAL_CLOSE,
    WHOLE_LONGER,
    NO_CONTENT,
    FOUND,
    FORBIDDEN,
    NOT_FOUND,
    SERVER_ERROR,
    NOT_SATISFIABLE
};

static const struct fault_row {
    const char *name;
    enum fault fault;
    cmiot_int8 result;
    unsigned gets; /* during the call */
} faults[] = {
    {"200 with the whole file", WHOLE, 0, 1},
    {"200 chunked", WHOLE_CHUNKED, 0, 1},
    {"200 until close", WHOLE_CLOSE, 0, 1},
    {"200 without length, connection kept", WHOLE_OPEN, 0, 1},
    {"206 chunked", RANGE_CHUNKED, 0, COUNT},
    {"206 until close", RANGE_CLOSE, 0, COUNT},
    {"206 without length, connection kept", RANGE_OPEN, 0, COUNT},
    {"206 without total", RANGE_NO_TOTAL, 0, COUNT},
    {"206 with half of what was asked", RANGE_SMALLER, 0, 2 * COUNT},
    {"connection closed after each reply", CLOSE_EACH, 0, COUNT},
    {"one byte at a time", BYTES, 0, COUNT},
    {"206 of another place", SHIFTED, -1, 7},
    {"206 with more than was asked", LARGER_RANGE, -1, 7},
    {"206 without a range", NO_RANGE, -1, 7},
    {"206 of a file of another size", OTHER_TOTAL, -1, 1},
    {"206 longer than its range", LENGTH_LONGER, -1, 7},
    {"206 shorter than its range", LENGTH_SHORTER, -1, 7},
    {"bytes after the reply", EXCESS, -1, 7},
    {"gzip regardless", GZIP, -1, 7},
    {"a login page", PORTAL, -1, 7},
    {"a login page without length", PORTAL_CLOSE, -1, 1},
    {"200 longer than announced", WHOLE_LONGER, -1, 7},
    {"204", NO_CONTENT, -1, 7},
    {"302", FOUND, -1, 1},
    {"403", FORBIDDEN, -1, 1},
    {"404", NOT_FOUND, -1, 1},
    {"500", SERVER_ERROR, -1, 7},
    {"416 although in range", NOT_SATISFIABLE, -1, 1},
};

static const char *fault_name(const void *row)
{
    return ((const struct fault_row *)row)->name;
}

static enum act bend_fault(struct world *w, const struct request *r, struct buf *reply)
{
    static const char html[] = "<html><body>Please log in to use this network</body></html>";
    char head[160];
    const uint8_t *p = w->package + r->from;
    uint32_t len = r->to - r->from + 1;
    if (r->kind != GET)
        return ACT_REPLY;
    range_head(head, sizeof(head), r->from, r->to, SIZE);
    switch ((enum fault)w->stage) {
    case WHOLE:
        test_http(reply, "200 OK", w->package, SIZE);
        break;
    case WHOLE_CHUNKED:
        chunked(reply, "200 OK", w->package, SIZE);
        break;
    case WHOLE_CLOSE:
    case WHOLE_OPEN:
        until_close(reply, "200 OK", w->package, SIZE);
        return w->stage == WHOLE_CLOSE ? ACT_REPLY_CLOSE : ACT_REPLY;
    case RANGE_CHUNKED:
        chunked(reply, head, p, len);
        break;
    case RANGE_CLOSE:
    case RANGE_OPEN:
        until_close(reply, head, p, len);
        return w->stage == RANGE_CLOSE ? ACT_REPLY_CLOSE : ACT_REPLY;
    case RANGE_NO_TOTAL:
        (void)snprintf(head, sizeof(head), "206 Partial\r\nContent-Range: bytes %u-%u/*", r->from,
                       r->to);
        test_http(reply, head, p, len);
        break;
    case RANGE_SMALLER:
        len = len > SEGMENT / 2 ? SEGMENT / 2 : len;
        range_head(head, sizeof(head), r->from, r->from + len - 1, SIZE);
        test_http(reply, head, p, len);
        break;
    case CLOSE_EACH:
        test_http(reply, strcat(head, "\r\nConnection: close"), p, len);
        return ACT_REPLY_CLOSE;
    case BYTES:
        return ACT_BYTE_BY_BYTE;
    case SHIFTED:
        range_head(head, sizeof(head), r->from + 1, r->to + 1, SIZE);
        test_http(reply, head, p + 1, len);
        break;
    case LARGER_RANGE:
        range_head(head, sizeof(head), r->from, r->to + 10, SIZE);
        test_http(reply, head, p, len + 10);
        break;
    case NO_RANGE:
        test_http(reply, "206 Partial Content", p, len);
        break;
    case OTHER_TOTAL:
        range_head(head, sizeof(head), r->from, r->to, SIZE + 1);
        test_http(reply, head, p, len);
        break;
    case LENGTH_LONGER:
        test_http(reply, head, p, len + 1);
        break;
    case LENGTH_SHORTER:
        test_http(reply, head, p, len - 1);
        break;
    case EXCESS:
        REQUIRE(buf_text(reply, "x") == 0);
        break;
    case GZIP:
        test_http(reply, strcat(head, "\r\nContent-Encoding: gzip"), p, len);
        break;
    case PORTAL:
        test_http(reply, "200 OK", html, sizeof(html) - 1);
        break;
    case PORTAL_CLOSE:
        until_close(reply, "200 OK", (const uint8_t *)html, sizeof(html) - 1);
        return ACT_REPLY_CLOSE;
    case WHOLE_LONGER:
        test_http(reply, "200 OK", w->package, SIZE + 1);
        break;
    case NO_CONTENT:
        buf_clear(reply);
        REQUIRE(buf_text(reply, "HTTP/1.1 204 No Content\r\n\r\n") == 0);
        break;
    case FOUND:
        test_http(reply, "302 Found\r\nLocation: http://dl.test:8080/p/77", NULL, 0);
        break;
    case FORBIDDEN:
        test_http(reply, "403 Forbidden", html, sizeof(html) - 1);
        break;
    case NOT_FOUND:
        test_http(reply, "404 Not Found", html, sizeof(html) - 1);
        break;
    case SERVER_ERROR:
        test_http(reply, "500 Oops", html, sizeof(html) - 1);
        break;
    case NOT_SATISFIABLE:
        test_http(reply, "416 No\r\nContent-Range: bytes */1000", NULL, 0);
        break;
    }
    return ACT_REPLY;
}

static void fault_from_the_start(const void *row)
{
    const struct fault_row *f = row;
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_fault;
    w->stage = (int)f->fault;
    CHECK_INT(world_calls(w, "u"), f->result);
    CHECK_INT(w->count[GET], f->gets);
    if (f->result != 0) {
        /* Nothing of it was stored, and the way is free for an honest server. */
        CHECK(is_blank(world_download(w), SIZE));
        w->bend = NULL;
        CHECK_INT(world_calls(w, "u"), 0);
    }
    CHECK_MEM(world_download(w), w->package, SIZE);
    CHECK(is_blank(world_download(w) + SIZE, 24));
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/* Breaks at the third GET, then the fault from there on. */
static enum act bend_break_at_three(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind == GET && r->nth == 3)
        return ACT_RESET;
    return r->kind == GET && r->nth > 3 ? bend_fault(w, r, reply) : ACT_REPLY;
}

static void fault_after_a_resume(const void *row)
{
    const struct fault_row *f = row;
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_break_at_three;
    w->stage = (int)f->fault;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[GET], 3);
    CHECK_INT(world_calls(w, "u"), f->result);
    if (f->result != 0) {
        w->bend = NULL;
        CHECK_INT(world_calls(w, "u"), 0);
    }
    CHECK_MEM(world_download(w), w->package, SIZE);
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/* A page without length that is longer than some segments: none of it stays. */
static enum act bend_long_portal(struct world *w, const struct request *r, struct buf *reply)
{
    uint8_t page[500];
    (void)w;
    if (r->kind != GET || r->nth < 3)
        return ACT_REPLY;
    memset(page, 'p', sizeof(page));
    chunked(reply, "200 OK", page, sizeof(page));
    return ACT_REPLY;
}

static void long_portal(void)
{
    struct world *w = world_new("spi4k", SIZE);
    uint32_t mark = 99;
    w->bend = bend_long_portal;
    CHECK_INT(world_calls(w, "u"), -1);
    (void)world_record(w, &mark);
    CHECK_INT(mark, 2); /* what was stored before it */
    w->bend = NULL;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, SIZE);
    world_free(w);
}

/* ---- broken connections ---- */

static enum act bend_cut(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind != GET || r->nth != 4)
        return ACT_REPLY;
    reply->len_bytes =
        (size_t)w->stage < reply->len_bytes ? (size_t)w->stage : reply->len_bytes - 1;
    return w->delta_id == 77 ? ACT_REPLY_RESET : ACT_REPLY_CLOSE;
}

/* Cut after every byte of a reply: the next request starts at the first byte not stored. */
static void cut_at_every_byte(void)
{
    for (int kind = 0; kind < 2; kind++)
        for (int k = 0; k < 220; k += 3) {
            struct world *w = world_new("spi4k", SIZE);
            w->bend = bend_cut;
            w->stage = k;
            w->delta_id = kind == 0 ? 77 : 78;
            CHECK_INT(world_calls(w, "uu"), 0);
            CHECK_MEM(world_download(w), w->package, SIZE);
            /* A reset after some bytes looks like a stall: the request is repeated in the call. */
            CHECK_INT(w->count[GET], COUNT + 1);
            for (size_t i = 0, n = 0; i < w->request_count; i++) {
                struct request *r = &w->requests[i];
                if (r->kind == GET)
                    CHECK_INT(r->from, (n < 4 ? n : n - 1) * SEGMENT), n++;
            }
            world_free(w);
        }
}

/* Each connection lasts for two replies only: still done, in the declared number of calls. */
static enum act bend_short_lived(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)reply;
    return r->kind == GET && r->nth % 3 == 0 ? ACT_RESET : ACT_REPLY;
}

static void flapping(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_short_lived;
    CHECK_INT(world_calls(w, "uuuu"), 0);
    CHECK_INT(w->results[2], -1);
    CHECK_INT(w->count[GET], 11); /* 8 good ones, 3 lost */
    CHECK_MEM(world_download(w), w->package, SIZE);
    world_free(w);
}

static enum act bend_416_once(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind == GET && r->nth == 4)
        return ACT_RESET;
    if (r->kind == GET && r->nth >= 5 && r->nth < 5 + (unsigned)w->stage)
        test_http(reply, "416 No\r\nContent-Range: bytes */1000", NULL, 0);
    return ACT_REPLY;
}

static void unsatisfiable_range(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_416_once;
    w->stage = 1;
    CHECK_INT(world_calls(w, "uu"), 0); /* from the start, once */
    CHECK_INT(w->count[GET], 4 + 1 + COUNT);
    CHECK_INT(w->requests[1 + 4 + 1].from, 384);
    CHECK_INT(w->requests[1 + 4 + 2].from, 0);
    CHECK_MEM(world_download(w), w->package, SIZE);
    world_free(w);
    w = world_new("spi4k", SIZE);
    w->bend = bend_416_once;
    w->stage = 100;
    CHECK_INT(world_calls(w, "uu"), -1);
    CHECK_INT(w->count[GET], 4 + 2);
    world_free(w);
}

/* ---- digest ---- */

static void flipped_bit(void)
{
    for (int at = 1; at <= (int)COUNT; at++) {
        struct world *w = world_new("spi4k", SIZE);
        uint32_t mark = 99;
        w->bend = bend_flip;
        w->stage = at;
        CHECK_INT(world_calls(w, "u"), -1);
        CHECK_HAS(w->events, "verify 0");
        CHECK_HAS(w->requests[w->request_count - 1].text, "\"downloadStatus\":8,");
        CHECK_INT(w->count[REPORT_DOWN], 1);
        CHECK_INT(world_record(w, &mark).update_result, UPDATE_NONE);
        CHECK_INT(mark, 0);
        CHECK_INT(world_calls(w, "u"), 0); /* clean */
        CHECK_INT(w->count[GET], 2 * COUNT);
        CHECK_MEM(world_download(w), w->package, SIZE);
        CHECK_INT(w->raised, 0);
        world_free(w);
    }
}

/* A chip that stores a wrong bit is caught, because the digest covers what flash holds. */
static void flash_corrupts(void)
{
    struct world *w = world_new("spi4k", SIZE);
    nor_inject(w->nor, NOR_IO_CORRUPT, partition_find(&w->config.partitions, "download")->offset,
               64, 1);
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_HAS(w->requests[w->request_count - 1].text, "\"downloadStatus\":8,");
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, SIZE);
    world_free(w);
}

static void flash_fails(void)
{
    static const enum nor_io kinds[] = {NOR_IO_PROGRAM, NOR_IO_ERASE};
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new("spi4k", SIZE);
        uint32_t at = partition_find(&w->config.partitions, "download")->offset;
        nor_inject(w->nor, kinds[i], at, 4096, 1);
        CHECK_INT(world_calls(w, "u"), -1);
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_MEM(world_download(w), w->package, SIZE);
        world_free(w);
    }
}

/* A failed read says nothing about the package: it is read again, not fetched again. */
static void digest_read_fails(void)
{
    struct world *w = world_new("spi4k", SIZE);
    nor_inject(w->nor, NOR_IO_READ, partition_find(&w->config.partitions, "download")->offset, SIZE,
               2);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[GET], COUNT);
    CHECK_INT(w->count[REPORT_DOWN], 1);
    CHECK_HAS(w->requests[w->request_count - 1].text, "\"downloadStatus\":1,");
    world_free(w);
}

/* ---- what a resume needs ---- */

static void change_id(struct world *w)
{
    w->delta_id++;
}

static void change_bytes(struct world *w)
{
    w->package[700] ^= 1;
}

static void change_size(struct world *w)
{
    w->package_bytes--;
}

static void change_segment(struct world *w)
{
    w->config.segment_index++;
}

static void change_nothing(struct world *w)
{
    (void)w;
}

static const struct change {
    const char *name;
    void (*apply)(struct world *w);
    uint32_t first; /* byte asked for next */
} changes[] = {
    {"nothing", change_nothing, 4 * SEGMENT},
    {"delta id", change_id, 0},
    {"digest", change_bytes, 0},
    {"size", change_size, 0},
    {"segment size", change_segment, 0},
};

static const char *change_name(const void *row)
{
    return ((const struct change *)row)->name;
}

static void resume_only_the_same(const void *row)
{
    const struct change *c = row;
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    world_forget(w);
    w->bend = NULL;
    c->apply(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, c->first);
    CHECK_MEM(world_download(w), w->package, w->package_bytes);
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/* Another package is announced between two calls: the first one leaves nothing behind. */
static void newer_announcement(void)
{
    struct world *w = world_new("spi4k", 3 * 4096 + 5);
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    w->bend = NULL;
    w->delta_id = 500;
    w->package_bytes = 2000;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_MEM(world_download(w), w->package, 2000);
    world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("every GET", fault_from_the_start, faults, fault_name),
    TEST_ROWS("after a resume", fault_after_a_resume, faults, fault_name),
    {"a long login page leaves nothing", long_portal},
    {"cut at every byte of a reply", cut_at_every_byte},
    {"flapping connections", flapping},
    {"416 restarts once", unsatisfiable_range},
    {"a flipped bit", flipped_bit},
    {"flash stores a wrong bit", flash_corrupts},
    {"flash fails", flash_fails},
    {"flash cannot be read twice", digest_read_fails},
    TEST_ROWS("resume after a change of", resume_only_the_same, changes, change_name),
    {"a newer announcement", newer_announcement},
};
TEST_MAIN("download", tests)
