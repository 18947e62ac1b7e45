/*
 * What a factory programmer writes to a device's chip, beside the image itself.
 */
#ifndef OTABENCH_ENGINE_FACTORY_H
#define OTABENCH_ENGINE_FACTORY_H

#include "common/bytes.h"
#include "sim_device/device.h"

/* The boot record of a device with two slots: the first one runs that image, under that version
 * (cut at its maximum). The image itself is not written. ERR_NOMEM, or the error of slots_factory
 * or nor_load. */
int factory_slots(struct nor *nor, const struct device_config *c, const struct buf *image,
                  const char *version, struct err *err);

#endif
