#include "scenarios/engine/stage_memory.h"

#include <string.h>

#include "mock_cloud/mqtt/bus.h"
#include "scenarios/engine/stage_internal.h"

const char *stage_forgets(const struct scenario *s)
{
    for (uint32_t i = 0; i < s->n_flash; i++)
        if (s->flash[i].kind == NOR_IO_CORRUPT)
            return "its wrong bits of the flash: which ones they are is not part of a state";
    return script_forgets(s);
}

bool stage_has_faults(const struct scenario *s)
{
    return s->n_net > 0 || s->n_pushes > 0 || s->n_flash > 0 || script_offers_late(s);
}

int stage_lay_ready(struct stage *g, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < g->s->n_pushes; i++)
        if (g->s->pushes[i].kind == PUSH_CONFIG)
            rc = aliyun_stage_keep_config(g, err);
    for (uint32_t i = 0; rc == 0 && i < g->s->n_offers; i++) {
        const struct build_package *p = &g->build->offers[i];
        if (g->s->offers[i].on_event[0] == '\0')
            continue;
        rc = store_put_package(g->store, &p->row, p->bytes.data, err);
        if (rc == 0)
            rc = store_withdraw_package(g->store, p->row.delta_id, err);
    }
    return rc;
}

/* ---- flash faults ---- */

static int put_flash(const struct nor *n, struct buf *out)
{
    enum nor_io kind;
    uint32_t addr, len_bytes;
    int count, rc = 0;
    size_t i = 0;
    while (nor_injection_at(n, i, &kind, &addr, &len_bytes, &count))
        i++;
    rc = buf_put_int(out, (int64_t)i);
    for (i = 0; rc == 0 && nor_injection_at(n, i, &kind, &addr, &len_bytes, &count); i++) {
        const int64_t words[] = {kind, addr, len_bytes, count};
        for (size_t k = 0; rc == 0 && k < sizeof words / sizeof words[0]; k++)
            rc = buf_put_int(out, words[k]);
    }
    return rc;
}

static void take_flash(struct nor *n, struct cursor *c)
{
    nor_clear_faults(n);
    for (int64_t left = cursor_int(c, 0, SCENARIO_RULES_MAX); !c->bad && left > 0; left--) {
        enum nor_io kind = (enum nor_io)cursor_int(c, NOR_IO_READ, NOR_IO_ERASE);
        uint32_t addr = (uint32_t)cursor_int(c, 0, UINT32_MAX);
        uint32_t len_bytes = (uint32_t)cursor_int(c, 1, UINT32_MAX);
        int count = (int)cursor_int(c, INT32_MIN, INT32_MAX);
        c->bad = c->bad || nor_inject(n, kind, addr, len_bytes, count) != 0;
    }
}

/* ---- all of it ---- */

/* A rule at a byte may have happened and not have been told yet. */
static void look_at_rules(struct stage *g)
{
    const struct link_byte_rule *b;
    for (uint32_t i = 0; i < g->n_link_rules && (b = link_rule_at(g->link, i)) != NULL; i++)
        if (b->done)
            script_hit_net(g->script, g->link_rule_of[i]);
}

int stage_remember(struct stage *g, enum script_power power, struct buf *out, struct err *err)
{
    struct script_memory m;
    if (!stage_has_faults(g->s))
        return 0;
    look_at_rules(g);
    script_remember(g->script, g->now_ns, power, link_connections(g->link),
                    pushes_all_due(g->pushes), &m);
    int rc = script_memory_put(g->s, &m, out);
    if (rc == 0)
        rc = put_flash(g->nor, out);
    if (rc == 0)
        rc = pushes_remember(g, &m, out, err);
    return rc;
}

bool stage_tell_cut(const struct stage *g, struct judge *j)
{
    bool any = false;
    for (uint32_t i = 0; i < g->s->n_net; i++) {
        const struct net_rule *r = &g->s->net[i];
        if (!script_cut_sets_off(g->script, i))
            continue;
        if (r->scope != NET_ON_HTTP && r->action != NET_PROFILE)
            judge_mqtt_fault(j, g->now_ns, vtime_after(g->now_ns, r->duration_ns));
        judge_network(j, g->now_ns, r->action, r->byte_action);
        any = true;
    }
    return any;
}

int stage_recall(struct stage *g, const void *memory, size_t len_bytes, struct err *err)
{
    struct script_memory m;
    struct cursor c = cursor_over(memory, len_bytes);
    bool stop = false;
    if (!stage_has_faults(g->s))
        return len_bytes == 0 ? 0 : err_set(err, ERR_FORMAT, "stage: no memory of its faults");
    script_memory_get(g->s, &c, &m);
    take_flash(g->nor, &c);
    int rc = c.bad ? 0 : pushes_recall(g, &c, err);
    if (rc != 0 && rc != ERR_FORMAT)
        return rc;
    if (rc != 0 || !cursor_done(&c))
        return err_set(err, ERR_FORMAT, "stage: no memory of its faults");
    g->n_link_rules = 0;
    memset(g->rule_reported, 0, sizeof g->rule_reported);
    g->broker = BROKER_STAYS;
    link_count_from(g->link, m.connections);
    script_recall(g->script, g->now_ns, &m, &stop);
    if (g->bus != NULL && stop)
        bus_stop(g->bus, g->now_ns, true);
    if (g->bus != NULL)
        bus_start(g->bus);
    return 0;
}

int stage_memory_over(const struct scenario *s, const void *memory, size_t len_bytes,
                      struct buf *out)
{
    struct script_memory m;
    struct cursor c = cursor_over(memory, len_bytes);
    if (s->n_net == 0)
        return ERR_NOT_FOUND;
    script_memory_get(s, &c, &m);
    if (c.bad || !script_memory_over(s, &m))
        return ERR_NOT_FOUND;
    int rc = script_memory_put(s, &m, out);
    return rc == 0 ? buf_append(out, c.at, (size_t)(c.end - c.at)) : rc;
}
