/*
 * One request to the live operation of a running cloud (scenarios/cli/admin.h), by libcurl. The
 * token goes into a header and nowhere else.
 */
#ifndef OTABENCH_CLIENT_ASK_H
#define OTABENCH_CLIENT_ASK_H

#include "common/json.h"
#include "scenarios/cli/admin_place.h"

#define ASK_PATH_MAX  1024
#define ASK_REPLY_MAX (16u << 20)

struct ask {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *path;   /* below the URL of the place, with query: "/records?limit=10" */
    const char *text;   /* of a POST; null: none */
    const char *file;   /* whose contents are PUT; null: none */
};

/* 0 with the reply in *out, an object; ERR_NOT_FOUND: nothing listens there; ERR_DIGEST: another
 * token is needed; ERR_WRONG_STATE: the cloud refuses, err is its sentence; ERR_IO: not reached in
 * another way, or what answers is no cloud of ours. */
int ask(const struct admin_place *place, const struct ask *what, struct json *out, struct err *err);

/* Appends text as it stands in a path or query; it stays as it was when there is no room.
 * ERR_LIMIT. */
int ask_escape(char out[ASK_PATH_MAX], const char *text);

#endif
