#include "common/testing/testing.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/testing/junit.h"
#include "common/vtime.h"

#define JOBS_MAX       65536
#define PARTS_MAX      99
#define NAME_BYTES_MAX 512
#define STORY_BYTES    2048               /* one failed check */
#define FAILURES_MAX   ((size_t)64 << 10) /* all failed checks of one test */
#define SHOWN_MAX      200                /* characters shown of a compared string */

/* One test or one row of a table. */
struct job {
    char name[NAME_BYTES_MAX];
    const struct test *test;
    const void *row;
    CU_pTest handle;
    int64_t start_ns;
    int64_t time_ns;
    bool ran;
    struct buf failures;
};

struct jobs {
    struct job *item;
    size_t count;
    size_t cap;
};

struct options {
    const char *only; /* null: all */
    const char *part; /* "2/3"; null: all */
    size_t part_number, part_count;
    const char *junit_file;
    const char *junit_dir;
    bool list;
};

/*
 * The only mutable state of the file: CUnit is global itself and its callbacks take no context, and
 * neither does atexit.
 */
static struct jobs *running;
static struct {
    char base[64];
    pid_t owner; /* a forked child that exits must not remove its parent's directory */
    unsigned count;
} tmp;

/* ---- checks ---- */

static bool verdict(bool ok, bool fatal, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static bool verdict(bool ok, bool fatal, const char *file, int line, const char *fmt, ...)
{
    char story[STORY_BYTES] = "";
    if (!ok) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(story, sizeof story, fmt, ap);
        va_end(ap);
    }
    CU_assertImplementation(ok, (unsigned)line, story, file, "", fatal);
    return ok;
}

/* One printable line, in quotes; cut after SHOWN_MAX characters. */
static const char *shown(char out[4 * SHOWN_MAX + 8], const char *text, size_t from)
{
    if (text == NULL)
        return "null";
    size_t at = 0;
    const char *p = text + from;
    if (from > 0)
        at += (size_t)snprintf(out, 4, "...");
    out[at++] = '"';
    for (size_t i = 0; p[i] != '\0' && i < SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x20 && c != 0x7f)
            out[at++] = (char)c;
        else
            at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

bool test_check(bool ok, const char *what, const char *file, int line)
{
    return verdict(ok, false, file, line, "not true: %s", what);
}

bool test_int(int64_t got, int64_t want, const char *what, const char *file, int line)
{
    return verdict(got == want, false, file, line,
                   "%s is %" PRId64 " (%#" PRIx64 "), want %" PRId64 " (%#" PRIx64 ")", what, got,
                   (uint64_t)got, want, (uint64_t)want);
}

bool test_str(const char *got, const char *want, const char *what, const char *file, int line)
{
    if (got != NULL && want != NULL) {
        size_t at = 0;
        while (got[at] != '\0' && got[at] == want[at])
            at++;
        if (got[at] == want[at])
            return verdict(true, false, file, line, "%s", "");
        char a[4 * SHOWN_MAX + 8];
        char b[4 * SHOWN_MAX + 8];
        size_t from = at > SHOWN_MAX / 2 ? at - SHOWN_MAX / 2 : 0;
        return verdict(false, false, file, line, "%s is %s, want %s (they differ at byte %zu)",
                       what, shown(a, got, from), shown(b, want, from), at);
    }
    char one[4 * SHOWN_MAX + 8];
    return verdict(got == want, false, file, line, "%s is %s, want %s", what,
                   got == NULL ? "null" : shown(one, got, 0),
                   want == NULL ? "null" : shown(one, want, 0));
}

bool test_has(const char *text, const char *part, const char *what, const char *file, int line)
{
    char a[4 * SHOWN_MAX + 8];
    char b[4 * SHOWN_MAX + 8];
    bool ok = text != NULL && part != NULL && strstr(text, part) != NULL;
    return verdict(ok, false, file, line, "%s is %s, want it to contain %s", what,
                   shown(a, text, 0), shown(b, part, 0));
}

bool test_mem(const void *got, const void *want, size_t len_bytes, const char *what,
              const char *file, int line)
{
    const uint8_t *a = got;
    const uint8_t *b = want;
    if (len_bytes > 0 && (a == NULL || b == NULL))
        return verdict(false, false, file, line, "%s: null", what);
    size_t at = 0;
    while (at < len_bytes && a[at] == b[at])
        at++;
    char hex_a[33] = "";
    char hex_b[33] = "";
    if (at < len_bytes) {
        size_t n = len_bytes - at < 16 ? len_bytes - at : 16;
        hex_encode(hex_a, a + at, n);
        hex_encode(hex_b, b + at, n);
    }
    return verdict(at == len_bytes, false, file, line, "%s differs at byte %zu of %zu: %s, want %s",
                   what, at, len_bytes, hex_a, hex_b);
}

static bool no_error(int rc, const struct err *err, const char *what, const char *file, int line,
                     bool fatal)
{
    return verdict(rc == 0, fatal, file, line, "%s is %s (%d): %s", what, err_name(rc), rc,
                   rc != 0 && err != NULL ? err->text : "no text");
}

bool test_ok(int rc, const struct err *err, const char *what, const char *file, int line)
{
    return no_error(rc, err, what, file, line, false);
}

bool test_code(int rc, int code, const char *what, const char *file, int line)
{
    return verdict(rc == code, false, file, line, "%s is %s (%d), want %s (%d)", what, err_name(rc),
                   rc, err_name(code), code);
}

void test_require(bool ok, const char *what, const char *file, int line)
{
    (void)verdict(ok, true, file, line, "required: %s", what);
}

void test_require_ok(int rc, const struct err *err, const char *what, const char *file, int line)
{
    (void)no_error(rc, err, what, file, line, true);
}

/* ---- temporary directories ---- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

static void remove_tmp(void)
{
    if (tmp.owner == getpid())
        (void)nftw(tmp.base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void test_tmpdir(char out[TEST_PATH_MAX])
{
    if (tmp.count == 0) {
        (void)snprintf(tmp.base, sizeof tmp.base, "%s/otabench-test-XXXXXX", P_tmpdir);
        REQUIRE(mkdtemp(tmp.base) != NULL);
        tmp.owner = getpid();
        REQUIRE(atexit(remove_tmp) == 0);
    }
    tmp.count++;
    (void)snprintf(out, TEST_PATH_MAX, "%s/%u", tmp.base, tmp.count);
    REQUIRE(mkdir(out, 0700) == 0);
}

/* ---- running ---- */

static int64_t now_ns(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct job *job_of(CU_pTest handle)
{
    for (size_t i = 0; i < running->count; i++)
        if (running->item[i].handle == handle)
            return &running->item[i];
    return NULL;
}

/* What CUnit calls for every job. */
static void run_job(void)
{
    const struct job *job = job_of(CU_get_current_test());
    unsigned before = CU_get_number_of_asserts();
    if (job->test->fn != NULL)
        job->test->fn();
    else
        job->test->row_fn(job->row);
    if (CU_get_number_of_asserts() == before)
        (void)verdict(false, false, "", 0, "the test made no check, so it could not fail");
}

static void on_start(const CU_pTest handle, const CU_pSuite suite)
{
    (void)suite;
    job_of(handle)->start_ns = now_ns();
}

/* failure begins the tail of CUnit's list that belongs to this test. */
static void on_complete(const CU_pTest handle, const CU_pSuite suite,
                        const CU_pFailureRecord failure)
{
    (void)suite;
    struct job *job = job_of(handle);
    job->time_ns = now_ns() - job->start_ns;
    job->ran = true;
    for (CU_pFailureRecord f = failure; f != NULL; f = f->pNext) {
        const char *separator = job->failures.len_bytes > 0 ? "\n" : "";
        const char *story = f->strCondition != NULL ? f->strCondition : "failed";
        int rc = f->uiLineNumber > 0 ? buf_printf(&job->failures, "%s%s:%u: %s", separator,
                                                  f->strFileName, f->uiLineNumber, story)
                                     : buf_printf(&job->failures, "%s%s", separator, story);
        if (rc != 0)
            break; /* full: the first ones tell enough */
    }
    if (job->failures.len_bytes == 0)
        return;
    printf("FAIL %s: ", job->name);
    for (const char *p = (const char *)job->failures.data; *p != '\0'; p++) {
        (void)putchar(*p);
        if (*p == '\n')
            (void)fputs("     ", stdout);
    }
    (void)putchar('\n');
    (void)fflush(stdout);
}

/* ---- the table ---- */

static void name_job(const struct jobs *jobs, struct job *job, size_t row)
{
    const struct test *t = job->test;
    if (job->row == NULL)
        (void)snprintf(job->name, sizeof job->name, "%s", t->name);
    else if (t->row_name != NULL)
        (void)snprintf(job->name, sizeof job->name - 16, "%s: %s", t->name, t->row_name(job->row));
    else
        (void)snprintf(job->name, sizeof job->name, "%s: row %zu", t->name, row);

    /* CUnit compares names without case. */
    size_t len = strnlen(job->name, sizeof job->name - 16);
    for (unsigned twin = 2;; twin++) {
        bool taken = false;
        for (size_t i = 0; i < jobs->count && !taken; i++)
            taken = strcasecmp(jobs->item[i].name, job->name) == 0;
        if (!taken)
            return;
        (void)snprintf(job->name + len, sizeof job->name - len, " #%u", twin);
    }
}

static int add_job(struct jobs *jobs, const struct test *t, size_t row, struct err *err)
{
    if (jobs->count == JOBS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d tests", JOBS_MAX);
    if (jobs->count == jobs->cap) {
        size_t cap = jobs->cap == 0 ? 64 : 2 * jobs->cap;
        struct job *item = realloc(jobs->item, cap * sizeof *item);
        if (item == NULL)
            return err_set(err, ERR_NOMEM, "no memory for %zu tests", cap);
        jobs->item = item;
        jobs->cap = cap;
    }
    struct job *job = &jobs->item[jobs->count];
    *job = (struct job){.test = t};
    buf_init(&job->failures, FAILURES_MAX);
    if (t->row_fn != NULL)
        job->row = (const char *)t->rows + row * t->row_size;
    name_job(jobs, job, row);
    jobs->count++;
    return 0;
}

static int add_tests(struct jobs *jobs, const struct test *tests, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct test *t = &tests[i];
        if (t->name == NULL || (t->fn == NULL) == (t->row_fn == NULL))
            return err_set(err, ERR_ARG, "test %zu (%s) needs a name and one of fn and row_fn", i,
                           t->name != NULL ? t->name : "no name");
        if (t->row_fn != NULL && (t->rows == NULL || t->row_size == 0 || t->row_count == 0))
            return err_set(err, ERR_ARG, "test %zu (%s) has no rows", i, t->name);
        size_t n = t->row_fn != NULL ? t->row_count : 1;
        for (size_t row = 0; row < n; row++) {
            int rc = add_job(jobs, t, row, err);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

/* Names are given before this, so --only and --part do not change them. */
static void keep_chosen(struct jobs *jobs, const struct options *o)
{
    size_t chosen = 0, kept = 0;
    for (size_t i = 0; i < jobs->count; i++) {
        if (o->only != NULL && strstr(jobs->item[i].name, o->only) == NULL)
            continue;
        if (chosen++ % o->part_count + 1 == o->part_number)
            jobs->item[kept++] = jobs->item[i];
    }
    jobs->count = kept;
}

static int run_jobs(const char *suite_name, struct jobs *jobs, struct err *err)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return err_set(err, ERR_NOMEM, "CUnit: %s", CU_get_error_msg());
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    bool ok = suite != NULL;
    for (size_t i = 0; i < jobs->count && ok; i++) {
        jobs->item[i].handle = CU_add_test(suite, jobs->item[i].name, run_job);
        ok = jobs->item[i].handle != NULL;
    }
    if (ok) {
        CU_set_test_start_handler(on_start);
        CU_set_test_complete_handler(on_complete);
        running = jobs;
        ok = CU_run_all_tests() == CUE_SUCCESS;
        running = NULL;
    }
    int rc = 0;
    if (!ok)
        rc = err_set(err, ERR_BENCH, "CUnit: %s", CU_get_error_msg());
    else if (CU_get_number_of_suites_failed() > 0)
        /* Such a run has no failed test in CUnit's counts. */
        rc = err_set(err, ERR_BENCH, "the suite could not be set up");
    CU_cleanup_registry();
    return rc;
}

/* ---- reporting ---- */

static int write_junit(const char *path, const char *suite, const struct jobs *jobs,
                       struct err *err)
{
    struct junit_case *cases = calloc(jobs->count + 1, sizeof *cases);
    if (cases == NULL)
        return err_set(err, ERR_NOMEM, "%s: no memory", path);
    for (size_t i = 0; i < jobs->count; i++) {
        const struct job *job = &jobs->item[i];
        const char *failure = job->ran ? (const char *)job->failures.data : "did not run";
        cases[i] =
            (struct junit_case){.name = job->name, .failure = failure, .time_ns = job->time_ns};
    }
    int rc = junit_write(path, suite, cases, jobs->count, err);
    free(cases);
    return rc;
}

static int write_reports(const struct options *o, const char *suite, const struct jobs *jobs,
                         struct err *err)
{
    int rc = 0;
    if (o->junit_file != NULL)
        rc = write_junit(o->junit_file, suite, jobs, err);
    if (rc != 0 || o->junit_dir == NULL)
        return rc;
    char path[4096];
    char file[NAME_BYTES_MAX];
    size_t n = 0;
    for (; suite[n] != '\0' && n < sizeof file - 1; n++)
        file[n] = isalnum((unsigned char)suite[n]) ? suite[n] : '-';
    file[n] = '\0';
    char part[48] = "";
    if (o->part_count > 1)
        (void)snprintf(part, sizeof part, "-%zu-of-%zu", o->part_number, o->part_count);
    int len = snprintf(path, sizeof path, "%s/%s%s.xml", o->junit_dir, file, part);
    if (len < 0 || (size_t)len >= sizeof path)
        return err_set(err, ERR_LIMIT, "--junit-dir: path of more than %zu bytes", sizeof path);
    return write_junit(path, suite, jobs, err);
}

/* "2/3" */
static int parse_part(struct options *o, struct err *err)
{
    char *end = NULL;
    unsigned long number = strtoul(o->part, &end, 10);
    unsigned long count = *end == '/' ? strtoul(end + 1, &end, 10) : 0;
    if (!isdigit((unsigned char)o->part[0]) || *end != '\0' || number < 1 || number > count ||
        count > PARTS_MAX)
        return err_set(err, ERR_ARG, "--part %s: must be K/N, such as 2/3, N up to %d", o->part,
                       PARTS_MAX);
    o->part_number = number;
    o->part_count = count;
    return 0;
}

static int parse_options(struct options *o, int argc, char **argv, struct err *err)
{
    *o = (struct options){
        .part_number = 1, .part_count = 1, .junit_dir = getenv("OTABENCH_JUNIT_DIR")};
    const struct {
        const char *name;
        const char **value;
    } with_value[] = {{"--only", &o->only},
                      {"--part", &o->part},
                      {"--junit", &o->junit_file},
                      {"--junit-dir", &o->junit_dir}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            o->list = true;
            continue;
        }
        const char **value = NULL;
        for (size_t k = 0; k < sizeof with_value / sizeof with_value[0]; k++)
            if (strcmp(argv[i], with_value[k].name) == 0)
                value = with_value[k].value;
        if (value == NULL)
            return err_set(
                err, ERR_ARG,
                "%s: unknown, must be --list, --only SUBSTRING, --part K/N, --junit FILE "
                "or --junit-dir DIR",
                argv[i]);
        if (i + 1 == argc)
            return err_set(err, ERR_ARG, "%s: needs a value", argv[i]);
        *value = argv[++i];
    }
    return o->part == NULL ? 0 : parse_part(o, err);
}

int test_main(const char *suite, const struct test *tests, size_t count, int argc, char **argv)
{
    struct err err = {0};
    struct options options;
    if (parse_options(&options, argc, argv, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    struct jobs jobs = {0};
    size_t passed = 0;
    int rc = add_tests(&jobs, tests, count, &err);
    keep_chosen(&jobs, &options);
    if (rc != 0)
        goto cleanup;
    if (options.list) {
        for (size_t i = 0; i < jobs.count; i++)
            printf("%s\n", jobs.item[i].name);
        goto cleanup;
    }
    if (jobs.count == 0) {
        rc = err_set(&err, ERR_NOT_FOUND, "no test ran");
        goto cleanup;
    }
    rc = run_jobs(suite, &jobs, &err);
    for (size_t i = 0; i < jobs.count; i++)
        passed += jobs.item[i].ran && jobs.item[i].failures.len_bytes == 0;
    printf("%zu passed, %zu failed\n", passed, jobs.count - passed);
    struct err report_err = {0};
    int report_rc = write_reports(&options, suite, &jobs, &report_err);
    if (rc == 0 && report_rc != 0) {
        rc = report_rc;
        err = report_err;
    }
    if (rc == 0 && passed != jobs.count)
        rc = ERR_BENCH;

cleanup:
    if (err.text[0] != '\0')
        (void)fprintf(stderr, "%s: %s\n", suite, err.text);
    for (size_t i = 0; i < jobs.count; i++)
        buf_free(&jobs.item[i].failures);
    free(jobs.item);
    return rc == 0 ? 0 : 1;
}
