/* "versions": the images of every release. "offers": which packages the cloud publishes when. */
#include <stdio.h>
#include <string.h>

#include "mock_cloud/packages/packages.h"
#include "scenarios/engine/scenario_format.h"

#define DEFAULT_IMAGE_BYTES 65536u

int version_index(const struct scenario *s, const char *version)
{
    for (uint32_t i = 0; i < s->n_versions; i++)
        if (strcmp(s->versions[i].version, version) == 0)
            return (int)i;
    return -1;
}

/* ---- images ---- */

static uint32_t images_of(const struct scenario *s)
{
    return s->device.file_count < PACKAGE_FILES_MAX ? s->device.file_count : PACKAGE_FILES_MAX;
}

/* What a file holds when nothing is said: made at first, edited from then on. */
static struct image_spec image_default(const struct reader *r, uint32_t version, uint32_t file)
{
    struct image_spec image = {.kind = version == 0 ? IMAGE_GENERATED : IMAGE_NEXT,
                               .seed = 1 + version + 100 * (uint64_t)file};
    uint32_t area = r->s->device.files[file].area_bytes;
    if (version == 0)
        image.bytes = area < DEFAULT_IMAGE_BYTES ? area : DEFAULT_IMAGE_BYTES;
    return image;
}

static const struct field generate_fields[] = {
    {"bytes", FIELD_SIZE, MEMBER(struct image_spec, bytes), .min = 1, .max = PACKAGE_IMAGE_MAX},
    {"seed", FIELD_SIZE, MEMBER(struct image_spec, seed), .max = -1},
};
const struct table generate_table = {.name = "generate", COUNTED(generate_fields)};

static const struct field edit_fields[] = {
    {"seed", FIELD_SIZE, MEMBER(struct image_spec, seed), .max = -1},
    {"grow_bytes", FIELD_INT, MEMBER(struct image_spec, grow_bytes),
     .min = -(int64_t)PACKAGE_IMAGE_MAX, .max = PACKAGE_IMAGE_MAX},
};
const struct table edit_table = {.name = "edit", COUNTED(edit_fields)};

static const char *image_word(int kind)
{
    static const char *const words[] = {
        [IMAGE_GENERATED] = "generate",
        [IMAGE_NEXT] = "edit",
        [IMAGE_SAME] = "same",
        [IMAGE_FILE] = "file",
    };
    return (unsigned)kind < sizeof words / sizeof words[0] ? words[kind] : NULL;
}

static int image_decide(const struct reader *r, const cJSON *obj, void *item)
{
    struct image_spec *image = item;
    int found = 0;
    for (int kind = 0; image_word(kind) != NULL; kind++)
        if (cJSON_GetObjectItemCaseSensitive(obj, image_word(kind)) != NULL) {
            image->kind = (enum image_kind)kind;
            found++;
        }
    if (found != 1)
        return json_error(r->root, obj, r->err,
                          "needs exactly one of \"generate\", \"edit\", \"same\", \"file\"");
    return 0;
}

static int same_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    (void)base;
    bool same = false;
    int rc = json_get_bool(r->root, obj, f->key, &same, r->err);
    if (rc == 0 && !same)
        rc = json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, f->key), r->err,
                        "is false, must be true");
    return rc;
}

static void same_write(struct writer *w, const struct field *f, const void *base)
{
    (void)base;
    write_bool(w, f->key, true);
}

static int image_kind_of(const void *item)
{
    return (int)((const struct image_spec *)item)->kind;
}

static const struct field image_fields[] = {
    {"generate", FIELD_OBJECT, .table = &generate_table},
    {"edit", FIELD_OBJECT, .table = &edit_table},
    {"same", FIELD_SPECIAL, .read = same_read, .write = same_write},
    {"file", FIELD_TEXT, MEMBER(struct image_spec, path), .min = 1},
};
static const struct key_use image_uses[] = {
    {IMAGE_GENERATED, "generate", true},
    {IMAGE_NEXT, "edit", true},
    {IMAGE_SAME, "same", true},
    {IMAGE_FILE, "file", true},
};
const struct table image_table = {.name = "image",
                                  COUNTED(image_fields),
                                  .decide = image_decide,
                                  .kind_of = image_kind_of,
                                  .kind_word = image_word,
                                  USES(image_uses)};

/* ---- versions ---- */

static void version_init(const struct reader *r, void *item, uint32_t index)
{
    struct version_spec *version = item;
    memset(version, 0, sizeof *version);
    for (uint32_t f = 0; f < images_of(r->s); f++)
        version->images[f] = image_default(r, index, f);
}

static void versions_absent(const struct reader *r)
{
    static const char *const names[] = {"1.0", "1.1"};
    r->s->n_versions = 2;
    for (uint32_t i = 0; i < r->s->n_versions; i++) {
        version_init(r, &r->s->versions[i], i);
        (void)snprintf(r->s->versions[i].version, DEVICE_TEXT_MAX, "%s", names[i]);
    }
}

static int image_check(const struct reader *r, const cJSON *node,
                       const struct version_spec *version, uint32_t file)
{
    const struct image_spec *image = &version->images[file];
    bool first = version == &r->s->versions[0];
    if (first && (image->kind == IMAGE_NEXT || image->kind == IMAGE_SAME))
        return json_error(r->root, node, r->err,
                          "is \"%s\", but the first version has none before it; allowed are "
                          "\"generate\" and \"file\"",
                          image_word((int)image->kind));
    const struct boot_file *f = &r->s->device.files[file];
    if (image->kind == IMAGE_GENERATED && image->bytes > f->area_bytes)
        return json_error(r->root, node, r->err,
                          "%u bytes do not fit the area of %u bytes of file %s", image->bytes,
                          f->area_bytes, f->name);
    return 0;
}

static int images_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    struct version_spec *version = base;
    const cJSON *array = NULL;
    int rc = json_get_array(r->root, obj, f->key, 0, (int)images_of(r->s), &array, r->err);
    if (rc != 0)
        return rc;
    uint32_t index = (uint32_t)(version - r->s->versions);
    uint32_t i = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        struct image_spec was = image_default(r, index, i);
        version->images[i] = (struct image_spec){.seed = was.seed, .bytes = 0};
        rc = fields_read(r, &image_table, item, &version->images[i], i);
        if (rc == 0 && version->images[i].kind == IMAGE_GENERATED && version->images[i].bytes == 0)
            version->images[i].bytes = image_default(r, 0, i).bytes;
        if (rc == 0)
            rc = image_check(r, item, version, i);
        if (rc != 0)
            return rc;
        i++;
    }
    return 0;
}

static void images_write(struct writer *w, const struct field *f, const void *base)
{
    const struct version_spec *version = base;
    write_open(w, f->key, '[');
    for (uint32_t i = 0; i < images_of(w->s); i++) {
        write_open(w, NULL, '{');
        fields_write(w, &image_table, &version->images[i]);
        write_close(w, '}');
    }
    write_close(w, ']');
}

static int version_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct version_spec *version = item;
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, "version");
    if (strlen(version->version) >= PACKAGE_NAME_MAX)
        return json_error(r->root, node, r->err, "is longer than the %d bytes a package can name",
                          PACKAGE_NAME_MAX - 1);
    for (const struct version_spec *v = r->s->versions; v < version; v++)
        if (strcmp(v->version, version->version) == 0)
            return json_error(r->root, node, r->err, "\"%s\" is used twice", v->version);
    return 0;
}

static const struct field version_fields[] = {
    {"version", FIELD_TEXT, .required = true, MEMBER(struct version_spec, version), .min = 1},
    {"images", FIELD_SPECIAL, MEMBER(struct version_spec, images), .max = PACKAGE_FILES_MAX,
     .read = images_read, .write = images_write},
};
const struct table version_table = {.name = "version",
                                    COUNTED(version_fields),
                                    .item_bytes = sizeof(struct version_spec),
                                    .init = version_init,
                                    .absent = versions_absent,
                                    .check = version_check};

/* ---- offers ---- */

static void offer_init(const struct reader *r, void *item, uint32_t index)
{
    (void)index;
    struct offer_spec *offer = item;
    memset(offer, 0, sizeof *offer);
    offer->full = offer->aliyun = r->s->device.agent != AGENT_CMIOT;
    offer->files = 1;
}

static void offers_absent(const struct reader *r)
{
    r->s->n_offers = r->s->n_versions > 1 ? 1 : 0;
    if (r->s->n_offers == 0)
        return;
    offer_init(r, &r->s->offers[0], 0);
    r->s->offers[0].to = r->s->n_offers;
}

static int index_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const char *words[SCENARIO_VERSIONS_MAX];
    int index = 0;
    for (uint32_t i = 0; i < r->s->n_versions; i++)
        words[i] = r->s->versions[i].version;
    int rc = json_get_word(r->root, obj, f->key, words, r->s->n_versions, &index, r->err);
    uint32_t v = (uint32_t)index;
    if (rc == 0)
        memcpy((char *)base + f->offset, &v, sizeof v);
    return rc;
}

static void index_write(struct writer *w, const struct field *f, const void *base)
{
    uint32_t v;
    memcpy(&v, (const char *)base + f->offset, sizeof v);
    write_word(w, f->key, v < w->s->n_versions ? w->s->versions[v].version : NULL);
}

static const char *full_word(int index)
{
    return index == 0 ? "delta" : index == 1 ? "full" : NULL;
}

static const char *campaign_word(int index)
{
    static const char *const words[] = {
        [TASK_VERIFY] = "verify", [TASK_BATCH] = "batch", [TASK_AGAIN] = "again"};
    return (size_t)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

static const char *sign_word(int index)
{
    return index == SIGN_MD5 ? "md5" : index == SIGN_SHA256 ? "sha256" : NULL;
}

static const char *transport_word(int index)
{
    return index == 0 ? "http" : index == 1 ? "mqtt" : NULL;
}

static const char *tamper_word(int index)
{
    return index < TAMPER_COUNT ? tamper_name((enum tamper)index) : NULL;
}

/* Events of the device and its boot loader; "verify", which both have, once. */
const char *offer_event_word(int index)
{
    const struct event_name *e;
    int n = 0;
    for (size_t i = 0; (e = event_name_at(i)) != NULL; i++) {
        bool twice = e->lane == LANE_BOOT && strcmp(e->event, "verify") == 0;
        if ((e->lane == LANE_DEVICE || e->lane == LANE_BOOT) && !twice && n++ == index)
            return e->event;
    }
    return NULL;
}

static int on_event_read(const struct reader *r, const struct field *f, const cJSON *obj,
                         void *base)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    int index = 0;
    while (n < WORDS_MAX && (words[n] = offer_event_word((int)n)) != NULL)
        n++;
    int rc = json_get_word(r->root, obj, f->key, words, n, &index, r->err);
    if (rc == 0)
        (void)snprintf(((struct offer_spec *)base)->on_event, f->width, "%s", words[index]);
    return rc;
}

static void on_event_write(struct writer *w, const struct field *f, const void *base)
{
    const struct offer_spec *offer = base;
    if (offer->on_event[0] != '\0')
        write_text(w, f->key, offer->on_event);
}

/* What a cloud has no word for. */
static int check_cloud(const struct reader *r, const cJSON *obj, const struct offer_spec *offer)
{
    if (!offer->aliyun)
        return offer->tamper < TAMPER_TRAILER_MAGIC
                   ? 0
                   : json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "tamper"), r->err,
                                "has no meaning for a package: it has no trailer");
    if (!offer->full && r->s->device.agent != AGENT_UOTA)
        return json_error(
            r->root, cJSON_GetObjectItemCaseSensitive(obj, "kind"), r->err,
            "is \"delta\", must be \"full\" for \"%s\": of the devices with two slots "
            "\"uota\" alone takes differences",
            device_agent_name(r->s->device.agent));
    if (offer->full && offer->tamper != TAMPER_NONE &&
        (offer->tamper < TAMPER_TRAILER_MAGIC || !r->s->device.image_trailer))
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "tamper"), r->err,
                          "must be \"none\", or \"trailer-...\" with \"device.image_trailer\": an "
                          "image has no head; see the cloud's faults");
    if (!offer->full &&
        (offer->tamper >= TAMPER_TRAILER_MAGIC || offer->tamper == TAMPER_COMPARE_BLOCK ||
         offer->tamper == TAMPER_NAME || offer->tamper == TAMPER_ADDRESS))
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "tamper"), r->err,
                          "has no meaning for a difference to a slot");
    if (offer->files > 1 && offer->over_mqtt)
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "files"), r->err,
                          "has no meaning with \"transport\": \"mqtt\": only one file goes there");
    const bool several = r->s->device.file_count > 1;
    if (several && (offer->files > 1 || offer->over_mqtt || offer->pad_to_bytes > 0))
        return json_error(r->root, obj, r->err,
                          "the device has several files: \"files\", \"pad_to_bytes\" and "
                          "\"transport\": \"mqtt\" have no meaning");
    int rc = batch_check(r, obj, offer);
    if (rc != 0)
        return rc;
    bool before = offer->campaign != TASK_AGAIN;
    for (const struct offer_spec *o = r->s->offers; o < offer && !before; o++)
        before = o->campaign != TASK_AGAIN && o->to == offer->to;
    if (!before)
        return json_error(r->root, obj, r->err,
                          "is \"again\", but no offer before it leads to the same version");
    return 0;
}

static int offer_check(const struct reader *r, const cJSON *obj, void *item)
{
    struct offer_spec *offer = item;
    if (cJSON_GetObjectItemCaseSensitive(obj, "to") == NULL)
        offer->to = offer->from + 1;
    if (offer->to >= r->s->n_versions)
        return json_error(r->root, obj, r->err,
                          "needs \"to\": there is no version after \"%s\" in \"versions\"",
                          r->s->versions[offer->from].version);
    if (offer->from == offer->to)
        return json_error(r->root, obj, r->err, "\"from\" and \"to\" are both \"%s\"",
                          r->s->versions[offer->to].version);
    if (offer->on_event[0] != '\0' && offer->at_ns != 0)
        return json_error(r->root, obj, r->err, "has both \"at_ms\" and \"on_event\"");
    return check_cloud(r, obj, offer);
}

#define OFFER(m) MEMBER(struct offer_spec, m)
static const struct field offer_fields[] = {
    {"from", FIELD_SPECIAL, OFFER(from), .read = index_read, .write = index_write},
    {"to", FIELD_SPECIAL, OFFER(to), .read = index_read, .write = index_write},
    {"kind", FIELD_WORD, OFFER(full), .word = full_word},
    {"tamper", FIELD_WORD, OFFER(tamper), .word = tamper_word},
    {"pad_to_bytes", FIELD_SIZE, OFFER(pad_to_bytes), .max = PACKAGE_IMAGE_MAX},
    {"at_ms", FIELD_MS, OFFER(at_ns)},
    {"on_event", FIELD_SPECIAL, OFFER(on_event), .read = on_event_read, .write = on_event_write},
    {"campaign", FIELD_WORD, OFFER(campaign), .word = campaign_word},
    {"verified", FIELD_BOOL, OFFER(verified)},
    {"digest", FIELD_WORD, OFFER(sign), .word = sign_word},
    {"transport", FIELD_WORD, OFFER(over_mqtt), .word = transport_word},
    {"module", FIELD_TEXT, OFFER(module)},
    {"ext_data", FIELD_TEXT, OFFER(extra)},
    {"files", FIELD_INT, OFFER(files), .min = 1, .max = STORE_FILES_MAX},
    {"silent", FIELD_BOOL, OFFER(silent)},
    {"yields", FIELD_BOOL, OFFER(yields)},
    {"retries", FIELD_INT, OFFER(retries), .min = 0, .max = 5},
    {"retry_after_ms", FIELD_MS, OFFER(retry_after_ns)},
    {"policy", FIELD_WORD, OFFER(fixed), .word = batch_policy_word},
    {"percent", FIELD_INT, OFFER(percent), .min = 0, .max = 100},
    {"devices", FIELD_SPECIAL, OFFER(devices), .max = BATCH_DEVICES_MAX, .read = batch_devices_read,
     .write = batch_devices_write},
    {"from_versions", FIELD_SPECIAL, OFFER(from_versions), .max = STORE_SOURCES_MAX,
     .read = batch_sources_read, .write = batch_sources_write},
};
enum { OFFER_CMS, OFFER_ALIYUN, OFFER_BATCH };

static int offer_kind_of(const void *item)
{
    const struct offer_spec *offer = item;
    return !offer->aliyun ? OFFER_CMS : offer->campaign == TASK_BATCH ? OFFER_BATCH : OFFER_ALIYUN;
}

static const char *offer_kind_word(int kind)
{
    static const char *const words[] = {"cmiot", "verify", "batch"};
    return words[kind];
}

#define ALIYUN_KEY(key)                                                                            \
    {OFFER_ALIYUN, key, false},                                                                    \
    {                                                                                              \
        OFFER_BATCH, key, false                                                                    \
    }
static const struct key_use offer_uses[] = {
    ALIYUN_KEY("campaign"),
    ALIYUN_KEY("digest"),
    ALIYUN_KEY("transport"),
    ALIYUN_KEY("module"),
    ALIYUN_KEY("ext_data"),
    {OFFER_BATCH, "verified", false},
    ALIYUN_KEY("files"),
    {OFFER_BATCH, "silent", false},
    {OFFER_BATCH, "yields", false},
    {OFFER_BATCH, "retries", false},
    {OFFER_BATCH, "retry_after_ms", false},
    {OFFER_BATCH, "policy", false},
    {OFFER_BATCH, "percent", false},
    {OFFER_BATCH, "devices", false},
    {OFFER_BATCH, "from_versions", false},
};
const struct table offer_table = {.name = "offer",
                                  COUNTED(offer_fields),
                                  .item_bytes = sizeof(struct offer_spec),
                                  .init = offer_init,
                                  .absent = offers_absent,
                                  .kind_of = offer_kind_of,
                                  .kind_word = offer_kind_word,
                                  USES(offer_uses),
                                  .check = offer_check};
