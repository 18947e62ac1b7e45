/* Reading by tables. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define KEYS_MAX 64

static void store(void *to, uint32_t width, uint64_t v)
{
    const uint8_t v1 = (uint8_t)v;
    const uint16_t v2 = (uint16_t)v;
    const uint32_t v4 = (uint32_t)v;
    memcpy(to,
           width == 1   ? &v1
           : width == 2 ? (const void *)&v2
           : width == 4 ? &v4
                        : (const void *)&v,
           width);
}

static bool hex_number(const char *text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    if (text[0] != '0' || text[1] != 'x')
        return false;
    size_t n = strspn(text + 2, digits);
    if (n == 0 || n > 16 || text[2 + n] != '\0')
        return false;
    *out = 0;
    for (const char *p = text + 2; *p != '\0'; p++) {
        size_t digit = (size_t)(strchr(digits, *p) - digits);
        *out = *out << 4 | (digit > 15 ? digit - 6 : digit);
    }
    return true;
}

int size_read(const struct reader *r, const cJSON *obj, const char *key, uint64_t min, uint64_t max,
              uint64_t *out)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (cJSON_IsString(node)) {
        if (hex_number(node->valuestring, out) && *out >= min && *out <= max)
            return 0;
        return json_error(r->root, node, r->err,
                          "is \"%.40s\", must be from 0x%llx to 0x%llx, as an integer or as "
                          "\"0x\" and up to 16 hex digits",
                          node->valuestring, (unsigned long long)min, (unsigned long long)max);
    }
    int64_t v = 0;
    uint64_t top = max < (uint64_t)EXACT_MAX ? max : (uint64_t)EXACT_MAX;
    int rc = json_get_int(r->root, obj, key, (int64_t)min, (int64_t)top, &v, r->err);
    if (rc == 0)
        *out = (uint64_t)v;
    return rc;
}

static int text_read(const struct reader *r, const struct field *f, const cJSON *obj, char *to)
{
    const char *text = NULL;
    int rc = json_get_string(r->root, obj, f->key, (size_t)f->min, f->width - 1, &text, r->err);
    if (rc == 0) {
        memset(to, 0, f->width);
        memcpy(to, text, strlen(text));
    }
    return rc;
}

static int word_read(const struct reader *r, const struct field *f, const cJSON *obj, void *to)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    while (n < WORDS_MAX && (words[n] = f->word((int)n)) != NULL)
        n++;
    int v = 0;
    int rc = json_get_word(r->root, obj, f->key, words, n, &v, r->err);
    if (rc == 0)
        store(to, f->width, (uint64_t)v);
    return rc;
}

static int ints_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, SCENARIO_EXPECT_MAX, &array, r->err);
    if (rc != 0)
        return rc;
    int *to = (int *)(void *)((char *)base + f->offset);
    uint32_t n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        double v = cJSON_IsNumber(item) ? item->valuedouble : 0.5;
        if (v < (double)f->min || v > (double)f->max || v != (double)(int)v)
            return json_error(r->root, item, r->err, "must be an integer from %d to %d",
                              (int)f->min, (int)f->max);
        to[n++] = (int)v;
    }
    memcpy((char *)base + f->count_offset, &n, sizeof n);
    return 0;
}

int list_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, (int)f->min, (int)f->max, &array, r->err);
    if (rc != 0)
        return rc;
    /* The count comes first: defaults of an item may depend on how many there are. */
    uint32_t n = (uint32_t)cJSON_GetArraySize(array);
    if (f->count_offset != 0)
        memcpy((char *)base + f->count_offset, &n, sizeof n);
    uint32_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        rc = fields_read(r, f->table, item, (char *)base + f->offset + i * f->table->item_bytes, i);
        if (rc != 0)
            return rc;
        i++;
    }
    return 0;
}

/* A key that is there: 0 or an error. */
static int present_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    void *to = (char *)base + f->offset;
    int64_t v = 0;
    uint64_t u = 0;
    bool yes = false;
    int rc = 0;
    switch (f->kind) {
    case FIELD_INT:
        rc = json_get_int(r->root, obj, f->key, f->min, f->max, &v, r->err);
        if (rc == 0)
            store(to, f->width, (uint64_t)v);
        return rc;
    case FIELD_SIZE:
        rc = size_read(r, obj, f->key, (uint64_t)f->min, (uint64_t)f->max, &u);
        if (rc == 0)
            store(to, f->width, u);
        return rc;
    case FIELD_MS:
        rc = json_get_int(r->root, obj, f->key, f->min, TIME_MS_MAX, &v, r->err);
        if (rc == 0)
            store(to, f->width, (uint64_t)(v * NS_PER_MS));
        return rc;
    case FIELD_BOOL:
        rc = json_get_bool(r->root, obj, f->key, &yes, r->err);
        if (rc == 0)
            store(to, f->width, yes);
        return rc;
    case FIELD_TEXT:
        return text_read(r, f, obj, to);
    case FIELD_WORD:
        return word_read(r, f, obj, to);
    case FIELD_OBJECT:
        return fields_read(r, f->table, cJSON_GetObjectItemCaseSensitive(obj, f->key), to, 0);
    case FIELD_LIST:
        return list_read(r, f, obj, base);
    case FIELD_INTS:
        return ints_read(r, f, obj, base);
    case FIELD_SPECIAL:
        return f->read(r, f, obj, base);
    }
    return err_set(r->err, ERR_BENCH, "field %s has no kind", f->key);
}

static int field_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    bool there = cJSON_GetObjectItemCaseSensitive(obj, f->key) != NULL;
    if (f->has_offset != 0)
        store((char *)base + f->has_offset, sizeof(bool), there);
    if (there)
        return present_read(r, f, obj, base);
    if (f->required)
        return json_need(1, r->root, obj, f->key, r->err);
    if (f->kind == FIELD_OBJECT) {
        const cJSON empty = {.type = cJSON_Object};
        return fields_read(r, f->table, &empty, (char *)base + f->offset, 0);
    }
    if (f->kind == FIELD_LIST && f->table->absent != NULL)
        f->table->absent(r);
    return 0;
}

static const struct key_use *use_of(const struct table *t, int kind, const char *key)
{
    for (size_t i = 0; i < t->n_uses; i++)
        if (t->uses[i].kind == kind && strcmp(t->uses[i].key, key) == 0)
            return &t->uses[i];
    return NULL;
}

bool field_applies(const struct table *t, const char *key, const void *item)
{
    bool conditional = false;
    for (size_t i = 0; i < t->n_uses && !conditional; i++)
        conditional = strcmp(t->uses[i].key, key) == 0;
    return !conditional || use_of(t, t->kind_of(item), key) != NULL;
}

/* Keys that have no meaning for this kind, and keys it cannot do without. */
static int check_uses(const struct reader *r, const struct table *t, const cJSON *obj,
                      const void *item)
{
    if (t->n_uses == 0)
        return 0;
    int kind = t->kind_of(item);
    for (const cJSON *c = obj->child; c != NULL; c = c->next)
        if (!field_applies(t, c->string, item))
            return json_error(r->root, c, r->err, "has no meaning with \"%s\"", t->kind_word(kind));
    for (size_t i = 0; i < t->n_uses; i++)
        if (t->uses[i].kind == kind && t->uses[i].must &&
            cJSON_GetObjectItemCaseSensitive(obj, t->uses[i].key) == NULL)
            return json_error(r->root, obj, r->err, "needs \"%s\" with \"%s\"", t->uses[i].key,
                              t->kind_word(kind));
    return 0;
}

int fields_read(const struct reader *r, const struct table *t, const cJSON *obj, void *base,
                uint32_t index)
{
    const char *keys[KEYS_MAX];
    for (size_t i = 0; i < t->n; i++)
        keys[i] = t->fields[i].key;
    int rc = json_only_keys(r->root, obj, keys, t->n, r->err);
    if (rc != 0)
        return rc;
    if (t->init != NULL)
        t->init(r, base, index);
    if (t->decide != NULL)
        rc = t->decide(r, obj, base);
    for (size_t i = 0; i < t->n && rc == 0; i++)
        rc = field_read(r, &t->fields[i], obj, base);
    if (rc == 0)
        rc = check_uses(r, t, obj, base);
    if (rc == 0 && t->check != NULL)
        rc = t->check(r, obj, base);
    return rc;
}
