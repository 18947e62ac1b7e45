/*
 * The built-in chips. Times are typical data-sheet values, not maxima: a bench that always waits
 * the maximum hides races. A caller that needs another size copies an entry and changes it.
 */
#include <string.h>

#include "common/vtime.h"
#include "flash_emu/nor.h"

static const struct nor_geometry geometries[] = {
    {
        .name = "spi4k",
        .text = "2 MiB SPI NOR, 4 KiB sectors, 256 B pages, rewritable bits",
        .size_bytes = 2u << 20,
        .erase_bytes = 4u << 10,
        .page_bytes = 256,
        .granule_bytes = 1,
        .policy = NOR_REWRITE,
        .program_ns = 700 * NS_PER_US,
        .erase_ns = 45 * NS_PER_MS,
        .read_ns_per_byte = 80, /* two data lines at 50 MHz */
        .endurance = 100000,
    },
    {
        .name = "spi64k",
        .text = "4 MiB SPI NOR used in 64 KiB blocks, 256 B pages, rewritable bits",
        .size_bytes = 4u << 20,
        .erase_bytes = 64u << 10,
        .page_bytes = 256,
        .granule_bytes = 1,
        .policy = NOR_REWRITE,
        .program_ns = 700 * NS_PER_US,
        .erase_ns = 150 * NS_PER_MS,
        .read_ns_per_byte = 80,
        .endurance = 100000,
    },
    {
        .name = "internal8",
        .text = "1 MiB internal flash, 4 KiB pages, 256 B rows, 8 B write-once granules with ECC",
        .size_bytes = 1u << 20,
        .erase_bytes = 4u << 10,
        .page_bytes = 256,
        .granule_bytes = 8,
        .policy = NOR_ECC,
        .program_ns = 2624 * NS_PER_US, /* 32 granules of 82 us */
        .erase_ns = 22 * NS_PER_MS,
        .read_ns_per_byte = 4,
        .endurance = 10000,
    },
};

const struct nor_geometry *nor_geometry_at(size_t index)
{
    return index < sizeof(geometries) / sizeof(geometries[0]) ? &geometries[index] : NULL;
}

const struct nor_geometry *nor_geometry_find(const char *name)
{
    const struct nor_geometry *geo;
    for (size_t i = 0; name != NULL && (geo = nor_geometry_at(i)) != NULL; i++)
        if (strcmp(geo->name, name) == 0)
            return geo;
    return NULL;
}
