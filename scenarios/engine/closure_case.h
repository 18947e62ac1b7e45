/*
 * From a scenario to what a closure explores: the chip as it is right after the agent wrote the
 * pending record of the first package offered to the factory version - factory images, package in
 * the download area, record - and, as a second start, the same with power lost in the very last
 * program of that record so that its cells are weak.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_CASE_H
#define OTABENCH_ENGINE_CLOSURE_CASE_H

#include "scenarios/engine/build.h"
#include "scenarios/engine/closure.h"

/* The boot loader of that device; its board is not set. ERR_ARG: no such device;
 * ERR_UNSUPPORTED: it has two slots, and restores nothing. */
int closure_case_boot(const struct device_config *d, struct boot_config *out, struct err *err);

struct closure_case {
    struct closure_subject subject; /* points into build */
    struct build build;
    struct nor *pending;
    struct nor *pending_weak;
    enum package_kind kind;
    uint32_t package_bytes;
    const char *from, *to; /* versions; in the scenario */
};

/*
 * s must outlive the case. Free it in any case. ERR_UNSUPPORTED: the scenario offers nothing for
 * its first version, or its factory image is altered; ERR_LIMIT: the package does not fit; errors
 * of build_make.
 */
int closure_case_open(struct closure_case *k, const struct scenario *s,
                      const struct build_options *o, uint64_t seed, struct err *err);
void closure_case_free(struct closure_case *k);

#endif
