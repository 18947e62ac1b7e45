/* A device with AliOS Things against a cloud in the same test: whole upgrades. */
#include "sim_device/agent/link_kit/kit_app_testing.h"
#include "sim_device/agent/uota/ota_service.h"

#define IMAGE_BYTES 40000u
#define SAVED       8192u

static const char *const topic_progress = "/ota/device/progress/a1OtaBench1/device1 ";

static struct kit_world *device(void)
{
    return kit_world_new(AGENT_UOTA, IMAGE_BYTES);
}

static void check_new_runs(struct kit_world *w)
{
    struct slots_record r = kw_record(w);
    CHECK_STR(kw_version(w), w->version);
    CHECK_INT(r.state, SLOTS_STEADY);
    CHECK_STR(r.image[r.active].version, w->version);
    CHECK_HAS(w->events, "verify 1\nset_boot 1 40000 2.0\npending 2.0\n");
    CHECK_HAS(w->events, "confirm 1\n");
}

static void check_old_runs(struct kit_world *w)
{
    struct slots_record r = kw_record(w);
    CHECK_STR(kw_version(w), "1.0");
    CHECK_INT(r.state, SLOTS_STEADY);
    CHECK_INT(r.active, 0);
}

static unsigned steps(struct kit_world *w, const char *step)
{
    char text[200];
    (void)snprintf(text, sizeof text, "%s{\"id\":0,\"params\":{\"step\": \"%s\",", topic_progress,
                   step);
    return kw_count(w->published, text);
}

static void one_upgrade(void)
{
    struct kit_world *w = device();
    kit_world_live(w);
    check_new_runs(w);
    CHECK_INT(w->starts, 2);
    CHECK_HAS(w->published, "/ota/device/inform/a1OtaBench1/device1 "
                            "{\"id\":0,\"params\":{\"version\":\"1.0\"}}\n");
    CHECK_HAS(w->published, "{\"id\":0,\"params\":{\"version\":\"2.0\"}}\n");
    CHECK_HAS(w->subscribed, "/ota/device/upgrade/a1OtaBench1/device1 0\n");
    CHECK_INT(steps(w, "0"), 0);
    CHECK_INT(steps(w, "5"), 1);
    CHECK_INT(steps(w, "95"), 1);
    CHECK_INT(steps(w, "100"), 1);
    CHECK_INT(w->gets, 1);
    CHECK_HAS(w->last_get, "GET /a?Expires=1&Signature=x%3D HTTP/1.1\r\n");
    CHECK_HAS(w->last_get, "\r\nHost:files.test:80\r\n\r\n");
    CHECK(strstr(w->last_get, "Range") == NULL);
    kit_world_free(w);
}

static void with_sha256(void)
{
    struct kit_world *w = device();
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_SHA256, w->image, w->image_bytes, hex);
    kw_compose(w, "2.0", "http://files.test:8080/a", hex, "SHA256", w->image_bytes);
    kit_world_live(w);
    check_new_runs(w);
    kit_world_free(w);
}

/* ---- breaks of the network ---- */

static enum act cut_twice(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w;
    if (g->nth <= 2)
        reply->len_bytes = reply->len_bytes > 11000 ? 11000 : reply->len_bytes;
    return g->nth == 1 ? ACT_REPLY_CLOSE : g->nth == 2 ? ACT_REPLY_RESET : ACT_REPLY;
}

static void goes_on_where_it_was(void)
{
    struct kit_world *w = device();
    w->bend = cut_twice;
    kit_world_live(w);
    check_new_runs(w);
    CHECK_INT(w->gets, 3);
    CHECK_INT(steps(w, "50"), 1);
    kit_world_free(w);
}

static enum act always_200(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    test_http(reply, "200 OK", w->image, w->image_bytes);
    if (g->nth == 1)
        reply->len_bytes = 20000;
    return g->nth == 1 ? ACT_REPLY_CLOSE : ACT_REPLY;
}

static void a_server_without_ranges(void)
{
    struct kit_world *w = device();
    w->bend = always_200;
    kit_world_live(w);
    check_new_runs(w);
    kit_world_free(w);
}

static enum act refuse_first(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    if (w->stage == 0 && g->nth == 1) {
        reply->len_bytes = 20000;
        return ACT_REPLY_CLOSE;
    }
    if (w->stage == 0) {
        w->stage = 1;
        kw_compose(w, "2.0", "http://files.test/fresh", NULL, "Md5", w->image_bytes);
        test_http(reply, "403 Forbidden", "<Error/>", 8);
    }
    return ACT_REPLY;
}

static void an_expired_url_is_made_fresh(void)
{
    struct kit_world *w = device();
    w->bend = refuse_first;
    kit_world_live(w);
    check_new_runs(w);
    CHECK_INT(w->gets, 3);
    CHECK_HAS(w->last_get, "GET /fresh HTTP/1.1\r\n");
    CHECK(w->last_from > 10000);
    kit_world_free(w);
}

/* ---- failures ---- */

static enum act refuse_all(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    test_http(reply, "403 Forbidden", "<Error/>", 8);
    return ACT_REPLY;
}

static void a_refused_download(void)
{
    struct kit_world *w = device();
    w->bend = refuse_all;
    kit_world_live(w);
    check_old_runs(w);
    CHECK(steps(w, "-2") >= 1);
    CHECK(w->gets <= 4 * w->config.rounds);
    kit_world_free(w);
}

static enum act flip(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 1;
    return ACT_REPLY;
}

static void a_wrong_digest(void)
{
    struct kit_world *w = device();
    w->bend = flip;
    kit_world_live(w);
    check_old_runs(w);
    CHECK_HAS(w->events, "verify 0\n");
    CHECK(steps(w, "-3") >= 1);
    CHECK_INT(steps(w, "100"), 0);
    kit_world_free(w);

    w = device();
    w->bend = flip;
    w->config.mqtt_breaks.skip_digest = true;
    kit_world_start(w);
    CHECK_HAS(w->events, "pending 2.0\n");
    kit_world_free(w);
}

static void flash_that_lies(void)
{
    struct kit_world *w = device();
    uint32_t at = partition_find(&w->config.partitions, "app2")->offset + 5000;
    REQUIRE(nor_inject(w->nor, NOR_IO_CORRUPT, at, 1, 1) == 0);
    (void)kit_world_start(w);
    CHECK_HAS(w->events, "verify 0\n");
    CHECK_INT(steps(w, "-3"), 1);
    kit_world_free(w);
}

static void flash_that_refuses(void)
{
    struct kit_world *w = device();
    uint32_t at = partition_find(&w->config.partitions, "app2")->offset + 5000;
    REQUIRE(nor_inject(w->nor, NOR_IO_PROGRAM, at, 1, -1) == 0);
    kit_world_live(w);
    check_old_runs(w);
    CHECK(steps(w, "-4") >= 1);
    kit_world_free(w);
}

static enum act longer(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    buf_clear(reply);
    REQUIRE(buf_printf(reply, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
                       (unsigned)w->image_bytes + 10) == 0);
    REQUIRE(buf_append(reply, NULL, w->image_bytes + 10) == 0);
    return ACT_REPLY;
}

static enum act no_length(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)g;
    buf_clear(reply);
    REQUIRE(buf_printf(reply, "HTTP/1.1 200 OK\r\n\r\n") == 0);
    REQUIRE(buf_append(reply, w->image, w->image_bytes) == 0);
    return ACT_REPLY_CLOSE;
}

static const kw_bend bad_replies[] = {longer, no_length};

static void a_reply_of_no_use(const void *row)
{
    struct kit_world *w = device();
    w->bend = *(const kw_bend *)row;
    w->config.rounds = 1;
    kit_world_live(w);
    check_old_runs(w);
    CHECK_INT(steps(w, "-2"), 1);
    kit_world_free(w);
}

/* ---- announcements ---- */

struct announced {
    const char *what;
    const char *text;
    unsigned refusals; /* -1 told */
};

#define MD5 "\"0123456789abcdef0123456789abcdef\""
static const struct announced announcements[] = {
    {"older",
     "{\"message\":\"success\",\"data\":{\"size\":9,\"version\":\"0.9\",\"url\":\"http://h/"
     "\",\"md5\":" MD5 "}}",
     1},
    {"too large",
     "{\"message\":\"success\",\"data\":{\"size\":\"600000\",\"version\":\"9\",\"url\":\"http://h/"
     "\",\"md5\":" MD5 "}}",
     1},
    {"the running one",
     "{\"message\":\"success\",\"data\":{\"size\":9,\"version\":\"1.0\",\"url\":\"http://h/"
     "\",\"md5\":" MD5 "}}",
     0},
    {"without success",
     "{\"data\":{\"size\":9,\"version\":\"9\",\"url\":\"http://h/\",\"md5\":" MD5 "}}", 0},
    {"without a digest",
     "{\"message\":\"success\",\"data\":{\"size\":9,\"version\":\"9\",\"url\":\"http://h/\"}}", 0},
    {"an unknown method",
     "{\"message\":\"success\",\"data\":{\"size\":9,\"version\":\"9\",\"url\":\"http://h/"
     "\",\"sign\":\"00\",\"signMethod\":\"crc\"}}",
     0},
    {"no JSON", "success", 0},
    {"an array", "[]", 0},
    {"size 0",
     "{\"message\":\"success\",\"data\":{\"size\":0,\"version\":\"9\",\"url\":\"http://h/"
     "\",\"md5\":" MD5 "}}",
     0},
    {"a version with a quote",
     "{\"message\":\"success\",\"data\":{\"size\":9,\"version\":\"9\\\"\",\"url\":\"http://h/"
     "\",\"md5\":" MD5 "}}",
     0},
};

static const char *announced_name(const void *row)
{
    return ((const struct announced *)row)->what;
}

static void not_taken(const void *row)
{
    const struct announced *a = row;
    struct kit_world *w = device();
    w->config.rounds = 3;
    (void)snprintf(w->announcement, sizeof w->announcement, "%s", a->text);
    kit_world_live(w);
    check_old_runs(w);
    CHECK_INT(w->gets, 0);
    CHECK_INT(steps(w, "-1"), a->refusals);
    CHECK_INT(steps(w, "0"), 0);
    kit_world_free(w);
}

static enum act newer_meanwhile(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    if (g->nth == 1) {
        reply->len_bytes = 20000;
        kw_compose(w, "3.0", "http://files.test/newer", NULL, "Md5", w->image_bytes);
        w->version = "3.0";
        kw_announce(w, 0);
    }
    return ACT_REPLY;
}

static void a_newer_one_replaces_it(void)
{
    struct kit_world *w = device();
    w->bend = newer_meanwhile;
    kit_world_live(w);
    CHECK_STR(kw_version(w), "3.0");
    CHECK_HAS(w->last_get, "GET /newer HTTP/1.1\r\n");
    CHECK_INT(steps(w, "-2"), 0);
    CHECK_HAS(w->events, "pending 3.0\n");
    kit_world_free(w);
}

/* ---- power ---- */

/* Cut at that flash operation of the first power-on, then live on. */
static struct kit_world *cut_at(uint64_t op, enum nor_tear tear)
{
    struct kit_world *w = device();
    nor_arm_cut(w->nor, nor_op_count(w->nor) + op, tear, 24);
    kit_world_live(w);
    return w;
}

static uint64_t ops_of_an_upgrade(void)
{
    struct kit_world *w = device();
    kit_world_live(w);
    uint64_t ops = nor_op_count(w->nor);
    kit_world_free(w);
    return ops;
}

static void every_cut(void)
{
    uint64_t ops = ops_of_an_upgrade();
    unsigned resumed = 0, bad = 0;
    for (uint64_t op = 1; op <= ops; op++) {
        enum nor_tear tear = (enum nor_tear)(op % TEAR_COUNT);
        struct kit_world *w = cut_at(op, tear);
        struct slots_record r = kw_record(w);
        bool ok = strcmp(kw_version(w), "2.0") == 0 && r.state == SLOTS_STEADY &&
                  kw_count(w->events, "pending") >= 1;
        resumed += strstr(w->events, "resume ") != NULL;
        if (!ok && bad++ < 3)
            (void)fprintf(stderr, "op %d %s:\n%s\n", (int)op, nor_tear_name(tear), w->events);
        kit_world_free(w);
    }
    CHECK_INT(bad, 0);
    CHECK(resumed > 20);
}

static enum act slow_end(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w;
    if (g->nth == 1)
        reply->len_bytes = 30000;
    return ACT_REPLY;
}

/* The position that was stored, and what a device without it does. */
static void resumes_over_a_power_cut(void)
{
    for (int quirk = 0; quirk < 3; quirk++) {
        struct kit_world *w = device();
        w->bend = slow_end;
        w->config.quirks.no_resume = quirk == 1;
        w->config.mqtt_breaks.kv_no_resume = quirk == 2;
        nor_arm_cut(w->nor, nor_op_count(w->nor) + 160, TEAR_NOTHING, 0);
        CHECK_INT(kit_world_start(w), SIM_CUT);
        w->bend = NULL;
        uint32_t before = w->gets;
        kit_world_live(w);
        check_new_runs(w);
        CHECK_INT(w->gets, before + 1);
        CHECK_INT(w->last_from % SAVED, 0);
        CHECK_INT(w->last_from > 0, quirk == 0);
        kit_world_free(w);
    }
}

/* The same version with other bytes: from the start. */
static void another_digest_starts_over(void)
{
    struct kit_world *w = device();
    nor_arm_cut(w->nor, nor_op_count(w->nor) + 160, TEAR_NOTHING, 0);
    CHECK_INT(kit_world_start(w), SIM_CUT);
    w->image[100] ^= 1;
    kw_compose(w, "2.0", "http://files.test/b", NULL, "Md5", w->image_bytes);
    kit_world_live(w);
    check_new_runs(w);
    CHECK_INT(w->last_from, 0);
    kit_world_free(w);
}

/* ---- after the start ---- */

static void gives_up(enum device_image_fate fate)
{
    struct kit_world *w = device();
    w->config.images[0] = (struct device_image_rule){.fate = fate};
    w->config.n_images = 1;
    kit_world_live(w);
    check_old_runs(w);
    CHECK_HAS(w->events, "rollback 1 0 ");
    CHECK_INT(kw_count(w->events, "pending 2.0\n"), 1); /* not once more */
    CHECK(steps(w, "-1") >= 1);
    kit_world_free(w);
}

static void a_new_image_that_fails(void)
{
    static const enum device_image_fate fates[] = {IMAGE_CRASHES, IMAGE_HANGS, IMAGE_NEVER_CONNECTS,
                                                   IMAGE_ROLLS_BACK};
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++)
        gives_up(fates[i]);
}

static void mqtt_that_never_answers(void)
{
    struct kit_world *w = device();
    w->mqtt_off = true;
    kit_world_live(w);
    check_old_runs(w);
    CHECK_HAS(w->events, "api ota_hal_mqtt_init_instance -1\n");
    kit_world_free(w);
}

/* ---- what AliOS really does ---- */

static void quirks(void)
{
    struct kit_world *w = device();
    w->config.quirks.text_compare = true;
    memcpy(w->config.firmware_version, "1.9.0", 6);
    w->version = "1.10.0";
    kw_compose(w, "1.10.0", "http://files.test/a", NULL, "Md5", w->image_bytes);
    kit_world_live(w);
    CHECK_STR(kw_version(w), "1.9.0");
    kit_world_free(w);

    w = device();
    w->config.quirks.step_100_first = true;
    kit_world_live(w);
    CHECK_INT(steps(w, "100"), 2);
    CHECK_INT(steps(w, "0"), 1);
    check_new_runs(w);
    kit_world_free(w);

    w = device();
    w->config.quirks.step_0_first = true;
    kit_world_live(w);
    CHECK_INT(steps(w, "0"), 1);
    kit_world_free(w);

    w = device();
    w->config.quirks.own_codes = true;
    w->bend = flip;
    kit_world_live(w);
    CHECK(steps(w, "-11") >= 1);
    kit_world_free(w);

    w = device();
    w->config.quirks.failure_reboots = true;
    w->bend = flip;
    CHECK_INT(kit_world_start(w), SIM_RESET);
    kit_world_free(w);

    /* The hole in the resumed image is found, and the next attempt is whole. */
    w = device();
    w->config.quirks.double_off_bp = true;
    nor_arm_cut(w->nor, nor_op_count(w->nor) + 80, TEAR_NOTHING, 0);
    CHECK_INT(kit_world_start(w), SIM_CUT);
    nor_arm_cut(w->nor, nor_op_count(w->nor) + 50, TEAR_NOTHING, 0);
    (void)kit_world_start(w);
    kit_world_live(w);
    CHECK_HAS(w->events, "verify 0\n");
    kit_world_free(w);
}

static void no_memory(void)
{
    for (uint64_t n = 1; n < 40; n++) {
        struct kit_world *w = device();
        w->config.alloc_fail_at = n;
        for (int i = 0; i < 3; i++)
            (void)kit_world_start(w);
        struct slots_record r = kw_record(w);
        CHECK(strcmp(kw_version(w), "2.0") == 0 || r.active == 0);
        kit_world_free(w);
    }
}

/* ---- what the applications of the Link SDKs do as well ---- */

/* All of APP_CASES but those about asking for a fresh URL: uOTA does that by its version report. */
static const struct app_case cases[] = {
    {"installs, restarts, reports, confirms", NULL, app_confirmed, "2.0", "100"},
    {"the connection breaks twice", app_breaks, app_resumed, "2.0", "100"},
    {"the body stops in the middle", app_stalls, NULL, "2.0", "100"},
    {"a request gets no answer", app_silence, NULL, "2.0", "100"},
    {"a server without ranges", app_no_ranges, NULL, "2.0", "100"},
    {"a server that refuses the rest", app_refuses_rest, NULL, "2.0", "100"},
    {"a wrong bit", app_flips, app_once, "1.0", "-3"},
    {"more bytes than announced", app_endless, app_slot_was_spared, "1.0", "-2"},
    {"larger than the slot", app_too_large, app_slot_is_blank, "1.0", "-1"},
    {"an older version", app_older, app_slot_is_blank, "1.0", "-1"},
    {"1.10 after 1.9", app_tenth, NULL, "1.10", "100"},
    {"the version that runs", app_same, app_slot_is_blank, "1.0", NULL},
    {"announcements for others", app_foreign, app_slot_is_blank, "1.0", NULL},
    {"a configuration", app_config, app_slot_is_blank, "1.0", NULL},
    {"an announcement that repeats", app_repeats, app_one_get, "2.0", "100"},
    {"the session breaks as well", app_drops_session, app_came_back, "2.0", "100"},
    {"a page that cannot be programmed", app_flash_fails, NULL, "1.0", "-4"},
    {"a unit that cannot be erased", app_erase_fails, NULL, "1.0", "-4"},
    {"flash that keeps something else", app_flash_lies, app_once, "1.0", "-3"},
    {"an image that crashes", app_crashing_image, app_rolled_back, "1.0", "-1"},
    {"a login that is refused", app_refuses_login, app_was_patient, "1.0", NULL},
    {"nobody answers", app_no_broker, app_slot_is_blank, "1.0", NULL},
};

static void lives(const void *row)
{
    app_run(row, AGENT_UOTA);
}

static const struct test tests[] = {
    TEST_ROWS("the device", lives, cases, app_case_name),
    {"one upgrade", one_upgrade},
    {"with SHA-256", with_sha256},
    {"goes on where it was", goes_on_where_it_was},
    {"a server without ranges", a_server_without_ranges},
    {"an expired URL is made fresh", an_expired_url_is_made_fresh},
    {"a refused download", a_refused_download},
    {"a wrong digest", a_wrong_digest},
    {"flash that lies", flash_that_lies},
    {"flash that refuses", flash_that_refuses},
    TEST_ROWS("a reply of no use", a_reply_of_no_use, bad_replies, NULL),
    TEST_ROWS("not taken", not_taken, announcements, announced_name),
    {"a newer one replaces it", a_newer_one_replaces_it},
    {"every cut", every_cut},
    {"resumes over a power cut", resumes_over_a_power_cut},
    {"another digest starts over", another_digest_starts_over},
    {"a new image that fails", a_new_image_that_fails},
    {"MQTT that never answers", mqtt_that_never_answers},
    {"quirks", quirks},
    {"no memory", no_memory},
};
TEST_MAIN("AliOS client", tests)
