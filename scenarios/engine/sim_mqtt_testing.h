/* A device on the simulated board that speaks MQTT with the cloud through a link, for its tests. */
#ifndef OTABENCH_ENGINE_SIM_MQTT_TESTING_H
#define OTABENCH_ENGINE_SIM_MQTT_TESTING_H

#include "mock_cloud/mqtt/mqtt_testing.h"
#include "scenarios/engine/sim_net.h"

struct bench {
    struct scenario s;
    struct run_options o;
    struct stage g;
    struct sim_net_bridge bridge;
    struct nor *nor;
    struct partition_table partitions;
    struct sim_board *board;
    struct board *b;
    const struct board_mqtt_ops *mqtt;
    char log[4096];
    int client;
    bool over; /* the device's main has come to its end */
};

static inline void note(struct bench *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline void note(struct bench *x, const char *fmt, ...)
{
    size_t at = strlen(x->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(x->log + at, sizeof x->log - at, fmt, ap);
    va_end(ap);
}

static inline const uint8_t *no_flash(void *ctx)
{
    (void)ctx;
    return NULL;
}

static inline const char *no_version(void *ctx)
{
    (void)ctx;
    return "?";
}

static inline uint32_t no_change(void *ctx)
{
    (void)ctx;
    return UINT32_MAX;
}

static inline void ignore_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                                const struct trace_field *fields, size_t n)
{
    (void)ctx, (void)now_ns, (void)lane, (void)event, (void)fields, (void)n;
}

/* A network of 50 ms each way without a limit of rate. */
static const struct link_profile profile = {
    .name = "test", .one_way_ns = 50 * NS_PER_MS, .segment_bytes = 512};

static inline void open_bench(struct bench *x)
{
    struct err err = {.text = ""};
    *x = (struct bench){.client = -1};
    struct stage *g = &x->g;
    g->s = &x->s;
    g->o = &x->o;
    g->cloud = test_cloud(&g->store);
    g->edge = edge_new(g->cloud, false, &err);
    g->link = link_new(&profile, 1);
    struct judge_setup js = {.scenario = &x->s,
                             .flash = no_flash,
                             .version = no_version,
                             .foreign_change = no_change,
                             .ctx = x};
    g->judge = judge_new(&js);
    g->script = script_new(&x->s, &(struct script_ops){.ctx = x});
    g->trace = trace_new(NULL);
    struct nor_geometry geo = *nor_geometry_find("spi4k");
    x->nor = nor_new(&geo, 1, &err);
    REQUIRE(g->edge != NULL && g->link != NULL && g->judge != NULL && g->script != NULL);
    REQUIRE_OK(bridge_init(&x->bridge, g, &err), &err);
    struct sim_board_config bc = {.nor = x->nor,
                                  .partitions = &x->partitions,
                                  .connect_timeout_ns = 5 * NS_PER_S,
                                  .utc_start_s = 1767225600,
                                  .seed = 1,
                                  .event = ignore_event,
                                  .event_ctx = x};
    bridge_net(&x->bridge, &bc.net);
    x->board = sim_board_new(&bc, &err);
    REQUIRE(x->board != NULL);
    x->bridge.board = x->board;
    x->b = sim_board_board(x->board);
    x->mqtt = x->b->mqtt;
}

static inline void close_bench(struct bench *x)
{
    sim_board_free(x->board);
    bridge_close_all(&x->bridge);
    struct store *store = x->g.store;
    stage_free(&x->g);
    store_close(store);
    nor_free(x->nor);
}

static inline void power(struct bench *x, void (*entry)(void *))
{
    x->over = false;
    if (!nor_is_on(x->nor))
        nor_power_on(x->nor);
    CHECK_INT(sim_board_power_on(x->board, x->g.now_ns, entry, x), 0);
}

/* World's loop until that time. */
static inline void run_to(struct bench *x, int64_t until_ns)
{
    for (int step = 0; step < 100000; step++) {
        int64_t next = VTIME_NEVER;
        enum sim_state st = sim_board_run(x->board, x->g.now_ns, &next);
        if (st == SIM_RESET || st == SIM_IDLE)
            bridge_device_gone(&x->bridge);
        if (bridge_pump(&x->bridge))
            continue;
        next = vtime_min(next, bridge_next(&x->bridge));
        if (next > until_ns) {
            x->g.now_ns = until_ns;
            return;
        }
        if (next > x->g.now_ns)
            x->g.now_ns = next;
    }
    CHECK_STR("the device spins", "");
}

static inline long long now_ms(struct bench *x)
{
    return (long long)(x->b->ops->now_ns(x->b) / NS_PER_MS);
}

static const struct board_mqtt_config good = {.host = "mqtt.example",
                                              .port = NET_MQTT_PORT,
                                              .client_id = "c",
                                              .user_name = "dev",
                                              .password = "secret",
                                              .keep_alive_s = 60,
                                              .clean_session = true};

static inline int connect_with(struct bench *x, const struct board_mqtt_config *c)
{
    uint8_t code = 9;
    bool present = false;
    x->client = x->mqtt->open(x->b, c, 10 * NS_PER_S, &code, &present);
    note(x, "open=%d/%u%s@%lld ", x->client, code, present ? "p" : "", now_ms(x));
    return x->client;
}

#endif
