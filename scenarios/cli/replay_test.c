#include "scenarios/cli/replay.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/testing/testing.h"

static void the_file_is_found(void)
{
    char dir[TEST_PATH_MAX], path[TEST_PATH_MAX + 32], found[TEST_PATH_MAX + 64];
    struct err err = {0};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/cms", dir);
    REQUIRE(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/cms/x.json", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    (void)fclose(f);
    CHECK_OK(replay_find("cms/x", dir, found, sizeof found, &err), &err);
    CHECK_STR(found, path);
    CHECK_ERR(replay_find("cms/y", dir, found, sizeof found, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "cms/y.json");
    CHECK_ERR(replay_find("cms/y", NULL, found, sizeof found, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "--library");
    CHECK_ERR(replay_find("../cms/x", dir, found, sizeof found, &err), ERR_FORMAT);
    CHECK_ERR(replay_find("/etc/passwd", NULL, found, sizeof found, &err), ERR_FORMAT);
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
        CHECK_INT(replay_command(&b, &r), 0);
        CHECK_STR((const char *)b.data, commands[i].want);
        buf_free(&b);
    }
}

static const struct {
    const char *token, *library;
    bool cuts;
    const char *want;
} gdbs[] = {
    {"cms/x#1@7t3", NULL, true,
     "gdb -ex 'break bench_before_cut' -ex run --args '/o' replay 'cms/x#1@7t3' --in-process"},
    {"cms/x#1", "it's", false,
     "gdb -ex 'break judge_fail' -ex run --args '/o' replay 'cms/x#1' --in-process --library "
     "'it'\\''s'"},
};

static void the_debugger_stops_where_it_matters(void)
{
    for (size_t i = 0; i < sizeof gdbs / sizeof gdbs[0]; i++) {
        struct buf b;
        buf_init(&b, 1024);
        CHECK_INT(replay_gdb_command(&b, "/o", gdbs[i].token, gdbs[i].library, gdbs[i].cuts), 0);
        CHECK_STR((const char *)b.data, gdbs[i].want);
        buf_free(&b);
    }
}

static const struct test tests[] = {
    {"the file is found", the_file_is_found},
    {"the command repeats it", the_command_repeats_it},
    {"the debugger stops where it matters", the_debugger_stops_where_it_matters},
};

TEST_MAIN("replay", tests)
