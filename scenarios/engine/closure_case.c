#include "scenarios/engine/closure_case.h"

#include <stdio.h>
#include <string.h>

struct part {
    struct nor *nor;
    uint32_t offset;
};

static int part_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    struct part *p = ctx;
    return nor_read(p->nor, p->offset + addr, out, len_bytes);
}

static int part_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    struct part *p = ctx;
    return nor_program(p->nor, p->offset + addr, data, len_bytes);
}

static int part_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct part *p = ctx;
    return nor_erase(p->nor, p->offset + addr, len_bytes);
}

static int choose_offer(const struct scenario *s, uint32_t *out, struct err *err)
{
    for (uint32_t i = 0; i < s->n_offers; i++)
        if (s->offers[i].from == 0) {
            *out = i;
            return 0;
        }
    return err_set(err, ERR_UNSUPPORTED, "%s: offers nothing for its first version", s->name);
}

int closure_case_boot(const struct device_config *d, struct boot_config *b, struct err *err)
{
    const struct partition *p = partition_find(&d->partitions, "download");
    int rc = device_config_check(d, err);
    if (rc != 0)
        return rc;
    if (d->agent != AGENT_CMIOT || p == NULL)
        return err_set(err, ERR_UNSUPPORTED, "a device with two slots has no restore to follow");
    *b = (struct boot_config){.download_offset = p->offset,
                              .file_count = d->file_count,
                              .compare_block_kib = d->compare_block_kib,
                              .algorithm = d->algorithm,
                              .ram_bytes = d->ram_bytes,
                              .breaks = d->breaks.boot};
    device_state_layout(d, &b->layout);
    for (uint32_t f = 0; f < d->file_count; f++)
        b->files[f] = d->files[f];
    return 0;
}

static int configure(struct closure_case *k, const struct scenario *s, uint32_t to, struct err *err)
{
    const struct device_config *d = &s->device;
    int rc = closure_case_boot(d, &k->subject.boot, err);
    if (rc != 0)
        return rc;
    k->subject.geometry = d->geometry;
    for (uint32_t f = 0; f < d->file_count; f++) {
        const struct buf *was = &k->build.images[0][f], *is = &k->build.images[to][f];
        k->subject.old_images[f] = (struct closure_image){was->data, (uint32_t)was->len_bytes};
        k->subject.new_images[f] = (struct closure_image){is->data, (uint32_t)is->len_bytes};
    }
    return 0;
}

static int load(struct closure_case *k, struct nor *nor, const struct scenario *s,
                const struct build_package *package)
{
    const struct boot_config *b = &k->subject.boot;
    int rc = partition_guard(nor, &s->device.partitions);
    for (uint32_t f = 0; rc == 0 && f < b->file_count; f++)
        rc = nor_load(nor, b->files[f].address, k->subject.old_images[f].data,
                      k->subject.old_images[f].len_bytes);
    if (rc == 0)
        rc = nor_load(nor, b->download_offset, package->bytes.data,
                      (uint32_t)package->bytes.len_bytes);
    return rc;
}

/* The agent's records of the download, of the package complete and of the update pending, each in
 * the other bank than the one before. */
static int pend(struct closure_case *k, struct nor *nor, const struct scenario *s,
                const struct build_package *package, bool weak, struct err *err)
{
    const struct boot_config *b = &k->subject.boot;
    uint32_t segment = 16u << s->device.segment_index;
    struct part part = {.nor = nor, .offset = b->download_offset};
    struct state_io io = {
        .ctx = &part, .read = part_read, .program = part_program, .erase = part_erase};
    struct state_record r = {.delta_id = (uint32_t)package->row.delta_id,
                             .file_bytes = (uint32_t)package->bytes.len_bytes,
                             .segment_bytes = segment};
    r.index_max = (r.file_bytes + segment - 1) / segment;
    (void)snprintf(r.mid, sizeof r.mid, "%.31s", s->device.did);
    (void)snprintf(r.device_id, sizeof r.device_id, "%.31s", s->device.oid);
    (void)hex_decode(r.md5, sizeof r.md5, package->row.md5_hex);
    struct state state;
    int rc = state_open(&state, &io, &b->layout, err);
    if (rc == 0)
        rc = state_write(&state, &r, err);
    if (rc == 0)
        rc = state_mark(&state, 1, 0, err);
    r.index = r.index_max;
    r.report_due = 1;
    if (rc == 0)
        rc = state_write(&state, &r, err);
    r.update_result = UPDATE_PENDING;
    if (rc != 0 || !weak)
        return rc == 0 ? state_write(&state, &r, err) : rc;
    /* In the program that makes the record count: of itself, on write-once flash of its proof. */
    nor_arm_cut(nor, nor_op_count(nor) + (b->layout.write_once ? 3 : 2), TEAR_WEAK, 0);
    (void)state_write(&state, &r, NULL); /* fails: power goes in it, and stays away */
    return nor_is_on(nor) ? err_set(err, ERR_BENCH, "the pending record was not cut") : 0;
}

static struct nor *make_chip(struct closure_case *k, const struct scenario *s,
                             const struct build_package *package, uint64_t seed, bool weak,
                             struct err *err)
{
    struct nor *nor = nor_new(&k->subject.geometry, seed, err);
    if (nor == NULL)
        return NULL;
    int rc = load(k, nor, s, package);
    if (rc != 0)
        (void)err_set(err, rc, "%s: images and package do not fit the flash", s->name);
    else
        rc = pend(k, nor, s, package, weak, err);
    if (rc == 0)
        return nor;
    nor_free(nor);
    return NULL;
}

int closure_case_open(struct closure_case *k, const struct scenario *s,
                      const struct build_options *o, uint64_t seed, struct err *err)
{
    uint32_t offer = 0;
    memset(k, 0, sizeof *k);
    int rc = choose_offer(s, &offer, err);
    if (rc == 0 && s->base_altered)
        rc = err_set(err, ERR_UNSUPPORTED, "%s: its factory image is not that of its version",
                     s->name);
    if (rc == 0)
        rc = build_make(&k->build, s, o, err);
    if (rc == 0)
        rc = configure(k, s, s->offers[offer].to, err);
    if (rc != 0)
        return rc;
    const struct build_package *package = &k->build.offers[offer];
    k->kind = package->kind;
    k->package_bytes = (uint32_t)package->bytes.len_bytes;
    k->from = s->versions[0].version;
    k->to = s->versions[s->offers[offer].to].version;
    if (k->package_bytes > state_package_limit(&k->subject.boot.layout))
        return err_set(err, ERR_LIMIT, "%s: a package of %u bytes does not fit", s->name,
                       (unsigned)k->package_bytes);
    k->pending = make_chip(k, s, package, seed, false, err);
    if (k->pending != NULL)
        k->pending_weak = make_chip(k, s, package, seed, true, err);
    return k->pending_weak == NULL ? ERR_NOMEM : 0;
}

void closure_case_free(struct closure_case *k)
{
    nor_free(k->pending);
    nor_free(k->pending_weak);
    build_free(&k->build);
    memset(k, 0, sizeof *k);
}
