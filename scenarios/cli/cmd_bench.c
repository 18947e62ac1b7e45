/*
 * otabench bench: how fast this machine simulates a scenario, beside a yardstick measured in the
 * same run (SHA-256 of 64 KiB), so that figures from different machines can be compared.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/digest.h"
#include "common/vtime.h"
#include "scenarios/cli/bench_restore.h"
#include "scenarios/cli/bench_wire.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/load_fleet.h"
#include "scenarios/cli/load_strangers.h"
#include "scenarios/engine/run.h"

#define YARDSTICK_BYTES 65536u
#define YARDSTICK_RUNS  200

static const char help[] =
    "usage: otabench bench SCENARIO [--runs N] [--min-rate R] [--min-speedup S]\n"
    "       otabench bench SCENARIO --restore [--stride N] [goals]\n"
    "       otabench bench --wire [--devices N] [--image-bytes N] [--range-bytes N]\n"
    "                      [--strangers N] [--nginx PROGRAM|none] [--min-ratio P] [--quiet]\n\n"
    "Simulates one scenario N times (default 200) in this process and prints CPU time per run,\n"
    "runs per second and core, virtual against real time, memory of the emulated device, and the\n"
    "cost of a run in units of a yardstick measured in between (SHA-256 of 64 KiB).\n\n"
    "  --runs N         how often (1 to 100000)\n"
    "  --min-rate R     exit 1 below R runs per second and core\n"
    "  --min-speedup S  exit 1 below S seconds of virtual time per second of CPU time\n\n"
    "With --restore: how fast power cuts in the restore are explored on one core, executed points\n"
    "(the device really ran) and decided ones apart, beside the way without saved states.\n\n"
    "  --restore              measure that instead\n"
    "  --stride N             execute every N-th operation's cut (default 8)\n"
    "  --min-executed R, --min-memoised R, --min-first R, --min-decided R\n"
    "                         exit 1 below so many points per second: executed, the same with\n"
    "                         digests remembered, first losses decided, decided in closures\n"
    "  --max-clean-ms T, --max-torn-ms T\n"
    "                         exit 1 when a closure takes longer\n\n"
    "With --wire: one 'otabench cloud' as a process of its own, with Mosquitto and a database in "
    "a\n"
    "file, under a fleet of light Aliyun devices in real time: each does on the wire what a "
    "device\n"
    "with the Link SDK 4.x does in an upgrade, without flash. Then as many clients fetch the "
    "image\n"
    "in ranges from the cloud, and from nginx. Exit 1 unless every record ends as success.\n\n"
    "  --devices N            at once (1 to 2000, default 500)\n"
    "  --image-bytes N        size of the firmware (default 262144)\n"
    "  --range-bytes N        of each range request (default 4096)\n"
    "  --strangers N          bad clients beside them while they upgrade (up to 500, default 0):\n"
    "                         silent, dribbling, hardly reading, or asking with edited URLs\n"
    "  --nginx PROGRAM        which one (default: the installed one), or none\n"
    "  --min-ratio P          exit 1 when the cloud serves less than P % of nginx's requests/s\n"
    "  --quiet                no progress\n\n"
    "example: otabench bench scenarios/bench/a-clean-upgrade-of-64-kib.json --runs 500\n";

static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t yardstick_ns(const uint8_t *data)
{
    uint8_t out[SHA256_BYTES];
    int64_t start = cpu_ns();
    for (int i = 0; i < YARDSTICK_RUNS; i++)
        digest_of(DIGEST_SHA256, data, YARDSTICK_BYTES, out);
    return (cpu_ns() - start) / YARDSTICK_RUNS;
}

struct bench {
    const char *path;
    uint64_t runs, min_rate, min_speedup;
    bool restore;
    uint64_t stride;
    struct bench_restore_goals goals;
    bool on_wire;
    struct bench_wire wire;
};

/* An option; 0, or EXIT_USAGE after a complaint. */
static int take(int option, void *ctx)
{
    struct bench *b = ctx;
    const struct {
        int option;
        uint64_t *out, max;
    } numbers[] = {{'n', &b->runs, 100000},
                   {'r', &b->min_rate, UINT32_MAX},
                   {'s', &b->min_speedup, UINT32_MAX},
                   {'S', &b->stride, 100000},
                   {'e', &b->goals.executed_per_s, UINT32_MAX},
                   {'m', &b->goals.memoised_per_s, UINT32_MAX},
                   {'f', &b->goals.first_per_s, UINT32_MAX},
                   {'d', &b->goals.decided_per_s, UINT32_MAX},
                   {'c', &b->goals.clean_ms, UINT32_MAX},
                   {'t', &b->goals.torn_ms, UINT32_MAX},
                   {'D', &b->wire.devices, FLEET_DEVICES_MAX},
                   {'I', &b->wire.image_bytes, 16u << 20},
                   {'B', &b->wire.range_bytes, 1u << 20},
                   {'X', &b->wire.strangers, STRANGERS_MAX},
                   {'p', &b->wire.min_ratio_percent, 10000}};
    switch (option) {
    case 'R':
        b->restore = true;
        return 0;
    case 'W':
        b->on_wire = true;
        return 0;
    case 'N':
        b->wire.nginx = optarg;
        return 0;
    case 'q':
        b->wire.quiet = true;
        return 0;
    default:
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
            if (option == numbers[i].option &&
                !cli_number(optarg, 1, numbers[i].max, numbers[i].out))
                return cli_usage("bench", "%s is not a number that is allowed here", optarg);
        return 0;
    }
}

/* -1: go on; else the exit code of the program. */
static int parse(int argc, char **argv, struct bench *b)
{
    static const struct option longs[] = {{"runs", required_argument, NULL, 'n'},
                                          {"min-rate", required_argument, NULL, 'r'},
                                          {"min-speedup", required_argument, NULL, 's'},
                                          {"restore", no_argument, NULL, 'R'},
                                          {"stride", required_argument, NULL, 'S'},
                                          {"min-executed", required_argument, NULL, 'e'},
                                          {"min-memoised", required_argument, NULL, 'm'},
                                          {"min-first", required_argument, NULL, 'f'},
                                          {"min-decided", required_argument, NULL, 'd'},
                                          {"max-clean-ms", required_argument, NULL, 'c'},
                                          {"max-torn-ms", required_argument, NULL, 't'},
                                          {"wire", no_argument, NULL, 'W'},
                                          {"devices", required_argument, NULL, 'D'},
                                          {"image-bytes", required_argument, NULL, 'I'},
                                          {"range-bytes", required_argument, NULL, 'B'},
                                          {"strangers", required_argument, NULL, 'X'},
                                          {"nginx", required_argument, NULL, 'N'},
                                          {"min-ratio", required_argument, NULL, 'p'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *b = (struct bench){.runs = 200,
                        .stride = 8,
                        .wire = {.devices = 500, .image_bytes = 256u << 10, .range_bytes = 4096}};
    int code = cli_options("bench", help, longs, argc, argv, take, b);
    if (code >= 0)
        return code;
    if (b->on_wire)
        return optind == argc ? -1 : cli_usage("bench", "--wire takes no scenario");
    if (argc - optind != 1)
        return cli_usage("bench", "needs exactly one scenario");
    b->path = argv[optind];
    return -1;
}

static int measure(const struct bench *b, struct world *w, const struct scenario *s)
{
    char cache[512];
    cli_cache_dir(cache, sizeof cache);
    struct run_options o = {.cache_dir = cache, .firmware_dir = CLI_FIRMWARE_DIR};
    struct run_result r;
    world_run(w, s, &o, &r); /* fills the package cache */
    if (r.verdict == VERDICT_ERROR)
        return cli_fail("bench", EXIT_INCONCLUSIVE, "%s: %s", b->path, r.cause);
    char trace[65];
    memcpy(trace, r.trace_sha256, sizeof trace);
    uint8_t *data = calloc(1, YARDSTICK_BYTES);
    if (data == NULL)
        return cli_fail("bench", EXIT_INCONCLUSIVE, "no memory");
    int64_t yard = yardstick_ns(data);
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < b->runs; i++) {
        world_run(w, s, &o, &r);
        if (strcmp(trace, r.trace_sha256) != 0) {
            free(data);
            return cli_fail("bench", EXIT_FAILED, "run %" PRIu64 " gave another trace", i + 1);
        }
    }
    int64_t per_run = (cpu_ns() - start) / (int64_t)b->runs;
    yard = (yard + yardstick_ns(data)) / 2;
    free(data);
    if (per_run <= 0 || yard <= 0)
        return cli_fail("bench", EXIT_INCONCLUSIVE, "too fast to be measured: more --runs");
    int64_t rate = NS_PER_S / per_run;
    int64_t speedup = r.virtual_ns / per_run;
    (void)printf("scenario        %s (%s)\n", s->name, verdict_name(r.verdict));
    (void)printf("runs            %" PRIu64 ", all with trace %.16s...\n", b->runs, trace);
    (void)printf("CPU per run     %" PRId64 " us\n", per_run / NS_PER_US);
    (void)printf("rate            %" PRId64 " runs/s on one core\n", rate);
    (void)printf("virtual time    %" PRId64 " s, %" PRId64 " times real time\n",
                 r.virtual_ns / NS_PER_S, speedup);
    (void)printf("yardstick       SHA-256 of 64 KiB takes %" PRId64 " us; a run costs %" PRId64
                 " of them\n",
                 yard / NS_PER_US, per_run / yard);
    (void)printf("emulated RAM    agent %" PRIu64 " bytes, boot loader %" PRIu64
                 " bytes, configured %u\n",
                 r.agent_peak_bytes, r.boot_peak_bytes, s->device.ram_bytes);
    if ((uint64_t)rate < b->min_rate)
        return cli_fail("bench", EXIT_FAILED, "below the demanded rate of %" PRIu64 " runs/s",
                        b->min_rate);
    if ((uint64_t)speedup < b->min_speedup)
        return cli_fail("bench", EXIT_FAILED, "below the demanded speed-up of %" PRIu64,
                        b->min_speedup);
    return EXIT_PASSED;
}

int cmd_bench(int argc, char **argv)
{
    struct bench b;
    int rc = parse(argc, argv, &b);
    if (rc >= 0)
        return rc;
    if (b.on_wire)
        return bench_wire(&b.wire);
    if (b.restore)
        return bench_restore(b.path, (uint32_t)b.stride, &b.goals);
    struct err err = {.text = ""};
    struct scenario *s = calloc(1, sizeof *s);
    struct world *w = world_new(&err);
    if (s == NULL || w == NULL)
        rc = cli_fail("bench", EXIT_INCONCLUSIVE, "%s", err.text);
    else if (scenario_load(s, b.path, &err) != 0)
        rc = cli_fail("bench", EXIT_USAGE, "%s", err.text);
    else
        rc = measure(&b, w, s);
    world_free(w);
    free(s);
    return rc;
}
