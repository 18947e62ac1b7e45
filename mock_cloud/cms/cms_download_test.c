#include <stdio.h>
#include <string.h>

#include "mock_cloud/cms/cms_testing.h"

#define ETAG "\"" MD5 "\""

static const struct get_row gets[] = {
    {"whole", "GET", NULL, NULL, NULL, 200, "0123456789", ""},
    {"first segment", "GET", "bytes=0-3", NULL, NULL, 206, "0123", "bytes 0-3/10"},
    {"last segment", "GET", "bytes=8-9", NULL, NULL, 206, "89", "bytes 8-9/10"},
    {"past the end", "GET", "bytes=8-99", NULL, NULL, 206, "89", "bytes 8-9/10"},
    {"suffix", "GET", "bytes=-3", NULL, NULL, 206, "789", "bytes 7-9/10"},
    {"beyond", "GET", "bytes=10-", NULL, NULL, 416, NULL, "bytes */10"},
    {"several", "GET", "bytes=0-1,3-4", NULL, NULL, 200, "0123456789", ""},
    {"malformed", "GET", "bytes=x", NULL, NULL, 200, "0123456789", ""},
    {"If-Range holds", "GET", "bytes=1-1", ETAG, NULL, 206, "1", "bytes 1-1/10"},
    {"If-Range is another", "GET", "bytes=1-1", "\"x\"", NULL, 200, "0123456789", ""},
    {"If-Range is weak", "GET", "bytes=1-1", "W/" ETAG, NULL, 200, "0123456789", ""},
    {"not modified", "GET", NULL, NULL, ETAG, 304, "0123456789", ""},
    {"HEAD takes no range", "HEAD", "bytes=0-3", NULL, NULL, 200, "0123456789", ""},
};

static void check_view(const struct http_reply *rp, const char *body)
{
    CHECK_INT(rp->view != NULL, body != NULL);
    if (rp->view == NULL || body == NULL)
        return;
    CHECK_INT(rp->view_bytes, strlen(body));
    CHECK_MEM(rp->view, body, strlen(body));
}

static void download_is(const void *row)
{
    const struct get_row *r = row;
    struct world w;
    char path[CMS_PATH_MAX];
    set_up(&w);
    cms_download_path(w.cloud, NOW_NS, 7, path);
    CHECK_HAS(URL_A, path);
    const struct http_reply *rp = get(&w, NOW_NS, r, path, NULL);
    CHECK_INT(rp->status, r->status);
    CHECK_STR(rp->content_range, r->content_range);
    CHECK_INT(rp->chunked, false);
    check_view(rp, r->body);
    if (r->status != 416) {
        CHECK_STR(rp->etag, ETAG);
        CHECK_INT(rp->accept_ranges, true);
    }
    tear_down(&w);
}

static const char *get_name(const void *row)
{
    return ((const struct get_row *)row)->name;
}

static void urls_expire_and_cannot_be_edited(void)
{
    struct world w;
    char path[CMS_PATH_MAX], edited[CMS_PATH_MAX + 8];
    set_up(&w);
    cms_download_path(w.cloud, NOW_NS, 7, path);
    CHECK_INT(get(&w, NOW_NS + LIFETIME_NS - 1, &plain_get, path, NULL)->status, 200);
    CHECK_INT(get(&w, NOW_NS + LIFETIME_NS, &plain_get, path, NULL)->status, 403);
    /* Any other byte anywhere, or a shorter or longer path. */
    for (size_t i = strlen("/fota/"); path[i] != '\0'; i++) {
        (void)snprintf(edited, sizeof edited, "%s", path);
        edited[i] = edited[i] == '1' ? '2' : '1';
        CHECK_INT(get(&w, NOW_NS, &plain_get, edited, NULL)->status, 403);
        edited[i] = '\0';
        CHECK_INT(get(&w, NOW_NS, &plain_get, edited, NULL)->status, 403);
    }
    (void)snprintf(edited, sizeof edited, "%s0", path);
    CHECK_INT(get(&w, NOW_NS, &plain_get, edited, NULL)->status, 403);
    CHECK_INT(get(&w, NOW_NS, &plain_get, "/fota", NULL)->status, 404);
    /* Well signed, but there is no such package, or not any more. */
    cms_download_path(w.cloud, NOW_NS, 99, path);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, NULL)->status, 404);
    cms_download_path(w.cloud, NOW_NS, 8, path);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, NULL)->status, 200);
    CHECK_OK(store_withdraw_package(w.store, 8, NULL), NULL);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, NULL)->status, 404);
    CHECK_HAS(post(&w, C_PATH("checkVersion"), CHECK_BODY("1.0", SIGN_C)), "\"status\":2101,");
    tear_down(&w);
}

static void paths_fit_real_clients(void)
{
    struct world w;
    char path[CMS_PATH_MAX];
    set_up(&w);
    cms_download_path(w.cloud, VTIME_NEVER - 1, INT32_MAX, path);
    CHECK(strlen(path) < CMS_PATH_MAX - 1);
    CHECK_INT(get(&w, VTIME_NEVER - 1, &plain_get, path, NULL)->status, 404);
    tear_down(&w);
}

static enum record_state state_of(struct world *w, int64_t delta_id, const char *device_id)
{
    struct store_record rec = {.state = RECORD_SUPERSEDED};
    CHECK_OK(store_get_record(w->store, delta_id, device_id, &rec, NULL), NULL);
    return rec.state;
}

static void the_first_byte_begins_the_upgrade(void)
{
    struct world w;
    char path[CMS_PATH_MAX];
    set_up(&w);
    make_known(&w);
    CHECK_INT(state_of(&w, 7, DID), RECORD_PENDING);
    cms_download_path(w.cloud, NOW_NS, 7, path);
    const struct get_row head = {.method = "HEAD"};
    const struct get_row beyond = {.method = "GET", .range = "bytes=10-"};
    CHECK_INT(get(&w, NOW_NS, &head, path, DID)->status, 200);
    const struct get_row known = {.method = "GET", .if_none_match = "*"};
    CHECK_INT(get(&w, NOW_NS, &beyond, path, DID)->status, 416);
    CHECK_INT(get(&w, NOW_NS, &known, path, DID)->status, 304);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, NULL)->status, 200);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, "nobody")->status, 200);
    CHECK_INT(state_of(&w, 7, DID), RECORD_PENDING);
    CHECK_INT(get(&w, NOW_NS, &plain_get, path, DID)->status, 200);
    CHECK_INT(state_of(&w, 7, DID), RECORD_UPGRADING);
    CHECK_INT(state_of(&w, 8, OID), RECORD_PENDING);
    tear_down(&w);
}

struct spoilt_row {
    const char *name;
    struct cloud_fault fault;
    const char *range;
    int status;
    const char *body;
    const char *content_range;
    uint32_t hits;
};

static const struct spoilt_row spoilt[] = {
    {"shift",
     {RQ_DOWNLOAD, CF_SHIFT, 1, 1, .bytes = 2},
     "bytes=2-4",
     206,
     "456",
     "bytes 4-6/10",
     1},
    {"shift at the end",
     {RQ_DOWNLOAD, CF_SHIFT, 1, 1, .bytes = 4},
     "bytes=4-7",
     206,
     "89",
     "bytes 8-9/10",
     1},
    {"shift out is none",
     {RQ_DOWNLOAD, CF_SHIFT, 1, 1, .bytes = -3},
     "bytes=2-4",
     206,
     "234",
     "bytes 2-4/10",
     0},
    {"silent shift",
     {RQ_DOWNLOAD, CF_SHIFT_SILENT, 1, 1, .bytes = -1},
     "bytes=2-4",
     206,
     "123",
     "bytes 2-4/10",
     1},
    {"silent shift as far as it goes",
     {RQ_DOWNLOAD, CF_SHIFT_SILENT, 1, 1, .bytes = 99},
     "bytes=2-4",
     206,
     "789",
     "bytes 2-4/10",
     1},
    {"silent shift of all is none",
     {RQ_DOWNLOAD, CF_SHIFT_SILENT, 1, 1, .bytes = 1},
     "bytes=0-",
     206,
     "0123456789",
     "bytes 0-9/10",
     0},
    {"range ignored", {RQ_DOWNLOAD, CF_IGNORE_RANGE, 1, 1}, "bytes=2-4", 200, "0123456789", "", 1},
    {"no range to ignore", {RQ_DOWNLOAD, CF_IGNORE_RANGE, 1, 1}, NULL, 200, "0123456789", "", 0},
    {"416", {RQ_DOWNLOAD, CF_RANGE_416, 1, 1}, "bytes=2-4", 416, NULL, "bytes */10", 1},
};

static void spoilt_download(const void *row)
{
    const struct spoilt_row *r = row;
    struct world w;
    char path[CMS_PATH_MAX];
    set_up(&w);
    CHECK_OK(cloud_add_fault(w.cloud, &r->fault), NULL);
    cms_download_path(w.cloud, NOW_NS, 7, path);
    const struct get_row row_get = {.method = "GET", .range = r->range};
    const struct http_reply *rp = get(&w, NOW_NS, &row_get, path, NULL);
    CHECK_INT(rp->status, r->status);
    CHECK_STR(rp->content_range, r->content_range);
    check_view(rp, r->body);
    CHECK_INT(cloud_fault_at(w.cloud, 0)->hits, r->hits);
    tear_down(&w);
}

static const char *spoilt_name(const void *row)
{
    return ((const struct spoilt_row *)row)->name;
}

static const struct test tests[] = {
    TEST_ROWS("download", download_is, gets, get_name),
    {"URLs expire and cannot be edited", urls_expire_and_cannot_be_edited},
    {"paths fit real clients", paths_fit_real_clients},
    {"the first byte begins the upgrade", the_first_byte_begins_the_upgrade},
    TEST_ROWS("spoilt download", spoilt_download, spoilt, spoilt_name),
};
TEST_MAIN("cms downloads", tests)
