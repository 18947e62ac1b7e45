/* Trace lines from anywhere: a story is made of whatever is told, and drawn. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "scenarios/cli/html_lanes.h"
#include "scenarios/cli/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct story s;
    struct buf out;
    story_init(&s);
    buf_init(&out, 1u << 20);
    const struct paper paper = {.colour = true, .columns = PAPER_COLUMNS_MIN};
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);
        (void)story_line(&s, at, len, NULL);
        at += len + 1;
    }
    if (story_end(&s, NULL) == 0) {
        (void)timeline_put(&out, &s, &paper);
        (void)html_lanes(&out, &s);
    }
    buf_free(&out);
    story_free(&s);
    return 0;
}
