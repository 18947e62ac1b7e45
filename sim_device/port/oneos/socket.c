#include "sim_device/port/oneos/socket.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "common/vtime.h"
#include "sim_device/port/oneos/oneos_port.h"

/* Addresses lie in network byte order, byte by byte, whatever the host's order is. */
static void address_put(struct sockaddr_in *out, uint32_t ip, uint16_t port)
{
    const unsigned char p[2] = {(unsigned char)(port >> 8), (unsigned char)port};
    const unsigned char a[4] = {(unsigned char)(ip >> 24), (unsigned char)(ip >> 16),
                                (unsigned char)(ip >> 8), (unsigned char)ip};
    memset(out, 0, sizeof(*out));
    out->sin_len = sizeof(*out);
    out->sin_family = AF_INET;
    memcpy(&out->sin_port, p, sizeof(p));
    memcpy(&out->sin_addr.s_addr, a, sizeof(a));
}

static bool address_get(const struct sockaddr *from, socklen_t len, uint32_t *ip, uint16_t *port)
{
    struct sockaddr_in in;
    unsigned char p[2], a[4];
    if (from == NULL || len < sizeof(in))
        return false;
    memcpy(&in, from, sizeof(in));
    if (in.sin_family != AF_INET)
        return false;
    memcpy(p, &in.sin_port, sizeof(p));
    memcpy(a, &in.sin_addr.s_addr, sizeof(a));
    *port = (uint16_t)(p[0] << 8 | p[1]);
    *ip = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
    return true;
}

int os_socket(int domain, int type, int protocol)
{
    struct board *b = board_current();
    if (b == NULL || domain != AF_INET)
        return -1;
    if (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP))
        return b->ops->sock_open(b, BOARD_STREAM);
    if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
        return b->ops->sock_open(b, BOARD_DGRAM);
    return -1;
}

int os_closesocket(int fd)
{
    struct board *b = board_current();
    return b != NULL && fd >= 0 && b->ops->sock_close(b, fd) == 0 ? 0 : -1;
}

int os_connect(int fd, const struct sockaddr *name, socklen_t namelen)
{
    struct board *b = board_current();
    uint32_t ip;
    uint16_t port;
    if (b == NULL || fd < 0 || !address_get(name, namelen, &ip, &port))
        return -1;
    return b->ops->sock_connect(b, fd, ip, port) == 0 ? 0 : -1;
}

int os_send(int fd, const void *data, os_size_t size, int flags)
{
    struct board *b = board_current();
    (void)flags;
    if (b == NULL || fd < 0 || data == NULL)
        return -1;
    if (size == 0)
        return 0;
    int n = b->ops->sock_send(b, fd, data, size < INT_MAX ? size : INT_MAX);
    return n > 0 ? n : -1;
}

int os_sendto(int fd, const void *data, os_size_t size, int flags, const struct sockaddr *to,
              socklen_t tolen)
{
    struct board *b = board_current();
    uint32_t ip;
    uint16_t port;
    (void)flags;
    if (b == NULL || fd < 0 || data == NULL || size > INT_MAX ||
        !address_get(to, tolen, &ip, &port))
        return -1;
    int n = b->ops->sock_sendto(b, fd, data, size, ip, port);
    return n >= 0 ? n : -1;
}

int os_recv(int fd, void *mem, os_size_t len, int flags)
{
    struct board *b = board_current();
    (void)flags;
    if (b == NULL || fd < 0 || mem == NULL)
        return -1;
    if (len == 0)
        return 0;
    int n = b->ops->sock_recv(b, fd, mem, len < INT_MAX ? len : INT_MAX);
    return n >= 0 ? n : -1;
}

int os_recvfrom(int fd, void *mem, os_size_t len, int flags, struct sockaddr *from,
                socklen_t *fromlen)
{
    struct board *b = board_current();
    uint32_t ip = 0;
    uint16_t port = 0;
    (void)flags;
    if (b == NULL || fd < 0 || mem == NULL || len == 0)
        return -1;
    if (from != NULL && (fromlen == NULL || *fromlen < sizeof(struct sockaddr_in)))
        return -1;
    int n = b->ops->sock_recvfrom(b, fd, mem, len < INT_MAX ? len : INT_MAX, &ip, &port);
    if (n < 0)
        return -1;
    if (from != NULL) {
        struct sockaddr_in in;
        address_put(&in, ip, port);
        memcpy(from, &in, sizeof(in));
        *fromlen = sizeof(in);
    }
    return n;
}

int os_select(int fd, os_bool_t isreadset, os_bool_t iswriteset, os_bool_t isexceptset,
              int timeout_ms)
{
    struct board *b = board_current();
    if (b == NULL || fd < 0)
        return -1;
    int want = (isreadset ? BOARD_READABLE : 0) | (iswriteset ? BOARD_WRITABLE : 0) |
               (isexceptset ? BOARD_EXCEPTION : 0);
    int ready =
        b->ops->sock_poll(b, fd, want, timeout_ms < 0 ? BOARD_FOREVER : timeout_ms * NS_PER_MS);
    return ready >= 0 ? ready : -1;
}

int os_setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen)
{
    struct board *b = board_current();
    int64_t timeout_ns;
    if (b == NULL || fd < 0 || optval == NULL || level != SOL_SOCKET || optname != SO_RCVTIMEO)
        return -1;
    if (optlen == sizeof(int)) {
        int ms;
        memcpy(&ms, optval, sizeof(ms));
        timeout_ns = ms * NS_PER_MS;
    } else if (optlen == sizeof(struct timeval)) {
        struct timeval tv;
        memcpy(&tv, optval, sizeof(tv));
        if (tv.tv_sec < 0 || tv.tv_sec > INT_MAX || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
            return -1;
        timeout_ns = tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
    } else {
        return -1;
    }
    if (timeout_ns < 0)
        return -1;
    if (timeout_ns == 0)
        timeout_ns = BOARD_FOREVER;
    return b->ops->sock_recv_timeout(b, fd, timeout_ns) == 0 ? 0 : -1;
}

static bool host_name_fits(const char *name)
{
    return name != NULL && name[0] != '\0' && strnlen(name, MAX_DNS_LEN) < MAX_DNS_LEN;
}

struct hostent *os_gethostbyname(const char *name)
{
    struct board *b = board_current();
    struct oneos *o = oneos_self();
    struct sockaddr_in in;
    uint32_t ip;
    if (o == NULL || !host_name_fits(name) || b->ops->resolve(b, name, &ip) != 0)
        return NULL;
    address_put(&in, ip, 0);
    memcpy(o->host_ip, &in.sin_addr.s_addr, sizeof(o->host_ip));
    memcpy(o->host_name, name, strlen(name) + 1);
    o->host_list[0] = (char *)o->host_ip;
    o->host_list[1] = NULL;
    o->host = (struct hostent){.h_name = o->host_name,
                               .h_aliases = &o->host_list[1], /* the empty list */
                               .h_addrtype = AF_INET,
                               .h_length = sizeof(o->host_ip),
                               .h_addr_list = o->host_list};
    return &o->host;
}

/* Decimal number of at most max, the whole text. */
static bool number(const char *text, uint32_t max, uint32_t *out)
{
    uint32_t v = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits >= 5)
            return false;
        v = v * 10 + (uint32_t)(text[digits] - '0');
    }
    *out = v;
    return digits > 0 && text[digits] == '\0' && v <= max;
}

static bool service_port(const char *service, uint16_t *port)
{
    static const struct {
        const char *name;
        uint16_t port;
    } known[] = {{"http", 80}, {"https", 443}, {"coap", 5683}};
    uint32_t n;
    *port = 0;
    if (service == NULL)
        return true;
    if (number(service, UINT16_MAX, &n)) {
        *port = (uint16_t)n;
        return true;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(service, known[i].name) == 0) {
            *port = known[i].port;
            return true;
        }
    return false;
}

static bool dotted(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0';
}

/* What one look-up hands out, in one block. */
struct answer {
    struct addrinfo info; /* first: os_freeaddrinfo frees by it */
    struct sockaddr_in address;
    char name[MAX_DNS_LEN];
};

int os_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **res)
{
    static const struct addrinfo none = {.ai_family = AF_INET};
    struct board *b = board_current();
    uint16_t port;
    uint32_t ip;
    if (b == NULL || res == NULL || (node == NULL && service == NULL))
        return EAI_NONAME;
    *res = NULL;
    hints = hints != NULL ? hints : &none;
    if (hints->ai_family != AF_INET && hints->ai_family != AF_UNSPEC)
        return EAI_FAMILY;
    if (!service_port(service, &port))
        return EAI_SERVICE;
    if (node == NULL) {
        ip = hints->ai_flags & AI_PASSIVE ? 0 : 0x7F000001u;
    } else {
        if (!host_name_fits(node) || (hints->ai_flags & AI_NUMERICHOST && !dotted(node)))
            return EAI_NONAME;
        if (b->ops->resolve(b, node, &ip) != 0)
            return EAI_FAIL;
    }
    struct answer *a = os_calloc(1, sizeof(*a));
    if (a == NULL)
        return EAI_MEMORY;
    address_put(&a->address, ip, port);
    a->info.ai_family = AF_INET;
    a->info.ai_socktype = hints->ai_socktype != 0 ? hints->ai_socktype : SOCK_STREAM;
    a->info.ai_protocol = hints->ai_protocol != 0              ? hints->ai_protocol
                          : a->info.ai_socktype == SOCK_STREAM ? IPPROTO_TCP
                          : a->info.ai_socktype == SOCK_DGRAM  ? IPPROTO_UDP
                                                               : IPPROTO_IP;
    a->info.ai_addrlen = sizeof(a->address);
    a->info.ai_addr = (struct sockaddr *)&a->address;
    if (hints->ai_flags & AI_CANONNAME && node != NULL) {
        memcpy(a->name, node, strlen(node) + 1);
        a->info.ai_canonname = a->name;
    }
    *res = &a->info;
    return 0;
}

void os_freeaddrinfo(struct addrinfo *ai)
{
    while (ai != NULL) {
        struct addrinfo *next = ai->ai_next;
        os_free(ai);
        ai = next;
    }
}
