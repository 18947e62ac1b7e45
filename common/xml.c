#include "common/xml.h"

#include <string.h>

#include "common/utf8.h"

static const struct {
    char c;
    const char *entity;
} entities[] = {
    {'&', "&amp;"},   {'<', "&lt;"},   {'>', "&gt;"},  {'"', "&quot;"},
    {'\'', "&apos;"}, {'\n', "&#10;"}, {'\t', "&#9;"},
};

static const char *entity_of(char c)
{
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (entities[i].c == c)
            return entities[i].entity;
    return NULL;
}

static bool xml_char(const char *p, size_t len_bytes)
{
    if (len_bytes == 1)
        return (unsigned char)p[0] >= 0x20 && p[0] != 0x7f;
    /* U+FFFE and U+FFFF are UTF-8 but not XML. */
    return !(len_bytes == 3 &&
             (memcmp(p, "\xef\xbf\xbe", 3) == 0 || memcmp(p, "\xef\xbf\xbf", 3) == 0));
}

static int put(struct buf *out, const char *text, bool keep_newlines)
{
    size_t left = strlen(text);
    int rc = 0;
    for (const char *p = text; left > 0 && rc == 0;) {
        size_t n = utf8_char(p, left);
        const char *entity = entity_of(*p);
        if (keep_newlines && *p == '\n')
            rc = buf_text(out, "\n");
        else if (entity != NULL)
            rc = buf_text(out, entity);
        else if (n > 0 && xml_char(p, n))
            rc = buf_append(out, p, n);
        else
            rc = buf_text(out, "?");
        n = n > 0 ? n : 1;
        p += n;
        left -= n;
    }
    return rc;
}

int xml_put_text(struct buf *out, const char *text)
{
    return put(out, text, false);
}

int xml_put_lines(struct buf *out, const char *text)
{
    return put(out, text, true);
}

int xml_put_attribute(struct buf *out, const char *name, const char *value)
{
    int rc = buf_printf(out, " %s=\"", name);
    if (rc == 0)
        rc = xml_put_text(out, value);
    return rc != 0 ? rc : buf_text(out, "\"");
}
