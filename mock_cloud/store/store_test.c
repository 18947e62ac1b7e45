#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/store/store_testing.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

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
    {"people look at rows", people_look_at_rows},
};
TEST_MAIN("store", tests)
