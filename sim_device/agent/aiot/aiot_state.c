#include "sim_device/agent/aiot/aiot_state_api.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim_device/agent/link_kit/kit.h"

int32_t aiot_state_set_logcb(aiot_state_logcb_t handler)
{
    struct kit *k = kit_self();
    if (k != NULL)
        k->state_log = handler;
    return STATE_SUCCESS;
}

int32_t aiot_state(int32_t code)
{
    struct kit *k = kit_self();
    char text[16];
    (void)snprintf(text, sizeof(text), "%s0x%04X", code < 0 ? "-" : "", (unsigned)abs(code));
    if (k == NULL)
        return code;
    KIT_EVENT(k->board, "state", F_STR("code", text));
    if (k->state_log != NULL)
        (void)k->state_log(code, text);
    return code;
}
