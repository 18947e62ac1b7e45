#include "mock_cloud/campaigns/campaigns.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/vtime.h"

#define PRODUCT "p"

struct bench {
    struct store *store;
    struct cloud *cloud;
    char offered[512]; /* device ids with a blank behind each, in order */
};

static struct bench *current; /* the hook below has no context of its own */

static void on_offered(struct cloud *c, int64_t now_ns, const char *device_id, int64_t delta_id)
{
    size_t at = strlen(current->offered);
    (void)c;
    (void)now_ns;
    (void)delta_id;
    (void)snprintf(current->offered + at, sizeof current->offered - at, "%s ", device_id);
}

static const struct face face = {.name = "test", .offered = on_offered};
static const struct face *const faces[] = {&face};

static void bench_open(struct bench *b)
{
    struct err err = {""};
    *b = (struct bench){.store = store_open(NULL, &err)};
    REQUIRE_OK(b->store == NULL ? ERR_IO : 0, &err);
    struct cloud_config cfg = {
        .store = b->store, .download_host = "h", .project_key = "k", .task_timeout_ns = NS_PER_S};
    b->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(b->cloud == NULL ? ERR_IO : 0, &err);
    current = b;
    struct store_product p = {.product_id = PRODUCT};
    CHECK_OK(store_put_product(b->store, &p, &err), &err);
}

static void bench_close(struct bench *b)
{
    cloud_free(b->cloud);
    store_close(b->store);
    current = NULL;
}

static void put_device(struct bench *b, const char *id, const char *version)
{
    struct store_device d = {.product_id = PRODUCT};
    (void)snprintf(d.device_id, sizeof d.device_id, "%s", id);
    CHECK_OK(store_put_device(b->store, &d, NULL), NULL);
    if (version != NULL)
        CHECK_OK(campaign_version(b->cloud, 0, id, "", version, NULL), NULL);
}

static void upload(struct bench *b, int64_t id, const char *version, const char *module)
{
    const struct campaign_file file = {.content = "x", .bytes = 1};
    const struct campaign_firmware f = {.delta_id = id,
                                        .product_id = PRODUCT,
                                        .version = version,
                                        .module = module,
                                        .files = &file,
                                        .file_count = 1};
    struct err err = {""};
    CHECK_OK(campaign_upload(b->store, &f, &err), &err);
}

static int start(struct bench *b, enum task_kind kind, int64_t id, const char *device,
                 const char *from, int64_t *task_id)
{
    struct store_task t = {.delta_id = id, .kind = kind};
    struct err err = {""};
    (void)snprintf(t.device_id, sizeof t.device_id, "%s", device);
    (void)snprintf(t.from_version, sizeof t.from_version, "%s", from);
    b->offered[0] = '\0';
    int rc = campaign_start(b->cloud, 0, &t, &err);
    if (task_id != NULL)
        *task_id = t.task_id;
    return rc;
}

/* -1: no record */
static int state_of(struct bench *b, int64_t id, const char *device)
{
    struct store_record rec;
    return store_get_record(b->store, id, device, &rec, NULL) == 0 ? (int)rec.state : -1;
}

static void verify(struct bench *b, int64_t id, const char *device, const char *version)
{
    CHECK_OK(start(b, TASK_VERIFY, id, device, "", NULL), NULL);
    CHECK_OK(campaign_version(b->cloud, 0, device, "", version, NULL), NULL);
    CHECK_INT(state_of(b, id, device), RECORD_SUCCESS);
}

static void a_batch_needs_a_verification(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    put_device(&b, "d3", "1.1");
    put_device(&b, "d4", NULL);
    upload(&b, 5, "2.0", NULL);
    CHECK_ERR(start(&b, TASK_BATCH, 5, "", "", NULL), ERR_WRONG_STATE);
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_STR(b.offered, "d1 ");
    CHECK_ERR(start(&b, TASK_BATCH, 5, "", "", NULL), ERR_WRONG_STATE);
    CHECK_OK(campaign_progress(b.cloud, 0, "d1", "", 100, NULL), NULL);
    CHECK_ERR(start(&b, TASK_BATCH, 5, "", "", NULL), ERR_WRONG_STATE);
    CHECK_OK(campaign_version(b.cloud, 0, "d1", "", "2.0", NULL), NULL);
    CHECK_OK(start(&b, TASK_BATCH, 5, "", "", NULL), NULL);
    CHECK_STR(b.offered, "d2 d3 ");
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_SUCCESS);
    CHECK_INT(state_of(&b, 5, "d4"), -1);
    /* Those who come later are taken in by what they say. */
    CHECK_OK(campaign_version(b.cloud, 0, "d4", "", "0.9", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d4"), RECORD_PENDING);
    put_device(&b, "d5", "3.0");
    CHECK_INT(state_of(&b, 5, "d5"), -1);
    bench_close(&b);
}

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

static void a_batch_may_want_one_version(void)
{
    struct bench b;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    put_device(&b, "d3", "1.1");
    upload(&b, 5, "2.0", NULL);
    verify(&b, 5, "d1", "2.0");
    CHECK_OK(start(&b, TASK_BATCH, 5, "", "1.1", NULL), NULL);
    CHECK_STR(b.offered, "d3 ");
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
    {"a batch needs a verification", a_batch_needs_a_verification},
    {"a failed verification verifies nothing", a_failed_verification_verifies_nothing},
    {"a batch may want one version", a_batch_may_want_one_version},
    {"again is for the failed only", again_is_for_the_failed_only},
    {"a new task ends the open one", a_new_task_ends_the_open_one},
    {"a task is cancelled", a_task_is_cancelled},
    {"a task waits for its time", a_task_waits_for_its_time},
    {"a wrong version after 100 fails", a_wrong_version_after_all_fails},
    TEST_ROWS("refused firmware:", bad_firmware_is_refused, bad, bad_name),
    {"tasks for nobody are refused", tasks_for_nobody_are_refused},
};
TEST_MAIN("campaigns", tests)
