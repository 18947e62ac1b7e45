#include "scenarios/cli/cloud_setup_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    if (rc == 0 && out->len_bytes == 0)
        return json_error(w->root, obj, w->err, "file \"%s\" is empty", name);
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

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

int setup_no_twins(const struct setup_walk *w, const cJSON *obj, const char *list, const char *key)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(obj, list), *item = NULL;
    const char **texts = calloc((size_t)cJSON_GetArraySize(all) + 1, sizeof *texts);
    size_t n = 0;
    int rc = 0;
    if (texts == NULL)
        return err_set(w->err, ERR_NOMEM, "set-up: no memory");
    cJSON_ArrayForEach(item, all)
    {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, key));
        if (text != NULL)
            texts[n++] = text;
    }
    qsort(texts, n, sizeof *texts, by_text);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (strcmp(texts[i - 1], texts[i]) == 0)
            rc =
                json_error(w->root, all, w->err, "has the %s \"%s\" more than once", key, texts[i]);
    free(texts);
    return rc;
}

static bool lists_device(const cJSON *product, const char *identity)
{
    const cJSON *key = cJSON_GetObjectItemCaseSensitive(product, "product_key"), *item = NULL;
    size_t len = strcspn(identity, "&");
    if (!cJSON_IsString(key) || identity[len] != '&' ||
        strcmp(identity + len + 1, key->valuestring) != 0)
        return false;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(product, "devices"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
        if (name != NULL && strlen(name) == len && memcmp(name, identity, len) == 0)
            return true;
    }
    return false;
}

bool setup_has_device(const struct setup_walk *w, const char *identity)
{
    struct store_device d;
    const cJSON *product = NULL;
    if (store_get_device(cloud_store(w->s->cloud), identity, &d, NULL) == 0)
        return true;
    cJSON_ArrayForEach(product, cJSON_GetObjectItemCaseSensitive(w->root, "aliyun"))
    {
        if (lists_device(product, identity))
            return true;
    }
    return false;
}
