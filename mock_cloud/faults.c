#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/core.h"

#define FILLER 0xEE

/* Which requests a kind can ever apply to. */
enum scope {
    REPLY, /* whatever is answered */
    HTTP,
    CONTROL,
    CONTROL_MESSAGE,
    CHECK,
    CHECK_ANNOUNCEMENT,
    DOWNLOAD,
    MQTT,
    MESSAGE,
    ANNOUNCEMENT,
    ANSWER,
    PUSH
};

static const struct {
    const char *name;
    enum scope scope;
} kinds[CF_KIND_COUNT] = {
    [CF_CODE] = {"code", CONTROL},
    [CF_MESSAGE] = {"message", CONTROL},
    [CF_STATUS] = {"status", HTTP},
    [CF_TRUNCATE] = {"truncate", REPLY},
    [CF_EXTRA] = {"extra", REPLY},
    [CF_SHIFT] = {"shift", DOWNLOAD},
    [CF_SHIFT_SILENT] = {"shift-silent", DOWNLOAD},
    [CF_CORRUPT] = {"corrupt", REPLY},
    [CF_IGNORE_RANGE] = {"ignore-range", DOWNLOAD},
    [CF_RANGE_416] = {"range-416", DOWNLOAD},
    [CF_WRONG_DIGEST] = {"wrong-digest", CHECK_ANNOUNCEMENT},
    [CF_BAD_DIGEST] = {"bad-digest", CHECK_ANNOUNCEMENT},
    [CF_WRONG_SIZE] = {"wrong-size", CHECK_ANNOUNCEMENT},
    [CF_STALE_VERSION] = {"stale-version", CHECK},
    [CF_NOT_JSON] = {"not-json", CONTROL_MESSAGE},
    [CF_REDIRECT] = {"redirect", HTTP},
    [CF_NO_CHUNK] = {"no-chunk", CONTROL},
    [CF_DELAY] = {"delay", REPLY},
    [CF_CLOSE] = {"close", HTTP},
    [CF_EXPIRED] = {"expired", DOWNLOAD},
    [CF_FORGED] = {"forged", DOWNLOAD},
    [CF_LOST] = {"lost", MQTT},
    [CF_DUPLICATE] = {"duplicate", MESSAGE},
    [CF_OVERSIZED] = {"oversized", MESSAGE},
    [CF_DEEP] = {"deep", MESSAGE},
    [CF_NOT_UTF8] = {"not-utf8", MESSAGE},
    [CF_BLANK] = {"blank", MESSAGE},
    [CF_EMPTY] = {"empty", ANSWER},
    [CF_REPLAY] = {"replay", PUSH},
    [CF_FOREIGN] = {"foreign", PUSH},
    [CF_WRONG_SIGN] = {"wrong-sign", ANNOUNCEMENT},
    [CF_UPPER_DIGEST] = {"upper-digest", ANNOUNCEMENT},
    [CF_LONG_URL] = {"long-url", ANNOUNCEMENT},
    [CF_SIGN_METHOD] = {"sign-method", ANNOUNCEMENT},
    [CF_OMIT] = {"omit", ANNOUNCEMENT},
    [CF_URL] = {"url", ANNOUNCEMENT},
    [CF_CHUNKED] = {"chunked", DOWNLOAD},
    [CF_SMALL] = {"small", DOWNLOAD},
};

const char *cloud_fault_name(enum cloud_fault_kind k)
{
    return (unsigned)k < CF_KIND_COUNT ? kinds[k].name : "?";
}

static bool in_scope(enum scope scope, enum cloud_request rq)
{
    bool announcement = rq == RQ_PUSH || rq == RQ_QUERY;
    switch (scope) {
    case REPLY:
        return !is_mqtt(rq) || is_answered(rq);
    case HTTP:
        return !is_mqtt(rq);
    case CONTROL:
        return is_control(rq);
    case CONTROL_MESSAGE:
        return is_control(rq) || is_answered(rq);
    case CHECK:
        return rq == RQ_CHECK;
    case CHECK_ANNOUNCEMENT:
        return rq == RQ_CHECK || announcement;
    case DOWNLOAD:
        return rq == RQ_DOWNLOAD;
    case MQTT:
        return is_mqtt(rq);
    case MESSAGE:
        return is_answered(rq);
    case ANNOUNCEMENT:
        return announcement;
    case ANSWER:
        return rq == RQ_QUERY || rq == RQ_CONFIG;
    case PUSH:
        return rq == RQ_PUSH;
    }
    return false;
}

bool cloud_fault_fits(enum cloud_fault_kind k, enum cloud_request rq)
{
    return (unsigned)k < CF_KIND_COUNT && (rq == RQ_ANY || in_scope(kinds[k].scope, rq));
}

const char *cloud_fault_scope(enum cloud_fault_kind k)
{
    static const char *const texts[] = {
        [REPLY] = "what is answered, and \"push\"",
        [HTTP] = "requests over HTTP",
        [CONTROL] = "control requests",
        [CONTROL_MESSAGE] = "control requests, \"push\", \"query\", \"config\" and \"block\"",
        [CHECK] = "\"check\"",
        [CHECK_ANNOUNCEMENT] = "\"check\", \"push\" and \"query\"",
        [DOWNLOAD] = "\"download\"",
        [MQTT] = "messages over MQTT",
        [MESSAGE] = "\"push\", \"query\", \"config\" and \"block\"",
        [ANNOUNCEMENT] = "\"push\" and \"query\"",
        [ANSWER] = "\"query\" and \"config\"",
        [PUSH] = "\"push\"",
    };
    return (unsigned)k < CF_KIND_COUNT ? texts[kinds[k].scope] : "?";
}

/* Text that goes into a header line must not end it. */
static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
            return false;
    return true;
}

static bool values_allowed(const struct cloud_fault *f)
{
    switch (f->kind) {
    case CF_CODE:
        return f->code >= 1 && f->code <= 9999;
    case CF_STATUS:
        return f->code >= 200 && f->code <= 599;
    case CF_TRUNCATE:
    case CF_SMALL:
        return f->bytes >= 1;
    case CF_EXTRA:
        return f->bytes >= 1 && f->bytes <= CLOUD_EXTRA_MAX;
    case CF_SHIFT:
    case CF_SHIFT_SILENT:
        return f->bytes != 0 && f->bytes >= -INT64_C(0x7fffffff) && f->bytes <= 0x7fffffff;
    case CF_WRONG_SIZE:
        return f->bytes != 0 && f->bytes >= -INT64_C(0xffffffff) && f->bytes <= INT64_C(1) << 40;
    case CF_CORRUPT:
        return f->bytes >= 0;
    case CF_REDIRECT:
        return f->text[0] != '\0' && is_header_text(f->text);
    case CF_STALE_VERSION:
    case CF_SIGN_METHOD:
    case CF_OMIT:
    case CF_URL:
        return f->text[0] != '\0';
    case CF_DUPLICATE:
        return f->bytes >= 1 && f->bytes <= CLOUD_COPIES_MAX;
    case CF_LONG_URL:
        return f->bytes >= 1 && f->bytes <= CLOUD_URL_MAX;
    case CF_OVERSIZED:
    case CF_DEEP:
        return f->bytes >= 1 && f->bytes <= MQTT_PAYLOAD_MAX / 2;
    case CF_DELAY:
        return f->ms >= 1 && f->ms <= INT64_C(86400000);
    default:
        return true;
    }
}

int cloud_add_fault(struct cloud *c, const struct cloud_fault *f)
{
    bool known = (unsigned)f->kind < CF_KIND_COUNT && (unsigned)f->request <= RQ_ANY;
    if (!known || f->from == 0 || strnlen(f->text, sizeof f->text) == sizeof f->text)
        return ERR_ARG;
    if (!cloud_fault_fits(f->kind, f->request) || !values_allowed(f))
        return ERR_ARG;
    if (c->fault_count == CLOUD_FAULTS_MAX)
        return ERR_LIMIT;
    c->fault[c->fault_count] = *f;
    c->fault[c->fault_count++].hits = 0;
    return 0;
}

void cloud_clear_faults(struct cloud *c)
{
    c->fault_count = 0;
}

const struct cloud_fault *cloud_fault_at(const struct cloud *c, size_t index)
{
    return index < c->fault_count ? &c->fault[index] : NULL;
}

static struct cloud_fault *find(struct cloud *c, enum cloud_fault_kind kind)
{
    if (!in_scope(kinds[kind].scope, c->now.rq))
        return NULL;
    for (size_t i = 0; i < c->fault_count; i++) {
        struct cloud_fault *f = &c->fault[i];
        if (f->kind != kind || (f->request != RQ_ANY && f->request != c->now.rq))
            continue;
        uint32_t n = f->request == RQ_ANY ? c->now.n_any : c->now.n;
        if (n >= f->from && (f->count == 0 || n - f->from < f->count))
            return f;
    }
    return NULL;
}

const struct cloud_fault *cloud_peek(struct cloud *c, enum cloud_fault_kind kind)
{
    return find(c, kind);
}

struct cloud_fault *cloud_hit(struct cloud *c, enum cloud_fault_kind kind)
{
    struct cloud_fault *f = find(c, kind);
    if (f != NULL) {
        f->hits++;
        const struct trace_field fields[] = {F_STR("kind", cloud_fault_name(kind)),
                                             F_STR("rq", cloud_request_name(c->now.rq)),
                                             F_INT("n", c->now.n)};
        cloud_event(c, c->now.now_ns, "fault", fields, 3);
    }
    return f;
}

bool cloud_refuse(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = cloud_hit(c, CF_STATUS);
    if (f != NULL) {
        cloud_page(rp, f->code);
        return true;
    }
    f = cloud_hit(c, CF_REDIRECT);
    if (f == NULL)
        return false;
    cloud_page(rp, 302);
    (void)snprintf(rp->location, sizeof rp->location, "%s", f->text);
    return true;
}

static size_t body_bytes(const struct http_reply *rp)
{
    return rp->view != NULL ? rp->view_bytes : rp->text.len_bytes;
}

/* The body as bytes that may be changed; false when there is no memory for a copy. */
static bool own_body(struct http_reply *rp)
{
    if (rp->view == NULL)
        return true;
    buf_clear(&rp->text);
    if (buf_append(&rp->text, rp->view, rp->view_bytes) != 0)
        return false;
    rp->view = NULL;
    rp->view_bytes = 0;
    return true;
}

/* Content-Range after the body has got another length. */
static void follow_length(struct cloud *c, struct http_reply *rp)
{
    if (!c->now.part)
        return;
    size_t len = body_bytes(rp);
    if (len > 0)
        cloud_range(c, rp, c->now.from, c->now.from + len - 1, c->now.total);
    else
        rp->content_range[0] = '\0';
}

static void truncate_body(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = cloud_peek(c, CF_TRUNCATE);
    size_t len = body_bytes(rp);
    if (f == NULL || len == 0)
        return;
    (void)cloud_hit(c, CF_TRUNCATE);
    size_t rest = (uint64_t)f->bytes < len ? len - (size_t)f->bytes : 0;
    if (rp->view != NULL)
        rp->view_bytes = rest;
    else
        rp->text.len_bytes = rest;
    follow_length(c, rp);
}

/* A range that is served in a smaller piece than asked for; what is served whole stays so. */
static void shrink_part(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = c->now.part ? cloud_peek(c, CF_SMALL) : NULL;
    if (f == NULL || (uint64_t)f->bytes >= body_bytes(rp))
        return;
    (void)cloud_hit(c, CF_SMALL);
    if (rp->view != NULL)
        rp->view_bytes = (size_t)f->bytes;
    else
        rp->text.len_bytes = (size_t)f->bytes;
    follow_length(c, rp);
}

static void extend_body(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = cloud_peek(c, CF_EXTRA);
    if (f == NULL || !own_body(rp))
        return;
    size_t at = rp->text.len_bytes;
    if (buf_append(&rp->text, NULL, (size_t)f->bytes) != 0)
        return;
    memset(rp->text.data + at, FILLER, (size_t)f->bytes);
    (void)cloud_hit(c, CF_EXTRA);
    follow_length(c, rp);
}

static void corrupt_body(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = cloud_peek(c, CF_CORRUPT);
    if (f == NULL || (uint64_t)f->bytes >= body_bytes(rp) || !own_body(rp))
        return;
    (void)cloud_hit(c, CF_CORRUPT);
    rp->text.data[f->bytes] ^= 1;
}

static void replace_body(struct cloud *c, struct http_reply *rp)
{
    const struct cloud_fault *f = cloud_hit(c, CF_NOT_JSON);
    if (f == NULL)
        return;
    rp->view = NULL;
    rp->view_bytes = 0;
    buf_clear(&rp->text);
    (void)buf_text(&rp->text, f->text[0] != '\0' ? f->text : "<html>");
}

void faults_apply(struct cloud *c, struct http_reply *rp)
{
    if (c->fault_count == 0)
        return;
    replace_body(c, rp);
    truncate_body(c, rp);
    shrink_part(c, rp);
    extend_body(c, rp);
    corrupt_body(c, rp);
    if (rp->chunked && cloud_hit(c, CF_NO_CHUNK) != NULL)
        rp->chunked = false;
    if (body_bytes(rp) > 0 && (rp->status == 200 || rp->status == 206) &&
        cloud_hit(c, CF_CHUNKED) != NULL)
        rp->chunked = true;
    if (cloud_hit(c, CF_CLOSE) != NULL)
        rp->close = true;
    const struct cloud_fault *f = cloud_hit(c, CF_DELAY);
    if (f != NULL)
        rp->delay_ns = f->ms * NS_PER_MS;
}
