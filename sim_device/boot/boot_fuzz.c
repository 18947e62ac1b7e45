/*
 * Any bytes as the delta of an otherwise sound package: digests of table, payload and source are
 * right, so everything up to the proof is reached, and the restore itself when the first byte asks
 * for the variant that skips the proof. With the proof, the installed image must stay as it is;
 * without, the loader must still come to an end and write nothing outside its areas.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "sim_device/boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNIT        512u
#define FILE_ADDR   UNIT
#define FILE_AREA   (8 * UNIT)
#define PART_ADDR   (FILE_ADDR + FILE_AREA + UNIT) /* one unit between that nobody may touch */
#define PART_BYTES  (20 * UNIT)
#define CHIP_BYTES  (PART_ADDR + PART_BYTES + UNIT)
#define OLD_BYTES   3000u
#define DELTA_MAX   6000u
#define INPUT_FIXED 6u

static int64_t now_ns(struct board *b)
{
    (void)b;
    return 0;
}

static struct nor *chip;

static int part_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    (void)ctx;
    return nor_read(chip, PART_ADDR + addr, out, len_bytes);
}

static int part_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    (void)ctx;
    return nor_program(chip, PART_ADDR + addr, data, len_bytes);
}

static int part_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx;
    return nor_erase(chip, PART_ADDR + addr, len_bytes);
}

static void make_old(uint8_t *old)
{
    for (uint32_t i = 0; i < OLD_BYTES; i++)
        old[i] = (uint8_t)(i * 7 + (i >> 6));
}

/* Head, table and delta; returns the length. in: direction, blocks, window, length of the target.
 */
static uint32_t make_package(uint8_t *out, const uint8_t *in, const uint8_t *old,
                             const uint8_t *delta, uint32_t delta_bytes)
{
    struct package_head h = {.file_count = 1,
                             .restore_block_bytes = UNIT * (1 + in[1] % 4U),
                             .compare_block_kib = 64,
                             .algorithm = PACKAGE_ALGORITHM,
                             .to_version = "2"};
    struct package_file f = {.name = "f",
                             .address = FILE_ADDR,
                             .kind = PACKAGE_DELTA,
                             .direction = (enum package_direction)(in[0] >> 1 & 1),
                             .old_bytes = OLD_BYTES,
                             .new_bytes = 1 + get_le16(in + 3) % FILE_AREA,
                             .payload_offset = PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES,
                             .payload_bytes = delta_bytes};
    h.window_bytes = 1 + in[2] * h.restore_block_bytes / 256;
    h.total_bytes = f.payload_offset + delta_bytes;
    digest_of(DIGEST_SHA256, old, OLD_BYTES, f.old_sha256);
    digest_of(DIGEST_SHA256, delta, delta_bytes, f.payload_sha256);
    package_file_encode(&f, out + PACKAGE_HEAD_BYTES);
    digest_of(DIGEST_SHA256, out + PACKAGE_HEAD_BYTES, PACKAGE_FILE_BYTES, h.table_sha256);
    package_head_encode(&h, out);
    memcpy(out + f.payload_offset, delta, delta_bytes);
    return h.total_bytes;
}

static void make_pending(const struct state_layout *layout)
{
    struct state_io io = {.read = part_read, .program = part_program, .erase = part_erase};
    struct state_record r = {.update_result = UPDATE_PENDING, .index = 1, .index_max = 1};
    struct state s;
    struct err err;
    if (state_open(&s, &io, layout, &err) != 0 || state_write(&s, &r, &err) != 0)
        abort();
}

static void run(struct boot_config *cfg)
{
    enum boot_result result = BOOT_MORE;
    struct boot *b = boot_new(cfg);
    if (b == NULL)
        abort();
    for (int i = 0; i < 2000 && result == BOOT_MORE; i++)
        result = boot_step(b);
    if (result == BOOT_MORE || (result == BOOT_BRICKED && !cfg->breaks.skip_verify))
        abort();
    boot_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct board_ops ops = {.now_ns = now_ns};
    static uint8_t package[PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES + DELTA_MAX];
    uint8_t old[OLD_BYTES], before[PART_ADDR];
    struct board board = {.ops = &ops};
    struct err err;
    if (size < INPUT_FIXED || size - INPUT_FIXED > DELTA_MAX - 5 || size == INPUT_FIXED)
        return 0;

    struct nor_geometry geo = *nor_geometry_find("spi4k");
    geo.size_bytes = CHIP_BYTES;
    geo.erase_bytes = UNIT;
    chip = nor_new(&geo, 1, &err);
    if (chip == NULL)
        abort();
    board.nor = chip;
    struct boot_config cfg = {
        .board = &board,
        .download_offset = PART_ADDR,
        .layout = {.kind = STATE_SAFE,
                   .part_bytes = PART_BYTES,
                   .erase_bytes = UNIT,
                   .granule_bytes = 1,
                   .backup_bytes = 4 * UNIT},
        .files = {{.name = "f", .address = FILE_ADDR, .area_bytes = FILE_AREA}},
        .file_count = 1,
        .compare_block_kib = 64,
        .algorithm = PACKAGE_ALGORITHM,
        .ram_bytes = 64 << 10,
        .breaks = {.skip_verify = data[0] & 1},
    };
    uint8_t delta[DELTA_MAX] = "\xd6\xc3\xc4\0\0"; /* a head that a fuzzer need not find */
    memcpy(delta + 5, data + INPUT_FIXED, size - INPUT_FIXED);
    make_old(old);
    uint32_t len = make_package(package, data, old, delta, (uint32_t)(size - INPUT_FIXED) + 5);
    if (nor_load(chip, FILE_ADDR, old, OLD_BYTES) != 0 ||
        nor_load(chip, PART_ADDR, package, len) != 0)
        abort();
    make_pending(&cfg.layout);
    memcpy(before, nor_peek(chip), sizeof before);
    run(&cfg);
    const uint8_t *now = nor_peek(chip);
    uint32_t same_to = cfg.breaks.skip_verify ? FILE_ADDR : PART_ADDR;
    if (memcmp(before, now, same_to) != 0 ||
        memcmp(before + PART_ADDR - UNIT, now + PART_ADDR - UNIT, UNIT) != 0 ||
        memcmp(now + PART_ADDR, package, len) != 0 || nor_fault(chip) != NULL)
        abort();
    if (board_heap_blocks(&board) != 0)
        abort();
    nor_free(chip);
    return 0;
}
