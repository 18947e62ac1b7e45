#include "scenarios/cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_FILE_BYTES_MAX 4096

int input_read(struct buf *out, const char *path, struct err *err)
{
    char chunk[65536];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    int rc = 0;
    for (size_t n; rc == 0 && (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        rc = buf_append(out, chunk, n);
    if (rc != 0)
        (void)err_set(err, rc, "%s: larger than %zu bytes", path, out->max_bytes);
    else if (ferror(f))
        rc = err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    (void)fclose(f);
    return rc;
}

int input_read_line(char *out, size_t cap, const char *path, struct err *err)
{
    struct buf text;
    buf_init(&text, LINE_FILE_BYTES_MAX);
    int rc = input_read(&text, path, err);
    size_t len = text.len_bytes;
    while (len > 0 && (text.data[len - 1] == '\n' || text.data[len - 1] == '\r'))
        len--;
    if (rc == 0 && len >= cap)
        rc = err_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path, cap - 1);
    out[0] = '\0';
    if (rc == 0 && len > 0) {
        memcpy(out, text.data, len);
        out[len] = '\0';
        if (strcspn(out, "\r\n") != len)
            rc = err_set(err, ERR_FORMAT, "%s: must hold one line", path);
    }
    buf_free(&text);
    return rc;
}
