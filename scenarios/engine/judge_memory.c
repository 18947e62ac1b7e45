#include "scenarios/engine/judge_memory.h"

#include <stddef.h>
#include <string.h>

#include "common/vtime.h"
#include "scenarios/engine/judge_internal.h"

_Static_assert(sizeof(struct judge_memory) % 8 == 0, "pools keep whole words");

bool judge_as_strict(const struct judge_severity *a, const struct judge_severity *than)
{
    return a->served_bytes >= than->served_bytes && a->weak_cut <= than->weak_cut &&
           a->stored_segments >= than->stored_segments && a->lost <= than->lost;
}

/* Plain facts, kept as they are. */
enum { FLAG_VERIFIED = 6, FLAG_PENDING, FLAG_RESTORE_ALLOWED = 9, FLAG_NET_ANY = 12 };

static bool *const_flag(struct judge *j, size_t i)
{
    bool *flags[] = {&j->code_seen,
                     &j->cut_since_range,
                     &j->oversize_taken,
                     &j->dirty,
                     &j->clean_start_due,
                     &j->replaced,
                     [FLAG_VERIFIED] = &j->verified,
                     [FLAG_PENDING] = &j->pending,
                     &j->proven,
                     [FLAG_RESTORE_ALLOWED] = &j->restore_allowed,
                     &j->report_owed,
                     &j->report_accepted,
                     [FLAG_NET_ANY] = &j->net_any,
                     &j->config_refused,
                     &j->bricked};
    return i < sizeof flags / sizeof flags[0] ? flags[i] : NULL;
}

static uint32_t at_most(uint64_t v, uint32_t max)
{
    return v < max ? (uint32_t)v : max;
}

/* Segments a break may cost, as the bound of DWN-19 counts them. */
static uint64_t break_bytes(const struct judge *j)
{
    uint64_t unit = j->setup.segment_bytes;
    if (j->setup.scenario->device.geometry.policy != NOR_REWRITE)
        unit += j->setup.scenario->device.geometry.erase_bytes;
    return 3 * unit;
}

static uint32_t served_unforgiven(const struct judge *j)
{
    uint64_t size = j->package == NULL ? 0 : j->package->len_bytes;
    uint64_t forgiven = size * j->restarts + (j->breaks > 1 ? j->breaks - 1 : 0) * break_bytes(j);
    return at_most(j->served_bytes > forgiven ? j->served_bytes - forgiven : 0, UINT32_MAX);
}

void judge_forgive(struct judge *j)
{
    j->served_bytes = served_unforgiven(j);
    j->breaks = at_most(j->breaks, 1);
    j->restarts = 0;
}

void judge_remember(const struct judge *j, int64_t now_ns, struct judge_memory *out)
{
    memset(out, 0, sizeof *out);
    out->due_result = j->due_result;
    out->boot_result = j->boot_result;
    bool apart = j->dirty || j->clean_start_due || j->replaced || j->stored_segments == 0;
    out->severity = (struct judge_severity){.served_bytes = served_unforgiven(j),
                                            .weak_cut = j->weak_cut,
                                            .stored_segments = apart ? 0 : j->stored_segments,
                                            .lost = j->net_any && !j->slots.on};
    out->stored_apart = apart ? 1 + j->stored_segments : 0;
    out->code = j->code_seen ? j->code : 0;
    out->code_on = j->code_seen ? j->code_on : 0;
    out->last_request = j->last_request;
    /* Replies with data are as good as none: a segment is stored from one that came after. */
    bool data = j->last_download_http == 200 || j->last_download_http == 206;
    out->last_download_http = data ? 0 : j->last_download_http;
    out->boots_since_cut = j->boots_since_cut;
    out->run_of_same = j->run_of_same;
    out->limited = j->limited_ns >= 0;
    for (int k = 0; k < RQ_COUNT; k++)
        out->pause_ns[k] = j->pause_until_ns[k] > now_ns ? j->pause_until_ns[k] - now_ns : 0;
    /* A start comes next, and to that only a restore is not like all else. */
    out->phase = (uint8_t)(j->phase == PHASE_RESTORE ? PHASE_RESTORE : PHASE_BOOT);
    out->offer_fault = (uint8_t)j->offer_fault;
    out->announced_fault = (uint8_t)j->announced_fault;
    out->package = j->package == NULL ? 0 : (uint8_t)(1 + (j->package - j->packages));
    out->cuts = (uint8_t)at_most(j->cuts, 1);
    out->breaks = (uint8_t)at_most(j->breaks, 1);
    out->restored_count = (uint8_t)j->restored_count;
    out->faults_on_download = (uint8_t)at_most(j->faults_on_download, 1);
    out->sent_download_status = (uint8_t)j->sent_download_status;
    out->sent_upgrade_status = (uint8_t)j->sent_upgrade_status;
    out->due_download_status = (uint8_t)j->due_download_status;
    const bool *flag;
    for (size_t i = 0; (flag = const_flag((struct judge *)j, i)) != NULL; i++)
        out->flags[i] = *flag;
    if (!j->slots.on)
        out->flags[FLAG_NET_ANY] = 0; /* in severity */
    for (size_t i = 0; i < JUDGE_PACKAGES_MAX; i++) {
        out->record_open[i] = j->record_open[i];
        out->was_proven[i] = j->was_proven[i];
    }
    for (int k = 0; k < CF_KIND_COUNT; k++)
        out->faults_hit[k] = j->faults_hit[k] > 0;
    for (int k = 0; k < NET_ACTION_COUNT; k++)
        out->net_seen[k] = j->net_seen[k];
    for (int k = 0; k < LINK_ACTION_COUNT; k++)
        out->byte_seen[k] = j->byte_seen[k];
    /* That these were is asked for only to know what was exercised, and all counts as that. */
    out->net_seen[NET_BYTE] = out->net_seen[NET_PROFILE] = 0;
    out->byte_seen[LINK_RESET] = out->byte_seen[LINK_CLOSE] = out->byte_seen[LINK_HALF] = 0;
    memcpy(out->version, j->version, strnlen(j->version, sizeof out->version));
    for (uint32_t i = 0; i < j->restored_count; i++)
        memcpy(out->restored_to[i], j->restored_to[i],
               strnlen(j->restored_to[i], sizeof out->restored_to[i]));
    if (!j->slots.on)
        return;
    /* A start begins these anew, and nobody asks before. */
    out->flags[FLAG_VERIFIED] = out->flags[FLAG_PENDING] = out->flags[FLAG_RESTORE_ALLOWED] = 0;
    judge_remember_slots(j, out);
}

/* The judge without its verdicts, which are most of it. */
static void copy_memory(struct judge *to, const struct judge *from)
{
    size_t head = offsetof(struct judge, checks), tail = head + sizeof from->checks;
    memcpy(to, from, head);
    memcpy((uint8_t *)to + tail, (const uint8_t *)from + tail, sizeof *from - tail);
}

void judge_remember_cut(const struct judge *j, int64_t now_ns, struct judge *scratch,
                        struct judge_memory *out)
{
    copy_memory(scratch, j);
    if (j->package != NULL)
        scratch->package = scratch->packages + (j->package - j->packages);
    const struct trace_field field = F_STR("tear", nor_tear_name(TEAR_NOTHING));
    judge_event(scratch, now_ns, LANE_POWER, "cut", &field, 1);
    judge_remember(scratch, now_ns, out);
    judge_remember_off(j, out);
}

void judge_remember_off(const struct judge *j, struct judge_memory *m)
{
    /* The pauses that a server asks two-slot devices for are over before power is back. */
    if (j->slots.on)
        memset(m->pause_ns, 0, sizeof m->pause_ns);
}

void judge_recall(struct judge *j, const struct judge_memory *m, int64_t now_ns)
{
    struct judge_setup setup = j->setup;
    struct judge_package packages[JUDGE_PACKAGES_MAX];
    size_t n_packages = j->n_packages;
    bool silent_faults = j->silent_faults, slots = j->slots.on;
    memcpy(packages, j->packages, sizeof packages);
    memset(j, 0, sizeof *j);
    j->setup = setup;
    memcpy(j->packages, packages, sizeof packages);
    j->n_packages = n_packages;
    j->silent_faults = silent_faults;
    for (int i = 0; i < CHECKS_MAX; i++)
        j->checks[i].seen = true;
    j->heap_base_used = -1;
    j->limited_ns = m->limited != 0 ? now_ns : -1;
    for (int k = 0; k < RQ_COUNT; k++)
        j->pause_until_ns[k] = m->pause_ns[k] > 0 ? vtime_after(now_ns, m->pause_ns[k]) : 0;
    j->active_ns = j->last_progress_ns = now_ns;
    j->due_result = m->due_result;
    j->boot_result = m->boot_result;
    j->served_bytes = m->severity.served_bytes;
    j->weak_cut = m->severity.weak_cut != 0;
    /* The start that comes sets it where something is stored and not complete; elsewhere it can
     * only take back leniency. */
    j->resume_expected = true;
    j->code = m->code;
    j->code_on = m->code_on;
    j->last_request = m->last_request;
    j->last_download_http = m->last_download_http;
    j->stored_segments = m->stored_apart > 0 ? m->stored_apart - 1 : m->severity.stored_segments;
    j->boots_since_cut = m->boots_since_cut;
    j->boots_in_row = 0; /* who goes from state to state sees for himself that one comes again */
    j->run_of_same = m->run_of_same;
    j->outages = m->outages;
    j->phase = (enum phase)m->phase;
    j->offer_fault = (enum cloud_fault_kind)m->offer_fault;
    j->announced_fault = (enum cloud_fault_kind)m->announced_fault;
    j->package = m->package == 0 ? NULL : &j->packages[m->package - 1];
    j->cuts = m->cuts;
    j->breaks = m->breaks;
    j->restored_count = m->restored_count;
    j->faults_on_download = m->faults_on_download;
    j->sent_download_status = m->sent_download_status;
    j->sent_upgrade_status = m->sent_upgrade_status;
    j->due_download_status = m->due_download_status;
    bool *flag;
    for (size_t i = 0; (flag = const_flag(j, i)) != NULL; i++)
        *flag = m->flags[i] != 0;
    j->net_any = j->net_any || m->severity.lost != 0;
    for (size_t i = 0; i < JUDGE_PACKAGES_MAX; i++) {
        j->record_open[i] = m->record_open[i] != 0;
        j->was_proven[i] = m->was_proven[i] != 0;
    }
    for (int k = 0; k < CF_KIND_COUNT; k++)
        j->faults_hit[k] = m->faults_hit[k];
    for (int k = 0; k < NET_ACTION_COUNT; k++)
        j->net_seen[k] = m->net_seen[k] != 0;
    for (int k = 0; k < LINK_ACTION_COUNT; k++)
        j->byte_seen[k] = m->byte_seen[k] != 0;
    memcpy(j->version, m->version, sizeof j->version);
    memcpy(j->restored_to, m->restored_to, sizeof j->restored_to);
    j->slots.on = slots;
    if (slots)
        judge_recall_slots(j, m);
}

/* ---- bytes ---- */

static bool ends(const char *text, size_t room)
{
    return strnlen(text, room) < room;
}

static bool all_flags(const uint8_t *flags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (flags[i] > 1)
            return false;
    return true;
}

static const char *wrong(const struct judge *j, const struct judge_memory *m)
{
    static const struct judge_slots_memory none;
    for (int k = 0; k < RQ_COUNT; k++)
        if (m->pause_ns[k] < 0)
            return "a pause";
    for (uint32_t i = 0; i < SCENARIO_VERSIONS_MAX; i++)
        if (!ends(m->restored_to[i], sizeof m->restored_to[i]))
            return "a version that was installed";
    if (m->phase > PHASE_RESULT)
        return "a phase";
    if (m->offer_fault > CF_KIND_COUNT || m->announced_fault > CF_KIND_COUNT)
        return "a fault";
    if (m->package > j->n_packages)
        return "a package";
    if (m->restored_count > SCENARIO_VERSIONS_MAX)
        return "a number of installed versions";
    if (m->cuts > 1 || m->breaks > 1 || m->faults_on_download > 1 || m->limited > 1 ||
        m->severity.weak_cut > 1 || m->severity.lost > 1 || m->flags[FLAG_NET_ANY] > j->slots.on ||
        !all_flags(m->flags, sizeof m->flags) ||
        !all_flags(m->record_open, sizeof m->record_open) ||
        !all_flags(m->was_proven, sizeof m->was_proven) ||
        !all_flags(m->faults_hit, sizeof m->faults_hit) ||
        !all_flags(m->net_seen, sizeof m->net_seen) ||
        !all_flags(m->byte_seen, sizeof m->byte_seen))
        return "a flag";
    if (m->zero0 != 0 || m->zero[0] != 0 || m->zero[1] != 0)
        return "padding";
    if (!ends(m->version, sizeof m->version))
        return "a version";
    return j->slots.on                                  ? judge_slots_memory_wrong(&m->slots)
           : memcmp(&m->slots, &none, sizeof none) != 0 ? "slots"
                                                        : NULL;
}

int judge_memory_read(const struct judge *j, const void *bytes, size_t len_bytes,
                      struct judge_memory *out, struct err *err)
{
    if (len_bytes != sizeof *out)
        return err_set(err, ERR_FORMAT, "judge: a memory of %zu bytes, must have %zu", len_bytes,
                       sizeof *out);
    memcpy(out, bytes, sizeof *out);
    const char *what = wrong(j, out);
    return what == NULL ? 0
                        : err_set(err, ERR_FORMAT, "judge: a memory with %s that cannot be", what);
}
