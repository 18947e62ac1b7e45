/*
 * What can be wrong with a device on purpose: "breaks" built into it, "quirks" of the vendors'
 * clients and of careless applications, "fates" of its images. Each word is one switch; which words
 * there are depends on the agent.
 */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define DEFECTS_MAX 64 /* of one list */

struct defect {
    const char *word;
    size_t offset; /* of a bool in struct device_config */
};

#define CMS_BREAK(word, member)                                                                    \
    {                                                                                              \
        word, offsetof(struct device_config, breaks.member)                                        \
    }
#define MQTT_BREAK(word, member)                                                                   \
    {                                                                                              \
        word, offsetof(struct device_config, mqtt_breaks.member)                                   \
    }
#define UOTA_QUIRK(word, member)                                                                   \
    {                                                                                              \
        word, offsetof(struct device_config, quirks.member)                                        \
    }

static const struct defect cms_breaks[] = {
    CMS_BREAK("skip-digest", skip_digest),
    CMS_BREAK("resume-too-far", resume_too_far),
    CMS_BREAK("no-journal", no_journal),
    CMS_BREAK("mark-before-write", mark_before_write),
    CMS_BREAK("ignore-range", ignore_range),
    CMS_BREAK("endless-retry", endless_retry),
    CMS_BREAK("report-before-verify", report_before_verify),
    CMS_BREAK("forget-report", forget_report),
    CMS_BREAK("accept-any-status", accept_any_status),
    CMS_BREAK("no-size-limit", no_size_limit),
    CMS_BREAK("no-exact-fit", no_exact_fit),
    CMS_BREAK("pending-before-verify", pending_before_verify),
    CMS_BREAK("resume-any-package", resume_any_package),
    CMS_BREAK("resume-rounds-up", resume_rounds_up),
    CMS_BREAK("erase-ahead", erase_ahead),
    CMS_BREAK("erase-on-resume", erase_on_resume),
    CMS_BREAK("short-blank-check", short_blank_check),
    CMS_BREAK("reset-to-resume", reset_to_resume),
    CMS_BREAK("record-one-copy", state.one_copy),
    CMS_BREAK("record-erase-first", state.erase_first),
    CMS_BREAK("record-no-check", state.no_check),
    CMS_BREAK("record-loose-marks", state.loose_marks),
    CMS_BREAK("record-narrow-marks", state.narrow_marks),
    CMS_BREAK("record-roll-in-place", state.roll_in_place),
    CMS_BREAK("record-append-marks", state.append_marks),
    CMS_BREAK("boot-skip-verify", boot.skip_verify),
    CMS_BREAK("boot-skip-backup", boot.skip_backup),
    CMS_BREAK("boot-skip-journal", boot.skip_journal),
    CMS_BREAK("boot-begin-first", boot.begin_first),
    CMS_BREAK("boot-recheck-base", boot.recheck_base),
    CMS_BREAK("boot-staged-first", boot.staged_first),
    CMS_BREAK("boot-done-first", boot.done_first),
    CMS_BREAK("boot-reuse-early", boot.reuse_early),
    CMS_BREAK("boot-short-check", boot.short_check),
    CMS_BREAK("boot-restart-file", boot.restart_file),
    CMS_BREAK("boot-clear-first", boot.clear_first),
    CMS_BREAK("boot-clear-pending", boot.clear_pending),
    CMS_BREAK("boot-forget-if-resumed", boot.forget_if_resumed),
};
#define CMS_BREAKS (sizeof cms_breaks / sizeof cms_breaks[0])
_Static_assert(CMS_BREAKS == sizeof(struct device_breaks), "every break has a word");

/* "skip-digest" of the Link SDKs' applications is a quirk. */
static const struct defect mqtt_breaks[] = {
    MQTT_BREAK("slots-no-verify", slots.no_verify),
    MQTT_BREAK("slots-no-count", slots.no_count),
    MQTT_BREAK("slots-no-trial", slots.no_trial),
    MQTT_BREAK("slots-single-copy", slots.single_copy),
    MQTT_BREAK("kv-single-copy", kv_single_copy),
    MQTT_BREAK("kv-no-resume", kv_no_resume),
    MQTT_BREAK("uota-skip-digest", skip_digest),
    MQTT_BREAK("uota-skip-signature", skip_signature),
};
#define MQTT_BREAKS (sizeof mqtt_breaks / sizeof mqtt_breaks[0])
_Static_assert(MQTT_BREAKS == sizeof(struct device_mqtt_breaks), "every break has a word");

static const struct defect uota_quirks[] = {
    UOTA_QUIRK("text-compare", text_compare),     UOTA_QUIRK("no-resume", no_resume),
    UOTA_QUIRK("double-off-bp", double_off_bp),   UOTA_QUIRK("failure-reboots", failure_reboots),
    UOTA_QUIRK("step-100-first", step_100_first), UOTA_QUIRK("step-0-first", step_0_first),
    UOTA_QUIRK("own-codes", own_codes),           UOTA_QUIRK("early-codes", early_codes),
    UOTA_QUIRK("raw-chunks", raw_chunks),         UOTA_QUIRK("any-length", any_length),
};
#define UOTA_QUIRKS (sizeof uota_quirks / sizeof uota_quirks[0])
_Static_assert(UOTA_QUIRKS == sizeof(struct uota_quirks), "every quirk has a word");

static bool break_at(size_t i, struct defect *out)
{
    if (i < CMS_BREAKS + MQTT_BREAKS)
        *out = i < CMS_BREAKS ? cms_breaks[i] : mqtt_breaks[i - CMS_BREAKS];
    return i < CMS_BREAKS + MQTT_BREAKS;
}

static bool break_is_of(size_t i, enum device_agent agent)
{
    return (i < CMS_BREAKS) == (agent == AGENT_CMIOT);
}

static bool quirk_at(size_t i, struct defect *out)
{
    const struct kit_quirk *q = i < UOTA_QUIRKS ? NULL : kit_quirk_at(i - UOTA_QUIRKS);
    if (i < UOTA_QUIRKS)
        *out = uota_quirks[i];
    else if (q != NULL)
        *out = (struct defect){q->name, offsetof(struct device_config, link) + q->offset};
    return i < UOTA_QUIRKS || q != NULL;
}

static bool quirk_is_of(size_t i, enum device_agent agent)
{
    return (i < UOTA_QUIRKS) == (agent == AGENT_UOTA);
}

const char *break_word(int index)
{
    struct defect d;
    return break_at((size_t)index, &d) ? d.word : NULL;
}

const char *quirk_word(int index)
{
    struct defect d;
    return quirk_at((size_t)index, &d) ? d.word : NULL;
}

/* Both lists are read and written alike. */
struct defects {
    bool (*at)(size_t i, struct defect *out);
    bool (*is_of)(size_t i, enum device_agent agent);
};
static const struct defects breaks = {break_at, break_is_of};
static const struct defects quirks = {quirk_at, quirk_is_of};

/* The agent's, the record's, the boot loader's words: whichever it begins like. */
static const char *family_of(const char *word)
{
    static const char *const families[] = {"record-", "boot-", "slots-", "kv-"};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strncmp(word, families[i], strlen(families[i])) == 0)
            return families[i];
    return "";
}

static int unknown(const struct reader *r, const struct defects *of, const cJSON *item)
{
    const char *family = family_of(cJSON_IsString(item) ? item->valuestring : "");
    char list[700] = "";
    struct defect d;
    for (size_t i = 0; of->at(i, &d); i++)
        if (of->is_of(i, r->s->device.agent) && strcmp(family_of(d.word), family) == 0) {
            size_t used = strlen(list);
            (void)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", d.word);
        }
    const bool more = of == &breaks && family[0] == '\0' && r->s->device.agent == AGENT_CMIOT;
    return json_error(r->root, item, r->err, "is not among %s%s", list,
                      more ? ", record-..., boot-..." : "");
}

static int read_words(const struct reader *r, const struct field *f, const cJSON *obj,
                      const struct defects *of)
{
    struct device_config *c = &r->s->device;
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, DEFECTS_MAX, &array, r->err);
    const cJSON *item;
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(item, array)
    {
        struct defect d = {0};
        size_t i = 0;
        while (of->at(i, &d) && !(cJSON_IsString(item) && of->is_of(i, c->agent) &&
                                  strcmp(item->valuestring, d.word) == 0))
            i++;
        if (!of->at(i, &d))
            return unknown(r, of, item);
        *(bool *)(void *)((char *)c + d.offset) = true;
    }
    return 0;
}

static void write_words(struct writer *w, const char *key, const struct defects *of)
{
    const struct device_config *c = &w->s->device;
    struct defect d;
    write_open(w, key, '[');
    for (size_t i = 0; of->at(i, &d); i++)
        if (of->is_of(i, c->agent) && *(const bool *)(const void *)((const char *)c + d.offset))
            write_text(w, NULL, d.word);
    write_close(w, ']');
}

int breaks_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    (void)base;
    return read_words(r, f, obj, &breaks);
}

void breaks_write(struct writer *w, const struct field *f, const void *base)
{
    (void)base;
    write_words(w, f->key, &breaks);
}

int quirks_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    (void)base;
    return read_words(r, f, obj, &quirks);
}

void quirks_write(struct writer *w, const struct field *f, const void *base)
{
    (void)base;
    write_words(w, f->key, &quirks);
}

/* ---- what images do ---- */

static const char *fate_word(int index)
{
    return index <= IMAGE_ROLLS_BACK ? device_image_fate_name((enum device_image_fate)index) : NULL;
}

static void fate_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    memset(item, 0, sizeof(struct device_image_rule));
}

static const struct field fate_fields[] = {
    {"version", FIELD_TEXT, MEMBER(struct device_image_rule, version)},
    {"fate", FIELD_WORD, .required = true, MEMBER(struct device_image_rule, fate),
     .word = fate_word},
};
const struct table fate_table = {.name = "fate",
                                 COUNTED(fate_fields),
                                 .item_bytes = sizeof(struct device_image_rule),
                                 .init = fate_init};
