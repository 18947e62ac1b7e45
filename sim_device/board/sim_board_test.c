/* Tasks, waiting and time of the simulated board. */
#include "sim_device/board/sim_board_testing.h"

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

static void wait_first(void *arg)
{
    wait_and_say(arg, "first", BOARD_FOREVER);
}

static void wait_second(void *arg)
{
    wait_and_say(arg, "second", BOARD_FOREVER);
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
    {"an incomplete configuration is refused", incomplete_config_is_refused},
};

TEST_MAIN("simulated board", tests)
