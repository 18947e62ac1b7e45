/*
 * The rules of the chip: what is refused, what an operation does to cells and marks, and how power
 * goes and comes back. An operation takes effect after its time is spent, so that a cut from
 * outside finds it in flight and tears it; a call that wakes up in a later life of the chip
 * (`life`) touches nothing.
 */
#include "flash_emu/nor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_emu/breakpoint.h"
#include "flash_emu/nor_cells.h"
#include "flash_emu/nor_chip.h"
#include "flash_emu/nor_raw.h"
#include "flash_emu/tear.h"

/* ---- birth and death ---- */

int nor_geometry_check(const struct nor_geometry *geo, struct err *err)
{
    uint32_t size = geo->size_bytes;
    uint32_t unit = geo->erase_bytes;
    uint32_t page = geo->page_bytes;
    uint32_t granule = geo->granule_bytes;
    if (size == 0 || unit == 0 || page == 0 || granule == 0)
        return err_set(err, ERR_ARG, "chip %s: size, erase unit, page and granule must not be 0",
                       geo->name);
    if (size > NOR_SIZE_MAX || page > NOR_PAGE_MAX)
        return err_set(err, ERR_ARG,
                       "chip %s: %u bytes with %u-byte pages, at most %u with %u are supported",
                       geo->name, (unsigned)size, (unsigned)page, NOR_SIZE_MAX, NOR_PAGE_MAX);
    if (size % unit != 0 || unit % page != 0 || page % granule != 0)
        return err_set(err, ERR_ARG,
                       "chip %s: size %u, erase unit %u, page %u, granule %u: each must be a "
                       "multiple of the next",
                       geo->name, (unsigned)size, (unsigned)unit, (unsigned)page,
                       (unsigned)granule);
    if (geo->write_back_ops > NOR_WRITE_BACK_MAX)
        return err_set(err, ERR_ARG,
                       "chip %s: %u operations in the cache, at most %d are supported", geo->name,
                       (unsigned)geo->write_back_ops, NOR_WRITE_BACK_MAX);
    if (geo->program_ns < 0 || geo->erase_ns < 0 || geo->read_ns_per_byte < 0)
        return err_set(err, ERR_ARG, "chip %s: times must not be negative", geo->name);
    return 0;
}

/* A chip object without memory; geo may be null for a view that finds its own. */
static struct nor *blank(const struct nor_geometry *geo, uint64_t seed, struct err *err)
{
    if (geo != NULL && nor_geometry_check(geo, err) != 0)
        return NULL;
    struct nor *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        (void)err_set(err, ERR_NOMEM, "no memory for a chip");
        return NULL;
    }
    if (geo != NULL) {
        n->geo = *geo;
        (void)snprintf(n->name, sizeof(n->name), "%s", geo->name);
        n->geo.name = n->name;
    }
    n->seed = seed;
    return n;
}

/* Second half of every constructor; rc is what getting the memory said. */
static struct nor *ready(struct nor *n, int rc, struct err *err)
{
    if (rc == 0 && nor_snapshots_init(n) != 0)
        rc = err_set(err, ERR_NOMEM, "no memory for a chip");
    if (rc != 0) {
        nor_free(n);
        return NULL;
    }
    return n;
}

struct nor *nor_new(const struct nor_geometry *geo, uint64_t seed, struct err *err)
{
    struct nor *n = blank(geo, seed, err);
    if (n != NULL)
        n = ready(n, nor_memory_heap(n, err), err);
    if (n != NULL)
        nor_power_on(n);
    return n;
}

struct nor *nor_open(const struct nor_geometry *geo, const char *path, uint64_t seed,
                     struct err *err)
{
    struct nor *n = blank(geo, seed, err);
    if (n != NULL)
        n = ready(n, nor_memory_file(n, path, err), err);
    if (n != NULL)
        nor_power_on(n);
    return n;
}

struct nor *nor_view(const struct nor_geometry *geo, const char *path, struct err *err)
{
    struct nor *n = blank(geo, 0, err);
    return n == NULL ? NULL : ready(n, nor_memory_view(n, path, err), err);
}

void nor_free(struct nor *n)
{
    if (n == NULL)
        return;
    nor_snapshots_free(n);
    nor_forget_held(n);
    nor_memory_free(n);
    free(n);
}

void nor_set_hooks(struct nor *n, const struct nor_hooks *hooks)
{
    nor_end_life(n);
    n->hooks = hooks != NULL ? *hooks : (struct nor_hooks){0};
    n->unwatched = n->hooks.spent_ns != NULL && n->hooks.observe == NULL && n->hooks.look == NULL &&
                   n->geo.policy == NOR_REWRITE && n->geo.write_back_ops == 0;
}

const struct nor_geometry *nor_geo(const struct nor *n)
{
    return &n->geo;
}

const uint8_t *nor_peek(const struct nor *n)
{
    return n->cells;
}

uint64_t nor_op_count(const struct nor *n)
{
    return nor_meta_ops(n);
}

uint64_t nor_version(const struct nor *n, uint32_t unit)
{
    return n->version[unit];
}

bool nor_is_on(const struct nor *n)
{
    return n->on;
}

const char *nor_fault(const struct nor *n)
{
    return n->fault[0] != '\0' ? n->fault : NULL;
}

/* ---- power ---- */

/* False when power went meanwhile: then the caller must touch nothing more. */
static inline bool spend(struct nor *n, int64_t ns)
{
    uint64_t life = n->life;
    if (n->hooks.spent_ns != NULL) {
        *n->hooks.spent_ns += ns;
        return true;
    }
    if (n->hooks.spend != NULL && ns > 0)
        n->hooks.spend(n->hooks.ctx, ns);
    return n->life == life;
}

void nor_end_life(struct nor *n)
{
    n->life++;
    for (size_t i = 0; i < NOR_FLIGHTS; i++)
        n->flights[i].active = false;
}

uint64_t nor_place_number(enum nor_op_kind kind, uint32_t addr)
{
    return UINT64_C(1) << 34 | (uint64_t)kind << 32 | addr;
}

static void tear_operation(struct nor *n, struct nor_op *op, enum nor_tear tear, uint32_t arg)
{
    struct rng rng;
    uint64_t number = n->by_place ? nor_place_number(op->kind, op->addr) : op->number;
    rng_init(&rng, n->seed, "nor", "tear", number ^ ((uint64_t)arg << 40));
    struct tear_outcome o =
        tear_plan(tear, op->kind, arg, op->len_bytes, n->geo.granule_bytes, &rng);
    op->torn = true;
    op->tear = tear;
    nor_take_effect(n, op, &o, &rng);
    if (tear == TEAR_UNWRITTEN)
        nor_take_back(n, arg);
}

static void observe(struct nor *n, const struct nor_op *op)
{
    if (n->hooks.observe != NULL)
        n->hooks.observe(n->hooks.ctx, op);
}

/* Tears what is in flight, in the order it was begun, and only then tells. */
static void lose_power(struct nor *n, enum nor_tear tear, uint32_t arg)
{
    struct nor_op *torn[NOR_FLIGHTS];
    size_t count = 0;
    for (size_t i = 0; i < NOR_FLIGHTS; i++) {
        if (!n->flights[i].active)
            continue;
        size_t k = count++;
        for (; k > 0 && torn[k - 1]->number > n->flights[i].op.number; k--)
            torn[k] = torn[k - 1];
        torn[k] = &n->flights[i].op;
    }
    for (size_t i = 0; i < count; i++)
        tear_operation(n, torn[i], tear, arg);
    n->on = false;
    n->cut = (struct nor_cut){0};
    nor_forget_held(n); /* with any other tear they were written in time */
    nor_end_life(n);
    for (size_t i = 0; i < count; i++)
        observe(n, torn[i]);
}

void nor_draw_by_place(struct nor *n, bool on)
{
    n->by_place = on;
}

void nor_arm_cut(struct nor *n, uint64_t number, enum nor_tear tear, uint32_t arg)
{
    n->cut = (struct nor_cut){.number = number, .tear = tear, .arg = arg};
}

void nor_power_off(struct nor *n, enum nor_tear tear, uint32_t arg)
{
    if (n->on)
        lose_power(n, tear, arg);
}

void nor_power_on(struct nor *n)
{
    if (n->on)
        return;
    uint64_t power_on = nor_meta_power_ons(n) + 1;
    nor_meta_set_power_ons(n, power_on);
    n->on = true;
    for (uint32_t unit = 0; unit < n->units; unit++)
        if (n->flags[unit] & UNIT_WEAK)
            nor_settle_unit(n, unit, power_on);
}

/* ---- operations ---- */

/* Nobody is told, and neither fault nor cut can come: time and cells are all there is. Explorers
 * pass here a hundred million times. */
static inline bool is_quiet(const struct nor *n)
{
    return n->unwatched && n->on && n->cut.number == 0 && n->injection_count == 0 && !n->any_dead;
}

static inline bool is_inside(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    return addr <= n->geo.size_bytes && len_bytes <= n->geo.size_bytes - addr;
}

static void look(struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    if (n->hooks.look != NULL)
        n->hooks.look(n->hooks.ctx, addr, len_bytes);
}

static int access_while_off(struct nor *n, const char *what, uint32_t addr, uint32_t len_bytes)
{
    if (n->fault[0] == '\0')
        (void)snprintf(n->fault, sizeof(n->fault), "%s of %u bytes at 0x%08x while the chip is off",
                       what, (unsigned)len_bytes, (unsigned)addr);
    return ERR_IO;
}

/* What every access must pass first. */
static int admit(struct nor *n, const char *what, uint32_t addr, uint32_t len_bytes)
{
    if (!n->on)
        return access_while_off(n, what, addr, len_bytes);
    return is_inside(n, addr, len_bytes) ? 0 : ERR_ARG;
}

static bool are_multiples(uint32_t addr, uint32_t len_bytes, uint32_t of)
{
    return of == 1 || (addr % of == 0 && len_bytes % of == 0);
}

static inline int read_cells(struct nor *n, uint32_t addr, uint32_t len_bytes, const uint8_t **out)
{
    int rc = admit(n, "read", addr, len_bytes);
    if (rc != 0)
        return rc;
    if (len_bytes > 0) {
        look(n, addr, len_bytes);
        if (!spend(n, n->geo.read_ns_per_byte * len_bytes))
            return ERR_IO;
        if (n->injection_count > 0 && nor_injected(n, NOR_IO_READ, addr, len_bytes))
            return ERR_IO;
        if (n->geo.policy == NOR_ECC && nor_any_mark(n, n->torn, addr, len_bytes))
            return ERR_DIGEST;
        if (n->any_dead && nor_is_dead(n, addr, len_bytes))
            return ERR_DIGEST;
    }
    *out = n->cells + addr;
    return 0;
}

int nor_read_in_place(struct nor *n, uint32_t addr, uint32_t len_bytes, const uint8_t **out)
{
    return read_cells(n, addr, len_bytes, out);
}

/* Apart, so that a quiet read is short. */
__attribute__((noinline)) static int read_watched(struct nor *n, uint32_t addr, void *out,
                                                  uint32_t len_bytes)
{
    const uint8_t *content = NULL;
    if (out == NULL && len_bytes > 0 && n->on)
        return ERR_ARG;
    int rc = read_cells(n, addr, len_bytes, &content);
    if (rc == 0 && len_bytes > 0)
        memcpy(out, content, len_bytes);
    return rc;
}

int nor_read(struct nor *n, uint32_t addr, void *out, uint32_t len_bytes)
{
    if (!is_quiet(n) || out == NULL || !is_inside(n, addr, len_bytes))
        return read_watched(n, addr, out, len_bytes);
    *n->hooks.spent_ns += n->geo.read_ns_per_byte * len_bytes;
    memcpy(out, n->cells + addr, len_bytes);
    return 0;
}

static int64_t program_time(const struct nor_geometry *geo, uint32_t len_bytes)
{
    if (len_bytes == geo->page_bytes)
        return geo->program_ns;
    int64_t share = geo->program_ns * len_bytes / geo->page_bytes;
    int64_t least = geo->program_ns / 16;
    return share > least ? share : least;
}

/* An armed cut comes at the start, in the middle or at the end of the operation. */
static int64_t time_before_cut(enum nor_tear tear, int64_t ns)
{
    if (tear == TEAR_NOTHING || tear == TEAR_UNWRITTEN)
        return 0;
    return tear == TEAR_DONE ? ns : ns / 2;
}

/* Numbers the operation and takes a slot for it; null when too many overlap. */
static struct nor_flight *begin(struct nor *n, const struct nor_op *op)
{
    struct nor_flight *f = n->flights;
    while (f < n->flights + NOR_FLIGHTS && f->active)
        f++;
    if (f == n->flights + NOR_FLIGHTS)
        return NULL;
    f->active = true;
    f->op = *op;
    nor_meta_set_ops(n, op->number);
    if (op->data != NULL) {
        memcpy(f->data, op->data, op->len_bytes);
        f->op.data = f->data;
    }
    return f;
}

/* Its time has passed. */
static int complete(struct nor *n, struct nor_op *op)
{
    bool may_corrupt = n->injection_count > 0 && op->kind == NOR_OP_PROGRAM;
    if (may_corrupt)
        memcpy(n->before, n->cells + op->addr, op->len_bytes);
    if (n->geo.write_back_ops > 0 && nor_hold(n, op) != 0)
        return ERR_NOMEM;
    complete_cells(n, op);
    if (may_corrupt)
        nor_corrupt(n, op, n->before);
    return 0;
}

/* Lets the operation's time pass and makes it so - or lets the armed cut tear it. */
static int operate(struct nor *n, struct nor_op *op, int64_t ns)
{
    struct nor_flight *f = NULL;
    struct nor_cut cut = n->cut;
    op->number = nor_meta_ops(n) + 1;
    bool armed = cut.number == op->number;
    if (n->hooks.spent_ns == NULL || armed) { /* what happens meanwhile must find it */
        f = begin(n, op);
        if (f == NULL)
            return ERR_LIMIT;
        op = &f->op;
    } else {
        nor_meta_set_ops(n, op->number);
    }
    if (n->hooks.begun != NULL)
        n->hooks.begun(n->hooks.ctx, op);
    if (!spend(n, armed ? time_before_cut(cut.tear, ns) : ns))
        return ERR_IO;
    if (armed) {
        bench_before_cut(op->number, op->addr, op->len_bytes);
        lose_power(n, cut.tear, cut.arg);
        if (n->hooks.power_lost != NULL)
            n->hooks.power_lost(n->hooks.ctx, op);
        return ERR_IO;
    }
    int rc = complete(n, op);
    if (f != NULL)
        f->active = false;
    if (rc == 0)
        observe(n, op);
    return rc;
}

static int program_page(struct nor *n, uint32_t addr, const uint8_t *data, uint32_t len_bytes)
{
    int64_t ns = program_time(&n->geo, len_bytes);
    if (is_quiet(n)) {
        uint32_t unit = addr / n->geo.erase_bytes;
        nor_meta_set_ops(n, nor_meta_ops(n) + 1);
        *n->hooks.spent_ns += ns;
        nor_unit_touch(n, unit);
        program_cells(n, unit, addr, data, len_bytes, false);
        return 0;
    }
    if (n->written != NULL) {
        look(n, addr, len_bytes);
        if (nor_any_mark(n, n->written, addr, len_bytes))
            return ERR_IO; /* the controller refuses at once */
    }
    if (n->injection_count > 0 && nor_injected(n, NOR_IO_PROGRAM, addr, len_bytes)) {
        (void)spend(n, ns);
        return ERR_IO;
    }
    struct nor_op op = {.kind = NOR_OP_PROGRAM, .addr = addr, .len_bytes = len_bytes, .data = data};
    return operate(n, &op, ns);
}

int nor_program(struct nor *n, uint32_t addr, const void *data, uint32_t len_bytes)
{
    const uint8_t *p = data;
    int rc = admit(n, "program", addr, len_bytes);
    if (rc == 0 &&
        (!are_multiples(addr, len_bytes, n->geo.granule_bytes) || (data == NULL && len_bytes > 0)))
        return ERR_ARG;
    uint32_t room = n->geo.page_bytes - addr % n->geo.page_bytes;
    for (; rc == 0 && len_bytes > 0; room = n->geo.page_bytes) {
        uint32_t step = len_bytes < room ? len_bytes : room;
        rc = program_page(n, addr, p, step);
        addr += step;
        p += step;
        len_bytes -= step;
    }
    return rc;
}

static int erase_unit(struct nor *n, uint32_t addr)
{
    struct nor_op op = {.kind = NOR_OP_ERASE, .addr = addr, .len_bytes = n->geo.erase_bytes};
    if (nor_injected(n, NOR_IO_ERASE, addr, n->geo.erase_bytes)) {
        (void)spend(n, n->geo.erase_ns);
        return ERR_IO;
    }
    return operate(n, &op, n->geo.erase_ns);
}

int nor_erase(struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    int rc = admit(n, "erase", addr, len_bytes);
    if (rc == 0 && !are_multiples(addr, len_bytes, n->geo.erase_bytes))
        return ERR_ARG;
    for (uint32_t done = 0; rc == 0 && done < len_bytes; done += n->geo.erase_bytes)
        rc = erase_unit(n, addr + done);
    return rc;
}
