#include "flash_emu/inspect.h"

#include "flash_emu/nor_testing.h"

static const struct partition_table layout = {
    .part = {{"boot", 0, 4096}, {"app", 2 * 4096, 2 * 4096}},
    .count = 2,
};

/* A chip of `units` erase units of 4 KiB. */
static struct nor *small_chip(const char *name, uint32_t units)
{
    struct nor_geometry geo = *nor_geometry_find(name);
    geo.size_bytes = units * geo.erase_bytes;
    struct nor *n = nor_new(&geo, 1, NULL);
    REQUIRE(n != NULL);
    return n;
}

static void put(struct nor *n, uint32_t addr, uint8_t value, uint32_t len_bytes)
{
    uint8_t data[4096];
    memset(data, value, sizeof(data));
    CHECK_INT(nor_load(n, addr, data, len_bytes), 0);
}

static const char *text_of(const struct buf *b)
{
    return b->data != NULL ? (const char *)b->data : "";
}

static void map_shows_fill_guard_and_gaps(void)
{
    struct nor *n = small_chip("spi4k", 6);
    struct buf out;
    buf_init(&out, 4096);
    put(n, 0, 0x00, 4096);
    CHECK_INT(partition_guard(n, &layout), 0);
    put(n, 2 * 4096, 0x12, 1023);
    put(n, 3 * 4096, 0x12, 2000);
    put(n, 5 * 4096, 0x12, 1);
    CHECK_OK(flash_map(&out, n, &layout), NULL);
    CHECK_STR(text_of(&out),
              "spi4k: 24 KiB, 6 erase units of 4 KiB, 0 operations so far\n"
              "boot            0x00000000      4 KiB  100 % programmed\n"
              "  0x00000000  #\n"
              "(gap)           0x00001000      4 KiB  100 % programmed\n"
              "  0x00001000  G\n"
              "app             0x00002000      8 KiB   36 % programmed\n"
              "  0x00002000  -+\n"
              "(gap)           0x00004000      8 KiB  100 % programmed\n"
              "  0x00004000  G!\n"
              ". erased  - under 1/4 programmed  + under 3/4  # more  G guard  ! data in a gap  "
              "w weak  t torn\n");
    buf_free(&out);
    nor_free(n);
}

static void map_breaks_lines_at_64_units(void)
{
    struct nor *n = small_chip("spi4k", 65);
    struct nor *whole = nor_new(nor_geometry_find("spi64k"), 1, NULL);
    struct nor_geometry odd = *nor_geometry_find("spi4k");
    odd.size_bytes = odd.erase_bytes = 768;
    struct nor *tiny = nor_new(&odd, 1, NULL);
    REQUIRE(whole != NULL && tiny != NULL);
    struct buf out;
    buf_init(&out, 4096);
    CHECK_OK(flash_map(&out, n, NULL), NULL);
    CHECK_HAS(text_of(&out),
              "chip            0x00000000    260 KiB    0 % programmed\n"
              "  0x00000000  ................................................................\n"
              "  0x00040000  .\n");
    buf_clear(&out);
    CHECK_OK(flash_map(&out, whole, NULL), NULL);
    CHECK_OK(flash_map(&out, tiny, NULL), NULL);
    CHECK_HAS(text_of(&out), "spi64k: 4 MiB, 64 erase units of 64 KiB");
    CHECK_HAS(text_of(&out), "spi4k: 768 B, 1 erase units of 768 B");
    buf_free(&out);
    nor_free(n);
    nor_free(whole);
    nor_free(tiny);
}

static void map_shows_weak_and_torn(void)
{
    struct nor *n = small_chip("internal8", 4);
    struct buf out;
    uint8_t data[64] = {0};
    buf_init(&out, 4096);
    nor_arm_cut(n, 1, TEAR_SCRAMBLED, 0);
    CHECK_ERR(nor_program(n, 2 * 4096, data, sizeof(data)), ERR_IO);
    nor_power_on(n);
    nor_arm_cut(n, 2, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, 4096, data, sizeof(data)), ERR_IO);
    CHECK_OK(flash_map(&out, n, NULL), NULL);
    CHECK_HAS(text_of(&out), ".wt.");
    buf_free(&out);
    nor_free(n);
}

static void wear_map_counts(void)
{
    struct nor *n = small_chip("internal8", 6);
    struct buf out;
    static const int cycles[6] = {0, 1, 9, 12, 49, 1000};
    buf_init(&out, 4096);
    for (uint32_t u = 0; u < 6; u++)
        for (int i = 0; i < cycles[u]; i++)
            CHECK_INT(nor_erase(n, u * 4096, 4096), 0);
    CHECK_OK(flash_wear_map(&out, n, &layout), NULL);
    CHECK_HAS(text_of(&out), "boot            0x00000000      4 KiB  0 erases, most 0 at "
                             "0x00000000\n  0x00000000  .\n");
    CHECK_HAS(text_of(&out), "app             0x00002000      8 KiB  21 erases, most 12 at "
                             "0x00003000\n  0x00002000  9a\n");
    CHECK_HAS(text_of(&out), "(gap)           0x00004000      8 KiB  1049 erases, most 1000 at "
                             "0x00005000\n  0x00004000  bg\n");
    CHECK_HAS(text_of(&out), "! beyond 10000\n");
    for (int i = 0; i < 9001; i++)
        CHECK_INT(nor_erase(n, 5 * 4096, 4096), 0);
    buf_clear(&out);
    CHECK_OK(flash_wear_map(&out, n, NULL), NULL);
    CHECK_HAS(text_of(&out), ".19ab!\n");
    buf_free(&out);
    nor_free(n);
}

static void dump_folds_and_annotates(void)
{
    struct nor *n = small_chip("spi4k", 2);
    struct buf out;
    buf_init(&out, 4096);
    CHECK_INT(nor_load(n, 0x1010, "OTA image\n", 10), 0);
    CHECK_OK(flash_dump(&out, n, 0xFD0, 0x65), NULL);
    CHECK_STR(text_of(&out),
              "0x00000fd0  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|\n"
              "*\n"
              "0x00001010  4f 54 41 20 69 6d 61 67  65 0a ff ff ff ff ff ff  |OTA image.......|\n"
              "0x00001020  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|\n"
              "0x00001030  ff ff ff ff ff                                    |.....|\n"
              "0x00001035\n");
    buf_clear(&out);
    uint8_t zeros[16] = {0};
    nor_arm_cut(n, 1, TEAR_WEAK, 0);
    CHECK_ERR(nor_program(n, 16, zeros, 16), ERR_IO);
    CHECK_OK(flash_dump(&out, n, 0, 48), NULL);
    CHECK_HAS(text_of(&out), "0x00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  "
                             "|................|  weak\n0x00000020  ff");
    CHECK_ERR(flash_dump(&out, n, 8192, 1), ERR_ARG);
    CHECK_ERR(flash_dump(&out, n, 1, UINT32_MAX), ERR_ARG);
    buf_clear(&out);
    CHECK_OK(flash_dump(&out, n, 8192, 0), NULL);
    CHECK_STR(text_of(&out), "0x00002000\n");
    buf_free(&out);
    nor_free(n);
}

static void dump_never_folds_marks_away(void)
{
    struct nor *n = small_chip("internal8", 1);
    struct buf out;
    uint8_t ones[64];
    buf_init(&out, 4096);
    memset(ones, 0xFF, sizeof(ones));
    /* Programming 0xFF moves check bits only: nothing to see but the trap. */
    nor_arm_cut(n, 1, TEAR_SCRAMBLED, 0);
    CHECK_ERR(nor_program(n, 64, ones, 16), ERR_IO);
    CHECK_OK(flash_dump(&out, n, 0, 256), NULL);
    CHECK_HAS(text_of(&out), "*\n0x00000040  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  "
                             "|................|  torn\n0x00000050  ff");
    buf_free(&out);
    nor_free(n);
}

static void diff_names_ranges(void)
{
    struct nor *a = small_chip("spi4k", 6);
    struct nor *b = small_chip("spi4k", 6);
    struct buf out;
    uint64_t differing = 0;
    buf_init(&out, 4096);
    put(b, 0, 0x11, 1);
    put(b, 16, 0x22, 2);           /* 15 equal bytes between: one range */
    put(b, 34, 0x33, 1);           /* 16: another */
    put(b, 2 * 4096 - 4, 0x44, 8); /* over a border: two */
    put(b, 6 * 4096 - 1, 0x55, 1); /* the last byte */
    CHECK_OK(flash_diff(&out, a, b, &layout, 100, &differing), NULL);
    CHECK_INT(differing, 13);
    CHECK_STR(text_of(&out), "0x00000000-0x00000011        3 differ  boot+0x0  ffffffffffffffff -> "
                             "11ffffffffffffff\n"
                             "0x00000022-0x00000022        1 differ  boot+0x22  ff -> 33\n"
                             "0x00001ffc-0x00001fff        4 differ  (gap)+0xffc  ffffffff -> "
                             "44444444\n"
                             "0x00002000-0x00002003        4 differ  app+0x0  ffffffff -> "
                             "44444444\n"
                             "0x00005fff-0x00005fff        1 differ  (gap)+0x1fff  ff -> 55\n");
    buf_clear(&out);
    CHECK_OK(flash_diff(&out, a, b, NULL, 2, &differing), NULL);
    CHECK_INT(differing, 13);
    CHECK_HAS(text_of(&out), "chip+0x22  ff -> 33\nand 2 more ranges with 9 differing bytes\n");
    buf_clear(&out);
    CHECK_OK(flash_diff(&out, a, a, &layout, 2, NULL), NULL);
    CHECK_STR(text_of(&out), "no difference\n");
    struct nor *other = small_chip("spi4k", 5);
    CHECK_ERR(flash_diff(&out, a, other, NULL, 2, &differing), ERR_ARG);
    buf_free(&out);
    nor_free(other);
    nor_free(a);
    nor_free(b);
}

static void full_buffer_is_an_error(void)
{
    struct nor *n = small_chip("spi4k", 6);
    struct nor *m = small_chip("spi4k", 6);
    struct buf out;
    put(m, 0, 0, 4096);
    buf_init(&out, 64);
    CHECK_ERR(flash_map(&out, n, NULL), ERR_LIMIT);
    buf_clear(&out);
    CHECK_ERR(flash_wear_map(&out, n, NULL), ERR_LIMIT);
    buf_clear(&out);
    CHECK_ERR(flash_dump(&out, n, 0, 64), ERR_LIMIT);
    buf_clear(&out);
    CHECK_ERR(flash_diff(&out, n, m, NULL, 9, NULL), ERR_LIMIT);
    buf_free(&out);
    nor_free(n);
    nor_free(m);
}

static void lines_fit_a_terminal(void)
{
    struct nor *n = small_chip("spi64k", 70);
    struct nor *m = small_chip("spi64k", 70);
    struct buf out;
    buf_init(&out, 1 << 16);
    put(m, 69 * 65536, 0, 4096);
    CHECK_OK(flash_map(&out, n, NULL), NULL);
    CHECK_OK(flash_wear_map(&out, n, NULL), NULL);
    CHECK_OK(flash_dump(&out, n, 0, 64), NULL);
    CHECK_OK(flash_diff(&out, n, m, NULL, 9, NULL), NULL);
    for (const char *line = text_of(&out); *line != '\0';) {
        size_t len = strcspn(line, "\n");
        CHECK(len <= 100);
        for (size_t i = 0; i < len; i++)
            CHECK(line[i] >= ' ' && line[i] <= '~');
        line += len + 1;
    }
    buf_free(&out);
    nor_free(n);
    nor_free(m);
}

static const struct test tests[] = {
    {"the map shows fill, guard and gaps", map_shows_fill_guard_and_gaps},
    {"the map breaks lines at 64 units", map_breaks_lines_at_64_units},
    {"the map shows weak and torn", map_shows_weak_and_torn},
    {"the wear map counts", wear_map_counts},
    {"the dump folds and annotates", dump_folds_and_annotates},
    {"the dump never folds marks away", dump_never_folds_marks_away},
    {"the diff names ranges", diff_names_ranges},
    {"a full buffer is an error", full_buffer_is_an_error},
    {"lines fit a terminal", lines_fit_a_terminal},
};
TEST_MAIN("flash inspection", tests)
