/*
 * What the software of a device remembers while it has power, and what the agent's files share.
 *
 * struct device is what board->device points to. The agent proper (cmiot_*.c, session.c, control.c,
 * download.c, link.c) calls only the OneOS port, common/ and state.h; agent.c is its one window to
 * the bench: configuration, events, and the board's digest engine.
 */
#ifndef OTABENCH_AGENT_CMIOT_AGENT_H
#define OTABENCH_AGENT_CMIOT_AGENT_H

#include "sim_device/agent/cmiot/cmiot_type.h"
#include "sim_device/agent/cmiot/message.h"
#include "sim_device/device.h"
#include "sim_device/port/oneos/oneos_port.h"

struct device {
    struct oneos oneos; /* first: the port looks for itself here */
    const struct device_config *config;
    const char *version; /* running firmware; outlives the power-on */
    struct offer offer;  /* what the last check of this power-on found */
    bool has_offer;
    uint32_t refused_delta_id; /* its failure was reported in this power-on; 0: none */
    bool in_call;              /* an API call is running */
    bool back_off;             /* the server asked for patience (1010, 1015, HTTP 429, 503) */
    uint32_t round, tried;     /* of the application: from 1; API calls of this loop before */
};

/* The running task's device, null outside one. */
struct device *agent_device(void);

/* Starts the software of a power-on: d becomes the board's device. */
void agent_start(struct board *b, struct device *d, const struct device_config *config,
                 const char *version);

/* One line through cmiot_printf, cut at 160 characters. Never secrets, never whole URLs. */
void agent_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Everything that decides what the application does next, between two API calls and, with a
 * session and its download, between two segments: a moment (board.h). */
enum agent_place { PLACE_REPORT, PLACE_UPGRADE, PLACE_SEGMENT };
#define AGENT_DOWNLOAD_WORDS 8
struct session;
void agent_moment(const struct device *d, enum agent_place place, const struct session *s,
                  const uint32_t download[AGENT_DOWNLOAD_WORDS]);

#define AGENT_EVENT(name, ...) BOARD_EVENT(board_current(), LANE_DEVICE, (name), __VA_ARGS__)

/* A reply, or a segment, is given up when it takes longer than this since `start` (ticks): the
 * larger of one minute and twelve receive time-outs. Bounds a server that trickles. */
bool agent_too_slow(os_tick_t start);

/* MD5 of the first len_bytes of a partition, by the board's digest engine. 0 or a negative code. */
int agent_md5(const fal_part_t *part, uint32_t len_bytes, uint8_t out[MD5_BYTES]);

/* state_io over a partition; part lives as long as it is used. */
struct state_io agent_state_io(fal_part_t *part);

#endif
