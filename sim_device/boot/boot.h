/*
 * The boot loader: takes a verified package from the download partition and rewrites the firmware
 * files in place, so that a power cut at any flash operation, any number of times, ends in the old
 * or the new firmware, complete, and in nothing else.
 *
 * Crash-only step machine: boot_step does one bounded piece of work (at most one restore block) and
 * returns; between calls the stack is empty and all live RAM is struct boot. The only difference
 * between a resumed and an uninterrupted run is what state_open finds on flash.
 *
 * Order of work: open state -> nothing pending: run. Pending and no step done: check head, table,
 * algorithm, compare block, RAM, files and addresses against the configuration; payload SHA-256;
 * source SHA-256 (delta); PROVE: decode every delta window in RAM and check the target's SHA-256,
 * before anything is touched. Any refusal leaves result 98 (digest) or 99 and the old firmware.
 * Then per restore block: delta: decode into the backup area, mark staged(crc32), erase target,
 * copy, verify, mark done; full: erase target, copy from the package, verify, mark done. At the end
 * the targets' SHA-256 are checked and the result 1 is written for cmiot_report_upgrade. Several
 * files go through the same list of marks: all or nothing (PWR-02, BOT-16).
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_H
#define OTABENCH_SIM_DEVICE_BOOT_H

#include "common/package.h"
#include "sim_device/agent/cmiot/state.h"
#include "sim_device/board/board.h"

/* A firmware file of the device: where it lives (seed 000 §3.4.2 CMIOT_FOTA_FILENAMEn / ADDRESSn).
 */
struct boot_file {
    char name[PACKAGE_NAME_MAX];
    uint32_t address;    /* chip address of the file's first byte, erase-unit multiple */
    uint32_t area_bytes; /* room for it, erase-unit multiple */
};

/* Deliberately broken behaviours for the zoo; all false in the reference. */
struct boot_breaks {
    bool skip_verify;       /* no digest, no source check, no proof */
    bool skip_backup;       /* decodes straight over the target */
    bool skip_journal;      /* marks are not written */
    bool begin_first;       /* marks "begun" before the checks, which a start that finds it skips */
    bool recheck_base;      /* after a cut holds the half new firmware against the old digest */
    bool staged_first;      /* marks a block staged before it is */
    bool done_first;        /* marks a block done before it is copied */
    bool reuse_early;       /* erases the backup before its block is marked done */
    bool short_check;       /* marks a block done, then copies; a start checks its first page */
    bool restart_file;      /* after a cut begins the file anew */
    bool clear_first;       /* stores the result before the restore */
    bool clear_pending;     /* clears the pending flag, then stores the result */
    bool forget_if_resumed; /* a restore that went on after a cut leaves no result */
};

struct boot_config {
    struct board *board;
    uint32_t download_offset; /* chip address of the download partition */
    struct state_layout layout;
    struct boot_file files[PACKAGE_FILES_MAX];
    uint32_t file_count;
    uint16_t compare_block_kib;
    uint8_t algorithm;
    uint32_t ram_bytes; /* CMIOT_FOTA_AVAILABLE_RAM_SIZE: the window buffer must fit beside the
                           decoder state */
    struct boot_breaks breaks;
};

enum boot_result {
    BOOT_MORE,   /* call again */
    BOOT_RUN,    /* start the firmware */
    BOOT_BRICKED /* neither image can be started: retries exhausted */
};

struct boot; /* heap of the board: counts as its RAM */

/* Allocates on the board's heap. Null when the RAM is too small. */
struct boot *boot_new(const struct boot_config *cfg);
enum boot_result boot_step(struct boot *b);
void boot_free(struct boot *b);

/*
 * Events on LANE_BOOT: "boot" {mark}, "verify" {ok, reason}, "refuse" {result, reason}, "prove"
 * {file}, "restore" {file, block, blocks, phase: "stage"|"copy"|"skip"}, "restored" {files},
 * "result" {update_result}, "bricked" {reason}.
 */

#endif
