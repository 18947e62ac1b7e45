/* What can be closed, and what of the cloud is part of a state. */
#include <string.h>

#include "common/cursor.h"
#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

/* ---- what can be closed ---- */

static bool is_of_messages(enum cloud_fault_kind kind)
{
    return kind == CF_DELAY || kind == CF_REPLAY;
}

static const char *refuses_slots(const struct scenario *s)
{
    if (s->n_pushes > 0)
        return "its script's messages: which of them were sent is not part of a state";
    for (uint32_t i = 0; i < s->n_faults; i++)
        if (is_of_messages(s->faults[i].kind))
            return "messages that are held back or sent again: what waits is not part of a state";
    if (!s->registered || strcmp(s->product.secret, s->device.device_secret) != 0)
        return "a login that is refused: when the last one was is not part of a state";
    return NULL;
}

const char *whole_refuses(const struct scenario *s)
{
    if (s->n_net > 0)
        return "its network rules: what of them is spent is not part of a state";
    if (s->n_flash > 0)
        return "its flash faults: how often they have struck is not part of a state";
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].at_ns > 0 || s->offers[i].on_event[0] != '\0')
            return "an offer that is published later: time is not part of a state";
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

int whole_recall_cloud(const struct stage *g, const void *memory, size_t len_bytes, struct err *err)
{
    struct cursor c = cursor_over(memory, len_bytes);
    size_t cloud_bytes, bus_bytes;
    const uint8_t *cloud = cursor_bytes(&c, &cloud_bytes), *bus = cursor_bytes(&c, &bus_bytes);
    if (!cursor_done(&c))
        return err_set(err, ERR_FORMAT, "closure: no memory of a cloud and its broker");
    int rc = cloud_recall(g->cloud, cloud, cloud_bytes, 0, err);
    return rc == 0 ? bus_recall(g->bus, 0, bus, bus_bytes, err) : rc;
}

void whole_start_script(struct stage *g)
{
    script_start(g->script, 0);
    (void)script_time(g->script, 0);
    (void)stage_act(g);
}
