/*
 * Range and conditional request headers as RFC 9110 has them (§8.8.3, §13.1, §14), for one
 * representation of known size with a strong entity tag.
 */
#ifndef OTABENCH_MOCK_CLOUD_RANGE_H
#define OTABENCH_MOCK_CLOUD_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum range_kind { RANGE_WHOLE, RANGE_PART, RANGE_UNSATISFIABLE };

/*
 * header: value of Range, null when absent. RANGE_PART: *from..*to inclusive, to clipped to the
 * last byte. RANGE_UNSATISFIABLE: answer 416. RANGE_WHOLE: no header, another unit, malformed, or
 * more than one range: answer 200 with everything.
 */
enum range_kind range_parse(const char *header, uint64_t size, uint64_t *from, uint64_t *to);

/* Whether header names one range that lies within 0..size - 1 as it is written. */
bool range_is_within(const char *header, uint64_t size);

/* Whether the range may be honoured: no If-Range, or exactly our strong tag (never a date). etag
 * with its quotes. */
bool if_range_holds(const char *header, const char *etag);

/* Whether If-Match is missing or names our tag ("*", or in the list): else answer 412. */
bool if_match_holds(const char *header, const char *etag);

/* Whether If-None-Match names our tag ("*", or in the list, weak comparison): answer 304. */
bool if_none_match_hits(const char *header, const char *etag);

#endif
