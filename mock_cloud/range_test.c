#include "mock_cloud/range.h"

#include <stdio.h>

#include "common/testing/testing.h"

struct range_row {
    const char *header;
    uint64_t size;
    enum range_kind kind;
    uint64_t from, to;
};

static const struct range_row ranges[] = {
    {NULL, 100, RANGE_WHOLE, 0, 0},
    {"bytes=0-0", 100, RANGE_PART, 0, 0},
    {"bytes=0-99", 100, RANGE_PART, 0, 99},
    {"bytes=10-19", 100, RANGE_PART, 10, 19},
    {"bytes=90-", 100, RANGE_PART, 90, 99},
    {"bytes=0-", 100, RANGE_PART, 0, 99},
    {"bytes=99-99", 100, RANGE_PART, 99, 99},
    {"bytes=50-200", 100, RANGE_PART, 50, 99},
    {"bytes=50-18446744073709551616", 100, RANGE_PART, 50, 99},
    {"bytes=-1", 100, RANGE_PART, 99, 99},
    {"bytes=-100", 100, RANGE_PART, 0, 99},
    {"bytes=-101", 100, RANGE_PART, 0, 99},
    {"bytes=-99999999999999999999999", 100, RANGE_PART, 0, 99},
    {"BYTES=1-2", 100, RANGE_PART, 1, 2},
    {" bytes= 1-2 ", 100, RANGE_PART, 1, 2},
    {"bytes=007-08", 100, RANGE_PART, 7, 8},
    {"bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=100-100", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=18446744073709551616-", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=5-4", 100, RANGE_WHOLE, 0, 0},
    {"bytes=200-150", 100, RANGE_WHOLE, 0, 0},
    {"bytes=0-1,5-6", 100, RANGE_WHOLE, 0, 0},
    {"bytes=0-1,", 100, RANGE_WHOLE, 0, 0},
    {"bytes=-", 100, RANGE_WHOLE, 0, 0},
    {"bytes=", 100, RANGE_WHOLE, 0, 0},
    {"bytes", 100, RANGE_WHOLE, 0, 0},
    {"", 100, RANGE_WHOLE, 0, 0},
    {"bytes=a-b", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1-2x", 100, RANGE_WHOLE, 0, 0},
    {"bytes=0x1-2", 100, RANGE_WHOLE, 0, 0},
    {"bytes=+1-2", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1", 100, RANGE_WHOLE, 0, 0},
    {"bytes=1--2", 100, RANGE_WHOLE, 0, 0},
    {"bytes =1-2", 100, RANGE_WHOLE, 0, 0},
    {"items=0-5", 100, RANGE_WHOLE, 0, 0},
};

static void range_is_read(const void *row)
{
    const struct range_row *r = row;
    uint64_t from = 0, to = 0;
    CHECK_INT(range_parse(r->header, r->size, &from, &to), r->kind);
    CHECK_INT(from, r->from);
    CHECK_INT(to, r->to);
}

static const char *range_name(const void *row)
{
    static char name[128];
    const struct range_row *r = row;
    (void)snprintf(name, sizeof name, "'%s' of %d", r->header == NULL ? "(none)" : r->header,
                   (int)r->size);
    return name;
}

struct tag_row {
    const char *header;
    bool want;
};

#define TAG "\"abc\""

static const struct tag_row if_ranges[] = {
    {NULL, true},        {"\"abc\"", true},
    {" \"abc\" ", true}, {"W/\"abc\"", false},
    {"\"abd\"", false},  {"\"abc", false},
    {"\"abc\"x", false}, {"abc", false},
    {"", false},         {"Wed, 21 Oct 2015 07:28:00 GMT", false},
};

static const struct tag_row none_matches[] = {
    {NULL, false},
    {"*", true},
    {" * ", true},
    {"*, \"abc\"", false},
    {"\"abc\"", true},
    {"W/\"abc\"", true},
    {"\"x\", \"abc\"", true},
    {"\"x\",W/\"abc\" , \"y\"", true},
    {"\"x\", \"ab\"", false},
    {"\"x,\\\"abc\"", false},
    {"abc", false},
    {"\"abc", false},
    {"\"x\" \"abc\"", false},
    {"", false},
};

static void if_range(const void *row)
{
    const struct tag_row *r = row;
    CHECK_INT(if_range_holds(r->header, TAG), r->want);
}

static void if_none_match(const void *row)
{
    const struct tag_row *r = row;
    CHECK_INT(if_none_match_hits(r->header, TAG), r->want);
}

static const char *tag_name(const void *row)
{
    const struct tag_row *r = row;
    return r->header == NULL ? "(none)" : r->header[0] == '\0' ? "(empty)" : r->header;
}

static const struct test tests[] = {
    TEST_ROWS("range", range_is_read, ranges, range_name),
    TEST_ROWS("If-Range", if_range, if_ranges, tag_name),
    TEST_ROWS("If-None-Match", if_none_match, none_matches, tag_name),
};
TEST_MAIN("range", tests)
