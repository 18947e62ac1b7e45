/* What the parts of the live operation share. */
#ifndef OTABENCH_CLI_ADMIN_INTERNAL_H
#define OTABENCH_CLI_ADMIN_INTERNAL_H

#include <cjson/cJSON.h>

#include "scenarios/cli/admin.h"
#include "scenarios/cli/admin_place.h"

struct admin {
    struct cloud *cloud;
    char token[ADMIN_TOKEN_MAX];
    char dir[ADMIN_PATH_MAX / 2];
    char uploads[ADMIN_PATH_MAX / 2 + 16]; /* what the paths of uploads begin with */
    struct edge_service service;
    struct cloud_setup setup;
};

/* A request on its way: what its path names beyond the table's, and the answer. */
struct admin_call {
    struct admin *a;
    int64_t now_ns;
    const struct http_request *rq;
    const char *name; /* the last part of the path; empty: none */
    cJSON *out;       /* an object, filled by the deed */
    struct err *err;
};

/* What a query may say; what it does not say is empty or 0. ERR_FORMAT. */
struct admin_query {
    char product_key[STORE_TEXT_MAX], device[STORE_TEXT_MAX], state[16];
    char after[STORE_TEXT_MAX];
    int64_t firmware, after_id;
    int limit;
};
int admin_read_query(const struct admin_call *call, struct admin_query *out);

/* The deeds: 0 with call->out filled, or a negative err_code with the story in call->err. */
int admin_files_list(struct admin_call *call);
int admin_file_put(struct admin_call *call);
int admin_file_drop(struct admin_call *call);
int admin_list_products(struct admin_call *call);
int admin_list_devices(struct admin_call *call);
int admin_list_firmware(struct admin_call *call);
int admin_list_tasks(struct admin_call *call);
int admin_list_records(struct admin_call *call);
int admin_show_task(struct admin_call *call);
/* How people see one. */
void admin_put_firmware(cJSON *out, const struct store_firmware *f);
void admin_put_task(cJSON *out, const struct store_task *t);

#endif
