/* Two slots: boot loader, trial, rollback, flash operations, power cuts. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

void judge_slots_new_start(struct judge *j)
{
    struct judge_slots *t = &j->slots;
    if (j->dirty && t->version[0] != '\0')
        memcpy(t->spoilt, t->version, sizeof t->spoilt);
    t->good = t->trial_push = t->online = t->reported = t->verify_ok = false;
    t->bad = t->spoils = 0;
    t->take_by_ns = 0;
    t->informs = t->logins = 0;
    t->online_ns = 0;
    t->last_step = 0;
    t->final = t->step_seen = false; /* said_100 stays: its record may end much later */
    t->causes = 0;
    t->version[0] = '\0';
    t->bad_body = t->expired = t->repeat_in_download = false;
    t->cause_to_restart = true;
    t->requests = 0;
    t->informed[0] = '\0';
    judge_client_new_start(j);
    t->part = NULL;
    j->package = NULL;
    j->verified = j->pending = false;
}

/* Every start before the firmware reports again counts, but those of a trial that is meant to fail
 * have a bound of their own (BOT-11). */
static void on_boot(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    j->app_running = false;
    judge_count_boot(j);
    t->slot_good[0] = t->slot_good[1] = false;
    judge_slots_session_over(j, e->now_ns);
    /* From here on: a persistent session keeps them for the start. What was delivered before a cut,
     * or into a connection that was silent, may not have been acknowledged. */
    t->pushes_again = t->was_cut || t->silent ? t->pushes_again + t->pushes : 0;
    t->pushes = 0;
    t->silent = false;
    /* A confirmation may be in the record although a cut kept it from being told. */
    const bool was_trial = t->on_trial;
    t->on_trial = strcmp(ev_text(e, "state"), "trial") == 0;
    t->confirmed_untold = was_trial && !t->on_trial && t->was_cut;
    if (j->cut_since_range && j->phase == PHASE_DOWNLOAD)
        judge_slots_stored(j);
    if (j->cuts == 0)
        return;
    j->boots_since_cut++;
    if (!t->on_trial)
        JUDGE(j, "PWR-15", j->boots_since_cut <= 4, "%u starts and the firmware is not back",
              j->boots_since_cut);
    uint32_t at = j->setup.foreign_change(j->setup.ctx);
    JUDGE(j, "PWR-16", at == UINT32_MAX, "byte 0x%x outside the update's areas changed", at);
}

static void on_trial(struct judge *j, const struct ev *e)
{
    const int64_t max = j->setup.scenario->device.trial_boots_max;
    j->slots.on_trial = true;
    JUDGE(j, "BOT-11", ev_int(e, "start", 0) <= max, "start %ld of a trial; %ld are allowed",
          (long)ev_int(e, "start", 0), (long)max);
}

static void on_run(struct judge *j, uint32_t slot)
{
    struct judge_slots *t = &j->slots;
    const char *flash = j->setup.version(j->setup.ctx);
    if (t->on_trial)
        JUDGE(j, "BOT-08", slot < 2 && t->slot_good[slot],
              "slot %u is started, but its image was not verified", slot);
    if (t->chosen) {
        /* An image that a fault has spoilt since is rightly not started. */
        bool tried = slot == t->chosen_slot;
        if (tried || !j->silent_faults)
            JUDGE(j, "BOT-09", tried || t->rolled_back, "slot %u was chosen, slot %u is started",
                  t->chosen_slot, slot);
        t->chosen = false;
    }
    if (t->rolled_back) {
        JUDGE(j, "BOT-10", slot == t->back_to, "rolled back to slot %u, slot %u is started",
              t->back_to, slot);
        t->rolled_back = t->on_trial = false;
    }
    if (strcmp(flash, "?") == 0 && j->setup.scenario->device.file_count > 1)
        judge_fail(j, "BOT-16", "files of different versions are started");
    if (strcmp(flash, "?") == 0)
        judge_fail(j, j->cuts > 0 ? "PWR-02" : "BOT-01",
                   "firmware is started that is neither the old nor the new build");
}

static void on_rollback(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *version = ev_text(e, "version");
    (void)snprintf(t->refused, sizeof t->refused, "%s", version);
    t->rolled_back = true;
    t->confirmed_untold = false;
    t->back_to = (uint32_t)ev_int(e, "to", 0);
    t->chosen = false;
    if (t->confirmed && strcmp(version, t->confirmed_version) == 0 &&
        strcmp(ev_text(e, "reason"), "not-whole") != 0)
        judge_fail(j, "BOT-13", "version %s was confirmed and is given up: %s", version,
                   ev_text(e, "reason"));
    j->restore_allowed = false;
}

static void on_set_boot(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *version = ev_text(e, "version");
    t->chosen = true;
    t->chosen_slot = (uint32_t)ev_int(e, "slot", 0);
    JUDGE(j, "BOT-08", t->verify_ok, "the boot choice is made before anything was verified");
    if (t->refused[0] != '\0')
        JUDGE(j, "BOT-14", strcmp(t->refused, version) != 0,
              "version %s was given up and is chosen again", version);
    if (t->on_trial)
        judge_fail(j, "BOT-18", "another image is chosen while one is on trial");
    judge_slots_accepted(j);
    j->phase = PHASE_RESULT;
}

static void on_confirm(struct judge *j, const char *version)
{
    struct judge_slots *t = &j->slots;
    t->on_trial = false;
    judge_announce_confirmed(j);
    t->confirmed = true;
    t->starts_since_confirm = 0;
    (void)snprintf(t->confirmed_version, sizeof t->confirmed_version, "%s", version);
    if (j->phase == PHASE_RESULT)
        j->phase = PHASE_IDLE;
    bool known = false;
    for (uint32_t i = 0; i < j->restored_count; i++)
        known = known || strcmp(j->restored_to[i], version) == 0;
    if (!known && j->restored_count < SCENARIO_VERSIONS_MAX)
        (void)snprintf(j->restored_to[j->restored_count++], DEVICE_TEXT_MAX, "%s", version);
    if (j->restored_count >= 3)
        judge_seen(j, "DWN-34");
    JUDGE(j, "BOT-12", t->online_ns > 0 && !t->fate_lost,
          "version %s confirms itself although it has not reached the cloud", version);
}

void judge_slots_boot_event(struct judge *j, const struct ev *e)
{
    const uint32_t slot = (uint32_t)ev_int(e, "slot", 0);
    if (ev_is(e, LANE_BOOT, "boot"))
        on_boot(j, e);
    else if (ev_is(e, LANE_BOOT, "verify") && slot < 2)
        j->slots.slot_good[slot] =
            ev_int(e, "ok", 0) != 0 && strcmp(ev_text(e, "reason"), "not looked at") != 0;
    else if (ev_is(e, LANE_BOOT, "trial"))
        on_trial(j, e);
    else if (ev_is(e, LANE_BOOT, "run"))
        on_run(j, slot);
    else if (ev_is(e, LANE_BOOT, "rollback"))
        on_rollback(j, e);
    else if (ev_is(e, LANE_BOOT, "set_boot"))
        on_set_boot(j, e);
    else if (ev_is(e, LANE_BOOT, "confirm"))
        on_confirm(j, ev_text(e, "version"));
    else if (ev_is(e, LANE_BOOT, "bricked")) {
        j->bricked = true;
        judge_fail(j, j->cuts > 0 ? "PWR-07" : "BOT-01", "bricked: %s", ev_text(e, "reason"));
    }
}

/* What the image that was started is known to do. */
static void on_image(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *fate = ev_text(e, "fate");
    t->fate_crash = strcmp(fate, "crashes") == 0 || strcmp(fate, "hangs") == 0;
    t->fate_lost = strcmp(fate, "never-connects") == 0;
    if (t->fate_crash)
        judge_seen(j, "BOT-11");
    if (t->fate_lost)
        judge_seen(j, "BOT-12");
    t->fates_seen[0] = t->fates_seen[0] || t->fate_crash;
    t->fates_seen[1] = t->fates_seen[1] || t->fate_lost;
    (void)snprintf(t->fate_version, sizeof t->fate_version, "%s", ev_text(e, "version"));
}

static void on_start(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    judge_slots_new_start(j);
    t->was_cut = false;
    j->starts++;
    j->app_running = true;
    j->heap_base_used = -1;
    (void)snprintf(j->version, sizeof j->version, "%s", ev_text(e, "version"));
    t->fate_crash = t->fate_lost = false;
    judge_seen(j, "BOT-02");
    if (j->cuts > 0)
        j->boots_since_cut = 0;
    if (t->confirmed_untold) {
        t->confirmed = true;
        t->starts_since_confirm = 0;
        (void)snprintf(t->confirmed_version, sizeof t->confirmed_version, "%s", j->version);
        t->confirmed_untold = false;
    }
    if (t->confirmed && !t->on_trial && ++t->starts_since_confirm > 1)
        JUDGE(j, "BOT-13", strcmp(j->version, t->confirmed_version) == 0,
              "version %s was confirmed, %s is started", t->confirmed_version, j->version);
    if (!t->on_trial && j->phase != PHASE_IDLE)
        j->phase = PHASE_IDLE;
}

void judge_slots_device_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_DEVICE, "start"))
        on_start(j, e);
    else if (ev_is(e, LANE_DEVICE, "image"))
        on_image(j, e);
    else if (ev_is(e, LANE_DEVICE, "reset") || ev_is(e, LANE_DEVICE, "idle"))
        judge_slots_session_over(j, e->now_ns);
    else if (ev_is(e, LANE_DEVICE, "config"))
        j->config_refused = true;
}

/* ---- flash ---- */

void judge_slots_flash_event(struct judge *j, const struct ev *e)
{
    const struct device_config *c = &j->setup.scenario->device;
    struct judge_slots *t = &j->slots;
    const uint32_t addr = (uint32_t)ev_int(e, "addr", 0);
    const uint32_t len = (uint32_t)ev_int(e, "len", 0);
    const struct partition *p = partition_at(&c->partitions, addr);
    if (p == NULL || strcmp(p->name, "user") == 0) {
        judge_fail(j, "PWR-16", "operation at 0x%x is in no area of the update", addr);
        return;
    }
    (void)snprintf(t->op_part, sizeof t->op_part, "%s", p->name);
    if (strncmp(p->name, "app", 3) != 0)
        return;
    const bool update = p->offset == j->setup.update_address(j->setup.ctx);
    JUDGE(j, "BOT-02", update || !j->app_running, "the running firmware is changed at 0x%x", addr);
    if (!update || !j->app_running || strcmp(e->name, "program") != 0 || j->package == NULL)
        return;
    const uint32_t unit = c->geometry.granule_bytes;
    const uint32_t end = (j->package->len_bytes + unit - 1) / unit * unit;
    const uint32_t rel = addr - p->offset;
    if (rel + len > t->written_end)
        t->written_end = rel + len;
    /* Of a verified difference the whole image is made. */
    if (j->package->image == NULL || !t->verify_ok)
        JUDGE(j, "DWN-06", rel + len <= end,
              "programs up to byte %u; the image was announced with %u", rel + len,
              j->package->len_bytes);
    if (j->package->len_bytes > j->setup.package_limit)
        judge_fail(j, "LIM-01", "flash is changed for an image that cannot fit");
    if (t->bad_body)
        judge_fail(j, "DWN-02", "bytes of a reply that is no data are stored");
}

/* ---- power ---- */

static const char *cut_id(const struct judge *j)
{
    const struct judge_slots *t = &j->slots;
    if (strcmp(t->op_part, SLOTS_PARTITION) == 0)
        return t->rolled_back ? "PWR-10" : "PWR-07";
    if (strcmp(t->op_part, "kv") == 0)
        return "PWR-12";
    return NULL;
}

void judge_slots_power_event(struct judge *j, const struct ev *e)
{
    static const struct {
        enum phase phase;
        const char *id;
    } rows[] = {{PHASE_DOWNLOAD, "PWR-01"}, {PHASE_VERIFIED, "PWR-06"}, {PHASE_RESULT, "PWR-08"}};
    struct judge_slots *t = &j->slots;
    j->app_running = false;
    t->was_cut = true;
    judge_slots_session_over(j, e->now_ns);
    j->boots_since_cut = j->boots_in_row = 0;
    if (j->main_over)
        return;
    j->cuts++;
    j->breaks += j->phase == PHASE_DOWNLOAD;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].phase == j->phase)
            judge_seen(j, rows[i].id);
    if (cut_id(j) != NULL)
        judge_seen(j, cut_id(j));
    if (t->on_trial && !t->reported)
        judge_seen(j, "PWR-09");
    const char *tear = ev_text(e, "tear");
    if (tear[0] != '\0' && strcmp(tear, nor_tear_name(TEAR_NOTHING)) != 0 &&
        strcmp(tear, nor_tear_name(TEAR_DONE)) != 0)
        judge_seen(j, "PWR-03");
    if (j->cuts > 1)
        judge_seen(j, "PWR-11");
    if (j->net_any)
        judge_seen(j, "NET-22");
    judge_seen(j, "PWR-16");
    judge_seen(j, "PWR-15");
    j->cut_since_range = true;
    if (j->phase == PHASE_DOWNLOAD) {
        j->resume_expected = true;
        if (t->version[0] != '\0')
            (void)snprintf(j->slots.interrupted, sizeof j->slots.interrupted, "%s", t->version);
    }
}

/* The end of the main phase: what an image that cannot work must have come to. */
void judge_slots_main_over(struct judge *j)
{
    const struct judge_slots *t = &j->slots;
    if (t->fate_version[0] == '\0')
        return;
    const bool gone = strcmp(j->main_version, t->fate_version) != 0;
    static const char *const ids[] = {"BOT-11", "BOT-12"};
    for (int i = 0; i < 2; i++)
        if (t->fates_seen[i] && t->refused[0] == '\0')
            JUDGE(j, ids[i], gone, "version %s cannot work and still runs", t->fate_version);
    if (t->refused[0] != '\0' && !gone)
        judge_fail(j, "BOT-10", "version %s was given up and still runs", t->fate_version);
}
