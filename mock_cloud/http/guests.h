/*
 * Who is connected to an edge for real clients, and until when each must have done its next step:
 * ask, or take its reply. Who has not is shown the door: its socket is shut down, and the HTTP
 * library sees its end. So nobody keeps a place for ever by silence, by a head that never ends, or
 * by hardly reading; when places run short, those go first that have never asked for anything; and
 * who is refused again and again waits for it.
 */
#ifndef OTABENCH_MOCK_CLOUD_HTTP_GUESTS_H
#define OTABENCH_MOCK_CLOUD_HTTP_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUESTS_REFUSALS_PER_S 50 /* of all together */
#define GUESTS_TEXT_MAX       192

struct guest {
    int fd;
    bool asked; /* a whole request, at some time */
    bool rests; /* its last one is answered: it goes without a word when it is due */
    int64_t came_ns, due_ns;
    struct guest *earlier, *later;
};

struct guests {
    struct guest *first, *last; /* in the order of their coming */
    size_t count;
    int64_t look_ns; /* when to look for those that are due */
    int64_t second;  /* the one whose refusals are counted */
    size_t refusals;
    /* Since people were told, at told_ns. */
    int64_t told_ns;
    size_t overdue, crowded_out, held_back;
};

/* Null: no memory; it is not watched then. */
struct guest *guests_add(struct guests *g, int fd, int64_t now_ns, int64_t due_ns);
void guests_remove(struct guests *g, struct guest *one); /* null is fine */

/* Once a second at most: shows the door to those that are due; and, of more than crowd, to those
 * that have not asked since they came more than a second ago, the oldest first. */
void guests_look(struct guests *g, int64_t now_ns, size_t crowd);
/* Somebody is refused something: whether the answer is held back. */
bool guests_refused(struct guests *g, int64_t now_ns);
/* A sentence on all that, at most one a second; false: there is nothing to tell, or not yet. */
bool guests_tell(struct guests *g, int64_t now_ns, char *out, size_t cap);

#endif
