#include "scenarios/cli/cloud_setup_walk.h"

#include <stdio.h>
#include <unistd.h>

#include "scenarios/cli/input.h"

#define PATH_TEXT_MAX 512

int setup_get_text(const struct setup_walk *w, const cJSON *obj, const char *key, bool needed,
                   const char **out)
{
    *out = "";
    int rc = json_get_string(w->root, obj, key, needed ? 1 : 0, STORE_TEXT_MAX - 1, out, w->err);
    if (needed)
        return json_need(rc, w->root, obj, key, w->err);
    return rc < 0 ? rc : 0;
}

int setup_optional(int rc)
{
    return rc < 0 ? rc : 0;
}

int setup_read_beside(const struct setup_walk *w, const cJSON *obj, struct buf *out)
{
    char path[PATH_TEXT_MAX];
    const char *name = NULL;
    int rc = json_need(json_get_string(w->root, obj, "file", 1, PATH_TEXT_MAX / 2, &name, w->err),
                       w->root, obj, "file", w->err);
    if (rc != 0)
        return rc;
    (void)snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : w->files->dir, name);
    if (w->files->uploads && (!setup_is_file_name(name) || access(path, R_OK) != 0))
        return json_error(w->root, obj, w->err, "file \"%s\" has not been uploaded", name);
    rc = input_read(out, path, w->err);
    return rc == 0 ? 0 : err_prefix(w->err, rc, "set-up");
}

int setup_only_keys(const struct setup_walk *w, const cJSON *obj, const char *const *keys, size_t n,
                    size_t n_one)
{
    return json_only_keys(w->root, obj, keys, w->one ? n_one : n, w->err);
}

int setup_each(const struct setup_walk *w, const cJSON *obj, const char *key, int max,
               int (*one)(const struct setup_walk *w, const cJSON *item, void *ctx), void *ctx)
{
    const cJSON *list = NULL, *item = NULL;
    int rc = setup_optional(json_get_array(w->root, obj, key, 0, max, &list, w->err));
    if (rc != 0 || list == NULL)
        return rc;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsObject(item))
            return json_error(w->root, item, w->err, "must be an object");
        if ((rc = one(w, item, ctx)) != 0)
            return rc;
    }
    return 0;
}
