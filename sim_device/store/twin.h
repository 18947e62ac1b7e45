/*
 * A twin: one record in two banks of flash, replaced all or nothing, whatever a power cut leaves.
 *
 * A bank is half of a partition and holds one record, in the first of its places that reads well:
 *
 *   head (magic, sequence, length, CRC-32 of all) | payload | proof | proof
 *
 * A write goes to the bank that does not hold the current record: erase, program, read back, proof,
 * proof. A record counts only when its CRC-32 is right and one of its proofs is no longer blank; of
 * two that count, the later sequence is current, and equal ones are the same record. A proof is
 * begun only when everything in front of it is complete. So two touched proofs show that the record
 * and one proof are firm, and nothing that a cut left weak (reads now, perhaps not at the next
 * start) is relied on:
 *
 *   - a current record without two touched proofs is made firm first (twin_settle): on rewritable
 *     flash by programming the same bytes again, on write-once flash by a copy in the next blank
 *     place of its bank;
 *   - a bank that holds no counting record may hold one that comes to read later, with the higher
 *     sequence: it is erased, and gets the current record again.
 *
 * Settled means both: then nothing needs to be written at a start. Whoever acts on the record
 * settles first.
 *
 * On flash with ECC what was begun never reads as erased again: there one touched proof shows all
 * that two show elsewhere, and no cut costs a place. On write-once flash without ECC several cuts
 * in a row cost a place each; when all places are spent by cuts, what reads counts.
 */
#ifndef OTABENCH_SIM_DEVICE_STORE_TWIN_H
#define OTABENCH_SIM_DEVICE_STORE_TWIN_H

#include "sim_device/board/board.h"

#define TWIN_HEAD_BYTES 16
#define TWIN_BYTES_MAX  4096 /* largest payload that can be asked for */

struct twin {
    struct board *board;   /* null: memory is read */
    const uint8_t *memory; /* bytes of a chip, for twin_peek */
    const struct nor_geometry *geo;
    uint32_t offset;      /* chip address of the partition */
    uint32_t bank_bytes;  /* half of it */
    uint32_t place_bytes; /* a record with its proofs */
    uint32_t places;      /* in a bank */
    uint32_t max_bytes;   /* of the payload */
    bool single;          /* broken variant: one bank, erased and written again */
    bool valid;           /* a record counts */
    bool settled;         /* and needs nothing more */
    uint32_t bank;        /* 0 or 1, of the current record */
    uint32_t sequence;
    uint32_t len_bytes;
    uint32_t place_addr; /* chip address of the place that was read */
};

/* Refuses a partition that cannot hold two such records. ERR_ARG with the least size. */
int twin_check(const struct nor_geometry *geo, uint32_t part_bytes, uint32_t max_bytes,
               struct err *err);
/* Reads the flash. No record is not an error: valid is false. single must have been set, or be
 * zeroed with the rest, before. ERR_ARG (as twin_check), ERR_IO. Settling and writing take twice
 * place_bytes of the board's heap for the call: ERR_NOMEM. */
int twin_open(struct twin *t, struct board *b, const struct partition *p, uint32_t max_bytes,
              struct err *err);
/* The current payload; ERR_NOT_FOUND without one, ERR_LIMIT when cap_bytes is too small, ERR_IO. */
int twin_read(const struct twin *t, void *out, uint32_t cap_bytes, uint32_t *len_bytes,
              struct err *err);
/* Makes the current record firm, see above. Without one: nothing. ERR_IO: flash refuses; what reads
 * still counts. */
int twin_settle(struct twin *t, struct err *err);
/* Replaces the record. ERR_IO: the old one still stands. ERR_LIMIT: longer than max_bytes. */
int twin_write(struct twin *t, const void *payload, uint32_t len_bytes, struct err *err);

/* As twin_open, from a copy of the chip's bytes; then only twin_read may follow. */
int twin_peek(struct twin *t, const uint8_t *chip, const struct nor_geometry *geo,
              const struct partition *p, uint32_t max_bytes, struct err *err);

/* A whole bank as a factory programmer would write it, sequence 1, at out (bank_bytes, filled with
 * 0xFF behind). The same bytes go into both banks. */
void twin_image(const struct twin *t, const void *payload, uint32_t len_bytes, uint8_t *out);

#endif
