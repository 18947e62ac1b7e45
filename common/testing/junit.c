#include "common/testing/junit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/vtime.h"
#include "common/xml.h"

#define JUNIT_BYTES_MAX ((size_t)16 << 20)

static int put_time(struct buf *out, int64_t time_ns)
{
    return buf_printf(out, " time=\"%" PRId64 ".%06" PRId64 "\"", time_ns / NS_PER_S,
                      time_ns % NS_PER_S / NS_PER_US);
}

static int put_case(struct buf *out, const char *suite, const struct junit_case *c)
{
    int rc = buf_text(out, "  <testcase");
    if (rc == 0)
        rc = xml_put_attribute(out, "classname", suite);
    if (rc == 0)
        rc = xml_put_attribute(out, "name", c->name);
    if (rc == 0)
        rc = put_time(out, c->time_ns);
    if (rc != 0)
        return rc;
    if (c->failure == NULL)
        return buf_text(out, "/>\n");

    rc = buf_text(out, ">\n    <failure>");
    if (rc == 0)
        rc = xml_put_text(out, c->failure);
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
        rc = xml_put_attribute(out, "name", suite);
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
