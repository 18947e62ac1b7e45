/* The cloud's memory as bytes: counters of requests, then the store. */
#include <string.h>

#include "mock_cloud/core.h"

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
    uint8_t seen[4 * (RQ_COUNT + 1)];
    for (int k = 0; k <= RQ_COUNT; k++) {
        uint32_t n = k < RQ_COUNT ? c->seen[k] : c->seen_any;
        uint32_t last = last_counted(c, k < RQ_COUNT ? (enum cloud_request)k : RQ_ANY);
        put_le32(seen + (size_t)k * 4, n < last ? n : last);
    }
    if (buf_append(out, seen, sizeof seen) != 0)
        return err_set(err, ERR_NOMEM, "cloud: no memory");
    return store_remember(c->cfg.store, out, err);
}

int cloud_recall(struct cloud *c, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err)
{
    const uint8_t *p = memory;
    size_t counters = (size_t)4 * (RQ_COUNT + 1);
    if (len_bytes < counters)
        return err_set(err, ERR_FORMAT, "cloud: no memory of a cloud");
    for (int k = 0; k < RQ_COUNT; k++)
        c->seen[k] = get_le32(p + (size_t)k * 4);
    c->due_ns = now_ns; /* a tick finds out what is to be waited for */
    c->seen_any = get_le32(p + (size_t)RQ_COUNT * 4);
    return store_recall(c->cfg.store, p + counters, len_bytes - counters, now_ns, err);
}
