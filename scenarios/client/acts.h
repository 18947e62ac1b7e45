/* How the verbs of a client do what they do: as client_verb.act (verbs.h). */
#ifndef OTABENCH_CLIENT_ACTS_H
#define OTABENCH_CLIENT_ACTS_H

#include "scenarios/client/verbs.h"

/* The whole of a list, however many pages the cloud makes of it. */
int act_list(const struct client_request *r, struct json *out, struct err *err);
/* The thing whose id or name is the argument: shown, or gone. */
int act_named(const struct client_request *r, struct json *out, struct err *err);
/* A new thing, of the argument and the options. */
int act_post(const struct client_request *r, struct json *out, struct err *err);
int act_upload(const struct client_request *r, struct json *out, struct err *err);
/* Firmware of files of this machine: they are uploaded for it, and dropped when it is made. */
int act_firmware(const struct client_request *r, struct json *out, struct err *err);
/* A set-up file of this machine, with the files that it names. */
int act_set_up(const struct client_request *r, struct json *out, struct err *err);
/* How far a task is; waits until all of its devices have ended, when told to. */
int act_task(const struct client_request *r, struct json *out, struct err *err);

#endif
