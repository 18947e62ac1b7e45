#include "scenarios/cli/cloud_setup.h"

#include <stdio.h>
#include <string.h>

#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/cli/cloud_testing.h"
#include "scenarios/cli/serve_log.h"

struct bench {
    struct store *store;
    struct cloud *cloud;
    struct cloud_setup setup;
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 32];
};

static void bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->cloud = test_cloud_open(&b->store);
    b->setup.cloud = b->cloud;
    test_tmpdir(b->dir);
}

static void bench_close(struct bench *b)
{
    setup_free(&b->setup);
    cloud_free(b->cloud);
    store_close(b->store);
}

static void put_file(struct bench *b, const char *name, const char *text)
{
    (void)snprintf(b->path, sizeof b->path, "%s/%s", b->dir, name);
    FILE *f = fopen(b->path, "w");
    REQUIRE(f != NULL);
    (void)fputs(text, f);
    REQUIRE(fclose(f) == 0);
}

static int read_setup(struct bench *b, const char *text, struct err *err)
{
    put_file(b, "setup.json", text);
    return setup_file(&b->setup, b->path, err);
}

static const char whole[] =
    "{\"otabench_cloud\": 1, // comments are fine\n"
    " \"aliyun\": [{\"product_key\": \"pk\", \"devices\": [{\"name\": \"d1\", \"secret\": \"s1\"},"
    "  {\"name\": \"d2\"}, {\"name\": \"sub\", \"gateway\": \"d1\"}],\n"
    "  \"firmware\": [{\"version\": \"2.0\", \"file\": \"a.bin\", \"sign\": \"sha256\","
    "    \"module\": \"mcu\", \"extra\": {\"a\": [1, \"x\"]},"
    "    \"tasks\": [{\"kind\": \"verify\", \"device\": \"d1\"}, {\"kind\": \"batch\"}]},\n"
    "   {\"version\": \"3.0\", \"files\": [{\"name\": \"x\", \"file\": \"a.bin\"},"
    "    {\"name\": \"y\", \"file\": \"b.bin\"}]}],\n"
    "  \"config\": {\"id\": \"c1\", \"file\": \"b.bin\"}}],\n"
    " \"cms\": [{\"product_id\": \"cp\", \"secret\": \"cs\", \"packages\": [{\"from\": \"1.0\","
    "  \"to\": \"1.1\", \"file\": \"b.bin\"}]}]}";

static void a_file_sets_all_up(void)
{
    struct bench b;
    struct err err = {""};
    struct store_device d;
    struct store_firmware f;
    struct store_file file;
    struct store_config config;
    struct store_package p;
    struct store_sub_device sub;
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    put_file(&b, "b.bin", "bb");
    CHECK_OK(read_setup(&b, whole, &err), &err);
    CHECK_OK(store_get_device(b.store, "d1&pk", &d, &err), &err);
    CHECK_STR(d.secret, "s1");
    CHECK_STR(d.mid, "d1");
    CHECK_OK(store_get_device(b.store, "d2&pk", &d, &err), &err);
    CHECK_INT(strlen(d.secret), 32);
    CHECK_OK(store_get_sub_device(b.store, "sub&pk", &sub, &err), &err);
    CHECK_STR(sub.gateway_id, "d1&pk");
    CHECK(!sub.logs_in);
    CHECK_OK(store_find_firmware(b.store, "pk", "mcu", "2.0", &f, &err), &err);
    CHECK_INT(f.sign, SIGN_SHA256);
    CHECK_STR(f.extra, "{\"a\":[1,\"x\"]}");
    CHECK_OK(store_find_firmware(b.store, "pk", "", "3.0", &f, &err), &err);
    CHECK_OK(store_get_file(b.store, f.delta_id, 2, &file, &err), &err);
    CHECK_STR(file.name, "y");
    CHECK_OK(store_get_config(b.store, "pk", &config, &err), &err);
    CHECK_STR(config.config_id, "c1");
    CHECK_OK(store_find_offer(b.store, "cp", "1.0", 1, &p, &err), &err);
    CHECK_STR(p.to_version, "1.1");
    CHECK_STR(b.setup.device_id, "d1&pk");
    bench_close(&b);
}

static void a_product_secret_stays_until_it_is_said(void)
{
    static const struct {
        const char *text, *want;
    } steps[] = {
        {"{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"pk\"}]}", ""},
        {"{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"pk\",\"product_secret\":\"s\"}]}",
         "s"},
        {"{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"pk\",\"devices\":[]}]}", "s"},
        {"{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"pk\",\"product_secret\":\"\"}]}",
         ""},
    };
    struct bench b;
    struct err err = {""};
    struct store_product p;
    bench_open(&b);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_OK(read_setup(&b, steps[i].text, &err), &err);
        CHECK_OK(store_get_product(b.store, "pk", &p, &err), &err);
        CHECK_STR(p.secret, steps[i].want);
    }
    bench_close(&b);
}

static void a_batch_waits_for_its_verification(void)
{
    struct bench b;
    struct err err = {""};
    struct store_record rec;
    struct store_firmware f;
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    put_file(&b, "b.bin", "bb");
    CHECK_OK(read_setup(&b, whole, &err), &err);
    CHECK_INT(b.setup.task_count, 2);
    CHECK_INT(setup_start(&b.setup, 1, &err), 2); /* the batch is kept by the cloud */
    CHECK_INT(b.setup.task_count, 0);
    CHECK_OK(store_find_firmware(b.store, "pk", "mcu", "2.0", &f, &err), &err);
    CHECK_OK(store_get_record(b.store, f.delta_id, "d1&pk", &rec, &err), &err);
    CHECK_INT(rec.state, RECORD_PENDING);
    CHECK_OK(campaign_version(b.cloud, 3, "d2&pk", "mcu", "1.0", &err), &err);
    CHECK_ERR(store_get_record(b.store, f.delta_id, "d2&pk", &rec, &err), ERR_NOT_FOUND);
    CHECK_OK(campaign_version(b.cloud, 3, "d1&pk", "mcu", "2.0", &err), &err);
    CHECK_OK(store_get_record(b.store, f.delta_id, "d2&pk", &rec, &err), &err);
    CHECK_INT(rec.state, RECORD_PENDING);
    bench_close(&b);
}

static void twice_changes_nothing(void)
{
    struct bench b;
    struct err err = {""};
    int64_t before = 0, after = 0;
    struct store_record rec;
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    put_file(&b, "b.bin", "bb");
    CHECK_OK(read_setup(&b, whole, &err), &err);
    CHECK_INT(setup_start(&b.setup, 1, &err), 2);
    CHECK_OK(campaign_version(b.cloud, 3, "d1&pk", "mcu", "2.0", &err), &err);
    CHECK_OK(store_last_package(b.store, &before, &err), &err);
    b.setup.task_count = 0;
    CHECK_OK(read_setup(&b, whole, &err), &err);
    CHECK_INT(setup_start(&b.setup, 5, &err), 0);
    CHECK_INT(b.setup.task_count, 0);
    CHECK_OK(store_last_package(b.store, &after, &err), &err);
    CHECK_INT(after, before);
    CHECK_OK(store_record_at(b.store, 0, &rec, &err), &err);
    CHECK_INT(rec.state, RECORD_SUCCESS);
    /* Other contents are another firmware. */
    put_file(&b, "a.bin", "aaab");
    CHECK_OK(read_setup(&b, whole, &err), &err);
    CHECK_OK(store_last_package(b.store, &after, &err), &err);
    CHECK(after > before);
    bench_close(&b);
}

struct bad_row {
    const char *text, *says;
};

static const struct bad_row bad[] = {
    {"{", "setup.json"},
    {"[]", "$: must be an object"},
    {"{}", "needs \"otabench_cloud\""},
    {"{\"otabench_cloud\": 2}", "$.otabench_cloud: is 2"},
    {"{\"otabench_cloud\": 1, \"tencent\": []}", "tencent"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [7]}", "$.aliyun[0]: must be an object"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{}]}", "$.aliyun[0]: needs \"product_key\""},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"a/b\"}]}", "product_key"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"devices\": [{\"name\": "
     "\"+\"}]}]}",
     "$.aliyun[0].devices[0]: name is"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\"}]}]}",
     "$.aliyun[0].firmware[0]: needs either"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"none.bin\"}]}]}",
     "none.bin"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"files\": [{\"name\": \"a\", \"file\": \"a.bin\"}]}]}]}",
     "\"files\" has 2 to 20"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"a.bin\", \"sign\": \"crc\"}]}]}",
     "$.aliyun[0].firmware[0].sign"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"a.bin\", \"tasks\": [{\"kind\": \"verify\"}]}]}]}",
     "needs \"device\""},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"a.bin\", \"tasks\": [{\"kind\": \"batch\", \"device\": \"d\"}]}]}]}",
     "a batch has no \"device\""},
#define BATCH(more)                                                                                \
    "{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": "                 \
    "[{\"version\": \"1\", \"file\": \"a.bin\", \"tasks\": [{\"kind\": \"batch\", " more "}]}]}]}"
    {BATCH("\"percent\": 10"), "tasks[0]: \"percent\" is of a"},
    {BATCH("\"percent\": 0, \"policy\": \"static\""), "percent: is 0, must be"},
    {BATCH("\"policy\": \"never\""), "policy"},
    {BATCH("\"from_versions\": [1]"), "from_versions[0]: must be a version"},
    {BATCH("\"from_versions\": [\"1\"], \"from_version\": \"2\""), "from_versions"},
    {BATCH("\"devices\": [\"a/b\"]"), "devices[0]: is no device name"},
    {BATCH("\"retries\": 6"), "retries: is 6"},
    {BATCH("\"firmware\": 6"), "firmware"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"a.bin\", \"tasks\": [{\"kind\": \"again\", \"push\": false}]}]}]}",
     "only a batch has \"push\""},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\"}, {\"product_key\": \"p\"}]}",
     "$.aliyun: has the product_key \"p\" more than once"},
#define DEVICES(list)                                                                              \
    "{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"devices\": [" list "]}]}"
    {DEVICES("{\"name\": \"b\"}, {\"name\": \"a\"}, {\"name\": \"b\"}"),
     "$.aliyun[0].devices: has the name \"b\" more than once"},
    {DEVICES("{\"name\": \"b\", \"gateway\": \"b\"}"), "devices[0]: is its own gateway"},
    {DEVICES("{\"name\": \"b\", \"gateway\": \"a\"}"), "there is no gateway \"a&p\""},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"empty.bin\"}]}]}",
     "$.aliyun[0].firmware[0]: file \"empty.bin\" is empty"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"files\": [{\"name\": \"a\", \"file\": \"a.bin\"}, {\"name\": \"a\", \"file\": "
     "\"a.bin\"}]}]}]}",
     "files: has the name \"a\" more than once"},
    {"{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"p\", \"firmware\": [{\"version\": "
     "\"1\", \"file\": \"a.bin\", \"tasks\": [{\"kind\": \"verify\", \"device\": \"d\"}]}]}]}",
     "tasks[0]: there is no device \"d\""},
};

static void bad_file_is_refused(const void *row)
{
    const struct bad_row *r = row;
    struct bench b;
    struct err err = {""};
    struct store_product p;
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    put_file(&b, "empty.bin", "");
    CHECK(read_setup(&b, r->text, &err) < 0);
    CHECK_HAS(err.text, r->says);
    CHECK_ERR(store_get_product(b.store, "p", &p, NULL), ERR_NOT_FOUND); /* nothing was changed */
    bench_close(&b);
}

static const char *bad_name(const void *row)
{
    return ((const struct bad_row *)row)->text;
}

static void a_batch_is_set_up_in_full(void)
{
    static const char text[] =
        "{\"otabench_cloud\": 1, \"aliyun\": [{\"product_key\": \"pk\", \"devices\": "
        "[{\"name\": \"d1\"}, {\"name\": \"d2\"}], \"firmware\": [{\"version\": \"2\", "
        "\"file\": \"a.bin\", \"tasks\": [{\"kind\": \"batch\", \"from_versions\": [\"1.0\", "
        "\"1.1\"], \"devices\": [\"d2\"], \"policy\": \"static\", \"percent\": 50, "
        "\"push\": false, \"overwrite\": false, \"retries\": 2, \"retry_after_s\": 60, "
        "\"delay_s\": 5}]}]}]}";
    struct bench b;
    struct err err = {""};
    struct store_task t;
    bench_open(&b);
    b.setup.now_ns = 100;
    put_file(&b, "a.bin", "aaaa");
    CHECK_OK(read_setup(&b, text, &err), &err);
    CHECK_INT(setup_start(&b.setup, 100, &err), 1);
    CHECK_OK(store_get_task(b.store, 1, &t, &err), &err);
    CHECK_INT(t.state, TASK_HELD);
    CHECK_STR(t.sources, "1.0\n1.1");
    CHECK(t.chosen && t.fixed && t.silent && t.yields);
    CHECK_INT(t.percent, 50);
    CHECK_INT(t.retries, 2);
    CHECK_INT(t.retry_after_ns, 60 * INT64_C(1000000000));
    CHECK_INT(t.starts_ns, 100 + 5 * INT64_C(1000000000));
    CHECK(store_has_task_device(b.store, 1, "d2&pk"));
    CHECK(!store_has_task_device(b.store, 1, "d1&pk"));
    CHECK_OK(read_setup(&b, text, &err), &err);
    CHECK_INT(setup_start(&b.setup, 100, &err), 0);
    bench_close(&b);
}

static int one(struct bench *b, enum setup_part part, const char *text, struct err *err)
{
    char dir[TEST_PATH_MAX + 2];
    (void)snprintf(dir, sizeof dir, "%s/", b->dir);
    const struct setup_files files = {.dir = dir, .uploads = true};
    return setup_one(&b->setup, part, text, strlen(text), &files, err);
}

static void one_object_sets_up(void)
{
    struct bench b;
    struct err err = {""};
    struct store_device d;
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    CHECK_ERR(one(&b, SETUP_DEVICE, "{\"product_key\": \"pk\", \"name\": \"d1\"}", &err),
              ERR_NOT_FOUND);
    CHECK_HAS(err.text, "no product \"pk\"");
    CHECK_OK(setup_device(&b.setup, "pk", NULL, &err), &err);
    CHECK_OK(one(&b, SETUP_DEVICE, "{\"product_key\": \"pk\", \"name\": \"d1\"}", &err), &err);
    CHECK_OK(store_get_device(b.store, "d1&pk", &d, &err), &err);
    CHECK_ERR(one(&b, SETUP_FIRMWARE,
                  "{\"product_key\": \"pk\", \"version\": \"2\", \"file\": \"b.bin\"}", &err),
              ERR_FORMAT);
    CHECK_HAS(err.text, "\"b.bin\" has not been uploaded");
    CHECK_ERR(one(&b, SETUP_FIRMWARE,
                  "{\"product_key\": \"pk\", \"version\": \"2\", \"file\": \"../a.bin\"}", &err),
              ERR_FORMAT);
    CHECK_OK(one(&b, SETUP_FIRMWARE,
                 "{\"product_key\": \"pk\", \"version\": \"2\", \"file\": \"a.bin\"}", &err),
             &err);
    CHECK_INT(b.setup.firmware_id, 1);
    CHECK_ERR(one(&b, SETUP_TASK,
                  "{\"product_key\": \"pk\", \"version\": \"3\", \"kind\": \"batch\"}", &err),
              ERR_NOT_FOUND);
    CHECK_ERR(one(&b, SETUP_TASK, "{\"product_key\": \"pk\", \"kind\": \"batch\"}", &err),
              ERR_FORMAT);
    CHECK_OK(one(&b, SETUP_TASK,
                 "{\"product_key\": \"pk\", \"firmware\": 1, \"kind\": \"verify\", "
                 "\"device\": \"d1\"}",
                 &err),
             &err);
    REQUIRE(b.setup.task_count == 1);
    CHECK_STR(b.setup.tasks[0].task.device_id, "d1&pk");
    bench_close(&b);
}

static void options_set_up(void)
{
    struct bench b;
    struct err err = {""};
    struct store_device d;
    char option[TEST_PATH_MAX + 64];
    bench_open(&b);
    put_file(&b, "a.bin", "aaaa");
    CHECK_OK(setup_device(&b.setup, "pk", "d1:secret", &err), &err);
    CHECK_OK(setup_device(&b.setup, "pk", "d1", &err), &err);
    CHECK_OK(store_get_device(b.store, "d1&pk", &d, &err), &err);
    CHECK_STR(d.secret, "secret");
    (void)snprintf(option, sizeof option, "2.0=%s", b.path);
    CHECK_OK(setup_firmware(&b.setup, "pk", "d1", option, &err), &err);
    CHECK_INT(b.setup.firmware_id, 1);
    CHECK_INT(setup_start(&b.setup, 1, &err), 1);
    CHECK_ERR(setup_firmware(&b.setup, "pk", "d1", "2.0", &err), ERR_ARG);
    CHECK_HAS(err.text, "VERSION=FILE");
    CHECK_ERR(setup_firmware(&b.setup, "pk", "d1", "2.0=/none", &err), ERR_IO);
    CHECK_ERR(setup_device(&b.setup, "p/k", "d1", &err), ERR_ARG);
    CHECK_ERR(setup_device(&b.setup, "pk", "d#", &err), ERR_ARG);
    CHECK_ERR(setup_device(&b.setup, "pk", "d1:", &err), ERR_ARG);
    bench_close(&b);
}

struct line_row {
    const char *name, *event;
    enum serve_log level;
    struct trace_field fields[3];
    const char *want; /* null: not shown */
};

#define T(k, v)                                                                                    \
    {                                                                                              \
        .key = (k), .text = (v)                                                                    \
    }
#define N(k, v)                                                                                    \
    {                                                                                              \
        .key = (k), .integer = (v)                                                                 \
    }
static const struct line_row lines[] = {
    {"a push without its payload",
     "push",
     LOG_INFO,
     {T("identity", "d"), T("payload", "http://h/?Signature=x"), N("delivered", 1)},
     "push identity=d delivered=1"},
    {"a push with it",
     "push",
     LOG_DEBUG,
     {T("identity", "d"), T("payload", "http://h/"), N("delivered", 1)},
     "push identity=d payload=http://h/ delivered=1"},
    {"a request without its path",
     "request",
     LOG_INFO,
     {T("rq", "download"), T("path", "/fota/1/0/abc"), T("range", "bytes=0-")},
     "request rq=download range=bytes=0-"},
    {"a message without its words",
     "message",
     LOG_INFO,
     {T("rq", "inform"), T("identity", "d"), T("payload", "secret")},
     "message rq=inform identity=d"},
    {"what nobody knows", "strange", LOG_INFO, {T("a", "b"), N("c", 1), N("d", 2)}, NULL},
    {"what nobody knows, in full",
     "strange",
     LOG_DEBUG,
     {T("a", "b"), N("c", 1), N("d", 2)},
     "strange a=b c=1 d=2"},
    {"control characters",
     "refused",
     LOG_INFO,
     {T("identity", "a\x1b[2J\n"), T("what", "x"), N("d", 2)},
     "refused identity=a?[2J? what=x"},
    {"nothing when quiet",
     "record",
     LOG_QUIET,
     {T("device", "d"), T("state", "failed"), N("delta_id", 2)},
     NULL},
};

static void line_is_shown(const void *row)
{
    const struct line_row *r = row;
    struct buf out;
    buf_init(&out, 1024);
    CHECK_INT(serve_log_line(r->level, r->event, r->fields, 3, &out), r->want != NULL);
    if (r->want != NULL)
        CHECK_STR((const char *)out.data, r->want);
    buf_free(&out);
}

static const char *line_name(const void *row)
{
    return ((const struct line_row *)row)->name;
}

static const struct test tests[] = {
    {"a product secret stays until it is said", a_product_secret_stays_until_it_is_said},
    {"a file sets all up", a_file_sets_all_up},
    {"a batch waits for its verification", a_batch_waits_for_its_verification},
    {"setting up twice changes nothing", twice_changes_nothing},
    TEST_ROWS("refused:", bad_file_is_refused, bad, bad_name),
    {"a batch is set up in full", a_batch_is_set_up_in_full},
    {"one object sets up", one_object_sets_up},
    {"options set up", options_set_up},
    TEST_ROWS("log line of", line_is_shown, lines, line_name),
};
TEST_MAIN("cloud set-up", tests)
