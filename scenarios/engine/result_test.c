#include "scenarios/engine/result.h"

#include <string.h>

#include "common/testing/testing.h"

struct session {
    const char *name;
    enum verdict verdicts[3];
    size_t n;
    int want;
};

static const struct session sessions[] = {
    {"nothing ran", {VERDICT_PASS}, 0, 77},
    {"all passed", {VERDICT_PASS, VERDICT_PASS, VERDICT_PASS}, 3, 0},
    {"a declared defect was caught", {VERDICT_PASS, VERDICT_EXPECTED_FAIL}, 2, 0},
    {"one failed", {VERDICT_PASS, VERDICT_FAIL, VERDICT_PASS}, 3, 1},
    {"a failure outweighs a bench fault", {VERDICT_ERROR, VERDICT_FAIL, VERDICT_ERROR}, 3, 1},
    {"an unexpected pass is a failure", {VERDICT_PASS, VERDICT_UNEXPECTED_PASS}, 2, 1},
    {"inconclusive", {VERDICT_INCONCLUSIVE, VERDICT_PASS}, 2, 2},
    {"bench fault", {VERDICT_PASS, VERDICT_ERROR}, 2, 2},
    {"nothing applicable", {VERDICT_NOT_APPLICABLE, VERDICT_NOT_OBSERVABLE}, 2, 77},
    {"something applicable passed", {VERDICT_NOT_APPLICABLE, VERDICT_PASS}, 2, 0},
};

static void exit_code(const void *row)
{
    static struct run_result r[3];
    const struct session *s = row;
    memset(r, 0, sizeof r);
    for (size_t i = 0; i < s->n; i++)
        r[i].verdict = s->verdicts[i];
    CHECK_INT(result_exit_code(r, s->n), s->want);
}

static const char *session_name(const void *row)
{
    return ((const struct session *)row)->name;
}

static void verdicts_have_their_names(void)
{
    CHECK_STR(verdict_name(VERDICT_PASS), "pass");
    CHECK_STR(verdict_name(VERDICT_EXPECTED_FAIL), "expected-fail");
    CHECK_STR(verdict_name(VERDICT_UNEXPECTED_PASS), "unexpected-pass");
    CHECK_STR(verdict_name(VERDICT_NOT_OBSERVABLE), "not-observable");
    CHECK_STR(verdict_name(VERDICT_ERROR), "error");
    CHECK_STR(verdict_name((enum verdict)(VERDICT_ERROR + 1)), "unknown");
}

static const struct test tests[] = {
    TEST_ROWS("exit code", exit_code, sessions, session_name),
    {"verdicts have their names", verdicts_have_their_names},
};

TEST_MAIN("results", tests)
