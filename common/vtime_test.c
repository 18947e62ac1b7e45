/* Times never overflow, also before 0, where what happened before a run lies. */
#include "common/vtime.h"

#include "common/testing/testing.h"

struct after_row {
    const char *name;
    int64_t now_ns, delta_ns, want_ns;
};
static const struct after_row after_rows[] = {
    {"plain", 5, 7, 12},
    {"from 0", 0, 7, 7},
    {"before 0", -1, 7, 6},
    {"the last moment", VTIME_NEVER - 8, 7, VTIME_NEVER - 1},
    {"beyond the last moment", VTIME_NEVER - 7, 8, VTIME_NEVER},
    {"never", 5, VTIME_NEVER, VTIME_NEVER},
    {"never, from 0", 0, VTIME_NEVER, VTIME_NEVER},
    {"never, before 0", -1, VTIME_NEVER, VTIME_NEVER},
    {"nearly never, before 0", -1, VTIME_NEVER - 1, VTIME_NEVER - 2},
};

static const char *after_name(const void *row)
{
    return ((const struct after_row *)row)->name;
}

static void is_after(const void *row)
{
    const struct after_row *c = row;
    CHECK_INT(vtime_after(c->now_ns, c->delta_ns), c->want_ns);
}

static const struct test tests[] = {
    TEST_ROWS("after", is_after, after_rows, after_name),
};

TEST_MAIN("virtual time", tests)
