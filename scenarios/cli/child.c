#include "scenarios/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS   30000
#define END_STEPS    1000 /* of 10 ms */
#define CHILDREN_MAX 64
#define NOT_STARTED  127

/* Between fork and exec: only what is safe there. */
static void become(char *const argv[], int out_fd, const char *log_path, pid_t parent)
{
    sigset_t none;
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)sigemptyset(&none);
    /* Ctrl-C is for the parent, but without it nothing here shall stay. */
    if (setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0 && dup2(null_fd, 0) == 0 &&
        dup2(log_fd, 2) == 2 && dup2(out_fd >= 0 ? out_fd : 2, 1) == 1)
        (void)execv(argv[0], argv);
    _exit(NOT_STARTED);
}

int child_start(struct child *c, char *const argv[], bool read_out, const char *log_path,
                struct err *err)
{
    int fds[2] = {-1, -1};
    *c = (struct child){.out_fd = -1};
    if (access(argv[0], X_OK) != 0)
        return err_set(err, ERR_IO, "%s cannot be started: %s", argv[0], strerror(errno));
    if (read_out && pipe2(fds, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "no pipe: %s", strerror(errno));
    pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0)
        become(argv, fds[1], log_path, parent);
    if (read_out)
        (void)close(fds[1]);
    c->out_fd = fds[0];
    if (c->pid > 0)
        return 0;
    c->pid = 0;
    (void)child_end(c, 0);
    return err_set(err, ERR_IO, "no process: %s", strerror(errno));
}

int child_read_until(struct child *c, const char *word, void (*line)(void *ctx, const char *text),
                     void *ctx, struct err *err)
{
    char text[1024];
    size_t len = 0;
    for (;;) {
        struct pollfd p = {.fd = c->out_fd, .events = POLLIN};
        int ready = poll(&p, 1, SILENCE_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t n = ready <= 0 ? -1 : read(c->out_fd, text + len, 1);
        if (n <= 0)
            return err_set(err, ERR_IO, "it does not begin to work");
        if (text[len] != '\n') {
            len += len + 2 < sizeof text;
            continue;
        }
        text[len] = '\0';
        len = 0;
        line(ctx, text);
        if (strncmp(text, word, strlen(word)) == 0)
            return 0;
    }
}

bool child_alive(struct child *c)
{
    siginfo_t info = {.si_pid = 0};
    return c->pid != 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int child_end(struct child *c, int signal)
{
    static const struct timespec step = {.tv_nsec = 10000000};
    int status = -1;
    if (c->out_fd >= 0)
        (void)close(c->out_fd);
    c->out_fd = -1;
    if (c->pid == 0)
        return -1;
    (void)kill(c->pid, signal);
    for (int i = 0; child_alive(c) && i < END_STEPS; i++)
        (void)nanosleep(&step, NULL);
    if (child_alive(c))
        (void)kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- what it costs ---- */

static size_t children_of(pid_t pid, pid_t out[CHILDREN_MAX])
{
    char path[64];
    size_t n = 0;
    long child = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && n < CHILDREN_MAX && fscanf(f, "%ld", &child) == 1)
        out[n++] = (pid_t)child;
    if (f != NULL)
        (void)fclose(f);
    return n;
}

pid_t child_of(pid_t pid)
{
    pid_t all[CHILDREN_MAX];
    return children_of(pid, all) == 0 ? 0 : all[0];
}

static uint64_t read_peak_kib(pid_t pid)
{
    char path[64], line[256];
    unsigned long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

static uint64_t read_cpu_ms(pid_t pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    /* The name in brackets may hold anything; what counts stands behind its end. */
    const char *at = fgets(line, sizeof line, f) == NULL ? NULL : strrchr(line, ')');
    (void)fclose(f);
    if (at == NULL ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (uint64_t)(user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

struct child_cost child_cost(pid_t pid, bool children)
{
    pid_t all[CHILDREN_MAX];
    struct child_cost sum = {
        .peak_kib = read_peak_kib(pid), .cpu_ms = read_cpu_ms(pid), .processes = 1};
    size_t n = children ? children_of(pid, all) : 0;
    for (size_t i = 0; i < n; i++) {
        sum.peak_kib += read_peak_kib(all[i]);
        sum.cpu_ms += read_cpu_ms(all[i]);
        sum.processes++;
    }
    return sum;
}
