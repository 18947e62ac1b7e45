#include "sim_device/board/mqtt_inbox.h"

#include <string.h>

bool mqtt_inbox_is_full(const struct mqtt_inbox *q)
{
    return q->n == BOARD_MQTT_QUEUE_MAX;
}

bool mqtt_inbox_put(struct mqtt_inbox *q, struct board *b, const struct board_mqtt_message *m,
                    const void *payload, size_t len_bytes)
{
    if (mqtt_inbox_is_full(q))
        return false;
    struct board_mqtt_message in = *m;
    in.payload = board_alloc(b, len_bytes == 0 ? 1 : len_bytes);
    if (in.payload == NULL)
        return false;
    if (len_bytes > 0)
        memcpy(in.payload, payload, len_bytes);
    in.payload_bytes = len_bytes;
    q->at[q->n++] = in;
    return true;
}

bool mqtt_inbox_take(struct mqtt_inbox *q, struct board_mqtt_message *out)
{
    const bool was_full = mqtt_inbox_is_full(q);
    *out = q->at[0];
    q->n--;
    memmove(&q->at[0], &q->at[1], q->n * sizeof q->at[0]);
    return was_full;
}

void mqtt_inbox_drop(struct mqtt_inbox *q, struct board *b)
{
    for (size_t i = 0; i < q->n; i++)
        board_free(b, q->at[i].payload);
    q->n = 0;
}
