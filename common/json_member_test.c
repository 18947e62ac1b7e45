#include "common/json.h"

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

static const struct json_limits strict = {.max_bytes = 4096, .max_depth = 4};

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

static const struct test tests[] = {
    TEST_ROWS("member", reads_member, members, member_name),
    {"only known keys", only_known_keys},
    {"paths", paths},
    {"a long path is cut at a character", a_long_path_is_cut_at_a_character},
};
TEST_MAIN("json members", tests)
