#include "scenarios/cli/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/testing/testing.h"

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[TEST_PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void make_folder(const char *dir, const char *name)
{
    char path[TEST_PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    REQUIRE(mkdir(path, 0700) == 0);
}

#define GOOD                                                                                       \
    "{\"otabench\":1,\"text\":\"plain\",\"seed\":7,"                                               \
    "\"versions\":[{\"version\":\"1.0\",\"images\":[{\"generate\":{\"bytes\":4096}}]}]}"

static void a_tree_is_walked_in_order(void)
{
    char dir[TEST_PATH_MAX];
    struct scenario_files f;
    struct err err = {.text = ""};
    test_tmpdir(dir);
    make_folder(dir, "b");
    make_folder(dir, "a");
    make_folder(dir, ".hidden");
    write_file(dir, "b/2.json", GOOD);
    write_file(dir, "b/1.json", GOOD);
    write_file(dir, "a/9.json", GOOD);
    write_file(dir, ".hidden/x.json", GOOD);
    write_file(dir, "a/.y.json", GOOD);
    write_file(dir, "a/notes.txt", "");
    char twice[TEST_PATH_MAX + 16];
    (void)snprintf(twice, sizeof twice, "%s/b/1.json", dir);
    char *const paths[] = {twice, dir};
    REQUIRE_OK(files_collect(&f, paths, 2, &err), &err);
    CHECK_INT(f.count, 3);
    CHECK_STR(strrchr(f.item[0].path, '/'), "/1.json");
    CHECK(f.item[0].named);
    CHECK(!f.item[1].named);
    CHECK_STR(strrchr(f.item[1].path, '/'), "/9.json");
    CHECK_STR(strrchr(f.item[2].path, '/'), "/2.json");
    struct buf bad;
    buf_init(&bad, 4096);
    CHECK_INT(files_check(&f, &bad), 0);
    CHECK_STR(f.item[0].name, "1");
    CHECK_STR(f.item[0].text, "plain");
    CHECK_INT(f.item[0].seed, 7);
    files_only(&f, "9");
    CHECK_INT(f.count, 1);
    CHECK_STR(f.item[0].name, "9");
    buf_free(&bad);
    files_free(&f);
}

static void every_bad_file_is_named(void)
{
    char dir[TEST_PATH_MAX];
    struct scenario_files f;
    struct err err = {.text = ""};
    struct buf bad;
    test_tmpdir(dir);
    write_file(dir, "1.json", "{");
    write_file(dir, "2.json", GOOD);
    write_file(dir, "3.json", "{\"otabench\":1}");
    char *const paths[] = {dir};
    REQUIRE_OK(files_collect(&f, paths, 1, &err), &err);
    buf_init(&bad, 4096);
    CHECK_INT(files_check(&f, &bad), 2);
    CHECK_HAS((const char *)bad.data, "/1.json: ");
    CHECK_HAS((const char *)bad.data, "/3.json: $: needs \"text\"\n");
    CHECK(strstr((const char *)bad.data, "2.json") == NULL);
    buf_free(&bad);
    files_free(&f);
}

static void what_is_not_there_is_an_error(void)
{
    char dir[TEST_PATH_MAX];
    char missing[] = "/nonexistent/x.json";
    struct scenario_files f;
    struct err err = {.text = ""};
    test_tmpdir(dir);
    char *const nothing[] = {missing}, *const empty[] = {dir};
    CHECK_ERR(files_collect(&f, nothing, 1, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, missing);
    files_free(&f);
    CHECK_ERR(files_collect(&f, empty, 1, &err), ERR_NOT_FOUND);
    CHECK_HAS(err.text, "no scenario");
    files_free(&f);
}

static void names_used_twice_are_told_by_path(void)
{
    struct scenario_file items[3] = {{.name = "x", .path = "a/x.json"},
                                     {.name = "y", .path = "a/y.json"},
                                     {.name = "x", .path = "b/x.json"}};
    struct scenario_files f = {.item = items, .count = 3};
    CHECK_STR(files_label(&f, 0), "a/x.json");
    CHECK_STR(files_label(&f, 1), "y");
    CHECK_STR(files_label(&f, 2), "b/x.json");
}

static const struct test tests[] = {
    {"a tree is walked in order", a_tree_is_walked_in_order},
    {"every bad file is named", every_bad_file_is_named},
    {"what is not there is an error", what_is_not_there_is_an_error},
    {"names used twice are told by path", names_used_twice_are_told_by_path},
};

TEST_MAIN("scenario files", tests)
