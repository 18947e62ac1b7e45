/* otabench closure: the restore of a scenario's package under any number of power cuts. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/vtime.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/closure_token.h"
#include "scenarios/cli/report.h"
#include "scenarios/engine/closure_case.h"

static const char help[] =
    "usage: otabench closure SCENARIO [--tears LIST] [--states MAX] [--memory MIB] [--cuts MAX]\n"
    "                        [--seed S] [--json FILE] [--no-joins] [--no-sets] [--no-recall]\n"
    "                        [--audit] [--quiet]\n\n"
    "Takes the device as it is when the package of the scenario is stored and noted as pending, "
    "and\n"
    "follows its boot loader through every sequence of power cuts, of any length, until no new "
    "flash\n"
    "state appears. Prints the proof, or the shortest sequence of cuts that breaks the device.\n\n"
    "  --tears LIST   what cuts leave, with commas: nothing, prefix, all-but-last, scrambled,\n"
    "                 half-erased, weak, done (default: these), all-but-bit, disturb\n"
    "  --states MAX   give up after so many flash states (default 4000000)\n"
    "  --memory MIB   give up above about so much memory (default 4096)\n"
    "  --cuts MAX     at most so many cuts in a row (default: any number)\n"
    "  --seed S       of the chip: scrambled bits and mixed readings (default: the scenario's)\n"
    "  --json FILE    the result as JSON, the same bytes for the same input\n"
    "  --no-joins     run every start to its end instead of stopping where an earlier one was\n"
    "  --no-sets      every tear and every reading of weak cells is a state and a start of its "
    "own\n"
    "  --no-recall    run every start, also where an earlier one looked at the same contents\n"
    "                 (with --no-sets)\n"
    "  --audit        hold the short cuts against the device: every start also runs to its end,\n"
    "                 from one of its contents, with the stack overwritten between steps\n"
    "  --quiet        no progress\n\n"
    "Ctrl-C leaves a valid, bounded result. Exit: 0 proved, 1 counter-example, 2 bounded or bench\n"
    "fault, 64 wrong usage, 77 no restore that could be followed.\n"
    "example: otabench closure scenarios/library/cms/a-full-upgrade-runs-clean.json\n";

struct wanted {
    const char *path, *json;
    struct closure_options options;
    bool quiet;
};

static int parse_tears(const char *list, uint32_t *out)
{
    char name[32];
    *out = 0;
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        enum nor_tear tear;
        (void)snprintf(name, sizeof name, "%.*s", (int)len, list);
        if (len >= sizeof name || nor_tear_parse(name, &tear) != 0 ||
            !(CLOSURE_TEARS_KNOWN & 1u << tear))
            return cli_usage("closure",
                             "--tears: \"%.*s\" is no tear that a closure follows; these are "
                             "nothing, prefix, all-but-last, scrambled, half-erased, weak, done, "
                             "all-but-bit, disturb",
                             (int)len, list);
        *out |= 1u << tear;
        list += len + (list[len] == ',');
    }
    return *out == 0 ? cli_usage("closure", "--tears: which?") : 0;
}

/* An option; 0, or EXIT_USAGE after a complaint. */
static int take(int option, void *ctx)
{
    struct wanted *w = ctx;
    struct closure_options *o = &w->options;
    uint64_t number = 0;
    switch (option) {
    case 't':
        return parse_tears(optarg, &o->tears);
    case 's':
        if (!cli_number(optarg, 1, 100000000, &number))
            return cli_usage("closure", "--states %s: must be a number from 1 to 100000000",
                             optarg);
        o->max_states = (uint32_t)number;
        return 0;
    case 'c':
        if (!cli_number(optarg, 1, 1000000, &number))
            return cli_usage("closure", "--cuts %s: must be a number from 1 to 1000000", optarg);
        o->max_depth = (uint32_t)number;
        return 0;
    case 'm':
        if (!cli_number(optarg, 1, 1 << 20, &number))
            return cli_usage("closure", "--memory %s: must be MiB from 1 to 1048576", optarg);
        o->max_bytes = number << 20;
        return 0;
    case 'r':
        return cli_number(optarg, 1, UINT64_MAX, &o->seed)
                   ? 0
                   : cli_usage("closure", "--seed %s: must be a number from 1", optarg);
    case 'j':
        w->json = optarg;
        return 0;
    case 'n':
        o->no_joins = true;
        return 0;
    case 'l':
        o->no_recall = true;
        return 0;
    case 'x':
        o->no_sets = true;
        return 0;
    case 'a':
        o->audit = true;
        return 0;
    default:
        w->quiet = true;
        return 0;
    }
}

/* -1: go on; else the exit code of the program. */
static int parse(int argc, char **argv, struct wanted *w)
{
    static const struct option longs[] = {{"tears", required_argument, NULL, 't'},
                                          {"states", required_argument, NULL, 's'},
                                          {"cuts", required_argument, NULL, 'c'},
                                          {"memory", required_argument, NULL, 'm'},
                                          {"seed", required_argument, NULL, 'r'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"no-joins", no_argument, NULL, 'n'},
                                          {"no-recall", no_argument, NULL, 'l'},
                                          {"no-sets", no_argument, NULL, 'x'},
                                          {"audit", no_argument, NULL, 'a'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *w = (struct wanted){.options = {.max_states = 4000000, .max_bytes = UINT64_C(4) << 30}};
    int code = cli_options("closure", help, longs, argc, argv, take, w);
    if (code >= 0)
        return code;
    if (argc - optind != 1)
        return cli_usage("closure", "exactly one scenario file is needed");
    w->path = argv[optind];
    return -1;
}

/* Ctrl-C; the second one ends the program at once. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
    (void)signal(number, SIG_DFL);
}

struct closure_progress {
    int64_t began_ns, told_ns;
    bool quiet, terminal;
};

static bool tell(void *ctx, uint32_t states, uint32_t done, uint32_t depth)
{
    struct closure_progress *p = ctx;
    int64_t now = cli_clock_ns();
    if (p->quiet || now - p->told_ns < (p->terminal ? NS_PER_S / 5 : 10 * NS_PER_S))
        return !interrupted;
    p->told_ns = now;
    int64_t ms = (now - p->began_ns) / NS_PER_MS + 1;
    cli_status("%" PRIu32 " states, %" PRIu32 " waiting, depth %" PRIu32 ", %" PRId64 " states/s",
               states, states - done, depth, (int64_t)done * 1000 / ms);
    return !interrupted;
}

static int save_json(const char *path, const struct scenario *s, const struct closure_result *r,
                     struct err *err)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    int rc = buf_text(&out, "{\"otabench\":\"" OTABENCH_VERSION "\",\"scenario\":\"");
    if (rc == 0)
        rc = buf_printf(&out, "%s\",\"closure\":", s->name);
    if (rc == 0)
        rc = closure_json(r, &out);
    if (rc == 0)
        rc = buf_text(&out, "}\n");
    if (rc != 0)
        (void)err_set(err, rc, "%s: the report does not fit into memory", path);
    else
        rc = report_save(path, &out, err);
    buf_free(&out);
    return rc;
}

static int print_result(const struct wanted *w, const struct scenario *s,
                        const struct closure_case *k, const struct closure_result *r,
                        int64_t spent_ns)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    int rc = closure_describe(r, &k->subject.geometry, &out);
    if (rc == 0) {
        (void)printf("%s: %s package of %u bytes, %s to %s\n", s->name,
                     k->kind == PACKAGE_FULL ? "full" : "differential", (unsigned)k->package_bytes,
                     k->from, k->to);
        (void)fwrite(out.data, 1, out.len_bytes, stdout);
    }
    buf_free(&out);
    if (!w->quiet)
        (void)fprintf(stderr,
                      "  %" PRId64 ".%03d s, %" PRId64 " starts/s executed, %" PRId64
                      " points/s executed, memory %" PRIu64 " MiB\n",
                      spent_ns / NS_PER_S, (int)(spent_ns / NS_PER_MS % 1000),
                      (int64_t)((double)r->starts * 1e9 / (double)spent_ns),
                      (int64_t)((double)r->points * 1e9 / (double)spent_ns), r->memory_bytes >> 20);
    return rc;
}

static void print_token(struct scenario *s, const struct closure *c, const struct closure_result *r)
{
    char cache[512], token[TOKEN_MAX];
    const char *why;
    cli_cache_dir(cache, sizeof cache);
    const struct run_options run = {.cache_dir = cache, .firmware_dir = CLI_FIRMWARE_DIR};
    if (closure_token(s, c, r, &run, token, &why))
        (void)printf("  otabench replay '%s' repeats it in the whole scenario\n", token);
    else
        (void)printf("  no replay token: %s\n", why);
}

static int explore(const struct wanted *w, struct scenario *s, struct closure_case *k,
                   struct err *err)
{
    struct closure_progress p = {
        .began_ns = cli_clock_ns(), .quiet = w->quiet, .terminal = isatty(STDERR_FILENO)};
    struct closure_options o = w->options;
    struct closure_result r;
    if (o.seed == 0)
        o.seed = s->seed;
    p.told_ns = p.began_ns;
    o.progress = tell;
    o.progress_ctx = &p;
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    struct closure *c = closure_new(&k->subject, &o, err);
    int rc = c == NULL ? ERR_NOMEM : closure_add_start(c, k->pending, err);
    if (rc == 0 && (o.tears == 0 || o.tears & 1u << TEAR_WEAK))
        rc = closure_add_start(c, k->pending_weak, err);
    if (rc == 0)
        rc = closure_run(c, &r, err);
    int64_t spent_ns = cli_clock_ns() - p.began_ns + 1;
    cli_status_clear();
    if (rc == 0)
        rc = print_result(w, s, k, &r, spent_ns);
    if (rc == 0 && w->json != NULL)
        rc = save_json(w->json, s, &r, err);
    if (rc == 0 && r.end >= CLOSURE_BRICKED)
        print_token(s, c, &r);
    closure_free(c);
    if (rc != 0)
        return cli_fail("closure", EXIT_INCONCLUSIVE, "%s", err->text);
    if (r.end >= CLOSURE_BRICKED)
        return EXIT_FAILED;
    return r.closed && r.mixed_starts == 0 ? EXIT_PASSED : EXIT_INCONCLUSIVE;
}

int cmd_closure(int argc, char **argv)
{
    struct wanted w;
    int rc = parse(argc, argv, &w);
    if (rc >= 0)
        return rc;
    char cache[512];
    cli_cache_dir(cache, sizeof cache);
    struct build_options o = {.cache_dir = cache, .firmware_dir = CLI_FIRMWARE_DIR};
    struct err err = {.text = ""};
    struct scenario *s = calloc(1, sizeof *s);
    struct closure_case *k = calloc(1, sizeof *k);
    if (s == NULL || k == NULL)
        rc = cli_fail("closure", EXIT_INCONCLUSIVE, "no memory");
    else if (scenario_load(s, w.path, &err) != 0)
        rc = cli_fail("closure", EXIT_USAGE, "%s", err.text);
    else if ((rc = cli_reports("closure", &w.json, 1)) != 0)
        ; /* said already */
    else if ((rc = closure_case_open(k, s, &o, w.options.seed != 0 ? w.options.seed : s->seed,
                                     &err)) != 0)
        rc = cli_fail("closure", rc == ERR_UNSUPPORTED ? EXIT_NOT_APPLICABLE : EXIT_INCONCLUSIVE,
                      "%s", err.text);
    else
        rc = explore(&w, s, k, &err);
    if (k != NULL)
        closure_case_free(k);
    free(k);
    free(s);
    return rc;
}
