/*
 * Every quirk shows, and only when it is switched on: each case looks for the defect in a life with
 * the quirk and in the same life without. What needs more than an application is tested elsewhere:
 * cut-range-header in kit_fetch_test.c, file-failure-is-burn in aiot_mqtt_download_test.c.
 */
#include "sim_device/agent/link_kit/kit_app_testing.h"

struct quirk_case {
    const char *quirk;
    enum device_agent agent;
    void (*before)(struct kit_world *w);
    bool (*shows)(const struct kit_world *w);
};

static bool told(const struct kit_world *w, const char *step)
{
    char last[16];
    const char *s = app_last_step(w, last);
    return s != NULL && strcmp(s, step) == 0;
}

static bool told_check(const struct kit_world *w)
{
    return told(w, "-3");
}

static bool told_upgrade(const struct kit_world *w)
{
    return told(w, "-1");
}

static bool told_check_twice(const struct kit_world *w)
{
    return kw_count(w->published, "\"step\":\"-3\"") == 2;
}

static bool told_zero(const struct kit_world *w)
{
    return kw_count(w->published, "\"step\":\"0\"") > 0;
}

static bool new_slot_rules(const struct kit_world *w)
{
    return kw_record(w).active == 1;
}

static bool old_slot_rules(const struct kit_world *w)
{
    return kw_record(w).active == 0;
}

static bool chose_image(const struct kit_world *w)
{
    return strstr(w->events, "pending 2.0\n") != NULL;
}

static bool is_pending(const struct kit_world *w)
{
    return kw_record(w).state == SLOTS_PENDING;
}

static bool asked(const struct kit_world *w)
{
    return w->gets > 0;
}

static bool asked_twice(const struct kit_world *w)
{
    return w->gets > 1;
}

/* Fifty refusals, then the file. */
static enum act forbidden_for_long(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    return g->nth <= 50 ? app_forbidden(w, g, reply) : ACT_REPLY;
}

static void forbids_for_long(struct kit_world *w)
{
    w->bend = forbidden_for_long;
}

static bool asked_fifty_times(const struct kit_world *w)
{
    return w->gets > 50;
}

static enum act forbidden_once(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    return g->nth == 1 ? app_forbidden(w, g, reply) : ACT_REPLY;
}

static void forbids_once(struct kit_world *w)
{
    w->bend = forbidden_once;
}

static void nests_a_version(struct kit_world *w)
{
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, w->image, w->image_bytes, hex);
    (void)snprintf(
        w->announcement, sizeof(w->announcement),
        "{\"code\":\"1000\",\"data\":{\"size\":%u,\"extData\":{\"version\":\"9\"},\"sign\":"
        "\"%s\",\"version\":\"2.0\",\"signMethod\":\"Md5\",\"url\":\"http://f.test/a\","
        "\"md5\":\"%s\"},\"id\":1,\"message\":\"success\"}",
        w->image_bytes, hex, hex);
}

static bool took_nested(const struct kit_world *w)
{
    return strstr(w->events, "package 30011 9\n") != NULL;
}

static void signs_in_capitals(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://f.test/a", NULL, "MD5", w->image_bytes);
}

static bool dropped(const struct kit_world *w)
{
    return w->gets == 0;
}

static bool told_factory_version(const struct kit_world *w)
{
    return strstr(w->published, "app-1.0.0-20180101.1000") != NULL;
}

static void has_long_url(struct kit_world *w)
{
    char url[400];
    (void)snprintf(url, sizeof(url), "http://f.test/%0300d", 1);
    kw_compose(w, "2.0", url, NULL, "Md5", w->image_bytes);
}

/* Announced at the first start only, else it would never end. */
static void announce_once(struct kit_world *w, const char *topic, const char *payload)
{
    (void)payload;
    if (strstr(topic, "/inform/") != NULL && w->starts > 1)
        kw_drop(w);
    w->up = true;
}

static void long_url_once(struct kit_world *w)
{
    has_long_url(w);
    w->on_publish = announce_once;
}

static void stream(struct kit_world *w)
{
    char md5[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, w->image, w->image_bytes, md5);
    (void)snprintf(w->announcement, sizeof(w->announcement),
                   "{\"code\":\"1000\",\"data\":{\"size\":%u,\"streamId\":12,\"sign\":\"%s\","
                   "\"dProtocol\":\"mqtt\",\"version\":\"2.0\",\"signMethod\":\"Md5\","
                   "\"streamFileId\":34},\"id\":1,\"message\":\"success\"}",
                   w->image_bytes, md5);
    w->config.segment_retries = 0;
}

static bool has_stray_comma(const struct kit_world *w)
{
    return strstr(w->published, "\"fileId\":34,}") != NULL;
}

static bool storms(const struct kit_world *w)
{
    return w->opens > 500;
}

static bool never_informed(const struct kit_world *w)
{
    return strstr(w->published, "/inform/") == NULL;
}

/* The new image does not reach the cloud. */
static void cut_off_at_end(struct kit_world *w, const char *topic, const char *payload)
{
    (void)topic;
    w->mqtt_off = w->mqtt_off || strstr(payload, "\"step\":\"100\"") != NULL;
}

static void no_cloud_afterwards(struct kit_world *w)
{
    w->on_publish = cut_off_at_end;
}

static const struct quirk_case cases[] = {
    {"endless-renewal", AGENT_AIOT, forbids_for_long, asked_fifty_times},
    {"endless-renewal", AGENT_IOT_OTA, forbids_for_long, asked_fifty_times},
    {"any-status-is-body", AGENT_IOT_OTA, forbids_once, told_check},
    {"append-whole-reply", AGENT_AIOT, app_no_ranges, told_check},
    {"append-whole-reply", AGENT_IOT_OTA, app_no_ranges, told_check},
    {"first-key-wins", AGENT_AIOT, nests_a_version, took_nested},
    {"strict-sign-method", AGENT_AIOT, signs_in_capitals, dropped},
    {"finished-on-mismatch", AGENT_AIOT, app_flips, told_check_twice},
    {"progress-restarts", AGENT_AIOT, app_breaks, told_zero},
    {"progress-restarts", AGENT_IOT_OTA, app_breaks, told_zero},
    {"factory-inform", AGENT_IOT_OTA, NULL, told_factory_version},
    {"crash-on-long-url", AGENT_AIOT, long_url_once, old_slot_rules},
    {"stray-comma", AGENT_AIOT, stream, has_stray_comma},
    {"storming-reconnect", AGENT_AIOT, app_refuses_login, storms},
    {"no-guard", AGENT_AIOT, app_repeats, asked_twice},
    {"take-foreign", AGENT_AIOT, app_foreign, asked},
    {"take-config", AGENT_AIOT, app_config, asked},
    {"take-older", AGENT_AIOT, app_older, asked},
    {"take-older", AGENT_IOT_OTA, app_older, asked},
    {"no-size-limit", AGENT_AIOT, app_too_large, asked},
    {"no-size-limit", AGENT_IOT_OTA, app_too_large, asked},
    {"no-exact-fit", AGENT_AIOT, app_fills_slot, told_upgrade},
    {"no-exact-fit", AGENT_IOT_OTA, app_fills_slot, told_upgrade},
    {"skip-digest", AGENT_AIOT, app_flips, chose_image},
    {"skip-digest", AGENT_IOT_OTA, app_flips, chose_image},
    {"digest-of-stream", AGENT_AIOT, app_flash_lies, chose_image},
    {"digest-of-stream", AGENT_IOT_OTA, app_flash_lies, chose_image},
    {"boot-before-verify", AGENT_AIOT, app_flash_lies, is_pending},
    {"boot-before-verify", AGENT_IOT_OTA, app_flips, is_pending},
    {"one-failure-code", AGENT_AIOT, app_flips, told_upgrade},
    {"one-failure-code", AGENT_IOT_OTA, app_forbids, told_upgrade},
    {"endless-tries", AGENT_AIOT, forbids_for_long, asked_fifty_times},
    {"endless-tries", AGENT_IOT_OTA, forbids_for_long, asked_fifty_times},
    {"no-version-report", AGENT_AIOT, NULL, never_informed},
    {"no-version-report", AGENT_IOT_OTA, NULL, never_informed},
    {"confirm-at-start", AGENT_AIOT, no_cloud_afterwards, new_slot_rules},
    {"confirm-at-start", AGENT_IOT_OTA, no_cloud_afterwards, new_slot_rules},
    {"never-confirm", AGENT_AIOT, NULL, old_slot_rules},
    {"never-confirm", AGENT_IOT_OTA, NULL, old_slot_rules},
};

static const char *case_name(const void *row)
{
    static char name[64];
    const struct quirk_case *c = row;
    (void)snprintf(name, sizeof(name), "%s of %s", c->quirk, device_agent_name(c->agent));
    return name;
}

static bool live(const struct quirk_case *c, bool with, char *events, size_t cap)
{
    struct kit_world *w = kit_world_new(c->agent, APP_IMAGE_BYTES);
    w->config.rounds = 1;
    if (c->before != NULL)
        c->before(w);
    if (with)
        CHECK(kit_quirks_set(&w->config.link, c->quirk));
    /* A device with a defect may never become idle. */
    for (int i = 0; i < 6 && kit_world_start(w) != SIM_IDLE; i++)
        w->net.now_ns += NS_PER_S;
    bool shows = c->shows(w);
    (void)snprintf(events, cap, "%s%s", w->events, w->published);
    kit_world_free(w);
    return shows;
}

static void shows_only_then(const void *row)
{
    static char events[1 << 19];
    if (!CHECK(live(row, true, events, sizeof(events))))
        fprintf(stderr, "with it:\n%s\n", events);
    if (!CHECK(!live(row, false, events, sizeof(events))))
        fprintf(stderr, "without it:\n%s\n", events);
}

static const struct test tests[] = {
    TEST_ROWS("quirk", shows_only_then, cases, case_name),
};

TEST_MAIN("personalities of the Link SDK clients", tests)
