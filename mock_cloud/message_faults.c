/*
 * What the script does to a message on its way out: spoilt, held back, doubled, lost.
 */
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/core.h"

/* Writes extra where the first object's members begin; false when there is no object. */
static bool insert_member(struct buf *out, const struct mqtt_message *m, const struct buf *extra)
{
    const uint8_t *brace = memchr(m->payload, '{', m->payload_bytes);
    if (brace == NULL)
        return false;
    size_t head = (size_t)(brace - m->payload) + 1;
    return buf_append(out, m->payload, head) == 0 &&
           buf_append(out, extra->data, extra->len_bytes) == 0 &&
           buf_append(out, m->payload + head, m->payload_bytes - head) == 0;
}

static int put_repeated(struct buf *out, char letter, int64_t count)
{
    size_t at = out->len_bytes;
    int rc = buf_append(out, NULL, (size_t)count);
    if (rc == 0)
        memset(out->data + at, letter, (size_t)count);
    return rc;
}

static bool make_oversized(const struct cloud_fault *f, const struct mqtt_message *m,
                           struct buf *out)
{
    struct buf extra;
    buf_init(&extra, MQTT_PAYLOAD_MAX);
    bool made = put_repeated(&extra, ' ', f->bytes) == 0 && insert_member(out, m, &extra);
    buf_free(&extra);
    return made;
}

static bool make_deep(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    struct buf extra;
    buf_init(&extra, MQTT_PAYLOAD_MAX);
    bool made = buf_text(&extra, "\"deep\":") == 0 && put_repeated(&extra, '[', f->bytes) == 0 &&
                put_repeated(&extra, ']', f->bytes) == 0 && buf_text(&extra, ",") == 0 &&
                insert_member(out, m, &extra);
    buf_free(&extra);
    return made;
}

static bool make_not_utf8(const struct cloud_fault *f, const struct mqtt_message *m,
                          struct buf *out)
{
    struct buf extra;
    (void)f;
    buf_init(&extra, 64);
    bool made =
        buf_text(&extra, "\"text\":\"\xff\xfe\xc0\",") == 0 && insert_member(out, m, &extra);
    buf_free(&extra);
    return made;
}

static bool make_blanks(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    bool text = false, made = false;
    (void)f;
    for (size_t i = 0; i < m->payload_bytes; i++) {
        uint8_t ch = m->payload[i];
        if (ch == '"' && (i == 0 || m->payload[i - 1] != '\\'))
            text = !text;
        if (buf_append(out, &ch, 1) != 0)
            return false;
        if (ch == ':' && !text) {
            made = true;
            if (buf_text(out, " ") != 0)
                return false;
        }
    }
    return made;
}

static bool make_text(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    (void)m;
    return buf_text(out, f->text[0] != '\0' ? f->text : "<html>") == 0;
}

static bool make_shorter(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    size_t cut = (uint64_t)f->bytes < m->payload_bytes ? (size_t)f->bytes : m->payload_bytes;
    return m->payload_bytes > 0 && buf_append(out, m->payload, m->payload_bytes - cut) == 0;
}

static bool make_longer(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    return buf_append(out, m->payload, m->payload_bytes) == 0 &&
           put_repeated(out, (char)0xEE, f->bytes) == 0;
}

static bool make_corrupt(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out)
{
    if ((uint64_t)f->bytes >= m->payload_bytes ||
        buf_append(out, m->payload, m->payload_bytes) != 0)
        return false;
    out->data[f->bytes] ^= 1;
    return true;
}

/* Each makes another payload of the message; applied in this order. */
static const struct {
    enum cloud_fault_kind kind;
    bool (*make)(const struct cloud_fault *f, const struct mqtt_message *m, struct buf *out);
} spoilers[] = {
    {CF_BLANK, make_blanks},        {CF_NOT_UTF8, make_not_utf8}, {CF_DEEP, make_deep},
    {CF_OVERSIZED, make_oversized}, {CF_NOT_JSON, make_text},     {CF_TRUNCATE, make_shorter},
    {CF_EXTRA, make_longer},        {CF_CORRUPT, make_corrupt},
};

/* Two buffers in turn, since each spoiler reads what the one before has made. */
static void spoil(struct cloud *c, struct mqtt_message *m, struct buf work[2])
{
    for (size_t i = 0, turn = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        const struct cloud_fault *f = cloud_peek(c, spoilers[i].kind);
        if (f == NULL)
            continue;
        struct buf *out = &work[turn];
        buf_clear(out);
        if (!spoilers[i].make(f, m, out))
            continue;
        (void)cloud_hit(c, spoilers[i].kind);
        m->payload = out->data;
        m->payload_bytes = out->len_bytes;
        turn ^= 1;
    }
}

static int hold_back(struct cloud *c, int64_t due_ns, const char *to, const struct mqtt_message *m)
{
    struct store_outgoing held = {.due_ns = due_ns, .qos = m->qos};
    struct err err = {""};
    (void)snprintf(held.device_id, sizeof held.device_id, "%s", to);
    (void)snprintf(held.topic, sizeof held.topic, "%s", m->topic);
    int rc = store_put_outgoing(c->cfg.store, &held, m->payload, m->payload_bytes, &err);
    if (rc != 0)
        cloud_event(c, c->now.now_ns, "error", &F_STR("what", err.text), 1);
    cloud_wake(c, due_ns);
    return rc;
}

static int send_copies(struct cloud *c, int64_t now_ns, const char *to,
                       const struct mqtt_message *m)
{
    const struct cloud_fault *twice = cloud_hit(c, CF_DUPLICATE);
    const struct cloud_fault *late = cloud_hit(c, CF_DELAY);
    int64_t copies = twice == NULL ? 1 : 1 + twice->bytes;
    int rc = 0;
    for (int64_t i = 0; i < copies && rc == 0; i++)
        rc = late == NULL ? cloud_deliver(c, now_ns, to, m)
                          : hold_back(c, vtime_after(now_ns, late->ms * NS_PER_MS), to, m);
    return rc;
}

int cloud_send(struct cloud *c, int64_t now_ns, const char *to, const struct mqtt_message *m)
{
    if (c->fault_count == 0)
        return cloud_deliver(c, now_ns, to, m);
    if (cloud_hit(c, CF_LOST) != NULL)
        return 0;
    struct mqtt_message spoilt = *m;
    struct buf work[2];
    buf_init(&work[0], MQTT_PAYLOAD_MAX);
    buf_init(&work[1], MQTT_PAYLOAD_MAX);
    spoil(c, &spoilt, work);
    int rc = send_copies(c, now_ns, to, &spoilt);
    buf_free(&work[0]);
    buf_free(&work[1]);
    return rc;
}

int64_t outgoing_tick(struct cloud *c, int64_t now_ns)
{
    struct store_outgoing held;
    struct buf payload;
    buf_init(&payload, STORE_OUTGOING_BYTES);
    while (store_take_outgoing(c->cfg.store, now_ns, &held, &payload, NULL) == 0) {
        const struct mqtt_message m = {.topic = held.topic,
                                       .payload = payload.data,
                                       .payload_bytes = payload.len_bytes,
                                       .qos = (uint8_t)held.qos};
        (void)cloud_deliver(c, now_ns, held.device_id, &m);
        buf_clear(&payload);
    }
    buf_free(&payload);
    return held.due_ns;
}
