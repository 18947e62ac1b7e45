/* Flash time, power cuts, resets and repetition on the simulated board. */
#include "sim_device/board/sim_board_testing.h"

/* ---- flash and power ---- */

static void see_busy(void *arg)
{
    struct bench *x = arg;
    note(x, "busy=%d ", x->b->flash_busy);
    board_sleep_ns(x->b, 11 * NS_PER_MS);
    note(x, "busy=%d ", x->b->flash_busy);
}

static void erase_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, see_busy, 20);
    CHECK_INT(nor_erase(x->nor, 4096, 4096), 0);
    note(x, "erased@%lld ", now_ms(x));
}

static void others_run_while_flash_is_busy(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, erase_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "busy=1 erase@10 erased@10 busy=0 ");
    bench_close(&x);
}

static void write_two_pages(void *arg)
{
    struct bench *x = arg;
    CHECK(board_alloc(x->b, 500) != NULL);
    spawn(x, wait_low, 30);
    uint8_t data[512];
    memset(data, 0x0F, sizeof data);
    note(x, "write ");
    (void)nor_program(x->nor, 0, data, sizeof data);
    note(x, "written ");
}

static void armed_cut_ends_everything(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    nor_arm_cut(x.nor, 2, TEAR_PREFIX, 100);
    power(&x, write_two_pages);
    CHECK_INT(run_out(&x), SIM_CUT);
    CHECK_STR(x.log, "write program@1 program(torn)@1 cut@1 ");
    CHECK_INT(x.b->heap.used_bytes, 0);
    CHECK_INT(board_heap_blocks(x.b), 0);
    CHECK(!x.b->flash_busy);
    CHECK(board_current() == NULL);
    CHECK(!nor_is_on(x.nor));
    CHECK_INT(nor_peek(x.nor)[256 + 99], 0x0F);
    CHECK_INT(nor_peek(x.nor)[256 + 100], 0xFF);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, x.now_ns, &next_ns), SIM_OFF);
    CHECK_INT(next_ns, VTIME_NEVER);
    CHECK_ERR(sim_board_power_on(x.s, x.now_ns, write_two_pages, &x), ERR_WRONG_STATE);
    CHECK(nor_fault(x.nor) == NULL);

    x.log[0] = '\0';
    power(&x, write_two_pages);
    CHECK_ERR(sim_board_power_on(x.s, x.now_ns, write_two_pages, &x), ERR_WRONG_STATE);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "write program@2 program@3 written ");
    bench_close(&x);
}

struct torn {
    const char *name;
    enum nor_tear tear;
    uint32_t arg;
    uint8_t first, last; /* bytes of the sector afterwards */
};

static const struct torn torn_erases[] = {
    {"nothing", TEAR_NOTHING, 0, 0x00, 0x00},
    {"prefix", TEAR_PREFIX, 1024, 0xFF, 0x00},
    {"done", TEAR_DONE, 0, 0xFF, 0xFF},
};

static const char *torn_name(const void *row)
{
    return ((const struct torn *)row)->name;
}

static void power_off_tears_an_erase(const void *row)
{
    const struct torn *r = row;
    struct bench x;
    bench_open(&x, 1, 0);
    uint8_t zeros[4096] = {0};
    CHECK_INT(nor_load(x.nor, 4096, zeros, sizeof zeros), 0);
    power(&x, erase_main);
    CHECK_INT(run_to(&x, 5 * NS_PER_MS), SIM_WAITING);
    CHECK(x.b->flash_busy);
    sim_board_power_off(x.s, 5 * NS_PER_MS, r->tear, r->arg);
    CHECK_STR(x.log, "busy=1 erase(torn)@5 cut@5 ");
    CHECK_INT(nor_peek(x.nor)[4096], r->first);
    CHECK_INT(nor_peek(x.nor)[8191], r->last);
    CHECK(!x.b->flash_busy);
    CHECK_INT(run_out(&x), SIM_OFF);
    sim_board_power_off(x.s, 6 * NS_PER_MS, TEAR_DONE, 0);
    CHECK_STR(x.log, "busy=1 erase(torn)@5 cut@5 ");
    CHECK(nor_fault(x.nor) == NULL);
    bench_close(&x);
}

static void reset_main(void *arg)
{
    struct bench *x = arg;
    CHECK(board_alloc(x->b, 10) != NULL);
    spawn(x, wait_low, 30);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->reset(x->b);
}

static void idle_main(void *arg)
{
    struct bench *x = arg;
    CHECK(board_alloc(x->b, 10) != NULL);
    spawn(x, wait_five, 30);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->idle(x->b);
}

static void reset_and_idle_end_the_power_on(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, reset_main);
    CHECK_INT(run_out(&x), SIM_RESET);
    CHECK_INT(board_heap_blocks(x.b), 0);
    CHECK(nor_is_on(x.nor));
    power(&x, idle_main);
    CHECK_INT(run_out(&x), SIM_IDLE);
    CHECK_INT(board_heap_blocks(x.b), 0);
    CHECK_INT(run_out(&x), SIM_OFF);
    CHECK_STR(x.log, "");
    bench_close(&x);
}

static void erase_twice(void *arg)
{
    struct bench *x = arg;
    (void)nor_erase(x->nor, 4096, 8192);
    note(x, "erased ");
}

static void reset_meanwhile_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, erase_twice, 30);
    spawn(x, wait_low, 30);
    board_sleep_ns(x->b, 3 * NS_PER_MS);
    x->b->ops->wake(x->b, &channel, 1);
    x->b->ops->reset(x->b);
}

static void reset_waits_for_the_operation_under_way(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    uint8_t zeros[8192] = {0};
    CHECK_INT(nor_load(x.nor, 4096, zeros, sizeof zeros), 0);
    power(&x, reset_meanwhile_main);
    CHECK_INT(run_out(&x), SIM_RESET);
    CHECK_STR(x.log, "erase@10 ");
    CHECK_INT(x.now_ns, 10 * NS_PER_MS);
    CHECK_INT(nor_peek(x.nor)[4096], 0xFF);
    CHECK_INT(nor_peek(x.nor)[8192], 0x00);

    x.log[0] = '\0';
    nor_arm_cut(x.nor, nor_op_count(x.nor) + 1, TEAR_PREFIX, 16);
    power(&x, reset_meanwhile_main);
    CHECK_INT(run_out(&x), SIM_CUT);
    CHECK_STR(x.log, "erase(torn)@15 cut@15 ");
    bench_close(&x);
}

static void doom_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, erase_twice, 30);
    board_sleep_ns(x->b, 3 * NS_PER_MS);
    CHECK_INT(x->b->ops->task_free(x->b, x->task), BOARD_OK);
    CHECK_INT(x->b->ops->task_free(x->b, x->task), BOARD_ERROR);
    CHECK_INT(board_heap_blocks(x->b), 0);
    board_sleep_ns(x->b, 30 * NS_PER_MS);
    note(x, "busy=%d ", x->b->flash_busy);
}

static void destroyed_task_completes_its_operation(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, doom_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "erase@10 busy=0 ");
    bench_close(&x);
}

static void digest_main(void *arg)
{
    struct bench *x = arg;
    uint8_t out[SHA256_BYTES];
    CHECK_OK(board_digest_flash(x->b, DIGEST_SHA256, 0, 16384, out), NULL);
    note(x, "digest@%lld ", now_ms(x));
}

static void digest_reset_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, digest_main, 30);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK(x->b->digests != NULL);
    CHECK(!x->b->flash_busy);
    if (x->number == 1)
        x->b->ops->reset(x->b);
    board_sleep_ns(x->b, 100 * NS_PER_MS);
}

static void reading_takes_time_and_can_be_dropped(void)
{
    struct bench x;
    bench_open(&x, 1, 1000);
    power(&x, digest_reset_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "digest@16 ");
    sim_board_power_off(x.s, x.now_ns, TEAR_DONE, 0);
    x.number = 1;
    x.log[0] = '\0';
    int64_t start_ns = x.now_ns;
    power(&x, digest_reset_main);
    CHECK_INT(run_out(&x), SIM_RESET);
    CHECK_INT(x.now_ns, start_ns + NS_PER_MS);
    CHECK(x.b->digests == NULL);
    CHECK_STR(x.log, "");
    bench_close(&x);
}

static void bench_works_on_the_chip_directly(void)
{
    struct bench x;
    bench_open(&x, 1, 1000);
    uint8_t data[256] = {0};
    CHECK_INT(nor_program(x.nor, 0, data, sizeof data), 0);
    CHECK_INT(nor_read(x.nor, 0, data, sizeof data), 0);
    CHECK_STR(x.log, "program@0 ");
    nor_arm_cut(x.nor, 2, TEAR_NOTHING, 0);
    CHECK_ERR(nor_erase(x.nor, 0, 4096), ERR_IO);
    CHECK(!x.b->flash_busy);
    nor_power_on(x.nor);
    power(&x, erase_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    bench_close(&x);
}

/* ---- many cycles, and repetition ---- */

static void worker(void *arg)
{
    struct bench *x = arg;
    for (;;) {
        void *p = board_alloc(x->b, 1 + (size_t)rng_below(&x->b->rng, 100));
        uint8_t out[SHA256_BYTES];
        (void)board_digest_flash(x->b, DIGEST_SHA256, 0, 1024, out);
        if (rng_below(&x->b->rng, 2) == 0)
            board_free(x->b, p);
        board_sleep_ns(x->b, 1 + (int64_t)rng_below(&x->b->rng, 5 * NS_PER_MS));
        board_log(x->b, "turn", 4);
    }
}

static void busy_device(void *arg)
{
    struct bench *x = arg;
    for (uint8_t i = 0; i < 4; i++)
        spawn(x, worker, (uint8_t)(i * 8));
    uint8_t page[256];
    for (uint32_t at = 0;; at = (at + 256) % 16384) {
        if (at % 4096 == 0)
            (void)nor_erase(x->nor, at, 4096);
        rng_fill(&x->b->rng, page, sizeof page);
        (void)nor_program(x->nor, at, page, sizeof page);
        if (rng_below(&x->b->rng, 64) == 0)
            x->b->ops->reset(x->b);
    }
}

static void many_cycles(uint64_t seed, int cycles, char hash[65])
{
    struct bench x;
    bench_open(&x, seed, 10);
    struct rng rng;
    rng_init(&rng, seed, "test", "cuts", 0);
    int ends[SIM_OFF + 1] = {0};
    for (int i = 0; i < cycles; i++) {
        power(&x, busy_device);
        if (i % 2 == 0)
            nor_arm_cut(x.nor, nor_op_count(x.nor) + 1 + rng_below(&rng, 20),
                        (enum nor_tear)rng_below(&rng, TEAR_COUNT), 64);
        int64_t until_ns = x.now_ns + 1 + (int64_t)rng_below(&rng, 40 * NS_PER_MS);
        enum sim_state st = run_to(&x, until_ns);
        ends[st]++;
        if (st == SIM_WAITING)
            sim_board_power_off(x.s, x.now_ns, (enum nor_tear)rng_below(&rng, TEAR_COUNT), 64);
        nor_arm_cut(x.nor, 0, TEAR_NOTHING, 0);
        if (board_heap_blocks(x.b) != 0 || nor_fault(x.nor) != NULL)
            CHECK_STR(nor_fault(x.nor), "no block left, no fault");
        x.log[0] = '\0';
    }
    CHECK(ends[SIM_CUT] > cycles / 20);
    CHECK(ends[SIM_RESET] > 0);
    CHECK(ends[SIM_WAITING] > cycles / 20);
    CHECK(trace_count(x.trace) > (uint64_t)cycles);
    trace_sha256(x.trace, hash);
    bench_close(&x);
}

static void a_thousand_power_cycles(void)
{
    char hash[65];
    many_cycles(5, 1000, hash);
}

static void same_seed_same_events(void)
{
    char first[65], again[65], other[65];
    many_cycles(6, 100, first);
    many_cycles(6, 100, again);
    many_cycles(7, 100, other);
    CHECK_STR(again, first);
    CHECK(strcmp(first, other) != 0);
}

static void draw(void *arg)
{
    struct bench *x = arg;
    note(x, "%016llx ", (unsigned long long)rng_u64(&x->b->rng));
    x->b->ops->reset(x->b);
}

static void random_stream_is_per_boot(void)
{
    struct bench x, y;
    bench_open(&x, 9, 0);
    bench_open(&y, 9, 0);
    for (int i = 0; i < 2; i++) {
        power(&x, draw);
        CHECK_INT(run_out(&x), SIM_RESET);
        power(&y, draw);
        CHECK_INT(run_out(&y), SIM_RESET);
    }
    CHECK_STR(x.log, y.log);
    CHECK(strncmp(x.log, x.log + 17, 16) != 0);
    bench_close(&x);
    bench_close(&y);
}

static const struct test tests[] = {
    {"other tasks run while flash is busy", others_run_while_flash_is_busy},
    {"an armed cut ends everything volatile", armed_cut_ends_everything},
    TEST_ROWS("power off tears the erase under way", power_off_tears_an_erase, torn_erases,
              torn_name),
    {"reset and idle end the power-on", reset_and_idle_end_the_power_on},
    {"a reset waits for the operation under way", reset_waits_for_the_operation_under_way},
    {"a destroyed task completes its operation", destroyed_task_completes_its_operation},
    {"reading takes time and can be dropped", reading_takes_time_and_can_be_dropped},
    {"the bench works on the chip directly", bench_works_on_the_chip_directly},
    {"a thousand power cycles leave nothing behind", a_thousand_power_cycles},
    {"the same seed gives the same events", same_seed_same_events},
    {"the random stream is that of the boot", random_stream_is_per_boot},
};

TEST_MAIN("simulated power", tests)
