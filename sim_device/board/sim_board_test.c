#include "sim_device/board/sim_board.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

/* A scripted owner: it has no network, writes down what happens and moves the clock. */
struct bench {
    struct nor *nor;
    struct partition_table partitions;
    struct sim_board *s;
    struct board *b;
    int64_t now_ns;
    struct trace *trace;
    char log[8192];
    struct board_task *task; /* as a test needs */
    int number;
};

static void note(struct bench *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct bench *x, const char *fmt, ...)
{
    size_t at = strlen(x->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->log + at, sizeof x->log - at, fmt, ap);
    va_end(ap);
}

static int refuse(void *ctx, int sock, uint32_t ip, uint16_t port)
{
    (void)ctx, (void)sock, (void)ip, (void)port;
    return -1;
}

static int take_none(void *ctx, int sock, const void *data, size_t len_bytes)
{
    (void)ctx, (void)sock, (void)data, (void)len_bytes;
    return -1;
}

static void closed(void *ctx, int sock)
{
    (void)ctx, (void)sock;
}

static int know_nobody(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns)
{
    (void)ctx, (void)name, (void)ip, (void)delay_ns;
    return -1;
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct bench *x = ctx;
    trace_emit(x->trace, now_ns, lane, event, fields, n);
    if (lane == LANE_FLASH || lane == LANE_POWER)
        note(x, "%s%s@%lld ", event, n > 3 && fields[3].integer == 1 ? "(torn)" : "",
             (long long)(now_ns / NS_PER_MS));
}

/* 4 KiB sectors, 10 ms per erase, 1 ms per page, reading is free unless asked for. */
static void bench_open(struct bench *x, uint64_t seed, int64_t read_ns_per_byte)
{
    struct err err;
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    geo.size_bytes = 64 << 10;
    geo.erase_ns = 10 * NS_PER_MS;
    geo.program_ns = NS_PER_MS;
    geo.read_ns_per_byte = read_ns_per_byte;
    memset(x, 0, sizeof *x);
    x->nor = nor_new(&geo, seed, &err);
    REQUIRE(x->nor != NULL);
    x->trace = trace_new(NULL);
    struct sim_board_config cfg = {
        .nor = x->nor,
        .partitions = &x->partitions,
        .net = {x, refuse, take_none, closed, know_nobody, NULL},
        .utc_start_s = 1000,
        .seed = seed,
        .event = on_event,
        .event_ctx = x,
    };
    x->s = sim_board_new(&cfg, &err);
    REQUIRE(x->s != NULL);
    x->b = sim_board_board(x->s);
}

static void bench_close(struct bench *x)
{
    sim_board_free(x->s);
    nor_free(x->nor);
    trace_free(x->trace);
}

/* Runs the device up to and including that time. */
static enum sim_state run_to(struct bench *x, int64_t until_ns)
{
    for (;;) {
        int64_t next_ns = 0;
        enum sim_state st = sim_board_run(x->s, x->now_ns, &next_ns);
        if (st != SIM_WAITING || next_ns > until_ns) {
            if (st == SIM_WAITING && until_ns != VTIME_NEVER - 1)
                x->now_ns = until_ns;
            return st;
        }
        x->now_ns = next_ns;
    }
}

static enum sim_state run_out(struct bench *x)
{
    return run_to(x, VTIME_NEVER - 1);
}

static void power(struct bench *x, void (*entry)(void *))
{
    if (!nor_is_on(x->nor))
        nor_power_on(x->nor);
    CHECK_INT(sim_board_power_on(x->s, x->now_ns, entry, x), 0);
}

static long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

static void spawn(struct bench *x, void (*entry)(void *), uint8_t priority)
{
    x->task = x->b->ops->task_new(x->b, "t", entry, x, 4096, priority);
    REQUIRE(x->task != NULL);
    CHECK_INT(x->b->ops->task_start(x->b, x->task), BOARD_OK);
}

/* ---- order ---- */

static void say_number(void *arg)
{
    struct bench *x = arg;
    note(x, "%d ", ++x->number);
}

static void say_a(void *arg)
{
    note(arg, "a ");
}

static void say_b(void *arg)
{
    note(arg, "b ");
}

static void say_c(void *arg)
{
    note(arg, "c ");
}

static void priorities_main(void *arg)
{
    struct bench *x = arg;
    CHECK(board_current() == x->b);
    CHECK(x->b->ops->task_self(x->b) != NULL);
    spawn(x, say_a, 5);
    spawn(x, say_b, 3);
    spawn(x, say_c, 5);
    spawn(x, say_number, 20);
    note(x, "main ");
}

static void runs_by_priority_then_first_come(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, priorities_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "main b a c 1 ");
    CHECK(board_current() == NULL);
    CHECK_INT(x.b->heap.used_bytes, 0);
    bench_close(&x);
}

/* ---- waiting ---- */

static const char channel;

static void wait_and_say(struct bench *x, const char *name, int64_t timeout_ns)
{
    int rc = x->b->ops->wait(x->b, &channel, timeout_ns);
    note(x, "%s%s@%lld ", name, rc == BOARD_OK ? "" : "(late)", now_ms(x));
}

static void wait_low(void *arg)
{
    wait_and_say(arg, "low", BOARD_FOREVER);
}

static void wait_first(void *arg)
{
    wait_and_say(arg, "first", BOARD_FOREVER);
}

static void wait_second(void *arg)
{
    wait_and_say(arg, "second", BOARD_FOREVER);
}

static void wait_five(void *arg)
{
    wait_and_say(arg, "five", 5 * NS_PER_MS);
}

static void wake_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, wait_low, 30);
    spawn(x, wait_first, 10);
    spawn(x, wait_second, 10);
    spawn(x, wait_five, 1);
    board_sleep_ns(x->b, 6 * NS_PER_MS);
    x->b->ops->wake(x->b, &x->number, 99); /* another channel */
    x->b->ops->wake(x->b, &channel, 1);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->wake(x->b, &channel, 1);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->wake(x->b, &channel, 1);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->wake(x->b, &channel, 1); /* nobody left */
    note(x, "end@%lld ", now_ms(x));
}

static void wake_takes_one_at_a_time(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, wake_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "five(late)@5 first@6 second@7 low@8 end@9 ");
    bench_close(&x);
}

static void wake_two_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, wait_first, 10);
    spawn(x, wait_second, 10);
    spawn(x, wait_low, 30);
    board_sleep_ns(x->b, NS_PER_MS);
    x->b->ops->wake(x->b, &channel, 2);
    board_sleep_ns(x->b, NS_PER_MS);
    note(x, "main ");
}

static void wake_counts(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, wake_two_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "first@1 second@1 main ");
    bench_close(&x);
}

static void exact_main(void *arg)
{
    struct bench *x = arg;
    CHECK_INT(x->b->ops->wait(x->b, &channel, 0), BOARD_TIMEOUT);
    CHECK_INT(x->b->ops->now_ns(x->b), 0);
    CHECK_INT(x->b->ops->wait(x->b, &channel, 1), BOARD_TIMEOUT);
    CHECK_INT(x->b->ops->now_ns(x->b), 1);
    CHECK_INT(x->b->ops->wait(x->b, &channel, 3 * NS_PER_S), BOARD_TIMEOUT);
    CHECK_INT(x->b->ops->now_ns(x->b), 3 * NS_PER_S + 1);
    CHECK_INT(x->b->ops->utc_s(x->b), 1003);
    note(x, "done");
    (void)x->b->ops->wait(x->b, &channel, BOARD_FOREVER);
    note(x, " never");
}

static void time_outs_are_exact(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, exact_main);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    CHECK_INT(next_ns, 1);
    CHECK_INT(sim_board_run(x.s, 1, &next_ns), SIM_WAITING);
    CHECK_INT(next_ns, 3 * NS_PER_S + 1);
    CHECK_INT(sim_board_run(x.s, 3 * NS_PER_S, &next_ns), SIM_WAITING);
    CHECK_STR(x.log, "");
    CHECK_INT(sim_board_run(x.s, 3 * NS_PER_S + 1, &next_ns), SIM_WAITING);
    CHECK_INT(next_ns, VTIME_NEVER);
    CHECK_STR(x.log, "done");
    bench_close(&x);
}

static void sleep_three(void *arg)
{
    struct bench *x = arg;
    int me = ++x->number;
    board_sleep_ns(x->b, (me == 2 ? 1 : 3) * NS_PER_MS);
    note(x, "%d@%lld ", me, now_ms(x));
}

static void sleepers_main(void *arg)
{
    struct bench *x = arg;
    for (int i = 0; i < 4; i++)
        spawn(x, sleep_three, 10);
}

static void sleepers_wake_by_time_then_sequence(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, sleepers_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "2@1 1@3 3@3 4@3 ");
    bench_close(&x);
}

static void busy_main(void *arg)
{
    struct bench *x = arg;
    int64_t until_ns = x->b->ops->now_ns(x->b) + NS_PER_S;
    while (x->b->ops->now_ns(x->b) < until_ns)
        ;
    while (x->number == 0)
        (void)x->b->ops->wait(x->b, &channel, 0);
    note(x, "through");
}

static void busy_waiting_lets_time_pass(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, busy_main);
    CHECK_INT(run_to(&x, 2 * NS_PER_S), SIM_WAITING);
    CHECK_STR(x.log, "");
    x.number = 1;
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "through");
    bench_close(&x);
}

/* ---- tasks ---- */

static void limit_main(void *arg)
{
    struct bench *x = arg;
    struct board_task *t[BOARD_TASKS] = {NULL};
    size_t n = 0;
    while (n < BOARD_TASKS && (t[n] = x->b->ops->task_new(x->b, "t", say_a, x, 1 << 20, 9)) != NULL)
        n++;
    CHECK_INT(n, BOARD_TASKS - 1);
    CHECK_INT(board_heap_blocks(x->b), n);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(x->b->ops->task_free(x->b, t[i]), BOARD_OK);
    CHECK_INT(x->b->ops->task_free(x->b, t[0]), BOARD_ERROR);
    CHECK_INT(x->b->ops->task_start(x->b, t[0]), BOARD_ERROR);
    CHECK_INT(board_heap_blocks(x->b), 0);
    x->b->heap.fail_at = x->b->heap.calls + 1;
    CHECK(x->b->ops->task_new(x->b, "t", say_a, x, 1024, 9) == NULL);
    spawn(x, say_a, 9);
    CHECK_INT(x->b->ops->task_start(x->b, x->task), BOARD_ERROR);
}

static void tasks_are_bounded_and_counted(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, limit_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "a ");
    CHECK_INT(x.b->heap.used_bytes, 0);
    bench_close(&x);
}

static void end_oneself(void *arg)
{
    struct bench *x = arg;
    note(x, "bye ");
    (void)x->b->ops->task_free(x->b, x->b->ops->task_self(x->b));
    note(x, "still here ");
}

static void destroy_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, wait_low, 30);
    struct board_task *waiter = x->task;
    spawn(x, end_oneself, 30);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK_INT(x->b->ops->task_free(x->b, waiter), BOARD_OK);
    x->b->ops->wake(x->b, &channel, 1);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void destroyed_tasks_never_run(void)
{
    struct bench x;
    bench_open(&x, 1, 0);
    power(&x, destroy_main);
    CHECK_INT(run_out(&x), SIM_WAITING);
    CHECK_STR(x.log, "bye ");
    bench_close(&x);
}

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

static void incomplete_config_is_refused(void)
{
    struct err err;
    struct sim_board_config cfg = {.connect_timeout_ns = 1};
    CHECK(sim_board_new(&cfg, &err) == NULL);
    CHECK_HAS(err.text, "needs a chip");
    sim_board_free(NULL);
}

static const struct test tests[] = {
    {"tasks run by priority, then first come", runs_by_priority_then_first_come},
    {"a wake takes one waiter, the most urgent, longest waiting", wake_takes_one_at_a_time},
    {"a wake of two takes two", wake_counts},
    {"time-outs are exact", time_outs_are_exact},
    {"sleepers wake by time, then sequence", sleepers_wake_by_time_then_sequence},
    {"busy waiting lets time pass", busy_waiting_lets_time_pass},
    {"tasks are bounded and counted", tasks_are_bounded_and_counted},
    {"destroyed tasks never run again", destroyed_tasks_never_run},
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
    {"an incomplete configuration is refused", incomplete_config_is_refused},
};

TEST_MAIN("simulated board", tests)
