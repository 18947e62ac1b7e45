/*
 * The cloud is `otabench cloud` as a process of its own, with its Mosquitto and its database in a
 * file; nginx serves the same image. This process is the load: one thread, one epoll.
 */
#include "scenarios/cli/bench_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/rng.h"
#include "common/vtime.h"
#include "scenarios/cli/child.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/load_cloud.h"
#include "scenarios/cli/load_fleet.h"
#include "scenarios/cli/load_nginx.h"
#include "scenarios/cli/load_range.h"
#include "scenarios/cli/load_strangers.h"

#define EVENTS_MAX     64
#define TURN_MS        100
#define STALL_NS       (60 * NS_PER_S) /* nothing moves any more: given up */
#define SHOW_NS        (2 * NS_PER_S)
#define PASSES         2
#define FDS_PER_DEVICE 8 /* a libmosquitto client has three, a download one */

struct run {
    const struct bench_wire *b;
    char dir[64];
    struct load_cloud cloud;
    struct child nginx;
    uint16_t nginx_port;
    bool has_nginx;
    int epoll_fd, signal_fd;
    struct load_watch signals;
    bool interrupted;
    struct fleet *fleet;
    struct strangers *strangers; /* null: none */
    uint8_t *image;
    /* A pass of ranges alone. */
    struct range_client **clients;
    size_t clients_left;
    uint64_t requests;
    char trouble[192];
    bool wrong_bytes;
};

/* 0 when one of them has not come. */
static int64_t between(int64_t begin_ns, int64_t end_ns)
{
    return begin_ns == 0 || end_ns < begin_ns ? 0 : end_ns - begin_ns;
}

static uint64_t per_s(uint64_t count, int64_t ns)
{
    return ns <= 0 ? 0 : count * (uint64_t)NS_PER_S / (uint64_t)ns;
}

/* ---- the loop ---- */

static void on_signal(void *ctx, uint32_t events)
{
    struct run *r = ctx;
    (void)events;
    r->interrupted = true;
}

static int open_loop(struct run *r, struct err *err)
{
    sigset_t mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    r->signals = (struct load_watch){.ready = on_signal, .ctx = r};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &r->signals};
    if (r->epoll_fd < 0 || r->signal_fd < 0 ||
        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->signal_fd, &e) != 0)
        return err_set(err, ERR_IO, "no event loop: %s", strerror(errno));
    struct rlimit files;
    rlim_t needs = (rlim_t)(r->b->devices * FDS_PER_DEVICE + r->b->strangers) + 64;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max < needs)
        return err_set(err, ERR_LIMIT,
                       "needs %llu open files, at most %llu are allowed (ulimit -n)",
                       (unsigned long long)needs, (unsigned long long)files.rlim_max);
    if (files.rlim_cur < needs) {
        files.rlim_cur = needs;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    return 0;
}

static void turn(struct run *r)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(r->epoll_fd, events, EVENTS_MAX, TURN_MS);
    for (int i = 0; i < n; i++) {
        const struct load_watch *w = events[i].data.ptr;
        w->ready(w->ctx, events[i].events);
    }
}

/* ---- upgrades ---- */

static int make_image(struct run *r, struct err *err)
{
    struct rng rng;
    r->image = malloc(r->b->image_bytes);
    if (r->image == NULL)
        return err_set(err, ERR_NOMEM, "no memory");
    rng_init(&rng, 1, "bench", "image", 0);
    rng_fill(&rng, r->image, r->b->image_bytes);
    return load_write_file(r->dir, LOAD_IMAGE, r->image, r->b->image_bytes, err);
}

static void show(const struct run *r, const struct fleet_figures *g, int64_t now_ns,
                 int64_t *shown_ns)
{
    if (r->b->quiet || now_ns - *shown_ns < SHOW_NS)
        return;
    *shown_ns = now_ns;
    (void)fprintf(stderr, "%zu of %" PRIu64 " logged in, %zu downloading, %zu done, %zu failed\n",
                  g->sessions, r->b->devices, g->downloads, g->done, g->failed);
}

static int upgrade(struct run *r, struct err *err)
{
    const struct fleet_config cfg = {.epoll_fd = r->epoll_fd,
                                     .devices = r->b->devices,
                                     .mqtt_port = r->cloud.mqtt_port,
                                     .range_bytes = (uint32_t)r->b->range_bytes,
                                     .from_version = LOAD_OLD_VERSION,
                                     .to_version = LOAD_NEW_VERSION};
    r->fleet = fleet_new(&cfg, err);
    if (r->fleet == NULL)
        return ERR_NOMEM;
    const struct strangers_config bad = {.epoll_fd = r->epoll_fd,
                                         .count = r->b->strangers,
                                         .http_port = r->cloud.http_port,
                                         .mqtt_port = r->cloud.mqtt_port};
    if (bad.count > 0 && (r->strangers = strangers_new(&bad, err)) == NULL)
        return ERR_NOMEM;
    const struct fleet_figures *g = fleet_figures(r->fleet);
    int64_t shown_ns = cli_clock_ns(), moved_ns = shown_ns;
    uint64_t moved = 0;
    /* Without the verification there is no batch. */
    while (!r->interrupted && g->done + g->failed < r->b->devices &&
           (g->failed == 0 || g->first_upgrade_ns > 0)) {
        int64_t now_ns = cli_clock_ns();
        fleet_turn(r->fleet, now_ns);
        if (r->strangers != NULL)
            strangers_turn(r->strangers, now_ns, fleet_url(r->fleet, 0));
        turn(r);
        uint64_t moves = g->requests + g->published + g->received;
        if (moves != moved)
            moved_ns = now_ns;
        moved = moves;
        if (now_ns - moved_ns > STALL_NS)
            return err_set(err, ERR_IO, "nothing has moved for a minute: %zu of %zu done. %s",
                           g->done, (size_t)r->b->devices, g->trouble);
        show(r, g, now_ns, &shown_ns);
    }
    return 0;
}

/* ---- ranges alone ---- */

static void on_bytes(void *ctx, uint64_t at, const uint8_t *data, size_t len_bytes)
{
    struct run *r = ctx;
    if (memcmp(r->image + at, data, len_bytes) != 0)
        r->wrong_bytes = true;
}

static void on_fetched(void *ctx, int rc, const char *story)
{
    struct run *r = ctx;
    r->clients_left--;
    if (rc != 0 && r->trouble[0] == '\0')
        (void)snprintf(r->trouble, sizeof r->trouble, "%s", story);
}

/* What passes over one server add up to. */
struct ranges {
    uint64_t requests, cpu_ms;
    int64_t time_ns;
};

static uint64_t server_cpu_ms(const struct run *r, bool nginx)
{
    return child_cost(nginx ? r->nginx.pid : r->cloud.child.pid, nginx).cpu_ms;
}

/* As many clients as devices fetch the whole image once more. */
static int pass(struct run *r, bool nginx, struct ranges *sum, struct err *err)
{
    char url[512];
    int rc = 0;
    uint64_t cpu_ms = server_cpu_ms(r, nginx);
    int64_t start_ns = cli_clock_ns(), moved_ns = start_ns;
    r->requests = 0;
    for (size_t i = 0; rc == 0 && i < r->b->devices; i++) {
        if (nginx)
            (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/" LOAD_IMAGE, r->nginx_port);
        else
            (void)snprintf(url, sizeof url, "%s", fleet_url(r->fleet, i));
        const struct range_config cfg = {.epoll_fd = r->epoll_fd,
                                         .url = url,
                                         .file_bytes = r->b->image_bytes,
                                         .range_bytes = (uint32_t)r->b->range_bytes,
                                         .requests = &r->requests,
                                         .data = on_bytes,
                                         .done = on_fetched,
                                         .ctx = r};
        r->clients[i] = range_client_new(&cfg, err);
        rc = r->clients[i] == NULL ? ERR_IO : 0;
        r->clients_left += rc == 0;
    }
    for (uint64_t seen = 0; rc == 0 && r->clients_left > 0 && !r->interrupted;) {
        turn(r);
        int64_t now_ns = cli_clock_ns();
        if (r->requests != seen)
            moved_ns = now_ns;
        seen = r->requests;
        fleet_turn(r->fleet, now_ns);
        if (now_ns - moved_ns > STALL_NS)
            rc = err_set(err, ERR_IO, "no range has come for a minute");
    }
    sum->time_ns += cli_clock_ns() - start_ns;
    sum->cpu_ms += server_cpu_ms(r, nginx) - cpu_ms;
    sum->requests += r->requests;
    for (size_t i = 0; i < r->b->devices; i++) {
        range_client_free(r->clients[i]);
        r->clients[i] = NULL;
    }
    r->clients_left = 0;
    if (rc == 0 && r->trouble[0] != '\0')
        rc = err_set(err, ERR_IO, "%s: %s", nginx ? "nginx" : "the cloud", r->trouble);
    if (rc == 0 && r->wrong_bytes)
        rc = err_set(err, ERR_FORMAT, "%s sent wrong bytes", nginx ? "nginx" : "the cloud");
    return rc;
}

/* ---- the report ---- */

static void print_upgrades(const struct run *r, size_t success)
{
    const struct fleet_figures *g = fleet_figures(r->fleet);
    int64_t all_ns = between(g->first_login_ns, g->last_done_ns);
    int64_t fleet_ns = between(g->first_upgrade_ns, g->last_done_ns);
    uint64_t messages = g->published + g->received;
    (void)printf("devices         %" PRIu64 ", %zu upgraded and told so, %zu failed; %zu records "
                 "end as success\n",
                 r->b->devices, g->done, g->failed, success);
    (void)printf("image           %" PRIu64 " bytes in ranges of %" PRIu64 "\n", r->b->image_bytes,
                 r->b->range_bytes);
    (void)printf("connections     %zu MQTT sessions and %zu downloads at once, %" PRIu64
                 " logins\n",
                 g->sessions_peak, g->downloads_peak, g->logins);
    (void)printf("time            %" PRId64 " ms from the first login to the end; %" PRId64
                 " ms from the first upgrade of the batch\n",
                 all_ns / NS_PER_MS, fleet_ns / NS_PER_MS);
    (void)printf("messages        %" PRIu64 " through broker and cloud, %" PRIu64
                 "/s from the first login to the end\n",
                 messages, per_s(messages, all_ns));
    (void)printf("ranges          %" PRIu64 " while upgrading, %" PRIu64 "/s\n", g->requests,
                 per_s(g->requests, between(g->first_upgrade_ns, g->last_range_ns)));
}

static void print_cost(const char *what, struct child_cost c)
{
    (void)printf("%-15s at most %" PRIu64 " KiB, %" PRIu64 " ms of processor time\n", what,
                 c.peak_kib, c.cpu_ms);
}

static void print_rate(const char *what, const struct ranges *x, const char *more)
{
    (void)printf("%-15s %" PRIu64 " requests/s, %" PRIu64 " us of processor time each%s\n", what,
                 per_s(x->requests, x->time_ns),
                 x->requests == 0 ? 0 : x->cpu_ms * 1000 / x->requests, more);
}

/* Returns the cloud's requests/s in percent of nginx's. */
static uint64_t print_ranges(const struct run *r, const struct ranges *own,
                             const struct ranges *other, struct child_cost server)
{
    char more[64];
    uint64_t rate = per_s(other->requests, other->time_ns);
    uint64_t percent = rate == 0 ? 0 : per_s(own->requests, own->time_ns) * 100 / rate;
    print_rate("ranges alone", own, "");
    if (!r->has_nginx)
        return 0;
    (void)snprintf(more, sizeof more, "; %u processes, at most %" PRIu64 " KiB", server.processes,
                   server.peak_kib);
    print_rate("nginx", other, more);
    (void)printf("ratio           the cloud serves %" PRIu64 " %% of nginx's requests/s\n",
                 percent);
    return percent;
}

static int measure(struct run *r, struct err *err)
{
    size_t success = 0, others = 0;
    struct ranges own = {.requests = 0}, other = {.requests = 0};
    int rc = upgrade(r, err);
    if (rc != 0)
        return rc;
    const struct fleet_figures *g = fleet_figures(r->fleet);
    bool all = g->done == r->b->devices;
    struct child_cost cloud = child_cost(r->cloud.child.pid, false);
    struct child_cost broker = child_cost(child_of(r->cloud.child.pid), false);
    struct child_cost load = child_cost(getpid(), false);
    struct strangers_figures bad = {.connected = 0};
    if (r->strangers != NULL)
        bad = *strangers_figures(r->strangers);
    strangers_free(r->strangers); /* what follows is measured without them */
    r->strangers = NULL;
    for (int i = 0; rc == 0 && all && i < PASSES && !r->interrupted; i++) {
        rc = pass(r, false, &own, err);
        if (rc == 0 && r->has_nginx)
            rc = pass(r, true, &other, err);
    }
    if (rc != 0)
        return rc;
    bool up = child_alive(&r->cloud.child) && child_of(r->cloud.child.pid) != 0;
    struct child_cost server = child_cost(r->nginx.pid, true);
    fleet_leave(r->fleet);
    turn(r);
    int code = child_end(&r->cloud.child, SIGINT);
    rc = load_cloud_records(r->dir, &success, &others, err);
    if (rc != 0)
        return rc;
    print_upgrades(r, success);
    if (r->b->strangers > 0)
        (void)printf("strangers       %zu at the end, %zu closed by the cloud, %" PRIu64
                     " answers with 403\n",
                     bad.connected, bad.closed, bad.refused);
    print_cost("cloud", cloud);
    print_cost("broker", broker);
    print_cost("load", load);
    uint64_t percent = print_ranges(r, &own, &other, server);
    if (r->interrupted)
        return cli_fail("bench", EXIT_INCONCLUSIVE, "interrupted");
    if (g->failed > 0)
        return cli_fail("bench", EXIT_FAILED, "%zu devices failed; the first: %s", g->failed,
                        g->trouble);
    if (!up || code != 0)
        return cli_fail("bench", EXIT_FAILED, "the cloud or its broker did not stay up");
    if (success != r->b->devices || others != 0)
        return cli_fail("bench", EXIT_FAILED, "%zu records end as success and %zu otherwise",
                        success, others);
    if (r->has_nginx && percent < r->b->min_ratio_percent)
        return cli_fail("bench", EXIT_FAILED, "below the demanded %" PRIu64 " %% of nginx",
                        r->b->min_ratio_percent);
    return EXIT_PASSED;
}

static int find_nginx(struct run *r, struct err *err)
{
    const char *program = r->b->nginx == NULL ? nginx_find() : r->b->nginx;
    if (program == NULL) {
        (void)fprintf(stderr, "nginx is not installed (Debian package nginx-light): there is "
                              "nothing to compare with\n");
        return r->b->min_ratio_percent == 0
                   ? 0
                   : err_set(err, ERR_UNSUPPORTED, "--min-ratio needs nginx");
    }
    if (strcmp(program, "none") == 0)
        return 0;
    int rc = nginx_start(&r->nginx, program, r->dir, &r->nginx_port, err);
    r->has_nginx = rc == 0;
    return rc;
}

int bench_wire(const struct bench_wire *b)
{
    struct err err = {.text = ""};
    struct run r = {.b = b,
                    .dir = "/tmp/otabench-load-XXXXXX",
                    .cloud = {.child = {.out_fd = -1}},
                    .nginx = {.out_fd = -1},
                    .epoll_fd = -1,
                    .signal_fd = -1};
    r.clients = calloc(b->devices, sizeof(struct range_client *));
    if (r.clients == NULL || mkdtemp(r.dir) == NULL) {
        free(r.clients);
        return cli_fail("bench", EXIT_INCONCLUSIVE, "%s: %s", r.dir, strerror(errno));
    }
    int rc = open_loop(&r, &err);
    if (rc == 0)
        rc = make_image(&r, &err);
    if (rc == 0)
        rc = find_nginx(&r, &err);
    if (rc == 0)
        rc = load_cloud_start(&r.cloud, r.dir, b->devices, &err);
    int code = rc == 0 ? measure(&r, &err) : rc;
    (void)child_end(&r.cloud.child, SIGINT);
    (void)child_end(&r.nginx, SIGTERM);
    strangers_free(r.strangers);
    fleet_free(r.fleet);
    free(r.clients);
    free(r.image);
    load_remove_dir(r.dir);
    if (r.epoll_fd >= 0)
        (void)close(r.epoll_fd);
    if (r.signal_fd >= 0)
        (void)close(r.signal_fd);
    return code < 0 ? cli_fail("bench", EXIT_INCONCLUSIVE, "%s", err.text) : code;
}
