#include "scenarios/cli/admin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/cli/cloud_testing.h"

#define TOKEN "0123456789abcdef"

struct bench {
    struct store *store;
    struct cloud *cloud;
    struct admin *admin;
    char dir[TEST_PATH_MAX];
    struct http_reply reply;
};

static void bench_open(struct bench *b)
{
    struct err err = {""};
    memset(b, 0, sizeof *b);
    b->cloud = test_cloud_open(&b->store);
    test_tmpdir(b->dir);
    const struct admin_config admin = {.cloud = b->cloud, .token = TOKEN, .dir = b->dir};
    b->admin = admin_new(&admin, &err);
    REQUIRE_OK(b->admin == NULL ? ERR_IO : 0, &err);
    buf_init(&b->reply.text, 1 << 20);
}

static void bench_close(struct bench *b)
{
    buf_free(&b->reply.text);
    admin_free(b->admin);
    cloud_free(b->cloud);
    store_close(b->store);
}

/* "METHOD path?query" with a body; what is answered, and its status in b->reply. */
static const char *ask(struct bench *b, const char *line, const char *body)
{
    static char method[16], path[512];
    const struct edge_service *s = admin_service(b->admin);
    (void)sscanf(line, "%15s %511s", method, path);
    char *mark = strchr(path, '?');
    if (mark != NULL)
        *mark = '\0';
    struct http_request rq = {.method = method,
                              .path = path,
                              .query = mark == NULL ? NULL : mark + 1,
                              .authorization = "Bearer " TOKEN};
    int64_t room = s->admit(s->ctx, &rq, &b->reply);
    if (room >= 0) {
        rq.body = (const uint8_t *)body;
        rq.body_bytes = body == NULL ? 0 : strlen(body);
        CHECK((int64_t)rq.body_bytes <= room);
        s->answer(s->ctx, 7000000, &rq, &b->reply);
    }
    return (const char *)b->reply.text.data;
}

/* A product with two devices, a verified firmware 1 of version 2.0, and its file. */
static void set_up(struct bench *b)
{
    CHECK_HAS(ask(b, "PUT /admin/files/a.bin", "aaaa"), "\"bytes\":4");
    CHECK_HAS(
        ask(b, "POST /admin/setup",
            "{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"pk\", \"devices\": "
            "[{\"name\": \"d1\"}, {\"name\": \"d2\"}], \"firmware\": [{\"version\": \"2.0\", "
            "\"file\": \"a.bin\", \"tasks\": [{\"kind\": \"verify\", \"device\": \"d1\"}]}]}]}"),
        "{\"tasks_started\":1}");
    CHECK_OK(campaign_version(b->cloud, 1, "d2&pk", "", "1.0", NULL), NULL);
    CHECK_OK(campaign_version(b->cloud, 1, "d1&pk", "", "2.0", NULL), NULL);
}

static void only_who_has_the_token(void)
{
    static const char *const headers[] = {
        NULL, "", "Bearer ", "Bearer " TOKEN "0", "Bearer 0123456789abcdee", "bearer " TOKEN,
        TOKEN};
    struct bench b;
    bench_open(&b);
    const struct edge_service *s = admin_service(b.admin);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        const struct http_request rq = {
            .method = "GET", .path = "/admin/products", .authorization = headers[i]};
        CHECK_INT(s->admit(s->ctx, &rq, &b.reply), -1);
        CHECK_INT(b.reply.status, 401);
    }
    CHECK_STR(ask(&b, "GET /admin/products", NULL), "{\"products\":[]}\n");
    bench_close(&b);
}

static void firmware_and_tasks_come_live(void)
{
    struct bench b;
    struct store_record rec;
    bench_open(&b);
    set_up(&b);
    CHECK_HAS(ask(&b, "GET /admin/firmware", NULL), "\"verified\":true");
    CHECK_HAS(
        ask(&b, "POST /admin/tasks",
            "{\"product_key\":\"pk\",\"firmware\":1,\"kind\":\"batch\",\"policy\":\"static\"}"),
        "\"task\":2,\"firmware\":1,\"kind\":\"batch\",\"state\":\"running\"");
    CHECK_OK(store_get_record(b.store, 1, "d2&pk", &rec, NULL), NULL);
    CHECK_INT(rec.state, RECORD_PENDING);
    CHECK_HAS(ask(&b, "GET /admin/tasks/2", NULL), "\"pending\":1");
    CHECK_HAS(ask(&b, "DELETE /admin/tasks/2", NULL), "\"state\":\"ended\"");
    CHECK_HAS(ask(&b, "GET /admin/records?product_key=pk&device=d2", NULL),
              "\"state\":\"superseded\"");
    CHECK_HAS(ask(&b, "GET /admin/devices?product_key=pk", NULL),
              "\"versions\":{\"default\":\"1.0\"}");
    /* A batch that comes with its firmware waits for the verification. */
    CHECK_HAS(ask(&b, "POST /admin/firmware",
                  "{\"product_key\":\"pk\",\"version\":\"3.0\",\"file\":\"a.bin\",\"tasks\":"
                  "[{\"kind\":\"batch\"}]}"),
              "\"firmware\":2");
    CHECK_HAS(ask(&b, "GET /admin/tasks?firmware=2", NULL), "\"state\":\"held\"");
    CHECK_HAS(ask(&b, "POST /admin/devices", "{\"product_key\":\"pk\",\"name\":\"d3\"}"),
              "\"secret\":\"");
    bench_close(&b);
}

static void lists_go_on(void)
{
    struct bench b;
    bench_open(&b);
    set_up(&b);
    const char *got = ask(&b, "GET /admin/devices?product_key=pk&limit=1", NULL);
    CHECK_HAS(got, "\"name\":\"d1\"");
    CHECK_HAS(got, "\"next\":\"d1&pk\"");
    got = ask(&b, "GET /admin/devices?product_key=pk&limit=1&after=d1%26pk", NULL);
    CHECK_HAS(got, "\"name\":\"d2\"");
    CHECK(strstr(got, "next") == NULL);
    bench_close(&b);
}

/* Of another product, which has nothing. */
static void lists_are_of_a_product(void)
{
    static const char *const lists[] = {"firmware", "tasks", "records"};
    struct bench b;
    bench_open(&b);
    set_up(&b);
    (void)ask(&b, "POST /admin/setup",
              "{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"other\"}]}");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char line[80], empty[40];
        (void)snprintf(empty, sizeof empty, "{\"%s\":[]}\n", lists[i]);
        (void)snprintf(line, sizeof line, "GET /admin/%s?product_key=other", lists[i]);
        CHECK_STR(ask(&b, line, NULL), empty);
        (void)snprintf(line, sizeof line, "GET /admin/%s?product_key=pk", lists[i]);
        CHECK_HAS(ask(&b, line, NULL), "\"firmware\":1");
        (void)snprintf(line, sizeof line, "GET /admin/%s?product_key=none", lists[i]);
        CHECK_HAS(ask(&b, line, NULL), "there is no product");
        CHECK_INT(b.reply.status, 404);
    }
    bench_close(&b);
}

static void files_are_kept_and_dropped(void)
{
    struct bench b;
    bench_open(&b);
    CHECK_HAS(ask(&b, "PUT /admin/files/a.bin", "aaaa"), "\"bytes\":4");
    CHECK_HAS(ask(&b, "PUT /admin/files/a.bin", "aaaaa"), "\"bytes\":5");
    CHECK_STR(ask(&b, "GET /admin/files", NULL),
              "{\"files\":[{\"file\":\"a.bin\",\"bytes\":5}]}\n");
    CHECK_HAS(ask(&b, "DELETE /admin/files/a.bin", NULL), "a.bin");
    CHECK_STR(ask(&b, "GET /admin/files", NULL), "{\"files\":[]}\n");
    for (int i = 0; i < ADMIN_FILES_MAX; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "PUT /admin/files/f%d", i);
        (void)ask(&b, line, "x");
        CHECK_INT(b.reply.status, 200);
    }
    (void)ask(&b, "PUT /admin/files/more", "x");
    CHECK_INT(b.reply.status, 413);
    (void)ask(&b, "PUT /admin/files/f0", "y");
    CHECK_INT(b.reply.status, 200);
    bench_close(&b);
}

struct bad_row {
    const char *line, *body;
    int status;
    const char *says;
};

static const struct bad_row bad[] = {
    {"GET /admin", NULL, 404, "nothing at this path"},
    {"GET /admin/taskse", NULL, 404, "nothing at this path"},
    {"GET /ota/1/1-x.bin", NULL, 404, "nothing at this path"},
    {"PATCH /admin/tasks", NULL, 405, "no such method"},
    {"DELETE /admin/tasks/99", NULL, 404, "there is no task 99"},
    {"GET /admin/tasks/x", NULL, 404, "there is no task x"},
    {"PUT /admin/files/.hidden", "x", 400, "a file's name is"},
    {"PUT /admin/files/../x", "x", 400, "a file's name is"},
    {"DELETE /admin/files/none", NULL, 404, "has not been uploaded"},
    {"GET /admin/records?state=good", NULL, 400, "state=good, must be pending"},
    {"GET /admin/records?limit=0", NULL, 400, "limit=0, must be 1 to 1000"},
    {"GET /admin/records?devise=d", NULL, 400, "devise"},
    {"GET /admin/records?device=%zz", NULL, 400, "cannot be read"},
    {"GET /admin/devices", NULL, 400, "needs product_key"},
    {"GET /admin/devices?product_key=none", NULL, 404, "there is no product"},
    {"POST /admin/setup", "[]", 400, "$: must be an object"},
    {"POST /admin/devices", "{\"name\":\"d\"}", 400, "needs \\\"product_key"},
    {"POST /admin/devices", "{\"product_key\":\"pk\",\"name\":\"a/b\"}", 400, "name is 1 to"},
    {"POST /admin/firmware", "{\"product_key\":\"pk\",\"version\":\"9\",\"file\":\"b.bin\"}", 400,
     "has not been uploaded"},
    {"POST /admin/firmware", "{\"product_key\":\"pk\",\"version\":\"9\",\"file\":\"/etc/passwd\"}",
     400, "has not been uploaded"},
    {"POST /admin/tasks", "{\"product_key\":\"pk\",\"version\":\"9\",\"kind\":\"batch\"}", 404,
     "no such firmware"},
    {"POST /admin/tasks",
     "{\"product_key\":\"pk\",\"firmware\":1,\"kind\":\"again\",\"device\":\"d1\"}", 409,
     "only devices that have failed"},
    {"POST /admin/tasks",
     "{\"product_key\":\"pk\",\"firmware\":1,\"kind\":\"verify\",\"device\":\"d9\"}", 404,
     "is no device of product"},
    {"POST /admin/tasks",
     "{\"product_key\":\"pk\",\"firmware\":1,\"kind\":\"batch\",\"percent\":5}", 400, "is of a"},
};

static void bad_requests_are_refused(const void *row)
{
    const struct bad_row *r = row;
    struct bench b;
    bench_open(&b);
    set_up(&b);
    CHECK_HAS(ask(&b, r->line, r->body), r->says);
    CHECK_HAS((const char *)b.reply.text.data, "{\"error\":");
    CHECK_INT(b.reply.status, r->status);
    bench_close(&b);
}

static const char *bad_name(const void *row)
{
    static char name[256];
    const struct bad_row *r = row;
    (void)snprintf(name, sizeof name, "%s %s", r->line, r->body == NULL ? "" : r->body);
    return name;
}

static const struct test tests[] = {
    {"only who has the token", only_who_has_the_token},
    {"firmware and tasks come live", firmware_and_tasks_come_live},
    {"lists go on", lists_go_on},
    {"lists are of a product", lists_are_of_a_product},
    {"files are kept and dropped", files_are_kept_and_dropped},
    TEST_ROWS("refused:", bad_requests_are_refused, bad, bad_name),
};
TEST_MAIN("live operation", tests)
