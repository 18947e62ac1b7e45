/* otabench bench --wire: one mock cloud on the wire under a fleet of devices, beside nginx. */
#ifndef OTABENCH_CLI_BENCH_WIRE_H
#define OTABENCH_CLI_BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

struct bench_wire {
    uint64_t devices, image_bytes, range_bytes;
    uint64_t strangers;         /* bad clients beside them */
    const char *nginx;          /* the program; null: looked for; "none": not measured */
    uint64_t min_ratio_percent; /* of nginx's range requests per second; 0: no goal */
    bool quiet;
};

/* Prints, and returns the exit status. */
int bench_wire(const struct bench_wire *b);

#endif
