#include "flash_emu/breakpoint.h"

/* The empty statement is an effect to the optimiser: neither the function nor its calls go away. */
__attribute__((noinline)) void bench_before_cut(uint64_t op, uint32_t addr, uint32_t len_bytes)
{
    __asm__ volatile("" : : "r"(op), "r"(addr), "r"(len_bytes) : "memory");
}
