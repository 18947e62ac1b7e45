#include "scenarios/engine/judge.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

bool ev_is(const struct ev *e, enum lane lane, const char *name)
{
    return e->lane == lane && strcmp(e->name, name) == 0;
}

static const struct trace_field *ev_field(const struct ev *e, const char *key)
{
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->fields[i].key, key) == 0)
            return &e->fields[i];
    return NULL;
}

int64_t ev_int(const struct ev *e, const char *key, int64_t absent)
{
    const struct trace_field *f = ev_field(e, key);
    return f == NULL || f->text != NULL ? absent : f->integer;
}

const char *ev_text(const struct ev *e, const char *key)
{
    const struct trace_field *f = ev_field(e, key);
    return f == NULL || f->text == NULL ? "" : f->text;
}

struct judge *judge_new(const struct judge_setup *setup)
{
    struct judge *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->setup = *setup;
    j->slots.on = setup->scenario->device.agent != AGENT_CMIOT;
    j->last_request = -1;
    j->heap_base_used = -1;
    j->limited_ns = -1;
    j->offer_fault = j->announced_fault = CF_KIND_COUNT;
    for (uint32_t i = 0; i < setup->scenario->n_flash; i++)
        j->silent_faults = j->silent_faults || setup->scenario->flash[i].kind == NOR_IO_CORRUPT;
    return j;
}

void judge_free(struct judge *j)
{
    free(j);
}

int judge_add_package(struct judge *j, const struct judge_package *p)
{
    if (j->n_packages >= JUDGE_PACKAGES_MAX)
        return ERR_LIMIT;
    j->packages[j->n_packages++] = *p;
    return 0;
}

static struct check_state *check(struct judge *j, const char *id)
{
    const struct requirement *r;
    for (size_t i = 0; (r = requirement_at(i)) != NULL; i++)
        /* Called for every flash operation: most rows differ in the last digit already. */
        if (r->id[5] == id[5] && strcmp(r->id, id) == 0) {
            assert(i < CHECKS_MAX);
            return &j->checks[i];
        }
    assert(false && "requirement missing from the catalogue");
    return &j->checks[0];
}

void judge_seen(struct judge *j, const char *id)
{
    check(j, id)->seen = true;
}

void judge_fail(struct judge *j, const char *id, const char *fmt, ...)
{
    struct check_state *c = check(j, id);
    if (c->failed)
        return; /* the first violation explains; later ones follow from it */
    c->seen = c->failed = true;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c->detail, sizeof c->detail, fmt, ap);
    va_end(ap);
}

bool judge_flash_holds(const struct judge *j, uint64_t from, uint64_t len_bytes)
{
    /* A package too large for the area may also be too large for what is left of the chip. */
    const uint32_t area = j->setup.update_address(j->setup.ctx);
    uint32_t room = j->setup.scenario->device.geometry.size_bytes - area;
    if (from + len_bytes > room || from + len_bytes > j->package->len_bytes)
        return false;
    if (j->setup.look != NULL)
        j->setup.look(j->setup.ctx, area + (uint32_t)from, (uint32_t)len_bytes);
    const uint8_t *flash = j->setup.flash(j->setup.ctx) + area;
    return memcmp(flash + from, j->package->bytes + from, (size_t)len_bytes) == 0;
}

bool judge_package_intact(const struct judge *j)
{
    return j->package != NULL && judge_flash_holds(j, 0, j->package->len_bytes);
}

const char *judge_version_name(const struct judge *j, uint32_t index)
{
    return index < j->setup.scenario->n_versions ? j->setup.scenario->versions[index].version
                                                 : "heal";
}

void judge_network(struct judge *j, int64_t now_ns, enum net_action action,
                   enum link_action byte_action)
{
    (void)now_ns;
    j->net_any = true;
    j->net_seen[action] = true;
    j->outages += action == NET_OUTAGE;
    if (action == NET_BYTE) {
        j->byte_seen[byte_action] = true;
        if (byte_action == LINK_CORRUPT)
            j->dirty = true;
        if (byte_action == LINK_DRIBBLE)
            judge_client_dribble(j);
    }
    if (j->phase == PHASE_DOWNLOAD && action != NET_PROFILE)
        j->breaks++;
}

bool judge_is_seen(const struct judge *j, const char *id)
{
    return check((struct judge *)(uintptr_t)j, id)->seen;
}

static void slots_event(struct judge *j, const struct ev *e)
{
    judge_talk_event(j, e);
    judge_client_event(j, e);
    switch (e->lane) {
    case LANE_CLOUD:
        if (ev_is(e, LANE_CLOUD, "fault"))
            judge_fault_event(j, e);
        judge_fetch_cloud_event(j, e);
        break;
    case LANE_DEVICE:
        judge_fetch_device_event(j, e);
        judge_slots_device_event(j, e);
        break;
    case LANE_BOOT:
        judge_slots_boot_event(j, e);
        break;
    case LANE_FLASH:
        judge_slots_flash_event(j, e);
        break;
    case LANE_POWER:
        if (ev_is(e, LANE_POWER, "cut"))
            judge_slots_power_event(j, e);
        break;
    case LANE_NETWORK:
    case LANE_BENCH:
        break;
    }
}

void judge_event(struct judge *j, int64_t now_ns, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n)
{
    struct ev e = {.now_ns = now_ns, .lane = lane, .name = event, .fields = fields, .n = n};
    if (j->slots.on) {
        slots_event(j, &e);
        j->active_ns = now_ns;
        return;
    }
    switch (lane) {
    case LANE_CLOUD:
        judge_cloud_event(j, &e);
        judge_report_event(j, &e);
        break;
    case LANE_DEVICE:
        judge_download_event(j, &e);
        judge_api_event(j, &e);
        break;
    case LANE_BOOT:
        judge_boot_event(j, &e);
        break;
    case LANE_FLASH:
        judge_flash_event(j, &e);
        break;
    case LANE_POWER:
        judge_power_event(j, &e);
        break;
    case LANE_NETWORK:
        j->connected = j->connected || strcmp(event, "connect") == 0;
        break;
    case LANE_BENCH:
        break;
    }
    j->active_ns = now_ns;
}

void judge_main_over(struct judge *j, int64_t now_ns)
{
    (void)snprintf(j->main_version, sizeof j->main_version, "%s", j->setup.version(j->setup.ctx));
    if (j->slots.on) {
        judge_slots_main_over(j);
        judge_talk_main_over(j, now_ns);
        judge_client_main_over(j);
    }
    j->main_over = true;
}

void judge_heal_over(struct judge *j, int64_t now_ns, bool healed, const char *why)
{
    judge_finish(j, now_ns, healed, why);
}

static bool expected_to_fail(const struct expectation *x, const char *id)
{
    for (uint32_t i = 0; i < x->n_fails; i++)
        if (strcmp(x->fails[i], id) == 0)
            return true;
    return false;
}

void judge_results(const struct judge *j, struct run_result *r)
{
    const struct expectation *x = &j->setup.scenario->expect;
    const struct requirement *q;
    bool failed = false;
    bool any = false, as_labelled = false;
    for (size_t i = 0; (q = requirement_at(i)) != NULL; i++) {
        const struct check_state *c = &j->checks[i];
        bool wanted = expected_to_fail(x, q->id);
        if (wanted && j->setup.by_token && !c->failed)
            wanted = false;
        if ((!c->seen && !wanted) || r->n_checks >= RESULT_CHECKS_MAX)
            continue;
        struct check_result *out = &r->checks[r->n_checks++];
        (void)snprintf(out->id, sizeof out->id, "%s", q->id);
        (void)snprintf(out->detail, sizeof out->detail, "%s", c->detail);
        if (wanted)
            out->verdict = c->failed ? VERDICT_EXPECTED_FAIL : VERDICT_UNEXPECTED_PASS;
        else
            out->verdict = c->failed ? VERDICT_FAIL : VERDICT_PASS;
        if (out->verdict == VERDICT_UNEXPECTED_PASS && out->detail[0] == '\0')
            (void)snprintf(out->detail, sizeof out->detail,
                           "declared to fail, but the bench found nothing wrong");
        failed = failed || out->verdict == VERDICT_FAIL || out->verdict == VERDICT_UNEXPECTED_PASS;
        as_labelled = as_labelled || out->verdict == VERDICT_EXPECTED_FAIL;
        any = true;
    }
    if (failed)
        r->verdict = VERDICT_FAIL;
    else if (!any)
        r->verdict = VERDICT_NOT_APPLICABLE;
    else
        r->verdict = as_labelled ? VERDICT_EXPECTED_FAIL : VERDICT_PASS;
    r->boots = j->boots;
    r->cuts = j->cuts;
    r->agent_peak_bytes = j->heap_peak_agent;
    r->boot_peak_bytes = j->heap_peak_boot;
}
