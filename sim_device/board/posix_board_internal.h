/*
 * Inside the posix board: shared by posix_board.c (threads, turns, flash hooks) and posix_socket.c
 * (the host's sockets). Nobody outside this folder includes it.
 */
#ifndef OTABENCH_SIM_DEVICE_POSIX_BOARD_INTERNAL_H
#define OTABENCH_SIM_DEVICE_POSIX_BOARD_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "sim_device/board/mqtt_inbox.h"
#include "sim_device/board/posix_board.h"

enum task_state {
    TASK_FREE,
    TASK_STOPPED, /* made, not started: no thread yet */
    TASK_READY,
    TASK_RUNNING, /* has the turn */
    TASK_WAITING, /* for a channel or a deadline */
    TASK_AWAY,    /* in a blocking call of the host */
    TASK_OVER     /* never runs again; the thread is to be joined */
};

struct board_task {
    struct posix_board *board;
    enum task_state state;
    pthread_t thread;
    pthread_cond_t turn; /* told when it has the turn, or must go */
    int kick_fd;         /* event that ends its wait in the host */
    void (*entry)(void *arg);
    void *arg;
    void *control; /* its block on the emulated heap; null for "main" */
    size_t stack_bytes;
    uint8_t priority;
    uint64_t order;
    const void *channel;
    const void *away_for; /* socket it waits on in the host */
    bool timed_out;
    bool in_flash; /* inside a program or erase whose effect has not been told yet */
    bool doomed;   /* destroyed: goes at its blocking call */
};

enum sock_state { SOCK_CLOSED, SOCK_NEW, SOCK_CONNECTING, SOCK_CONNECTED, SOCK_FAILED };

struct posix_sock {
    enum sock_state state;
    enum board_sock_type type;
    uint64_t generation;
    int host_fd;
    SSL *ssl;   /* null: plain */
    bool reset; /* the host has told; it does so only once */
    int64_t recv_timeout_ns;
};

enum posix_mqtt_state { POSIX_MQTT_FREE, POSIX_MQTT_OPENING, POSIX_MQTT_UP, POSIX_MQTT_DOWN };

/* A call that waits for its acknowledgement. */
struct posix_mqtt_wait {
    int mid; /* 0: slot free */
    bool done;
    int code;
};

struct posix_mqtt {
    struct posix_board *board;
    enum posix_mqtt_state state;
    uint64_t generation;
    struct mosquitto *m;
    struct board_task *reader; /* null: none, or it has ended by itself */
    bool began;                /* the TCP connection is made */
    uint8_t connack;
    bool session_present;
    uint16_t keep_alive_s;
    int64_t heard_ns;
    struct posix_mqtt_wait waits[BOARD_TASKS];
    struct mqtt_inbox inbox;
};

/*
 * lock guards the task table and who has the turn. Everything else (heap, sockets, chip, what the
 * bench sees in events) belongs to the task that has the turn.
 */
struct posix_board {
    struct board board; /* first: a struct board * is a struct posix_board * */
    struct posix_board_config cfg;
    int64_t start_ns; /* the host's clock at the start */
    uint64_t boots;
    uint64_t ops_seen; /* flash operations that began before the last time spent on the chip */
    pthread_mutex_t lock;
    pthread_cond_t over; /* told when stopping becomes true */
    uint64_t sequence;
    struct board_task *running; /* has the turn */
    bool stopping;
    enum posix_end end;
    struct board_task tasks[BOARD_TASKS];
    struct posix_sock socks[BOARD_SOCKETS];
    struct posix_mqtt mqtt[BOARD_MQTT_CLIENTS];
};

int64_t posix_now_ns(const struct posix_board *p);
/* Around a blocking call of the host: the turn passes on. Coming back may end the thread instead.
 */
struct board_task *posix_go_away(struct posix_board *p, const void *away_for);
void posix_come_back(struct posix_board *p, struct board_task *t);
/* Ends the host waits of all tasks that went away for that socket. */
void posix_kick(struct posix_board *p, const void *away_for);

void posix_sockets_init(struct posix_board *p);
void posix_sockets_drop(struct posix_board *p); /* all closed */

int posix_sock_open(struct board *b, enum board_sock_type type);
int posix_sock_close(struct board *b, int fd);
int posix_sock_connect(struct board *b, int fd, uint32_t ip, uint16_t port);
int posix_sock_send(struct board *b, int fd, const void *data, size_t len_bytes);
int posix_sock_recv(struct board *b, int fd, void *out, size_t cap);
int posix_sock_recv_timeout(struct board *b, int fd, int64_t timeout_ns);
int posix_sock_poll(struct board *b, int fd, int want, int64_t timeout_ns);
int posix_sock_sendto(struct board *b, int fd, const void *data, size_t len_bytes, uint32_t ip,
                      uint16_t port);
int posix_sock_recvfrom(struct board *b, int fd, void *out, size_t cap, uint32_t *ip,
                        uint16_t *port);
int posix_resolve(struct board *b, const char *name, uint32_t *ip);

struct posix_sock *posix_sock_at(struct posix_board *p, int fd); /* null: closed */
/* Waits in the host until host_fd is ready for events, the deadline, or a close of the socket:
 * BOARD_OK, BOARD_TIMEOUT, another value when it was closed meanwhile. */
int posix_await(struct posix_board *p, struct posix_sock *k, int host_fd, short events,
                int64_t deadline_ns);

/* posix_tls.c */
int posix_sock_tls(struct board *b, int fd, const char *host, const char *ca_pem);
int posix_tls_send(struct posix_board *p, struct posix_sock *k, const void *data, size_t len_bytes);
int posix_tls_recv(struct posix_board *p, struct posix_sock *k, void *out, size_t cap,
                   int64_t deadline_ns);
bool posix_tls_pending(const struct posix_sock *k);
void posix_tls_drop(struct posix_sock *k);

/* Where a connection to that address goes: the port, and *ip. */
uint16_t posix_relayed(const struct posix_board *p, uint32_t *ip, uint16_t port);

extern const struct board_mqtt_ops posix_mqtt_ops;
void posix_mqtt_init(struct posix_board *p);
void posix_mqtt_drop(struct posix_board *p); /* all closed; no task runs any more */
void posix_mqtt_deinit(struct posix_board *p);

#endif
