#include "mock_cloud/http/guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/vtime.h"

#define LOOK_NS NS_PER_S

struct guest *guests_add(struct guests *g, int fd, int64_t now_ns, int64_t due_ns)
{
    struct guest *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    *one = (struct guest){.fd = fd, .came_ns = now_ns, .due_ns = due_ns, .earlier = g->last};
    *(g->last == NULL ? &g->first : &g->last->later) = one;
    g->last = one;
    g->count++;
    return one;
}

void guests_remove(struct guests *g, struct guest *one)
{
    if (one == NULL)
        return;
    *(one->earlier == NULL ? &g->first : &one->earlier->later) = one->later;
    *(one->later == NULL ? &g->last : &one->later->earlier) = one->earlier;
    g->count--;
    free(one);
}

static void show_the_door(struct guest *one)
{
    (void)shutdown(one->fd, SHUT_RDWR);
    one->due_ns = VTIME_NEVER;
    one->asked = true; /* once is enough */
}

void guests_look(struct guests *g, int64_t now_ns, size_t crowd)
{
    if (now_ns < g->look_ns)
        return;
    g->look_ns = now_ns + LOOK_NS;
    size_t excess = g->count > crowd ? g->count - crowd : 0;
    for (struct guest *one = g->first; one != NULL; one = one->later) {
        if (one->due_ns <= now_ns) {
            g->overdue += !one->rests;
        } else if (excess > 0 && !one->asked && now_ns - one->came_ns > LOOK_NS) {
            g->crowded_out++;
            excess--;
        } else {
            continue;
        }
        show_the_door(one);
    }
}

bool guests_refused(struct guests *g, int64_t now_ns)
{
    int64_t second = now_ns / NS_PER_S;
    if (second != g->second)
        g->refusals = 0;
    g->second = second;
    bool held_back = ++g->refusals > GUESTS_REFUSALS_PER_S;
    g->held_back += held_back;
    return held_back;
}

bool guests_tell(struct guests *g, int64_t now_ns, char *out, size_t cap)
{
    if (g->overdue + g->crowded_out + g->held_back == 0 ||
        (g->told_ns != 0 && now_ns - g->told_ns < NS_PER_S))
        return false;
    g->told_ns = now_ns;
    (void)snprintf(
        out, cap,
        "%zu connections closed that did not ask or read in time, %zu that had not asked "
        "when places ran short; %zu refusals held back",
        g->overdue, g->crowded_out, g->held_back);
    g->overdue = g->crowded_out = g->held_back = 0;
    return true;
}
