/*
 * The cloud's memory as bytes: what they are, counters of requests, then the store. And messages
 * that wait for a device, as the face remembers them.
 */
#include <string.h>

#include "common/cursor.h"
#include "mock_cloud/core.h"

#define CLOUD_TAG 0x314d434f /* "OCM1" as bytes */

/* From here on one more request of that kind makes no difference to the script. */
static uint32_t last_counted(const struct cloud *c, enum cloud_request rq)
{
    uint32_t last = 0;
    for (size_t i = 0; i < c->fault_count; i++) {
        const struct cloud_fault *f = &c->fault[i];
        if (f->request != rq)
            continue;
        uint32_t end =
            f->count == 0 || f->from > UINT32_MAX - f->count ? f->from - 1 : f->from + f->count - 1;
        last = end > last ? end : last;
    }
    return last;
}

int cloud_remember(struct cloud *c, struct buf *out, struct err *err)
{
    uint8_t head[4 * (RQ_COUNT + 2)];
    put_le32(head, CLOUD_TAG);
    for (int k = 0; k <= RQ_COUNT; k++) {
        uint32_t n = k < RQ_COUNT ? c->seen[k] : c->seen_any;
        uint32_t last = last_counted(c, k < RQ_COUNT ? (enum cloud_request)k : RQ_ANY);
        put_le32(head + (size_t)(k + 1) * 4, n < last ? n : last);
    }
    if (buf_append(out, head, sizeof head) != 0)
        return err_set(err, ERR_NOMEM, "cloud: no memory");
    return store_remember(c->cfg.store, out, err);
}

int cloud_recall(struct cloud *c, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err)
{
    const uint8_t *p = memory;
    size_t head = (size_t)4 * (RQ_COUNT + 2);
    if (len_bytes < head || get_le32(p) != CLOUD_TAG)
        return err_set(err, ERR_FORMAT, "cloud: no memory of a cloud");
    int rc = store_recall(c->cfg.store, p + head, len_bytes - head, now_ns, err);
    if (rc != 0)
        return rc;
    for (int k = 0; k < RQ_COUNT; k++)
        c->seen[k] = get_le32(p + (size_t)(k + 1) * 4);
    c->seen_any = get_le32(p + (size_t)(RQ_COUNT + 1) * 4);
    c->due_ns = now_ns; /* a tick finds out what is to be waited for */
    return 0;
}

/* ---- messages that wait ---- */

enum { MESSAGE_AS_IT_IS, MESSAGE_OF_FACE };

int cloud_remember_message(struct cloud *c, const char *identity, const struct mqtt_message *m,
                           struct buf *out, struct err *err)
{
    struct buf words;
    bool mine = false;
    buf_init(&words, CLOUD_WORDS_MAX);
    for (size_t i = 0; i < c->face_count && !mine && c->fault_count == 0; i++)
        mine = c->face[i]->remember != NULL && c->face[i]->remember(c, identity, m, &words);
    int rc = buf_put_int(out, mine ? MESSAGE_OF_FACE : MESSAGE_AS_IT_IS);
    if (rc == 0 && mine)
        rc = buf_put_bytes(out, words.data, words.len_bytes);
    else if (rc == 0)
        rc = buf_put_bytes(out, m->payload, m->payload_bytes);
    buf_free(&words);
    return rc == 0 ? 0 : err_set(err, rc, "cloud: a message that waits does not fit into memory");
}

int cloud_recall_message(struct cloud *c, int64_t now_ns, const char *identity, const char *topic,
                         struct cursor *from, struct buf *payload, struct err *err)
{
    size_t len_bytes = 0;
    int64_t how = cursor_int(from, MESSAGE_AS_IT_IS, MESSAGE_OF_FACE);
    const uint8_t *words = cursor_bytes(from, &len_bytes);
    bool made = false;
    if (from->bad)
        return err_set(err, ERR_FORMAT, "cloud: no memory of a message");
    if (how == MESSAGE_AS_IT_IS)
        return buf_append(payload, words, len_bytes) == 0
                   ? 0
                   : err_set(err, ERR_LIMIT, "cloud: a message of %zu bytes", len_bytes);
    for (size_t i = 0; i < c->face_count && !made; i++)
        made = c->face[i]->recall != NULL &&
               c->face[i]->recall(c, now_ns, identity, topic, words, len_bytes, payload);
    return made ? 0 : err_set(err, ERR_FORMAT, "cloud: a message of another cloud");
}
