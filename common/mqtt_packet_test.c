#include "common/mqtt_packet.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

struct sample {
    const char *name;
    struct mqtt_packet p;
    const char *hex;
};

#define V(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* Bytes written down from the specification's figures. */
static const struct sample samples[] = {
    {"connect",
     {.type = PACKET_CONNECT, .clean = true, .keep_alive_s = 60, .client_id = V("ab")},
     "100e00044d5154540402003c00026162"},
    {"connect with all",
     {.type = PACKET_CONNECT,
      .keep_alive_s = 1200,
      .client_id = V("c"),
      .topic = V("w"),
      .payload = V("gone"),
      .qos = 1,
      .retain = true,
      .user_name = V("u"),
      .password = V("pw")},
     "101d00044d51545404ec04b000016300017700"
     "04676f6e6500017500027077"},
    {"connack", {.type = PACKET_CONNACK, .present = true, .code = 5}, "20020105"},
    {"publish QoS 0",
     {.type = PACKET_PUBLISH, .topic = V("a/b"), .payload = V("xy")},
     "30070003612f627879"},
    {"publish QoS 1 again",
     {.type = PACKET_PUBLISH, .topic = V("a"), .payload = V("x"), .qos = 1, .dup = true, .id = 258},
     "3a06000161010278"},
    {"puback", {.type = PACKET_PUBACK, .id = 7}, "40020007"},
    {"subscribe",
     {.type = PACKET_SUBSCRIBE, .id = 1, .topic = V("a/+"), .qos = 1},
     "820800010003612f2b01"},
    {"suback", {.type = PACKET_SUBACK, .id = 1, .code = MQTT_SUBACK_FAILURE}, "9003000180"},
    {"unsubscribe", {.type = PACKET_UNSUBSCRIBE, .id = 2, .topic = V("a")}, "a2050002000161"},
    {"unsuback", {.type = PACKET_UNSUBACK, .id = 2}, "b0020002"},
    {"pingreq", {.type = PACKET_PINGREQ}, "c000"},
    {"pingresp", {.type = PACKET_PINGRESP}, "d000"},
    {"disconnect", {.type = PACKET_DISCONNECT}, "e000"},
};

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->name;
}

static void same_view(struct mqtt_view got, struct mqtt_view want)
{
    CHECK_INT(got.len_bytes, want.len_bytes);
    CHECK((got.data == NULL) == (want.data == NULL));
    if (want.len_bytes > 0 && got.len_bytes == want.len_bytes)
        CHECK_MEM(got.data, want.data, want.len_bytes);
}

static void travels(const void *row)
{
    const struct sample *s = row;
    struct buf out;
    char hex[256] = "";
    buf_init(&out, 4096);
    REQUIRE(mqtt_encode(&s->p, &out) == 0);
    hex_encode(hex, out.data, out.len_bytes);
    CHECK_STR(hex, s->hex);
    struct mqtt_packet p;
    for (size_t n = 0; n < out.len_bytes; n++) /* any shorter prefix asks for more */
        CHECK_INT(mqtt_decode(out.data, n, 4096, &p), 0);
    CHECK_INT(mqtt_decode(out.data, out.len_bytes, 4096, &p), out.len_bytes);
    CHECK_INT(p.type, s->p.type);
    CHECK_INT(p.id, s->p.id);
    CHECK_INT(p.code, s->p.code);
    CHECK_INT(p.qos, s->p.qos);
    CHECK(p.dup == s->p.dup && p.retain == s->p.retain && p.clean == s->p.clean);
    CHECK(p.present == s->p.present && p.keep_alive_s == s->p.keep_alive_s);
    same_view(p.topic, s->p.topic);
    same_view(p.client_id, s->p.client_id);
    same_view(p.user_name, s->p.user_name);
    same_view(p.password, s->p.password);
    if (s->p.payload.data != NULL)
        same_view(p.payload, s->p.payload);
    buf_free(&out);
}

struct bad {
    const char *name;
    const char *hex;
    int code;
};

static const struct bad bads[] = {
    {"type 0", "0000", ERR_FORMAT},
    {"type 15", "f000", ERR_FORMAT},
    {"QoS 2 answer", "50020001", ERR_UNSUPPORTED},
    {"length of five bytes", "30ffffffff01", ERR_FORMAT},
    {"above the maximum", "30808001", ERR_LIMIT},
    {"reserved flags of subscribe", "800800010003612f2b01", ERR_FORMAT},
    {"protocol name", "100e00044d5154550402003c00026162", ERR_FORMAT},
    {"protocol level 5", "100e00044d5154540502003c00026162", ERR_UNSUPPORTED},
    {"reserved connect flag", "100e00044d5154540403003c00026162", ERR_FORMAT},
    {"password without user name", "101000044d5154540442003c0002616200017a", ERR_FORMAT},
    {"will QoS without will", "100e00044d515454040a003c00026162", ERR_FORMAT},
    {"text longer than the packet", "100e00044d5154540402003c00ff6162", ERR_FORMAT},
    {"bytes after the end", "40030007ff", ERR_FORMAT},
    {"packet identifier 0", "3206000161000078", ERR_FORMAT},
    {"DUP with QoS 0", "38040001612f", ERR_FORMAT},
    {"QoS 2", "3406000161010278", ERR_UNSUPPORTED},
    {"QoS 3", "3606000161010278", ERR_FORMAT},
    {"two filters", "820a00010001610000016201", ERR_UNSUPPORTED},
};

static const char *bad_name(const void *row)
{
    return ((const struct bad *)row)->name;
}

static void refused(const void *row)
{
    const struct bad *b = row;
    uint8_t data[64];
    size_t n = strlen(b->hex) / 2;
    struct mqtt_packet p;
    REQUIRE(hex_decode(data, n, b->hex));
    CHECK_INT(mqtt_decode(data, n, 4096, &p), b->code);
}

static void limits(void)
{
    static char big[MQTT_PACKET_BYTES_MAX];
    struct buf out;
    buf_init(&out, 1u << 20);
    struct mqtt_packet p = {
        .type = PACKET_PUBLISH, .topic = V("t"), .payload = {big, MQTT_PACKET_BYTES_MAX - 8}};
    CHECK_INT(mqtt_encode(&p, &out), 0);
    CHECK_INT(out.len_bytes, 1 + 3 + 3 + MQTT_PACKET_BYTES_MAX - 8);
    CHECK_INT(mqtt_packet_bytes(out.data, 4), out.len_bytes);
    p.payload.len_bytes++;
    CHECK_ERR(mqtt_encode(&p, &out), ERR_LIMIT);
    p = (struct mqtt_packet){.type = PACKET_CONNECT, .client_id = {big, 65536}};
    CHECK_ERR(mqtt_encode(&p, &out), ERR_LIMIT);
    p = (struct mqtt_packet){.type = PACKET_PUBLISH, .topic = V("t"), .qos = 2, .id = 1};
    CHECK_ERR(mqtt_encode(&p, &out), ERR_ARG);
    buf_free(&out);
    buf_init(&out, 4);
    p = (struct mqtt_packet){.type = PACKET_PUBLISH, .topic = V("topic")};
    CHECK_ERR(mqtt_encode(&p, &out), ERR_LIMIT);
    CHECK_INT(out.len_bytes, 0);
    buf_free(&out);
}

struct match {
    const char *filter, *topic;
    bool yes;
};

static const struct match matches[] = {
    {"a/b", "a/b", true},
    {"a/b", "a/c", false},
    {"a/b", "a", false},
    {"a", "a/b", false},
    {"a/+", "a/b", true},
    {"a/+", "a", false},
    {"a/+", "a/", true},
    {"+/+", "/x", true},
    {"+", "/x", false},
    {"a/#", "a", true},
    {"a/#", "a/b/c", true},
    {"a/#", "ab", false},
    {"#", "a/b", true},
    {"#", "$SYS/x", false},
    {"+/x", "$SYS/x", false},
    {"$SYS/#", "$SYS/x", true},
    {"a/+/c", "a/b/c", true},
    {"a/+/c", "a/b/d", false},
    {"/ota/device/upgrade/+/+", "/ota/device/upgrade/pk/dn", true},
};

static const char *match_name(const void *row)
{
    static char text[96];
    const struct match *m = row;
    (void)snprintf(text, sizeof text, "%s and %s", m->filter, m->topic);
    return text;
}

static void matching(const void *row)
{
    const struct match *m = row;
    CHECK_INT(mqtt_topic_matches(m->filter, m->topic), m->yes);
}

static void filters(void)
{
    CHECK(mqtt_filter_valid("a/+/b") && mqtt_filter_valid("#") && mqtt_filter_valid("/a/#"));
    CHECK(!mqtt_filter_valid("") && !mqtt_filter_valid("a+/b") && !mqtt_filter_valid("a/#/b"));
    CHECK(!mqtt_filter_valid("a#") && !mqtt_filter_valid("a/b#"));
    CHECK(mqtt_topic_valid("/a/b") && !mqtt_topic_valid("a/+") && !mqtt_topic_valid(""));
}

static void text(void)
{
    char out[4];
    CHECK(mqtt_text_copy(out, sizeof out, mqtt_text("abc")));
    CHECK_STR(out, "abc");
    CHECK(!mqtt_text_copy(out, sizeof out, mqtt_text("abcd")));
    CHECK(!mqtt_text_copy(out, sizeof out, (struct mqtt_view){"a\0b", 3}));
    CHECK(mqtt_text_copy(out, sizeof out, mqtt_text(NULL)));
    CHECK_STR(out, "");
}

static const struct test tests[] = {
    TEST_ROWS("a packet travels", travels, samples, sample_name),
    TEST_ROWS("refused", refused, bads, bad_name),
    {"sizes are bounded", limits},
    TEST_ROWS("a filter matches", matching, matches, match_name),
    {"filters and names are checked", filters},
    {"texts are copied whole or not at all", text},
};
TEST_MAIN("mqtt packets", tests)
