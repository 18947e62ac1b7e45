/*
 * What our plugin in Mosquitto and the cloud's process say to each other over their unix socket.
 * A frame: length of the rest (4 bytes, little-endian), kind, then fields in order. A text is its
 * length (2 bytes) and its bytes; a null text has the length 0xffff. What is left is the payload.
 *
 * Only LOGIN and TOPIC are answered; until the answer comes the broker does nothing else.
 */
#ifndef OTABENCH_MOCK_CLOUD_BROKER_FRAME_H
#define OTABENCH_MOCK_CLOUD_BROKER_FRAME_H

#include "common/bytes.h"
#include "common/err.h"

enum frame_kind {
    FRAME_READY = 1,  /* listeners are open */
    FRAME_LOGIN,      /* client id, user name, password, clean (1), keep-alive (2) */
    FRAME_TOPIC,      /* identity, topic or filter, enum mqtt_access (1) */
    FRAME_ONLINE,     /* identity */
    FRAME_SUBSCRIBED, /* identity, filter */
    FRAME_MESSAGE,    /* identity, topic, QoS (1), payload */
    FRAME_OFFLINE,    /* identity, whether its session is kept (1) */
    FRAME_ANSWER,     /* to LOGIN: code (1), identity; to TOPIC: allowed (1) */
    FRAME_DELIVER     /* payload of a message to BROKER_TOPIC: identity, topic, QoS (1), payload; no
                         topic: the connection of the device ends */
};

#define FRAME_HEAD_BYTES 4u
#define FRAME_BYTES_MAX  (320u << 10)
#define FRAME_NULL       0xffffu

/* Writing: begin, fields, end. Errors are kept in the buffer's maximum: check frame_end. */
static inline size_t frame_begin(struct buf *b, enum frame_kind kind)
{
    size_t at = b->len_bytes;
    const uint8_t head[FRAME_HEAD_BYTES + 1] = {0, 0, 0, 0, (uint8_t)kind};
    (void)buf_append(b, head, sizeof head);
    return at;
}

static inline void frame_put_8(struct buf *b, uint8_t v)
{
    (void)buf_append(b, &v, 1);
}

static inline void frame_put_16(struct buf *b, uint16_t v)
{
    uint8_t bytes[2];
    put_le16(bytes, v);
    (void)buf_append(b, bytes, sizeof bytes);
}

/* len_bytes below FRAME_NULL. */
static inline void frame_put_text(struct buf *b, const char *text, size_t len_bytes)
{
    frame_put_16(b, text == NULL ? FRAME_NULL : (uint16_t)len_bytes);
    if (text != NULL && len_bytes > 0)
        (void)buf_append(b, text, len_bytes);
}

static inline void frame_end(struct buf *b, size_t at)
{
    put_le32(b->data + at, (uint32_t)(b->len_bytes - at - FRAME_HEAD_BYTES));
}

/* Reading. ok falls when the frame is too short or a text does not fit. */
struct frame_reader {
    const uint8_t *at;
    size_t left;
    bool ok;
};

/* The whole frame's size at the beginning of data: > 0, 0: more needed, ERR_FORMAT. */
int64_t frame_bytes(const uint8_t *data, size_t len_bytes);
/* A reader of that whole frame behind its kind. */
struct frame_reader frame_open(const uint8_t *frame, size_t len_bytes, uint8_t *kind);
uint8_t frame_8(struct frame_reader *r);
uint16_t frame_16(struct frame_reader *r);
/* Copies a text with a final zero; false: it was null (or missing, see ok). */
bool frame_text(struct frame_reader *r, char *out, size_t cap);

#endif
