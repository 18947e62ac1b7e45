/*
 * One API call in progress: its buffers, the record on flash, and how to ask the server.
 *
 * Everything here is on the device's heap and goes when the call ends. Results are the E_CMIOT
 * values unless noted.
 */
#ifndef OTABENCH_AGENT_CMIOT_SESSION_H
#define OTABENCH_AGENT_CMIOT_SESSION_H

#include "sim_device/agent/cmiot/agent.h"
#include "sim_device/agent/cmiot/link.h"
#include "sim_device/agent/cmiot/message.h"
#include "sim_device/agent/http/http_reply.h"

/*
 * A control reply, head and body with all framing, has at most REPLY_HEAD_BYTES + segment - 1
 * bytes, as in the vendor's client (cms-ota §1.3); the head of a download reply at most
 * REPLY_HEAD_BYTES - 1.
 */
#define REPLY_HEAD_BYTES 640u

struct session {
    struct device *device;
    const struct device_config *config;
    fal_part_t *part;
    struct state_layout layout;
    struct state state;
    char mid[CMIOT_MID_MAXLEN + 1];
    struct link control;
    uint32_t segment_bytes;
    size_t reply_max_bytes;
    char *request;    /* MESSAGE_REQUEST_MAX */
    uint8_t *reply;   /* reply_max_bytes + 1 */
    uint8_t *segment; /* segment_bytes */
};

/* Allocates, asks the device id, reads the record. SUCCESS and *out, or FAILURE, NOMEMORY. */
cmiot_int8 session_open(struct session **out);
void session_close(struct session *s);
struct speaker session_speaker(const struct session *s);
bool session_direct(const struct session *s); /* variant A */

/* Writes r as the record; r->index segments count as stored. SUCCESS or FAILURE. */
cmiot_int8 session_store(struct session *s, struct state_record *r);
/* The record as it is, with r->index up to date: for changes that leave the progress alone. */
struct state_record session_record(const struct session *s);

/* ---- control.c: the control channel ---- */

/* Sends the request in s->request over s->control (opened if need be) and reads the answer. 0 when
 * one was decoded; -1: no network, silence, tries used up, or refused content. */
int control_ask(struct session *s, size_t request_bytes, enum message_data want,
                struct reply_data *out);
/* A: registers unless an identity is stored (always with `anew`). C: nothing. */
cmiot_int8 control_register(struct session *s, bool anew);
/* checkVersion: SUCCESS and *out, LAST_VERSION, FAILURE. */
cmiot_int8 control_check(struct session *s, struct offer *out);

enum delivery {
    DELIVERED,
    REFUSED,  /* for good: asking again will not help */
    POSTPONED /* not answered, or by a code that another time may be another: still owed */
};
/* reportDownResult on a connection of its own. */
enum delivery control_report_download(struct session *s, uint32_t delta_id, int status,
                                      uint32_t size_bytes);
/* reportUpgradeResult of the record, after registering (A) and after any reportDownResult still
 * owed; clears the record when accepted. */
enum delivery control_report_upgrade(struct session *s);

/* ---- download.c ---- */

/* Fetches what the record lacks of the package, verifies it and sets the pending flag. The record
 * describes `o`. SUCCESS or FAILURE. */
cmiot_int8 download_package(struct session *s, const struct offer *o);
/* Whether flash holds the record's package, by its MD5. */
bool download_verified(struct session *s);

#endif
