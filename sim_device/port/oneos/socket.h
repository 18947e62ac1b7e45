/*
 * OneOS sockets (seed 000 §3.1.3): IPv4, own types and numbers (cms-ota §11, column W217). Never
 * include it together with the host's socket headers: the names are the same, the layouts are not.
 */
#ifndef OTABENCH_ONEOS_SOCKET_H
#define OTABENCH_ONEOS_SOCKET_H

#include <sys/time.h> /* struct timeval: two longs, as the vendor's */

#include "sim_device/port/oneos/os_types.h"

#define AF_UNSPEC 0
#define AF_INET   2

#define SOCK_STREAM 1
#define SOCK_DGRAM  2
#define SOCK_RAW    3

#define SOL_SOCKET  0xfff
#define SO_SNDTIMEO 0x1005
#define SO_RCVTIMEO 0x1006

#define IPPROTO_IP  0
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

#define EAI_NONAME  200
#define EAI_SERVICE 201
#define EAI_FAIL    202
#define EAI_MEMORY  203
#define EAI_FAMILY  204

#define AI_PASSIVE     0x01
#define AI_CANONNAME   0x02
#define AI_NUMERICHOST 0x04
#define AI_NUMERICSERV 0x08

#define MAX_DNS_LEN 256 /* host name, terminator included */

typedef unsigned int socklen_t;
typedef unsigned char sa_family_t;
typedef unsigned short in_port_t;
typedef unsigned int in_addr_t;

struct in_addr {
    in_addr_t s_addr; /* network byte order */
};
struct sockaddr {
    unsigned char sa_len;
    sa_family_t sa_family;
    char sa_data[14];
};
struct sockaddr_in {
    unsigned char sin_len;
    sa_family_t sin_family;
    in_port_t sin_port; /* network byte order */
    struct in_addr sin_addr;
    char sin_zero[8];
};
_Static_assert(sizeof(struct sockaddr_in) == sizeof(struct sockaddr), "one size of address");

struct hostent {
    char *h_name;
    char **h_aliases;
    int h_addrtype;
    int h_length;
    char **h_addr_list;
};
struct addrinfo {
    int ai_flags;
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    socklen_t ai_addrlen;
    struct sockaddr *ai_addr;
    char *ai_canonname;
    struct addrinfo *ai_next;
};

/* Descriptor >= 0, or -1. AF_INET; stream (protocol 0, 6) or datagram (0, 17); not raw. */
int os_socket(int domain, int type, int protocol);
int os_closesocket(int fd);
int os_connect(int fd, const struct sockaddr *name, socklen_t namelen);
/* Bytes taken, maybe fewer than size; 0 for size 0; -1. */
int os_send(int fd, const void *data, os_size_t size, int flags);
int os_sendto(int fd, const void *data, os_size_t size, int flags, const struct sockaddr *to,
              socklen_t tolen);
/* What is ready as a sum of 1 readable, 2 writable, 4 exception; 0 at the time-out; -1. Negative
 * timeout_ms waits for ever. */
int os_select(int fd, os_bool_t isreadset, os_bool_t iswriteset, os_bool_t isexceptset,
              int timeout_ms);
/* Only SO_RCVTIMEO at SOL_SOCKET: an int of milliseconds or a struct timeval, by optlen; 0 waits
 * for ever. -1 for anything else. */
int os_setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen);
/* > 0 bytes; 0 orderly close by the peer; -1 time-out, reset or bad call. */
int os_recv(int fd, void *mem, os_size_t len, int flags);
/* from and fromlen may both be null; *fromlen becomes the address length. */
int os_recvfrom(int fd, void *mem, os_size_t len, int flags, struct sockaddr *from,
                socklen_t *fromlen);
/* One result per device, valid until the next call. Null when unknown. */
struct hostent *os_gethostbyname(const char *name);
/* 0 and a list to be freed with os_freeaddrinfo, or an EAI number. service: decimal port or http,
 * https, coap. ai_socktype and ai_protocol are copied from hints (stream, TCP without). */
int os_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **res);
void os_freeaddrinfo(struct addrinfo *ai); /* null is fine */

#endif
