/*
 * The emulated device alone, in real time, against any cloud: threads, real sockets, names that
 * resolve for real. Its flash is a file that is kept.
 *
 * With two slots the boot record tells which version runs, whatever the cloud has sent. Of a
 * CMS-OTA device the last package tells, and "FLASH.version" beside the flash; a package that is
 * not in the container of common/package.h is no use to its boot loader anyway.
 *
 * A power cut stops the device inside a flash operation; after LONE_DEVICE_OFF_NS it is powered on
 * again. One lone device per process.
 */
#ifndef OTABENCH_ENGINE_LONE_DEVICE_H
#define OTABENCH_ENGINE_LONE_DEVICE_H

#include "common/vtime.h"
#include "scenarios/engine/run.h"
#include "sim_device/device.h"

#define LONE_DEVICE_OFF_NS      NS_PER_S
#define LONE_DEVICE_IMAGE_BYTES 65536u /* of the factory image when none is given */

/* ops: flash operations so far, counted from the start of lone_device_run. */
typedef void lone_device_event(void *ctx, int64_t now_ns, uint64_t ops, enum lane lane,
                               const char *event, const struct trace_field *fields, size_t n);

struct lone_device_options {
    const struct device_config *config; /* firmware_version: of the factory image */
    const char *flash_path;             /* made with the factory image when absent */
    const struct buf *image;            /* factory image; null: a generated one */
    struct run_cut cuts[RUN_CUTS_MAX];  /* CUT_FLASH; op counts as in lone_device_event, rising */
    uint32_t n_cuts;
    lone_device_event *event;
    void *event_ctx;
};

struct lone_device_result {
    bool alive;                      /* it ran its rounds and went idle; else: config or bricked */
    bool made;                       /* the flash file is new */
    uint32_t cuts;                   /* that happened */
    char version[SLOTS_VERSION_MAX]; /* that runs at the end */
};

/* With AGENT_CMIOT: exactly one http://, into host and port. Else:
 * takes "mqtt://host[:port]" or "mqtts://..." out of a list separated by commas into c (mqtt_host,
 * mqtt_port, tls). http:// and https:// are allowed and checked, but downloads go where the cloud's
 * URLs say. ERR_ARG: no such list, or not exactly one MQTT endpoint. */
int lone_device_endpoints(struct device_config *c, const char *list, struct err *err);
/* "OP[tTEAR[.ARG]][,...]" as in replay tokens (token.h); without TEAR: the operation does not
 * begin. ERR_FORMAT. */
int lone_device_cuts(struct lone_device_options *o, const char *text, struct err *err);

/* Runs until the device is idle. 0, then out tells; ERR_ARG: the configuration, the image or the
 * flash file is of no use; ERR_IO, ERR_NOMEM. */
int lone_device_run(const struct lone_device_options *o, struct lone_device_result *out,
                    struct err *err);

#endif
