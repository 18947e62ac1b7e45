#include "common/trace.h"

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/testing/testing.h"

/* Everything a sink was given, each line closed by a newline. */
struct record {
    struct buf lines;
    int64_t last_t_ns;
    enum lane last_lane;
    size_t last_len;
};

static void keep(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    struct record *r = ctx;
    CHECK_INT(strlen(line), len_bytes);
    CHECK_INT(buf_append(&r->lines, line, len_bytes), 0);
    CHECK_INT(buf_text(&r->lines, "\n"), 0);
    r->last_t_ns = t_ns;
    r->last_lane = lane;
    r->last_len = len_bytes;
}

static struct trace *begin(struct record *r)
{
    *r = (struct record){.last_t_ns = -1};
    buf_init(&r->lines, 1 << 20);
    const struct trace_sink sink = {.line = keep, .ctx = r};
    struct trace *t = trace_new(&sink);
    REQUIRE(t != NULL);
    return t;
}

static void exact_lines(void)
{
    struct record r;
    struct trace *t = begin(&r);
    TRACE(t, 1200000, LANE_FLASH, "program", F_INT("op", 17), F_INT("addr", 4096),
          F_INT("len", 128));
    CHECK_INT(r.last_t_ns, 1200000);
    CHECK_INT(r.last_lane, LANE_FLASH);
    TRACE(t, 0, LANE_CLOUD, "reply", F_STR("code", "ok"), F_INT("least", INT64_MIN),
          F_INT("most", INT64_MAX), F_INT("zero", 0), F_INT("minus", -1));
    trace_emit(t, INT64_MAX, LANE_POWER, "off", NULL, 0);
    CHECK_STR((const char *)r.lines.data,
              "{\"t\":1200000,\"lane\":\"flash\",\"event\":\"program\",\"op\":17,\"addr\":4096,"
              "\"len\":128}\n"
              "{\"t\":0,\"lane\":\"cloud\",\"event\":\"reply\",\"code\":\"ok\","
              "\"least\":-9223372036854775808,\"most\":9223372036854775807,\"zero\":0,"
              "\"minus\":-1}\n"
              "{\"t\":9223372036854775807,\"lane\":\"power\",\"event\":\"off\"}\n");
    CHECK_INT(trace_count(t), 3);
    trace_free(t);
    buf_free(&r.lines);
}

struct lane_case {
    const char *name;
    enum lane lane;
};

static const struct lane_case lanes[] = {
    {"bench", LANE_BENCH},   {"cloud", LANE_CLOUD},        {"network", LANE_NETWORK},
    {"device", LANE_DEVICE}, {"flash", LANE_FLASH},        {"boot", LANE_BOOT},
    {"power", LANE_POWER},   {"?", (enum lane)LANE_COUNT},
};

static void lane_has_its_name(const void *row)
{
    const struct lane_case *c = row;
    CHECK_STR(lane_name(c->lane), c->name);
}

static const char *lane_case_name(const void *row)
{
    const struct lane_case *c = row;
    return c->name;
}

struct text_case {
    const char *text;
    const char *want;
};

static const struct text_case texts[] = {
    {"", ""},
    {"it's plain / text~", "it's plain / text~"},
    {"a\"b\\c", "a\\\"b\\\\c"},
    {"\n\t\x01\x1f", "\\u000a\\u0009\\u0001\\u001f"},
    {"\x7f\x80\xff", "\\u007f\\u0080\\u00ff"},
    {"\xe5\x9b\xba", "\\u00e5\\u009b\\u00ba"},
};

static void escapes(const void *row)
{
    const struct text_case *c = row;
    struct record r;
    struct trace *t = begin(&r);
    TRACE(t, 5, LANE_BENCH, "log", F_STR("text", c->text));
    char want[256];
    (void)snprintf(want, sizeof want,
                   "{\"t\":5,\"lane\":\"bench\",\"event\":\"log\",\"text\":\"%s\"}\n", c->want);
    CHECK_STR((const char *)r.lines.data, want);
    trace_free(t);
    buf_free(&r.lines);
}

static const char *text_name(const void *row)
{
    const struct text_case *c = row;
    return c->want;
}

static void long_strings_are_cut(void)
{
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct record r;
    struct trace *t = begin(&r);
    TRACE(t, 5, LANE_BENCH, "log", F_STR("text", text));
    struct json doc;
    struct err err = {0};
    const struct json_limits limits = {.max_bytes = 8192, .max_depth = 1};
    CHECK_OK(json_parse(&doc, (const char *)r.lines.data, r.last_len, &limits, &err), &err);
    const char *got = "";
    CHECK_OK(json_get_string(doc.root, doc.root, "text", 512, 512, &got, &err), &err);
    json_free(&doc);
    trace_free(t);
    buf_free(&r.lines);
}

/* However much is given, a line is JSON: every length up to several times the largest line, with
 * the kind of text that grows most when it is escaped. */
static void an_overfull_line_is_still_json(void)
{
    char text[513];
    struct trace_field fields[12];
    const struct json_limits limits = {.max_bytes = 8192, .max_depth = 1};
    char keys[12][8];
    for (size_t i = 0; i < 12; i++)
        (void)snprintf(keys[i], sizeof keys[i], "key%zu", i);
    for (size_t len = 0; len < sizeof text; len++) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 3 == 0 ? '\xff' : i % 3 == 1 ? 'a' : '"';
        text[len] = '\0';
        for (size_t i = 0; i < 12; i++)
            fields[i] = i % 4 == 3 ? F_INT(keys[i], INT64_MIN) : F_STR(keys[i], text);
        struct record r;
        struct trace *t = begin(&r);
        trace_emit(t, 5, LANE_BENCH, "log", fields, 12);
        struct json doc;
        struct err err = {0};
        bool ok =
            CHECK_OK(json_parse(&doc, (const char *)r.lines.data, r.last_len, &limits, &err), &err);
        json_free(&doc);
        trace_free(t);
        buf_free(&r.lines);
        if (!ok)
            return;
    }
}

static void hash_is_the_sha256_of_the_lines(void)
{
    struct record r;
    struct trace *t = begin(&r);
    char got[65];
    char want[DIGEST_HEX_MAX];
    trace_sha256(t, got);
    CHECK_STR(got, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_INT(trace_count(t), 0);
    for (int i = 0; i < 100; i++) {
        TRACE(t, i, LANE_DEVICE, "tick", F_INT("i", i), F_STR("text", "\x01"));
        trace_sha256(t, got);
        digest_hex_of(DIGEST_SHA256, r.lines.data, r.lines.len_bytes, want);
        CHECK_STR(got, want);
    }
    CHECK_INT(trace_count(t), 100);
    trace_free(t);
    buf_free(&r.lines);
}

static void hash_needs_no_sink(void)
{
    struct record r;
    struct trace *seen = begin(&r);
    struct trace *unseen = trace_new(NULL);
    REQUIRE(unseen != NULL);
    char a[65];
    char b[65];
    TRACE(seen, 1, LANE_BOOT, "jump", F_INT("slot", 1));
    TRACE(unseen, 1, LANE_BOOT, "jump", F_INT("slot", 1));
    trace_sha256(seen, a);
    trace_sha256(unseen, b);
    CHECK_STR(a, b);
    TRACE(unseen, 1, LANE_BOOT, "jump", F_INT("slot", 1));
    trace_sha256(unseen, b);
    CHECK(strcmp(a, b) != 0);
    trace_free(seen);
    trace_free(unseen);
    buf_free(&r.lines);
}

static void null_is_no_trace(void)
{
    struct record r;
    struct trace *t = begin(&r);
    TRACE(NULL, 1, LANE_BOOT, "jump", F_INT("slot", 1));
    CHECK_INT(trace_count(t), 0);
    CHECK(r.lines.data == NULL);
    trace_free(t);
    trace_free(NULL);
}

static const struct test tests[] = {
    {"a line is exactly as documented", exact_lines},
    TEST_ROWS("lane", lane_has_its_name, lanes, lane_case_name),
    TEST_ROWS("text", escapes, texts, text_name),
    {"long strings are cut", long_strings_are_cut},
    {"an overfull line is still JSON", an_overfull_line_is_still_json},
    {"the hash is the SHA-256 of the lines", hash_is_the_sha256_of_the_lines},
    {"the hash needs no sink", hash_needs_no_sink},
    {"a null trace takes nothing", null_is_no_trace},
};

TEST_MAIN("trace", tests)
