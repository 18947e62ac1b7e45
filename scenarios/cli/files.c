#include "scenarios/cli/files.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct scenario_files *f, const char *path, bool named, struct err *err)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->item[i].path, path) == 0) {
            f->item[i].named = f->item[i].named || named;
            return 0;
        }
    if (strlen(path) >= sizeof f->item->path)
        return err_set(err, ERR_LIMIT, "%.60s...: the path is longer than %zu bytes", path,
                       sizeof f->item->path - 1);
    if (f->count == FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d scenarios", FILES_MAX);
    if (f->count == f->cap) {
        size_t cap = f->cap == 0 ? 64 : f->cap * 2;
        struct scenario_file *item = realloc(f->item, cap * sizeof *item);
        if (item == NULL)
            return err_set(err, ERR_NOMEM, "no memory for the list of scenarios");
        f->item = item;
        f->cap = cap;
    }
    struct scenario_file *new = &f->item[f->count++];
    memset(new, 0, sizeof *new);
    new->named = named;
    (void)snprintf(new->path, sizeof new->path, "%s", path);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct scenario_file *)a)->path, ((const struct scenario_file *)b)->path);
}

static bool is_json(const char *name, size_t len)
{
    return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static int walk(struct scenario_files *f, char *folder, struct err *err)
{
    size_t before = f->count, len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        folder[--len] = '\0';
    char *const roots[] = {folder, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (fts == NULL)
        return err_set(err, ERR_IO, "%s: %s", folder, strerror(errno));
    int rc = 0;
    bool any = false;
    for (FTSENT *e; rc == 0 && (e = fts_read(fts)) != NULL;) {
        bool hidden = e->fts_level > 0 && e->fts_name[0] == '.';
        if (e->fts_info == FTS_D && hidden) {
            (void)fts_set(fts, e, FTS_SKIP);
        } else if (e->fts_info == FTS_F && !hidden && is_json(e->fts_name, e->fts_namelen)) {
            any = true;
            rc = add(f, e->fts_path, false, err);
        } else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR) {
            rc = err_set(err, ERR_IO, "%s: %s", e->fts_path, strerror(e->fts_errno));
        }
    }
    (void)fts_close(fts);
    if (rc == 0 && !any)
        rc =
            err_set(err, ERR_NOT_FOUND, "%s: there is no scenario (*.json) in this folder", folder);
    if (rc == 0 && f->count > before)
        qsort(f->item + before, f->count - before, sizeof *f->item, by_path);
    return rc;
}

int files_collect(struct scenario_files *f, char *const *paths, size_t n, struct err *err)
{
    *f = (struct scenario_files){.item = NULL};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char *path = strdup(paths[i]);
        if (path == NULL)
            return err_set(err, ERR_NOMEM, "no memory for the list of scenarios");
        FILE *probe = fopen(path, "r");
        char byte;
        if (probe == NULL)
            rc = err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
        else if (fread(&byte, 1, 1, probe) == 0 && ferror(probe) && errno == EISDIR)
            rc = walk(f, path, err);
        else
            rc = add(f, path, true, err);
        if (probe != NULL)
            (void)fclose(probe);
        free(path);
    }
    return rc;
}

void files_free(struct scenario_files *f)
{
    free(f->item);
    *f = (struct scenario_files){.item = NULL};
}

int files_check(struct scenario_files *f, struct buf *complaints)
{
    struct scenario *s = malloc(sizeof *s);
    int bad = 0;
    if (s == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < f->count; i++) {
        struct scenario_file *file = &f->item[i];
        struct err err = {.text = ""};
        if (scenario_load(s, file->path, &err) != 0) {
            bad++;
            (void)buf_printf(complaints, "%s\n", err.text);
            continue;
        }
        memcpy(file->name, s->name, sizeof file->name);
        memcpy(file->text, s->text, sizeof file->text);
        file->seed = s->seed;
        file->wire = s->wire;
    }
    free(s);
    return bad;
}

void files_only(struct scenario_files *f, const char *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (strstr(f->item[i].name, text) != NULL)
            f->item[kept++] = f->item[i];
    f->count = kept;
}

const char *files_label(const struct scenario_files *f, size_t index)
{
    for (size_t i = 0; i < f->count; i++)
        if (i != index && strcmp(f->item[i].name, f->item[index].name) == 0)
            return f->item[index].path;
    return f->item[index].name;
}
