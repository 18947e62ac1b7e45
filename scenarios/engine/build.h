/*
 * What a scenario installs: the images of every version and the packages offered, made once per
 * run from the specification. Nothing here knows devices or networks.
 */
#ifndef OTABENCH_ENGINE_BUILD_H
#define OTABENCH_ENGINE_BUILD_H

#include "mock_cloud/packages/packages.h"
#include "scenarios/engine/scenario.h"

/* delta_id of offer n; the heal package has BUILD_HEAL_ID. */
#define BUILD_DELTA_ID     1000
#define BUILD_HEAL_ID      9000
#define BUILD_HEAL_VERSION "99.0"

/* A file of a package for a slot of several: where it lies in the slot's image. */
struct build_part {
    uint32_t offset, len_bytes;
};

struct build_package {
    struct build_part parts[PACKAGE_FILES_MAX];
    uint32_t n_parts; /* 0: the package is one file */
    struct buf bytes;
    enum package_kind kind;
    struct store_package row; /* as the cloud stores it */
};

struct build {
    struct buf images[SCENARIO_VERSIONS_MAX][PACKAGE_FILES_MAX];
    struct build_package offers[SCENARIO_VERSIONS_MAX];
    struct build_package heal;
    struct buf heal_image; /* new content of the first file */
    uint8_t altered_byte; /* base_altered: the factory image's byte at altered_at is this instead */
    uint32_t altered_at;  /* in the first file */
    const char *note;     /* static text when a fall-back was used, else null */
};

struct build_options {
    const char *cache_dir;
    const char *firmware_dir; /* image paths are tried here after the scenario's own directory and
                                 the working directory */
};

/* Where ci/firmware puts real images. A scenario that names one which was not fetched is not
 * applicable. */
#define BUILD_FIRMWARE "build/firmware/"

/* 0; ERR_UNSUPPORTED when a real image was not fetched; or the error of the image or package that
 * failed. b is initialised either way; call build_free.
 */
int build_make(struct build *b, const struct scenario *s, const struct build_options *o,
               struct err *err);
void build_free(struct build *b);

/* The heal package: a full package of a small first file, installable over `from`. */
int build_heal(struct build *b, const struct scenario *s, const struct build_options *o,
               const char *from_version, struct err *err);

/* The image of a slot with several files, all of that version: erased bytes between them. */
int build_slot_image(const struct build *b, const struct scenario *s, uint32_t version,
                     struct buf *out);

/* Bytes at the beginning of that file that build_version_of looks at, at most. */
uint32_t build_image_bytes_max(const struct build *b, const struct scenario *s, uint32_t file);
/* Index of the version all of whose files are complete at `flash`; -1 none, n_versions for the heal
 * version. */
int build_version_of(const struct build *b, const struct scenario *s, const uint8_t *flash);
/* Where on the chip the firmware that runs begins, or the place an update is written to: with two
 * slots the boot record says which is which. */
uint32_t build_running_address(const struct scenario *s, const uint8_t *flash);
/* Of one of the files, when the firmware begins there. */
uint32_t build_file_address(const struct scenario *s, uint32_t running, uint32_t file);
uint32_t build_update_address(const struct scenario *s, const uint8_t *flash);

#endif
