/*
 * The harness judged from outside: this binary starts itself again with the word "subject" in
 * front and looks at what that run prints, writes and returns.
 */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the subject: tests that fail on purpose ---- */

static void passes(void)
{
    CHECK(true);
    CHECK_INT(3, 3);
    CHECK_STR("a", "a");
    CHECK_STR(NULL, NULL);
    CHECK_HAS("abc", "b");
    CHECK_MEM("abc", "abd", 2);
    CHECK_OK(0, NULL);
    CHECK_ERR(ERR_IO, ERR_IO);
    REQUIRE(true);
    REQUIRE_OK(0, NULL);
}

static void fails_check(void)
{
    CHECK(1 > 2);
}

static void fails_int(void)
{
    CHECK_INT(-1, 7);
}

static void fails_str(void)
{
    CHECK_STR("one\n<&>\x01", "two");
}

static void fails_null(void)
{
    CHECK_STR(NULL, "two");
}

static void fails_has(void)
{
    CHECK_HAS("abc", "x");
}

static void fails_mem(void)
{
    CHECK_MEM("abc", "abd", 3);
}

static void fails_ok(void)
{
    struct err err = {"the story"};
    CHECK_OK(ERR_LIMIT, &err);
}

static void fails_err(void)
{
    CHECK_ERR(0, ERR_FORMAT);
}

static void fails_require(void)
{
    REQUIRE(1 == 2);
    CHECK_STR("not", "reached");
}

static void fails_require_ok(void)
{
    REQUIRE_OK(ERR_IO, NULL);
    CHECK_STR("not", "reached");
}

static void fails_twice(void)
{
    CHECK_INT(1, 2);
    CHECK_INT(3, 4);
}

static void checks_nothing(void)
{
}

static void prints_tmpdir(void)
{
    char a[TEST_PATH_MAX];
    char b[TEST_PATH_MAX];
    test_tmpdir(a);
    test_tmpdir(b);
    CHECK(strcmp(a, b) != 0);
    char file[TEST_PATH_MAX + 8];
    (void)snprintf(file, sizeof file, "%s/file", a);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    (void)close(fd);
    printf("tmpdir %s\n", a);
}

struct number {
    const char *name;
    int value;
};

static const struct number numbers[] = {{"even", 2}, {"odd", 3}, {"even", 5}};

static void is_even(const void *row)
{
    const struct number *n = row;
    CHECK_INT(n->value % 2, 0);
}

static const char *number_name(const void *row)
{
    const struct number *n = row;
    return n->name;
}

static const struct test subject_tests[] = {
    {"passes", passes},
    {"fails check", fails_check},
    {"fails int", fails_int},
    {"fails <str> & \"more\"", fails_str},
    {"fails null", fails_null},
    {"fails has", fails_has},
    {"fails mem", fails_mem},
    {"fails ok", fails_ok},
    {"fails err", fails_err},
    {"fails require", fails_require},
    {"fails require ok", fails_require_ok},
    {"fails twice", fails_twice},
    {"checks nothing", checks_nothing},
    {"tmpdir", prints_tmpdir},
    {"PASSES", passes},
    TEST_ROWS("number", is_even, numbers, number_name),
    TEST_ROWS("plain", is_even, numbers, NULL),
};

static const struct test no_rows[] = {{.name = "hollow", .row_fn = is_even, .rows = numbers}};
static const struct test no_fn[] = {{.name = "hollow"}};

/* ---- running it ---- */

#define OUTPUT_MAX 16384

/*
 * Runs "testing_test <args>"; its exit code, -1 if it did not exit; both outputs in out. The
 * environment is that one variable or empty, so that the subject never reports into a real run.
 */
static int run_self(char out[OUTPUT_MAX], const char *const *args, const char *environment)
{
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 8];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/out", dir);

    char *argv[8] = {(char *)"testing_test"};
    for (size_t i = 0; args[i] != NULL; i++) {
        REQUIRE(i + 2 < sizeof argv / sizeof argv[0]);
        argv[i + 1] = (char *)args[i];
    }
    char *one_variable[] = {(char *)environment, NULL};
    posix_spawn_file_actions_t actions;
    REQUIRE(posix_spawn_file_actions_init(&actions) == 0);
    REQUIRE(posix_spawn_file_actions_addopen(&actions, 1, path, O_CREAT | O_WRONLY, 0600) == 0);
    REQUIRE(posix_spawn_file_actions_adddup2(&actions, 1, 2) == 0);
    pid_t pid = 0;
    int rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, one_variable);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(rc == 0);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);

    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    size_t n = fread(out, 1, OUTPUT_MAX - 1, f);
    (void)fclose(f);
    out[n] = '\0';
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool read_file(char out[OUTPUT_MAX], const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    size_t n = fread(out, 1, OUTPUT_MAX - 1, f);
    (void)fclose(f);
    out[n] = '\0';
    return true;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part))
        n++;
    return n;
}

/* ---- tests ---- */

struct story {
    const char *only;
    const char *line; /* what the output must hold */
    int exit_code;
};

static const struct story stories[] = {
    {"fails check", "FAIL fails check: " __FILE__ ":", 1},
    {"fails check", ": not true: 1 > 2\n0 passed, 1 failed\n", 1},
    {"fails int", ": -1 is -1 (0xffffffffffffffff), want 7 (0x7)\n", 1},
    {"fails <str>", " is \"one\\x0a<&>\\x01\", want \"two\" (they differ at byte 0)\n", 1},
    {"fails null", ": NULL is null, want \"two\"\n", 1},
    {"fails has", ": \"abc\" is \"abc\", want it to contain \"x\"\n", 1},
    {"fails mem", ": \"abc\" differs at byte 2 of 3: 63, want 64\n", 1},
    {"fails ok", ": ERR_LIMIT is ERR_LIMIT (-3): the story\n", 1},
    {"fails err", ": 0 is ERR_OK (0), want ERR_FORMAT (-2)\n", 1},
    {"fails require", ": required: 1 == 2\n", 1},
    {"fails require ok", ": ERR_IO is ERR_IO (-4): no text\n", 1},
    {"fails twice", ": 1 is 1 (0x1), want 2 (0x2)\n     " __FILE__ ":", 1},
    {"fails twice", ": 3 is 3 (0x3), want 4 (0x4)\n0 passed, 1 failed\n", 1},
    {"checks nothing", "FAIL checks nothing: the test made no check", 1},
    {"no such test", "subject: no test ran\n", 1},
    {"passes", "1 passed, 0 failed\n", 0},
    {"PASSES #2", "1 passed, 0 failed\n", 0},
    {"number: even #2", "0 passed, 1 failed\n", 1},
    {"number", "FAIL number: odd: ", 1},
    {"number", "1 passed, 2 failed\n", 1},
    {"plain: row 0", "1 passed, 0 failed\n", 0},
};

static void tells(const void *row)
{
    const struct story *s = row;
    char out[OUTPUT_MAX];
    int code = run_self(out, (const char *const[]){"subject", "--only", s->only, NULL}, NULL);
    /* Not a CHECK: a harness that loses failures would lose this one too. */
    if (code != s->exit_code) {
        (void)fprintf(stderr, "--only \"%s\" exits with %d, want %d\n", s->only, code,
                      s->exit_code);
        abort();
    }
    CHECK_HAS(out, s->line);
    CHECK(strstr(out, "reached") == NULL);
}

static const char *story_name(const void *row)
{
    const struct story *s = row;
    return s->only;
}

struct misuse {
    const char *args[4];
    const char *line;
    int exit_code;
};

static const struct misuse misuses[] = {
    {{"subject", "--junk"}, "--junk: unknown, must be --list, --only SUBSTRING", 2},
    {{"subject", "--only"}, "--only: needs a value\n", 2},
    {{"subject", "--part", "4/3"}, "--part 4/3: must be K/N, such as 2/3, N up to 99\n", 2},
    {{"subject", "--part", "0/3"}, "--part 0/3: must be K/N", 2},
    {{"subject", "--part", "1/100"}, "--part 1/100: must be K/N", 2},
    {{"subject", "--part", "2"}, "--part 2: must be K/N", 2},
    {{"subject", "--part", "/2"}, "--part /2: must be K/N", 2},
    {{"subject", "--part", "-1/2"}, "--part -1/2: must be K/N", 2},
    {{"subject", "--part", "1/2x"}, "--part 1/2x: must be K/N", 2},
    {{"subject", "--part", "50/50"}, "subject: no test ran\n", 1},
    {{"subject", "--junit", "/nonexistent/x.xml"}, "/nonexistent/x.xml: cannot be written: ", 1},
    {{"no-rows"}, "no-rows: test 0 (hollow) has no rows\n", 1},
    {{"no-fn"}, "no-fn: test 0 (hollow) needs a name and one of fn and row_fn\n", 1},
};

static void refuses(const void *row)
{
    const struct misuse *m = row;
    char out[OUTPUT_MAX];
    CHECK_INT(run_self(out, m->args, NULL), m->exit_code);
    CHECK_HAS(out, m->line);
}

static const char *misuse_name(const void *row)
{
    const struct misuse *m = row;
    return m->args[1] != NULL ? m->args[1] : m->args[0];
}

static void lists_every_job(void)
{
    char out[OUTPUT_MAX];
    CHECK_INT(run_self(out, (const char *const[]){"subject", "--list", NULL}, NULL), 0);
    CHECK_HAS(out, "fails <str> & \"more\"\n");
    CHECK_HAS(out, "PASSES #2\n");
    CHECK_HAS(out, "number: even\nnumber: odd\nnumber: even #2\nplain: row 0\nplain: row 1\n");
    CHECK_INT(occurrences(out, "\n"), 21);
}

static void parts_run_each_once(void)
{
    char out[OUTPUT_MAX], part[8], all[OUTPUT_MAX] = "";
    for (unsigned k = 1; k <= 4; k++) {
        (void)snprintf(part, sizeof part, "%u/4", k);
        const char *const args[] = {"subject", "--list", "--part", part, NULL};
        CHECK_INT(run_self(out, args, NULL), 0);
        CHECK_INT(occurrences(out, "\n"), k == 1 ? 6 : 5);
        strncat(all, out, sizeof all - strlen(all) - 1);
    }
    CHECK_INT(occurrences(all, "\n"), 21);
    CHECK_INT(run_self(out, (const char *const[]){"subject", "--list", NULL}, NULL), 0);
    for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
        CHECK_HAS(all, line);

    /* Of what --only leaves: number: even, number: odd, number: even #2. */
    const char *const args[] = {"subject", "--only", "number", "--part", "2/2", NULL};
    CHECK_INT(run_self(out, args, NULL), 1);
    CHECK_HAS(out, "FAIL number: odd: ");
    CHECK_HAS(out, "0 passed, 1 failed\n");
}

static void writes_what_failed(void)
{
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 16];
    char out[OUTPUT_MAX];
    char xml[OUTPUT_MAX];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/subject.xml", dir);
    CHECK_INT(run_self(out, (const char *const[]){"subject", "--junit-dir", dir, NULL}, NULL), 1);
    CHECK_HAS(out, "\n5 passed, 16 failed\n");
    REQUIRE(read_file(xml, path));
    CHECK_HAS(xml, "<testsuite name=\"subject\" tests=\"21\" failures=\"16\" errors=\"0\"");
    CHECK_INT(occurrences(xml, "<testcase "), 21);
    CHECK_INT(occurrences(xml, "<failure>"), 16);
    CHECK_HAS(xml, "name=\"fails &lt;str&gt; &amp; &quot;more&quot;\"");
    CHECK_HAS(xml, ": 3 is 3 (0x3), want 4 (0x4)</failure>");
}

static void environment_names_the_directory(void)
{
    char dir[TEST_PATH_MAX];
    char variable[TEST_PATH_MAX + 32];
    char path[TEST_PATH_MAX + 32];
    char out[OUTPUT_MAX];
    char xml[OUTPUT_MAX];
    test_tmpdir(dir);
    (void)snprintf(variable, sizeof variable, "OTABENCH_JUNIT_DIR=%s", dir);
    (void)snprintf(path, sizeof path, "%s/subject.xml", dir);
    const char *const args[] = {"subject", "--only", "passes", NULL};
    CHECK_INT(run_self(out, args, variable), 0);
    REQUIRE(read_file(xml, path));
    CHECK_HAS(xml, " tests=\"1\" failures=\"0\"");

    const char *const part[] = {"subject", "--only", "passes", "--part", "1/2", NULL};
    (void)snprintf(path, sizeof path, "%s/subject-1-of-2.xml", dir);
    CHECK_INT(run_self(out, part, variable), 0);
    CHECK(read_file(xml, path));
}

static void removes_its_directories(void)
{
    char out[OUTPUT_MAX];
    char path[TEST_PATH_MAX] = "";
    CHECK_INT(run_self(out, (const char *const[]){"subject", "--only", "tmpdir", NULL}, NULL), 0);
    REQUIRE(sscanf(out, "tmpdir %255s", path) == 1);
    CHECK_HAS(path, "/otabench-test-");
    CHECK(access(path, F_OK) != 0);
    *strrchr(path, '/') = '\0';
    CHECK(access(path, F_OK) != 0);
}

static const struct test tests[] = {
    TEST_ROWS("a run tells", tells, stories, story_name),
    TEST_ROWS("a run refuses", refuses, misuses, misuse_name),
    {"lists every job by its own name", lists_every_job},
    {"parts run each once", parts_run_each_once},
    {"the report holds what failed", writes_what_failed},
    {"the environment names the report directory", environment_names_the_directory},
    {"temporary directories are removed", removes_its_directories},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "subject") == 0)
        return test_main("subject", subject_tests, COUNT(subject_tests), argc - 1, argv + 1);
    if (strcmp(word, "no-rows") == 0)
        return test_main(word, no_rows, COUNT(no_rows), argc - 1, argv + 1);
    if (strcmp(word, "no-fn") == 0)
        return test_main(word, no_fn, COUNT(no_fn), argc - 1, argv + 1);
    return test_main("test harness", tests, COUNT(tests), argc, argv);
}
