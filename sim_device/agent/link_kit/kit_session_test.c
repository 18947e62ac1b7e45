#include "sim_device/agent/link_kit/session.h"

#include <string.h>

#include "sim_device/agent/link_kit/kit_testing.h"

static struct kit_session s;

static void open_session(struct kit_world *w, enum kit_generation generation)
{
    const struct kit_session_config c = {.generation = generation,
                                         .identity = {"pk", "dn", "secret"},
                                         .host = "mqtt.test",
                                         .port = 1883,
                                         .keep_alive_s = 60,
                                         .connect_timeout_ns = 5 * NS_PER_S,
                                         .send_timeout_ns = 5 * NS_PER_S,
                                         .back_off_min_ns = NS_PER_S,
                                         .back_off_max_ns = 60 * NS_PER_S,
                                         .reconnect = true};
    kit_session_init(&s, w->net.b, &c);
}

static void publishes_and_receives(struct kit_world *w)
{
    struct board_mqtt_message m;
    open_session(w, KIT_4X);
    CHECK_INT(kit_session_publish(&s, "t", "x", 1, 0), KIT_SESSION_DOWN);
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_OK);
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_OK);
    CHECK_INT(w->opens, 1);
    CHECK_STR(w->user_name, "dn&pk");
    CHECK(w->clean_session);
    CHECK_INT(kit_session_publish(&s, "t", "x", 1, 1), KIT_SESSION_OK);
    CHECK_STR(w->published, "t x\n");
    CHECK_INT(kit_session_receive(&s, &m, NS_PER_S), KIT_SESSION_TIMEOUT);
    kw_send(w, "a/b", "hello", 5, NS_PER_S);
    CHECK_INT(kit_session_receive(&s, &m, 5 * NS_PER_S), KIT_SESSION_OK);
    CHECK_STR(m.topic, "a/b");
    CHECK_MEM(m.payload, "hello", 5);
    board_free(w->net.b, m.payload);
    kit_session_close(&s);
    CHECK(!kit_session_is_up(&s));
}

/* NET-10: pauses double up to a minute, and half of each is chance. */
static void backs_off(struct kit_world *w)
{
    struct board_mqtt_message m;
    open_session(w, KIT_4X);
    w->connack = 4;
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_REFUSED);
    CHECK_INT(s.connack, 4);
    for (int i = 0; i < 300; i++)
        CHECK_INT(kit_session_receive(&s, &m, 2 * NS_PER_S), KIT_SESSION_DOWN);
    CHECK(w->opens >= 12 && w->opens <= 30);
    for (unsigned i = 1; i < w->opens && i < KW_STARTS_MAX; i++) {
        int64_t pause = w->open_ns[i] - w->open_ns[i - 1], most = NS_PER_S;
        for (unsigned k = 1; k < i && most < 60 * NS_PER_S; k++)
            most *= 2;
        most = most < 60 * NS_PER_S ? most : 60 * NS_PER_S;
        CHECK(pause >= most / 2 && pause <= most + 4 * NS_PER_S);
    }
    w->connack = 0;
    for (int i = 0; i < 60 && !kit_session_is_up(&s); i++)
        (void)kit_session_receive(&s, &m, 2 * NS_PER_S);
    CHECK(kit_session_is_up(&s));
    CHECK_INT(kit_session_receive(&s, &m, NS_PER_S), KIT_SESSION_TIMEOUT);
    kit_session_close(&s);
}

static void subscribes_again(struct kit_world *w)
{
    struct board_mqtt_message m;
    open_session(w, KIT_3X);
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_OK);
    CHECK_INT(kit_session_subscribe(&s, "a", 1), KIT_SESSION_OK);
    CHECK_INT(kit_session_subscribe(&s, "b", 0), KIT_SESSION_OK);
    CHECK_INT(kit_session_subscribe(&s, "b", 0), KIT_SESSION_OK);
    CHECK_INT(kit_session_unsubscribe(&s, "b"), KIT_SESSION_OK);
    w->mqtt_drop = true;
    w->subscribed[0] = '\0';
    int64_t before = w->net.b->ops->now_ns(w->net.b);
    CHECK_INT(kit_session_receive(&s, &m, 10 * NS_PER_S), KIT_SESSION_DOWN);
    CHECK_INT(w->net.b->ops->now_ns(w->net.b), before);
    CHECK_INT(kit_session_receive(&s, &m, 10 * NS_PER_S), KIT_SESSION_TIMEOUT);
    CHECK_INT(s.connects, 2);
    CHECK_STR(w->subscribed, "a 1\n");
    char filter[8] = "x0";
    for (int i = 0; i < KIT_SUBSCRIPTIONS_MAX - 1; i++, filter[1]++)
        CHECK_INT(kit_session_subscribe(&s, filter, 0), KIT_SESSION_OK);
    CHECK_INT(kit_session_subscribe(&s, filter, 0), KIT_SESSION_ARG);
    kit_session_close(&s);
}

static void tells_what_is_wrong(struct kit_world *w)
{
    open_session(w, KIT_4X);
    s.config.identity.device_secret = "";
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_ARG);
    CHECK_INT(w->opens, 0);
    open_session(w, KIT_4X);
    w->mqtt_off = true;
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_DOWN);
    w->net.b->mqtt = NULL;
    CHECK_INT(kit_session_connect(&s), KIT_SESSION_ARG);
    w->net.b->mqtt = &kw_mqtt;
}

struct row {
    const char *name;
    void (*fn)(struct kit_world *w);
};
static const struct row rows[] = {
    {"publishes and receives", publishes_and_receives},
    {"backs off", backs_off},
    {"subscribes again", subscribes_again},
    {"tells what is wrong", tells_what_is_wrong},
};

static const char *row_name(const void *row)
{
    return ((const struct row *)row)->name;
}

static void session(const void *row)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, 100);
    kit_world_call(w, ((const struct row *)row)->fn);
    kit_world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("session", session, rows, row_name),
};

TEST_MAIN("MQTT sessions of the Link SDKs", tests)
