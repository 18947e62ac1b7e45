/*
 * What `otabench cloud VERB` can ask of a running cloud: a table of verbs, and of the options that
 * become members of the request (scenarios/cli/admin.h).
 */
#ifndef OTABENCH_CLIENT_VERBS_H
#define OTABENCH_CLIENT_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include "scenarios/cli/admin_place.h"
#include "scenarios/client/table.h"

enum client_option {
    OPTION_PRODUCT,
    OPTION_DEVICE,
    OPTION_FIRMWARE,
    OPTION_VERSION,
    OPTION_MODULE,
    OPTION_STATUS,
    OPTION_GATEWAY,
    OPTION_SECRET_FILE,
    OPTION_SIGN,
    OPTION_DIFF,
    OPTION_OVER_MQTT,
    OPTION_EXTRA,
    OPTION_VERIFY,
    OPTION_BATCH,
    OPTION_FROM,
    OPTION_DEVICES,
    OPTION_POLICY,
    OPTION_PERCENT,
    OPTION_NO_PUSH,
    OPTION_NO_OVERWRITE,
    OPTION_RETRIES,
    OPTION_RETRY_AFTER,
    OPTION_DELAY,
    OPTION_NAME,
    OPTION_WAIT,
    OPTION_LIMIT,
    OPTION_COUNT
};
#define TAKES(option) (UINT32_C(1) << (option))

enum client_value {
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_WORDS,  /* separated by commas: a list */
    VALUE_YES,    /* no value: true */
    VALUE_NO,     /* no value: false */
    VALUE_OBJECT, /* JSON */
    VALUE_SECRET, /* a file that holds the text */
    VALUE_OURS    /* not a member: the verb knows what to do */
};

struct client_option_row {
    const char *name; /* without the dashes */
    enum client_value value;
    const char *key; /* the member, or the key of a query */
};
extern const struct client_option_row client_options[OPTION_COUNT];

struct client_request;

struct client_verb {
    const char *name;
    const char *argument;      /* how a complaint calls it; null: it takes none */
    int most;                  /* arguments; each is one at least */
    const char *method, *path; /* of the request */
    const char *argument_key;  /* the member that the argument becomes; null: it ends the path */
    const char *list;          /* of the reply, whose rows are shown; null: the reply itself is */
    uint32_t takes;            /* options */
    bool needs_product;        /* the only one, when it is not named */
    const struct table_column *columns;
    /* 0 or a code of ask(); prints nothing. */
    int (*act)(const struct client_request *r, struct json *out, struct err *err);
};

/* A command line that has been understood. */
struct client_request {
    const struct client_verb *verb;
    char *const *argument;
    int argument_count;
    const char *value[OPTION_COUNT]; /* null: not given */
    const struct admin_place *place;
};

/* Null: there is no such verb. */
const struct client_verb *client_find_verb(const char *name);
/* Does it: 0 with what is to be shown in *out, ERR_ARG or ERR_FORMAT: arguments, options or files
 * that are no good, or as ask(). */
int client_act(const struct client_request *r, struct json *out, struct err *err);
/* For people. */
int client_show(const struct client_verb *verb, const cJSON *reply, struct buf *out);

#endif
