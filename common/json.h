/*
 * Strict JSON over cJSON: what comes from outside is bounded and exact, and an error names the
 * place in the document.
 *
 * Refused although cJSON takes it: trailing bytes, duplicate keys, a byte order mark, raw control
 * characters, non-UTF-8, "\u0000", leading zeros and "1.", more than the given size or depth,
 * numbers a double cannot keep (json_text.h). Keys are compared with their case. Integers are
 * exact: a fraction, an exponent that makes one, or a value beyond +-(2^53 - 1) is not an integer.
 *
 * Errors of syntax name the place as "line:column: ..." from 1, all others as "$.path: ...".
 */
#ifndef OTABENCH_COMMON_JSON_H
#define OTABENCH_COMMON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define JSON_PATH_MAX 160

struct json_limits {
    size_t max_bytes; /* of the text */
    int max_depth;    /* nested arrays and objects; the root counts 1; 1..CJSON_NESTING_LIMIT */
    bool comments; /* allow // and slash-star comments (scenario files), blanked before parsing */
};

struct json {
    cJSON *root; /* owned */
};

/*
 * Parses the whole of text[0..len_bytes), which needs no terminator. 0; ERR_FORMAT; ERR_LIMIT (size
 * or depth); ERR_NOMEM; ERR_ARG (limits). On failure doc->root is null.
 */
int json_parse(struct json *doc, const char *text, size_t len_bytes,
               const struct json_limits *limits, struct err *err);
/* Reads the file first; errors begin with its name. ERR_IO if it cannot be read. */
int json_parse_file(struct json *doc, const char *path, const struct json_limits *limits,
                    struct err *err);
void json_free(struct json *doc); /* null root is fine */

/*
 * Place of node below root, as "$.network[3].at_ms" or $["odd key"]; "$" for root, "$.?" if it is
 * not there; cut to JSON_PATH_MAX - 1 bytes.
 */
void json_path(const cJSON *root, const cJSON *node, char out[JSON_PATH_MAX]);

/*
 * Reading an object member by member. Missing member: *out untouched and 1 returned, so a default
 * set beforehand stays; for a required one use json_need_*. A wrong type or range is ERR_FORMAT
 * with "$.path: is <what>, must be <what is allowed>". 0 when read. root only serves the path.
 */
int json_get_int(const cJSON *root, const cJSON *obj, const char *key, int64_t min, int64_t max,
                 int64_t *out, struct err *err);
int json_get_bool(const cJSON *root, const cJSON *obj, const char *key, bool *out, struct err *err);
/* Points into the document. min_len/max_len in bytes. */
int json_get_string(const cJSON *root, const cJSON *obj, const char *key, size_t min_len,
                    size_t max_len, const char **out, struct err *err);
/* One of n words; *out is its index. The error lists them. */
int json_get_word(const cJSON *root, const cJSON *obj, const char *key, const char *const *words,
                  size_t n, int *out, struct err *err);
int json_get_object(const cJSON *root, const cJSON *obj, const char *key, const cJSON **out,
                    struct err *err);
int json_get_array(const cJSON *root, const cJSON *obj, const char *key, int min_items,
                   int max_items, const cJSON **out, struct err *err);
/* Turns the "missing" result 1 into ERR_FORMAT "$.path: needs \"key\""; passes others through. */
int json_need(int rc, const cJSON *root, const cJSON *obj, const char *key, struct err *err);
/* ERR_FORMAT naming the first key of obj that is not among keys, and listing what is allowed. */
int json_only_keys(const cJSON *root, const cJSON *obj, const char *const *keys, size_t n,
                   struct err *err);
/* ERR_FORMAT "$.path: <formatted>" for semantic errors found later. Always returns ERR_FORMAT. */
int json_error(const cJSON *root, const cJSON *node, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Appends s as a JSON string with quotes to a struct buf (see bytes.h); a byte that is not UTF-8
 * becomes \ufffd. 0, or the buffer's error and nothing appended.
 */
struct buf;
int json_put_string(struct buf *out, const char *s);

#endif
