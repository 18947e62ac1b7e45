#include "scenarios/cli/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLE "a token looks like cms/resume-in-tunnel#5eed or ...#5eed@137t3"

/* Reads 1..max_digits digits of that base; the text behind them, or null. */
static const char *digits(const char *p, const char *set, int base, size_t max_digits,
                          uint64_t *out)
{
    size_t n = strspn(p, set);
    if (n == 0 || n > max_digits)
        return NULL;
    char text[24];
    memcpy(text, p, n);
    text[n] = '\0';
    *out = strtoull(text, NULL, base);
    return p + n;
}

static bool name_ok(const char *name, size_t len)
{
    if (len == 0 || len >= SCENARIO_NAME_MAX || name[0] == '/')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || (name[i] == '.' && i + 1 < len && name[i + 1] == '.'))
            return false;
    return true;
}

int token_parse(struct token *t, const char *text, struct err *err)
{
    *t = (struct token){.seed = 0};
    const char *hash = strrchr(text, '#');
    if (hash == NULL)
        return err_set(err, ERR_FORMAT, "\"%.80s\" has no '#' and seed; " EXAMPLE, text);
    if (!name_ok(text, (size_t)(hash - text)))
        return err_set(err, ERR_FORMAT, "\"%.80s\" has no usable scenario name; " EXAMPLE, text);
    memcpy(t->name, text, (size_t)(hash - text));
    const char *p = digits(hash + 1, "0123456789abcdefABCDEF", 16, 16, &t->seed);
    if (p == NULL || t->seed == 0)
        return err_set(err, ERR_FORMAT,
                       "\"%.80s\": the seed must be 1 to 16 hex digits and not 0; " EXAMPLE, text);
    if (*p == '\0')
        return 0;
    uint64_t tear = 0;
    if (*p++ != '@' || (p = digits(p, "0123456789", 10, 15, &t->cut_op)) == NULL ||
        t->cut_op == 0 || *p++ != 't' || (p = digits(p, "0123456789", 10, 2, &tear)) == NULL ||
        *p != '\0')
        return err_set(err, ERR_FORMAT,
                       "\"%.80s\": the cut must be @OPERATIONtTEAR, both decimal; " EXAMPLE, text);
    if (tear >= TEAR_COUNT)
        return err_set(err, ERR_FORMAT,
                       "\"%.80s\": there is no tear %" PRIu64 ", 0 to %d are allowed", text, tear,
                       TEAR_COUNT - 1);
    t->tear = (enum nor_tear)tear;
    return 0;
}

int token_format(const struct token *t, char *out, size_t cap)
{
    int n;
    if (t->cut_op == 0)
        n = snprintf(out, cap, "%s#%" PRIx64, t->name, t->seed);
    else
        n = snprintf(out, cap, "%s#%" PRIx64 "@%" PRIu64 "t%d", t->name, t->seed, t->cut_op,
                     (int)t->tear);
    return n < 0 || (size_t)n >= cap ? ERR_LIMIT : 0;
}

int token_find(const struct token *t, const char *library, char *out, size_t cap, struct err *err)
{
    const char *const folders[] = {"scenarios/library", "scenarios"};
    size_t n = library == NULL ? sizeof folders / sizeof folders[0] : 1;
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(out, cap, "%s/%s.json", library == NULL ? folders[i] : library, t->name);
        if (len > 0 && (size_t)len < cap && access(out, R_OK) == 0)
            return 0;
    }
    if (library != NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no scenario %s/%s.json", library, t->name);
    return err_set(err, ERR_NOT_FOUND,
                   "there is no scenarios/library/%s.json nor scenarios/%s.json here; "
                   "--library DIR says where it is",
                   t->name, t->name);
}

static int put_quoted(struct buf *out, const char *text)
{
    int rc = buf_text(out, "'");
    for (const char *p = text; *p != '\0' && rc == 0; p++)
        rc = *p == '\'' ? buf_text(out, "'\\''") : buf_append(out, p, 1);
    return rc == 0 ? buf_text(out, "'") : rc;
}

/* The folder that --library must name; empty when the default places hold the scenario. */
static void library_of(const struct run_result *r, char out[sizeof r->path])
{
    size_t path = strlen(r->path), name = strlen(r->name) + 5;
    out[0] = '\0';
    if (path < name || strncmp(r->path + path - name, r->name, name - 5) != 0)
        return;
    memcpy(out, r->path, path - name);
    out[path - name] = '\0';
    if (strcmp(out, "scenarios/library/") == 0 || strcmp(out, "scenarios/") == 0)
        out[0] = '\0';
    else if (out[0] == '\0')
        memcpy(out, ".", 2);
    else if (strlen(out) > 1)
        out[path - name - 1] = '\0'; /* the slash */
}

int token_command(struct buf *out, const struct run_result *r)
{
    if (r->mode == RUN_WIRE) {
        int rc = buf_text(out, "otabench run --wire ");
        if (rc == 0)
            rc = put_quoted(out, r->path);
        return rc == 0 ? buf_printf(out, " --seed 0x%" PRIx64, r->seed) : rc;
    }
    char library[sizeof r->path];
    library_of(r, library);
    int rc = buf_text(out, "otabench replay ");
    if (rc == 0)
        rc = put_quoted(out, r->token);
    if (rc == 0 && library[0] != '\0')
        rc = buf_text(out, " --library ");
    return rc == 0 && library[0] != '\0' ? put_quoted(out, library) : rc;
}
