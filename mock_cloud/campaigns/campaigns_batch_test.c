#include "mock_cloud/campaigns/campaigns_testing.h"

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

/* Link Kit 3 tells the version of its HAL first; somebody may also have flashed it by hand. */
static void who_is_newer_than_its_batch_is_not_told(void)
{
    struct bench b;
    struct store_firmware f;
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    upload(&b, 5, "2.0", NULL);
    verify(&b, 5, "d1", "2.0");
    CHECK_OK(start(&b, TASK_BATCH, 5, "", "", NULL), NULL);
    CHECK_OK(campaign_needed(b.cloud, "d2", "*", 0, &f, NULL), NULL);
    CHECK_OK(campaign_version(b.cloud, 0, "d2", "", "3.0", NULL), NULL);
    CHECK_ERR(campaign_needed(b.cloud, "d2", "*", 0, &f, NULL), ERR_NOT_FOUND);
    CHECK_OK(campaign_version(b.cloud, 0, "d2", "", "1.5", NULL), NULL);
    CHECK_OK(campaign_needed(b.cloud, "d2", "*", 0, &f, NULL), NULL);
    /* What it has begun it may finish; and a verification is for whatever it runs. */
    CHECK_OK(campaign_progress(b.cloud, 0, "d2", "", 10, NULL), NULL);
    CHECK_OK(campaign_version(b.cloud, 0, "d2", "", "3.0", NULL), NULL);
    CHECK_OK(campaign_needed(b.cloud, "d2", "*", 0, &f, NULL), NULL);
    upload(&b, 6, "1.9", NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d1", "", NULL), NULL);
    CHECK_OK(campaign_needed(b.cloud, "d1", "*", 0, &f, NULL), NULL);
    CHECK_INT(f.delta_id, 6);
    bench_close(&b);
}

static void a_held_batch_starts_by_itself(void)
{
    struct bench b;
    struct store_task t = {.state = TASK_HELD};
    bench_open(&b);
    put_device(&b, "d1", "1.0");
    put_device(&b, "d2", "1.0");
    upload(&b, 5, "2.0", NULL);
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_INT(t.state, TASK_HELD);
    CHECK_STR(b.offered, "");
    CHECK_OK(start(&b, TASK_VERIFY, 5, "d1", "", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d2"), -1);
    CHECK_OK(campaign_version(b.cloud, 0, "d1", "", "2.0", NULL), NULL);
    CHECK_INT(state_of(&b, 5, "d2"), RECORD_PENDING);
    CHECK_OK(store_get_task(b.store, t.task_id, &t, NULL), NULL);
    CHECK_INT(t.state, TASK_RUNNING);
    bench_close(&b);
}

static void a_static_batch_takes_no_later_ones(void)
{
    struct bench b;
    struct store_task t = {.fixed = true, .sources = "1.0\n1.1"};
    fleet(&b, 2);
    put_device(&b, "d3", "1.1");
    put_device(&b, "d4", "1.10");
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_STR(b.offered, "d1 d2 d3 ");
    put_device(&b, "d5", "1.0");
    CHECK_INT(state_of(&b, 5, "d5"), -1);
    bench_close(&b);
}

struct part_row {
    const char *name;
    int devices, percent, taken;
};

static const struct part_row parts[] = {
    {"30 of 10", 10, 30, 3}, {"35 of 10, rounded down", 10, 35, 3},
    {"1 of 10", 10, 1, 1},   {"100 of 10", 10, 100, 10},
    {"50 of 1", 1, 50, 1},
};

static void a_part_is_taken(const void *row)
{
    const struct part_row *r = row;
    struct bench b;
    struct store_task t = {.fixed = true, .percent = r->percent};
    int taken = 0;
    fleet(&b, r->devices);
    CHECK_OK(batch(&b, 0, &t), NULL);
    for (const char *p = b.offered; *p != '\0'; p++)
        taken += *p == ' ';
    CHECK_INT(taken, r->taken);
    bench_close(&b);
}

static const char *part_name(const void *row)
{
    return ((const struct part_row *)row)->name;
}

static void a_batch_may_name_its_devices(void)
{
    static const char devices[][STORE_TEXT_MAX] = {"d1", "d3", "d9"};
    struct bench b;
    struct store_task t = {.delta_id = 5, .kind = TASK_BATCH};
    fleet(&b, 3);
    b.offered[0] = '\0';
    CHECK_OK(campaign_start_for(b.cloud, 0, &t, devices, 3, NULL), NULL);
    CHECK_STR(b.offered, "d1 d3 ");
    put_device(&b, "d8", "1.0");
    put_device(&b, "d9", "1.0");
    CHECK_INT(state_of(&b, 5, "d8"), -1);
    CHECK_INT(state_of(&b, 5, "d9"), RECORD_PENDING);
    bench_close(&b);
}

static void a_batch_may_yield(void)
{
    struct bench b;
    struct store_task t = {.yields = true};
    fleet(&b, 2);
    upload(&b, 6, "3.0", NULL);
    CHECK_OK(start(&b, TASK_VERIFY, 6, "d1", "", NULL), NULL);
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_STR(b.offered, "d2 ");
    CHECK_INT(state_of(&b, 6, "d1"), RECORD_PENDING);
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_FAILED);
    bench_close(&b);
}

static void a_batch_may_wait_to_be_asked(void)
{
    struct bench b;
    struct store_task t = {.silent = true};
    fleet(&b, 1);
    CHECK_OK(batch(&b, 0, &t), NULL);
    CHECK_STR(b.offered, "");
    CHECK_INT(state_of(&b, 5, "d1"), RECORD_PENDING);
    CHECK(campaign_is_silent(b.cloud, "d1", 5));
    CHECK(!campaign_is_silent(b.cloud, "a0", 5));
    bench_close(&b);
}

static const struct test tests[] = {
    {"a batch needs a verification", a_batch_needs_a_verification},
    {"a batch may want one version", a_batch_may_want_one_version},
    {"who is newer than its batch is not told", who_is_newer_than_its_batch_is_not_told},
    {"a held batch starts by itself", a_held_batch_starts_by_itself},
    {"a static batch takes no later ones", a_static_batch_takes_no_later_ones},
    TEST_ROWS("percent:", a_part_is_taken, parts, part_name),
    {"a batch may name its devices", a_batch_may_name_its_devices},
    {"a batch may yield", a_batch_may_yield},
    {"a batch may wait to be asked", a_batch_may_wait_to_be_asked},
};
TEST_MAIN("batches", tests)
