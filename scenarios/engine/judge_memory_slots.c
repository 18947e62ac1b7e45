/* What a judge remembers of a device with two slots. */
#include <stddef.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/judge_memory.h"

_Static_assert(sizeof(struct judge_slots_memory) ==
                   offsetof(struct judge_slots_memory, confirmed) + DEVICE_TEXT_MAX,
               "no padding");

_Static_assert(sizeof(((struct judge_slots_memory *)NULL)->codes_arrived) ==
                   JUDGE_CODES_MAX * sizeof(int32_t),
               "room for all");

#define REFUSED_MAX 1000u /* replies in a row without data, far beyond what is allowed */

static void put_text(char out[DEVICE_TEXT_MAX], const char *text)
{
    memcpy(out, text, strnlen(text, DEVICE_TEXT_MAX - 1));
}

static bool counts_installs(const struct scenario *s)
{
    bool counts = s->n_offers >= 3; /* a chain of updates */
    for (uint32_t i = 0; i < s->n_faults; i++)
        counts = counts || s->faults[i].kind == CF_FORGED;
    return counts;
}

/* Where no script keeps a device from the update, it must get there whether or not something came
 * late. */
static bool is_scripted(const struct scenario *s)
{
    return s->n_net > 0 || s->n_pushes > 0;
}

/* What a judge of two slots never asks for, and what every start begins anew, is in one form. */
static void leave_out(const struct judge *j, struct judge_memory *out)
{
    /* Of an interrupted download it is asked what is stored, if that can matter. */
    const bool download = j->phase == PHASE_DOWNLOAD && judge_slots_resume_matters(j);
    out->phase = (uint8_t)(download ? PHASE_DOWNLOAD : PHASE_IDLE);
    if (!download)
        out->package = 0;
    out->last_download_http = 0;
    out->breaks = 0;
    memset(out->version, 0, sizeof out->version);
    if (counts_installs(j->setup.scenario))
        return;
    out->restored_count = 0;
    memset(out->restored_to, 0, sizeof out->restored_to);
}

/* Codes that were told before they arrived are settled, and what was told and did not arrive is not
 * waited for beyond a start. */
static void put_codes(const struct judge_slots *t, struct judge_slots_memory *m)
{
    uint32_t i = 0, at = 0;
    for (; i < t->n_arrived; i++, at++) {
        while (at < t->n_told && t->codes_told[at] != t->codes_arrived[i])
            at++;
        if (at == t->n_told)
            break;
    }
    for (; i < t->n_arrived; i++)
        m->codes_arrived[m->n_arrived++] = t->codes_arrived[i];
}

void judge_remember_slots(const struct judge *j, struct judge_memory *out)
{
    const struct judge_slots *t = &j->slots;
    struct judge_slots_memory *m = &out->slots;
    const bool flags[SLOTS_FLAGS] = {[SLOTS_OWED] = t->owed,
                                     [SLOTS_RECORD_UPGRADING] = t->record_upgrading,
                                     [SLOTS_CHOSEN] = t->chosen,
                                     [SLOTS_ROLLED_BACK] = t->rolled_back,
                                     [SLOTS_CONFIRMED] = t->confirmed,
                                     [SLOTS_CRASH_SEEN] = t->fates_seen[0],
                                     [SLOTS_LOST_SEEN] = t->fates_seen[1],
                                     [SLOTS_MQTT_FAULT] = t->mqtt_fault,
                                     [SLOTS_FAULT_IN_DOWNLOAD] = t->fault_in_download,
                                     [SLOTS_PUBLISH_FAILED] = t->publish_failed,
                                     [SLOTS_LATE_OR_AGAIN] =
                                         t->late_or_again || !is_scripted(j->setup.scenario)};
    leave_out(j, out);
    for (int i = 0; i < SLOTS_FLAGS; i++)
        m->flags[i] = flags[i];
    m->newest_bytes = t->newest.version[0] == '\0' ? 0 : t->newest.size_bytes;
    m->written_end = out->package != 0 ? t->written_end : 0; /* it is being downloaded */
    m->stored_at_cut = j->cut_since_range ? t->stored_at_cut : 0;
    m->refused_in_row = j->refused_in_row < REFUSED_MAX ? j->refused_in_row : REFUSED_MAX;
    m->chosen_slot = (uint8_t)(t->chosen ? t->chosen_slot : 0);
    m->back_to = (uint8_t)(t->rolled_back ? t->back_to : 0);
    put_codes(t, m);
    put_text(m->newest, t->newest.version);
    put_text(m->refused, t->refused);
    put_text(m->interrupted, t->interrupted);
    put_text(m->fate, t->fate_version);
    if (t->confirmed)
        put_text(m->confirmed, t->confirmed_version);
}

void judge_recall_slots(struct judge *j, const struct judge_memory *memory)
{
    const struct judge_slots_memory *m = &memory->slots;
    struct judge_slots *t = &j->slots;
    t->owed = m->flags[SLOTS_OWED];
    t->record_upgrading = m->flags[SLOTS_RECORD_UPGRADING];
    t->chosen = m->flags[SLOTS_CHOSEN];
    t->rolled_back = m->flags[SLOTS_ROLLED_BACK];
    t->confirmed = m->flags[SLOTS_CONFIRMED];
    t->late_or_again = m->flags[SLOTS_LATE_OR_AGAIN];
    t->starts_since_confirm = t->confirmed;
    t->fates_seen[0] = m->flags[SLOTS_CRASH_SEEN];
    t->fates_seen[1] = m->flags[SLOTS_LOST_SEEN];
    t->mqtt_fault = m->flags[SLOTS_MQTT_FAULT];
    t->fault_in_download = m->flags[SLOTS_FAULT_IN_DOWNLOAD];
    t->publish_failed = m->flags[SLOTS_PUBLISH_FAILED];
    t->n_arrived = m->n_arrived;
    for (uint32_t i = 0; i < JUDGE_CODES_MAX; i++)
        t->codes_arrived[i] = m->codes_arrived[i];
    t->newest.size_bytes = m->newest_bytes;
    t->written_end = m->written_end;
    t->stored_at_cut = m->stored_at_cut;
    j->refused_in_row = m->refused_in_row;
    t->chosen_slot = m->chosen_slot;
    t->back_to = m->back_to;
    memcpy(t->newest.version, m->newest, sizeof t->newest.version);
    memcpy(t->refused, m->refused, sizeof t->refused);
    memcpy(t->interrupted, m->interrupted, sizeof t->interrupted);
    memcpy(t->fate_version, m->fate, sizeof t->fate_version);
    memcpy(t->confirmed_version, m->confirmed, sizeof t->confirmed_version);
}

const char *judge_slots_memory_wrong(const struct judge_slots_memory *m)
{
    const char *texts[] = {m->newest, m->refused, m->interrupted, m->fate, m->confirmed};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strnlen(texts[i], DEVICE_TEXT_MAX) == DEVICE_TEXT_MAX)
            return "a text without end";
    for (size_t i = 0; i < sizeof m->flags; i++)
        if (m->flags[i] > (i < SLOTS_FLAGS))
            return "a flag of the slots";
    if (m->n_arrived > JUDGE_CODES_MAX)
        return "a number of codes";
    if (m->chosen_slot > 1 || m->back_to > 1)
        return "a slot";
    if (m->refused_in_row > REFUSED_MAX)
        return "a number of refusals";
    return m->zero0[0] != 0 || m->zero0[1] != 0 || m->zero1 != 0 ? "padding of the slots" : NULL;
}
