#include "scenarios/engine/scenario.h"

#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define FORMAT_VERSION 1
#define DEFAULT_LIMIT  (INT64_C(3600) * NS_PER_S)

static const struct json_limits limits = {
    .max_bytes = SCENARIO_BYTES_MAX, .max_depth = 12, .comments = true};

/* ---- the document ---- */

static int format_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    (void)base;
    int64_t v = 0;
    int rc = json_get_int(r->root, obj, f->key, 0, EXACT_MAX, &v, r->err);
    if (rc == 0 && v != FORMAT_VERSION)
        rc = json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, f->key), r->err,
                        "is format version %lld, this program reads version %d", (long long)v,
                        FORMAT_VERSION);
    return rc;
}

static void format_write(struct writer *w, const struct field *f, const void *base)
{
    (void)base;
    write_int(w, f->key, FORMAT_VERSION);
}

static void scenario_init(const struct reader *r, void *item, uint32_t index)
{
    (void)item;
    (void)index;
    r->s->seed = 1;
    r->s->limit_ns = DEFAULT_LIMIT;
}

static int scenario_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)obj;
    (void)item;
    (void)snprintf(r->s->device.firmware_version, DEVICE_TEXT_MAX, "%s", r->s->versions[0].version);
    return 0;
}

/* The order is the order of reading: what follows may refer to what was before. */
#define TOP(m) MEMBER(struct scenario, m)
#define N(m)   .count_offset = offsetof(struct scenario, m)
static const struct field scenario_fields[] = {
    {"otabench", FIELD_SPECIAL, .required = true, .read = format_read, .write = format_write},
    {"text", FIELD_TEXT, .required = true, TOP(text), .min = 1},
    {"source", FIELD_TEXT, TOP(source), .min = 1},
    {"seed", FIELD_SIZE, TOP(seed), .max = -1},
    {"device", FIELD_OBJECT, .table = &device_table},
    {"versions", FIELD_LIST, TOP(versions), .table = &version_table, .min = 1,
     .max = SCENARIO_VERSIONS_MAX, N(n_versions)},
    {"offers", FIELD_LIST, TOP(offers), .table = &offer_table, .max = SCENARIO_VERSIONS_MAX,
     N(n_offers)},
    {"cloud", FIELD_OBJECT, .table = &cloud_table},
    {"network", FIELD_OBJECT, .table = &network_table},
    {"power", FIELD_LIST, TOP(power), .table = &power_table, .max = SCENARIO_RULES_MAX, N(n_power)},
    {"flash", FIELD_LIST, TOP(flash), .table = &flash_table, .max = SCENARIO_RULES_MAX, N(n_flash)},
    {"limit_ms", FIELD_MS, TOP(limit_ns), .min = 1},
    {"wire", FIELD_BOOL, TOP(wire)},
    {"expect", FIELD_OBJECT, .table = &expect_table},
};
const struct table scenario_table = {
    .name = "scenario", COUNTED(scenario_fields), .init = scenario_init, .check = scenario_check};

static int document_read(struct scenario *s, const struct json *doc, struct err *err)
{
    const struct reader r = {.root = doc->root, .s = s, .err = err};
    return fields_read(&r, &scenario_table, doc->root, s, 0);
}

int scenario_parse(struct scenario *s, const char *text, size_t len_bytes, const char *name,
                   struct err *err)
{
    struct json doc;
    memset(s, 0, sizeof *s);
    if (strlen(name) >= sizeof s->name)
        return err_set(err, ERR_ARG, "the scenario's name is longer than %zu bytes",
                       sizeof s->name - 1);
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    int rc = json_parse(&doc, text, len_bytes, &limits, err);
    if (rc == 0)
        rc = document_read(s, &doc, err);
    json_free(&doc);
    return rc == 0 ? 0 : err_prefix(err, rc, "%s", name);
}

/* ---- files ---- */

/* Where the name begins: behind "library/", before "zoo/", "power-zoo/" and "demo/", else at the
 * file's name. */
static const char *name_start(const char *path)
{
    static const struct {
        const char *folder;
        bool kept;
    } roots[] = {{"library", false}, {"zoo", true}, {"power-zoo", true}, {"demo", true}};
    const char *base = strrchr(path, '/');
    const char *start = base != NULL ? base + 1 : path;
    const char *file = start;
    for (const char *p = path; p < file; p += strcspn(p, "/") + 1) {
        size_t len = strcspn(p, "/");
        for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
            if (strlen(roots[i].folder) == len && memcmp(p, roots[i].folder, len) == 0)
                start = roots[i].kept ? p : p + len + strspn(p + len, "/");
    }
    return start;
}

int scenario_name_of(const char *path, char out[SCENARIO_NAME_MAX], struct err *err)
{
    const char *start = name_start(path);
    size_t len = strlen(start);
    if (len > 5 && strcmp(start + len - 5, ".json") == 0)
        len -= 5;
    if (len == 0 || len >= SCENARIO_NAME_MAX)
        return err_set(err, ERR_ARG, "%s: the scenario's name is %zu bytes, must be 1 to %d", path,
                       len, SCENARIO_NAME_MAX - 1);
    memcpy(out, start, len);
    out[len] = '\0';
    return 0;
}

int scenario_load(struct scenario *s, const char *path, struct err *err)
{
    struct json doc;
    char name[SCENARIO_NAME_MAX];
    memset(s, 0, sizeof *s);
    if (strlen(path) >= sizeof s->path)
        return err_set(err, ERR_ARG, "%.60s...: the path is longer than %zu bytes", path,
                       sizeof s->path - 1);
    int rc = scenario_name_of(path, name, err);
    if (rc != 0)
        return rc;
    rc = json_parse_file(&doc, path, &limits, err);
    if (rc != 0)
        return rc;
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    rc = document_read(s, &doc, err);
    json_free(&doc);
    return rc == 0 ? 0 : err_prefix(err, rc, "%s", path);
}

/* ---- for the test against the schema ---- */

const struct table *scenario_table_at(size_t index)
{
    static const struct table *const tables[] = {
        &scenario_table,     &device_table, &file_table,    &version_table, &image_table,
        &generate_table,     &edit_table,   &offer_table,   &cloud_table,   &cloud_fault_table,
        &fate_table,         &push_table,   &network_table, &profile_table, &net_fault_table,
        &trigger_table,      &power_table,  &flash_table,   &expect_table,  &requests_table,
        &other_device_table,
    };
    return index < sizeof tables / sizeof tables[0] ? tables[index] : NULL;
}
