/* Reports that are read for merging: what is taken writes itself in every form. */
#include <stddef.h>
#include <stdint.h>

#include "scenarios/cli/explore_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct explore_report r;
    struct err err;
    if (explore_json_read(&r, (const char *)data, size, &err) != 0)
        return 0;
    struct buf b;
    buf_init(&b, 16u << 20);
    (void)explore_json_put(&b, &r);
    buf_clear(&b);
    (void)explore_html_put(&b, &r);
    buf_clear(&b);
    (void)explore_text_put(&b, &r, 10, false);
    buf_free(&b);
    explore_report_free(&r);
    return 0;
}
