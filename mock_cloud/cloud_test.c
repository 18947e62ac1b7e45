#include "mock_cloud/cloud.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/vtime.h"
#include "mock_cloud/records.h"

#define TIMEOUT_NS (900 * NS_PER_S)

/* A face of the test: /check and /other are control requests, /part is bytes 2-5 of ten. */
static bool toy_http(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                     struct http_reply *rp)
{
    static const uint8_t content[] = "0123456789";
    (void)now_ns;
    bool part = strcmp(rq->path, "/part") == 0;
    if (!part && strcmp(rq->path, "/check") != 0)
        return false;
    cloud_begin(c, part ? RQ_DOWNLOAD : RQ_CHECK);
    if (cloud_refuse(c, rp))
        return true;
    if (part) {
        cloud_range(c, rp, 2, 5, 10);
        rp->view = content + 2;
        rp->view_bytes = 4;
        return true;
    }
    cloud_code(c, 1000);
    rp->status = 200;
    rp->chunked = true;
    (void)buf_text(&rp->text, "{\"a\":1}");
    return true;
}

static const struct face toy = {.name = "toy", .http = toy_http};
static const struct face *const faces[] = {&toy};

struct bench {
    struct store *store;
    struct cloud *cloud;
    struct http_reply reply;
    struct buf events; /* one line per event */
};

static void note_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                       const struct trace_field *fields, size_t n)
{
    struct buf *out = ctx;
    (void)buf_printf(out, "%lld %s %s", (long long)now_ns, lane_name(lane), event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].text != NULL)
            (void)buf_printf(out, " %s=%s", fields[i].key, fields[i].text);
        else
            (void)buf_printf(out, " %s=%lld", fields[i].key, (long long)fields[i].integer);
    }
    (void)buf_text(out, "\n");
}

static void set_up(struct bench *b)
{
    struct err err = {""};
    *b = (struct bench){.store = store_open(NULL, &err)};
    REQUIRE_OK(b->store == NULL ? ERR_IO : 0, &err);
    buf_init(&b->events, 1 << 20);
    buf_init(&b->reply.text, 1 << 21);
    struct cloud_config cfg = {.store = b->store,
                               .download_host = "host",
                               .download_port = 80,
                               .project_key = "key",
                               .task_timeout_ns = TIMEOUT_NS,
                               .event = note_event,
                               .event_ctx = &b->events};
    b->cloud = cloud_new(&cfg, faces, 1, &err);
    REQUIRE_OK(b->cloud == NULL ? ERR_IO : 0, &err);
}

static void tear_down(struct bench *b)
{
    cloud_free(b->cloud);
    store_close(b->store);
    buf_free(&b->events);
    buf_free(&b->reply.text);
}

static const struct http_reply *ask(struct bench *b, const char *path)
{
    struct http_request rq = {.method = "GET", .path = path};
    cloud_http(b->cloud, 7, &rq, &b->reply);
    return &b->reply;
}

static const char *body_of(const struct http_reply *rp, char out[64])
{
    size_t len = rp->view != NULL ? rp->view_bytes : rp->text.len_bytes;
    const void *from = rp->view != NULL ? rp->view : rp->text.data;
    REQUIRE(len < 64);
    if (len > 0)
        memcpy(out, from, len);
    out[len] = '\0';
    return out;
}

static void bad_configuration_is_refused(void)
{
    struct store *s = store_open(NULL, NULL);
    struct err err = {""};
    struct cloud_config good = {.store = s, .download_host = "h", .project_key = "k"};
    struct cloud_config cfg = good;
    cfg.store = NULL;
    CHECK(cloud_new(&cfg, faces, 1, &err) == NULL);
    CHECK_HAS(err.text, "store");
    cfg = good;
    cfg.project_key = "";
    CHECK(cloud_new(&cfg, faces, 1, &err) == NULL);
    CHECK_HAS(err.text, "project key");
    cfg = good;
    cfg.download_host[0] = '\0';
    CHECK(cloud_new(&cfg, faces, 1, &err) == NULL);
    CHECK_HAS(err.text, "download host");
    cfg = good;
    cfg.task_timeout_ns = -1;
    CHECK(cloud_new(&cfg, faces, 1, &err) == NULL);
    CHECK(cloud_new(&good, faces, 0, &err) == NULL);
    CHECK(cloud_new(&good, faces, CLOUD_FACES_MAX + 1, &err) == NULL);
    struct cloud *c = cloud_new(&good, faces, 1, &err);
    CHECK(c != NULL);
    cloud_free(c);
    store_close(s);
}

static void requests_are_counted_and_told(void)
{
    struct bench b;
    set_up(&b);
    (void)ask(&b, "/check");
    (void)ask(&b, "/part");
    CHECK_INT(ask(&b, "/nowhere")->status, 404);
    CHECK_INT(ask(&b, "/check")->status, 200);
    CHECK_INT(cloud_requests(b.cloud, RQ_CHECK), 2);
    CHECK_INT(cloud_requests(b.cloud, RQ_DOWNLOAD), 1);
    CHECK_INT(cloud_requests(b.cloud, RQ_OTHER), 1);
    CHECK_INT(cloud_requests(b.cloud, RQ_REGISTER), 0);
    CHECK_INT(cloud_requests(b.cloud, RQ_ANY), 4);
    CHECK_STR((const char *)b.events.data,
              "7 cloud request rq=check n=1 method=GET path=/check\n"
              "7 cloud reply rq=check n=1 status=200 code=1000 bytes=7\n"
              "7 cloud request rq=download n=1 method=GET path=/part\n"
              "7 cloud reply rq=download n=1 status=206 bytes=4 from=2 to=5 total=10\n"
              "7 cloud request rq=other n=1 method=GET path=/nowhere\n"
              "7 cloud reply rq=other n=1 status=404 bytes=39\n"
              "7 cloud request rq=check n=2 method=GET path=/check\n"
              "7 cloud reply rq=check n=2 status=200 code=1000 bytes=7\n");
    tear_down(&b);
}

struct fault_row {
    const char *name;
    const char *path;
    struct cloud_fault fault;
    int status;
    const char *body;
    const char *range;
    uint32_t hits;
};

#define PAGE(n) "<html><body><h1>" #n "</h1></body></html>\n"

static const struct fault_row fault_rows[] = {
    {"status", "/check", {RQ_CHECK, CF_STATUS, 1, 1, .code = 503}, 503, PAGE(503), "", 1},
    {"status of a download",
     "/part",
     {RQ_ANY, CF_STATUS, 1, 1, .code = 403},
     403,
     PAGE(403),
     "",
     1},
    {"truncated text", "/check", {RQ_CHECK, CF_TRUNCATE, 1, 1, .bytes = 2}, 200, "{\"a\":", "", 1},
    {"truncated part",
     "/part",
     {RQ_DOWNLOAD, CF_TRUNCATE, 1, 1, .bytes = 1},
     206,
     "234",
     "bytes 2-4/10",
     1},
    {"truncated to nothing",
     "/part",
     {RQ_DOWNLOAD, CF_TRUNCATE, 1, 1, .bytes = 99},
     206,
     "",
     "",
     1},
    {"longer text",
     "/check",
     {RQ_CHECK, CF_EXTRA, 1, 1, .bytes = 2},
     200,
     "{\"a\":1}\xee\xee",
     "",
     1},
    {"longer part",
     "/part",
     {RQ_DOWNLOAD, CF_EXTRA, 1, 1, .bytes = 1},
     206,
     "2345\xee",
     "bytes 2-6/10",
     1},
    {"corrupt part",
     "/part",
     {RQ_DOWNLOAD, CF_CORRUPT, 1, 1, .bytes = 3},
     206,
     "2344",
     "bytes 2-5/10",
     1},
    {"corrupt past the body is no hit",
     "/part",
     {RQ_DOWNLOAD, CF_CORRUPT, 1, 1, .bytes = 4},
     206,
     "2345",
     "bytes 2-5/10",
     0},
    {"not json", "/check", {RQ_CHECK, CF_NOT_JSON, 1, 1}, 200, "<html>", "", 1},
    {"not json, own text",
     "/check",
     {RQ_CHECK, CF_NOT_JSON, 1, 1, .text = "nope"},
     200,
     "nope",
     "",
     1},
    {"another request", "/check", {RQ_DOWNLOAD, CF_CLOSE, 1, 0}, 200, "{\"a\":1}", "", 0},
    {"a later request", "/check", {RQ_CHECK, CF_CLOSE, 2, 0}, 200, "{\"a\":1}", "", 0},
};

static void fault_is_applied(const void *row)
{
    const struct fault_row *r = row;
    struct bench b;
    char body[64];
    set_up(&b);
    CHECK_OK(cloud_add_fault(b.cloud, &r->fault), NULL);
    const struct http_reply *rp = ask(&b, r->path);
    CHECK_INT(rp->status, r->status);
    CHECK_STR(body_of(rp, body), r->body);
    CHECK_STR(rp->content_range, r->range);
    CHECK_INT(rp->close, false);
    CHECK_INT(cloud_fault_at(b.cloud, 0)->hits, r->hits);
    CHECK(cloud_fault_at(b.cloud, 1) == NULL);
    tear_down(&b);
}

static const char *fault_row_name(const void *row)
{
    return ((const struct fault_row *)row)->name;
}

static void reply_manners_are_scripted(void)
{
    struct bench b;
    set_up(&b);
    const struct cloud_fault faults[] = {
        {RQ_CHECK, CF_NO_CHUNK, 1, 1},
        {RQ_CHECK, CF_CLOSE, 1, 1},
        {RQ_CHECK, CF_DELAY, 1, 1, .ms = 1500},
        {RQ_CHECK, CF_REDIRECT, 2, 1, .text = "http://elsewhere/x"},
    };
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(cloud_add_fault(b.cloud, &faults[i]), NULL);
    const struct http_reply *rp = ask(&b, "/check");
    CHECK_INT(rp->chunked, false);
    CHECK_INT(rp->close, true);
    CHECK_INT(rp->delay_ns, 1500 * NS_PER_MS);
    rp = ask(&b, "/check");
    CHECK_INT(rp->status, 302);
    CHECK_STR(rp->location, "http://elsewhere/x");
    rp = ask(&b, "/check");
    CHECK_INT(rp->status, 200);
    CHECK_INT(rp->chunked, true);
    CHECK_INT(rp->close, false);
    CHECK_INT(rp->delay_ns, 0);
    CHECK_STR(rp->location, "");
    CHECK_HAS((const char *)b.events.data, "7 cloud fault kind=redirect rq=check n=2\n");
    tear_down(&b);
}

static void faults_count_from_and_for(void)
{
    struct bench b;
    set_up(&b);
    const struct cloud_fault by_kind = {RQ_CHECK, CF_CLOSE, 2, 2};
    const struct cloud_fault over_all = {RQ_ANY, CF_DELAY, 4, 0, .ms = 1};
    CHECK_OK(cloud_add_fault(b.cloud, &by_kind), NULL);
    CHECK_OK(cloud_add_fault(b.cloud, &over_all), NULL);
    static const char *const paths[] = {"/check", "/part", "/check", "/check", "/check", "/part"};
    static const bool closed[] = {false, false, true, true, false, false};
    for (size_t i = 0; i < 6; i++) {
        const struct http_reply *rp = ask(&b, paths[i]);
        CHECK_INT(rp->close, closed[i]);
        CHECK_INT(rp->delay_ns > 0, i >= 3);
    }
    CHECK_INT(cloud_fault_at(b.cloud, 0)->hits, 2);
    CHECK_INT(cloud_fault_at(b.cloud, 1)->hits, 3);
    cloud_clear_faults(b.cloud);
    CHECK_INT(ask(&b, "/check")->delay_ns, 0);
    tear_down(&b);
}

static const struct cloud_fault impossible[] = {
    {RQ_DOWNLOAD, CF_CODE, 1, 1, .code = 1000},
    {RQ_REGISTER, CF_WRONG_DIGEST, 1, 1},
    {RQ_CHECK, CF_SHIFT, 1, 1, .bytes = 1},
    {RQ_CHECK, CF_CLOSE, 0, 1},
    {RQ_CHECK, CF_CODE, 1, 1, .code = 0},
    {RQ_CHECK, CF_STATUS, 1, 1, .code = 100},
    {RQ_CHECK, CF_TRUNCATE, 1, 1},
    {RQ_CHECK, CF_EXTRA, 1, 1, .bytes = 1 << 21},
    {RQ_CHECK, CF_CORRUPT, 1, 1, .bytes = -1},
    {RQ_CHECK, CF_REDIRECT, 1, 1},
    {RQ_CHECK, CF_DELAY, 1, 1},
    {RQ_CHECK, CF_REDIRECT, 1, 1, .text = "a\r\nb"},
    {RQ_CHECK, CF_WRONG_SIZE, 1, 1},
    {RQ_CHECK, CF_STALE_VERSION, 1, 1},
    {RQ_DOWNLOAD, CF_STALE_VERSION, 1, 1, .text = "1.0"},
    {RQ_CHECK, CF_KIND_COUNT, 1, 1},
};

static void impossible_fault_is_refused(const void *row)
{
    struct bench b;
    set_up(&b);
    CHECK_ERR(cloud_add_fault(b.cloud, row), ERR_ARG);
    CHECK(cloud_fault_at(b.cloud, 0) == NULL);
    tear_down(&b);
}

static void the_script_has_a_limit(void)
{
    struct bench b;
    set_up(&b);
    const struct cloud_fault f = {RQ_CHECK, CF_CLOSE, 1, 1};
    for (int i = 0; i < CLOUD_FAULTS_MAX; i++)
        CHECK_OK(cloud_add_fault(b.cloud, &f), NULL);
    CHECK_ERR(cloud_add_fault(b.cloud, &f), ERR_LIMIT);
    tear_down(&b);
}

/* ---- records ---- */

enum step_kind { OFFER, FETCH, DOWNLOADED, UPGRADED, TICK };

struct step {
    enum step_kind kind;
    int value;    /* status; OFFER: package */
    int64_t at_s; /* time of the step */
    enum record_state want;
};

struct life_row {
    const char *name;
    struct step steps[8]; /* ends with at_s 0 */
    int late;             /* reports that came after the end */
};

static const struct life_row lives[] = {
    {"the good way",
     {{OFFER, 1, 1, RECORD_PENDING},
      {FETCH, 0, 2, RECORD_UPGRADING},
      {DOWNLOADED, 1, 3, RECORD_UPGRADING},
      {UPGRADED, 1, 4, RECORD_SUCCESS}},
     0},
    {"download fails, the next offer is a new attempt",
     {{OFFER, 1, 1, RECORD_PENDING},
      {FETCH, 0, 2, RECORD_UPGRADING},
      {DOWNLOADED, 8, 3, RECORD_FAILED},
      {OFFER, 1, 4, RECORD_PENDING},
      {FETCH, 0, 5, RECORD_UPGRADING},
      {UPGRADED, 1, 6, RECORD_SUCCESS}},
     0},
    {"fetching again after a failure is a new attempt",
     {{OFFER, 1, 1, RECORD_PENDING},
      {DOWNLOADED, 10, 2, RECORD_FAILED},
      {FETCH, 0, 3, RECORD_UPGRADING},
      {UPGRADED, 99, 4, RECORD_FAILED}},
     0},
    {"success is final, a repeated report is nothing new",
     {{OFFER, 1, 1, RECORD_PENDING},
      {UPGRADED, 1, 2, RECORD_SUCCESS},
      {UPGRADED, 1, 3, RECORD_SUCCESS},
      {UPGRADED, 99, 4, RECORD_SUCCESS},
      {FETCH, 0, 5, RECORD_SUCCESS}},
     1},
    {"failure is final for reports",
     {{OFFER, 1, 1, RECORD_PENDING},
      {UPGRADED, 98, 2, RECORD_FAILED},
      {UPGRADED, 1, 3, RECORD_FAILED},
      {DOWNLOADED, 1, 4, RECORD_FAILED}},
     2},
    {"silence while upgrading fails by time-out",
     {{OFFER, 1, 1, RECORD_PENDING},
      {FETCH, 0, 10, RECORD_UPGRADING},
      {TICK, 0, 909, RECORD_UPGRADING},
      {TICK, 0, 910, RECORD_FAILED},
      {UPGRADED, 1, 911, RECORD_FAILED}},
     1},
    {"every sign of life moves the time-out",
     {{OFFER, 1, 1, RECORD_PENDING},
      {FETCH, 0, 10, RECORD_UPGRADING},
      {FETCH, 0, 800, RECORD_UPGRADING},
      {TICK, 0, 1000, RECORD_UPGRADING},
      {OFFER, 1, 1100, RECORD_UPGRADING},
      {TICK, 0, 1999, RECORD_UPGRADING},
      {TICK, 0, 2000, RECORD_FAILED}},
     0},
    {"pending waits for ever",
     {{OFFER, 1, 1, RECORD_PENDING}, {TICK, 0, 100000, RECORD_PENDING}},
     0},
    {"another offer supersedes what was not begun",
     {{OFFER, 1, 1, RECORD_PENDING},
      {OFFER, 2, 2, RECORD_SUPERSEDED},
      {UPGRADED, 1, 3, RECORD_SUPERSEDED},
      {FETCH, 0, 4, RECORD_SUPERSEDED},
      {OFFER, 1, 5, RECORD_PENDING}},
     1},
    {"no offer supersedes too",
     {{OFFER, 1, 1, RECORD_PENDING}, {OFFER, 0, 2, RECORD_SUPERSEDED}},
     0},
    {"another offer leaves what is under way",
     {{OFFER, 1, 1, RECORD_PENDING},
      {FETCH, 0, 2, RECORD_UPGRADING},
      {OFFER, 2, 3, RECORD_UPGRADING},
      {UPGRADED, 1, 4, RECORD_SUCCESS}},
     0},
};

static int take_step(struct bench *b, const struct step *s, struct err *err)
{
    int64_t now_ns = s->at_s * NS_PER_S;
    switch (s->kind) {
    case OFFER:
        return record_offer(b->cloud, now_ns, "d", s->value, err);
    case FETCH:
        return record_fetch(b->cloud, now_ns, "d", 1, err);
    case DOWNLOADED:
        return record_report(b->cloud, now_ns, "d", 1, s->value, 0, err);
    case UPGRADED:
        return record_report(b->cloud, now_ns, "d", 1, 0, s->value, err);
    case TICK:
        CHECK(cloud_tick(b->cloud, now_ns) > now_ns);
        break;
    }
    return 0;
}

static int count_of(const struct buf *text, const char *part)
{
    int n = 0;
    const char *p = text->data == NULL ? NULL : strstr((const char *)text->data, part);
    for (; p != NULL; p = strstr(p + 1, part))
        n++;
    return n;
}

static void record_lives(const void *row)
{
    const struct life_row *r = row;
    struct bench b;
    set_up(&b);
    for (const struct step *s = r->steps; s->at_s != 0; s++) {
        struct err err = {""};
        struct store_record rec;
        CHECK_OK(take_step(&b, s, &err), &err);
        CHECK_OK(store_get_record(b.store, 1, "d", &rec, &err), &err);
        CHECK_STR(record_state_name(rec.state), record_state_name(s->want));
    }
    CHECK_INT(count_of(&b.events, "cloud late"), r->late);
    struct store_message m;
    CHECK_INT(store_message_at(b.store, 0, &m, NULL) == 0, r->late > 0);
    tear_down(&b);
}

static const char *life_name(const void *row)
{
    return ((const struct life_row *)row)->name;
}

static void unknown_records_are_not_made_by_reports(void)
{
    struct bench b;
    set_up(&b);
    struct err err = {""};
    struct store_record rec;
    CHECK_ERR(record_report(b.cloud, 1, "d", 1, 1, 0, &err), ERR_NOT_FOUND);
    CHECK_OK(record_fetch(b.cloud, 1, "d", 1, &err), &err);
    CHECK_ERR(store_record_at(b.store, 0, &rec, &err), ERR_NOT_FOUND);
    CHECK_INT(cloud_tick(b.cloud, 5), VTIME_NEVER);
    tear_down(&b);
}

static const struct test tests[] = {
    {"a bad configuration is refused", bad_configuration_is_refused},
    {"requests are counted and told", requests_are_counted_and_told},
    TEST_ROWS("fault", fault_is_applied, fault_rows, fault_row_name),
    {"delay, close, chunking and redirects are scripted", reply_manners_are_scripted},
    {"faults count from their first request on", faults_count_from_and_for},
    TEST_ROWS("impossible fault is refused", impossible_fault_is_refused, impossible, NULL),
    {"the script has a limit", the_script_has_a_limit},
    TEST_ROWS("record", record_lives, lives, life_name),
    {"reports do not make records", unknown_records_are_not_made_by_reports},
};
TEST_MAIN("cloud", tests)
