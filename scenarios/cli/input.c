#include "scenarios/cli/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
