/* Flash partitions: ranges, alignment, guard zones, faults, two tasks. */
#include "sim_device/port/oneos/oneos_testing.h"

static void find_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("download"), *q = fal_part_find("app");
    CHECK(p != NULL && q != NULL && p != q);
    if (p == NULL || q == NULL)
        return;
    CHECK_INT(p->info->offset, 6 * UNIT);
    CHECK_INT(fal_part_size(p), 8 * UNIT);
    CHECK_INT(fal_part_block_size(p), UNIT);
    CHECK_INT(fal_part_page_size(p), 1);
    CHECK(p->info->offset + p->info->size <= p->flash->capacity);
    CHECK_STR(p->info->name, "download");
    CHECK(fal_part_find("download") == p);
    CHECK_INT(fal_part_init(), (int64_t)x->b->partitions->count);
    CHECK(fal_part_find("download") == p);
    CHECK(fal_part_find("downloa") == NULL);
    CHECK(fal_part_find("download0") == NULL);
    CHECK(fal_part_find("") == NULL);
    CHECK(fal_part_find(NULL) == NULL);
    CHECK(fal_part_find("a name far beyond the sixteen bytes of the table") == NULL);
}

static void find(void)
{
    on_chip("spi4k", find_body);
}

/* Every offset in a page times lengths around a page, with guards around the caller's buffer. */
static void write_read_body(struct bench *x)
{
    static const uint32_t lengths[] = {1, 2, 255, 256, 257, 1000};
    fal_part_t *p = fal_part_find("app");
    uint8_t out[1024], in[1024 + 32];
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7 + 1);
    for (uint32_t at = 0; at < 300; at += 37)
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            uint32_t len = lengths[k], off = UNIT - 200 + at;
            CHECK_INT(fal_part_erase(p, 0, 2 * UNIT), 0);
            CHECK_INT(fal_part_write(p, off, out, len), len);
            memset(in, 0xEE, sizeof(in));
            CHECK_INT(fal_part_read(p, off, in + 16, len), len);
            CHECK_MEM(in + 16, out, len);
            for (size_t g = 0; g < 16; g++)
                if (!CHECK(in[g] == 0xEE && in[16 + len + g] == 0xEE))
                    return;
            const uint8_t *flash = nor_peek(x->nor) + UNIT;
            CHECK_INT(flash[off - 1], 0xFF);
            CHECK_INT(flash[off + len], 0xFF);
        }
}

static void write_read(void)
{
    on_chip("spi4k", write_read_body);
}

static void erase_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    const uint8_t *flash = nor_peek(x->nor) + UNIT;
    uint8_t zero[UNIT] = {0};
    for (uint32_t i = 0; i < 4; i++)
        CHECK_INT(fal_part_write(p, i * UNIT, zero, UNIT), UNIT);
    CHECK(fal_part_erase(p, 1, UNIT) < 0);
    CHECK_INT(fal_part_erase(p, UNIT, UNIT + 1), 0); /* rounded up to two blocks */
    CHECK_INT(flash[UNIT - 1], 0);
    CHECK_INT(flash[UNIT], 0xFF);
    CHECK_INT(flash[3 * UNIT - 1], 0xFF);
    CHECK_INT(flash[3 * UNIT], 0);
    CHECK_INT(fal_part_erase(p, 3 * UNIT, 176), 0); /* as an old vendor library does */
    CHECK_INT(flash[4 * UNIT - 1], 0xFF);
}

static void erase(void)
{
    on_chip("spi4k", erase_body);
}

/* Out of range in every way, and calls that do nothing. */
static void range_body(struct bench *x)
{
    static const struct {
        uint32_t addr;
        os_size_t size;
    } outside[] = {{4 * UNIT, 1},
                   {4 * UNIT - 1, 2},
                   {0, 4 * UNIT + 1},
                   {0xFFFFFFFF, 2},
                   {UNIT, 0xFFFFFFFF},
                   {0, 0x100000001},
                   {4 * UNIT - UNIT, 0x100000000 + UNIT},
                   {0xFFFFF000, 0x1000}};
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[8] = {0};
    uint64_t before = nor_op_count(x->nor);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        CHECK_INT(fal_part_read(p, outside[i].addr, buf, outside[i].size), -1);
        CHECK_INT(fal_part_write(p, outside[i].addr, buf, outside[i].size), -1);
        CHECK_INT(fal_part_erase(p, outside[i].addr, outside[i].size), -1);
    }
    CHECK_INT(fal_part_read(p, 0, buf, 0), 0);
    CHECK_INT(fal_part_write(p, 0, buf, 0), 0);
    CHECK_INT(fal_part_erase(p, 0, 0), 0);
    CHECK_INT(fal_part_read(p, 4 * UNIT, buf, 0), 0);
    CHECK_INT(fal_part_read(NULL, 0, buf, 1), -1);
    CHECK_INT(fal_part_write(p, 0, NULL, 1), -1);
    CHECK_INT(fal_part_read(p, 0, NULL, 1), -1);
    CHECK_INT(fal_part_erase(NULL, 0, UNIT), -1);
    CHECK_INT(nor_op_count(x->nor), before);
}

static void range(void)
{
    on_chip("spi4k", range_body);
}

static void faults_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[4] = {0};
    nor_inject(x->nor, NOR_IO_READ, UNIT, 4, 1);
    nor_inject(x->nor, NOR_IO_PROGRAM, UNIT, 4, 1);
    nor_inject(x->nor, NOR_IO_ERASE, UNIT, 4, 1);
    CHECK_INT(fal_part_read(p, 0, buf, 4), OS_EIO);
    CHECK_INT(fal_part_write(p, 0, buf, 4), OS_EIO);
    CHECK_INT(fal_part_erase(p, 0, UNIT), OS_EIO);
    CHECK_INT(fal_part_read(p, 0, buf, 4), 4); /* once only */
}

static void faults(void)
{
    on_chip("spi4k", faults_body);
}

static void rewrite_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    const uint8_t a = 0xF0, b = 0x3C;
    uint8_t got = 0;
    (void)x;
    CHECK_INT(fal_part_write(p, 5, &a, 1), 1);
    CHECK_INT(fal_part_write(p, 5, &b, 1), 1);
    CHECK_INT(fal_part_read(p, 5, &got, 1), 1);
    CHECK_INT(got, 0x30);
}

static void rewrite(void)
{
    on_chip("spi4k", rewrite_body);
}

static void write_once_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t a[16] = {0}, got[3];
    (void)x;
    CHECK_INT(fal_part_page_size(p), 8);
    CHECK_INT(fal_part_write(p, 4, a, 8), -1);
    CHECK_INT(fal_part_write(p, 8, a, 7), -1);
    CHECK_INT(fal_part_write(p, 8, a, 8), 8);
    CHECK_INT(fal_part_write(p, 8, a, 8), OS_EIO);
    CHECK_INT(fal_part_write(p, 16, a, 16), 16);
    CHECK_INT(fal_part_read(p, 7, got, 3), 3);
    CHECK_INT(got[0], 0xFF);
    CHECK_INT(got[1], 0);
}

static void write_once(void)
{
    on_chip("internal8", write_once_body);
}

/* A granule torn by a cut is told apart from an I/O error. */
static void torn_first(struct bench *x)
{
    uint8_t a[8] = {0};
    nor_arm_cut(x->nor, nor_op_count(x->nor) + 1, TEAR_SCRAMBLED, 0);
    (void)fal_part_write(fal_part_find("app"), 0, a, 8);
    CHECK(false);
}

static void torn_second(struct bench *x)
{
    uint8_t a[8];
    (void)x;
    int rc = fal_part_read(fal_part_find("app"), 0, a, 8);
    CHECK_INT(rc, FAL_EUNREADABLE);
}

static void torn_granule(void)
{
    struct bench x;
    open_on(&x, "internal8", 0);
    CHECK_INT(run(&x, torn_first), SIM_CUT);
    nor_power_on(x.nor);
    (void)run(&x, torn_second);
    CHECK(x.finished);
    finish(&x);
}

static void flash_user(void *arg)
{
    fal_part_t *p = fal_part_find("download");
    uint8_t buf[256] = {0};
    (void)arg;
    for (int i = 0; i < 8; i++) {
        CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
        CHECK_INT(fal_part_write(p, 0, buf, sizeof(buf)), 256);
    }
}

/* Two tasks at two partitions: each finds its own data, and a task destroyed in the middle of an
 * operation leaves the chip usable. */
static void two_tasks_body(struct bench *x)
{
    fal_part_t *p = fal_part_find("app");
    uint8_t buf[300], got[300];
    memset(buf, 0x5A, sizeof(buf));
    os_task_t *t = os_task_create("flash", flash_user, x, 4096, 20);
    CHECK(t != NULL);
    CHECK_INT(os_task_startup(t), OS_EOK);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
        CHECK_INT(fal_part_write(p, 10, buf, sizeof(buf)), 300);
        CHECK_INT(fal_part_read(p, 10, got, sizeof(got)), 300);
        CHECK_MEM(got, buf, sizeof(buf));
    }
    CHECK(x->b->flash_busy == false);
    CHECK_INT(os_task_msleep(1), OS_EOK); /* now the other one is at the chip */
    CHECK(x->b->flash_busy);
    CHECK_INT(os_task_destroy(t), OS_EOK);
    CHECK_INT(fal_part_erase(p, 0, UNIT), 0);
    CHECK(!x->b->flash_busy);
}

static void two_tasks(void)
{
    on_chip("spi4k", two_tasks_body);
}

static const struct test tests[] = {
    {"partitions are found by name", find},
    {"what is written is read, at every offset", write_read},
    {"erase clears its blocks and no more", erase},
    {"nothing outside a partition, nothing for nothing", range},
    {"a failing chip fails the call", faults},
    {"rewriting clears bits only", rewrite},
    {"write-once chips refuse unaligned and second writes", write_once},
    {"a torn granule is unreadable", torn_granule},
    {"two tasks share the chip", two_tasks},
};
TEST_MAIN("oneos flash", tests)
