#include <string.h>

#include "scenarios/client/ask.h"
#include "scenarios/client/client_testing.h"
#include "scenarios/client/verbs.h"

#define ARGUMENTS_MAX 4
#define OPTIONS_MAX   4

/* A command line: verb, arguments, and options with what they are given. */
struct line {
    const char *verb;
    const char *argument[ARGUMENTS_MAX];
    struct {
        enum client_option option;
        const char *value;
    } option[OPTIONS_MAX];
};

static int act(const struct running *r, const struct line *l, struct json *out, struct err *err)
{
    struct client_request rq = {.verb = client_find_verb(l->verb), .place = &r->place};
    char text[ARGUMENTS_MAX][TEST_PATH_MAX], *argument[ARGUMENTS_MAX];
    REQUIRE(rq.verb != NULL);
    for (int i = 0; i < ARGUMENTS_MAX && l->argument[i] != NULL; i++) {
        (void)snprintf(text[i], sizeof text[i], "%s", l->argument[i]);
        argument[i] = text[i];
        rq.argument_count++;
    }
    rq.argument = argument;
    for (int i = 0; i < OPTIONS_MAX && l->option[i].value != NULL; i++) {
        CHECK((rq.verb->takes & TAKES(l->option[i].option)) != 0);
        rq.value[l->option[i].option] = l->option[i].value;
    }
    err->text[0] = '\0';
    return client_act(&rq, out, err);
}

/* Does it, and has this in what is shown. */
static void shows(const struct running *r, const struct line *l, const char *part)
{
    struct json reply;
    struct err err;
    struct buf text;
    buf_init(&text, 1 << 20);
    CHECK_OK(act(r, l, &reply, &err), &err);
    if (reply.root != NULL)
        CHECK_OK(client_show(client_find_verb(l->verb), reply.root, &text), NULL);
    CHECK_HAS(text.data == NULL ? "" : (const char *)text.data, part);
    buf_free(&text);
    json_free(&reply);
}

static void fails(const struct running *r, const struct line *l, int code, const char *part)
{
    struct json reply;
    struct err err;
    CHECK_ERR(act(r, l, &reply, &err), code);
    CHECK_HAS(err.text, part);
    json_free(&reply);
}

static void write_file(const struct running *r, const char *name, const char *text,
                       char path[TEST_PATH_MAX])
{
    (void)snprintf(path, TEST_PATH_MAX, "%.200s/%s", r->dir, name);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static const char product[] =
    "{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"pk\",\"devices\":[{\"name\":\"d1\"}],"
    "\"firmware\":[{\"version\":\"1.0\",\"files\":[{\"name\":\"a\",\"file\":\"one.bin\"},"
    "{\"name\":\"b\",\"file\":\"two.bin\"}]}]}]}";

static void start_with_product(struct running *r)
{
    char path[TEST_PATH_MAX];
    running_start(r);
    running_go(r);
    write_file(r, "one.bin", "1111", path);
    write_file(r, "two.bin", "22", path);
    write_file(r, "fleet.json", product, path);
    const struct line l = {"set-up", {path}, {{0}}};
    shows(r, &l, "tasks_started");
}

static void a_set_up_file_brings_its_files(void)
{
    struct running r;
    start_with_product(&r);
    shows(&r, &(const struct line){"products"}, "pk       yes");
    shows(&r, &(const struct line){"firmware"}, "1         pk       -       1.0      2      no");
    shows(&r, &(const struct line){"files"}, "none"); /* what was uploaded for it is gone */
    running_stop(&r);
}

static void an_update_is_made_and_followed(void)
{
    struct running r;
    char path[TEST_PATH_MAX];
    start_with_product(&r);
    write_file(&r, "new.bin", "new", path);
    shows(&r, &(const struct line){"add-device", {"d2"}}, "secret       ");
    shows(
        &r,
        &(const struct line){"add-firmware",
                             {path},
                             {{OPTION_VERSION, "2.0"}, {OPTION_VERIFY, "d1"}, {OPTION_BATCH, ""}}},
        "tasks_started  2");
    shows(&r, &(const struct line){"tasks"}, "2     3         batch   held");
    shows(&r, &(const struct line){"records", {NULL}, {{OPTION_STATUS, "pending"}}}, "d1&pk");
    shows(&r, &(const struct line){"records", {NULL}, {{OPTION_STATUS, "failed"}}}, "none");
    shows(&r, &(const struct line){"task", {"1"}}, "pending 1, upgrading 0");
    fails(&r, &(const struct line){"add-task", {"batch"}, {{OPTION_VERSION, "2.0"}}},
          ERR_WRONG_STATE, "not verified");
    shows(&r, &(const struct line){"cancel", {"1"}}, "ended");
    shows(&r, &(const struct line){"task", {"1"}, {{OPTION_WAIT, "60"}}}, "superseded 1");
    running_stop(&r);
}

static void what_is_wrong_is_said(void)
{
    struct running r;
    start_with_product(&r);
    fails(&r, &(const struct line){"records", {NULL}, {{OPTION_PRODUCT, "x&y"}}}, ERR_WRONG_STATE,
          "there is no product \"x&y\"");
    fails(&r, &(const struct line){"task", {"a/b?c"}}, ERR_WRONG_STATE, "there is");
    fails(&r, &(const struct line){"tasks", {NULL}, {{OPTION_FIRMWARE, "one"}}}, ERR_ARG,
          "--firmware one: must be a number");
    fails(&r, &(const struct line){"tasks", {NULL}, {{OPTION_LIMIT, "0"}}}, ERR_ARG, "--limit 0");
    fails(&r, &(const struct line){"add-firmware", {"/none"}, {{OPTION_VERSION, "3"}}}, ERR_FORMAT,
          "/none");
    fails(&r, &(const struct line){"add-firmware", {"/none"}}, ERR_ARG, "--version is missing");
    fails(&r, &(const struct line){"add-firmware", {"a", "b"}, {{OPTION_VERSION, "3"}}}, ERR_ARG,
          "a: each of several files is NAME=FILE");
    fails(&r, &(const struct line){"set-up", {"/none"}}, ERR_FORMAT, "/none");
    running_stop(&r);
}

static void a_product_is_named_unless_there_is_one(void)
{
    struct running r;
    running_start(&r);
    const struct store_product p = {.product_id = "p1"}, q = {.product_id = "p2"};
    CHECK_OK(store_put_product(r.store, &p, NULL), NULL);
    CHECK_OK(store_put_product(r.store, &q, NULL), NULL);
    running_go(&r);
    fails(&r, &(const struct line){"devices"}, ERR_ARG,
          "--product is needed: the cloud has several");
    shows(&r, &(const struct line){"devices", {NULL}, {{OPTION_PRODUCT, "p1"}}}, "none");
    running_stop(&r);
}

static void long_lists_are_whole(void)
{
    struct running r;
    struct json reply;
    struct err err;
    running_start(&r);
    const struct store_product p = {.product_id = "pk"};
    CHECK_OK(store_put_product(r.store, &p, NULL), NULL);
    for (int i = 0; i < 2100; i++) {
        struct store_device d = {.product_id = "pk"};
        (void)snprintf(d.mid, sizeof d.mid, "d%04d", i);
        (void)snprintf(d.device_id, sizeof d.device_id, "d%04d&pk", i);
        CHECK_OK(store_put_device(r.store, &d, NULL), NULL);
    }
    running_go(&r);
    CHECK_OK(act(&r, &(const struct line){"devices"}, &reply, &err), &err);
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(reply.root, "devices");
    CHECK_INT(cJSON_GetArraySize(rows), 2100);
    json_free(&reply);
    CHECK_OK(
        act(&r, &(const struct line){"devices", {NULL}, {{OPTION_LIMIT, "1001"}}}, &reply, &err),
        &err);
    rows = cJSON_GetObjectItemCaseSensitive(reply.root, "devices");
    CHECK_INT(cJSON_GetArraySize(rows), 1001);
    json_free(&reply);
    running_stop(&r);
}

static void who_answers_is_told_apart(void)
{
    static const struct ask what = {.method = "GET", .path = "/products"};
    struct running r;
    struct json reply;
    struct err err = {""};
    running_start(&r);
    uint16_t devices = edge_port(r.devices);
    running_go(&r);
    struct admin_place other = r.place;
    other.token[0] = 'x';
    CHECK_ERR(ask(&other, &what, &reply, &err), ERR_DIGEST);
    CHECK_HAS(err.text, "another token");
    CHECK(strstr(err.text, other.token) == NULL);
    other = r.place;
    (void)snprintf(other.url, sizeof other.url, "http://127.0.0.1:%u/admin", devices);
    CHECK_ERR(ask(&other, &what, &reply, &err), ERR_IO);
    CHECK_HAS(err.text, "is no cloud of otabench: it answers 404");
    running_stop(&r); /* its port is free again */
    CHECK_ERR(ask(&r.place, &what, &reply, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "no cloud is running at http://127.0.0.1:");
}

static void names_are_escaped(void)
{
    char path[ASK_PATH_MAX] = "/files/", text[ASK_PATH_MAX];
    CHECK_INT(ask_escape(path, "a b&c/d?\xc3\xa9"), 0);
    CHECK_STR(path, "/files/a%20b%26c%2Fd%3F%C3%A9");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK_ERR(ask_escape(path, text), ERR_LIMIT);
    CHECK_STR(path, "/files/a%20b%26c%2Fd%3F%C3%A9");
}

static void what_devices_wrote_is_tame(void)
{
    static const struct table_column columns[] = {{"a", "A"}, {"b", "B"}, {NULL, NULL}};
    struct buf out;
    buf_init(&out, 1000);
    cJSON *rows = cJSON_Parse("[{\"a\":\"x\\u001b[2Jy\",\"b\":{\"m\":1}},{\"a\":\"\xc3\xa9\"}]");
    CHECK_OK(table_rows(&out, rows, columns), NULL);
    CHECK_STR((const char *)out.data, "A       B\nx?[2Jy  m 1\n\xc3\xa9       -\n");
    buf_free(&out);
    cJSON_Delete(rows);
    cJSON *lines = cJSON_Parse("{\"k\\u001b[2J\":1,\"kk\":\"\\u009b2J\"}");
    buf_init(&out, 1000);
    CHECK_OK(table_lines(&out, lines), NULL);
    CHECK_STR((const char *)out.data, "k?[2J  1\nkk     ??2J\n");
    buf_free(&out);
    cJSON_Delete(lines);
}

static const struct test tests[] = {
    {"a set-up file brings its files", a_set_up_file_brings_its_files},
    {"an update is made and followed", an_update_is_made_and_followed},
    {"what is wrong is said", what_is_wrong_is_said},
    {"a product is named unless there is one", a_product_is_named_unless_there_is_one},
    {"long lists are whole", long_lists_are_whole},
    {"who answers is told apart", who_answers_is_told_apart},
    {"names are escaped", names_are_escaped},
    {"what devices wrote is tame", what_devices_wrote_is_tame},
};
TEST_MAIN("client of a running cloud", tests)
