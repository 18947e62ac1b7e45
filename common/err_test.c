#include "common/err.h"

#include <string.h>

#include "common/testing/testing.h"

static void set_formats_and_returns_the_code(void)
{
    struct err err;
    CHECK_ERR(err_set(&err, ERR_LIMIT, "%d of %s", 7, "nine"), ERR_LIMIT);
    CHECK_STR(err.text, "7 of nine");
    CHECK_ERR(err_set(&err, ERR_IO, "other"), ERR_IO);
    CHECK_STR(err.text, "other");
}

static void null_is_fine(void)
{
    CHECK_ERR(err_set(NULL, ERR_ARG, "%d", 1), ERR_ARG);
    CHECK_ERR(err_prefix(NULL, ERR_ARG, "%d", 1), ERR_ARG);
}

static void prefixes_stack(void)
{
    struct err err = {0};
    err_set(&err, ERR_FORMAT, "is 3, must be 1 to 2");
    CHECK_ERR(err_prefix(&err, ERR_FORMAT, "field %s", "at_ms"), ERR_FORMAT);
    CHECK_ERR(err_prefix(&err, ERR_BENCH, "scenario x.json"), ERR_BENCH);
    CHECK_STR(err.text, "scenario x.json: field at_ms: is 3, must be 1 to 2");
}

static void set_cuts_long_text(void)
{
    char text[2 * ERR_TEXT_MAX];
    struct err err;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_IO, "%s", text);
    CHECK_INT(strlen(err.text), ERR_TEXT_MAX - 1);
    CHECK_MEM(err.text, text, ERR_TEXT_MAX - 1);
}

/* Every length of the prefix around the edge, over a text that fills the rest: both are cut at the
 * maximum, the prefix is what stays. */
static void prefix_cuts_the_old_text(void)
{
    char prefix[2 * ERR_TEXT_MAX];
    for (size_t n = 1; n < sizeof prefix; n++) {
        struct err err;
        memset(err.text, 'o', sizeof err.text - 1);
        err.text[sizeof err.text - 1] = '\0';
        memset(prefix, 'p', n);
        prefix[n] = '\0';
        err_prefix(&err, ERR_IO, "%s", prefix);
        size_t kept = n < ERR_TEXT_MAX ? n : ERR_TEXT_MAX - 1;
        size_t len = strnlen(err.text, sizeof err.text);
        if (!CHECK(len < sizeof err.text) || !CHECK_MEM(err.text, prefix, kept))
            return;
        if (n + 4 < ERR_TEXT_MAX && !CHECK_MEM(err.text + n, ": o", 3))
            return;
    }
}

struct code {
    const char *name;
    int code;
};

static const struct code codes[] = {
    {"ERR_OK", 0},      {"ERR_ARG", -1},         {"ERR_FORMAT", -2},    {"ERR_LIMIT", -3},
    {"ERR_IO", -4},     {"ERR_NOMEM", -5},       {"ERR_NOT_FOUND", -6}, {"ERR_WRONG_STATE", -7},
    {"ERR_DIGEST", -8}, {"ERR_UNSUPPORTED", -9}, {"ERR_BENCH", -10},    {"ERR_UNKNOWN", -11},
    {"ERR_UNKNOWN", 1},
};

static void has_its_name(const void *row)
{
    const struct code *c = row;
    CHECK_STR(err_name(c->code), c->name);
}

static const char *code_name(const void *row)
{
    const struct code *c = row;
    return c->name;
}

static const struct test tests[] = {
    {"set formats and returns the code", set_formats_and_returns_the_code},
    {"a null err is fine", null_is_fine},
    {"prefixes stack from the inside out", prefixes_stack},
    {"set cuts what is too long", set_cuts_long_text},
    {"a prefix of any length stays within the text", prefix_cuts_the_old_text},
    TEST_ROWS("code", has_its_name, codes, code_name),
};

TEST_MAIN("errors", tests)
