#include "scenarios/cli/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/vtime.h"
#include "scenarios/cli/cli.h"

#define LOG_KEPT    ((size_t)16 << 10) /* of a worker's output, for the cause */
#define TICK_MS     500
#define FAREWELL_MS 30000 /* for a worker to end after its last item */
#define NO_ITEM     SIZE_MAX

struct worker {
    pid_t pid; /* 0: none */
    int command_fd, result_fd, log_fd;
    size_t item; /* NO_ITEM: idle */
    int64_t since_ns;
    bool timed_out;
    size_t got; /* bytes of result so far */
    uint8_t *result;
    struct buf log;
};

struct pool {
    const struct pool_setup *s;
    struct worker *workers;
    size_t next, done;
    int signal_fd;
    sigset_t old_mask;
    struct pool_report *report;
};

/* ---- the worker's side ---- */

static bool read_all(int fd, void *data, size_t len_bytes)
{
    for (uint8_t *p = data; len_bytes > 0;) {
        ssize_t n = read(fd, p, len_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t len_bytes)
{
    for (const uint8_t *p = data; len_bytes > 0;) {
        ssize_t n = write(fd, p, len_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len_bytes -= (size_t)n;
    }
    return true;
}

static int worker_loop(const struct pool_setup *s, int command_fd, int result_fd, void *result)
{
    void *state = s->open == NULL ? NULL : s->open(s->ctx);
    bool ok = true;
    for (size_t item; ok && read_all(command_fd, &item, sizeof item);) {
        memset(result, 0, s->result_bytes);
        s->work(s->ctx, state, item, result);
        ok = write_all(result_fd, result, s->result_bytes);
    }
    if (s->close != NULL)
        s->close(s->ctx, state);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void become_worker(struct pool *p, int command_fd, int result_fd, int log_fd)
{
    struct worker *all = p->workers;
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < p->s->workers; i++)
        if (all[i].pid != 0) {
            (void)close(all[i].command_fd);
            (void)close(all[i].result_fd);
            (void)close(all[i].log_fd);
        }
    (void)close(p->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &p->old_mask, NULL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDIN_FILENO);
    (void)dup2(log_fd, STDOUT_FILENO);
    (void)dup2(log_fd, STDERR_FILENO);
    void *result = malloc(p->s->result_bytes);
    int rc = result == NULL ? EXIT_FAILURE : worker_loop(p->s, command_fd, result_fd, result);
    free(result);
    /* What the parent holds on its heap is not this process's leak. */
    for (unsigned i = 0; i < p->s->workers; i++) {
        free(all[i].result);
        buf_free(&all[i].log);
    }
    free(all);
    exit(rc);
}

/* ---- the owner's side ---- */

static void close_pair(int fd[2])
{
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static int start_worker(struct pool *p, struct worker *w, struct err *err)
{
    int command[2], result[2], log[2];
    if (pipe2(command, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "no pipe for a worker: %s", strerror(errno));
    if (pipe2(result, O_CLOEXEC) != 0) {
        close_pair(command);
        return err_set(err, ERR_IO, "no pipe for a worker: %s", strerror(errno));
    }
    if (pipe2(log, O_CLOEXEC) != 0) {
        close_pair(command);
        close_pair(result);
        return err_set(err, ERR_IO, "no pipe for a worker: %s", strerror(errno));
    }
    (void)fflush(NULL); /* or the child would print it again */
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(command[1]);
        (void)close(result[0]);
        (void)close(log[0]);
        become_worker(p, command[0], result[1], log[1]);
    }
    (void)close(command[0]);
    (void)close(result[1]);
    (void)close(log[1]);
    if (pid < 0) {
        (void)close(command[1]);
        (void)close(result[0]);
        (void)close(log[0]);
        return err_set(err, ERR_IO, "no process for a worker: %s", strerror(errno));
    }
    (void)setpgid(pid, pid); /* both sides do it: whoever is first */
    (void)fcntl(result[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(log[0], F_SETFL, O_NONBLOCK);
    w->pid = pid;
    w->command_fd = command[1];
    w->result_fd = result[0];
    w->log_fd = log[0];
    w->item = NO_ITEM;
    return 0;
}

static void give_item(struct pool *p, struct worker *w)
{
    w->item = p->next++;
    w->since_ns = cli_clock_ns();
    w->timed_out = false;
    w->got = 0;
    buf_clear(&w->log);
    /* A worker that is gone already is seen by the end of its result pipe. */
    (void)write_all(w->command_fd, &w->item, sizeof w->item);
}

static void read_log(struct worker *w)
{
    char chunk[4096];
    for (ssize_t n; (n = read(w->log_fd, chunk, sizeof chunk)) > 0;) {
        if (w->log.len_bytes + (size_t)n > LOG_KEPT)
            buf_consume(&w->log, w->log.len_bytes + (size_t)n - LOG_KEPT);
        (void)buf_append(&w->log, chunk, (size_t)n);
    }
}

static const char *log_text(const struct worker *w)
{
    return w->log.len_bytes == 0 ? "" : (const char *)w->log.data;
}

/* Collects an ended or killed worker; its wait status. */
static int reap(struct worker *w)
{
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    (void)kill(-w->pid, SIGKILL); /* whatever it had started */
    read_log(w);
    (void)close(w->command_fd);
    (void)close(w->result_fd);
    (void)close(w->log_fd);
    w->pid = 0;
    return status;
}

static void tell(struct pool *p, struct worker *w, const struct pool_outcome *outcome)
{
    size_t item = w->item;
    w->item = NO_ITEM;
    p->done++;
    p->s->done(p->s->ctx, item, outcome);
}

static void worker_died(struct pool *p, struct worker *w)
{
    char cause[ERR_TEXT_MAX];
    int status = reap(w);
    if (w->item == NO_ITEM)
        return; /* while idle: nobody's loss, a new one is started when needed */
    if (w->timed_out)
        (void)snprintf(cause, sizeof cause, "hang: no verdict after %" PRId64 ".%03d s, killed",
                       p->s->timeout_ms / 1000, (int)(p->s->timeout_ms % 1000));
    else
        pool_cause(cause, sizeof cause, status, log_text(w));
    struct pool_outcome o = {
        .cause = cause, .log = log_text(w), .wall_ns = cli_clock_ns() - w->since_ns};
    tell(p, w, &o);
}

static void read_result(struct pool *p, struct worker *w)
{
    for (;;) {
        uint8_t spill;
        size_t want = p->s->result_bytes - w->got;
        bool expected = w->item != NO_ITEM && want > 0;
        ssize_t n =
            expected ? read(w->result_fd, w->result + w->got, want) : read(w->result_fd, &spill, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* EAGAIN */
        if (n == 0) {
            worker_died(p, w);
            return;
        }
        w->got += expected ? (size_t)n : 0;
        if (expected && w->got == p->s->result_bytes) {
            struct pool_outcome o = {.result = w->result, .wall_ns = cli_clock_ns() - w->since_ns};
            tell(p, w, &o);
            return;
        }
    }
}

static void watch(struct pool *p, int64_t now_ns)
{
    for (unsigned i = 0; i < p->s->workers; i++) {
        struct worker *w = &p->workers[i];
        if (w->pid != 0 && w->item != NO_ITEM && !w->timed_out &&
            now_ns - w->since_ns >= p->s->timeout_ms * NS_PER_MS) {
            w->timed_out = true;
            (void)kill(-w->pid, SIGKILL);
            (void)kill(w->pid, SIGKILL); /* before it has become a group */
        }
    }
}

static int wait_ms(const struct pool *p)
{
    int64_t now = cli_clock_ns(), ms = TICK_MS;
    for (unsigned i = 0; i < p->s->workers; i++) {
        const struct worker *w = &p->workers[i];
        if (w->pid == 0 || w->item == NO_ITEM || w->timed_out)
            continue;
        int64_t left = p->s->timeout_ms - (now - w->since_ns) / NS_PER_MS;
        ms = left < ms ? left : ms;
    }
    return ms < 0 ? 0 : (int)ms;
}

static void wait_for_news(struct pool *p)
{
    struct pollfd fds[1 + 2 * POOL_WORKERS_MAX];
    fds[0] = (struct pollfd){.fd = p->signal_fd, .events = POLLIN};
    for (unsigned i = 0; i < p->s->workers; i++) {
        bool alive = p->workers[i].pid != 0;
        fds[1 + 2 * i] =
            (struct pollfd){.fd = alive ? p->workers[i].result_fd : -1, .events = POLLIN};
        fds[2 + 2 * i] = (struct pollfd){.fd = alive ? p->workers[i].log_fd : -1, .events = POLLIN};
    }
    (void)poll(fds, 1 + 2 * p->s->workers, wait_ms(p));
    struct signalfd_siginfo si;
    if (read(p->signal_fd, &si, sizeof si) == sizeof si)
        p->report->interrupted = true;
    for (unsigned i = 0; i < p->s->workers; i++) {
        if (fds[2 + 2 * i].revents != 0)
            read_log(&p->workers[i]);
        if (fds[1 + 2 * i].revents != 0)
            read_result(p, &p->workers[i]);
    }
    watch(p, cli_clock_ns());
    if (p->s->tick != NULL)
        p->s->tick(p->s->ctx);
}

static int work_off(struct pool *p, struct err *err)
{
    const struct pool_setup *s = p->s;
    while (p->done < s->n_items && !p->report->interrupted) {
        for (unsigned i = 0; i < s->workers && p->next < s->n_items; i++) {
            struct worker *w = &p->workers[i];
            int rc = w->pid == 0 ? start_worker(p, w, err) : 0;
            if (rc != 0)
                return rc;
            if (w->item == NO_ITEM)
                give_item(p, w);
        }
        wait_for_news(p);
    }
    return 0;
}

static void end_workers(struct pool *p, bool at_once)
{
    for (unsigned i = 0; i < p->s->workers; i++) {
        struct worker *w = &p->workers[i];
        if (w->pid == 0)
            continue;
        if (at_once) {
            (void)kill(-w->pid, SIGKILL);
            (void)kill(w->pid, SIGKILL);
            (void)reap(w);
            continue;
        }
        buf_clear(&w->log);
        (void)close(w->command_fd); /* the worker's sign to end */
        w->command_fd = -1;
        struct pollfd fd = {.fd = w->result_fd, .events = POLLIN};
        int64_t until = cli_clock_ns() + FAREWELL_MS * NS_PER_MS;
        while (poll(&fd, 1, 100) == 0 && cli_clock_ns() < until)
            read_log(w);
        bool hung = fd.revents == 0;
        if (hung)
            (void)kill(-w->pid, SIGKILL);
        int status = reap(w);
        if (status != 0 && p->report->fault[0] == '\0') {
            char cause[ERR_TEXT_MAX - 64];
            pool_cause(cause, sizeof cause, status, log_text(w));
            (void)snprintf(p->report->fault, sizeof p->report->fault,
                           "after its last scenario a worker ended with %s", cause);
        }
    }
}

int pool_run(const struct pool_setup *setup, struct pool_report *report, struct err *err)
{
    *report = (struct pool_report){.interrupted = false};
    if (setup->workers < 1 || setup->workers > POOL_WORKERS_MAX || setup->result_bytes == 0 ||
        setup->timeout_ms <= 0)
        return err_set(err, ERR_ARG, "1 to %d workers and a time-out are needed", POOL_WORKERS_MAX);
    struct pool p = {.s = setup, .signal_fd = -1, .report = report};
    int rc = 0;
    p.workers = calloc(setup->workers, sizeof *p.workers);
    if (p.workers == NULL)
        return err_set(err, ERR_NOMEM, "no memory for workers");
    for (unsigned i = 0; i < setup->workers; i++) {
        buf_init(&p.workers[i].log, LOG_KEPT + 4096);
        p.workers[i].result = malloc(setup->result_bytes);
        if (p.workers[i].result == NULL)
            rc = err_set(err, ERR_NOMEM, "no memory for workers");
    }
    sigset_t mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &mask, &p.old_mask);
    p.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (rc == 0 && p.signal_fd < 0)
        rc = err_set(err, ERR_IO, "no signal descriptor: %s", strerror(errno));
    if (rc == 0)
        rc = work_off(&p, err);
    end_workers(&p, rc != 0 || report->interrupted);
    (void)close(p.signal_fd);
    (void)sigprocmask(SIG_SETMASK, &p.old_mask, NULL);
    for (unsigned i = 0; i < setup->workers; i++) {
        free(p.workers[i].result);
        buf_free(&p.workers[i].log);
    }
    free(p.workers);
    return rc;
}

/* ---- causes ---- */

/* The line that says most: a sanitizer's summary, or its first finding. */
static const char *telling_line(const char *log)
{
    static const char *const signs[] = {"SUMMARY: ", "runtime error: ", "Assertion `"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        const char *at = strstr(log, signs[i]);
        while (at != NULL && at > log && at[-1] != '\n')
            at--;
        if (at != NULL)
            return at;
    }
    return NULL;
}

/* Start of the last few lines. */
static const char *tail(const char *log, size_t lines)
{
    const char *p = log + strlen(log);
    while (p > log && (p[-1] == '\n' || p[-1] == ' '))
        p--;
    while (p > log && !(p[-1] == '\n' && --lines == 0))
        p--;
    return p;
}

void pool_cause(char *out, size_t cap, int wait_status, const char *log)
{
    int at;
    if (WIFSIGNALED(wait_status)) {
        const char *name = sigabbrev_np(WTERMSIG(wait_status));
        at = snprintf(out, cap, "signal %d (SIG%s)", WTERMSIG(wait_status),
                      name == NULL ? "?" : name);
    } else {
        at = snprintf(out, cap, "exit code %d", WEXITSTATUS(wait_status));
    }
    const char *line = telling_line(log);
    const char *p = line != NULL ? line : tail(log, 3);
    size_t n = at < 0 ? 0 : (size_t)at;
    if (*p != '\0' && n + 3 < cap) {
        out[n++] = ':';
        out[n++] = ' ';
    }
    bool blank = true; /* lines are joined, runs of white space become one space */
    for (; *p != '\0' && n + 1 < cap && !(line != NULL && *p == '\n'); p++) {
        bool space = (unsigned char)*p <= ' ';
        if (!space || !blank)
            out[n++] = space ? ' ' : *p;
        blank = space;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    if (cap > 0)
        out[n < cap ? n : cap - 1] = '\0';
}
