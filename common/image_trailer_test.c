#include "common/image_trailer.h"

#include <string.h>

#include "common/testing/testing.h"

static void there_and_back(void)
{
    static const uint8_t first[] = {0xCD, 0xCD, 0xCD, 0xCD, 0x10, 0x27, 0, 0, 0x55};
    static const uint8_t last[] = {0x55, 0, 0, 0, 0};
    struct image_trailer t = {.part = IMAGE_KERNEL, .size_bytes = 10000}, got;
    uint8_t bytes[IMAGE_TRAILER_BYTES];
    memset(t.md5, 0x55, sizeof t.md5);
    image_trailer_encode(&t, bytes);
    CHECK_MEM(bytes, first, sizeof first);
    CHECK_MEM(bytes + IMAGE_TRAILER_BYTES - sizeof last, last, sizeof last);
    CHECK_INT(image_trailer_decode(&got, bytes, 10028, NULL), 0);
    CHECK_INT(got.part, IMAGE_KERNEL);
    CHECK_INT(got.size_bytes, 10000);
    CHECK_MEM(got.md5, t.md5, sizeof t.md5);
}

static void is_none(void)
{
    const struct image_trailer t = {.part = IMAGE_SINGLE, .size_bytes = 10000};
    struct image_trailer got;
    struct err err = {.text = ""};
    uint8_t bytes[IMAGE_TRAILER_BYTES];
    image_trailer_encode(&t, bytes);
    CHECK_INT(image_trailer_decode(&got, bytes, 10027, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "10000 bytes in a file of 10027");
    CHECK_INT(image_trailer_decode(&got, bytes, 27, NULL), ERR_FORMAT);
    bytes[3] ^= 1;
    CHECK_INT(image_trailer_decode(&got, bytes, 10028, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "magic 0xaaababab");
}

static const struct test tests[] = {
    {"there and back", there_and_back},
    {"is none", is_none},
};
TEST_MAIN("image trailer", tests)
