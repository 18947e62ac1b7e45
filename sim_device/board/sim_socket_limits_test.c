#include "sim_device/board/sim_socket_testing.h"

/* ---- the rest ---- */

static void bad_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    static const int fds[] = {-1, 0, BOARD_SOCKETS - 1, BOARD_SOCKETS, 1000000};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        uint32_t ip = 0;
        uint16_t port = 0;
        char c = 0;
        CHECK_INT(ops->sock_close(x->b, fds[i]), -1);
        CHECK_INT(ops->sock_connect(x->b, fds[i], 1, 1), -1);
        CHECK_INT(ops->sock_send(x->b, fds[i], "x", 1), -1);
        CHECK_INT(ops->sock_recv(x->b, fds[i], &c, 1), BOARD_ERROR);
        CHECK_INT(ops->sock_recv_timeout(x->b, fds[i], 1), -1);
        CHECK_INT(ops->sock_poll(x->b, fds[i], BOARD_READABLE, 1), -1);
        CHECK_INT(ops->sock_sendto(x->b, fds[i], "x", 1, 1, 1), -1);
        CHECK_INT(ops->sock_recvfrom(x->b, fds[i], &c, 1, &ip, &port), BOARD_ERROR);
    }
    CHECK_INT(ops->sock_open(x->b, (enum board_sock_type)7), -1);
    for (int i = 0; i < BOARD_SOCKETS; i++)
        CHECK_INT(ops->sock_open(x->b, BOARD_STREAM), i);
    CHECK_INT(ops->sock_open(x->b, BOARD_STREAM), -1);
    CHECK_INT(ops->sock_close(x->b, 5), 0);
    CHECK_INT(ops->sock_open(x->b, BOARD_DGRAM), 5);
    note(x, "checked");
}

static void bad_descriptors_fail_in_every_call(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, bad_main);
    CHECK_STR(x.log, "checked");
    bench_close(&x);
}

static void dgram_main(void *arg)
{
    struct bench *x = arg;
    const struct board_ops *ops = x->b->ops;
    int fd = ops->sock_open(x->b, BOARD_DGRAM);
    CHECK_INT(ops->sock_send(x->b, fd, "no", 2), -1);
    CHECK_INT(ops->sock_sendto(x->b, fd, "hi", 2, 0x0A000009, 53), 2);
    CHECK_INT(ops->sock_connect(x->b, fd, 0x0A000008, 54), 0);
    CHECK_INT(ops->sock_send(x->b, fd, "ho", 2), 2);
    char text[4] = "";
    uint32_t ip = 0;
    uint16_t port = 0;
    CHECK_INT(ops->sock_recvfrom(x->b, fd, text, 3, &ip, &port), 3); /* the rest is lost */
    CHECK_STR(text, "abc");
    CHECK_INT(ip, 0x0A000009);
    CHECK_INT(port, 53);
    CHECK_INT(ops->sock_recv(x->b, fd, text, 3), 2);
    CHECK_MEM(text, "xy", 2);
    CHECK_INT(ops->sock_recv_timeout(x->b, fd, NS_PER_MS), 0);
    CHECK_INT(ops->sock_recv(x->b, fd, text, 3), BOARD_TIMEOUT);
    CHECK_INT(ops->sock_close(x->b, fd), 0);
}

static void datagrams_keep_their_borders(void)
{
    static const struct step steps[] = {
        {5, "dgram", "abcde"}, {5, "dgram", "xy"}, {5, "data", "no stream"}, {0, NULL, NULL}};
    struct bench x;
    bench_open(&x);
    x.steps = steps;
    (void)play(&x, dgram_main);
    CHECK_STR(x.log, "sendto(0,hi,0a000009,53) sendto(0,ho,0a000008,54) close(0) ");
    CHECK_INT(x.now_ns, 6 * NS_PER_MS);
    bench_close(&x);
}

static void resolve_main(void *arg)
{
    struct bench *x = arg;
    uint32_t ip = 0;
    CHECK_INT(x->b->ops->resolve(x->b, "10.1.2.3", &ip), 0);
    CHECK_INT(ip, 0x0A010203);
    CHECK_INT(now_ms(x), 0);
    CHECK_INT(x->b->ops->resolve(x->b, "cloud", &ip), 0);
    CHECK_INT(ip, 0x0A000001);
    CHECK_INT(now_ms(x), 7);
    CHECK_INT(x->b->ops->resolve(x->b, "nobody", &ip), -1);
    CHECK_INT(now_ms(x), 14);
    note(x, "resolved");
}

static void names_take_their_time(void)
{
    struct bench x;
    bench_open(&x);
    (void)play(&x, resolve_main);
    CHECK_STR(x.log, "resolved");
    bench_close(&x);
}

static void window_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    board_sleep_ns(x->b, NS_PER_MS);
    static char all[300000];
    size_t got = 0;
    int n = 0;
    while ((n = x->b->ops->sock_recv(x->b, fd, all + got, 777)) > 0)
        got += (size_t)n;
    CHECK_INT(n, 0);
    CHECK_INT(got, 300000);
    for (size_t i = 0; i < got; i++)
        if (all[i] != (char)(i % 251)) {
            CHECK_INT(i, -1);
            break;
        }
    note(x, "all");
}

static void much_data_is_kept_in_order(void)
{
    struct bench x;
    bench_open(&x);
    CHECK_INT(sim_board_power_on(x.s, 0, window_main, &x), 0);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    CHECK_INT(sim_net_room(x.s, 0), 0);
    sim_net_connected(x.s, 0, true);
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    CHECK_INT(sim_net_room(x.s, 0), 65536);
    static char all[300000];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i % 251);
    sim_net_data(x.s, 0, all, 60000);
    CHECK_INT(sim_net_room(x.s, 0), 5536);
    sim_net_data(x.s, 0, all + 60000, sizeof all - 60000);
    CHECK_INT(sim_net_room(x.s, 0), 0);
    sim_net_eof(x.s, 0);
    CHECK_INT(sim_board_run(x.s, next_ns, &next_ns), SIM_WAITING);
    CHECK_STR(x.log, "all");
    bench_close(&x);
}

static void flooded_main(void *arg)
{
    struct bench *x = arg;
    int fd = connected(x);
    board_sleep_ns(x->b, NS_PER_MS);
    CHECK_INT(x->b->ops->sock_send(x->b, fd, "x", 1), -1);
}

static void overflow_breaks_the_connection(void)
{
    static char megabyte[1 << 20];
    struct bench x;
    bench_open(&x);
    x.answer = ANSWER_OK_AT_ONCE;
    CHECK_INT(sim_board_power_on(x.s, 0, flooded_main, &x), 0);
    int64_t next_ns = 0;
    CHECK_INT(sim_board_run(x.s, 0, &next_ns), SIM_WAITING);
    for (int i = 0; i < 17; i++)
        sim_net_data(x.s, 0, megabyte, sizeof megabyte);
    CHECK_STR(x.log, "overflow close(0) ");
    CHECK_INT(sim_board_run(x.s, next_ns, &next_ns), SIM_WAITING);
    bench_close(&x);
}

static void cut_main(void *arg)
{
    struct bench *x = arg;
    (void)connected(x);
    (void)nor_erase(x->nor, 0, 4096);
}

static void a_cut_tells_the_owner_nothing(void)
{
    struct bench x;
    bench_open(&x);
    nor_arm_cut(x.nor, 1, TEAR_PREFIX, 8);
    CHECK_INT(play(&x, cut_main), SIM_CUT);
    sim_net_data(x.s, 0, "late", 4);
    sim_net_eof(x.s, 0);
    sim_net_reset(x.s, 0);
    sim_net_connected(x.s, 0, true);
    sim_net_data(x.s, -1, "nowhere", 7);
    sim_net_eof(x.s, BOARD_SOCKETS);
    CHECK_STR(x.log, "");
    nor_power_on(x.nor);
    (void)play(&x, recv_main); /* a fresh socket: nothing of the late data */
    CHECK_HAS(x.log, "-1:");
    bench_close(&x);
}

static const struct test tests[] = {
    {"bad descriptors fail in every call", bad_descriptors_fail_in_every_call},
    {"datagrams keep their borders", datagrams_keep_their_borders},
    {"names take their time", names_take_their_time},
    {"much data is kept in order", much_data_is_kept_in_order},
    {"an overflow breaks the connection", overflow_breaks_the_connection},
    {"a cut tells the owner nothing", a_cut_tells_the_owner_nothing},
};
TEST_MAIN("limits of simulated sockets", tests)
