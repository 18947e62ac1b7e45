#include "sim_device/agent/link_kit/keep.h"

#include <string.h>

#include "common/bytes.h"
#include "sim_device/board/board.h"

#define KEY_TASK   "app_ota_task"
#define KEY_OFFSET "app_ota_offset"

int kit_keep_open(struct kit_keep *k, struct board *b, const struct partition_table *t, bool on,
                  struct err *err)
{
    const uint32_t unit = nor_geo(b->nor)->erase_bytes;
    k->on = on;
    k->at = 0;
    k->step_bytes = unit > KIT_KEEP_BYTES ? unit : KIT_KEEP_BYTES / unit * unit;
    return on ? kv_open(&k->kv, b, t, false, err) : 0;
}

static bool put_offset(struct kit_keep *k, uint32_t at)
{
    uint8_t bytes[4];
    put_le32(bytes, at);
    return kv_set(&k->kv, KEY_OFFSET, bytes, sizeof bytes, true, NULL) == 0;
}

uint32_t kit_keep_recall(struct kit_keep *k, const uint8_t task[KIT_KEEP_TASK])
{
    uint8_t was[KIT_KEEP_TASK], bytes[4];
    uint32_t task_bytes = sizeof was, len = sizeof bytes;
    k->at = 0;
    if (k->on && kv_get(&k->kv, KEY_TASK, was, &task_bytes) == 0 && task_bytes == sizeof was &&
        memcmp(was, task, sizeof was) == 0 && kv_get(&k->kv, KEY_OFFSET, bytes, &len) == 0 &&
        len == sizeof bytes)
        k->at = get_le32(bytes);
    return k->at;
}

/* Together or not at all: the offset is written through, and the task with it. */
void kit_keep_begin(struct kit_keep *k, const uint8_t task[KIT_KEEP_TASK])
{
    k->at = 0;
    if (k->on && kv_set(&k->kv, KEY_TASK, task, KIT_KEEP_TASK, false, NULL) == 0)
        (void)put_offset(k, 0);
}

void kit_keep_reached(struct kit_keep *k, uint32_t durable_bytes)
{
    const uint32_t at = durable_bytes / k->step_bytes * k->step_bytes;
    if (k->on && at > k->at && put_offset(k, at))
        k->at = at;
}

void kit_keep_forget(struct kit_keep *k)
{
    static const uint8_t none[KIT_KEEP_TASK];
    uint8_t was[KIT_KEEP_TASK];
    uint32_t len = sizeof was;
    if (k->on && kv_get(&k->kv, KEY_TASK, was, &len) == 0 && memcmp(was, none, sizeof was) != 0)
        kit_keep_begin(k, none);
}
