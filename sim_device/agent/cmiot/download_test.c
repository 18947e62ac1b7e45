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
        world_http(reply, "200 OK", w->package, SIZE);
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
        world_http(reply, head, p, len);
        break;
    case RANGE_SMALLER:
        len = len > SEGMENT / 2 ? SEGMENT / 2 : len;
        range_head(head, sizeof(head), r->from, r->from + len - 1, SIZE);
        world_http(reply, head, p, len);
        break;
    case CLOSE_EACH:
        world_http(reply, strcat(head, "\r\nConnection: close"), p, len);
        return ACT_REPLY_CLOSE;
    case BYTES:
        return ACT_BYTE_BY_BYTE;
    case SHIFTED:
        range_head(head, sizeof(head), r->from + 1, r->to + 1, SIZE);
        world_http(reply, head, p + 1, len);
        break;
    case LARGER_RANGE:
        range_head(head, sizeof(head), r->from, r->to + 10, SIZE);
        world_http(reply, head, p, len + 10);
        break;
    case NO_RANGE:
        world_http(reply, "206 Partial Content", p, len);
        break;
    case OTHER_TOTAL:
        range_head(head, sizeof(head), r->from, r->to, SIZE + 1);
        world_http(reply, head, p, len);
        break;
    case LENGTH_LONGER:
        world_http(reply, head, p, len + 1);
        break;
    case LENGTH_SHORTER:
        world_http(reply, head, p, len - 1);
        break;
    case EXCESS:
        REQUIRE(buf_text(reply, "x") == 0);
        break;
    case GZIP:
        world_http(reply, strcat(head, "\r\nContent-Encoding: gzip"), p, len);
        break;
    case PORTAL:
        world_http(reply, "200 OK", html, sizeof(html) - 1);
        break;
    case PORTAL_CLOSE:
        until_close(reply, "200 OK", (const uint8_t *)html, sizeof(html) - 1);
        return ACT_REPLY_CLOSE;
    case WHOLE_LONGER:
        world_http(reply, "200 OK", w->package, SIZE + 1);
        break;
    case NO_CONTENT:
        buf_clear(reply);
        REQUIRE(buf_text(reply, "HTTP/1.1 204 No Content\r\n\r\n") == 0);
        break;
    case FOUND:
        world_http(reply, "302 Found\r\nLocation: http://dl.test:8080/p/77", NULL, 0);
        break;
    case FORBIDDEN:
        world_http(reply, "403 Forbidden", html, sizeof(html) - 1);
        break;
    case NOT_FOUND:
        world_http(reply, "404 Not Found", html, sizeof(html) - 1);
        break;
    case SERVER_ERROR:
        world_http(reply, "500 Oops", html, sizeof(html) - 1);
        break;
    case NOT_SATISFIABLE:
        world_http(reply, "416 No\r\nContent-Range: bytes */1000", NULL, 0);
        break;
    }
    return ACT_REPLY;
}

static bool is_blank(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0xFF)
            return false;
    return true;
}

static void fault_from_the_start(const void *row)
{
    const struct fault_row *f = row;
    struct world *w = world_new("spi4k", SIZE);
    w->bend = bend_fault;
    w->stage = f->fault;
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
    w->stage = f->fault;
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
        world_http(reply, "416 No\r\nContent-Range: bytes */1000", NULL, 0);
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

static enum act bend_flip(struct world *w, const struct request *r, struct buf *reply)
{
    if (r->kind == GET && r->nth == (unsigned)w->stage)
        reply->data[reply->len_bytes - 1] ^= 0x10;
    return ACT_REPLY;
}

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

/* ---- what a resume needs ---- */

static enum act bend_stop_at_five(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)reply;
    return r->kind == GET && r->nth == 5 ? ACT_RESET : ACT_REPLY;
}

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

/* ---- power cuts ---- */

static const struct cut_row {
    const char *name;
    const char *chip;
    enum nor_tear tear;
} cuts[] = {
    {"spi4k nothing", "spi4k", TEAR_NOTHING},
    {"spi4k prefix", "spi4k", TEAR_PREFIX},
    {"spi4k all but last", "spi4k", TEAR_ALL_BUT_LAST},
    {"spi4k scrambled", "spi4k", TEAR_SCRAMBLED},
    {"spi4k half erased", "spi4k", TEAR_HALF_ERASED},
    {"spi4k weak", "spi4k", TEAR_WEAK},
    {"spi4k done", "spi4k", TEAR_DONE},
    {"internal8 nothing", "internal8", TEAR_NOTHING},
    {"internal8 prefix", "internal8", TEAR_PREFIX},
    {"internal8 all but last", "internal8", TEAR_ALL_BUT_LAST},
    {"internal8 scrambled", "internal8", TEAR_SCRAMBLED},
    {"internal8 half erased", "internal8", TEAR_HALF_ERASED},
    {"internal8 weak", "internal8", TEAR_WEAK},
    {"internal8 done", "internal8", TEAR_DONE},
};

static const char *cut_name(const void *row)
{
    return ((const struct cut_row *)row)->name;
}

static struct world *cut_world(const struct cut_row *c)
{
    struct world *w = world_new(c->chip, 4096 + 700);
    w->config.partitions = (struct partition_table){
        .part = {{"app", 0x20000, 0x40000}, {"download", 0x70000, 0x80000}}, .count = 2};
    return w;
}

/* A cut at every operation of an update: the next power-on resumes where data ends, and finishes.
 */
static void cut_everywhere(const void *row)
{
    const struct cut_row *c = row;
    struct world *w = cut_world(c);
    CHECK_INT(world_calls(w, "u"), 0);
    uint64_t ops = nor_op_count(w->nor);
    world_free(w);
    CHECK(ops > 70);
    for (uint64_t op = 1; op <= ops; op++) {
        w = cut_world(c);
        w->calls = "u";
        nor_arm_cut(w->nor, op, c->tear, 48);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        unsigned before = w->count[GET];
        world_forget(w);
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
        if (!CHECK_MEM(world_download(w), w->package, w->package_bytes))
            return;
        CHECK_INT(w->raised, 0);
        /* At most the segment under way is fetched twice; on write-once chips its block. */
        unsigned again = strcmp(c->chip, "spi4k") == 0 ? 1 : 4096 / SEGMENT;
        CHECK(before + w->count[GET] <= 38 + again);
        world_free(w);
    }
}

/* Three cuts in one update, at places that move. */
static void cut_three_times(const void *row)
{
    const struct cut_row *c = row;
    for (uint64_t step = 1; step < 24; step += 3) {
        struct world *w = cut_world(c);
        enum sim_state st = SIM_CUT;
        w->calls = "u";
        for (int n = 0; n < 3 && st == SIM_CUT; n++) {
            if (!nor_is_on(w->nor))
                nor_power_on(w->nor);
            nor_arm_cut(w->nor, nor_op_count(w->nor) + step, c->tear, 100);
            st = world_run(w, world_main, w);
        }
        CHECK_INT(st, SIM_CUT);
        CHECK_INT(world_calls(w, "u"), 0);
        CHECK_MEM(world_download(w), w->package, w->package_bytes);
        CHECK_INT(w->raised, 0);
        world_free(w);
    }
}

/* The server changes the bytes of a segment that a cut left half programmed: the block starts over.
 */
static void torn_and_changed(void)
{
    struct world *w = world_new("spi4k", SIZE);
    uint32_t mark;
    w->calls = "u";
    /* After the record, an erase and two segments with their marks: the third segment. */
    for (uint64_t op = 1;; op++) {
        nor_arm_cut(w->nor, nor_op_count(w->nor) + op, TEAR_PREFIX, 64);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        (void)world_record(w, &mark);
        if (mark == 2 && !is_blank(world_download(w) + 2 * SEGMENT, SEGMENT))
            break;
        REQUIRE(op < 30);
        world_free(w);
        w = world_new("spi4k", SIZE);
        w->calls = "u";
    }
    world_forget(w);
    w->bend = bend_flip; /* only the flash differs: the bytes must not be mixed */
    const uint8_t zero[8] = {0};
    uint32_t at = partition_find(&w->config.partitions, "download")->offset;
    REQUIRE(nor_load(w->nor, at + 2 * SEGMENT, zero, sizeof(zero)) == 0);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, 2 * SEGMENT);
    CHECK_INT(w->requests[2].from, 0);
    CHECK_MEM(world_download(w), w->package, SIZE);
    CHECK_INT(w->raised, 0);
    world_free(w);
}

/* All segments stored, power lost before the flag: verified and finished without a GET. */
static void complete_but_not_pending(void)
{
    struct world *w = world_new("spi4k", SIZE);
    uint32_t mark = 0;
    w->calls = "u";
    for (uint64_t op = 1; mark != COUNT; op++) {
        REQUIRE(op < 60);
        world_free(w);
        w = world_new("spi4k", SIZE);
        w->calls = "u";
        nor_arm_cut(w->nor, op, TEAR_NOTHING, 0);
        (void)world_run(w, world_main, w);
        (void)world_record(w, &mark);
    }
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[GET], 0);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_PENDING);
    world_free(w);
}

/* ---- broken variants do what their names say ---- */

static void broken_digest(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.skip_digest = true;
    w->bend = bend_flip;
    w->stage = 2;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK(memcmp(world_download(w), w->package, SIZE) != 0);
    world_free(w);
}

static void broken_resume(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.resume_too_far = true;
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    w->bend = NULL;
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->requests[1].from, 5 * SEGMENT);
    world_free(w);
}

static void broken_journal(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.no_journal = true;
    w->bend = bend_stop_at_five;
    CHECK_INT(world_calls(w, "u"), -1);
    w->bend = NULL;
    world_forget(w);
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->requests[1].from, 0);
    world_free(w);
}

static void broken_order(void)
{
    bool lost = false;
    for (uint64_t op = 2; op < 20; op++) {
        struct world *w = world_new("spi4k", SIZE);
        w->config.breaks.mark_before_write = true;
        w->calls = "u";
        nor_arm_cut(w->nor, op, TEAR_NOTHING, 0);
        CHECK_INT(world_run(w, world_main, w), SIM_CUT);
        lost = lost || world_calls(w, "u") != 0;
        world_free(w);
    }
    CHECK(lost);
}

static void broken_range(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.ignore_range = true;
    w->bend = bend_fault;
    w->stage = SHIFTED;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK(memcmp(world_download(w), w->package + 1, SEGMENT) == 0);
    world_free(w);
}

static enum act bend_fifty_noises(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    if (r->nth <= 50) {
        buf_clear(reply);
        REQUIRE(buf_text(reply, "noise\r\n\r\n") == 0);
    }
    return ACT_REPLY;
}

static void broken_patience(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.endless_retry = true;
    w->bend = bend_fifty_noises;
    CHECK_INT(world_calls(w, "u"), 0);
    CHECK_INT(w->count[CHECK_VERSION], 51);
    CHECK_INT(w->count[GET], 50 + COUNT);
    world_free(w);
}

static void broken_early_report(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.report_before_verify = true;
    w->bend = bend_flip;
    w->stage = 2;
    CHECK_INT(world_calls(w, "u"), -1);
    CHECK_INT(w->count[REPORT_DOWN], 2);
    CHECK_HAS(w->requests[w->request_count - 2].text, "\"downloadStatus\":1,");
    world_free(w);
}

static enum act bend_lost_report(struct world *w, const struct request *r, struct buf *reply)
{
    (void)w;
    (void)reply;
    return r->kind == REPORT_UP ? ACT_SILENT : ACT_REPLY;
}

static void broken_memory_of_report(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.forget_report = true;
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    w->bend = bend_lost_report;
    CHECK_INT(world_calls(w, "r"), -1);
    CHECK_INT(world_record(w, NULL).update_result, UPDATE_NONE);
    world_free(w);
}

static void broken_status(void)
{
    struct world *w = world_new("spi4k", SIZE);
    w->config.breaks.accept_any_status = true;
    CHECK_INT(world_calls(w, "u"), 0);
    world_set_result(w, UPDATE_OK);
    w->status[REPORT_UP] = 2301;
    CHECK_INT(world_calls(w, "r"), 0);
    world_free(w);
}

static void broken_size_limit(void)
{
    struct world *w = world_new("spi64k", 524288 + 1);
    w->config.breaks.no_size_limit = true;
    CHECK_INT(world_calls(w, "c"), 0);
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
    TEST_ROWS("resume after a change of", resume_only_the_same, changes, change_name),
    {"a newer announcement", newer_announcement},
    TEST_ROWS("a cut at every operation", cut_everywhere, cuts, cut_name),
    TEST_ROWS("three cuts", cut_three_times, cuts, cut_name),
    {"a torn segment that does not fit", torn_and_changed},
    {"complete before the flag", complete_but_not_pending},
    {"broken: digest", broken_digest},
    {"broken: resume", broken_resume},
    {"broken: journal", broken_journal},
    {"broken: order of mark and data", broken_order},
    {"broken: range", broken_range},
    {"broken: patience", broken_patience},
    {"broken: early report", broken_early_report},
    {"broken: memory of the report", broken_memory_of_report},
    {"broken: status", broken_status},
    {"broken: size limit", broken_size_limit},
};
TEST_MAIN("download", tests)
