#include "common/testing/junit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "common/vtime.h"

#define JUNIT_BYTES_MAX ((size_t)16 << 20)

static const struct {
    char c;
    const char *entity;
} entities[] = {
    {'&', "&amp;"},   {'<', "&lt;"},   {'>', "&gt;"},  {'"', "&quot;"},
    {'\'', "&apos;"}, {'\n', "&#10;"}, {'\t', "&#9;"},
};

static const char *entity_of(char c)
{
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (entities[i].c == c)
            return entities[i].entity;
    return NULL;
}

static bool xml_char(const char *p, size_t len_bytes)
{
    if (len_bytes == 1)
        return (unsigned char)p[0] >= 0x20 && p[0] != 0x7f;
    /* U+FFFE and U+FFFF are UTF-8 but not XML. */
    return !(len_bytes == 3 &&
             (memcmp(p, "\xef\xbf\xbe", 3) == 0 || memcmp(p, "\xef\xbf\xbf", 3) == 0));
}

static int put_escaped(struct buf *out, const char *text)
{
    size_t left = strlen(text);
    int rc = 0;
    for (const char *p = text; left > 0 && rc == 0;) {
        size_t n = utf8_char(p, left);
        const char *entity = entity_of(*p);
        if (entity != NULL)
            rc = buf_text(out, entity);
        else if (n > 0 && xml_char(p, n))
            rc = buf_append(out, p, n);
        else
            rc = buf_text(out, "?");
        n = n > 0 ? n : 1;
        p += n;
        left -= n;
    }
    return rc;
}

static int put_attribute(struct buf *out, const char *name, const char *value)
{
    int rc = buf_printf(out, " %s=\"", name);
    if (rc == 0)
        rc = put_escaped(out, value);
    return rc != 0 ? rc : buf_text(out, "\"");
}

static int put_time(struct buf *out, int64_t time_ns)
{
    return buf_printf(out, " time=\"%" PRId64 ".%06" PRId64 "\"", time_ns / NS_PER_S,
                      time_ns % NS_PER_S / NS_PER_US);
}

static int put_case(struct buf *out, const char *suite, const struct junit_case *c)
{
    int rc = buf_text(out, "  <testcase");
    if (rc == 0)
        rc = put_attribute(out, "classname", suite);
    if (rc == 0)
        rc = put_attribute(out, "name", c->name);
    if (rc == 0)
        rc = put_time(out, c->time_ns);
    if (rc != 0)
        return rc;
    if (c->failure == NULL)
        return buf_text(out, "/>\n");

    rc = buf_text(out, ">\n    <failure>");
    if (rc == 0)
        rc = put_escaped(out, c->failure);
    return rc != 0 ? rc : buf_text(out, "</failure>\n  </testcase>\n");
}

int junit_format(struct buf *out, const char *suite, const struct junit_case *cases, size_t n)
{
    size_t failed = 0;
    int64_t total_ns = 0;
    for (size_t i = 0; i < n; i++) {
        failed += cases[i].failure != NULL;
        total_ns += cases[i].time_ns;
    }
    int rc = buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite");
    if (rc == 0)
        rc = put_attribute(out, "name", suite);
    if (rc == 0)
        rc = buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\"", n, failed);
    if (rc == 0)
        rc = put_time(out, total_ns);
    if (rc == 0)
        rc = buf_text(out, ">\n");
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_case(out, suite, &cases[i]);
    return rc != 0 ? rc : buf_text(out, "</testsuite>\n");
}

int junit_write(const char *path, const char *suite, const struct junit_case *cases, size_t n,
                struct err *err)
{
    struct buf xml;
    buf_init(&xml, JUNIT_BYTES_MAX);
    int rc = junit_format(&xml, suite, cases, n);
    if (rc != 0) {
        err_set(err, rc, "%s: report does not fit into memory", path);
    } else {
        FILE *f = fopen(path, "w");
        bool ok = f != NULL && fwrite(xml.data, 1, xml.len_bytes, f) == xml.len_bytes;
        if (f != NULL && fclose(f) != 0)
            ok = false;
        if (!ok)
            rc = err_set(err, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    buf_free(&xml);
    return rc;
}
