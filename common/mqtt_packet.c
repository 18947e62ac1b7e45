#include "common/mqtt_packet.h"

#include <string.h>

#include "common/err.h"

#define TEXT_MAX      65535u /* a length field has two bytes */
#define REMAINING_MAX 268435455u
#define PROTOCOL      "\0\4MQTT\4"
#define PROTOCOL_LEN  7u

enum connect_flag {
    FLAG_CLEAN = 0x02,
    FLAG_WILL = 0x04,
    FLAG_WILL_QOS = 0x18,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER_NAME = 0x80
};

struct mqtt_view mqtt_text(const char *text)
{
    return (struct mqtt_view){.data = text, .len_bytes = text == NULL ? 0 : strlen(text)};
}

bool mqtt_text_copy(char *out, size_t cap, struct mqtt_view v)
{
    out[0] = '\0';
    if (v.len_bytes >= cap || (v.len_bytes > 0 && memchr(v.data, 0, v.len_bytes) != NULL))
        return false;
    if (v.len_bytes > 0)
        memcpy(out, v.data, v.len_bytes);
    out[v.len_bytes] = '\0';
    return true;
}

/* ---- writing ---- */

static size_t text_bytes(struct mqtt_view v)
{
    return v.data == NULL ? 0 : 2 + v.len_bytes;
}

static size_t remaining_bytes(const struct mqtt_packet *p)
{
    switch (p->type) {
    case PACKET_CONNECT:
        return 10 + 2 + p->client_id.len_bytes +
               (p->topic.data == NULL ? 0 : text_bytes(p->topic) + 2 + p->payload.len_bytes) +
               text_bytes(p->user_name) + text_bytes(p->password);
    case PACKET_PUBLISH:
        return 2 + p->topic.len_bytes + (p->qos > 0 ? 2u : 0u) + p->payload.len_bytes;
    case PACKET_SUBSCRIBE:
        return 2 + 2 + p->topic.len_bytes + 1;
    case PACKET_UNSUBSCRIBE:
        return 2 + 2 + p->topic.len_bytes;
    case PACKET_SUBACK:
        return 3;
    case PACKET_CONNACK:
    case PACKET_PUBACK:
    case PACKET_UNSUBACK:
        return 2;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP:
    case PACKET_DISCONNECT:
        break;
    }
    return 0;
}

/* Bits 0..3 of the first byte. */
static uint8_t head_flags(const struct mqtt_packet *p)
{
    if (p->type == PACKET_PUBLISH)
        return (uint8_t)((p->dup ? 8u : 0u) | (unsigned)p->qos << 1 | (p->retain ? 1u : 0u));
    return p->type == PACKET_SUBSCRIBE || p->type == PACKET_UNSUBSCRIBE ? 2 : 0;
}

static uint8_t *put_16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_data(uint8_t *at, struct mqtt_view v)
{
    if (v.len_bytes > 0)
        memcpy(at, v.data, v.len_bytes);
    return at + v.len_bytes;
}

static uint8_t *put_text(uint8_t *at, struct mqtt_view v)
{
    return put_data(put_16(at, v.len_bytes), v);
}

static uint8_t *put_connect(uint8_t *at, const struct mqtt_packet *p)
{
    memcpy(at, PROTOCOL, PROTOCOL_LEN);
    at += PROTOCOL_LEN;
    unsigned flags = p->clean ? FLAG_CLEAN : 0;
    if (p->topic.data != NULL)
        flags |= FLAG_WILL | (unsigned)p->qos << 3 | (p->retain ? FLAG_WILL_RETAIN : 0);
    if (p->password.data != NULL)
        flags |= FLAG_PASSWORD;
    if (p->user_name.data != NULL)
        flags |= FLAG_USER_NAME;
    *at++ = (uint8_t)flags;
    at = put_text(put_16(at, p->keep_alive_s), p->client_id);
    if (p->topic.data != NULL)
        at = put_text(put_text(at, p->topic), p->payload);
    if (p->user_name.data != NULL)
        at = put_text(at, p->user_name);
    if (p->password.data != NULL)
        at = put_text(at, p->password);
    return at;
}

static void put_rest(uint8_t *at, const struct mqtt_packet *p)
{
    switch (p->type) {
    case PACKET_CONNECT:
        (void)put_connect(at, p);
        break;
    case PACKET_CONNACK:
        at[0] = p->present ? 1 : 0;
        at[1] = p->code;
        break;
    case PACKET_PUBLISH:
        at = put_text(at, p->topic);
        if (p->qos > 0)
            at = put_16(at, p->id);
        (void)put_data(at, p->payload);
        break;
    case PACKET_SUBSCRIBE:
        *put_text(put_16(at, p->id), p->topic) = p->qos;
        break;
    case PACKET_UNSUBSCRIBE:
        (void)put_text(put_16(at, p->id), p->topic);
        break;
    case PACKET_SUBACK:
        *put_16(at, p->id) = p->code;
        break;
    case PACKET_PUBACK:
    case PACKET_UNSUBACK:
        (void)put_16(at, p->id);
        break;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP:
    case PACKET_DISCONNECT:
        break;
    }
}

int mqtt_encode(const struct mqtt_packet *p, struct buf *out)
{
    if (p->qos > 1)
        return ERR_ARG;
    bool will_too_long = p->type == PACKET_CONNECT && p->payload.len_bytes > TEXT_MAX;
    if (p->topic.len_bytes > TEXT_MAX || p->client_id.len_bytes > TEXT_MAX ||
        p->user_name.len_bytes > TEXT_MAX || p->password.len_bytes > TEXT_MAX || will_too_long ||
        p->payload.len_bytes > MQTT_PACKET_BYTES_MAX)
        return ERR_LIMIT;
    size_t remaining = remaining_bytes(p);
    if (remaining + 5 > MQTT_PACKET_BYTES_MAX)
        return ERR_LIMIT;
    uint8_t head[5] = {(uint8_t)((unsigned)p->type << 4 | head_flags(p))};
    size_t n = 1, left = remaining;
    do {
        head[n] = (uint8_t)(left & 0x7f);
        left >>= 7;
        head[n++] |= left > 0 ? 0x80 : 0;
    } while (left > 0);
    size_t before = out->len_bytes;
    int rc = buf_append(out, head, n);
    if (rc == 0 && remaining > 0)
        rc = buf_append(out, NULL, remaining);
    if (rc != 0) {
        out->len_bytes = before;
        return rc;
    }
    if (remaining > 0)
        put_rest(out->data + before + n, p);
    return 0;
}

/* ---- reading ---- */

/* What is left of the packet's rest; ok falls when it was not enough. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool ok;
};

static uint8_t take_8(struct reader *r)
{
    if (r->left < 1) {
        r->ok = false;
        return 0;
    }
    r->left--;
    return *r->at++;
}

static uint16_t take_16(struct reader *r)
{
    unsigned high = take_8(r);
    return (uint16_t)(high << 8 | take_8(r));
}

static struct mqtt_view take_data(struct reader *r, size_t len_bytes)
{
    if (r->left < len_bytes) {
        r->ok = false;
        return (struct mqtt_view){.data = ""};
    }
    struct mqtt_view v = {.data = (const char *)r->at, .len_bytes = len_bytes};
    r->at += len_bytes;
    r->left -= len_bytes;
    return v;
}

static struct mqtt_view take_text(struct reader *r)
{
    size_t len_bytes = take_16(r);
    return take_data(r, r->ok ? len_bytes : 0);
}

static int read_connect(struct reader *r, struct mqtt_packet *p)
{
    struct mqtt_view name = take_text(r);
    uint8_t level = take_8(r), flags = take_8(r);
    p->keep_alive_s = take_16(r);
    if (!r->ok || name.len_bytes != 4 || memcmp(name.data, "MQTT", 4) != 0)
        return ERR_FORMAT;
    if (level != 4)
        return ERR_UNSUPPORTED;
    bool will = (flags & FLAG_WILL) != 0;
    p->clean = (flags & FLAG_CLEAN) != 0;
    p->qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);
    p->retain = (flags & FLAG_WILL_RETAIN) != 0;
    if ((flags & 1) != 0 || (!will && (p->qos != 0 || p->retain)) || p->qos > 2 ||
        ((flags & FLAG_PASSWORD) != 0 && (flags & FLAG_USER_NAME) == 0))
        return ERR_FORMAT;
    p->client_id = take_text(r);
    if (will) {
        p->topic = take_text(r);
        p->payload = take_text(r);
    }
    if ((flags & FLAG_USER_NAME) != 0)
        p->user_name = take_text(r);
    if ((flags & FLAG_PASSWORD) != 0)
        p->password = take_text(r);
    return p->qos > 1 ? ERR_UNSUPPORTED : 0;
}

static int read_publish(struct reader *r, uint8_t flags, struct mqtt_packet *p)
{
    p->dup = (flags & 8) != 0;
    p->qos = (flags >> 1) & 3;
    p->retain = (flags & 1) != 0;
    if (p->qos > 2 || (p->dup && p->qos == 0))
        return ERR_FORMAT;
    if (p->qos > 1)
        return ERR_UNSUPPORTED;
    p->topic = take_text(r);
    if (p->qos > 0)
        p->id = take_16(r);
    p->payload = take_data(r, r->left);
    return p->qos > 0 && p->id == 0 ? ERR_FORMAT : 0;
}

/* One filter; a second one would begin where the packet must end. */
static int read_filter(struct reader *r, struct mqtt_packet *p)
{
    p->id = take_16(r);
    p->topic = take_text(r);
    if (p->type == PACKET_SUBSCRIBE)
        p->qos = take_8(r);
    if (!r->ok || p->id == 0 || p->qos > 2)
        return ERR_FORMAT;
    p->qos = p->qos > 1 ? 1 : p->qos; /* asked for 2: 1 is the most that is granted */
    return r->left > 0 ? ERR_UNSUPPORTED : 0;
}

static int read_rest(struct reader *r, uint8_t flags, struct mqtt_packet *p)
{
    int rc = 0;
    switch (p->type) {
    case PACKET_CONNECT:
        rc = read_connect(r, p);
        break;
    case PACKET_CONNACK:
        p->present = (take_8(r) & 1) != 0;
        p->code = take_8(r);
        break;
    case PACKET_PUBLISH:
        rc = read_publish(r, flags, p);
        break;
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
        rc = read_filter(r, p);
        break;
    case PACKET_SUBACK:
        p->id = take_16(r);
        p->code = take_8(r);
        break;
    case PACKET_PUBACK:
    case PACKET_UNSUBACK:
        p->id = take_16(r);
        break;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP:
    case PACKET_DISCONNECT:
        break;
    }
    if (rc == 0 && (!r->ok || r->left > 0))
        rc = ERR_FORMAT;
    return rc;
}

/* The fixed header: its length, the remaining length into *remaining; 0: more needed. */
static int64_t read_head(const uint8_t *data, size_t len_bytes, size_t *remaining)
{
    *remaining = 0;
    for (size_t i = 1; i <= 4; i++) {
        if (i >= len_bytes)
            return 0;
        *remaining |= (size_t)(data[i] & 0x7f) << (7 * (i - 1));
        if ((data[i] & 0x80) == 0)
            return (int64_t)i + 1;
    }
    return ERR_FORMAT;
}

int64_t mqtt_packet_bytes(const void *data, size_t len_bytes)
{
    size_t remaining = 0;
    int64_t head = read_head(data, len_bytes, &remaining);
    return head <= 0 ? head : head + (int64_t)remaining;
}

int64_t mqtt_decode(const void *data, size_t len_bytes, size_t max_bytes, struct mqtt_packet *out)
{
    const uint8_t *at = data;
    size_t remaining = 0;
    *out = (struct mqtt_packet){.type = PACKET_DISCONNECT};
    if (len_bytes == 0)
        return 0;
    unsigned type = at[0] >> 4;
    uint8_t flags = at[0] & 15;
    if (type == 5 || type == 6 || type == 7)
        return ERR_UNSUPPORTED; /* of QoS 2 */
    if (type < PACKET_CONNECT || type > PACKET_DISCONNECT)
        return ERR_FORMAT;
    out->type = (enum mqtt_packet_type)type;
    if (type != PACKET_PUBLISH && flags != head_flags(out))
        return ERR_FORMAT;
    int64_t head = read_head(at, len_bytes, &remaining);
    if (head <= 0)
        return head;
    if ((size_t)head + remaining > max_bytes)
        return ERR_LIMIT;
    if ((size_t)head + remaining > len_bytes)
        return 0;
    struct reader r = {.at = at + head, .left = remaining, .ok = true};
    int rc = read_rest(&r, flags, out);
    return rc != 0 ? rc : head + (int64_t)remaining;
}

/* ---- topics ---- */

bool mqtt_topic_matches(const char *filter, const char *topic)
{
    if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
        return false;
    for (;;) {
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");
        if (f == 1 && filter[0] == '#')
            return true;
        if (!(f == 1 && filter[0] == '+') && (f != t || memcmp(filter, topic, f) != 0))
            return false;
        filter += f;
        topic += t;
        if (*topic == '\0') /* "a/#" matches "a" */
            return *filter == '\0' || strcmp(filter, "/#") == 0;
        if (*filter == '\0')
            return false;
        filter++;
        topic++;
    }
}

bool mqtt_filter_valid(const char *filter)
{
    if (filter[0] == '\0')
        return false;
    for (;;) {
        size_t n = strcspn(filter, "/");
        size_t wild = strcspn(filter, "+#");
        if (wild < n && n != 1)
            return false;
        if (n == 1 && filter[0] == '#' && filter[n] != '\0')
            return false;
        if (filter[n] == '\0')
            return true;
        filter += n + 1;
    }
}

bool mqtt_topic_valid(const char *topic)
{
    return topic[0] != '\0' && strpbrk(topic, "+#") == NULL;
}
