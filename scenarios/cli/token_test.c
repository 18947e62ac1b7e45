#include "scenarios/cli/token.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/testing/testing.h"

struct good {
    const char *text;
    const char *name;
    uint64_t seed, cut_op;
    enum nor_tear tear;
};

static const struct good goods[] = {
    {"cms/resume-in-tunnel#5eed", "cms/resume-in-tunnel", 0x5eed, 0, TEAR_NOTHING},
    {"cms/resume-in-tunnel#5eed@137t3", "cms/resume-in-tunnel", 0x5eed, 137, TEAR_SCRAMBLED},
    {"zoo/a#b#1@1t0", "zoo/a#b", 1, 1, TEAR_NOTHING},
    {"x#ffffffffffffffff@999999999999999t6", "x", UINT64_MAX, 999999999999999, TEAR_DONE},
    {"\xe5\x9b\xba\xe4\xbb\xb6#7", "\xe5\x9b\xba\xe4\xbb\xb6", 7, 0, TEAR_NOTHING},
};

static const char *good_name(const void *row)
{
    return ((const struct good *)row)->text;
}

static void is_read_and_written(const void *row)
{
    const struct good *g = row;
    struct token t;
    struct err err = {0};
    char text[SCENARIO_NAME_MAX + 64];
    REQUIRE_OK(token_parse(&t, g->text, &err), &err);
    CHECK_STR(t.name, g->name);
    CHECK_INT(t.seed, g->seed);
    CHECK_INT(t.cut_op, g->cut_op);
    CHECK_INT(t.tear, g->tear);
    CHECK_INT(token_format(&t, text, sizeof text), 0);
    CHECK_STR(text, g->text);
    CHECK_ERR(token_format(&t, text, strlen(g->text)), ERR_LIMIT);
}

static const struct {
    const char *text;
    const char *why;
} bads[] = {
    {"", "no '#'"},
    {"cms/x", "no '#'"},
    {"#5", "scenario name"},
    {"/etc/x#5", "scenario name"},
    {"../x#5", "scenario name"},
    {"cms/../../x#5", "scenario name"},
    {"x#", "seed"},
    {"x#0", "seed"},
    {"x#g", "seed"},
    {"x#0x5", "the cut"},
    {"x#11112222333344445", "seed"},
    {"x#5@", "the cut"},
    {"x#5@3", "the cut"},
    {"x#5@0t1", "the cut"},
    {"x#5@3t", "the cut"},
    {"x#5@3t1 ", "the cut"},
    {"x#5@-3t1", "the cut"},
    {"x#5@3t7", "no tear 7"},
    {"x#5 ", "the cut"},
};

static void broken_tokens_are_refused(void)
{
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct token t;
        struct err err = {0};
        CHECK_ERR(token_parse(&t, bads[i].text, &err), ERR_FORMAT);
        CHECK_HAS(err.text, bads[i].why);
    }
}

static void the_file_is_found(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 32], found[TEST_PATH_MAX + 64];
    struct token t;
    struct err err = {0};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/cms", dir);
    REQUIRE(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/cms/x.json", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    (void)fclose(f);
    REQUIRE_OK(token_parse(&t, "cms/x#5", &err), &err);
    CHECK_OK(token_find(&t, dir, found, sizeof found, &err), &err);
    CHECK_STR(found, path);
    REQUIRE_OK(token_parse(&t, "cms/y#5", &err), &err);
    CHECK_ERR(token_find(&t, dir, found, sizeof found, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "cms/y.json");
    CHECK_ERR(token_find(&t, NULL, found, sizeof found, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "--library");
}

static const struct {
    const char *name, *path;
    enum run_mode mode;
    const char *want;
} commands[] = {
    {"cms/x", "scenarios/library/cms/x.json", RUN_SIM, "otabench replay 'cms/x#5eed'"},
    {"zoo/x", "scenarios/zoo/x.json", RUN_SIM, "otabench replay 'zoo/x#5eed'"},
    {"x", "/tmp/bugs/x.json", RUN_SIM, "otabench replay 'x#5eed' --library '/tmp/bugs'"},
    {"x", "x.json", RUN_SIM, "otabench replay 'x#5eed' --library '.'"},
    {"x", "/x.json", RUN_SIM, "otabench replay 'x#5eed' --library '/'"},
    {"it's", "scenarios/library/it's.json", RUN_SIM, "otabench replay 'it'\\''s#5eed'"},
    {"cms/x", "scenarios/library/cms/x.json", RUN_WIRE,
     "otabench run --wire 'scenarios/library/cms/x.json' --seed 0x5eed"},
};

static void the_command_repeats_it(void)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        static struct run_result r;
        struct buf b;
        memset(&r, 0, sizeof r);
        (void)snprintf(r.name, sizeof r.name, "%s", commands[i].name);
        (void)snprintf(r.path, sizeof r.path, "%s", commands[i].path);
        (void)snprintf(r.token, sizeof r.token, "%s#5eed", commands[i].name);
        r.mode = commands[i].mode;
        r.seed = 0x5eed;
        buf_init(&b, 1024);
        CHECK_INT(token_command(&b, &r), 0);
        CHECK_STR((const char *)b.data, commands[i].want);
        buf_free(&b);
    }
}

static const struct test tests[] = {
    TEST_ROWS("token", is_read_and_written, goods, good_name),
    {"broken tokens are refused", broken_tokens_are_refused},
    {"the file is found", the_file_is_found},
    {"the command repeats it", the_command_repeats_it},
};

TEST_MAIN("replay tokens", tests)
