/*
 * Threads, turns and flash hooks of the posix board.
 *
 * Method: a thread may run device code only while it is p->running. Whoever gives the turn up picks
 * the next by (priority, sequence) under the lock and tells it. Nobody is cancelled: a thread that
 * must go (reset, idle, destroyed) ends itself when it would get the turn next, and the wait it is
 * in is cut short. As on the simulated board, a flash operation under way is completed first.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sim_device/board/posix_board_internal.h"

#define STACK_FLOOR ((size_t)1 << 20) /* the host's code runs on it too */
#define FAR_AWAY_NS (VTIME_NEVER / 2) /* later than that is never, for the host's clock */

static struct posix_board *posix_of(struct board *b)
{
    return (struct posix_board *)b;
}

/* ---- time ---- */

static int64_t host_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static struct timespec to_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

int64_t posix_now_ns(const struct posix_board *p)
{
    return p->cfg.now_offset_ns + host_ns() - p->start_ns;
}

/* ---- turns; the lock is held in all of these ---- */

static bool must_go(const struct posix_board *p, const struct board_task *t)
{
    return (p->stopping || t->doomed) && !t->in_flash;
}

static void make_ready(struct posix_board *p, struct board_task *t, bool timed_out)
{
    t->state = TASK_READY;
    t->order = ++p->sequence;
    t->timed_out = timed_out;
}

static bool goes_before(const struct board_task *a, const struct board_task *b)
{
    if (b == NULL)
        return true;
    return a->priority < b->priority || (a->priority == b->priority && a->order < b->order);
}

static void pass_turn(struct posix_board *p)
{
    if (p->running != NULL)
        return;
    struct board_task *best = NULL;
    for (size_t i = 0; i < BOARD_TASKS; i++) {
        struct board_task *t = &p->tasks[i];
        if (t->state == TASK_READY && !must_go(p, t) && goes_before(t, best))
            best = t;
    }
    if (best == NULL)
        return;
    best->state = TASK_RUNNING;
    p->running = best;
    (void)pthread_cond_signal(&best->turn);
}

static void kick(struct board_task *t)
{
    uint64_t one = 1;
    ssize_t n = write(t->kick_fd, &one, sizeof one);
    (void)n; /* full means it has been kicked already */
    (void)pthread_cond_signal(&t->turn);
}

static void stop(struct posix_board *p, enum posix_end why)
{
    if (p->stopping)
        return;
    p->stopping = true;
    p->end = why;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        kick(&p->tasks[i]);
    (void)pthread_cond_signal(&p->over);
}

/* Ends the calling thread, which is t's; releases the lock. */
static void quit(struct posix_board *p, struct board_task *t) __attribute__((noreturn));
static void quit(struct posix_board *p, struct board_task *t)
{
    t->state = TASK_OVER;
    if (p->running == t)
        p->running = NULL;
    pass_turn(p);
    bool alive = false;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        alive |= p->tasks[i].state > TASK_STOPPED && p->tasks[i].state < TASK_OVER;
    if (!alive)
        stop(p, POSIX_IDLE);
    (void)pthread_mutex_unlock(&p->lock);
    pthread_exit(NULL);
}

static void await_turn(struct posix_board *p, struct board_task *t, int64_t deadline_ns)
{
    while (p->running != t) {
        if (must_go(p, t))
            quit(p, t);
        if (t->state != TASK_WAITING || deadline_ns >= FAR_AWAY_NS) {
            (void)pthread_cond_wait(&t->turn, &p->lock);
        } else if (posix_now_ns(p) >= deadline_ns) {
            make_ready(p, t, true);
            pass_turn(p);
        } else {
            struct timespec at = to_timespec(p->start_ns + deadline_ns - p->cfg.now_offset_ns);
            (void)pthread_cond_timedwait(&t->turn, &p->lock, &at);
        }
    }
}

/* The running task gives the turn up; returns with the lock held. */
static struct board_task *give_up(struct posix_board *p, enum task_state state)
{
    (void)pthread_mutex_lock(&p->lock);
    struct board_task *t = p->running;
    assert(t != NULL);
    if (must_go(p, t))
        quit(p, t);
    t->state = state;
    t->order = ++p->sequence;
    p->running = NULL;
    pass_turn(p);
    return t;
}

/* ---- turns, without the lock ---- */

struct board_task *posix_go_away(struct posix_board *p, const void *away_for)
{
    p->running->away_for = away_for;
    struct board_task *t = give_up(p, TASK_AWAY);
    (void)pthread_mutex_unlock(&p->lock);
    return t;
}

void posix_come_back(struct posix_board *p, struct board_task *t)
{
    (void)pthread_mutex_lock(&p->lock);
    make_ready(p, t, false);
    pass_turn(p);
    await_turn(p, t, VTIME_NEVER);
    t->away_for = NULL;
    uint64_t kicks = 0;
    ssize_t n = read(t->kick_fd, &kicks, sizeof kicks);
    (void)n; /* mostly there is none */
    (void)pthread_mutex_unlock(&p->lock);
}

void posix_kick(struct posix_board *p, const void *away_for)
{
    (void)pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (p->tasks[i].state == TASK_AWAY && p->tasks[i].away_for == away_for)
            kick(&p->tasks[i]);
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- board calls ---- */

static int64_t op_now_ns(struct board *b)
{
    return posix_now_ns(posix_of(b));
}

static int64_t op_utc_s(struct board *b)
{
    struct posix_board *p = posix_of(b);
    return p->cfg.utc_start_s + posix_now_ns(p) / NS_PER_S;
}

static int op_wait(struct board *b, const void *channel, int64_t timeout_ns)
{
    struct posix_board *p = posix_of(b);
    if (timeout_ns <= 0)
        return BOARD_TIMEOUT;
    int64_t deadline_ns = vtime_after(posix_now_ns(p), timeout_ns);
    p->running->channel = channel;
    struct board_task *t = give_up(p, TASK_WAITING);
    await_turn(p, t, deadline_ns);
    bool timed_out = t->timed_out;
    (void)pthread_mutex_unlock(&p->lock);
    return timed_out ? BOARD_TIMEOUT : BOARD_OK;
}

static void op_wake(struct board *b, const void *channel, int count)
{
    struct posix_board *p = posix_of(b);
    if (channel == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    for (; count > 0; count--) {
        struct board_task *best = NULL;
        for (size_t i = 0; i < BOARD_TASKS; i++) {
            struct board_task *t = &p->tasks[i];
            if (t->state == TASK_WAITING && t->channel == channel && !t->doomed &&
                goes_before(t, best))
                best = t;
        }
        if (best == NULL)
            break;
        make_ready(p, best, false);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void *thread_main(void *arg)
{
    struct board_task *t = arg;
    struct posix_board *p = t->board;
    sigset_t broken_pipe; /* libraries write to sockets without asking for silence */
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    board_set_current(&p->board);
    (void)pthread_mutex_lock(&p->lock);
    await_turn(p, t, VTIME_NEVER);
    (void)pthread_mutex_unlock(&p->lock);
    t->entry(t->arg);
    board_free(&p->board, t->control);
    t->control = NULL;
    (void)pthread_mutex_lock(&p->lock);
    quit(p, t);
}

static struct board_task *task_make(struct posix_board *p, void (*entry)(void *), void *arg,
                                    size_t stack_bytes, uint8_t priority)
{
    struct board_task *t = NULL;
    for (size_t i = 0; i < BOARD_TASKS && t == NULL; i++)
        if (p->tasks[i].state == TASK_FREE || p->tasks[i].state == TASK_OVER)
            t = &p->tasks[i];
    if (t == NULL)
        return NULL;
    if (t->state == TASK_OVER)
        (void)pthread_join(t->thread, NULL); /* it has let go of the lock for good */
    t->board = p;
    t->entry = entry;
    t->arg = arg;
    t->control = NULL;
    t->stack_bytes = stack_bytes > STACK_FLOOR ? stack_bytes : STACK_FLOOR;
    t->priority = priority;
    t->channel = t->away_for = NULL;
    t->in_flash = t->doomed = false;
    t->state = TASK_STOPPED;
    return t;
}

/* The lock is held. */
static int task_launch(struct posix_board *p, struct board_task *t)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return BOARD_ERROR;
    (void)pthread_attr_setstacksize(&attr, t->stack_bytes);
    bool made = pthread_create(&t->thread, &attr, thread_main, t) == 0;
    (void)pthread_attr_destroy(&attr);
    if (!made)
        return BOARD_ERROR;
    make_ready(p, t, false);
    pass_turn(p);
    return BOARD_OK;
}

static struct board_task *op_task_new(struct board *b, const char *name, void (*entry)(void *),
                                      void *arg, size_t stack_bytes, uint8_t priority)
{
    struct posix_board *p = posix_of(b);
    (void)name;
    void *control = board_alloc(b, BOARD_TASK_BYTES);
    if (control == NULL)
        return NULL;
    (void)pthread_mutex_lock(&p->lock);
    struct board_task *t = task_make(p, entry, arg, stack_bytes, priority);
    (void)pthread_mutex_unlock(&p->lock);
    if (t == NULL)
        board_free(b, control);
    else
        t->control = control;
    return t;
}

static int op_task_start(struct board *b, struct board_task *t)
{
    struct posix_board *p = posix_of(b);
    (void)pthread_mutex_lock(&p->lock);
    int rc = t != NULL && t->state == TASK_STOPPED ? task_launch(p, t) : BOARD_ERROR;
    (void)pthread_mutex_unlock(&p->lock);
    return rc;
}

static int op_task_free(struct board *b, struct board_task *t)
{
    struct posix_board *p = posix_of(b);
    (void)pthread_mutex_lock(&p->lock);
    bool ok = t != NULL && t->state != TASK_FREE && t->state != TASK_OVER && !t->doomed;
    if (ok) {
        board_free(b, t->control);
        t->control = NULL;
        if (t == p->running)
            quit(p, t);
        t->doomed = true;
        if (t->state == TASK_STOPPED)
            t->state = TASK_FREE;
        else
            kick(t);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return ok ? BOARD_OK : BOARD_ERROR;
}

static struct board_task *op_task_self(struct board *b)
{
    return posix_of(b)->running;
}

static void finish(struct posix_board *p, enum posix_end why) __attribute__((noreturn));
static void finish(struct posix_board *p, enum posix_end why)
{
    (void)pthread_mutex_lock(&p->lock);
    stop(p, why);
    quit(p, p->running);
}

static void op_reset(struct board *b) __attribute__((noreturn));
static void op_reset(struct board *b)
{
    finish(posix_of(b), POSIX_RESET);
}

static void op_idle(struct board *b) __attribute__((noreturn));
static void op_idle(struct board *b)
{
    finish(posix_of(b), POSIX_IDLE);
}

static const struct board_ops posix_ops = {
    .now_ns = op_now_ns,
    .utc_s = op_utc_s,
    .wait = op_wait,
    .wake = op_wake,
    .task_new = op_task_new,
    .task_start = op_task_start,
    .task_free = op_task_free,
    .task_self = op_task_self,
    .sock_open = posix_sock_open,
    .sock_close = posix_sock_close,
    .sock_connect = posix_sock_connect,
    .sock_send = posix_sock_send,
    .sock_recv = posix_sock_recv,
    .sock_recv_timeout = posix_sock_recv_timeout,
    .sock_poll = posix_sock_poll,
    .sock_sendto = posix_sock_sendto,
    .sock_recvfrom = posix_sock_recvfrom,
    .sock_tls = posix_sock_tls,
    .resolve = posix_resolve,
    .reset = op_reset,
    .idle = op_idle,
};

/* ---- flash hooks; outside any task (the bench works on the chip) only the event remains ---- */

/* Reads spend time too: only an operation has counted one up since the last time. */
static bool is_operation(struct posix_board *p)
{
    uint64_t count = nor_op_count(p->cfg.nor);
    bool yes = count != p->ops_seen;
    p->ops_seen = count;
    return yes;
}

static void hook_spend(void *ctx, int64_t ns)
{
    struct posix_board *p = ctx;
    if (p->running == NULL)
        return;
    p->running->in_flash = is_operation(p);
    p->board.flash_busy |= p->running->in_flash;
    struct board_task *t = posix_go_away(p, NULL);
    struct timespec until = to_timespec(host_ns() + ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    posix_come_back(p, t);
    if (!t->in_flash)
        return;
    p->board.flash_busy = false;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        p->board.flash_busy |= &p->tasks[i] != t && p->tasks[i].in_flash;
}

static void hook_observe(void *ctx, const struct nor_op *op)
{
    struct posix_board *p = ctx;
    board_flash_event(&p->board, op);
    p->ops_seen = nor_op_count(p->cfg.nor);
    struct board_task *t = p->running;
    if (t == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    t->in_flash = false;
    if (!op->torn && must_go(p, t))
        quit(p, t); /* torn: power_lost follows */
    (void)pthread_mutex_unlock(&p->lock);
}

static void hook_power_lost(void *ctx, const struct nor_op *op)
{
    struct posix_board *p = ctx;
    if (p->running == NULL)
        return;
    board_cut_event(&p->board, op->number, op->tear);
    if (p->cfg.power_lost != NULL)
        p->cfg.power_lost(p->cfg.power_lost_ctx);
    else
        (void)raise(SIGKILL);
    (void)pthread_mutex_lock(&p->lock);
    p->end = POSIX_CUT; /* outranks a reset that waits for the operation */
    stop(p, POSIX_CUT);
    quit(p, p->running);
}

/* ---- birth, run, death ---- */

static int tasks_init(struct posix_board *p)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return ERR_NOMEM;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = 0;
    for (size_t i = 0; i < BOARD_TASKS; i++) {
        struct board_task *t = &p->tasks[i];
        (void)pthread_cond_init(&t->turn, &attr);
        t->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (t->kick_fd < 0)
            rc = ERR_IO;
    }
    (void)pthread_condattr_destroy(&attr);
    return rc;
}

struct posix_board *posix_board_new(const struct posix_board_config *cfg, struct err *err)
{
    if (cfg->nor == NULL || cfg->partitions == NULL) {
        (void)err_set(err, ERR_ARG, "posix board: needs a chip and partitions");
        return NULL;
    }
    struct posix_board *p = calloc(1, sizeof *p);
    if (p == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for a posix board");
        return NULL;
    }
    p->cfg = *cfg;
    p->start_ns = host_ns();
    p->board.ops = &posix_ops;
    p->board.mqtt = &posix_mqtt_ops;
    p->board.heap.limit_bytes = cfg->ram_limit_bytes;
    p->board.nor = cfg->nor;
    p->board.partitions = cfg->partitions;
    p->board.event = cfg->event;
    p->board.event_ctx = cfg->event_ctx;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->over, NULL);
    posix_sockets_init(p);
    posix_mqtt_init(p);
    int rc = tasks_init(p);
    const struct nor_hooks hooks = {
        .ctx = p, .spend = hook_spend, .observe = hook_observe, .power_lost = hook_power_lost};
    nor_set_hooks(cfg->nor, &hooks);
    if (rc != 0) {
        (void)err_set(err, rc, "posix board: the host gives no event descriptors");
        posix_board_free(p);
        return NULL;
    }
    return p;
}

void posix_board_free(struct posix_board *p)
{
    if (p == NULL)
        return;
    nor_set_hooks(p->cfg.nor, NULL);
    posix_mqtt_deinit(p);
    for (size_t i = 0; i < BOARD_TASKS; i++) {
        (void)pthread_cond_destroy(&p->tasks[i].turn);
        if (p->tasks[i].kick_fd >= 0)
            (void)close(p->tasks[i].kick_fd);
    }
    (void)pthread_cond_destroy(&p->over);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

struct board *posix_board_board(struct posix_board *p)
{
    return &p->board;
}

enum posix_end posix_board_run(struct posix_board *p, void (*entry)(void *), void *arg)
{
    p->ops_seen = nor_op_count(p->cfg.nor);
    rng_init(&p->board.rng, p->cfg.seed, "board", "device", ++p->boots);
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = false;
    struct board_task *t = task_make(p, entry, arg, 0, BOARD_MAIN_PRIORITY);
    if (task_launch(p, t) != BOARD_OK) {
        t->state = TASK_FREE;
        stop(p, POSIX_IDLE);
    }
    while (!p->stopping)
        (void)pthread_cond_wait(&p->over, &p->lock);
    bool threaded[BOARD_TASKS];
    for (size_t i = 0; i < BOARD_TASKS; i++)
        threaded[i] = p->tasks[i].state > TASK_STOPPED;
    (void)pthread_mutex_unlock(&p->lock);

    /* No task is made any more: what still runs only completes a flash operation. */
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (threaded[i])
            (void)pthread_join(p->tasks[i].thread, NULL);
    for (size_t i = 0; i < BOARD_TASKS; i++)
        p->tasks[i].state = TASK_FREE;
    p->running = NULL;
    p->board.flash_busy = false;
    posix_mqtt_drop(p);
    posix_sockets_drop(p);
    board_heap_drop(&p->board);
    return p->end;
}
