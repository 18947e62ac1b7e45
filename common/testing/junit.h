/*
 * JUnit XML, the form in which CI systems read test results. Written by hand because CUnit's own
 * writer aborts on a failing test and leaves malformed files.
 */
#ifndef OTABENCH_COMMON_TESTING_JUNIT_H
#define OTABENCH_COMMON_TESTING_JUNIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"

struct junit_case {
    const char *name;
    const char *failure; /* null: passed; else one line per failed check */
    int64_t time_ns;
};

/*
 * Appends a whole document with one suite of n cases to out. Names and texts may hold any bytes:
 * markup is escaped, what XML cannot carry (control characters, broken UTF-8) becomes "?".
 * 0 or the buffer's error.
 */
int junit_format(struct buf *out, const char *suite, const struct junit_case *cases, size_t n);

/* The same into a file, replacing it. 0, ERR_IO, or as above. */
int junit_write(const char *path, const char *suite, const struct junit_case *cases, size_t n,
                struct err *err);

#endif
