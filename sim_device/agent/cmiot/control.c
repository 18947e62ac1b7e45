/*
 * Asking the server: register, checkVersion and the two reports (cms-ota §1, §5, §6).
 */
#include <string.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/agent/cmiot/session.h"

#define CONTROL_PAUSE_MS 1000u /* before repeating a request after an HTTP error */

/* How one exchange ended. */
enum outcome {
    GOT_BODY,   /* body in s->reply, terminated */
    GOT_NOISE,  /* something else than a reply: worth asking again */
    GOT_ERROR,  /* an HTTP error: worth asking again after a pause */
    GOT_BUSY,   /* the server asks for patience */
    GOT_CLOSED, /* the connection was closed before a byte came */
    GOT_NOTHING /* silence, or no connection */
};

/* Reads one reply into s->reply, decoded in place: the body is never longer than what carried it.
 */
static enum outcome receive(struct session *s, size_t *body_bytes)
{
    struct http_reply r;
    size_t body = 0, total = 0;
    enum http_step step = HTTP_MORE;
    bool excess = false;
    os_tick_t start = os_tick_get();
    http_reply_init(&r, s->reply_max_bytes);
    while (step == HTTP_MORE) {
        uint8_t *at = s->reply + body;
        if (total == s->reply_max_bytes || agent_too_slow(start))
            return GOT_NOISE;
        int n = link_receive(&s->control, at, s->reply_max_bytes - total);
        if (n == LINK_SILENT)
            return total > 0 ? GOT_NOISE : GOT_NOTHING;
        if (n == LINK_CLOSED) {
            step = http_reply_eof(&r);
            if (total == 0)
                return GOT_CLOSED;
        }
        total += (size_t)n;
        for (size_t used = 0; n > 0 && step != HTTP_END && step != HTTP_BAD;) {
            const uint8_t *data;
            size_t data_bytes, took;
            step = http_reply_feed(&r, at + used, (size_t)n - used, &took, &data, &data_bytes);
            used += took;
            if (step == HTTP_DATA) {
                memmove(s->reply + body, data, data_bytes);
                body += data_bytes;
            } else if (step == HTTP_MORE) {
                break;
            } else if (step == HTTP_END) {
                excess = used < (size_t)n;
            }
        }
    }
    if (step == HTTP_BAD) {
        agent_log("reply: %s", r.reason);
        return GOT_NOISE;
    }
    if (r.close || excess)
        link_close(&s->control);
    if (r.status == 429 || r.status == 503)
        return GOT_BUSY;
    if (r.status != 200) {
        agent_log("reply: HTTP status %d", r.status);
        return GOT_ERROR;
    }
    if (r.encoded)
        return GOT_NOISE;
    s->reply[body] = '\0';
    *body_bytes = body;
    return GOT_BODY;
}

/* One request and its reply. A connection that was closed while it lay idle is opened once more. */
static enum outcome exchange(struct session *s, size_t request_bytes, size_t *body_bytes)
{
    bool reused = s->control.fd >= 0;
    for (;;) {
        enum outcome o = GOT_CLOSED;
        if (link_open(&s->control) != 0)
            return GOT_NOTHING;
        if (link_send(&s->control, s->request, request_bytes) == 0)
            o = receive(s, body_bytes);
        if (o == GOT_NOTHING || o == GOT_NOISE || o == GOT_CLOSED)
            link_close(&s->control);
        if (o != GOT_CLOSED || !reused)
            return o;
        reused = false;
    }
}

int control_ask(struct session *s, size_t request_bytes, enum message_data want,
                struct reply_data *out)
{
    const struct device_breaks *breaks = &s->config->breaks;
    unsigned repeats = cmiot_get_try_count();
    if (request_bytes == 0) {
        agent_log("request too long");
        return -1;
    }
    for (unsigned tried = 0;; tried++) {
        struct err err;
        size_t body_bytes = 0;
        enum outcome o = exchange(s, request_bytes, &body_bytes);
        if (o == GOT_BODY) {
            int rc = message_decode(out, (const char *)s->reply, body_bytes, want,
                                    breaks->accept_any_status, &err);
            if (rc == 0)
                return 0;
            agent_log("reply: %s", err.text);
            if (rc == ERR_UNSUPPORTED)
                return -1;
        }
        if (breaks->endless_retry)
            continue;
        s->device->back_off = s->device->back_off || o == GOT_BUSY;
        if (o == GOT_CLOSED || o == GOT_NOTHING || o == GOT_BUSY || tried >= repeats)
            return -1;
        if (o == GOT_ERROR)
            cmiot_msleep(CONTROL_PAUSE_MS);
    }
}

/* ---- service codes ---- */

/* What a service code means for the call (cms-ota §4, §5). All others: FAILURE. */
static const struct code {
    int code;
    cmiot_int8 result;
    bool later;  /* the same request may be accepted another time */
    bool wait;   /* the application waits longer */
    bool forget; /* A: the stored identity is worth nothing */
} codes[] = {
    {1005, E_CMIOT_FAILURE, true, false, false},       /* error of the server's own */
    {1010, E_CMIOT_FAILURE, true, true, false},        /* visit limit of the device */
    {1015, E_CMIOT_FAILURE, true, true, false},        /* visit limit of its owner */
    {2001, E_CMIOT_FAILURE, true, false, true},        /* signature refused */
    {2101, E_CMIOT_LAST_VERSION, false, false, false}, /* nothing newer */
    {2103, E_CMIOT_FAILURE, true, false, true},        /* not registered */
};

static const struct code *code_of(const struct reply_data *reply)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == reply->envelope.status)
            return &codes[i];
    return NULL;
}

static cmiot_int8 judge(struct session *s, const struct reply_data *reply)
{
    const struct code *c = code_of(reply);
    if (reply->envelope.success || s->config->breaks.accept_any_status)
        return E_CMIOT_SUCCESS;
    agent_log("service code %d", reply->envelope.status);
    if (c == NULL)
        return E_CMIOT_FAILURE;
    s->device->back_off = s->device->back_off || c->wait;
    if (c->forget && session_direct(s) && s->state.record.device_id[0] != '\0') {
        struct state_record r = session_record(s);
        memset(r.device_id, 0, sizeof(r.device_id));
        memset(r.device_secret, 0, sizeof(r.device_secret));
        (void)session_store(s, &r);
    }
    return c->result;
}

cmiot_int8 control_register(struct session *s, bool anew)
{
    struct reply_data reply;
    struct state_record r = session_record(s);
    if (!session_direct(s))
        return E_CMIOT_SUCCESS;
    bool known = s->state.valid && strcmp(r.mid, s->mid) == 0 && r.device_id[0] != '\0' &&
                 r.device_secret[0] != '\0';
    if (known && !anew)
        return E_CMIOT_SUCCESS;
    struct speaker who = session_speaker(s);
    if (control_ask(s, message_register(s->request, &who), DATA_IDENTITY, &reply) != 0)
        return E_CMIOT_FAILURE;
    cmiot_int8 rc = judge(s, &reply);
    if (rc != E_CMIOT_SUCCESS)
        return E_CMIOT_FAILURE;
    if (known && strcmp(r.device_id, reply.device_id) == 0 &&
        strcmp(r.device_secret, reply.device_secret) == 0)
        return E_CMIOT_SUCCESS;
    memcpy(r.device_id, reply.device_id, sizeof(r.device_id));
    memcpy(r.device_secret, reply.device_secret, sizeof(r.device_secret));
    return session_store(s, &r);
}

cmiot_int8 control_check(struct session *s, struct offer *out)
{
    struct reply_data reply;
    struct speaker who = session_speaker(s);
    if (control_ask(s, message_check(s->request, &who), DATA_OFFER, &reply) != 0)
        return E_CMIOT_FAILURE;
    cmiot_int8 rc = judge(s, &reply);
    if (rc == E_CMIOT_SUCCESS)
        *out = reply.offer;
    return rc;
}

/* ---- reports ---- */

static enum delivery deliver(struct session *s, size_t request_bytes)
{
    struct reply_data reply;
    if (control_ask(s, request_bytes, DATA_NONE, &reply) != 0)
        return POSTPONED;
    if (judge(s, &reply) == E_CMIOT_SUCCESS)
        return DELIVERED;
    const struct code *c = code_of(&reply);
    return c != NULL && c->later ? POSTPONED : REFUSED;
}

enum delivery control_report_download(struct session *s, uint32_t delta_id, int status,
                                      uint32_t size_bytes)
{
    struct speaker who = session_speaker(s);
    link_close(&s->control);
    enum delivery d =
        deliver(s, message_download_report(s->request, &who, delta_id, status, size_bytes));
    link_close(&s->control);
    return d;
}

static void clear_result(struct session *s)
{
    struct state_record r = s->state.record;
    r.update_result = UPDATE_NONE;
    r.index = r.index_max = r.delta_id = 0;
    r.file_bytes = r.segment_bytes = 0;
    memset(r.md5, 0, sizeof(r.md5));
    memset(r.code, 0, sizeof(r.code));
    r.report_due = 0;
    (void)session_store(s, &r);
}

enum delivery control_report_upgrade(struct session *s)
{
    uint16_t result = s->state.record.update_result;
    uint32_t delta_id = s->state.record.delta_id, size = s->state.record.file_bytes;
    if (s->config->breaks.forget_report)
        clear_result(s);
    if (control_register(s, true) != E_CMIOT_SUCCESS)
        return POSTPONED;
    /* The server hears of the download before it hears of its result. */
    if (s->state.record.report_due &&
        control_report_download(s, delta_id, DOWNLOAD_OK, size) == POSTPONED)
        return POSTPONED;
    struct speaker who = session_speaker(s);
    enum delivery d = deliver(s, message_upgrade_report(s->request, &who, delta_id, result));
    if (d == DELIVERED && result != UPDATE_OK)
        s->device->refused_delta_id = delta_id;
    if (d == DELIVERED && !s->config->breaks.forget_report)
        clear_result(s);
    return d;
}
