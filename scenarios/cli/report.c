#include "scenarios/cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void report_group(const char *id, char out[REQUIREMENT_ID_MAX])
{
    size_t n = strcspn(id, "-");
    if (n >= REQUIREMENT_ID_MAX)
        n = REQUIREMENT_ID_MAX - 1;
    memcpy(out, id, n);
    out[n] = '\0';
}

const struct requirement *report_requirement(const char *id)
{
    static const struct requirement unknown = {"", "not in the catalogue", ""};
    const struct requirement *r = requirement_find(id);
    return r == NULL ? &unknown : r;
}

int report_save(const char *path, const struct buf *document, struct err *err)
{
    FILE *f = fopen(path, "w");
    bool ok = f != NULL && fwrite(document->data, 1, document->len_bytes, f) == document->len_bytes;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    return ok ? 0 : err_set(err, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}
