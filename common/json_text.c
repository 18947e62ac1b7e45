#include "common/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define NUMBER_CHARS_MAX 63 /* what cJSON 1.7.15 copies; it would split a longer one */
#define EXACT_DIGITS_MAX 15 /* decimal digits every double keeps apart */
#define EXPONENT_MAX     200

struct scan {
    const char *original; /* what an error counts its place in */
    const char *text;     /* the same without comments */
    size_t len_bytes;
    size_t at; /* the place */
    struct err *err;
};

int json_text_error(const char *text, size_t at, int code, struct err *err, const char *fmt, ...)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    char story[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(story, sizeof story, fmt, ap);
    va_end(ap);
    return err_set(err, code, "%zu:%zu: %s", line, column, story);
}

static int refuse(const struct scan *s, size_t at, const char *why)
{
    return json_text_error(s->original, at, ERR_FORMAT, s->err, "%s", why);
}

/* The character at s->at + ahead; NUL past the end, which no rule below takes for content. */
static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->len_bytes ? s->text[s->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int check_encoding(const struct scan *s)
{
    if (s->len_bytes >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0)
        return refuse(s, 0, "byte order mark, must be plain UTF-8");
    for (size_t i = 0; i < s->len_bytes;) {
        size_t n = utf8_char(s->text + i, s->len_bytes - i);
        if (n == 0)
            return json_text_error(s->original, i, ERR_FORMAT, s->err, "byte 0x%02x is not UTF-8",
                                   (unsigned char)s->text[i]);
        i += n;
    }
    return 0;
}

/* Past the end of the string that opens at i, or len_bytes if it has none. */
static size_t string_end(const char *text, size_t len_bytes, size_t i)
{
    for (i++; i < len_bytes; i++) {
        if (text[i] == '"')
            return i + 1;
        if (text[i] == '\\')
            i++;
    }
    return len_bytes;
}

/* Past the end of the comment that opens at i; 0 if it has no end. */
static size_t comment_end(const char *text, size_t len_bytes, size_t i)
{
    if (text[i + 1] == '/') {
        while (i < len_bytes && text[i] != '\n')
            i++;
        return i;
    }
    for (i += 3; i < len_bytes; i++)
        if (text[i - 1] == '*' && text[i] == '/')
            return i + 1;
    return 0;
}

static int blank_comments(const struct scan *s, char *clean)
{
    for (size_t i = 0; i < s->len_bytes;) {
        if (clean[i] == '"') {
            i = string_end(clean, s->len_bytes, i);
            continue;
        }
        char next = i + 1 < s->len_bytes ? clean[i + 1] : '\0';
        if (clean[i] != '/' || (next != '/' && next != '*')) {
            i++;
            continue;
        }
        size_t end = comment_end(clean, s->len_bytes, i);
        if (end == 0)
            return refuse(s, i, "comment has no end");
        for (; i < end; i++)
            if (clean[i] != '\n')
                clean[i] = ' ';
    }
    return 0;
}

static int scan_escape(struct scan *s)
{
    size_t at = s->at;
    s->at += 2;
    if (s->at > s->len_bytes)
        return 0; /* the string has no end, which the caller sees */
    char letter = s->text[at + 1];
    if (letter == '\0' || strchr("\"\\/bfnrtu", letter) == NULL)
        return refuse(s, at, "unknown escape in a string");
    if (letter != 'u')
        return 0;
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(peek(s, i));
        /* cJSON takes "\uzzzz" for U+0000. */
        if (digit < 0)
            return refuse(s, at, "\\u must be followed by four hex digits");
        value = value * 16 + digit;
    }
    if (value == 0)
        return refuse(s, at, "\\u0000 is not allowed in a string");
    s->at += 4;
    return 0;
}

static int scan_string(struct scan *s)
{
    size_t open = s->at++;
    while (s->at < s->len_bytes) {
        char c = s->text[s->at];
        if (c == '"') {
            s->at++;
            return 0;
        }
        if ((unsigned char)c < 0x20)
            return json_text_error(s->original, s->at, ERR_FORMAT, s->err,
                                   "control character 0x%02x in a string, must be escaped",
                                   (unsigned char)c);
        if (c == '\\') {
            int rc = scan_escape(s);
            if (rc != 0)
                return rc;
        } else {
            s->at++;
        }
    }
    return refuse(s, open, "string has no end");
}

static size_t skip_digits(struct scan *s)
{
    size_t from = s->at;
    while (is_digit(peek(s, 0)))
        s->at++;
    return s->at - from;
}

/* Digits from the first to the last that is not zero, before any exponent. */
static size_t significant_digits(const char *number, size_t len)
{
    size_t seen = 0;
    size_t significant = 0;
    for (size_t i = 0; i < len && number[i] != 'e' && number[i] != 'E'; i++) {
        if (!is_digit(number[i]) || (number[i] == '0' && seen == 0))
            continue;
        seen++;
        if (number[i] != '0')
            significant = seen;
    }
    return significant;
}

static int scan_exponent(struct scan *s, size_t start)
{
    s->at++;
    if (peek(s, 0) == '+' || peek(s, 0) == '-')
        s->at++;
    if (!is_digit(peek(s, 0)))
        return refuse(s, start, "number needs a digit after its exponent sign");
    int exponent = 0;
    for (; is_digit(peek(s, 0)); s->at++)
        if (exponent <= EXPONENT_MAX)
            exponent = exponent * 10 + (s->text[s->at] - '0');
    if (exponent > EXPONENT_MAX)
        return json_text_error(s->original, start, ERR_FORMAT, s->err,
                               "exponent of the number must be from -%d to %d", EXPONENT_MAX,
                               EXPONENT_MAX);
    return 0;
}

static int scan_number(struct scan *s)
{
    size_t start = s->at;
    bool whole = true;
    if (peek(s, 0) == '-')
        s->at++;
    char first = peek(s, 0);
    if (!is_digit(first))
        return refuse(s, start, "number needs a digit after its minus sign");
    if (skip_digits(s) > 1 && first == '0')
        return refuse(s, start, "number must not begin with zeros");
    if (peek(s, 0) == '.') {
        whole = false;
        s->at++;
        if (skip_digits(s) == 0)
            return refuse(s, start, "number needs a digit after its decimal point");
    }
    if (peek(s, 0) == 'e' || peek(s, 0) == 'E') {
        whole = false;
        int rc = scan_exponent(s, start);
        if (rc != 0)
            return rc;
    }
    if (s->at - start > NUMBER_CHARS_MAX)
        return json_text_error(s->original, start, ERR_FORMAT, s->err,
                               "number of %zu characters, at most %d are allowed", s->at - start,
                               NUMBER_CHARS_MAX);
    if (!whole && significant_digits(s->text + start, s->at - start) > EXACT_DIGITS_MAX)
        return json_text_error(s->original, start, ERR_FORMAT, s->err,
                               "number with more than %d significant digits cannot be kept exactly",
                               EXACT_DIGITS_MAX);
    return 0;
}

int json_text_check(char *clean, const char *text, size_t len_bytes,
                    const struct json_limits *limits, struct err *err)
{
    struct scan s = {.original = text, .text = clean, .len_bytes = len_bytes, .err = err};
    if (len_bytes > 0)
        memcpy(clean, text, len_bytes);
    int rc = check_encoding(&s);
    if (rc == 0 && limits->comments)
        rc = blank_comments(&s, clean);
    int depth = 0;
    while (rc == 0 && s.at < len_bytes) {
        char c = clean[s.at];
        if (c == '"') {
            rc = scan_string(&s);
        } else if (c == '-' || is_digit(c)) {
            rc = scan_number(&s);
        } else if (((unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
            rc = json_text_error(text, s.at, ERR_FORMAT, err, "control character 0x%02x",
                                 (unsigned char)c);
        } else if ((c == '[' || c == '{') && depth == limits->max_depth) {
            rc = json_text_error(text, s.at, ERR_LIMIT, err,
                                 "nested deeper than the %d levels allowed", limits->max_depth);
        } else {
            depth += c == '[' || c == '{';
            depth -= (c == ']' || c == '}') && depth > 0;
            s.at++;
        }
    }
    return rc;
}
