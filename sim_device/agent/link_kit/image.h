/*
 * A new image on its way into the slot that does not run: bytes come in order, each erase unit is
 * erased when its first byte is about to be programmed, and a page is programmed when it is full.
 * What flash holds is digested afterwards, so a write fault is seen (INT-07).
 */
#ifndef OTABENCH_AGENT_LINK_KIT_IMAGE_H
#define OTABENCH_AGENT_LINK_KIT_IMAGE_H

#include "sim_device/board/board.h"

#define KIT_IMAGE_CHUNK_MAX 256

struct kit_image {
    struct board *board;
    const struct partition *part;
    uint32_t size_bytes;   /* announced */
    uint32_t stored_bytes; /* taken so far; the last ones may still wait in chunk */
    uint32_t erased_bytes; /* of the partition, from its start */
    uint32_t chunk_bytes;  /* bytes per program: a page, or what a write-once chip takes */
    uint32_t filled;
    uint8_t chunk[KIT_IMAGE_CHUNK_MAX];
};

/* Nothing is erased yet. ERR_LIMIT: larger than the partition. */
int kit_image_begin(struct kit_image *m, struct board *b, const struct partition *part,
                    uint32_t size_bytes, struct err *err);
/* 0; ERR_LIMIT: more than announced (nothing of it is written); ERR_IO. */
int kit_image_write(struct kit_image *m, const void *data, size_t len_bytes);
/* Programs what waits. 0, ERR_IO, ERR_WRONG_STATE: bytes are missing. */
int kit_image_end(struct kit_image *m);
/* Digest of the image as flash holds it. 0, or a negative code of the chip. */
int kit_image_digest(const struct kit_image *m, enum digest_kind kind, uint8_t *out);
/* The next bytes go there, on the border of an erase unit; what lies before is erased. 0, ERR_IO.
 */
int kit_image_skip(struct kit_image *m, uint32_t to);
/* Programs what waits. 0, ERR_IO. */
int kit_image_flush(struct kit_image *m);
/* Digest of a part of it, as flash holds it. */
int kit_image_digest_part(const struct kit_image *m, uint32_t from, uint32_t len_bytes,
                          enum digest_kind kind, uint8_t *out);
/* From a byte on the border of an erase unit: what lies before it is in flash already. */
void kit_image_resume(struct kit_image *m, uint32_t at);
/* From the first byte again. */
void kit_image_restart(struct kit_image *m);

#endif
