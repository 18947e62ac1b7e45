/*
 * A fiber is entered the first time by makecontext / setcontext and from then on by _setjmp /
 * _longjmp: swapcontext also sets the signal mask, two system calls a round trip, and a simulated
 * upgrade switches thousands of times (0.37 us against 0.014 us a round trip).
 *
 * The sanitizer's own swapcontext wipes the marks of both whole stacks at each switch, so overruns
 * of local arrays in blocking functions would go unseen: sanitized builds switch by the
 * getcontext / setcontext pair, which it leaves alone, and are told of the switch by its calls.
 */
#include "sim_device/board/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif

#define STACK_PATTERN 0xA5

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#define STACK_FLOOR (512u << 10)

/* Stack frames of an abandoned fiber are still marked. */
static void shadow_clean(const struct fiber *f)
{
    __asan_unpoison_memory_region(f->stack, f->stack_bytes);
}

static void shadow_leave(void **shadow, const struct fiber *to)
{
    __sanitizer_start_switch_fiber(shadow, to->stack, to->stack_bytes);
}

/* The thread's own stack is only known by what the first switch away from it reports. */
static void shadow_enter(struct fiber *self)
{
    const void *bottom = NULL;
    size_t len_bytes = 0;
    __sanitizer_finish_switch_fiber(self->shadow, &bottom, &len_bytes);
    self->from->stack = (void *)(uintptr_t)bottom;
    self->from->stack_bytes = len_bytes;
}

static void enter(struct fiber *to)
{
    (void)setcontext(&to->context);
}

static void exchange(struct fiber *from, struct fiber *to)
{
    from->resumed = 0;
    (void)getcontext(&from->context); /* comes back twice, the second time resumed */
    if (!from->resumed) {
        from->resumed = 1;
        enter(to);
    }
}
#else
#define STACK_FLOOR (64u << 10)

static void shadow_clean(const struct fiber *f)
{
    (void)f;
}

static void shadow_leave(void **shadow, const struct fiber *to)
{
    (void)shadow;
    (void)to;
}

static void shadow_enter(struct fiber *self)
{
    (void)self;
}

static void enter(struct fiber *to)
{
    if (to->started)
        _longjmp(to->jump, 1);
    to->started = true;
    (void)setcontext(&to->context);
}

static void exchange(struct fiber *from, struct fiber *to)
{
    from->started = true;
    if (_setjmp(from->jump) == 0)
        enter(to);
}
#endif

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* makecontext passes ints only: the pointer comes in two halves. */
static void start(unsigned int high, unsigned int low)
{
    struct fiber *self = (struct fiber *)(((uintptr_t)high << 32) | (uintptr_t)low);
    shadow_enter(self);
    self->entry(self->arg);
    abort(); /* entry must leave by fiber_leave */
}

static int stack_fit(struct fiber *f, size_t want_bytes)
{
    if (f->stack != NULL && f->stack_bytes >= want_bytes)
        return 0;
    fiber_deinit(f);
    size_t page = page_bytes();
    size_t len_bytes = (want_bytes + page - 1) / page * page;
    uint8_t *map =
        mmap(NULL, page + len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return ERR_NOMEM;
    if (mprotect(map, page, PROT_NONE) != 0) {
        (void)munmap(map, page + len_bytes);
        return ERR_NOMEM;
    }
    f->stack = map + page;
    f->stack_bytes = len_bytes;
    return 0;
}

int fiber_prepare(struct fiber *f, size_t stack_bytes, void (*entry)(void *), void *arg)
{
    int rc = stack_fit(f, stack_bytes > STACK_FLOOR ? stack_bytes : STACK_FLOOR);
    if (rc != 0)
        return rc;
    shadow_clean(f);
    memset(f->stack, STACK_PATTERN, f->stack_bytes);
    f->shadow = NULL;
    f->started = false;
    f->entry = entry;
    f->arg = arg;
    (void)getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = f->stack_bytes;
    f->context.uc_link = NULL;
    uintptr_t self = (uintptr_t)f;
    makecontext(&f->context, (void (*)(void))start, 2, (unsigned int)(self >> 32),
                (unsigned int)(self & 0xFFFFFFFFu));
    return 0;
}

void fiber_deinit(struct fiber *f)
{
    if (f->stack != NULL) {
        size_t page = page_bytes();
        shadow_clean(f);
        (void)munmap((uint8_t *)f->stack - page, page + f->stack_bytes);
    }
    f->stack = NULL;
    f->stack_bytes = 0;
}

void fiber_keep(struct fiber *f, struct fiber_stack *kept)
{
    if (f->stack != NULL)
        shadow_clean(f);
    *kept = (struct fiber_stack){f->stack, f->stack_bytes};
    f->stack = NULL;
    f->stack_bytes = 0;
}

void fiber_reuse(struct fiber *f, struct fiber_stack *kept)
{
    f->stack = kept->stack;
    f->stack_bytes = kept->stack_bytes;
    *kept = (struct fiber_stack){NULL, 0};
}

void fiber_stack_free(struct fiber_stack *kept)
{
    struct fiber f = {.started = false};
    fiber_reuse(&f, kept);
    fiber_deinit(&f);
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
    to->from = from;
    shadow_leave(&from->shadow, to);
    exchange(from, to);
    shadow_enter(from);
}

void fiber_leave(struct fiber *from, struct fiber *to)
{
    to->from = from;
    shadow_leave(NULL, to);
    enter(to);
    abort(); /* only reached when the switch failed */
}
