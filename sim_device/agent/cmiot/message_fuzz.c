/* Any bytes as a control reply: no crash, and what is accepted is fit for a request line. */
#include <stdlib.h>
#include <string.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/agent/cmiot/message.h"

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void fit(const char *text, size_t cap_bytes)
{
    demand(memchr(text, '\0', cap_bytes) != NULL);
    for (; *text != '\0'; text++)
        demand(*text > ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len_bytes)
{
    struct reply_data reply;
    struct err err;
    if (len_bytes < 1)
        return 0;
    enum message_data want = (enum message_data)(in[0] % 3);
    if (message_decode(&reply, (const char *)in + 1, len_bytes - 1, want, in[0] & 4, &err) != 0)
        return 0;
    if (want == DATA_OFFER && reply.envelope.success) {
        const struct offer *o = &reply.offer;
        struct device_config config;
        char request[MESSAGE_REQUEST_MAX];
        fit(o->host, sizeof(o->host));
        fit(o->path, sizeof(o->path));
        demand(o->host[0] != '\0' && o->path[0] == '/' && o->port != 0);
        demand(o->file_bytes > 0 && o->delta_id > 0 && o->delta_id <= INT32_MAX);
        demand(memchr(o->version, '\0', sizeof(o->version)) != NULL);
        device_config_default(&config);
        const struct speaker who = {&config, "1.0", config.did, config.oid, ""};
        demand(message_get(request, &who, o, 0, o->file_bytes - 1) > 0);
    }
    if (want == DATA_IDENTITY && reply.envelope.success) {
        fit(reply.device_id, sizeof(reply.device_id));
        fit(reply.device_secret, sizeof(reply.device_secret));
        demand(reply.device_id[0] != '\0' && reply.device_secret[0] != '\0');
    }
    return 0;
}
