/* What the agent did with its download: announcement, segments, digest, pending record, flash it
 * touched. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

static void on_package(struct judge *j, const struct ev *e)
{
    int64_t delta_id = ev_int(e, "delta_id", 0);
    const struct judge_package *found = NULL;
    for (size_t i = 0; i < j->n_packages; i++)
        if (j->packages[i].delta_id == delta_id)
            found = &j->packages[i];
    if (found != j->package) {
        j->replaced = j->package != NULL && j->stored_segments > 0;
        j->package = found;
        j->stored_segments = 0;
        j->served_bytes = 0;
        j->breaks = 0;
        j->restarts = 0;
        j->resume_expected = false;
        j->clean_start_due = false;
        j->dirty = false;
        j->resumed = false;
        j->verified = j->pending = j->proven = false;
        j->faults_on_download = 0;
    } else if (j->offer_fault != j->announced_fault) {
        /* The same number, announced otherwise than before: nothing to go on with. */
        j->replaced = j->stored_segments > 0;
        j->resume_expected = false;
    }
    j->announced_fault = j->offer_fault;
    if (ev_int(e, "bytes", 1) <= 0)
        judge_fail(j, "LIM-08", "an announced size of %ld bytes is accepted",
                   (long)ev_int(e, "bytes", 1));
    if (found == NULL)
        return;
    if (found->len_bytes > j->setup.package_limit) {
        judge_seen(j, "LIM-01");
        judge_seen(j, "LIM-02");
        j->due_download_status = j->oversize_taken ? 0 : STATUS_TOO_LARGE;
    } else if (found->len_bytes == j->setup.package_limit) {
        judge_seen(j, "LIM-02");
    }
    if (found->heal || j->version[0] == '\0')
        return;
    int order = version_compare(judge_version_name(j, found->to), j->version);
    if (order < 0)
        judge_seen(j, "SEC-01");
    else if (order == 0)
        judge_seen(j, "SEC-02");
}

/* The requirements whose harm shows as wrong bytes behind a verified package. */
static const char *const content_ids[] = {"DWN-01", "DWN-04", "DWN-05", "DWN-12", "DWN-13",
                                          "DWN-14", "DWN-17", "INT-01", "INT-03", "INT-04",
                                          "INT-05", "INT-07", "INT-08", "SEC-06"};

/* What can be wrong with an announcement that no package may satisfy. */
static const struct {
    enum cloud_fault_kind fault;
    const char *id, *what;
} offer_rows[] = {
    {CF_WRONG_DIGEST, "INT-01", "the announced digest is another"},
    {CF_WRONG_DIGEST, "INT-05", "the announced digest is another"},
    {CF_BAD_DIGEST, "INT-06", "the announced digest is no digest"},
    {CF_WRONG_SIZE, "DWN-04", "the announced size is another"},
    {CF_WRONG_SIZE, "LIM-08", "the announced size is another"},
};

static bool is_seen(struct judge *j, const char *id)
{
    const struct requirement *r;
    for (size_t i = 0; (r = requirement_at(i)) != NULL; i++)
        if (strcmp(r->id, id) == 0)
            return j->checks[i].seen;
    return false;
}

static void on_pending(struct judge *j)
{
    bool intact = judge_package_intact(j);
    judge_seen(j, "DWN-01");
    judge_seen(j, "INT-01");
    if (j->resumed)
        judge_seen(j, "INT-08");
    if (!intact)
        for (size_t i = 0; i < sizeof content_ids / sizeof content_ids[0]; i++)
            if (is_seen(j, content_ids[i]))
                judge_fail(j, content_ids[i],
                           "accepted as verified, but flash differs from the package served");
    for (size_t i = 0; i < sizeof offer_rows / sizeof offer_rows[0]; i++)
        if (offer_rows[i].fault == j->offer_fault)
            judge_fail(j, offer_rows[i].id, "accepted although %s", offer_rows[i].what);
    if (j->package != NULL) {
        if (j->package->len_bytes > j->setup.package_limit) {
            judge_fail(j, "LIM-01", "accepted %u bytes; the area holds %u", j->package->len_bytes,
                       j->setup.package_limit);
            judge_fail(j, "LIM-02", "accepted %u bytes; the area holds %u", j->package->len_bytes,
                       j->setup.package_limit);
        }
        uint64_t size = j->package->len_bytes;
        uint64_t unit = j->setup.segment_bytes;
        /* A block that cannot be programmed further is begun again. */
        if (j->setup.scenario->device.geometry.policy != NOR_REWRITE || j->dead_cut)
            unit += j->setup.scenario->device.geometry.erase_bytes;
        if (j->breaks > 0 && j->faults_hit[CF_IGNORE_RANGE] == 0) {
            uint64_t bound = size * (1 + j->restarts) + j->breaks * 3 * unit;
            JUDGE(j, "DWN-19", j->served_bytes <= bound,
                  "%lu bytes served for a package of %lu with %u breaks; bound %lu",
                  (unsigned long)j->served_bytes, (unsigned long)size, j->breaks,
                  (unsigned long)bound);
        }
    }
    j->verified = j->pending = true;
    j->restore_allowed = true;
    j->phase = PHASE_VERIFIED;
}

/* Bytes nobody spoilt on their way must lie in flash as they are in the package. */
static void judge_segment(struct judge *j, uint32_t number)
{
    static const char *const ids[] = {"DWN-12", "DWN-14", "DWN-18"};
    bool spoilt = j->faults_hit[CF_CORRUPT] + j->faults_hit[CF_SHIFT_SILENT] > 0 ||
                  j->byte_seen[LINK_CORRUPT] || j->silent_faults;
    uint64_t from = (uint64_t)(number - 1) * j->setup.segment_bytes;
    if (number == 0 || spoilt || j->package == NULL || from >= j->package->len_bytes)
        return;
    uint64_t left = j->package->len_bytes - from;
    uint64_t len = left < j->setup.segment_bytes ? left : j->setup.segment_bytes;
    if (judge_flash_holds(j, from, len))
        return;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (is_seen(j, ids[i]))
            judge_fail(j, ids[i], "segment %u holds other bytes than the package", number);
}

static void on_segment(struct judge *j, const struct ev *e)
{
    j->stored_segments = (uint32_t)ev_int(e, "number", 0);
    judge_segment(j, j->stored_segments);
    j->last_progress_ns = e->now_ns;
    j->run_of_same = 0;
    if (j->last_download_http != 0 && j->last_download_http != 200 && j->last_download_http != 206)
        judge_fail(j, "DWN-02", "stored a segment from a reply with status %d",
                   j->last_download_http);
}

/* Configurations a device must refuse. */
static void judge_config(struct judge *j, bool refused)
{
    const struct device_config *c = &j->setup.scenario->device;
    if (c->segment_index < 3 || c->segment_index > 5)
        JUDGE(j, "LIM-14", refused, "runs with segment index %u", c->segment_index);
    if (c->network_protocol != 2)
        JUDGE(j, "CLD-01", refused, "runs with network protocol %u", c->network_protocol);
    if (c->file_count > PACKAGE_FILES_MAX)
        JUDGE(j, "LIM-05", refused, "runs with %u files", c->file_count);
}

/* Bytes that nothing damaged on their way are not the package: they were put together wrongly. */
static void judge_mismatch(struct judge *j)
{
    const uint32_t *hit = j->faults_hit;
    if (j->dirty || j->setup.scenario->n_flash > 0 || j->stored_segments == 0 ||
        hit[CF_WRONG_DIGEST] + hit[CF_BAD_DIGEST] + hit[CF_WRONG_SIZE] > 0)
        return;
    judge_fail(j, "DWN-18", "the digest does not match, but nothing was damaged on the way");
    if (j->cuts > 0)
        judge_fail(j, "PWR-05", "the digest does not match after a cut, but nothing was damaged");
}

static void on_start(struct judge *j, const struct ev *e)
{
    judge_config(j, false);
    const char *version = j->setup.version(j->setup.ctx);
    /* A cut between the result's record and its event: the record counts. */
    if (j->due_result == UPDATE_OK)
        judge_boot_result(j, UPDATE_OK);
    j->starts++;
    j->app_running = true;
    if (strcmp(ev_text(e, "version"), "?") != 0)
        (void)snprintf(j->version, sizeof j->version, "%s", ev_text(e, "version"));
    judge_seen(j, "BOT-02");
    bool whole = strcmp(version, "?") != 0;
    if (j->setup.scenario->device.file_count > 1 && j->restored_count + j->cuts > 0)
        JUDGE(j, "BOT-16", whole, "firmware was started with files of different versions");
    if (!whole) {
        judge_fail(j, j->cuts > 0 ? "PWR-02" : "BOT-01",
                   "firmware was started that is neither the old nor the new build");
    }
    if (j->cuts > 0) {
        j->boots_since_cut = 0;
        if (whole && j->phase == PHASE_RESTORE)
            judge_seen(j, "PWR-02");
    }
    if (j->phase == PHASE_BOOT || j->phase == PHASE_RESTORE || j->phase == PHASE_RESULT)
        j->phase = PHASE_IDLE;
    /* A download interrupted by the restart is expected to resume. */
    if (!j->pending && j->stored_segments > 0)
        j->resume_expected = true;
}

void judge_download_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_DEVICE, "package"))
        on_package(j, e);
    else if (ev_is(e, LANE_DEVICE, "segment"))
        on_segment(j, e);
    else if (ev_is(e, LANE_DEVICE, "pending"))
        on_pending(j);
    else if (ev_is(e, LANE_DEVICE, "start"))
        on_start(j, e);
    else if (ev_is(e, LANE_DEVICE, "verify")) {
        if (j->silent_faults)
            judge_seen(j, "INT-07");
        if (ev_int(e, "ok", 1) == 0) {
            judge_mismatch(j);
            j->clean_start_due = true; /* what was spoilt stays so until then */
            if (j->requests_in_call[RQ_DOWNLOAD] > 0)
                j->due_download_status = STATUS_MISMATCH;
            j->phase = PHASE_IDLE;
            judge_seen(j, "INT-01");
        } else {
            j->due_download_status = 0;
            /* From here on the pending record may be in flash, told or not. */
            j->proven = judge_package_intact(j);
            if (j->proven) {
                j->was_proven[j->package - j->packages] = true;
                j->verified = true;
                j->phase = PHASE_VERIFIED;
            }
            if (!j->pending && j->requests_in_call[RQ_DOWNLOAD] == 0)
                judge_seen(j, "DWN-17");
            j->restore_allowed = true;
        }
    } else if (ev_is(e, LANE_DEVICE, "config")) {
        j->config_refused = true;
        judge_config(j, true);
    }
}

/* Flash operations are judged by where and when they happen. */
void judge_flash_event(struct judge *j, const struct ev *e)
{
    const struct device_config *c = &j->setup.scenario->device;
    uint32_t addr = (uint32_t)ev_int(e, "addr", 0);
    uint32_t len = (uint32_t)ev_int(e, "len", 0);
    const struct partition *p = partition_at(&c->partitions, addr);
    if (p == NULL) {
        judge_fail(j, "PWR-16", "operation at 0x%x hits a guard area", addr);
        return;
    }
    if (strcmp(p->name, "download") == 0) {
        uint32_t rel = addr - p->offset;
        bool program = strcmp(e->name, "program") == 0;
        if (j->package != NULL && j->app_running && program && rel < j->setup.package_limit) {
            uint32_t unit = c->geometry.granule_bytes;
            uint32_t end = (j->package->len_bytes + unit - 1) / unit * unit;
            JUDGE(j, "DWN-06", rel + len <= end,
                  "programs up to byte %u; the package was announced with %u", rel + len,
                  j->package->len_bytes);
        }
        if (j->package != NULL && j->app_running && rel < j->setup.package_limit &&
            j->package->len_bytes > j->setup.package_limit) {
            judge_fail(j, "LIM-01", "flash is changed for a package that cannot fit");
            j->oversize_taken = true;
        }
        return;
    }
    if (strcmp(p->name, "app") == 0) {
        bool listed = false;
        for (uint32_t i = 0; i < c->file_count; i++)
            listed = listed || (addr >= c->files[i].address &&
                                addr + len <= c->files[i].address + c->files[i].area_bytes);
        JUDGE(j, "BOT-17", listed, "operation at 0x%x is in no listed file", addr);
        JUDGE(j, "BOT-02", !j->app_running, "the running firmware is changed at 0x%x", addr);
        JUDGE(j, "BOT-08", j->app_running || j->boot_verified || j->phase == PHASE_RESTORE,
              "firmware is rewritten before anything was verified");
        return;
    }
    judge_fail(j, "PWR-16", "operation at 0x%x is in partition '%s'", addr, p->name);
}
