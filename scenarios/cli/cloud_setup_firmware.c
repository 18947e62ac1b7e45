/* Firmware of a set-up document, with its files and tasks. */
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/cloud_setup_walk.h"

static int read_file(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"name", "file"};
    struct setup_firmware_walk *f = ctx;
    const char *name = "";
    int rc = json_only_keys(w->root, obj, keys, 2, w->err);
    if (rc == 0)
        rc = setup_get_text(w, obj, "name", true, &name);
    if (rc == 0)
        rc = setup_read_beside(w, obj, &f->images[f->file_count]);
    if (rc == 0) {
        f->files[f->file_count] =
            (struct campaign_file){.name = name,
                                   .content = f->images[f->file_count].data,
                                   .bytes = (uint32_t)f->images[f->file_count].len_bytes};
        f->file_count++;
    }
    return rc;
}

static int read_extra(const struct setup_walk *w, const cJSON *obj, char **out)
{
    const cJSON *extra = NULL;
    int rc = setup_optional(json_get_object(w->root, obj, "extra", &extra, w->err));
    if (rc != 0 || extra == NULL)
        return rc;
    *out = cJSON_PrintUnformatted(extra);
    if (*out == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    return strlen(*out) < STORE_EXTRA_MAX
               ? 0
               : json_error(w->root, extra, w->err, "has more than %d bytes", STORE_EXTRA_MAX - 1);
}

static int read_firmware_parts(const struct setup_walk *w, const cJSON *obj,
                               struct setup_firmware_walk *f, struct campaign_firmware *c)
{
    static const char *const keys[] = {"version", "module",    "file",  "files", "sign",
                                       "diff",    "over_mqtt", "extra", "tasks", "product_key"};
    static const char *const signs[] = {"md5", "sha256"};
    int sign = 0;
    int rc = setup_only_keys(w, obj, keys, 9, 10);
    if (rc == 0)
        rc = setup_get_text(w, obj, "version", true, &c->version);
    if (rc == 0)
        rc = setup_get_text(w, obj, "module", false, &c->module);
    if (rc == 0)
        rc = setup_optional(json_get_word(w->root, obj, "sign", signs, 2, &sign, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_bool(w->root, obj, "diff", &c->diff, w->err));
    if (rc == 0)
        rc = setup_optional(json_get_bool(w->root, obj, "over_mqtt", &c->over_mqtt, w->err));
    if (rc != 0)
        return rc;
    c->sign = sign == 0 ? SIGN_MD5 : SIGN_SHA256;
    bool many = cJSON_GetObjectItemCaseSensitive(obj, "files") != NULL;
    if (many == (cJSON_GetObjectItemCaseSensitive(obj, "file") != NULL))
        return json_error(w->root, obj, w->err, "needs either \"file\" or \"files\"");
    if (many) {
        rc = setup_no_twins(w, obj, "files", "name");
        if (rc == 0)
            rc = setup_each(w, obj, "files", STORE_FILES_MAX, read_file, f);
        if (rc == 0 && f->file_count < 2)
            rc = json_error(w->root, obj, w->err, "\"files\" has 2 to %d, one is \"file\"",
                            STORE_FILES_MAX);
    } else if ((rc = setup_read_beside(w, obj, &f->images[0])) == 0) {
        f->files[0] = (struct campaign_file){.content = f->images[0].data,
                                             .bytes = (uint32_t)f->images[0].len_bytes};
        f->file_count = 1;
    }
    if (rc == 0 && c->over_mqtt && f->file_count > 1)
        rc = json_error(w->root, obj, w->err, "only one file goes over MQTT");
    c->files = f->files;
    c->file_count = f->file_count;
    return rc;
}

int setup_read_firmware(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    struct setup_firmware_walk *f = calloc(1, sizeof *f);
    struct campaign_firmware c = {.product_id = ctx};
    char *extra = NULL;
    if (f == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        buf_init(&f->images[i], STORE_PACKAGE_BYTES_MAX);
    int rc = read_firmware_parts(w, obj, f, &c);
    if (rc == 0)
        rc = read_extra(w, obj, &extra);
    c.extra = extra;
    f->product = ctx;
    f->version = c.version;
    if (rc == 0 && w->apply)
        rc = setup_put_firmware(w->s, &c, &f->delta_id, w->err);
    if (rc == 0 && w->s->firmware_id == 0)
        w->s->firmware_id = f->delta_id;
    struct setup_walk inner = *w;
    inner.one = false;
    if (rc == 0)
        rc = setup_each(&inner, obj, "tasks", SETUP_TASKS_MAX, setup_read_task, f);
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        buf_free(&f->images[i]);
    cJSON_free(extra);
    free(f);
    return rc;
}
