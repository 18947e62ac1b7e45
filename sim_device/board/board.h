/*
 * The board: everything a device's software stands on: time, tasks, one way to wait, memory,
 * sockets, names, random, log, reset. Ports (OneOS, later others) are written on these calls alone.
 *
 * Two boards implement it. `sim`: tasks are fibers on virtual time, bit-for-bit repeatable
 * (sim_board.h). `posix`: tasks are threads under one lock per device, sockets are the host's, time
 * is real (posix_board.h). On both only one task of a device runs at a time and it gives way only
 * in the blocking calls below, so a port needs no atomics and behaves alike.
 *
 * Vendors' APIs have no handles: the running task knows its board (board_current).
 */
#ifndef OTABENCH_SIM_DEVICE_BOARD_H
#define OTABENCH_SIM_DEVICE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/rng.h"
#include "common/trace.h"
#include "common/vtime.h"
#include "flash_emu/nor.h"
#include "flash_emu/partition.h"
#include "sim_device/board/board_mqtt.h"

struct board;
struct board_task;

/* Results of blocking calls. */
enum { BOARD_OK = 0, BOARD_TIMEOUT = -1, BOARD_ERROR = -2 };

/* Socket kinds and readiness flags. */
enum board_sock_type { BOARD_STREAM, BOARD_DGRAM };
enum { BOARD_READABLE = 1, BOARD_WRITABLE = 2, BOARD_EXCEPTION = 4 };

#define BOARD_FOREVER       VTIME_NEVER
#define BOARD_SOCKETS       16 /* per device */
#define BOARD_TASKS         16
#define BOARD_TASK_BYTES    64 /* of the heap for a task's control block; its stack is not counted */
#define BOARD_MAIN_PRIORITY 16

/* What a kind of board provides. All calls come from a task of the device unless noted. */
struct board_ops {
    int64_t (*now_ns)(struct board *b); /* monotonic since power-on of the bench run */
    int64_t (*utc_s)(struct board *b);  /* the device's idea of UTC, seconds */
    /* Blocks the task until board_wake on the same channel or the time-out; BOARD_OK or
     * BOARD_TIMEOUT. 0 tries: BOARD_TIMEOUT at once, without giving way. A null channel is only
     * ended by the time-out. */
    int (*wait)(struct board *b, const void *channel, int64_t timeout_ns);
    /* Makes up to count waiters on channel runnable, longest waiting first, higher priority first.
     */
    void (*wake)(struct board *b, const void *channel, int count);
    /* Creates a stopped task. Lower priority number runs first. Null when out of
     * memory or tasks. It ends, and its handle with it, when entry returns. */
    struct board_task *(*task_new)(struct board *b, const char *name, void (*entry)(void *),
                                   void *arg, size_t stack_bytes, uint8_t priority);
    int (*task_start)(struct board *b, struct board_task *t);
    /* Stops and frees; the running task may destroy itself (does not return then). A flash
     * operation it has under way is completed by the chip. */
    int (*task_free)(struct board *b, struct board_task *t);
    struct board_task *(*task_self)(struct board *b);
    /* Sockets: fd 0..BOARD_SOCKETS-1, or -1. */
    int (*sock_open)(struct board *b, enum board_sock_type type);
    int (*sock_close)(struct board *b, int fd);                               /* 0 or -1 */
    int (*sock_connect)(struct board *b, int fd, uint32_t ip, uint16_t port); /* blocks; 0 or -1 */
    int (*sock_send)(struct board *b, int fd, const void *data, size_t len);  /* > 0 taken, -1 */
    /* > 0 bytes; 0 orderly close (data may have come before); BOARD_TIMEOUT (-1); BOARD_ERROR (-2)
     * reset/bad fd */
    int (*sock_recv)(struct board *b, int fd, void *out, size_t cap);
    int (*sock_recv_timeout)(struct board *b, int fd,
                             int64_t timeout_ns); /* BOARD_FOREVER by default */
    int (*sock_poll)(struct board *b, int fd, int want,
                     int64_t timeout_ns); /* ready flags, 0, -1 */
    int (*sock_sendto)(struct board *b, int fd, const void *data, size_t len, uint32_t ip,
                       uint16_t port);
    int (*sock_recvfrom)(struct board *b, int fd, void *out, size_t cap, uint32_t *ip,
                         uint16_t *port);
    /* A connected stream becomes a TLS 1.2 client: only a server whose certificate this CA signed
     * and that names host (not compared when host is null) is accepted. Blocks. 0, or -1: the
     * stream is of no more use. Sends and receives go through it afterwards. Null op: no TLS. */
    int (*sock_tls)(struct board *b, int fd, const char *host, const char *ca_pem);
    /* IPv4 of a name or dotted literal, host byte order; 0, or -1 after at most the resolver's
     * time-out. */
    int (*resolve)(struct board *b, const char *name, uint32_t *ip);
    /* Does not return: power stays, the device starts again from the boot loader. */
    void (*reset)(struct board *b) __attribute__((noreturn));
    /* Does not return: ends the device's work for this power-on (idle for ever). */
    void (*idle)(struct board *b) __attribute__((noreturn));
};

/* Emulated heap: counted, bounded, can be made to fail. Freed as a whole at a cut or reset. */
struct board_heap {
    size_t limit_bytes; /* configured RAM; 0: no limit */
    size_t used_bytes;
    size_t peak_bytes;
    uint64_t calls;             /* allocations so far in this power-on */
    uint64_t fail_at;           /* the n-th allocation fails (1-based), 0: never */
    struct board_block *blocks; /* every live block, newest first */
};

/*
 * Results of the digest engine, kept by a bench that can tell contents apart. A chip is read all
 * the same (time, looks, traps); only the computation is spared. kind: enum digest_kind, or
 * BOARD_CRC32 (four bytes).
 */
#define BOARD_CRC32 (-1)
struct board_memo {
    void *ctx;
    bool (*find)(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, uint8_t *out);
    void (*keep)(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, const uint8_t *out);
};

/* Embedded in sim_board and posix_board. Filled by their constructors. */
struct board {
    const struct board_ops *ops;
    const struct board_mqtt_ops *mqtt; /* null: the board has no MQTT client */
    struct board_heap heap;
    struct nor *nor;
    const struct partition_table *partitions;
    void *device; /* the software on the board: struct device of device.h; set before power-on */
    /* Events for trace and judge; set by the bench. May be null. */
    void (*event)(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                  const struct trace_field *fields, size_t n);
    void *event_ctx;
    /* See board_moment; set by an explorer, null: nobody asks. */
    void (*moment)(void *ctx, const void *memory, size_t len_bytes);
    void *moment_ctx;
    struct rng rng;  /* stream ("board", "device", boot ordinal), reseeded at each power-on */
    bool flash_busy; /* a program or erase is being waited for: ports lock on it */
    struct board_digest *digests;  /* being computed; given up by board_heap_drop */
    const struct board_memo *memo; /* null: every digest is computed */
};

/* The board of the running task; null outside any task. The one thread-local of the device side. */
struct board *board_current(void);
void board_set_current(struct board *b); /* only boards call it, at each task switch */

/* Emulated heap of a board. As malloc/realloc/free; zero size gives null. Freed whole by
 * board_heap_drop. */
void *board_alloc(struct board *b, size_t len_bytes);
void *board_realloc(struct board *b, void *p, size_t len_bytes);
void board_free(struct board *b, void *p);
void board_heap_drop(
    struct board *b); /* everything, and the counters but not the limit; at cut and reset */
size_t board_heap_blocks(const struct board *b);
/* Shows every live block, newest first: explorers compare the memory of two moments by it. */
void board_heap_each(const struct board *b,
                     void (*visit)(void *ctx, const void *data, size_t len_bytes), void *ctx);

/* Convenience on ops. */
void board_sleep_ns(struct board *b, int64_t ns);
void board_log(struct board *b, const char *text,
               size_t len_bytes); /* event "log" on LANE_DEVICE */
void board_event(struct board *b, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n);
/*
 * The software declares a moment: what it does from here on is a function of these bytes, of flash
 * and of what the network does. Wherever it comes again with the same bytes it goes on in the same
 * way; explorers join runs there. No padding, no addresses in them.
 */
void board_moment(struct board *b, const void *memory, size_t len_bytes);
/* "heap" {peak, used, blocks, sockets} on LANE_DEVICE; the peak starts again from here. */
void board_heap_event(struct board *b);
/* One task at the chip (flash_busy): held by ports and drivers around what must not be interleaved.
 * Not recursive. */
void board_flash_lock(struct board *b);
void board_flash_unlock(struct board *b);
/* "program" or "erase" {op, addr, len} and, only when so, {torn, tear}, {raised}; LANE_FLASH. */
void board_flash_event(struct board *b, const struct nor_op *op);
void board_cut_event(struct board *b, uint64_t op, enum nor_tear tear); /* LANE_POWER "cut" */
#define BOARD_EVENT(b, lane, name, ...)                                                            \
    board_event((b), (lane), (name), (const struct trace_field[]){__VA_ARGS__},                    \
                sizeof((const struct trace_field[]){__VA_ARGS__}) / sizeof(struct trace_field))

/* A dotted IPv4 literal, to host byte order; false (ip untouched) if it is none. */
bool board_literal_ip(const char *text, uint32_t *ip);

/*
 * The digest engine of the board, over flash: so that an explorer can memoise it. 0, or the read
 * error of the chip. out: digest_bytes(kind).
 */
int board_digest_flash(struct board *b, enum digest_kind kind, uint32_t addr, uint32_t len_bytes,
                       uint8_t *out);

/* CRC-32 (IEEE) of a range, likewise. */
int board_crc32_flash(struct board *b, uint32_t addr, uint32_t len_bytes, uint32_t *crc);
/* Of memory; goes on from crc, 0 to begin with. */
uint32_t board_crc32(struct board *b, uint32_t crc, const void *data, uint32_t len_bytes);

/*
 * The same engine fed by hand. The board owns what is begun, so a task that is dropped half-way
 * leaves nothing behind. Null: no memory. end once at most, then free.
 */
struct board_digest;
struct board_digest *board_digest_begin(struct board *b, enum digest_kind kind);
void board_digest_update(struct board_digest *g, const void *data, size_t len_bytes);
void board_digest_end(struct board_digest *g, uint8_t *out);
void board_digest_free(struct board *b, struct board_digest *g);

#endif
