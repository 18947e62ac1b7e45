/*
 * Power, scheduler and flash hooks of the simulated board.
 *
 * Method: one array of task slots, each with its own fiber stack that later tasks in the slot
 * reuse. With at most BOARD_TASKS of them, every choice is a linear search over the array; order is
 * always (priority, sequence) for running and (deadline, sequence) for time-outs, never an address.
 *
 * A chip that was told to program or erase goes on while the processor resets. So reset, idle and
 * the destruction of a task wait for the operation under way, and for nothing after it.
 */
#include "sim_device/board/sim_board_internal.h"

#include <assert.h>
#include <stdlib.h>

#define MAIN_STACK_BYTES   0 /* the floor of fiber.c */
#define SPIN_MAX           10000u
#define READ_INSTALMENT_NS (250 * NS_PER_US)
#define SPIN_SLEEP_NS      (10 * NS_PER_MS)

static struct sim_board *sim_of(struct board *b)
{
    return (struct sim_board *)b;
}

/* ---- scheduler ---- */

static void make_ready(struct sim_board *s, struct board_task *t, bool timed_out)
{
    t->state = TASK_READY;
    t->order = ++s->sequence;
    t->timed_out = timed_out;
}

static bool any_in_flash(const struct sim_board *s)
{
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (s->tasks[i].state != TASK_FREE && s->tasks[i].in_flash)
            return true;
    return false;
}

static void task_release(struct sim_board *s, struct board_task *t)
{
    board_free(&s->board, t->control);
    t->control = NULL;
    t->in_flash = false;
    t->state = TASK_FREE;
}

/* The running task is over, and the power-on too if it was the last one that could go on. */
static void leave(struct sim_board *s) __attribute__((noreturn));
static void leave(struct sim_board *s)
{
    struct board_task *t = s->running;
    task_release(s, t);
    if (s->closing != SIM_WAITING && s->end == SIM_WAITING && !any_in_flash(s))
        s->end = s->closing;
    fiber_leave(&t->fiber, &s->owner);
}

bool sim_block(struct sim_board *s, const void *channel, int64_t deadline_ns)
{
    struct board_task *t = s->running;
    assert(t != NULL);
    if ((t->doomed || s->closing != SIM_WAITING) && !t->in_flash)
        leave(s);
    t->state = TASK_WAITING;
    t->order = ++s->sequence;
    t->channel = channel;
    t->deadline_ns = deadline_ns;
    fiber_switch(&t->fiber, &s->owner);
    return t->timed_out;
}

void sim_wake(struct sim_board *s, const void *channel, int count)
{
    if (channel == NULL)
        return;
    for (; count > 0; count--) {
        struct board_task *best = NULL;
        for (size_t i = 0; i < BOARD_TASKS; i++) {
            struct board_task *t = &s->tasks[i];
            if (t->state != TASK_WAITING || t->channel != channel)
                continue;
            if (best == NULL || t->priority < best->priority ||
                (t->priority == best->priority && t->order < best->order))
                best = t;
        }
        if (best == NULL)
            return;
        make_ready(s, best, false);
    }
}

void sim_spin(struct sim_board *s)
{
    if (s->running == NULL || ++s->spins <= SPIN_MAX)
        return;
    s->spins = 0;
    (void)sim_block(s, NULL, vtime_after(s->now_ns, SPIN_SLEEP_NS));
}

/* Everything due becomes ready in order of (deadline, sequence); returns the next deadline. */
static int64_t expire(struct sim_board *s)
{
    for (;;) {
        struct board_task *first = NULL;
        for (size_t i = 0; i < BOARD_TASKS; i++) {
            struct board_task *t = &s->tasks[i];
            if (t->state != TASK_WAITING)
                continue;
            if (first == NULL || t->deadline_ns < first->deadline_ns ||
                (t->deadline_ns == first->deadline_ns && t->order < first->order))
                first = t;
        }
        if (first == NULL || first->deadline_ns == VTIME_NEVER)
            return VTIME_NEVER;
        if (first->deadline_ns > s->now_ns)
            return first->deadline_ns;
        make_ready(s, first, true);
    }
}

static struct board_task *first_ready(struct sim_board *s)
{
    struct board_task *best = NULL;
    for (size_t i = 0; i < BOARD_TASKS; i++) {
        struct board_task *t = &s->tasks[i];
        if (t->state != TASK_READY || (s->closing != SIM_WAITING && !t->in_flash))
            continue;
        if (best == NULL || t->priority < best->priority ||
            (t->priority == best->priority && t->order < best->order))
            best = t;
    }
    return best;
}

/* Everything volatile goes. Stacks and receive storage stay for the next power-on. */
static void drop_all(struct sim_board *s)
{
    s->powered = false;
    s->running = NULL;
    s->closing = SIM_WAITING;
    s->end = SIM_WAITING;
    s->board.flash_busy = false;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (s->tasks[i].state != TASK_FREE)
            task_release(s, &s->tasks[i]);
    sim_mqtt_drop(s);
    sim_sockets_drop(s);
    board_heap_drop(&s->board);
}

static void time_is(struct sim_board *s, int64_t now_ns)
{
    if (now_ns <= s->now_ns)
        return;
    s->now_ns = now_ns;
    s->spins = 0;
}

enum sim_state sim_board_run(struct sim_board *s, int64_t now_ns, int64_t *next_ns)
{
    *next_ns = VTIME_NEVER;
    time_is(s, now_ns);
    if (!s->powered)
        return SIM_OFF;
    assert(s->running == NULL);
    struct board *outer = board_current();
    board_set_current(&s->board);
    int64_t deadline_ns = expire(s);
    for (;;) {
        struct board_task *t = first_ready(s);
        if (t == NULL)
            break;
        t->state = TASK_RUNNING;
        s->running = t;
        fiber_switch(&s->owner, &t->fiber);
        s->running = NULL;
        if (s->end != SIM_WAITING)
            break;
        deadline_ns = expire(s);
    }
    board_set_current(outer);
    enum sim_state end = s->end;
    if (end != SIM_WAITING)
        drop_all(s);
    else
        *next_ns = deadline_ns;
    return end;
}

/* ---- board calls ---- */

static int64_t op_now_ns(struct board *b)
{
    struct sim_board *s = sim_of(b);
    sim_spin(s);
    return s->now_ns;
}

static int64_t op_utc_s(struct board *b)
{
    struct sim_board *s = sim_of(b);
    sim_spin(s);
    return s->cfg.utc_start_s + s->now_ns / NS_PER_S;
}

static int op_wait(struct board *b, const void *channel, int64_t timeout_ns)
{
    struct sim_board *s = sim_of(b);
    if (timeout_ns <= 0) {
        sim_spin(s);
        return BOARD_TIMEOUT;
    }
    bool timed_out = sim_block(s, channel, vtime_after(s->now_ns, timeout_ns));
    return timed_out ? BOARD_TIMEOUT : BOARD_OK;
}

static void op_wake(struct board *b, const void *channel, int count)
{
    sim_wake(sim_of(b), channel, count);
}

static void task_main(void *arg)
{
    struct board_task *t = arg;
    t->entry(t->arg);
    leave(t->board);
}

static struct board_task *task_make(struct sim_board *s, void (*entry)(void *), void *arg,
                                    size_t stack_bytes, uint8_t priority)
{
    struct board_task *t = NULL;
    for (size_t i = 0; i < BOARD_TASKS && t == NULL; i++)
        if (s->tasks[i].state == TASK_FREE)
            t = &s->tasks[i];
    if (t == NULL || fiber_prepare(&t->fiber, stack_bytes, task_main, t) != 0)
        return NULL;
    t->board = s;
    t->entry = entry;
    t->arg = arg;
    t->control = NULL;
    t->priority = priority;
    t->in_flash = false;
    t->doomed = false;
    t->state = TASK_STOPPED;
    return t;
}

static struct board_task *op_task_new(struct board *b, const char *name, void (*entry)(void *),
                                      void *arg, size_t stack_bytes, uint8_t priority)
{
    (void)name;
    void *control = board_alloc(b, BOARD_TASK_BYTES);
    if (control == NULL)
        return NULL;
    struct board_task *t = task_make(sim_of(b), entry, arg, stack_bytes, priority);
    if (t == NULL)
        board_free(b, control);
    else
        t->control = control;
    return t;
}

static int op_task_start(struct board *b, struct board_task *t)
{
    if (t == NULL || t->state != TASK_STOPPED)
        return BOARD_ERROR;
    make_ready(sim_of(b), t, false);
    return BOARD_OK;
}

static int op_task_free(struct board *b, struct board_task *t)
{
    struct sim_board *s = sim_of(b);
    if (t == NULL || t->state == TASK_FREE || t->doomed)
        return BOARD_ERROR;
    if (t == s->running)
        leave(s);
    if (!t->in_flash) {
        task_release(s, t);
        return BOARD_OK;
    }
    t->doomed = true;
    board_free(b, t->control);
    t->control = NULL;
    return BOARD_OK;
}

static struct board_task *op_task_self(struct board *b)
{
    return sim_of(b)->running;
}

static void finish(struct board *b, enum sim_state why) __attribute__((noreturn));
static void finish(struct board *b, enum sim_state why)
{
    struct sim_board *s = sim_of(b);
    assert(s->running != NULL);
    if (s->closing == SIM_WAITING)
        s->closing = why;
    leave(s);
}

static void op_reset(struct board *b) __attribute__((noreturn));
static void op_reset(struct board *b)
{
    finish(b, SIM_RESET);
}

static void op_idle(struct board *b) __attribute__((noreturn));
static void op_idle(struct board *b)
{
    finish(b, SIM_IDLE);
}

static const struct board_ops sim_ops = {
    .now_ns = op_now_ns,
    .utc_s = op_utc_s,
    .wait = op_wait,
    .wake = op_wake,
    .task_new = op_task_new,
    .task_start = op_task_start,
    .task_free = op_task_free,
    .task_self = op_task_self,
    .sock_open = sim_sock_open,
    .sock_close = sim_sock_close,
    .sock_connect = sim_sock_connect,
    .sock_send = sim_sock_send,
    .sock_recv = sim_sock_recv,
    .sock_recv_timeout = sim_sock_recv_timeout,
    .sock_poll = sim_sock_poll,
    .sock_sendto = sim_sock_sendto,
    .sock_recvfrom = sim_sock_recvfrom,
    .sock_tls = sim_sock_tls,
    .resolve = sim_resolve,
    .reset = op_reset,
    .idle = op_idle,
};

/* ---- flash hooks; outside any task (the bench works on the chip) only the event remains ---- */

/* Reads spend time too: only an operation has counted one up since the last time. */
static bool is_operation(struct sim_board *s)
{
    uint64_t count = nor_op_count(s->cfg.nor);
    bool yes = count != s->ops_seen;
    s->ops_seen = count;
    return yes;
}

static void hook_spend(void *ctx, int64_t ns)
{
    struct sim_board *s = ctx;
    struct board_task *t = s->running;
    if (t == NULL)
        return;
    t->in_flash = is_operation(s);
    if (!t->in_flash) {
        /* Reads are many and short: their time is paid in instalments, not with a switch each. */
        s->read_debt_ns += ns;
        if (s->read_debt_ns < READ_INSTALMENT_NS)
            return;
        ns = s->read_debt_ns;
        s->read_debt_ns = 0;
    }
    s->board.flash_busy |= t->in_flash;
    (void)sim_block(s, NULL, vtime_after(s->now_ns, ns));
    if (!t->in_flash)
        return;
    s->board.flash_busy = false;
    for (size_t i = 0; i < BOARD_TASKS; i++)
        s->board.flash_busy |= &s->tasks[i] != t && s->tasks[i].in_flash;
}

static void hook_begun(void *ctx, const struct nor_op *op)
{
    struct sim_board *s = ctx;
    if (s->cfg.flash_begun != NULL)
        s->cfg.flash_begun(s->cfg.flash_ctx, op);
}

static void hook_observe(void *ctx, const struct nor_op *op)
{
    struct sim_board *s = ctx;
    board_flash_event(&s->board, op);
    if (s->cfg.flash_op != NULL)
        s->cfg.flash_op(s->cfg.flash_ctx, op);
    s->ops_seen = nor_op_count(s->cfg.nor);
    struct board_task *t = s->running;
    if (t == NULL)
        return;
    t->in_flash = false;
    if (!op->torn && (t->doomed || s->closing != SIM_WAITING))
        leave(s); /* torn: power_lost follows, and a cut outranks a reset */
}

static void hook_look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct sim_board *s = ctx;
    if (s->cfg.flash_look != NULL)
        s->cfg.flash_look(s->cfg.flash_ctx, addr, len_bytes);
}

static void hook_power_lost(void *ctx, const struct nor_op *op)
{
    struct sim_board *s = ctx;
    if (s->running == NULL)
        return;
    board_cut_event(&s->board, op->number, op->tear);
    s->end = SIM_CUT;
    leave(s);
}

/* ---- birth, power, death ---- */

struct sim_board *sim_board_new(const struct sim_board_config *cfg, struct err *err)
{
    if (cfg->nor == NULL || cfg->partitions == NULL || cfg->net.connect == NULL ||
        cfg->net.send == NULL || cfg->net.close == NULL || cfg->net.resolve == NULL) {
        (void)err_set(err, ERR_ARG,
                      "simulated board: needs a chip, partitions and the network calls connect, "
                      "send, close and resolve");
        return NULL;
    }
    struct sim_board *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for a simulated board");
        return NULL;
    }
    s->cfg = *cfg;
    s->board.ops = &sim_ops;
    s->board.mqtt = &sim_mqtt_ops;
    s->board.heap.limit_bytes = cfg->ram_limit_bytes;
    s->board.nor = cfg->nor;
    s->board.partitions = cfg->partitions;
    s->board.event = cfg->event;
    s->board.event_ctx = cfg->event_ctx;
    for (size_t i = 0; i < BOARD_TASKS && cfg->stacks != NULL; i++)
        fiber_reuse(&s->tasks[i].fiber, &cfg->stacks[i]);
    sim_sockets_init(s);
    sim_mqtt_init(s);
    const struct nor_hooks hooks = {.ctx = s,
                                    .spend = hook_spend,
                                    .begun = hook_begun,
                                    .observe = hook_observe,
                                    .power_lost = hook_power_lost,
                                    .look = hook_look};
    nor_set_hooks(cfg->nor, &hooks);
    return s;
}

void sim_board_free(struct sim_board *s)
{
    if (s == NULL)
        return;
    nor_set_hooks(s->cfg.nor, NULL);
    drop_all(s);
    for (size_t i = 0; i < BOARD_TASKS; i++)
        if (s->cfg.stacks != NULL)
            fiber_keep(&s->tasks[i].fiber, &s->cfg.stacks[i]);
        else
            fiber_deinit(&s->tasks[i].fiber);
    sim_mqtt_deinit(s);
    sim_sockets_deinit(s);
    free(s);
}

struct board *sim_board_board(struct sim_board *s)
{
    return &s->board;
}

int sim_board_power_on(struct sim_board *s, int64_t now_ns, void (*entry)(void *), void *arg)
{
    time_is(s, now_ns);
    if (s->powered || !nor_is_on(s->cfg.nor))
        return ERR_WRONG_STATE;
    board_heap_drop(&s->board);
    struct board_task *t = task_make(s, entry, arg, MAIN_STACK_BYTES, BOARD_MAIN_PRIORITY);
    if (t == NULL)
        return ERR_NOMEM;
    s->ops_seen = nor_op_count(s->cfg.nor);
    rng_init(&s->board.rng, s->cfg.seed, "board", "device", ++s->boots);
    s->read_debt_ns = 0;
    s->powered = true;
    make_ready(s, t, false);
    return 0;
}

void sim_board_rewind(struct sim_board *s, int64_t now_ns)
{
    assert(!s->powered);
    s->now_ns = now_ns;
    s->boots = 0;
    s->sequence = 0;
    s->spins = 0;
}

void sim_board_power_off(struct sim_board *s, int64_t now_ns, enum nor_tear tear, uint32_t arg)
{
    assert(s->running == NULL);
    time_is(s, now_ns);
    if (nor_is_on(s->cfg.nor)) {
        nor_power_off(s->cfg.nor, tear, arg);
        board_cut_event(&s->board, nor_op_count(s->cfg.nor), tear);
    }
    drop_all(s);
}
