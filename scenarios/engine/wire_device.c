#include "scenarios/engine/wire_device.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mock_cloud/tls/ca.h"
#include "scenarios/engine/build.h"
#include "scenarios/engine/script.h"
#include "scenarios/engine/stage.h"
#include "sim_device/board/posix_board.h"

struct wire_device {
    const struct wire_device_options *o;
    struct scenario s;
    char ca_pem[CA_PEM_MAX];
    struct build build;
    struct nor *nor;
    struct trace *trace;
    struct script *script;
    struct posix_board *board;
    struct wire_device_rule waiting[SCENARIO_RULES_MAX]; /* cuts armed for an operation */
    uint32_t n_waiting;
};

static void on_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    const struct wire_device *d = ctx;
    (void)t_ns;
    (void)lane;
    char out[4200];
    if (len_bytes + 1 > sizeof out)
        return;
    memcpy(out, line, len_bytes);
    out[len_bytes] = '\n';
    /* One write per line: whole lines reach the bench even if the process dies right after. */
    ssize_t n = write(d->o->event_fd, out, len_bytes + 1);
    (void)n; /* the bench is gone: the device will be too */
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct wire_device *d = ctx;
    trace_emit(d->trace, now_ns, lane, event, fields, n);
    script_event(d->script, now_ns, lane, event, fields, n);
}

static void arm_next(struct wire_device *d)
{
    const struct wire_device_rule *first = NULL;
    for (uint32_t i = 0; i < d->n_waiting; i++)
        if (d->waiting[i].op > nor_op_count(d->nor) &&
            (first == NULL || d->waiting[i].op < first->op))
            first = &d->waiting[i];
    if (first == NULL)
        return;
    const struct power_rule *p = &d->s.power[first->rule];
    nor_arm_cut(d->nor, first->op, p->tear, p->tear_bytes);
}

static void cut_at_op(void *ctx, int64_t now_ns, uint32_t rule, uint64_t op, bool relative)
{
    struct wire_device *d = ctx;
    (void)now_ns;
    if (d->n_waiting < SCENARIO_RULES_MAX)
        d->waiting[d->n_waiting++] = (struct wire_device_rule){
            .rule = rule, .fired = true, .op = op + (relative ? nor_op_count(d->nor) : 0)};
    TRACE(d->trace, 0, LANE_BENCH, "armed", F_INT("rule", rule),
          F_INT("op", d->waiting[d->n_waiting - 1].op));
    arm_next(d);
}

static void die(struct wire_device *d, uint32_t rule)
{
    TRACE(d->trace, 0, LANE_BENCH, "rule", F_INT("rule", rule));
    (void)raise(SIGKILL);
}

static void cut_now(void *ctx, int64_t now_ns, uint32_t rule)
{
    struct wire_device *d = ctx;
    TRACE(d->trace, now_ns, LANE_POWER, "cut", F_INT("op", nor_op_count(d->nor)),
          F_STR("tear", nor_tear_name(d->s.power[rule].tear)));
    die(d, rule);
}

static void power_lost(void *ctx)
{
    struct wire_device *d = ctx;
    uint32_t rule = SCENARIO_RULES_MAX;
    for (uint32_t i = 0; i < d->n_waiting; i++)
        if (d->waiting[i].op == nor_op_count(d->nor))
            rule = d->waiting[i].rule;
    die(d, rule);
}

static void ignore_net(void *ctx, int64_t now_ns, const struct net_rule *r, bool begin)
{
    (void)ctx;
    (void)now_ns;
    (void)r;
    (void)begin;
}

static void ignore_byte(void *ctx, int64_t now_ns, uint32_t rule, const struct net_rule *r)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
    (void)r;
}

static void ignore_publish(void *ctx, int64_t now_ns, uint32_t offer)
{
    (void)ctx;
    (void)now_ns;
    (void)offer;
}

static void ignore_push(void *ctx, int64_t now_ns, uint32_t rule)
{
    (void)ctx;
    (void)now_ns;
    (void)rule;
}

static const char *version_now(void *ctx)
{
    struct wire_device *d = ctx;
    int v = build_version_of(&d->build, &d->s, nor_peek(d->nor));
    if (v < 0)
        return "?";
    return (uint32_t)v < d->s.n_versions ? d->s.versions[v].version : BUILD_HEAL_VERSION;
}

/* Rules that earlier starts already counted or armed. */
static void restore_rules(struct wire_device *d)
{
    const struct wire_device_options *o = d->o;
    if (o->heal) {
        script_stop(d->script);
        return;
    }
    for (uint32_t i = 0; i < o->n_rules; i++) {
        script_resume_power(d->script, o->rules[i].rule, o->rules[i].seen, o->rules[i].fired);
        if (o->rules[i].op > 0 && d->n_waiting < SCENARIO_RULES_MAX)
            d->waiting[d->n_waiting++] = o->rules[i];
    }
    arm_next(d);
}

static int set_up(struct wire_device *d, struct err *err)
{
    const struct wire_device_options *o = d->o;
    int rc = scenario_load(&d->s, o->scenario_path, err);
    if (rc != 0)
        return rc;
    if (o->heal)
        stage_heal_device(&d->s.device);
    if (o->ca_path != NULL) {
        rc = ca_read_pem(o->ca_path, d->ca_pem, err);
        d->s.device.ca_pem = d->ca_pem;
    }
    if (rc != 0)
        return rc;
    struct build_options bo = {.cache_dir = o->cache_dir};
    rc = build_make(&d->build, &d->s, &bo, err);
    if (rc == 0)
        rc = build_heal(&d->build, &d->s, &bo, "", err);
    if (rc != 0)
        return rc;
    d->nor = nor_open(&d->s.device.geometry, o->flash_path, o->seed, err);
    if (d->nor == NULL)
        return ERR_IO;
    for (uint32_t i = 0; i < d->s.n_flash && !o->heal; i++)
        (void)nor_inject(d->nor, d->s.flash[i].kind, d->s.flash[i].addr, d->s.flash[i].len_bytes,
                         d->s.flash[i].count);
    struct trace_sink sink = {.line = on_line, .ctx = d};
    d->trace = trace_new(&sink);
    struct script_ops ops = {.ctx = d,
                             .net = ignore_net,
                             .byte = ignore_byte,
                             .cut_now = cut_now,
                             .cut_at_op = cut_at_op,
                             .publish = ignore_publish,
                             .push = ignore_push};
    d->script = script_new(&d->s, &ops);
    if (d->trace == NULL || d->script == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the device process");
    struct posix_board_config bc = {.nor = d->nor,
                                    .partitions = &d->s.device.partitions,
                                    .ram_limit_bytes = d->s.device.ram_bytes,
                                    .connect_timeout_ns =
                                        (int64_t)d->s.device.try_time_ms * NS_PER_MS,
                                    .utc_start_s = 1767225600,
                                    .now_offset_ns = o->now_offset_ns,
                                    .seed = o->seed,
                                    .relay_ip = 0x7f000001,
                                    .relay_port = o->relay_port,
                                    .event = on_event,
                                    .event_ctx = d,
                                    .power_lost = power_lost,
                                    .power_lost_ctx = d};
    if (o->relay_mqtt_port != 0)
        bc.relays[bc.n_relays++] =
            (struct posix_relay){.port = d->s.device.mqtt_port, .relay_port = o->relay_mqtt_port};
    d->board = posix_board_new(&bc, err);
    return d->board == NULL ? ERR_IO : 0;
}

int wire_rule_parse(const char *text, struct wire_device_rule *out)
{
    unsigned fired = 0;
    char extra;
    if (sscanf(text, "%" SCNu32 ":%" SCNu32 ":%u:%" SCNu64 "%c", &out->rule, &out->seen, &fired,
               &out->op, &extra) != 4 ||
        out->rule >= SCENARIO_RULES_MAX || fired > 1)
        return ERR_FORMAT;
    out->fired = fired == 1;
    return 0;
}

int wire_device_run(const struct wire_device_options *o, struct err *err)
{
    struct wire_device *d = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the device process");
    d->o = o;
    int rc = set_up(d, err);
    if (rc == 0) {
        restore_rules(d);
        struct device_setup setup = {.config = &d->s.device,
                                     .board = posix_board_board(d->board),
                                     .version_of_flash = version_now,
                                     .version_ctx = d};
        while (posix_board_run(d->board, device_main, &setup) == POSIX_RESET)
            ;
    }
    posix_board_free(d->board);
    script_free(d->script);
    trace_free(d->trace);
    build_free(&d->build);
    nor_free(d->nor);
    free(d);
    return rc;
}
