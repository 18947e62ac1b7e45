#include "common/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

void hex_encode(char *out, const void *data, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len_bytes] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(uint8_t *out, size_t len_bytes, const char *hex)
{
    if (strlen(hex) != 2 * len_bytes)
        return false;
    for (size_t i = 0; i < len_bytes; i++) {
        int hi = hex_digit(hex[2 * i]);
        int lo = hex_digit(hex[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_free(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
    b->len_bytes = 0;
    if (b->data != NULL)
        b->data[0] = 0;
}

static int buf_reserve(struct buf *b, size_t more_bytes)
{
    if (more_bytes > b->max_bytes - b->len_bytes)
        return ERR_LIMIT;
    size_t need = b->len_bytes + more_bytes + 1;
    if (need <= b->cap_bytes)
        return 0;
    size_t cap = b->cap_bytes < 64 ? 64 : b->cap_bytes;
    while (cap < need)
        cap *= 2;
    uint8_t *p = realloc(b->data, cap);
    if (p == NULL)
        return ERR_NOMEM;
    b->data = p;
    b->cap_bytes = cap;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len_bytes)
{
    int rc = buf_reserve(b, len_bytes);
    if (rc != 0)
        return rc;
    if (data != NULL && len_bytes > 0)
        memcpy(b->data + b->len_bytes, data, len_bytes);
    else if (len_bytes > 0)
        memset(b->data + b->len_bytes, 0, len_bytes);
    b->len_bytes += len_bytes;
    b->data[b->len_bytes] = 0;
    return 0;
}

int buf_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return ERR_ARG;
    int rc = buf_reserve(b, (size_t)n);
    if (rc != 0)
        return rc;
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->data + b->len_bytes, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len_bytes += (size_t)n;
    return 0;
}

void buf_consume(struct buf *b, size_t len_bytes)
{
    if (len_bytes > b->len_bytes)
        len_bytes = b->len_bytes;
    if (len_bytes == 0)
        return;
    b->len_bytes -= len_bytes;
    memmove(b->data, b->data + len_bytes, b->len_bytes);
    b->data[b->len_bytes] = 0;
}
