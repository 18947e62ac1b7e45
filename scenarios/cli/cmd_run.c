/* otabench run: scenarios through the bench, verdicts and reports out. */
#include <getopt.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/runner.h"

static const char help[] =
    "usage: otabench run PATH... [option...]\n"
    "\n"
    "Runs scenarios and judges them. PATH is a scenario file or a folder with scenarios (*.json)\n"
    "below it.\n"
    "\n"
    "  --wire          real time: real sockets, the device a process of its own; of a folder\n"
    "                  only scenarios made for it (\"wire\": true)\n"
    "  --seed N        instead of the scenario's own seed; decimal or 0x...\n"
    "  --jobs N        worker processes (default: one per processor)\n"
    "  --only TEXT     only scenarios whose name holds TEXT\n"
    "  --timeout S     real seconds a scenario may take (default 60, with --wire 600)\n"
    "  --junit F       JUnit XML report\n"
    "  --html F        HTML report, one self-contained page\n"
    "  --json F        JSON report\n"
    "  --trace F       every event as NDJSON; with several scenarios F is a folder\n"
    "  --timeline      show what happened (always done for a single scenario)\n"
    "  --quiet         no progress, and no timeline unless --timeline is given: what did not\n"
    "                  pass, and the totals\n"
    "  --cache DIR     where made packages are kept\n"
    "                  (default: $XDG_CACHE_HOME/otabench or ~/.cache/otabench)\n"
    "\n"
    "examples:\n"
    "  otabench run scenarios/library --junit out/ota.xml\n"
    "  otabench run bug.json --trace bug.ndjson\n"
    "  otabench run scenarios/library --only resume --seed 0x5eed --html out/resume.html\n"
    "\n"
    "Exit: 0 all passed, 1 a requirement failed, 2 inconclusive or bench fault, 64 wrong usage,\n"
    "77 nothing applicable.\n";

enum {
    OPT_HELP = 'h',
    OPT_WIRE = 1000,
    OPT_SEED,
    OPT_JOBS,
    OPT_ONLY,
    OPT_TIMEOUT,
    OPT_JUNIT,
    OPT_HTML,
    OPT_JSON,
    OPT_TRACE,
    OPT_TIMELINE,
    OPT_QUIET,
    OPT_CACHE
};

static const struct option longs[] = {
    {"help", no_argument, NULL, OPT_HELP},
    {"wire", no_argument, NULL, OPT_WIRE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"only", required_argument, NULL, OPT_ONLY},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"html", required_argument, NULL, OPT_HTML},
    {"json", required_argument, NULL, OPT_JSON},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"timeline", no_argument, NULL, OPT_TIMELINE},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"cache", required_argument, NULL, OPT_CACHE},
    {0},
};

/* 0, or the exit code of a wrong value. */
static int number(const char *option, uint64_t min, uint64_t max, uint64_t *out)
{
    return cli_number(optarg, min, max, out)
               ? 0
               : cli_usage("run", "--%s %s: must be a number from %llu to %llu", option, optarg,
                           (unsigned long long)min, (unsigned long long)max);
}

static int take(int option, void *ctx)
{
    struct runner_options *o = ctx;
    uint64_t n = 0;
    int rc = 0;
    switch (option) {
    case OPT_WIRE:
        o->session.run.mode = RUN_WIRE;
        break;
    case OPT_SEED:
        return number("seed", 1, UINT64_MAX, &o->session.run.seed);
    case OPT_JOBS:
        rc = number("jobs", 1, RUNNER_JOBS_MAX, &n);
        o->session.jobs = (unsigned)n;
        break;
    case OPT_TIMEOUT:
        rc = number("timeout", 1, 86400, &n);
        o->session.timeout_ms = (int64_t)n * 1000;
        break;
    case OPT_ONLY:
        o->only = optarg;
        break;
    case OPT_JUNIT:
        o->junit = optarg;
        break;
    case OPT_HTML:
        o->html = optarg;
        break;
    case OPT_JSON:
        o->json = optarg;
        break;
    case OPT_TRACE:
        o->trace = optarg;
        break;
    case OPT_TIMELINE:
        o->timeline = true;
        break;
    case OPT_QUIET:
        o->quiet = true;
        break;
    case OPT_CACHE:
        o->session.run.cache_dir = optarg;
        break;
    default:
        break;
    }
    return rc;
}

int cmd_run(int argc, char **argv)
{
    struct runner_options o = {.command = "run"};
    int code = cli_options("run", help, longs, argc, argv, take, &o);
    if (code >= 0)
        return code;
    if (optind == argc)
        return cli_usage("run", "which scenarios? A file or folder is needed");
    o.paths = argv + optind;
    o.n_paths = (size_t)(argc - optind);
    return runner_run(&o);
}
