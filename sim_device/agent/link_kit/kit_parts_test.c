#include "sim_device/agent/link_kit/parts.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

#define MD5_A "00112233445566778899aabbccddeeff"
#define MD5_B "ffeeddccbbaa99887766554433221100"

/* Three files of a slot: 0x4000 bytes at 0, 0x1000 at 0x8000, 0x1000 behind it. */
static struct device_config config(void)
{
    static const struct boot_file files[] = {
        {.name = "app.bin", .address = 0, .area_bytes = 0x4000},
        {.name = "ui.bin", .address = 0x8000, .area_bytes = 0x1000},
        {.name = "mcu.bin", .address = 0x9000, .area_bytes = 0x1000},
    };
    struct device_config c;
    device_config_default_for(&c, AGENT_AIOT);
    memcpy(c.files, files, sizeof files);
    c.file_count = 3;
    return c;
}

struct sample {
    const char *what;
    struct kit_push_file files[4];
    size_t n;
    bool fits;
};
#define FILE_OF(name, bytes, md5)                                                                  \
    {                                                                                              \
        name, "http://h/p", bytes, DIGEST_MD5, md5, 0                                              \
    }
static const struct sample samples[] = {
    {"all, in another order",
     {FILE_OF("mcu.bin", 0x1000, MD5_A), FILE_OF("app.bin", 0x3000, MD5_B),
      FILE_OF("ui.bin", 1, MD5_A)},
     3,
     true},
    {"one is missing", {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A)}, 2, false},
    {"one too many",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A), FILE_OF("mcu.bin", 1, MD5_A),
      FILE_OF("x.bin", 1, MD5_A)},
     4,
     false},
    {"another name",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A), FILE_OF("x.bin", 1, MD5_A)},
     3,
     false},
    {"no name",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A), FILE_OF(NULL, 1, MD5_A)},
     3,
     false},
    {"one twice",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A), FILE_OF("ui.bin", 1, MD5_A)},
     3,
     false},
    {"larger than its area",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 0x1001, MD5_A), FILE_OF("mcu.bin", 1, MD5_A)},
     3,
     false},
    {"no digest",
     {FILE_OF("app.bin", 1, MD5_A), FILE_OF("ui.bin", 1, "0011"), FILE_OF("mcu.bin", 1, MD5_A)},
     3,
     false},
};

static void placed(const void *row)
{
    const struct sample *s = row;
    const struct device_config c = config();
    struct kit_parts p;
    CHECK_INT(kit_parts_place(&p, &c, s->files, s->n), s->fits);
}

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->what;
}

/* In the order of the areas, with the number each has in the announcement. */
static void walked(void)
{
    const struct device_config c = config();
    struct kit_parts p;
    REQUIRE(kit_parts_place(&p, &c, samples[0].files, 3));
    CHECK_INT(kit_parts_end(&p), 0xA000);
    static const struct {
        uint32_t stored;
        int file; /* -1: all are there */
    } rows[] = {{0, 1},      {0x2FFF, 1}, {0x3000, 2}, {0x8000, 2},
                {0x8001, 0}, {0x9FFF, 0}, {0xA000, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct kit_part *at = kit_parts_at(&p, rows[i].stored);
        CHECK_INT(at == NULL ? -1 : (int)at->file, rows[i].file);
    }
}

/* Any other size or digest makes another package; another order does not. */
static void known_by_its_files(void)
{
    const struct device_config c = config();
    struct kit_push_file files[3];
    struct kit_parts p;
    char first[DIGEST_HEX_MAX], other[DIGEST_HEX_MAX];
    memcpy(files, samples[0].files, sizeof files);
    REQUIRE(kit_parts_place(&p, &c, files, 3));
    kit_parts_id(&p, first);
    CHECK_INT(strlen(first), 64);
    const struct kit_push_file swapped[] = {files[1], files[2], files[0]};
    REQUIRE(kit_parts_place(&p, &c, swapped, 3));
    kit_parts_id(&p, other);
    CHECK_STR(other, first);
    files[2].size_bytes++;
    REQUIRE(kit_parts_place(&p, &c, files, 3));
    kit_parts_id(&p, other);
    CHECK(strcmp(other, first) != 0);
    files[2] = samples[0].files[2];
    files[2].digest = MD5_B;
    REQUIRE(kit_parts_place(&p, &c, files, 3));
    kit_parts_id(&p, other);
    CHECK(strcmp(other, first) != 0);
}

static const struct test tests[] = {
    TEST_ROWS("placed:", placed, samples, sample_name),
    {"walked in the order of the areas", walked},
    {"known by its files", known_by_its_files},
};
TEST_MAIN("kit parts", tests)
