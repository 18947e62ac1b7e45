/* TCP and TLS. */
#include <string.h>

#include "sim_device/port/alios/alios_port.h"

#define PORT_MAX 65535

static int connect_to(struct board *b, const char *host, int port)
{
    uint32_t ip;
    if (host == NULL || host[0] == '\0' || port <= 0 || port > PORT_MAX ||
        b->ops->resolve(b, host, &ip) != 0)
        return -1;
    int fd = b->ops->sock_open(b, BOARD_STREAM);
    if (fd < 0)
        return -1;
    (void)b->ops->sock_recv_timeout(b, fd, OTA_SOCKET_TIMEOUT_MS * NS_PER_MS);
    if (b->ops->sock_connect(b, fd, ip, (uint16_t)port) == 0)
        return fd;
    (void)b->ops->sock_close(b, fd);
    return -1;
}

int ota_socket_connect(char *host, int port)
{
    struct board *b = board_current();
    return b != NULL ? connect_to(b, host, port) : -1;
}

int ota_socket_send(int fd, char *buf, size_t len)
{
    struct board *b = board_current();
    if (b == NULL || fd < 0 || buf == NULL || len > INT32_MAX)
        return -1;
    for (size_t sent = 0; sent < len;) {
        int n = b->ops->sock_send(b, fd, buf + sent, len - sent);
        if (n <= 0)
            return -1;
        sent += (size_t)n;
    }
    return (int)len;
}

int ota_socket_recv(int fd, char *buf, size_t len)
{
    struct board *b = board_current();
    if (b == NULL || fd < 0 || buf == NULL || len == 0)
        return BOARD_ERROR;
    return b->ops->sock_recv(b, fd, buf, len);
}

void ota_socket_close(int fd)
{
    struct board *b = board_current();
    if (b != NULL && fd >= 0)
        (void)b->ops->sock_close(b, fd);
}

struct ssl {
    int fd;
};

void *ota_ssl_connect(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len)
{
    struct board *b = board_current();
    if (b == NULL || b->ops->sock_tls == NULL || ca_crt == NULL || ca_crt_len == 0 ||
        memchr(ca_crt, '\0', ca_crt_len) == NULL)
        return NULL;
    struct ssl *s = ota_malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    s->fd = connect_to(b, host, port);
    if (s->fd >= 0 && b->ops->sock_tls(b, s->fd, host, ca_crt) == 0)
        return s;
    ota_ssl_close(s);
    return NULL;
}

int32_t ota_ssl_send(void *ssl, char *buf, uint32_t len)
{
    const struct ssl *s = ssl;
    return s != NULL ? ota_socket_send(s->fd, buf, len) : -1;
}

int32_t ota_ssl_recv(void *ssl, char *buf, uint32_t len)
{
    const struct ssl *s = ssl;
    return s != NULL ? ota_socket_recv(s->fd, buf, len) : BOARD_ERROR;
}

void ota_ssl_close(void *ssl)
{
    struct ssl *s = ssl;
    if (s == NULL)
        return;
    ota_socket_close(s->fd);
    ota_free(s);
}
