#include "common/xml.h"

#include "common/testing/testing.h"

struct sample {
    const char *name;
    const char *text;
    const char *want;  /* xml_put_text */
    const char *lines; /* xml_put_lines */
};

static const struct sample samples[] = {
    {"plain text", "a b", "a b", "a b"},
    {"markup", "<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&apos;",
     "&lt;a b=&quot;c&quot;&gt;&amp;&apos;"},
    {"newline and tab", "a\nb\tc", "a&#10;b&#9;c", "a\nb&#9;c"},
    {"control characters", "a\x01\x1b\r\x7fz", "a????z", "a????z"},
    {"UTF-8 is kept", "\xe5\x9b\xba", "\xe5\x9b\xba", "\xe5\x9b\xba"},
    {"broken UTF-8", "\xff\xc0\xaf", "???", "???"},
    {"not a character of XML", "\xef\xbf\xbf", "?", "?"},
    {"nothing", "", NULL, NULL},
};

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->name;
}

static void escapes(const void *row)
{
    const struct sample *s = row;
    struct buf b;
    buf_init(&b, 256);
    CHECK_INT(xml_put_text(&b, s->text), 0);
    CHECK_STR((const char *)b.data, s->want);
    buf_clear(&b);
    CHECK_INT(xml_put_lines(&b, s->text), 0);
    CHECK_STR(b.len_bytes == 0 ? NULL : (const char *)b.data, s->lines);
    buf_free(&b);
}

static void attribute(void)
{
    struct buf b;
    buf_init(&b, 64);
    CHECK_INT(xml_put_attribute(&b, "name", "\"x\""), 0);
    CHECK_STR((const char *)b.data, " name=\"&quot;x&quot;\"");
    buf_free(&b);
    buf_init(&b, 10);
    CHECK_ERR(xml_put_attribute(&b, "name", "longer"), ERR_LIMIT);
    buf_free(&b);
}

static const struct test tests[] = {
    TEST_ROWS("text", escapes, samples, sample_name),
    {"an attribute is quoted, and no longer than allowed", attribute},
};

TEST_MAIN("xml text", tests)
