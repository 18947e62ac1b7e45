/* otabench bench --restore: how fast the restore of a scenario is explored, one core. */
#ifndef OTABENCH_CLI_BENCH_RESTORE_H
#define OTABENCH_CLI_BENCH_RESTORE_H

#include <stdint.h>

/* Goals; 0: none. */
struct bench_restore_goals {
    uint64_t executed_per_s, memoised_per_s;
    uint64_t first_per_s, decided_per_s; /* decided: first losses alone; in closures */
    uint64_t clean_ms, torn_ms;
};

/* Prints, and returns the exit status. stride: every how many-th operation is executed. */
int bench_restore(const char *path, uint32_t stride, const struct bench_restore_goals *goals);

#endif
