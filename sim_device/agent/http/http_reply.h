/*
 * An HTTP/1.1 reply, parsed as it arrives: any split, no buffer of the body, no allocation.
 *
 * Accepts Content-Length, chunked and until-close bodies; interim 1xx replies are passed over.
 * Refuses what could be read in two ways: Content-Length together with chunked, differing lengths,
 * folded or malformed lines, control characters, other transfer codings. The head, its interim
 * replies and trailers together may have at most head_max_bytes.
 *
 * Use: feed bytes and act on the step until HTTP_MORE; at the peer's close call http_reply_eof.
 */
#ifndef OTABENCH_AGENT_CMIOT_HTTP_REPLY_H
#define OTABENCH_AGENT_CMIOT_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_MAX 128 /* a longer header line is passed over, unless its meaning is needed */

enum http_step {
    HTTP_MORE, /* all input used; more is needed */
    HTTP_HEAD, /* the head is complete: the public fields below are final; comes once */
    HTTP_DATA, /* a piece of the body */
    HTTP_END,  /* the reply is complete; what is left of the input does not belong to it */
    HTTP_BAD   /* not a reply; `reason` says why; stays so */
};

struct http_reply {
    int status;
    bool close;       /* the connection cannot be used again */
    bool until_close; /* the body ends with the connection */
    bool encoded;     /* Content-Encoding is something else than identity */
    bool has_length;
    uint64_t length_bytes; /* Content-Length */
    bool has_range;        /* Content-Range: bytes from-to/total */
    uint64_t range_from, range_to;
    bool has_total;
    uint64_t range_total; /* also for a range that was refused ("bytes * / total") */
    const char *reason;
    /* Private. */
    int state;
    size_t head_max_bytes, head_bytes;
    uint64_t left_bytes;
    bool chunked, line_cut, version_10, keep_alive, bad_range;
    size_t line_len;
    char line[HTTP_LINE_MAX + 1];
};

void http_reply_init(struct http_reply *r, size_t head_max_bytes);
/*
 * Reads from in[0..len_bytes) up to the next step; *used says how far. On HTTP_DATA, *data points
 * into `in` with *data_bytes > 0. Call again with the rest, also when nothing is left, until
 * HTTP_MORE, HTTP_END or HTTP_BAD.
 */
enum http_step http_reply_feed(struct http_reply *r, const uint8_t *in, size_t len_bytes,
                               size_t *used, const uint8_t **data, size_t *data_bytes);
/* The peer closed: HTTP_END if that is how the body ends, HTTP_BAD otherwise. */
enum http_step http_reply_eof(struct http_reply *r);

#endif
