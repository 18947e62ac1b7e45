/* Sockets, names and datagrams; the table of the port. */
#include "sim_device/port/oneos/oneos_testing.h"

static int connected_socket(void)
{
    struct addrinfo *ai = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), 0);
    if (ai == NULL)
        return -1;
    int fd = os_socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
    CHECK(fd >= 0);
    int rc = os_connect(fd, ai->ai_addr, ai->ai_addrlen);
    os_freeaddrinfo(ai);
    if (rc == 0)
        return fd;
    CHECK_INT(os_closesocket(fd), 0);
    return -1;
}

static void look_up_body(struct bench *x)
{
    struct addrinfo *ai = NULL, hints = {.ai_family = AF_INET};
    struct hostent *h = os_gethostbyname("server.test");
    CHECK(h != NULL && h->h_addrtype == AF_INET && h->h_length == 4);
    if (h != NULL) {
        CHECK_MEM(h->h_addr_list[0], "\x0a\x00\x00\x01", 4);
        CHECK(h->h_addr_list[1] == NULL && h->h_aliases[0] == NULL);
        CHECK_STR(h->h_name, "server.test");
    }
    CHECK(os_gethostbyname("nobody.test") == NULL);
    CHECK(os_gethostbyname("") == NULL);
    CHECK(os_gethostbyname(NULL) == NULL);
    CHECK_INT(os_getaddrinfo("nobody.test", "80", &hints, &ai), EAI_FAIL);
    CHECK(ai == NULL);
    CHECK_INT(os_getaddrinfo("server.test", "65536", &hints, &ai), EAI_SERVICE);
    CHECK_INT(os_getaddrinfo("server.test", "8o", &hints, &ai), EAI_SERVICE);
    CHECK_INT(os_getaddrinfo(NULL, NULL, &hints, &ai), EAI_NONAME);
    hints.ai_family = 10;
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), EAI_FAMILY);
    hints = (struct addrinfo){.ai_flags = AI_NUMERICHOST};
    CHECK_INT(os_getaddrinfo("server.test", "80", &hints, &ai), EAI_NONAME);
    hints = (struct addrinfo){.ai_socktype = SOCK_DGRAM, .ai_flags = AI_CANONNAME};
    CHECK_INT(os_getaddrinfo("192.168.1.200", "coap", &hints, &ai), 0);
    if (ai == NULL)
        return;
    CHECK_INT(ai->ai_socktype, SOCK_DGRAM);
    CHECK_INT(ai->ai_protocol, IPPROTO_UDP);
    CHECK_INT(ai->ai_addr->sa_family, AF_INET);
    CHECK_INT(ai->ai_addr->sa_len, 16);
    CHECK_MEM(ai->ai_addr->sa_data, "\x16\x33\xc0\xa8\x01\xc8", 6); /* port 5683, address */
    CHECK_STR(ai->ai_canonname, "192.168.1.200");
    os_freeaddrinfo(ai);
    os_freeaddrinfo(NULL);
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void look_up(void)
{
    on_chip("spi4k", look_up_body);
}

static void stream_body(struct bench *x)
{
    char in[8] = "#######";
    int timeout_ms = 300, fd = connected_socket();
    struct timeval tv = {.tv_sec = 1, .tv_usec = 500000};
    CHECK(fd >= 0);
    /* Sends may be partial; the caller's loop finishes them. */
    const char *text = "hello you";
    for (size_t at = 0; at < 9;) {
        int n = os_send(fd, text + at, 9 - at, 0);
        if (!CHECK(n > 0))
            return;
        at += (size_t)n;
    }
    CHECK_MEM(x->sent, text, 9);
    CHECK_INT(os_send(fd, text, 0, 0), 0);
    CHECK_INT(os_send(fd, NULL, 1, 0), -1);
    /* Time-out exact, buffer untouched, data later still arrives. */
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout_ms, sizeof(timeout_ms)), 0);
    int64_t start_ms = now_ms(x);
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(now_ms(x), start_ms + 300);
    CHECK_MEM(in, "#######", 8);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(now_ms(x), start_ms + 1800);
    CHECK_INT(os_select(fd, 1, 0, 0, 200), 0);
    CHECK_INT(now_ms(x), start_ms + 2000);
    CHECK_INT(os_select(fd, 1, 1, 1, 200), BOARD_WRITABLE);
    x->data_text = "abcd";
    x->data_at_ns = x->b->ops->now_ns(x->b) + 50 * NS_PER_MS;
    x->eof_at_data = true;
    CHECK_INT(os_select(fd, 1, 0, 0, -1), BOARD_READABLE);
    CHECK_INT(now_ms(x), start_ms + 2050);
    CHECK_INT(os_recv(fd, in, 3, 0), 3);
    CHECK_MEM(in, "abc#", 4);
    CHECK_INT(os_recv(fd, in, 0, 0), 0);
    CHECK_INT(os_recv(fd, NULL, 3, 0), -1);
    CHECK_INT(os_recv(fd, in, 3, 0), 1);
    CHECK_INT(os_recv(fd, in, 3, 0), 0); /* orderly close */
    CHECK_INT(os_recv(fd, in, 3, 0), 0);
    CHECK_INT(os_closesocket(fd), 0);
    CHECK_INT(os_closesocket(fd), -1);
    CHECK_INT(x->closes, 1);
}

static void stream(void)
{
    on_chip("spi4k", stream_body);
}

static void reset_body(struct bench *x)
{
    char in[4];
    int fd = connected_socket();
    x->reset_at_data = true;
    x->data_at_ns = x->b->ops->now_ns(x->b) + 50 * NS_PER_MS;
    CHECK_INT(os_recv(fd, in, sizeof(in), 0), -1);
    CHECK_INT(os_send(fd, "a", 1, 0), -1);
    CHECK((os_select(fd, 1, 1, 1, 0) & BOARD_EXCEPTION) != 0);
    CHECK_INT(os_closesocket(fd), 0);
}

static void peer_reset(void)
{
    on_chip("spi4k", reset_body);
}

static void refused_body(struct bench *x)
{
    int64_t start_ms = now_ms(x);
    x->refuse = true;
    CHECK_INT(connected_socket(), -1);
    CHECK_INT(now_ms(x), start_ms + 20); /* only the look-up took time */
    x->refuse = false;
    x->mute = true;
    CHECK_INT(connected_socket(), -1);
    CHECK_INT(now_ms(x), start_ms + 40 + 30000);
}

static void refused(void)
{
    on_chip("spi4k", refused_body);
}

static void bad_calls_body(struct bench *x)
{
    static const int bad[] = {-1, 5, 99, 0x7FFFFFFF};
    struct sockaddr_in in = {.sin_len = 16, .sin_family = AF_INET};
    const struct sockaddr *to = (const struct sockaddr *)&in;
    char buf[4];
    int ms = 10;
    CHECK_INT(os_socket(10, SOCK_STREAM, 0), -1);
    CHECK_INT(os_socket(AF_INET, SOCK_RAW, 0), -1);
    CHECK_INT(os_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_INT(os_closesocket(bad[i]), -1);
        CHECK_INT(os_connect(bad[i], to, sizeof(in)), -1);
        CHECK_INT(os_send(bad[i], buf, 1, 0), -1);
        CHECK_INT(os_sendto(bad[i], buf, 1, 0, to, sizeof(in)), -1);
        CHECK_INT(os_recv(bad[i], buf, 1, 0), -1);
        CHECK_INT(os_recvfrom(bad[i], buf, 1, 0, NULL, NULL), -1);
        CHECK_INT(os_select(bad[i], 1, 0, 0, 10), -1);
        CHECK_INT(os_setsockopt(bad[i], SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    }
    int fd = os_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_setsockopt(fd, 1, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms, 3), -1);
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, NULL, sizeof(ms)), -1);
    ms = -1;
    CHECK_INT(os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof(ms)), -1);
    CHECK_INT(os_connect(fd, NULL, sizeof(in)), -1);
    CHECK_INT(os_connect(fd, to, 8), -1);
    CHECK_INT(os_recv(fd, buf, 1, 0), -1); /* not connected */
    CHECK_INT(os_closesocket(fd), 0);
    for (int i = 0; i < 1000; i++) {
        fd = os_socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
        if (!CHECK(fd >= 0))
            return;
        CHECK_INT(os_closesocket(fd), 0);
    }
    CHECK_INT(board_heap_blocks(x->b), 0);
}

static void bad_calls(void)
{
    on_chip("spi4k", bad_calls_body);
}

static void datagram_task(void *arg)
{
    struct locker *l = arg;
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buf[16] = {0};
    int fd = os_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    struct sockaddr_in to = {.sin_len = 16, .sin_family = AF_INET};
    memcpy(&to.sin_port, "\x16\x33", 2);
    memcpy(&to.sin_addr, "\x0a\x00\x00\x01", 4);
    CHECK_INT(os_sendto(fd, "ping", 4, 0, (const struct sockaddr *)&to, sizeof(to)), 4);
    l->count = 1;
    CHECK_INT(os_recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
    CHECK_MEM(buf, "one", 3);
    CHECK_INT(len, sizeof(from));
    CHECK_MEM(&from.sin_port, "\x16\x33", 2);
    CHECK_MEM(&from.sin_addr, "\x0a\x00\x00\x01", 4);
    CHECK_INT(os_recvfrom(fd, buf, sizeof(buf), 0, NULL, NULL), 6); /* borders are kept */
    CHECK_INT(os_closesocket(fd), 0);
    l->count = 2;
}

static void datagram_body(struct bench *x)
{
    struct locker l = {x, NULL, NULL, 0, 0, 0, 0};
    os_task_t *t = os_task_create("udp", datagram_task, &l, 4096, 10);
    CHECK_INT(os_task_startup(t), OS_EOK);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.count, 1);
    CHECK_MEM(x->sent, "ping", 4);
    sim_net_datagram(x->s, x->sock, 0x0A000001, 5683, "one", 3);
    sim_net_datagram(x->s, x->sock, 0x0A000001, 5683, "second", 6);
    CHECK_INT(os_task_msleep(1), OS_EOK);
    CHECK_INT(l.count, 2);
    CHECK_INT(os_task_destroy(t), OS_EOK);
}

static void datagrams(void)
{
    on_chip("spi4k", datagram_body);
}

/* ---- the table ---- */

/* Every call is there: the table is pointers only, so none may be null. */
static void table_is_complete(void)
{
    void *calls[sizeof(struct oneos_port) / sizeof(void *)];
    memcpy(calls, &oneos_reference_port, sizeof(calls));
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        CHECK(calls[i] != NULL);
    CHECK(oneos_reference_port.os_sem_post == os_sem_post);
}

/* Outside any task every call fails and none crashes. */
static void outside_a_task(void)
{
    CHECK(board_current() == NULL);
    CHECK(fal_part_find("app") == NULL);
    CHECK_INT(fal_part_init(), -1);
    CHECK(os_malloc(1) == NULL);
    CHECK(os_mutex_create("m", 1) == NULL);
    CHECK(os_sem_create("s", 0, 1) == NULL);
    CHECK(os_task_create("t", datagram_task, NULL, 4096, 1) == NULL);
    CHECK_INT(os_socket(AF_INET, SOCK_STREAM, 0), -1);
    CHECK(os_gethostbyname("server.test") == NULL);
    os_kprintf("%s", "nobody listens");
    OS_ASSERT(OS_FALSE);
}

static const struct test tests[] = {
    {"names and addresses", look_up},
    {"stream sockets", stream},
    {"reset by the peer", peer_reset},
    {"refused and unanswered connects", refused},
    {"bad socket calls", bad_calls},
    {"datagrams keep their borders", datagrams},
    {"the port table is complete", table_is_complete},
    {"outside a task nothing crashes", outside_a_task},
};
TEST_MAIN("oneos sockets", tests)
