/*
 * What has to be said about a JSON text before cJSON sees it: a flat scan over strings, numbers and
 * brackets for the points where cJSON is lax. It does not know the grammar; cJSON does.
 */
#ifndef OTABENCH_COMMON_JSON_TEXT_H
#define OTABENCH_COMMON_JSON_TEXT_H

#include <stddef.h>

#include "common/err.h"
#include "common/json.h"

/*
 * Copies text[0..len_bytes) to clean (as long) for cJSON. 0 if it is UTF-8 without byte order mark,
 * its strings end and hold neither raw control characters nor U+0000, its numbers are written as
 * RFC 8259 wants and fit (below), and brackets nest no deeper than limits->max_depth. Else
 * ERR_FORMAT, for the depth ERR_LIMIT, with "line:column: ...", and clean is undefined. With
 * limits->comments, comments become blanks in clean, newlines kept, so every place stays the same.
 *
 * A number fits if it has at most 63 characters and, when it has a fraction or an exponent, at most
 * 15 significant digits and an exponent within +-200: then its double is never infinite, and is a
 * whole number only if the number is.
 */
int json_text_check(char *clean, const char *text, size_t len_bytes,
                    const struct json_limits *limits, struct err *err);

/* err = "line:column: <formatted>" for the place text + at; columns count characters from 1. */
int json_text_error(const char *text, size_t at, int code, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
