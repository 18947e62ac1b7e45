/*
 * The steps, and their order: from what takes most away to what only makes simpler. Each walks the
 * document and tries one change after another, on a copy; what helped stays.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/shrink_internal.h"

#define OP_STEPS_MAX 128u /* operations one cut moves per round */

static cJSON *copy_of(const struct shrinking *x)
{
    return cJSON_Duplicate(x->doc, true);
}

static bool key_is(const cJSON *node, const char *key)
{
    return node != NULL && node->string != NULL && strcmp(node->string, key) == 0;
}

/* ---- drop ---- */

static bool drop(struct shrinking *x, const char *root, size_t index, bool near)
{
    struct document_place p;
    cJSON *copy = copy_of(x);
    cJSON *top = cJSON_GetObjectItemCaseSensitive(copy, root);
    if (top == NULL || !document_at(top, index, &p)) {
        cJSON_Delete(copy);
        return false;
    }
    cJSON_Delete(cJSON_DetachItemViaPointer(p.parent != NULL ? p.parent : copy, p.node));
    return near ? shrink_try_near(x, copy) : shrink_try(x, copy);
}

/* Top-down: a whole list before its items. What is gone is followed by the next at its index. */
static bool drop_below(struct shrinking *x, const char *root, bool near)
{
    struct document_place p;
    bool helped = false;
    for (size_t i = 0;;) {
        cJSON *top = cJSON_GetObjectItemCaseSensitive(x->doc, root);
        if (top == NULL || !document_at(top, i, &p))
            return helped;
        if (drop(x, root, i, near))
            helped = true;
        else
            i++;
    }
}

static bool step_drop(struct shrinking *x)
{
    /* near: what may change the number of flash operations */
    static const struct {
        const char *root;
        bool near;
    } roots[] = {
        {"power", false}, {"network", false},  {"cloud", false}, {"flash", false},
        {"offers", true}, {"limit_ms", false}, {"wire", false},  {"expect", false},
        {"seed", false},  {"versions", true},  {"device", true},
    };
    bool helped = false;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        helped |= drop_below(x, roots[i].root, roots[i].near);
    return helped;
}

/* ---- files: the device's, with its image in every version ---- */

static cJSON *without_file(const struct shrinking *x, int file)
{
    cJSON *copy = copy_of(x);
    cJSON *device = cJSON_GetObjectItemCaseSensitive(copy, "device");
    cJSON *files = cJSON_GetObjectItemCaseSensitive(device, "files");
    if (file >= cJSON_GetArraySize(files)) {
        cJSON_Delete(copy);
        return NULL;
    }
    cJSON_DeleteItemFromArray(files, file);
    cJSON *version;
    cJSON_ArrayForEach(version, cJSON_GetObjectItemCaseSensitive(copy, "versions"))
        cJSON_DeleteItemFromArray(cJSON_GetObjectItemCaseSensitive(version, "images"), file);
    return copy;
}

static bool step_files(struct shrinking *x)
{
    bool helped = false;
    for (uint32_t f = 0; x->now->device.file_count > 1 && f < x->now->device.file_count;) {
        if (shrink_try_near(x, without_file(x, (int)f)))
            helped = true;
        else
            f++;
    }
    return helped;
}

/* ---- numbers ---- */

static bool can_be_lowered(const struct document_place *p, bool *near)
{
    static const struct {
        const char *key;
        bool near;
    } keys[] = {
        {"bytes", true},   {"grow_bytes", true}, {"pad_to_bytes", true},
        {"rounds", true},  {"tries", true},      {"for_ms", false},
        {"off_ms", false}, {"at_ms", false},     {"tear_bytes", false},
        {"byte", false},   {"nth", false},       {"plus_ops", false},
        {"from", false},   {"count", false},     {"check_interval_ms", false},
    };
    if (!cJSON_IsNumber(p->node))
        return false;
    *near = false;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (key_is(p->node, keys[i].key)) {
            *near = keys[i].near;
            return true;
        }
    return key_is(p->parent, "where");
}

static bool set_number(struct shrinking *x, size_t index, int64_t v, bool near)
{
    struct document_place p;
    cJSON *copy = copy_of(x);
    if (document_at(copy, index, &p))
        (void)cJSON_SetNumberHelper(p.node, (double)v);
    return near ? shrink_try_near(x, copy) : shrink_try(x, copy);
}

/* Towards 0 by halves, then by smaller parts, down to a sixteenth of what is left. */
static bool lower(struct shrinking *x, size_t index, int64_t v, bool near)
{
    bool helped = false;
    int64_t sign = v < 0 ? -1 : 1;
    int64_t size = v * sign;
    int64_t part = size - size / 2;
    while (size > 0 && part > 0 && part >= size / 16) {
        if (set_number(x, index, sign * (size - part), near)) {
            helped = true;
            size -= part;
            part = size - size / 2;
        } else {
            part /= 2;
            near = false; /* one search of the neighbourhood is enough */
        }
    }
    return helped;
}

static bool step_numbers(struct shrinking *x)
{
    struct document_place p;
    bool helped = false;
    bool near = false;
    for (size_t i = 0; document_at(x->doc, i, &p); i++)
        if (can_be_lowered(&p, &near))
            helped |= lower(x, i, (int64_t)p.node->valuedouble, near);
    return helped;
}

/* ---- tears and places of cuts ---- */

static bool step_tears(struct shrinking *x)
{
    static const enum nor_tear simple[] = {TEAR_NOTHING,      TEAR_DONE,      TEAR_PREFIX,
                                           TEAR_ALL_BUT_LAST, TEAR_SCRAMBLED, TEAR_HALF_ERASED};
    bool helped = false;
    for (uint32_t rule = 0; rule < x->now->n_power; rule++)
        for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
            if (simple[i] == x->now->power[rule].tear)
                break;
            cJSON *copy = copy_of(x);
            cJSON *node =
                cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(copy, "power"), (int)rule);
            cJSON_DeleteItemFromObjectCaseSensitive(node, "tear");
            (void)cJSON_AddStringToObject(node, "tear", nor_tear_name(simple[i]));
            if (shrink_try(x, copy)) {
                helped = true;
                break;
            }
        }
    return helped;
}

/* To the first operation of those in a row that fail: what is before it still goes well. */
static bool step_ops(struct shrinking *x)
{
    bool helped = false;
    for (uint32_t rule = 0; rule < x->now->n_power; rule++)
        for (uint32_t i = 0; i < OP_STEPS_MAX; i++) {
            const struct trigger *t = &x->now->power[rule].when;
            if ((t->kind != TRIGGER_OP && t->kind != TRIGGER_MESSAGE) || t->op < 2)
                break;
            cJSON *copy = copy_of(x);
            cJSON *list = cJSON_GetObjectItemCaseSensitive(copy, "power");
            cJSON *when =
                cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(list, (int)rule), "when");
            cJSON *op =
                cJSON_GetObjectItemCaseSensitive(when, t->kind == TRIGGER_OP ? "op" : "message");
            if (op != NULL)
                (void)cJSON_SetNumberHelper(op, (double)(t->op - 1));
            if (!shrink_try(x, copy))
                break;
            helped = true;
        }
    return helped;
}

/* ---- order ---- */

bool shrink_round(struct shrinking *x)
{
    static const struct {
        const char *name;
        bool (*run)(struct shrinking *x);
    } steps[] = {
        {"drop", step_drop},   {"files", step_files}, {"numbers", step_numbers},
        {"tears", step_tears}, {"cuts", step_ops},
    };
    bool helped = false;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !x->out->exhausted; i++) {
        x->step = steps[i].name;
        helped |= steps[i].run(x);
    }
    return helped;
}

/* Whether the candidate means what the document means; then no run is needed. */
static bool means_the_same(struct shrinking *x, const cJSON *candidate)
{
    buf_clear(&x->next_text);
    return document_read(candidate, x->origin->name, x->origin->path, x->next, NULL) == 0 &&
           scenario_write(x->next, &x->next_text) == 0 &&
           x->next_text.len_bytes == x->text.len_bytes &&
           memcmp(x->next_text.data, x->text.data, x->text.len_bytes) == 0;
}

static bool is_size(const struct document_place *p)
{
    static const char *const keys[] = {"versions", "images", "generate", "edit",
                                       "bytes",    "rounds", "tries",    "device"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (key_is(p->node, keys[i]) || key_is(p->parent, keys[i]))
            return !key_is(p->parent, "device") || key_is(p->node, "rounds") ||
                   key_is(p->node, "tries");
    return false;
}

void shrink_tidy(struct shrinking *x, bool sizes)
{
    struct document_place p;
    for (size_t i = 1; document_at(x->doc, i, &p);) {
        cJSON *copy = NULL;
        struct document_place twin;
        if (sizes || !is_size(&p))
            copy = copy_of(x);
        bool same = false;
        if (copy != NULL && document_at(copy, i, &twin)) {
            cJSON_Delete(cJSON_DetachItemViaPointer(twin.parent, twin.node));
            same = means_the_same(x, copy);
        }
        if (same) {
            cJSON_Delete(x->doc);
            x->doc = copy;
        } else {
            cJSON_Delete(copy);
            i++;
        }
    }
}
