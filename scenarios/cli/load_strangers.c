#include "scenarios/cli/load_strangers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/vtime.h"
#include "scenarios/cli/load_range.h"

#define STEP_NS         NS_PER_S /* between two bytes */
#define SMALL_BUFFER    2048
#define TARGET_MAX      512
#define REPLY_TEXT_MAX  8192
#define PER_TURN        10 /* connections made anew */
#define REFUSED         "HTTP/1.1 403"
#define END_OF_THE_BODY "</Error>\n"

enum kind { SILENT_HTTP, SILENT_MQTT, DRIBBLES, HARDLY_READS, LOOPS, KINDS };

struct stranger {
    struct strangers *all;
    enum kind kind;
    struct load_watch watch;
    int fd; /* -1: to be made */
    bool has_asked;
    char reply[REPLY_TEXT_MAX + 1]; /* LOOPS: so far */
    size_t reply_bytes;
};

struct strangers {
    struct strangers_config cfg;
    char target[TARGET_MAX]; /* path and query of a good URL; "": none yet */
    int64_t step_ns;
    struct strangers_figures figures;
    struct stranger *items;
};

static void leave(struct stranger *x)
{
    if (x->fd < 0)
        return;
    (void)close(x->fd);
    x->fd = -1;
    x->all->figures.connected--;
}

static void say(struct stranger *x, const char *text, size_t len_bytes)
{
    (void)send(x->fd, text, len_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The good URL, or one with another signature. */
static void ask(struct stranger *x)
{
    char text[TARGET_MAX + 64];
    int len = snprintf(text, sizeof text, "GET %s%s HTTP/1.1\r\nHost: stranger\r\n\r\n",
                       x->all->target, x->kind == LOOPS ? "x" : "");
    say(x, text, (size_t)len);
    x->has_asked = true;
    x->reply_bytes = 0;
}

static void on_reply(struct stranger *x)
{
    ssize_t n =
        recv(x->fd, x->reply + x->reply_bytes, REPLY_TEXT_MAX - x->reply_bytes, MSG_DONTWAIT);
    if (n <= 0) {
        leave(x);
        x->all->figures.closed++;
        return;
    }
    x->reply_bytes += (size_t)n;
    x->reply[x->reply_bytes] = '\0';
    if (strstr(x->reply, END_OF_THE_BODY) == NULL)
        return;
    x->all->figures.refused += strncmp(x->reply, REFUSED, strlen(REFUSED)) == 0;
    ask(x);
}

static void on_ready(void *ctx, uint32_t events)
{
    struct stranger *x = ctx;
    char byte;
    if (x->kind == LOOPS) {
        on_reply(x);
        return;
    }
    /* What is there to read is not read, but the other side may have closed. */
    bool closed = (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
    if (!closed && x->kind != HARDLY_READS)
        closed = recv(x->fd, &byte, 1, MSG_DONTWAIT) == 0;
    if (!closed)
        return;
    leave(x);
    x->all->figures.closed++;
}

static void come(struct stranger *x)
{
    struct strangers *s = x->all;
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(x->kind == SILENT_MQTT ? s->cfg.mqtt_port : s->cfg.http_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLRDHUP, .data.ptr = &x->watch};
    int small = SMALL_BUFFER;
    if (x->kind != HARDLY_READS)
        e.events |= EPOLLIN;
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        return;
    x->has_asked = false;
    s->figures.connected++;
    if (x->kind == HARDLY_READS)
        (void)setsockopt(x->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(x->fd, (const struct sockaddr *)&to, sizeof to) != 0 ||
        epoll_ctl(s->cfg.epoll_fd, EPOLL_CTL_ADD, x->fd, &e) != 0) {
        leave(x);
        return;
    }
    if (x->kind == DRIBBLES)
        say(x, "GET / HTTP/1.1\r\nX-Long: ", 24);
}

void strangers_turn(struct strangers *s, int64_t now_ns, const char *url)
{
    const char *host = strstr(url, "://");
    const char *target = host == NULL ? NULL : strchr(host + 3, '/');
    int made = 0;
    char byte;
    if (s->target[0] == '\0' && target != NULL)
        (void)snprintf(s->target, sizeof s->target, "%s", target);
    bool step = now_ns >= s->step_ns;
    if (step)
        s->step_ns = now_ns + STEP_NS;
    for (size_t i = 0; i < s->cfg.count; i++) {
        struct stranger *x = &s->items[i];
        if (x->fd < 0 && made++ < PER_TURN)
            come(x);
        if (x->fd < 0)
            continue;
        if ((x->kind == LOOPS || x->kind == HARDLY_READS) && !x->has_asked && s->target[0] != '\0')
            ask(x);
        if (step && x->kind == DRIBBLES)
            say(x, "a", 1);
        if (step && x->kind == HARDLY_READS)
            (void)recv(x->fd, &byte, 1, MSG_DONTWAIT);
    }
}

const struct strangers_figures *strangers_figures(const struct strangers *s)
{
    return &s->figures;
}

struct strangers *strangers_new(const struct strangers_config *cfg, struct err *err)
{
    struct strangers *s = calloc(1, sizeof *s);
    struct stranger *items = calloc(cfg->count, sizeof *items);
    if (s == NULL || items == NULL) {
        free(s);
        free(items);
        (void)err_set(err, ERR_NOMEM, "no memory");
        return NULL;
    }
    s->cfg = *cfg;
    s->items = items;
    for (size_t i = 0; i < cfg->count; i++)
        s->items[i] = (struct stranger){.all = s,
                                        .kind = (enum kind)(i % KINDS),
                                        .watch = {.ready = on_ready, .ctx = &s->items[i]},
                                        .fd = -1};
    return s;
}

void strangers_free(struct strangers *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->cfg.count; i++)
        leave(&s->items[i]);
    free(s->items);
    free(s);
}
