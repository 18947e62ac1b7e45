/*
 * What `otabench cloud` is told to offer: products, devices, firmware, tasks, configurations, from
 * its options, a JSON set-up file (docs/clouds/aliyun.md shows one), or the same while it runs.
 * Setting up twice changes nothing: firmware is known by product, module, version and contents, a
 * task by what it is for.
 */
#ifndef OTABENCH_CLI_CLOUD_SETUP_H
#define OTABENCH_CLI_CLOUD_SETUP_H

#include "mock_cloud/cloud.h"

#define SETUP_TASKS_MAX 256

struct setup_task {
    struct store_task task;
    char version[STORE_TEXT_MAX];    /* of its firmware, for people */
    char (*devices)[STORE_TEXT_MAX]; /* of a batch that names them; owned; null: none */
    size_t device_count;
};

struct cloud_setup {
    struct cloud *cloud;
    int64_t now_ns;
    struct setup_task tasks[SETUP_TASKS_MAX]; /* not started yet: those "again" that wait for a
                                                 failure */
    size_t task_count;
    char device_id[STORE_TEXT_MAX]; /* the first Aliyun device named; empty: none */
    int64_t firmware_id;            /* the first firmware for it; 0: none */
};

/* A product, and a device of it: "name", "name:secret" or null for none. Without a secret the one
 * it has stays, a new device gets one that follows from the cloud's project key. ERR_ARG. */
int setup_device(struct cloud_setup *s, const char *product_key, const char *device,
                 struct err *err);
/* "VERSION=FILE" as firmware of the product, with a verification on the device. */
int setup_firmware(struct cloud_setup *s, const char *product_key, const char *device_name,
                   const char *text, struct err *err);
/* A set-up file. ERR_FORMAT naming the place, before anything is changed; ERR_IO, ERR_LIMIT for
 * files it names. */
int setup_file(struct cloud_setup *s, const char *path, struct err *err);

/* Where files that a text names are. */
struct setup_files {
    const char *dir; /* what paths begin with: ends with a slash, or is empty */
    bool uploads;    /* only names, of files that lie there (admin_files.c) */
};
/* The text of a set-up file. */
int setup_text(struct cloud_setup *s, const char *text, size_t len_bytes,
               const struct setup_files *files, struct err *err);

/* One object of a set-up file by itself, with a "product_key" beside its own keys. SETUP_TASK also
 * has "firmware" (an id), or "version" and "module" of one: it is in tasks afterwards, SETUP_DEVICE
 * in device_id, SETUP_FIRMWARE in firmware_id. Also ERR_NOT_FOUND: no such product or firmware. */
enum setup_part { SETUP_DEVICE, SETUP_FIRMWARE, SETUP_TASK };
int setup_one(struct cloud_setup *s, enum setup_part part, const char *text, size_t len_bytes,
              const struct setup_files *files, struct err *err);

/* Starts the tasks that can be started; batches whose firmware is not verified are kept by the
 * cloud until it is. The number started or kept so, or an error; with tasks left, err says why. */
int setup_start(struct cloud_setup *s, int64_t now_ns, struct err *err);
/* Forgets tasks that were not started. */
void setup_free(struct cloud_setup *s);

#endif
