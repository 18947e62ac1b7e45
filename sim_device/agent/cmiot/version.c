#include "sim_device/agent/cmiot/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool numeric(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return len > 0;
}

static int by_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int d = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return d != 0 ? d : (a_len > b_len) - (a_len < b_len);
}

/* Any number of digits: leading zeros go, then the longer one is larger. */
static int by_value(const char *a, size_t a_len, const char *b, size_t b_len)
{
    for (; a_len > 1 && *a == '0'; a_len--)
        a++;
    for (; b_len > 1 && *b == '0'; b_len--)
        b++;
    return a_len != b_len ? (a_len > b_len) - (a_len < b_len) : memcmp(a, b, a_len);
}

int version_compare(const char *a, const char *b)
{
    for (;;) {
        size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
        int d = numeric(a, a_len) && numeric(b, b_len) ? by_value(a, a_len, b, b_len)
                                                       : by_bytes(a, a_len, b, b_len);
        if (d != 0)
            return d;
        a += a_len;
        b += b_len;
        if (*a == '\0' || *b == '\0')
            return (*a != '\0') - (*b != '\0');
        a++;
        b++;
    }
}
