/*
 * Dates as HTTP and object storage write them, from and to Unix time. Only the one form that
 * senders may use, IMF-fixdate (RFC 9110 §5.6.7); no clock is asked.
 */
#ifndef OTABENCH_COMMON_HTTP_DATE_H
#define OTABENCH_COMMON_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_DATE_BYTES 30 /* with the final zero */

/* "Tue, 14 Nov 2023 22:43:20 GMT"; years 0 to 9999. */
void http_date_put(int64_t unix_s, char out[HTTP_DATE_BYTES]);
/* False when it is not in that form. The day of the week is not compared. */
bool http_date_read(const char *text, int64_t *unix_s);
/* "2023-11-14T22:43:20.000Z" */
void iso_date_put(int64_t unix_s, char out[HTTP_DATE_BYTES]);

#endif
