/*
 * Inside the simulated board: shared by sim_board.c (power, scheduler, flash hooks) and
 * sim_socket.c (the device's end of the network). Nobody outside this folder includes it.
 */
#ifndef OTABENCH_SIM_DEVICE_SIM_BOARD_INTERNAL_H
#define OTABENCH_SIM_DEVICE_SIM_BOARD_INTERNAL_H

#include "common/bytes.h"
#include "sim_device/board/fiber.h"
#include "sim_device/board/mqtt_inbox.h"
#include "sim_device/board/sim_board.h"

enum task_state { TASK_FREE, TASK_STOPPED, TASK_READY, TASK_RUNNING, TASK_WAITING };

struct board_task {
    struct sim_board *board;
    enum task_state state;
    struct fiber fiber;
    void (*entry)(void *arg);
    void *arg;
    void *control; /* its block on the emulated heap; null for "main" */
    uint8_t priority;
    uint64_t order;      /* in line since: drawn when it became ready or began to wait */
    const void *channel; /* waits for; null: only for the deadline */
    int64_t deadline_ns;
    bool timed_out; /* how the last wait ended */
    bool in_flash;  /* inside a program or erase whose effect has not been told yet */
    bool doomed;    /* destroyed by another task while in_flash: ends with the operation */
};

enum sock_state { SOCK_CLOSED, SOCK_NEW, SOCK_CONNECTING, SOCK_CONNECTED, SOCK_FAILED };

struct sim_sock {
    enum sock_state state;
    enum board_sock_type type;
    uint64_t generation; /* which opening of this fd: a sleeper must not wake up on a later one */
    bool known;          /* the owner has it: it must hear of the close */
    bool eof, reset;
    uint32_t peer_ip; /* of a connected datagram socket */
    uint16_t peer_port;
    int64_t recv_timeout_ns;
    struct buf rx; /* stream: bytes from rx_at; datagrams: records, see sim_socket.c */
    size_t rx_at;  /* bytes already taken */
};

enum sim_mqtt_state { SIM_MQTT_FREE, SIM_MQTT_OPENING, SIM_MQTT_UP, SIM_MQTT_DOWN };

/* A call that waits for its acknowledgement. */
struct sim_mqtt_wait {
    uint16_t id; /* 0: slot free */
    bool done;
    uint8_t code;
};

struct sim_mqtt {
    struct sim_board *board;
    enum sim_mqtt_state state;
    uint64_t generation; /* as of a socket */
    int fd;
    struct board_task *reader; /* null: none, or it has ended by itself */
    uint16_t keep_alive_s;
    int64_t heard_ns, sent_ns;
    bool answered; /* CONNACK came: connack, session_present */
    uint8_t connack;
    bool session_present;
    uint16_t last_id;
    struct sim_mqtt_wait waits[BOARD_TASKS];
    struct buf rx, tx;
    struct mqtt_inbox inbox;
};

struct sim_board {
    struct board board; /* first: a struct board * is a struct sim_board * */
    struct sim_board_config cfg;
    int64_t now_ns;
    uint64_t boots; /* power-ons and resets so far */
    uint64_t sequence;
    uint32_t spins;       /* non-blocking questions asked since time last moved */
    int64_t read_debt_ns; /* time of flash reads not yet waited for */
    uint64_t ops_seen;    /* flash operations that began before the last time spent on the chip */
    bool powered;
    struct fiber owner;
    struct board_task *running;
    enum sim_state closing; /* reset or idle asked for, a flash operation still going on */
    enum sim_state end;     /* why this power-on is over; SIM_WAITING: it is not */
    struct board_task tasks[BOARD_TASKS];
    struct sim_sock socks[BOARD_SOCKETS];
    struct sim_mqtt mqtt[BOARD_MQTT_CLIENTS];
};

/* Blocks the running task; true when it was the deadline that ended it. */
bool sim_block(struct sim_board *s, const void *channel, int64_t deadline_ns);
void sim_wake(struct sim_board *s, const void *channel, int count);
/* Counts a question that does not block; a task that only asks and asks is put to sleep. */
void sim_spin(struct sim_board *s);

void sim_sockets_init(struct sim_board *s);
void sim_sockets_drop(struct sim_board *s);   /* all closed, the owner is told nothing */
void sim_sockets_deinit(struct sim_board *s); /* storage too */

int sim_sock_open(struct board *b, enum board_sock_type type);
int sim_sock_close(struct board *b, int fd);
int sim_sock_connect(struct board *b, int fd, uint32_t ip, uint16_t port);
int sim_connect_until(struct sim_board *s, int fd, uint32_t ip, uint16_t port, int64_t deadline_ns);
int sim_sock_tls(struct board *b, int fd, const char *host, const char *ca_pem);
int sim_sock_send(struct board *b, int fd, const void *data, size_t len_bytes);
int sim_sock_recv(struct board *b, int fd, void *out, size_t cap);
int sim_sock_recv_timeout(struct board *b, int fd, int64_t timeout_ns);
int sim_sock_poll(struct board *b, int fd, int want, int64_t timeout_ns);
int sim_sock_sendto(struct board *b, int fd, const void *data, size_t len_bytes, uint32_t ip,
                    uint16_t port);
int sim_sock_recvfrom(struct board *b, int fd, void *out, size_t cap, uint32_t *ip, uint16_t *port);
int sim_resolve(struct board *b, const char *name, uint32_t *ip);

extern const struct board_mqtt_ops sim_mqtt_ops;
void sim_mqtt_init(struct sim_board *s);
void sim_mqtt_drop(struct sim_board *s); /* all free, nobody is told */
void sim_mqtt_deinit(struct sim_board *s);

#endif
