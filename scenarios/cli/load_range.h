/*
 * A client that fetches one file in ranges over one kept connection, for load: no board, no flash,
 * no retries; whoever owns it turns the epoll loop. What it hears is checked: 206, the range that
 * was asked for, its length.
 */
#ifndef OTABENCH_CLI_LOAD_RANGE_H
#define OTABENCH_CLI_LOAD_RANGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* What epoll's data points to. ready may free its owner. */
struct load_watch {
    void (*ready)(void *ctx, uint32_t events);
    void *ctx;
};

struct range_config {
    int epoll_fd;
    const char *url;     /* http://IPv4:PORT/..., copied */
    uint64_t file_bytes; /* at least 1 */
    uint32_t range_bytes;
    uint64_t *requests; /* counts those answered; shared among clients */
    /* Bytes of the file, in order. */
    void (*data)(void *ctx, uint64_t at, const uint8_t *data, size_t len_bytes);
    /* Once: 0, or a negative code with its story. The last thing it does, so it may be freed. */
    void (*done)(void *ctx, int rc, const char *story);
    void *ctx;
};

struct range_client;

/* Begins to connect. Null with the story in err: a URL of another kind, no socket, no memory. */
struct range_client *range_client_new(const struct range_config *cfg, struct err *err);
void range_client_free(struct range_client *c); /* null is fine */

#endif
