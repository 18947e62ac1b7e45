#include "common/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct field {
    const char *text;
    size_t len;
    bool number;
};

/* Takes the next dot-separated field off *rest; past the end it is the empty number, that is 0. */
static struct field next_field(const char **rest)
{
    const char *start = *rest;
    size_t len = strcspn(start, ".");
    *rest = start[len] == '.' ? start + len + 1 : start + len;
    struct field f = {.text = start, .len = len, .number = strspn(start, "0123456789") >= len};
    while (f.number && f.len > 0 && *f.text == '0') {
        f.text++;
        f.len--;
    }
    return f;
}

static int compare_fields(const struct field *a, const struct field *b)
{
    if (a->number != b->number)
        return a->number ? -1 : 1;
    if (a->number && a->len != b->len)
        return a->len < b->len ? -1 : 1;
    size_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->text, b->text, common);
    if (order == 0 && a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return order;
}

int version_compare(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        struct field fa = next_field(&a);
        struct field fb = next_field(&b);
        int order = compare_fields(&fa, &fb);
        if (order != 0)
            return order;
    }
    return 0;
}
