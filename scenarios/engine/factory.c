#include "scenarios/engine/factory.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/digest.h"

int factory_slots(struct nor *nor, const struct device_config *c, const struct buf *image,
                  const char *version, struct err *err)
{
    const struct partition *p = partition_find(&c->partitions, SLOTS_PARTITION);
    struct board board = {.nor = nor, .partitions = &c->partitions};
    struct slots_config cfg;
    struct slots_image first = {.len_bytes = (uint32_t)image->len_bytes};
    device_slots_config(c, &board, &cfg);
    digest_of(DIGEST_SHA256, image->data, image->len_bytes, first.sha256);
    (void)snprintf(first.version, sizeof first.version, "%.31s", version);
    uint8_t *out = malloc(p->size_bytes);
    if (out == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the boot record");
    int rc = slots_factory(&cfg, &first, out, err);
    if (rc == 0)
        rc = nor_load(nor, p->offset, out, p->size_bytes);
    free(out);
    return rc;
}
