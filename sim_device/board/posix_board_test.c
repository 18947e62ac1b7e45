/* What the simulated board promises of tasks, time and power, on threads. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim_device/board/posix_board_testing.h"

/* ---- order and waiting ---- */

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
    note(x, "%d %d ", board_current() == x->b, x->b->ops->task_self(x->b) != NULL);
    spawn(x, say_a, 5);
    spawn(x, say_b, 3);
    spawn(x, say_c, 5);
    note(x, "main ");
}

static void runs_by_priority_then_first_come(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, priorities_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "1 1 main b a c ");
    CHECK(board_current() == NULL);
    bench_stop(&x);
}

static void wait_first(void *arg)
{
    wait_and_say(arg, "first");
}

static void wait_second(void *arg)
{
    wait_and_say(arg, "second");
}

static void wake_main(void *arg)
{
    struct bench *x = arg;
    spawn(x, wait_first, 10);
    spawn(x, wait_second, 10);
    spawn(x, wait_low, 30);
    await_blocked(x, 3);
    for (int i = 0; i < 3; i++) {
        x->b->ops->wake(x->b, &x->number, 99); /* another channel */
        x->b->ops->wake(x->b, &channel, 1);
        await_blocked(x, 1);
        note(x, "; ");
    }
    x->b->ops->idle(x->b);
}

static void wake_takes_one_at_a_time(void)
{
    for (int i = 0; i < 20; i++) {
        struct bench x = {0};
        bench_start(&x);
        CHECK_INT(posix_board_run(x.p, wake_main, &x), POSIX_IDLE);
        CHECK_STR(x.log, "first:0 ; second:0 ; low:0 ; ");
        CHECK_INT(x.b->heap.used_bytes, 0);
        bench_stop(&x);
    }
}

static void time_main(void *arg)
{
    struct bench *x = arg;
    int64_t before_ns = x->b->ops->now_ns(x->b);
    note(x, "%d ", x->b->ops->wait(x->b, &channel, 0));
    note(x, "%d ", x->b->ops->wait(x->b, &channel, 20 * NS_PER_MS));
    int64_t after_ns = x->b->ops->now_ns(x->b);
    note(x, "%s ", after_ns - before_ns >= 20 * NS_PER_MS ? "long" : "short");
    board_sleep_ns(x->b, 15 * NS_PER_MS);
    note(x, "%s ", x->b->ops->now_ns(x->b) - after_ns >= 15 * NS_PER_MS ? "long" : "short");
    note(x, "%s ", before_ns >= 100 * NS_PER_S ? "offset" : "no offset");
    note(x, "%s ", x->b->ops->utc_s(x->b) >= 5100 ? "utc" : "no utc");
}

static void time_outs_are_long_enough(void)
{
    struct bench x = {.cfg = {.now_offset_ns = 100 * NS_PER_S, .utc_start_s = 5000}};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, time_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "-1 -1 long long offset utc ");
    bench_stop(&x);
}

/* ---- tasks ---- */

static void limit_main(void *arg)
{
    struct bench *x = arg;
    for (int round = 0; round < 2; round++) {
        struct board_task *t[BOARD_TASKS] = {NULL};
        size_t n = 0;
        while (n < BOARD_TASKS &&
               (t[n] = x->b->ops->task_new(x->b, "t", wait_low, x, 1024, 9)) != NULL)
            (void)x->b->ops->task_start(x->b, t[n++]);
        note(x, "%zu ", n);
        await_blocked(x, (int)n);
        int freed = 0;
        for (size_t i = 0; i < n; i++)
            freed += x->b->ops->task_free(x->b, t[i]) == BOARD_OK;
        note(x, "%d %zu ", freed, board_heap_blocks(x->b));
        x->b->ops->wake(x->b, &channel, 99);
        board_sleep_ns(x->b, NS_PER_MS);
        /* Threads end on their own; until then their place is taken. */
        while ((x->task = x->b->ops->task_new(x->b, "t", say_a, x, 1024, 9)) == NULL)
            board_sleep_ns(x->b, NS_PER_MS);
        (void)x->b->ops->task_free(x->b, x->task);
    }
    (void)x->b->ops->task_free(x->b, x->b->ops->task_self(x->b));
    note(x, "still here ");
}

static void destroyed_tasks_never_run(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, limit_main, &x), POSIX_IDLE);
    CHECK_HAS(x.log, "15 15 0 ");
    CHECK(strstr(x.log, "low") == NULL);
    CHECK(strstr(x.log, "still here") == NULL);
    bench_stop(&x);
}

/* ---- flash and power ---- */

static void see_busy(void *arg)
{
    struct bench *x = arg;
    note(x, "busy=%d ", x->b->flash_busy);
}

static void erase_main(void *arg)
{
    struct bench *x = arg;
    int64_t before_ns = x->b->ops->now_ns(x->b);
    spawn(x, see_busy, 20);
    int rc = nor_erase(x->nor, 4096, 4096);
    bool long_enough = x->b->ops->now_ns(x->b) - before_ns >= 20 * NS_PER_MS;
    note(x, "%d %s busy=%d ", rc, long_enough ? "long" : "short", x->b->flash_busy);
}

static void others_run_while_flash_is_busy(void)
{
    struct bench x = {0};
    bench_start(&x);
    CHECK_INT(posix_board_run(x.p, erase_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "busy=1 erase 0 long busy=0 ");
    bench_stop(&x);
}

static void erase_twice(void *arg)
{
    struct bench *x = arg;
    about_to_block(x);
    (void)nor_erase(x->nor, 4096, 8192);
    note(x, "erased ");
}

static void reset_main(void *arg)
{
    struct bench *x = arg;
    (void)board_alloc(x->b, 1000);
    x->fd = x->b->ops->sock_open(x->b, BOARD_DGRAM);
    spawn(x, wait_low, 9);
    spawn(x, blocked_reader, 9);
    spawn(x, erase_twice, 9);
    await_blocked(x, 3);
    if (x->number == 0)
        x->b->ops->reset(x->b);
    x->b->ops->idle(x->b);
}

static void reset_and_idle_stop_all_tasks(void)
{
    struct bench x = {0};
    bench_start(&x);
    uint8_t zeros[8192] = {0};
    CHECK_INT(nor_load(x.nor, 4096, zeros, sizeof zeros), 0);
    CHECK_INT(posix_board_run(x.p, reset_main, &x), POSIX_RESET);
    CHECK_STR(x.log, "erase "); /* the operation under way, and none after it */
    CHECK_INT(nor_peek(x.nor)[4096], 0xFF);
    CHECK_INT(nor_peek(x.nor)[8192], 0x00);
    CHECK_INT(x.b->heap.used_bytes, 0);
    CHECK(!x.b->flash_busy);
    x.number = 1;
    x.ready = 0;
    CHECK_INT(posix_board_run(x.p, reset_main, &x), POSIX_IDLE);
    CHECK_STR(x.log, "erase erase ");
    bench_stop(&x);
}

static void write_main(void *arg)
{
    struct bench *x = arg;
    uint8_t data[512];
    memset(data, 0x0F, sizeof data);
    spawn(x, wait_low, 20);
    (void)nor_program(x->nor, 0, data, sizeof data);
    note(x, "written ");
}

static void count_loss(void *ctx)
{
    struct bench *x = ctx;
    x->number++;
}

static void a_cut_ends_the_run(void)
{
    struct bench x = {0};
    x.cfg.power_lost = count_loss;
    x.cfg.power_lost_ctx = &x;
    bench_start(&x);
    nor_arm_cut(x.nor, 2, TEAR_PREFIX, 100);
    CHECK_INT(posix_board_run(x.p, write_main, &x), POSIX_CUT);
    CHECK_INT(x.number, 1);
    CHECK_STR(x.log, "program program cut ");
    CHECK(!nor_is_on(x.nor));
    CHECK_INT(nor_peek(x.nor)[256 + 99], 0x0F);
    CHECK_INT(nor_peek(x.nor)[256 + 100], 0xFF);
    bench_stop(&x);
}

static void a_cut_kills_the_process(void)
{
    char path[TEST_PATH_MAX + 16];
    test_tmpdir(path);
    (void)strcat(path, "/flash");
    struct nor_geometry geo;
    struct err err;
    pid_t child = fork();
    if (child == 0) {
        struct bench x = {.nor = nor_open(small_chip(&geo), path, 1, &err)};
        if (x.nor == NULL)
            _exit(3);
        x.cfg = (struct posix_board_config){.nor = x.nor, .partitions = &x.partitions};
        x.p = posix_board_new(&x.cfg, &err);
        x.b = posix_board_board(x.p);
        nor_arm_cut(x.nor, 2, TEAR_PREFIX, 100);
        (void)posix_board_run(x.p, write_main, &x);
        _exit(4);
    }
    REQUIRE(child > 0);
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGKILL);
    struct nor *nor = nor_open(small_chip(&geo), path, 1, &err);
    REQUIRE(nor != NULL);
    CHECK_INT(nor_op_count(nor), 2);
    CHECK_INT(nor_peek(nor)[256 + 99], 0x0F);
    CHECK_INT(nor_peek(nor)[256 + 100], 0xFF);
    nor_free(nor);
}

static void incomplete_config_is_refused(void)
{
    struct err err;
    struct posix_board_config cfg = {.seed = 1};
    CHECK(posix_board_new(&cfg, &err) == NULL);
    CHECK_HAS(err.text, "needs a chip");
    posix_board_free(NULL);
}

static const struct test tests[] = {
    {"a cut kills the process, the flash file stays", a_cut_kills_the_process},
    {"tasks run by priority, then first come", runs_by_priority_then_first_come},
    {"a wake takes one waiter, the most urgent, longest waiting", wake_takes_one_at_a_time},
    {"time-outs are long enough", time_outs_are_long_enough},
    {"destroyed tasks never run again", destroyed_tasks_never_run},
    {"other tasks run while flash is busy", others_run_while_flash_is_busy},
    {"reset and idle stop all tasks", reset_and_idle_stop_all_tasks},
    {"a cut ends the run", a_cut_ends_the_run},
    {"an incomplete configuration is refused", incomplete_config_is_refused},
};

TEST_MAIN("posix board", tests)
