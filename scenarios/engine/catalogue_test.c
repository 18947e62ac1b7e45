/* The catalogue, the judge's sources and the document must name the same requirements. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "scenarios/engine/result.h"

#define TEXT_MAX (1u << 20)

static size_t catalogue_size(void)
{
    size_t n = 0;
    while (requirement_at(n) != NULL)
        n++;
    return n;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "AAA-NN" begins here. */
static bool is_id(const char *p)
{
    return is_upper(p[0]) && is_upper(p[1]) && is_upper(p[2]) && p[3] == '-' && is_digit(p[4]) &&
           is_digit(p[5]);
}

static void ids_are_well_formed_and_unique(void)
{
    size_t n = catalogue_size();
    CHECK(n >= 90);
    for (size_t i = 0; i < n; i++) {
        const struct requirement *r = requirement_at(i);
        CHECK(strlen(r->id) < REQUIREMENT_ID_MAX);
        CHECK((is_id(r->id) && r->id[6] == '\0') || strcmp(r->id, "EXPECT") == 0);
        CHECK(r->text[0] != '\0' && r->source[0] != '\0');
        CHECK(requirement_find(r->id) == r); /* the first of that name */
    }
    CHECK(n <= RESULT_CHECKS_MAX); /* a result has room for all of them */
    CHECK(requirement_find("DWN-99") == NULL);
    CHECK(requirement_find("") == NULL);
    CHECK(requirement_at(n) == NULL);
    CHECK(requirement_at(SIZE_MAX) == NULL);
}

/* Groups stay together and numbers rise: reports list them in this order. */
static void ids_are_in_order(void)
{
    for (size_t i = 1; requirement_at(i) != NULL; i++) {
        const char *a = requirement_at(i - 1)->id;
        const char *b = requirement_at(i)->id;
        if (strncmp(a, b, 4) == 0)
            CHECK(strcmp(a, b) < 0);
        for (size_t k = i + 1; strncmp(a, b, 4) != 0 && requirement_at(k) != NULL; k++)
            CHECK(strncmp(a, requirement_at(k)->id, 4) != 0);
    }
}

static void read_text(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        CHECK_STR("not readable", path);
    REQUIRE(f != NULL);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        REQUIRE(buf_append(out, chunk, n) == 0);
    (void)fclose(f);
    REQUIRE(out->len_bytes > 0);
}

/* The judge's own sources, read from the working directory (tests run in the project's root). */
static void judge_sources(struct buf *out)
{
    glob_t g;
    REQUIRE(glob("scenarios/engine/judge*.c", 0, NULL, &g) == 0);
    size_t read = 0;
    for (size_t i = 0; i < g.gl_pathc; i++)
        if (strstr(g.gl_pathv[i], "_test.c") == NULL) {
            read_text(g.gl_pathv[i], out);
            read++;
        }
    globfree(&g);
    CHECK(read >= 6);
}

static void the_judge_names_only_what_is_in_the_catalogue(void)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    judge_sources(&text);
    size_t n = 0;
    const char *p = (const char *)text.data;
    while ((p = strchr(p, '"')) != NULL) {
        p++;
        if (!is_id(p) || p[6] != '"')
            continue;
        char id[REQUIREMENT_ID_MAX];
        (void)snprintf(id, sizeof id, "%.6s", p);
        if (requirement_find(id) == NULL)
            CHECK_STR(id, "an id of the catalogue");
        n++;
    }
    CHECK(n > 100);
    buf_free(&text);
}

static void the_judge_names_all_that_is_in_the_catalogue(void)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    judge_sources(&text);
    for (size_t i = 0; requirement_at(i) != NULL; i++) {
        char quoted[REQUIREMENT_ID_MAX + 2];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", requirement_at(i)->id);
        if (strstr((const char *)text.data, quoted) == NULL)
            CHECK_STR("in no source of the judge", quoted);
        CHECK(text.len_bytes > 0);
    }
    buf_free(&text);
}

static void document(struct buf *out, const char **rest)
{
    buf_init(out, TEXT_MAX);
    read_text("docs/requirements.md", out);
    *rest = strstr((const char *)out->data, "\n## Not judged yet\n");
    REQUIRE(*rest != NULL);
}

/* docs/requirements.md has one row per requirement, with its text, and none more. */
static void the_document_lists_the_catalogue(void)
{
    struct buf text;
    const char *rest;
    document(&text, &rest);
    const char *doc = (const char *)text.data;
    for (size_t i = 0; requirement_at(i) != NULL; i++) {
        char row[400];
        (void)snprintf(row, sizeof row, "\n| %s | %s | %s |", requirement_at(i)->id,
                       requirement_at(i)->text, requirement_at(i)->source);
        CHECK_HAS(strstr(doc, row) != NULL ? row : "not in docs/requirements.md", row);
    }
    size_t rows = 0;
    for (const char *p = doc; (p = strstr(p, "\n| ")) != NULL && p < rest; p += 3)
        rows += is_id(p + 3) || strncmp(p + 3, "EXPECT ", 7) == 0;
    CHECK_INT(rows, catalogue_size());
    buf_free(&text);
}

/* Every ID ever given away, by group. */
static const struct {
    const char *group;
    uint32_t count;
} groups[] = {{"FLS", 30}, {"KRN", 36}, {"SOK", 24}, {"CLD", 34}, {"DWN", 39},
              {"INT", 16}, {"BOT", 19}, {"RPT", 18}, {"LIM", 18}, {"SEC", 18},
              {"PWR", 18}, {"NET", 24}, {"BEN", 10}};
#define GROUPS    (sizeof groups / sizeof groups[0])
#define GROUP_MAX 40

/* Marks what a row of the second table names: "AAA-01, AAA-05 to AAA-07 | ...". */
static void mark_row(const char *row, uint32_t named[GROUPS][GROUP_MAX])
{
    const char *stop = strchr(row, '|');
    REQUIRE(stop != NULL);
    const char *before = NULL; /* the ID that a " to " goes on from */
    for (const char *p = row; p < stop; p++) {
        if (!is_id(p))
            continue;
        size_t g = 0;
        while (g < GROUPS && strncmp(groups[g].group, p, 3) != 0)
            g++;
        REQUIRE(g < GROUPS);
        uint32_t to = (uint32_t)strtoul(p + 4, NULL, 10);
        bool range = before != NULL && strncmp(p - 4, " to ", 4) == 0;
        uint32_t from = range ? (uint32_t)strtoul(before + 4, NULL, 10) + 1 : to;
        CHECK(!range || strncmp(before, p, 3) == 0);
        REQUIRE(from >= 1 && to <= groups[g].count);
        for (uint32_t k = from; k <= to; k++)
            named[g][k]++;
        before = p;
    }
}

/* An ID is judged, or the document says why not: never both, never neither. */
static void what_is_not_judged_is_said(void)
{
    struct buf text;
    const char *rest;
    document(&text, &rest);
    uint32_t named[GROUPS][GROUP_MAX] = {{0}};
    for (const char *p = rest; (p = strstr(p, "\n| ")) != NULL; p += 3)
        if (is_id(p + 3))
            mark_row(p + 3, named);
    for (size_t g = 0; g < GROUPS; g++)
        for (uint32_t k = 1; k <= groups[g].count; k++) {
            char id[REQUIREMENT_ID_MAX];
            (void)snprintf(id, sizeof id, "%s-%02u", groups[g].group, k % 100);
            uint32_t times = named[g][k] + (requirement_find(id) != NULL);
            if (times != 1)
                CHECK_STR(id, times == 0 ? "neither judged nor explained" : "once only");
        }
    CHECK(rest != NULL);
    buf_free(&text);
}

static const struct test tests[] = {
    {"ids are well-formed and unique", ids_are_well_formed_and_unique},
    {"ids are in order", ids_are_in_order},
    {"the judge names only what is in the catalogue",
     the_judge_names_only_what_is_in_the_catalogue},
    {"the judge names all that is in the catalogue", the_judge_names_all_that_is_in_the_catalogue},
    {"docs/requirements.md lists the catalogue", the_document_lists_the_catalogue},
    {"what is not judged is said", what_is_not_judged_is_said},
};
TEST_MAIN("catalogue", tests)
