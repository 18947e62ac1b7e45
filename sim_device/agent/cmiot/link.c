#include "sim_device/agent/cmiot/link.h"

#include <stdio.h>

#include "sim_device/agent/cmiot/cmiot_config.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/port/oneos/socket.h"

struct link link_to(const char *host, uint16_t port)
{
    return (struct link){.fd = -1, .host = host, .port = port};
}

/* A socket set up for the address, not yet connected; -1 if there is none. */
static int prepare(const struct addrinfo *ai)
{
    int fd = os_socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol);
    int timeout_ms = (int)cmiot_get_try_time();
    if (fd >= 0 &&
        os_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout_ms, sizeof(timeout_ms)) != 0) {
        (void)os_closesocket(fd);
        return -1;
    }
    return fd;
}

int link_open(struct link *l)
{
    const struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *ai = NULL;
    char service[8];
    if (l->fd >= 0)
        return 0;
    (void)snprintf(service, sizeof(service), "%u", (unsigned)l->port);
    if (os_getaddrinfo(l->host, service, &hints, &ai) != 0)
        return -1;
    l->fd = prepare(ai);
    int rc = l->fd >= 0 ? os_connect(l->fd, ai->ai_addr, ai->ai_addrlen) : -1;
    os_freeaddrinfo(ai);
    if (rc != 0)
        link_close(l);
    return rc;
}

void link_close(struct link *l)
{
    if (l->fd < 0)
        return;
    (void)os_closesocket(l->fd);
    l->fd = -1;
    cmiot_msleep(LINK_CLOSE_SLEEP_MS);
}

int link_send(struct link *l, const void *data, size_t len_bytes)
{
    const char *p = data;
    while (len_bytes > 0) {
        int n = os_send(l->fd, p, len_bytes, 0);
        if (n <= 0)
            return -1;
        p += n;
        len_bytes -= (size_t)n;
    }
    return 0;
}

int link_receive(struct link *l, void *out, size_t cap_bytes)
{
    for (int empty = 0; empty < LINK_EMPTY_RECEIVES; empty++) {
        int n = os_recv(l->fd, out, cap_bytes, 0);
        if (n >= 0)
            return n;
        cmiot_msleep(LINK_PAUSE_MS);
    }
    return LINK_SILENT;
}
