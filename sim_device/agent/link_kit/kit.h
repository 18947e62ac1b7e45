/*
 * What the software of a device with a Link SDK remembers while it has power: struct kit is what
 * board->device points to, for iot_ota and aiot alike. Its parts (session, fetch, push, image,
 * upgrade) know nothing of the two APIs above them.
 *
 * The vendor's APIs have no word for the device they run on: kit_self finds it by the running task.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_KIT_H
#define OTABENCH_AGENT_LINK_KIT_KIT_H

#include "sim_device/agent/link_kit/credentials.h"
#include "sim_device/agent/link_kit/quirks.h"
#include "sim_device/device.h"

struct kit {
    struct board *board;
    const struct device_config *config;
    const char *version; /* running firmware; outlives the power-on */
    enum kit_generation generation;
    struct kit_identity identity;
    struct kit_quirks quirks;
    /* aiot_state_set_logcb: the vendor keeps it in a global. */
    int32_t (*state_log)(int32_t code, char *message);
};

/* The running task's device; null outside one. */
struct kit *kit_self(void);

/* Starts the software of a power-on: k becomes the board's device. */
void kit_start(struct kit *k, struct board *b, const struct device_config *c, const char *version,
               enum kit_generation generation);

/* CA certificates (PEM) of broker and file server, or null: plain TCP and HTTP. */
const char *kit_ca(const struct kit *k);

/* Zeroed memory of the device, or null. */
void *kit_calloc(struct board *b, size_t len_bytes);
/* A copy on the device's heap; null for null, or without memory. */
char *kit_strdup(struct board *b, const char *text);

/* How long to wait after that many failures in a row: doubles from first_ms to max_ms, half of it
 * drawn from the board's random stream. */
int64_t kit_pause_ms(struct board *b, unsigned failures, int64_t first_ms, int64_t max_ms);

/* Event "log", one line cut at 160 characters. Never secrets, never whole URLs. */
void kit_log(struct board *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define KIT_EVENT(b, name, ...) BOARD_EVENT((b), LANE_DEVICE, (name), __VA_ARGS__)

#endif
