#include "scenarios/cli/serve_state.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"

#define KEY_BYTES 16
_Static_assert(STATE_KEY_MAX == 2 * KEY_BYTES + 1, "the key as hex digits");

int serve_state_path(const struct serve_state *s, const char *name, char out[STATE_PATH_MAX],
                     struct err *err)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/%s", s->dir, name);
    return len < STATE_PATH_MAX ? 0 : err_set(err, ERR_LIMIT, "%s: the path is too long", s->dir);
}

static int open_dir(struct serve_state *s, const char *dir, struct err *err)
{
    if (dir == NULL) {
        (void)snprintf(s->dir, sizeof s->dir, "/tmp/otabench-cloud-XXXXXX");
        if (mkdtemp(s->dir) == NULL)
            return err_set(err, ERR_IO, "%s: %s", s->dir, strerror(errno));
        s->temporary = true;
        return 0;
    }
    if ((size_t)snprintf(s->dir, sizeof s->dir, "%s", dir) >= sizeof s->dir)
        return err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", s->dir, strerror(errno));
    return 0;
}

static int open_key(struct serve_state *s, struct err *err)
{
    uint8_t raw[KEY_BYTES];
    char path[STATE_PATH_MAX];
    int rc = serve_state_path(s, "key", path, err);
    if (rc != 0)
        return rc;
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        size_t got = fread(s->key, 1, sizeof s->key - 1, f);
        (void)fclose(f);
        return got == sizeof s->key - 1 && hex_decode(raw, KEY_BYTES, s->key)
                   ? 0
                   : err_set(err, ERR_FORMAT, "%s: must hold %d hex digits", path, 2 * KEY_BYTES);
    }
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return err_set(err, ERR_IO, "no random bytes: %s", strerror(errno));
    hex_encode(s->key, raw, sizeof raw);
    mode_t mask = umask(0077);
    f = fopen(path, "wxe");
    (void)umask(mask);
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    bool good = fwrite(s->key, 1, sizeof s->key - 1, f) == sizeof s->key - 1;
    good = fflush(f) == 0 && fsync(fileno(f)) == 0 && good;
    good = fclose(f) == 0 && good;
    return good ? 0 : err_set(err, ERR_IO, "%s: cannot be written", path);
}

int serve_state_open(struct serve_state *s, const char *dir, struct err *err)
{
    *s = (struct serve_state){.temporary = false};
    int rc = open_dir(s, dir, err);
    return rc == 0 ? open_key(s, err) : rc;
}

/* A temporary folder holds files only. */
void serve_state_close(struct serve_state *s)
{
    char path[STATE_PATH_MAX + NAME_MAX + 2];
    DIR *d = s->temporary ? opendir(s->dir) : NULL;
    struct dirent *entry;
    if (d == NULL)
        return;
    while ((entry = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", s->dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    (void)rmdir(s->dir);
}

int serve_state_ports(const struct serve_state *s, uint16_t out[STATE_PORTS], struct err *err)
{
    char path[STATE_PATH_MAX];
    int rc = serve_state_path(s, "ports", path, err);
    FILE *f = rc == 0 ? fopen(path, "re") : NULL;
    memset(out, 0, STATE_PORTS * sizeof *out);
    if (f == NULL)
        return rc;
    unsigned port = 0;
    for (int i = 0; i < STATE_PORTS && fscanf(f, "%5u", &port) == 1; i++)
        out[i] = port <= UINT16_MAX ? (uint16_t)port : 0;
    (void)fclose(f);
    return 0;
}

int serve_state_keep_ports(const struct serve_state *s, const uint16_t ports[STATE_PORTS],
                           struct err *err)
{
    char path[STATE_PATH_MAX];
    int rc = serve_state_path(s, "ports", path, err);
    FILE *f = rc == 0 ? fopen(path, "we") : NULL;
    if (f == NULL)
        return rc != 0 ? rc : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < STATE_PORTS; i++)
        (void)fprintf(f, "%u%c", ports[i], i + 1 < STATE_PORTS ? ' ' : '\n');
    return fclose(f) == 0 ? 0 : err_set(err, ERR_IO, "%s: cannot be written", path);
}
