/*
 * What the applications of both Link SDKs must do, told once: each case bends the cloud, lets the
 * device live until it is idle, and looks at what runs and what the cloud was told. For tests only.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_APP_TESTING_H
#define OTABENCH_AGENT_LINK_KIT_APP_TESTING_H

#include "sim_device/agent/link_kit/kit_testing.h"

#define APP_IMAGE_BYTES 30011

struct app_case {
    const char *name;
    void (*before)(struct kit_world *w); /* null: nothing */
    void (*after)(struct kit_world *w);
    const char *runs; /* "2.0" or "1.0" */
    const char *told; /* the last step, null: none */
};

/* The steps the cloud was told, in order, as "5 10 100 -3 ". */
static inline void app_steps(const struct kit_world *w, char *out, size_t cap)
{
    const char *at = w->published;
    size_t len = 0;
    out[0] = '\0';
    while ((at = strstr(at, "\"step\":")) != NULL) {
        at += 7;
        at += strspn(at, " \"");
        len += (size_t)snprintf(out + len, cap - len, "%.*s ", (int)strcspn(at, "\""), at);
        if (len >= cap)
            abort();
    }
}

/* RPT-04 and RPT-14: 1..100, rising, and one failure at most, at the end. */
static inline void app_check_steps(const struct kit_world *w)
{
    char steps[4096];
    app_steps(w, steps, sizeof(steps));
    long last = 0;
    for (char *at = steps; *at != '\0'; at += strcspn(at, " ") + 1) {
        long step = strtol(at, NULL, 10);
        CHECK(last >= 0 && (step < 0 || step > last));
        last = step;
    }
}

static inline const char *app_last_step(const struct kit_world *w, char out[16])
{
    char steps[4096];
    app_steps(w, steps, sizeof(steps));
    size_t len = strlen(steps);
    if (len == 0)
        return NULL;
    steps[len - 1] = '\0';
    const char *last = strrchr(steps, ' ');
    (void)snprintf(out, 16, "%.15s", last != NULL ? last + 1 : steps);
    return out;
}

static inline void app_run(const void *row, enum device_agent agent)
{
    const struct app_case *c = row;
    char last[16];
    struct kit_world *w = kit_world_new(agent, APP_IMAGE_BYTES);
    if (c->before != NULL)
        c->before(w);
    kit_world_live(w);
    bool ok = CHECK_STR(kw_version(w), c->runs);
    ok = CHECK_STR(app_last_step(w, last), c->told) && ok;
    ok = CHECK_INT(kw_record(w).state, SLOTS_STEADY) && ok;
    app_check_steps(w);
    if (c->after != NULL)
        c->after(w);
    if (!ok || getenv("KIT_TRACE") != NULL)
        fprintf(stderr, "%s\n%s", w->events, w->published);
    kit_world_free(w);
}

static inline const char *app_case_name(const void *row)
{
    return ((const struct app_case *)row)->name;
}

/* ---- the cases ---- */

/* Whether nothing was written into the slot that does not run. */
static inline void app_slot_is_blank(struct kit_world *w)
{
    const uint8_t *p = kw_slot(w, "app2");
    for (uint32_t i = 0; i < APP_IMAGE_BYTES; i++)
        if (!CHECK_INT(p[i], 0xFF))
            return;
    CHECK_INT(w->gets, 0);
}

static inline void app_confirmed(struct kit_world *w)
{
    CHECK_INT(w->starts, 2);
    CHECK_INT(kw_record(w).active, 1);
    CHECK_INT(w->gets, 1);
    /* At each of the two starts; 3.x does it once more by itself. */
    CHECK_INT(kw_count(w->published, "/inform/"), w->config.agent == AGENT_IOT_OTA ? 4 : 2);
    CHECK_INT(kw_count(w->events, "confirm 1 2.0\n"), 1);
}

static inline enum act app_break_once(struct kit_world *w, const struct kw_get *g,
                                      struct buf *reply)
{
    (void)w;
    if (g->nth > 2)
        return ACT_REPLY;
    reply->len_bytes = reply->len_bytes * 2 / 5;
    return g->nth == 1 ? ACT_REPLY_RESET : ACT_REPLY_CLOSE;
}

static inline void app_breaks(struct kit_world *w)
{
    w->bend = app_break_once;
}

/* What was stored is not fetched again: the third request begins behind two fifths twice. */
static inline void app_resumed(struct kit_world *w)
{
    CHECK_INT(w->gets, 3);
    CHECK(w->last_from > APP_IMAGE_BYTES * 6 / 10);
}

static inline enum act app_stall_once(struct kit_world *w, const struct kw_get *g,
                                      struct buf *reply)
{
    (void)w;
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY;
}

static inline void app_stalls(struct kit_world *w)
{
    w->bend = app_stall_once;
}

static inline enum act app_silence_once(struct kit_world *w, const struct kw_get *g,
                                        struct buf *reply)
{
    (void)w, (void)reply;
    return g->nth == 1 ? ACT_SILENT : ACT_REPLY;
}

static inline void app_silence(struct kit_world *w)
{
    w->bend = app_silence_once;
}

static inline enum act app_whole_after_break(struct kit_world *w, const struct kw_get *g,
                                             struct buf *reply)
{
    test_http(reply, "200 OK", w->image, w->image_bytes);
    if (g->nth > 1)
        return ACT_REPLY;
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static inline void app_no_ranges(struct kit_world *w)
{
    w->bend = app_whole_after_break;
}

static inline enum act app_forbidden(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    test_http(reply, "403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", 40);
    return ACT_REPLY;
}

static inline void app_forbids(struct kit_world *w)
{
    w->bend = app_forbidden;
}

/* LIM-09: the first request and segment_retries more. */
static inline void app_gave_up(struct kit_world *w)
{
    CHECK_INT(w->gets, 1 + w->config.segment_retries);
}

/* Half of the file, then 403 until the cloud was asked again. */
static inline enum act app_expiring(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    if (g->nth == 1) {
        reply->len_bytes /= 2;
        return ACT_REPLY_RESET;
    }
    return w->stage == 0 ? app_forbidden(w, g, reply) : ACT_REPLY;
}

static inline void app_announce_when_asked(struct kit_world *w, const char *topic,
                                           const char *payload)
{
    (void)payload;
    if (strstr(topic, "/firmware/get") == NULL && strstr(topic, "/device/request/") == NULL)
        return;
    w->stage = 1;
    kw_compose(w, w->version, "http://files.test/fresh?Expires=2", NULL, "Md5", w->image_bytes);
    kw_announce(w, w->net.latency_ns);
}

static inline void app_expires(struct kit_world *w)
{
    w->bend = app_expiring;
    w->on_publish = app_announce_when_asked;
}

static inline void app_went_on_fresh(struct kit_world *w)
{
    CHECK_HAS(w->last_get, "GET /fresh?Expires=2 ");
    CHECK(w->last_from > APP_IMAGE_BYTES / 3);
    CHECK(w->gets <= 5);
}

/* 416 to everything but a request from the first byte. */
static inline enum act app_no_rest(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w;
    if (g->nth == 1) {
        reply->len_bytes /= 2;
        return ACT_REPLY_RESET;
    }
    if (g->from > 0)
        test_http(reply, "416 Range Not Satisfiable", NULL, 0);
    return ACT_REPLY;
}

static inline void app_refuses_rest(struct kit_world *w)
{
    w->bend = app_no_rest;
}

static inline enum act app_flipped(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 0x10;
    return ACT_REPLY;
}

static inline void app_flips(struct kit_world *w)
{
    w->bend = app_flipped;
}

static inline void app_once(struct kit_world *w)
{
    CHECK_INT(w->gets, 1);
    CHECK_HAS(w->events, "verify 0\n");
}

static inline enum act app_endless_reply(struct kit_world *w, const struct kw_get *g,
                                         struct buf *reply)
{
    char head[128];
    (void)g;
    (void)snprintf(head, sizeof(head), "206 Part\r\nContent-Range: bytes 0-%u/%u", w->image_bytes,
                   w->image_bytes + 1);
    test_http(reply, head, w->image, w->image_bytes + 1);
    return ACT_REPLY;
}

static inline void app_endless(struct kit_world *w)
{
    w->bend = app_endless_reply;
}

static inline void app_too_large(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Md5", 0x80001);
}

static inline void app_fills_slot(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Md5", 0x80000);
}

static inline void app_older(struct kit_world *w)
{
    kw_compose(w, "0.9", "http://files.test/a", NULL, "Md5", w->image_bytes);
}

/* 1.10 is above 1.9. */
static inline void app_tenth(struct kit_world *w)
{
    (void)snprintf(w->config.firmware_version, sizeof(w->config.firmware_version), "1.9");
    w->version = "1.10";
    kw_compose(w, "1.10", "http://files.test/a", NULL, "Md5", w->image_bytes);
}

static inline void app_same(struct kit_world *w)
{
    kw_compose(w, "1.0", "http://files.test/a", NULL, "Md5", w->image_bytes);
    w->stage = 0;
}

static inline void app_foreign_push(struct kit_world *w, const char *topic, const char *payload)
{
    (void)payload;
    if (strstr(topic, "/inform/") == NULL || w->stage++ > 0)
        return;
    kw_send(w, "/ota/device/upgrade/a1OtaBench1/device2", w->announcement, strlen(w->announcement),
            w->net.latency_ns);
    kw_send(w, "/ota/device/upgrade/other/device1", w->announcement, strlen(w->announcement),
            w->net.latency_ns);
}

static inline void app_foreign(struct kit_world *w)
{
    w->announce = false;
    w->on_publish = app_foreign_push;
}

static inline void app_config_push(struct kit_world *w, const char *topic, const char *payload)
{
    char push[1024], hex[DIGEST_HEX_MAX], to[256];
    (void)payload;
    if (strstr(topic, "/inform/") == NULL || w->stage++ > 0)
        return;
    digest_hex_of(DIGEST_SHA256, w->image, w->image_bytes, hex);
    (void)snprintf(push, sizeof(push),
                   "{\"id\":\"1\",\"version\":\"1.0\",\"params\":{\"configId\":\"9.9\","
                   "\"configSize\":%u,\"sign\":\"%s\",\"signMethod\":\"Sha256\",\"url\":"
                   "\"http://files.test/c\",\"getType\":\"file\"}}",
                   w->image_bytes, hex);
    kw_topic(w, to, sizeof(to), "thing/config/push");
    kw_send(w, to, push, strlen(push), w->net.latency_ns);
}

static inline void app_config(struct kit_world *w)
{
    w->announce = false;
    w->on_publish = app_config_push;
}

/* The announcement comes three times more while it is fetched, and once after the start. */
static inline void app_repeat_push(struct kit_world *w, const char *topic, const char *payload)
{
    (void)payload;
    if (strstr(topic, "/inform/") == NULL || w->stage++ > 0)
        return;
    for (int i = 1; i <= 3; i++)
        kw_announce(w, i * w->net.latency_ns + 1);
}

static inline void app_repeats(struct kit_world *w)
{
    w->on_publish = app_repeat_push;
}

static inline void app_one_get(struct kit_world *w)
{
    CHECK_INT(w->gets, 1);
    CHECK_INT(w->starts, 2);
}

static inline enum act app_drop_session(struct kit_world *w, const struct kw_get *g,
                                        struct buf *reply)
{
    (void)reply;
    if (g->nth > 1)
        return ACT_REPLY;
    w->mqtt_drop = true;
    w->net.b->ops->wake(w->net.b, &w->channel, 1);
    reply->len_bytes /= 2;
    return ACT_REPLY_RESET;
}

static inline void app_drops_session(struct kit_world *w)
{
    w->bend = app_drop_session;
}

static inline void app_came_back(struct kit_world *w)
{
    CHECK(w->opens >= 3); /* first start, after the loss, second start */
}

/* The flash unit cannot be programmed: burning failed. */
static inline void app_flash_fails(struct kit_world *w)
{
    CHECK_INT(nor_inject(w->nor, NOR_IO_PROGRAM,
                         partition_find(&w->config.partitions, "app2")->offset + 8192, 256, -1),
              0);
}

static inline void app_erase_fails(struct kit_world *w)
{
    CHECK_INT(nor_inject(w->nor, NOR_IO_ERASE,
                         partition_find(&w->config.partitions, "app2")->offset, 4096, -1),
              0);
}

/* What arrived is sound, what flash holds is not (INT-07). */
static inline void app_flash_lies(struct kit_world *w)
{
    CHECK_INT(nor_inject(w->nor, NOR_IO_CORRUPT,
                         partition_find(&w->config.partitions, "app2")->offset + 8192, 256, 1),
              0);
}

static inline void app_crashing_image(struct kit_world *w)
{
    w->config.n_images = 1;
    (void)snprintf(w->config.images[0].version, sizeof(w->config.images[0].version), "2.0");
    w->config.images[0].fate = IMAGE_CRASHES;
}

/* Three starts of the trial, then the old one again; the version is refused from now on. */
static inline void app_rolled_back(struct kit_world *w)
{
    CHECK_INT(w->gets, 1);
    CHECK_INT(w->starts, 5);
    CHECK_INT(kw_record(w).n_refused, 1);
}

static inline void app_refuses_login(struct kit_world *w)
{
    w->connack = 4;
}

/* NET-11: with growing pauses. */
static inline void app_was_patient(struct kit_world *w)
{
    CHECK(w->opens >= 2 && w->opens <= 40);
    CHECK_HAS(w->events, "mqtt refused 4\n");
}

static inline void app_no_broker(struct kit_world *w)
{
    w->mqtt_off = true;
}

static inline void app_has_module(struct kit_world *w)
{
    char *at = strstr(w->announcement, "\"url\"");
    char rest[4096];
    (void)snprintf(rest, sizeof(rest), "%s", at);
    (void)snprintf(at, sizeof(w->announcement) - (size_t)(at - w->announcement),
                   "\"module\":\"mcu\",%s", rest);
}

static inline void app_own_module(struct kit_world *w)
{
    (void)snprintf(w->config.module, sizeof(w->config.module), "mcu");
    app_has_module(w);
}

static inline void app_slot_was_spared(struct kit_world *w)
{
    const uint8_t *p = kw_slot(w, "app2");
    for (uint32_t i = 0; i < APP_IMAGE_BYTES; i++)
        if (!CHECK_INT(p[i], 0xFF))
            return;
}

#define APP_CASES                                                                                  \
    {"installs, restarts, reports, confirms", NULL, app_confirmed, "2.0", "100"},                  \
        {"the connection breaks twice", app_breaks, app_resumed, "2.0", "100"},                    \
        {"the body stops in the middle", app_stalls, NULL, "2.0", "100"},                          \
        {"a request gets no answer", app_silence, NULL, "2.0", "100"},                             \
        {"a server without ranges", app_no_ranges, NULL, "2.0", "100"},                            \
        {"403 for ever", app_forbids, app_gave_up, "1.0", "-2"},                                   \
        {"a URL that expires", app_expires, app_went_on_fresh, "2.0", "100"},                      \
        {"a server that refuses the rest", app_refuses_rest, NULL, "2.0", "100"},                  \
        {"a wrong bit", app_flips, app_once, "1.0", "-3"},                                         \
        {"more bytes than announced", app_endless, app_slot_was_spared, "1.0", "-2"},              \
        {"larger than the slot", app_too_large, app_slot_is_blank, "1.0", "-1"},                   \
        {"an older version", app_older, app_slot_is_blank, "1.0", "-1"},                           \
        {"1.10 after 1.9", app_tenth, NULL, "1.10", "100"},                                        \
        {"the version that runs", app_same, app_slot_is_blank, "1.0", NULL},                       \
        {"announcements for others", app_foreign, app_slot_is_blank, "1.0", NULL},                 \
        {"a configuration", app_config, app_slot_is_blank, "1.0", NULL},                           \
        {"an announcement that repeats", app_repeats, app_one_get, "2.0", "100"},                  \
        {"the session breaks as well", app_drops_session, app_came_back, "2.0", "100"},            \
        {"a page that cannot be programmed", app_flash_fails, NULL, "1.0", "-4"},                  \
        {"a unit that cannot be erased", app_erase_fails, NULL, "1.0", "-4"},                      \
        {"flash that keeps something else", app_flash_lies, app_once, "1.0", "-3"},                \
        {"an image that crashes", app_crashing_image, app_rolled_back, "1.0", "-1"},               \
        {"a login that is refused", app_refuses_login, app_was_patient, "1.0", NULL},              \
    {                                                                                              \
        "nobody answers", app_no_broker, app_slot_is_blank, "1.0", NULL                            \
    }

/* ---- power and memory ---- */

/* One cut at every flash operation of a whole update: finally old or new runs, and a later
 * announcement installs. */
static inline void app_cut_everywhere(enum device_agent agent, enum nor_tear tear)
{
    struct kit_world *w = kit_world_new(agent, 9001);
    uint64_t factory = nor_op_count(w->nor);
    kit_world_live(w);
    CHECK_STR(kw_version(w), "2.0");
    uint64_t ops = nor_op_count(w->nor) - factory;
    kit_world_free(w);
    CHECK(ops > 30);
    for (uint64_t n = 1; n <= ops; n++) {
        w = kit_world_new(agent, 9001);
        nor_arm_cut(w->nor, nor_op_count(w->nor) + n, tear, 3);
        kit_world_live(w);
        if (strcmp(kw_version(w), "2.0") != 0) {
            w->announce = true;
            kit_world_live(w);
        }
        if (!CHECK_STR(kw_version(w), "2.0") || !CHECK_INT(kw_record(w).state, SLOTS_STEADY))
            fprintf(stderr, "cut %" PRIu64 ": %s\n", n, w->events);
        kit_world_free(w);
    }
}

/* The n-th allocation of every power-on fails: never a crash, never half an image. Where the boot
 * loader lacks the memory to count a trial, the image stays pending and the old one runs. */
static inline void app_without_memory(enum device_agent agent)
{
    unsigned installed = 0, n;
    for (n = 1; n <= 60; n++) {
        struct kit_world *w = kit_world_new(agent, 9001);
        w->config.rounds = 1;
        w->config.alloc_fail_at = n;
        kit_world_live(w);
        installed += strcmp(kw_version(w), "2.0") == 0;
        if (!CHECK(kw_record(w).state != SLOTS_TRIAL))
            fprintf(stderr, "allocation %u: %s\n", n, w->events);
        kit_world_free(w);
    }
    CHECK(installed > 0);
}

#endif
