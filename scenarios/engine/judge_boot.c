/* Power, boot loader and restore. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

/* Which requirement a deliberately damaged package is about. */
static const struct {
    enum tamper tamper;
    const char *ids[3];
} tamper_rows[] = {
    {TAMPER_SOURCE_DIGEST, {"BOT-07", "INT-13", NULL}},
    {TAMPER_PAYLOAD_DIGEST, {"INT-05", NULL, NULL}},
    {TAMPER_TARGET_DIGEST, {"INT-05", "BOT-03", NULL}},
    {TAMPER_PAYLOAD_BYTE, {"INT-03", NULL, NULL}},
    {TAMPER_COMPARE_BLOCK, {"BOT-05", NULL, NULL}},
    {TAMPER_ALGORITHM, {"BOT-06", NULL, NULL}},
    {TAMPER_ADDRESS, {"BOT-17", NULL, NULL}},
    {TAMPER_NAME, {"BOT-17", NULL, NULL}},
    {TAMPER_HEAD, {"INT-05", NULL, NULL}},
    {TAMPER_TRUNCATE, {"INT-04", NULL, NULL}},
    {TAMPER_EMPTY, {"INT-14", NULL, NULL}},
    {TAMPER_TRAILER_MAGIC, {"INT-05", NULL, NULL}},
    {TAMPER_TRAILER_SIZE, {"INT-05", NULL, NULL}},
    {TAMPER_TRAILER_MD5, {"INT-05", NULL, NULL}},
    {TAMPER_TRAILER_PART, {"INT-05", NULL, NULL}},
};

void judge_tampered(struct judge *j, bool refused, const char *fmt)
{
    if (j->package == NULL)
        return;
    for (size_t i = 0; i < sizeof tamper_rows / sizeof tamper_rows[0]; i++)
        for (int n = 0; n < 3 && tamper_rows[i].ids[n] != NULL; n++)
            if (tamper_rows[i].tamper == j->package->tamper)
                JUDGE(j, tamper_rows[i].ids[n], refused, "%s", fmt);
    if (j->setup.scenario->base_altered && !j->package->heal && j->package->kind == PACKAGE_DELTA) {
        JUDGE(j, "BOT-07", refused, "%s", fmt);
        JUDGE(j, "INT-13", refused, "%s", fmt);
    }
}

/* Far more than any update takes: trials are at most 16, and each package is a reset or two. */
#define BOOTS_IN_ROW_MAX 64u

void judge_count_boot(struct judge *j)
{
    j->boots++;
    if (++j->boots_in_row > BOOTS_IN_ROW_MAX)
        judge_fail(j, "PWR-15", "%u starts in a row, and the device still resets itself",
                   j->boots_in_row);
}

static void on_boot(struct judge *j, const struct ev *e)
{
    j->app_running = false;
    j->boot_verified = false;
    judge_count_boot(j);
    /* With a mark of the restore what is done to firmware goes on from an earlier start; a result
     * that was cut weakly may be gone again. */
    if ((j->restore_allowed || j->weak_cut) && ev_int(e, "mark", 0) > 0)
        j->phase = PHASE_RESTORE;
    else if (j->phase != PHASE_RESTORE)
        j->phase = PHASE_BOOT;
    if (j->cuts > 0) {
        j->boots_since_cut++;
        /* One start after the power is back, one reset after a download, one after the restore, one
         * to spare. */
        JUDGE(j, "PWR-15", j->boots_since_cut <= 4, "%u starts and the firmware is not back",
              j->boots_since_cut);
        uint32_t at = j->setup.foreign_change(j->setup.ctx);
        JUDGE(j, "PWR-16", at == UINT32_MAX, "byte 0x%x outside the update's areas changed", at);
    }
}

/*
 * A newer package may have been announced, and power lost before the record of the one that waited
 * was gone: then that one is restored, and it counts.
 */
static void on_verify(struct judge *j, bool ok)
{
    j->boot_verified = ok;
    if (!ok || judge_package_intact(j))
        return;
    const struct judge_package *announced = j->package;
    for (size_t i = 0; i < j->n_packages; i++) {
        j->package = &j->packages[i];
        if (!j->was_proven[i] || !judge_package_intact(j))
            continue;
        j->verified = j->pending = j->proven = j->restore_allowed = true;
        j->replaced = j->resume_expected = false;
        return;
    }
    j->package = announced;
}

static void on_restore(struct judge *j)
{
    if (!j->restore_allowed && !j->weak_cut)
        judge_fail(j, "BOT-15", "a restore starts although no package is pending");
    if (j->phase != PHASE_RESTORE) {
        judge_seen(j, "BOT-08");
        judge_seen(j, "BOT-17");
    }
    j->phase = PHASE_RESTORE;
}

void judge_boot_result(struct judge *j, int64_t result)
{
    j->boot_result = result;
    j->due_result = 0;
    j->phase = PHASE_RESULT;
    j->report_owed = j->boot_result != 0;
    j->report_accepted = false;
    j->restore_allowed = false;
    j->verified = j->pending = false;
    j->stored_segments = 0;
    /* What is fetched from here on is another attempt. */
    j->served_bytes = j->breaks = j->restarts = 0;
    const struct judge_package *p = j->package;
    if (j->boot_result != UPDATE_OK) {
        judge_tampered(j, true, "");
        return;
    }
    judge_tampered(j, false, "the damaged package was installed");
    if (p == NULL || p->heal)
        return;
    const char *want = judge_version_name(j, p->to);
    const char *have = j->setup.version(j->setup.ctx);
    JUDGE(j, "BOT-03", strcmp(want, have) == 0,
          "restored files are not those of version %s (flash holds %s)", want, have);
    if (p->from < j->setup.scenario->n_versions) {
        const struct scenario *s = j->setup.scenario;
        for (uint32_t i = 0; i < s->device.file_count && i < PACKAGE_FILES_MAX; i++)
            if (s->versions[p->to].images[i].kind == IMAGE_NEXT &&
                s->versions[p->to].images[i].grow_bytes != 0)
                JUDGE(j, "BOT-19", strcmp(want, have) == 0,
                      "an image of another size was restored to something else than %s", want);
        if (version_compare(want, j->version) < 0)
            judge_fail(j, "SEC-01", "version %s was installed over a higher one", want);
    }
    bool known = false;
    for (uint32_t i = 0; i < j->restored_count; i++)
        known = known || strcmp(j->restored_to[i], want) == 0;
    if (!known && j->restored_count < SCENARIO_VERSIONS_MAX)
        (void)snprintf(j->restored_to[j->restored_count++], DEVICE_TEXT_MAX, "%s", want);
    if (j->restored_count >= 3)
        judge_seen(j, "DWN-34");
    judge_seen(j, "BOT-15");
    if (j->setup.scenario->device.file_count > 1)
        judge_seen(j, "BOT-16");
}

/* What the boot loader left for the report. */
static void on_result(struct judge *j, int64_t result)
{
    if (result == UPDATE_NONE && j->due_result != 0) {
        judge_fail(j, "RPT-02", "after the result %ld the boot loader leaves nothing to report",
                   (long)j->due_result);
        if (j->cuts > 0)
            judge_fail(j, "PWR-08", "the result of the restore was lost");
    }
    judge_boot_result(j, result);
}

void judge_boot_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_BOOT, "boot"))
        on_boot(j, e);
    else if (ev_is(e, LANE_BOOT, "verify"))
        on_verify(j, ev_int(e, "ok", 0) != 0);
    else if (ev_is(e, LANE_BOOT, "restore"))
        on_restore(j);
    else if (ev_is(e, LANE_BOOT, "result"))
        on_result(j, ev_int(e, "update_result", 0));
    else if (ev_is(e, LANE_BOOT, "restored"))
        j->due_result = UPDATE_OK;
    else if (ev_is(e, LANE_BOOT, "refuse"))
        j->due_result = ev_int(e, "result", 0);
    else if (ev_is(e, LANE_BOOT, "bricked")) {
        j->bricked = true;
        if (j->cuts > 0)
            judge_fail(j, "PWR-02", "bricked: %s", ev_text(e, "reason"));
        judge_fail(j, "BOT-01", "bricked: %s", ev_text(e, "reason"));
    }
}

void judge_power_event(struct judge *j, const struct ev *e)
{
    if (!ev_is(e, LANE_POWER, "cut"))
        return;
    j->app_running = false;
    j->boots_in_row = 0;
    j->limited_ns = -1; /* nothing tells the next start that patience was asked for */
    memset(j->pause_until_ns, 0, sizeof j->pause_until_ns);
    if (j->main_over) {
        /* The heal phase switches the device off and on: no cut of the scenario. */
        judge_call_over(j);
        j->boots_since_cut = 0;
        return;
    }
    j->cuts++;
    j->boots_since_cut = 0;
    j->cut_since_range = true;
    if (j->replaced) { /* the record may still be that of the package before */
        j->replaced = false;
        j->restarts += j->stored_segments > 0;
        j->stored_segments = 0;
    }
    j->run_of_same = 0;
    j->last_request = -1;
    judge_call_over(j);
    if (j->phase == PHASE_DOWNLOAD)
        j->breaks++;
    /* What this cut exercises; whether it was survived shows at the next starts and at the end. */
    static const struct {
        enum phase phase;
        const char *id;
    } rows[] = {{PHASE_DOWNLOAD, "PWR-01"},
                {PHASE_VERIFIED, "PWR-06"},
                {PHASE_RESTORE, "PWR-02"},
                {PHASE_RESULT, "PWR-08"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].phase == j->phase)
            judge_seen(j, rows[i].id);
    if (j->report_owed)
        judge_seen(j, "PWR-08");
    if (j->sent_upgrade_status != 0 || j->sent_download_status != 0)
        judge_seen(j, "PWR-09");
    const char *tear = ev_text(e, "tear");
    j->weak_cut = j->weak_cut || strcmp(tear, nor_tear_name(TEAR_WEAK)) == 0;
    j->dead_cut = j->dead_cut || strcmp(tear, nor_tear_name(TEAR_UNREADABLE)) == 0;
    if (tear[0] != '\0' && strcmp(tear, nor_tear_name(TEAR_NOTHING)) != 0 &&
        strcmp(tear, nor_tear_name(TEAR_DONE)) != 0)
        judge_seen(j, "PWR-03");
    if (j->cuts > 1)
        judge_seen(j, "PWR-11");
    if (j->net_any)
        judge_seen(j, "NET-22");
    judge_seen(j, "PWR-16");
    judge_seen(j, "PWR-15");
    j->sent_upgrade_status = j->sent_download_status = 0;
}
