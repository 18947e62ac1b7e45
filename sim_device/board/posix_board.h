/*
 * The posix board: tasks are threads under one lock per device, sockets and clock are the host's.
 * One device per process; a power cut is the end of the process, the flash file survives.
 *
 * The lock is held whenever device code runs and released inside the blocking calls, so device code
 * sees the same one-task-at-a-time world as on the simulated board.
 */
#ifndef OTABENCH_SIM_DEVICE_POSIX_BOARD_H
#define OTABENCH_SIM_DEVICE_POSIX_BOARD_H

#include "common/vtime.h"
#include "sim_device/board/board.h"

struct posix_board;

struct posix_board_config {
    struct nor *nor;
    const struct partition_table *partitions;
    size_t ram_limit_bytes;
    int64_t connect_timeout_ns;
    int64_t utc_start_s;
    int64_t now_offset_ns; /* added to the time since start: a device started later in the run */
    uint64_t seed;
    /* Every connection goes to this address instead of the named one (the bench's relay), unless
     * port is 0. */
    uint32_t relay_ip;
    uint16_t relay_port;
    /* Any name resolves to 127.0.0.1 when a relay is set; with no relay the host's resolver is
     * asked. */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
};

struct posix_board *posix_board_new(const struct posix_board_config *cfg, struct err *err);
void posix_board_free(struct posix_board *p);
struct board *posix_board_board(struct posix_board *p);

enum posix_end { POSIX_RESET, POSIX_IDLE };
/* Runs entry(arg) as task "main" until the device resets or goes idle; then all tasks are stopped.
 */
enum posix_end posix_board_run(struct posix_board *p, void (*entry)(void *), void *arg);

#endif
