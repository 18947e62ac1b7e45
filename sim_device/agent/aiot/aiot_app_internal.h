/*
 * The application of the 4.x SDK between its two tasks: aiot_app.c has the session and what the
 * cloud is told, aiot_app_download.c the task that fetches. They share one processor and give it
 * away only while they wait, so nothing here is locked.
 */
#ifndef OTABENCH_AGENT_AIOT_APP_INTERNAL_H
#define OTABENCH_AGENT_AIOT_APP_INTERNAL_H

#include "sim_device/agent/aiot/aiot_bundle.h"
#include "sim_device/agent/link_kit/upgrade.h"

struct aiot_app {
    struct kit kit;
    struct kit_upgrade upgrade;
    struct board *board;
    const struct device_config *config;
    void *mqtt, *ota;
    struct aiot_bundle next;         /* taken, not begun */
    struct aiot_bundle fresh;        /* for the download that runs: its URL again */
    struct aiot_bundle comes;        /* of several files, so far */
    aiot_download_task_desc_t *owed; /* the task whose final step could not be sent */
    int owed_step;
    void *dl;      /* of the download task */
    uint32_t base; /* where the file that it fetches begins in the image */
    bool running;  /* that task exists */
    bool cancel;   /* it is to end: something newer waits */
    int failed;    /* a step of the handler that writes */
    bool reported; /* the version, in this power-on */
    int64_t reported_ns;
    int64_t lost_ns;
};

/* Writes the result of a call of the SDK into the trace, and returns it. */
int32_t aiot_app_called(struct aiot_app *a, const char *call, int32_t rc);
/* Tells the cloud a step of a task; a final one that cannot be sent now is owed. */
void aiot_app_tell(struct aiot_app *a, const aiot_download_task_desc_t *task, int step);
/* Starts the download task when something was taken and none runs. */
void aiot_app_download(struct aiot_app *a);

#endif
