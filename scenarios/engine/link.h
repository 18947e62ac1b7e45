/*
 * The link: every TCP connection between one device and the cloud, bent by a profile and by rules.
 * Clock-free: the caller passes now, bytes go in, events come out with the time they are due. The
 * simulated world and the wire relay use the same code, so a fault means the same in both.
 *
 * Faults are keyed to connection number, direction and byte offset, or to a time, never to how a
 * read happened to split. Loss never deletes bytes: a lost segment arrives after a retransmission
 * time-out, and everything behind it waits (TCP seen from above). An outage is silence: bytes queue
 * and arrive after it; the sender's peer sees nothing.
 */
#ifndef OTABENCH_ENGINE_LINK_H
#define OTABENCH_ENGINE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/vtime.h"

enum link_dir { LINK_UP, LINK_DOWN }; /* device to cloud, cloud to device */

/* A kind of access network. Rates in bits per second, 0 = unlimited. */
struct link_profile {
    const char *name;
    const char *text; /* one line: what it is and how sure the figures are */
    uint32_t down_bps, up_bps;
    int64_t one_way_ns; /* per direction, half of the base RTT */
    int64_t jitter_ns;  /* uniform 0..jitter added per segment */
    uint32_t loss_ppm;  /* per segment and direction */
    int64_t idle_ns; /* added to the first segment after 10 s of silence: radio idle to connected */
    uint32_t segment_bytes; /* MSS */
};
const struct link_profile *link_profile_find(const char *name);
const struct link_profile *link_profile_at(size_t index); /* null past the end */

enum link_action {
    LINK_RESET, /* both sides see RST */
    LINK_CLOSE, /* both sides see an orderly close */
    LINK_HALF, /* the receiver of that direction sees an orderly close, the other direction lives */
    LINK_STALL,   /* that direction is silent for duration_ns */
    LINK_CORRUPT, /* the byte at the offset is XORed with mask */
    LINK_DRIBBLE, /* from that byte on one byte per segment, duration_ns apart */
    LINK_ACTION_COUNT
};
const char *link_action_name(
    enum link_action a); /* "reset", "close", "half-close", "stall", "corrupt", "dribble" */

/* A fault at a byte: applies when byte `offset` (0-based) of that direction is about to pass;
 * earlier bytes arrive. */
struct link_byte_rule {
    uint32_t connection; /* from 1 */
    enum link_dir dir;
    uint64_t offset;
    enum link_action action;
    int64_t duration_ns;
    uint8_t mask;
    bool done; /* filled: it happened */
};

/* What connects do in a time window. */
enum link_door { LINK_OPEN, LINK_REFUSED, LINK_BLACK_HOLE };

/* What a connection is for: a fault may be aimed at one kind alone. Sets of them are masks. */
enum link_kind { LINK_HTTP, LINK_MQTT, LINK_KIND_COUNT };
#define LINK_ONLY(kind) (1u << (kind))
#define LINK_ALL        (LINK_ONLY(LINK_KIND_COUNT) - 1)

struct link;
#define LINK_RULES_MAX 64

struct link *link_new(const struct link_profile *p, uint64_t seed);
void link_free(struct link *l);
void link_set_profile(struct link *l, const struct link_profile *p); /* from now on; copied */
/* Silence in both directions until then (connects hang too); 0 ends it. Bytes sent meanwhile arrive
 * afterwards. */
void link_outage(struct link *l, int64_t until_ns);
void link_door(struct link *l, enum link_door door); /* for new connects from now on */
enum link_door link_door_now(const struct link *l);  /* of LINK_HTTP */
/* The same for connections of these kinds only. */
void link_outage_of(struct link *l, unsigned kinds, int64_t until_ns);
void link_door_of(struct link *l, unsigned kinds, enum link_door door);
enum link_door link_door_of_kind(const struct link *l, enum link_kind kind);
int link_add_rule(struct link *l, const struct link_byte_rule *r); /* ERR_LIMIT */
const struct link_byte_rule *link_rule_at(const struct link *l, size_t index);
void link_heal(struct link *l, int64_t now_ns); /* perfect network, rules dropped, door open */

/* The device starts a connection: its number (from 1). The outcome is an event. 0: too many. */
uint32_t link_connect(struct link *l, int64_t now_ns); /* LINK_HTTP */
uint32_t link_connect_kind(struct link *l, enum link_kind kind, int64_t now_ns);
/* Of a live connection; LINK_HTTP when it is gone. */
enum link_kind link_kind_of(const struct link *l, uint32_t conn);
/* Bytes enter at one end. ERR_WRONG_STATE: that direction is closed. ERR_LIMIT (8 MiB are under way
 * already), ERR_NOMEM: the connection is reset, for a stream never misses bytes in its middle. */
int link_enter(struct link *l, uint32_t conn, enum link_dir dir, const void *data, size_t len_bytes,
               int64_t now_ns);
/* The sender of that direction closed orderly, after its bytes. Before the connection is made the
 * device gives it up that way: then it is gone. */
void link_fin(struct link *l, uint32_t conn, enum link_dir dir, int64_t now_ns);
/* An end vanished without a word (power cut at the device): nothing more leaves or reaches it. */
void link_vanish(struct link *l, uint32_t conn);
/* Reset or close a connection now, from a script. */
void link_break(struct link *l, uint32_t conn, enum link_action action, int64_t now_ns);
/* Bytes that entered in that direction so far. */
uint64_t link_sent(const struct link *l, uint32_t conn, enum link_dir dir);
bool link_is_live(const struct link *l, uint32_t conn);
uint32_t link_connections(const struct link *l); /* number of the newest */
/* A new link goes on with numbers behind that of another. */
void link_count_from(struct link *l, uint32_t newest);

enum link_event_kind {
    LINK_EV_CONNECTED, /* for the device; the owner opens the cloud side now */
    LINK_EV_REFUSED,
    LINK_EV_DATA, /* bytes leave at the far end of dir */
    LINK_EV_EOF,  /* the receiver of dir sees an orderly close */
    LINK_EV_RESET /* both ends see a reset; the connection is gone */
};
struct link_event {
    enum link_event_kind kind;
    uint32_t conn;
    enum link_dir dir;
    const uint8_t *data; /* valid until the next link call */
    size_t len_bytes;
};
/* Next event due at or before now, in (time, sequence) order; false when there is none. */
bool link_next(struct link *l, int64_t now_ns, struct link_event *out);
/* When link_next will have something; VTIME_NEVER if nothing is under way. */
int64_t link_deadline(const struct link *l);

#endif
