#include "scenarios/cli/timeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/utf8.h"
#include "common/vtime.h"

static void add(struct story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct story *s, const char *fmt, ...)
{
    char line[1024];
    struct err err = {0};
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    CHECK_OK(story_line(s, line, (size_t)n, &err), &err);
}

#define EVENT(t_ms, lane, name)                                                                    \
    "{\"t\":" #t_ms "000000,\"lane\":\"" lane "\",\"event\":\"" name "\""

static void download(struct story *s, int from, int to)
{
    for (int i = from; i <= to; i++) {
        add(s, EVENT(10, "cloud", "request") ",\"rq\":\"download\",\"n\":%d}", i);
        add(s,
            EVENT(10, "cloud", "reply") ",\"rq\":\"download\",\"n\":%d,\"status\":206,"
                                        "\"bytes\":128}",
            i);
        add(s, EVENT(11, "flash", "program") ",\"op\":%d,\"addr\":0,\"len\":128}", i * 2 - 1);
        add(s, EVENT(11, "flash", "program") ",\"op\":%d,\"addr\":0,\"len\":16}", i * 2);
        add(s, EVENT(12, "device", "segment") ",\"number\":%d}", i);
    }
}

static void a_download_is_one_row(void)
{
    struct story s;
    story_init(&s);
    download(&s, 1, 30);
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 1);
    CHECK_STR(s.rows[0].cell[LANE_CLOUD].text, "download ×30 → 206, 3840 B");
    CHECK_STR(s.rows[0].cell[LANE_DEVICE].text, "segments 1–30 stored");
    CHECK_STR(s.rows[0].cell[LANE_FLASH].text, "#1–60 write ×60");
    CHECK_INT(s.rows[0].from_ns, 10 * NS_PER_MS);
    CHECK_INT(s.rows[0].to_ns, 12 * NS_PER_MS);
    CHECK_INT(s.events, 150);
    story_free(&s);
}

static void a_fault_divides_it(void)
{
    struct story s;
    story_init(&s);
    download(&s, 1, 11);
    add(&s, EVENT(20, "network", "fault") ",\"do\":\"reset\",\"conn\":2,\"dir\":\"down\","
                                          "\"byte\":1500}");
    add(&s, EVENT(20, "network", "reset") ",\"conn\":2}");
    add(&s, EVENT(30, "device", "resume") ",\"segment\":12,\"of\":30}");
    download(&s, 12, 30);
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 3);
    CHECK_STR(s.rows[0].cell[LANE_DEVICE].text, "segments 1–11 stored");
    CHECK_STR(s.rows[0].cell[LANE_NETWORK].text, "FAULT reset: conn 2 down, byte 1500");
    CHECK_INT(s.rows[0].cell[LANE_NETWORK].mood, MOOD_BAD);
    CHECK_STR(s.rows[1].cell[LANE_DEVICE].text, "resumes at segment 12 of 30");
    CHECK_STR(s.rows[2].cell[LANE_DEVICE].text, "segments 12–30 stored");
    story_free(&s);
}

static void a_cut_and_the_start_after_it_are_rules(void)
{
    struct story s;
    story_init(&s);
    add(&s, EVENT(1, "boot", "boot") ",\"mark\":0}");
    add(&s, EVENT(1, "flash", "erase") ",\"op\":7,\"addr\":0,\"len\":4096,\"torn\":1,"
                                       "\"tear\":\"half-erased\"}");
    add(&s, EVENT(2, "power", "cut") ",\"op\":7,\"tear\":\"half-erased\"}");
    add(&s, EVENT(1002, "boot", "boot") ",\"mark\":3}");
    add(&s, EVENT(1003, "device", "start") ",\"version\":\"1.1\"}");
    add(&s, EVENT(1004, "device", "reset") ",\"round\":1}");
    add(&s, EVENT(1005, "boot", "boot") ",\"mark\":0}");
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 6);
    CHECK_STR(s.rows[0].text, "power on: boot loader");
    CHECK_STR(s.rows[1].cell[LANE_FLASH].text, "#7 erase, torn erase");
    CHECK_INT(s.rows[2].kind, STORY_CUT);
    CHECK_STR(s.rows[2].text, "POWER CUT at flash operation 7 (half-erased)");
    CHECK_STR(s.rows[3].text, "power is back: boot loader goes on after mark 3");
    CHECK_STR(s.rows[4].cell[LANE_DEVICE].text, "version 1.1 runs");
    CHECK_STR(s.rows[5].text, "the firmware restarts: boot loader");
    story_free(&s);
}

static void rounds_that_repeat_are_counted(void)
{
    struct story s;
    story_init(&s);
    for (int i = 1; i <= 40; i++) {
        add(&s, EVENT(5, "network", "connect") ",\"conn\":%d}", i);
        add(&s,
            EVENT(5, "cloud", "reply") ",\"rq\":\"check\",\"n\":%d,\"status\":200,"
                                       "\"code\":2101,\"bytes\":50}",
            i);
        add(&s, EVENT(6, "device", "api") ",\"call\":\"cmiot_upgrade\",\"result\":-4}");
        add(&s, EVENT(9, "device", "api") ",\"call\":\"cmiot_report_upgrade\",\"result\":-5}");
    }
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 3);
    CHECK_STR(s.rows[0].cell[LANE_DEVICE].text, "upgrade: latest version");
    CHECK_INT(s.rows[2].kind, STORY_REPEAT);
    CHECK_INT(s.rows[2].rows, 2);
    CHECK_INT(s.rows[2].times, 40);
    CHECK_STR(s.rows[2].text, "the 2 rows above: 40 times in all, until 0.009");
    story_free(&s);
}

static void healing_is_two_rules(void)
{
    struct story s;
    story_init(&s);
    add(&s, EVENT(100, "power", "cut") ",\"op\":9,\"tear\":\"nothing\"}");
    add(&s, EVENT(100, "bench", "heal") ",\"start\":1}");
    add(&s, EVENT(200, "boot", "boot") ",\"mark\":0}");
    download(&s, 1, 5);
    add(&s, EVENT(300, "bench", "heal") ",\"start\":2}");
    add(&s, EVENT(400, "boot", "boot") ",\"mark\":0}");
    add(&s, EVENT(2600, "device", "start") ",\"version\":\"99.0\"}");
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 2);
    CHECK_INT(s.rows[0].kind, STORY_HEAL);
    CHECK_STR(s.rows[1].text,
              "after 2.500 s, 2 starts, 5 requests, 10 flash operations: 99.0 runs");
    story_free(&s);
}

static void broken_lines_are_refused(void)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "{\"t\":1,\"lane\":\"flash\"}",
        "{\"t\":-1,\"lane\":\"flash\",\"event\":\"x\"}",
        "{\"t\":1,\"lane\":\"moon\",\"event\":\"x\"}",
    };
    struct story s;
    story_init(&s);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct err err = {0};
        CHECK_ERR(story_line(&s, lines[i], strlen(lines[i]), &err), ERR_FORMAT);
        CHECK(err.text[0] != '\0');
    }
    CHECK_INT(s.count, 0);
    story_free(&s);
}

static const struct paper plain = {.columns = PAPER_COLUMNS_MAX};
static const struct paper coloured = {.colour = true, .columns = PAPER_COLUMNS_MAX};

static void a_flood_is_cut_and_said(void)
{
    struct story s;
    struct buf b;
    story_init(&s);
    buf_init(&b, 4u << 20);
    for (int i = 0; i < STORY_ROWS_MAX + 100; i++)
        add(&s, EVENT(1, "device", "odd%d") "}", i);
    CHECK_INT(s.left_out, 100);
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(timeline_put(&b, &s, &plain), 0);
    CHECK_HAS((const char *)b.data, "100 more events are not shown");
    buf_free(&b);
    story_free(&s);
}

static size_t columns_of(const char *line, size_t len)
{
    size_t n = 0;
    for (size_t at = 0; at < len; n++) {
        size_t step = utf8_char(line + at, len - at);
        at += step == 0 ? 1 : step;
    }
    return n;
}

static void no_line_is_wider_than_promised(void)
{
    struct story s;
    struct buf b;
    story_init(&s);
    buf_init(&b, 1u << 20);
    download(&s, 1, 3);
    add(&s, EVENT(20, "network", "fault") ",\"do\":\"reset\",\"conn\":123456,\"dir\":\"down\","
                                          "\"byte\":123456789}");
    add(&s, EVENT(20, "boot", "verify") ",\"ok\":0,\"reason\":\"a-very-long-word-without-any-blank-"
                                        "in-it and many more words that have to be wrapped\"}");
    add(&s, EVENT(20, "power", "cut") ",\"op\":7,\"tear\":\"half-erased\"}");
    add(&s, EVENT(1002, "boot", "boot") ",\"mark\":3}");
    CHECK_OK(story_end(&s, NULL), NULL);
    for (int columns = PAPER_COLUMNS_MIN; columns <= PAPER_COLUMNS_MAX; columns++) {
        const struct paper paper = {.columns = columns};
        buf_clear(&b);
        CHECK_INT(timeline_put(&b, &s, &paper), 0);
        size_t lines = 0;
        for (const char *p = (const char *)b.data; *p != '\0'; p = strchr(p, '\n') + 1, lines++) {
            size_t len = strcspn(p, "\n");
            CHECK(columns_of(p, len) <= (size_t)columns);
            CHECK(memchr(p, '\x1b', len) == NULL);
        }
        CHECK(lines > 4);
        CHECK_HAS((const char *)b.data, "━╋━ POWER CUT at flash operation 7");
        CHECK_HAS((const char *)b.data, "wrapped");
    }
    buf_clear(&b);
    CHECK_INT(timeline_put(&b, &s, &coloured), 0);
    CHECK_HAS((const char *)b.data, "\x1b[1;31m━╋━ POWER CUT");
    buf_free(&b);
    story_free(&s);
}

/* ---- devices with MQTT and two slots ---- */

static const struct {
    const char *line, *text;
    enum lane lane;
} told[] = {
    {EVENT(1, "cloud", "login") ",\"identity\":\"d&p\",\"code\":4}", "login refused (CONNACK 4)",
     LANE_CLOUD},
    {EVENT(1, "cloud", "message") ",\"rq\":\"inform\",\"payload\":\"{\\\"id\\\":1, "
                                  "\\\"params\\\":{\\\"version\\\":\\\"1.10\\\"}}\"}",
     "hears of version 1.10", LANE_CLOUD},
    {EVENT(1, "cloud",
           "message") ",\"rq\":\"progress\",\"payload\":\"{\\\"step\\\": \\\"-3\\\"}\"}",
     "failure code -3", LANE_CLOUD},
    {EVENT(1, "cloud",
           "push") ",\"topic\":\"/ota/device/upgrade/p/d\",\"payload\":\"{\\\"version\\\":"
                   "\\\"2\\\"}\",\"delivered\":0}",
     "announces 2, the device is offline", LANE_CLOUD},
    {EVENT(1, "cloud", "push") ",\"topic\":\"/sys/p/d/thing/ota/firmware/get_reply\",\"payload\":"
                               "\"{\\\"data\\\":{}}\",\"delivered\":1}",
     "answers nothing", LANE_CLOUD},
    {EVENT(1, "cloud", "publish") ",\"delta_id\":1,\"refused\":\"no such device\"}",
     "no task: no such device", LANE_CLOUD},
    {EVENT(1, "device", "api") ",\"call\":\"aiot_mqtt_connect\",\"result\":-773}",
     "mqtt_connect: -0x0305", LANE_DEVICE},
    {EVENT(1, "device", "api") ",\"call\":\"IOT_OTA_Init\",\"result\":-2}", "IOT_OTA_Init: -2",
     LANE_DEVICE},
    {EVENT(1, "device", "resume") ",\"from\":4096,\"of\":65536}", "resumes at 4096 B", LANE_DEVICE},
    {EVENT(1, "boot", "verify") ",\"slot\":1,\"ok\":0,\"reason\":\"digest\"}",
     "slot B is not: digest", LANE_BOOT},
    {EVENT(1, "boot", "trial") ",\"slot\":1,\"start\":2,\"of\":3}", "slot B, trial 2 of 3",
     LANE_BOOT},
    {EVENT(1, "boot", "rollback") ",\"from\":1,\"to\":0,\"reason\":\"not confirmed\"}",
     "ROLLBACK to slot A: not confirmed", LANE_BOOT},
};

static void iot_events_are_told(void)
{
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        struct story s;
        story_init(&s);
        add(&s, "%s", told[i].line);
        CHECK_OK(story_end(&s, NULL), NULL);
        CHECK_INT(s.count, 1);
        CHECK_STR(s.rows[0].cell[told[i].lane].text, told[i].text);
        story_free(&s);
    }
}

static void progress_is_a_range(void)
{
    struct story s;
    story_init(&s);
    for (int step = 5; step <= 60; step += 5)
        add(&s, EVENT(3, "device", "progress") ",\"step\":%d}", step);
    CHECK_OK(story_end(&s, NULL), NULL);
    CHECK_INT(s.count, 1);
    CHECK_STR(s.rows[0].cell[LANE_DEVICE].text, "progress 5–60 %");
    story_free(&s);
}

static const struct test tests[] = {
    {"events of MQTT and two slots are told", iot_events_are_told},
    {"progress is a range", progress_is_a_range},
    {"a download is one row", a_download_is_one_row},
    {"a fault divides it", a_fault_divides_it},
    {"a cut and the start after it are rules", a_cut_and_the_start_after_it_are_rules},
    {"rounds that repeat are counted", rounds_that_repeat_are_counted},
    {"healing is two rules", healing_is_two_rules},
    {"broken lines are refused", broken_lines_are_refused},
    {"a flood is cut, and that is said", a_flood_is_cut_and_said},
    {"no line is wider than promised", no_line_is_wider_than_promised},
};

TEST_MAIN("timeline", tests)
