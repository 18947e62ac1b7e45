#include "scenarios/cli/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/cli/admin_internal.h"

#define TOKEN_MIN 16

/* ---- deeds that change something ---- */

static const struct setup_files *uploads(const struct admin *a, struct setup_files *out)
{
    *out = (struct setup_files){.dir = a->uploads, .uploads = true};
    return out;
}

static void begin_setup(struct admin_call *call)
{
    struct cloud_setup *s = &call->a->setup;
    setup_free(s);
    s->cloud = call->a->cloud;
    s->now_ns = call->now_ns;
    s->device_id[0] = '\0';
    s->firmware_id = 0;
}

/* Tasks that cannot start now are refused, there is nobody who would try them again. */
static int start_tasks(struct admin_call *call)
{
    struct cloud_setup *s = &call->a->setup;
    int started = setup_start(s, call->now_ns, call->err);
    if (started < 0)
        return started;
    (void)cJSON_AddNumberToObject(call->out, "tasks_started", started);
    return s->task_count == 0 ? 0 : ERR_WRONG_STATE;
}

static const char *body(const struct admin_call *call)
{
    return call->rq->body == NULL ? "" : (const char *)call->rq->body;
}

static int do_setup(struct admin_call *call)
{
    struct setup_files files;
    begin_setup(call);
    int rc = setup_text(&call->a->setup, body(call), call->rq->body_bytes, uploads(call->a, &files),
                        call->err);
    return rc == 0 ? start_tasks(call) : rc;
}

static int one(struct admin_call *call, enum setup_part part)
{
    struct setup_files files;
    begin_setup(call);
    return setup_one(&call->a->setup, part, body(call), call->rq->body_bytes,
                     uploads(call->a, &files), call->err);
}

static int do_device(struct admin_call *call)
{
    struct store_device d;
    int rc = one(call, SETUP_DEVICE);
    if (rc == 0)
        rc = store_get_device(cloud_store(call->a->cloud), call->a->setup.device_id, &d, call->err);
    if (rc != 0)
        return rc;
    (void)cJSON_AddStringToObject(call->out, "device", d.device_id);
    (void)cJSON_AddStringToObject(call->out, "product_key", d.product_id);
    (void)cJSON_AddStringToObject(call->out, "name", d.mid);
    (void)cJSON_AddStringToObject(call->out, "secret", d.secret);
    return 0;
}

static int do_firmware(struct admin_call *call)
{
    struct store_firmware f;
    int rc = one(call, SETUP_FIRMWARE);
    if (rc == 0)
        rc = start_tasks(call);
    if (rc == 0)
        rc = store_get_firmware(cloud_store(call->a->cloud), call->a->setup.firmware_id, &f,
                                call->err);
    if (rc == 0)
        admin_put_firmware(call->out, &f);
    return rc;
}

static int do_task(struct admin_call *call)
{
    struct cloud_setup *s = &call->a->setup;
    int rc = one(call, SETUP_TASK);
    if (rc != 0)
        return rc;
    struct setup_task *t = &s->tasks[0];
    rc = campaign_start_for(call->a->cloud, call->now_ns, &t->task,
                            (const char(*)[STORE_TEXT_MAX])t->devices, t->device_count, call->err);
    if (rc == 0)
        admin_put_task(call->out, &t->task);
    setup_free(s);
    return rc;
}

static int do_cancel(struct admin_call *call)
{
    struct store_task t;
    long long id = atoll(call->name);
    int rc = campaign_cancel(call->a->cloud, call->now_ns, id, call->err);
    if (rc == 0)
        rc = store_get_task(cloud_store(call->a->cloud), id, &t, call->err);
    if (rc == 0)
        admin_put_task(call->out, &t);
    return rc;
}

/* ---- which deed it is ---- */

static const struct deed {
    const char *method, *path;
    bool named; /* a name follows the path */
    int (*act)(struct admin_call *call);
} deeds[] = {
    {"GET", "/admin/files", false, admin_files_list},
    {"PUT", "/admin/files", true, admin_file_put},
    {"DELETE", "/admin/files", true, admin_file_drop},
    {"POST", "/admin/setup", false, do_setup},
    {"GET", "/admin/products", false, admin_list_products},
    {"GET", "/admin/devices", false, admin_list_devices},
    {"POST", "/admin/devices", false, do_device},
    {"GET", "/admin/firmware", false, admin_list_firmware},
    {"POST", "/admin/firmware", false, do_firmware},
    {"GET", "/admin/tasks", false, admin_list_tasks},
    {"POST", "/admin/tasks", false, do_task},
    {"GET", "/admin/tasks", true, admin_show_task},
    {"DELETE", "/admin/tasks", true, do_cancel},
    {"GET", "/admin/records", false, admin_list_records},
};

/* *known: the path is one of ours, whatever the method. */
static const struct deed *find_deed(const struct http_request *rq, const char **name, bool *known)
{
    *known = false;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        size_t len = strlen(deeds[i].path);
        if (strncmp(rq->path, deeds[i].path, len) != 0)
            continue;
        const char *rest = rq->path + len;
        bool named = rest[0] == '/' && rest[1] != '\0';
        if (named != deeds[i].named || (!named && rest[0] != '\0'))
            continue;
        *known = true;
        *name = named ? rest + 1 : "";
        if (strcmp(rq->method, deeds[i].method) == 0)
            return &deeds[i];
    }
    return NULL;
}

/* ---- the answer ---- */

static int status_of(int rc)
{
    static const struct {
        int code, status;
    } table[] = {{0, 200},
                 {ERR_ARG, 400},
                 {ERR_FORMAT, 400},
                 {ERR_NOT_FOUND, 404},
                 {ERR_WRONG_STATE, 409},
                 {ERR_LIMIT, 413}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == rc)
            return table[i].status;
    return 500;
}

static void put_reply(struct http_reply *rp, int status, const cJSON *out)
{
    struct buf text = rp->text;
    char *printed = cJSON_PrintUnformatted(out);
    buf_clear(&text);
    *rp = (struct http_reply){.status = status, .content_type = "application/json", .text = text};
    if (printed == NULL || buf_printf(&rp->text, "%s\n", printed) != 0)
        rp->status = 500;
    cJSON_free(printed);
}

static void put_error(struct http_reply *rp, int status, const char *text)
{
    cJSON *out = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(out, "error", text);
    put_reply(rp, status, out);
    cJSON_Delete(out);
}

/* In a time that does not depend on how much of it is right. */
static bool is_token(const struct admin *a, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (header == NULL || strncmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *token = header + sizeof scheme - 1;
    size_t len = strlen(a->token), given = strlen(token);
    unsigned differ = len != given;
    for (size_t i = 0; i < len; i++)
        differ |= (unsigned)(a->token[i] ^ token[i < given ? i : 0]);
    return differ == 0;
}

static int64_t admit(void *ctx, const struct http_request *head, struct http_reply *rp)
{
    const struct admin *a = ctx;
    const char *name = "";
    bool known = false;
    if (!is_token(a, head->authorization)) {
        put_error(rp, 401, "needs the header \"Authorization: Bearer TOKEN\"");
        return -1;
    }
    const struct deed *deed = find_deed(head, &name, &known);
    if (deed == NULL) {
        put_error(rp, known ? 405 : 404,
                  known ? "this path has no such method" : "there is nothing at this path");
        return -1;
    }
    return deed->act == admin_file_put ? (int64_t)ADMIN_FILE_BYTES_MAX : ADMIN_TEXT_BYTES_MAX;
}

static void answer(void *ctx, int64_t now_ns, const struct http_request *rq, struct http_reply *rp)
{
    struct admin *a = ctx;
    struct err err = {""};
    bool known = false;
    struct admin_call call = {
        .a = a, .now_ns = now_ns, .rq = rq, .out = cJSON_CreateObject(), .err = &err};
    const struct deed *deed = find_deed(rq, &call.name, &known);
    int rc = deed == NULL || !is_token(a, rq->authorization) ? ERR_NOT_FOUND
             : call.out == NULL                              ? ERR_NOMEM
                                                             : deed->act(&call);
    if (rc == 0 && strcmp(rq->method, "GET") != 0)
        rc = store_sync(cloud_store(a->cloud), &err);
    if (rc == 0)
        put_reply(rp, 200, call.out);
    else
        put_error(rp, status_of(rc), err.text[0] == '\0' ? "no memory" : err.text);
    cJSON_Delete(call.out);
}

struct admin *admin_new(const struct admin_config *cfg, struct err *err)
{
    size_t len = strlen(cfg->token);
    if (len < TOKEN_MIN || len >= ADMIN_TOKEN_MAX || strlen(cfg->dir) >= ADMIN_PATH_MAX / 2) {
        (void)err_set(err, ERR_ARG, "admin: the token has %d to %d characters, a folder up to %d",
                      TOKEN_MIN, ADMIN_TOKEN_MAX - 1, ADMIN_PATH_MAX / 2 - 1);
        return NULL;
    }
    struct admin *a = calloc(1, sizeof *a);
    if (a == NULL) {
        (void)err_set(err, ERR_NOMEM, "admin: no memory");
        return NULL;
    }
    a->cloud = cfg->cloud;
    a->service = (struct edge_service){.ctx = a, .admit = admit, .answer = answer};
    (void)snprintf(a->token, sizeof a->token, "%s", cfg->token);
    (void)snprintf(a->dir, sizeof a->dir, "%s", cfg->dir);
    (void)snprintf(a->uploads, sizeof a->uploads, "%s/upload-", cfg->dir);
    return a;
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    setup_free(&a->setup);
    free(a);
}

const struct edge_service *admin_service(const struct admin *a)
{
    return &a->service;
}
