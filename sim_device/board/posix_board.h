/*
 * The posix board: tasks are threads that take turns, sockets and clock are the host's. One device
 * per process; a power cut is the end of the process, the flash file survives.
 *
 * Only the task whose turn it is runs device code; it passes the turn on inside the blocking calls,
 * by the same order as on the simulated board (priority, then first come). So device code sees the
 * same one-task-at-a-time world; only times differ.
 */
#ifndef OTABENCH_SIM_DEVICE_POSIX_BOARD_H
#define OTABENCH_SIM_DEVICE_POSIX_BOARD_H

#include "common/vtime.h"
#include "sim_device/board/board.h"

struct posix_board;

#define POSIX_RELAYS_MAX 4
struct posix_relay {
    uint16_t port, relay_port;
};

struct posix_board_config {
    struct nor *nor;
    const struct partition_table *partitions;
    size_t ram_limit_bytes;
    int64_t connect_timeout_ns;
    int64_t utc_start_s;
    int64_t now_offset_ns; /* added to the time since start: a device started later in the run */
    uint64_t seed;
    /* Every stream connection goes to this address instead of the named one (the bench's relay),
     * unless port is 0; datagrams then vanish. */
    uint32_t relay_ip;
    uint16_t relay_port;
    /* Connections to these ports go to another port of the relay. */
    struct posix_relay relays[POSIX_RELAYS_MAX];
    size_t n_relays;
    /* Any name resolves to 127.0.0.1 when a relay is set; with no relay the host's resolver is
     * asked. */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
    /* An armed flash cut has happened: end the process. Called by a device thread after the event
     * "cut". If it returns, posix_board_run ends with POSIX_CUT. Null: raise(SIGKILL). */
    void (*power_lost)(void *ctx);
    void *power_lost_ctx;
};

/* Takes over the chip's hooks until posix_board_free, which must come before nor_free. Null:
 * ERR_ARG, ERR_NOMEM, ERR_IO. */
struct posix_board *posix_board_new(const struct posix_board_config *cfg, struct err *err);
void posix_board_free(struct posix_board *p); /* null is fine; not while it runs */
struct board *posix_board_board(struct posix_board *p);

enum posix_end { POSIX_RESET, POSIX_IDLE, POSIX_CUT };
/*
 * Runs entry(arg) as task "main" until the device resets, goes idle or has no task left (idle too);
 * then all tasks are stopped at their blocking call (a flash operation under way is completed),
 * sockets closed, the heap dropped. May be called again: the next boot.
 */
enum posix_end posix_board_run(struct posix_board *p, void (*entry)(void *), void *arg);

#endif
