#include "common/version.h"

#include <stdio.h>

#include "common/testing/testing.h"

struct version_row {
    const char *a, *b;
    int order;
};

static const struct version_row versions[] = {
    {"1.9", "1.10", -1},
    {"1.10", "1.10", 0},
    {"2", "1.999", 1},
    {"1.0", "1", 0},
    {"1.01", "1.1", 0},
    {"1.0.1", "1", 1},
    {"", "0", 0},
    {"", "0.1", -1},
    {"99999999999999999999999999", "100000000000000000000000000", -1},
    {"V1.0", "V2.0", -1},
    {"ONEOS_V1.9", "ONEOS_V1.10", -1},
    {"1.0.a", "1.0.b", -1},
    {"1.0.ab", "1.0.a", 1},
    {"1.10", "1.1a", -1},
    {"1.9", "1.1a", -1},
    {"1.0.beta", "1.0", 1},
    {"1..2", "1.0.2", 0},
};

static void version_order(const void *row)
{
    const struct version_row *v = row;
    int ab = version_compare(v->a, v->b), ba = version_compare(v->b, v->a);
    CHECK_INT((ab > 0) - (ab < 0), v->order);
    CHECK_INT((ba > 0) - (ba < 0), -v->order);
}

static const char *version_name(const void *row)
{
    static char name[96];
    const struct version_row *v = row;
    (void)snprintf(name, sizeof name, "'%s' and '%s'", v->a, v->b);
    return name;
}

static const struct test tests[] = {
    TEST_ROWS("version order of", version_order, versions, version_name),
};
TEST_MAIN("versions", tests)
