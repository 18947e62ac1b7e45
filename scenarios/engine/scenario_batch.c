/*
 * Whom a batch takes in: keys of "offers" that only a batch has, and "cloud.devices", the devices
 * of the product besides the one that is emulated. They have told a version and are not there.
 */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

/* ---- lists of texts ---- */

struct texts {
    char (*text)[DEVICE_TEXT_MAX];
    uint32_t *n;
    size_t max_bytes; /* of each */
};

/* Names and versions of a list go into topics and lines: visible characters only. */
static bool is_name(const char *text, size_t max_bytes)
{
    const size_t len = strlen(text);
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x21 || (unsigned char)*p == 0x7f)
            return false;
    return len >= 1 && len <= max_bytes;
}

static int texts_read(const struct reader *r, const struct field *f, const cJSON *obj,
                      const struct texts *to)
{
    const cJSON *array = NULL, *item;
    int rc = json_get_array(r->root, obj, f->key, 1, (int)f->max, &array, r->err);
    *to->n = 0;
    if (rc != 0)
        return rc;
    cJSON_ArrayForEach(item, array)
    {
        const char *text = cJSON_IsString(item) ? item->valuestring : "";
        if (!is_name(text, to->max_bytes))
            return json_error(r->root, item, r->err,
                              "must be a string of 1 to %zu bytes, without blanks", to->max_bytes);
        for (uint32_t i = 0; i < *to->n; i++)
            if (strcmp(to->text[i], text) == 0)
                return json_error(r->root, item, r->err, "\"%s\" is named twice", text);
        (void)snprintf(to->text[(*to->n)++], DEVICE_TEXT_MAX, "%s", text);
    }
    return 0;
}

static void texts_write(struct writer *w, const char *key, const struct texts *of)
{
    if (*of->n == 0)
        return;
    write_open(w, key, '[');
    for (uint32_t i = 0; i < *of->n; i++)
        write_text(w, NULL, of->text[i]);
    write_close(w, ']');
}

/* ---- keys of an offer ---- */

#define VERSION_BYTES_MAX 31

static struct texts devices_of(const struct offer_spec *o)
{
    struct offer_spec *mine = (struct offer_spec *)(uintptr_t)o;
    return (struct texts){mine->devices, &mine->n_devices, DEVICE_TEXT_MAX - 1};
}

static struct texts sources_of(const struct offer_spec *o)
{
    struct offer_spec *mine = (struct offer_spec *)(uintptr_t)o;
    return (struct texts){mine->from_versions, &mine->n_from_versions, VERSION_BYTES_MAX};
}

int batch_devices_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const struct texts t = devices_of(base);
    return texts_read(r, f, obj, &t);
}

void batch_devices_write(struct writer *w, const struct field *f, const void *base)
{
    const struct texts t = devices_of(base);
    texts_write(w, f->key, &t);
}

int batch_sources_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const struct texts t = sources_of(base);
    return texts_read(r, f, obj, &t);
}

void batch_sources_write(struct writer *w, const struct field *f, const void *base)
{
    const struct texts t = sources_of(base);
    texts_write(w, f->key, &t);
}

const char *batch_policy_word(int index)
{
    return index == 0 ? "dynamic" : index == 1 ? "static" : NULL;
}

int batch_check(const struct reader *r, const cJSON *obj, const struct offer_spec *offer)
{
    if (offer->percent != 0 && !offer->fixed)
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "percent"), r->err,
                          "is a part of those that qualify when the batch starts: needs "
                          "\"policy\": \"static\"");
    return 0;
}

/* ---- other devices ---- */

static void other_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    memset(item, 0, sizeof(struct other_device));
}

static int other_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct other_device *d = item;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(obj, "name");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(obj, "version");
    if (!is_name(d->name, DEVICE_TEXT_MAX - 1) || strpbrk(d->name, "/+#&|") != NULL)
        return json_error(r->root, name, r->err,
                          "must be 1 to %d visible characters without / + # & |",
                          DEVICE_TEXT_MAX - 1);
    if (!is_name(d->version, VERSION_BYTES_MAX))
        return json_error(r->root, version, r->err,
                          "must be a string of 1 to %d bytes, without blanks", VERSION_BYTES_MAX);
    if (strcmp(d->name, r->s->device.did) == 0)
        return json_error(r->root, name, r->err, "\"%s\" is the emulated device itself", d->name);
    for (const struct other_device *o = r->s->others; o < d; o++)
        if (strcmp(o->name, d->name) == 0)
            return json_error(r->root, name, r->err, "\"%s\" is named twice", d->name);
    return 0;
}

#define OTHER(m) MEMBER(struct other_device, m)
static const struct field other_fields[] = {
    {"name", FIELD_TEXT, .required = true, OTHER(name), .min = 1},
    {"version", FIELD_TEXT, .required = true, OTHER(version), .min = 1},
};
const struct table other_device_table = {.name = "other_device",
                                         COUNTED(other_fields),
                                         .item_bytes = sizeof(struct other_device),
                                         .init = other_init,
                                         .check = other_check};

static bool is_known(const struct scenario *s, const char *name)
{
    bool known = strcmp(name, s->device.did) == 0;
    for (uint32_t i = 0; i < s->n_others && !known; i++)
        known = strcmp(name, s->others[i].name) == 0;
    return known;
}

int batch_check_devices(const struct reader *r)
{
    const cJSON *offers = cJSON_GetObjectItemCaseSensitive(r->root, "offers");
    for (uint32_t i = 0; i < r->s->n_offers; i++) {
        const struct offer_spec *o = &r->s->offers[i];
        const cJSON *list =
            cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(offers, (int)i), "devices");
        for (uint32_t k = 0; k < o->n_devices; k++)
            if (!is_known(r->s, o->devices[k]))
                return json_error(r->root, cJSON_GetArrayItem(list, (int)k), r->err,
                                  "\"%s\" is neither \"device.did\" nor in \"cloud.devices\"",
                                  o->devices[k]);
    }
    return 0;
}
