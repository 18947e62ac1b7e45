/*
 * The simulated board: tasks are fibers, time is virtual, the network is the owner's.
 *
 * The owner (the bench's world) holds the clock. It calls sim_board_run(now): every runnable fiber
 * runs until all wait; the result says when the device next wants to run, or that power failed, a
 * reset was asked for, or the device declared itself idle. Nothing here reads a clock or a socket
 * of the host. A power cut or reset drops fibers, sockets and heap at once, without unwinding any
 * stack.
 */
#ifndef OTABENCH_SIM_DEVICE_SIM_BOARD_H
#define OTABENCH_SIM_DEVICE_SIM_BOARD_H

#include "common/vtime.h"
#include "sim_device/board/board.h"

struct sim_board;

/* The network as the owner offers it. Called from the running fiber; must not block. */
struct sim_net {
    void *ctx;
    /* Start a connection; the outcome comes by sim_net_connected. sock is the device's fd. 0 or -1
     * at once. */
    int (*connect)(void *ctx, int sock, uint32_t ip, uint16_t port);
    /* Bytes taken (> 0, may be fewer than len), -1 when the connection is gone. */
    int (*send)(void *ctx, int sock, const void *data, size_t len_bytes);
    /* The device closed (FIN), or gave up an unanswered connect. Once per connection; not after
     * sim_net_reset or a failed sim_net_connected, nor at a cut or reset of the device. */
    void (*close)(void *ctx, int sock);
    /* Name look-up: 0 and *ip, or -1; *delay_ns is waited by the board before it answers. */
    int (*resolve)(void *ctx, const char *name, uint32_t *ip, int64_t *delay_ns);
    int (*sendto)(void *ctx, int sock, const void *data, size_t len_bytes, uint32_t ip,
                  uint16_t port); /* may be null: datagrams vanish */
};

struct fiber_stack;
struct sim_board_config {
    struct nor *nor;
    const struct partition_table *partitions;
    struct sim_net net;
    size_t ram_limit_bytes;     /* heap limit, 0: none */
    int64_t connect_timeout_ns; /* unanswered connects fail after this */
    int64_t utc_start_s;        /* UTC at run time 0 */
    uint64_t seed;
    struct fiber_stack *stacks; /* BOARD_TASKS of them, kept by the owner from one board to the
                                   next (fiber.h); null: none are kept */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
    /* Every flash operation as the chip tells it, after its event; may be null. */
    void (*flash_op)(void *ctx, const struct nor_op *op);
    /* That it begins; may be null. */
    void (*flash_begun)(void *ctx, const struct nor_op *op);
    /* Every range of the chip that is about to be read, as the chip tells it; may be null. */
    void (*flash_look)(void *ctx, uint32_t addr, uint32_t len_bytes);
    void *flash_ctx;
};

/* Takes over the chip's hooks until sim_board_free, which must come before nor_free. Null: ERR_ARG,
 * ERR_NOMEM. */
struct sim_board *sim_board_new(const struct sim_board_config *cfg, struct err *err);
void sim_board_free(struct sim_board *s);           /* null is fine */
struct board *sim_board_board(struct sim_board *s); /* its struct board */

/* Power-on at now: fresh heap, one task "main" running entry(arg). The chip must be on. 0,
 * ERR_WRONG_STATE (already on, or chip off), ERR_NOMEM. */
int sim_board_power_on(struct sim_board *s, int64_t now_ns, void (*entry)(void *), void *arg);
/* Power cut from outside, at now: an operation in flight tears as told. Everything volatile is
 * dropped. */
void sim_board_power_off(struct sim_board *s, int64_t now_ns, enum nor_tear tear, uint32_t arg);

/* Only while not powered: time is now_ns, earlier than before too, and the next power-on is the
 * first. For owners that use a board for many runs. */
void sim_board_rewind(struct sim_board *s, int64_t now_ns);

enum sim_state {
    SIM_WAITING, /* all tasks wait; next wake-up time in *next_ns (VTIME_NEVER: only the network can
                    wake it) */
    SIM_CUT,     /* an armed flash cut fired; the board is off, everything volatile is gone */
    SIM_RESET,   /* the software reset the device; volatile things are gone; power it on again */
    SIM_IDLE,    /* the software has nothing more to do in this power-on */
    SIM_OFF      /* not powered */
};
/*
 * Time may jump, but not over *next_ns. A task that only asks (time, waits of 0) ten thousand times
 * without letting time pass is put to sleep for 10 ms: firmware may wait busily.
 */
enum sim_state sim_board_run(struct sim_board *s, int64_t now_ns, int64_t *next_ns);

/* Owner's side of the network, between runs. Unknown or closed sock: ignored. */
void sim_net_connected(struct sim_board *s, int sock, bool ok);
void sim_net_data(struct sim_board *s, int sock, const void *data, size_t len_bytes);
/* Bytes the receive window (64 KiB) still takes. More is stored too, up to 16 MiB; beyond that the
 * connection is reset with the event "overflow" on LANE_BENCH. */
size_t sim_net_room(struct sim_board *s, int sock);
void sim_net_eof(struct sim_board *s,
                 int sock); /* orderly close by the peer, after the data so far */
/* RST: further calls fail, once what had arrived has been taken. */
void sim_net_reset(struct sim_board *s, int sock);
/* A datagram for a datagram socket; lost when 64 KiB are waiting. */
void sim_net_datagram(struct sim_board *s, int sock, uint32_t ip, uint16_t port, const void *data,
                      size_t len_bytes);

#endif
