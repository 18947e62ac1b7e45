#include "scenarios/cli/cli.h"

#include <stdlib.h>

#include "common/testing/testing.h"
#include "scenarios/cli/progress.h"

struct sample {
    const char *text;
    uint64_t min, max, want;
    bool ok;
};

static const struct sample samples[] = {
    {"0", 0, 9, 0, true},
    {"5", 1, 9, 5, true},
    {"0x5eed", 1, UINT64_MAX, 0x5eed, true},
    {"0XfF", 1, 255, 255, true},
    {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true},
    {"010", 0, 99, 10, true},
    {"18446744073709551616", 0, UINT64_MAX, 0, false},
    {"0", 1, 9, 0, false},
    {"10", 1, 9, 0, false},
    {"", 0, 9, 0, false},
    {"0x", 0, 9, 0, false},
    {"-1", 0, UINT64_MAX, 0, false},
    {"+1", 0, 9, 0, false},
    {" 1", 0, 9, 0, false},
    {"1 ", 0, 9, 0, false},
    {"1e3", 0, 9999, 0, false},
    {"5f", 0, 9999, 0, false},
};

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->text;
}

static void is_a_number(const void *row)
{
    const struct sample *s = row;
    uint64_t n = 0;
    CHECK_INT(cli_number(s->text, s->min, s->max, &n), s->ok);
    if (s->ok)
        CHECK_INT(n, s->want);
}

static void the_cache_has_a_place(void)
{
    char dir[256];
    REQUIRE(setenv("XDG_CACHE_HOME", "/x/cache", 1) == 0);
    cli_cache_dir(dir, sizeof dir);
    CHECK_STR(dir, "/x/cache/otabench");
    REQUIRE(setenv("XDG_CACHE_HOME", "relative", 1) == 0 && setenv("HOME", "/tmp", 1) == 0);
    cli_cache_dir(dir, sizeof dir);
    CHECK_STR(dir, "/tmp/.cache/otabench");
    REQUIRE(unsetenv("XDG_CACHE_HOME") == 0 && setenv("HOME", "/nonexistent", 1) == 0);
    cli_cache_dir(dir, sizeof dir);
    CHECK_HAS(dir, "/tmp/otabench-cache-");
}

static void progress_fits_a_terminal(void)
{
    char text[] = "[█·] 12/20";
    cli_clip(text, 10);
    CHECK_STR(text, "[█·] 12/20");
    cli_clip(text, 6);
    CHECK_STR(text, "[█·] 1");
    cli_clip(text, 2);
    CHECK_STR(text, "[█");
    cli_clip(text, 0);
    CHECK_STR(text, "");
}

static void progress_counts_and_estimates(void)
{
    struct progress_state p;
    char text[160];
    progress_init(&p, PROGRESS_NONE, 2000, 0);
    progress_text(&p, 0, text, sizeof text);
    CHECK_STR(text, "0/2000  0 %  0.0/s, 0 not passed");
    for (int i = 0; i < 500; i++)
        progress_done(&p, i < 3, 0);
    progress_text(&p, 40 * NS_PER_S, text, sizeof text);
    CHECK_STR(text, "500/2000  25 %  12.5/s, 2:00 left, 3 not passed");
    for (int i = 0; i < 1500; i++)
        progress_done(&p, false, 0);
    progress_text(&p, 80 * NS_PER_S, text, sizeof text);
    CHECK_STR(text, "2000/2000  100 %  25.0/s, 3 not passed");
}

static const struct test tests[] = {
    TEST_ROWS("number", is_a_number, samples, sample_name),
    {"the cache has a place", the_cache_has_a_place},
    {"progress fits a terminal", progress_fits_a_terminal},
    {"progress counts and estimates", progress_counts_and_estimates},
};

TEST_MAIN("command line", tests)
