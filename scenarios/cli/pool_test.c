#include "scenarios/cli/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

#define ITEMS 40

/* What an item makes its worker do. */
enum deed { WORKS, KILLED, ABORTS, EXITS, HANGS, INTERRUPTS };

struct told {
    bool done, has_result;
    int value, serial; /* serial: how many the worker had done before */
    char cause[ERR_TEXT_MAX];
};

struct session {
    enum deed deeds[ITEMS];
    size_t order[ITEMS];
    size_t n_order;
    struct told told[ITEMS];
    pid_t owner;
};

struct answer {
    int value, serial;
    char bulk[70000]; /* more than a pipe holds */
};

static void *open_worker(void *ctx)
{
    (void)ctx;
    return calloc(1, sizeof(int));
}

static void work(void *ctx, void *state, size_t item, void *result)
{
    struct session *s = ctx;
    struct answer *a = result;
    int *serial = state;
    a->value = (int)item * 3;
    a->serial = (*serial)++;
    memset(a->bulk, 'x', sizeof a->bulk);
    switch (s->deeds[item]) {
    case WORKS:
        break;
    case KILLED:
        (void)kill(getpid(), SIGKILL);
        break;
    case ABORTS:
        (void)fprintf(stderr, "first line\nthe flash was read while off\n");
        abort();
    case EXITS:
        _exit(7);
    case HANGS:
        for (;;)
            (void)pause();
    case INTERRUPTS:
        (void)kill(s->owner, SIGTERM);
        for (;;)
            (void)pause();
    }
}

static void close_worker(void *ctx, void *state)
{
    (void)ctx;
    free(state);
}

static void done(void *ctx, size_t item, const struct pool_outcome *o)
{
    struct session *s = ctx;
    struct told *t = &s->told[item];
    const struct answer *a = o->result;
    CHECK(!t->done);
    t->done = true;
    s->order[s->n_order++] = item;
    t->has_result = a != NULL;
    if (a != NULL) {
        t->value = a->value;
        t->serial = a->serial;
        CHECK(o->cause == NULL);
        CHECK_INT(a->bulk[sizeof a->bulk - 1], 'x');
    } else {
        (void)snprintf(t->cause, sizeof t->cause, "%s", o->cause);
    }
}

static struct pool_report run(struct session *s, size_t n, unsigned workers, int64_t timeout_ms)
{
    struct pool_report report;
    struct err err = {0};
    s->owner = getpid();
    struct pool_setup p = {.n_items = n,
                           .result_bytes = sizeof(struct answer),
                           .workers = workers,
                           .timeout_ms = timeout_ms,
                           .ctx = s,
                           .open = open_worker,
                           .work = work,
                           .close = close_worker,
                           .done = done};
    CHECK_OK(pool_run(&p, &report, &err), &err);
    return report;
}

static void all_items_come_back(void)
{
    static struct session s;
    struct pool_report r = run(&s, ITEMS, 3, 60000);
    CHECK(!r.interrupted);
    CHECK_STR(r.fault, "");
    CHECK_INT(s.n_order, ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        CHECK(s.told[i].has_result);
        CHECK_INT(s.told[i].value, (int)i * 3);
    }
}

static void one_worker_keeps_its_state_and_the_order(void)
{
    static struct session s;
    (void)run(&s, 5, 1, 60000);
    for (size_t i = 0; i < 5; i++) {
        CHECK_INT(s.order[i], i);
        CHECK_INT(s.told[i].serial, (int)i);
    }
}

struct death {
    const char *name;
    enum deed deed;
    int64_t timeout_ms;
    const char *cause;
};

static const struct death deaths[] = {
    {"signal", KILLED, 60000, "signal 9 (SIGKILL)"},
    {"abort with its last words", ABORTS, 60000,
     "signal 6 (SIGABRT): first line the flash was read while off"},
    {"exit", EXITS, 60000, "exit code 7"},
    {"hang", HANGS, 200, "hang: no verdict after 0.200 s, killed"},
};

static const char *death_name(const void *row)
{
    return ((const struct death *)row)->name;
}

static void costs_one_item(const void *row)
{
    const struct death *d = row;
    struct session *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->deeds[1] = d->deed;
    /* One worker: the items after the loss prove that it was replaced. */
    struct pool_report r = run(s, 4, 1, d->timeout_ms);
    CHECK_STR(r.fault, "");
    CHECK_INT(s->n_order, 4);
    CHECK_STR(s->told[1].cause, d->cause);
    CHECK(!s->told[1].has_result);
    for (size_t i = 0; i < 4; i++)
        if (i != 1)
            CHECK(s->told[i].has_result);
    CHECK_INT(s->told[2].serial, 0);
    CHECK_INT(s->told[3].serial, 1);
    free(s);
}

static void a_signal_stops_the_pool(void)
{
    static struct session s;
    s.deeds[2] = INTERRUPTS;
    struct pool_report r = run(&s, ITEMS, 1, 60000);
    CHECK(r.interrupted);
    CHECK_INT(s.n_order, 2);
    CHECK(!s.told[2].done);
    sigset_t pending;
    (void)sigpending(&pending);
    CHECK_INT(sigismember(&pending, SIGTERM), 0);
}

static void *open_and_lose(void *ctx)
{
    (void)ctx;
    return NULL;
}

static void close_badly(void *ctx, void *state)
{
    (void)ctx;
    (void)state;
    (void)fprintf(stderr, "noise\nSUMMARY: LeakSanitizer: 8 bytes leaked\nmore noise\n");
    _exit(23);
}

static void work_little(void *ctx, void *state, size_t item, void *result)
{
    (void)ctx;
    (void)state;
    *(int *)result = (int)item;
}

static void done_counts(void *ctx, size_t item, const struct pool_outcome *o)
{
    (void)item;
    *(int *)ctx += o->result != NULL;
}

static void a_bad_end_is_told(void)
{
    int n = 0;
    struct pool_report r;
    struct pool_setup p = {.n_items = 3,
                           .result_bytes = sizeof(int),
                           .workers = 1,
                           .timeout_ms = 60000,
                           .ctx = &n,
                           .open = open_and_lose,
                           .work = work_little,
                           .close = close_badly,
                           .done = done_counts};
    CHECK_INT(pool_run(&p, &r, NULL), 0);
    CHECK_INT(n, 3);
    CHECK_HAS(r.fault, "exit code 23: SUMMARY: LeakSanitizer: 8 bytes leaked");
    CHECK(strstr(r.fault, "noise") == NULL);
}

static void no_workers_are_refused(void)
{
    struct pool_report r;
    struct err err = {0};
    struct pool_setup p = {.n_items = 1, .result_bytes = 1, .workers = 0, .timeout_ms = 1};
    CHECK_ERR(pool_run(&p, &r, &err), ERR_ARG);
    p.workers = POOL_WORKERS_MAX + 1;
    CHECK_ERR(pool_run(&p, &r, &err), ERR_ARG);
}

static const struct test tests[] = {
    {"all items come back", all_items_come_back},
    {"one worker keeps its state and the order", one_worker_keeps_its_state_and_the_order},
    TEST_ROWS("a lost worker costs one item", costs_one_item, deaths, death_name),
    {"a signal stops the pool", a_signal_stops_the_pool},
    {"a bad end after the last item is told", a_bad_end_is_told},
    {"no or too many workers are refused", no_workers_are_refused},
};

TEST_MAIN("worker pool", tests)
