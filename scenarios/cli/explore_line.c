#include "scenarios/cli/explore_line.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/explore_report.h"
#include "scenarios/cli/pool.h"
#include "scenarios/cli/session.h"

int explore_line_number(const struct explore_line *l, const char *option, uint64_t min,
                        uint64_t max, uint64_t *out)
{
    return cli_number(optarg, min, max, out)
               ? 0
               : cli_usage(l->command, "--%s %s: must be a number from %" PRIu64 " to %" PRIu64,
                           option, optarg, min, max);
}

static int take(struct explore_line *l, int option)
{
    uint64_t n = 0;
    int rc = 0;
    switch (option) {
    case LINE_JOBS:
        rc = explore_line_number(l, "jobs", 1, POOL_WORKERS_MAX, &n);
        l->jobs = (unsigned)n;
        return rc;
    case LINE_JSON:
        l->json = optarg;
        return 0;
    case LINE_CACHE:
        l->run.cache_dir = optarg;
        return 0;
    default:
        l->quiet = true;
        return 0;
    }
}

/* An option that the other form of the command has is named as such. */
static int bad_option(const struct explore_line *l, char *const *argv)
{
    const char *option = argv[optind - 1];
    for (const char *const *o = l->others; *o != NULL; o++)
        if (strncmp(option, *o, strlen(*o)) == 0 && strchr("=", option[strlen(*o)]) != NULL)
            return cli_usage(l->command, "%s: there is no such option with%s --closure", *o,
                             strcmp(l->command, "explore") == 0 ? "out" : "");
    return cli_bad_option(l->command, argv);
}

int explore_line_read(struct explore_line *l, int argc, char **argv, const struct option *longs,
                      const char *help, int (*own)(int option, void *ctx), void *ctx)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == LINE_HELP) {
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        }
        if (option == '?')
            return bad_option(l, argv);
        int rc = option >= LINE_OWN ? own(option, ctx) : take(l, option);
        if (rc != 0)
            return rc;
    }
    if (optind == argc)
        return cli_usage(l->command, "which scenarios? A file or folder is needed");
    l->paths = argv + optind;
    l->n_paths = argc - optind;
    (void)signal(SIGPIPE, SIG_IGN);
    cli_cache_dir(l->cache, sizeof l->cache);
    if (l->run.cache_dir == NULL)
        l->run.cache_dir = l->cache;
    l->run.firmware_dir = CLI_FIRMWARE_DIR;
    if (l->jobs == 0)
        l->jobs = session_default_jobs();
    return -1;
}

int explore_line_scenarios(const struct explore_line *l, struct scenario_files *f)
{
    struct err err = {.text = ""};
    struct buf bad;
    if (files_collect(f, l->paths, (size_t)l->n_paths, &err) != 0)
        return cli_fail(l->command, EXIT_USAGE, "%s", err.text);
    buf_init(&bad, EXPLORE_REPORT_BYTES_MAX);
    int wrong = files_check(f, &bad);
    if (wrong > 0)
        (void)fwrite(bad.data, 1, bad.len_bytes, stderr);
    buf_free(&bad);
    if (wrong != 0)
        return cli_fail(l->command, EXIT_USAGE, "%d of %zu scenarios cannot be used", wrong,
                        f->count);
    const char *const reports[] = {l->json, l->html};
    return cli_reports(l->command, reports, sizeof reports / sizeof reports[0]);
}
