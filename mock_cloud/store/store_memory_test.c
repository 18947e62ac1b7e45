/*
 * Every column of every table is part of what a store remembers or has a reason not to be: a new
 * one is missing in the table here.
 */
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "mock_cloud/store/rows.h"

static const char set_up[] = "there before anything is recalled";
static const char no_time[] = "a time: states have none";
static const char session[] = "ends with the connection";

static const struct {
    const char *column;
    const char *why; /* it is left out; null: it is kept */
} columns[] = {
    {"announced.device_id", session},
    {"announced.payload", session},
    {"config.config_id", NULL},
    {"config.package_id", NULL},
    {"config.product_id", NULL},
    {"config.sha256_hex", NULL},
    {"device.device_id", NULL},
    {"device.mid", NULL},
    {"device.product_id", NULL},
    {"device.registered_ns", no_time},
    {"device.secret", NULL},
    {"device.seen_ns", no_time},
    {"device.version", NULL},
    {"file.firmware_id", set_up},
    {"file.name", set_up},
    {"file.number", set_up},
    {"file.package_id", set_up},
    {"file.sha256_hex", set_up},
    {"firmware.delta_id", NULL},
    {"firmware.diff", set_up},
    {"firmware.extra", set_up},
    {"firmware.file_count", set_up},
    {"firmware.module", set_up},
    {"firmware.over_mqtt", set_up},
    {"firmware.product_id", set_up},
    {"firmware.sign", set_up},
    {"firmware.verified", NULL},
    {"firmware.version", set_up},
    {"message.face", "a log that nobody decides by"},
    {"message.now_ns", "a log that nobody decides by"},
    {"message.sequence", "a log that nobody decides by"},
    {"message.text", "a log that nobody decides by"},
    {"message.what", "a log that nobody decides by"},
    {"module.device_id", NULL},
    {"module.module", NULL},
    {"module.version", NULL},
    {"outgoing.device_id", "messages that are held back: scenarios with them are refused"},
    {"outgoing.due_ns", "messages that are held back: scenarios with them are refused"},
    {"outgoing.payload", "messages that are held back: scenarios with them are refused"},
    {"outgoing.qos", "messages that are held back: scenarios with them are refused"},
    {"outgoing.sequence", "messages that are held back: scenarios with them are refused"},
    {"outgoing.topic", "messages that are held back: scenarios with them are refused"},
    {"overtaken.delta_id", session},
    {"overtaken.device_id", session},
    {"overtaken.module", session},
    {"overtaken.sequence", session},
    {"package.bytes", set_up},
    {"package.content", set_up},
    {"package.delta_id", set_up},
    {"package.from_version", set_up},
    {"package.kind", set_up},
    {"package.md5_hex", set_up},
    {"package.offered_from_ns", set_up},
    {"package.product_id", set_up},
    {"package.to_version", set_up},
    {"package.withdrawn", NULL},
    {"product.cms", set_up},
    {"product.compare_block_kib", set_up},
    {"product.device_type", set_up},
    {"product.device_visits_per_day", set_up},
    {"product.has_team", set_up},
    {"product.model", set_up},
    {"product.oem", set_up},
    {"product.owner", set_up},
    {"product.owner_visits_per_day", set_up},
    {"product.platform", set_up},
    {"product.product_id", set_up},
    {"product.restore_block_bytes", set_up},
    {"product.secret", set_up},
    {"product.window_bytes", set_up},
    {"record.changed_ns", NULL}, /* as an order */
    {"record.created_ns", no_time},
    {"record.delta_id", NULL},
    {"record.device_id", NULL},
    {"record.download_status", NULL},
    {"record.sequence", NULL}, /* as an order */
    {"record.state", NULL},
    {"record.upgrade_status", NULL},
    {"refusal.count", session},
    {"refusal.path", session},
    {"session.device_id", session},
    {"session.due_ns", session},
    {"session.listens", session},
    {"session.pushed_ns", session},
    {"session.told", session},
    {"session.via", session},
    {"sub_device.device_id", NULL},
    {"sub_device.gateway_id", NULL},
    {"sub_device.logs_in", NULL},
    {"taken.delta_id", NULL},
    {"taken.device_id", NULL},
    {"taken.task_id", NULL},
    {"taken.tries", NULL},
    {"task.chosen", set_up},
    {"task.delta_id", set_up},
    {"task.device_id", set_up},
    {"task.fixed", set_up},
    {"task.kind", set_up},
    {"task.percent", set_up},
    {"task.retries", set_up},
    {"task.retry_after_ns", set_up},
    {"task.silent", set_up},
    {"task.sources", set_up},
    {"task.starts_ns", set_up},
    {"task.state", NULL},
    {"task.task_id", NULL},
    {"task.yields", set_up},
    {"task_device.device_id", set_up},
    {"task_device.task_id", set_up},
    {"visit.count", "scenarios with a limit of visits are refused"},
    {"visit.day", "scenarios with a limit of visits are refused"},
    {"visit.kind", "scenarios with a limit of visits are refused"},
    {"visit.who", "scenarios with a limit of visits are refused"},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static void every_column_is_listed(void)
{
    struct err err = {.text = ""};
    struct store *s = store_open(":memory:", &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    sqlite3_stmt *st = NULL;
    static const char all[] =
        "SELECT t.name || '.' || c.name FROM pragma_table_list t,"
        " pragma_table_info(t.name, t.schema) c WHERE t.name NOT LIKE 'sqlite%' ORDER BY 1";
    REQUIRE(sqlite3_prepare_v2(s->db, all, -1, &st, NULL) == SQLITE_OK);
    size_t n = 0;
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *is = (const char *)sqlite3_column_text(st, 0);
        if (!CHECK_STR(is, n < COLUMNS ? columns[n].column : "no more columns"))
            break;
        n++;
    }
    CHECK_INT(n, COLUMNS);
    (void)sqlite3_finalize(st);
    store_close(s);
}

static const struct test tests[] = {
    {"every column is listed", every_column_is_listed},
};

TEST_MAIN("store memory", tests)
