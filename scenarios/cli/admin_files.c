/* Files that were uploaded, for what is set up afterwards: one file each beside the state. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "scenarios/cli/admin_internal.h"
#include "scenarios/cli/cloud_setup_internal.h"

#define PREFIX "upload-"

static int path_of(const struct admin_call *call, const char *prefix, const char *name,
                   char out[ADMIN_PATH_MAX])
{
    if (!setup_is_file_name(name))
        return err_set(call->err, ERR_ARG,
                       "a file's name is 1 to 64 letters, digits, dots, hyphens and underscores");
    (void)snprintf(out, ADMIN_PATH_MAX, "%s/%s%s", call->a->dir, prefix, name);
    return 0;
}

/* Calls each for every upload in the order of the folder. */
static int each(const struct admin_call *call,
                void (*one)(const char *name, int64_t bytes, void *ctx), void *ctx)
{
    char path[ADMIN_PATH_MAX];
    struct stat st;
    struct dirent *entry;
    DIR *d = opendir(call->a->dir);
    if (d == NULL)
        return err_set(call->err, ERR_IO, "uploads cannot be listed: %s", strerror(errno));
    while ((entry = readdir(d)) != NULL) {
        const char *name = entry->d_name + sizeof PREFIX - 1;
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0 || !setup_is_file_name(name))
            continue;
        if (path_of(call, PREFIX, name, path) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            one(name, st.st_size, ctx);
    }
    (void)closedir(d);
    return 0;
}

static void list_one(const char *name, int64_t bytes, void *ctx)
{
    cJSON *row = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(row, "file", name);
    (void)cJSON_AddNumberToObject(row, "bytes", (double)bytes);
    (void)cJSON_AddItemToArray(ctx, row);
}

int admin_files_list(struct admin_call *call)
{
    cJSON *list = cJSON_AddArrayToObject(call->out, "files");
    return list == NULL ? err_set(call->err, ERR_NOMEM, "no memory") : each(call, list_one, list);
}

/* What lies there besides a name. */
struct others {
    const char *name;
    int count;
    int64_t bytes;
};

static void count_one(const char *name, int64_t bytes, void *ctx)
{
    struct others *o = ctx;
    if (strcmp(name, o->name) == 0)
        return;
    o->count++;
    o->bytes += bytes;
}

static int write_file(const struct admin_call *call, const char *path)
{
    const struct http_request *rq = call->rq;
    FILE *f = fopen(path, "we");
    bool good = f != NULL;
    if (good && rq->body_bytes > 0)
        good = fwrite(rq->body, 1, rq->body_bytes, f) == rq->body_bytes;
    good = good && fflush(f) == 0 && fsync(fileno(f)) == 0;
    if (f != NULL)
        good = fclose(f) == 0 && good;
    return good ? 0 : err_set(call->err, ERR_IO, "%s: %s", call->name, strerror(errno));
}

/* Either the old contents or the new are there, whenever it ends. */
int admin_file_put(struct admin_call *call)
{
    char part[ADMIN_PATH_MAX], path[ADMIN_PATH_MAX], md5[DIGEST_HEX_MAX];
    struct others o = {.name = call->name};
    int rc = path_of(call, PREFIX, call->name, path);
    if (rc == 0)
        rc = path_of(call, "part-", call->name, part);
    if (rc == 0)
        rc = each(call, count_one, &o);
    if (rc == 0 && (o.count >= ADMIN_FILES_MAX ||
                    o.bytes + (int64_t)call->rq->body_bytes > ADMIN_FILES_BYTES_MAX))
        rc = err_set(call->err, ERR_LIMIT, "at most %d files of %lld bytes together are kept",
                     ADMIN_FILES_MAX, (long long)ADMIN_FILES_BYTES_MAX);
    if (rc == 0)
        rc = write_file(call, part);
    if (rc == 0 && rename(part, path) != 0)
        rc = err_set(call->err, ERR_IO, "%s: %s", call->name, strerror(errno));
    if (rc != 0)
        return rc;
    digest_hex_of(DIGEST_MD5, call->rq->body, call->rq->body_bytes, md5);
    (void)cJSON_AddStringToObject(call->out, "file", call->name);
    (void)cJSON_AddNumberToObject(call->out, "bytes", (double)call->rq->body_bytes);
    (void)cJSON_AddStringToObject(call->out, "md5", md5);
    return 0;
}

int admin_file_drop(struct admin_call *call)
{
    char path[ADMIN_PATH_MAX];
    int rc = path_of(call, PREFIX, call->name, path);
    if (rc != 0)
        return rc;
    if (unlink(path) != 0)
        return err_set(call->err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                       "file \"%s\" has not been uploaded", call->name);
    (void)cJSON_AddStringToObject(call->out, "file", call->name);
    return 0;
}
