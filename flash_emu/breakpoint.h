/* Where a debugger stops a device that is about to lose power: break bench_before_cut. */
#ifndef OTABENCH_FLASH_EMU_BREAKPOINT_H
#define OTABENCH_FLASH_EMU_BREAKPOINT_H

#include <stdint.h>

/*
 * Does nothing. Called on the stack of the firmware whose flash operation an armed cut is about to
 * tear, before anything of it is in flash; and by a bench that cuts between operations, where
 * the operation is the last one done and len_bytes is 0.
 */
void bench_before_cut(uint64_t op, uint32_t addr, uint32_t len_bytes);

#endif
