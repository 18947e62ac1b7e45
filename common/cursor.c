#include "common/cursor.h"

#include <string.h>

int buf_put_int(struct buf *out, int64_t v)
{
    uint8_t b[8];
    put_le64(b, (uint64_t)v);
    return buf_append(out, b, sizeof b);
}

int buf_put_text(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text) + 1);
}

int buf_put_bytes(struct buf *out, const void *data, size_t len_bytes)
{
    int rc = buf_put_int(out, (int64_t)len_bytes);
    return rc != 0 || len_bytes == 0 ? rc : buf_append(out, data, len_bytes);
}

struct cursor cursor_over(const void *data, size_t len_bytes)
{
    static const uint8_t none[1];
    const uint8_t *at = len_bytes == 0 ? none : data;
    return (struct cursor){.at = at, .end = at + len_bytes};
}

int64_t cursor_int(struct cursor *c, int64_t min, int64_t max)
{
    c->bad = c->bad || c->end - c->at < 8;
    if (c->bad)
        return 0;
    int64_t v = (int64_t)get_le64(c->at);
    c->bad = v < min || v > max;
    c->at += 8;
    return c->bad ? 0 : v;
}

void cursor_text(struct cursor *c, char *out, size_t room)
{
    size_t left = (size_t)(c->end - c->at);
    size_t len = c->bad ? 0 : strnlen((const char *)c->at, left);
    out[0] = '\0';
    c->bad = c->bad || len == left || len >= room;
    if (c->bad)
        return;
    memcpy(out, c->at, len + 1);
    c->at += len + 1;
}

const uint8_t *cursor_bytes(struct cursor *c, size_t *len_bytes)
{
    int64_t len = cursor_int(c, 0, c->end - c->at);
    c->bad = c->bad || len > c->end - c->at;
    *len_bytes = c->bad ? 0 : (size_t)len;
    if (c->bad)
        return NULL;
    c->at += len;
    return c->at - len;
}

bool cursor_done(const struct cursor *c)
{
    return !c->bad && c->at == c->end;
}
