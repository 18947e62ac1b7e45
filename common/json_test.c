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

/* ---- reading ---- */

enum getter { INT, BOOL, STRING, WORD, OBJECT, ARRAY };

struct member_case {
    const char *value; /* of the member "k"; null: it is not there */
    enum getter getter;
    int rc;
    int64_t min, max;
    const char *want; /* value read, or text of the error */
};

#define HUGE INT64_MIN, INT64_MAX

static const struct member_case members[] = {
    {"5", INT, 0, 5, 5, "5"},
    {"-5", INT, 0, -5, 5, "-5"},
    {"-0", INT, 0, 0, 0, "0"},
    {"1.5e1", INT, 0, 0, 99, "15"},
    {"2.0", INT, 0, 0, 99, "2"},
    {"9007199254740991", INT, 0, HUGE, "9007199254740991"},
    {"-9007199254740991", INT, 0, HUGE, "-9007199254740991"},
    {NULL, INT, 1, 0, 9, ""},
    {"6", INT, ERR_FORMAT, 1, 5, "$.o.k: is 6, must be an integer from 1 to 5"},
    {"0", INT, ERR_FORMAT, 1, 5, "$.o.k: is 0, must be an integer from 1 to 5"},
    {"1.5", INT, ERR_FORMAT, 1, 5, "$.o.k: is 1.5, must be an integer from 1 to 5"},
    {"15e-1", INT, ERR_FORMAT, 1, 5, "$.o.k: is 1.5, must be an integer from 1 to 5"},
    {"1e-200", INT, ERR_FORMAT, 0, 5,
     "$.o.k: is 9.9999999999999998e-201, must be an integer from 0 to 5"},
    {"1e200", INT, ERR_FORMAT, 0, 5,
     "$.o.k: is 9.9999999999999997e+199, must be an integer from 0 to 5"},
    {"9007199254740992", INT, ERR_FORMAT, HUGE,
     "$.o.k: is 9007199254740992, must be an integer from -9007199254740991 to 9007199254740991"},
    {"-9007199254740993", INT, ERR_FORMAT, HUGE,
     "$.o.k: is -9007199254740992, must be an integer from -9007199254740991 to 9007199254740991"},
    {"\"5\"", INT, ERR_FORMAT, 1, 5, "$.o.k: is \"5\", must be an integer from 1 to 5"},
    {"null", INT, ERR_FORMAT, 1, 5, "$.o.k: is null, must be an integer from 1 to 5"},
    {"true", INT, ERR_FORMAT, 0, 5, "$.o.k: is true, must be an integer from 0 to 5"},
    {"true", BOOL, 0, 0, 0, "1"},
    {"false", BOOL, 0, 0, 0, "0"},
    {NULL, BOOL, 1, 0, 0, ""},
    {"1", BOOL, ERR_FORMAT, 0, 0, "$.o.k: is 1, must be true or false"},
    {"\"true\"", BOOL, ERR_FORMAT, 0, 0, "$.o.k: is \"true\", must be true or false"},
    {"\"abc\"", STRING, 0, 3, 3, "abc"},
    {"\"\"", STRING, 0, 0, 3, ""},
    {"\"\xe5\x9b\xba\"", STRING, 0, 3, 3, "\xe5\x9b\xba"},
    {NULL, STRING, 1, 0, 3, ""},
    {"\"\"", STRING, ERR_FORMAT, 1, 3, "$.o.k: is a string of 0 bytes, must be 1 to 3 bytes"},
    {"\"abcd\"", STRING, ERR_FORMAT, 1, 3, "$.o.k: is a string of 4 bytes, must be 1 to 3 bytes"},
    {"false", STRING, ERR_FORMAT, 1, 3, "$.o.k: is false, must be a string of 1 to 3 bytes"},
    {"[]", STRING, ERR_FORMAT, 1, 3, "$.o.k: is an array, must be a string of 1 to 3 bytes"},
    {"\"drop\"", WORD, 0, 0, 0, "0"},
    {"\"stall\"", WORD, 0, 0, 0, "1"},
    {NULL, WORD, 1, 0, 0, ""},
    {"\"Drop\"", WORD, ERR_FORMAT, 0, 0, "$.o.k: is \"Drop\", must be one of \"drop\", \"stall\""},
    {"\"dropped\"", WORD, ERR_FORMAT, 0, 0,
     "$.o.k: is \"dropped\", must be one of \"drop\", \"stall\""},
    {"0", WORD, ERR_FORMAT, 0, 0, "$.o.k: is 0, must be one of \"drop\", \"stall\""},
    {"\"a\\nb\\\"0123456789012345678901234567890123456789\"", WORD, ERR_FORMAT, 0, 0,
     "$.o.k: is \"a\\u000ab\\\"012345678901234567890123456789012345...\", must be one of "
     "\"drop\", \"stall\""},
    {"{\"x\":1}", OBJECT, 0, 0, 0, "{\"x\":1}"},
    {NULL, OBJECT, 1, 0, 0, ""},
    {"[]", OBJECT, ERR_FORMAT, 0, 0, "$.o.k: is an array, must be an object"},
    {"[1,2]", ARRAY, 0, 2, 2, "[1,2]"},
    {"[]", ARRAY, 0, 0, 2, "[]"},
    {NULL, ARRAY, 1, 0, 2, ""},
    {"[]", ARRAY, ERR_FORMAT, 1, 2, "$.o.k: is an array of 0 items, must be 1 to 2 items"},
    {"[1,2,3]", ARRAY, ERR_FORMAT, 1, 2, "$.o.k: is an array of 3 items, must be 1 to 2 items"},
    {"{}", ARRAY, ERR_FORMAT, 1, 2, "$.o.k: is an object, must be an array of 1 to 2 items"},
};

static const char *const words[] = {"drop", "stall"};

#define UNTOUCHED 4711

/* Calls the getter; what it read as text in out, "" if it left the variable alone. */
static int get(const struct member_case *c, const cJSON *root, const cJSON *obj, char out[64],
               struct err *err)
{
    int64_t integer = UNTOUCHED;
    int word = UNTOUCHED;
    bool flag = false;
    bool other_flag = true;
    const char *text = NULL;
    const cJSON *node = NULL;
    int rc = ERR_BENCH;
    out[0] = '\0';
    switch (c->getter) {
    case INT:
        rc = json_get_int(root, obj, "k", c->min, c->max, &integer, err);
        break;
    case BOOL:
        rc = json_get_bool(root, obj, "k", &flag, err);
        CHECK_INT(json_get_bool(root, obj, "k", &other_flag, err), rc);
        if (flag == other_flag)
            (void)snprintf(out, 64, "%d", flag);
        break;
    case STRING:
        rc = json_get_string(root, obj, "k", (size_t)c->min, (size_t)c->max, &text, err);
        break;
    case WORD:
        rc = json_get_word(root, obj, "k", words, 2, &word, err);
        break;
    case OBJECT:
        rc = json_get_object(root, obj, "k", &node, err);
        break;
    case ARRAY:
        rc = json_get_array(root, obj, "k", (int)c->min, (int)c->max, &node, err);
        break;
    }
    if (integer != UNTOUCHED)
        (void)snprintf(out, 64, "%lld", (long long)integer);
    if (word != UNTOUCHED)
        (void)snprintf(out, 64, "%d", word);
    if (text != NULL)
        (void)snprintf(out, 64, "%s", text);
    if (node != NULL)
        CHECK(cJSON_PrintPreallocated((cJSON *)node, out, 64, 0));
    return rc;
}

static void reads_member(const void *row)
{
    const struct member_case *c = row;
    char text[256];
    (void)snprintf(text, sizeof text, "{\"K\":0,\"o\":{\"K\":[],\"%s\":%s}}",
                   c->value != NULL ? "k" : "other", c->value != NULL ? c->value : "0");
    struct json doc;
    struct err err = {0};
    REQUIRE_OK(json_parse(&doc, text, strlen(text), &strict, &err), &err);
    const cJSON *obj = NULL;
    CHECK_INT(json_get_object(doc.root, doc.root, "o", &obj, &err), 0);
    char got[64];
    int rc = get(c, doc.root, obj, got, &err);
    CHECK_INT(rc, c->rc);
    CHECK_STR(got, rc == 0 ? c->want : "");
    CHECK_STR(err.text, rc < 0 ? c->want : "");

    /* A required one: only "missing" changes. */
    int need = json_need(rc, doc.root, obj, "k", &err);
    CHECK_INT(need, rc == 1 ? ERR_FORMAT : rc);
    if (rc == 1)
        CHECK_STR(err.text, "$.o: needs \"k\"");
    else
        CHECK_STR(err.text, rc < 0 ? c->want : "");

    /* Not an object at all. */
    CHECK_ERR(get(c, doc.root, cJSON_GetObjectItem(obj, "K"), got, &err), ERR_FORMAT);
    CHECK_STR(err.text, "$.o.K: is an array, must be an object");
    CHECK_STR(got, "");
    json_free(&doc);
}

static const char *member_name(const void *row)
{
    static const char *const missing[] = {"missing int",  "missing bool",   "missing string",
                                          "missing word", "missing object", "missing array"};
    const struct member_case *c = row;
    return c->value != NULL ? c->value : missing[c->getter];
}

static void only_known_keys(void)
{
    static const char text[] = "{\"o\":{\"drop\":1,\"stall\":2,\"Drop\":3,\"x\":4},\"a\":[1]}";
    static const char *const all[] = {"drop", "stall", "Drop", "x"};
    struct json doc;
    struct err err = {0};
    REQUIRE_OK(json_parse(&doc, text, sizeof text - 1, &strict, &err), &err);
    const cJSON *o = cJSON_GetObjectItem(doc.root, "o");
    CHECK_OK(json_only_keys(doc.root, o, all, 4, &err), &err);
    CHECK_ERR(json_only_keys(doc.root, o, all, 2, &err), ERR_FORMAT);
    CHECK_STR(err.text, "$.o: has the unknown key \"Drop\", allowed are \"drop\", \"stall\"");
    CHECK_ERR(json_only_keys(doc.root, o, all, 0, &err), ERR_FORMAT);
    CHECK_STR(err.text, "$.o: has the unknown key \"drop\", allowed are none");
    CHECK_ERR(json_only_keys(doc.root, cJSON_GetObjectItem(doc.root, "a"), all, 4, &err),
              ERR_FORMAT);
    CHECK_STR(err.text, "$.a: is an array, must be an object");
    json_free(&doc);
}

/* ---- paths ---- */

static void paths(void)
{
    static const char text[] =
        "{\"network\":[{},{\"at_ms\":[0,[1]]}],\"we \\\"ird\\n\":1,\"\":2,\"9x\":3,\"_9\":4}";
    struct json doc;
    struct err err = {0};
    struct json_limits deep = {.max_bytes = 4096, .max_depth = 8};
    REQUIRE_OK(json_parse(&doc, text, sizeof text - 1, &deep, &err), &err);
    const cJSON *network = doc.root->child;
    const cJSON *at_ms = network->child->next->child;
    const struct {
        const cJSON *node;
        const char *want;
    } nodes[] = {
        {doc.root, "$"},
        {network, "$.network"},
        {network->child, "$.network[0]"},
        {network->child->next, "$.network[1]"},
        {at_ms, "$.network[1].at_ms"},
        {at_ms->child, "$.network[1].at_ms[0]"},
        {at_ms->child->next->child, "$.network[1].at_ms[1][0]"},
        {network->next, "$[\"we \\\"ird\\u000a\"]"},
        {network->next->next, "$[\"\"]"},
        {network->next->next->next, "$[\"9x\"]"},
        {network->next->next->next->next, "$._9"},
    };
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        char path[JSON_PATH_MAX];
        json_path(doc.root, nodes[i].node, path);
        CHECK_STR(path, nodes[i].want);
    }
    /* Relative to a part of the document, and not in it. */
    char path[JSON_PATH_MAX];
    json_path(network, at_ms, path);
    CHECK_STR(path, "$[1].at_ms");
    json_path(at_ms, network, path);
    CHECK_STR(path, "$.?");

    CHECK_ERR(json_error(doc.root, at_ms, &err, "is %d of %s", 1, "two"), ERR_FORMAT);
    CHECK_STR(err.text, "$.network[1].at_ms: is 1 of two");
    CHECK_ERR(json_error(doc.root, at_ms, NULL, "x"), ERR_FORMAT);
    json_free(&doc);
}

static void a_long_path_is_cut_at_a_character(void)
{
    /* Three bytes a character: the cut falls inside one unless it is looked after. */
    char text[1024] = "{\"";
    for (int i = 0; i < 100; i++)
        (void)strcat(text, "\xe5\x9b\xba");
    (void)strcat(text, "\":{\"a\":1}}");
    struct json doc;
    struct err err = {0};
    REQUIRE_OK(json_parse(&doc, text, strlen(text), &strict, &err), &err);
    char path[JSON_PATH_MAX];
    json_path(doc.root, doc.root->child->child, path);
    size_t len = strlen(path);
    CHECK(len <= JSON_PATH_MAX - 1 && len > JSON_PATH_MAX - 1 - 3);
    CHECK_INT((len - 3) % 3, 0);
    json_free(&doc);
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
    TEST_ROWS("member", reads_member, members, member_name),
    {"only known keys", only_known_keys},
    {"paths", paths},
    {"a long path is cut at a character", a_long_path_is_cut_at_a_character},
    TEST_ROWS("written", writes, strings, text_name),
};

TEST_MAIN("json", tests)
