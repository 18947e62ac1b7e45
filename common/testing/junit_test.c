#include "common/testing/junit.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "common/testing/xml_check.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void the_judge_refuses_broken_xml(void)
{
    CHECK(xml_well_formed(DECLARATION "<a/>\n"));
    CHECK(xml_well_formed(DECLARATION "<a x=\"1&amp;&#10;\"><b>t</b></a>\n"));
    CHECK(!xml_well_formed("<a/>"));
    CHECK(!xml_well_formed(DECLARATION));
    CHECK(!xml_well_formed(DECLARATION "<a>"));
    CHECK(!xml_well_formed(DECLARATION "<a></b>"));
    CHECK(!xml_well_formed(DECLARATION "<a/><b/>"));
    CHECK(!xml_well_formed(DECLARATION "<a>&</a>"));
    CHECK(!xml_well_formed(DECLARATION "<a>&amp</a>"));
    CHECK(!xml_well_formed(DECLARATION "<a x=\"<\"/>"));
    CHECK(!xml_well_formed(DECLARATION "<a>\x01</a>"));
}

struct sample {
    const char *name;
    const char *text;
    const char *want; /* as it must stand in the document */
};

static const struct sample samples[] = {
    {"plain text", "it's 1 + 1", "it&apos;s 1 + 1"},
    {"markup", "</failure><a b=\"c\">&amp;", "&lt;/failure&gt;&lt;a b=&quot;c&quot;&gt;&amp;amp;"},
    {"lines and tabs", "a\nb\tc", "a&#10;b&#9;c"},
    {"control characters", "a\x01\x1b[0m\x7f\rz", "a??[0m??z"},
    {"UTF-8 is kept", "\xe5\x9b\xba\xe4\xbb\xb6", "\xe5\x9b\xba\xe4\xbb\xb6"},
    {"broken UTF-8", "a\xff\xe5\x9bz\xc0\xaf", "a???z??"},
    {"not a character of XML", "a\xef\xbf\xbf\xef\xbf\xbez", "a??z"},
    {"CDATA end", "]]>", "]]&gt;"},
};

static void escapes(const void *row)
{
    const struct sample *s = row;
    const struct junit_case cases[] = {
        {.name = s->text, .failure = NULL, .time_ns = 1500000000},
        {.name = "second", .failure = s->text, .time_ns = 1000},
    };
    struct buf xml;
    buf_init(&xml, 65536);
    CHECK_INT(junit_format(&xml, s->text, cases, 2), 0);
    const char *text = (const char *)xml.data;
    CHECK(xml_well_formed(text));
    char want[512];
    (void)snprintf(want, sizeof want, "<testcase classname=\"%s\" name=\"%s\" time=\"1.500000\"/>",
                   s->want, s->want);
    CHECK_HAS(text, want);
    (void)snprintf(want, sizeof want, "<failure>%s</failure>", s->want);
    CHECK_HAS(text, want);
    CHECK_HAS(text, "\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.500001\">");
    buf_free(&xml);
}

static const char *sample_name(const void *row)
{
    const struct sample *s = row;
    return s->name;
}

static void keeps_to_the_maximum(void)
{
    const struct junit_case one = {.name = "case", .failure = "text", .time_ns = 1};
    struct buf whole;
    buf_init(&whole, 65536);
    CHECK_INT(junit_format(&whole, "suite", &one, 1), 0);
    for (size_t max = 0; max < whole.len_bytes; max++) {
        struct buf small;
        buf_init(&small, max);
        CHECK_ERR(junit_format(&small, "suite", &one, 1), ERR_LIMIT);
        buf_free(&small);
    }
    buf_free(&whole);
}

static void writes_a_file(void)
{
    const struct junit_case one = {.name = "case", .failure = NULL, .time_ns = 0};
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 8];
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/x.xml", dir);
    struct err err = {0};
    CHECK_OK(junit_write(path, "suite", &one, 1, &err), &err);
    char text[1024] = "";
    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    CHECK_INT(n, strlen(text));
    CHECK(xml_well_formed(text));

    CHECK_ERR(junit_write(dir, "suite", &one, 1, &err), ERR_IO);
    CHECK_HAS(err.text, ": cannot be written: ");
}

static const struct test tests[] = {
    {"the judge of this test refuses broken XML", the_judge_refuses_broken_xml},
    TEST_ROWS("any text is carried well-formed", escapes, samples, sample_name),
    {"a report never grows past its maximum", keeps_to_the_maximum},
    {"the report is written to a file", writes_a_file},
};

TEST_MAIN("junit writer", tests)
