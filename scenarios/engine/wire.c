/*
 * The wire: the same scenario in real time. The cloud listens on loopback, the device is a process
 * of its own that dies at its cuts, every byte passes our relay. The bench is one thread in poll.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mock_cloud/broker/broker.h"
#include "mock_cloud/tls/ca.h"
#include "scenarios/engine/run.h"
#include "scenarios/engine/stage.h"
#include "scenarios/engine/wire_device.h"
#include "scenarios/engine/wire_pipe.h"
#include "scenarios/engine/wire_relay.h"

#define WIRE_LIMIT_NS (300 * NS_PER_S)
#define WIRE_HEAL_NS  (120 * NS_PER_S)
#define ARGS_MAX      (32 + 2 * SCENARIO_RULES_MAX)

extern char **environ;

struct wire {
    struct stage g;
    struct build build;
    struct relay relay;
    struct wire_pipe pipe;
    struct timespec start;
    char dir[64];
    char scenario_path[96], flash_path[96], db_path[96];
    pid_t pid; /* 0: no device process */
    bool idle, heal;
    int64_t power_on_ns;
    int64_t off_ns;                       /* of the cut that is happening */
    bool cut_by_self;                     /* the device announced its own death */
    uint64_t rule_op[SCENARIO_RULES_MAX]; /* operations the device armed */
    /* of a cloud that speaks MQTT */
    struct broker *broker;
    struct ca_files files; /* "": no TLS */
    char cert_pem[CA_PEM_MAX], key_pem[CA_PEM_MAX];
    struct edge_address edge_at;
    int rc;
    struct err err;
};

static int64_t clock_ns(const struct wire *w)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)(t.tv_sec - w->start.tv_sec) * NS_PER_S + (t.tv_nsec - w->start.tv_nsec);
}

/* ---- the device process ---- */

static bool device_rule(const struct power_rule *p)
{
    return p->when.kind == TRIGGER_OP ||
           (p->when.kind == TRIGGER_EVENT && p->when.lane != LANE_CLOUD &&
            p->when.lane != LANE_NETWORK);
}

/* The command line of the device's process; the pointers go into it and into w. */
struct command_line {
    char http_port[8], mqtt_port[8], offset[24], seed[24];
    char rules[SCENARIO_RULES_MAX][64];
    char *argv[ARGS_MAX]; /* ends with null */
    size_t n;
};

static void put(struct command_line *c, const char *word)
{
    c->argv[c->n++] = (char *)(uintptr_t)word; /* posix_spawn writes none of them */
}

static void put_option(struct command_line *c, const char *option, const char *value)
{
    put(c, option);
    put(c, value);
}

static void command_line_make(struct command_line *c, const struct wire *w)
{
    c->n = 0;
    (void)snprintf(c->http_port, sizeof c->http_port, "%u", w->relay.ways[LINK_HTTP].port);
    (void)snprintf(c->mqtt_port, sizeof c->mqtt_port, "%u", w->relay.ways[LINK_MQTT].port);
    (void)snprintf(c->offset, sizeof c->offset, "%" PRId64, w->g.now_ns);
    (void)snprintf(c->seed, sizeof c->seed, "%" PRIu64, stage_seed(&w->g));
    put_option(c, w->g.o->self_exe, "device");
    put_option(c, "--scenario", w->scenario_path);
    put_option(c, "--flash", w->flash_path);
    put_option(c, "--relay", c->http_port);
    put_option(c, "--events", "3");
    put_option(c, "--offset", c->offset);
    put_option(c, "--seed", c->seed);
    if (w->g.o->cache_dir != NULL)
        put_option(c, "--cache", w->g.o->cache_dir);
    if (w->broker != NULL)
        put_option(c, "--relay-mqtt", c->mqtt_port);
    if (w->files.ca_path[0] != '\0')
        put_option(c, "--ca", w->files.ca_path);
    if (w->heal)
        put(c, "--heal");
    for (uint32_t i = 0; i < w->g.s->n_power && !w->heal; i++) {
        uint32_t seen;
        bool fired;
        script_power_state(w->g.script, i, &seen, &fired);
        (void)snprintf(c->rules[i], sizeof c->rules[i], "%u:%u:%d:%" PRIu64, i, seen, fired ? 1 : 0,
                       w->rule_op[i]);
        put_option(c, "--rule", c->rules[i]);
    }
    c->argv[c->n] = NULL;
}

static int spawn_device(struct wire *w)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set(&w->err, ERR_IO, "no pipe for the device: %s", strerror(errno));
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct command_line c;
    command_line_make(&c, w);
    posix_spawn_file_actions_t fa;
    (void)posix_spawn_file_actions_init(&fa);
    /* Works also when the pipe already is descriptor 3: dup2 then only clears close-on-exec. */
    (void)posix_spawn_file_actions_adddup2(&fa, fds[1], 3);
    int rc = posix_spawn(&w->pid, w->g.o->self_exe, &fa, NULL, c.argv, environ);
    (void)posix_spawn_file_actions_destroy(&fa);
    (void)close(fds[1]);
    if (rc != 0) {
        (void)close(fds[0]);
        w->pid = 0;
        return err_set(&w->err, ERR_IO, "%s cannot be started: %s", w->g.o->self_exe, strerror(rc));
    }
    wire_pipe_init(&w->pipe, fds[0]);
    w->relay.device_dead = false;
    w->idle = false;
    w->cut_by_self = false;
    w->power_on_ns = VTIME_NEVER;
    return 0;
}

static void on_device_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                            const struct trace_field *fields, size_t n)
{
    struct wire *w = ctx;
    if (lane == LANE_BENCH) { /* the device process talks to the bench */
        uint32_t rule = SCENARIO_RULES_MAX;
        uint64_t op = 0;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(fields[i].key, "rule") == 0)
                rule = (uint32_t)fields[i].integer;
            else if (strcmp(fields[i].key, "op") == 0)
                op = (uint64_t)fields[i].integer;
        }
        if (rule >= w->g.s->n_power)
            return;
        if (strcmp(event, "armed") == 0) {
            w->rule_op[rule] = op;
        } else {
            w->cut_by_self = true;
            w->rule_op[rule] = 0;
            w->off_ns = w->g.s->power[rule].off_ns;
            script_hit_power(w->g.script, rule);
        }
        return;
    }
    stage_event(&w->g, now_ns, lane, event, fields, n);
}

static void drain(void *ctx)
{
    struct wire *w = ctx;
    int rc = wire_pipe_drain(&w->pipe, w->g.now_ns, on_device_event, w, &w->err);
    if (rc != 0 && w->rc == 0)
        w->rc = rc;
    w->relay.device_dead = w->pipe.eof;
}

static void schedule_power_on(struct wire *w, int64_t off_ns)
{
    w->power_on_ns = vtime_after(w->g.now_ns, off_ns > 0 ? off_ns : NS_PER_MS);
}

/* The device process is gone: idle, cut, or crashed. */
static void reap(struct wire *w)
{
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    drain(w);
    w->pid = 0;
    wire_pipe_free(&w->pipe);
    relay_device_gone(&w->relay);
    if (w->cut_by_self) {
        schedule_power_on(w, w->off_ns);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        w->idle = true;
    } else if (w->rc == 0) {
        w->rc = WIFSIGNALED(status)
                    ? err_set(&w->err, ERR_BENCH, "the device process died of signal %d (%s)",
                              WTERMSIG(status), strsignal(WTERMSIG(status)))
                    : err_set(&w->err, ERR_BENCH, "the device process exited with code %d",
                              WEXITSTATUS(status));
    }
}

static void kill_device(struct wire *w)
{
    if (w->pid == 0)
        return;
    (void)kill(w->pid, SIGKILL);
    w->cut_by_self = true;
    w->off_ns = NS_PER_MS;
    reap(w);
}

static void cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    struct wire *w = ctx;
    const struct power_rule *p = &w->g.s->power[rule];
    if (w->pid == 0 || device_rule(p))
        return; /* the device does it itself */
    (void)kill(w->pid, SIGKILL);
    w->cut_by_self = true;
    w->off_ns = p->off_ns;
    script_hit_power(w->g.script, rule);
    struct trace_field f[] = {F_INT("op", nor_op_count(w->g.nor)),
                              F_STR("tear", nor_tear_name(TEAR_NOTHING))};
    stage_event(&w->g, now_ns, LANE_POWER, "cut", f, 2);
}

static void cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
    (void)op;
    (void)relative; /* only the device can hit an operation; it watches its own events */
}

static void break_all(void *ctx, unsigned kinds, enum link_action action, int64_t now_ns)
{
    struct wire *w = ctx;
    for (size_t i = 0; i < RELAY_CONNS; i++)
        if (w->relay.conns[i].number != 0 &&
            (kinds & LINK_ONLY(link_kind_of(w->g.link, w->relay.conns[i].number))) != 0)
            link_break(w->g.link, w->relay.conns[i].number, action, now_ns);
}

/* ---- loop ---- */

static int poll_timeout_ms(struct wire *w, int64_t edge_next_ns, bool scripted, int64_t until_ns)
{
    int64_t t = vtime_min(link_deadline(w->g.link), vtime_min(w->power_on_ns, edge_next_ns));
    t = vtime_min(vtime_min(t, until_ns), stage_next(&w->g));
    if (scripted)
        t = vtime_min(t, script_next(w->g.script));
    int64_t left = t - w->g.now_ns;
    if (left <= 0)
        return 0;
    return left > NS_PER_S ? 1000 : (int)(left / NS_PER_MS) + 1;
}

static int run_phase(struct wire *w, int64_t until_ns, bool scripted)
{
    int64_t edge_next = VTIME_NEVER;
    while (w->rc == 0) {
        w->g.now_ns = clock_ns(w);
        if (w->power_on_ns <= w->g.now_ns && w->pid == 0 && spawn_device(w) != 0)
            return ERR_IO;
        if (scripted)
            (void)script_time(w->g.script, w->g.now_ns);
        struct pollfd fds[RELAY_FDS + 2 + BROKER_FDS];
        size_t n = relay_poll_fds(&w->relay, fds);
        if (w->broker != NULL)
            n += broker_poll_fds(w->broker, fds + n);
        fds[n++] = (struct pollfd){.fd = edge_fd(w->g.edge), .events = POLLIN};
        if (w->pid != 0)
            fds[n++] = (struct pollfd){.fd = w->pipe.fd, .events = POLLIN};
        (void)poll(fds, (nfds_t)n, poll_timeout_ms(w, edge_next, scripted, until_ns));
        w->g.now_ns = clock_ns(w);
        if (w->pid != 0)
            drain(w);
        relay_read(&w->relay, drain, w);
        relay_pump(&w->relay);
        edge_next = edge_run(w->g.edge, w->g.now_ns);
        if (w->broker != NULL && w->rc == 0)
            w->rc = broker_run(w->broker, w->g.now_ns, &w->err);
        (void)stage_act(&w->g);
        stage_collect(&w->g);
        relay_doors(&w->relay);
        if (w->pid != 0 && w->pipe.eof)
            reap(w);
        bool over = !scripted || script_next(w->g.script) == VTIME_NEVER;
        if (w->pid == 0 && w->idle && w->power_on_ns == VTIME_NEVER && over)
            return w->rc;
        if (w->g.now_ns >= until_ns)
            return w->rc;
    }
    return w->rc;
}

/* For the names the device knows the cloud by. */
static int make_certificate(struct wire *w, enum sim_tls_certificate asked)
{
    static const enum ca_certificate kinds[SIM_TLS_CERTIFICATE_COUNT] = {
        [SIM_TLS_GOOD] = CA_GOOD,
        [SIM_TLS_UNTRUSTED] = CA_UNTRUSTED,
        [SIM_TLS_WRONG_NAME] = CA_WRONG_NAME,
        [SIM_TLS_EXPIRED] = CA_EXPIRED};
    const char *const names[] = {w->g.s->device.mqtt_host, "ota.example"};
    int rc = ca_ensure(w->dir, kinds[asked], names, 2, &w->files, &w->err);
    if (rc == 0)
        rc = ca_read_pem(w->files.cert_path, w->cert_pem, &w->err);
    if (rc == 0)
        rc = ca_read_pem(w->files.key_path, w->key_pem, &w->err);
    if (rc != 0)
        return rc;
    w->edge_at = (struct edge_address){.cert_pem = w->cert_pem, .key_pem = w->key_pem};
    w->g.edge_at = &w->edge_at;
    return 0;
}

/* A bad certificate is healed with new listeners; the device keeps the CA it was given. */
static int heal_certificate(struct wire *w)
{
    if (!w->g.s->device.tls || w->g.s->certificate == SIM_TLS_GOOD)
        return 0;
    int rc = make_certificate(w, SIM_TLS_GOOD);
    struct edge *edge = rc == 0 ? edge_listen(w->g.cloud, &w->edge_at, &w->err) : NULL;
    if (edge == NULL)
        return ERR_IO;
    edge_free(w->g.edge);
    w->g.edge = edge;
    w->relay.ways[LINK_HTTP].cloud_port = edge_port(edge);
    broker_halt(w->broker, w->g.now_ns);
    return broker_again(w->broker, &w->err);
}

static int heal(struct wire *w, bool *healed)
{
    *healed = false;
    kill_device(w);
    w->heal = true;
    int rc = heal_certificate(w);
    if (rc == 0)
        rc = stage_heal(&w->g, &w->err);
    int64_t until = vtime_after(w->g.now_ns, WIRE_HEAL_NS);
    for (int i = 0; rc == 0 && i < HEAL_STARTS && w->g.now_ns < until && !*healed; i++) {
        kill_device(w);
        char before[DEVICE_TEXT_MAX];
        (void)snprintf(before, sizeof before, "%s", stage_version(&w->g));
        TRACE(w->g.trace, w->g.now_ns, LANE_BENCH, "heal", F_INT("start", i + 1));
        w->power_on_ns = w->g.now_ns;
        w->idle = false;
        rc = run_phase(w, until, false);
        *healed = rc == 0 && stage_healed(&w->g);
        if (rc == 0 && !*healed)
            rc = stage_heal_again(&w->g, before, &w->err);
    }
    kill_device(w);
    return rc;
}

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int make_files(struct wire *w)
{
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/otabench-wire-XXXXXX");
    if (mkdtemp(w->dir) == NULL)
        return err_set(&w->err, ERR_IO, "no temporary directory: %s", strerror(errno));
    (void)snprintf(w->scenario_path, sizeof w->scenario_path, "%s/scenario.json", w->dir);
    (void)snprintf(w->flash_path, sizeof w->flash_path, "%s/flash.bin", w->dir);
    (void)snprintf(w->db_path, sizeof w->db_path, "%s/cloud.db", w->dir);
    struct buf text;
    buf_init(&text, 1u << 20);
    int rc = scenario_write(w->g.s, &text);
    FILE *f = rc == 0 ? fopen(w->scenario_path, "wb") : NULL;
    if (f == NULL || fwrite(text.data, 1, text.len_bytes, f) != text.len_bytes)
        rc = err_set(&w->err, ERR_IO, "%s cannot be written", w->scenario_path);
    if (f != NULL && fclose(f) != 0)
        rc = err_set(&w->err, ERR_IO, "%s cannot be written", w->scenario_path);
    buf_free(&text);
    return rc;
}

static uint16_t mqtt_port_of(const struct wire *w)
{
    if (w->broker == NULL)
        return 0;
    return w->files.ca_path[0] != '\0' ? broker_tls_port(w->broker) : broker_port(w->broker);
}

static int start_broker(struct wire *w)
{
    bool tls = w->files.ca_path[0] != '\0';
    struct broker_config bc = {.cloud = w->g.cloud,
                               .dir = w->dir,
                               .cert_path = tls ? w->files.cert_path : NULL,
                               .key_path = tls ? w->files.key_path : NULL};
    int rc = 0;
    w->broker = broker_start(&bc, &rc, &w->err);
    w->g.mosquitto = w->broker;
    if (w->broker != NULL)
        stage_edge_ready(&w->g);
    return rc;
}

static int set_up(struct wire *w)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &w->start);
    struct build_options bo = {.cache_dir = w->g.o->cache_dir,
                               .firmware_dir = w->g.o->firmware_dir};
    w->g.build = &w->build;
    int rc = build_make(&w->build, w->g.s, &bo, &w->err);
    if (rc == 0)
        rc = make_files(w);
    if (rc != 0)
        return rc;
    w->g.store = store_open(w->db_path, &w->err);
    w->g.nor = nor_open(&w->g.s->device.geometry, w->flash_path, stage_seed(&w->g), &w->err);
    if (w->g.store == NULL || w->g.nor == NULL)
        return ERR_IO;
    struct stage_world sw = {
        .ctx = w, .cut_now = cut_now, .cut_at_op = cut_at_op, .break_all = break_all};
    rc = 0;
    if (w->g.s->device.tls)
        rc = make_certificate(w, w->g.s->certificate);
    if (rc == 0)
        rc = stage_set_up(&w->g, &sw, true, &w->err);
    if (rc == 0 && w->g.s->variant == CLOUD_ALIYUN)
        rc = start_broker(w);
    for (uint32_t i = 0; i < w->g.s->n_power; i++)
        if (w->g.s->power[i].when.kind == TRIGGER_OP)
            w->rule_op[i] = w->g.s->power[i].when.op;
    if (rc == 0)
        rc = relay_open(&w->relay, &w->g, edge_port(w->g.edge), mqtt_port_of(w), &w->err);
    return rc;
}

void wire_run(const struct scenario *s, const struct run_options *o, struct run_result *out)
{
    struct wire *w = calloc(1, sizeof *w);
    if (w == NULL) {
        *out = (struct run_result){.verdict = VERDICT_ERROR, .cause = "no memory"};
        return;
    }
    w->g = (struct stage){.s = s, .o = o};
    w->power_on_ns = 0;
    w->pipe.fd = -1;
    char missed[160] = "";
    bool healed = false;
    stage_begin(&w->g, RUN_WIRE, out);
    int rc = set_up(w);
    if (rc == 0) {
        TRACE(w->g.trace, 0, LANE_BENCH, "scenario", F_STR("name", s->name),
              F_INT("seed", stage_seed(&w->g)));
        script_start(w->g.script, 0);
        rc = run_phase(w, vtime_min(s->limit_ns, WIRE_LIMIT_NS), true);
    }
    if (rc == 0) {
        stage_main_over(&w->g, out, missed, sizeof missed);
        if (!s->expect.config_refused)
            rc = heal(w, &healed);
    }
    if (rc == 0) {
        (void)cloud_tick(w->g.cloud, vtime_after(w->g.now_ns, 3600 * NS_PER_S));
        judge_heal_over(w->g.judge, w->g.now_ns, healed, "the known-good update is not running");
    }
    kill_device(w);
    stage_conclude(&w->g, rc, &w->err, missed, out);
    if (rc == ERR_UNSUPPORTED && w->dir[0] == '\0') /* nothing but the images was tried */
        stage_not_applicable(&w->err, out);
    relay_close(&w->relay);
    wire_pipe_free(&w->pipe);
    broker_stop(w->broker);
    stage_free(&w->g);
    build_free(&w->build);
    nor_free(w->g.nor);
    store_close(w->g.store);
    if (w->dir[0] != '\0')
        (void)nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
}
