/*
 * Live operation of `otabench cloud`: a small HTTP service for engineers and scripts, beside what
 * devices talk to. It takes what a set-up file says (cloud_setup.h), while the cloud runs, with the
 * same words and the same errors, and shows what has become of it.
 *
 *   PUT, DELETE /admin/files/{name}     a file, that "file" may name from then on; GET lists them
 *   POST /admin/setup                   a whole set-up document
 *   POST /admin/devices                 one of its devices[], with "product_key"; GET lists them
 *   POST /admin/firmware                one of its firmware[], with "product_key"; GET lists it
 *   POST /admin/tasks                   one of its tasks[], with "product_key" and "firmware" (id)
 * or "version" and "module"; GET lists them GET, DELETE /admin/tasks/{id}       how far it is;
 * cancels it GET /admin/products, /admin/records
 *
 * Every request needs "Authorization: Bearer TOKEN". Replies are JSON: what was made or asked for,
 * or {"error": "..."} with 400 (cannot be read), 401, 404, 405, 409 (not in this state), 413 or
 * 500. Lists have up to "limit" rows and, when there are more, "next": the "after" of the next
 * request. What was answered with 200 is in the cloud's state, also after a kill or a power cut of
 * the host.
 */
#ifndef OTABENCH_CLI_ADMIN_H
#define OTABENCH_CLI_ADMIN_H

#include "mock_cloud/http/edge.h"
#include "scenarios/cli/cloud_setup.h"

#define ADMIN_FILES_MAX       64
#define ADMIN_FILE_BYTES_MAX  STORE_PACKAGE_BYTES_MAX
#define ADMIN_FILES_BYTES_MAX ((int64_t)256 << 20) /* of all */
#define ADMIN_TEXT_BYTES_MAX  (1u << 20)           /* of a request that is no file */
#define ADMIN_ROWS_MAX        1000                 /* of a list; 100 unless told */

struct admin_config {
    struct cloud *cloud;
    const char *token; /* 16 characters or more; copied */
    const char *dir;   /* where uploads are kept, a folder that is there; copied */
};
struct admin;

/* Null with the story in err. */
struct admin *admin_new(const struct admin_config *cfg, struct err *err);
void admin_free(struct admin *a); /* null is fine */
/* For edge_address.service; lives as long as a. */
const struct edge_service *admin_service(const struct admin *a);

#endif
