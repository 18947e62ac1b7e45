#include "scenarios/cli/runner.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/progress.h"
#include "scenarios/cli/report.h"
#include "scenarios/cli/timeline.h"

#define SIM_TIMEOUT_MS  60000
#define WIRE_TIMEOUT_MS 600000
#define PATH_BYTES      1024

struct runner {
    struct runner_options *o;
    struct scenario_files files;
    struct session session;
    char **traces;     /* one path per scenario, or null */
    char temp_dir[64]; /* of traces nobody asked to keep; empty: none */
    char cache[PATH_BYTES];
    char self[PATH_BYTES];
    struct paper paper;
};

/* ---- traces ---- */

static bool shows_story(const struct runner *r)
{
    return r->o->timeline || (!r->o->quiet && r->files.count == 1);
}

static bool wants_story(const struct runner *r)
{
    return shows_story(r) || (r->o->html != NULL && r->files.count == 1);
}

/* Where scenario i's trace goes: the file, or the folder and the scenario's name without slashes.
 */
static char *trace_path(const struct runner *r, size_t i)
{
    char path[PATH_BYTES];
    int n;
    if (r->o->trace != NULL && r->files.count == 1) {
        n = snprintf(path, sizeof path, "%s", r->o->trace);
    } else if (r->o->trace != NULL) {
        n = snprintf(path, sizeof path, "%s/%s.ndjson", r->o->trace, files_label(&r->files, i));
        for (char *p = path + strlen(r->o->trace) + 1; n > 0 && *p != '\0'; p++)
            if (*p == '/')
                *p = '-';
    } else {
        n = snprintf(path, sizeof path, "%s/%zu.ndjson", r->temp_dir, i);
    }
    return n > 0 && (size_t)n < sizeof path ? strdup(path) : NULL;
}

static int set_up_traces(struct runner *r, struct err *err)
{
    if (r->o->trace == NULL && !wants_story(r))
        return 0;
    if (r->o->trace == NULL) {
        (void)snprintf(r->temp_dir, sizeof r->temp_dir, "/tmp/otabench-trace-XXXXXX");
        if (mkdtemp(r->temp_dir) == NULL) {
            r->temp_dir[0] = '\0';
            return err_set(err, ERR_IO, "no folder for traces in /tmp: %s", strerror(errno));
        }
    } else if (r->files.count > 1 && mkdir(r->o->trace, 0777) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: no such folder can be made: %s", r->o->trace,
                       strerror(errno));
    }
    r->traces = calloc(r->files.count, sizeof *r->traces);
    if (r->traces == NULL)
        return err_set(err, ERR_NOMEM, "no memory for traces");
    for (size_t i = 0; i < r->files.count; i++) {
        r->traces[i] = trace_path(r, i);
        if (r->traces[i] == NULL)
            return err_set(err, ERR_LIMIT, "%s: the path of the trace is too long",
                           files_label(&r->files, i));
    }
    r->o->session.trace_paths = (const char *const *)r->traces;
    return 0;
}

static void clean_up(struct runner *r)
{
    for (size_t i = 0; r->traces != NULL && i < r->files.count; i++) {
        if (r->temp_dir[0] != '\0' && r->traces[i] != NULL)
            (void)unlink(r->traces[i]);
        free(r->traces[i]);
    }
    free(r->traces);
    if (r->temp_dir[0] != '\0')
        (void)rmdir(r->temp_dir);
    session_free(&r->session);
    files_free(&r->files);
}

/* ---- output ---- */

static void print(const struct buf *b)
{
    if (b->len_bytes > 0)
        (void)fwrite(b->data, 1, b->len_bytes, stdout);
}

static void show_story(const struct runner *r, size_t i)
{
    struct story story;
    struct buf b;
    struct err err = {.text = ""};
    const struct scenario_file *f = &r->files.item[i];
    story_init(&story);
    buf_init(&b, REPORT_BYTES_MAX);
    int rc = buf_printf(&b, "%s\n", files_label(&r->files, i));
    if (rc == 0)
        rc = report_paragraph(&b, f->text, 0, r->paper.columns);
    if (rc == 0)
        rc = buf_text(&b, "\n");
    if (rc == 0)
        rc = story_read(&story, r->traces[i], &err);
    if (rc == 0)
        rc = timeline_put(&b, &story, &r->paper);
    print(&b);
    if (rc != 0)
        (void)printf("no timeline: %s\n", err.text[0] != '\0' ? err.text : err_name(rc));
    buf_clear(&b);
    (void)putchar('\n');
    if (report_checks(&b, &r->session.results[i], &r->paper) == 0)
        print(&b);
    (void)putchar('\n');
    buf_free(&b);
    story_free(&story);
}

static int save_html(const struct runner *r, struct buf *b, struct err *err)
{
    struct story story;
    story_init(&story);
    bool single = r->files.count == 1 && r->traces != NULL;
    int rc = single ? story_read(&story, r->traces[0], err) : 0;
    /* A run that died before its first event has no story, and still a report. */
    rc = report_html(b, &r->session, single && rc == 0 ? &story : NULL);
    story_free(&story);
    return rc;
}

static int save_reports(const struct runner *r, struct err *err)
{
    const char *const paths[] = {r->o->junit, r->o->json, r->o->html};
    int rc = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && rc == 0; i++) {
        struct buf b;
        if (paths[i] == NULL)
            continue;
        buf_init(&b, REPORT_BYTES_MAX);
        rc = i == 0   ? report_junit(&b, &r->session)
             : i == 1 ? report_json(&b, &r->session)
                      : save_html(r, &b, err);
        if (rc != 0)
            (void)err_set(err, rc, "%s: the report does not fit into memory", paths[i]);
        else
            rc = report_save(paths[i], &b, err);
        buf_free(&b);
    }
    return rc;
}

static int conclude(const struct runner *r)
{
    struct buf b;
    struct err err = {.text = ""};
    for (size_t i = 0; shows_story(r) && i < r->files.count; i++)
        show_story(r, i);
    buf_init(&b, REPORT_BYTES_MAX);
    if (report_text(&b, &r->session, &r->paper) == 0)
        print(&b);
    buf_free(&b);
    (void)fflush(stdout);
    if (save_reports(r, &err) != 0)
        return cli_fail(r->o->command, EXIT_INCONCLUSIVE, "%s", err.text);
    return session_exit_code(&r->session);
}

/* ---- input ---- */

static int find_scenarios(struct runner *r)
{
    struct err err = {.text = ""};
    struct buf bad;
    if (files_collect(&r->files, r->o->paths, r->o->n_paths, &err) != 0)
        return cli_fail(r->o->command, EXIT_USAGE, "%s", err.text);
    buf_init(&bad, REPORT_BYTES_MAX);
    int n = files_check(&r->files, &bad);
    if (n > 0)
        (void)fwrite(bad.data, 1, bad.len_bytes, stderr);
    buf_free(&bad);
    if (n != 0)
        return cli_fail(r->o->command, EXIT_USAGE,
                        "%d of %zu scenarios cannot be used, none was run", n, r->files.count);
    if (r->o->only != NULL)
        files_only(&r->files, r->o->only);
    if (r->files.count == 0)
        return cli_fail(r->o->command, EXIT_NOT_APPLICABLE, "no scenario's name holds \"%s\"",
                        r->o->only);
    return 0;
}

static void set_defaults(struct runner *r)
{
    struct session_options *s = &r->o->session;
    cli_cache_dir(r->cache, sizeof r->cache);
    ssize_t n = readlink("/proc/self/exe", r->self, sizeof r->self - 1);
    r->self[n < 0 ? 0 : n] = '\0';
    if (s->jobs == 0)
        s->jobs = session_default_jobs();
    if (s->timeout_ms == 0)
        s->timeout_ms = s->run.mode == RUN_WIRE ? WIRE_TIMEOUT_MS : SIM_TIMEOUT_MS;
    if (s->run.cache_dir == NULL)
        s->run.cache_dir = r->cache;
    if (s->run.firmware_dir == NULL)
        s->run.firmware_dir = CLI_FIRMWARE_DIR;
    s->run.self_exe = r->self;
    r->paper = cli_paper(stdout);
    s->progress = progress_kind(r->o->quiet);
}

int runner_run(struct runner_options *o)
{
    struct runner r = {.o = o};
    struct err err = {.text = ""};
    (void)signal(SIGPIPE, SIG_IGN);
    const char *const reports[] = {o->junit, o->json, o->html};
    int code = find_scenarios(&r);
    if (code == 0)
        code = cli_reports(o->command, reports, sizeof reports / sizeof reports[0]);
    if (code == 0) {
        set_defaults(&r);
        int rc = set_up_traces(&r, &err);
        if (rc == 0)
            rc = session_run(&r.session, &r.files, &o->session, &err);
        code = rc == 0 ? conclude(&r) : cli_fail(o->command, EXIT_INCONCLUSIVE, "%s", err.text);
    }
    clean_up(&r);
    return code;
}
