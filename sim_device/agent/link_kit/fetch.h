/*
 * One GET for (a range of) a file, over HTTP or HTTPS, on a connection of its own, as the Link SDKs
 * do (aliyun note §7). The caller reads the head, decides, and reads the body piece by piece; the
 * kit_fetch_meaning says what a head is good for.
 *
 * A reply whose bytes come slower than KIT_FETCH_SLOWEST_BYTES in a minute is given up.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_FETCH_H
#define OTABENCH_AGENT_LINK_KIT_FETCH_H

#include "sim_device/agent/http/http_reply.h"
#include "sim_device/agent/link_kit/credentials.h"
#include "sim_device/agent/link_kit/quirks.h"
#include "sim_device/agent/link_kit/url.h"
#include "sim_device/board/board.h"

#define KIT_FETCH_HEAD_MAX      4096
#define KIT_FETCH_BUFFER_BYTES  1024
#define KIT_FETCH_SLOWEST_BYTES 512
#define KIT_FETCH_OPEN_END      UINT32_MAX

enum kit_fetch_result {
    KIT_FETCH_END = 0,      /* the reply is complete */
    KIT_FETCH_TIMEOUT = -1, /* nothing came within the receive time-out; may be read again */
    KIT_FETCH_LOST = -2,    /* no connection, reset, closed early, too slow */
    KIT_FETCH_BAD = -3,     /* not an HTTP reply */
    KIT_FETCH_NOMEM = -4,
    KIT_FETCH_URL = -5 /* see url_result */
};

struct kit_fetch_config {
    const char *url;
    const char *ca_pem; /* https is refused without */
    uint16_t port;      /* instead of the URL's when that names none; 0: the scheme's */
    uint32_t from, to;  /* inclusive; KIT_FETCH_OPEN_END: to the end of the file */
    int64_t recv_timeout_ns;
    enum kit_generation generation; /* decides the wording of the request */
    const struct kit_quirks *quirks;
};

struct kit_fetch {
    struct board *board;
    struct http_reply http; /* its public fields are final after kit_fetch_head */
    int fd;
    bool head_in_one_read; /* the quirk */
    const uint8_t *at;     /* of in, not fed yet */
    size_t left_bytes;
    int64_t window_ns; /* start of the minute that is being counted */
    size_t window_bytes;
    const uint8_t *data; /* a piece of the body not shown yet */
    size_t data_bytes;
    uint8_t in[KIT_FETCH_BUFFER_BYTES];
};

/* Connects and sends the request. 0 and *out; LOST, NOMEM, URL (*url_result tells). */
int kit_fetch_open(struct kit_fetch **out, struct board *b, const struct kit_fetch_config *c,
                   enum kit_url_result *url_result);
/* Reads until the head is complete. 0; TIMEOUT, LOST, BAD. */
int kit_fetch_head(struct kit_fetch *f);
/* > 0 bytes of the body, at most cap_bytes; END, TIMEOUT, LOST, BAD. */
int kit_fetch_read(struct kit_fetch *f, void *out, size_t cap_bytes);
void kit_fetch_close(struct kit_fetch *f); /* null is fine */

/*
 * What a head means for a request that wanted `from` of a file of `size` bytes (announced).
 */
enum kit_fetch_meaning {
    KIT_FETCH_BODY,       /* take it, after *skip bytes of it */
    KIT_FETCH_STATUS,     /* neither 200 nor 206 */
    KIT_FETCH_LENGTHLESS, /* no Content-Length, or a coding that was not asked for */
    KIT_FETCH_OVERSIZED,  /* speaks of more bytes than announced */
    KIT_FETCH_OTHER       /* another file or another range than asked for */
};
enum kit_fetch_meaning kit_fetch_meaning(const struct http_reply *h, uint32_t from, uint32_t to,
                                         uint32_t size, const struct kit_quirks *q, uint32_t *skip);

#endif
