/*
 * The test harness over CUnit: checks that print the values, rows that report one by one, our own
 * JUnit writer (CUnit's writes broken XML), and an exit code that can be believed.
 *
 * A test file is
 *
 *     #include "common/testing/testing.h"
 *     static void adds(void) { CHECK_INT(1 + 1, 2); }
 *     static void parses(const void *row) { const struct sample *s = row; ... }
 *     static const char *sample_name(const void *row) { return ((const struct sample *)row)->name;
 * } static const struct test tests[] = {
 *         {"addition adds", adds},
 *         TEST_ROWS("parser takes", parses, samples, sample_name),
 *     };
 *     TEST_MAIN("arithmetic", tests)          <- no semicolon
 *
 * and becomes one binary:
 *
 *     FOO_test [--list] [--only SUBSTRING] [--part K/N] [--junit FILE] [--junit-dir DIR]
 *
 * --part runs every Nth test from the Kth on: parts 1/N to N/N together run each once. It prints
 * what failed, then "N passed, N failed". Exit 0 only if at least one test ran and none failed; a
 * test that made no check at all counts as failed. Exit 2 for a wrong command line.
 * The environment variable OTABENCH_JUNIT_DIR means --junit-dir, for runs under ctest.
 *
 * The checks must run in the thread and process of the test: CUnit is not thread-safe.
 */
#ifndef OTABENCH_COMMON_TESTING_TESTING_H
#define OTABENCH_COMMON_TESTING_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* {"name", fn} leaves the row fields out on purpose. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Either fn alone, or row_fn once per row, reported as "name: row name". Names are unique. */
struct test {
    const char *name;                         /* words: "a torn page is seen" */
    void (*fn)(void);                         /* null if there are rows */
    void (*row_fn)(const void *row);          /* gets &rows[i] */
    const void *rows;                         /* row_count items of row_size bytes */
    size_t row_size;                          /* bytes */
    size_t row_count;                         /* 0 rows is an error */
    const char *(*row_name)(const void *row); /* null: rows are numbered from 0 */
};

/* An entry of the table for a real array of rows. */
#define TEST_ROWS(text, fn_of_row, array, name_of_row)                                             \
    {                                                                                              \
        .name = (text), .row_fn = (fn_of_row), .rows = (array), .row_size = sizeof((array)[0]),    \
        .row_count = sizeof(array) / sizeof((array)[0]), .row_name = (name_of_row)                 \
    }

/* The main function of a test binary; suite is a name in words, tests a real array. */
#define TEST_MAIN(suite, tests)                                                                    \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_main((suite), (tests), sizeof(tests) / sizeof((tests)[0]), argc, argv);        \
    }

int test_main(const char *suite, const struct test *tests, size_t count, int argc, char **argv);

/*
 * Checks. Each returns whether it held and lets the test go on; on failure the values are kept for
 * the report. Integers are compared as int64_t. Strings may be null; null equals only null.
 */
#define CHECK(cond)           test_check((cond), #cond, __FILE__, __LINE__)
#define CHECK_INT(got, want)  test_int((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_STR(got, want)  test_str((got), (want), #got, __FILE__, __LINE__)
#define CHECK_HAS(text, part) test_has((text), (part), #text, __FILE__, __LINE__)
#define CHECK_MEM(got, want, len_bytes)                                                            \
    test_mem((got), (want), (len_bytes), #got, __FILE__, __LINE__)
/* rc is 0; otherwise the text of err (a struct err *, may be null) is shown. */
#define CHECK_OK(rc, err) test_ok((rc), (err), #rc, __FILE__, __LINE__)
/* rc is exactly that enum err_code. */
#define CHECK_ERR(rc, code) test_code((rc), (code), #rc, __FILE__, __LINE__)

/* These leave the test at once by longjmp (what it holds leaks): for "nothing below makes sense".
 */
#define REQUIRE(cond)       test_require((cond), #cond, __FILE__, __LINE__)
#define REQUIRE_OK(rc, err) test_require_ok((rc), (err), #rc, __FILE__, __LINE__)

#define TEST_PATH_MAX 256

/* A new empty directory of its own; all of them are removed when the binary exits. Fatal if it
 * cannot be made. No slash at the end. */
void test_tmpdir(char out[TEST_PATH_MAX]);

/* Behind the macros. */
bool test_check(bool ok, const char *what, const char *file, int line);
bool test_int(int64_t got, int64_t want, const char *what, const char *file, int line);
bool test_str(const char *got, const char *want, const char *what, const char *file, int line);
bool test_has(const char *text, const char *part, const char *what, const char *file, int line);
bool test_mem(const void *got, const void *want, size_t len_bytes, const char *what,
              const char *file, int line);
bool test_ok(int rc, const struct err *err, const char *what, const char *file, int line);
bool test_code(int rc, int code, const char *what, const char *file, int line);
void test_require(bool ok, const char *what, const char *file, int line);
void test_require_ok(int rc, const struct err *err, const char *what, const char *file, int line);

#endif
