/* What the cloud has, for people: lists with a cursor. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/aliyun/signed_url.h"
#include "scenarios/cli/admin_internal.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/cloud_setup_internal.h"

#define ROWS_DEFAULT 100

/* ---- what a query says ---- */

static int read_number(const struct admin_call *call, const char *key, const char *text,
                       uint64_t min, uint64_t max, int64_t *out)
{
    uint64_t n = 0;
    if (text[0] == '\0')
        return 0;
    if (!cli_number(text, min, max, &n))
        return err_set(call->err, ERR_FORMAT, "query: %s=%s, must be %" PRIu64 " to %" PRIu64, key,
                       text, min, max);
    *out = (int64_t)n;
    return 0;
}

/* Only names that mean something. */
static int check_names(const struct admin_call *call, const struct signed_url_field *fields,
                       size_t n)
{
    for (const char *p = call->rq->query; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "&"), name = strcspn(p, "=&");
        bool known = len == 0;
        for (size_t i = 0; i < n; i++)
            known =
                known || (strlen(fields[i].name) == name && memcmp(fields[i].name, p, name) == 0);
        if (!known)
            return err_set(
                call->err, ERR_FORMAT,
                "query: \"%.*s\", must be product_key, device, firmware, state, after or "
                "limit",
                (int)(name < 64 ? name : 64), p);
        p += len + (p[len] == '&');
    }
    return 0;
}

int admin_read_query(const struct admin_call *call, struct admin_query *out)
{
    char firmware[24] = "", limit[24] = "";
    int64_t rows = ROWS_DEFAULT;
    *out = (struct admin_query){.state = ""};
    const struct signed_url_field fields[] = {
        {"product_key", out->product_key, sizeof out->product_key},
        {"device", out->device, sizeof out->device},
        {"firmware", firmware, sizeof firmware},
        {"state", out->state, sizeof out->state},
        {"after", out->after, sizeof out->after},
        {"limit", limit, sizeof limit}};
    const size_t n = sizeof fields / sizeof fields[0];
    const char *query = call->rq->query == NULL ? "" : call->rq->query;
    int rc = check_names(call, fields, n);
    if (rc == 0 && !signed_url_fields(query, strlen(query), fields, n))
        rc = err_set(call->err, ERR_FORMAT, "query: cannot be read");
    if (rc == 0)
        rc = read_number(call, "firmware", firmware, 0, INT32_MAX, &out->firmware);
    if (rc == 0)
        rc = read_number(call, "limit", limit, 1, ADMIN_ROWS_MAX, &rows);
    out->limit = (int)rows;
    return rc;
}

static int read_query_of_ids(const struct admin_call *call, struct admin_query *out)
{
    int rc = admin_read_query(call, out);
    return rc == 0 ? read_number(call, "after", out->after, 0, INT64_MAX, &out->after_id) : rc;
}

/* ---- rows ---- */

static void put_text(cJSON *out, const char *key, const char *text)
{
    (void)cJSON_AddStringToObject(out, key, text);
}

static void put_int(cJSON *out, const char *key, int64_t n)
{
    (void)cJSON_AddNumberToObject(out, key, (double)n);
}

static void put_ms(cJSON *out, const char *key, int64_t ns)
{
    put_int(out, key, ns / NS_PER_MS);
}

void admin_put_firmware(cJSON *out, const struct store_firmware *f)
{
    put_int(out, "firmware", f->delta_id);
    put_text(out, "product_key", f->product_id);
    put_text(out, "module", f->module);
    put_text(out, "version", f->version);
    put_int(out, "files", f->file_count);
    (void)cJSON_AddBoolToObject(out, "verified", f->verified);
}

static void put_sources(cJSON *out, const char *sources)
{
    cJSON *list = cJSON_AddArrayToObject(out, "from_versions");
    while (*sources != '\0') {
        char version[STORE_SOURCE_TEXT_MAX];
        size_t len = strcspn(sources, "\n");
        (void)snprintf(version, sizeof version, "%.*s", (int)len, sources);
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(version));
        sources += len + (sources[len] == '\n');
    }
}

void admin_put_task(cJSON *out, const struct store_task *t)
{
    put_int(out, "task", t->task_id);
    put_int(out, "firmware", t->delta_id);
    put_text(out, "kind", task_kind_name(t->kind));
    put_text(out, "state", task_state_name(t->state));
    if (t->device_id[0] != '\0')
        put_text(out, "device", t->device_id);
    if (t->starts_ns != 0)
        put_ms(out, "starts_ms", t->starts_ns);
    if (t->kind != TASK_BATCH)
        return;
    if (t->sources[0] != '\0')
        put_sources(out, t->sources);
    put_text(out, "policy", t->fixed ? "static" : "dynamic");
    if (t->percent != 0)
        put_int(out, "percent", t->percent);
    (void)cJSON_AddBoolToObject(out, "push", !t->silent);
    (void)cJSON_AddBoolToObject(out, "overwrite", !t->yields);
    if (t->retries != 0) {
        put_int(out, "retries", t->retries);
        put_int(out, "retry_after_s", t->retry_after_ns / NS_PER_S);
    }
}

static void put_versions(const struct admin_call *call, cJSON *row, const char *device_id)
{
    char module[STORE_TEXT_MAX], version[STORE_TEXT_MAX];
    cJSON *list = cJSON_AddObjectToObject(row, "versions");
    const char *after = NULL;
    while (store_next_version(cloud_store(call->a->cloud), device_id, after, module, version,
                              NULL) == 0) {
        put_text(list, module[0] == '\0' ? "default" : module, version);
        after = module;
    }
}

static void put_device(const struct admin_call *call, cJSON *row, const struct store_device *d)
{
    struct store *st = cloud_store(call->a->cloud);
    struct store_session x;
    struct store_sub_device sub;
    put_text(row, "device", d->device_id);
    put_text(row, "product_key", d->product_id);
    put_text(row, "name", d->mid);
    (void)cJSON_AddBoolToObject(row, "online", store_get_session(st, d->device_id, &x, NULL) == 0);
    if (store_get_sub_device(st, d->device_id, &sub, NULL) == 0)
        put_text(row, "gateway", sub.gateway_id);
    if (d->seen_ns > 0)
        put_ms(row, "seen_ms", d->seen_ns);
    put_versions(call, row, d->device_id);
}

static void put_record(const struct admin_call *call, cJSON *row, const struct store_record *rec)
{
    struct store *st = cloud_store(call->a->cloud);
    struct store_firmware f;
    struct store_taken taken;
    put_text(row, "device", rec->device_id);
    put_int(row, "firmware", rec->delta_id);
    if (store_get_firmware(st, rec->delta_id, &f, NULL) == 0) {
        put_text(row, "module", f.module);
        put_text(row, "version", f.version);
    }
    if (store_get_taken(st, rec->delta_id, rec->device_id, &taken, NULL) == 0) {
        put_int(row, "task", taken.task_id);
        put_int(row, "retries", taken.tries);
    }
    put_text(row, "state", record_state_name(rec->state));
    put_int(row, "step", rec->download_status);
    put_int(row, "result", rec->upgrade_status);
    put_ms(row, "created_ms", rec->created_ns);
    put_ms(row, "changed_ms", rec->changed_ns);
}

/* ---- lists ---- */

/* A row of the list, or null when it is full: then next says where to go on. */
static cJSON *add_row(cJSON *list, const struct admin_query *q)
{
    if (cJSON_GetArraySize(list) >= q->limit)
        return NULL;
    cJSON *row = cJSON_CreateObject();
    (void)cJSON_AddItemToArray(list, row);
    return row;
}

static int begin_list(struct admin_call *call, const char *name, cJSON **list)
{
    *list = cJSON_AddArrayToObject(call->out, name);
    return *list == NULL ? err_set(call->err, ERR_NOMEM, "no memory") : 0;
}

static int ended(int rc)
{
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int admin_list_products(struct admin_call *call)
{
    struct admin_query q;
    struct store_product p;
    cJSON *list = NULL, *row = NULL;
    int rc = admin_read_query(call, &q);
    if (rc == 0)
        rc = begin_list(call, "products", &list);
    while (rc == 0 &&
           (rc = store_next_product(cloud_store(call->a->cloud), q.after, &p, call->err)) == 0) {
        if ((row = add_row(list, &q)) == NULL) {
            put_text(call->out, "next", q.after);
            break;
        }
        put_text(row, "product_key", p.product_id);
        (void)cJSON_AddBoolToObject(row, "enabled", p.has_team);
        (void)snprintf(q.after, sizeof q.after, "%s", p.product_id);
    }
    return ended(rc);
}

/* A product that is named is there. */
static int check_product(const struct admin_call *call, const struct admin_query *q)
{
    struct store_product p;
    if (q->product_key[0] == '\0')
        return 0;
    return store_get_product(cloud_store(call->a->cloud), q->product_key, &p, NULL) == 0
               ? 0
               : err_set(call->err, ERR_NOT_FOUND, "there is no product \"%s\"", q->product_key);
}

static int need_product(const struct admin_call *call, const struct admin_query *q)
{
    return q->product_key[0] == '\0' ? err_set(call->err, ERR_FORMAT, "query: needs product_key")
                                     : check_product(call, q);
}

/* Whether a row of that firmware, or of that device, is one of the product that is asked for. */
static bool is_firmware_of(const struct admin_call *call, const char *product, int64_t delta_id)
{
    struct store_firmware f;
    return product[0] == '\0' ||
           (store_get_firmware(cloud_store(call->a->cloud), delta_id, &f, NULL) == 0 &&
            strcmp(f.product_id, product) == 0);
}

static bool is_device_of(const struct admin_call *call, const char *product, const char *device_id)
{
    struct store_device d;
    return product[0] == '\0' ||
           (store_get_device(cloud_store(call->a->cloud), device_id, &d, NULL) == 0 &&
            strcmp(d.product_id, product) == 0);
}

int admin_list_devices(struct admin_call *call)
{
    struct admin_query q;
    struct store_device d;
    cJSON *list = NULL, *row = NULL;
    int rc = admin_read_query(call, &q);
    if (rc == 0)
        rc = need_product(call, &q);
    if (rc == 0)
        rc = begin_list(call, "devices", &list);
    if (rc != 0)
        return rc;
    while ((rc = store_next_device(cloud_store(call->a->cloud), q.product_key, q.after, &d,
                                   call->err)) == 0) {
        if ((row = add_row(list, &q)) == NULL) {
            put_text(call->out, "next", q.after);
            break;
        }
        put_device(call, row, &d);
        (void)snprintf(q.after, sizeof q.after, "%s", d.device_id);
    }
    return ended(rc);
}

static void put_next_id(struct admin_call *call, int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, id);
    put_text(call->out, "next", text);
}

int admin_list_firmware(struct admin_call *call)
{
    struct admin_query q;
    struct store_firmware f;
    cJSON *list = NULL, *row = NULL;
    int rc = read_query_of_ids(call, &q);
    if (rc == 0)
        rc = check_product(call, &q);
    if (rc == 0)
        rc = begin_list(call, "firmware", &list);
    if (rc != 0)
        return rc;
    while ((rc = store_next_firmware(cloud_store(call->a->cloud), q.product_key, q.after_id, &f,
                                     call->err)) == 0) {
        if ((row = add_row(list, &q)) == NULL) {
            put_next_id(call, q.after_id);
            break;
        }
        admin_put_firmware(row, &f);
        q.after_id = f.delta_id;
    }
    return ended(rc);
}

int admin_list_tasks(struct admin_call *call)
{
    struct admin_query q;
    struct store_task t;
    cJSON *list = NULL, *row = NULL;
    int rc = read_query_of_ids(call, &q);
    if (rc == 0)
        rc = check_product(call, &q);
    if (rc == 0)
        rc = begin_list(call, "tasks", &list);
    if (rc != 0)
        return rc;
    while ((rc = store_next_any_task(cloud_store(call->a->cloud), q.firmware, q.after_id, &t,
                                     call->err)) == 0) {
        int64_t before = q.after_id;
        q.after_id = t.task_id;
        if (!is_firmware_of(call, q.product_key, t.delta_id))
            continue;
        if ((row = add_row(list, &q)) == NULL) {
            put_next_id(call, before);
            break;
        }
        admin_put_task(row, &t);
    }
    return ended(rc);
}

static int read_state(const struct admin_call *call, const char *text, int *out)
{
    *out = -1;
    if (text[0] == '\0')
        return 0;
    for (int i = 0; i <= RECORD_SUPERSEDED; i++) {
        if (strcmp(record_state_name((enum record_state)i), text) == 0) {
            *out = i;
            return 0;
        }
    }
    return err_set(call->err, ERR_FORMAT,
                   "query: state=%s, must be pending, upgrading, success, failed or superseded",
                   text);
}

/* A device of a product, or by its whole name. */
static int name_device(const struct admin_call *call, struct admin_query *q)
{
    char identity[STORE_TEXT_MAX];
    if (q->product_key[0] == '\0' || q->device[0] == '\0' || strchr(q->device, '&') != NULL)
        return 0;
    int rc = setup_identity(q->product_key, q->device, identity, call->err);
    if (rc == 0)
        memcpy(q->device, identity, sizeof identity);
    return rc;
}

int admin_list_records(struct admin_call *call)
{
    struct admin_query q;
    struct store_record rec;
    struct store_record_filter filter = {.state = -1};
    cJSON *list = NULL, *row = NULL;
    int rc = read_query_of_ids(call, &q);
    if (rc == 0)
        rc = check_product(call, &q);
    if (rc == 0)
        rc = read_state(call, q.state, &filter.state);
    if (rc == 0)
        rc = name_device(call, &q);
    if (rc == 0)
        rc = begin_list(call, "records", &list);
    filter.device_id = q.device;
    filter.delta_id = q.firmware;
    int64_t at = q.after_id;
    if (rc != 0)
        return rc;
    while ((rc = store_next_record(cloud_store(call->a->cloud), &filter, &at, &rec, call->err)) ==
           0) {
        int64_t before = q.after_id;
        q.after_id = at;
        if (!is_device_of(call, q.product_key, rec.device_id))
            continue;
        if ((row = add_row(list, &q)) == NULL) {
            put_next_id(call, before);
            break;
        }
        put_record(call, row, &rec);
    }
    return ended(rc);
}

/* The task, and how many of its devices are where. */
int admin_show_task(struct admin_call *call)
{
    struct store *st = cloud_store(call->a->cloud);
    struct store_task t;
    struct store_record rec;
    struct store_taken taken;
    int64_t counts[RECORD_SUPERSEDED + 1] = {0}, at = 0;
    int rc = store_get_task(st, atoll(call->name), &t, call->err);
    if (rc != 0)
        return err_set(call->err, rc, "task: there is no task %s", call->name);
    const struct store_record_filter filter = {
        .device_id = t.device_id, .delta_id = t.delta_id, .state = -1};
    while ((rc = store_next_record(st, &filter, &at, &rec, call->err)) == 0)
        if (store_get_taken(st, rec.delta_id, rec.device_id, &taken, NULL) == 0 &&
            taken.task_id == t.task_id)
            counts[rec.state]++;
    admin_put_task(call->out, &t);
    cJSON *records = cJSON_AddObjectToObject(call->out, "records");
    for (int i = 0; i <= RECORD_SUPERSEDED; i++)
        put_int(records, record_state_name((enum record_state)i), counts[i]);
    return ended(rc);
}
