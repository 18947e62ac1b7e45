/* What a start does, as a table. */
#include <string.h>

#include "sim_device/boot/slots_record.h"

#define TRIES 3 /* of reading the record or an image */

/* ---- the decision ---- */

enum budget { BUDGET_ANY, BUDGET_LEFT, BUDGET_SPENT };

/* The first row whose conditions hold; SLOTS_UNKNOWN: whatever it is. "other" is the slot that is
 * not active: the one that is pending or on trial. */
struct rule {
    enum slots_state state;
    enum budget budget;
    enum slots_verdict other, active;
    enum boot_result (*act)(struct slots_boot *s);
};

static enum boot_result begin_trial(struct slots_boot *s);
static enum boot_result count_start(struct slots_boot *s);
static enum boot_result refuse(struct slots_boot *s);
static enum boot_result roll_back(struct slots_boot *s);
static enum boot_result run_other(struct slots_boot *s);
static enum boot_result run_active(struct slots_boot *s);
static enum boot_result fall_back(struct slots_boot *s);
static enum boot_result nothing_whole(struct slots_boot *s);

static const struct rule rules[] = {
    {SLOTS_PENDING, BUDGET_ANY, SLOTS_GOOD, SLOTS_UNKNOWN, begin_trial},
    {SLOTS_PENDING, BUDGET_ANY, SLOTS_BAD, SLOTS_UNKNOWN, refuse},
    {SLOTS_TRIAL, BUDGET_LEFT, SLOTS_GOOD, SLOTS_UNKNOWN, count_start},
    {SLOTS_TRIAL, BUDGET_ANY, SLOTS_BAD, SLOTS_UNKNOWN, refuse},
    {SLOTS_TRIAL, BUDGET_SPENT, SLOTS_GOOD, SLOTS_GOOD, roll_back},
    /* Nothing to go back to: an image that starts is better than none. */
    {SLOTS_TRIAL, BUDGET_SPENT, SLOTS_GOOD, SLOTS_BAD, run_other},
    {SLOTS_STEADY, BUDGET_ANY, SLOTS_UNKNOWN, SLOTS_GOOD, run_active},
    {SLOTS_STEADY, BUDGET_ANY, SLOTS_GOOD, SLOTS_BAD, fall_back},
    {SLOTS_STEADY, BUDGET_ANY, SLOTS_BAD, SLOTS_BAD, nothing_whole},
};

static bool budget_is(const struct slots_boot *s, enum budget budget)
{
    bool left = s->cfg.breaks.no_count || s->record.starts < s->cfg.trial_boots_max;
    return budget == BUDGET_ANY || left == (budget == BUDGET_LEFT);
}

/* ---- work ---- */

static uint32_t other_slot(const struct slots_boot *s)
{
    return 1 - s->record.active;
}

static void tell_verdict(struct slots_boot *s, uint32_t slot, const char *reason)
{
    bool ok = s->verdict[slot] == SLOTS_GOOD;
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "verify", F_INT("slot", slot), F_INT("ok", ok),
                F_STR("reason", reason));
}

static enum boot_result judged(struct slots_boot *s, uint32_t slot, enum slots_verdict verdict,
                               const char *reason)
{
    s->verdict[slot] = verdict;
    s->tries = 0;
    tell_verdict(s, slot, reason);
    return BOOT_MORE;
}

static enum boot_result verify(struct slots_boot *s, uint32_t slot)
{
    const struct slots_image *image = &s->record.image[slot];
    const struct partition *p = slots_place(s->cfg.partitions, slot);
    uint8_t got[SHA256_BYTES];
    if (s->cfg.breaks.no_verify)
        return judged(s, slot, SLOTS_GOOD, "not looked at");
    if (image->len_bytes == 0)
        return slot == s->record.active ? judged(s, slot, SLOTS_GOOD, "as the factory left it")
                                        : judged(s, slot, SLOTS_BAD, "no image");
    if (image->len_bytes > p->size_bytes)
        return judged(s, slot, SLOTS_BAD, "longer than the slot");
    int rc = board_digest_flash(s->cfg.board, DIGEST_SHA256, p->offset, image->len_bytes, got);
    if (rc != 0 && rc != ERR_DIGEST && ++s->tries < TRIES)
        return BOOT_MORE;
    if (rc != 0)
        return judged(s, slot, SLOTS_BAD, "cannot be read");
    return memcmp(got, image->sha256, sizeof got) == 0
               ? judged(s, slot, SLOTS_GOOD, "")
               : judged(s, slot, SLOTS_BAD, "SHA-256 is another");
}

static enum boot_result run(struct slots_boot *s, uint32_t slot)
{
    s->slot = slot;
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "run", F_INT("slot", slot));
    return BOOT_RUN;
}

static bool store(struct slots_boot *s, const struct slots_record *next)
{
    struct err err = {0};
    if (slots_store(&s->twin, next, &err) != 0) {
        BOARD_EVENT(s->cfg.board, LANE_BOOT, "record", F_STR("error", err.text));
        return false;
    }
    s->record = *next;
    return true;
}

static void tell_trial(struct slots_boot *s)
{
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "trial", F_INT("slot", other_slot(s)),
                F_INT("start", s->record.starts), F_INT("of", s->cfg.trial_boots_max));
}

static enum boot_result run_active(struct slots_boot *s)
{
    return run(s, s->record.active);
}

static enum boot_result run_other(struct slots_boot *s)
{
    return run(s, other_slot(s));
}

/* A start that cannot be counted is not made: nothing would end a row of them. */
static enum boot_result start_trial(struct slots_boot *s, const struct slots_record *next)
{
    if (!store(s, next))
        return run_active(s);
    tell_trial(s);
    return run_other(s);
}

static enum boot_result begin_trial(struct slots_boot *s)
{
    struct slots_record next = s->record;
    next.state = SLOTS_TRIAL;
    next.starts = 1;
    if (s->cfg.breaks.no_trial) {
        next.state = SLOTS_STEADY;
        next.active = other_slot(s);
        return store(s, &next) ? BOOT_MORE : run_active(s);
    }
    return start_trial(s, &next);
}

static enum boot_result count_start(struct slots_boot *s)
{
    struct slots_record next = s->record;
    if (s->cfg.breaks.no_count) {
        tell_trial(s);
        return run_other(s);
    }
    next.starts++;
    return start_trial(s, &next);
}

static enum boot_result give_up(struct slots_boot *s, enum slots_reason reason)
{
    struct slots_record next = s->record;
    slots_give_up(&next, reason);
    slots_tell_rollback(s->cfg.board, &next, reason);
    if (!store(s, &next))
        s->record = next; /* for this start; the next one comes here again */
    return BOOT_MORE;
}

static enum boot_result refuse(struct slots_boot *s)
{
    return give_up(s, SLOTS_NOT_WHOLE);
}

static enum boot_result roll_back(struct slots_boot *s)
{
    return give_up(s, SLOTS_NOT_CONFIRMED);
}

static enum boot_result fall_back(struct slots_boot *s)
{
    struct slots_record next = s->record;
    next.active = other_slot(s);
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "rollback", F_INT("from", s->record.active),
                F_INT("to", next.active), F_STR("reason", slots_reason_name(SLOTS_NOT_WHOLE)),
                F_STR("version", s->record.image[s->record.active].version));
    if (!store(s, &next))
        s->record = next;
    return run_active(s);
}

static enum boot_result bricked(struct slots_boot *s, const char *reason)
{
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "bricked", F_STR("reason", reason));
    return BOOT_BRICKED;
}

static enum boot_result nothing_whole(struct slots_boot *s)
{
    return bricked(s, "no slot holds a whole image");
}

/* ---- the machine ---- */

void slots_boot_begin(struct slots_boot *s, const struct slots_config *cfg)
{
    memset(s, 0, sizeof *s);
    s->cfg = *cfg;
}

/* A chip that lets nothing be written still starts what it holds; one that cannot be read has
 * nothing that could be verified. */
static enum boot_result open_record(struct slots_boot *s)
{
    struct err err = {0};
    int rc = slots_load(&s->twin, &s->cfg, &s->record, &err);
    if (rc != 0 && ++s->tries < TRIES)
        return BOOT_MORE;
    if (rc != 0)
        return bricked(s, err.text);
    rc = s->twin.valid ? twin_settle(&s->twin, &err) : slots_store(&s->twin, &s->record, &err);
    if (rc != 0)
        BOARD_EVENT(s->cfg.board, LANE_BOOT, "record", F_STR("error", err.text));
    s->open = true;
    s->tries = 0;
    BOARD_EVENT(s->cfg.board, LANE_BOOT, "boot", F_INT("slot", slots_record_running(&s->record)),
                F_STR("state", slots_state_name(s->record.state)),
                F_INT("starts", s->record.starts));
    return BOOT_MORE;
}

enum boot_result slots_boot_step(struct slots_boot *s)
{
    if (!s->open)
        return open_record(s);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];
        uint32_t slot[SLOTS] = {other_slot(s), s->record.active};
        enum slots_verdict want[SLOTS] = {r->other, r->active};
        bool holds = r->state == s->record.state && budget_is(s, r->budget);
        for (int j = 0; j < SLOTS && holds; j++) {
            if (want[j] != SLOTS_UNKNOWN && s->verdict[slot[j]] == SLOTS_UNKNOWN)
                return verify(s, slot[j]);
            holds = want[j] == SLOTS_UNKNOWN || want[j] == s->verdict[slot[j]];
        }
        if (holds)
            return r->act(s);
    }
    return nothing_whole(s);
}
