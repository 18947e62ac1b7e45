#include "sim_device/boot/boot.h"

#include "common/testing/testing.h"
#include "sim_device/boot/boot_testing.h"

static const struct update_row updates[] = {
    {"ascending", SPI4K, 3, {{DELTA_UP, 20000, 19000}}},
    {"descending", SPI4K, 3, {{DELTA_DOWN, 20000, 20100}}},
    {"growing, ascending", SPI4K, 2, {{DELTA_UP, 6000, 20000}}},
    {"growing, descending", SPI4K, 2, {{DELTA_DOWN, 6000, 20000}}},
    {"shrinking, ascending", SPI4K, 2, {{DELTA_UP, 20000, 6001}}},
    {"shrinking, descending", SPI4K, 2, {{DELTA_DOWN, 20000, 6001}}},
    {"full", SPI4K, 3, {{FULL, 15000, 17777}}},
    {"one byte", SPI4K, 3, {{DELTA_UP, 1, 1}}},
    {"three files", SPI4K, 3, {{DELTA_UP, 9000, 9500}, {FULL, 5000, 9001}, {DELTA_DOWN, 9, 8200}}},
    {"wide backup area", SPI4K_WIDE, 2, {{DELTA_UP, 20000, 23000}, {DELTA_DOWN, 16384, 16384}}},
    {"64 KiB blocks", SPI64K, 3, {{DELTA_DOWN, 150000, 150300}}},
    {"64 KiB blocks, ascending", SPI64K, 2, {{DELTA_UP, 150000, 140000}}},
    {"write-once with ECC", INTERNAL8, 3, {{DELTA_UP, 20000, 19001}, {DELTA_DOWN, 9000, 9003}}},
    {"write-once with ECC, bank B", INTERNAL8, 2, {{DELTA_DOWN, 20000, 23001}, {FULL, 9000, 7777}}},
    {"write-once", ONCE8, 2, {{DELTA_DOWN, 20000, 19001}, {FULL, 9000, 7777}}},
    {"vendor record", VENDOR4K, 2, {{DELTA_DOWN, 20000, 19001}, {FULL, 9000, 7777}}},
};

/* The next start finds nothing to do (BOT-15), whichever record it believes. */
static void nothing_to_do(struct fixture *f)
{
    struct nor *chip = f->rig.board.nor;
    uint64_t ops = nor_op_count(chip);
    CHECK_INT(rig_boot(&f->rig), BOOT_RUN);
    CHECK_STR(f->rig.events, "boot ");
    CHECK_INT(nor_op_count(chip), ops);
    for (uint32_t bank = 1; bank <= 2 && f->rig.cfg.layout.kind == STATE_SAFE; bank++) {
        uint32_t unit = f->rig.geo.erase_bytes;
        struct nor_snapshot *after = nor_save(chip);
        CHECK_OK(nor_erase(chip, f->rig.user_addr - bank * unit, unit), NULL);
        CHECK_INT(rig_boot(&f->rig), BOOT_RUN);
        CHECK_STR(f->rig.events, "boot ");
        nor_restore(chip, after);
        nor_snapshot_free(after);
    }
}

static void update_restores(const void *row)
{
    const struct update_row *u = row;
    struct fixture f;
    fixture_open(&f, u);
    fixture_pend(&f, u->writes);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    CHECK_STR(f.rig.reason, "");
    CHECK_HAS(f.rig.events, "boot verify prove ");
    CHECK_HAS(f.rig.events, "restored result ");
    CHECK(all_are_new(&f));
    CHECK(guards_hold(&f.rig));
    CHECK_INT(result_of(&f), UPDATE_OK);
    nothing_to_do(&f);
    fixture_close(&f);
}

/* ---- Refusals: old images untouched, byte for byte --------------------------------------------
 */

static void bend_base(struct fixture *f)
{
    f->in[1].old_image.data[100] ^= 1;
    rig_load(&f->rig, f->in[1].address, &f->in[1].old_image);
}
static void bend_payload(struct fixture *f)
{
    f->build.bytes.data[f->build.file[1].payload_offset + 40] ^= 1;
}
static void bend_table(struct fixture *f)
{
    f->build.bytes.data[PACKAGE_HEAD_BYTES + 41] ^= 1;
}
static void bend_head(struct fixture *f)
{
    f->build.bytes.data[70] ^= 1;
}
static void bend_target(struct fixture *f)
{
    f->build.file[0].new_sha256[5] ^= 1;
    build_seal(&f->build);
}
static void bend_full_target(struct fixture *f)
{
    f->build.file[2].new_sha256[5] ^= 1;
    build_seal(&f->build);
}
static void bend_compare(struct fixture *f)
{
    f->build.head.compare_block_kib = 32;
    build_seal(&f->build);
}
static void bend_algorithm(struct fixture *f)
{
    f->build.head.algorithm = 2;
    build_seal(&f->build);
}
static void bend_block(struct fixture *f)
{
    f->build.head.restore_block_bytes *= 2;
    build_seal(&f->build);
}
static void bend_odd_block(struct fixture *f)
{
    f->build.head.restore_block_bytes = 2048;
    build_seal(&f->build);
}
static void bend_name(struct fixture *f)
{
    f->build.file[1].name[0] = 'x';
    build_seal(&f->build);
}
static void bend_address(struct fixture *f)
{
    f->build.file[1].address += f->rig.geo.erase_bytes;
    build_seal(&f->build);
}
static void bend_twice(struct fixture *f)
{
    f->build.file[1] = f->build.file[0];
    build_seal(&f->build);
}
static void bend_area(struct fixture *f)
{
    f->rig.cfg.files[2].area_bytes = 8192;
}
static void bend_count(struct fixture *f)
{
    uint8_t *head = f->build.bytes.data;
    put_le16(head + 6, 21);
    put_le32(head + 132, crc32_update(0, head, 132));
}
static void bend_ram(struct fixture *f)
{
    f->rig.cfg.ram_bytes = 7000; /* struct boot and page fit, the window does not */
}
static void bend_heap(struct fixture *f)
{
    f->rig.board.heap.limit_bytes = 7000; /* as above, but found out by asking */
}
static void bend_window(struct fixture *f)
{
    f->build.head.window_bytes = 1024; /* windows are 1536 bytes */
    build_seal(&f->build);
}
static void bend_turns(struct fixture *f)
{
    /* Made ascending, declared descending: windows read what is gone by then. */
    f->build.file[0].direction = PACKAGE_DESCENDING;
    build_seal(&f->build);
}
static void bend_truncate(struct fixture *f)
{
    memset(f->build.bytes.data + f->build.bytes.len_bytes - 1500, 0xFF, 1500);
}
static void bend_short_download(struct fixture *f)
{
    f->build.bytes.len_bytes -= 1;
}
static void bend_tail(struct fixture *f)
{
    put(&f->build.payload[0], "\0\0", 2); /* bytes behind the last window */
    digest_of(DIGEST_SHA256, f->build.payload[0].data, f->build.payload[0].len_bytes,
              f->build.file[0].payload_sha256);
    build_seal(&f->build);
}

struct refusal_row {
    const char *what;
    void (*bend)(struct fixture *f);
    uint16_t result;
    const char *says;
};

static const struct refusal_row refusals[] = {
    {"wrong base", bend_base, UPDATE_FAIL, "installed file1.bin: SHA-256"},
    {"wrong payload", bend_payload, UPDATE_AUTH_FAIL, "payload of file1.bin: SHA-256"},
    {"wrong file table", bend_table, UPDATE_AUTH_FAIL, "file table: SHA-256"},
    {"wrong head", bend_head, UPDATE_FAIL, "package head: CRC-32"},
    {"wrong target digest", bend_target, UPDATE_AUTH_FAIL, "file0.bin would not become"},
    {"wrong target digest, full", bend_full_target, UPDATE_AUTH_FAIL, "file2.bin would not"},
    {"other compare block", bend_compare, UPDATE_FAIL, "compare blocks of 32 KiB"},
    {"other algorithm", bend_algorithm, UPDATE_FAIL, "algorithm 2"},
    {"restore block too large", bend_block, UPDATE_FAIL, "restore blocks of 8192"},
    {"restore block no erase unit", bend_odd_block, UPDATE_FAIL, "restore blocks of 2048"},
    {"unknown file", bend_name, UPDATE_FAIL, "xile1.bin at 0x6000 is not configured"},
    {"known file elsewhere", bend_address, UPDATE_FAIL, "file1.bin at 0x7000 is not configured"},
    {"file twice", bend_twice, UPDATE_FAIL, "file0.bin comes twice"},
    {"area too small", bend_area, UPDATE_FAIL, "the area holds 8192"},
    {"21 files", bend_count, UPDATE_FAIL, "21 files"},
    {"too little RAM", bend_ram, UPDATE_FAIL, "bytes of RAM, there are 7000"},
    {"no memory", bend_heap, UPDATE_FAIL, "no memory for windows"},
    {"window larger than said", bend_window, UPDATE_FAIL, "delta of file0.bin"},
    {"other direction", bend_turns, UPDATE_FAIL, "delta of file0.bin"},
    {"truncated", bend_truncate, UPDATE_AUTH_FAIL, "payload of file2.bin: SHA-256"},
    {"one byte short", bend_short_download, UPDATE_FAIL, "downloaded were"},
    {"bytes behind the delta", bend_tail, UPDATE_FAIL, "delta of file0.bin"},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal_row *)row)->what;
}

static const struct update_row refused_update = {
    "refused", SPI4K, 3, {{DELTA_UP, 20000, 19000}, {DELTA_DOWN, 9000, 9800}, {FULL, 5000, 9001}}};

static void keeps_old(const struct refusal_row *t, int writes)
{
    struct fixture f;
    fixture_open(&f, &refused_update);
    t->bend(&f);
    fixture_pend(&f, writes);
    uint32_t part = f.rig.cfg.download_offset;
    uint8_t *before = malloc(part);
    REQUIRE(before != NULL);
    memcpy(before, nor_peek(f.rig.board.nor), part);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    CHECK_HAS(f.rig.reason, t->says);
    CHECK_HAS(f.rig.events, "verify refuse result ");
    CHECK_MEM(nor_peek(f.rig.board.nor), before, part);
    CHECK(guards_hold(&f.rig));
    CHECK_INT(result_of(&f), t->result);
    nothing_to_do(&f);
    free(before);
    fixture_close(&f);
}

/* With the pending record in bank A and in bank B. */
static void refusal_keeps_old(const void *row)
{
    keeps_old(row, 3);
    keeps_old(row, 2);
}

static void no_ram_no_loader(void)
{
    struct fixture f;
    fixture_open(&f, &refused_update);
    f.rig.cfg.ram_bytes = 1000;
    CHECK(boot_new(&f.rig.cfg) == NULL);
    f.rig.cfg.ram_bytes = 64 << 10;
    for (uint64_t n = 1; n <= 2; n++) {
        f.rig.board.heap.fail_at = f.rig.board.heap.calls + n;
        CHECK(boot_new(&f.rig.cfg) == NULL);
        CHECK_INT(board_heap_blocks(&f.rig.board), 0);
    }
    fixture_close(&f);
}

/* The update does not end because memory was short once. */
static void memory_short_once(void)
{
    struct fixture f;
    fixture_open(&f, &refused_update);
    fixture_pend(&f, 3);
    f.rig.board.heap.fail_at = f.rig.board.heap.calls + 3;
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    CHECK_INT(result_of(&f), UPDATE_OK);
    fixture_close(&f);
}

static void nothing_pending_runs(void)
{
    struct fixture f;
    fixture_open(&f, &refused_update);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN); /* no record at all */
    CHECK_STR(f.rig.events, "boot ");
    CHECK_INT(nor_op_count(f.rig.board.nor), 0);
    fixture_close(&f);
}

/* ---- Flash that refuses ------------------------------------------------------------------------
 */

struct fault_row {
    const char *what;
    enum nor_io kind;
    int where; /* 0: backup area, 1: target of file 0, 2: package */
    int count;
    enum boot_result result;
    bool is_new;
};

static const struct fault_row faults[] = {
    {"backup area fails twice", NOR_IO_PROGRAM, 0, 2, BOOT_RUN, true},
    {"backup area is bad", NOR_IO_PROGRAM, 0, -1, BOOT_RUN, false},
    {"backup area cannot be erased", NOR_IO_ERASE, 0, -1, BOOT_RUN, false},
    {"target fails twice", NOR_IO_PROGRAM, 1, 2, BOOT_RUN, true},
    {"target erase fails twice", NOR_IO_ERASE, 1, 2, BOOT_RUN, true},
    {"target gets a wrong bit", NOR_IO_CORRUPT, 1, 1, BOOT_RUN, true},
    {"staging gets a wrong bit", NOR_IO_CORRUPT, 0, 1, BOOT_RUN, true},
    {"target is bad", NOR_IO_PROGRAM, 1, -1, BOOT_BRICKED, false},
    {"package cannot be read twice", NOR_IO_READ, 2, 2, BOOT_RUN, true},
    {"package cannot be read", NOR_IO_READ, 2, -1, BOOT_RUN, false},
};

static const char *fault_name(const void *row)
{
    return ((const struct fault_row *)row)->what;
}

static void fault_is_bounded(const void *row)
{
    const struct fault_row *t = row;
    struct update_row u = refused_update;
    struct fixture f;
    u.rig = (struct rig_row)SPI4K_WIDE;
    u.rig.block_units = 1;
    fixture_open(&f, &u);
    fixture_pend(&f, 3);
    const struct boot_config *cfg = &f.rig.cfg;
    /* Where blocks are staged, which is bank B as well; the record is in A. */
    uint32_t stage = cfg->download_offset + cfg->layout.part_bytes - 2 * f.rig.geo.erase_bytes;
    uint32_t where[] = {stage, f.in[0].address, cfg->download_offset};
    nor_inject(f.rig.board.nor, t->kind, where[t->where], 64, t->count);
    CHECK_INT(rig_boot(&f.rig), t->result);
    CHECK_INT(all_are_new(&f), t->is_new);
    if (!t->is_new && t->result == BOOT_RUN) {
        CHECK(image_is(&f.rig, f.in[0].address, &f.in[0].old_image));
        CHECK(image_is(&f.rig, f.in[1].address, &f.in[1].old_image));
    }
    if (t->result == BOOT_BRICKED) { /* healed flash, next start: goes on and completes */
        nor_clear_faults(f.rig.board.nor);
        CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
        CHECK(all_are_new(&f));
        CHECK_INT(result_of(&f), UPDATE_OK);
    }
    fixture_close(&f);
}

/* ---- The broken variants work without faults, else they would prove nothing --------------------
 */

static void broken_variants_work(const void *row)
{
    const int *which = row;
    struct fixture f;
    fixture_open(&f, &refused_update);
    ((bool *)&f.rig.cfg.breaks)[*which] = true; /* nothing but flags */
    fixture_pend(&f, 2);
    CHECK_INT(rig_boot(&f.rig), BOOT_RUN);
    CHECK(all_are_new(&f));
    CHECK_INT(result_of(&f), UPDATE_OK);
    fixture_close(&f);
}
static const int variants[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
_Static_assert(sizeof variants / sizeof variants[0] == sizeof(struct boot_breaks), "all variants");

static const struct test tests[] = {
    TEST_ROWS("update", update_restores, updates, update_name),
    TEST_ROWS("refused", refusal_keeps_old, refusals, refusal_name),
    {"too little RAM for the loader", no_ram_no_loader},
    {"memory short once", memory_short_once},
    {"nothing pending runs", nothing_pending_runs},
    TEST_ROWS("flash refuses", fault_is_bounded, faults, fault_name),
    TEST_ROWS("broken variant without faults", broken_variants_work, variants, NULL),
};
TEST_MAIN("boot", tests)
