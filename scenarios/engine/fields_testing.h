/*
 * For tests of what a state keeps: no field of a struct is forgotten.
 *
 * A test has two lists of the struct. One is an object whose fields are all given, by their places
 * and none of them zero: the compiler misses a field that was added. The other is a table that says
 * of each field whether a state keeps it, or why not; fields_listed misses a field that the object
 * has and the table has not, be it in what was padding before.
 */
#ifndef OTABENCH_ENGINE_FIELDS_TESTING_H
#define OTABENCH_ENGINE_FIELDS_TESTING_H

#include <stdio.h>

#include "common/testing/testing.h"

/* Also of a test that leaves fields of its rows out: an object is whole, or it does not build. */
#pragma GCC diagnostic error "-Wmissing-field-initializers"

struct field {
    const char *name;
    size_t at, size; /* bytes */
    const char *why; /* it is no part of a state; null: it is */
};

/* member may be a nested one. */
#define KEPT(type, member)                                                                         \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)NULL)->member), NULL                      \
    }
#define LEFT_OUT(type, member, why)                                                                \
    {                                                                                              \
#member, offsetof(type, member), sizeof(((type *)NULL)->member), (why)                     \
    }

/* Each row has something in the object, and all that is in the object is in one row. */
static inline void fields_listed(const void *object, size_t size, const struct field *rows,
                                 size_t n_rows)
{
    const uint8_t *bytes = object;
    char text[160];
    for (size_t i = 0; i < n_rows; i++) {
        bool any = false;
        for (size_t at = rows[i].at; at < rows[i].at + rows[i].size; at++)
            any = any || bytes[at] != 0;
        (void)snprintf(text, sizeof text, "%s is zero in the object", rows[i].name);
        CHECK_STR(any ? "" : text, "");
    }
    for (size_t at = 0; at < size; at++) {
        int in = 0;
        for (size_t i = 0; i < n_rows && bytes[at] != 0; i++)
            in += at >= rows[i].at && at < rows[i].at + rows[i].size;
        (void)snprintf(text, sizeof text, "the field at byte %zu is in %d rows of the table", at,
                       in);
        CHECK_STR(bytes[at] == 0 || in == 1 ? "" : text, "");
    }
}

#endif
