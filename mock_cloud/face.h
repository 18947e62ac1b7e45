/*
 * A face: one vendor cloud's way of speaking, on top of the common core. The core does no I/O: an
 * HTTP request goes in, a reply comes out, time is an argument. Edges (libmicrohttpd, later
 * Mosquitto) and the simulation call the same code.
 */
#ifndef OTABENCH_MOCK_CLOUD_FACE_H
#define OTABENCH_MOCK_CLOUD_FACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"
#include "common/trace.h"
#include "mock_cloud/mqtt.h"

#define HTTP_BODY_MAX   8192 /* of a request: more is answered 413 */
#define HTTP_TARGET_MAX 512

/* A parsed request; pointers live for the call. Header values may be null when absent. */
struct http_request {
    const char *method; /* "GET", "POST", "HEAD" */
    const char *path;   /* decoded path without query, begins with '/' */
    const char *query;  /* raw text after '?', without it; null when there is none */
    const char *range;
    const char *if_range;
    const char *if_none_match;
    const char *if_match;
    const char *if_modified_since;
    const char *if_unmodified_since;
    const char *range_behavior; /* x-oss-range-behavior */
    const char *content_type;
    const char *host;
    const char *authorization;
    const uint8_t *body;
    size_t body_bytes;
    bool tls; /* it came over HTTPS */
};

/* A header that a face adds; its line stays short, for clients that take no long ones. */
struct http_header {
    const char *name; /* static text */
    char value[40];
};
#define HTTP_HEADERS_MAX 6

/* What the edge must send. */
struct http_reply {
    int status;               /* 200, 206, 416, ... */
    const char *content_type; /* static text */
    bool chunked;             /* control replies: Transfer-Encoding: chunked (cms-ota §1.1) */
    bool close;               /* Connection: close after this reply, else keep-alive is announced */
    int64_t delay_ns;         /* hold the reply back that long */
    char content_range[96];   /* empty: no header */
    char etag[80];            /* empty: no header; with quotes */
    bool accept_ranges;
    char location[HTTP_TARGET_MAX]; /* redirects; empty: no header */
    int retry_after_s;              /* > 0: Retry-After */
    struct http_header more[HTTP_HEADERS_MAX];
    size_t more_count;
    /* The body: either in `text` (owned by the caller's buf) or a view into memory that lives as
     * long as the cloud. */
    struct buf text;     /* initialised by the caller with a maximum */
    const uint8_t *view; /* null: use text */
    size_t view_bytes;
};

struct cloud;

struct face {
    const char *name; /* "cms" */
    /* true when the path belongs to this face and the reply has been made. */
    bool (*http)(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                 struct http_reply *rp);

    /* MQTT. All may be null for a face that speaks HTTP only. */

    /* True when the login is in this face's form; *code is the answer and, accepted, identity the
     * device's name for all further calls. */
    bool (*login)(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                  enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX]);
    /* Whether the device may publish to the topic, or subscribe to the filter. */
    bool (*topic)(struct cloud *c, const char *identity, const char *topic,
                  enum mqtt_access access);
    /* A session began (after CONNACK 0), subscribed, published something it may, ended. Answers go
     * out through cloud_deliver. message: true when the topic belongs to this face. */
    void (*online)(struct cloud *c, int64_t now_ns, const char *identity);
    void (*subscribed)(struct cloud *c, int64_t now_ns, const char *identity, const char *filter);
    bool (*message)(struct cloud *c, int64_t now_ns, const char *identity,
                    const struct mqtt_message *m);
    void (*offline)(struct cloud *c, int64_t now_ns, const char *identity);

    /* For a broker that knows no identities: filters of what devices publish (null past the end),
     * and whose a topic is: a device that is known. Both may be null. */
    const char *(*filter_at)(size_t index);
    bool (*owner)(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX]);

    /* The device's record of this package has become pending: tell the device, if it is there. */
    void (*offered)(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id);

    /* A message of the cloud that waits for a device, without the times in it: messages that differ
     * in nothing else give the same bytes (out, empty before). False: there are none, or it is not
     * known again word for word; then it is remembered as it is. recall makes it as it would be
     * made at now_ns. Both may be null. */
    bool (*remember)(struct cloud *c, const char *identity, const struct mqtt_message *m,
                     struct buf *out);
    bool (*recall)(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                   const void *memory, size_t len_bytes, struct buf *payload);

    /* What is due by itself; returns when it wants to be called next, VTIME_NEVER: not. */
    int64_t (*tick)(struct cloud *c, int64_t now_ns);
};

#endif
