#include "sim_device/agent/link_kit/session.h"

#include <string.h>

#include "common/vtime.h"
#include "sim_device/agent/link_kit/kit.h"

#define DOUBLINGS_MAX 16u

void kit_session_init(struct kit_session *s, struct board *b, const struct kit_session_config *c)
{
    *s = (struct kit_session){.board = b, .config = *c, .client = -1};
}

/* Connecting takes long, and a publish may wait for its PUBACK: neither under the other's feet. */
static void lock(struct kit_session *s)
{
    while (s->locked)
        (void)s->board->ops->wait(s->board, &s->locked, BOARD_FOREVER);
    s->locked = true;
}

static void unlock(struct kit_session *s)
{
    s->locked = false;
    s->board->ops->wake(s->board, &s->locked, 1);
}

static void tell(struct kit_session *s, const char *what)
{
    KIT_EVENT(s->board, "mqtt", F_STR("what", what), F_INT("code", s->connack));
}

/* When the next connect is due, seen from now. */
static void plan_retry(struct kit_session *s)
{
    int64_t now = s->board->ops->now_ns(s->board);
    int64_t pause = s->config.back_off_min_ns;
    for (unsigned i = 1; i < s->failures && i < DOUBLINGS_MAX; i++)
        pause = vtime_min(2 * pause, s->config.back_off_max_ns);
    if (pause > 1)
        pause = pause / 2 + (int64_t)rng_below(&s->board->rng, (uint64_t)(pause - pause / 2));
    s->next_try_ns = vtime_after(now, pause);
}

/* The connection is gone: says so once and plans the way back. Under the lock. */
static void lost(struct kit_session *s)
{
    if (s->client < 0)
        return;
    s->board->mqtt->close(s->board, s->client);
    s->client = -1;
    s->lost_at_ns = s->board->ops->now_ns(s->board);
    s->last_error = 0x0F15; /* "peer closed" of the 4.x transport */
    if (s->lost_at_ns - s->up_since_ns >= s->config.back_off_max_ns)
        s->failures = 0;
    s->failures++;
    plan_retry(s);
    s->connack = 0;
    tell(s, "down");
}

static int resubscribe(struct kit_session *s)
{
    struct board *b = s->board;
    for (size_t i = 0; i < s->subscription_count && !s->session_present; i++)
        if (b->mqtt->subscribe(b, s->client, s->subscriptions[i].filter, s->subscriptions[i].qos,
                               s->config.send_timeout_ns) != BOARD_OK)
            return KIT_SESSION_DOWN;
    return KIT_SESSION_OK;
}

static int open_client(struct kit_session *s)
{
    struct board *b = s->board;
    const struct kit_session_config *c = &s->config;
    struct kit_login login;
    struct err err;
    if (b->mqtt == NULL)
        return KIT_SESSION_ARG;
    if (kit_login(&login, c->generation, &c->identity, c->ca_pem != NULL, c->keep_alive_s,
                  s->connect_ms, s->last_error, c->extra, &err) != 0) {
        kit_log(b, "login: %s", err.text);
        return KIT_SESSION_ARG;
    }
    struct board_mqtt_config m = {.host = c->host,
                                  .port = c->port,
                                  .ca_pem = c->ca_pem,
                                  .client_id = login.client_id,
                                  .user_name = login.user_name,
                                  .password = login.password,
                                  .keep_alive_s = login.keep_alive_s,
                                  .clean_session = login.clean_session};
    int64_t start = b->ops->now_ns(b);
    s->connack = 0;
    s->client = b->mqtt->open(b, &m, c->connect_timeout_ns, &s->connack, &s->session_present);
    s->connect_ms = (uint32_t)((b->ops->now_ns(b) - start) / NS_PER_MS);
    return s->client >= 0    ? KIT_SESSION_OK
           : s->connack != 0 ? KIT_SESSION_REFUSED
                             : KIT_SESSION_DOWN;
}

static int connect_locked(struct kit_session *s)
{
    if (s->client >= 0)
        return KIT_SESSION_OK;
    int rc = open_client(s);
    if (rc == KIT_SESSION_OK) {
        s->up_since_ns = s->board->ops->now_ns(s->board);
        s->connects++;
        tell(s, "up");
        rc = resubscribe(s);
        if (rc != KIT_SESSION_OK)
            lost(s);
        return rc;
    }
    s->client = -1;
    s->failures++;
    plan_retry(s);
    if (rc != KIT_SESSION_ARG)
        tell(s, rc == KIT_SESSION_REFUSED ? "refused" : "unreachable");
    return rc;
}

int kit_session_connect(struct kit_session *s)
{
    lock(s);
    int rc = connect_locked(s);
    unlock(s);
    return rc;
}

bool kit_session_is_up(const struct kit_session *s)
{
    return s->client >= 0 && s->board->mqtt->is_up(s->board, s->client);
}

int kit_session_publish(struct kit_session *s, const char *topic, const void *payload,
                        size_t len_bytes, uint8_t qos)
{
    struct board *b = s->board;
    lock(s);
    int rc = s->client >= 0 ? b->mqtt->publish(b, s->client, topic, payload, len_bytes, qos,
                                               s->config.send_timeout_ns)
                            : BOARD_ERROR;
    /* The receiver finds out by itself and comes back. */
    unlock(s);
    return rc == BOARD_OK ? KIT_SESSION_OK : KIT_SESSION_DOWN;
}

int kit_session_subscribe(struct kit_session *s, const char *filter, uint8_t qos)
{
    size_t len = strlen(filter);
    if (len >= KIT_TOPIC_MAX)
        return KIT_SESSION_ARG;
    lock(s);
    size_t i = 0;
    while (i < s->subscription_count && strcmp(s->subscriptions[i].filter, filter) != 0)
        i++;
    int rc = i < KIT_SUBSCRIPTIONS_MAX ? KIT_SESSION_OK : KIT_SESSION_ARG;
    if (rc == KIT_SESSION_OK) {
        memcpy(s->subscriptions[i].filter, filter, len + 1);
        s->subscriptions[i].qos = qos;
        s->subscription_count += i == s->subscription_count;
        if (s->client >= 0 && s->board->mqtt->subscribe(s->board, s->client, filter, qos,
                                                        s->config.send_timeout_ns) != BOARD_OK)
            rc = KIT_SESSION_DOWN;
    }
    unlock(s);
    return rc;
}

int kit_session_unsubscribe(struct kit_session *s, const char *filter)
{
    int rc = BOARD_OK;
    lock(s);
    for (size_t i = 0; i < s->subscription_count; i++) {
        if (strcmp(s->subscriptions[i].filter, filter) != 0)
            continue;
        s->subscriptions[i] = s->subscriptions[--s->subscription_count];
        if (s->client >= 0)
            rc =
                s->board->mqtt->unsubscribe(s->board, s->client, filter, s->config.send_timeout_ns);
        break;
    }
    unlock(s);
    return rc == BOARD_OK ? KIT_SESSION_OK : KIT_SESSION_DOWN;
}

int kit_session_receive(struct kit_session *s, struct board_mqtt_message *out, int64_t timeout_ns)
{
    struct board *b = s->board;
    int64_t until = vtime_after(b->ops->now_ns(b), timeout_ns);
    for (;;) {
        int64_t now = b->ops->now_ns(b);
        int64_t left = now < until ? until - now : 0;
        if (s->client >= 0) {
            int rc = b->mqtt->receive(b, s->client, out, left);
            if (rc == BOARD_OK)
                return KIT_SESSION_OK;
            if (rc == BOARD_TIMEOUT)
                return KIT_SESSION_TIMEOUT;
            lock(s);
            lost(s);
            unlock(s);
            return KIT_SESSION_DOWN; /* the caller wants to know at once */
        }
        if (!s->config.reconnect || s->next_try_ns > until) {
            board_sleep_ns(b, left);
            return KIT_SESSION_DOWN;
        }
        if (s->next_try_ns > now)
            board_sleep_ns(b, s->next_try_ns - now);
        if (kit_session_connect(s) == KIT_SESSION_ARG)
            return KIT_SESSION_DOWN;
        /* As well when it is back. */
        if (s->client >= 0)
            return KIT_SESSION_TIMEOUT;
    }
}

void kit_session_close(struct kit_session *s)
{
    lock(s);
    if (s->client >= 0) {
        s->board->mqtt->close(s->board, s->client);
        s->client = -1;
        s->lost_at_ns = s->board->ops->now_ns(s->board);
        s->connack = 0;
        tell(s, "down");
    }
    unlock(s);
}
