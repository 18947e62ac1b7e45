#include "sim_device/agent/link_kit/upgrade.h"

#include <string.h>

#include "common/bytes.h"
#include "common/version.h"

static const struct kit_quirks *quirks(const struct kit_upgrade *u)
{
    return &u->kit->quirks;
}

int kit_upgrade_init(struct kit_upgrade *u, struct kit *k, struct err *err)
{
    *u = (struct kit_upgrade){.kit = k};
    struct slots_config cfg;
    device_slots_config(k->config, k->board, &cfg);
    int rc = slots_open(&u->slots, &cfg, err);
    return rc == 0 ? kit_keep_open(&u->keep, k->board, &k->config->partitions,
                                   k->config->keep_offset, err)
                   : rc;
}

static void drop_stream(struct kit_upgrade *u)
{
    if (u->stream_digest != NULL)
        board_digest_free(u->kit->board, u->stream_digest);
    u->stream_digest = NULL;
}

static void drop_parts(struct kit_upgrade *u)
{
    board_free(u->kit->board, u->parts);
    u->parts = NULL;
}

void kit_upgrade_deinit(struct kit_upgrade *u)
{
    drop_stream(u);
    drop_parts(u);
}

void kit_offer_files(struct kit_offer *o, const struct device_config *c,
                     const struct kit_push_file *files, size_t n, char id[DIGEST_HEX_MAX])
{
    struct kit_parts parts;
    o->files = files;
    o->file_count = n;
    if (!kit_parts_place(&parts, c, files, n))
        return; /* it will be refused: known by its first file */
    kit_parts_id(&parts, id);
    o->method = DIGEST_SHA256;
    o->digest = id;
    o->size_bytes = kit_parts_end(&parts);
}

/* ---- which announcements are taken ---- */

static struct kit_task task_of(const struct kit_offer *o)
{
    struct kit_task t = {.method = o->method, .size_bytes = o->size_bytes};
    size_t len = strnlen(o->version, KIT_VERSION_MAX);
    memcpy(t.version, o->version, len);
    (void)hex_decode(t.digest, digest_bytes(o->method), o->digest);
    return t;
}

static bool same_task(const struct kit_task *a, const struct kit_task *b)
{
    return a->size_bytes == b->size_bytes && a->method == b->method &&
           strcmp(a->version, b->version) == 0 &&
           memcmp(a->digest, b->digest, digest_bytes(a->method)) == 0;
}

static bool is_foreign(const struct kit_upgrade *u, const struct kit_offer *o)
{
    const struct kit_identity *id = &u->kit->identity;
    return strcmp(o->product_key, id->product_key) != 0 ||
           strcmp(o->device_name, id->device_name) != 0;
}

static bool is_config(const struct kit_upgrade *u, const struct kit_offer *o)
{
    (void)u;
    return o->kind != KIT_PUSH_FIRMWARE;
}

/* The device has one image; "default" is the cloud's name for it. */
static bool is_module(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return o->module != NULL && strcmp(o->module, "default") != 0 &&
           strcmp(o->module, u->kit->config->module) != 0;
}

static bool is_chosen(const struct kit_upgrade *u, const struct kit_offer *o)
{
    (void)o;
    return u->ready;
}

static bool is_same(const struct kit_upgrade *u, const struct kit_offer *o)
{
    struct kit_task t = task_of(o);
    return u->busy && same_task(&t, &u->task);
}

/* Known by version: an older announcement that was late, or came twice. */
static bool is_late(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return u->busy && version_compare(o->version, u->task.version) < 0;
}

static bool is_current(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return version_compare(o->version, u->kit->version) == 0;
}

static bool is_older(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return version_compare(o->version, u->kit->version) < 0;
}

static bool was_given_up(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return slots_was_refused(&u->slots, o->version) != NULL;
}

static bool on_trial(const struct kit_upgrade *u, const struct kit_offer *o)
{
    (void)o;
    return slots_may_update(&u->slots, NULL) != 0;
}

static bool has_failed_enough(const struct kit_upgrade *u, const struct kit_offer *o)
{
    struct kit_task t = task_of(o);
    return same_task(&t, &u->task) && u->failures >= u->kit->config->tries;
}

static bool has_many_files(const struct kit_upgrade *u, const struct kit_offer *o)
{
    return o->file_count > 1 && u->kit->config->file_count <= 1;
}

static bool has_other_files(const struct kit_upgrade *u, const struct kit_offer *o)
{
    struct kit_parts parts;
    return u->kit->config->file_count > 1 &&
           (o->files == NULL || !kit_parts_place(&parts, u->kit->config, o->files, o->file_count));
}

static bool is_too_large(const struct kit_upgrade *u, const struct kit_offer *o)
{
    const uint32_t slot = slots_partition(&u->slots, slots_inactive(&u->slots))->size_bytes;
    return quirks(u)->no_exact_fit ? o->size_bytes >= slot : o->size_bytes > slot;
}

static bool is_another(const struct kit_upgrade *u, const struct kit_offer *o)
{
    (void)o;
    return u->busy;
}

/* In this order; the first row that holds decides. off: the quirk that removes the row. */
static const struct {
    bool (*holds)(const struct kit_upgrade *u, const struct kit_offer *o);
    enum kit_verdict verdict;
    size_t off;
    const char *why;
} rules[] = {
#define OFF(member) offsetof(struct kit_quirks, member)
#define ALWAYS      SIZE_MAX
    {is_config, KIT_IGNORE, OFF(take_config), "a configuration, not firmware"},
    {is_foreign, KIT_IGNORE, OFF(take_foreign), "for another device"},
    {is_module, KIT_IGNORE, OFF(take_foreign), "for a module that is not there"},
    {is_chosen, KIT_IGNORE, ALWAYS, "an image waits for the restart"},
    {is_same, KIT_AGAIN, OFF(no_guard), "it is being fetched"},
    {is_current, KIT_CURRENT, OFF(take_older), "it runs already"},
    {is_older, KIT_REFUSE, OFF(take_older), "older than what runs"},
    {is_late, KIT_IGNORE, OFF(take_older), "older than what was announced"},
    {was_given_up, KIT_REFUSE, ALWAYS, "it was given up before"},
    {on_trial, KIT_IGNORE, ALWAYS, "the running image is on trial"},
    {has_many_files, KIT_REFUSE, ALWAYS, "several files for one slot"},
    {has_other_files, KIT_REFUSE, ALWAYS, "not the files of this device"},
    {is_too_large, KIT_REFUSE, OFF(no_size_limit), "larger than the slot"},
    {has_failed_enough, KIT_IGNORE, OFF(endless_tries), "it failed often enough"},
    {is_another, KIT_INSTEAD, ALWAYS, "newer than what is being fetched"},
};

enum kit_verdict kit_upgrade_judge(const struct kit_upgrade *u, const struct kit_offer *o,
                                   const char **why)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        bool off = rules[i].off != ALWAYS && *((const bool *)quirks(u) + rules[i].off);
        if (off || !rules[i].holds(u, o))
            continue;
        *why = rules[i].why;
        return rules[i].verdict;
    }
    *why = "it is new";
    return KIT_TAKE;
}

bool kit_upgrade_refuse(struct kit_upgrade *u, const struct kit_offer *o)
{
    struct kit_task t = task_of(o);
    if (same_task(&t, &u->refused))
        return false;
    u->refused = t;
    return true;
}

/* ---- one download ---- */

static void start_stream(struct kit_upgrade *u)
{
    drop_stream(u);
    if (quirks(u)->digest_of_stream)
        u->stream_digest = board_digest_begin(u->kit->board, u->task.method);
}

_Static_assert(KIT_VERSION_MAX + 1 + DIGEST_BYTES_MAX + 5 <= KIT_KEEP_TASK, "a task fits");

static void describe(const struct kit_task *t, uint8_t out[KIT_KEEP_TASK])
{
    memset(out, 0, KIT_KEEP_TASK);
    put_le32(out, t->size_bytes);
    out[4] = (uint8_t)t->method;
    memcpy(out + 5, t->digest, DIGEST_BYTES_MAX);
    memcpy(out + 5 + DIGEST_BYTES_MAX, t->version, KIT_VERSION_MAX + 1);
}

/* Goes on where an earlier power-on came, or begins. What was told then is not told again. */
static void recall(struct kit_upgrade *u)
{
    uint8_t task[KIT_KEEP_TASK];
    describe(&u->task, task);
    const uint32_t at = kit_keep_recall(&u->keep, task);
    if (at == 0 || at > u->image.size_bytes) {
        kit_keep_begin(&u->keep, task);
        return;
    }
    kit_image_resume(&u->image, at);
    const uint64_t before = (uint64_t)at + u->keep.step_bytes - 1;
    const uint64_t percent = before * 100 / u->task.size_bytes;
    u->last_step = (int)(percent < 99 ? percent : 99) / KIT_STEP_GRID * KIT_STEP_GRID;
}

/* Where the files of the task go; false without memory. */
static bool place_files(struct kit_upgrade *u, const struct kit_offer *o)
{
    drop_parts(u);
    if (o->file_count <= 1)
        return true;
    u->parts = board_alloc(u->kit->board, sizeof *u->parts);
    return u->parts != NULL && kit_parts_place(u->parts, u->kit->config, o->files, o->file_count);
}

int kit_upgrade_begin(struct kit_upgrade *u, const struct kit_offer *o)
{
    struct board *b = u->kit->board;
    struct kit_task t = task_of(o);
    bool again = same_task(&t, &u->task) && !u->stale;
    struct err err;
    if (!same_task(&t, &u->task)) {
        u->last_step = 0;
        u->failures = 0;
    }
    u->task = t;
    u->told = u->stale = false;
    if (!place_files(u, o))
        return KIT_STEP_UPGRADE;
    if (!again) {
        const struct partition *part = slots_partition(&u->slots, slots_inactive(&u->slots));
        uint32_t size = quirks(u)->no_size_limit && t.size_bytes > part->size_bytes
                            ? part->size_bytes
                            : t.size_bytes;
        if (kit_image_begin(&u->image, b, part, size, &err) != 0) {
            kit_log(b, "%s", err.text);
            return KIT_STEP_UPGRADE;
        }
        start_stream(u);
        recall(u);
    }
    u->busy = true;
    KIT_EVENT(b, "package", F_INT("bytes", t.size_bytes), F_STR("version", u->task.version));
    if (u->image.stored_bytes > 0)
        KIT_EVENT(b, "resume", F_INT("from", u->image.stored_bytes), F_INT("of", t.size_bytes));
    return 0;
}

void kit_upgrade_restart(struct kit_upgrade *u)
{
    uint8_t task[KIT_KEEP_TASK];
    describe(&u->task, task);
    kit_keep_begin(&u->keep, task);
    const struct kit_part *p =
        u->parts != NULL ? kit_parts_at(u->parts, u->image.stored_bytes) : NULL;
    if (p != NULL)
        kit_image_resume(&u->image, p->offset); /* the files before it are there */
    else
        kit_image_restart(&u->image);
    start_stream(u);
}

/* Bytes that the file under way still takes. */
static uint64_t room(const struct kit_upgrade *u)
{
    const uint32_t at = u->image.stored_bytes;
    const struct kit_part *p = u->parts != NULL ? kit_parts_at(u->parts, at) : NULL;
    return u->parts == NULL ? UINT64_MAX : p == NULL ? 0 : p->offset + p->size_bytes - at;
}

int kit_upgrade_write(struct kit_upgrade *u, const void *data, size_t len_bytes)
{
    if (len_bytes > room(u))
        return KIT_STEP_FETCH;
    if (quirks(u)->offset_first)
        kit_keep_reached(&u->keep, u->image.stored_bytes + (uint32_t)len_bytes);
    int rc = kit_image_write(&u->image, data, len_bytes);
    if (rc == 0)
        kit_keep_reached(&u->keep, u->image.stored_bytes - u->image.filled);
    if (rc == 0 && u->stream_digest != NULL)
        board_digest_update(u->stream_digest, data, len_bytes);
    /* What a failed program left cannot be gone on with. */
    if (rc == ERR_IO)
        u->stale = true;
    return rc == 0 ? 0 : rc == ERR_LIMIT ? KIT_STEP_FETCH : KIT_STEP_BURN;
}

int kit_upgrade_next_file(struct kit_upgrade *u, uint32_t n, uint32_t *file, uint32_t *at)
{
    const struct kit_part *p = kit_parts_at(u->parts, u->image.stored_bytes);
    *file = p != NULL ? p->file : n;
    *at = 0;
    if (p == NULL)
        return 0;
    if (u->image.stored_bytes < p->offset && kit_image_skip(&u->image, p->offset) != 0) {
        u->stale = true;
        return KIT_STEP_BURN;
    }
    *at = u->image.stored_bytes - p->offset;
    return 0;
}

static bool is_good(const struct kit_upgrade *u, const struct kit_part *p)
{
    uint8_t got[DIGEST_BYTES_MAX];
    if (quirks(u)->skip_digest || (quirks(u)->first_file_only && p != &u->parts->part[0]))
        return true;
    return kit_image_digest_part(&u->image, p->offset, p->size_bytes, p->method, got) == 0 &&
           memcmp(got, p->digest, digest_bytes(p->method)) == 0;
}

int kit_upgrade_file_over(struct kit_upgrade *u, uint32_t file)
{
    for (uint32_t i = 0; i < u->parts->n; i++) {
        const struct kit_part *p = &u->parts->part[i];
        if (p->file != file)
            continue;
        if (u->image.stored_bytes < p->offset + p->size_bytes)
            return KIT_STEP_FETCH;
        if (kit_image_flush(&u->image) != 0) {
            u->stale = true;
            return KIT_STEP_BURN;
        }
        return is_good(u, p) ? 0 : kit_upgrade_mismatch(u);
    }
    return KIT_STEP_FETCH;
}

/* Every file, whichever start has stored it. */
static bool all_are_good(const struct kit_upgrade *u)
{
    for (uint32_t i = 0; i < u->parts->n; i++)
        if (!is_good(u, &u->parts->part[i]))
            return false;
    return true;
}

static int choose(struct kit_upgrade *u, const uint8_t *want)
{
    struct err err;
    int rc = slots_set_boot(&u->slots, u->image.size_bytes, want, u->task.version, &err);
    if (rc != 0) {
        kit_log(u->kit->board, "boot choice: %s", err.text);
        return rc == ERR_DIGEST ? KIT_STEP_CHECK : rc == ERR_IO ? KIT_STEP_BURN : KIT_STEP_UPGRADE;
    }
    u->ready = true;
    kit_keep_forget(&u->keep);
    KIT_EVENT(u->kit->board, "pending", F_STR("version", u->task.version));
    return 0;
}

/* The digest of the image, as flash holds it. */
static int digest(struct kit_upgrade *u, uint8_t *out)
{
    if (u->stream_digest == NULL)
        return kit_image_digest(&u->image, u->task.method, out);
    board_digest_end(u->stream_digest, out);
    drop_stream(u);
    return 0;
}

static int verify(struct kit_upgrade *u)
{
    uint8_t got[DIGEST_BYTES_MAX];
    if (quirks(u)->skip_digest)
        return 0;
    bool ok = u->parts != NULL ? all_are_good(u)
                               : digest(u, got) == 0 &&
                                     memcmp(got, u->task.digest, digest_bytes(u->task.method)) == 0;
    KIT_EVENT(u->kit->board, "verify", F_INT("ok", ok));
    u->stale = !ok;
    if (!ok)
        kit_keep_forget(&u->keep);
    return ok ? 0 : KIT_STEP_CHECK;
}

int kit_upgrade_mismatch(struct kit_upgrade *u)
{
    KIT_EVENT(u->kit->board, "verify", F_INT("ok", 0));
    kit_keep_forget(&u->keep);
    u->stale = true;
    return KIT_STEP_CHECK;
}

int kit_upgrade_finish(struct kit_upgrade *u)
{
    int rc = kit_image_end(&u->image);
    if (rc != 0) {
        u->stale = rc == ERR_IO;
        return rc == ERR_IO ? KIT_STEP_BURN : KIT_STEP_FETCH;
    }
    /* The boot loader keeps a SHA-256 of its own; an announced one must be that one. */
    bool sha = u->parts == NULL && u->task.method == DIGEST_SHA256 && !quirks(u)->skip_digest;
    if (quirks(u)->boot_before_verify && (rc = choose(u, NULL)) != 0)
        return rc;
    rc = verify(u);
    if (rc == 0 && !u->ready)
        rc = choose(u, sha && !quirks(u)->digest_of_stream ? u->task.digest : NULL);
    if (rc == 0)
        u->busy = false;
    else
        kit_keep_forget(&u->keep);
    u->stale = rc != 0;
    return rc;
}

/* ---- what the cloud is told ---- */

int kit_upgrade_progress(struct kit_upgrade *u, int percent)
{
    int most = u->ready ? 100 : 99;
    int step = percent < most ? percent : most;
    if (quirks(u)->progress_restarts && percent == 0) {
        u->last_step = 0;
        return 0;
    }
    if (u->told || step <= u->last_step || (step < 100 && step - u->last_step < KIT_STEP_GRID))
        return 0;
    u->last_step = step;
    u->told = step == 100;
    return step;
}

int kit_upgrade_fail(struct kit_upgrade *u, int step)
{
    u->busy = false;
    u->failures++;
    if (u->told)
        return 0;
    u->told = true;
    return quirks(u)->one_failure_code ? KIT_STEP_UPGRADE : step;
}

void kit_upgrade_abandon(struct kit_upgrade *u)
{
    u->busy = false;
    u->told = true;
}

bool kit_upgrade_cancel(struct kit_upgrade *u, uint32_t percent)
{
    const uint32_t at = u->kit->config->cancel_at_percent;
    if (at == 0 || u->cancelled || percent < at)
        return false;
    u->cancelled = true;
    KIT_EVENT(u->kit->board, "cancel", F_INT("percent", percent));
    return !quirks(u)->cancel_goes_on;
}

void kit_upgrade_confirm(struct kit_upgrade *u)
{
    struct err err;
    if (!slots_on_trial(&u->slots) || quirks(u)->never_confirm)
        return;
    if (slots_confirm(&u->slots, &err) != 0)
        kit_log(u->kit->board, "confirm: %s", err.text);
}
