#include "scenarios/engine/wire_pipe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/testing/testing.h"

/* Events written down again as trace lines: what came out can be compared with what went in. */
struct seen {
    struct trace *trace;
    struct buf lines;
    int64_t last_ns;
    size_t n;
};

static void on_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    struct seen *s = ctx;
    (void)t_ns;
    (void)lane;
    REQUIRE(buf_append(&s->lines, line, len_bytes) == 0 && buf_text(&s->lines, "\n") == 0);
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct seen *s = ctx;
    s->n++;
    s->last_ns = now_ns;
    trace_emit(s->trace, now_ns, lane, event, fields, n);
}

static struct seen *seen_new(void)
{
    struct seen *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    buf_init(&s->lines, 1u << 22);
    struct trace_sink sink = {.line = on_line, .ctx = s};
    s->trace = trace_new(&sink);
    REQUIRE(s->trace != NULL);
    return s;
}

static void seen_free(struct seen *s)
{
    trace_free(s->trace);
    buf_free(&s->lines);
    free(s);
}

static const char *text_of(const struct seen *s)
{
    return s->lines.len_bytes == 0 ? "" : (const char *)s->lines.data;
}

/* A pipe as the bench opens it: out[1] is the device's end. */
static int open_pipe(struct wire_pipe *p)
{
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    REQUIRE(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    wire_pipe_init(p, fds[0]);
    return fds[1];
}

static void write_all(int fd, const char *data, size_t len_bytes)
{
    REQUIRE(write(fd, data, len_bytes) == (ssize_t)len_bytes);
}

/* ---- one line ---- */

/* Every kind of field a trace can write, and its extremes (a double keeps 53 bits). */
static const struct {
    enum lane lane;
    const char *event;
    struct trace_field field[4];
    size_t n;
} events[] = {
    {LANE_BENCH, "armed", {{"rule", NULL, 3}, {"op", NULL, 1234567}}, 2},
    {LANE_DEVICE, "start", {{"version", "1.0", 0}}, 1},
    {LANE_DEVICE, "log", {{"text", "quote \" backslash \\ tab \t high \xe9 end", 0}}, 1},
    {LANE_DEVICE, "idle", {{NULL, NULL, 0}}, 0},
    {LANE_FLASH, "program", {{"op", NULL, 17}, {"addr", NULL, 4294967295}, {"len", NULL, 0}}, 3},
    {LANE_BOOT, "result", {{"update_result", NULL, -9007199254740991}}, 1},
    {LANE_POWER, "cut", {{"op", NULL, 9007199254740991}, {"tear", "scrambled", 0}}, 2},
    {LANE_CLOUD, "request", {{"rq", "check", 0}, {"body", "{\"a\":\"b\"}", 0}, {"path", "", 0}}, 3},
};
#define EVENTS (sizeof events / sizeof events[0])

static void what_the_trace_writes_is_read_back(void)
{
    struct seen *written = seen_new();
    struct seen *read = seen_new();
    for (size_t i = 0; i < EVENTS; i++)
        on_event(written, (int64_t)i, events[i].lane, events[i].event, events[i].field,
                 events[i].n);
    struct err err = {""};
    const char *at = text_of(written);
    for (int64_t i = 0; *at != '\0'; i++) {
        const char *line_end = strchr(at, '\n');
        CHECK_OK(wire_parse(at, (size_t)(line_end - at), i, on_event, read, &err), &err);
        at = line_end + 1;
    }
    CHECK_INT(read->n, EVENTS);
    /* "\u00e9" comes back as UTF-8 and is written as its two bytes; all else is the same text. */
    CHECK_HAS(text_of(read), "quote \\\" backslash \\\\ tab \\u0009 high \\u00c3\\u00a9 end");
    char a[65];
    char b[65];
    for (size_t i = 0; i < EVENTS; i++)
        if (strcmp(events[i].event, "log") != 0) {
            on_event(written, 99, events[i].lane, events[i].event, events[i].field, events[i].n);
            struct trace *t[2] = {trace_new(NULL), trace_new(NULL)};
            struct seen again = {.trace = t[1]};
            trace_emit(t[0], 99, events[i].lane, events[i].event, events[i].field, events[i].n);
            const char *last = text_of(written) + written->lines.len_bytes - 1;
            while (last > text_of(written) && last[-1] != '\n')
                last--;
            size_t len = written->lines.len_bytes - 1 - (size_t)(last - text_of(written));
            CHECK_OK(wire_parse(last, len, 99, on_event, &again, &err), &err);
            trace_sha256(t[0], a);
            trace_sha256(t[1], b);
            CHECK_STR(b, a);
            trace_free(t[0]);
            trace_free(t[1]);
        }
    seen_free(written);
    seen_free(read);
}

struct bad_line {
    const char *name, *line, *error;
};

static const struct bad_line bad_lines[] = {
    {"empty", "", ""},
    {"no JSON", "segment 5", ""},
    {"cut off", "{\"t\":1,\"lane\":\"device\",\"event\":\"seg", ""},
    {"more behind it", "{\"lane\":\"device\",\"event\":\"idle\"} x", ""},
    {"no lane", "{\"t\":1,\"event\":\"idle\"}", "no event with lane and name"},
    {"no event", "{\"t\":1,\"lane\":\"device\"}", "no event with lane and name"},
    {"lane of another world", "{\"lane\":\"moon\",\"event\":\"idle\"}",
     "no event with lane and name"},
    {"lane is a number", "{\"lane\":1,\"event\":\"idle\"}", "no event with lane and name"},
    {"event is a number", "{\"lane\":\"device\",\"event\":7}", "no event with lane and name"},
    {"the same field twice", "{\"lane\":\"device\",\"event\":\"a\",\"x\":1,\"x\":2}", ""},
    {"an array", "[\"lane\",\"device\"]", "no event with lane and name"},
    {"a number", "5", "no event with lane and name"},
    {"null", "null", "no event with lane and name"},
    {"a field that is no integer", "{\"lane\":\"device\",\"event\":\"a\",\"x\":1.5}",
     "$.x: is 1.5"},
    {"a field beyond all integers", "{\"lane\":\"device\",\"event\":\"a\",\"x\":1e300}",
     "exponent"},
    {"a field that is a list", "{\"lane\":\"device\",\"event\":\"a\",\"x\":[]}",
     "$.x: is an array"},
    {"a field that is nothing", "{\"lane\":\"device\",\"event\":\"a\",\"x\":null}", "$.x: is null"},
    {"a field beyond what a double keeps",
     "{\"lane\":\"device\",\"event\":\"a\",\"x\":9007199254740992}", "$.x: is 9007199254740992"},
    {"a name that would break the trace", "{\"lane\":\"device\",\"event\":\"a\\\"b\"}",
     "no event with lane and name"},
    {"a field's name that would break the trace",
     "{\"lane\":\"device\",\"event\":\"a\",\"x\\\"\":1}", "no name of a field"},
    {"a name without end", "{\"lane\":\"device\",\"event\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
     "no event with lane and name"},
    {"more fields than any event has",
     "{\"lane\":\"device\",\"event\":\"a\",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
     "\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}",
     "more than 16 fields"},
};

static const char *bad_name(const void *row)
{
    return ((const struct bad_line *)row)->name;
}

static void a_bad_line_is_refused(const void *row)
{
    const struct bad_line *b = row;
    struct seen *s = seen_new();
    struct err err = {""};
    CHECK_ERR(wire_parse(b->line, strlen(b->line), 0, on_event, s, &err), ERR_FORMAT);
    CHECK_HAS(err.text, b->error);
    CHECK(err.text[0] != '\0');
    CHECK_INT(s->n, 0);
    seen_free(s);
}

/* ---- the pipe ---- */

static const char three[] =
    "{\"t\":1,\"lane\":\"device\",\"event\":\"start\",\"version\":\"1.0\"}\n"
    "{\"t\":2,\"lane\":\"flash\",\"event\":\"erase\",\"op\":1,\"addr\":0}\n"
    "{\"t\":3,\"lane\":\"device\",\"event\":\"idle\",\"rounds\":2}\n";
static const char three_read[] =
    "{\"t\":77,\"lane\":\"device\",\"event\":\"start\",\"version\":\"1.0\"}\n"
    "{\"t\":77,\"lane\":\"flash\",\"event\":\"erase\",\"op\":1,\"addr\":0}\n"
    "{\"t\":77,\"lane\":\"device\",\"event\":\"idle\",\"rounds\":2}\n";

static void lines_may_be_split_anywhere(void)
{
    for (size_t cut = 0; cut < sizeof three; cut++) {
        struct seen *s = seen_new();
        struct wire_pipe p;
        struct err err = {""};
        int fd = open_pipe(&p);
        size_t whole = 0;
        for (size_t i = 0; i < cut; i++)
            whole += three[i] == '\n';
        write_all(fd, three, cut);
        CHECK_OK(wire_pipe_drain(&p, 77, on_event, s, &err), &err);
        CHECK_INT(s->n, whole); /* a line counts when it is complete, and at once */
        write_all(fd, three + cut, sizeof three - 1 - cut);
        CHECK_OK(wire_pipe_drain(&p, 77, on_event, s, &err), &err);
        CHECK_STR(text_of(s), three_read);
        CHECK(!p.eof);
        (void)close(fd);
        wire_pipe_free(&p);
        seen_free(s);
    }
}

static void byte_by_byte(void)
{
    struct seen *s = seen_new();
    struct wire_pipe p;
    struct err err = {""};
    int fd = open_pipe(&p);
    for (size_t i = 0; i + 1 < sizeof three; i++) {
        write_all(fd, three + i, 1);
        CHECK_OK(wire_pipe_drain(&p, 77, on_event, s, &err), &err);
    }
    CHECK_STR(text_of(s), three_read);
    (void)close(fd);
    wire_pipe_free(&p);
    seen_free(s);
}

static void the_last_words_of_the_dead_are_dropped(void)
{
    struct seen *s = seen_new();
    struct wire_pipe p;
    struct err err = {""};
    int fd = open_pipe(&p);
    write_all(fd, three, sizeof three - 1 - 10);
    (void)close(fd);
    CHECK_OK(wire_pipe_drain(&p, 77, on_event, s, &err), &err);
    CHECK_INT(s->n, 2);
    CHECK(p.eof);
    CHECK_OK(wire_pipe_drain(&p, 78, on_event, s, &err), &err); /* nothing more, no harm */
    CHECK_INT(s->n, 2);
    CHECK_INT(s->last_ns, 77);
    wire_pipe_free(&p);
    wire_pipe_free(&p);
    CHECK_OK(wire_pipe_drain(&p, 79, on_event, s, &err), &err);
    seen_free(s);
}

static void a_bad_line_stops_the_reading(void)
{
    struct seen *s = seen_new();
    struct wire_pipe p;
    struct err err = {""};
    int fd = open_pipe(&p);
    static const char text[] = "{\"lane\":\"device\",\"event\":\"a\"}\n"
                               "Segmentation fault\n"
                               "{\"lane\":\"device\",\"event\":\"b\"}\n";
    write_all(fd, text, sizeof text - 1);
    CHECK_ERR(wire_pipe_drain(&p, 77, on_event, s, &err), ERR_FORMAT);
    CHECK_INT(s->n, 1);
    CHECK(err.text[0] != '\0');
    (void)close(fd);
    wire_pipe_free(&p);
    seen_free(s);
}

/* A device that writes without end must not eat the bench's memory. */
static void a_flood_is_an_error(void)
{
    struct seen *s = seen_new();
    struct wire_pipe p;
    struct err err = {""};
    int fd = open_pipe(&p);
    char block[4096];
    memset(block, 'x', sizeof block);
    int rc = 0;
    size_t n = 0;
    while (rc == 0 && n < 2000) {
        write_all(fd, block, sizeof block);
        n++;
        rc = wire_pipe_drain(&p, 77, on_event, s, &err);
    }
    CHECK_ERR(rc, ERR_LIMIT);
    CHECK_HAS(err.text, "floods");
    CHECK_INT(n, (1u << 20) / sizeof block + 1);
    CHECK_INT(s->n, 0);
    (void)close(fd);
    wire_pipe_free(&p);
    seen_free(s);
}

/* Many lines are no flood. */
static void a_long_life_is_no_flood(void)
{
    struct seen *s = seen_new();
    struct wire_pipe p;
    struct err err = {""};
    int fd = open_pipe(&p);
    for (int i = 0; i < 10000; i++) {
        write_all(fd, three, sizeof three - 1);
        if (i % 100 == 99)
            CHECK_OK(wire_pipe_drain(&p, 77, on_event, s, &err), &err);
    }
    CHECK_INT(s->n, 30000);
    CHECK_INT(p.pending.len_bytes, 0);
    (void)close(fd);
    wire_pipe_free(&p);
    seen_free(s);
}

static const struct test tests[] = {
    {"what the trace writes is read back", what_the_trace_writes_is_read_back},
    TEST_ROWS("a bad line is refused", a_bad_line_is_refused, bad_lines, bad_name),
    {"lines may be split anywhere", lines_may_be_split_anywhere},
    {"lines may come byte by byte", byte_by_byte},
    {"a line cut off by death is dropped", the_last_words_of_the_dead_are_dropped},
    {"a bad line stops the reading", a_bad_line_stops_the_reading},
    {"a flood is an error", a_flood_is_an_error},
    {"many lines are no flood", a_long_life_is_no_flood},
};
TEST_MAIN("event pipe", tests)
