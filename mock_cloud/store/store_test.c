#include "mock_cloud/store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/store/rows.h"

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

#define DAY_NS (INT64_C(86400) * NS_PER_S)

static struct store *open_memory(void)
{
    struct err err = {""};
    struct store *s = store_open(NULL, &err);
    REQUIRE_OK(s == NULL ? ERR_IO : 0, &err);
    return s;
}

static struct store_product sample_product(void)
{
    return (struct store_product){.product_id = "g1i3zV1okW",
                                  .secret = "55FD426FD4D481226881AE7C1A853F0F",
                                  .cms = true,
                                  .has_team = true,
                                  .oem = "acme",
                                  .model = "m1",
                                  .platform = "W217",
                                  .device_type = "watch",
                                  .owner = "someone",
                                  .device_visits_per_day = 4000000000u,
                                  .owner_visits_per_day = 7,
                                  .compare_block_kib = 64,
                                  .restore_block_bytes = 65536,
                                  .window_bytes = 16384};
}

static struct store_package sample_package(int64_t id, const char *from, const char *to)
{
    struct store_package p = {.delta_id = id,
                              .product_id = "p",
                              .kind = from[0] == '\0' ? PACKAGE_FULL : PACKAGE_DELTA,
                              .bytes = 4,
                              .md5_hex = "0123456789abcdef0123456789abcdef"};
    (void)snprintf(p.from_version, sizeof p.from_version, "%s", from);
    (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
    return p;
}

static void check_same_product(const struct store_product *a, const struct store_product *b)
{
    CHECK_STR(a->product_id, b->product_id);
    CHECK_STR(a->secret, b->secret);
    CHECK_INT(a->cms, b->cms);
    CHECK_INT(a->has_team, b->has_team);
    CHECK_STR(a->oem, b->oem);
    CHECK_STR(a->model, b->model);
    CHECK_STR(a->platform, b->platform);
    CHECK_STR(a->device_type, b->device_type);
    CHECK_STR(a->owner, b->owner);
    CHECK_INT(a->device_visits_per_day, b->device_visits_per_day);
    CHECK_INT(a->owner_visits_per_day, b->owner_visits_per_day);
    CHECK_INT(a->compare_block_kib, b->compare_block_kib);
    CHECK_INT(a->restore_block_bytes, b->restore_block_bytes);
    CHECK_INT(a->window_bytes, b->window_bytes);
}

static void products_come_back(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_product p = sample_product(), got = {.product_id = ""};
    CHECK_OK(store_put_product(s, &p, &err), &err);
    CHECK_OK(store_get_product(s, p.product_id, &got, &err), &err);
    check_same_product(&got, &p);
    p.has_team = false;
    CHECK_OK(store_put_product(s, &p, &err), &err);
    CHECK_OK(store_get_product(s, p.product_id, &got, &err), &err);
    CHECK_INT(got.has_team, false);
    CHECK_ERR(store_get_product(s, "G1I3ZV1OKW", &got, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_put_product(s, &(struct store_product){.product_id = ""}, &err), ERR_ARG);
    store_close(s);
}

static void devices_come_back(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_device d = {.device_id = "d1",
                             .product_id = "p",
                             .mid = "861234567890123",
                             .secret = "k",
                             .version = "1.0",
                             .registered_ns = 5,
                             .seen_ns = INT64_MAX};
    CHECK_OK(store_put_device(s, &d, &err), &err);
    struct store_device got;
    CHECK_OK(store_get_device(s, "d1", &got, &err), &err);
    CHECK_STR(got.mid, d.mid);
    CHECK_STR(got.secret, "k");
    CHECK_STR(got.version, "1.0");
    CHECK_INT(got.registered_ns, 5);
    CHECK_INT(got.seen_ns, INT64_MAX);
    CHECK_OK(store_find_device_by_mid(s, "p", d.mid, &got, &err), &err);
    CHECK_STR(got.device_id, "d1");
    CHECK_ERR(store_find_device_by_mid(s, "q", d.mid, &got, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_get_device(s, "d2", &got, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void packages_keep_their_bytes(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    const uint8_t *data = NULL;
    size_t len = 0;
    /* Out of order, so that the ordered array in memory is exercised. */
    static const int64_t ids[] = {7, 3, 9, 1, 8};
    for (size_t i = 0; i < 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "pkg%lld", (long long)ids[i]);
        struct store_package p = sample_package(ids[i], "1.0", "1.1");
        CHECK_OK(store_put_package(s, &p, text, &err), &err);
    }
    for (size_t i = 0; i < 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "pkg%lld", (long long)ids[i]);
        CHECK_OK(store_package_bytes(s, ids[i], &data, &len, &err), &err);
        CHECK_INT(len, 4);
        CHECK_MEM(data, text, 4);
    }
    struct store_package again = sample_package(9, "1.0", "1.2");
    again.bytes = 2;
    CHECK_OK(store_put_package(s, &again, "zz", &err), &err);
    CHECK_OK(store_package_bytes(s, 9, &data, &len, &err), &err);
    CHECK_INT(len, 2);
    struct store_package got;
    CHECK_OK(store_get_package(s, 9, &got, &err), &err);
    CHECK_STR(got.to_version, "1.2");
    CHECK_INT(got.kind, PACKAGE_DELTA);
    CHECK_ERR(store_package_bytes(s, 2, &data, &len, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_get_package(s, 2, &got, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void package_limits_hold(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_package p = sample_package(0, "", "2");
    CHECK_ERR(store_put_package(s, &p, "abcd", &err), ERR_ARG);
    p.delta_id = INT64_C(2147483648);
    CHECK_ERR(store_put_package(s, &p, "abcd", &err), ERR_ARG);
    p.delta_id = INT32_MAX;
    CHECK_OK(store_put_package(s, &p, "abcd", &err), &err);
    p.delta_id = 1;
    p.bytes = STORE_PACKAGE_BYTES_MAX + 1;
    CHECK_ERR(store_put_package(s, &p, "abcd", &err), ERR_LIMIT);
    p.bytes = 0;
    CHECK_OK(store_put_package(s, &p, NULL, &err), &err);
    const uint8_t *data = NULL;
    size_t len = 1;
    CHECK_OK(store_package_bytes(s, 1, &data, &len, &err), &err);
    CHECK_INT(len, 0);
    store_close(s);
}

struct offer_row {
    const char *name;
    const char *version;
    int64_t now_ns;
    int64_t want_id; /* 0: none */
};

/* The catalogue all rows of the table below ask. */
static void fill_offers(struct store *s)
{
    static const struct {
        int64_t id;
        const char *from, *to;
        int64_t offered_from_ns;
        bool withdrawn;
    } packages[] = {
        {1, "1.0", "1.1", 0, false}, {2, "1.1", "1.2", 0, false},  {3, "", "1.2", 0, false},
        {4, "1.0", "1.9", 0, false}, {5, "1.0", "1.10", 0, false}, {6, "1.0", "3.0", 100, false},
        {7, "", "9.0", 0, true},     {8, "1.0", "1.10", 0, false}, {9, "1.9", "1.1", 0, false},
    };
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        struct store_package p = sample_package(packages[i].id, packages[i].from, packages[i].to);
        p.offered_from_ns = packages[i].offered_from_ns;
        p.withdrawn = packages[i].withdrawn;
        REQUIRE_OK(store_put_package(s, &p, "abcd", NULL), NULL);
    }
}

static const struct offer_row offers[] = {
    {"highest target, not latest text; newer of equals", "1.0", 99, 8},
    {"a package shows from its time on", "1.0", 100, 6},
    {"difference before full image", "1.1", 0, 2},
    {"full image for an unknown source", "0.3", 0, 3},
    {"the same version is no offer", "1.2", 0, 0},
    {"never downwards", "1.9", 0, 0},
    {"withdrawn is no offer", "8.0", 0, 0},
};

static void offer_is_found(const void *row)
{
    const struct offer_row *o = row;
    struct store *s = open_memory();
    fill_offers(s);
    struct store_package got = {.delta_id = 0};
    struct err err = {""};
    int rc = store_find_offer(s, "p", o->version, o->now_ns, &got, &err);
    if (o->want_id == 0)
        CHECK_ERR(rc, ERR_NOT_FOUND);
    else
        CHECK_OK(rc, &err);
    CHECK_INT(got.delta_id, o->want_id);
    CHECK_ERR(store_find_offer(s, "other", o->version, o->now_ns, &got, &err), ERR_NOT_FOUND);
    store_close(s);
}

static const char *offer_name(const void *row)
{
    return ((const struct offer_row *)row)->name;
}

static void withdrawing_ends_an_offer(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_package p = sample_package(1, "1.0", "1.1"), got;
    CHECK_OK(store_put_package(s, &p, "abcd", &err), &err);
    CHECK_OK(store_find_offer(s, "p", "1.0", 0, &got, &err), &err);
    CHECK_OK(store_withdraw_package(s, 1, &err), &err);
    CHECK_ERR(store_find_offer(s, "p", "1.0", 0, &got, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_withdraw_package(s, 2, &err), ERR_NOT_FOUND);
    store_close(s);
}

/* Rows that were read before are remembered; ids 1 and 65 want the same place. */
static void rows_that_were_read_follow_every_change(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_package p = sample_package(1, "", "1.1"), far = sample_package(65, "", "6.5"), got;
    struct store_file f = {.firmware_id = 1, .number = 1, .package_id = 1, .name = "a"}, file;
    CHECK_OK(store_put_package(s, &p, "abcd", &err), &err);
    CHECK_OK(store_put_package(s, &far, "abcd", &err), &err);
    CHECK_OK(store_put_file(s, &f, &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(store_get_package(s, 1, &got, &err), &err);
        CHECK_STR(got.to_version, "1.1");
        CHECK_OK(store_get_package(s, 65, &got, &err), &err);
        CHECK_STR(got.to_version, "6.5");
        CHECK_OK(store_get_file(s, 1, 1, &file, &err), &err);
        CHECK_ERR(store_get_file(s, 0, 2, &file, &err), ERR_NOT_FOUND); /* the same place */
    }
    f.package_id = 65;
    CHECK_OK(store_put_file(s, &f, &err), &err);
    CHECK_OK(store_get_file(s, 1, 1, &file, &err), &err);
    CHECK_INT(file.package_id, 65);
    (void)snprintf(far.to_version, sizeof far.to_version, "6.6");
    CHECK_OK(store_put_package(s, &far, "abcd", &err), &err);
    CHECK_OK(store_get_package(s, 65, &got, &err), &err);
    CHECK_STR(got.to_version, "6.6");
    CHECK_OK(store_withdraw_package(s, 65, &err), &err);
    CHECK_OK(store_get_package(s, 65, &got, &err), &err);
    CHECK(got.withdrawn);
    CHECK_OK(store_begin(s, &err), &err);
    f.package_id = 1;
    CHECK_OK(store_put_file(s, &f, &err), &err);
    CHECK_OK(store_get_file(s, 1, 1, &file, &err), &err);
    CHECK_ERR(store_finish(s, ERR_LIMIT, &err), ERR_LIMIT);
    CHECK_OK(store_get_file(s, 1, 1, &file, &err), &err);
    CHECK_INT(file.package_id, 65);
    CHECK_OK(store_reset(s, &err), &err);
    CHECK_ERR(store_get_file(s, 1, 1, &file, &err), ERR_NOT_FOUND);
    CHECK_ERR(store_get_package(s, 65, &got, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void records_keep_their_order(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_record a = {.delta_id = 2, .device_id = "d", .created_ns = 10, .changed_ns = 10};
    struct store_record b = {.delta_id = 1, .device_id = "d", .created_ns = 20, .changed_ns = 20};
    struct store_record got;
    CHECK_OK(store_put_record(s, &a, &err), &err);
    CHECK_OK(store_put_record(s, &b, &err), &err);
    a.state = RECORD_UPGRADING;
    a.changed_ns = 30;
    CHECK_OK(store_put_record(s, &a, &err), &err);
    CHECK_OK(store_record_at(s, 0, &got, &err), &err);
    CHECK_INT(got.delta_id, 2);
    CHECK_INT(got.state, RECORD_UPGRADING);
    CHECK_INT(got.changed_ns, 30);
    CHECK_OK(store_record_at(s, 1, &got, &err), &err);
    CHECK_INT(got.delta_id, 1);
    CHECK_ERR(store_record_at(s, 2, &got, &err), ERR_NOT_FOUND);

    CHECK_OK(store_find_other_pending(s, "d", 2, &got, &err), &err);
    CHECK_INT(got.delta_id, 1);
    CHECK_ERR(store_find_other_pending(s, "d", 1, &got, &err), ERR_NOT_FOUND);
    b.state = RECORD_UPGRADING;
    CHECK_OK(store_put_record(s, &b, &err), &err);
    CHECK_OK(store_find_oldest_upgrading(s, &got, &err), &err);
    CHECK_INT(got.delta_id, 1);
    store_close(s);
}

static void visits_are_counted_per_day(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    uint32_t device = 0, owner = 0;
    CHECK_OK(store_count_visit(s, "d1", "o", 0, &device, &owner, &err), &err);
    CHECK_OK(store_count_visit(s, "d2", "o", DAY_NS - 1, &device, &owner, &err), &err);
    CHECK_INT(device, 1);
    CHECK_INT(owner, 2);
    /* A device named as its owner is still another visitor. */
    CHECK_OK(store_count_visit(s, "o", "o", 5, &device, &owner, &err), &err);
    CHECK_INT(device, 1);
    CHECK_INT(owner, 3);
    CHECK_OK(store_count_visit(s, "d1", "o", DAY_NS, &device, &owner, &err), &err);
    CHECK_INT(device, 1);
    CHECK_INT(owner, 1);
    store_close(s);
}

static void the_log_keeps_the_newest(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    char long_text[2 * STORE_MESSAGE_TEXT_MAX];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct store_message m;
    CHECK_OK(store_log_message(s, 1, "cms", "check", long_text, &err), &err);
    CHECK_OK(store_message_at(s, 0, &m, &err), &err);
    CHECK_INT(strlen(m.text), STORE_MESSAGE_TEXT_MAX - 1);
    for (int64_t i = 2; i <= STORE_MESSAGES_MAX + 2; i++)
        if (store_log_message(s, i, "cms", "check", "", &err) != 0)
            CHECK_OK(ERR_IO, &err);
    CHECK_OK(store_message_at(s, 0, &m, &err), &err);
    CHECK_INT(m.now_ns, 3);
    CHECK_OK(store_message_at(s, STORE_MESSAGES_MAX - 1, &m, &err), &err);
    CHECK_INT(m.now_ns, STORE_MESSAGES_MAX + 2);
    CHECK_ERR(store_message_at(s, STORE_MESSAGES_MAX, &m, &err), ERR_NOT_FOUND);
    store_close(s);
}

static void reset_forgets_everything(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    for (int round = 0; round < 3; round++) {
        struct store_product product = sample_product();
        struct store_package package = sample_package(1, "1.0", "1.1");
        struct store_device device = {.device_id = "d"};
        struct store_record record = {.delta_id = 1, .device_id = "d"};
        uint32_t visits = 0, owner = 0;
        CHECK_ERR(store_get_product(s, product.product_id, &product, &err), ERR_NOT_FOUND);
        CHECK_ERR(store_get_package(s, 1, &package, &err), ERR_NOT_FOUND);
        const uint8_t *data = NULL;
        size_t len = 0;
        CHECK_ERR(store_package_bytes(s, 1, &data, &len, &err), ERR_NOT_FOUND);
        CHECK_ERR(store_get_device(s, "d", &device, &err), ERR_NOT_FOUND);
        CHECK_ERR(store_record_at(s, 0, &record, &err), ERR_NOT_FOUND);
        struct store_message m;
        CHECK_ERR(store_message_at(s, 0, &m, &err), ERR_NOT_FOUND);
        product = sample_product();
        package = sample_package(1, "1.0", "1.1");
        CHECK_OK(store_put_product(s, &product, &err), &err);
        CHECK_OK(store_put_package(s, &package, "abcd", &err), &err);
        CHECK_OK(store_put_device(s, &device, &err), &err);
        CHECK_OK(store_put_record(s, &record, &err), &err);
        CHECK_OK(store_log_message(s, 1, "a", "b", "c", &err), &err);
        CHECK_OK(store_count_visit(s, "d", "o", 0, &visits, &owner, &err), &err);
        CHECK_INT(visits, 1);
        CHECK_OK(store_reset(s, &err), &err);
    }
    store_close(s);
}

/* ---- campaigns ---- */

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

static void put_firmware(struct store *s, int64_t id, const char *module, const char *version)
{
    struct store_firmware f = {.delta_id = id, .product_id = "p", .file_count = 1};
    (void)snprintf(f.module, sizeof f.module, "%s", module);
    (void)snprintf(f.version, sizeof f.version, "%s", version);
    CHECK_OK(store_put_firmware(s, &f, NULL), NULL);
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

static void people_look_at_rows(void)
{
    struct store *s = open_memory();
    struct err err = {""};
    struct store_product p = {.product_id = "a"};
    struct store_firmware f;
    struct store_record rec;
    int64_t at = 0;
    CHECK_OK(store_put_product(s, &p, &err), &err);
    (void)snprintf(p.product_id, sizeof p.product_id, "b");
    CHECK_OK(store_put_product(s, &p, &err), &err);
    CHECK_OK(store_next_product(s, "", &p, &err), &err);
    CHECK_STR(p.product_id, "a");
    CHECK_OK(store_next_product(s, "a", &p, &err), &err);
    CHECK_STR(p.product_id, "b");
    CHECK_ERR(store_next_product(s, "b", &p, &err), ERR_NOT_FOUND);
    put_firmware(s, 7, "", "2.0");
    put_firmware(s, 8, "mcu", "2.0");
    CHECK_OK(store_next_firmware(s, "", 7, &f, &err), &err);
    CHECK_INT(f.delta_id, 8);
    CHECK_ERR(store_next_firmware(s, "nobody", 0, &f, &err), ERR_NOT_FOUND);
    for (int i = 0; i < 4; i++) {
        rec = (struct store_record){.delta_id = 7 + i / 2, .state = i % 2 == 0 ? RECORD_FAILED : 0};
        (void)snprintf(rec.device_id, sizeof rec.device_id, "d%d", i);
        CHECK_OK(store_put_record(s, &rec, &err), &err);
    }
    struct store_record_filter failed = {.device_id = "", .state = RECORD_FAILED};
    CHECK_OK(store_next_record(s, &failed, &at, &rec, &err), &err);
    CHECK_STR(rec.device_id, "d0");
    CHECK_OK(store_next_record(s, &failed, &at, &rec, &err), &err);
    CHECK_STR(rec.device_id, "d2");
    CHECK_ERR(store_next_record(s, &failed, &at, &rec, &err), ERR_NOT_FOUND);
    struct store_record_filter one = {.device_id = "d3", .delta_id = 8, .state = -1};
    at = 0;
    CHECK_OK(store_next_record(s, &one, &at, &rec, &err), &err);
    CHECK_STR(rec.device_id, "d3");
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

struct version_row {
    const char *a, *b;
    int order;
};

static const struct version_row versions[] = {
    {"1.9", "1.10", -1},
    {"1.10", "1.10", 0},
    {"2", "1.999", 1},
    {"1.0", "1", 0},
    {"1.01", "1.1", 0},
    {"1.0.1", "1", 1},
    {"", "0", 0},
    {"", "0.1", -1},
    {"99999999999999999999999999", "100000000000000000000000000", -1},
    {"V1.0", "V2.0", -1},
    {"ONEOS_V1.9", "ONEOS_V1.10", -1},
    {"1.0.a", "1.0.b", -1},
    {"1.0.ab", "1.0.a", 1},
    {"1.10", "1.1a", -1},
    {"1.9", "1.1a", -1},
    {"1.0.beta", "1.0", 1},
    {"1..2", "1.0.2", 0},
};

static void version_order(const void *row)
{
    const struct version_row *v = row;
    int ab = version_compare(v->a, v->b), ba = version_compare(v->b, v->a);
    CHECK_INT((ab > 0) - (ab < 0), v->order);
    CHECK_INT((ba > 0) - (ba < 0), -v->order);
}

static const char *version_name(const void *row)
{
    static char name[96];
    const struct version_row *v = row;
    (void)snprintf(name, sizeof name, "'%s' and '%s'", v->a, v->b);
    return name;
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
    {"products come back as they were put", products_come_back},
    {"devices come back and are found by mid", devices_come_back},
    {"packages keep their bytes", packages_keep_their_bytes},
    {"package limits hold", package_limits_hold},
    TEST_ROWS("offer", offer_is_found, offers, offer_name),
    {"withdrawing ends an offer", withdrawing_ends_an_offer},
    {"rows that were read follow every change", rows_that_were_read_follow_every_change},
    {"records keep their order of creation", records_keep_their_order},
    {"visits are counted per day", visits_are_counted_per_day},
    {"the log keeps the newest messages", the_log_keeps_the_newest},
    {"reset forgets everything", reset_forgets_everything},
    {"firmware and files come back", firmware_and_files_come_back},
    {"tasks are found", tasks_are_found},
    {"records are found by module", records_are_found_by_module},
    {"versions, gateways and configurations come back",
     versions_gateways_and_configurations_come_back},
    {"sessions are due in order", sessions_are_due_in_order},
    {"messages are held back", messages_are_held_back},
    {"a file of version 1 is raised", a_file_of_version_1_is_raised},
    {"a file of version 3 is raised", a_file_of_version_3_is_raised},
    {"people look at rows", people_look_at_rows},
    {"a file store is there after reopening", a_file_is_there_after_reopening},
    {"foreign and damaged files are refused", foreign_files_are_refused},
    TEST_ROWS("version order of", version_order, versions, version_name),
    {"the disk is waited for when told", the_disk_is_waited_for_when_told},
    {"transactions nest", transactions_nest},
};
TEST_MAIN("store", tests)
