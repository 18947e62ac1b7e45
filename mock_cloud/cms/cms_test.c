#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "mock_cloud/cms/cms_testing.h"

struct exchange {
    const char *name;
    const char *path;
    const char *body;
    const char *reply;
};

/* One after the other, as a whole update of each client variant goes. */
static const struct exchange whole_update[] = {
    {"A registers", "/register/" PID_A, REGISTER,
     "{\"status\":1000,\"msg\":\"success\",\"data\":{\"deviceSecret\":\"" DSECRET
     "\",\"deviceId\":\"" DID "\"}}"},
    {"A checks", A_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_A),
     "{\"status\":1000,\"msg\":\"success\",\"data\":{\"version\":{\"deltaUrl\":\"" URL_A
     "\",\"deltaID\":\"7\",\"fileSize\":10,\"md5sum\":\"" MD5
     "\",\"packageType\":1,\"versionName\":\"1.1\"}}}"},
    {"A reports its download", A_PATH("reportDownResult"), DOWN_BODY("\"7\"", "1", SIGN_A), GOOD},
    {"A reports its upgrade", A_PATH("reportUpgradeResult"), UP_BODY("\"7\"", "1", SIGN_A), GOOD},
    {"A is up to date", A_PATH("checkVersion"), CHECK_BODY("1.1", SIGN_A),
     REPLY("2101", "no new version")},
    {"A registers again and is the same", "/register/" PID_A, REGISTER,
     "{\"status\":1000,\"msg\":\"success\",\"data\":{\"deviceSecret\":\"" DSECRET
     "\",\"deviceId\":\"" DID "\"}}"},
    {"C checks without registering", C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C),
     "{\"status\":1000,\"msg\":\"success\",\"data\":{\"version\":{\"deltaUrl\":\"" URL_C
     "\",\"deltaID\":\"8\",\"fileSize\":10,\"md5sum\":\"" MD5
     "\",\"packageType\":2,\"versionName\":\"2.0\"}}}"},
    {"C reports with a number for a string", C_PATH("reportDownResult"),
     DOWN_BODY("8", "\"1\"", SIGN_C), GOOD},
    {"C reports its upgrade", C_PATH("reportUpgradeResult"), UP_BODY("\"8\"", "1", SIGN_C), GOOD},
    {"C is up to date", C_PATH("checkVersion"), CHECK_BODY("2.0", SIGN_C),
     REPLY("2101", "no new version")},
};

static void a_whole_update_byte_for_byte(void)
{
    struct world w;
    set_up(&w);
    for (size_t i = 0; i < sizeof whole_update / sizeof whole_update[0]; i++) {
        const struct exchange *x = &whole_update[i];
        CHECK_STR(post(&w, x->path, x->body), x->reply);
        CHECK_INT(w.reply.status, 200);
        CHECK_INT(w.reply.chunked, true);
        CHECK_STR(w.reply.content_type, "application/json;charset=UTF-8");
    }
    struct store_record rec;
    CHECK_OK(store_get_record(w.store, 7, DID, &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_SUCCESS);
    CHECK_INT(rec.download_status, 1);
    CHECK_OK(store_get_record(w.store, 8, OID, &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_SUCCESS);
    struct store_device d;
    CHECK_OK(store_get_device(w.store, OID, &d, NULL), NULL);
    CHECK_STR(d.version, "2.0");
    CHECK_STR(d.mid, MID);
    tear_down(&w);
}

/* Every code by its natural cause, on a cloud that knows both devices. */
struct cause_row {
    const char *name;
    int code;
    const char *path;
    const char *body;
};

#define LONG32  "01234567890123456789012345678901"
#define LONG128 LONG32 LONG32 LONG32 LONG32

static const struct cause_row causes[] = {
    {"unknown product", 1001, "/register/1000000009", REGISTER},
    {"unknown product, check", 1001, "/product/nope/" OID "/ota/checkVersion",
     CHECK_BODY("1.0", SIGN_C)},
    {"register with a CMS product", 1001, "/register/" PID_C, REGISTER},
    {"other oem", 1002, "/register/" PID_A,
     "{\"mid\":\"" MID "\",\"oem\":\"x\",\"models\":\"m1\",\"platform\":\"W217\",\"deviceType\":"
     "\"watch\",\"timestamp\":133,\"sign\":\"" SIGN_REGISTER "\",\"version\":\"1.0\"}"},
    {"other model", 1002, "/register/" PID_A,
     "{\"mid\":\"" MID "\",\"oem\":\"acme\",\"models\":\"m2\",\"platform\":\"W217\",\"deviceType\":"
     "\"watch\",\"timestamp\":133,\"sign\":\"" SIGN_REGISTER "\",\"version\":\"1.0\"}"},
    {"other platform", 1002, "/register/" PID_A,
     "{\"mid\":\"" MID "\",\"oem\":\"acme\",\"models\":\"m1\",\"platform\":\"\",\"deviceType\":"
     "\"watch\",\"timestamp\":133,\"sign\":\"" SIGN_REGISTER "\",\"version\":\"1.0\"}"},
    {"other device type", 1002, "/register/" PID_A,
     "{\"mid\":\"" MID "\",\"oem\":\"acme\",\"models\":\"m1\",\"platform\":\"W217\",\"deviceType\":"
     "\"Watch\",\"timestamp\":133,\"sign\":\"" SIGN_REGISTER "\",\"version\":\"1.0\"}"},
    {"version is a number", 1003, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"version\":1.0,\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"timestamp is a string", 1003, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"version\":\"1.0\",\"timestamp\":\"133\",\"sign\":\"" SIGN_C "\"}"},
    {"mid is null", 1003, C_PATH("checkVersion"),
     "{\"mid\":null,\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"deltaID is true", 1003, C_PATH("reportDownResult"), DOWN_BODY("true", "1", SIGN_C)},
    {"no sign", 1004, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"version\":\"1.0\",\"timestamp\":133}"},
    {"no version, but one in another case", 1004, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"Version\":\"1.0\",\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"no updateStatus", 1004, C_PATH("reportUpgradeResult"),
     "{\"mid\":\"" MID "\",\"deltaID\":\"8\",\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"no downSize", 1004, C_PATH("reportDownResult"),
     "{\"mid\":\"" MID "\",\"deltaID\":\"8\",\"downloadStatus\":1,\"downStart\":1,\"downEnd\":2,"
     "\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"empty body", 1006, C_PATH("checkVersion"), ""},
    {"no JSON", 1006, C_PATH("checkVersion"), "mid=1"},
    {"an array", 1006, C_PATH("checkVersion"), "[]"},
    {"trailing bytes", 1006, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C) "x"},
    {"duplicate key", 1006, C_PATH("checkVersion"), "{\"mid\":\"" MID "\",\"mid\":\"" MID "\"}"},
    {"too deep", 1006, C_PATH("checkVersion"), "{\"a\":[[[[[1]]]]]}"},
    {"empty version", 1007, C_PATH("checkVersion"), CHECK_BODY("", SIGN_C)},
    {"version too long", 1007, C_PATH("checkVersion"), CHECK_BODY(LONG128, SIGN_C)},
    {"negative timestamp", 1007, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"version\":\"1.0\",\"timestamp\":-1,\"sign\":\"" SIGN_C "\"}"},
    {"fractional timestamp", 1007, C_PATH("checkVersion"),
     "{\"mid\":\"" MID "\",\"version\":\"1.0\",\"timestamp\":1.5,\"sign\":\"" SIGN_C "\"}"},
    {"deltaID not digits", 1007, C_PATH("reportDownResult"), DOWN_BODY("\"8a\"", "1", SIGN_C)},
    {"deltaID empty", 1007, C_PATH("reportUpgradeResult"), UP_BODY("\"\"", "1", SIGN_C)},
    {"deltaID endless", 1007, C_PATH("reportUpgradeResult"),
     UP_BODY("\"" LONG32 "\"", "1", SIGN_C)},
    {"mid of 3", 1008, C_PATH("checkVersion"),
     "{\"mid\":\"abc\",\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"mid of 32", 1008, C_PATH("checkVersion"),
     "{\"mid\":\"" LONG32 "\",\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"" SIGN_C "\"}"},
    {"wrong sign at register", 2001, "/register/" PID_A,
     "{\"mid\":\"" MID "\",\"oem\":\"acme\",\"models\":\"m1\",\"platform\":\"W217\",\"deviceType\":"
     "\"watch\",\"timestamp\":134,\"sign\":\"" SIGN_REGISTER "\",\"version\":\"1.0\"}"},
    {"wrong sign, A", 2001, A_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C)},
    {"wrong sign, C", 2001, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_A)},
    {"upper-case sign", 2001, C_PATH("checkVersion"),
     CHECK_BODY("1.0", "D0DD0857DDC06FA1080B6B18DF99A70C")},
    {"wrong sign on a report", 2001, A_PATH("reportUpgradeResult"), UP_BODY("\"7\"", "1", SIGN_C)},
    {"nothing newer", 2101, C_PATH("checkVersion"), CHECK_BODY("2.0", SIGN_C)},
    {"unknown device, A", 2103, "/product/" PID_A "/nobody/ota/checkVersion",
     CHECK_BODY("1.0", SIGN_A)},
    {"unknown device reports, C", 2103, "/product/" PID_C "/nobody/ota/reportDownResult",
     DOWN_BODY("\"8\"", "1", SIGN_C)},
    {"another product's device", 2103, "/product/" PID_C "/" DID "/ota/checkVersion",
     CHECK_BODY("1.0", SIGN_A)},
    {"another mid", 2103, A_PATH("checkVersion"),
     "{\"mid\":\"another\",\"version\":\"1.0\",\"timestamp\":133,\"sign\":\"" SIGN_A "\"}"},
    {"download status 2", 2201, C_PATH("reportDownResult"), DOWN_BODY("\"8\"", "2", SIGN_C)},
    {"download status 0", 2201, C_PATH("reportDownResult"), DOWN_BODY("\"8\"", "0", SIGN_C)},
    {"download of an unknown package", 2202, C_PATH("reportDownResult"),
     DOWN_BODY("\"9\"", "1", SIGN_C)},
    {"download of another's package", 2202, C_PATH("reportDownResult"),
     DOWN_BODY("\"7\"", "1", SIGN_C)},
    {"upgrade to an unknown package", 2301, C_PATH("reportUpgradeResult"),
     UP_BODY("\"2147483648\"", "1", SIGN_C)},
    {"upgrade status 100", 2302, C_PATH("reportUpgradeResult"), UP_BODY("\"8\"", "100", SIGN_C)},
    {"upgrade status 0", 2302, C_PATH("reportUpgradeResult"), UP_BODY("\"8\"", "0", SIGN_C)},
};

static void code_has_its_cause(const void *row)
{
    const struct cause_row *r = row;
    struct world w;
    char want[128];
    set_up(&w);
    make_known(&w);
    const struct cms_code *code = cms_code_find(r->code);
    REQUIRE(code != NULL);
    CHECK(code->cause != NULL);
    (void)snprintf(want, sizeof want, "{\"status\":%d,\"msg\":\"%s\",\"data\":null}", r->code,
                   code->text);
    CHECK_STR(post(&w, r->path, r->body), want);
    CHECK_INT(w.reply.status, 200);
    tear_down(&w);
}

static const char *cause_name(const void *row)
{
    static char name[128];
    const struct cause_row *r = row;
    (void)snprintf(name, sizeof name, "%d, %s", r->code, r->name);
    return name;
}

static void a_product_without_team(void)
{
    struct world w;
    set_up(&w);
    struct store_product p;
    CHECK_OK(store_get_product(w.store, PID_C, &p, NULL), NULL);
    p.has_team = false;
    CHECK_OK(store_put_product(w.store, &p, NULL), NULL);
    CHECK_HAS(post(&w, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C)), "\"status\":2104,");
    tear_down(&w);
}

static void visits_are_capped_per_day(void)
{
    struct world w;
    set_up(&w);
    struct store_product p;
    CHECK_OK(store_get_product(w.store, PID_C, &p, NULL), NULL);
    p.device_visits_per_day = 2;
    CHECK_OK(store_put_product(w.store, &p, NULL), NULL);
    const char *path = C_PATH("checkVersion"), *body = CHECK_BODY("1.0", SIGN_C);
    CHECK_HAS(post(&w, path, body), "\"status\":1000,");
    /* A refused request is no visit, a report neither. */
    CHECK_HAS(post(&w, path, CHECK_BODY("1.0", SIGN_A)), "\"status\":2001,");
    CHECK_HAS(post(&w, C_PATH("reportDownResult"), DOWN_BODY("\"8\"", "1", SIGN_C)),
              "\"status\":1000,");
    CHECK_HAS(post(&w, path, body), "\"status\":1000,");
    CHECK_HAS(post(&w, path, body), "\"status\":1010,");
    CHECK_HAS(post(&w, C_PATH("reportUpgradeResult"), UP_BODY("\"8\"", "1", SIGN_C)),
              "\"status\":1000,");
    CHECK_HAS(post_at(&w, 86400 * NS_PER_S, path, body), "\"status\":1000,");
    p.device_visits_per_day = 0;
    p.owner_visits_per_day = 1;
    CHECK_OK(store_put_product(w.store, &p, NULL), NULL);
    CHECK_HAS(post_at(&w, 86400 * NS_PER_S, path, body), "\"status\":1015,");
    tear_down(&w);
}

static void a_broken_store_is_a_system_error(void)
{
    static const struct face *const faces[] = {&cms_face};
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    struct world w;
    struct err err = {""};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/cloud.db", dir);
    w = (struct world){.store = store_open(path, &err)};
    REQUIRE_OK(w.store == NULL ? ERR_IO : 0, &err);
    buf_init(&w.reply.text, 65536);
    struct cloud_config cfg = {.store = w.store, .download_host = "h", .project_key = "k"};
    w.cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(w.cloud == NULL ? ERR_IO : 0, &err);
    struct store_product p = {.product_id = PID_C, .cms = true, .has_team = true};
    CHECK_OK(store_put_product(w.store, &p, &err), &err);
    put_package(w.store, 8, PID_C, "2.0", PACKAGE_FULL);

    sqlite3 *vandal = NULL;
    REQUIRE(sqlite3_open(path, &vandal) == SQLITE_OK);
    REQUIRE(sqlite3_exec(vandal, "DROP TABLE record", NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(vandal);
    CHECK_STR(post(&w, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C)),
              REPLY("1005", "system error"));
    tear_down(&w);
}

static void every_code_can_be_forced(void)
{
    static const char *const paths[] = {"/register/" PID_A, C_PATH("checkVersion"),
                                        C_PATH("reportDownResult"), C_PATH("reportUpgradeResult")};
    for (size_t i = 0; cms_code_at(i) != NULL; i++) {
        const struct cms_code *code = cms_code_at(i);
        struct world w;
        char want[128];
        set_up(&w);
        const struct cloud_fault f = {RQ_ANY, CF_CODE, 1, 4, .code = code->code};
        CHECK_OK(cloud_add_fault(w.cloud, &f), NULL);
        (void)snprintf(want, sizeof want, "{\"status\":%d,\"msg\":\"%s\",\"data\":null}",
                       code->code, code->text);
        for (size_t k = 0; k < 4; k++)
            CHECK_STR(post(&w, paths[k], "{}"), want);
        CHECK_INT(cloud_fault_at(w.cloud, 0)->hits, 4);
        CHECK_HAS(post(&w, paths[1], "{}"), "\"status\":1004,");
        struct store_device d;
        CHECK_ERR(store_get_device(w.store, OID, &d, NULL), ERR_NOT_FOUND);
        CHECK(cms_code_find(code->code) == code);
        tear_down(&w);
    }
    CHECK(cms_code_find(1234) == NULL);
}

struct sign_row {
    const char *name, *key, *id, *product_id;
    int64_t timestamp;
    const char *want;
};

static const struct sign_row signs[] = {
    {"A register", SECRET, MID, PID_A, 133, SIGN_REGISTER},
    {"A others", DSECRET, DID, PID_A, 133, SIGN_A},
    {"C, empty key", "", OID, PID_C, 133, SIGN_C},
};

static void sign_is(const void *row)
{
    const struct sign_row *r = row;
    char got[33];
    cms_sign(r->key, r->id, r->product_id, r->timestamp, got);
    CHECK_STR(got, r->want);
    cms_sign(r->key, r->id, r->product_id, r->timestamp + 1, got);
    CHECK(strcmp(got, r->want) != 0);
}

static const char *sign_name(const void *row)
{
    return ((const struct sign_row *)row)->name;
}

static void a_package_shows_from_its_time_on(void)
{
    struct world w;
    set_up(&w);
    struct store_package p;
    CHECK_OK(store_get_package(w.store, 8, &p, NULL), NULL);
    p.offered_from_ns = 300 * NS_PER_S;
    CHECK_OK(store_put_package(w.store, &p, "0123456789", NULL), NULL);
    const char *path = C_PATH("checkVersion"), *body = CHECK_BODY("1.0", SIGN_C);
    CHECK_HAS(post_at(&w, 300 * NS_PER_S - 1, path, body), "\"status\":2101,");
    CHECK_HAS(post_at(&w, 300 * NS_PER_S, path, body), "\"status\":1000,");
    tear_down(&w);
}

static void announcements_can_be_spoilt(void)
{
    static const struct {
        struct cloud_fault fault;
        const char *part;
    } rows[] = {
        {{RQ_CHECK, CF_WRONG_DIGEST, 1, 1}, "\"md5sum\":\"87e1a1dba2964a996864791d72dc0d38\","},
        {{RQ_CHECK, CF_BAD_DIGEST, 1, 1}, "\"md5sum\":\"nohuluikltmprlmmpnpromuiotijvisn\","},
        {{RQ_CHECK, CF_WRONG_SIZE, 1, 1, .bytes = 5}, "\"fileSize\":15,"},
        {{RQ_CHECK, CF_WRONG_SIZE, 1, 1, .bytes = -11}, "\"fileSize\":-1,"},
        {{RQ_CHECK, CF_MESSAGE, 1, 1, .text = "ok"}, "{\"status\":1000,\"msg\":\"ok\",\"data\":{"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        set_up(&w);
        CHECK_OK(cloud_add_fault(w.cloud, &rows[i].fault), NULL);
        const char *path = C_PATH("checkVersion"), *body = CHECK_BODY("1.0", SIGN_C);
        CHECK_HAS(post(&w, path, body), rows[i].part);
        CHECK_INT(cloud_fault_at(w.cloud, 0)->hits, 1);
        CHECK_STR(post(&w, path, body), whole_update[6].reply);
        tear_down(&w);
    }
}

static void the_cloud_can_believe_another_version(void)
{
    struct world w;
    set_up(&w);
    const struct cloud_fault stale = {RQ_CHECK, CF_STALE_VERSION, 1, 2, .text = "1.0"};
    CHECK_OK(cloud_add_fault(w.cloud, &stale), NULL);
    const char *path = C_PATH("checkVersion");
    CHECK_STR(post(&w, path, CHECK_BODY("2.0", SIGN_C)), whole_update[6].reply);
    CHECK_INT(cloud_fault_at(w.cloud, 0)->hits, 1);
    CHECK_STR(post(&w, path, CHECK_BODY("1.0", SIGN_C)), whole_update[6].reply);
    CHECK_INT(cloud_fault_at(w.cloud, 0)->hits, 1); /* it would have changed nothing */
    CHECK_HAS(post(&w, path, CHECK_BODY("2.0", SIGN_C)), "\"status\":2101,");
    tear_down(&w);
}

static void only_known_paths_and_methods(void)
{
    struct world w;
    set_up(&w);
    static const char *const unknown[] = {
        "/",
        "/register/",
        "/register/a/b",
        "/product/" PID_C "/ota/checkVersion",
        C_PATH("checkVersion/"),
        C_PATH("checkversion"),
        "/product//" OID "/ota/checkVersion",
        "/product/" LONG128 "/" OID "/ota/checkVersion",
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        (void)post(&w, unknown[i], "{}");
        CHECK_INT(w.reply.status, 404);
        CHECK_INT(w.reply.chunked, false);
    }
    CHECK_INT(get(&w, NOW_NS, &plain_get, C_PATH("checkVersion"), NULL)->status, 404);
    CHECK_INT(cloud_requests(w.cloud, RQ_OTHER), 9);
    CHECK_INT(cloud_requests(w.cloud, RQ_CHECK), 0);
    tear_down(&w);
}

static const struct test tests[] = {
    {"a whole update, byte for byte", a_whole_update_byte_for_byte},
    TEST_ROWS("code", code_has_its_cause, causes, cause_name),
    {"2104, a product without team", a_product_without_team},
    {"1010 and 1015, visits are capped per day", visits_are_capped_per_day},
    {"1005, the store fails", a_broken_store_is_a_system_error},
    {"every code can be forced on every control request", every_code_can_be_forced},
    TEST_ROWS("sign", sign_is, signs, sign_name),
    {"a package shows from its time on", a_package_shows_from_its_time_on},
    {"announcements can be spoilt", announcements_can_be_spoilt},
    {"the cloud can believe another version", the_cloud_can_believe_another_version},
    {"only known paths and methods", only_known_paths_and_methods},
};
TEST_MAIN("cms", tests)
