/* "expect": what is special about this scenario; the checks of the bench run anyway. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

/* ---- numbers of requests ---- */

static void requests_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    int64_t *requests = item;
    for (size_t i = 0; i < RQ_COUNT; i++)
        requests[i] = -1;
}

#define REQUESTS(rq)                                                                               \
    FIELD_INT, .offset = (rq) * sizeof(int64_t), .width = sizeof(int64_t), .max = UINT32_MAX
static const struct field requests_fields[] = {
    {"register", REQUESTS(RQ_REGISTER)},
    {"check", REQUESTS(RQ_CHECK)},
    {"download", REQUESTS(RQ_DOWNLOAD)},
    {"report-download", REQUESTS(RQ_REPORT_DOWNLOAD)},
    {"report-upgrade", REQUESTS(RQ_REPORT_UPGRADE)},
    {"other", REQUESTS(RQ_OTHER)},
    {"inform", REQUESTS(RQ_INFORM)},
    {"progress", REQUESTS(RQ_PROGRESS)},
    {"query", REQUESTS(RQ_QUERY)},
    {"config", REQUESTS(RQ_CONFIG)},
    {"block", REQUESTS(RQ_BLOCK)},
    {"message", REQUESTS(RQ_MESSAGE)},
    {"push", REQUESTS(RQ_PUSH)},
};
const struct table requests_table = {
    .name = "requests", COUNTED(requests_fields), .init = requests_init};
_Static_assert(sizeof requests_fields / sizeof requests_fields[0] == RQ_COUNT, "one per kind");

/* ---- requirement IDs ---- */

/* Three capitals, a hyphen, two digits. */
static bool is_requirement(const char *id)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char digits[] = "0123456789";
    return strlen(id) == 6 && strspn(id, upper) == 3 && id[3] == '-' && strspn(id + 4, digits) == 2;
}

static int fails_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    struct expectation *e = &((struct scenario *)base)->expect;
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, SCENARIO_EXPECT_MAX, &array, r->err);
    const cJSON *item;
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item) || !is_requirement(item->valuestring))
            return json_error(r->root, item, r->err,
                              "must be a requirement ID such as \"PWR-05\": three capital letters, "
                              "a hyphen, two digits");
        for (uint32_t i = 0; i < e->n_fails; i++)
            if (strcmp(e->fails[i], item->valuestring) == 0)
                return json_error(r->root, item, r->err, "\"%s\" is named twice", e->fails[i]);
        (void)snprintf(e->fails[e->n_fails++], REQUIREMENT_ID_MAX, "%s", item->valuestring);
    }
    return 0;
}

static void fails_write(struct writer *w, const struct field *f, const void *base)
{
    const struct expectation *e = &((const struct scenario *)base)->expect;
    write_open(w, f->key, '[');
    for (uint32_t i = 0; i < e->n_fails; i++)
        write_text(w, NULL, e->fails[i]);
    write_close(w, ']');
}

/* ---- states of the device's API ---- */

/* "-0x0904" of the Link SDK, "-12" of AliOS Things. */
static bool is_state(const char *text)
{
    if (strncmp(text, "-0x", 3) == 0)
        return strlen(text) == 7 && strspn(text + 3, "0123456789ABCDEF") == 4;
    const size_t digits = text[0] == '-' ? strspn(text + 1, "0123456789") : 0;
    return digits >= 1 && digits <= 2 && text[1] != '0' && text[1 + digits] == '\0';
}

static int states_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    struct expectation *e = &((struct scenario *)base)->expect;
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, SCENARIO_EXPECT_MAX, &array, r->err);
    const cJSON *item;
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(item, array)
    {
        const char *text = cJSON_IsString(item) ? item->valuestring : "";
        if (!is_state(text))
            return json_error(r->root, item, r->err,
                              "must be a state such as \"-0x0904\": four capital hex digits; or "
                              "\"-12\"");
        (void)snprintf(e->states[e->n_states++], STATE_TEXT_MAX, "%s", text);
    }
    return 0;
}

static void states_write(struct writer *w, const struct field *f, const void *base)
{
    const struct expectation *e = &((const struct scenario *)base)->expect;
    write_open(w, f->key, '[');
    for (uint32_t i = 0; i < e->n_states; i++)
        write_text(w, NULL, e->states[i]);
    write_close(w, ']');
}

static const char *record_word(int index)
{
    return index <= RECORD_SUPERSEDED ? record_state_name((enum record_state)index) : NULL;
}

/* ---- expect ---- */

#define UNKNOWN_VERSION "?" /* no image is complete */

static int expect_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)item;
    const struct expectation *e = &r->s->expect;
    if (e->has_version && version_index(r->s, e->version) < 0 &&
        strcmp(e->version, UNKNOWN_VERSION) != 0)
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "version"), r->err,
                          "\"%.40s\" is not in \"versions\" (nor \"?\", for none)", e->version);
    for (size_t i = 0; i < RQ_COUNT; i++)
        if (e->requests[i] >= 0 && e->requests_max[i] >= 0)
            return json_error(r->root, obj, r->err,
                              "has \"%s\" in both \"requests\" and \"requests_max\"",
                              cloud_request_name((enum cloud_request)i));
    return 0;
}

#define EXPECT(m) MEMBER(struct scenario, expect.m)
#define HAS(m)    .has_offset = offsetof(struct scenario, expect.m)
#define N(m)      .count_offset = offsetof(struct scenario, expect.m)
static const struct field expect_fields[] = {
    {"version", FIELD_TEXT, EXPECT(version), .min = 1, HAS(has_version)},
    {"result", FIELD_INT, EXPECT(result), .min = -8, .max = 0, HAS(has_result)},
    {"results", FIELD_INTS, EXPECT(results), .min = -8, .max = 0, N(n_results)},
    {"download_status", FIELD_INTS, EXPECT(download_status), .min = 0, .max = 9999,
     N(n_download_status), HAS(has_download_status)},
    {"upgrade_status", FIELD_INTS, EXPECT(upgrade_status), .min = 0, .max = 9999,
     N(n_upgrade_status), HAS(has_upgrade_status)},
    {"failures", FIELD_INTS, EXPECT(failures), .min = -99, .max = -1, N(n_failures),
     HAS(has_failures)},
    {"record", FIELD_WORD, EXPECT(record), .word = record_word, HAS(has_record)},
    {"states", FIELD_SPECIAL, .read = states_read, .write = states_write},
    {"devices_taken", FIELD_INT, EXPECT(devices_taken), .max = OTHER_DEVICES_MAX + 1,
     HAS(has_taken)},
    {"requests", FIELD_OBJECT, EXPECT(requests), .table = &requests_table},
    {"requests_max", FIELD_OBJECT, EXPECT(requests_max), .table = &requests_table},
    {"config_refused", FIELD_BOOL, EXPECT(config_refused)},
    {"fails", FIELD_SPECIAL, EXPECT(fails), .read = fails_read, .write = fails_write},
};
const struct table expect_table = {.name = "expect", COUNTED(expect_fields), .check = expect_check};
