/*
 * The judge is judged: every member of the zoo is found by exactly the requirements it names, and
 * the same scenario without its defect breaks none. Members of the power-loss zoo are found by
 * exploring (ci/check-zoo); here, that they need it. docs/zoo.md lists them all.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "scenarios/engine/run.h"
#include "scenarios/engine/scenario_format.h"

#define ZOO       "scenarios/zoo/*.json"
#define POWER_ZOO "scenarios/power-zoo/*.json"

struct zoo {
    glob_t files;
    struct scenario *s; /* the member under examination */
    struct world *w;
    struct run_result r;
    char cache[TEST_PATH_MAX];
};

static struct zoo *zoo_new(const char *pattern)
{
    struct zoo *z = calloc(1, sizeof *z);
    struct err err = {""};
    REQUIRE(z != NULL);
    z->s = calloc(1, sizeof *z->s);
    z->w = world_new(&err);
    REQUIRE(z->s != NULL && z->w != NULL);
    test_tmpdir(z->cache);
    /* Tests run in the project's root. */
    REQUIRE(glob(pattern, 0, NULL, &z->files) == 0 && z->files.gl_pathc > 0);
    return z;
}

static void zoo_free(struct zoo *z)
{
    globfree(&z->files);
    world_free(z->w);
    free(z->s);
    free(z);
}

static void load(struct zoo *z, size_t i)
{
    struct err err = {""};
    REQUIRE_OK(scenario_load(z->s, z->files.gl_pathv[i], &err), &err);
}

static const char *verdict(struct zoo *z)
{
    struct run_options o = {.mode = RUN_SIM, .cache_dir = z->cache};
    world_run(z->w, z->s, &o, &z->r);
    return verdict_name(z->r.verdict);
}

/* The story of a member for a failed check: its name and what was found. */
static void explain(const struct zoo *z)
{
    CHECK_STR(z->r.cause, z->s->name);
    for (uint32_t i = 0; i < z->r.n_checks; i++) {
        const struct check_result *c = &z->r.checks[i];
        if (c->verdict == VERDICT_FAIL || c->verdict == VERDICT_UNEXPECTED_PASS)
            CHECK_STR(c->detail, c->id);
    }
}

static bool is_broken(const struct scenario *s)
{
    static const struct device_breaks none;
    static const struct device_mqtt_breaks no_mqtt;
    static const struct uota_quirks no_uota;
    static const struct kit_quirks no_kit;
    const struct device_config *d = &s->device;
    return memcmp(&d->breaks, &none, sizeof none) != 0 || d->personality != STATE_SAFE ||
           memcmp(&d->mqtt_breaks, &no_mqtt, sizeof no_mqtt) != 0 ||
           memcmp(&d->quirks, &no_uota, sizeof no_uota) != 0 ||
           memcmp(&d->link, &no_kit, sizeof no_kit) != 0;
}

static void every_member_has_a_defect_and_a_label(const void *pattern)
{
    struct zoo *z = zoo_new(pattern);
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        CHECK(is_broken(z->s));
        CHECK(z->s->expect.n_fails > 0);
        for (uint32_t k = 0; k < z->s->expect.n_fails; k++)
            CHECK(requirement_find(z->s->expect.fails[k]) != NULL);
    }
    zoo_free(z);
}

/* A defect that can be built in but is in no cage was never shown to be found. */
static void every_defect_has_a_member(void)
{
    struct zoo *z = zoo_new(ZOO);
    REQUIRE(glob(POWER_ZOO, GLOB_APPEND, NULL, &z->files) == 0);
    bool seen[sizeof(struct device_breaks) + sizeof(struct device_mqtt_breaks)] = {false};
    bool vendor = false;
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        bool has[sizeof seen];
        memcpy(has, &z->s->device.breaks, sizeof(struct device_breaks));
        memcpy(has + sizeof(struct device_breaks), &z->s->device.mqtt_breaks,
               sizeof(struct device_mqtt_breaks));
        for (size_t k = 0; k < sizeof has; k++)
            seen[k] = seen[k] || has[k];
        vendor = vendor || z->s->device.personality == STATE_VENDOR;
    }
    for (size_t k = 0; k < sizeof seen; k++)
        if (!seen[k])
            CHECK_STR("in no member of the zoo", break_word((int)k));
    CHECK(vendor);
    CHECK(break_word((int)sizeof seen) == NULL);
    zoo_free(z);
}

static void every_defect_is_found_by_name(void)
{
    struct zoo *z = zoo_new(ZOO);
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        if (!CHECK_STR(verdict(z), "expected-fail"))
            explain(z);
    }
    zoo_free(z);
}

/* Without the defect the fault may come to nothing (inconclusive), but no requirement breaks. */
static void without_the_defect_nothing_is_found(void)
{
    struct zoo *z = zoo_new(ZOO);
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        z->s->device.breaks = (struct device_breaks){.skip_digest = false};
        z->s->device.mqtt_breaks = (struct device_mqtt_breaks){.skip_digest = false};
        z->s->device.quirks = (struct uota_quirks){.no_resume = false};
        z->s->device.link = (struct kit_quirks){.no_guard = false};
        z->s->device.personality = STATE_SAFE;
        z->s->expect.n_fails = 0;
        const char *v = verdict(z);
        if (!CHECK(strcmp(v, "pass") == 0 || strcmp(v, "inconclusive") == 0))
            explain(z);
    }
    zoo_free(z);
}

/* Nothing but cuts brings these defects out: as written they pass, and nothing cuts the power. */
static void without_a_cut_the_power_zoo_passes(void)
{
    struct zoo *z = zoo_new(POWER_ZOO);
    CHECK(z->files.gl_pathc >= 25);
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        CHECK_INT(z->s->n_power, 0);
        z->s->expect.n_fails = 0;
        if (!CHECK_STR(verdict(z), "pass"))
            explain(z);
    }
    zoo_free(z);
}

/* One row per member: its sentence, and the requirements that find it. */
static void the_document_lists_every_member(const void *pattern)
{
    struct zoo *z = zoo_new(pattern);
    struct buf doc;
    buf_init(&doc, 1u << 20);
    FILE *f = fopen("docs/zoo.md", "rb");
    REQUIRE(f != NULL);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        REQUIRE(buf_append(&doc, chunk, n) == 0);
    (void)fclose(f);
    const char *text = (const char *)doc.data;
    for (size_t i = 0; i < z->files.gl_pathc; i++) {
        load(z, i);
        const char *name = strrchr(z->files.gl_pathv[i], '/') + 1;
        char row[512];
        int len = snprintf(row, sizeof row, "\n| %.*s |", (int)(strlen(name) - 5), name);
        for (char *p = row; *p != '\0'; p++)
            *p = *p == '-' ? ' ' : *p;
        for (uint32_t k = 0; k < z->s->expect.n_fails; k++)
            len += snprintf(row + len, sizeof row - (size_t)len, "%s %s", k == 0 ? "" : ",",
                            z->s->expect.fails[k]);
        (void)snprintf(row + len, sizeof row - (size_t)len, " |\n");
        CHECK_HAS(strstr(text, row) != NULL ? row : "not in docs/zoo.md", row);
    }
    char count[32]; /* no row is left of a member that is gone */
    (void)snprintf(count, sizeof count, "The %zu %s", (size_t)z->files.gl_pathc,
                   strcmp(pattern, ZOO) == 0 ? "members" : "of the power-loss zoo");
    const char *table = strstr(text, count);
    REQUIRE(table != NULL);
    const char *end = strstr(table, "\n\n## ");
    size_t rows = 0;
    for (const char *p = table; (p = strstr(p, "\n| ")) != NULL && (end == NULL || p < end); p += 3)
        rows += strncmp(p + 3, "member ", 7) != 0;
    CHECK_INT(rows, z->files.gl_pathc);
    buf_free(&doc);
    zoo_free(z);
}

static const char patterns[][32] = {ZOO, POWER_ZOO};

static const char *pattern_name(const void *row)
{
    return row;
}

static const struct test tests[] = {
    TEST_ROWS("every member has a defect and a label", every_member_has_a_defect_and_a_label,
              patterns, pattern_name),
    {"every defect has a member", every_defect_has_a_member},
    {"every defect is found by name", every_defect_is_found_by_name},
    {"without the defect nothing is found", without_the_defect_nothing_is_found},
    {"without a cut the power-loss zoo passes", without_a_cut_the_power_zoo_passes},
    TEST_ROWS("docs/zoo.md lists every member", the_document_lists_every_member, patterns,
              pattern_name),
};
TEST_MAIN("zoo", tests)
