#include "common/trace.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define TRACE_TEXT_MAX 512
#define INT_CHARS_MAX  20 /* of INT64_MIN */
#define TRACE_LINE_MAX 4096
/* Kept free while fields are written, so that the line can always be closed: quote, brace, NUL (the
 * newline takes its place). */
#define TRACE_TAIL_BYTES 3

struct trace {
    struct trace_sink sink;
    EVP_MD_CTX *hash;
    uint64_t count;
    size_t len;
    char line[TRACE_LINE_MAX];
};

const char *lane_name(enum lane lane)
{
    static const char *const names[LANE_COUNT] = {"bench", "cloud", "network", "device",
                                                  "flash", "boot",  "power"};
    return (unsigned)lane < LANE_COUNT ? names[lane] : "?";
}

struct trace *trace_new(const struct trace_sink *sink)
{
    struct trace *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->hash = EVP_MD_CTX_new();
    if (t->hash == NULL || EVP_DigestInit_ex(t->hash, EVP_sha256(), NULL) != 1) {
        trace_free(t);
        return NULL;
    }
    if (sink != NULL)
        t->sink = *sink;
    return t;
}

void trace_free(struct trace *t)
{
    if (t == NULL)
        return;
    EVP_MD_CTX_free(t->hash);
    free(t);
}

/* Formatting by hand: the trace is written on every flash operation, and printf would lead. */
static void put(struct trace *t, const char *s, size_t n)
{
    assert(n <= sizeof t->line - t->len);
    memcpy(t->line + t->len, s, n);
    t->len += n;
}

static bool fits(const struct trace *t, size_t n)
{
    return t->len + n + TRACE_TAIL_BYTES <= sizeof t->line;
}

static void put_text(struct trace *t, const char *s)
{
    put(t, s, strlen(s));
}

static void put_int(struct trace *t, int64_t v)
{
    char tmp[INT_CHARS_MAX];
    size_t at = sizeof tmp;
    uint64_t u = v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
    do {
        tmp[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u != 0);
    if (v < 0)
        tmp[--at] = '-';
    put(t, tmp + at, sizeof tmp - at);
}

/* One character at a time as a whole: what does not fit is left out. */
static void put_string(struct trace *t, const char *s)
{
    put(t, "\"", 1);
    size_t n = strnlen(s, TRACE_TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        char piece[7] = {(char)c};
        size_t len = 1;
        if (c == '"' || c == '\\') {
            piece[0] = '\\';
            piece[1] = (char)c;
            len = 2;
        } else if (c < 0x20 || c >= 0x7f) {
            /* Log text may hold any byte; the line stays ASCII, so it is always valid JSON. */
            memcpy(piece, "\\u00", 4);
            hex_encode(piece + 4, &c, 1);
            len = 6;
        }
        if (!fits(t, len))
            break;
        put(t, piece, len);
    }
    put(t, "\"", 1);
}

void trace_emit(struct trace *t, int64_t t_ns, enum lane lane, const char *event,
                const struct trace_field *fields, size_t n)
{
    if (t == NULL)
        return;
    t->len = 0;
    put_text(t, "{\"t\":");
    put_int(t, t_ns);
    put_text(t, ",\"lane\":\"");
    put_text(t, lane_name(lane));
    put_text(t, "\",\"event\":\"");
    put_text(t, event);
    put_text(t, "\"");
    for (size_t i = 0; i < n; i++) {
        /* Room for the key, its punctuation and any integer or an empty string, or no field. */
        if (!fits(t, strlen(fields[i].key) + 4 + INT_CHARS_MAX))
            break;
        put_text(t, ",\"");
        put_text(t, fields[i].key);
        put_text(t, "\":");
        if (fields[i].text != NULL)
            put_string(t, fields[i].text);
        else
            put_int(t, fields[i].integer);
    }
    put_text(t, "}");
    t->line[t->len] = '\0';
    t->count++;
    if (t->sink.line != NULL)
        t->sink.line(t->sink.ctx, t_ns, lane, t->line, t->len);
    t->line[t->len] = '\n';
    EVP_DigestUpdate(t->hash, t->line, t->len + 1);
}

uint64_t trace_count(const struct trace *t)
{
    return t->count;
}

void trace_sha256(const struct trace *t, char out[65])
{
    uint8_t raw[32];
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy == NULL || EVP_MD_CTX_copy_ex(copy, t->hash) != 1 ||
        EVP_DigestFinal_ex(copy, raw, NULL) != 1)
        memset(raw, 0, sizeof raw);
    EVP_MD_CTX_free(copy);
    hex_encode(out, raw, sizeof raw);
}
