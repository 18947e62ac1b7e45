#include "scenarios/cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

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

static int cannot(const char *path, int number, struct err *err)
{
    return err_set(err, ERR_IO, "%s: cannot be written: %s", path, strerror(number));
}

/* A file, there or not yet, is replaced as a whole; devices, pipes and links are written to. */
static bool is_replaced(const char *path, char part[PATH_BYTES])
{
    struct stat st;
    int n = snprintf(part, PATH_BYTES, "%s.part", path);
    bool regular = lstat(path, &st) == 0 ? S_ISREG(st.st_mode) : errno == ENOENT;
    return regular && n > 0 && n < PATH_BYTES &&
           (access(path, F_OK) != 0 || access(path, W_OK) == 0);
}

int report_save(const char *path, const struct buf *document, struct err *err)
{
    char part[PATH_BYTES];
    FILE *aside = is_replaced(path, part) ? fopen(part, "w") : NULL;
    FILE *f = aside != NULL ? aside : fopen(path, "w");
    if (f == NULL)
        return cannot(path, errno, err);
    int number =
        fwrite(document->data, 1, document->len_bytes, f) == document->len_bytes ? 0 : errno;
    if (fclose(f) != 0 && number == 0)
        number = errno;
    if (number == 0 && aside != NULL && rename(part, path) != 0)
        number = errno;
    if (number != 0 && aside != NULL)
        (void)unlink(part);
    return number == 0 ? 0 : cannot(path, number, err);
}

int report_probe(const char *const *paths, size_t n, struct err *err)
{
    char part[PATH_BYTES];
    for (size_t i = 0; i < n; i++) {
        if (paths[i] == NULL)
            continue;
        for (size_t k = 0; k < i; k++)
            if (paths[k] != NULL && strcmp(paths[k], paths[i]) == 0)
                return err_set(err, ERR_ARG, "%s: two reports cannot go to one file", paths[i]);
        struct stat st;
        FILE *f = NULL;
        if (is_replaced(paths[i], part) && (f = fopen(part, "w")) != NULL)
            (void)unlink(part);
        else if (stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode))
            return cannot(paths[i], EISDIR, err);
        else if (access(paths[i], W_OK) != 0)
            return cannot(paths[i], errno, err);
        if (f != NULL)
            (void)fclose(f);
    }
    return 0;
}
