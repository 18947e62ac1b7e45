#include "scenarios/client/verbs.h"

#include <string.h>

#include "scenarios/client/acts.h"

const struct client_option_row client_options[OPTION_COUNT] = {
    [OPTION_PRODUCT] = {"product", VALUE_TEXT, "product_key"},
    [OPTION_DEVICE] = {"device", VALUE_TEXT, "device"},
    [OPTION_FIRMWARE] = {"firmware", VALUE_NUMBER, "firmware"},
    [OPTION_VERSION] = {"version", VALUE_TEXT, "version"},
    [OPTION_MODULE] = {"module", VALUE_TEXT, "module"},
    [OPTION_STATUS] = {"status", VALUE_TEXT, "state"},
    [OPTION_GATEWAY] = {"gateway", VALUE_TEXT, "gateway"},
    [OPTION_SECRET_FILE] = {"secret-file", VALUE_SECRET, "secret"},
    [OPTION_SIGN] = {"sign", VALUE_TEXT, "sign"},
    [OPTION_DIFF] = {"diff", VALUE_YES, "diff"},
    [OPTION_OVER_MQTT] = {"over-mqtt", VALUE_YES, "over_mqtt"},
    [OPTION_EXTRA] = {"extra", VALUE_OBJECT, "extra"},
    [OPTION_VERIFY] = {"verify", VALUE_OURS, NULL},
    [OPTION_BATCH] = {"batch", VALUE_OURS, NULL},
    [OPTION_FROM] = {"from", VALUE_WORDS, "from_versions"},
    [OPTION_DEVICES] = {"devices", VALUE_WORDS, "devices"},
    [OPTION_POLICY] = {"policy", VALUE_TEXT, "policy"},
    [OPTION_PERCENT] = {"percent", VALUE_NUMBER, "percent"},
    [OPTION_NO_PUSH] = {"no-push", VALUE_NO, "push"},
    [OPTION_NO_OVERWRITE] = {"no-overwrite", VALUE_NO, "overwrite"},
    [OPTION_RETRIES] = {"retries", VALUE_NUMBER, "retries"},
    [OPTION_RETRY_AFTER] = {"retry-after", VALUE_NUMBER, "retry_after_s"},
    [OPTION_DELAY] = {"delay", VALUE_NUMBER, "delay_s"},
    [OPTION_NAME] = {"name", VALUE_OURS, NULL},
    [OPTION_WAIT] = {"wait", VALUE_OURS, NULL},
    [OPTION_LIMIT] = {"limit", VALUE_OURS, NULL},
};

static const struct table_column product_columns[] = {
    {"product_key", "PRODUCT"}, {"enabled", "ENABLED"}, {NULL, NULL}};
static const struct table_column device_columns[] = {
    {"name", "DEVICE"},     {"online", "ONLINE"},     {"versions", "RUNS"},
    {"gateway", "GATEWAY"}, {"seen_ms", "SEEN, UTC"}, {NULL, NULL}};
static const struct table_column file_columns[] = {
    {"file", "FILE"}, {"bytes", "BYTES"}, {NULL, NULL}};
static const struct table_column firmware_columns[] = {{"firmware", "FIRMWARE"},
                                                       {"product_key", "PRODUCT"},
                                                       {"module", "MODULE"},
                                                       {"version", "VERSION"},
                                                       {"files", "FILES"},
                                                       {"verified", "VERIFIED"},
                                                       {NULL, NULL}};
static const struct table_column task_columns[] = {
    {"task", "TASK"},     {"firmware", "FIRMWARE"},
    {"kind", "KIND"},     {"state", "STATE"},
    {"device", "DEVICE"}, {"policy", "POLICY"},
    {"percent", "%"},     {"starts_ms", "STARTS AT, UTC"},
    {NULL, NULL}};
static const struct table_column record_columns[] = {
    {"device", "DEVICE"},   {"firmware", "FIRMWARE"}, {"module", "MODULE"},
    {"version", "VERSION"}, {"task", "TASK"},         {"state", "STATE"},
    {"step", "STEP"},       {"result", "RESULT"},     {"changed_ms", "CHANGED, UTC"}};

#define LISTS (TAKES(OPTION_LIMIT))
#define BATCH                                                                                      \
    (TAKES(OPTION_FROM) | TAKES(OPTION_DEVICES) | TAKES(OPTION_POLICY) | TAKES(OPTION_PERCENT) |   \
     TAKES(OPTION_NO_PUSH) | TAKES(OPTION_NO_OVERWRITE) | TAKES(OPTION_RETRIES) |                  \
     TAKES(OPTION_RETRY_AFTER) | TAKES(OPTION_DELAY))
#define FIRMWARE (TAKES(OPTION_FIRMWARE) | TAKES(OPTION_VERSION) | TAKES(OPTION_MODULE))

static const struct client_verb verbs[] = {
    {"products", NULL, 0, "GET", "/products", NULL, "products", LISTS, false, product_columns,
     act_list},
    {"devices", NULL, 0, "GET", "/devices", NULL, "devices", LISTS | TAKES(OPTION_PRODUCT), true,
     device_columns, act_list},
    {"add-device", "NAME", 1, "POST", "/devices", "name", NULL,
     TAKES(OPTION_PRODUCT) | TAKES(OPTION_GATEWAY) | TAKES(OPTION_SECRET_FILE), true, NULL,
     act_post},
    {"files", NULL, 0, "GET", "/files", NULL, "files", 0, false, file_columns, act_list},
    {"add-file", "FILE", 1, "PUT", "/files", NULL, NULL, TAKES(OPTION_NAME), false, NULL,
     act_upload},
    {"drop-file", "NAME", 1, "DELETE", "/files", NULL, NULL, 0, false, NULL, act_named},
    {"firmware", NULL, 0, "GET", "/firmware", NULL, "firmware", LISTS | TAKES(OPTION_PRODUCT),
     false, firmware_columns, act_list},
    {"add-firmware", "[NAME=]FILE", 20, "POST", "/firmware", NULL, NULL,
     TAKES(OPTION_PRODUCT) | TAKES(OPTION_VERSION) | TAKES(OPTION_MODULE) | TAKES(OPTION_SIGN) |
         TAKES(OPTION_DIFF) | TAKES(OPTION_OVER_MQTT) | TAKES(OPTION_EXTRA) | TAKES(OPTION_VERIFY) |
         TAKES(OPTION_BATCH),
     true, NULL, act_firmware},
    {"tasks", NULL, 0, "GET", "/tasks", NULL, "tasks",
     LISTS | TAKES(OPTION_PRODUCT) | TAKES(OPTION_FIRMWARE), false, task_columns, act_list},
    {"task", "ID", 1, "GET", "/tasks", NULL, NULL, TAKES(OPTION_WAIT), false, NULL, act_task},
    {"add-task", "KIND", 1, "POST", "/tasks", "kind", NULL,
     TAKES(OPTION_PRODUCT) | TAKES(OPTION_DEVICE) | FIRMWARE | BATCH, true, NULL, act_post},
    {"cancel", "ID", 1, "DELETE", "/tasks", NULL, NULL, 0, false, NULL, act_named},
    {"records", NULL, 0, "GET", "/records", NULL, "records",
     LISTS | TAKES(OPTION_PRODUCT) | TAKES(OPTION_DEVICE) | TAKES(OPTION_FIRMWARE) |
         TAKES(OPTION_STATUS),
     false, record_columns, act_list},
    {"set-up", "FILE", 1, "POST", "/setup", NULL, NULL, 0, false, NULL, act_set_up},
};

const struct client_verb *client_find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int client_act(const struct client_request *r, struct json *out, struct err *err)
{
    *out = (struct json){.root = NULL};
    return r->verb->act(r, out, err);
}

int client_show(const struct client_verb *verb, const cJSON *reply, struct buf *out)
{
    return verb->list == NULL ? table_lines(out, reply)
                              : table_rows(out, cJSON_GetObjectItemCaseSensitive(reply, verb->list),
                                           verb->columns);
}
