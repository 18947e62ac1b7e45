#include "sim_device/agent/cmiot/session.h"

#include <string.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

static int ask_mid(struct session *s)
{
    size_t len = 0;
    uint8_t did[CMIOT_MID_MAXLEN];
    if (cms_id_set_did(did, sizeof(did), &len) != 0 || len == 0 || len > sizeof(did))
        return -1;
    memcpy(s->mid, did, len);
    s->mid[len] = '\0';
    return 0;
}

static cmiot_int8 fill(struct session *s)
{
    struct err err;
    const struct device_config *c = s->config;
    s->segment_bytes = 16u << c->segment_index;
    s->reply_max_bytes = REPLY_HEAD_BYTES + s->segment_bytes - 1;
    s->control = link_to(c->host, c->port);
    s->part = fal_part_find(cmiot_download_name());
    if (s->part == NULL || ask_mid(s) != 0) {
        agent_log("no download partition or no device id");
        return E_CMIOT_FAILURE;
    }
    s->request = os_malloc(MESSAGE_REQUEST_MAX);
    s->reply = os_malloc(s->reply_max_bytes + 1);
    s->segment = os_malloc(s->segment_bytes);
    if (s->request == NULL || s->reply == NULL || s->segment == NULL)
        return E_CMIOT_NOMEMORY;
    device_state_layout(c, &s->layout);
    struct state_io io = agent_state_io(s->part);
    if (state_open(&s->state, &io, &s->layout, &err) != 0) {
        agent_log("record: %s", err.text);
        return E_CMIOT_FAILURE;
    }
    return E_CMIOT_SUCCESS;
}

cmiot_int8 session_open(struct session **out)
{
    struct device *d = agent_device();
    *out = NULL;
    if (d == NULL || d->in_call)
        return E_CMIOT_FAILURE;
    struct session *s = os_calloc(1, sizeof(*s));
    if (s == NULL)
        return E_CMIOT_NOMEMORY;
    d->in_call = true;
    d->back_off = false;
    s->device = d;
    s->config = d->config;
    cmiot_int8 rc = fill(s);
    if (rc != E_CMIOT_SUCCESS) {
        session_close(s);
        return rc;
    }
    *out = s;
    return E_CMIOT_SUCCESS;
}

void session_close(struct session *s)
{
    if (s->control.host != NULL)
        link_close(&s->control);
    s->device->in_call = false;
    os_free(s->segment);
    os_free(s->reply);
    os_free(s->request);
    os_free(s);
}

bool session_direct(const struct session *s)
{
    return s->config->variant == DEVICE_DIRECT;
}

struct speaker session_speaker(const struct session *s)
{
    bool direct = session_direct(s);
    return (struct speaker){.config = s->config,
                            .version = s->device->version,
                            .mid = s->mid,
                            .device_id = direct ? s->state.record.device_id : s->config->oid,
                            .device_secret = direct ? s->state.record.device_secret : ""};
}

cmiot_int8 session_store(struct session *s, struct state_record *r)
{
    struct err err;
    /* While a package waits, the journal counts restore steps; those that are done stay done (the
     * boot loader could not write its result). */
    bool waits = r->update_result == UPDATE_PENDING;
    bool waited = s->state.valid && s->state.record.update_result == UPDATE_PENDING;
    r->journal_base = waits && waited                   ? s->state.mark
                      : r->update_result == UPDATE_NONE ? r->index
                                                        : 0;
    memcpy(r->mid, s->mid, sizeof(r->mid));
    if (state_write(&s->state, r, &err) == 0)
        return E_CMIOT_SUCCESS;
    agent_log("record: %s", err.text);
    return E_CMIOT_FAILURE;
}

struct state_record session_record(const struct session *s)
{
    struct state_record r = s->state.record;
    if (r.update_result == UPDATE_NONE)
        r.index = s->state.mark;
    return r;
}
