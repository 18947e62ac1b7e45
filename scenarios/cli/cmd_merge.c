/* otabench merge: shards of an exploration become one report. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/explore_report.h"

static const char help[] =
    "usage: otabench merge PART... [--json F] [--html F]\n"
    "\n"
    "Puts the JSON reports of otabench explore --shard together. With all shards the result has\n"
    "the same bytes as the report of an undivided run; with some it is marked incomplete.\n"
    "\n"
    "  --json F        JSON report\n"
    "  --html F        one self-contained page\n"
    "\n"
    "example:\n"
    "  otabench explore bug.json --shard 1/2 --json 1.json\n"
    "  otabench explore bug.json --shard 2/2 --json 2.json\n"
    "  otabench merge 1.json 2.json --html cuts.html\n"
    "\n"
    "Exit as otabench explore.\n";

static int read_part(struct explore_report *r, const char *path, struct err *err)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    struct buf b;
    char chunk[16384];
    int rc = 0;
    buf_init(&b, EXPLORE_REPORT_BYTES_MAX);
    for (size_t n; rc == 0 && (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        rc = buf_append(&b, chunk, n);
    if (ferror(f) != 0)
        rc = ERR_IO;
    (void)fclose(f);
    if (rc != 0)
        (void)err_set(err, rc, "cannot be read: %s", err_name(rc));
    else
        rc = explore_json_read(r, (const char *)b.data, b.len_bytes, err);
    buf_free(&b);
    return rc == 0 ? 0 : err_prefix(err, rc, "%s", path);
}

static int merge(char **paths, int n, const char *json, const char *html)
{
    struct explore_report all = {.shard = 1}, part = {.shard = 1};
    struct err err = {.text = ""};
    int rc = read_part(&all, paths[0], &err);
    for (int i = 1; i < n && rc == 0; i++) {
        rc = read_part(&part, paths[i], &err);
        if (rc == 0 && (rc = explore_report_merge(&all, &part, &err)) != 0)
            (void)err_prefix(&err, rc, "%s", paths[i]);
    }
    int code = 0;
    if (rc != 0) {
        code = cli_fail("merge", EXIT_INCONCLUSIVE, "%s", err.text);
    } else {
        explore_report_whole(&all);
        explore_print(&all);
        code = explore_save("merge", &all, json, html);
        if (code == 0)
            code = explore_report_exit_code(&all);
    }
    explore_report_free(&part);
    explore_report_free(&all);
    return code;
}

int cmd_merge(int argc, char **argv)
{
    static const struct option longs[] = {{"json", required_argument, NULL, 'j'},
                                          {"html", required_argument, NULL, 'm'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *json = NULL, *html = NULL;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c == 'h') {
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        }
        if (c == '?')
            return cli_bad_option("merge", argv);
        *(c == 'j' ? &json : &html) = optarg;
    }
    if (optind == argc)
        return cli_usage("merge", "which reports? At least one is needed");
    const char *const reports[] = {json, html};
    int code = cli_reports("merge", reports, sizeof reports / sizeof reports[0]);
    return code != 0 ? code : merge(argv + optind, argc - optind, json, html);
}
