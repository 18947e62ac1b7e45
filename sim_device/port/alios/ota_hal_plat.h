/*
 * The platform's part of a port of AliOS Things' uOTA (seed 002 §1.5-1.6, generation A of aliyun
 * note §12.1): five functions over the place an update is written to. Here that is the slot that
 * does not run (boot/slots.h).
 *
 * Offset rule: *off_set is where the piece begins, relative to the slot, and is advanced by the
 * bytes that were written or read (FLS-29, FLS-30).
 */
#ifndef OTABENCH_ALIOS_OTA_HAL_PLAT_H
#define OTABENCH_ALIOS_OTA_HAL_PLAT_H

#include <stdint.h>

typedef int hal_stat_t;
enum { stat_ok = 0, stat_err = 1 };

typedef enum { OTA_KERNEL = 0, OTA_APP = 1, OTA_ALL = 2 } OTA_ENUM_UPDATE_TYPE;
typedef enum { OTA_FINISH = 0, OTA_BREAKPOINT = 1 } OTA_ENUM_RESULT_TYPE;
typedef enum { OTA_RAW = 0, OTA_DIFF = 1 } OTA_ENUM_FIRMWARE_TYPE;

/* What hal_ota_set_boot is given. */
typedef struct {
    OTA_ENUM_UPDATE_TYPE update_type;
    OTA_ENUM_RESULT_TYPE result_type;
    OTA_ENUM_FIRMWARE_TYPE firmware_type;
    uint32_t splict_size;
    uint8_t diff_version;
    uint8_t rollback;
} ota_finish_param_t;

typedef struct hal_ota_module_s hal_ota_module_t;
struct hal_ota_module_s {
    struct {
        hal_ota_module_t *next;
        int magic;
        const char *name;
        void *priv_dev;
    } base;
    hal_stat_t (*init)(hal_ota_module_t *m, void *something);
    hal_stat_t (*ota_write)(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *in_buf,
                            uint32_t in_buf_len);
    hal_stat_t (*ota_read)(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *out_buf,
                           uint32_t out_buf_len);
    hal_stat_t (*ota_set_boot)(hal_ota_module_t *m, void *something);
    hal_stat_t (*ota_rollback)(hal_ota_module_t *m, void *something);
};

/* The module of this device; null outside one. hal_ota_* take null for it. */
hal_ota_module_t *hal_ota_get_default_module(void);

/*
 * something: pointer to the resume offset (uint32_t, in and out), or null for 0. Writing begins
 * there; each erase unit is erased when its first byte is about to be programmed, whatever it
 * holds. A position inside an erase unit is moved back to its start: what lies behind it cannot be
 * kept. stat_err: offset outside the slot, an image is pending or on trial (BOT-18), or the store
 * refuses.
 */
hal_stat_t hal_ota_init(void *something);
/* Pieces of any length, one behind the other. stat_err: not behind the last piece, before
 * hal_ota_init, beyond the slot (nothing is written then), or the flash refuses. */
hal_stat_t hal_ota_write(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *in_buf,
                         uint32_t in_buf_len);
hal_stat_t hal_ota_read(hal_ota_module_t *m, volatile uint32_t *off_set, uint8_t *out_buf,
                        uint32_t out_buf_len);
/*
 * something: ota_finish_param_t. OTA_BREAKPOINT: what was written is in flash when this returns,
 * and its length is kept, over a power cut too. OTA_FINISH: what was written, or else what was kept
 * so, is one image; the next start tries it, under the version kept as ALIOS_KV_VERSION. Either
 * ends the writing; hal_ota_init begins again and forgets what was kept.
 * With OTA_DIFF what was written is a difference to the running image: the new image is made from
 * both first (ota_patch.h), and until hal_ota_init the difference is what hal_ota_read reads.
 * stat_err: nothing was written; another update_type than OTA_ALL; a difference that does not fit
 * the running image or the slot, with the reason in the log.
 */
hal_stat_t hal_ota_set_boot(hal_ota_module_t *m, void *something);
/* Gives up the image on trial or pending; the next start runs the old one. stat_err: the running
 * image is confirmed. something is not used. */
hal_stat_t hal_ota_rollback(hal_ota_module_t *m, void *something);

#define ALIOS_KV_VERSION "key_ota_version"    /* text, without terminator; set by the client */
#define ALIOS_KV_LENGTH  "ota_written_length" /* the port's own: two u32 */

#endif
