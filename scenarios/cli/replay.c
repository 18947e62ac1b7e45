#include "scenarios/cli/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/report.h"

int replay_find(const char *name, const char *library, char *out, size_t cap, struct err *err)
{
    if (name[0] == '/' || strstr(name, "..") != NULL)
        return err_set(err, ERR_FORMAT, "\"%.80s\" is not the name of a scenario", name);
    const char *const folders[] = {"scenarios/library", "scenarios"};
    size_t n = library == NULL ? sizeof folders / sizeof folders[0] : 1;
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(out, cap, "%s/%s.json", library == NULL ? folders[i] : library, name);
        if (len > 0 && (size_t)len < cap && access(out, R_OK) == 0)
            return 0;
    }
    if (library != NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no scenario %s/%s.json", library, name);
    return err_set(err, ERR_NOT_FOUND,
                   "there is no scenarios/library/%s.json nor scenarios/%s.json here; "
                   "--library DIR says where it is",
                   name, name);
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

int replay_command(struct buf *out, const struct run_result *r)
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

int replay_gdb_command(struct buf *out, const char *program, const char *token, const char *library,
                       bool cuts)
{
    int rc = buf_printf(out, "gdb -ex 'break %s' -ex run --args ",
                        cuts ? "bench_before_cut" : "judge_fail");
    if (rc == 0)
        rc = put_quoted(out, program);
    if (rc == 0)
        rc = buf_text(out, " replay ");
    if (rc == 0)
        rc = put_quoted(out, token);
    if (rc == 0)
        rc = buf_text(out, " --in-process");
    if (rc == 0 && library != NULL)
        rc = buf_text(out, " --library ");
    return rc == 0 && library != NULL ? put_quoted(out, library) : rc;
}

int replay_in_process(const char *path, const struct run_options *o)
{
    struct err err = {.text = ""};
    struct scenario *s = calloc(1, sizeof *s);
    struct run_result *r = calloc(1, sizeof *r);
    struct world *w = world_new(&err);
    struct buf b;
    struct paper paper = cli_paper(stdout);
    int code = EXIT_INCONCLUSIVE;
    buf_init(&b, REPORT_BYTES_MAX);
    if (s == NULL || r == NULL || w == NULL) {
        code = cli_fail("replay", code, "no memory");
    } else if (scenario_load(s, path, &err) != 0) {
        code = cli_fail("replay", EXIT_USAGE, "%s", err.text);
    } else {
        world_run(w, s, o, r);
        if (report_checks(&b, r, &paper) == 0 && b.len_bytes > 0)
            (void)fwrite(b.data, 1, b.len_bytes, stdout);
        (void)printf("%s: %s%s%s\n", r->token, verdict_name(r->verdict),
                     r->cause[0] != '\0' ? ", " : "", r->cause);
        code = result_exit_code(r, 1);
    }
    buf_free(&b);
    world_free(w);
    free(r);
    free(s);
    return code;
}
