#include "scenarios/engine/first_loss.h"

#include "scenarios/engine/closure_testing.h"

#define SPI  "spi4k", NOR_REWRITE, 512, 256
#define ONCE "internal8", NOR_WRITE_ONCE, 2048, 256
#define ECC  "internal8", NOR_ECC, 2048, 256

#define BIT(tear) (1u << (tear))
#define CLEAN     BIT(TEAR_NOTHING)
#define BENCHED   (CLEAN | BIT(TEAR_ALL_BUT_LAST) | BIT(TEAR_SCRAMBLED))

static const struct small rows[] = {
    {"spi up, clean", SPI, SMALL_UP, 6, 1, 0, 0},
    {"spi up, torn", SPI, SMALL_UP, 6, 1, BENCHED, 0},
    {"spi down, wide blocks, torn", SPI, SMALL_DOWN, 6, 2, BENCHED, 0},
    {"spi full, torn", SPI, SMALL_FULL, 6, 1, BENCHED, 0},
    {"spi up, large units", "spi4k", NOR_REWRITE, 4096, 256, SMALL_UP, 3, 1, BENCHED, 0},
    {"spi up, all tears", SPI, SMALL_UP, 4, 1, CLOSURE_TEARS_KNOWN, 0},
    {"spi down, all tears", SPI, SMALL_DOWN, 4, 2, CLOSURE_TEARS_KNOWN, 0},
    {"spi full, all tears", SPI, SMALL_FULL, 4, 2, CLOSURE_TEARS_KNOWN, 0},
    {"once down, all tears", ONCE, SMALL_DOWN, 2, 1, CLOSURE_TEARS_KNOWN, 0},
    {"ecc up, clean", ECC, SMALL_UP, 2, 1, 0, 0},
    {"ecc up, all tears", ECC, SMALL_UP, 2, 1, CLOSURE_TEARS_KNOWN, 0},
    {"ecc full, all tears", ECC, SMALL_FULL, 3, 1, CLOSURE_TEARS_KNOWN, 0},
};

#define POINTS_TOLD_MAX 20000

struct told {
    uint32_t count;
    struct first_loss_result result;
    uint32_t ops;
    struct point {
        struct closure_cut cut;
        struct first_loss_end end;
    } points[POINTS_TOLD_MAX];
};

static void note(void *ctx, const struct closure_cut *cut, const struct first_loss_end *end)
{
    struct told *t = ctx;
    REQUIRE(t->count < POINTS_TOLD_MAX);
    t->points[t->count++] = (struct point){.cut = *cut, .end = *end};
}

static struct told *find_out(const struct small_device *d, enum first_loss_way way, bool memoise,
                             uint32_t tears, uint32_t stride)
{
    struct err err = {""};
    struct told *t = calloc(1, sizeof *t);
    REQUIRE(t != NULL);
    const struct first_loss_options o = {.way = way,
                                         .tears = tears,
                                         .stride = stride,
                                         .memoise = memoise,
                                         .seed = 1,
                                         .each = note,
                                         .each_ctx = t};
    struct first_loss *f = first_loss_new(&d->subject, d->chip, &o, &err);
    if (f == NULL)
        (void)fprintf(stderr, "%s\n", err.text);
    REQUIRE(f != NULL);
    REQUIRE_OK(first_loss_run(f, &t->result, &err), &err);
    t->ops = first_loss_ops(f);
    CHECK_INT(t->result.points, t->count);
    first_loss_free(f);
    return t;
}

static uint32_t failed(const struct told *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++)
        n += t->points[i].end.end > CLOSURE_NEW;
    return n;
}

/* Point by point. */
static void check_same(const struct told *t, const struct told *naive)
{
    uint32_t other = 0;
    CHECK_INT(t->count, naive->count);
    for (uint32_t i = 0; i < t->count && i < naive->count; i++) {
        const struct point *is = &t->points[i], *want = &naive->points[i];
        bool same = is->cut.op == want->cut.op && is->cut.tear == want->cut.tear &&
                    is->cut.arg == want->cut.arg && is->cut.reading == want->cut.reading &&
                    is->end.end == want->end.end && is->end.ops == want->end.ops &&
                    is->end.chip_ns == want->end.chip_ns;
        if (!same && other++ == 0)
            (void)fprintf(stderr, "operation %u, %s %u, reading %u: %s after %u, not %s after %u\n",
                          is->cut.op, nor_tear_name(is->cut.tear), is->cut.arg, is->cut.reading,
                          closure_end_text(is->end.end), (unsigned)is->end.ops,
                          closure_end_text(want->end.end), (unsigned)want->end.ops);
    }
    CHECK_INT(other, 0);
    CHECK_INT(t->result.failed, failed(naive));
    CHECK_MEM(t->result.sha256, naive->result.sha256, sizeof naive->result.sha256);
}

/* From the beginning, from saved states, with digests remembered, and joined. */
static void compare_ways(const struct small_device *d, uint32_t tears)
{
    struct told *naive = find_out(d, FIRST_LOSS_RERUN, false, tears, 1);
    struct told *saved = find_out(d, FIRST_LOSS_SAVED, false, tears, 1);
    struct told *quick = find_out(d, FIRST_LOSS_SAVED, true, tears, 1);
    struct told *joined = find_out(d, FIRST_LOSS_JOINED, true, tears, 1);
    struct told *strides = find_out(d, FIRST_LOSS_SAVED, false, tears, 7);
    struct told *steps = find_out(d, FIRST_LOSS_JOINED, false, tears, 7);
    CHECK_INT(naive->result.boots, 2 * naive->count);
    CHECK_INT(saved->result.boots, saved->count);
    CHECK_INT(saved->result.recalled, 0);
    CHECK(quick->result.recalled > 0);
    CHECK(quick->result.digests < saved->result.digests);
    CHECK(joined->result.joined > 0);
    CHECK(joined->result.boots < joined->count);
    CHECK_INT(joined->result.boots + joined->result.known + joined->result.unseen, joined->count);
    CHECK_INT(joined->result.ended + joined->result.joined, joined->result.boots);
    CHECK(joined->result.device_ops < saved->result.device_ops / 2);
    check_same(saved, naive);
    check_same(quick, naive);
    check_same(joined, naive);
    check_same(steps, strides);
    free(naive);
    free(saved);
    free(quick);
    free(joined);
    free(strides);
    free(steps);
}

static void all_ways_agree(const void *row)
{
    const struct small *s = row;
    struct small_device d;
    small_open(&d, s);
    compare_ways(&d, s->tears);
    small_close(&d);
}

/* Short cuts do not hide a loader that fails, nor make one fail. */
struct broken {
    const char *name;
    struct small device;
    struct boot_breaks breaks;
    bool fails; /* after one cut */
};
#define UP                                                                                         \
    {                                                                                              \
        "", SPI, SMALL_UP, 4, 1, BENCHED | BIT(TEAR_WEAK), 0                                       \
    }
#define DOWN                                                                                       \
    {                                                                                              \
        "", SPI, SMALL_DOWN, 6, 2, BENCHED, 0                                                      \
    }
#define FULL                                                                                       \
    {                                                                                              \
        "", SPI, SMALL_FULL, 4, 1, BENCHED | BIT(TEAR_WEAK), 0                                     \
    }

static const struct broken broken[] = {
    {"no backup", UP, {.skip_backup = true}, true},
    {"no backup, down", DOWN, {.skip_backup = true}, true},
    {"no backup, full", FULL, {.skip_backup = true}, false},
    {"no journal", UP, {.skip_journal = true}, true},
    {"no journal, full", FULL, {.skip_journal = true}, false},
    {"begun before the checks", UP, {.begin_first = true}, false},
    {"old digest after a cut", DOWN, {.recheck_base = true}, true},
    {"staged too early", UP, {.staged_first = true}, true},
    {"done too early", DOWN, {.done_first = true}, true},
    {"backup reused too early", UP, {.reuse_early = true}, true},
    {"first page checked alone", DOWN, {.short_check = true}, true},
    {"file from its beginning", UP, {.restart_file = true}, true},
    {"result first", UP, {.clear_first = true}, true},
    {"pending cleared first", FULL, {.clear_pending = true}, true},
    {"result forgotten", FULL, {.forget_if_resumed = true}, true},
};

static const char *broken_name(const void *row)
{
    return ((const struct broken *)row)->name;
}

static void failures_are_found(const void *row)
{
    const struct broken *b = row;
    struct small_device d;
    small_open(&d, &b->device);
    d.subject.boot.breaks = b->breaks;
    struct told *naive = find_out(&d, FIRST_LOSS_RERUN, false, b->device.tears, 1);
    struct told *saved = find_out(&d, FIRST_LOSS_SAVED, true, b->device.tears, 1);
    struct told *joined = find_out(&d, FIRST_LOSS_JOINED, true, b->device.tears, 1);
    CHECK_INT(failed(naive) > 0, b->fails);
    check_same(saved, naive);
    check_same(joined, naive);
    free(naive);
    free(saved);
    free(joined);
    small_close(&d);
}

static void what_cannot_be_followed_is_refused(void)
{
    const struct small s = {"", SPI, SMALL_FULL, 2, 1, 0, 0};
    struct small_device d;
    struct err err = {""};
    struct first_loss_options o = {.tears = BIT(TEAR_UNWRITTEN), .seed = 1};
    small_open(&d, &s);
    CHECK(first_loss_new(&d.subject, d.chip, &o, &err) == NULL);
    CHECK_HAS(err.text, "does not follow");
    o.tears = 0;
    nor_arm_cut(d.chip, nor_op_count(d.chip) + 1, TEAR_WEAK, 0);
    (void)nor_erase(d.chip, 0, s.erase_bytes);
    nor_power_on(d.chip);
    (void)nor_program(d.chip, 0, "weak", 4);
    nor_arm_cut(d.chip, nor_op_count(d.chip) + 1, TEAR_WEAK, 0);
    (void)nor_program(d.chip, 8, "weak", 4);
    nor_power_on(d.chip);
    CHECK(first_loss_new(&d.subject, d.chip, &o, &err) == NULL);
    CHECK_HAS(err.text, "weak cells");
    small_close(&d);
}

static const struct test tests[] = {
    TEST_ROWS("all ways agree", all_ways_agree, rows, small_name),
    TEST_ROWS("failures are found", failures_are_found, broken, broken_name),
    {"what cannot be followed is refused", what_cannot_be_followed_is_refused},
};
TEST_MAIN("first_loss", tests)
