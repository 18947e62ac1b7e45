/*
 * Fibers: stacks that give way to each other by hand, in one thread. The simulated board's tasks.
 *
 * A fiber may be abandoned at any switch: nothing on its stack is unwound, and its stack is used
 * again by the next fiber_prepare. The address sanitizer is told of every switch (fiber.c only).
 */
#ifndef OTABENCH_SIM_DEVICE_FIBER_H
#define OTABENCH_SIM_DEVICE_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

/* Zeroed by the owner; must not be moved. A zeroed one also stands for the thread's own stack. */
struct fiber {
    ucontext_t context;
    jmp_buf jump; /* where it stopped, once started */
    bool started;
    void *stack;        /* lowest usable byte; an unmapped page lies below. Null: thread's stack */
    size_t stack_bytes; /* usable bytes */
    void *shadow;       /* the sanitizer's, while the fiber does not run */
    struct fiber *from; /* who switched to it */
    volatile int resumed;
    void (*entry)(void *arg);
    void *arg;
};

/*
 * Makes the next switch to f run entry(arg) on a stack of at least stack_bytes (host code such as
 * printf needs room: never less than 64 KiB). Keeps the old stack if it is large enough; fills it
 * with a pattern, so code that reads what it never wrote repeats itself. entry must leave by
 * fiber_leave. 0 or ERR_NOMEM.
 */
int fiber_prepare(struct fiber *f, size_t stack_bytes, void (*entry)(void *), void *arg);
void fiber_deinit(struct fiber *f); /* releases the stack; not from f itself */

/* A stack without its fiber, zeroed by the owner. Who makes fibers again and again keeps it: its
 * pages are dearer than what runs on them. */
struct fiber_stack {
    void *stack;
    size_t stack_bytes;
};
/* The stack of a fiber that will not run again goes to kept, which is empty; and to a new fiber. */
void fiber_keep(struct fiber *f, struct fiber_stack *kept);
void fiber_reuse(struct fiber *f, struct fiber_stack *kept);
void fiber_stack_free(struct fiber_stack *kept);

/* from is the running one. Comes back when somebody switches to from. */
void fiber_switch(struct fiber *from, struct fiber *to);
/* As fiber_switch, and from never runs again. */
void fiber_leave(struct fiber *from, struct fiber *to) __attribute__((noreturn));

#endif
