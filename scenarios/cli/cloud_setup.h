/*
 * What `otabench cloud` is told to offer: products, devices, firmware, tasks, configurations, from
 * its options or a JSON set-up file (docs/clouds/aliyun.md shows one). Setting up twice changes
 * nothing: firmware is known by product, module, version and contents, a task by what it is for.
 */
#ifndef OTABENCH_CLI_CLOUD_SETUP_H
#define OTABENCH_CLI_CLOUD_SETUP_H

#include "mock_cloud/cloud.h"

#define SETUP_TASKS_MAX 256

struct setup_task {
    struct store_task task;
    char version[STORE_TEXT_MAX]; /* of its firmware, for people */
    bool waits;                   /* for a verification, or a failure to do again */
};

struct cloud_setup {
    struct cloud *cloud;
    int64_t now_ns;
    struct setup_task tasks[SETUP_TASKS_MAX]; /* not started yet */
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

/* Starts the tasks that can be started: batches wait for a verification. The number started, or an
 * error. */
int setup_start(struct cloud_setup *s, int64_t now_ns, struct err *err);

#endif
