#include "scenarios/engine/result.h"

const char *verdict_name(enum verdict v)
{
    static const char *const names[] = {
        [VERDICT_PASS] = "pass",
        [VERDICT_FAIL] = "fail",
        [VERDICT_EXPECTED_FAIL] = "expected-fail",
        [VERDICT_UNEXPECTED_PASS] = "unexpected-pass",
        [VERDICT_NOT_APPLICABLE] = "not-applicable",
        [VERDICT_NOT_OBSERVABLE] = "not-observable",
        [VERDICT_INCONCLUSIVE] = "inconclusive",
        [VERDICT_ERROR] = "error",
    };
    return (size_t)v < sizeof names / sizeof names[0] ? names[v] : "unknown";
}

/* A failure outweighs a bench fault, which outweighs a pass: the most important news decides. */
static const struct {
    enum verdict verdict;
    int rank, code;
} exits[] = {
    {VERDICT_FAIL, 4, 1},
    {VERDICT_UNEXPECTED_PASS, 4, 1},
    {VERDICT_ERROR, 3, 2},
    {VERDICT_INCONCLUSIVE, 3, 2},
    {VERDICT_PASS, 2, 0},
    {VERDICT_EXPECTED_FAIL, 2, 0},
    {VERDICT_NOT_APPLICABLE, 1, 77},
    {VERDICT_NOT_OBSERVABLE, 1, 77},
};

int result_exit_code(const struct run_result *r, size_t n)
{
    int rank = 0, code = 77;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof exits / sizeof exits[0]; k++)
            if (exits[k].verdict == r[i].verdict && exits[k].rank > rank) {
                rank = exits[k].rank;
                code = exits[k].code;
            }
    return code;
}
