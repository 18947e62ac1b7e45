/* otabench shrink: the smallest scenario that breaks the same requirement. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/replay.h"
#include "scenarios/cli/report.h"
#include "scenarios/engine/scenario_document.h"
#include "scenarios/engine/shrink.h"
#include "scenarios/engine/token.h"

static const char help[] =
    "usage: otabench shrink TOKEN|SCENARIO.json [option...]\n"
    "\n"
    "Takes a failing run and leaves out of it what the failure does not need: cuts, faults, "
    "offers,\n"
    "settings, bytes. What remains is a scenario file that breaks the same requirement, and in\n"
    "which no single one of these steps can be repeated.\n"
    "\n"
    "  --out F            the scenario goes to F (default: standard output)\n"
    "  --requirement ID   keep this one failing (default: the first that fails)\n"
    "  --runs N           simulate at most N candidates (default 3000)\n"
    "  --library DIR      folder below which a token's NAME.json lies\n"
    "                     (default: scenarios/library, then scenarios)\n"
    "  --cache DIR        where made packages are kept\n"
    "  --quiet            no progress\n"
    "\n"
    "examples:\n"
    "  otabench shrink 'cms/x#1@137t3,150t0' --out bug.json\n"
    "  otabench shrink bug.json --requirement PWR-02\n"
    "\n"
    "Ctrl-C ends the search with the smallest that was found so far.\n"
    "Exit: 0 shrunk, 2 it does not fail, or a bench fault, 64 wrong usage.\n";

struct shrink_command {
    const char *what, *out, *requirement, *library;
    uint64_t runs;
    bool quiet;
    struct scenario *scenario; /* owned */
    struct world *world;       /* owned */
    struct run_options run;
    char cache[512];
    char repeat[1024];
};

/* Ctrl-C; the second one ends the program at once. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
    (void)signal(number, SIG_DFL);
}

static bool show_progress(void *ctx, const struct shrink_progress *p)
{
    const struct shrink_command *c = ctx;
    if (!c->quiet && (isatty(STDERR_FILENO) || p->runs % 200 == 0))
        cli_status("%u/%u runs, %s: %u faults, %" PRIu64 " image bytes, %" PRIu64
                   " flash operations, file of %zu bytes",
                   p->runs, p->runs_max, p->step, p->now.faults, p->now.image_bytes, p->now.ops,
                   p->now.document_bytes);
    return !interrupted;
}

/* A file that is there, else a token. */
static int load(struct shrink_command *c)
{
    struct token token = {.n_cuts = 0};
    struct err err = {.text = ""};
    char path[1024];
    const char *file = c->what;
    if (access(file, R_OK) != 0) {
        size_t len = strlen(file);
        if (len > 5 && strcmp(file + len - 5, ".json") == 0 && strchr(file, '#') == NULL)
            return cli_fail("shrink", EXIT_USAGE, "%s: %s", file, strerror(errno));
        if (token_parse(&token, c->what, &err) != 0 ||
            replay_find(token.name, c->library, path, sizeof path, &err) != 0)
            return cli_usage("shrink", "%s", err.text);
        file = path;
        c->run.seed = token.seed;
        c->run.n_cuts = token.n_cuts;
        memcpy(c->run.cuts, token.cuts, sizeof token.cuts);
    }
    if (scenario_load(c->scenario, file, &err) != 0)
        return cli_usage("shrink", "%s", err.text);
    return 0;
}

/* What repeats the result once it is in the file; empty for standard output. */
static int name_repeat(struct shrink_command *c)
{
    struct run_result r = {.mode = RUN_SIM};
    struct token t = {.seed = 1};
    struct err err = {.text = ""};
    struct buf b;
    if (c->out == NULL)
        return 0;
    if (strlen(c->out) >= sizeof r.path || document_name(c->out, t.name, &err) != 0)
        return cli_usage("shrink", "--out %s: %s", c->out,
                         err.text[0] != '\0' ? err.text : "the path is too long");
    (void)snprintf(r.path, sizeof r.path, "%s", c->out);
    memcpy(r.name, t.name, sizeof r.name);
    token_print(&t, r.token);
    buf_init(&b, sizeof c->repeat - 1);
    if (replay_command(&b, &r) == 0)
        memcpy(c->repeat, b.data, b.len_bytes + 1);
    buf_free(&b);
    return 0;
}

static void say(const struct shrink_result *r, const struct shrink_command *c)
{
    const struct {
        const char *what;
        uint64_t before, after;
    } rows[] = {
        {"faults", r->before.faults, r->after.faults},
        {"files", r->before.files, r->after.files},
        {"versions", r->before.versions, r->after.versions},
        {"offers", r->before.offers, r->after.offers},
        {"image bytes", r->before.image_bytes, r->after.image_bytes},
        {"flash operations", r->before.ops, r->after.ops},
        {"bytes of the file", r->before.document_bytes, r->after.document_bytes},
    };
    FILE *f = c->out == NULL ? stderr : stdout;
    (void)fprintf(f, "%s still fails: %s\n", r->requirement, r->detail);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        (void)fprintf(f, "  %-18s %8" PRIu64 " -> %" PRIu64 "\n", rows[i].what, rows[i].before,
                      rows[i].after);
    (void)fprintf(f, "%u runs, %u of them smaller%s\n", r->runs, r->steps,
                  interrupted    ? "; interrupted, there may be a smaller one"
                  : r->exhausted ? "; the limit of --runs was reached, there may be a smaller one"
                                 : "");
    if (c->out != NULL)
        (void)fprintf(f, "written: %s\nrepeat:  %s\n", c->out, c->repeat);
}

/* What was written is read and run as anybody would. */
static int verify(struct shrink_command *c, const struct buf *document,
                  const struct shrink_result *r)
{
    struct err err = {.text = ""};
    struct run_options o = {.cache_dir = c->run.cache_dir, .firmware_dir = c->run.firmware_dir};
    struct run_result *again = calloc(1, sizeof *again);
    int rc = again == NULL    ? err_set(&err, ERR_NOMEM, "no memory")
             : c->out != NULL ? scenario_load(c->scenario, c->out, &err)
                              : scenario_parse(c->scenario, (const char *)document->data,
                                               document->len_bytes, "shrunk", &err);
    bool fails = false;
    if (rc == 0) {
        world_run(c->world, c->scenario, &o, again);
        fails = shrink_failing(again, r->requirement) != NULL;
    }
    free(again);
    if (fails)
        return 0;
    return cli_fail("shrink", EXIT_INCONCLUSIVE, "%s does not fail in what was written%s%s",
                    r->requirement, rc != 0 ? ": " : "", err.text);
}

static int run(struct shrink_command *c)
{
    struct shrink_result r;
    struct err err = {.text = ""};
    struct buf document;
    struct shrink_options o = {.run = &c->run,
                               .requirement = c->requirement,
                               .repeat = c->out == NULL ? NULL : c->repeat,
                               .runs_max = (uint32_t)c->runs,
                               .progress = show_progress,
                               .ctx = c};
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    buf_init(&document, REPORT_BYTES_MAX);
    int rc = shrink(c->scenario, c->world, &o, &r, &document, &err);
    if (!c->quiet)
        cli_status_clear();
    int code = 0;
    if (rc == 0 && c->out != NULL)
        rc = report_save(c->out, &document, &err);
    if (rc != 0)
        code = cli_fail("shrink", EXIT_INCONCLUSIVE, "%s", err.text);
    else
        code = verify(c, &document, &r);
    if (code == 0 && c->out == NULL)
        (void)fwrite(document.data, 1, document.len_bytes, stdout);
    if (code == 0)
        say(&r, c);
    buf_free(&document);
    return code;
}

enum { OPT_OUT = 1000, OPT_REQUIREMENT, OPT_RUNS, OPT_LIBRARY, OPT_CACHE, OPT_QUIET };

/* 0; -1: help was asked for; else the exit code. */
static int parse(int argc, char **argv, struct shrink_command *c)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"out", required_argument, NULL, OPT_OUT},
        {"requirement", required_argument, NULL, OPT_REQUIREMENT},
        {"runs", required_argument, NULL, OPT_RUNS},
        {"library", required_argument, NULL, OPT_LIBRARY},
        {"cache", required_argument, NULL, OPT_CACHE},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {0},
    };
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;)
        switch (option) {
        case 'h':
            (void)fputs(help, stdout);
            return -1;
        case OPT_OUT:
            c->out = optarg;
            break;
        case OPT_REQUIREMENT:
            if (strcmp(optarg, "EXPECT") != 0 && requirement_find(optarg) == NULL)
                return cli_usage("shrink",
                                 "there is no requirement %s (otabench list "
                                 "--requirements)",
                                 optarg);
            c->requirement = optarg;
            break;
        case OPT_RUNS:
            if (!cli_number(optarg, 1, SHRINK_RUNS_MAX, &c->runs))
                return cli_usage("shrink", "--runs %s: must be from 1 to %u", optarg,
                                 SHRINK_RUNS_MAX);
            break;
        case OPT_LIBRARY:
            c->library = optarg;
            break;
        case OPT_CACHE:
            c->run.cache_dir = optarg;
            break;
        case OPT_QUIET:
            c->quiet = true;
            break;
        default:
            return cli_bad_option("shrink", argv);
        }
    if (argc - optind != 1)
        return cli_usage("shrink", "exactly one token or scenario file is needed");
    c->what = argv[optind];
    return 0;
}

int cmd_shrink(int argc, char **argv)
{
    struct shrink_command c = {.runs = SHRINK_RUNS_DEFAULT};
    struct err err = {.text = ""};
    int code = parse(argc, argv, &c);
    if (code != 0)
        return code < 0 ? EXIT_PASSED : code;
    cli_cache_dir(c.cache, sizeof c.cache);
    if (c.run.cache_dir == NULL)
        c.run.cache_dir = c.cache;
    c.run.firmware_dir = CLI_FIRMWARE_DIR;
    c.scenario = calloc(1, sizeof *c.scenario);
    c.world = world_new(&err);
    if (c.scenario == NULL || c.world == NULL)
        code = cli_fail("shrink", EXIT_INCONCLUSIVE, "%s", err.text);
    else
        code = load(&c);
    if (code == 0)
        code = name_repeat(&c);
    if (code == 0)
        code = cli_reports("shrink", &c.out, 1);
    if (code == 0)
        code = run(&c);
    world_free(c.world);
    free(c.scenario);
    return code;
}
