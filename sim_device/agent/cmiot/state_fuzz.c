/*
 * Any bytes as the two banks, in both layouts and on rewritable and write-once flash. Whatever is
 * found must be usable: texts end, the mark is not below its base, and writing goes on from it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/state.h"

#define UNIT_BYTES 2048
#define PART_BYTES (4 * UNIT_BYTES)
#define BANK_BYTES 512 /* of each bank come from the input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A chip without physics: programming overwrites, so that nothing but the parser is exercised. */
static uint8_t flash[PART_BYTES];

static int flash_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    (void)ctx;
    if (addr > PART_BYTES || len_bytes > PART_BYTES - addr)
        abort();
    memcpy(out, flash + addr, len_bytes);
    return 0;
}

static int flash_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    (void)ctx;
    if (addr < PART_BYTES - 2 * UNIT_BYTES || addr > PART_BYTES || len_bytes > PART_BYTES - addr)
        abort();
    memcpy(flash + addr, data, len_bytes);
    return 0;
}

static int flash_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx;
    if (addr < PART_BYTES - 2 * UNIT_BYTES || addr % UNIT_BYTES != 0 || len_bytes != UNIT_BYTES)
        abort();
    memset(flash + addr, 0xFF, len_bytes);
    return 0;
}

static void check_texts(const struct state_record *r)
{
    if (memchr(r->mid, 0, sizeof r->mid) == NULL ||
        memchr(r->device_id, 0, sizeof r->device_id) == NULL ||
        memchr(r->device_secret, 0, sizeof r->device_secret) == NULL)
        abort();
}

static void walk(const struct state_layout *layout)
{
    struct state_io io = {.read = flash_read, .program = flash_program, .erase = flash_erase};
    struct state s, again;
    struct err err;
    struct buf text;
    buf_init(&text, 8192);
    if (state_describe(flash, layout, &text) != 0)
        abort();
    buf_free(&text);
    if (state_open(&s, &io, layout, &err) != 0)
        abort();
    check_texts(&s.record);
    if (!s.valid)
        return;
    if (layout->kind == STATE_SAFE && s.mark < s.record.journal_base)
        abort();
    for (int i = 0; i < 3 && s.mark < UINT32_MAX; i++) {
        uint32_t number = s.mark + 1;
        if (state_mark(&s, number, 7, &err) != 0 || s.mark != number)
            abort();
    }
    if (layout->kind != STATE_SAFE)
        return;
    if (state_open(&again, &io, layout, &err) != 0 || !again.valid || again.mark != s.mark)
        abort();
    if (state_home(&again, &err) != 0 || state_write(&again, &again.record, &err) != 0)
        abort();
}

/* An input with an even last byte gets the magic and check values that a fuzzer cannot guess. */
static void repair(uint8_t *bank)
{
    memcpy(bank, "OBST\x01\x00", 6);
    put_le32(bank + 252, crc32_update(0, bank, 252));
    for (uint8_t *slot = bank + 256; slot < bank + BANK_BYTES; slot += STATE_SLOT_BYTES) {
        if (slot[12] % 2 == 0)
            put_le32(slot + 12, crc32_update(0, slot, 12));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct state_layout layouts[] = {
        {STATE_SAFE, PART_BYTES, UNIT_BYTES, 1, UNIT_BYTES, false, false, {false}},
        {STATE_SAFE, PART_BYTES, UNIT_BYTES, 8, UNIT_BYTES, true, false, {false}},
        {STATE_SAFE, PART_BYTES, UNIT_BYTES, 8, UNIT_BYTES, true, true, {false}},
        {STATE_VENDOR, PART_BYTES, UNIT_BYTES, 1, UNIT_BYTES, false, false, {false}},
    };
    if (size == 0)
        return 0;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        memset(flash, 0xFF, sizeof flash);
        for (uint32_t bank = 0; bank < 2; bank++) {
            size_t from = bank * (size_t)BANK_BYTES;
            size_t len = size > from ? size - from : 0;
            uint8_t *to = flash + PART_BYTES - (2 - bank) * UNIT_BYTES;
            memcpy(to, data + (size > from ? from : 0), len < BANK_BYTES ? len : BANK_BYTES);
            if (data[size - 1] % 2 == 0)
                repair(to);
        }
        walk(&layouts[i]);
    }
    return 0;
}
