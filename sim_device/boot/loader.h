/*
 * Inside the boot loader: its live RAM and what its parts do for each other. Only boot.c, verify.c,
 * restore.c and loader_flash.c include it.
 *
 * Marks in the journal, from 1: "begun" (all checks passed), then in the order of the file table
 * and of the turns of each file: for a delta block "staged" and "done", for a full block "done".
 * Their argument is the CRC-32 of the block, so that the last mark can be held against the flash;
 * 0 means unknown (begun, vendor's record) and is taken at its word.
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_LOADER_H
#define OTABENCH_SIM_DEVICE_BOOT_LOADER_H

#include "sim_device/boot/boot.h"
#include "sim_device/boot/vcdiff.h"

#define LOADER_TRIES 3 /* of one piece of work before it counts as failed */
#define NO_FILE      UINT32_MAX

enum loader_phase {
    PHASE_OPEN,    /* what does the state say? */
    PHASE_CHECK,   /* head, table, configuration, RAM */
    PHASE_DIGESTS, /* payload and source of file `cursor` */
    PHASE_PROVE,   /* target of file `cursor`, in RAM */
    PHASE_BEGIN,   /* the mark after which there is no way back to the old firmware */
    PHASE_RESUME,  /* after a cut: is the last mark true? */
    PHASE_REPAIR,  /* what that takes */
    PHASE_RESTORE, /* one half of a block */
    PHASE_FINISH   /* digests of file `cursor` as restored; result */
};

/* What a look at the flash led to; it is done in the next step. So a step either looks at what a
 * cut may have left or changes something, and what was seen lives on as this alone. */
enum loader_work {
    WORK_NONE,
    WORK_FIRM_TARGET, /* the target is good: its bytes once more */
    WORK_FIRM_STAGE,  /* the backup area is */
    WORK_COPY,        /* target from the backup area */
    WORK_COPY_ANEW,   /* the same, whatever it holds (short_check) */
    WORK_STAGE_AND_COPY,
    WORK_COPY_FULL /* target from the package */
};

struct boot {
    struct boot_config cfg;
    struct state state;
    struct package_head head;
    struct package_file file; /* entry file_index of the table */
    uint32_t file_index;      /* NO_FILE: none loaded */
    struct vcdiff delta;      /* position in the payload of `file` */
    bool delta_open;
    uint8_t *window; /* head.window_bytes */
    uint8_t *page;   /* page_bytes: everything that is copied passes here */
    uint8_t *block;  /* only for skip_backup: a restore block */
    uint32_t page_bytes;
    enum loader_phase phase;
    enum loader_work work;
    bool looked; /* PHASE_RESTORE: work says what a staged block needs */
    uint32_t cursor;
    uint32_t mark; /* as state.mark; runs on alone with skip_journal */
    uint32_t mark_arg;
    bool resumed;   /* this start went on where a cut had ended another */
    uint32_t tries; /* failures of the piece of work at hand */
    struct err err; /* why the last piece failed */
};

/* One restore block of the loaded file. */
struct span {
    uint32_t turn, block, blocks;
    uint32_t addr; /* chip address of the target */
    uint32_t len_bytes;
    uint32_t source_from, source_to; /* of the old image, readable for it */
    uint32_t stream_pos;             /* its first byte in the delta's output */
};

/* verify.c. Return 0 or an error with the reason in b->err; ERR_DIGEST: the package is not what it
 * says. */
int loader_check_package(struct boot *b); /* also gets the window buffer */
int loader_check_digests(struct boot *b, uint32_t file_index);
int loader_prove(struct boot *b, uint32_t file_index);
int loader_check_restored(struct boot *b, uint32_t file_index);

/* restore.c */
int loader_begin(struct boot *b);
int loader_resume(struct boot *b); /* looks */
int loader_repair(struct boot *b); /* does */
int loader_restore(struct boot *b, bool *finished);
/* Drops what was read: the page, the window, the last error, the place in the delta. */
void loader_forget(struct boot *b);
void loader_forget_page(struct boot *b); /* and the last error; no more */
/* Nothing of the old image has been erased yet. */
bool loader_untouched(struct boot *b);

/* loader_flash.c: chip addresses. */
int loader_read(struct boot *b, uint32_t addr, void *out, uint32_t len_bytes);
int loader_erase(struct boot *b, uint32_t addr, uint32_t len_bytes); /* rounded up to units */
int loader_copy(struct boot *b, uint32_t from, uint32_t to, uint32_t len_bytes);
int loader_crc(struct boot *b, uint32_t addr, uint32_t len_bytes, uint32_t *crc);
int loader_sha256_is(struct boot *b, uint32_t addr, uint32_t len_bytes, const uint8_t *want);
int loader_load_file(struct boot *b, uint32_t file_index); /* into b->file */
uint32_t loader_payload_addr(const struct boot *b);        /* of b->file */
void loader_span(const struct boot *b, uint32_t turn, struct span *out);

/* Programs a stream in whole pages through b->page; the end is padded with 0xFF to a granule. */
struct loader_writer {
    struct boot *b;
    uint32_t addr, used, crc;
};
int loader_put(void *writer, const uint8_t *data, uint32_t len_bytes); /* a loader_sink */
int loader_put_end(struct loader_writer *w);

/* Decodes one block of b->file into sink, window by window, after checking that each window lies in
 * the block and reads only what the block may read. */
typedef int loader_sink(void *ctx, const uint8_t *data, uint32_t len_bytes);
int loader_decode(struct boot *b, const struct span *span, loader_sink *sink, void *ctx);

#endif
