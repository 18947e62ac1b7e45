/* Messages for the device that the script sends besides those of the cloud. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/stage_internal.h"

#define SENT_MAX       64   /* upgrade messages remembered */
#define SENT_BYTES_MAX 8192 /* of one; longer ones cannot be repeated */
#define UPGRADE_TOPIC  "/ota/device/upgrade/"

struct sent {
    char identity[MQTT_IDENTITY_MAX];
    char topic[MQTT_TOPIC_MAX];
    uint8_t *payload;
    size_t payload_bytes;
    uint8_t qos;
};

struct stage_pushes {
    int (*edge)(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m);
    void *edge_ctx;
    bool scripted; /* the message under way is one of the script's */
    struct sent sent[SENT_MAX];
    uint32_t n_sent;
    bool due[PUSHES_MAX];
    bool any_due;
};

struct stage_pushes *pushes_new(void)
{
    return calloc(1, sizeof(struct stage_pushes));
}

void pushes_free(struct stage_pushes *p)
{
    for (uint32_t i = 0; p != NULL && i < p->n_sent; i++)
        free(p->sent[i].payload);
    free(p);
}

void pushes_due(struct stage_pushes *p, uint32_t push)
{
    p->due[push] = p->any_due = true;
}

void pushes_drop(struct stage_pushes *p)
{
    memset(p->due, 0, sizeof p->due);
    p->any_due = false;
}

/* Remembers an upgrade message as it left the cloud. */
static void remember(struct stage_pushes *p, const char *identity, const struct mqtt_message *m)
{
    if (p->scripted || p->n_sent >= SENT_MAX || m->payload_bytes > SENT_BYTES_MAX ||
        strncmp(m->topic, UPGRADE_TOPIC, sizeof UPGRADE_TOPIC - 1) != 0)
        return;
    struct sent *s = &p->sent[p->n_sent];
    s->payload = malloc(m->payload_bytes + 1);
    if (s->payload == NULL)
        return;
    memcpy(s->payload, m->payload, m->payload_bytes);
    s->payload_bytes = m->payload_bytes;
    s->qos = m->qos;
    (void)snprintf(s->identity, sizeof s->identity, "%s", identity);
    (void)snprintf(s->topic, sizeof s->topic, "%s", m->topic);
    p->n_sent++;
}

static int deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    struct stage_pushes *p = ((struct stage *)ctx)->pushes;
    int rc = p->edge(p->edge_ctx, now_ns, identity, m);
    remember(p, identity, m);
    return rc;
}

void stage_edge_ready(struct stage *g)
{
    const struct cloud_config *c = cloud_config(g->cloud);
    g->pushes->edge = c->deliver;
    g->pushes->edge_ctx = c->deliver_ctx;
    if (c->deliver != NULL)
        cloud_set_deliver(g->cloud, deliver, g);
}

static bool send_push(struct stage *g, const struct push_rule *r)
{
    struct stage_pushes *p = g->pushes;
    const struct device_config *d = &g->s->device;
    static const char *const names[PUSH_KIND_COUNT] = {"repeat", "foreign", "text", "config",
                                                       "cancel"};
    char identity[MQTT_IDENTITY_MAX];
    char topic[MQTT_TOPIC_MAX];
    struct mqtt_message m = {.topic = topic, .qos = 1};
    const struct trace_field f[] = {F_STR("do", names[r->kind])};
    if (r->kind == PUSH_CANCEL) {
        stage_event(g, g->now_ns, LANE_BENCH, "cancel", NULL, 0);
        return aliyun_stage_cancel(g);
    }
    stage_event(g, g->now_ns, LANE_BENCH, "push", f, 1);
    if (r->kind == PUSH_CONFIG)
        return aliyun_stage_config(g);
    aliyun_stage_identity(d, identity);
    (void)snprintf(topic, sizeof topic, UPGRADE_TOPIC "%s/%s", d->product_id, d->did);
    if (r->kind == PUSH_TEXT) {
        m.payload = (const uint8_t *)r->text;
        m.payload_bytes = strlen(r->text);
        if (r->topic[0] != '\0')
            (void)snprintf(topic, sizeof topic, "%s", r->topic);
    } else {
        uint32_t of = r->of == 0 ? p->n_sent : r->of;
        if (of == 0 || of > p->n_sent)
            return false;
        const struct sent *s = &p->sent[of - 1];
        m.payload = s->payload;
        m.payload_bytes = s->payload_bytes;
        m.qos = s->qos;
        if (r->kind == PUSH_FOREIGN)
            (void)snprintf(topic, sizeof topic, UPGRADE_TOPIC "%s/another-device", d->product_id);
    }
    p->scripted = true;
    int rc = cloud_deliver(g->cloud, g->now_ns, identity, &m);
    p->scripted = false;
    return rc == 0;
}

bool pushes_send(struct stage *g)
{
    bool any = false;
    if (!g->pushes->any_due)
        return false;
    g->pushes->any_due = false;
    for (uint32_t i = 0; i < g->s->n_pushes; i++) {
        if (!g->pushes->due[i])
            continue;
        g->pushes->due[i] = false;
        if (send_push(g, &g->s->pushes[i])) {
            script_hit_push(g->script, i);
            any = true;
        }
    }
    return any;
}
