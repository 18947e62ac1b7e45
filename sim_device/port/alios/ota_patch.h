/*
 * A differential image on a device with two slots. What was downloaded lies at the start of the
 * slot that does not run. It is moved to that slot's end, and the new image is made from it and the
 * running one, from the slot's first byte on. Neither source is touched meanwhile, so after a power
 * cut the work begins again where it was left: with the move, or with the making.
 *
 * The format is the container of common/package.h with one file, a VCDIFF (boot/vcdiff.h) or a
 * whole image: AliOS Things' own formats are not public.
 */
#ifndef OTABENCH_ALIOS_OTA_PATCH_H
#define OTABENCH_ALIOS_OTA_PATCH_H

#include "common/digest.h"
#include "sim_device/port/alios/alios_port.h"

struct patch_image {
    uint32_t len_bytes;
    uint8_t sha256[SHA256_BYTES];
};

/* Where in the slot a package of that length is moved to. ERR_LIMIT: it takes half of it or more.
 */
int patch_place(const struct alios *a, uint32_t package_bytes, uint32_t *at, struct err *err);
int patch_move(struct alios *a, uint32_t package_bytes, uint32_t at, struct err *err);
/*
 * Makes the image of the package at `at`. Package, base and room are checked before anything is
 * erased; the image's own digest is for slots_set_boot to compare. ERR_FORMAT, ERR_DIGEST: the
 * package; ERR_UNSUPPORTED: made for another base or another kind of device; ERR_LIMIT: no room
 * for the image before it; ERR_NOMEM; ERR_IO.
 */
int patch_make(struct alios *a, uint32_t at, uint32_t package_bytes, struct patch_image *out,
               struct err *err);

#endif
