#include "scenarios/client/acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/vtime.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/input.h"
#include "scenarios/client/ask.h"
#include "scenarios/client/uploads.h"

#define PAGE_ROWS          1000
#define ROWS_MAX           100000
#define WAIT_S_MAX         86400
#define PAUSE_MS           200
#define EXTRA_MAX          4096
#define DOCUMENT_MAX       (1u << 20)
#define DOCUMENT_DEPTH_MAX 10
#define WORD_MAX           256

/* ---- values ---- */

static int number_of(const struct client_request *r, enum client_option option, uint64_t max,
                     uint64_t *out, struct err *err)
{
    if (r->value[option] == NULL || cli_number(r->value[option], 1, max, out))
        return 0;
    return err_set(err, ERR_ARG, "--%s %s: must be from 1 to %llu", client_options[option].name,
                   r->value[option], (unsigned long long)max);
}

static cJSON *words_of(const char *text)
{
    cJSON *list = cJSON_CreateArray();
    while (list != NULL && *text != '\0') {
        char word[WORD_MAX];
        size_t len = strcspn(text, ",");
        (void)snprintf(word, sizeof word, "%.*s", (int)len, text);
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(word));
        text += len + (text[len] == ',');
    }
    return list;
}

static int object_of(const char *text, cJSON **out, struct err *err)
{
    static const struct json_limits limits = {.max_bytes = EXTRA_MAX, .max_depth = 8};
    struct json doc;
    int rc = json_parse(&doc, text, strlen(text), &limits, err);
    *out = rc == 0 ? doc.root : NULL;
    return rc;
}

static int secret_of(const char *path, cJSON **out, struct err *err)
{
    char secret[WORD_MAX];
    int rc = input_read_line(secret, sizeof secret, path, err);
    *out = rc == 0 ? cJSON_CreateString(secret) : NULL;
    return rc;
}

static int value_of(const struct client_option_row *row, const char *text, cJSON **out,
                    struct err *err)
{
    uint64_t n = 0;
    int rc = 0;
    *out = NULL;
    switch (row->value) {
    case VALUE_NUMBER:
        if (!cli_number(text, 0, INT32_MAX, &n))
            return err_set(err, ERR_ARG, "--%s %s: must be a number", row->name, text);
        *out = cJSON_CreateNumber((double)n);
        break;
    case VALUE_WORDS:
        *out = words_of(text);
        break;
    case VALUE_YES:
    case VALUE_NO:
        *out = cJSON_CreateBool(row->value == VALUE_YES);
        break;
    case VALUE_OBJECT:
        rc = object_of(text, out, err);
        break;
    case VALUE_SECRET:
        rc = secret_of(text, out, err);
        break;
    default:
        *out = cJSON_CreateString(text);
        break;
    }
    return rc == 0 ? 0 : err_prefix(err, ERR_ARG, "--%s", row->name);
}

/* The options that are members of what is posted. */
static int put_options(const struct client_request *r, cJSON *object, struct err *err)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        cJSON *value = NULL;
        if (r->value[i] == NULL || client_options[i].value == VALUE_OURS)
            continue;
        int rc = value_of(&client_options[i], r->value[i], &value, err);
        if (rc != 0)
            return rc;
        (void)cJSON_AddItemToObject(object, client_options[i].key, value);
    }
    return 0;
}

/* ---- requests ---- */

static int post(const struct client_request *r, const char *path, const cJSON *object,
                struct json *out, struct err *err)
{
    char *text = cJSON_PrintUnformatted(object);
    if (text == NULL)
        return err_set(err, ERR_NOMEM, "no memory");
    const struct ask what = {.method = "POST", .path = path, .text = text};
    int rc = ask(r->place, &what, out, err);
    cJSON_free(text);
    return rc;
}

/* What the options need not say when there is only one product. */
static int put_product(const struct client_request *r, cJSON *object, struct err *err)
{
    const struct ask what = {.method = "GET", .path = "/products?limit=2"};
    struct json reply;
    const cJSON *list = NULL, *key = NULL;
    if (!r->verb->needs_product || r->value[OPTION_PRODUCT] != NULL)
        return 0;
    int rc = ask(r->place, &what, &reply, err);
    if (rc != 0)
        return rc;
    list = cJSON_GetObjectItemCaseSensitive(reply.root, "products");
    key = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(list, 0), "product_key");
    if (cJSON_GetArraySize(list) != 1 || !cJSON_IsString(key))
        rc = err_set(err, ERR_ARG, "--product is needed: the cloud has %s",
                     cJSON_GetArraySize(list) == 0
                         ? "none, \"otabench cloud set-up FILE\" makes one"
                         : "several, \"otabench cloud products\" lists them");
    else
        (void)cJSON_AddStringToObject(object, "product_key", key->valuestring);
    json_free(&reply);
    return rc;
}

static int new_object(const struct client_request *r, cJSON **out, struct err *err)
{
    *out = cJSON_CreateObject();
    int rc = *out == NULL ? err_set(err, ERR_NOMEM, "no memory") : put_options(r, *out, err);
    return rc == 0 ? put_product(r, *out, err) : rc;
}

static int add_query(char path[ASK_PATH_MAX], const char *key, const char *value, struct err *err)
{
    size_t len = strlen(path);
    int n = snprintf(path + len, ASK_PATH_MAX - len, "%s%s=", strchr(path, '?') == NULL ? "?" : "&",
                     key);
    if (n < 0 || (size_t)n >= ASK_PATH_MAX - len || ask_escape(path, value) != 0)
        return err_set(err, ERR_ARG, "%s: is too long", key);
    return 0;
}

/* ---- lists ---- */

static int list_path(const struct client_request *r, const cJSON *query, const char *after,
                     int rows, char path[ASK_PATH_MAX], struct err *err)
{
    char limit[16];
    const cJSON *item = NULL;
    int rc = 0;
    (void)snprintf(path, ASK_PATH_MAX, "%s", r->verb->path);
    cJSON_ArrayForEach(item, query)
    {
        char number[24];
        (void)snprintf(number, sizeof number, "%.0f", item->valuedouble);
        if (rc == 0)
            rc = add_query(path, item->string, cJSON_IsString(item) ? item->valuestring : number,
                           err);
    }
    (void)snprintf(limit, sizeof limit, "%d", rows);
    if (rc == 0 && (r->verb->takes & TAKES(OPTION_LIMIT)) != 0)
        rc = add_query(path, "limit", limit, err);
    return rc == 0 && after[0] != '\0' ? add_query(path, "after", after, err) : rc;
}

/* Moves the rows of a page behind those that are there. */
static void move_rows(cJSON *rows, cJSON *page)
{
    for (cJSON *row; (row = cJSON_DetachItemFromArray(page, 0)) != NULL;)
        (void)cJSON_AddItemToArray(rows, row);
}

int act_list(const struct client_request *r, struct json *out, struct err *err)
{
    char path[ASK_PATH_MAX], after[WORD_MAX] = "";
    uint64_t most = ROWS_MAX;
    cJSON *query = NULL;
    int rc = number_of(r, OPTION_LIMIT, ROWS_MAX, &most, err);
    if (rc == 0)
        rc = new_object(r, &query, err);
    out->root = cJSON_CreateObject();
    cJSON *rows = cJSON_AddArrayToObject(out->root, r->verb->list);
    if (rc == 0 && rows == NULL)
        rc = err_set(err, ERR_NOMEM, "no memory");
    for (int n = 0; rc == 0 && (uint64_t)n < most; n = cJSON_GetArraySize(rows)) {
        struct json page;
        int left = (int)most - n;
        const struct ask what = {.method = "GET", .path = path};
        rc = list_path(r, query, after, left < PAGE_ROWS ? left : PAGE_ROWS, path, err);
        if (rc == 0)
            rc = ask(r->place, &what, &page, err);
        if (rc != 0)
            break;
        move_rows(rows, cJSON_GetObjectItemCaseSensitive(page.root, r->verb->list));
        const cJSON *next = cJSON_GetObjectItemCaseSensitive(page.root, "next");
        bool more = cJSON_IsString(next) && cJSON_GetArraySize(rows) > n;
        if (more)
            (void)snprintf(after, sizeof after, "%s", next->valuestring);
        json_free(&page);
        if (!more)
            break;
    }
    cJSON_Delete(query);
    return rc;
}

/* ---- one thing ---- */

int act_named(const struct client_request *r, struct json *out, struct err *err)
{
    char path[ASK_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/", r->verb->path);
    if (ask_escape(path, r->argument[0]) != 0)
        return err_set(err, ERR_ARG, "%s: is too long", r->verb->argument);
    const struct ask what = {.method = r->verb->method, .path = path};
    return ask(r->place, &what, out, err);
}

int act_post(const struct client_request *r, struct json *out, struct err *err)
{
    cJSON *object = NULL;
    int rc = new_object(r, &object, err);
    if (rc == 0) {
        (void)cJSON_AddStringToObject(object, r->verb->argument_key, r->argument[0]);
        rc = post(r, r->verb->path, object, out, err);
    }
    cJSON_Delete(object);
    return rc;
}

int act_upload(const struct client_request *r, struct json *out, struct err *err)
{
    const char *slash = strrchr(r->argument[0], '/');
    const char *name = r->value[OPTION_NAME] != NULL ? r->value[OPTION_NAME]
                       : slash == NULL               ? r->argument[0]
                                                     : slash + 1;
    return upload_file(r->place, r->argument[0], name, out, err);
}

/* ---- firmware ---- */

static int put_file(struct uploads *u, cJSON *object, const char *path, struct err *err)
{
    char name[UPLOAD_NAME_MAX];
    int rc = uploads_add(u, path, name, err);
    if (rc == 0)
        (void)cJSON_AddStringToObject(object, "file", name);
    return rc;
}

/* One is "file"; several are "files" with a name each. */
static int put_files(const struct client_request *r, struct uploads *u, cJSON *object,
                     struct err *err)
{
    cJSON *list = NULL;
    int rc = 0;
    if (r->argument_count == 1)
        return put_file(u, object, r->argument[0], err);
    list = cJSON_AddArrayToObject(object, "files");
    for (int i = 0; rc == 0 && i < r->argument_count; i++) {
        char name[WORD_MAX];
        const char *sign = strchr(r->argument[i], '=');
        if (sign == NULL || sign == r->argument[i])
            return err_set(err, ERR_ARG, "%s: each of several files is NAME=FILE", r->argument[i]);
        cJSON *item = cJSON_CreateObject();
        (void)cJSON_AddItemToArray(list, item);
        (void)snprintf(name, sizeof name, "%.*s", (int)(sign - r->argument[i]), r->argument[i]);
        (void)cJSON_AddStringToObject(item, "name", name);
        rc = put_file(u, item, sign + 1, err);
    }
    return rc;
}

static void put_task(cJSON *object, const char *kind, const char *device)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "tasks");
    cJSON *task = cJSON_CreateObject();
    if (list == NULL)
        list = cJSON_AddArrayToObject(object, "tasks");
    (void)cJSON_AddStringToObject(task, "kind", kind);
    if (device != NULL)
        (void)cJSON_AddStringToObject(task, "device", device);
    (void)cJSON_AddItemToArray(list, task);
}

int act_firmware(const struct client_request *r, struct json *out, struct err *err)
{
    struct uploads u = {.place = r->place};
    cJSON *object = NULL;
    if (r->value[OPTION_VERSION] == NULL)
        return err_set(err, ERR_ARG, "--version is missing: what the firmware is called");
    int rc = new_object(r, &object, err);
    if (rc == 0)
        rc = put_files(r, &u, object, err);
    if (rc == 0 && r->value[OPTION_VERIFY] != NULL)
        put_task(object, "verify", r->value[OPTION_VERIFY]);
    if (rc == 0 && r->value[OPTION_BATCH] != NULL)
        put_task(object, "batch", NULL);
    if (rc == 0)
        rc = post(r, r->verb->path, object, out, err);
    uploads_drop(&u);
    cJSON_Delete(object);
    return rc;
}

/* ---- a set-up file ---- */

/* Every "file" below root is uploaded and named as it is there. */
static int upload_named(struct uploads *u, cJSON *root, const char *dir, struct err *err)
{
    cJSON *way[DOCUMENT_DEPTH_MAX] = {root->child};
    int depth = 0, rc = 0;
    while (rc == 0 && depth >= 0) {
        cJSON *node = way[depth];
        if (node == NULL) {
            depth--;
            continue;
        }
        way[depth] = node->next;
        if (cJSON_IsString(node) && node->string != NULL && strcmp(node->string, "file") == 0) {
            char path[ADMIN_PATH_MAX], name[UPLOAD_NAME_MAX];
            int len = snprintf(path, sizeof path, "%s%s", node->valuestring[0] == '/' ? "" : dir,
                               node->valuestring);
            if (len < 0 || (size_t)len >= sizeof path)
                return err_set(err, ERR_FORMAT, "%s: the path is too long", node->valuestring);
            rc = uploads_add(u, path, name, err);
            if (rc == 0 && cJSON_SetValuestring(node, name) == NULL)
                rc = err_set(err, ERR_NOMEM, "no memory");
        } else if (node->child != NULL && depth + 1 < DOCUMENT_DEPTH_MAX) {
            way[++depth] = node->child;
        }
    }
    return rc;
}

int act_set_up(const struct client_request *r, struct json *out, struct err *err)
{
    static const struct json_limits limits = {
        .max_bytes = DOCUMENT_MAX, .max_depth = DOCUMENT_DEPTH_MAX, .comments = true};
    struct uploads u = {.place = r->place};
    struct json doc;
    char dir[ADMIN_PATH_MAX];
    const char *path = r->argument[0], *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : (int)(slash - path) + 1;
    (void)snprintf(dir, sizeof dir, "%.*s", len, path);
    if ((size_t)len >= sizeof dir)
        return err_set(err, ERR_ARG, "%s: the path is too long", path);
    int rc = json_parse_file(&doc, path, &limits, err);
    if (rc != 0)
        return rc == ERR_IO ? ERR_FORMAT : rc;
    rc = upload_named(&u, doc.root, dir, err);
    if (rc == 0)
        rc = post(r, r->verb->path, doc.root, out, err);
    uploads_drop(&u);
    json_free(&doc);
    return rc;
}

/* ---- waiting ---- */

static double count_of(const cJSON *reply, const char *state)
{
    const cJSON *records = cJSON_GetObjectItemCaseSensitive(reply, "records");
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(records, state);
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

/* Something was begun, and nothing of it goes on. */
static bool is_over(const cJSON *reply)
{
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(reply, "state");
    bool held = cJSON_IsString(state) && (strcmp(state->valuestring, "held") == 0 ||
                                          strcmp(state->valuestring, "waiting") == 0);
    return !held && count_of(reply, "pending") == 0 && count_of(reply, "upgrading") == 0;
}

int act_task(const struct client_request *r, struct json *out, struct err *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    uint64_t wait_s = 0;
    int rc = number_of(r, OPTION_WAIT, WAIT_S_MAX, &wait_s, err);
    int64_t end_ns = cli_clock_ns() + (int64_t)wait_s * NS_PER_S;
    while (rc == 0 && (rc = act_named(r, out, err)) == 0) {
        if (wait_s == 0 || is_over(out->root))
            break;
        if (cli_clock_ns() >= end_ns)
            return err_set(err, ERR_WRONG_STATE, "task %s: not over after %llu s", r->argument[0],
                           (unsigned long long)wait_s);
        json_free(out);
        (void)nanosleep(&pause, NULL);
    }
    if (rc == 0 && wait_s != 0 && count_of(out->root, "failed") > 0)
        return err_set(err, ERR_WRONG_STATE, "task %s: %.0f of its upgrades have failed",
                       r->argument[0], count_of(out->root, "failed"));
    return rc;
}
