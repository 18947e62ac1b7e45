/*
 * Closure of the restore: every power-on state that any number of successive power cuts can lead
 * to, and what becomes of each.
 *
 * A flash state at power-on is content, weak cells and granule marks. Wear, time and operation
 * counts are not part of it; RAM is gone at a cut, and the boot loader talks to nobody. From each
 * state the boot loader runs to its end, for every way in which its weak cells may read; at every
 * program and erase on the way every tear is worked out by the chip's own rules (on a scratch
 * chip), and what it leaves is a successor. Breadth first, until no new state appears: then the
 * result holds for cut sequences of any length. A depth-limited search that visits states
 * depth-first would expand some of them too late or never.
 *
 * Sets: a node of the search is not one flash state but a set of contents for each erase unit, and
 * stands for every choice of one each. All that the tears of one operation leave is one node; weak
 * cells that may read in three ways are three elements. The boot loader is followed on the whole
 * set as long as it cannot tell the elements apart, and beyond, as long as it does the same; only
 * then is the start parted. Sets are exact: never more than can be, never less.
 *
 * Tears that draw bits draw them by the operation's address, so the same cut of the same content
 * leaves the same bits whatever came before. Weak cells of a unit read all 0, all 1, or one drawn
 * mixture; those of several units in all combinations.
 *
 * Joins: between two steps the boot loader's stack is empty, so flash, readings and every byte of
 * the board's heap say all there is to say. A run that comes to a pair seen before needs no more
 * running. Addresses inside the heap are compared as block and offset. Contents are compared, not
 * only hashes.
 *
 * Recall: a boot loader is a function of what it reads. A step that would look at the same contents
 * as an earlier one does the same operations; as soon as they have made the rest of the flash the
 * same too, all is said. So what lies torn and is erased unseen costs a few operations, not a
 * start.
 */
#ifndef OTABENCH_ENGINE_CLOSURE_H
#define OTABENCH_ENGINE_CLOSURE_H

#include "common/bytes.h"
#include "flash_emu/nor.h"
#include "sim_device/boot/boot.h"

#define CLOSURE_WEAK_UNITS 3  /* with no_sets: combined; more are read alike */
#define CLOSURE_PATH_MAX   16 /* cuts of a counter-example that are told */
#define CLOSURE_TEARS_ALL  ((1u << TEAR_PLAIN) - 1)
/* And those on request. Others are no matter of the unit's own content: docs/closure.md. */
#define CLOSURE_TEARS_KNOWN (CLOSURE_TEARS_ALL | 1u << TEAR_ALL_BUT_BIT | 1u << TEAR_DISTURB)

/* A file's image; where it lies is in the boot loader's configuration. */
struct closure_image {
    const uint8_t *data;
    uint32_t len_bytes;
};

/* What is explored. All of it must live as long as the closure. */
struct closure_subject {
    struct nor_geometry geometry;
    struct boot_config boot; /* board is ignored */
    struct closure_image old_images[PACKAGE_FILES_MAX], new_images[PACKAGE_FILES_MAX];
};

struct closure_options {
    uint32_t tears; /* 1 << enum nor_tear each; 0: all */
    uint64_t seed;  /* of the chip: scrambles and mixed readings */
    uint32_t max_states;
    uint64_t max_bytes; /* of memory, about; 0: any */
    uint32_t max_depth; /* cuts in a row; 0: any number */
    bool no_joins;      /* run what is run to its end */
    bool no_recall;     /* run every start; with no_sets */
    bool no_sets;       /* every tear a state of its own, every reading a start */
    bool audit;         /* between two steps, overwrite what a boot loader must not rely on, and
                           repeat starts that were joined or recalled, to their end */
    bool one_border;    /* a prefix tear is the first half alone, as otabench explore has it */
    bool weak_apart;    /* states that weak tears leave are states of their own */
    bool tell_all;      /* what a step tells its board, and when, is part of what it does */
    bool all_failures;  /* go on after the first counter-example */
    /* Called every some hundred starts; false: stop, bounded. May be null. */
    bool (*progress)(void *ctx, uint32_t states, uint32_t done, uint32_t depth);
    void *progress_ctx;
};

/* How a start ends when power stays. The first two are good. */
enum closure_end {
    CLOSURE_OLD, /* the old firmware runs, all files complete */
    CLOSURE_NEW, /* the new one, and its result is noted */
    CLOSURE_BRICKED,
    CLOSURE_MIXED,        /* firmware is started that is neither old nor new */
    CLOSURE_WEAK,         /* complete, but it rests on cells that may read otherwise */
    CLOSURE_WRONG_RESULT, /* what the record says is not what runs */
    CLOSURE_FOREIGN,      /* flash that is nobody's business was changed */
    CLOSURE_FELL_BACK,    /* another firmware than at the start before, without a cut */
    CLOSURE_LIVELOCK,
    CLOSURE_ENDS
};
const char *closure_end_text(enum closure_end end);

/* One start that was cut, as part of a counter-example. */
struct closure_cut {
    uint32_t op;      /* the operation that was cut, from 1 at power-on; 0: cut after the end */
    uint32_t reading; /* of the weak cells at this start: a digit 0 to 2 per unit that has some,
                         the first unit's lowest: enum tear_reading */
    enum nor_op_kind kind;
    enum nor_tear tear;
    uint32_t arg;
    uint32_t addr, len_bytes;
};

struct closure_result {
    bool closed;       /* no new state is left */
    const char *bound; /* what stopped it, when not closed: static text */
    uint32_t states;   /* nodes; each a set of flash states unless no_sets */
    uint32_t depth;    /* cuts before the deepest new state */
    uint64_t starts;   /* times the device was powered on; */
    uint64_t joins;    /* runs that were left where an earlier one was, */
    uint64_t recalled; /* and those that needed no device */
    uint64_t points;   /* (operation, tear) of steps that the device did */
    uint64_t decided;  /* (node, part of it, operation, tear): those, joined and recalled; a node
                          counts once however many flash states it stands for. Saturates */
    uint64_t first;    /* of them, with the first cut: starts from the beginning */
    uint64_t audited;  /* runs that the device repeated to their end */
    uint64_t edges;
    uint64_t mixed_starts;       /* with more weak units than are combined: 0 for a proof */
    uint32_t ends[CLOSURE_ENDS]; /* states by their worst end */
    /* Starts needed when power stays: 1, or 0 with a counter-example. */
    uint32_t boots_needed;
    /* Minimum useful power-on: so many operations, and so much chip time, bring the boot loader
     * from any state to one from which no cut leads back. Then at most work_boots starts are
     * needed. Valid when closed. */
    uint32_t work_ops;
    int64_t work_ns;
    uint32_t work_boots;
    uint64_t memory_bytes;
    /* The first counter-example, shortest first; end < CLOSURE_BRICKED: none. */
    enum closure_end end;
    uint32_t first_state; /* of those added that it begins with, from 0 */
    uint32_t path_len;    /* cuts; only the last CLOSURE_PATH_MAX are in path */
    struct closure_cut path[CLOSURE_PATH_MAX];
    uint32_t last_reading; /* of the weak cells at the start that ended so */
    bool confirmed;        /* repeated with real cuts on a fresh chip, and it came out the same */
};

struct closure;

/* Null on error. */
struct closure *closure_new(const struct closure_subject *s, const struct closure_options *o,
                            struct err *err);
void closure_free(struct closure *c); /* null is fine */

/* Adds the chip's state, as found at the next power-on, as one to start from. Same geometry as the
 * subject. ERR_ARG, ERR_LIMIT, ERR_NOMEM. */
int closure_add_start(struct closure *c, const struct nor *chip, struct err *err);
/* Explores. 0 also with counter-examples and when bounded; ERR_BENCH when the bench contradicts
 * itself, ERR_NOMEM. Once. */
int closure_run(struct closure *c, struct closure_result *out, struct err *err);

/* After it: the operations of the start from the first state that nothing cut. How many. */
uint32_t closure_first_ops(const struct closure *c, struct closure_cut *out, uint32_t max);

/* For tests: every flash content that a state which was started from stands for: its fingerprint,
 * an end it comes to and the state's depth. A content may come several times, with other ends: by
 * reading, and because states may overlap. 0 or an error. */
typedef void closure_content(void *ctx, const uint8_t sha256[SHA256_BYTES], enum closure_end end,
                             uint32_t depth);
int closure_contents(const struct closure *c, closure_content *each, void *ctx);
/* The fingerprint of a chip as closure_contents gives it: what is on flash at the next power-on. */
void closure_fingerprint(const struct nor *chip, uint8_t sha256[SHA256_BYTES]);

/* The result as text for people and as a JSON object. No wall time: same input, same bytes. */
int closure_describe(const struct closure_result *r, const struct nor_geometry *geo,
                     struct buf *out);
int closure_json(const struct closure_result *r, struct buf *out);

#endif
