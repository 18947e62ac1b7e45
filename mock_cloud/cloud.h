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
    /* over MQTT */
    RQ_INFORM,   /* version report */
    RQ_PROGRESS, /* progress or failure code */
    RQ_QUERY,    /* asks for a pending upgrade */
    RQ_CONFIG,   /* asks for remote configuration */
    RQ_BLOCK,    /* asks for a block of a file over MQTT */
    RQ_MESSAGE,  /* any other message */
    RQ_PUSH,     /* an announcement that leaves the cloud: upgrade, or configuration */
    RQ_ANY
};
#define RQ_COUNT 13
const char *cloud_request_name(
    enum cloud_request rq); /* "register", "check", "download", ... "any" */

/*
 * What is done to a reply. One fault = one of these on the requests it matches. CODE, STATUS,
 * REDIRECT, EXPIRED and FORGED answer instead of the cloud, LOST drops: the request has no effect.
 * All others spoil the answer of a request that took effect. A fault that would change nothing (a
 * corrupt byte past the body, a shift out of the package, a range fault without a range, a member
 * to omit that is not there) is not a hit.
 *
 * "message" below: a push, and the answers to query, config and block. "announcement": a push and
 * the answer to query that name a firmware.
 */
enum cloud_fault_kind {
    CF_CODE,          /* control: answer with that service code (1000..2302) */
    CF_MESSAGE,       /* control: status 1000 with another msg text: `text` */
    CF_STATUS,        /* answer with that HTTP status and a short HTML body */
    CF_TRUNCATE,      /* body shorter by `bytes`, Content-Length and -Range agree with the rest */
    CF_EXTRA,         /* body longer by `bytes` (0xEE), Content-Length and -Range agree with it */
    CF_SHIFT,         /* download: serves the range moved by `bytes` and says so in Content-Range */
    CF_SHIFT_SILENT,  /* download: serves moved content under the asked Content-Range */
    CF_CORRUPT,       /* flips bit 0 of body byte `bytes` */
    CF_IGNORE_RANGE,  /* 200 with the whole package */
    CF_RANGE_416,     /* 416 with Content-Range: bytes * /size */
    CF_WRONG_DIGEST,  /* check, announcement: another md5sum (and sign); of several files all, or
                         the one numbered `bytes` */
    CF_BAD_DIGEST,    /* check, announcement: md5sum (and sign) is not hex */
    CF_WRONG_SIZE,    /* check, announcement: announces fileSize + `bytes` */
    CF_STALE_VERSION, /* check: decides as if the device had told version `text` */
    CF_NOT_JSON,      /* control, message: body is `text`, default "<html>" */
    CF_REDIRECT,      /* 302 to `text` */
    CF_NO_CHUNK,      /* control: Content-Length instead of chunked */
    CF_DELAY,         /* reply or message held back by `ms` */
    CF_CLOSE,         /* Connection: close after the reply */
    CF_EXPIRED,       /* download of signed storage: as if the URL were expired (403) */
    CF_FORGED,        /* download of signed storage: as if the URL had been edited (403) */
    CF_LOST,          /* any message either way: it never arrives */
    CF_DUPLICATE,     /* message: `bytes` further copies behind it */
    CF_OVERSIZED,     /* message: `bytes` blanks inside its JSON */
    CF_DEEP,          /* message: an array of `bytes` levels as its first member */
    CF_NOT_UTF8,      /* message: bytes that are no UTF-8 in its first member */
    CF_BLANK,         /* message: a blank after every colon of its JSON */
    CF_EMPTY,         /* query, config: answered as if there were nothing */
    CF_REPLAY,        /* push: the first announcement the device ever got follows behind it */
    CF_FOREIGN,       /* push: under the topic of another device */
    CF_WRONG_SIGN,    /* announcement: another sign, the md5 is right */
    CF_UPPER_DIGEST,  /* announcement: md5 and sign in upper case */
    CF_LONG_URL,      /* announcement: the URL is lengthened to `bytes` */
    CF_SIGN_METHOD,   /* announcement: signMethod is `text` */
    CF_OMIT,          /* announcement: without the member `text` */
    CF_URL,           /* announcement: the URL is `text` */
    CF_CHUNKED,       /* download: in chunks, without Content-Length */
    CF_SMALL,         /* download: at most `bytes` bytes of the range, headers agree */
    CF_KIND_COUNT
};
const char *cloud_fault_name(enum cloud_fault_kind k); /* "code", "truncate", "wrong-digest", ... */

/* Whether a kind can ever apply to the request, and which those are, in words ("control requests").
 */
bool cloud_fault_fits(enum cloud_fault_kind k, enum cloud_request rq);
const char *cloud_fault_scope(enum cloud_fault_kind k);

#define CLOUD_FAULTS_MAX 64
#define CLOUD_EXTRA_MAX  ((int64_t)1 << 20) /* of CF_EXTRA */
#define CLOUD_COPIES_MAX 16                 /* of CF_DUPLICATE */
#define CLOUD_URL_MAX    1000               /* CF_LONG_URL */
struct cloud_fault {
    enum cloud_request request;
    enum cloud_fault_kind kind;
    uint32_t from;  /* first matching request, counted from 1 per request kind (RQ_ANY: over all) */
    uint32_t count; /* how many from there; 0 = all further */
    int64_t bytes;  /* or copies, or levels */
    int32_t code;   /* CF_CODE service code, CF_STATUS HTTP status */
    int64_t ms;
    char text[STORE_TEXT_MAX];
    uint32_t hits; /* how often it was applied (filled by the core) */
};

#define CLOUD_FACES_MAX 8
#define CLOUD_KEY_MAX   64

/* Copied by cloud_new, the texts too. */
struct cloud_config {
    struct store *store;     /* not owned */
    int64_t url_lifetime_ns; /* of a deltaUrl; 0: for ever */
    char download_host[64];  /* what deltaUrl names; at most 32 characters for real clients (cms-ota
                                §1.7) */
    uint16_t download_port;
    /* Of the broker, at download_host, for devices that ask where to log in; 0: they are not told.
     */
    uint16_t mqtt_port, mqtts_port;
    /* Signed storage: URLs begin with https; their signature is that of a content network; from so
     * many refusals of one expired URL on, its upgrade has failed (0: never). */
    bool download_tls;
    bool auth_key;
    const char *image_key_pem; /* private key that announced images are signed with; null: they are
                                  not. Lives as long as the cloud, as does what replaces it */
    uint32_t refusals_max;
    /* What now_ns 0 is in Unix time: for what devices see of absolute time (signed URLs). */
    int64_t unix_start_s;
    int64_t task_timeout_ns; /* an upgrading record without a terminal report fails after this
                                (design default 16) */
    const char
        *project_key; /* signs download URLs and makes device ids; CLOUD_KEY_MAX - 1 at most */
    /* One event per request and record change on LANE_CLOUD; may be null. */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
    /* Takes a message for a device, whether it subscribed or not; 0, or ERR_NOT_FOUND when it has
     * no session. Null: no MQTT edge, everything is ERR_NOT_FOUND. */
    int (*deliver)(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m);
    void *deliver_ctx;
    /* Ends the connection that a device has itself, as when it logs in a second time. Null: no edge
     * that can, it stays. */
    void (*end_connection)(void *ctx, int64_t now_ns, const char *identity);
    void *end_connection_ctx;
};

/* Null with the story in err: ERR_ARG for a missing store, key or host, ERR_LIMIT, ERR_NOMEM. */
struct cloud *cloud_new(const struct cloud_config *cfg, const struct face *const *faces,
                        size_t n_faces, struct err *err);
void cloud_free(struct cloud *c);
struct store *cloud_store(struct cloud *c);
const struct cloud_config *cloud_config(const struct cloud *c);
/* For what deltaUrls are handed out from now on. */
void cloud_set_url_lifetime(struct cloud *c, int64_t lifetime_ns);
/* For what is announced from now on. */
void cloud_set_image_key(struct cloud *c, const char *private_pem);
/* Change the ports after the edges have bound them. */
void cloud_set_download(struct cloud *c, const char *host, uint16_t port);
void cloud_set_mqtt(struct cloud *c, uint16_t port, uint16_t tls_port);

/* Handles one request. Always makes a reply (404 for unknown paths). rp->text must be initialised.
 */
void cloud_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                struct http_reply *rp);

/*
 * The MQTT edges' way in; both edges call all of these in the same order. cloud_mqtt_login answers
 * CONNECT: accepted, identity is filled. cloud_mqtt_topic decides about a topic or filter; an edge
 * that refuses one for it says so with cloud_mqtt_denied. cloud_mqtt_message takes a PUBLISH that
 * cloud_mqtt_topic allowed.
 */
enum mqtt_connack cloud_mqtt_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                                   char identity[MQTT_IDENTITY_MAX]);
bool cloud_mqtt_topic(struct cloud *c, const char *identity, const char *topic,
                      enum mqtt_access access);
void cloud_mqtt_denied(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                       enum mqtt_access access);
void cloud_mqtt_online(struct cloud *c, int64_t now_ns, const char *identity);
void cloud_mqtt_subscribed(struct cloud *c, int64_t now_ns, const char *identity,
                           const char *filter);
void cloud_mqtt_message(struct cloud *c, int64_t now_ns, const char *identity,
                        const struct mqtt_message *m);
void cloud_mqtt_offline(struct cloud *c, int64_t now_ns, const char *identity);
/* For an edge to a broker that knows no identities (broker/remote.h): filters of what devices of
 * all faces publish, null past the end; whose device a topic is of. */
const char *cloud_mqtt_filter_at(const struct cloud *c, size_t index);
bool cloud_mqtt_owner(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX]);
/* Sets where messages for devices go; the edge is made after the cloud. */
void cloud_set_deliver(struct cloud *c,
                       int (*deliver)(void *ctx, int64_t now_ns, const char *identity,
                                      const struct mqtt_message *m),
                       void *ctx);
void cloud_set_end_connection(struct cloud *c,
                              void (*end)(void *ctx, int64_t now_ns, const char *identity),
                              void *ctx);
/* For faces: the connection of a device is to end; cloud_mqtt_offline follows, now or later. */
void cloud_end_connection(struct cloud *c, int64_t now_ns, const char *identity);
/* For faces and scripts: a message to a device. 0, ERR_NOT_FOUND: it has no session. */
int cloud_deliver(struct cloud *c, int64_t now_ns, const char *identity,
                  const struct mqtt_message *m);

/* Time-outs of records, what faces want to do, messages held back. Call at least whenever a minute
 * passed and when cloud_due_ns has come; returns the next time it wants to be called. */
int64_t cloud_tick(struct cloud *c, int64_t now_ns);
/* When cloud_tick has something to do, as far as known: ask after every request and message, they
 * may have set something going. Cheap. */
int64_t cloud_due_ns(const struct cloud *c);

/* Script. ERR_LIMIT beyond CLOUD_FAULTS_MAX; ERR_ARG for a kind that can never apply to the
 * request, from 0, a code, status, size or text the kind does not allow. Cleared by the heal phase:
 * read the hits first. */
int cloud_add_fault(struct cloud *c, const struct cloud_fault *f);
void cloud_clear_faults(struct cloud *c);
const struct cloud_fault *cloud_fault_at(const struct cloud *c,
                                         size_t index); /* null past the end */

/*
 * What requests have changed in the cloud, as bytes that are equal exactly when the cloud will
 * answer alike: the store's memory (times left out) and, where the script counts requests, how many
 * it has seen; beyond the last one a fault waits for they count alike. recall puts it back into a
 * cloud with the same configuration and script, every time in it being now_ns. What hangs on times
 * - expiry of URLs, time-outs of records, visits of a day - begins anew by that. remember appends.
 */
int cloud_remember(struct cloud *c, struct buf *out, struct err *err);
int cloud_recall(struct cloud *c, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err);
/* For brokers: the same of a message that waits for a device. Appended to out; read from there.
 * recall appends to payload. ERR_FORMAT, ERR_LIMIT. */
#define CLOUD_WORDS_MAX 64
struct cursor;
int cloud_remember_message(struct cloud *c, const char *identity, const struct mqtt_message *m,
                           struct buf *out, struct err *err);
int cloud_recall_message(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                         struct cursor *from, struct buf *payload, struct err *err);

/* Requests seen so far of that kind (RQ_ANY: all). */
uint32_t cloud_requests(const struct cloud *c, enum cloud_request rq);

/*
 * For faces. cloud_begin classifies and numbers a request (one call per request). cloud_refuse then
 * makes the reply if the script answers instead of the cloud (STATUS, REDIRECT). cloud_peek finds
 * the fault of a kind that applies to the current request, cloud_hit marks it as applied as well.
 * cloud_page makes an HTML error page, cloud_range a 206 head, cloud_code notes the service code
 * for the reply event.
 */
void cloud_begin(struct cloud *c, enum cloud_request rq);
/* The same for a message: one call per message, before it has any effect. */
void cloud_begin_message(struct cloud *c, int64_t now_ns, enum cloud_request rq,
                         const char *identity, const struct mqtt_message *m);
bool cloud_refuse(struct cloud *c, struct http_reply *rp);
const struct cloud_fault *cloud_peek(struct cloud *c, enum cloud_fault_kind kind);
struct cloud_fault *cloud_hit(struct cloud *c, enum cloud_fault_kind kind);
void cloud_page(struct http_reply *rp, int status);
void cloud_range(struct cloud *c, struct http_reply *rp, uint64_t from, uint64_t to,
                 uint64_t total);
void cloud_code(struct cloud *c, int code);
void cloud_event(struct cloud *c, int64_t now_ns, const char *event,
                 const struct trace_field *fields, size_t n);
/* Something is to be done at that time: cloud_due_ns is not later. */
void cloud_wake(struct cloud *c, int64_t at_ns);
/* "refused": what a device asked for and may not have, or what could not be read. */
void cloud_refused(struct cloud *c, int64_t now_ns, const char *identity, const char *what);
/* Tells all faces that the device's record of a package has become pending (face.h: offered). */
void cloud_offered(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id);
/* What a face works out from the configuration once, so that requests need not; null: nothing yet.
 * There is one such thing; cloud_free frees it with free_it. */
void *cloud_kept(const struct cloud *c);
void cloud_keep(struct cloud *c, void *kept, void (*free_it)(void *kept));
/* Numbers an announcement (RQ_PUSH) within another request or a tick; the end restores that. */
void cloud_begin_push(struct cloud *c, int64_t now_ns);
void cloud_end_push(struct cloud *c);
/* Sends the answer to the current message or push, spoilt as the script wants; to is whose session
 * takes it. 0; ERR_NOT_FOUND: there is no session. Held back or lost by script: 0. */
int cloud_send(struct cloud *c, int64_t now_ns, const char *to, const struct mqtt_message *m);

/*
 * Events on LANE_CLOUD: "request" {rq, n, method, path, range or body (text, cut)}, "reply" {rq, n,
 * status, code (service code, control only), bytes, from, to, total (partial content only)},
 * "login" {identity, code}, "online" {identity}, "offline" {identity}, "message" {rq, n, identity,
 * topic, payload (text, cut)}, "push" {identity, topic, payload (text, cut), delivered},
 * "refused" {identity, what},
 * "record" {delta_id, device, state, download, upgrade}, "late" {delta_id, device, state, download,
 * upgrade} for a report that came after the end and changed nothing, "fault" {kind, rq, n}, "error"
 * {what} when the store failed.
 */

#endif
