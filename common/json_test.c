#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

static const struct json_limits strict = {.max_bytes = 4096, .max_depth = 4};
static const struct json_limits commented = {.max_bytes = 4096, .max_depth = 4, .comments = true};

/* ---- texts ---- */

struct text_case {
    const char *text;
    const char *want; /* the tree as cJSON prints it, or the whole reason of the refusal */
};

static const struct text_case accepted[] = {
    {"{}", "{}"},
    {"[]", "[]"},
    {" \t\r\n[ ] \n", "[]"},
    {"null", "null"},
    {"\"\"", "\"\""},
    {"[true,false,null]", "[true,false,null]"},
    {"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}"},
    {"[{\"a\":1},{\"a\":1}]", "[{\"a\":1},{\"a\":1}]"},
    {"[[[[]]]]", "[[[[]]]]"},
    {"[[[1],[2]],[[3]]]", "[[[1],[2]],[[3]]]"},
    {"[0,-0,10,-7]", "[0,-0,10,-7]"},
    {"[0.5,1e2,1E+2,25e-1,-1.5]", "[0.5,100,100,2.5,-1.5]"},
    {"[0.00000000000000000001]", "[1e-20]"},
    {"[123456789012345.0]", "[123456789012345]"},
    {"\"\\u0041\\ud83d\\ude00\"", "\"A\xf0\x9f\x98\x80\""},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\\\u0000\"", "\"\\\\u0000\""},
    {"\"\xe5\x9b\xba\xe4\xbb\xb6\x7f\"", "\"\xe5\x9b\xba\xe4\xbb\xb6\x7f\""},
    {"\"[[[[[[{{{{\"", "\"[[[[[[{{{{\""},
    {"\"// not /* a comment\"", "\"// not /* a comment\""},
    {"\"01 1. -\"", "\"01 1. -\""},
};

static void accepts(const void *row)
{
    const struct text_case *c = row;
    /* Of exactly this size, so that the sanitizer sees a read past the end. */
    size_t len = strlen(c->text);
    char *text = malloc(len);
    REQUIRE(text != NULL);
    memcpy(text, c->text, len);
    struct json doc;
    struct err err = {0};
    CHECK_OK(json_parse(&doc, text, len, &strict, &err), &err);
    char *printed = cJSON_PrintUnformatted(doc.root);
    CHECK_STR(printed, c->want);
    cJSON_free(printed);
    json_free(&doc);
    CHECK(doc.root == NULL);
    /* Comments allowed changes nothing where there are none. */
    CHECK_OK(json_parse(&doc, text, len, &commented, &err), &err);
    json_free(&doc);
    free(text);
}

static const struct text_case refused[] = {
    {"", "1:1: unexpected end of the text"},
    {" \n ", "2:2: unexpected end of the text"},
    {"{", "1:2: unexpected end of the text"},
    {"[1", "1:3: unexpected end of the text"},
    {"{\"a\":1,", "1:8: unexpected end of the text"},
    {"[1,]", "1:4: unexpected \"]\""},
    {"{\"a\":1,}", "1:8: unexpected \"}\""},
    {"{\n  \"a\": 1,\n}", "3:1: unexpected \"}\""},
    {"{1:2}", "1:2: unexpected \"1\""},
    {"{,}", "1:2: unexpected \",\""},
    {"{\"a\":1,5}", "1:8: unexpected \"5\""},
    {"[1,5x]", "1:5: unexpected \"x\""},
    {"{\"a\" 1}", "1:6: unexpected \"1\""},
    {"{\"a\":1 \"b\":2}", "1:8: unexpected \"\\\"\""},
    {"[1 2]", "1:4: unexpected \"2\""},
    {"[1}", "1:3: unexpected \"}\""},
    {"['a']", "1:2: unexpected \"'\""},
    {"nul", "1:1: unexpected \"n\""},
    {"True", "1:1: unexpected \"T\""},
    {"NaN", "1:1: unexpected \"N\""},
    {"// x\n1", "1:1: unexpected \"/\""},
    {"[\"\xc3\xa9\", \xc3\xa9]", "1:7: unexpected \"\xc3\xa9\""},
    /* After the value. */
    {"1 2", "1:3: unexpected \"2\""},
    {"{}x", "1:3: unexpected \"x\""},
    {"{}\n{}", "2:1: unexpected \"{\""},
    {"[1]]", "1:4: unexpected \"]\""},
    /* Keys. */
    {"{\"a\":1,\"a\":2}", "$: has the key \"a\" more than once"},
    {"{\"a\":1,\"\\u0061\":2}", "$: has the key \"a\" more than once"},
    {"{\"\":1,\"b\":0,\"\":2}", "$: has the key \"\" more than once"},
    {"[0,{\"k\":{\"a\":1,\"b\":0,\"a\":1}}]", "$[1].k: has the key \"a\" more than once"},
    /* Characters. */
    {"\xef\xbb\xbf{}", "1:1: byte order mark, must be plain UTF-8"},
    {"\"a\xff\"", "1:3: byte 0xff is not UTF-8"},
    {"\"\xc0\xaf\"", "1:2: byte 0xc0 is not UTF-8"},
    {"\"\xed\xa0\x80\"", "1:2: byte 0xed is not UTF-8"},
    {"\"\xe5\x9b", "1:2: byte 0xe5 is not UTF-8"},
    {"[1,\xa0 2]", "1:4: byte 0xa0 is not UTF-8"},
    {"\"a\nb\"", "1:3: control character 0x0a in a string, must be escaped"},
    {"\"a\tb\"", "1:3: control character 0x09 in a string, must be escaped"},
    {"\"\x1f\"", "1:2: control character 0x1f in a string, must be escaped"},
    {"{\"\x01\":1}", "1:3: control character 0x01 in a string, must be escaped"},
    {"[1,\x0b 2]", "1:4: control character 0x0b"},
    {"\f1", "1:1: control character 0x0c"},
    /* Strings. */
    {"\"abc", "1:1: string has no end"},
    {"\"abc\\", "1:1: string has no end"},
    {"\"abc\\\"", "1:1: string has no end"},
    {"\"\\u0000\"", "1:2: \\u0000 is not allowed in a string"},
    {"{\"a\\u0000b\":1}", "1:4: \\u0000 is not allowed in a string"},
    {"\"\\uzzzz\"", "1:2: \\u must be followed by four hex digits"},
    {"\"\\u12\"", "1:2: \\u must be followed by four hex digits"},
    {"\"\\u123", "1:2: \\u must be followed by four hex digits"},
    {"\"\\x41\"", "1:2: unknown escape in a string"},
    {"\"\\ud800\"", "1:2: unexpected escape (surrogates must come in pairs)"},
    {"\"\\ud800\\u0041\"", "1:2: unexpected escape (surrogates must come in pairs)"},
    {"\"\\udc00\"", "1:2: unexpected escape (surrogates must come in pairs)"},
    /* Numbers. */
    {"01", "1:1: number must not begin with zeros"},
    {"[-00]", "1:2: number must not begin with zeros"},
    {"1.", "1:1: number needs a digit after its decimal point"},
    {"[1.e5]", "1:2: number needs a digit after its decimal point"},
    {"-", "1:1: number needs a digit after its minus sign"},
    {"-Infinity", "1:1: number needs a digit after its minus sign"},
    {"+1", "1:1: unexpected \"+\""},
    {".5", "1:1: unexpected \".\""},
    {"1e", "1:1: number needs a digit after its exponent sign"},
    {"1e+", "1:1: number needs a digit after its exponent sign"},
    {"1.5.5", "1:4: unexpected \".\""},
    {"0x10", "1:2: unexpected \"x\""},
    {"1e201", "1:1: exponent of the number must be from -200 to 200"},
    {"1e-99999999999999999999", "1:1: exponent of the number must be from -200 to 200"},
    {"1.000000000000001",
     "1:1: number with more than 15 significant digits cannot be kept exactly"},
    {"1000000000000000000000000000000000000000000000000000000000000000",
     "1:1: number of 64 characters, at most 63 are allowed"},
};

static void refuses(const void *row)
{
    const struct text_case *c = row;
    size_t len = strlen(c->text);
    char *text = malloc(len + 1);
    REQUIRE(text != NULL);
    memcpy(text, c->text, len);
    text[len] = ']'; /* bait: beyond the text */
    struct json doc;
    struct err err = {0};
    CHECK_ERR(json_parse(&doc, text, len, &strict, &err), ERR_FORMAT);
    CHECK_STR(err.text, c->want);
    CHECK(doc.root == NULL);
    free(text);
}

static const struct text_case accepted_comments[] = {
    {"// x\n1", "1"},
    {"1 // no newline at the end", "1"},
    {"1//", "1"},
    {"/* a\n * b\n */ [1, /**/ 2 /***/]/*/*/", "[1,2]"},
    {"[1] // /* not open", "[1]"},
    {"/* // */ 1", "1"},
    {"{\"a//b\": \"/* c */\" /* d */}", "{\"a//b\":\"/* c */\"}"},
    {"\"\\\"//\" // \"", "\"\\\"//\""},
    {"// \x01\t \xe5\x9b\xba\n1", "1"},
};

static void accepts_comments(const void *row)
{
    const struct text_case *c = row;
    struct json doc;
    struct err err = {0};
    CHECK_OK(json_parse(&doc, c->text, strlen(c->text), &commented, &err), &err);
    char *printed = cJSON_PrintUnformatted(doc.root);
    CHECK_STR(printed, c->want);
    cJSON_free(printed);
    json_free(&doc);
    CHECK_ERR(json_parse(&doc, c->text, strlen(c->text), &strict, NULL), ERR_FORMAT);
}

static const struct text_case refused_comments[] = {
    {"1 /* x", "1:3: comment has no end"},
    {"1 /*/", "1:3: comment has no end"},
    {"/", "1:1: unexpected \"/\""},
    {"1 / 2", "1:3: unexpected \"/\""},
    {"1/**/2", "1:6: unexpected \"2\""},
    {"tr/**/ue", "1:1: unexpected \"t\""},
    {"/* \xe5\x9b\xba\n */ /*\xe5\x9b\xba*/ x", "2:11: unexpected \"x\""},
    {"// \xff\n1", "1:4: byte 0xff is not UTF-8"},
    {"// only this", "1:13: unexpected end of the text"},
    {"{\"a\": 1, // last\n}", "2:1: unexpected \"}\""},
    {"{\"a\": 1, \"a\": /* b */ 1}", "$: has the key \"a\" more than once"},
};

static void refuses_comments(const void *row)
{
    const struct text_case *c = row;
    struct json doc;
    struct err err = {0};
    CHECK_ERR(json_parse(&doc, c->text, strlen(c->text), &commented, &err), ERR_FORMAT);
    CHECK_STR(err.text, c->want);
    CHECK(doc.root == NULL);
}

static const char *text_name(const void *row)
{
    const struct text_case *c = row;
    return c->text;
}

static void limits_hold(void)
{
    struct json doc;
    struct err err = {0};
    struct json_limits limits = {.max_bytes = 9, .max_depth = 4};
    CHECK_OK(json_parse(&doc, "[[[[ ]]]]", 9, &limits, &err), &err);
    json_free(&doc);
    CHECK_ERR(json_parse(&doc, "[[[[  ]]]]", 10, &limits, &err), ERR_LIMIT);
    CHECK_STR(err.text, "text of 10 bytes, at most 9 are allowed");
    CHECK(doc.root == NULL);
    CHECK_ERR(json_parse(&doc, "[{\"\":[\n{", 8, &strict, &err), ERR_FORMAT);
    CHECK_ERR(json_parse(&doc, "[[\n[[[", 6, &strict, &err), ERR_LIMIT);
    CHECK_STR(err.text, "2:3: nested deeper than the 4 levels allowed");
    CHECK(doc.root == NULL);
    limits.max_depth = 0;
    CHECK_ERR(json_parse(&doc, "1", 1, &limits, &err), ERR_ARG);
    limits.max_depth = CJSON_NESTING_LIMIT + 1;
    CHECK_ERR(json_parse(&doc, "1", 1, &limits, &err), ERR_ARG);
    CHECK_ERR(json_parse(&doc, "1", 1, &limits, NULL), ERR_ARG);
}

static void the_deepest_possible_text(void)
{
    char text[2 * CJSON_NESTING_LIMIT + 2];
    const struct json_limits limits = {.max_bytes = sizeof text, .max_depth = CJSON_NESTING_LIMIT};
    memset(text, '[', CJSON_NESTING_LIMIT);
    memset(text + CJSON_NESTING_LIMIT, ']', CJSON_NESTING_LIMIT);
    struct json doc;
    struct err err = {0};
    CHECK_OK(json_parse(&doc, text, 2 * CJSON_NESTING_LIMIT, &limits, &err), &err);
    const cJSON *deepest = doc.root;
    while (deepest != NULL && deepest->child != NULL)
        deepest = deepest->child;
    char path[JSON_PATH_MAX];
    json_path(doc.root, deepest, path);
    CHECK_INT(strlen(path), JSON_PATH_MAX - 1);
    CHECK_HAS(path, "$[0][0][0]");
    json_free(&doc);

    memset(text, '[', CJSON_NESTING_LIMIT + 1);
    memset(text + CJSON_NESTING_LIMIT + 1, ']', CJSON_NESTING_LIMIT + 1);
    CHECK_ERR(json_parse(&doc, text, sizeof text, &limits, &err), ERR_LIMIT);
}

static void a_nul_is_not_the_end(void)
{
    struct json doc;
    struct err err = {0};
    CHECK_ERR(json_parse(&doc, "1\0", 2, &strict, &err), ERR_FORMAT);
    CHECK_STR(err.text, "1:2: control character 0x00");
    CHECK_ERR(json_parse(&doc, "\"a\0\"", 4, &strict, &err), ERR_FORMAT);
    CHECK_STR(err.text, "1:3: control character 0x00 in a string, must be escaped");
    CHECK_ERR(json_parse(&doc, "\"\\\0\"", 4, &strict, &err), ERR_FORMAT);
    CHECK_STR(err.text, "1:2: unknown escape in a string");
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    REQUIRE(fputs(text, f) >= 0);
    REQUIRE(fclose(f) == 0);
}

static void reads_files(void)
{
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 16];
    char want[TEST_PATH_MAX + 128];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/x.json", dir);
    struct json doc;
    struct err err = {0};

    CHECK_ERR(json_parse_file(&doc, path, &commented, &err), ERR_IO);
    (void)snprintf(want, sizeof want, "%s: cannot be opened: No such file or directory", path);
    CHECK_STR(err.text, want);
    CHECK(doc.root == NULL);
    CHECK_ERR(json_parse_file(&doc, dir, &commented, &err), ERR_IO);
    CHECK_HAS(err.text, ": cannot be read: ");

    write_file(path, "// a scenario\n{\"a\": 5}\n");
    CHECK_OK(json_parse_file(&doc, path, &commented, &err), &err);
    int64_t a = 0;
    CHECK_OK(json_get_int(doc.root, doc.root, "a", 0, 9, &a, &err), &err);
    CHECK_INT(a, 5);
    json_free(&doc);

    CHECK_ERR(json_parse_file(&doc, path, &strict, &err), ERR_FORMAT);
    (void)snprintf(want, sizeof want, "%s: 1:1: unexpected \"/\"", path);
    CHECK_STR(err.text, want);

    const struct json_limits small = {.max_bytes = 22, .max_depth = 4, .comments = true};
    CHECK_ERR(json_parse_file(&doc, path, &small, &err), ERR_LIMIT);
    (void)snprintf(want, sizeof want, "%s: longer than the 22 bytes allowed", path);
    CHECK_STR(err.text, want);

    write_file(path, "");
    CHECK_ERR(json_parse_file(&doc, path, &strict, &err), ERR_FORMAT);
    (void)snprintf(want, sizeof want, "%s: 1:1: unexpected end of the text", path);
    CHECK_STR(err.text, want);
}

/* ---- writing ---- */

static const struct text_case strings[] = {
    {"", "\"\""},
    {"plain", "\"plain\""},
    {"q\" b\\ s/", "\"q\\\" b\\\\ s/\""},
    {"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\x7f\""},
    {"\xe5\x9b\xba \xf0\x9f\x98\x80", "\"\xe5\x9b\xba \xf0\x9f\x98\x80\""},
    {"a\xff\xe5\x9bz", "\"a\\ufffd\\ufffd\\ufffdz\""},
};

static void writes(const void *row)
{
    const struct text_case *c = row;
    struct buf out;
    buf_init(&out, 100);
    CHECK_INT(buf_text(&out, "x:"), 0);
    CHECK_INT(json_put_string(&out, c->text), 0);
    CHECK_STR((const char *)out.data + 2, c->want);
    size_t whole = out.len_bytes;
    buf_free(&out);
    /* Any smaller room: refused, and what was there is as before. */
    for (size_t max = 2; max < whole; max++) {
        buf_init(&out, max);
        CHECK_INT(buf_text(&out, "x:"), 0);
        CHECK_ERR(json_put_string(&out, c->text), ERR_LIMIT);
        CHECK_STR((const char *)out.data, "x:");
        CHECK_INT(out.len_bytes, 2);
        buf_free(&out);
    }
}

static const struct test tests[] = {
    TEST_ROWS("accepted", accepts, accepted, text_name),
    TEST_ROWS("refused", refuses, refused, text_name),
    TEST_ROWS("accepted with comments", accepts_comments, accepted_comments, text_name),
    TEST_ROWS("refused with comments", refuses_comments, refused_comments, text_name),
    {"size and depth are limited", limits_hold},
    {"the deepest possible text", the_deepest_possible_text},
    {"a NUL byte is not the end", a_nul_is_not_the_end},
    {"files are read and named", reads_files},
    TEST_ROWS("written", writes, strings, text_name),
};
TEST_MAIN("json", tests)
