#include "common/testing/xml_check.h"

#include <stddef.h>
#include <string.h>

struct xml_stack {
    const char *name[8];
    size_t len[8];
    size_t depth;
};

static size_t xml_name(const char *p)
{
    return strspn(p, "abcdefghijklmnopqrstuvwxyz-");
}

/* Text or an attribute value up to stop; null on something XML forbids there. */
static const char *xml_text(const char *p, char stop)
{
    for (; *p != '\0' && *p != stop; p++) {
        if ((unsigned char)*p < 0x20 && *p != '\n')
            return NULL;
        if (*p == '<' || *p == '>')
            return NULL;
        if (*p != '&')
            continue;
        size_t name = xml_name(p + 1);
        size_t digits = p[1] == '#' ? strspn(p + 2, "0123456789") : 0;
        size_t len = name > 0 ? name : digits + 1;
        if ((name == 0 && digits == 0) || p[1 + len] != ';')
            return NULL;
        p += 1 + len;
    }
    return p;
}

static const char *xml_tag(struct xml_stack *s, const char *p)
{
    size_t n;
    if (p[0] == '/') {
        n = xml_name(p + 1);
        if (s->depth == 0 || n != s->len[s->depth - 1] ||
            memcmp(p + 1, s->name[s->depth - 1], n) != 0 || p[1 + n] != '>')
            return NULL;
        s->depth--;
        return p + n + 2;
    }
    n = xml_name(p);
    if (n == 0 || s->depth == sizeof s->name / sizeof s->name[0])
        return NULL;
    s->name[s->depth] = p;
    s->len[s->depth] = n;
    s->depth++;
    p += n;
    while (*p == ' ') {
        n = xml_name(p + 1);
        if (n == 0 || p[1 + n] != '=' || p[2 + n] != '"')
            return NULL;
        p = xml_text(p + 3 + n, '"');
        if (p == NULL || *p != '"')
            return NULL;
        p++;
    }
    if (p[0] == '/' && p[1] == '>') {
        s->depth--;
        return p + 2;
    }
    return *p == '>' ? p + 1 : NULL;
}

bool xml_well_formed(const char *xml)
{
    static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    struct xml_stack stack = {.depth = 0};
    size_t roots = 0;
    if (strncmp(xml, declaration, sizeof declaration - 1) != 0)
        return false;
    for (const char *p = xml + sizeof declaration - 1; *p != '\0';) {
        if (*p == '<') {
            roots += stack.depth == 0;
            p = xml_tag(&stack, p + 1);
        } else if (stack.depth == 0 && *p != '\n') {
            return false;
        } else {
            p = xml_text(p, '<');
        }
        if (p == NULL)
            return false;
    }
    return stack.depth == 0 && roots == 1;
}
