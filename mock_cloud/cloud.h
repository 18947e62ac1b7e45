/*
 * The cloud core: faces over one store, a script of faults, no I/O. Requests in, replies out, time
 * is an argument; everything it remembers is in the store.
 */
#ifndef OTABENCH_MOCK_CLOUD_CLOUD_H
#define OTABENCH_MOCK_CLOUD_CLOUD_H

#include "mock_cloud/face.h"
#include "mock_cloud/store/store.h"

/* The requests a script can aim at. */
enum cloud_request {
    RQ_REGISTER,
    RQ_CHECK,
    RQ_DOWNLOAD,
    RQ_REPORT_DOWNLOAD,
    RQ_REPORT_UPGRADE,
    RQ_OTHER,
    RQ_ANY
};
#define RQ_COUNT 6
const char *cloud_request_name(
    enum cloud_request rq); /* "register", "check", "download", ... "any" */

/* What is done to a reply. One fault = one of these on the requests it matches. */
enum cloud_fault_kind {
    CF_CODE,         /* answer with that service code (1000..2302) */
    CF_MESSAGE,      /* status 1000 with another msg text: `text` */
    CF_STATUS,       /* answer with that HTTP status and a short HTML body */
    CF_TRUNCATE,     /* body shorter by `bytes`, headers consistent with the shorter body */
    CF_EXTRA,        /* body longer by `bytes` (0xEE), headers consistent with the longer body */
    CF_SHIFT,        /* download: serves the range moved by `bytes` and says so in Content-Range */
    CF_SHIFT_SILENT, /* download: serves moved content under the asked Content-Range */
    CF_CORRUPT,      /* flips one bit of body byte `bytes` */
    CF_IGNORE_RANGE, /* 200 with the whole package */
    CF_RANGE_416,    /* 416 with Content-Range: bytes * /size */
    CF_WRONG_DIGEST, /* check: announces another md5sum */
    CF_BAD_DIGEST,   /* check: md5sum is not hex */
    CF_WRONG_SIZE,   /* check: announces fileSize + `bytes` */
    CF_NOT_JSON,     /* control: body is `text`, default "<html>" */
    CF_REDIRECT,     /* 302 to `text` */
    CF_NO_CHUNK,     /* control: Content-Length instead of chunked */
    CF_DELAY,        /* reply held back by `ms` */
    CF_CLOSE,        /* Connection: close after the reply */
    CF_KIND_COUNT
};
const char *cloud_fault_name(enum cloud_fault_kind k); /* "code", "truncate", "wrong-digest", ... */

#define CLOUD_FAULTS_MAX 64
struct cloud_fault {
    enum cloud_request request;
    enum cloud_fault_kind kind;
    uint32_t from;  /* first matching request, counted from 1 per request kind (RQ_ANY: over all) */
    uint32_t count; /* how many from there; 0 = all further */
    int64_t bytes;
    int32_t code; /* CF_CODE service code, CF_STATUS HTTP status */
    int64_t ms;
    char text[STORE_TEXT_MAX];
    uint32_t hits; /* how often it was applied (filled by the core) */
};

struct cloud_config {
    struct store *store;     /* not owned */
    int64_t url_lifetime_ns; /* of a deltaUrl; 0: for ever */
    char download_host[64];  /* what deltaUrl names; at most 32 characters for real clients (cms-ota
                                §1.7) */
    uint16_t download_port;
    int64_t task_timeout_ns; /* an upgrading record without a terminal report fails after this
                                (design default 16) */
    const char *project_key; /* signs download URLs */
    /* One event per request and record change on LANE_CLOUD; may be null. */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
};

struct cloud *cloud_new(const struct cloud_config *cfg, const struct face *const *faces,
                        size_t n_faces, struct err *err);
void cloud_free(struct cloud *c);
struct store *cloud_store(struct cloud *c);
const struct cloud_config *cloud_config(const struct cloud *c);
/* Changes the port after the edge has bound it. */
void cloud_set_download(struct cloud *c, const char *host, uint16_t port);

/* Handles one request. Always makes a reply (404 for unknown paths). rp->text must be initialised.
 */
void cloud_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                struct http_reply *rp);
/* Time-outs of records. Call at least whenever a minute passed; returns the next time it wants to
 * be called. */
int64_t cloud_tick(struct cloud *c, int64_t now_ns);

/* Script. ERR_LIMIT beyond CLOUD_FAULTS_MAX. Cleared by the heal phase. */
int cloud_add_fault(struct cloud *c, const struct cloud_fault *f);
void cloud_clear_faults(struct cloud *c);
const struct cloud_fault *cloud_fault_at(const struct cloud *c,
                                         size_t index); /* null past the end */

/* Requests seen so far of that kind (RQ_ANY: all). */
uint32_t cloud_requests(const struct cloud *c, enum cloud_request rq);

/* For faces: classify and number a request (one call per request), find the fault of a kind that
 * applies to the current one (marks the hit), emit an event. */
void cloud_begin(struct cloud *c, enum cloud_request rq);
struct cloud_fault *cloud_hit(struct cloud *c, enum cloud_fault_kind kind);
void cloud_event(struct cloud *c, int64_t now_ns, const char *event,
                 const struct trace_field *fields, size_t n);

/*
 * Events on LANE_CLOUD: "request" {rq, n, method, path, range|body (text, cut)}, "reply" {rq, n,
 * status, code (service code, control only), bytes, from, to, total}, "record" {delta_id, state,
 * download, upgrade}, "fault" {kind, rq, n}.
 */

#endif
