/*
 * The bus's memory as bytes: a tag, the number of sessions; of each client id, identity, filters
 * with their QoS, messages with whether they were sent. Sessions are in the order in which they lie
 * here, which routing follows.
 */
#include <string.h>

#include "common/cursor.h"
#include "mock_cloud/mqtt/bus_internal.h"

#define BUS_TAG 0x31534d42 /* "BMS1" as bytes */

/* ---- writing ---- */

static int put_kept(struct bus *b, const struct session *s, const struct kept *k, struct buf *out,
                    struct err *err)
{
    const struct mqtt_message m = {
        .topic = k->topic, .payload = k->payload, .payload_bytes = k->payload_bytes, .qos = 1};
    int rc = buf_put_text(out, k->topic);
    if (rc == 0)
        rc = buf_put_int(out, k->id != 0);
    return rc == 0 ? cloud_remember_message(b->cfg.cloud, s->identity, &m, out, err) : rc;
}

static int put_session(struct bus *b, const struct session *s, struct buf *out, struct err *err)
{
    int rc = buf_put_text(out, s->client_id);
    if (rc == 0)
        rc = buf_put_text(out, s->identity);
    if (rc == 0)
        rc = buf_put_int(out, (int64_t)s->n_filters);
    for (size_t i = 0; rc == 0 && i < s->n_filters; i++) {
        rc = buf_put_text(out, s->filters[i].text);
        if (rc == 0)
            rc = buf_put_int(out, s->filters[i].qos);
    }
    if (rc == 0)
        rc = buf_put_int(out, (int64_t)s->n_kept);
    for (size_t i = 0; rc == 0 && i < s->n_kept; i++)
        rc = put_kept(b, s, &s->kept[i], out, err);
    return rc;
}

int bus_remember(struct bus *b, struct buf *out, struct err *err)
{
    int64_t count = 0;
    for (size_t i = 0; i < BUS_SESSIONS; i++) {
        const struct session *s = b->sessions[i];
        if (s != NULL && s->will_topic != NULL)
            return err_set(err, ERR_UNSUPPORTED, "bus: a will is not part of a memory");
        count += s != NULL && !s->clean;
    }
    int rc = buf_put_int(out, BUS_TAG);
    if (rc == 0)
        rc = buf_put_int(out, count);
    for (size_t i = 0; rc == 0 && i < BUS_SESSIONS; i++)
        if (b->sessions[i] != NULL && !b->sessions[i]->clean)
            rc = put_session(b, b->sessions[i], out, err);
    return rc == 0 ? 0 : err_set(err, rc, "bus: what its sessions keep does not fit into memory");
}

/* ---- reading ---- */

static void forget(struct bus *b)
{
    for (size_t i = 0; i < BUS_CONNS; i++) {
        buf_free(&b->conns[i].rx);
        b->conns[i] = (struct bus_conn){.number = 0};
    }
    for (size_t i = 0; i < BUS_SESSIONS; i++)
        if (b->sessions[i] != NULL)
            bus_session_free(b, b->sessions[i]);
}

static int take_kept(struct bus *b, int64_t now_ns, struct session *s, struct cursor *c,
                     struct err *err)
{
    char topic[MQTT_TOPIC_MAX];
    struct buf payload;
    cursor_text(c, topic, sizeof topic);
    bool sent = cursor_int(c, 0, 1) != 0;
    if (c->bad)
        return ERR_FORMAT;
    buf_init(&payload, MQTT_PAYLOAD_MAX);
    int rc = cloud_recall_message(b->cfg.cloud, now_ns, s->identity, topic, c, &payload, err);
    if (rc == 0)
        rc = bus_session_keep(s, topic, payload.data, payload.len_bytes, sent);
    buf_free(&payload);
    return rc;
}

static int take_session(struct bus *b, int64_t now_ns, struct cursor *c, struct err *err)
{
    char client_id[MQTT_CLIENT_ID_MAX], identity[MQTT_IDENTITY_MAX], filter[MQTT_TOPIC_MAX];
    cursor_text(c, client_id, sizeof client_id);
    cursor_text(c, identity, sizeof identity);
    if (c->bad || client_id[0] == '\0' || bus_session_find(b, client_id) != NULL)
        return ERR_FORMAT;
    struct session *s = bus_session_new(b, client_id, identity);
    if (s == NULL)
        return ERR_NOMEM;
    for (int64_t n = cursor_int(c, 0, BUS_FILTERS_MAX); n > 0; n--) {
        cursor_text(c, filter, sizeof filter);
        uint8_t qos = (uint8_t)cursor_int(c, 0, 1);
        if (c->bad || !mqtt_filter_valid(filter))
            return ERR_FORMAT;
        if (bus_session_subscribe(s, filter, qos) == MQTT_SUBACK_FAILURE)
            return ERR_NOMEM;
    }
    int rc = 0;
    for (int64_t n = cursor_int(c, 0, BUS_QUEUE_MAX); rc == 0 && n > 0; n--)
        rc = take_kept(b, now_ns, s, c, err);
    return c->bad ? ERR_FORMAT : rc;
}

int bus_recall(struct bus *b, int64_t now_ns, const void *memory, size_t len_bytes, struct err *err)
{
    struct cursor c = cursor_over(memory, len_bytes);
    int rc = 0;
    forget(b);
    (void)cursor_int(&c, BUS_TAG, BUS_TAG);
    for (int64_t n = cursor_int(&c, 0, BUS_SESSIONS); rc == 0 && n > 0; n--)
        rc = take_session(b, now_ns, &c, err);
    if (rc == 0 && cursor_done(&c))
        return 0;
    forget(b);
    rc = rc == 0 ? ERR_FORMAT : rc;
    return err_set(err, rc, rc == ERR_FORMAT ? "bus: no memory of a bus" : "bus: no memory");
}
