/*
 * One TCP connection of the agent, with the vendor's habits (cms-ota §6): receive time-out through
 * SO_RCVTIMEO, five empty receives in a row with 10 ms between them mean silence, 500 ms of sleep
 * after each close. Addresses are looked up at each opening.
 */
#ifndef OTABENCH_AGENT_CMIOT_LINK_H
#define OTABENCH_AGENT_CMIOT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_EMPTY_RECEIVES 5
#define LINK_PAUSE_MS       10u
#define LINK_CLOSE_SLEEP_MS 500u

struct link {
    int fd; /* -1: not open */
    /* Where to connect; both live longer than the link. */
    const char *host;
    uint16_t port;
};

enum { LINK_CLOSED = 0, LINK_SILENT = -1 };

struct link link_to(const char *host, uint16_t port);
int link_open(struct link *l); /* nothing to do when open; 0 or -1 */
void link_close(struct link *l);
int link_send(struct link *l, const void *data, size_t len_bytes); /* all of it: 0, or -1 */
/* > 0 bytes, LINK_CLOSED, or LINK_SILENT (also after a reset). */
int link_receive(struct link *l, void *out, size_t cap_bytes);

#endif
