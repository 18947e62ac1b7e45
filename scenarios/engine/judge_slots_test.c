/* The judge of devices with two slots: one good run, and what each change of it must be found as.
 */
#include "scenarios/engine/judge_testing.h"

static const char slots_run[] =
    "boot/boot slot=0 state=steady starts=0\n"
    "boot/verify slot=0 ok=1 reason=\n"
    "boot/run slot=0\n"
    "device/start version=1.0\n"
    "cloud/record delta_id=1000 state=pending\n"
    "network/connect conn=1 what=mqtt\n"
    "cloud/login identity=device1&a1OtaBench1 code=0\n"
    "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
    "topic=/ota/device/inform/a1OtaBench1/device1 "
    "payload={\"id\":1,\"params\":{\"version\":\"1.0\"}}\n"
    "cloud/push identity=device1&a1OtaBench1 topic=/ota/device/upgrade/a1OtaBench1/device1 "
    "payload={\"code\":\"1000\",\"data\":{\"size\":2300,\"sign\":\"aa\",\"version\":\"1.1\"}} "
    "delivered=1\n"
    "device/package bytes=2300 version=1.1\n"
    "cloud/request rq=download n=1 range=bytes=0-\n"
    "cloud/reply rq=download n=1 status=206 bytes=2300\n"
    "flash/erase op=1 addr=266240 len=4096\n"
    "flash/program op=2 addr=266240 len=1024\n"
    "@flash 0 1024\n"
    "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
    "topic=/ota/device/progress/a1OtaBench1/device1 "
    "payload={\"id\":2,\"params\":{\"step\":\"40\",\"desc\":\"\"}}\n"
    "cloud/record delta_id=1000 state=upgrading\n"
    "flash/program op=3 addr=267264 len=1276\n"
    "@flash 1024 2300\n"
    "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
    "topic=/ota/device/progress/a1OtaBench1/device1 "
    "payload={\"id\":2,\"params\":{\"step\":\"80\",\"desc\":\"\"}}\n"
    "device/state code=-0x091F\n"
    "device/state code=-0x0901\n"
    "device/verify ok=1\n"
    "flash/program op=4 addr=602112 len=256\n"
    "boot/set_boot slot=1 bytes=2300 version=1.1\n"
    "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
    "topic=/ota/device/progress/a1OtaBench1/device1 "
    "payload={\"id\":2,\"params\":{\"step\":\"100\",\"desc\":\"\"}}\n"
    "device/reset version=1.1\n"
    "boot/boot slot=0 state=pending starts=0\n"
    "boot/verify slot=1 ok=1 reason=\n"
    "flash/program op=5 addr=602368 len=256\n"
    "boot/trial slot=1 start=1 of=3\n"
    "boot/run slot=1\n"
    "@version 1.1\n"
    "device/start version=1.1\n"
    "cloud/login identity=device1&a1OtaBench1 code=0\n"
    "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
    "topic=/ota/device/inform/a1OtaBench1/device1 "
    "payload={\"id\":1,\"params\":{\"version\":\"1.1\"}}\n"
    "cloud/record delta_id=1000 state=success\n"
    "flash/program op=6 addr=602624 len=256\n"
    "boot/confirm slot=1 version=1.1\n"
    "@wait 40000\n"
    "device/idle rounds=1\n"
    "@main\n"
    "@healed\n";

static const struct run_row rows[] = {
    {.name = "a clean upgrade",
     .fails = "",
     .device = ", \"agent\": \"aiot\"",
     .kind = PACKAGE_FULL},
    {.name = "an image that differs is chosen",
     .fails = "DWN-01 INT-01",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "@flash 1024", ""}},
     .kind = PACKAGE_FULL},
    {.name = "chosen before it was verified",
     .fails = "INT-16 BOT-08",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "device/verify", ""}},
     .kind = PACKAGE_FULL},
    {.name = "the image that was chosen is not looked at",
     .fails = "BOT-08",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "boot/verify slot=1", ""}},
     .kind = PACKAGE_FULL},
    {.name = "the chosen slot is not started",
     .fails = "BOT-08 BOT-09",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "boot/run slot=1", "boot/run slot=0\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a fourth start of a trial",
     .fails = "BOT-11",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "boot/trial", "boot/trial slot=1 start=4 of=3\n"}},
     .kind = PACKAGE_FULL},
    {.name = "the running slot is changed",
     .fails = "BOT-02",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "flash/erase op=1", "flash/program op=9 addr=4096 len=256\n"}},
     .kind = PACKAGE_FULL},
    {.name = "user data are changed",
     .fails = "PWR-16",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "flash/erase op=1", "flash/program op=9 addr=532480 len=256\n"}},
     .kind = PACKAGE_FULL},
    {.name = "written past the announced size",
     .fails = "DWN-06",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "flash/program op=3", "flash/program op=9 addr=268544 len=256\n"}},
     .kind = PACKAGE_FULL},
    {.name = "bytes of a refusal are stored",
     .fails = "DWN-02",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "cloud/reply rq=download",
               "cloud/reply rq=download n=1 status=403 bytes=200\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a code arrives as another",
     .fails = "RPT-15",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "flash/program op=3",
               "device/progress step=-2\n"
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"-4\",\"desc\":\"\"}}\n"},
              {INSTEAD, "\"step\":\"80\"", ""},
              {INSTEAD, "\"step\":\"100\"", ""}},
     .kind = PACKAGE_FULL},
    {.name = "a download ends for a report",
     .fails = "RPT-13",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "flash/program op=3",
               "device/state code=-0x0902\n"
               "device/progress step=-2\n"
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"-2\",\"desc\":\"\"}}\n"},
              {INSTEAD, "\"step\":\"80\"", ""},
              {INSTEAD, "\"step\":\"100\"", ""}},
     .kind = PACKAGE_FULL},
    {.name = "another version is reported",
     .fails = "CLD-13",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "\"version\":\"1.0\"",
               "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":1,\"params\":{\"version\":\"0.9\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "the version is reported again and again",
     .fails = "CLD-12",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "\"version\":\"1.0\"",
               "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":1,\"params\":{\"version\":\"1.0\"}}\n"
               "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":1,\"params\":{\"version\":\"1.0\"}}\n"
               "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":1,\"params\":{\"version\":\"1.0\"}}\n"
               "cloud/message rq=inform n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":1,\"params\":{\"version\":\"1.0\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "the version is never reported",
     .fails = "CLD-19 RPT-18",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{UNTIL_END, "\"version\":\"1.0\"",
               "@wait 40000\n"
               "cloud/record delta_id=1000 state=failed\n"
               "device/idle rounds=1\n"
               "@main\n"
               "@healed\n"}},
     .kind = PACKAGE_FULL},
    {.name = "an announcement is not taken",
     .fails = "CLD-14",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{UNTIL_END, "device/package",
               "@wait 90000\n"
               "cloud/record delta_id=1000 state=failed\n"
               "device/idle rounds=1\n"
               "@main\n"
               "@healed\n"}},
     .kind = PACKAGE_FULL},
    {.name = "another size is taken",
     .fails = "CLD-15 SEC-05",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "device/package", "device/package bytes=2299 version=1.1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "an announcement for another device is taken",
     .fails = "CLD-21",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "cloud/push",
               "cloud/push identity=device1&a1OtaBench1 topic=/ota/device/upgrade/a1OtaBench1/x "
               "payload={\"code\":\"1000\",\"data\":{\"size\":2300,\"sign\":\"aa\",\"version\":\"1."
               "1\"}} delivered=1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a configuration is taken",
     .fails = "CLD-19 CLD-22",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "cloud/push",
               "cloud/push identity=device1&a1OtaBench1 "
               "topic=/sys/a1OtaBench1/device1/thing/config/push payload={} delivered=1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "an announcement without an address is taken",
     .fails = "CLD-16",
     .device = ", \"agent\": \"aiot\"",
     .rest = ", \"cloud\": {\"faults\": [{\"on\": \"push\", \"do\": \"omit\", \"text\": \"url\"}]}",
     .edit = {{BEFORE, "cloud/push", "cloud/fault kind=omit rq=push n=1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "an unknown digest method is taken",
     .fails = "CLD-17",
     .device = ", \"agent\": \"aiot\"",
     .rest = ", \"cloud\": {\"faults\": [{\"on\": \"push\", \"do\": \"sign-method\", \"text\": "
             "\"Sm3\"}]}",
     .edit = {{BEFORE, "cloud/push", "cloud/fault kind=sign-method rq=push n=1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "progress falls",
     .fails = "RPT-04 RPT-05",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "\"step\":\"80\"",
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"30\",\"desc\":\"\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "progress is told again",
     .fails = "RPT-05",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "\"step\":\"80\"",
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"80\",\"desc\":\"\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a step that is a number",
     .fails = "RPT-12",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "\"step\":\"80\"",
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":80,\"desc\":\"\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "progress on another topic",
     .fails = "RPT-07",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "\"step\":\"80\"",
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/inform/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"80\",\"desc\":\"\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "progress after the end",
     .fails = "RPT-05 RPT-14",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "\"step\":\"100\"",
               "cloud/message rq=progress n=1 identity=device1&a1OtaBench1 "
               "topic=/ota/device/progress/a1OtaBench1/device1 "
               "payload={\"id\":2,\"params\":{\"step\":\"100\",\"desc\":\"\"}}\n"}},
     .kind = PACKAGE_FULL},
    {.name = "success without a report",
     .fails = "RPT-08 RPT-18",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "params\":{\"version\":\"1.1\"", ""}},
     .kind = PACKAGE_FULL},
    {.name = "a secret in the log",
     .fails = "SEC-12",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "device/package", "device/log text=GET?Signature=abc\n"}},
     .kind = PACKAGE_FULL},
    {.name = "matched before all was received",
     .fails = "INT-12",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "device/state code=-0x091F", ""}},
     .kind = PACKAGE_FULL},
    {.name = "a refused login is repeated at once",
     .fails = "NET-11",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{BEFORE, "cloud/login", "cloud/login identity=device1&a1OtaBench1 code=4\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a lower version is taken",
     .fails = "SEC-01",
     .device = ", \"agent\": \"aiot\"",
     .edit =
         {{INSTEAD, "cloud/push",
           "cloud/push identity=device1&a1OtaBench1 topic=/ota/device/upgrade/a1OtaBench1/device1 "
           "payload={\"code\":\"1000\",\"data\":{\"size\":2300,\"sign\":\"aa\",\"version\":\"0.9\"}"
           "} delivered=1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a given-up version is chosen again",
     .fails = "BOT-14",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{BEFORE, "device/start version=1.0",
               "boot/rollback from=1 to=0 reason=not-confirmed version=1.1\n"
               "boot/run slot=0\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a confirmed version is given up",
     .fails = "BOT-13",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{AFTER, "boot/confirm",
               "boot/rollback from=1 to=0 reason=not-confirmed version=1.1\n"}},
     .kind = PACKAGE_FULL},
    {.name = "the record is left without an end",
     .fails = "RPT-17",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "state=success", ""}},
     .kind = PACKAGE_FULL},
    {.name = "no update installs afterwards",
     .fails = "BOT-01",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{INSTEAD, "@healed", "@dead\n"}},
     .kind = PACKAGE_FULL},
    {.name = "a cut costs nothing",
     .fails = "",
     .device = ", \"agent\": \"aiot\"",
     .edit = {{BEFORE, "boot/boot slot=0 state=pending", "power/cut op=4 tear=nothing\n"}},
     .kind = PACKAGE_FULL},
};

static void is_found(const void *arg)
{
    const struct run_row *row = arg;
    struct bench *b = bench_new(row);
    char stream[STREAM_MAX];
    char got[512];
    (void)snprintf(stream, sizeof stream, "%s", slots_run);
    for (size_t i = 0; i < EDITS_MAX && row->edit[i].kind != NO_EDIT; i++)
        edit_stream(stream, &row->edit[i]);
    char *rest = NULL;
    for (char *line = strtok_r(stream, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        bench_line(b, line);
    judge_results(b->j, &b->result);
    failed(b, got);
    if (!CHECK_STR(got, row->fails))
        for (uint32_t i = 0; i < b->result.n_checks; i++)
            if (b->result.checks[i].detail[0] != '\0')
                printf("%s: %s\n", b->result.checks[i].id, b->result.checks[i].detail);
    bench_free(b);
}

static const struct test tests[] = {
    TEST_ROWS("found", is_found, rows, run_row_name),
};
TEST_MAIN("judge of two slots", tests)
