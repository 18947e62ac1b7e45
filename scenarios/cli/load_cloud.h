/* The cloud under load: `otabench cloud` as a process of its own, with a fleet of light devices set
 * up, its own Mosquitto, and its database in a file. */
#ifndef OTABENCH_CLI_LOAD_CLOUD_H
#define OTABENCH_CLI_LOAD_CLOUD_H

#include <stddef.h>
#include <stdint.h>

#include "scenarios/cli/child.h"

#define LOAD_IMAGE       "firmware.bin" /* in the folder, before the cloud starts */
#define LOAD_OLD_VERSION "1.0.0"
#define LOAD_NEW_VERSION "2.0.0" /* of the image */

struct load_cloud {
    struct child child;
    uint16_t http_port, mqtt_port;
};

/* Devices as fleet_name and fleet_secret have them. The first verifies the image, then all others
 * get it in a batch. ERR_IO with the log's place. */
int load_cloud_start(struct load_cloud *c, const char *dir, size_t devices, struct err *err);
/* What its database says after it has ended: upgrades that ended as success, and all others. */
int load_cloud_records(const char *dir, size_t *success, size_t *others, struct err *err);

int load_write_file(const char *dir, const char *name, const void *data, size_t len_bytes,
                    struct err *err);
void load_remove_dir(const char *dir); /* with all in it */

#endif
