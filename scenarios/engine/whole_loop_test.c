/* Devices that reset themselves for ever: found though no single start fails, by the fewest cuts,
 * repeated, and told apart from those that only need several starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/whole_testing.h"

static void set_up(struct scenario *s, const char *device)
{
    char text[1024];
    struct err err = {.text = ""};
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"rounds\": 1, "
                   "\"check_interval_ms\": 100, \"segment_index\": 3%s}, \"versions\": "
                   "[{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 700}}]}, "
                   "{\"version\": \"1.1\"}], \"offers\": "
                   "[{\"from\": \"1.0\", \"to\": \"1.1\", \"kind\": \"full\"}]}",
                   device);
    REQUIRE_OK(scenario_parse(s, text, strlen(text), "tiny", &err), &err);
}

static struct whole *close_it(const struct scenario *s, const struct run_options *run,
                              struct whole_result *r)
{
    struct err err = {.text = ""};
    struct whole_options o = {.tears = 1u << TEAR_NOTHING, .max_states = 5000};
    struct whole *w = whole_new(s, &o, run, &err);
    REQUIRE(w != NULL);
    whole_run_all(w, 0);
    REQUIRE_OK(whole_conclude(w, r, &err), &err);
    return w;
}

static bool has(const struct whole_failure *f, const char *id)
{
    for (uint32_t i = 0; i < f->n_ids; i++)
        if (strcmp(f->ids[i], id) == 0)
            return true;
    return false;
}

static void endless_resets_are_found(void)
{
    char cache[TEST_PATH_MAX];
    struct run_options run = {.cache_dir = cache};
    struct scenario *s = calloc(1, sizeof *s);
    struct whole_result *r = calloc(1, sizeof *r);
    REQUIRE(s != NULL && r != NULL);
    test_tmpdir(cache);
    set_up(s, ", \"breaks\": [\"reset-to-resume\"]");
    whole_free(close_it(s, &run, r));
    CHECK_STR(verdict_name(whole_verdict(r)), "fail");
    CHECK(!r->closed);
    CHECK_INT(r->n_failures, 1);
    CHECK(r->failures[0].confirmed && has(&r->failures[0], "PWR-15"));
    CHECK_INT(r->failures[0].n_cuts, 1);
    CHECK(repeats(s, &run, &r->failures[0], "PWR-15"));
    free(s);
    free(r);
}

static void resets_that_end_are_counted(void)
{
    char cache[TEST_PATH_MAX];
    struct run_options run = {.cache_dir = cache};
    struct scenario *s = calloc(1, sizeof *s);
    struct whole_result *r = calloc(1, sizeof *r);
    struct whole_loop loop;
    uint32_t most;
    REQUIRE(s != NULL && r != NULL);
    test_tmpdir(cache);
    set_up(s, "");
    struct whole *w = close_it(s, &run, r);
    CHECK(r->closed);
    CHECK_INT(r->boots_needed, 2);
    CHECK_INT(whole_boots(w, &most, &loop), 0);
    CHECK_INT(most, 2);
    CHECK(loop.node == NONE);

    /* Bent to a loop of two: back from where the first start leads. */
    struct whole_run *first = whole_run_at(w, whole_node_at(w, 0)->first_run);
    REQUIRE(first->next_node != NONE);
    whole_run_at(w, whole_node_at(w, first->next_node)->first_run)->next_node = 0;
    CHECK_INT(whole_boots(w, &most, &loop), 0);
    CHECK_INT(loop.node, 0);
    CHECK_INT(loop.starts, 2);
    whole_free(w);
    free(s);
    free(r);
}

static const struct test tests[] = {
    {"endless resets are found", endless_resets_are_found},
    {"resets that end are counted", resets_that_end_are_counted},
};

TEST_MAIN("engine whole loop", tests)
