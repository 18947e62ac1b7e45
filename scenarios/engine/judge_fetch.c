/* Two slots: how the image is fetched, verified and accepted. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/build.h"
#include "scenarios/engine/judge_internal.h"

#define NO_DATA_MAX 24 /* replies in a row that are no data, in one start */

static bool is_of(const struct judge *j, size_t i, const char *version)
{
    const struct judge_package *p = &j->packages[i];
    return strcmp(p->heal ? BUILD_HEAL_VERSION : judge_version_name(j, p->to), version) == 0;
}

/* A version may be uploaded more than once: what the cloud waits for counts, else the newest. */
static const struct judge_package *package_of(const struct judge *j, const char *version)
{
    for (size_t i = 0; i < j->n_packages; i++)
        if (j->record_open[i] && is_of(j, i, version))
            return &j->packages[i];
    for (size_t i = j->n_packages; i-- > 0;)
        if (is_of(j, i, version))
            return &j->packages[i];
    return NULL;
}

/* Bytes of the image that flash holds from its first on. */
static uint64_t durable_bytes(const struct judge *j)
{
    if (j->package == NULL)
        return 0;
    /* What an attempt before this one has left there does not count. */
    const uint64_t most = j->slots.written_end;
    const uint32_t area = j->setup.update_address(j->setup.ctx);
    const uint8_t *flash = j->setup.flash(j->setup.ctx) + area;
    const uint32_t page = j->setup.scenario->device.geometry.page_bytes;
    uint64_t n = 0;
    while (n < j->package->len_bytes && n < j->setup.package_limit && n < most) {
        if (n % page == 0 && j->setup.look != NULL)
            j->setup.look(j->setup.ctx, area + (uint32_t)n, page); /* no further than needed */
        if (flash[n] != j->package->bytes[n])
            break;
        n++;
    }
    return n;
}

/* A resume may begin so much in front of what is stored. */
static uint64_t resume_slack(const struct judge *j)
{
    return 4 * (uint64_t)j->setup.scenario->device.geometry.erase_bytes;
}

/* At the start behind a cut: what the next range may build on. No resume of an image within the
 * slack can cost too much, so nobody asks there. */
bool judge_slots_resume_matters(const struct judge *j)
{
    const struct device_config *c = &j->setup.scenario->device;
    return j->package != NULL && j->package->len_bytes > resume_slack(j) &&
           (c->agent == AGENT_UOTA || c->keep_offset); /* others forget it at a start */
}

void judge_slots_stored(struct judge *j)
{
    j->slots.stored_at_cut = judge_slots_resume_matters(j) ? durable_bytes(j) : 0;
}

static void on_package(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    const char *version = ev_text(e, "version");
    const int64_t bytes = ev_int(e, "bytes", 0);
    const bool another = strcmp(version, t->version) != 0;
    judge_slots_taken(j, version, bytes);
    if (another) {
        /* A newer one replaces what was being fetched, or the first one of this start. */
        if (t->version[0] != '\0')
            j->replaced = t->requests > 0;
        t->cause_to_restart = strcmp(version, t->interrupted) != 0;
        /* What is resumed is as spoilt as it was. */
        j->dirty = j->dirty && (!t->cause_to_restart || strcmp(version, t->spoilt) == 0);
        t->interrupted[0] = '\0';
        t->requests = 0;
        t->last_step = 0;
        t->causes = 0;
        t->final = t->step_seen = t->said_100 = false;
        t->high_bytes = t->again_bytes = t->allowed_bytes = 0;
        t->fetch_breaks = 0;
        j->verified = j->pending = false;
    }
    if (!another && t->repeat_in_download && t->requests > 0 && !t->final && !j->net_any &&
        j->faults_on_download == 0)
        judge_fail(j, "CLD-20", "announced once more, the download is begun once more");
    t->repeat_in_download = false;
    (void)snprintf(t->version, sizeof t->version, "%s", version);
    j->package = package_of(j, version);
    if (j->package == NULL)
        return;
    const uint32_t limit = j->setup.package_limit;
    if (j->package->len_bytes > limit)
        judge_fail(j, "LIM-01", "an image of %u bytes is begun; the slot holds %u",
                   j->package->len_bytes, limit);
    else if (j->package->len_bytes == limit)
        judge_seen(j, "LIM-02");
    j->phase = PHASE_DOWNLOAD;
}

/* What waits in RAM for a whole page is stored as far as this power-on is concerned. */
static uint64_t room_bytes(const struct judge *j)
{
    return j->cut_since_range ? 0 : j->setup.scenario->device.geometry.page_bytes + 8192u;
}

/* Only a client with a key-value store remembers across a start. */
static bool remembers(const struct judge *j)
{
    const struct device_config *c = &j->setup.scenario->device;
    return c->agent == AGENT_UOTA || c->keep_offset || !j->cut_since_range;
}

/* Ranges are open to the end, so what a reply is said to have brought proves nothing: what counts
 * is what is asked for although flash has held it. */
static void count_traffic(struct judge *j, uint64_t from)
{
    struct judge_slots *t = &j->slots;
    const uint64_t durable = j->cut_since_range ? t->stored_at_cut : durable_bytes(j);
    const bool may_restart = t->cause_to_restart || j->clean_start_due || j->replaced ||
                             !remembers(j) || j->dirty || j->silent_faults;
    if (durable > t->high_bytes)
        t->high_bytes = durable;
    if (t->requests == 0 && !j->cut_since_range)
        return;
    const uint64_t again = from < t->high_bytes ? t->high_bytes - from : 0;
    const uint64_t bound = resume_slack(j) + room_bytes(j);
    t->fetch_breaks++;
    t->again_bytes += again;
    t->allowed_bytes += may_restart && again > bound ? again : bound;
}

static void judge_traffic(struct judge *j)
{
    struct judge_slots *t = &j->slots;
    if (t->fetch_breaks > 0)
        JUDGE(j, "DWN-19", t->again_bytes <= t->allowed_bytes,
              "%lu bytes were asked for again after %u breaks; bound %lu",
              (unsigned long)t->again_bytes, t->fetch_breaks, (unsigned long)t->allowed_bytes);
    t->fetch_breaks = 0;
    t->high_bytes = t->again_bytes = t->allowed_bytes = 0;
}

static void judge_resume(struct judge *j, uint64_t from)
{
    struct judge_slots *t = &j->slots;
    const uint64_t room = room_bytes(j);
    const bool resumes = j->resume_expected && remembers(j) && !j->dirty && !t->cause_to_restart;
    const uint64_t durable = j->cut_since_range    ? t->stored_at_cut
                             : from > 0 || resumes ? durable_bytes(j)
                                                   : 0;
    if (from > 0 && !j->dirty && !j->silent_faults) {
        const bool held = judge_flash_holds(j, 0, from > room ? from - room : 0);
        JUDGE(j, "PWR-04", held, "asks for byte %lu; flash does not hold all bytes in front of it",
              (unsigned long)from);
        JUDGE(j, "DWN-18", held, "asks for byte %lu: there is a gap before it",
              (unsigned long)from);
    }
    if (resumes && durable > 0) {
        const uint64_t slack = resume_slack(j) + room;
        JUDGE(j, "DWN-08", from + slack >= durable,
              "resumed at byte %lu; %lu bytes were stored before the break", (unsigned long)from,
              (unsigned long)durable);
        if (j->cut_since_range)
            JUDGE(j, "PWR-05", from + slack >= durable,
                  "the cut cost the progress: resumed at byte %lu of %lu", (unsigned long)from,
                  (unsigned long)durable);
        if (t->expired)
            JUDGE(j, "DWN-24", from + slack >= durable,
                  "a fresh address is begun at byte %lu; %lu were stored", (unsigned long)from,
                  (unsigned long)durable);
        j->resumed = from > 0;
    }
}

/* "/ota/{firmware}/{number}-{tag}.bin": the number is that of the file, from 1. */
static const struct build_part *part_of(const struct judge *j, const char *path)
{
    unsigned long firmware = 0, number = 0;
    if (j->package == NULL || sscanf(path, "/ota/%lu/%lu-", &firmware, &number) != 2 ||
        number == 0 || number > j->package->n_parts)
        return NULL;
    return &j->package->parts[number - 1];
}

uint64_t judge_range_from(const struct judge *j, const struct ev *e)
{
    const struct build_part *part = part_of(j, ev_text(e, "path"));
    unsigned long from = 0;
    if (sscanf(ev_text(e, "range"), "bytes=%lu-", &from) != 1)
        from = 0;
    return from + (part != NULL ? part->offset : 0);
}

static void on_range(struct judge *j, const struct ev *e)
{
    struct judge_slots *t = &j->slots;
    if (j->package == NULL)
        return;
    const unsigned long from = judge_range_from(j, e);
    if (!j->package->heal && j->package->to < j->setup.scenario->n_versions &&
        strcmp(judge_version_name(j, j->package->to), j->version) == 0)
        judge_fail(j, "SEC-02", "downloads version %s, which is running", j->version);
    const struct build_part *part = part_of(j, ev_text(e, "path"));
    /* The next file of several is no resume, whatever an earlier start has left of it. */
    const bool next = part != NULL && t->part != NULL && part != t->part && from == part->offset &&
                      !j->cut_since_range;
    j->resume_expected = j->resume_expected && !next;
    t->part = part;
    judge_resume(j, from);
    if (!next)
        count_traffic(j, from);
    if (j->clean_start_due) {
        JUDGE(j, "INT-09", from == 0, "after a digest mismatch the download went on at byte %lu",
              from);
        j->clean_start_due = false;
    }
    j->dirty = j->dirty && from > 0;
    t->written_end = from > 0 ? t->written_end : 0;
    if (j->replaced) {
        JUDGE(j, "DWN-33", from == 0, "the newer image is begun at byte %lu", from);
        JUDGE(j, "DWN-10", from == 0, "another image was resumed at byte %lu", from);
        j->replaced = false;
    }
    if (t->repeat_in_download && t->requests > 0 && !j->resume_expected && from == 0)
        judge_fail(j, "CLD-20", "announced once more, the download begins again at byte 0");
    t->repeat_in_download = t->cause_to_restart = false;
    j->resume_expected = j->cut_since_range = false;
    t->requests++;
    j->phase = PHASE_DOWNLOAD;
}

/* Addresses that the script spoils, which the storage itself has to refuse. */
static const struct {
    enum cloud_fault_kind kind;
    const char *id;
} spoilt[] = {{CF_EXPIRED, "DWN-24"}, {CF_FORGED, "DWN-25"}};

static void note_spoilt(struct judge *j)
{
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++)
        j->slots.spoilt_before[i] = j->faults_hit[spoilt[i].kind];
}

static void check_spoilt(struct judge *j, int status)
{
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++)
        if (j->faults_hit[spoilt[i].kind] > j->slots.spoilt_before[i])
            JUDGE(j, spoilt[i].id, status == 403,
                  "the storage answered %d to an address that is no longer good", status);
}

static void on_request(struct judge *j, const struct ev *e)
{
    const bool download = strcmp(ev_text(e, "rq"), cloud_request_name(RQ_DOWNLOAD)) == 0;
    const int kind = download ? RQ_DOWNLOAD : RQ_OTHER;
    if (j->pause_until_ns[kind] > 0)
        JUDGE(j, "NET-16", e->now_ns >= j->pause_until_ns[kind],
              "asks again %ld ms before the pause after an HTTP error is over",
              (long)((j->pause_until_ns[kind] - e->now_ns) / NS_PER_MS));
    j->pause_until_ns[kind] = 0;
    if (!j->main_over)
        j->requests[kind]++;
    if (kind == RQ_OTHER && j->faults_hit[CF_REDIRECT] > 0)
        judge_fail(j, "DWN-27", "followed a redirect to %s", ev_text(e, "path"));
    if (!download)
        return;
    note_spoilt(j);
    on_range(j, e);
}

static void on_reply(struct judge *j, const struct ev *e)
{
    static const struct {
        int from, to;
        const char *id;
    } rows[] = {
        {300, 399, "DWN-27"}, {403, 404, "DWN-24"}, {416, 416, "DWN-13"}, {429, 599, "NET-16"}};
    struct judge_slots *t = &j->slots;
    const int status = (int)ev_int(e, "status", 0);
    if (strcmp(ev_text(e, "rq"), cloud_request_name(RQ_DOWNLOAD)) != 0)
        return;
    check_spoilt(j, status);
    j->last_download_http = status;
    j->resume_expected = true; /* whatever follows goes on where this ended */
    if (status >= 500 || status == 429)
        j->pause_until_ns[RQ_DOWNLOAD] = e->now_ns + 500 * NS_PER_MS;
    t->bad_body = status != 200 && status != 206;
    if (!t->bad_body) {
        j->refused_in_row = 0;
        return;
    }
    judge_seen(j, "DWN-02");
    t->causes |= CAUSE_DOWNLOAD;
    j->refused_in_row++;
    t->expired = t->expired || status == 403;
    t->missing = t->missing || (status == 404 && !j->main_over);
    t->cause_to_restart = t->cause_to_restart || status == 416;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (status >= rows[i].from && status <= rows[i].to)
            JUDGE(j, rows[i].id, j->refused_in_row <= NO_DATA_MAX,
                  "%u download replies in a row with an error, the last %d", j->refused_in_row,
                  status);
}

void judge_fetch_cloud_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_CLOUD, "request"))
        on_request(j, e);
    else if (ev_is(e, LANE_CLOUD, "reply"))
        on_reply(j, e);
}

/* ---- verified and accepted ---- */

static const char *const content_ids[] = {"DWN-01", "DWN-04", "DWN-05", "DWN-12", "DWN-13",
                                          "DWN-14", "DWN-18", "INT-01", "INT-02", "INT-03",
                                          "INT-04", "INT-05", "INT-07", "INT-08", "SEC-06"};

static bool announced_sha256(const struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    const int64_t offer = j->package == NULL ? -1 : j->package->delta_id - BUILD_DELTA_ID;
    return offer >= 0 && offer < s->n_offers && s->offers[offer].sign == SIGN_SHA256;
}

static bool signature_left_out(const struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    for (uint32_t i = 0; i < s->n_faults && j->faults_hit[CF_OMIT] > 0; i++)
        if (s->faults[i].kind == CF_OMIT && strcmp(s->faults[i].text, "digestsign") == 0)
            return true;
    return false;
}

/* Whether the device must take the image for what it is signed with. */
static bool signature_is_good(const struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    if (j->package == NULL || j->package->heal)
        return true;
    if (s->image_key == IMAGE_KEY_NONE || signature_left_out(j))
        return !s->device.signature_required;
    return s->image_key == IMAGE_KEY_GOOD;
}

/* What the slot holds is the image. */
static bool image_is_whole(const struct judge *j)
{
    const struct buf *image = j->package == NULL ? NULL : j->package->image;
    if (image == NULL)
        return judge_package_intact(j);
    const uint32_t area = j->setup.update_address(j->setup.ctx);
    const uint8_t *slot = j->setup.flash(j->setup.ctx) + area;
    if (j->setup.look != NULL)
        j->setup.look(j->setup.ctx, area, (uint32_t)image->len_bytes);
    return memcmp(slot, image->data, image->len_bytes) == 0;
}

static bool is_tampered(const struct judge *j)
{
    return j->package != NULL && j->package->tamper != TAMPER_NONE;
}

static void judge_soundness(struct judge *j, bool accepted)
{
    const struct scenario *s = j->setup.scenario;
    const bool good = signature_is_good(j);
    if ((accepted || !good) && (s->image_key != IMAGE_KEY_NONE || s->device.signature_required))
        JUDGE(j, "SEC-11", !accepted || good, "an image is chosen whose signature is none of ours");
    judge_tampered(j, !accepted, "the damaged image is chosen for the next start");
}

/* The boot choice was made: what flash holds must be the image. */
void judge_slots_accepted(struct judge *j)
{
    const bool intact = image_is_whole(j);
    judge_soundness(j, true);
    if (j->package != NULL && j->package->n_parts > 1)
        JUDGE(j, "BOT-16", intact, "the slot is chosen, and not all of its %u files are whole",
              j->package->n_parts);
    judge_seen(j, "DWN-01");
    judge_seen(j, "INT-01");
    if (announced_sha256(j))
        judge_seen(j, "INT-02");
    if (j->resumed)
        judge_seen(j, "INT-08");
    for (size_t i = 0; !intact && i < sizeof content_ids / sizeof content_ids[0]; i++)
        if (judge_is_seen(j, content_ids[i]))
            judge_fail(j, content_ids[i],
                       "chosen for the next start, but flash differs from the "
                       "image");
    if (j->package != NULL && j->package->len_bytes > j->setup.package_limit) {
        judge_fail(j, "LIM-01", "accepted %u bytes; the slot holds %u", j->package->len_bytes,
                   j->setup.package_limit);
        judge_fail(j, "LIM-02", "accepted %u bytes; the slot holds %u", j->package->len_bytes,
                   j->setup.package_limit);
    }
    if (j->package != NULL && j->package->to < j->setup.scenario->n_versions &&
        j->setup.scenario->versions[j->package->to].images[0].grow_bytes != 0)
        JUDGE(j, "BOT-19", intact, "an image of another size is not whole");
    j->verified = j->pending = j->restore_allowed = true;
    j->resumed = false;
}

static void on_verify(struct judge *j, bool ok)
{
    struct judge_slots *t = &j->slots;
    const uint32_t *hit = j->faults_hit;
    judge_seen(j, "INT-01");
    t->verify_ok = ok;
    judge_traffic(j);
    if (j->silent_faults)
        judge_seen(j, "INT-07");
    if (ok) {
        judge_tampered(j, true, "");
        j->phase = PHASE_VERIFIED;
        return;
    }
    t->causes |= CAUSE_VERIFY;
    j->phase = PHASE_IDLE;
    t->cause_to_restart = true;
    j->clean_start_due = true;
    if (is_tampered(j) || !signature_is_good(j)) {
        judge_soundness(j, false);
        return;
    }
    /* A server that says what it serves damages nothing: bytes were put to the wrong place. */
    const bool damaged = hit[CF_CORRUPT] + hit[CF_SHIFT_SILENT] > 0 || j->byte_seen[LINK_CORRUPT] ||
                         j->silent_faults;
    if (hit[CF_IGNORE_RANGE] > 0 && !damaged)
        judge_fail(j, "DWN-12", "the digest does not match after a reply with the whole image");
    if (hit[CF_SHIFT] > 0 && !damaged)
        judge_fail(j, "DWN-14", "the digest does not match after a range that was moved");
    if (!j->dirty && j->setup.scenario->n_flash == 0 && t->spoils == 0 &&
        hit[CF_WRONG_DIGEST] + hit[CF_BAD_DIGEST] + hit[CF_WRONG_SIZE] + hit[CF_WRONG_SIGN] == 0 &&
        t->bad == 0) {
        judge_fail(j, "DWN-18", "the digest does not match, but nothing was damaged on the way");
        if (j->cuts > 0)
            judge_fail(j, "PWR-05",
                       "the digest does not match after a cut, but nothing was damaged");
    }
}

void judge_fetch_device_event(struct judge *j, const struct ev *e)
{
    if (ev_is(e, LANE_DEVICE, "package"))
        on_package(j, e);
    else if (ev_is(e, LANE_DEVICE, "verify"))
        on_verify(j, ev_int(e, "ok", 1) != 0);
}
