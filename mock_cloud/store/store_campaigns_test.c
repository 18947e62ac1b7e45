#include <stdio.h>
#include <string.h>

#include "mock_cloud/store/store_testing.h"

static void firmware_and_files_come_back(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_firmware f = {.delta_id = 7,
                               .product_id = "p",
                               .module = "mcu",
                               .version = "2.0",
                               .sign = SIGN_SHA256,
                               .diff = true,
                               .over_mqtt = true,
                               .verified = true,
                               .file_count = 2,
                               .extra = "{\"a\":1}"};
    struct store_firmware got;
    memset(&got, 0xff, sizeof got);
    CHECK_OK(store_put_firmware(s, &f, &err), &err);
    CHECK_OK(store_get_firmware(s, 7, &got, &err), &err);
    CHECK_INT(got.delta_id, 7);
    CHECK_STR(got.product_id, "p");
    CHECK_STR(got.module, "mcu");
    CHECK_STR(got.version, "2.0");
    CHECK_INT(got.sign, SIGN_SHA256);
    CHECK(got.diff && got.over_mqtt && got.verified);
    CHECK_INT(got.file_count, 2);
    CHECK_STR(got.extra, "{\"a\":1}");
    CHECK_ERR(store_get_firmware(s, 8, &got, &err), ERR_NOT_FOUND);
    f.delta_id = 9;
    CHECK_OK(store_put_firmware(s, &f, &err), &err);
    CHECK_OK(store_find_firmware(s, "p", "mcu", "2.0", &got, &err), &err);
    CHECK_INT(got.delta_id, 9);
    CHECK_ERR(store_find_firmware(s, "p", "", "2.0", &got, &err), ERR_NOT_FOUND);
    int64_t last = 1;
    CHECK_OK(store_last_package(s, &last, &err), &err);
    CHECK_INT(last, 0);
    struct store_package package = sample_package(12, "", "2.0");
    CHECK_OK(store_put_package(s, &package, "abcd", &err), &err);
    CHECK_OK(store_last_package(s, &last, &err), &err);
    CHECK_INT(last, 12);
    f.file_count = STORE_FILES_MAX + 1;
    CHECK_ERR(store_put_firmware(s, &f, &err), ERR_LIMIT);
    f.file_count = 1;
    f.version[0] = '\0';
    CHECK_ERR(store_put_firmware(s, &f, &err), ERR_ARG);

    struct store_file file = {
        .firmware_id = 7, .number = 2, .package_id = 8, .name = "b", .sha256_hex = "cd"};
    struct store_file got_file;
    CHECK_OK(store_put_file(s, &file, &err), &err);
    CHECK_OK(store_get_file(s, 7, 2, &got_file, &err), &err);
    CHECK_INT(got_file.package_id, 8);
    CHECK_STR(got_file.name, "b");
    CHECK_STR(got_file.sha256_hex, "cd");
    CHECK_ERR(store_get_file(s, 7, 1, &got_file, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void tasks_are_found(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_task got;
    struct store_task tasks[] = {
        {.delta_id = 7, .kind = TASK_VERIFY, .state = TASK_RUNNING, .device_id = "d"},
        {.delta_id = 7, .kind = TASK_BATCH, .state = TASK_RUNNING, .sources = "1.0"},
        {.delta_id = 7, .kind = TASK_BATCH, .state = TASK_WAITING, .starts_ns = 50},
        {.delta_id = 7, .kind = TASK_BATCH, .state = TASK_WAITING, .starts_ns = 40},
        {.delta_id = 8, .kind = TASK_BATCH, .state = TASK_RUNNING},
    };
    put_firmware(s, 7, "", "2.0");
    put_firmware(s, 8, "mcu", "2.0");
    CHECK_ERR(store_next_task(s, &got, &err), ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        CHECK_OK(store_put_task(s, &tasks[i], &err), &err);
        CHECK_INT(tasks[i].task_id, i + 1);
    }
    CHECK_OK(store_get_task(s, 2, &got, &err), &err);
    CHECK_STR(got.sources, "1.0");
    CHECK_INT(got.kind, TASK_BATCH);
    CHECK_OK(store_next_task(s, &got, &err), &err);
    CHECK_INT(got.task_id, 4);
    got.state = TASK_RUNNING;
    CHECK_OK(store_put_task(s, &got, &err), &err);
    CHECK_INT(got.task_id, 4);
    CHECK_OK(store_next_task(s, &got, &err), &err);
    CHECK_INT(got.task_id, 3);
    CHECK_OK(store_older_task(s, 7, 0, &got, &err), &err);
    CHECK_INT(got.task_id, 4);
    CHECK_OK(store_older_task(s, 7, 2, &got, &err), &err);
    CHECK_INT(got.task_id, 1);
    CHECK_ERR(store_older_task(s, 7, 1, &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_older_batch(s, "p", "", 0, &got, &err), &err);
    CHECK_INT(got.task_id, 4);
    CHECK_OK(store_older_batch(s, "p", "", 4, &got, &err), &err);
    CHECK_INT(got.task_id, 2);
    CHECK_ERR(store_older_batch(s, "p", "", 2, &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_older_batch(s, "p", "mcu", 0, &got, &err), &err);
    CHECK_INT(got.task_id, 5);
    store_close(s);
}

static void records_are_found_by_module(void)
{
    static const struct store_record records[] = {
        {.delta_id = 1, .device_id = "d", .state = RECORD_SUCCESS, .changed_ns = 90},
        {.delta_id = 2, .device_id = "d", .state = RECORD_PENDING, .changed_ns = 20},
        {.delta_id = 3, .device_id = "d", .state = RECORD_UPGRADING, .changed_ns = 30},
        {.delta_id = 4, .device_id = "d", .state = RECORD_UPGRADING, .changed_ns = 40},
        {.delta_id = 1, .device_id = "e", .state = RECORD_FAILED, .changed_ns = 50},
        {.delta_id = 1, .device_id = "f", .state = RECORD_SUPERSEDED, .changed_ns = 60},
        {.delta_id = 1, .device_id = "g", .state = RECORD_FAILED, .changed_ns = 70},
    };
    struct store *s = open_memory();
    struct err err = {""};
    struct store_record got;
    put_firmware(s, 1, "", "2.0");
    put_firmware(s, 2, "", "3.0");
    put_firmware(s, 3, "", "4.0");
    put_firmware(s, 4, "mcu", "2.0");
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
        CHECK_OK(store_put_record(s, &records[i], &err), &err);
    CHECK_OK(store_open_record(s, "d", "", 0, &got, &err), &err);
    CHECK_INT(got.delta_id, 3);
    CHECK_OK(store_open_record(s, "d", "", 1, &got, &err), &err);
    CHECK_INT(got.delta_id, 2);
    CHECK_ERR(store_open_record(s, "d", "", 2, &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_open_record(s, "d", "*", 0, &got, &err), &err);
    CHECK_INT(got.delta_id, 4);
    CHECK_OK(store_newest_record(s, "d", "", &got, &err), &err);
    CHECK_INT(got.delta_id, 1);
    CHECK_OK(store_record_for_version(s, "d", "", "2.0", &got, &err), &err);
    CHECK_INT(got.delta_id, 1);
    CHECK_OK(store_record_for_version(s, "d", "mcu", "2.0", &got, &err), &err);
    CHECK_INT(got.delta_id, 4);
    CHECK_ERR(store_record_for_version(s, "f", "", "2.0", &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_next_failed(s, 1, "", &got, &err), &err);
    CHECK_STR(got.device_id, "e");
    CHECK_OK(store_next_failed(s, 1, "e", &got, &err), &err);
    CHECK_STR(got.device_id, "g");
    CHECK_ERR(store_next_failed(s, 1, "g", &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_next_open(s, 3, "", &got, &err), &err);
    CHECK_STR(got.device_id, "d");
    CHECK_ERR(store_next_open(s, 1, "", &got, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void a_device_has_so_many_modules(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    char module[STORE_TEXT_MAX];
    for (int i = 0; i < STORE_MODULES_MAX; i++) {
        (void)snprintf(module, sizeof module, "m%d", i);
        CHECK_OK(store_put_version(s, "d", module, "1", &err), &err);
    }
    CHECK_ERR(store_put_version(s, "d", "one more", "1", &err), ERR_LIMIT);
    CHECK_HAS(err.text, "d has told more than 64 modules");
    CHECK_OK(store_put_version(s, "d", "m7", "2", &err), &err);
    CHECK_OK(store_put_version(s, "e", "one more", "1", &err), &err);
    store_close(s);
}

static void versions_gateways_and_configurations_come_back(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    char text[STORE_TEXT_MAX];
    CHECK_OK(store_put_version(s, "d", "", "1.0", &err), &err);
    CHECK_OK(store_put_version(s, "d", "mcu", "7", &err), &err);
    CHECK_OK(store_put_version(s, "d", "", "1.1", &err), &err);
    CHECK_OK(store_get_version(s, "d", "", text, &err), &err);
    CHECK_STR(text, "1.1");
    CHECK_OK(store_get_version(s, "d", "mcu", text, &err), &err);
    CHECK_STR(text, "7");
    CHECK_ERR(store_get_version(s, "e", "", text, &err), ERR_NOT_FOUND);
    struct store_sub_device put = {.device_id = "s", .gateway_id = "g"}, sub;
    CHECK_OK(store_put_sub_device(s, &put, &err), &err);
    CHECK_OK(store_get_sub_device(s, "s", &sub, &err), &err);
    CHECK_STR(sub.gateway_id, "g");
    CHECK(!sub.logs_in);
    CHECK_ERR(store_get_sub_device(s, "g", &sub, &err), ERR_NOT_FOUND);
    put = (struct store_sub_device){.device_id = "t", .gateway_id = "g", .logs_in = true};
    CHECK_OK(store_put_sub_device(s, &put, &err), &err);
    CHECK_OK(store_next_sub_device(s, "g", "s", &sub, &err), &err);
    CHECK_STR(sub.device_id, "t");
    CHECK(sub.logs_in);
    CHECK_ERR(store_next_sub_device(s, "g", "t", &sub, &err), ERR_NOT_FOUND);
    uint32_t count = 0;
    CHECK_OK(store_count_sub_devices(s, "g", &count, &err), &err);
    CHECK_INT(count, 2);
    CHECK_OK(store_drop_sub_device(s, "s", &err), &err);
    CHECK_ERR(store_get_sub_device(s, "s", &sub, &err), ERR_NOT_FOUND);
    struct store_config c = {
        .product_id = "p", .config_id = "c", .package_id = 9, .sha256_hex = "ab"};
    struct store_config got;
    CHECK_OK(store_put_config(s, &c, &err), &err);
    CHECK_OK(store_get_config(s, "p", &got, &err), &err);
    CHECK_STR(got.config_id, "c");
    CHECK_INT(got.package_id, 9);
    CHECK_STR(got.sha256_hex, "ab");
    CHECK_ERR(store_get_config(s, "q", &got, &err), ERR_NOT_FOUND);
    struct store_device d = {.product_id = "p"};
    static const char *const names[] = {"b", "a", "c"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(d.device_id, sizeof d.device_id, "%s", names[i]);
        CHECK_OK(store_put_device(s, &d, &err), &err);
    }
    CHECK_OK(store_next_device(s, "p", "", &d, &err), &err);
    CHECK_STR(d.device_id, "a");
    CHECK_OK(store_next_device(s, "p", d.device_id, &d, &err), &err);
    CHECK_STR(d.device_id, "b");
    CHECK_OK(store_next_device(s, "p", "b", &d, &err), &err);
    CHECK_ERR(store_next_device(s, "p", "c", &d, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void sessions_are_due_in_order(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_session got;
    struct store_session x = {.via = "g", .listens = true, .pushed_ns = 5, .due_ns = 30};
    CHECK_ERR(store_due_session(s, &got, &err), ERR_NOT_FOUND);
    (void)snprintf(x.device_id, sizeof x.device_id, "b");
    CHECK_OK(store_put_session(s, &x, &err), &err);
    (void)snprintf(x.device_id, sizeof x.device_id, "a");
    CHECK_OK(store_put_session(s, &x, &err), &err);
    x = (struct store_session){.device_id = "c", .via = "c", .due_ns = INT64_MAX};
    CHECK_OK(store_put_session(s, &x, &err), &err);
    CHECK_OK(store_due_session(s, &got, &err), &err);
    CHECK_STR(got.device_id, "a");
    CHECK_STR(got.via, "g");
    CHECK(got.listens && !got.told);
    CHECK_INT(got.pushed_ns, 5);
    CHECK_OK(store_drop_sessions(s, "g", &err), &err);
    CHECK_ERR(store_due_session(s, &got, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_get_session(s, "a", &got, &err), ERR_NOT_FOUND);
    CHECK_OK(store_get_session(s, "c", &got, &err), &err);
    store_close(s);
}

static void messages_are_held_back(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_outgoing m = {.due_ns = 20, .device_id = "d", .topic = "t2", .qos = 1};
    struct store_outgoing got;
    struct buf payload;
    buf_init(&payload, 64);
    CHECK_ERR(store_take_outgoing(s, 100, &got, &payload, &err), ERR_NOT_FOUND);
    CHECK_INT(got.due_ns, INT64_MAX);
    CHECK_OK(store_put_outgoing(s, &m, "\0x", 2, &err), &err);
    m.due_ns = 10;
    (void)snprintf(m.topic, sizeof m.topic, "t1");
    CHECK_OK(store_put_outgoing(s, &m, "", 0, &err), &err);
    CHECK_ERR(store_take_outgoing(s, 9, &got, &payload, &err), ERR_NOT_FOUND);
    CHECK_INT(got.due_ns, 10);
    CHECK_OK(store_take_outgoing(s, 20, &got, &payload, &err), &err);
    CHECK_STR(got.topic, "t1");
    CHECK_INT(payload.len_bytes, 0);
    CHECK_OK(store_take_outgoing(s, 20, &got, &payload, &err), &err);
    CHECK_STR(got.topic, "t2");
    CHECK_INT(got.qos, 1);
    CHECK_INT(payload.len_bytes, 2);
    CHECK_MEM(payload.data, "\0x", 2);
    CHECK_ERR(store_take_outgoing(s, 20, &got, &payload, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_put_outgoing(s, &m, "", STORE_OUTGOING_BYTES + 1, &err), ERR_LIMIT);
    buf_clear(&payload);
    CHECK_ERR(store_first_announced(s, "d", &payload, &err), ERR_NOT_FOUND);
    CHECK_OK(store_keep_announced(s, "d", "one", 3, &err), &err);
    CHECK_OK(store_keep_announced(s, "d", "two", 3, &err), &err);
    CHECK_OK(store_first_announced(s, "d", &payload, &err), &err);
    CHECK_STR((const char *)payload.data, "one");
    buf_free(&payload);
    store_close(s);
}

static const struct test tests[] = {
    {"firmware and files come back", firmware_and_files_come_back},
    {"tasks are found", tasks_are_found},
    {"records are found by module", records_are_found_by_module},
    {"a device has so many modules", a_device_has_so_many_modules},
    {"versions, gateways and configurations come back",
     versions_gateways_and_configurations_come_back},
    {"sessions are due in order", sessions_are_due_in_order},
    {"messages are held back", messages_are_held_back},
};
TEST_MAIN("what campaigns keep in the store", tests)
