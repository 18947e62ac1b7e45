/*
 * The MQTT side of the core: which face a login, topic or message belongs to, and what is told of
 * it.
 */
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "mock_cloud/core.h"

#define EVENT_TEXT_MAX 512

/* A payload as an event shows it: text cut at a whole character, anything else by its length. */
static const char *shown(const struct mqtt_message *m, char text[EVENT_TEXT_MAX])
{
    size_t at = 0, n = 1;
    while (at < m->payload_bytes && n != 0) {
        n = m->payload[at] < ' ' ? 0
                                 : utf8_char((const char *)m->payload + at, m->payload_bytes - at);
        if (at + n >= EVENT_TEXT_MAX)
            break;
        if (n > 0)
            memcpy(text + at, m->payload + at, n);
        at += n;
    }
    text[at] = '\0';
    if (n == 0 && m->payload[at] != '\0') /* real clients send a final zero (aliyun note §4.1) */
        (void)snprintf(text, EVENT_TEXT_MAX, "(%zu bytes)", m->payload_bytes);
    return text;
}

enum mqtt_connack cloud_mqtt_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                                   char identity[MQTT_IDENTITY_MAX])
{
    enum mqtt_connack code = MQTT_BAD_IDENTIFIER;
    bool mine = false;
    identity[0] = '\0';
    for (size_t i = 0; i < c->face_count && !mine; i++)
        mine = c->face[i]->login != NULL && c->face[i]->login(c, now_ns, login, &code, identity);
    const struct trace_field fields[] = {
        F_STR("identity", code == MQTT_ACCEPTED      ? identity
                          : login->user_name != NULL ? login->user_name
                                                     : ""),
        F_INT("code", code),
    };
    cloud_event(c, now_ns, "login", fields, 2);
    return code;
}

bool cloud_mqtt_topic(struct cloud *c, const char *identity, const char *topic,
                      enum mqtt_access access)
{
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->topic != NULL && c->face[i]->topic(c, identity, topic, access))
            return true;
    return false;
}

void cloud_mqtt_denied(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                       enum mqtt_access access)
{
    char text[MQTT_TOPIC_MAX + 32];
    (void)snprintf(text, sizeof text, "may not %s %.*s",
                   access == MQTT_SUBSCRIBE ? "subscribe to" : "publish on", MQTT_TOPIC_MAX, topic);
    cloud_refused(c, now_ns, identity, text);
}

void cloud_mqtt_online(struct cloud *c, int64_t now_ns, const char *identity)
{
    cloud_event(c, now_ns, "online", &F_STR("identity", identity), 1);
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->online != NULL)
            c->face[i]->online(c, now_ns, identity);
}

void cloud_mqtt_subscribed(struct cloud *c, int64_t now_ns, const char *identity,
                           const char *filter)
{
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->subscribed != NULL)
            c->face[i]->subscribed(c, now_ns, identity, filter);
}

void cloud_mqtt_offline(struct cloud *c, int64_t now_ns, const char *identity)
{
    cloud_event(c, now_ns, "offline", &F_STR("identity", identity), 1);
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->offline != NULL)
            c->face[i]->offline(c, now_ns, identity);
}

void cloud_begin_message(struct cloud *c, int64_t now_ns, enum cloud_request rq,
                         const char *identity, const struct mqtt_message *m)
{
    c->now = (struct current){.now_ns = now_ns, .rq = rq};
    c->now.n = ++c->seen[rq];
    c->now.n_any = ++c->seen_any;
    if (c->cfg.event == NULL)
        return;
    char text[EVENT_TEXT_MAX];
    const struct trace_field fields[] = {
        F_STR("rq", cloud_request_name(rq)), F_INT("n", c->now.n),
        F_STR("identity", identity),         F_STR("topic", m->topic),
        F_STR("payload", shown(m, text)),
    };
    cloud_event(c, now_ns, "message", fields, sizeof fields / sizeof fields[0]);
}

void cloud_begin_push(struct cloud *c, int64_t now_ns)
{
    c->before = c->now;
    c->now = (struct current){.now_ns = now_ns, .rq = RQ_PUSH};
    c->now.n = ++c->seen[RQ_PUSH];
    c->now.n_any = ++c->seen_any;
}

void cloud_end_push(struct cloud *c)
{
    c->now = c->before;
}

void cloud_mqtt_message(struct cloud *c, int64_t now_ns, const char *identity,
                        const struct mqtt_message *m)
{
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->message != NULL && c->face[i]->message(c, now_ns, identity, m))
            return;
    cloud_begin_message(c, now_ns, RQ_MESSAGE, identity, m);
}

const char *cloud_mqtt_filter_at(const struct cloud *c, size_t index)
{
    for (size_t i = 0; i < c->face_count; i++)
        for (size_t k = 0; c->face[i]->filter_at != NULL && c->face[i]->filter_at(k) != NULL; k++)
            if (index-- == 0)
                return c->face[i]->filter_at(k);
    return NULL;
}

bool cloud_mqtt_owner(struct cloud *c, const char *topic, char identity[MQTT_IDENTITY_MAX])
{
    for (size_t i = 0; i < c->face_count; i++)
        if (c->face[i]->owner != NULL && c->face[i]->owner(c, topic, identity))
            return true;
    return false;
}

void cloud_set_deliver(struct cloud *c,
                       int (*deliver)(void *ctx, int64_t now_ns, const char *identity,
                                      const struct mqtt_message *m),
                       void *ctx)
{
    c->cfg.deliver = deliver;
    c->cfg.deliver_ctx = ctx;
}

void cloud_set_end_connection(struct cloud *c,
                              void (*end)(void *ctx, int64_t now_ns, const char *identity),
                              void *ctx)
{
    c->cfg.end_connection = end;
    c->cfg.end_connection_ctx = ctx;
}

void cloud_end_connection(struct cloud *c, int64_t now_ns, const char *identity)
{
    if (c->cfg.end_connection != NULL)
        c->cfg.end_connection(c->cfg.end_connection_ctx, now_ns, identity);
}

int cloud_deliver(struct cloud *c, int64_t now_ns, const char *identity,
                  const struct mqtt_message *m)
{
    char text[EVENT_TEXT_MAX];
    int rc = c->cfg.deliver != NULL ? c->cfg.deliver(c->cfg.deliver_ctx, now_ns, identity, m)
                                    : ERR_NOT_FOUND;
    const struct trace_field fields[] = {
        F_STR("identity", identity),
        F_STR("topic", m->topic),
        F_STR("payload", shown(m, text)),
        F_INT("delivered", rc == 0),
    };
    cloud_event(c, now_ns, "push", fields, sizeof fields / sizeof fields[0]);
    return rc;
}
