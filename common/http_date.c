#include "common/http_date.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct date {
    int64_t year;
    int month, day, weekday; /* month from 1, weekday 0: Sunday */
};

/* Days since 1970 and dates, after H. Hinnant's civil_from_days and days_from_civil. */
static struct date date_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (struct date){.year = yoe + era * 400 + (month <= 2),
                         .month = month,
                         .day = (int)(doy - (153 * mp + 2) / 5 + 1),
                         .weekday = (int)(((days + 4) % 7 + 7) % 7)};
}

static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct date split(int64_t unix_s, int *rest)
{
    int64_t days = unix_s / DAY_S;
    *rest = (int)(unix_s % DAY_S);
    if (*rest < 0) {
        *rest += DAY_S;
        days--;
    }
    return date_of(days);
}

void http_date_put(int64_t unix_s, char out[HTTP_DATE_BYTES])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    int rest = 0;
    struct date d = split(unix_s, &rest);
    (void)snprintf(out, HTTP_DATE_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[d.weekday],
                   (unsigned)d.day % 100, months[d.month - 1], (unsigned)(d.year % 10000) % 10000,
                   (unsigned)rest / 3600 % 100, (unsigned)rest / 60 % 60, (unsigned)rest % 60);
}

void iso_date_put(int64_t unix_s, char out[HTTP_DATE_BYTES])
{
    int rest = 0;
    struct date d = split(unix_s, &rest);
    (void)snprintf(out, HTTP_DATE_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.000Z",
                   (unsigned)(d.year % 10000) % 10000, (unsigned)d.month % 100,
                   (unsigned)d.day % 100, (unsigned)rest / 3600 % 100, (unsigned)rest / 60 % 60,
                   (unsigned)rest % 60);
}

/* n digits of text; -1: they are none. */
static int digits(const char *text, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        v = v * 10 + (text[i] - '0');
    }
    return v;
}

bool http_date_read(const char *text, int64_t *unix_s)
{
    /* a day's name, then fixed places; 0 is any letter or digit */
    static const char form[] = "000, 00 000 0000 00:00:00 GMT";
    if (strnlen(text, sizeof form) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] != '0' && form[i] != text[i])
            return false;
    int day = digits(text + 5, 2), year = digits(text + 12, 4), hour = digits(text + 17, 2);
    int minute = digits(text + 20, 2), second = digits(text + 23, 2), month = 0;
    while (month < 12 && memcmp(text + 8, months[month], 3) != 0)
        month++;
    if (month == 12 || day < 1 || day > 31 || year < 0 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return false;
    *unix_s = days_of(year, month + 1, day) * DAY_S + hour * 3600 + minute * 60 + second;
    return true;
}
