/*
 * docs/scenario.schema.json and docs/scenarios.md say what the tables say: same keys, same kinds,
 * same limits, same words, same defaults.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/scenario_format.h"

#define SCHEMA_PATH "docs/scenario.schema.json"
#define MANUAL_PATH "docs/scenarios.md"
#define FILE_MAX    (1u << 20)

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static struct json schema(void)
{
    static const struct json_limits limits = {.max_bytes = FILE_MAX, .max_depth = 16};
    struct json doc;
    struct err err = {""};
    REQUIRE_OK(json_parse_file(&doc, SCHEMA_PATH, &limits, &err), &err);
    return doc;
}

/* The definition of a table; the document itself for the outermost. */
static const cJSON *definition(const struct json *doc, const struct table *t)
{
    const cJSON *found =
        t == &scenario_table ? doc->root : member(member(doc->root, "definitions"), t->name);
    if (!CHECK(found != NULL))
        printf("no definition of %s\n", t->name);
    return found;
}

static bool says(const cJSON *node, const char *key, double want, const struct field *f)
{
    const cJSON *m = member(node, key);
    bool ok = cJSON_IsNumber(m) && m->valuedouble == want;
    if (!ok)
        printf("%s: %s must be %.0f\n", f->key, key, want);
    return ok;
}

static bool has_type(const cJSON *node, const char *type, const struct field *f)
{
    const cJSON *m = member(node, "type");
    bool ok = cJSON_IsString(m) && strcmp(m->valuestring, type) == 0;
    if (!ok)
        printf("%s: type must be %s\n", f->key, type);
    return ok;
}

static bool refers(const cJSON *node, const struct table *t)
{
    char ref[80];
    (void)snprintf(ref, sizeof ref, "#/definitions/%s", t->name);
    const cJSON *all = member(node, "allOf");
    const cJSON *m = member(all != NULL ? all->child : node, "$ref");
    return cJSON_IsString(m) && strcmp(m->valuestring, ref) == 0;
}

static bool lists(const cJSON *node, const char *(*word)(int index), const char *key)
{
    const cJSON *item = cJSON_IsObject(node) ? member(node, "enum") : NULL;
    item = item != NULL ? item->child : NULL;
    for (int i = 0; word(i) != NULL; i++, item = item->next)
        if (!cJSON_IsString(item) || strcmp(item->valuestring, word(i)) != 0) {
            printf("%s: the schema must have the word %s at %d\n", key, word(i), i);
            return false;
        }
    return item == NULL;
}

static bool bounded(const cJSON *node, const struct field *f, double max)
{
    return has_type(node, "integer", f) && says(node, "minimum", (double)f->min, f) &&
           says(node, "maximum", max, f);
}

static void check_property(const struct field *f, const cJSON *p)
{
    uint64_t top = (uint64_t)f->max < (uint64_t)EXACT_MAX ? (uint64_t)f->max : (uint64_t)EXACT_MAX;
    const cJSON *items = member(p, "items");
    switch (f->kind) {
    case FIELD_INT:
        CHECK(bounded(p, f, (double)f->max));
        break;
    case FIELD_SIZE:
        CHECK(bounded(member(p, "anyOf")->child, f, (double)top));
        CHECK(has_type(member(p, "anyOf")->child->next, "string", f));
        break;
    case FIELD_MS:
        CHECK(bounded(p, f, (double)TIME_MS_MAX));
        break;
    case FIELD_BOOL:
        CHECK(has_type(p, "boolean", f));
        break;
    case FIELD_TEXT:
        CHECK(has_type(p, "string", f) && says(p, "minLength", (double)f->min, f));
        /* A version is held to the shorter text of a package's head. */
        if (f->width != DEVICE_TEXT_MAX || strcmp(f->key, "version") != 0)
            CHECK(says(p, "maxLength", (double)f->width - 1, f));
        break;
    case FIELD_WORD:
        CHECK(has_type(p, "string", f) && lists(p, f->word, f->key));
        break;
    case FIELD_OBJECT:
        CHECK(refers(p, f->table));
        break;
    case FIELD_LIST:
        CHECK(has_type(p, "array", f) && refers(items, f->table));
        CHECK(says(p, "maxItems", (double)f->max, f));
        if (f->min > 0)
            CHECK(says(p, "minItems", (double)f->min, f));
        break;
    case FIELD_INTS:
        CHECK(has_type(p, "array", f) && says(p, "maxItems", SCENARIO_EXPECT_MAX, f));
        CHECK(bounded(items, f, (double)f->max));
        break;
    case FIELD_SPECIAL:
        break; /* below */
    }
}

static void check_table(const void *row)
{
    const struct table *t = *(const struct table *const *)row;
    struct json doc = schema();
    const cJSON *object = definition(&doc, t);
    const cJSON *properties = member(object, "properties");
    const cJSON *required = member(object, "required");
    REQUIRE(cJSON_IsObject(properties));
    CHECK(cJSON_IsFalse(member(object, "additionalProperties")));
    CHECK_INT(cJSON_GetArraySize(properties), t->n);
    int n_required = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const cJSON *p = member(properties, f->key);
        if (!CHECK(p != NULL)) {
            printf("%s: the schema lacks %s\n", t->name, f->key);
            continue;
        }
        CHECK(cJSON_IsString(member(p, "description")));
        check_property(f, p);
        bool listed = false;
        const cJSON *r;
        cJSON_ArrayForEach(r, required) listed = listed || strcmp(r->valuestring, f->key) == 0;
        CHECK_INT(listed, f->required);
        n_required += f->required;
    }
    CHECK_INT(cJSON_GetArraySize(required), n_required);
    json_free(&doc);
}

static const char *table_name(const void *row)
{
    return (*(const struct table *const *)row)->name;
}

static const struct table *const tables[] = {
    &scenario_table,     &device_table, &file_table,    &version_table, &image_table,
    &generate_table,     &edit_table,   &offer_table,   &cloud_table,   &cloud_fault_table,
    &fate_table,         &push_table,   &network_table, &profile_table, &net_fault_table,
    &trigger_table,      &power_table,  &flash_table,   &expect_table,  &requests_table,
    &other_device_table,
};

static void no_table_and_no_definition_is_missing(void)
{
    size_t n = 0;
    while (scenario_table_at(n) != NULL)
        n++;
    CHECK_INT(sizeof tables / sizeof tables[0], n);
    struct json doc = schema();
    const cJSON *d;
    int definitions = 0;
    cJSON_ArrayForEach(d, member(doc.root, "definitions"))
    {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known = known || strcmp(tables[i]->name, d->string) == 0;
        CHECK(known);
        definitions++;
    }
    CHECK_INT(definitions, n - 1);
    json_free(&doc);
}

static const cJSON *property(const struct json *doc, const struct table *t, const char *key)
{
    return member(member(definition(doc, t), "properties"), key);
}

static const char *event_word(int index)
{
    static char text[64]; /* compared before the next call */
    const struct event_name *e = event_name_at((size_t)index);
    if (e == NULL)
        return NULL;
    (void)snprintf(text, sizeof text, "%s/%s", lane_name(e->lane), e->event);
    return text;
}

/* Words that are read by hand. */
static void special_words(void)
{
    struct json doc = schema();
    CHECK(lists(property(&doc, &device_table, "chip"), chip_word, "chip"));
    CHECK(lists(member(property(&doc, &device_table, "breaks"), "items"), break_word, "breaks"));
    CHECK(lists(property(&doc, &offer_table, "on_event"), offer_event_word, "on_event"));
    CHECK(lists(property(&doc, &profile_table, "base"), profile_word, "base"));
    CHECK(lists(property(&doc, &net_fault_table, "do"), net_word, "do"));
    CHECK(lists(property(&doc, &trigger_table, "event"), event_word, "event"));
    const cJSON *profile = property(&doc, &network_table, "profile");
    CHECK(lists(member(profile, "anyOf")->child, profile_word, "profile"));
    CHECK(refers(member(profile, "anyOf")->child->next, &profile_table));
    profile = property(&doc, &net_fault_table, "profile");
    CHECK(lists(member(profile, "anyOf")->child, profile_word, "profile"));
    json_free(&doc);
}

/* A default named in the schema is what the least scenario has. */
static void defaults_are_true(void)
{
    static struct scenario s;
    static const char least[] = "{\"otabench\": 1, \"text\": \"t\"}";
    static const struct {
        const struct table *table;
        const char *key; /* null: outermost */
    } objects[] = {{&scenario_table, NULL},
                   {&device_table, "device"},
                   {&cloud_table, "cloud"},
                   {&network_table, "network"}};
    struct err err = {""};
    REQUIRE_OK(scenario_parse(&s, least, strlen(least), "test", &err), &err);
    struct buf out;
    buf_init(&out, FILE_MAX);
    REQUIRE(scenario_write(&s, &out) == 0);
    struct json written = {cJSON_Parse((const char *)out.data)};
    struct json doc = schema();
    int defaults = 0;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        const cJSON *is =
            objects[i].key != NULL ? member(written.root, objects[i].key) : written.root;
        const cJSON *p;
        cJSON_ArrayForEach(p, member(definition(&doc, objects[i].table), "properties"))
        {
            const cJSON *want = member(p, "default");
            if (want == NULL)
                continue;
            defaults++;
            if (!CHECK(cJSON_Compare(want, member(is, p->string), true)))
                printf("%s: the default is another one\n", p->string);
        }
    }
    CHECK(defaults > 50);
    json_free(&doc);
    json_free(&written);
    buf_free(&out);
}

/* ---- the manual ---- */

static char *manual(void)
{
    char *text = calloc(1, FILE_MAX);
    FILE *f = fopen(MANUAL_PATH, "r");
    REQUIRE(text != NULL && f != NULL);
    (void)fread(text, 1, FILE_MAX - 1, f);
    (void)fclose(f);
    return text;
}

static void has_code(const char *text, const char *word)
{
    char code[80];
    (void)snprintf(code, sizeof code, "`%s`", word);
    CHECK_HAS(text, code);
}

static void the_manual_names_everything(void)
{
    char *text = manual();
    const struct table *t;
    for (size_t i = 0; (t = scenario_table_at(i)) != NULL; i++)
        for (size_t k = 0; k < t->n; k++) {
            has_code(text, t->fields[k].key);
            const char *(*word)(int) = t->fields[k].word;
            for (int w = 0; word != NULL && word(w) != NULL; w++)
                has_code(text, word(w));
        }
    static const char *(*const words[])(int) = {chip_word, break_word, profile_word, net_word,
                                                event_word};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int w = 0; words[i](w) != NULL; w++)
            has_code(text, words[i](w));
    free(text);
}

/* Every block of the manual marked as JSON is a scenario. */
static void the_manuals_examples_are_read(void)
{
    static struct scenario s;
    char *text = manual();
    int n = 0;
    for (char *p = text; (p = strstr(p, "```json\n")) != NULL;) {
        char *begin = p + strlen("```json\n");
        char *end = strstr(begin, "```");
        REQUIRE(end != NULL);
        struct err err = {""};
        if (!CHECK_OK(scenario_parse(&s, begin, (size_t)(end - begin), "example", &err), &err))
            printf("%.*s\n", (int)(end - begin), begin);
        p = end + 3;
        n++;
    }
    CHECK(n >= 4);
    free(text);
}

static const struct test tests[] = {
    TEST_ROWS("schema of", check_table, tables, table_name),
    {"no table and no definition is missing", no_table_and_no_definition_is_missing},
    {"special words", special_words},
    {"defaults are true", defaults_are_true},
    {"the manual names everything", the_manual_names_everything},
    {"the manual's examples are read", the_manuals_examples_are_read},
};
TEST_MAIN("scenario schema", tests)
