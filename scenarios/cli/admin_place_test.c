#include "scenarios/cli/admin_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/testing/testing.h"

static const struct admin_place place = {.url = "http://127.0.0.1:8080/admin",
                                         .token = "0123456789abcdef"};

static void path_in_folder(char path[ADMIN_PATH_MAX])
{
    char dir[TEST_PATH_MAX];
    test_tmpdir(dir);
    CHECK_OK(admin_place_in(dir, path, NULL), NULL);
}

static void it_is_found_until_it_is_forgotten(void)
{
    char path[ADMIN_PATH_MAX];
    struct admin_place got;
    struct stat st;
    struct err err = {""};
    path_in_folder(path);
    CHECK_ERR(admin_place_read(path, &got, &err), ERR_NOT_FOUND);
    CHECK_OK(admin_place_write(path, &place, &err), &err);
    CHECK_OK(admin_place_write(path, &place, &err), &err); /* also over an old one */
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_OK(admin_place_read(path, &got, &err), &err);
    CHECK_STR(got.url, place.url);
    CHECK_STR(got.token, place.token);
    struct admin_place later = place;
    later.token[0] = 'f';
    admin_place_forget(path, &later); /* another cloud has taken its place */
    CHECK_OK(admin_place_read(path, &got, &err), &err);
    admin_place_forget(path, &place);
    CHECK_ERR(admin_place_read(path, &got, &err), ERR_NOT_FOUND);
}

struct text_row {
    const char *text, *says;
};

static const struct text_row bad[] = {
    {"", "1:1"},
    {"{}", "needs \"url\""},
    {"{\"url\":\"http://h:1\"}", "needs \"token\""},
    {"{\"url\":\"ftp://h:1\",\"token\":\"0123456789abcdef\"}", "must be http://HOST:PORT"},
    {"{\"url\":\"http://h:1\",\"token\":\"short\"}", "16 to 127"},
    {"{\"url\":\"http://h:1\",\"token\":\"0123456789\\r\\nabcdef\"}", "visible"},
};

static const char *text_name(const void *row)
{
    return ((const struct text_row *)row)->text;
}

static void bad_files_are_refused(const void *row)
{
    const struct text_row *r = row;
    char path[ADMIN_PATH_MAX];
    struct admin_place got;
    struct err err = {""};
    path_in_folder(path);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL && fputs(r->text, f) >= 0 && fclose(f) == 0);
    CHECK(admin_place_read(path, &got, &err) != 0);
    CHECK_HAS(err.text, r->says);
    CHECK_HAS(err.text, path);
}

static const struct text_row urls[] = {
    {"http://127.0.0.1:80", "http://127.0.0.1:80/admin"},
    {"http://localhost:8080/", "http://localhost:8080/admin"},
    {"http://localhost:8080/admin", "http://localhost:8080/admin"},
    {"http://localhost:8080/admin/", "http://localhost:8080/admin"},
    {"https://localhost", ""},
    {"http://", ""},
    {"http:///admin", ""},
    {"http://h/other", ""},
    {"http://user@h", ""},
    {"http://h?x", ""},
};

static void urls_are_read(const void *row)
{
    const struct text_row *r = row;
    struct admin_place got = {.url = ""};
    CHECK_ERR(admin_place_url(&got, r->text, NULL), r->says[0] == '\0' ? ERR_ARG : ERR_OK);
    CHECK_STR(got.url, r->says);
}

static void a_token_stands_alone_in_its_file(void)
{
    static const struct text_row rows[] = {
        {"0123456789abcdef", NULL},
        {"0123456789abcdef\r\n\n", NULL},
        {"token 0123456789abcdef\n", "visible"},
        {"0123456789abcdef\n0123456789abcdef\n", "must hold one line"},
        {"", "16 to 127"},
    };
    char path[ADMIN_PATH_MAX];
    path_in_folder(path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct admin_place got = {.url = ""};
        struct err err = {""};
        FILE *f = fopen(path, "w");
        REQUIRE(f != NULL && fputs(rows[i].text, f) >= 0 && fclose(f) == 0);
        CHECK_INT(admin_place_token(&got, path, &err), rows[i].says == NULL ? 0 : ERR_FORMAT);
        CHECK_STR(got.token, rows[i].says == NULL ? "0123456789abcdef" : "");
        CHECK_HAS(err.text, rows[i].says == NULL ? "" : rows[i].says);
        CHECK(strstr(err.text, "0123456789") == NULL); /* it is not told to a terminal */
    }
}

/* A folder that others write to could hold a file of theirs. */
static void the_folder_is_of_the_user(void)
{
    char dir[TEST_PATH_MAX], path[ADMIN_PATH_MAX], own[TEST_PATH_MAX + 16];
    struct err err = {""};
    test_tmpdir(dir);
    REQUIRE(setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
    (void)snprintf(own, sizeof own, "%s/otabench", dir);
    CHECK_OK(admin_place_of_user(path, &err), &err);
    CHECK_HAS(path, own);
    REQUIRE(chmod(own, 0777) == 0);
    CHECK_ERR(admin_place_of_user(path, &err), ERR_IO);
    CHECK_HAS(err.text, "only this user");
    REQUIRE(rmdir(own) == 0 && symlink("/tmp", own) == 0);
    CHECK_ERR(admin_place_of_user(path, &err), ERR_IO);
}

static const struct test tests[] = {
    {"it is found until it is forgotten", it_is_found_until_it_is_forgotten},
    TEST_ROWS("refused:", bad_files_are_refused, bad, text_name),
    TEST_ROWS("url:", urls_are_read, urls, text_name),
    {"a token stands alone in its file", a_token_stands_alone_in_its_file},
    {"the folder is of the user", the_folder_is_of_the_user},
};
TEST_MAIN("where a running cloud is", tests)
