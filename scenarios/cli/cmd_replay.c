/* otabench replay: one run again, exactly. */
#include <getopt.h>
#include <string.h>

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
    "  --flash-out F    the flash image at the end of the main phase (see otabench flash)\n"
    "  --html F         HTML report with the lanes\n"
    "  --json F         JSON report\n"
    "  --quiet          no timeline\n"
    "\n"
    "examples:\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1'\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1@137t3' --flash-out flash.bin\n"
    "\n"
    "Exit: 0 passed, 1 a requirement failed, 2 inconclusive or bench fault, 64 wrong usage.\n";

enum { OPT_LIBRARY = 1000, OPT_TRACE, OPT_FLASH, OPT_HTML, OPT_JSON, OPT_QUIET };

int cmd_replay(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"library", required_argument, NULL, OPT_LIBRARY},
        {"trace", required_argument, NULL, OPT_TRACE},
        {"flash-out", required_argument, NULL, OPT_FLASH},
        {"html", required_argument, NULL, OPT_HTML},
        {"json", required_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {0},
    };
    struct runner_options o = {.command = "replay", .timeline = true};
    const char *library = NULL;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;)
        switch (c) {
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        case OPT_LIBRARY:
            library = optarg;
            break;
        case OPT_TRACE:
            o.trace = optarg;
            break;
        case OPT_FLASH:
            o.session.run.flash_out = optarg;
            break;
        case OPT_HTML:
            o.html = optarg;
            break;
        case OPT_JSON:
            o.json = optarg;
            break;
        case OPT_QUIET:
            o.quiet = true;
            break;
        default:
            return cli_usage("replay", "that option does not exist or lacks its value");
        }
    if (argc - optind != 1)
        return cli_usage("replay", "exactly one token is needed");

    struct token token;
    struct err err = {.text = ""};
    char path[1024];
    char *const paths[] = {path};
    if (token_parse(&token, argv[optind], &err) != 0 ||
        replay_find(token.name, library, path, sizeof path, &err) != 0)
        return cli_usage("replay", "%s", err.text);
    o.paths = paths;
    o.n_paths = 1;
    o.session.run.seed = token.seed;
    o.session.run.n_cuts = token.n_cuts;
    memcpy(o.session.run.cuts, token.cuts, sizeof token.cuts);
    return runner_run(&o);
}
