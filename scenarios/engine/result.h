/*
 * What a run says: a verdict per requirement and one for the scenario. Plain data, no pointers that
 * outlive the catalogue, so a worker process can hand it over a pipe.
 */
#ifndef OTABENCH_ENGINE_RESULT_H
#define OTABENCH_ENGINE_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "scenarios/engine/scenario.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_EXPECTED_FAIL,
    VERDICT_UNEXPECTED_PASS, /* counts as fail */
    VERDICT_NOT_APPLICABLE,
    VERDICT_NOT_OBSERVABLE,
    VERDICT_INCONCLUSIVE,
    VERDICT_ERROR
};
const char *verdict_name(enum verdict v); /* "pass", "fail", "expected-fail", ... */

enum run_mode { RUN_SIM, RUN_WIRE };

#define RESULT_CHECKS_MAX 160
#define RESULT_DETAIL_MAX 160
#define RESULT_TOKEN_MAX  (SCENARIO_NAME_MAX + 512)

struct check_result {
    char id[REQUIREMENT_ID_MAX]; /* requirement ID, or "EXPECT" */
    enum verdict verdict;
    char detail[RESULT_DETAIL_MAX];
};

struct run_result {
    char name[SCENARIO_NAME_MAX];
    char path[256];
    enum run_mode mode;
    uint64_t seed;
    enum verdict verdict;
    char cause[ERR_TEXT_MAX];     /* error and inconclusive: why; else empty */
    char token[RESULT_TOKEN_MAX]; /* "cms/name#5eed@137t3" */
    char trace_sha256[65];
    int64_t virtual_ns, wall_ns;
    uint32_t cuts, boots;
    uint32_t cut_missed; /* the first of the token's cuts that never happened, from 1; 0: none */
    uint64_t flash_ops, main_ops; /* whole run; up to the heal phase */
    uint32_t requests;
    uint64_t bytes_down;
    uint64_t agent_peak_bytes, boot_peak_bytes; /* emulated heap */
    char final_version[DEVICE_TEXT_MAX];
    struct check_result checks[RESULT_CHECKS_MAX];
    uint32_t n_checks;
};

/* Exit code of a whole session: 0 all passed, 1 a requirement failed, 2 inconclusive or bench
 * fault, 77 nothing applicable. */
int result_exit_code(const struct run_result *r, size_t n);

/* A requirement of the catalogue: text and source clause, for reports. Null if unknown. */
struct requirement {
    const char *id;
    const char *text;
    const char *source;
};
const struct requirement *requirement_find(const char *id);
const struct requirement *requirement_at(size_t index);

#endif
