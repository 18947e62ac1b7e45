/* otabench replay: one run again, exactly. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/replay.h"
#include "scenarios/cli/runner.h"
#include "scenarios/engine/token.h"

static const char help[] =
    "usage: otabench replay TOKEN [option...]\n"
    "\n"
    "Repeats one simulated run exactly and shows what happened. TOKEN is what every report "
    "prints:\n"
    "NAME#SEED, and with extra power cuts NAME#SEED@OPtTEAR,OPtTEAR...: flash operation OP and "
    "the\n"
    "number of a tear (otabench list --tears).\n"
    "\n"
    "  --library DIR    folder below which NAME.json lies\n"
    "                   (default: scenarios/library, then scenarios)\n"
    "  --trace F        every event as NDJSON\n"
    "  --flash-out F    the flash image at the end of the main phase, with its wear and marks in\n"
    "                   F.meta (see otabench flash)\n"
    "  --html F         HTML report with the lanes\n"
    "  --json F         JSON report\n"
    "  --quiet          no timeline\n"
    "  --gdb            does not run: prints the command that runs it under gdb and stops the\n"
    "                   device before each power cut\n"
    "  --in-process     runs in this process, without a worker or a time-out, for debuggers\n"
    "\n"
    "examples:\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1'\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1@137t3' --flash-out flash.bin\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1@137t3' --gdb\n"
    "\n"
    "Exit: 0 passed, 1 a requirement failed, 2 inconclusive or bench fault, 64 wrong usage.\n";

enum { OPT_LIBRARY = 1000, OPT_TRACE, OPT_FLASH, OPT_HTML, OPT_JSON, OPT_QUIET, OPT_GDB, OPT_IN };

/* Whether anything cuts the power: the token, or the scenario itself. */
static bool has_cuts(const char *path, const struct token *t)
{
    struct err err = {.text = ""};
    bool power = false;
    for (uint32_t i = 0; i < t->n_cuts; i++)
        power = power || t->cuts[i].kind != CUT_NETWORK;
    struct scenario *s = power ? NULL : calloc(1, sizeof *s);
    bool cuts = power || (s != NULL && scenario_load(s, path, &err) == 0 && s->n_power > 0);
    free(s);
    return cuts;
}

static int print_gdb(const char *path, const struct token *t, const char *text, const char *library)
{
    char self[1024];
    struct buf b;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    buf_init(&b, 8192);
    int rc = replay_gdb_command(&b, self, text, library, has_cuts(path, t));
    if (rc == 0)
        (void)puts((const char *)b.data);
    buf_free(&b);
    return rc == 0 ? EXIT_PASSED : cli_fail("replay", EXIT_INCONCLUSIVE, "the command is too long");
}

static int in_process(const char *path, struct run_options *o)
{
    char cache[512];
    cli_cache_dir(cache, sizeof cache);
    o->cache_dir = cache;
    o->firmware_dir = CLI_FIRMWARE_DIR;
    return replay_in_process(path, o);
}

struct request {
    struct runner_options o;
    const char *library;
    bool gdb, in_process;
};

/* 0, an exit code after a complaint, or -1: help was asked for. */
static int parse(int argc, char **argv, struct request *r)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"library", required_argument, NULL, OPT_LIBRARY},
        {"trace", required_argument, NULL, OPT_TRACE},
        {"flash-out", required_argument, NULL, OPT_FLASH},
        {"html", required_argument, NULL, OPT_HTML},
        {"json", required_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {"gdb", no_argument, NULL, OPT_GDB},
        {"in-process", no_argument, NULL, OPT_IN},
        {0},
    };
    *r = (struct request){.o = {.command = "replay", .timeline = true}};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;)
        switch (c) {
        case 'h':
            (void)fputs(help, stdout);
            return -1;
        case OPT_LIBRARY:
            r->library = optarg;
            break;
        case OPT_TRACE:
            r->o.trace = optarg;
            break;
        case OPT_FLASH:
            r->o.session.run.flash_out = optarg;
            break;
        case OPT_HTML:
            r->o.html = optarg;
            break;
        case OPT_JSON:
            r->o.json = optarg;
            break;
        case OPT_QUIET:
            r->o.quiet = true;
            r->o.timeline = false;
            break;
        case OPT_GDB:
            r->gdb = true;
            break;
        case OPT_IN:
            r->in_process = true;
            break;
        default:
            return cli_bad_option("replay", argv);
        }
    return argc - optind == 1 ? 0 : cli_usage("replay", "exactly one token is needed");
}

int cmd_replay(int argc, char **argv)
{
    struct request r;
    int code = parse(argc, argv, &r);
    if (code != 0)
        return code < 0 ? EXIT_PASSED : code;
    struct token token;
    struct err err = {.text = ""};
    char path[1024];
    char *const paths[] = {path};
    if (token_parse(&token, argv[optind], &err) != 0 ||
        replay_find(token.name, r.library, path, sizeof path, &err) != 0)
        return cli_usage("replay", "%s", err.text);
    if (r.gdb)
        return print_gdb(path, &token, argv[optind], r.library);
    if (r.in_process && (r.o.trace != NULL || r.o.html != NULL || r.o.json != NULL))
        return cli_usage("replay", "--in-process writes no reports");
    r.o.paths = paths;
    r.o.n_paths = 1;
    r.o.session.run.seed = token.seed;
    r.o.session.run.n_cuts = token.n_cuts;
    memcpy(r.o.session.run.cuts, token.cuts, sizeof token.cuts);
    return r.in_process ? in_process(path, &r.o.session.run) : runner_run(&r.o);
}
