#include "mock_cloud/campaigns/campaigns_testing.h"

static void a_failed_verification_verifies_nothing(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    upload(&b, 5, "2.0", NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", -2, NULL), NULL);
    CHECK_ERR(start(&b, TASK_BATCH, 5, "", "", NULL), ERR_WRONG_STATE);
    bench_close(&b);
}

static void again_is_for_the_failed_only(void)
{
    static const char *const devices[] = {"good", "bad", "bad2", "busy", "waiting"};
    struct bench b;
    bench_open(&b);
    upload(&b, 5, "2.0", NULL);
    for (size_t i = 0; i < 5; i++) {
        put_device(&b, devices[i], "1.0");
        CHECK_OK(start(&b, TASK_VERIFY, 5, devices[i], "", NULL), NULL);
    }
    CHECK_OK(campaign_version(b.cloud, 0, "good", "", "2.0", NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "bad", "", -4, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "bad2", "", -1, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "busy", "", 5, NULL), NULL);
    CHECK_ERR(start(&b, TASK_AGAIN, 5, "good", "", NULL), ERR_WRONG_STATE);
    CHECK_ERR(start(&b, TASK_AGAIN, 5, "busy", "", NULL), ERR_WRONG_STATE);
    CHECK_ERR(start(&b, TASK_AGAIN, 5, "waiting", "", NULL), ERR_WRONG_STATE);
    CHECK_OK(start(&b, TASK_AGAIN, 5, "bad", "", NULL), NULL);
    CHECK_STR(b.offered, "bad ");
    CHECK_INT(state_of(&b, 5, "bad"), RECORD_PENDING);
    CHECK_INT(state_of(&b, 5, "bad2"), RECORD_FAILED);
    CHECK_OK(start(&b, TASK_AGAIN, 5, "", "", NULL), NULL);
    CHECK_STR(b.offered, "bad2 ");
    bench_close(&b);
}

static void a_new_task_ends_the_open_one(void)
{
    struct bench b;
    struct store_firmware f;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    upload(&b, 5, "2.0", NULL);
    upload(&b, 6, "3.0", NULL);
    upload(&b, 7, "1.0", "mcu");
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d2", "", NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d2", "", 1, NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 7, "d1", "", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING); /* another module */
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d1", "", NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d2", "", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_SUPERSEDED);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_FAILED);
    CHECK_OK(campaign_needed(b.cloud, "d1", "", 0, &f, NULL), NULL);
    CHECK_INT(f.delta_id, 6);
    CHECK_ERR(campaign_needed(b.cloud, "d1", "", 1, &f, NULL), ERR_NOT_FOUND);
    /* The module has never told its version. */
    CHECK_ERR(campaign_needed(b.cloud, "d1", "*", 1, &f, NULL), ERR_NOT_FOUND);
    CHECK_OK(campaign_version(b.cloud, 0, "d1", "mcu", "0.5", NULL), NULL);
    CHECK_OK(campaign_needed(b.cloud, "d1", "*", 1, &f, NULL), NULL);
    bench_close(&b);
}

static void a_task_is_cancelled(void)
{
    struct bench b;
    struct store_firmware f;
    int64_t task = 0;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    upload(&b, 5, "2.0", NULL);
    verify(&b, 5, "d1", "2.0");
    CHECK_OK(start(&b, TASK_BATCH, 5, "", "", &task), NULL);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_PENDING);
    CHECK_OK(campaign_cancel(b.cloud, 0, task, NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_SUPERSEDED);
    CHECK_ERR(campaign_needed(b.cloud, "d2", "*", 0, &f, NULL), ERR_NOT_FOUND);
    put_device(&b, "d3", "1.0");
    CHECK_INT(state_of(&b, 5, "d3"), -1);
    CHECK_ERR(campaign_cancel(b.cloud, 0, 99, NULL), ERR_NOT_FOUND);
    bench_close(&b);
}

static void a_task_waits_for_its_time(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    upload(&b, 5, "2.0", NULL);
    struct store_task t = {
        .delta_id = 5, .kind = TASK_VERIFY, .device_id = "d1", .starts_ns = 10 * NS_PER_S};
    CHECK_OK(campaign_start(b.cloud, 0, &t, NULL), NULL);
    CHECK_INT(cloud_due_ns(b.cloud), 10 * NS_PER_S);
    CHECK_INT(campaign_tick(b.cloud, 9 * NS_PER_S), 10 * NS_PER_S);
    CHECK_INT(state_of(&b, 5, "d1"), -1);
    CHECK_INT(campaign_tick(b.cloud, 10 * NS_PER_S), VTIME_NEVER);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING);
    bench_close(&b);
}

static void a_wrong_version_after_all_fails(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    upload(&b, 5, "2.0", NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d2", "", NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 100, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d2", "", 100, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d2", "", 20, NULL), NULL);
    CHECK_OK(campaign_settle(b.cloud, 0, "d1", NULL), NULL);
    CHECK_OK(campaign_settle(b.cloud, 0, "d2", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_FAILED);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_UPGRADING);
    bench_close(&b);
}

static void failures_are_tried_again(void)
{
    struct bench b;
    struct store_task t = {.retries = 2, .retry_after_ns = 10 * NS_PER_S};
    fleet(&b, 2);
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_OK(campaign_progress(b.cloud, NS_PER_S, "d1", "", -2, NULL), NULL);
    CHECK(cloud_due_ns(b.cloud) <= NS_PER_S);
    CHECK_INT(campaign_tick(b.cloud, NS_PER_S), 11 * NS_PER_S);
    b.offered[0] = '\0';
    CHECK_INT(campaign_tick(b.cloud, 11 * NS_PER_S), VTIME_NEVER);
    CHECK_STR(b.offered, "d1 ");
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING);
    CHECK_OK(campaign_progress(b.cloud, 12 * NS_PER_S, "d1", "", -4, NULL), NULL);
    CHECK_INT(campaign_tick(b.cloud, 22 * NS_PER_S), VTIME_NEVER);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING);
    CHECK_OK(campaign_progress(b.cloud, 23 * NS_PER_S, "d1", "", -4, NULL), NULL);
    CHECK_INT(campaign_tick(b.cloud, 60 * NS_PER_S), VTIME_NEVER); /* that was twice */
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_FAILED);
    /* A device that fell silent is left alone. */
    CHECK_OK(campaign_progress(b.cloud, 60 * NS_PER_S, "d2", "", 5, NULL), NULL);
    (void)cloud_tick(b.cloud, 90 * NS_PER_S);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_FAILED);
    CHECK_INT(campaign_tick(b.cloud, 200 * NS_PER_S), VTIME_NEVER);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_FAILED);
    bench_close(&b);
}

static void a_cancelled_task_leaves_others(void)
{
    struct bench b;
    struct store_task t = {.sources = "1.0"}, u = {.sources = "1.1"};
    fleet(&b, 1);
    put_device(&b, "d2", "1.1");
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_OK(batch(&b, 0, &u), NULL);
    CHECK_OK(campaign_cancel(b.cloud, 0, u.task_id, NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_SUPERSEDED);
    bench_close(&b);
}

static void progress_of_an_interrupted_download_is_its_own(void)
{
    struct bench b;
    struct store_record rec;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    upload(&b, 5, "2.0", NULL);
    upload(&b, 6, "3.0", NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_OK(campaign_fetched(b.cloud, "d1", 5, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 40, NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d1", "", NULL), NULL);
    /* The device goes on with what it had begun. */
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 60, NULL), NULL);
    CHECK_OK(campaign_fetched(b.cloud, "d1", 5, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 100, NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_FAILED);
    CHECK_INT(state_of(&b, 6, "d1"), RECORD_PENDING);
    /* It turns to the new one. */
    CHECK_OK(campaign_fetched(b.cloud, "d1", 6, NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 5, NULL), NULL);
    CHECK_INT(state_of(&b, 6, "d1"), RECORD_UPGRADING);
    CHECK_OK(store_get_record(b.store, 5, "d1", &rec, NULL), NULL);
    CHECK_INT(rec.download_status, 40);
    bench_close(&b);
}

struct turn_row {
    const char *name;
    int (*turn)(struct cloud *c);
    int state; /* of the new upgrade, after progress */
};

static int tells_its_version(struct cloud *c)
{
    return campaign_version(c, 0, "d1", "", "1.0", NULL);
}

static int begins_a_session(struct cloud *c)
{
    return campaign_restarted(c, "d1", NULL);
}

static int says_it_has_failed(struct cloud *c)
{
    return campaign_progress(c, 0, "d1", "", -2, NULL);
}

static int asks_for_another_module(struct cloud *c)
{
    return campaign_fetched(c, "d1", 7, NULL);
}

static const struct turn_row turns[] = {
    {"tells its version", tells_its_version, RECORD_UPGRADING},
    {"begins a session", begins_a_session, RECORD_UPGRADING},
    {"says that it has failed", says_it_has_failed, RECORD_UPGRADING},
    {"asks for a file of another module", asks_for_another_module, RECORD_PENDING},
};

/* Cancelled in mid-download, then another task: the same. */
static void a_device_turns_to_the_new_task(const void *row)
{
    const struct turn_row *r = row;
    struct bench b;
    int64_t task = 0;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    upload(&b, 5, "2.0", NULL);
    upload(&b, 6, "3.0", NULL);
    upload(&b, 7, "1.0", "mcu");
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", &task), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 40, NULL), NULL);
    CHECK_OK(campaign_cancel(b.cloud, 0, task, NULL), NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d1", "", NULL), NULL);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 45, NULL), NULL);
    CHECK_INT(state_of(&b, 6, "d1"), RECORD_PENDING);
    CHECK_OK(r->turn(b.cloud), NULL);
    CHECK_INT(state_of(&b, 6, "d1"), RECORD_PENDING);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 5, NULL), NULL);
    CHECK_INT(state_of(&b, 6, "d1"), r->state);
    bench_close(&b);
}

static const char *turn_name(const void *row)
{
    return ((const struct turn_row *)row)->name;
}

struct bad_row {
    const char *name;
    struct campaign_firmware firmware;
    int code;
    const char *text;
};

static const struct campaign_file one[] = {{.content = "x", .bytes = 1},
                                           {.content = "y", .bytes = 1}};

static const struct bad_row bad[] = {
    {"id 0", {.product_id = "p", .version = "1", .files = one, .file_count = 1}, ERR_ARG, "id 0"},
    {"an id near the end",
     {.delta_id = INT32_MAX, .product_id = "p", .version = "1", .files = one, .file_count = 1},
     ERR_ARG,
     "must be 1 to"},
    {"no version",
     {.delta_id = 1, .product_id = "p", .files = one, .file_count = 1},
     ERR_ARG,
     "version"},
    {"no product",
     {.delta_id = 1, .version = "1", .files = one, .file_count = 1},
     ERR_ARG,
     "product"},
    {"no files",
     {.delta_id = 1, .product_id = "p", .version = "1", .files = one},
     ERR_LIMIT,
     "0 files"},
    {"an empty file",
     {.delta_id = 1,
      .product_id = "p",
      .version = "1",
      .files = (const struct campaign_file[]){{.content = ""}},
      .file_count = 1},
     ERR_ARG,
     "file 1 is empty"},
    {"21 files",
     {.delta_id = 1, .product_id = "p", .version = "1", .files = one, .file_count = 21},
     ERR_LIMIT,
     "21 files"},
    {"two files over MQTT",
     {.delta_id = 1,
      .product_id = "p",
      .version = "1",
      .files = one,
      .file_count = 2,
      .over_mqtt = true},
     ERR_ARG,
     "one file"},
    {"extra that is a list",
     {.delta_id = 1,
      .product_id = "p",
      .version = "1",
      .files = one,
      .file_count = 1,
      .extra = "[]"},
     ERR_FORMAT,
     "object"},
    {"extra that is no JSON",
     {.delta_id = 1,
      .product_id = "p",
      .version = "1",
      .files = one,
      .file_count = 1,
      .extra = "{"},
     ERR_FORMAT,
     "extra"},
};

static void bad_firmware_is_refused(const void *row)
{
    const struct bad_row *r = row;
    struct bench b;
    struct err err = {""};
    bench_open(&b);
    CHECK_ERR(campaign_upload(b.store, &r->firmware, &err), r->code);
    CHECK_HAS(err.text, r->text);
    bench_close(&b);
}

static const char *bad_name(const void *row)
{
    return ((const struct bad_row *)row)->name;
}

static void tasks_for_nobody_are_refused(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    upload(&b, 5, "2.0", NULL);
    CHECK_ERR(start(&b, TASK_VERIFY, 9, "d1", "", NULL), ERR_NOT_FOUND);
    CHECK_ERR(start(&b, TASK_VERIFY, 5, "d9", "", NULL), ERR_NOT_FOUND);
    CHECK_ERR(start(&b, TASK_VERIFY, 5, "", "", NULL), ERR_ARG);
    CHECK_ERR(start(&b, TASK_AGAIN, 5, "d1", "", NULL), ERR_NOT_FOUND);
    bench_close(&b);
}

static const struct test tests[] = {
    {"a failed verification verifies nothing", a_failed_verification_verifies_nothing},
    {"again is for the failed only", again_is_for_the_failed_only},
    {"a new task ends the open one", a_new_task_ends_the_open_one},
    {"a task is cancelled", a_task_is_cancelled},
    {"a task waits for its time", a_task_waits_for_its_time},
    {"a wrong version after 100 fails", a_wrong_version_after_all_fails},
    {"failures are tried again", failures_are_tried_again},
    {"a cancelled task leaves others", a_cancelled_task_leaves_others},
    {"progress of an interrupted download is its own",
     progress_of_an_interrupted_download_is_its_own},
    TEST_ROWS("a device turns to the new task when it", a_device_turns_to_the_new_task, turns,
              turn_name),
    TEST_ROWS("refused firmware:", bad_firmware_is_refused, bad, bad_name),
    {"tasks for nobody are refused", tasks_for_nobody_are_refused},
};
TEST_MAIN("campaigns", tests)
