/*
 * Where the live operation (admin.h) of a running `otabench cloud` is, and the token it asks for: a
 * small file for clients, mode 0600, that the cloud writes when it listens and takes away when it
 * ends. It lies in the folder of the cloud's state; and at a place of the user's own, where the
 * cloud that was started last is found by clients that are told nothing.
 */
#ifndef OTABENCH_CLI_ADMIN_PLACE_H
#define OTABENCH_CLI_ADMIN_PLACE_H

#include "common/err.h"

#define ADMIN_TOKEN_MAX 128 /* with terminator */
#define ADMIN_URL_MAX   256
#define ADMIN_PATH_MAX  512

struct admin_place {
    char url[ADMIN_URL_MAX]; /* "http://127.0.0.1:43615/admin" */
    char token[ADMIN_TOKEN_MAX];
};

/* The file in a state's folder. ERR_LIMIT. */
int admin_place_in(const char *state_dir, char out[ADMIN_PATH_MAX], struct err *err);
/* The user's file; its folder is made. ERR_IO, also when the folder is not the user's alone. */
int admin_place_of_user(char out[ADMIN_PATH_MAX], struct err *err);

/* The old file or the new one is there, at any time. ERR_IO. */
int admin_place_write(const char *path, const struct admin_place *p, struct err *err);
/* ERR_NOT_FOUND: there is no file; ERR_FORMAT, ERR_IO. */
int admin_place_read(const char *path, struct admin_place *out, struct err *err);
/* Removes the file if it still says that. */
void admin_place_forget(const char *path, const struct admin_place *p);

/* Takes a URL, with or without "/admin" at its end. ERR_ARG: not http://HOST:PORT. */
int admin_place_url(struct admin_place *p, const char *url, struct err *err);
/* Takes the token out of a file that holds nothing else. ERR_FORMAT, ERR_LIMIT, ERR_IO. */
int admin_place_token(struct admin_place *p, const char *path, struct err *err);

#endif
