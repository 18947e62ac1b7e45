/* What can be closed, and what of the cloud is part of a state. */
#include <string.h>

#include "common/cursor.h"
#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/stage_memory.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

/* ---- what can be closed ---- */

static bool is_of_messages(enum cloud_fault_kind kind)
{
    return kind == CF_DELAY || kind == CF_REPLAY;
}

static const char *refuses_slots(const struct scenario *s)
{
    for (uint32_t i = 0; i < s->n_faults; i++)
        if (is_of_messages(s->faults[i].kind))
            return "messages that are held back or sent again: what waits is not part of a state";
    if (!s->registered || strcmp(s->product.secret, s->device.device_secret) != 0)
        return "a login that is refused: when the last one was is not part of a state";
    return NULL;
}

const char *whole_refuses(const struct scenario *s)
{
    const char *why = stage_forgets(s);
    if (why != NULL)
        return why;
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].at_ns > 0)
            return "an offer that is published later: time is not part of a state";
    if (s->variant == CLOUD_ALIYUN && script_offers_late(s))
        return "an offer of the Aliyun cloud that waits for an event: which tasks there are is not "
               "part of a state";
    if (s->product.device_visits_per_day > 0 || s->product.owner_visits_per_day > 0)
        return "its limit of visits per day: the date is not part of a state";
    if (s->expect.config_refused)
        return "its device, which refuses its configuration";
    return s->device.agent == AGENT_CMIOT ? NULL : refuses_slots(s);
}

/* ---- the cloud ---- */

int whole_remember_cloud(const struct stage *g, struct buf *out, struct err *err)
{
    struct buf part;
    buf_init(&part, CLOUD_MEMORY_MAX);
    int rc = cloud_remember(g->cloud, &part, err);
    if (rc == 0)
        rc = buf_put_bytes(out, part.data, part.len_bytes);
    buf_clear(&part);
    if (rc == 0)
        rc = bus_remember(g->bus, &part, err);
    if (rc == 0)
        rc = buf_put_bytes(out, part.data, part.len_bytes);
    buf_free(&part);
    return rc == 0 || rc == ERR_UNSUPPORTED
               ? rc
               : err_set(err, rc, "closure: the cloud remembers more than %u bytes",
                         CLOUD_MEMORY_MAX);
}

int whole_remember(struct stage *g, enum whole_when when, const struct buf *cloud, struct buf *out,
                   struct err *err)
{
    struct buf part;
    buf_init(&part, CLOUD_MEMORY_MAX);
    static const enum script_power powers[] = {
        [WHOLE_AS_IT_IS] = POWER_ON, [WHOLE_CUT] = POWER_CUT, [WHOLE_OFF] = POWER_OFF};
    int rc = when == WHOLE_NO_FAULTS ? 0 : stage_remember(g, powers[when], &part, err);
    if (rc == 0)
        rc = buf_put_bytes(out, part.data, part.len_bytes);
    buf_clear(&part);
    if (rc == 0 && cloud == NULL)
        rc = whole_remember_cloud(g, &part, err);
    if (rc == 0)
        rc = cloud != NULL ? buf_append(out, cloud->data, cloud->len_bytes)
                           : buf_append(out, part.data, part.len_bytes);
    buf_free(&part);
    return rc == 0 || rc == ERR_UNSUPPORTED
               ? rc
               : err_set(err, rc, "closure: cloud and faults remember more than %u bytes",
                         CLOUD_MEMORY_MAX);
}

int whole_recall(struct stage *g, const void *memory, size_t len_bytes, bool with_faults,
                 struct err *err)
{
    struct cursor c = cursor_over(memory, len_bytes);
    size_t fault_bytes, cloud_bytes, bus_bytes;
    const uint8_t *faults = cursor_bytes(&c, &fault_bytes);
    const uint8_t *cloud = cursor_bytes(&c, &cloud_bytes), *bus = cursor_bytes(&c, &bus_bytes);
    if (!cursor_done(&c))
        return err_set(err, ERR_FORMAT, "closure: no memory of a cloud and its broker");
    int rc = cloud_recall(g->cloud, cloud, cloud_bytes, 0, err);
    if (rc == 0)
        rc = bus_recall(g->bus, 0, bus, bus_bytes, err);
    return rc == 0 && with_faults ? stage_recall(g, faults, fault_bytes, err) : rc;
}

uint32_t whole_over(struct whole *w, uint32_t cloud)
{
    const uint8_t *record = pool_at(&w->clouds, cloud);
    struct cursor c = cursor_over(record + sizeof(uint32_t), get_le32(record));
    struct buf over, all;
    size_t len_bytes;
    uint32_t number = cloud;
    if (w->s->n_net == 0)
        return cloud;
    buf_init(&over, CLOUD_MEMORY_MAX);
    buf_init(&all, CLOUD_MEMORY_MAX);
    const uint8_t *faults = cursor_bytes(&c, &len_bytes);
    int rc = stage_memory_over(w->s, faults, len_bytes, &over);
    if (rc == 0)
        rc = buf_put_bytes(&all, over.data, over.len_bytes);
    if (rc == 0)
        rc = buf_append(&all, c.at, (size_t)(c.end - c.at));
    if (rc != ERR_NOT_FOUND)
        number = rc == 0 ? whole_put_cloud(w, all.data, all.len_bytes) : POOL_NONE;
    buf_free(&over);
    buf_free(&all);
    return number;
}

int whole_start_script(struct stage *g, struct err *err)
{
    int rc = stage_lay_ready(g, err);
    if (rc != 0)
        return rc;
    script_start(g->script, 0);
    (void)script_time(g->script, 0);
    (void)stage_act(g);
    return 0;
}
