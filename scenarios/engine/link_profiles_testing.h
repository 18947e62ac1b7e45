/* Two links on which the time of every byte is worked out by hand. */
#ifndef OTABENCH_ENGINE_LINK_PROFILES_TESTING_H
#define OTABENCH_ENGINE_LINK_PROFILES_TESTING_H

#include "scenarios/engine/link_testing.h"

#define MS NS_PER_MS

/* A byte takes 1 ms down and 2 ms up. */
static const struct link_profile slow = {
    .name = "slow", .down_bps = 8000, .up_bps = 4000, .one_way_ns = 100 * MS, .segment_bytes = 100};
static const struct link_profile quick = {
    .name = "quick", .one_way_ns = 100 * MS, .segment_bytes = 100};

static uint8_t stream[DIARY_BYTES];

static inline void send(struct link *l, uint32_t conn, enum link_dir dir, size_t from,
                        size_t len_bytes, int64_t now_ns)
{
    fill_stream(stream, sizeof stream);
    REQUIRE(link_enter(l, conn, dir, stream + from, len_bytes, now_ns) == 0);
}

#endif
