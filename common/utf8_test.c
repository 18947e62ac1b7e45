#include "common/utf8.h"

#include "common/testing/testing.h"

struct sample {
    const char *name;
    const char *text;
    size_t len_bytes;
    size_t want;
};

/* Edges of RFC 3629 section 4. */
static const struct sample samples[] = {
    {"nothing", "", 0, 0},
    {"U+0000", "\0", 1, 1},
    {"U+007F", "\x7f", 1, 1},
    {"lone continuation", "\x80", 1, 0},
    {"overlong of 2, lowest", "\xc0\x80", 2, 0},
    {"overlong of 2, highest", "\xc1\xbf", 2, 0},
    {"U+0080", "\xc2\x80", 2, 2},
    {"U+07FF", "\xdf\xbf", 2, 2},
    {"second byte is ASCII", "\xc2\x41", 2, 0},
    {"second byte is a first", "\xc2\xc2", 2, 0},
    {"overlong of 3", "\xe0\x9f\xbf", 3, 0},
    {"U+0800", "\xe0\xa0\x80", 3, 3},
    {"U+D7FF", "\xed\x9f\xbf", 3, 3},
    {"surrogate U+D800", "\xed\xa0\x80", 3, 0},
    {"surrogate U+DFFF", "\xed\xbf\xbf", 3, 0},
    {"U+E000", "\xee\x80\x80", 3, 3},
    {"U+FFFF", "\xef\xbf\xbf", 3, 3},
    {"third byte wrong", "\xe4\xb8\x41", 3, 0},
    {"cut after 1 of 2", "\xc2\x80", 1, 0},
    {"cut after 2 of 3", "\xe4\xb8\xad", 2, 0},
    {"cut after 3 of 4", "\xf0\x9f\x98\x80", 3, 0},
    {"overlong of 4", "\xf0\x8f\xbf\xbf", 4, 0},
    {"U+10000", "\xf0\x90\x80\x80", 4, 4},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", 4, 4},
    {"U+110000", "\xf4\x90\x80\x80", 4, 0},
    {"fourth byte wrong", "\xf0\x9f\x98\xc0", 4, 0},
    {"byte F5", "\xf5\x80\x80\x80", 4, 0},
    {"byte FF", "\xff\xff\xff\xff", 4, 0},
    {"first of several", "a\xff", 2, 1},
};

static void has_length(const void *row)
{
    const struct sample *s = row;
    CHECK_INT(utf8_char(s->text, s->len_bytes), s->want);
}

static const char *sample_name(const void *row)
{
    const struct sample *s = row;
    return s->name;
}

static const struct test tests[] = {
    TEST_ROWS("length of", has_length, samples, sample_name),
};

TEST_MAIN("utf-8", tests)
