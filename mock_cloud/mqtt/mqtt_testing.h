/*
 * A face for tests of the MQTT edges: password "secret", the identity is the user name; a device
 * may use topics that end in its name, everybody "open", and "hub" any. It writes down what it
 * hears and answers a message on "ask/..." with one on "answer".
 */
#ifndef OTABENCH_MOCK_CLOUD_MQTT_TESTING_H
#define OTABENCH_MOCK_CLOUD_MQTT_TESTING_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/mqtt_packet.h"
#include "common/testing/testing.h"
#include "mock_cloud/cloud.h"

/* What the face heard: one per test binary, for a face has no context of its own. */
static struct {
    char text[8192];
    struct mqtt_login login;
} heard;

__attribute__((format(printf, 1, 2))) static inline void hear(const char *fmt, ...)
{
    size_t at = strlen(heard.text);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(heard.text + at, sizeof heard.text - at, fmt, ap);
    va_end(ap);
}

/* What was heard since the last call. */
static inline const char *heard_now(void)
{
    static char text[sizeof heard.text];
    memcpy(text, heard.text, sizeof text);
    heard.text[0] = '\0';
    return text;
}

static inline bool test_login(struct cloud *c, int64_t now_ns, const struct mqtt_login *login,
                              enum mqtt_connack *code, char identity[MQTT_IDENTITY_MAX])
{
    (void)c, (void)now_ns;
    heard.login = *login;
    if (login->user_name == NULL || login->password == NULL)
        *code = MQTT_NOT_AUTHORIZED;
    else if (strcmp(login->password, "secret") != 0)
        *code = MQTT_BAD_CREDENTIALS;
    else
        *code = MQTT_ACCEPTED;
    if (*code == MQTT_ACCEPTED)
        (void)snprintf(identity, MQTT_IDENTITY_MAX, "%s", login->user_name);
    return true;
}

static inline bool test_topic(struct cloud *c, const char *identity, const char *topic,
                              enum mqtt_access access)
{
    (void)c, (void)access;
    size_t t = strlen(topic), n = strlen(identity);
    return strcmp(identity, "hub") == 0 || strcmp(topic, "open") == 0 ||
           (t > n && strcmp(topic + t - n, identity) == 0);
}

static inline void test_online(struct cloud *c, int64_t now_ns, const char *identity)
{
    (void)c, (void)now_ns;
    hear("+%s ", identity);
}

static inline void test_offline(struct cloud *c, int64_t now_ns, const char *identity)
{
    (void)c, (void)now_ns;
    hear("-%s ", identity);
}

static inline void test_subscribed(struct cloud *c, int64_t now_ns, const char *identity,
                                   const char *filter)
{
    (void)c, (void)now_ns;
    hear("%s<%s ", identity, filter);
}

static inline bool test_message(struct cloud *c, int64_t now_ns, const char *identity,
                                const struct mqtt_message *m)
{
    int shown = m->payload_bytes < 64 ? (int)m->payload_bytes : 64;
    hear("%s>%s=%.*s ", identity, m->topic, shown, (const char *)m->payload);
    cloud_begin_message(c, now_ns, RQ_MESSAGE, identity, m);
    if (strncmp(m->topic, "ask/", 4) == 0) {
        struct mqtt_message answer = {.topic = "answer",
                                      .payload = m->payload,
                                      .payload_bytes = m->payload_bytes,
                                      .qos = m->qos};
        (void)cloud_deliver(c, now_ns, identity, &answer);
    }
    return true;
}

static const struct face test_face = {.name = "test",
                                      .login = test_login,
                                      .topic = test_topic,
                                      .online = test_online,
                                      .subscribed = test_subscribed,
                                      .message = test_message,
                                      .offline = test_offline};

/* Of what the cloud tells, the refusals. */
static inline void test_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                              const struct trace_field *fields, size_t n)
{
    (void)ctx, (void)now_ns, (void)lane;
    if (strcmp(event, "refused") == 0 && n == 2)
        hear("!%s %s ", fields[0].text, fields[1].text);
}

static inline struct cloud *test_cloud(struct store **store)
{
    struct err err = {.text = ""};
    const struct face *const faces[] = {&test_face};
    *store = store_open(NULL, &err);
    REQUIRE(*store != NULL);
    struct cloud_config cfg = {
        .store = *store, .download_host = "localhost", .download_port = 80, .project_key = "k"};
    cfg.event = test_event;
    struct cloud *c = cloud_new(&cfg, faces, 1, &err);
    REQUIRE(c != NULL);
    (void)heard_now();
    return c;
}

#endif
