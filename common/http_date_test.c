#include "common/http_date.h"

#include "common/testing/testing.h"

struct date_row {
    const char *http, *iso;
    int64_t unix_s;
};

static const struct date_row dates[] = {
    {"Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z", 784111777},
    {"Tue, 29 Feb 2000 23:59:59 GMT", "2000-02-29T23:59:59.000Z", 951868799},
    {"Wed, 01 Mar 2000 00:00:00 GMT", "2000-03-01T00:00:00.000Z", 951868800},
    {"Tue, 14 Nov 2023 22:43:20 GMT", "2023-11-14T22:43:20.000Z", 1700001800},
    {"Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00.000Z", 4107542400},
    {"Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.000Z", -1},
};

static void both_ways(const void *row)
{
    const struct date_row *r = row;
    char out[HTTP_DATE_BYTES];
    int64_t s = 1;
    http_date_put(r->unix_s, out);
    CHECK_STR(out, r->http);
    iso_date_put(r->unix_s, out);
    CHECK_STR(out, r->iso);
    CHECK(http_date_read(r->http, &s));
    CHECK_INT(s, r->unix_s);
}

static const char *date_name(const void *row)
{
    return ((const struct date_row *)row)->http;
}

static const char *const bad[] = {
    "",
    "now",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nox 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, x6 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
};

static void is_no_date(const void *row)
{
    int64_t s = 0;
    CHECK(!http_date_read(*(const char *const *)row, &s));
}

static const char *bad_name(const void *row)
{
    return *(const char *const *)row;
}

static const struct test tests[] = {
    TEST_ROWS("both ways:", both_ways, dates, date_name),
    TEST_ROWS("no date:", is_no_date, bad, bad_name),
};
TEST_MAIN("HTTP dates", tests)
