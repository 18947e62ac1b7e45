/*
 * A power cut at the flash operations of a whole update, with every kind of tear, on every kind of
 * chip and package: whatever is cut, the judge must find nothing. By default the operations are
 * thinned so that every tear and nearly every operation is met in some combination; with
 * OTABENCH_LONG=1 in the environment every operation meets every tear, and pairs of cuts follow
 * closely.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/testing/testing.h"
#include "scenarios/engine/run.h"

/* What lies behind is no promise of the reference device: a fallen bit in another page, and a cache
 * that forgets (docs/explore.md). */
#define TEARS_WITHSTOOD TEAR_DISTURB
#define CUTS_PER_TEAR   14 /* of the thinned set */
#define PAIRS           30
#define PAIR_REACH      90 /* operations between the two cuts of a pair */
#define SHOWN           5

#define DEVICE_COMMON                                                                              \
    "\"compare_block_kib\":4,\"segment_index\":5,\"rounds\":2,\"check_interval_ms\":1000"
#define DEVICE_4K                                                                                  \
    "\"app_bytes\":\"0x8000\",\"download_bytes\":\"0x10000\",\"user_bytes\":4096," DEVICE_COMMON
#define IMAGES                                                                                     \
    "\"versions\":[{\"version\":\"1.0\",\"images\":[{\"generate\":{\"bytes\":16384}}]},"           \
    "{\"version\":\"1.1\",\"images\":[{\"edit\":{\"grow_bytes\":300}}]}]"
#define THREE_FILES                                                                                \
    "\"app_bytes\":\"0x10000\",\"download_bytes\":\"0x10000\",\"user_bytes\":4096," DEVICE_COMMON  \
    ",\"files\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]"
#define THREE_IMAGES                                                                               \
    "\"versions\":[{\"version\":\"1.0\",\"images\":[{\"generate\":{\"bytes\":9000}},"              \
    "{\"generate\":{\"bytes\":7000}},{\"generate\":{\"bytes\":3000}}]},"                           \
    "{\"version\":\"1.1\",\"images\":[{\"edit\":{\"grow_bytes\":700}},"                            \
    "{\"edit\":{\"grow_bytes\":-2500}},{\"same\":true}]}]"
#define FULL ",\"offers\":[{\"from\":\"1.0\",\"to\":\"1.1\",\"kind\":\"full\"}]"

struct sweep_row {
    const char *name;
    const char *device, *rest; /* members of "device" and of the document */
};
static const struct sweep_row rows[] = {
    {"4 KiB sectors", "\"chip\":\"spi4k\"," DEVICE_4K, IMAGES},
    {"write-once flash with ECC", "\"chip\":\"internal8\"," DEVICE_4K, IMAGES},
    {"64 KiB blocks",
     "\"chip\":\"spi64k\",\"app_bytes\":\"0x20000\",\"download_bytes\":\"0x40000\","
     "\"user_bytes\":\"0x10000\",\"compare_block_kib\":64,\"segment_index\":5,\"rounds\":2,"
     "\"check_interval_ms\":1000",
     IMAGES},
    {"a full image", "\"chip\":\"spi4k\"," DEVICE_4K, IMAGES FULL},
    {"a full image, write-once", "\"chip\":\"internal8\"," DEVICE_4K, IMAGES FULL},
    {"three files", "\"chip\":\"spi4k\"," THREE_FILES, THREE_IMAGES},
    {"three files, write-once", "\"chip\":\"internal8\"," THREE_FILES, THREE_IMAGES},
    {"a device that registers", "\"chip\":\"spi4k\",\"variant\":\"direct\"," DEVICE_4K, IMAGES},
};

static const char *row_name(const void *row)
{
    return ((const struct sweep_row *)row)->name;
}

struct sweep {
    struct world *world;
    struct scenario scenario;
    struct run_options options;
    struct run_result result;
    char cache[32];
    uint64_t ops; /* of the update without a cut */
    unsigned runs, bad;
};

/* One run with the cuts in options; shows the first few that are not a clean pass. A second cut
 * may come after the update is over: then the run counts for nothing. */
static void run_cut(struct sweep *s)
{
    world_run(s->world, &s->scenario, &s->options, &s->result);
    if (s->options.n_cuts == 2 && s->result.cuts == 1)
        return;
    s->runs++;
    if (s->result.verdict == VERDICT_PASS && s->result.cuts == s->options.n_cuts)
        return;
    if (s->bad++ >= SHOWN)
        return;
    const struct run_result *r = &s->result;
    (void)printf("%s: %s %s, %u cuts\n", r->token, verdict_name(r->verdict), r->cause, r->cuts);
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].verdict == VERDICT_FAIL)
            (void)printf("    %s %s\n", r->checks[i].id, r->checks[i].detail);
}

static void cut_at(struct sweep *s, uint32_t which, uint64_t op, enum nor_tear tear)
{
    s->options.cuts[which].op = op;
    s->options.cuts[which].tear = tear;
    s->options.cuts[which].arg = (uint32_t)(op * 7 % 200);
    s->options.n_cuts = which + 1;
    s->options.seed = op + 1; /* other weak cells, other scrambles each time */
}

static void single_cuts(struct sweep *s, bool all)
{
    uint64_t step = all ? 1 : 1 + s->ops / CUTS_PER_TEAR;
    for (int tear = 0; tear < TEARS_WITHSTOOD; tear++)
        for (uint64_t op = 1 + (uint64_t)tear * step / TEARS_WITHSTOOD; op <= s->ops; op += step) {
            cut_at(s, 0, op, (enum nor_tear)tear);
            run_cut(s);
        }
}

/* The second cut falls into the recovery from the first. */
static void pairs(struct sweep *s, bool all)
{
    uint64_t n = all ? s->ops * TEARS_WITHSTOOD : PAIRS;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t first = 1 + i * s->ops / n;
        cut_at(s, 0, first, (enum nor_tear)(i % TEARS_WITHSTOOD));
        cut_at(s, 1, first + 1 + i * 29 % PAIR_REACH, (enum nor_tear)(i * 3 % TEARS_WITHSTOOD));
        run_cut(s);
    }
}

static void open_sweep(struct sweep *s, const struct sweep_row *row)
{
    char text[2000];
    struct err err = {.text = ""};
    memset(s, 0, sizeof *s);
    int len = snprintf(text, sizeof text,
                       "{\"otabench\":1,\"text\":\"sweep\",\"device\":{%s},%s,"
                       "\"expect\":{\"version\":\"1.1\"}}",
                       row->device, row->rest);
    REQUIRE(len > 0 && (size_t)len < sizeof text);
    REQUIRE_OK(scenario_parse(&s->scenario, text, (size_t)len, "sweep", &err), &err);
    memcpy(s->cache, "/tmp/otabench-sweep-XXXXXX", sizeof "/tmp/otabench-sweep-XXXXXX");
    REQUIRE(mkdtemp(s->cache) != NULL);
    s->options.cache_dir = s->cache;
    s->world = world_new(&err);
    REQUIRE(s->world != NULL);
    world_run(s->world, &s->scenario, &s->options, &s->result);
    CHECK_INT(s->result.verdict, VERDICT_PASS);
    s->ops = s->result.main_ops;
    CHECK(s->ops > 50);
}

static void close_sweep(struct sweep *s)
{
    char command[64];
    world_free(s->world);
    (void)snprintf(command, sizeof command, "rm -rf %s", s->cache);
    CHECK_INT(system(command), 0);
}

static void survives_cuts(const void *row)
{
    static struct sweep s;
    const char *long_run = getenv("OTABENCH_LONG");
    bool all = long_run != NULL && strcmp(long_run, "1") == 0;
    open_sweep(&s, row);
    single_cuts(&s, all);
    pairs(&s, all);
    if (all)
        (void)printf("%s: %u runs, %u bad\n", row_name(row), s.runs, s.bad);
    CHECK_INT(s.bad, 0);
    CHECK(s.runs > TEARS_WITHSTOOD * CUTS_PER_TEAR / 2);
    close_sweep(&s);
}

/* The sweep itself must be able to fail: a boot loader without a backup does. */
static void a_broken_boot_loader_is_found(void)
{
    static const struct sweep_row broken = {
        "broken", "\"chip\":\"spi4k\",\"breaks\":[\"boot-skip-backup\"]," DEVICE_4K, IMAGES};
    static struct sweep s;
    open_sweep(&s, &broken);
    for (uint64_t op = s.ops / 3; op < s.ops / 3 + 4; op++) {
        cut_at(&s, 0, op, TEAR_DONE);
        world_run(s.world, &s.scenario, &s.options, &s.result);
        s.bad += s.result.verdict == VERDICT_FAIL;
    }
    CHECK(s.bad > 0);
    close_sweep(&s);
}

static const struct test tests[] = {
    TEST_ROWS("survives a cut anywhere", survives_cuts, rows, row_name),
    {"a broken boot loader is found", a_broken_boot_loader_is_found},
};

TEST_MAIN("power sweep", tests)
