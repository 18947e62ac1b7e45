#include "mock_cloud/packages/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct err *err, const char *what, const char *path, int error)
{
    return err_set(err, error == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", what, path,
                   strerror(error));
}

int file_read(struct buf *out, const char *path, struct err *err)
{
    const size_t before = out->len_bytes;
    struct stat st;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "reading", path, errno);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = err_set(err, ERR_IO, "reading %s: not a regular file", path);
        goto cleanup;
    }
    rc = buf_append(out, NULL, (size_t)st.st_size);
    if (rc != 0) {
        err_set(err, rc, "reading %s: %lld bytes are too many", path, (long long)st.st_size);
        goto cleanup;
    }
    for (size_t at = before; at < out->len_bytes;) {
        ssize_t n = read(fd, out->data + at, out->len_bytes - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            out->len_bytes = before;
            rc = n < 0 ? failed(err, "reading", path, errno)
                       : err_set(err, ERR_IO, "reading %s: it became shorter", path);
            goto cleanup;
        }
        at += (size_t)n;
    }
cleanup:
    (void)close(fd);
    return rc;
}

/* Closes fd. */
static int write_all(int fd, const char *path, const uint8_t *data, size_t len_bytes,
                     struct err *err)
{
    for (size_t at = 0; at < len_bytes;) {
        ssize_t n = write(fd, data + at, len_bytes - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;
            (void)close(fd);
            return err_set(err, ERR_IO, "writing %s: %s", path, strerror(error));
        }
        at += (size_t)n;
    }
    if (close(fd) != 0)
        return err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
    return 0;
}

int file_write(const char *path, const uint8_t *data, size_t len_bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
    return write_all(fd, path, data, len_bytes, err);
}

int file_write_atomic(const char *path, const uint8_t *data, size_t len_bytes, struct err *err)
{
    char part[FILE_PATH_MAX];
    if (snprintf(part, sizeof part, "%s.XXXXXX", path) >= (int)sizeof part)
        return err_set(err, ERR_IO, "writing %s: the path is too long", path);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "writing %s: %s", part, strerror(errno));
    int rc = write_all(fd, part, data, len_bytes, err);
    if (rc == 0 && rename(part, path) != 0)
        rc = err_set(err, ERR_IO, "renaming %s to %s: %s", part, path, strerror(errno));
    if (rc != 0)
        (void)unlink(part);
    return rc;
}

int file_make_dirs(const char *path, struct err *err)
{
    char part[FILE_PATH_MAX];
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return err_set(err, ERR_IO, "directory \"%s\": 1 to %d characters are allowed", path,
                       FILE_PATH_MAX - 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return err_set(err, ERR_IO, "creating directory %s: %s", part, strerror(errno));
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "%s is not a directory", path);
    return 0;
}
