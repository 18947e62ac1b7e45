/*
 * Reading a set-up document: the walk that all its parts share, and the parts that are files of
 * their own.
 */
#ifndef OTABENCH_CLI_CLOUD_SETUP_WALK_H
#define OTABENCH_CLI_CLOUD_SETUP_WALK_H

#include "common/json.h"
#include "scenarios/cli/cloud_setup_internal.h"

#define SETUP_FIRMWARE_MAX 1000 /* of a product */

/* One walk over the document; the first only checks, the second sets up. */
struct setup_walk {
    struct cloud_setup *s;
    const cJSON *root;
    const struct setup_files *files;
    bool one; /* a single object, which names its product */
    bool apply;
    struct err *err;
};

/* A firmware while its files and tasks are read. */
struct setup_firmware_walk {
    const char *product, *version;
    int64_t delta_id;
    struct buf images[STORE_FILES_MAX];
    struct campaign_file files[STORE_FILES_MAX];
    uint32_t file_count;
};

/* A text of 1 to STORE_TEXT_MAX - 1 bytes; not needed: "" when it is absent. */
int setup_get_text(const struct setup_walk *w, const cJSON *obj, const char *key, bool needed,
                   const char **out);
/* What json_get_... says of a member that may be absent. */
int setup_optional(int rc);
/* Appends the contents of what "file" names. */
int setup_read_beside(const struct setup_walk *w, const cJSON *obj, struct buf *out);
/* An object by itself also has "product_key", with everything after the first n keys. */
int setup_only_keys(const struct setup_walk *w, const cJSON *obj, const char *const *keys, size_t n,
                    size_t n_one);
/* Calls one for each object of a list that may be absent. */
int setup_each(const struct setup_walk *w, const cJSON *obj, const char *key, int max,
               int (*one)(const struct setup_walk *w, const cJSON *item, void *ctx), void *ctx);
/* ERR_FORMAT when two objects of a list, which may be absent, have the same text under key. */
int setup_no_twins(const struct setup_walk *w, const cJSON *obj, const char *list, const char *key);
/* Whether the document or the cloud has the device. */
bool setup_has_device(const struct setup_walk *w, const char *identity);

/* The parts. ctx is a product key, of setup_read_task a struct setup_firmware_walk, of
 * setup_read_cms nothing. */
int setup_read_firmware(const struct setup_walk *w, const cJSON *obj, void *product);
int setup_read_task(const struct setup_walk *w, const cJSON *obj, void *firmware);
/* A task by itself, of a firmware that is there: it is the root. */
int setup_read_known_task(const struct setup_walk *w, const cJSON *obj, void *product);
int setup_read_cms(const struct setup_walk *w, const cJSON *obj, void *ctx);

#endif
