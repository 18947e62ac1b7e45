#include <sqlite3.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/bytes.h"
#include "mock_cloud/store/rows.h"
#include "mock_cloud/store/store_testing.h"

/* In place of those of the C library, for SQLite too: how often the disk was waited for. */
static int syncs;
int fdatasync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}
int fsync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fsync, fd);
}

static void run_sql(const char *path, const char *sql);

static void a_file_of_version_1_is_raised(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/old.db", dir);
    struct err err = {""};
    struct store *s = store_open(path, &err);
    REQUIRE(s != NULL);
    struct store_record record = {.delta_id = 4, .device_id = "d", .state = RECORD_FAILED};
    CHECK_OK(store_put_record(s, &record, &err), &err);
    store_close(s);
    run_sql(path, "DROP TABLE firmware; DROP TABLE file; DROP TABLE task; DROP TABLE module;"
                  "DROP TABLE sub_device; DROP TABLE config; DROP INDEX device_by_product;"
                  "DROP TABLE task_device; DROP TABLE taken; PRAGMA user_version = 1");
    s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    CHECK_OK(store_get_record(s, 4, "d", &record, &err), &err);
    CHECK_INT(record.state, RECORD_FAILED);
    put_firmware(s, 7, "", "2.0");
    struct store_session x = {.device_id = "d", .via = "d"};
    CHECK_OK(store_put_session(s, &x, &err), &err);
    store_close(s);
    s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    struct store_firmware f;
    CHECK_OK(store_get_firmware(s, 7, &f, &err), &err);
    CHECK_ERR(store_get_session(s, "d", &x, &err), ERR_NOT_FOUND); /* ended with the process */
    store_close(s);
}

static void a_file_of_version_3_is_raised(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    struct err err = {""};
    struct store_task t = {.delta_id = 7, .kind = TASK_BATCH, .state = TASK_RUNNING};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/old.db", dir);
    struct store *s = store_open(path, &err);
    REQUIRE(s != NULL);
    CHECK_OK(store_put_task(s, &t, &err), &err);
    store_close(s);
    run_sql(path, "DROP TABLE task_device; DROP TABLE taken; DROP TABLE task; CREATE TABLE task("
                  " task_id INTEGER PRIMARY KEY, delta_id INT NOT NULL, kind INT NOT NULL,"
                  " state INT NOT NULL, device_id TEXT NOT NULL, from_version TEXT NOT NULL,"
                  " starts_ns INT NOT NULL) STRICT;"
                  "CREATE INDEX task_by_state ON task(state, starts_ns);"
                  "CREATE INDEX task_by_firmware ON task(delta_id);"
                  "INSERT INTO task VALUES(3, 7, 1, 1, '', '1.0', 0); PRAGMA user_version = 3");
    s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    CHECK_OK(store_get_task(s, 3, &t, &err), &err);
    CHECK_STR(t.sources, "1.0");
    CHECK_INT(t.percent, 0);
    CHECK(!t.fixed && !t.chosen);
    t.retries = 2;
    CHECK_OK(store_put_task(s, &t, &err), &err);
    CHECK_OK(store_next_retrying(s, 0, &t, &err), &err);
    store_close(s);
}

static void a_file_is_there_after_reopening(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/cloud.db", dir);
    struct err err = {""};
    struct store *s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    struct store_product product = sample_product(), got_product;
    struct store_package package = sample_package(4, "1.0", "1.1");
    struct store_record record = {
        .delta_id = 4, .device_id = "d", .state = RECORD_FAILED, .upgrade_status = 99};
    uint32_t visits = 0, owner = 0;
    CHECK_OK(store_put_product(s, &product, &err), &err);
    CHECK_OK(store_put_package(s, &package, "\0\1\2\xff", &err), &err);
    CHECK_OK(store_put_record(s, &record, &err), &err);
    CHECK_OK(store_count_visit(s, "d", "o", 0, &visits, &owner, &err), &err);
    CHECK_OK(store_log_message(s, 9, "cms", "check", "x", &err), &err);
    store_close(s);

    s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    CHECK_OK(store_get_product(s, product.product_id, &got_product, &err), &err);
    check_same_product(&got_product, &product);
    const uint8_t *data = NULL;
    size_t len = 0;
    CHECK_OK(store_package_bytes(s, 4, &data, &len, &err), &err);
    CHECK_INT(len, 4);
    CHECK_MEM(data, "\0\1\2\xff", 4);
    CHECK_OK(store_get_record(s, 4, "d", &record, &err), &err);
    CHECK_INT(record.state, RECORD_FAILED);
    CHECK_INT(record.upgrade_status, 99);
    CHECK_OK(store_count_visit(s, "d", "o", 0, &visits, &owner, &err), &err);
    CHECK_INT(visits, 2);
    struct store_message m;
    CHECK_OK(store_message_at(s, 0, &m, &err), &err);
    CHECK_INT(m.now_ns, 9);
    CHECK_OK(store_reset(s, &err), &err);
    CHECK_ERR(store_get_record(s, 4, "d", &record, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(db);
}

static void foreign_files_are_refused(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    test_tmpdir(dir);
    struct err err = {""};

    (void)snprintf(path, sizeof path, "%s/other.db", dir);
    run_sql(path, "CREATE TABLE t(x)");
    CHECK(store_open(path, &err) == NULL);
    CHECK_HAS(err.text, "another program");
    CHECK_HAS(err.text, "other.db");

    (void)snprintf(path, sizeof path, "%s/text.db", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    for (int i = 0; i < 200; i++)
        (void)fputs("this is no database\n", f);
    (void)fclose(f);
    CHECK(store_open(path, &err) == NULL);
    CHECK_HAS(err.text, "not a database");

    (void)snprintf(path, sizeof path, "%s/new.db", dir);
    struct store *s = store_open(path, &err);
    REQUIRE(s != NULL);
    store_close(s);
    run_sql(path, "PRAGMA user_version = 77");
    CHECK(store_open(path, &err) == NULL);
    CHECK_HAS(err.text, "schema version 77, must be 1 to 4");

    (void)snprintf(path, sizeof path, "%s/no/such", dir);
    CHECK(store_open(path, &err) == NULL);
    CHECK_HAS(err.text, "cannot open");
}

/* What an operator has done is waited for, what devices say is not. */
static void the_disk_is_waited_for_when_told(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    struct err err = {""};
    struct store_product p = sample_product();
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/store.db", dir);
    struct store *s = store_open(path, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    CHECK_OK(store_put_product(s, &p, &err), &err);
    syncs = 0;
    for (int i = 0; i < 5; i++)
        CHECK_OK(store_put_product(s, &p, &err), &err);
    CHECK_INT(syncs, 0);
    CHECK_OK(store_sync(s, &err), &err);
    CHECK(syncs >= 1);
    store_close(s);
    s = open_memory();
    CHECK_OK(store_put_product(s, &p, &err), &err);
    CHECK_OK(store_sync(s, &err), &err);
    store_close(s);
}

static bool has_product(struct store *s, const char *id)
{
    struct store_product p;
    return store_get_product(s, id, &p, NULL) == 0;
}

static int put_product(struct store *s, const char *id)
{
    struct store_product p = sample_product();
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", id);
    return store_put_product(s, &p, NULL);
}

static void transactions_nest(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_package k = sample_package(1, "", "1");
    CHECK_OK(store_begin(s, &err), &err);
    CHECK_OK(put_product(s, "a"), NULL);
    CHECK_OK(store_put_package(s, &k, "abcd", &err), &err); /* has one of its own */
    CHECK_OK(store_finish(s, 0, &err), &err);
    CHECK(has_product(s, "a"));
    CHECK_OK(store_get_package(s, 1, &k, &err), &err);

    CHECK_OK(store_begin(s, &err), &err); /* the outer part fails */
    CHECK_OK(store_begin(s, &err), &err);
    CHECK_OK(put_product(s, "b"), NULL);
    CHECK_OK(store_finish(s, 0, &err), &err);
    CHECK_ERR(store_finish(s, ERR_LIMIT, &err), ERR_LIMIT);
    CHECK(!has_product(s, "b"));

    CHECK_OK(store_begin(s, &err), &err); /* the inner one does, and nobody looks */
    CHECK_OK(store_begin(s, &err), &err);
    CHECK_OK(put_product(s, "c"), NULL);
    CHECK_ERR(store_finish(s, ERR_LIMIT, &err), ERR_LIMIT);
    CHECK_OK(put_product(s, "d"), NULL);
    CHECK_ERR(store_finish(s, 0, &err), ERR_WRONG_STATE);
    CHECK(!has_product(s, "c") && !has_product(s, "d"));

    CHECK_OK(put_product(s, "e"), NULL); /* and all goes on */
    CHECK(has_product(s, "e"));
    store_close(s);
}

static const struct test tests[] = {
    {"a file of version 1 is raised", a_file_of_version_1_is_raised},
    {"a file of version 3 is raised", a_file_of_version_3_is_raised},
    {"a file store is there after reopening", a_file_is_there_after_reopening},
    {"foreign and damaged files are refused", foreign_files_are_refused},
    {"the disk is waited for when told", the_disk_is_waited_for_when_told},
    {"transactions nest", transactions_nest},
};
TEST_MAIN("the store's file", tests)
