#include "sim_device/agent/http/http_reply.h"

#include <string.h>
#include <strings.h>

enum state {
    S_STATUS,
    S_HEADER,
    S_HEAD_DONE, /* HTTP_HEAD was told; the body is next */
    S_LENGTH,
    S_CHUNK_SIZE,
    S_CHUNK_DATA,
    S_CHUNK_END,
    S_TRAILER,
    S_UNTIL_CLOSE,
    S_END,
    S_BAD
};

#define LENGTH_MAX (UINT64_C(1) << 53)

void http_reply_init(struct http_reply *r, size_t head_max_bytes)
{
    memset(r, 0, sizeof(*r));
    r->state = S_STATUS;
    r->head_max_bytes = head_max_bytes;
}

static enum http_step bad(struct http_reply *r, const char *reason)
{
    r->state = S_BAD;
    if (r->reason == NULL)
        r->reason = reason;
    return HTTP_BAD;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal digits at *at; moves past them. False if there are none or they exceed LENGTH_MAX. */
static bool decimal(const char **at, uint64_t *out)
{
    uint64_t v = 0;
    if (!is_digit(**at))
        return false;
    for (; is_digit(**at); ++*at) {
        v = v * 10 + (uint64_t)(**at - '0');
        if (v > LENGTH_MAX)
            return false;
    }
    *out = v;
    return true;
}

static const char *status_line(struct http_reply *r)
{
    const char *p = r->line;
    if (strncmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return "not an HTTP/1 status line";
    r->version_10 = p[7] == '0';
    p += 9;
    if (!is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2]) || (p[3] != ' ' && p[3] != '\0'))
        return "malformed status code";
    r->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    return r->status >= 100 ? NULL : "malformed status code";
}

static const char *content_length(struct http_reply *r, const char *value)
{
    uint64_t v;
    if (!decimal(&value, &v) || *value != '\0')
        return "malformed Content-Length";
    if (r->has_length && r->length_bytes != v)
        return "two Content-Lengths";
    r->has_length = true;
    r->length_bytes = v;
    return NULL;
}

static const char *transfer_encoding(struct http_reply *r, const char *value)
{
    if (strcasecmp(value, "chunked") != 0 || r->chunked)
        return "unknown transfer coding";
    r->chunked = true;
    return NULL;
}

static const char *content_encoding(struct http_reply *r, const char *value)
{
    if (strcasecmp(value, "identity") != 0)
        r->encoded = true;
    return NULL;
}

/* A malformed range is no error of framing: the caller sees that there is none. */
static const char *content_range(struct http_reply *r, const char *value)
{
    bool ok = strncasecmp(value, "bytes ", 6) == 0 && !r->has_range && !r->bad_range;
    bool has_range = false;
    value += ok ? 6 : 0;
    if (ok && *value == '*') {
        value++;
    } else if (ok) {
        ok = decimal(&value, &r->range_from) && *value++ == '-' && decimal(&value, &r->range_to) &&
             r->range_from <= r->range_to;
        has_range = true;
    }
    ok = ok && *value++ == '/';
    if (ok && strcmp(value, "*") != 0)
        ok = r->has_total = decimal(&value, &r->range_total) && *value == '\0';
    r->has_range = ok && has_range;
    r->bad_range = !ok;
    return NULL;
}

/* Tokens of a comma-separated list. */
static const char *connection(struct http_reply *r, const char *value)
{
    while (*value != '\0') {
        size_t skip = strspn(value, ", \t");
        size_t len = strcspn(value + skip, ", \t");
        if (len == 5 && strncasecmp(value + skip, "close", len) == 0)
            r->close = true;
        if (len == 10 && strncasecmp(value + skip, "keep-alive", len) == 0)
            r->keep_alive = true;
        value += skip + len;
    }
    return NULL;
}

static const struct {
    const char *name;
    const char *(*read)(struct http_reply *r, const char *value);
} headers[] = {
    {"Content-Length", content_length}, {"Transfer-Encoding", transfer_encoding},
    {"Content-Range", content_range},   {"Content-Encoding", content_encoding},
    {"Connection", connection},
};

static const char *header_line(struct http_reply *r)
{
    char *colon = strchr(r->line, ':');
    size_t name_len = colon != NULL ? (size_t)(colon - r->line) : 0;
    if (name_len == 0)
        return r->line_cut ? "header name too long" : "header line without a name";
    for (size_t i = 0; i < name_len; i++)
        if (r->line[i] == ' ' || r->line[i] == '\t')
            return "blank in a header name";
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (strlen(headers[i].name) != name_len ||
            strncasecmp(r->line, headers[i].name, name_len) != 0)
            continue;
        if (r->line_cut)
            return "header line too long";
        char *value = colon + 1 + strspn(colon + 1, " \t");
        size_t len = strlen(value);
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
            value[--len] = '\0';
        return headers[i].read(r, value);
    }
    return NULL;
}

/* Chunk size in hex, with an optional extension that is passed over. */
static const char *chunk_line(struct http_reply *r)
{
    uint64_t v = 0;
    size_t n = 0;
    for (;; n++) {
        char c = r->line[n];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            break;
        v = v * 16 + (uint64_t)digit;
        if (v > LENGTH_MAX)
            return "chunk too large";
    }
    size_t blanks = strspn(r->line + n, " \t");
    if (n == 0 || (r->line[n + blanks] != '\0' && r->line[n + blanks] != ';'))
        return "malformed chunk size";
    r->left_bytes = v;
    r->state = v > 0 ? S_CHUNK_DATA : S_TRAILER;
    return NULL;
}

/* What follows the blank line that ends a head. */
static const char *head_done(struct http_reply *r)
{
    if (r->chunked && r->has_length)
        return "Content-Length and chunked at once";
    if (r->status < 200) {
        size_t max = r->head_max_bytes, used = r->head_bytes;
        if (r->status == 101)
            return "protocol switch";
        http_reply_init(r, max);
        r->head_bytes = used;
        return NULL;
    }
    r->close = r->close || (r->version_10 && !r->keep_alive);
    r->until_close = !r->chunked && !r->has_length && r->status != 204 && r->status != 304;
    r->close = r->close || r->until_close;
    r->state = S_HEAD_DONE;
    return NULL;
}

static void body_starts(struct http_reply *r)
{
    if (r->status == 204 || r->status == 304) {
        r->state = S_END;
    } else if (r->chunked) {
        r->state = S_CHUNK_SIZE;
    } else if (r->until_close) {
        r->state = S_UNTIL_CLOSE;
    } else {
        r->left_bytes = r->length_bytes;
        r->state = r->left_bytes > 0 ? S_LENGTH : S_END;
    }
}

/* A complete line is in r->line, without its line end. Null, or what is wrong. */
static const char *line_done(struct http_reply *r)
{
    switch (r->state) {
    case S_STATUS:
        r->state = S_HEADER;
        return status_line(r);
    case S_HEADER:
        if (r->line[0] == ' ' || r->line[0] == '\t')
            return "folded header line";
        return r->line_len == 0 ? head_done(r) : header_line(r);
    case S_CHUNK_SIZE:
        return r->line_cut ? "chunk line too long" : chunk_line(r);
    case S_CHUNK_END:
        r->state = S_CHUNK_SIZE;
        return r->line_len == 0 ? NULL : "chunk longer than its size";
    default: /* S_TRAILER */
        if (r->line_len == 0)
            r->state = S_END;
        return NULL;
    }
}

/* One byte of a line. Null, or what is wrong. */
static const char *line_byte(struct http_reply *r, char c)
{
    bool counts = r->state == S_STATUS || r->state == S_HEADER || r->state == S_TRAILER;
    if (counts && ++r->head_bytes > r->head_max_bytes)
        return "head too long";
    if (c == '\n') {
        if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
            r->line_len--;
        r->line[r->line_len] = '\0';
        const char *reason =
            memchr(r->line, '\r', r->line_len) != NULL ? "stray carriage return" : line_done(r);
        r->line_len = 0;
        r->line_cut = false;
        return reason;
    }
    if ((unsigned char)c < 0x20 && c != '\t' && c != '\r')
        return "control character in a line";
    if (r->line_len < HTTP_LINE_MAX)
        r->line[r->line_len++] = c;
    else if (c != '\r')
        r->line_cut = true;
    return NULL;
}

static bool in_line(const struct http_reply *r)
{
    return r->state == S_STATUS || r->state == S_HEADER || r->state == S_CHUNK_SIZE ||
           r->state == S_CHUNK_END || r->state == S_TRAILER;
}

enum http_step http_reply_feed(struct http_reply *r, const uint8_t *in, size_t len_bytes,
                               size_t *used, const uint8_t **data, size_t *data_bytes)
{
    size_t at = 0;
    *used = 0;
    *data = NULL;
    *data_bytes = 0;
    if (r->state == S_HEAD_DONE)
        body_starts(r);
    while (in_line(r) && at < len_bytes) {
        const char *reason = line_byte(r, (char)in[at++]);
        if (reason != NULL) {
            *used = at;
            return bad(r, reason);
        }
    }
    *used = at;
    if (r->state == S_BAD)
        return HTTP_BAD;
    if (r->state == S_HEAD_DONE)
        return HTTP_HEAD;
    if (r->state == S_END)
        return HTTP_END;
    if (at == len_bytes)
        return HTTP_MORE;
    size_t n = len_bytes - at;
    if (r->state != S_UNTIL_CLOSE) {
        n = n < r->left_bytes ? n : (size_t)r->left_bytes;
        r->left_bytes -= n;
        if (r->left_bytes == 0)
            r->state = r->state == S_LENGTH ? S_END : S_CHUNK_END;
    }
    *data = in + at;
    *data_bytes = n;
    *used = at + n;
    return HTTP_DATA;
}

enum http_step http_reply_eof(struct http_reply *r)
{
    if (r->state == S_HEAD_DONE)
        body_starts(r);
    if (r->state == S_UNTIL_CLOSE)
        r->state = S_END;
    if (r->state == S_END)
        return HTTP_END;
    return bad(r, "closed before the reply was complete");
}
