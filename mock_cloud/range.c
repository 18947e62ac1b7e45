#include "mock_cloud/range.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define OWS " \t"

/* Reads digits; saturates, so a number beyond 64 bits stays "very large". False without digits. */
static bool read_number(const char **p, uint64_t *out)
{
    const char *start = *p;
    uint64_t v = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        uint64_t digit = (uint64_t)(**p - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    *out = v;
    return *p != start;
}

static bool at_end(const char *p)
{
    return p[strspn(p, OWS)] == '\0';
}

enum range_kind range_parse(const char *header, uint64_t size, uint64_t *from, uint64_t *to)
{
    static const char unit[] = "bytes=";
    if (header == NULL)
        return RANGE_WHOLE;
    const char *p = header + strspn(header, OWS);
    if (strncasecmp(p, unit, sizeof unit - 1) != 0)
        return RANGE_WHOLE;
    p += sizeof unit - 1;
    p += strspn(p, OWS);

    uint64_t first = 0, last = 0;
    bool has_first = read_number(&p, &first);
    if (*p++ != '-')
        return RANGE_WHOLE;
    bool has_last = read_number(&p, &last);
    if (!at_end(p) || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_WHOLE;

    if (!has_first) { /* the last `last` bytes */
        if (last == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        *from = last < size ? size - last : 0;
        *to = size - 1;
        return RANGE_PART;
    }
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    *from = first;
    *to = has_last && last < size ? last : size - 1;
    return RANGE_PART;
}

bool range_is_within(const char *header, uint64_t size)
{
    uint64_t from = 0, to = 0, last = 0, first = 0;
    if (range_parse(header, size, &from, &to) != RANGE_PART)
        return false;
    const char *p = strchr(header, '=') + 1;
    p += strspn(p, OWS);
    bool has_first = read_number(&p, &first);
    p++;
    bool has_last = read_number(&p, &last);
    return !has_first ? last <= size : !has_last || last < size;
}

bool if_match_holds(const char *header, const char *etag)
{
    return header == NULL || if_none_match_hits(header, etag);
}

bool if_range_holds(const char *header, const char *etag)
{
    if (header == NULL)
        return true;
    header += strspn(header, OWS);
    size_t len = strlen(etag);
    return strncmp(header, etag, len) == 0 && at_end(header + len);
}

bool if_none_match_hits(const char *header, const char *etag)
{
    if (header == NULL)
        return false;
    const char *p = header + strspn(header, OWS);
    if (*p == '*')
        return at_end(p + 1);
    size_t len = strlen(etag);
    while (*p != '\0') {
        p += strspn(p, OWS ",");
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        if (*p != '"')
            return false;
        const char *close = strchr(p + 1, '"');
        if (close == NULL)
            return false;
        if ((size_t)(close + 1 - p) == len && memcmp(p, etag, len) == 0)
            return true;
        p = close + 1;
        p += strspn(p, OWS);
        if (*p != ',' && *p != '\0')
            return false;
    }
    return false;
}
