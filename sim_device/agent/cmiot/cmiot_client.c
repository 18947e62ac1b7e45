/*
 * The calls applications make, and the decisions behind them (cms-ota §5).
 */
#include "sim_device/agent/cmiot/cmiot_client.h"

#include <string.h>

#include "common/version.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/agent/cmiot/session.h"

#define UPGRADE_KIND_FULL 5 /* second byte of the record's code field (cms-ota §8) */

int cmiot_init(void)
{
    const struct device *d = agent_device();
    if (d == NULL || d->config == NULL || fal_part_find(cmiot_download_name()) == NULL)
        return E_CMIOT_NOT_INITTED;
    return 0;
}

/* Whether the record describes this very package. */
static bool same_package(const struct session *s, const struct offer *o, uint32_t segments)
{
    const struct state_record *r = &s->state.record;
    if (s->config->breaks.resume_any_package)
        return s->state.valid && r->index_max == segments;
    if (!s->state.valid || r->delta_id != o->delta_id || r->index_max != segments)
        return false;
    if (s->layout.kind == STATE_VENDOR) /* remembers no more than that */
        return true;
    return r->file_bytes == o->file_bytes && r->segment_bytes == s->segment_bytes &&
           memcmp(r->md5, o->md5, MD5_BYTES) == 0;
}

static bool has_result(const struct state_record *r)
{
    return r->update_result == UPDATE_OK || r->update_result == UPDATE_AUTH_FAIL ||
           r->update_result == UPDATE_FAIL;
}

static cmiot_int8 begin_package(struct session *s, const struct offer *o, uint32_t segments)
{
    struct state_record r = s->state.record;
    r.update_result = UPDATE_NONE;
    memset(r.code, 0, sizeof(r.code));
    if (!session_direct(s)) {
        r.code[0] = 1;
        r.code[1] = o->full ? UPGRADE_KIND_FULL : (char)s->config->algorithm;
    }
    r.index = 0;
    r.index_max = segments;
    r.delta_id = o->delta_id;
    r.file_bytes = o->file_bytes;
    r.segment_bytes = s->segment_bytes;
    memcpy(r.md5, o->md5, MD5_BYTES);
    r.report_due = 0;
    cmiot_int8 rc = session_store(s, &r);
    if (s->config->breaks.erase_ahead && rc == E_CMIOT_SUCCESS) {
        uint32_t block = fal_part_block_size(s->part);
        for (uint32_t at = 0; at < o->file_bytes; at += block)
            if (fal_part_erase(s->part, at, block) < 0)
                rc = E_CMIOT_FAILURE;
    }
    return rc;
}

/* A complete package waits for the restart. The report that was lost is sent again; whatever comes
 * of it, the call succeeds. */
static void repeat_report(struct session *s)
{
    const struct state_record *now = &s->state.record;
    if (now->report_due == 0 ||
        control_report_download(s, now->delta_id, DOWNLOAD_OK, now->file_bytes) == POSTPONED)
        return;
    struct state_record r = session_record(s);
    r.report_due = 0;
    (void)session_store(s, &r);
}

/*
 * What to do about an announcement. SUCCESS and *wanted: the record describes the package, to be
 * downloaded. Other results are those of the call; SUCCESS without *wanted: it is there already.
 */
static cmiot_int8 consider(struct session *s, const struct offer *o, bool upgrade, bool *wanted)
{
    struct state_record *r = &s->state.record;
    uint32_t segments = o->file_bytes / s->segment_bytes + (o->file_bytes % s->segment_bytes != 0);
    *wanted = false;
    AGENT_EVENT("package", F_INT("bytes", o->file_bytes), F_INT("delta_id", o->delta_id));
    if (o->version[0] != '\0' && version_compare(o->version, s->device->version) <= 0)
        return E_CMIOT_LAST_VERSION;
    const uint32_t limit = state_package_limit(&s->layout) - s->config->breaks.no_exact_fit;
    if (o->file_bytes > limit && !s->config->breaks.no_size_limit) {
        if (upgrade)
            (void)control_report_download(s, o->delta_id, DOWNLOAD_TOO_LARGE, o->file_bytes);
        return session_direct(s) ? E_CMIOT_FAILURE : E_CMIOT_PAKAGE_TOO_LARGE;
    }
    if (has_result(r) && control_report_upgrade(s) == POSTPONED)
        return E_CMIOT_FAILURE;
    /* The boot loader has just refused it: fetching it again would only restart in circles. */
    if (o->delta_id == s->device->refused_delta_id) {
        agent_log("package %u was refused by the boot loader", (unsigned)o->delta_id);
        s->device->back_off = true;
        return E_CMIOT_FAILURE;
    }
    bool same = same_package(s, o, segments);
    if (s->layout.kind == STATE_VENDOR && same) {
        r->file_bytes = o->file_bytes;
        memcpy(r->md5, o->md5, MD5_BYTES);
    }
    if (same && r->update_result == UPDATE_PENDING && download_verified(s)) {
        if (!upgrade)
            return E_CMIOT_NEW_VERSION_EXIST;
        repeat_report(s);
        return E_CMIOT_SUCCESS;
    }
    *wanted = true;
    if (same && r->update_result == UPDATE_NONE)
        return E_CMIOT_SUCCESS;
    return begin_package(s, o, segments);
}

static cmiot_int8 check(struct session *s)
{
    struct device *d = s->device;
    d->has_offer = false;
    cmiot_int8 rc = control_register(s, false);
    if (rc == E_CMIOT_SUCCESS)
        rc = control_check(s, &d->offer);
    d->has_offer = rc == E_CMIOT_SUCCESS;
    return rc;
}

static cmiot_int8 download(struct session *s)
{
    bool wanted;
    cmiot_int8 rc = consider(s, &s->device->offer, true, &wanted);
    return rc == E_CMIOT_SUCCESS && wanted ? download_package(s, &s->device->offer) : rc;
}

cmiot_int8 cmiot_upgrade(void)
{
    struct session *s;
    cmiot_int8 rc = session_open(&s);
    if (rc != E_CMIOT_SUCCESS)
        return rc;
    rc = check(s);
    if (rc == E_CMIOT_SUCCESS)
        rc = download(s);
    session_close(s);
    return rc;
}

cmiot_int8 cmiot_check_version(char version[CMIOT_VERSION_NAME_MAX])
{
    struct session *s;
    bool wanted;
    cmiot_int8 rc = session_open(&s);
    if (rc != E_CMIOT_SUCCESS)
        return rc;
    rc = check(s);
    if (rc == E_CMIOT_SUCCESS)
        rc = consider(s, &s->device->offer, false, &wanted);
    if (rc == E_CMIOT_SUCCESS && version != NULL)
        memcpy(version, s->device->offer.version, CMIOT_VERSION_NAME_MAX);
    session_close(s);
    return rc;
}

cmiot_int8 cmiot_only_upgrade(void)
{
    struct session *s;
    struct device *d = agent_device();
    if (d == NULL || !d->has_offer)
        return E_CMIOT_FAILURE;
    cmiot_int8 rc = session_open(&s);
    if (rc != E_CMIOT_SUCCESS)
        return rc;
    rc = download(s);
    session_close(s);
    return rc;
}

cmiot_int8 cmiot_report_upgrade(void)
{
    struct session *s;
    if (session_open(&s) != E_CMIOT_SUCCESS)
        return E_CMIOT_FAILURE;
    cmiot_int8 rc = E_CMIOT_NO_UPGRADE;
    if (has_result(&s->state.record))
        rc = control_report_upgrade(s) == DELIVERED ? E_CMIOT_SUCCESS : E_CMIOT_FAILURE;
    session_close(s);
    return rc;
}
