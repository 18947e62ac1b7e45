#include "scenarios/engine/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/image_trailer.h"

#define HEAL_SEED   0x4845414cu
#define HEAL_BYTES  3000u
#define HEAL_WINDOW 1024u
/* Of differences for devices with two slots. */
#define SLOTS_WINDOW      16384u
#define SLOTS_COMPARE_KIB 64

static int read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return ERR_NOT_FOUND;
    uint8_t chunk[16384];
    int rc = 0;
    size_t n;
    while (rc == 0 && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        rc = buf_append(out, chunk, n);
    if (ferror(f))
        rc = ERR_IO;
    (void)fclose(f);
    return rc;
}

static int append_trailer(struct buf *image)
{
    struct image_trailer t = {.part = IMAGE_SINGLE, .size_bytes = (uint32_t)image->len_bytes};
    uint8_t bytes[IMAGE_TRAILER_BYTES];
    digest_of(DIGEST_MD5, image->data, image->len_bytes, t.md5);
    image_trailer_encode(&t, bytes);
    return buf_append(image, bytes, sizeof bytes);
}

/* Beside the scenario file, then the working directory, then the firmware directory. */
static int find_file(const struct scenario *s, const struct build_options *o, const char *path,
                     struct buf *out, struct err *err)
{
    char tried[3][600];
    const char *slash = strrchr(s->path, '/');
    int dir_len = slash == NULL || path[0] == '/' ? 0 : (int)(slash - s->path + 1);
    (void)snprintf(tried[0], sizeof tried[0], "%.*s%s", dir_len, s->path, path);
    (void)snprintf(tried[1], sizeof tried[1], "%s", path);
    (void)snprintf(tried[2], sizeof tried[2], "%s/%s",
                   o->firmware_dir == NULL ? "." : o->firmware_dir, path);
    for (size_t i = 0; i < 3; i++) {
        int rc = read_file(tried[i], out);
        if (rc == 0)
            return 0;
        if (rc != ERR_NOT_FOUND)
            return err_set(err, rc, "image %s cannot be read", tried[i]);
    }
    if (strncmp(path, BUILD_FIRMWARE, sizeof BUILD_FIRMWARE - 1) == 0)
        return err_set(err, ERR_UNSUPPORTED, "%s is not here; ci/firmware fetches the real images",
                       path);
    return err_set(err, ERR_NOT_FOUND,
                   "image %s not found beside the scenario or in the working directory", path);
}

static int make_image(struct build *b, const struct scenario *s, const struct build_options *o,
                      uint32_t v, uint32_t f, struct err *err)
{
    const struct image_spec *spec = &s->versions[v].images[f];
    struct buf *out = &b->images[v][f];
    const struct buf *before = v > 0 ? &b->images[v - 1][f] : NULL;
    int rc = ERR_FORMAT;
    switch (spec->kind) {
    case IMAGE_GENERATED:
        rc = package_generate(out, spec->seed, spec->bytes);
        break;
    case IMAGE_NEXT:
        if (before != NULL)
            rc = package_generate_next(out, spec->seed, before->data, (uint32_t)before->len_bytes,
                                       spec->grow_bytes);
        break;
    case IMAGE_SAME:
        if (before != NULL)
            rc = buf_append(out, before->data, before->len_bytes);
        break;
    case IMAGE_FILE:
        rc = find_file(s, o, spec->path, out, err);
        if (rc != 0)
            return rc;
        break;
    }
    if (rc != 0)
        return err_set(err, rc, "version %s, file %s: the image cannot be made",
                       s->versions[v].version, s->device.files[f].name);
    /* An edited image has one in the midst of it: what was the end of the one before. */
    if (s->device.image_trailer && spec->kind != IMAGE_SAME && append_trailer(out) != 0)
        return err_set(err, ERR_NOMEM, "version %s: no memory for its trailer",
                       s->versions[v].version);
    if (out->len_bytes > s->device.files[f].area_bytes)
        return err_set(err, ERR_LIMIT, "version %s, file %s: %zu bytes do not fit its area of %u",
                       s->versions[v].version, s->device.files[f].name, out->len_bytes,
                       s->device.files[f].area_bytes);
    return 0;
}

const char *tamper_name(enum tamper t)
{
    static const char *const names[TAMPER_COUNT] = {
        "none",          "source-digest", "payload-digest", "target-digest",
        "payload-byte",  "compare-block", "algorithm",      "address",
        "name",          "head",          "truncate",       "empty",
        "trailer-magic", "trailer-size",  "trailer-md5",    "trailer-part"};
    return (unsigned)t < TAMPER_COUNT ? names[t] : "?";
}

/* Rewrites head and table of a made package; digests of the container stay right unless they are
 * the target. */
static int tamper(struct buf *pkg, enum tamper what, uint32_t erase_bytes, struct err *err)
{
    struct package_head head;
    struct package_file files[PACKAGE_FILES_MAX];
    if (what == TAMPER_NONE)
        return 0;
    if (what == TAMPER_TRUNCATE || what == TAMPER_EMPTY) {
        pkg->len_bytes = what == TAMPER_EMPTY ? 1 : pkg->len_bytes - 1;
        return 0;
    }
    if (what == TAMPER_HEAD) {
        pkg->data[0] ^= 0xff;
        return 0;
    }
    int rc = package_head_decode(&head, pkg->data, err);
    for (uint32_t i = 0; rc == 0 && i < head.file_count; i++)
        rc = package_file_decode(&files[i], &head,
                                 pkg->data + PACKAGE_HEAD_BYTES + i * PACKAGE_FILE_BYTES, err);
    if (rc != 0)
        return rc;
    switch (what) {
    case TAMPER_SOURCE_DIGEST:
        files[0].old_sha256[5] ^= 1;
        break;
    case TAMPER_PAYLOAD_DIGEST:
        files[0].payload_sha256[5] ^= 1;
        break;
    case TAMPER_TARGET_DIGEST:
        files[0].new_sha256[5] ^= 1;
        break;
    case TAMPER_PAYLOAD_BYTE:
        pkg->data[files[0].payload_offset + files[0].payload_bytes / 2] ^= 0x10;
        return 0;
    case TAMPER_COMPARE_BLOCK:
        head.compare_block_kib = (uint16_t)(head.compare_block_kib * 2);
        break;
    case TAMPER_ALGORITHM:
        head.algorithm = PACKAGE_ALGORITHM + 1;
        break;
    case TAMPER_ADDRESS:
        files[0].address += erase_bytes;
        break;
    case TAMPER_NAME:
        (void)snprintf(files[0].name, sizeof files[0].name, "elsewhere.bin");
        break;
    default:
        break;
    }
    struct digest d;
    if (digest_begin(&d, DIGEST_SHA256) != 0)
        return err_set(err, ERR_NOMEM, "no memory for a digest");
    for (uint32_t i = 0; i < head.file_count; i++) {
        uint8_t *at = pkg->data + PACKAGE_HEAD_BYTES + i * PACKAGE_FILE_BYTES;
        package_file_encode(&files[i], at);
        digest_update(&d, at, PACKAGE_FILE_BYTES);
    }
    digest_end(&d, head.table_sha256);
    package_head_encode(&head, pkg->data);
    return 0;
}

static void describe(struct build_package *p, const struct scenario *s, int64_t delta_id,
                     const char *from, const char *to, int64_t at_ns)
{
    struct store_package *r = &p->row;
    memset(r, 0, sizeof *r);
    r->delta_id = delta_id;
    (void)snprintf(r->product_id, sizeof r->product_id, "%s", s->product.product_id);
    (void)snprintf(r->from_version, sizeof r->from_version, "%s", from);
    (void)snprintf(r->to_version, sizeof r->to_version, "%s", to);
    r->kind = p->kind;
    r->bytes = (uint32_t)p->bytes.len_bytes;
    char hex[DIGEST_HEX_MAX];
    digest_hex_of(DIGEST_MD5, p->bytes.data, p->bytes.len_bytes, hex);
    memcpy(r->md5_hex, hex, sizeof r->md5_hex);
    r->offered_from_ns = at_ns;
}

static void set_params(struct package_params *p, const struct scenario *s,
                       const struct build_options *o, const char *from, const char *to, bool full)
{
    memset(p, 0, sizeof *p);
    (void)snprintf(p->from_version, sizeof p->from_version, "%.31s", from);
    (void)snprintf(p->to_version, sizeof p->to_version, "%.31s", to);
    p->compare_block_kib = s->product.compare_block_kib;
    p->restore_block_bytes = s->product.restore_block_bytes;
    p->window_bytes = s->product.window_bytes;
    p->full = full;
    p->cache_dir = o->cache_dir;
}

static void tamper_image(struct buf *image, enum tamper what)
{
    uint8_t *trailer = image->data + image->len_bytes - IMAGE_TRAILER_BYTES;
    switch (what) {
    case TAMPER_TRAILER_MAGIC:
        trailer[0] ^= 1;
        break;
    case TAMPER_TRAILER_SIZE:
        trailer[4] ^= 1;
        break;
    case TAMPER_TRAILER_MD5:
        trailer[8] ^= 1;
        break;
    case TAMPER_TRAILER_PART:
        memset(trailer, 0xCD, 4);
        break;
    default:
        break;
    }
}

/* An image as it is, for devices with two slots. */
static int make_image_offer(struct build_package *p, const struct buf *image, uint32_t pad_to_bytes,
                            enum tamper what)
{
    buf_init(&p->bytes, PACKAGE_IMAGE_MAX);
    p->kind = PACKAGE_FULL;
    int rc = buf_append(&p->bytes, image->data, image->len_bytes);
    if (rc == 0 && what != TAMPER_NONE)
        tamper_image(&p->bytes, what);
    if (rc == 0 && pad_to_bytes > p->bytes.len_bytes)
        rc = buf_append(&p->bytes, NULL, pad_to_bytes - p->bytes.len_bytes);
    return rc;
}

/* Files at their addresses, erased bytes between them. */
static int compose(struct buf *out, const struct scenario *s, const struct buf *files,
                   struct build_part *parts)
{
    int rc = 0;
    for (uint32_t f = 0; f < s->device.file_count && rc == 0; f++) {
        const uint32_t at = s->device.files[f].address;
        const size_t was = out->len_bytes;
        if (at > was)
            rc = buf_append(out, NULL, at - was);
        if (at > was && rc == 0)
            memset(out->data + was, 0xFF, at - was);
        if (rc == 0)
            rc = buf_append(out, files[f].data, files[f].len_bytes);
        if (parts != NULL)
            parts[f] = (struct build_part){at, (uint32_t)files[f].len_bytes};
    }
    return rc;
}

int build_slot_image(const struct build *b, const struct scenario *s, uint32_t version,
                     struct buf *out)
{
    return compose(out, s, b->images[version], NULL);
}

static int make_files_offer(struct build_package *p, const struct scenario *s,
                            const struct buf *files)
{
    buf_init(&p->bytes, PACKAGE_IMAGE_MAX);
    p->kind = PACKAGE_FULL;
    p->n_parts = s->device.file_count;
    return compose(&p->bytes, s, files, p->parts);
}

static int make_offer(struct build *b, const struct scenario *s, const struct build_options *o,
                      uint32_t index, struct err *err)
{
    const struct offer_spec *spec = &s->offers[index];
    struct build_package *p = &b->offers[index];
    struct package_source files[PACKAGE_FILES_MAX];
    struct package_params params;
    const char *from = s->versions[spec->from].version;
    const char *to = s->versions[spec->to].version;
    const bool slots = s->device.agent != AGENT_CMIOT;
    if (slots && spec->full) {
        int rc = s->device.file_count > 1 ? make_files_offer(p, s, b->images[spec->to])
                                          : make_image_offer(p, &b->images[spec->to][0],
                                                             spec->pad_to_bytes, spec->tamper);
        describe(p, s, BUILD_DELTA_ID + index, "", to, spec->at_ns);
        return rc == 0 ? 0 : err_set(err, rc, "image of %s", to);
    }
    set_params(&params, s, o, spec->full ? "" : from, to, spec->full);
    if (slots) { /* nothing is restored in place: the whole image is one block */
        params.compare_block_kib = SLOTS_COMPARE_KIB;
        params.restore_block_bytes = s->device.files[0].area_bytes;
        params.window_bytes =
            SLOTS_WINDOW < params.restore_block_bytes ? SLOTS_WINDOW : params.restore_block_bytes;
    }
    for (uint32_t f = 0; f < s->device.file_count && f < PACKAGE_FILES_MAX; f++) {
        const struct buf *was = &b->images[spec->from][f];
        const struct buf *is = &b->images[spec->to][f];
        files[f] =
            (struct package_source){.address = s->device.files[f].address,
                                    /* A full package holds every file: it must fit any source. */
                                    .old_image = spec->full ? NULL : was->data,
                                    .old_bytes = spec->full ? 0 : (uint32_t)was->len_bytes,
                                    .new_image = is->data,
                                    .new_bytes = (uint32_t)is->len_bytes};
        memcpy(files[f].name, s->device.files[f].name, sizeof files[f].name);
    }
    buf_init(&p->bytes, PACKAGE_IMAGE_MAX);
    uint32_t n =
        s->device.file_count > PACKAGE_FILES_MAX ? PACKAGE_FILES_MAX : s->device.file_count;
    int rc = package_make(&p->bytes, files, n, &params, &p->kind, err);
    if (rc == 0)
        rc = tamper(&p->bytes, spec->tamper, s->device.geometry.erase_bytes, err);
    if (rc == 0 && spec->pad_to_bytes > p->bytes.len_bytes)
        rc = buf_append(&p->bytes, NULL, spec->pad_to_bytes - p->bytes.len_bytes);
    if (rc != 0)
        return err_prefix(err, rc, "package %s to %s", from, to);
    describe(p, s, BUILD_DELTA_ID + index, spec->full ? "" : from, to, spec->at_ns);
    return 0;
}

int build_make(struct build *b, const struct scenario *s, const struct build_options *o,
               struct err *err)
{
    memset(b, 0, sizeof *b);
    for (uint32_t v = 0; v < s->n_versions; v++)
        for (uint32_t f = 0; f < s->device.file_count && f < PACKAGE_FILES_MAX; f++) {
            buf_init(&b->images[v][f], PACKAGE_IMAGE_MAX);
            int rc = make_image(b, s, o, v, f, err);
            if (rc != 0)
                return rc;
        }
    for (uint32_t i = 0; i < s->n_offers; i++) {
        int rc = make_offer(b, s, o, i, err);
        if (rc != 0)
            return rc;
    }
    if (s->base_altered) {
        b->altered_at = (uint32_t)b->images[0][0].len_bytes / 3;
        b->altered_byte = b->images[0][0].data[b->altered_at] ^ 0x5a;
    }
    return 0;
}

int build_heal(struct build *b, const struct scenario *s, const struct build_options *o,
               const char *from_version, struct err *err)
{
    struct package_params params;
    buf_free(&b->heal_image);
    buf_free(&b->heal.bytes);
    buf_init(&b->heal_image, PACKAGE_IMAGE_MAX);
    buf_init(&b->heal.bytes, PACKAGE_IMAGE_MAX);
    int rc = package_generate(&b->heal_image, HEAL_SEED, HEAL_BYTES);
    if (rc != 0)
        return err_set(err, rc, "the heal image cannot be made");
    if (s->device.agent != AGENT_CMIOT) {
        if (s->device.image_trailer)
            rc = append_trailer(&b->heal_image);
        struct buf files[PACKAGE_FILES_MAX]; /* of several, each is this image */
        for (uint32_t f = 0; f < PACKAGE_FILES_MAX; f++)
            files[f] = b->heal_image;
        if (rc == 0)
            rc = s->device.file_count > 1
                     ? make_files_offer(&b->heal, s, files)
                     : make_image_offer(&b->heal, &b->heal_image, 0, TAMPER_NONE);
        describe(&b->heal, s, BUILD_HEAL_ID, "", BUILD_HEAL_VERSION, 0);
        return rc == 0 ? 0 : err_set(err, rc, "the heal image cannot be made");
    }
    struct package_source file = {.address = s->device.files[0].address,
                                  .new_image = b->heal_image.data,
                                  .new_bytes = (uint32_t)b->heal_image.len_bytes};
    memcpy(file.name, s->device.files[0].name, sizeof file.name);
    set_params(&params, s, o, "", BUILD_HEAL_VERSION, true);
    /* A product that does not fit the device is part of what is healed. */
    struct state_layout layout;
    device_state_layout(&s->device, &layout);
    params.compare_block_kib = s->device.compare_block_kib;
    params.restore_block_bytes = layout.backup_bytes;
    params.window_bytes = HEAL_WINDOW;
    rc = package_make(&b->heal.bytes, &file, 1, &params, &b->heal.kind, err);
    if (rc != 0)
        return err_prefix(err, rc, "heal package over %s", from_version);
    describe(&b->heal, s, BUILD_HEAL_ID, "", BUILD_HEAL_VERSION, 0);
    return 0;
}

void build_free(struct build *b)
{
    for (uint32_t v = 0; v < SCENARIO_VERSIONS_MAX; v++) {
        for (uint32_t f = 0; f < PACKAGE_FILES_MAX; f++)
            buf_free(&b->images[v][f]);
        buf_free(&b->offers[v].bytes);
    }
    buf_free(&b->heal.bytes);
    buf_free(&b->heal_image);
}

static bool image_at(const uint8_t *flash, const struct buf *image)
{
    return image->data != NULL && memcmp(flash, image->data, image->len_bytes) == 0;
}

/* The first file as the factory wrote it, with its one wrong byte. */
static bool altered_base_at(const struct build *b, const uint8_t *flash)
{
    const struct buf *base = &b->images[0][0];
    uint32_t k = b->altered_at;
    return flash[k] == b->altered_byte && memcmp(flash, base->data, k) == 0 &&
           memcmp(flash + k + 1, base->data + k + 1, base->len_bytes - k - 1) == 0;
}

/* Whether the second slot runs. */
static bool second_runs(const struct device_config *c, const uint8_t *flash)
{
    struct slots_record r;
    (void)slots_peek(flash, &c->geometry, &c->partitions, &r);
    return slots_record_running(&r) == 1;
}

static uint32_t part_address(const struct device_config *c, const char *name)
{
    const struct partition *p = partition_find(&c->partitions, name);
    return p == NULL ? 0 : p->offset;
}

uint32_t build_running_address(const struct scenario *s, const uint8_t *flash)
{
    const struct device_config *c = &s->device;
    if (c->agent == AGENT_CMIOT)
        return c->files[0].address;
    return part_address(c, second_runs(c, flash) ? "app2" : "app");
}

uint32_t build_update_address(const struct scenario *s, const uint8_t *flash)
{
    const struct device_config *c = &s->device;
    if (c->agent == AGENT_CMIOT)
        return part_address(c, "download");
    return part_address(c, second_runs(c, flash) ? "app" : "app2");
}

uint32_t build_image_bytes_max(const struct build *b, const struct scenario *s, uint32_t file)
{
    size_t most = file == 0 || s->device.agent == AGENT_AIOT ? HEAL_BYTES + IMAGE_TRAILER_BYTES
                                                             : 0; /* that image comes late */
    for (uint32_t v = 0; v < s->n_versions; v++)
        if (b->images[v][file].len_bytes > most)
            most = b->images[v][file].len_bytes;
    return (uint32_t)most;
}

uint32_t build_file_address(const struct scenario *s, uint32_t running, uint32_t file)
{
    const uint32_t at = s->device.files[file].address;
    if (s->device.agent != AGENT_CMIOT)
        return running + at;
    return file == 0 ? running : at;
}

int build_version_of(const struct build *b, const struct scenario *s, const uint8_t *flash)
{
    uint32_t files =
        s->device.file_count > PACKAGE_FILES_MAX ? PACKAGE_FILES_MAX : s->device.file_count;
    const uint32_t first = build_running_address(s, flash);
    const bool slots = s->device.agent != AGENT_CMIOT;
    /* Highest first: a version whose files are all unchanged from its predecessor is the newer one.
     */
    for (uint32_t v = s->n_versions; v-- > 0;) {
        bool all = true;
        for (uint32_t f = 0; f < files && all; f++) {
            const uint8_t *at = flash + build_file_address(s, first, f);
            all = image_at(at, &b->images[v][f]) ||
                  (s->base_altered && v == 0 && f == 0 && altered_base_at(b, at));
        }
        if (all)
            return (int)v;
    }
    if (image_at(flash + first, files > 1 && slots ? &b->heal.bytes : &b->heal_image))
        return (int)s->n_versions;
    return -1;
}
