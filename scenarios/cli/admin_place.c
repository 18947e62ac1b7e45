#include "scenarios/cli/admin_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/input.h"

#define FILE_BYTES_MAX 4096
#define ADMIN_ROOT     "/admin"
#define TOKEN_MIN      16

int admin_place_in(const char *state_dir, char out[ADMIN_PATH_MAX], struct err *err)
{
    int len = snprintf(out, ADMIN_PATH_MAX, "%s/admin.json", state_dir);
    return len < ADMIN_PATH_MAX ? 0
                                : err_set(err, ERR_LIMIT, "%s: the path is too long", state_dir);
}

/* Whoever could put a file there could be given our token, or give us one of his. */
static int own_folder(const char *dir, struct err *err)
{
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
    if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, ERR_IO, "%s: is no folder that only this user writes to", dir);
    return 0;
}

int admin_place_of_user(char out[ADMIN_PATH_MAX], struct err *err)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    char dir[ADMIN_PATH_MAX / 2], parent[ADMIN_PATH_MAX / 2];
    if (run != NULL && run[0] == '/')
        (void)snprintf(dir, sizeof dir, "%s/otabench", run);
    else
        cli_cache_dir(dir, sizeof dir);
    (void)snprintf(parent, sizeof parent, "%s", dir);
    char *slash = strrchr(parent, '/');
    if (slash != NULL && slash != parent) {
        *slash = '\0';
        (void)mkdir(parent, 0700);
    }
    (void)snprintf(out, ADMIN_PATH_MAX, "%s/cloud.json", dir);
    return own_folder(dir, err);
}

int admin_place_write(const char *path, const struct admin_place *p, struct err *err)
{
    char part[ADMIN_PATH_MAX + 8];
    struct buf text;
    (void)snprintf(part, sizeof part, "%s.part", path);
    buf_init(&text, FILE_BYTES_MAX);
    (void)buf_text(&text, "{\"url\":");
    (void)json_put_string(&text, p->url);
    (void)buf_text(&text, ",\"token\":");
    (void)json_put_string(&text, p->token);
    (void)buf_text(&text, "}\n");
    (void)unlink(part);
    mode_t mask = umask(0077);
    FILE *f = fopen(part, "wxe");
    (void)umask(mask);
    bool good = f != NULL && fwrite(text.data, 1, text.len_bytes, f) == text.len_bytes;
    good = f != NULL && fclose(f) == 0 && good;
    good = good && rename(part, path) == 0;
    buf_free(&text);
    return good ? 0 : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
}

/* What goes into a header may not end it. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len >= TOKEN_MIN && len < ADMIN_TOKEN_MAX;
}

static int take_token(struct admin_place *p, const char *text, const char *path, struct err *err)
{
    if (!is_token(text))
        return err_set(err, ERR_FORMAT, "%s: the token has %d to %d visible characters", path,
                       TOKEN_MIN, ADMIN_TOKEN_MAX - 1);
    (void)snprintf(p->token, sizeof p->token, "%s", text);
    return 0;
}

static int read_text(const char *path, struct buf *out, struct err *err)
{
    buf_init(out, FILE_BYTES_MAX);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: there is no such file", path);
    return input_read(out, path, err);
}

int admin_place_read(const char *path, struct admin_place *out, struct err *err)
{
    static const struct json_limits limits = {.max_bytes = FILE_BYTES_MAX, .max_depth = 2};
    struct buf text;
    struct json doc = {.root = NULL};
    const char *url = "", *token = "";
    *out = (struct admin_place){.url = ""};
    int rc = read_text(path, &text, err);
    if (rc == 0) {
        rc = json_parse(&doc, text.data == NULL ? "" : (const char *)text.data, text.len_bytes,
                        &limits, err);
        if (rc == 0)
            rc = json_need(
                json_get_string(doc.root, doc.root, "url", 1, ADMIN_URL_MAX - 1, &url, err),
                doc.root, doc.root, "url", err);
        if (rc == 0)
            rc = json_need(
                json_get_string(doc.root, doc.root, "token", 1, ADMIN_TOKEN_MAX - 1, &token, err),
                doc.root, doc.root, "token", err);
        if (rc == 0)
            rc = admin_place_url(out, url, err);
        if (rc != 0)
            (void)err_prefix(err, rc, "%s", path);
    }
    if (rc == 0)
        rc = take_token(out, token, path, err);
    json_free(&doc);
    buf_free(&text);
    return rc;
}

void admin_place_forget(const char *path, const struct admin_place *p)
{
    struct admin_place there;
    if (path[0] != '\0' && admin_place_read(path, &there, NULL) == 0 &&
        strcmp(there.url, p->url) == 0 && strcmp(there.token, p->token) == 0)
        (void)unlink(path);
}

int admin_place_url(struct admin_place *p, const char *url, struct err *err)
{
    static const char scheme[] = "http://";
    size_t len = strlen(url);
    const char *host = url + sizeof scheme - 1;
    bool good = strncmp(url, scheme, sizeof scheme - 1) == 0 && host[0] != '\0' && host[0] != '/';
    for (size_t i = 0; i < len; i++)
        good = good && url[i] > ' ' && url[i] <= '~' && strchr("@?#", url[i]) == NULL;
    while (len > 0 && url[len - 1] == '/')
        len--;
    size_t root = sizeof ADMIN_ROOT - 1;
    if (good && len > root && strncmp(url + len - root, ADMIN_ROOT, root) == 0)
        len -= root;
    good = good && memchr(host, '/', (size_t)(url + len - host)) == NULL;
    if (!good || len + root >= sizeof p->url)
        return err_set(err, ERR_ARG,
                       "\"%s\": must be http://HOST:PORT, as otabench cloud prints it", url);
    (void)snprintf(p->url, sizeof p->url, "%.*s" ADMIN_ROOT, (int)len, url);
    return 0;
}

int admin_place_token(struct admin_place *p, const char *path, struct err *err)
{
    char token[ADMIN_TOKEN_MAX];
    int rc = input_read_line(token, sizeof token, path, err);
    return rc == 0 ? take_token(p, token, path, err) : rc;
}
