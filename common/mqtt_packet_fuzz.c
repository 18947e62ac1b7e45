/*
 * Any bytes as a stream of MQTT packets: what is read and written again must be read as the same.
 */
#include <assert.h>
#include <string.h>

#include "common/mqtt_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct mqtt_view a, struct mqtt_view b)
{
    assert((a.data == NULL) == (b.data == NULL) && a.len_bytes == b.len_bytes);
    assert(a.len_bytes == 0 || memcmp(a.data, b.data, a.len_bytes) == 0);
}

static void topics(struct mqtt_view v)
{
    char text[64];
    if (!mqtt_text_copy(text, sizeof text, v))
        return;
    if (mqtt_topic_valid(text) && text[0] != '$')
        assert(mqtt_topic_matches(text, text) && mqtt_topic_matches("#", text));
    (void)mqtt_filter_valid(text);
    (void)mqtt_topic_matches(text, "a/b");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mqtt_packet p, again;
    struct buf out;
    int64_t n;
    buf_init(&out, MQTT_PACKET_BYTES_MAX);
    while ((n = mqtt_decode(data, size, 4096, &p)) > 0) {
        assert((size_t)n <= size && n == mqtt_packet_bytes(data, size));
        buf_clear(&out);
        assert(mqtt_encode(&p, &out) == 0);
        assert(mqtt_decode(out.data, out.len_bytes, 4096, &again) == (int64_t)out.len_bytes);
        assert(p.type == again.type && p.id == again.id && p.code == again.code);
        assert(p.qos == again.qos && p.dup == again.dup && p.retain == again.retain);
        assert(p.clean == again.clean && p.keep_alive_s == again.keep_alive_s);
        same(p.topic, again.topic);
        same(p.payload, again.payload);
        same(p.client_id, again.client_id);
        same(p.user_name, again.user_name);
        same(p.password, again.password);
        topics(p.topic);
        data += n;
        size -= (size_t)n;
    }
    buf_free(&out);
    return 0;
}
