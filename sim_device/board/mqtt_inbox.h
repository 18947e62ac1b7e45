/*
 * Messages that an MQTT client has received and its device has not taken, oldest first. Both boards
 * keep theirs so. No lock of its own.
 */
#ifndef OTABENCH_SIM_DEVICE_MQTT_INBOX_H
#define OTABENCH_SIM_DEVICE_MQTT_INBOX_H

#include "sim_device/board/board.h"

struct mqtt_inbox {
    struct board_mqtt_message at[BOARD_MQTT_QUEUE_MAX];
    size_t n;
};

bool mqtt_inbox_is_full(const struct mqtt_inbox *q);
/* Topic and flags as in m, the payload copied to the device's heap. False: full, or no memory. */
bool mqtt_inbox_put(struct mqtt_inbox *q, struct board *b, const struct board_mqtt_message *m,
                    const void *payload, size_t len_bytes);
/* The oldest; there is one. True: it was full until now, so whoever fills it may go on. */
bool mqtt_inbox_take(struct mqtt_inbox *q, struct board_mqtt_message *out);
/* Frees the payloads. */
void mqtt_inbox_drop(struct mqtt_inbox *q, struct board *b);

#endif
