#include "scenarios/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "common/testing/testing.h"
#include "common/testing/xml_check.h"

#define NASTY "<b>\"it's\" & \x01\n\xff</b>"

static const struct paper plain = {.columns = PAPER_COLUMNS_MAX};

struct fixture {
    struct session s;
    struct scenario_files files;
    struct buf out;
};

static struct run_result *add(struct fixture *f, const char *name, enum verdict v)
{
    struct run_result *r = &f->s.results[f->s.count];
    struct scenario_file *file = &f->files.item[f->s.count++];
    f->files.count++;
    memset(r, 0, sizeof *r);
    memset(file, 0, sizeof *file);
    (void)snprintf(r->name, sizeof r->name, "%s", name);
    (void)snprintf(r->path, sizeof r->path, "scenarios/library/%s.json", name);
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    (void)snprintf(file->path, sizeof file->path, "scenarios/library/%s.json", name);
    (void)snprintf(file->text, sizeof file->text, "%s", NASTY);
    (void)snprintf(r->token, sizeof r->token, "%s#5eed", name);
    r->seed = UINT64_MAX;
    r->verdict = v;
    r->wall_ns = 10 * NS_PER_MS;
    r->virtual_ns = 1234567890;
    return r;
}

static void check(struct run_result *r, const char *id, enum verdict v, const char *detail)
{
    struct check_result *c = &r->checks[r->n_checks++];
    (void)snprintf(c->id, sizeof c->id, "%s", id);
    (void)snprintf(c->detail, sizeof c->detail, "%s", detail);
    c->verdict = v;
}

/* A session with one of every verdict. */
static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->s.files = &f->files;
    f->s.results = calloc(8, sizeof *f->s.results);
    f->files.item = calloc(8, sizeof *f->files.item);
    REQUIRE(f->s.results != NULL && f->files.item != NULL);
    f->s.wall_ns = 2 * NS_PER_S;
    f->s.started_utc_s = 1767225600;
    struct run_result *r = add(f, "cms/good", VERDICT_PASS);
    check(r, "DWN-01", VERDICT_PASS, "");
    check(r, "INT-01", VERDICT_PASS, "");
    r = add(f, "cms/bad", VERDICT_FAIL);
    check(r, "DWN-01", VERDICT_FAIL, "byte 7 differs: " NASTY);
    check(r, "DWN-08", VERDICT_NOT_APPLICABLE, "no break");
    r = add(f, "zoo/known", VERDICT_EXPECTED_FAIL);
    check(r, "PWR-02", VERDICT_EXPECTED_FAIL, "bricked");
    r = add(f, "cms/unproved", VERDICT_INCONCLUSIVE);
    (void)snprintf(r->cause, sizeof r->cause, "power cut 1 never happened");
    r = add(f, "cms/crash", VERDICT_ERROR);
    (void)snprintf(r->cause, sizeof r->cause, "signal 11 (SIGSEGV): " NASTY);
    buf_init(&f->out, (size_t)1 << 20);
}

static void tear_down(struct fixture *f)
{
    buf_free(&f->out);
    free(f->s.results);
    free(f->files.item);
}

static size_t occurrences(const struct buf *b, const char *text)
{
    size_t n = 0;
    for (const char *p = (const char *)b->data; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

static void json_reads_back(void)
{
    static const struct json_limits limits = {.max_bytes = 1 << 20, .max_depth = 8};
    struct fixture f;
    struct json doc;
    struct err err = {.text = ""};
    set_up(&f);
    CHECK_INT(report_json(&f.out, &f.s), 0);
    REQUIRE_OK(json_parse(&doc, (const char *)f.out.data, f.out.len_bytes, &limits, &err), &err);
    const cJSON *results = NULL, *summary = NULL, *checks = NULL;
    CHECK_OK(json_get_array(doc.root, doc.root, "results", 5, 5, &results, &err), &err);
    CHECK_OK(json_get_object(doc.root, doc.root, "summary", &summary, &err), &err);
    const cJSON *bad = cJSON_GetArrayItem(results, 1);
    const char *text = NULL;
    int64_t n = 0;
    CHECK_OK(json_get_string(doc.root, bad, "verdict", 1, 20, &text, &err), &err);
    CHECK_STR(text, "fail");
    CHECK_OK(json_get_string(doc.root, bad, "seed", 1, 20, &text, &err), &err);
    CHECK_STR(text, "0xffffffffffffffff");
    CHECK_OK(json_get_string(doc.root, bad, "token", 1, 80, &text, &err), &err);
    CHECK_STR(text, "cms/bad#5eed");
    CHECK_OK(json_get_int(doc.root, bad, "virtual_ms", 0, 10000, &n, &err), &err);
    CHECK_INT(n, 1234);
    CHECK_OK(json_get_array(doc.root, bad, "checks", 2, 2, &checks, &err), &err);
    CHECK_OK(
        json_get_string(doc.root, cJSON_GetArrayItem(checks, 0), "detail", 1, 200, &text, &err),
        &err);
    CHECK_STR(text, "byte 7 differs: <b>\"it's\" & \x01\n\xef\xbf\xbd</b>");
    static const struct {
        const char *key;
        int64_t want;
    } counts[] = {{"scenarios", 5}, {"pass", 1},         {"fail", 1},      {"expected-fail", 1},
                  {"error", 1},     {"inconclusive", 1}, {"exit_code", 1}, {"wall_ms", 2000}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        n = -1;
        CHECK_OK(json_get_int(doc.root, summary, counts[i].key, 0, 10000, &n, &err), &err);
        CHECK_INT(n, counts[i].want);
    }
    json_free(&doc);
    tear_down(&f);
}

static void junit_says_what_ci_needs(void)
{
    struct fixture f;
    set_up(&f);
    CHECK_INT(report_junit(&f.out, &f.s), 0);
    const char *xml = (const char *)f.out.data;
    CHECK(xml_well_formed(xml));
    CHECK_HAS(xml, "<testsuites name=\"otabench 0.1.0\" tests=\"7\" failures=\"1\" errors=\"1\" "
                   "skipped=\"2\"");
    CHECK_HAS(xml, "<testsuite name=\"DWN\" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\"");
    CHECK_HAS(xml, "timestamp=\"2026-01-01T00:00:00\"");
    CHECK_HAS(xml, "classname=\"DWN\" name=\"DWN-01 The stored package equals the served bytes, in "
                   "exactly the announced size — cms/bad\"");
    CHECK_HAS(xml, "otabench replay &apos;cms/bad#5eed&apos;</failure>");
    CHECK_HAS(xml, "otabench replay &apos;cms/crash#5eed&apos;</error>");
    CHECK_HAS(xml, "<skipped message=\"inconclusive: power cut 1 never happened\"/>");
    CHECK_HAS(xml, "<skipped message=\"not-applicable: no break\"/>");
    CHECK_HAS(xml, "<property name=\"clause\" value=\"");
    CHECK_INT(occurrences(&f.out, "<testcase "), 7);
    CHECK_INT(occurrences(&f.out, "<failure "), 1);
    CHECK_INT(occurrences(&f.out, "<error "), 1);
    CHECK_INT(occurrences(&f.out, "<testsuite name=\"RUN\""), 1);
    tear_down(&f);
}

static void test_names_are_unique_where_scenario_names_are_not(void)
{
    struct fixture f;
    set_up(&f);
    struct run_result *r = add(&f, "cms/good", VERDICT_PASS);
    check(r, "DWN-01", VERDICT_PASS, "");
    (void)snprintf(f.files.item[5].path, sizeof f.files.item[5].path, "other/good.json");
    CHECK_INT(report_junit(&f.out, &f.s), 0);
    CHECK_INT(occurrences(&f.out, "size — cms/good\""), 0);
    CHECK_INT(occurrences(&f.out, "size — scenarios/library/cms/good.json\""), 1);
    CHECK_INT(occurrences(&f.out, "size — other/good.json\""), 1);
    tear_down(&f);
}

static void html_holds_no_markup_of_others(void)
{
    struct fixture f;
    struct story story;
    static const char line[] = "{\"t\":5,\"lane\":\"boot\",\"event\":\"bricked\","
                               "\"reason\":\"<script>alert(1)</script>\"}";
    set_up(&f);
    story_init(&story);
    CHECK_OK(story_line(&story, line, strlen(line), NULL), NULL);
    CHECK_OK(story_end(&story, NULL), NULL);
    CHECK_INT(report_html(&f.out, &f.s, &story), 0);
    const char *html = (const char *)f.out.data;
    CHECK(strstr(html, "<b>") == NULL);
    CHECK(strstr(html, "<script") == NULL);
    CHECK(strstr(html, "src=") == NULL);
    CHECK(strstr(html, "href=\"http") == NULL);
    CHECK_HAS(html, "<h1>2 of 5 scenarios passed</h1>");
    CHECK_HAS(html, "otabench replay &apos;cms/bad#5eed&apos;");
    CHECK_HAS(html, "BRICKED: &lt;script&gt;");
    CHECK_HAS(html, "<title>0.000 s to 0.000 s: BRICKED");
    story_free(&story);
    tear_down(&f);
}

static void text_names_what_did_not_pass(void)
{
    struct fixture f;
    set_up(&f);
    CHECK_INT(report_text(&f.out, &f.s, &plain), 0);
    const char *text = (const char *)f.out.data;
    CHECK(strstr(text, "cms/good") == NULL);
    CHECK(strstr(text, "zoo/known") == NULL);
    CHECK(strchr(text, '\x1b') == NULL);
    CHECK_HAS(text, "fail          cms/bad\n  DWN-01  byte 7 differs");
    CHECK_HAS(text, "  otabench replay 'cms/bad#5eed'\n");
    CHECK_HAS(text, "inconclusive  cms/unproved\n  power cut 1 never happened\n");
    CHECK_HAS(text, "5 scenarios: 1 pass, 1 fail, 1 expected-fail, 1 inconclusive, 1 error in "
                    "2.000 s (2 scenarios/s)");
    tear_down(&f);
}

static void paragraphs_are_wrapped(void)
{
    struct buf b;
    buf_init(&b, 4096);
    char text[400] = "";
    for (int i = 0; i < 30; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%sword%02d",
                       i > 0 ? " " : "", i);
    CHECK_INT(report_paragraph(&b, text, 4, PAPER_COLUMNS_MAX), 0);
    const char *first_end = strchr((const char *)b.data, '\n');
    REQUIRE(first_end != NULL);
    CHECK(first_end - (const char *)b.data <= 106);
    CHECK(strncmp(first_end, "\n    word", 9) == 0);
    CHECK_HAS((const char *)b.data, "word29\n");
    buf_free(&b);
}

static void trouble_decides_the_exit_code(void)
{
    struct fixture f;
    set_up(&f);
    CHECK_INT(session_exit_code(&f.s), 1);
    f.s.interrupted = true;
    CHECK_INT(session_exit_code(&f.s), 2);
    f.s.interrupted = false;
    f.s.count = 1;
    CHECK_INT(session_exit_code(&f.s), 0);
    (void)snprintf(f.s.fault, sizeof f.s.fault, "a leak");
    CHECK_INT(session_exit_code(&f.s), 2);
    f.s.count = 2;
    CHECK_INT(session_exit_code(&f.s), 1);
    tear_down(&f);
}

static void reports_keep_to_their_maximum(void)
{
    struct fixture f;
    set_up(&f);
    for (size_t max = 0; max < 1500; max += 97) {
        struct buf small;
        buf_init(&small, max);
        CHECK_ERR(report_json(&small, &f.s), ERR_LIMIT);
        CHECK(small.len_bytes <= max);
        buf_free(&small);
        CHECK_ERR(report_junit(&small, &f.s), ERR_LIMIT);
        buf_free(&small);
        CHECK_ERR(report_html(&small, &f.s, NULL), ERR_LIMIT);
        buf_free(&small);
    }
    tear_down(&f);
}

static long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* A report is there whole, or the one before still is. */
static void saving_is_all_or_nothing(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16], part[TEST_PATH_MAX + 24];
    char link[TEST_PATH_MAX + 16];
    struct err err = {.text = ""};
    struct buf b;
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/r.json", dir);
    (void)snprintf(part, sizeof part, "%s.part", path);
    (void)snprintf(link, sizeof link, "%s/full", dir);
    buf_init(&b, 100);
    REQUIRE(buf_text(&b, "first") == 0);
    CHECK_OK(report_save(path, &b, &err), &err);
    CHECK_INT(size_of(path), 5);
    CHECK_INT(size_of(part), -1);
    REQUIRE(buf_text(&b, ", second") == 0);
    REQUIRE(symlink("/dev/full", part) == 0); /* where the new one is written, the disk is full */
    CHECK_ERR(report_save(path, &b, &err), ERR_IO);
    CHECK_HAS(err.text, "r.json: cannot be written: No space left on device");
    CHECK_INT(size_of(path), 5);
    CHECK_OK(report_save(path, &b, &err), &err);
    CHECK_INT(size_of(path), 13);
    REQUIRE(symlink("/dev/full", link) == 0);
    CHECK_ERR(report_save(link, &b, &err), ERR_IO);
    CHECK_INT(size_of(link), 0); /* still the device */
    buf_free(&b);
}

static void it_is_known_early_what_cannot_be_written(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 16];
    struct err err = {.text = ""};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/r.json", dir);
    const char *good[] = {NULL, path, "/dev/full"}, *same[] = {path, NULL, path};
    CHECK_OK(report_probe(good, 3, &err), &err);
    CHECK_INT(size_of(path), -1);
    CHECK_ERR(report_probe(same, 3, &err), ERR_ARG);
    CHECK_HAS(err.text, path);
    const char *folder[] = {dir}, *nowhere[] = {path, "/nonexistent/r.json"};
    CHECK_ERR(report_probe(folder, 1, &err), ERR_IO);
    CHECK_HAS(err.text, "Is a directory");
    CHECK_ERR(report_probe(nowhere, 2, &err), ERR_IO);
    CHECK_STR(err.text, "/nonexistent/r.json: cannot be written: No such file or directory");
}

static const struct test tests[] = {
    {"JSON reads back", json_reads_back},
    {"JUnit says what CI needs", junit_says_what_ci_needs},
    {"test names are unique where scenario names are not",
     test_names_are_unique_where_scenario_names_are_not},
    {"HTML holds no markup of others", html_holds_no_markup_of_others},
    {"text names what did not pass", text_names_what_did_not_pass},
    {"paragraphs are wrapped", paragraphs_are_wrapped},
    {"trouble decides the exit code", trouble_decides_the_exit_code},
    {"saving is all or nothing", saving_is_all_or_nothing},
    {"it is known early what cannot be written", it_is_known_early_what_cannot_be_written},
    {"reports keep to their maximum", reports_keep_to_their_maximum},
};

TEST_MAIN("reports", tests)
