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

const bool *pushes_all_due(const struct stage_pushes *p)
{
    return p->due;
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

/* ---- memory ---- */

/* What rules that wait can still repeat: up to the message of that number, and the newest. */
static void wanted(const struct stage *g, const struct script_memory *m, uint32_t *first_ones,
                   bool *newest)
{
    *first_ones = 0;
    *newest = false;
    for (uint32_t i = 0; i < g->s->n_pushes; i++) {
        const struct push_rule *r = &g->s->pushes[i];
        if (m->push[i].spent == SPENT_ALL || (r->kind != PUSH_REPEAT && r->kind != PUSH_FOREIGN))
            continue;
        if (r->of > *first_ones)
            *first_ones = r->of;
        *newest = *newest || r->of == 0;
    }
}

static int put_sent(const struct stage *g, const struct sent *s, struct buf *out, struct err *err)
{
    const struct mqtt_message m = {
        .topic = s->topic, .payload = s->payload, .payload_bytes = s->payload_bytes, .qos = s->qos};
    int rc = buf_put_text(out, s->identity);
    if (rc == 0)
        rc = buf_put_text(out, s->topic);
    if (rc == 0)
        rc = buf_put_int(out, s->qos);
    return rc == 0 ? cloud_remember_message(g->cloud, s->identity, &m, out, err) : rc;
}

int pushes_remember(const struct stage *g, const struct script_memory *m, struct buf *out,
                    struct err *err)
{
    const struct stage_pushes *p = g->pushes;
    uint32_t first_ones;
    bool newest;
    wanted(g, m, &first_ones, &newest);
    const uint32_t kept = p->n_sent < first_ones ? p->n_sent : first_ones;
    newest = newest && p->n_sent > kept;
    int rc = buf_put_int(out, (int64_t)kept + newest);
    for (uint32_t i = 0; rc == 0 && i < kept; i++)
        rc = put_sent(g, &p->sent[i], out, err);
    return rc == 0 && newest ? put_sent(g, &p->sent[p->n_sent - 1], out, err) : rc;
}

static int take_sent(struct stage *g, struct cursor *c, struct err *err)
{
    struct sent *s = &g->pushes->sent[g->pushes->n_sent];
    struct buf payload;
    cursor_text(c, s->identity, sizeof s->identity);
    cursor_text(c, s->topic, sizeof s->topic);
    s->qos = (uint8_t)cursor_int(c, 0, 1);
    buf_init(&payload, SENT_BYTES_MAX);
    int rc =
        c->bad ? ERR_FORMAT
               : cloud_recall_message(g->cloud, g->now_ns, s->identity, s->topic, c, &payload, err);
    if (rc == 0 && (s->payload = malloc(payload.len_bytes + 1)) == NULL)
        rc = ERR_NOMEM;
    if (rc == 0) {
        if (payload.len_bytes > 0)
            memcpy(s->payload, payload.data, payload.len_bytes);
        s->payload_bytes = payload.len_bytes;
        g->pushes->n_sent++;
    }
    buf_free(&payload);
    return rc;
}

int pushes_recall(struct stage *g, struct cursor *c, struct err *err)
{
    struct stage_pushes *p = g->pushes;
    int rc = 0;
    for (uint32_t i = 0; i < p->n_sent; i++)
        free(p->sent[i].payload);
    p->n_sent = 0;
    pushes_drop(p);
    for (int64_t n = cursor_int(c, 0, SENT_MAX); rc == 0 && !c->bad && n > 0; n--)
        rc = take_sent(g, c, err);
    return rc;
}
