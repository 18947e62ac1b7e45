#include "scenarios/cli/bench_restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/vtime.h"
#include "scenarios/cli/cli.h"
#include "scenarios/engine/closure_case.h"
#include "scenarios/engine/first_loss.h"

#define BIT(tear) (1u << (tear))
#define TIMES     3  /* each is measured; the best counts: a machine is rarely alone */
#define TIMES_RUN 10 /* the same where points are executed: each time is a tenth of a second */

static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec + 1;
}

static uint64_t per_s(uint64_t count, int64_t ns)
{
    return (uint64_t)((double)count * 1e9 / (double)ns);
}

struct bench {
    const struct closure_case *k;
    uint64_t seed, baseline; /* points per second of the way without saved states */
    uint32_t stride;
    const struct bench_restore_goals *goals;
    uint8_t story[SHA256_BYTES];
    bool missed;
    struct err err;
};

static const char *goal(struct bench *b, bool reached)
{
    b->missed = b->missed || !reached;
    return reached ? "reached" : "MISSED";
}

static int find_out(struct bench *b, const struct first_loss_options *o, uint32_t times,
                    struct first_loss_result *r, int64_t *spent)
{
    struct first_loss *f = first_loss_new(&b->k->subject, b->k->pending, o, &b->err);
    int rc = f == NULL ? ERR_BENCH : 0;
    *spent = INT64_MAX;
    for (uint32_t i = 0; i < times && rc == 0; i++) {
        int64_t start = cpu_ns();
        rc = first_loss_run(f, r, &b->err);
        int64_t now = cpu_ns() - start;
        *spent = now < *spent ? now : *spent;
    }
    first_loss_free(f);
    return rc;
}

/* First losses that were really run. All ways must tell the same of every point. */
static int executed(struct bench *b, const char *name, enum first_loss_way way, bool memoise,
                    uint64_t wanted)
{
    struct first_loss_result r;
    const struct first_loss_options o = {
        .way = way, .stride = b->stride, .memoise = memoise, .seed = b->seed};
    int64_t spent;
    int rc = find_out(b, &o, way == FIRST_LOSS_RERUN ? 1 : TIMES_RUN, &r, &spent);
    if (rc == 0 && way != FIRST_LOSS_RERUN && memcmp(r.sha256, b->story, sizeof b->story) != 0)
        rc = err_set(&b->err, ERR_BENCH, "%s: the points come out otherwise", name);
    if (rc == 0 && r.failed > 0)
        rc = err_set(&b->err, ERR_BENCH, "%s: %u points fail", name, r.failed);
    if (rc != 0)
        return rc;
    uint64_t rate = per_s(r.points, spent);
    if (way == FIRST_LOSS_RERUN) {
        memcpy(b->story, r.sha256, sizeof b->story);
        b->baseline = rate == 0 ? 1 : rate;
    }
    (void)printf("%-34s %9" PRIu64 " executed points/s, %" PRIu64 ".%" PRIu64 " times the baseline",
                 name, rate, rate / b->baseline, rate * 10 / b->baseline % 10);
    if (wanted > 0)
        (void)printf(", goal %" PRIu64 " %s", wanted, goal(b, rate >= wanted));
    (void)printf("\n");
    return 0;
}

/* Those that are decided, and held against every point executed: that is not measured. The
 * undisturbed run counts, for what it leaves known is part of the way. */
static int decided(struct bench *b, const char *name, uint32_t tears, uint64_t wanted)
{
    struct first_loss_options o = {
        .way = FIRST_LOSS_JOINED, .tears = tears, .memoise = true, .seed = b->seed};
    struct first_loss_result r = {0}, real;
    int64_t spent = INT64_MAX, ignored;
    int rc = 0;
    for (int i = 0; i < TIMES && rc == 0; i++) {
        int64_t start = cpu_ns();
        rc = find_out(b, &o, 1, &r, &ignored);
        int64_t now = cpu_ns() - start;
        spent = now < spent ? now : spent;
    }
    o.way = FIRST_LOSS_SAVED;
    if (rc == 0)
        rc = find_out(b, &o, 1, &real, &ignored);
    if (rc == 0 && memcmp(r.sha256, real.sha256, sizeof r.sha256) != 0)
        rc = err_set(&b->err, ERR_BENCH, "%s: executed, the points come out otherwise", name);
    if (rc == 0 && r.failed > 0)
        rc = err_set(&b->err, ERR_BENCH, "%s: %u points fail", name, r.failed);
    if (rc != 0)
        return rc;
    uint64_t rate = per_s(r.points, spent);
    (void)printf("%-34s %9" PRIu64 " decided points/s (%" PRIu32
                 "; equal to each executed; %" PRIu64 " starts, %" PRIu64
                 " of them to the end; operations of the device: %" PRIu64 ")",
                 name, rate, r.points, r.boots, r.ended, r.device_ops);
    if (wanted > 0)
        (void)printf(", goal %" PRIu64 "/s %s", wanted, goal(b, rate >= wanted));
    (void)printf("\n");
    return 0;
}

static int closed_once(struct bench *b, const struct closure_options *o, struct closure_result *r,
                       int64_t *spent)
{
    int64_t start = cpu_ns();
    struct closure *c = closure_new(&b->k->subject, o, &b->err);
    int rc = c == NULL ? ERR_NOMEM : closure_add_start(c, b->k->pending, &b->err);
    if (rc == 0)
        rc = closure_run(c, r, &b->err);
    int64_t now = cpu_ns() - start;
    *spent = now < *spent ? now : *spent;
    closure_free(c);
    return rc;
}

static int closed(struct bench *b, const char *name, uint32_t tears, uint32_t cuts,
                  uint64_t wanted_rate, uint64_t wanted_ms)
{
    struct closure_options o = {
        .tears = tears, .seed = b->seed, .max_states = 4000000, .max_depth = cuts};
    struct closure_result r = {0};
    int64_t spent = INT64_MAX;
    int rc = 0;
    for (int i = 0; i < TIMES && rc == 0; i++)
        rc = closed_once(b, &o, &r, &spent);
    if (rc != 0)
        return rc;
    if (r.end >= CLOSURE_BRICKED || (cuts == 0 && !r.closed))
        return err_set(&b->err, ERR_BENCH, "%s: not proved", name);
    uint64_t points = cuts == 1 ? r.first : r.decided;
    uint64_t rate = per_s(points, spent), ms = (uint64_t)(spent / NS_PER_MS);
    (void)printf("%-34s %9" PRIu64 " decided points/s (%" PRIu64 "; steps of the device: %" PRIu64
                 "), %" PRIu32 " states, %" PRIu64 " ms, %" PRIu64 " MiB, %" PRIu64
                 " bytes a state",
                 name, rate, points, r.points, r.states, ms, r.memory_bytes >> 20,
                 r.memory_bytes / r.states);
    if (wanted_rate > 0)
        (void)printf(", goal %" PRIu64 "/s %s", wanted_rate, goal(b, rate >= wanted_rate));
    if (wanted_ms > 0)
        (void)printf(", goal %" PRIu64 " ms %s", wanted_ms, goal(b, ms <= wanted_ms));
    (void)printf("\n");
    return 0;
}

static int measure(struct bench *b)
{
    const struct bench_restore_goals *g = b->goals;
    const uint32_t clean = BIT(TEAR_NOTHING);
    const uint32_t torn = clean | BIT(TEAR_ALL_BUT_LAST) | BIT(TEAR_SCRAMBLED);
    int rc = executed(b, "baseline: each from the beginning", FIRST_LOSS_RERUN, false, 0);
    if (rc == 0)
        rc = executed(b, "from saved states", FIRST_LOSS_SAVED, false, g->executed_per_s);
    if (rc == 0)
        rc = executed(b, "the same, digests remembered", FIRST_LOSS_SAVED, true, g->memoised_per_s);
    if (rc == 0)
        rc = decided(b, "first losses alone, joined", torn, g->first_per_s);
    if (rc == 0)
        rc = closed(b, "the same, by the closure's search", torn, 1, 0, 0);
    if (rc == 0)
        rc = closed(b, "closure, clean cuts", clean, 0, g->decided_per_s, g->clean_ms);
    if (rc == 0)
        rc = closed(b, "closure, three tears", torn, 0, g->decided_per_s, g->torn_ms);
    return rc;
}

int bench_restore(const char *path, uint32_t stride, const struct bench_restore_goals *goals)
{
    char cache[512];
    cli_cache_dir(cache, sizeof cache);
    struct build_options o = {.cache_dir = cache, .firmware_dir = CLI_FIRMWARE_DIR};
    struct bench b = {.stride = stride, .goals = goals, .err = {.text = ""}};
    struct scenario *s = calloc(1, sizeof *s);
    struct closure_case *k = calloc(1, sizeof *k);
    int rc = s == NULL || k == NULL ? ERR_NOMEM : scenario_load(s, path, &b.err);
    int status = rc == 0 ? EXIT_INCONCLUSIVE : EXIT_USAGE;
    if (rc == 0)
        rc = closure_case_open(k, s, &o, s->seed, &b.err);
    if (rc == 0) {
        b.k = k;
        b.seed = s->seed;
        (void)printf("restore         %s: %s package of %u bytes on %u KiB of %s\n", s->name,
                     k->kind == PACKAGE_FULL ? "full" : "differential", (unsigned)k->package_bytes,
                     (unsigned)(k->subject.geometry.size_bytes >> 10), k->subject.geometry.name);
        rc = measure(&b);
    }
    if (k != NULL)
        closure_case_free(k);
    free(k);
    free(s);
    if (rc != 0)
        return cli_fail("bench", status, "%s", b.err.text);
    return b.missed ? EXIT_FAILED : EXIT_PASSED;
}
