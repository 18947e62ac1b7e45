#include <stdlib.h>
#include <string.h>

#include "mock_cloud/mqtt/bus_internal.h"

struct session *bus_session_find(struct bus *b, const char *client_id)
{
    for (size_t i = 0; i < BUS_SESSIONS; i++)
        if (b->sessions[i] != NULL && strcmp(b->sessions[i]->client_id, client_id) == 0)
            return b->sessions[i];
    return NULL;
}

struct session *bus_session_of(struct bus *b, const char *identity)
{
    struct session *found = NULL;
    for (size_t i = 0; i < BUS_SESSIONS; i++) {
        struct session *s = b->sessions[i];
        if (s == NULL || (s->conn == NULL && s->clean)) /* none, or just ending */
            continue;
        if (strcmp(s->identity, identity) == 0 && (found == NULL || s->conn != NULL))
            found = s;
    }
    return found;
}

struct session *bus_session_new(struct bus *b, const char *client_id, const char *identity)
{
    for (size_t i = 0; i < BUS_SESSIONS; i++) {
        if (b->sessions[i] != NULL)
            continue;
        struct session *s = calloc(1, sizeof *s);
        if (s == NULL)
            return NULL;
        memcpy(s->client_id, client_id, strlen(client_id) + 1);
        memcpy(s->identity, identity, strlen(identity) + 1);
        b->sessions[i] = s;
        return s;
    }
    return NULL;
}

static void kept_free(struct kept *k)
{
    free(k->topic);
    free(k->payload);
    *k = (struct kept){.id = 0};
}

void bus_session_drop_will(struct session *s)
{
    free(s->will_topic);
    free(s->will);
    s->will_topic = NULL;
    s->will = NULL;
    s->will_bytes = 0;
}

void bus_session_free(struct bus *b, struct session *s)
{
    for (size_t i = 0; i < BUS_SESSIONS; i++)
        if (b->sessions[i] == s)
            b->sessions[i] = NULL;
    for (size_t i = 0; i < s->n_filters; i++)
        free(s->filters[i].text);
    for (size_t i = 0; i < s->n_kept; i++)
        kept_free(&s->kept[i]);
    bus_session_drop_will(s);
    free(s);
}

/* A copy of bytes; never null for success, whatever the length. */
static void *copy_of(const void *data, size_t len_bytes)
{
    void *p = malloc(len_bytes == 0 ? 1 : len_bytes);
    if (p != NULL && len_bytes > 0)
        memcpy(p, data, len_bytes);
    return p;
}

int bus_session_set_will(struct session *s, const struct mqtt_packet *connect, const char *topic)
{
    bus_session_drop_will(s);
    s->will_topic = strdup(topic);
    s->will = copy_of(connect->payload.data, connect->payload.len_bytes);
    s->will_bytes = connect->payload.len_bytes;
    s->will_qos = connect->qos;
    if (s->will_topic != NULL && s->will != NULL)
        return 0;
    bus_session_drop_will(s);
    return ERR_NOMEM;
}

static void put(struct bus *b, int64_t now_ns, struct session *s, const char *topic,
                const uint8_t *payload, size_t payload_bytes, uint16_t id, bool dup)
{
    const struct mqtt_packet p = {
        .type = PACKET_PUBLISH,
        .topic = mqtt_text(topic),
        .payload = {.data = (const char *)payload, .len_bytes = payload_bytes},
        .qos = id > 0 ? 1 : 0,
        .id = id,
        .dup = dup};
    bus_conn_send(b, now_ns, s->conn, &p);
}

static uint16_t fresh_id(struct session *s)
{
    for (;;) {
        s->last_id = s->last_id == UINT16_MAX ? 1 : (uint16_t)(s->last_id + 1);
        bool used = false;
        for (size_t i = 0; i < s->n_kept && !used; i++)
            used = s->kept[i].id == s->last_id;
        if (!used)
            return s->last_id;
    }
}

void bus_session_pump(struct bus *b, int64_t now_ns, struct session *s)
{
    for (size_t i = 0; i < s->n_kept && i < BUS_IN_FLIGHT_MAX && s->conn != NULL; i++) {
        struct kept *k = &s->kept[i];
        if (k->id != 0)
            continue;
        k->id = fresh_id(s);
        put(b, now_ns, s, k->topic, k->payload, k->payload_bytes, k->id, false);
    }
}

void bus_session_resume(struct bus *b, int64_t now_ns, struct session *s)
{
    for (size_t i = 0; i < s->n_kept && s->conn != NULL; i++) {
        struct kept *k = &s->kept[i];
        if (k->id == 0)
            continue;
        k->dup = true;
        put(b, now_ns, s, k->topic, k->payload, k->payload_bytes, k->id, true);
    }
    bus_session_pump(b, now_ns, s);
}

int bus_session_keep(struct session *s, const char *topic, const void *payload,
                     size_t payload_bytes, bool sent)
{
    if (s->n_kept == BUS_QUEUE_MAX)
        return ERR_LIMIT;
    struct kept k = {.topic = strdup(topic),
                     .payload = copy_of(payload, payload_bytes),
                     .payload_bytes = payload_bytes};
    if (k.topic == NULL || k.payload == NULL) {
        kept_free(&k);
        return ERR_NOMEM;
    }
    if (sent)
        k.id = fresh_id(s);
    s->kept[s->n_kept++] = k;
    return 0;
}

int bus_session_send(struct bus *b, int64_t now_ns, struct session *s, const struct mqtt_message *m,
                     uint8_t qos)
{
    if (qos == 0) {
        if (s->conn == NULL)
            return ERR_NOT_FOUND;
        put(b, now_ns, s, m->topic, m->payload, m->payload_bytes, 0, false);
        return 0;
    }
    int rc = bus_session_keep(s, m->topic, m->payload, m->payload_bytes, false);
    if (rc == 0)
        bus_session_pump(b, now_ns, s);
    return rc;
}

void bus_session_acked(struct bus *b, int64_t now_ns, struct session *s, uint16_t id)
{
    for (size_t i = 0; i < s->n_kept && id != 0; i++) {
        if (s->kept[i].id != id)
            continue;
        kept_free(&s->kept[i]);
        s->n_kept--;
        memmove(&s->kept[i], &s->kept[i + 1], (s->n_kept - i) * sizeof s->kept[0]);
        break;
    }
    bus_session_pump(b, now_ns, s);
}

uint8_t bus_session_subscribe(struct session *s, const char *filter, uint8_t qos)
{
    for (size_t i = 0; i < s->n_filters; i++)
        if (strcmp(s->filters[i].text, filter) == 0) {
            s->filters[i].qos = qos;
            return qos;
        }
    char *text = s->n_filters == BUS_FILTERS_MAX ? NULL : strdup(filter);
    if (text == NULL)
        return MQTT_SUBACK_FAILURE;
    s->filters[s->n_filters++] = (struct filter){.text = text, .qos = qos};
    return qos;
}

void bus_session_unsubscribe(struct session *s, const char *filter)
{
    for (size_t i = 0; i < s->n_filters; i++) {
        if (strcmp(s->filters[i].text, filter) != 0)
            continue;
        free(s->filters[i].text);
        s->n_filters--;
        memmove(&s->filters[i], &s->filters[i + 1], (s->n_filters - i) * sizeof s->filters[0]);
        return;
    }
}

/* Filters that overlap give one message, by the highest QoS. */
void bus_route(struct bus *b, int64_t now_ns, const struct mqtt_message *m)
{
    for (size_t i = 0; i < BUS_SESSIONS; i++) {
        struct session *s = b->sessions[i];
        int granted = -1;
        for (size_t f = 0; s != NULL && f < s->n_filters; f++)
            if (mqtt_topic_matches(s->filters[f].text, m->topic) && s->filters[f].qos > granted)
                granted = s->filters[f].qos;
        if (granted >= 0)
            (void)bus_session_send(b, now_ns, s, m, m->qos < granted ? m->qos : (uint8_t)granted);
    }
}
