#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/vtime.h"
#include "mock_cloud/http/edge_testing.h"

#define DATE_MAX 37 /* "Date: Tue, 01 Aug 2023 00:00:00 GMT" and its end of line */

/* ---- what the vendor's scanner demands of a control reply (cms-ota §1) ---- */

/* Null, or what that scanner would stumble over. */
static const char *stumbles(const char *reply, size_t len, size_t room)
{
    static const char *const keys[] = {"\"status\":", "\"msg\":\"", "\"data\":"};
    if (len > room)
        return "longer than the receive buffer";
    if (strstr(reply, "HTTP/1.1") == NULL || strstr(reply, "Content-Type:") == NULL)
        return "head";
    const char *p = strstr(reply, "Connection:");
    p = p == NULL ? NULL : strstr(p, "\r\n\r\n");
    if (p == NULL)
        return "no blank line after Connection:";
    p += 4;
    char *end = NULL;
    unsigned long size = strtoul(p, &end, 16);
    if (end == p || strncmp(end, "\r\n", 2) != 0)
        return "no hexadecimal size line";
    const char *body = end + 2;
    if (strlen(body) != size + strlen("\r\n0\r\n\r\n") || strcmp(body + size, "\r\n0\r\n\r\n") != 0)
        return "not one chunk";
    for (size_t i = 0; i < 3; i++) {
        p = strstr(body, keys[i]);
        if (p == NULL || strchr(" \t\r\n", p[strlen(keys[i])]) != NULL)
            return keys[i];
        body = p;
    }
    return NULL;
}

static void check_scans(struct world *w, int fd, const char *request)
{
    const char *reply = ask(w, fd, request);
    const char *why = stumbles(reply, strlen(reply), CMS_REPLY_MAX - DATE_MAX);
    CHECK_STR(why, NULL);
}

static void every_code_passes_the_scanner(void)
{
    static const char *const paths[] = {"/register/" PID,
                                        "/product/" PID "/" OID "/ota/checkVersion",
                                        "/product/" PID "/" OID "/ota/reportDownResult",
                                        "/product/" PID "/" OID "/ota/reportUpgradeResult"};
    struct world w;
    char rq[1024];
    set_up(&w, false);
    int fd = dial(&w);
    for (size_t i = 0; cms_code_at(i) != NULL; i++) {
        const struct cloud_fault f = {RQ_ANY, CF_CODE, 1, 0, .code = cms_code_at(i)->code};
        cloud_clear_faults(w.cloud);
        CHECK_OK(cloud_add_fault(w.cloud, &f), NULL);
        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(rq, sizeof rq,
                           "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 0002\r\n\r\n{}",
                           paths[k]);
            check_scans(&w, fd, rq);
        }
    }
    (void)close(fd);
    tear_down(&w);
}

static void the_longest_offer_passes_the_scanner(void)
{
    static const struct face *const faces[] = {&cms_face};
    struct world w;
    char rq[1024], version[STORE_TEXT_MAX];
    set_up(&w, false);
    edge_free(w.edge);
    cloud_free(w.cloud);
    struct cloud_config cfg = {.store = w.store,
                               .url_lifetime_ns = VTIME_NEVER - 1,
                               .download_host = "a-host-name-of-32-characters.org",
                               .download_port = 65535,
                               .project_key = "bench-key"};
    CHECK_INT(strlen(cfg.download_host), 32);
    w.cloud = cloud_new(&cfg, faces, 1, NULL);
    w.edge = edge_new(w.cloud, false, NULL);
    REQUIRE(w.cloud != NULL && w.edge != NULL);
    memset(version, '9', sizeof version - 1);
    version[sizeof version - 1] = '\0';
    struct store_product a = {.product_id = "A", .has_team = true};
    CHECK_OK(store_put_product(w.store, &a, NULL), NULL);
    put_package(&w, INT32_MAX, "1.0", version, w.big, BIG_BYTES);
    int fd = dial(&w);
    check_scans(&w, fd, check_request(rq, "1.0"));
    CHECK_HAS((const char *)w.in.data, version);

    char sign[33], body[512];
    cms_sign("", "0123456789012345678901234567890", "A", 133, sign);
    (void)snprintf(body, sizeof body,
                   "{\"mid\":\"0123456789012345678901234567890\",\"oem\":\"\",\"models\":\"\","
                   "\"platform\":\"\",\"deviceType\":\"\",\"timestamp\":133,\"sign\":\"%s\","
                   "\"version\":\"1\"}",
                   sign);
    (void)snprintf(rq, sizeof rq,
                   "POST /register/A HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    check_scans(&w, fd, rq);
    CHECK_HAS((const char *)w.in.data, "\"deviceSecret\":\"");
    (void)close(fd);
    tear_down(&w);
}

/* The scanner of this test must itself see what it is for. */
static void the_scanner_stumbles(void)
{
    static const struct {
        const char *reply;
        const char *why;
    } rows[] = {
        {SCAN_HEAD "Content-Length: 2\r\n\r\n{}", "head"},
        {"HTTP/1.1 200 OK\r\nContent-Type: a\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
         "no blank line after Connection:"},
        {SCAN_HEAD "Content-Type: a\r\n\r\n{}", "no hexadecimal size line"},
        {SCAN_HEAD "Content-Type: a\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "not one chunk"},
        {SCAN_HEAD "Content-Type: a\r\n\r\nD\r\n{\"status\": 1}\r\n0\r\n\r\n", "\"status\":"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_STR(stumbles(rows[i].reply, strlen(rows[i].reply), CMS_REPLY_MAX), rows[i].why);
    CHECK_STR(stumbles(NO_NEWS, strlen(NO_NEWS), strlen(NO_NEWS)), NULL);
    CHECK_STR(stumbles(NO_NEWS, strlen(NO_NEWS), strlen(NO_NEWS) - 1),
              "longer than the receive buffer");
}

static const struct test tests[] = {
    {"every code passes the vendor's scanner", every_code_passes_the_scanner},
    {"the longest offer passes the vendor's scanner", the_longest_offer_passes_the_scanner},
    {"the scanner of this test stumbles where it should", the_scanner_stumbles},
};
TEST_MAIN("replies before the vendor's scanner", tests)
