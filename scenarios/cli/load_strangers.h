/*
 * Bad clients beside a fleet, for load, in turn of these kinds: silent at the HTTP edge, silent at
 * the broker, a head that comes byte by byte, a reader of a byte a second, and one that asks again
 * and again with an edited URL. None of them may disturb the fleet.
 */
#ifndef OTABENCH_CLI_LOAD_STRANGERS_H
#define OTABENCH_CLI_LOAD_STRANGERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define STRANGERS_MAX 500

struct strangers_config {
    int epoll_fd; /* whose data point to struct load_watch */
    size_t count;
    uint16_t http_port, mqtt_port; /* at 127.0.0.1 */
};

struct strangers_figures {
    size_t connected; /* now */
    size_t closed;    /* by the cloud; each has come again */
    uint64_t refused; /* answers with status 403 */
};

struct strangers;

/* Null with the story in err. */
struct strangers *strangers_new(const struct strangers_config *cfg, struct err *err);
void strangers_free(struct strangers *s); /* null is fine */
/* At least every 100 ms. url: one that is good, "" while there is none. */
void strangers_turn(struct strangers *s, int64_t now_ns, const char *url);
const struct strangers_figures *strangers_figures(const struct strangers *s);

#endif
