/*
 * Any bytes as what a cloud answers, and as the file that says where one is: what is shown moves no
 * cursor, and a place that is read can be asked.
 */
#include <assert.h>
#include <string.h>

#include "scenarios/cli/admin_place.h"
#include "scenarios/client/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1u << 20)

static void check_shown(const struct buf *text)
{
    for (size_t i = 0; i < text->len_bytes; i++)
        assert(text->data[i] >= ' ' || text->data[i] == '\n');
}

static void show(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = {.max_bytes = TEXT_MAX, .max_depth = 8};
    static const struct table_column columns[] = {
        {"device", "DEVICE"}, {"versions", "RUNS"}, {"seen_ms", "SEEN"}, {NULL, NULL}};
    struct json doc;
    struct buf text;
    if (json_parse(&doc, (const char *)data, size, &limits, NULL) != 0)
        return;
    buf_init(&text, TEXT_MAX);
    if (cJSON_IsArray(doc.root))
        (void)table_rows(&text, doc.root, columns);
    else if (cJSON_IsObject(doc.root))
        (void)table_lines(&text, doc.root);
    check_shown(&text);
    buf_free(&text);
    json_free(&doc);
}

static void read_url(const uint8_t *data, size_t size)
{
    char text[ADMIN_URL_MAX + 16];
    struct admin_place p = {.url = ""};
    size_t len = size < sizeof text ? size : sizeof text - 1;
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    if (admin_place_url(&p, text, NULL) != 0)
        return;
    struct admin_place again = {.url = ""};
    assert(admin_place_url(&again, p.url, NULL) == 0 && strcmp(again.url, p.url) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    show(data, size);
    read_url(data, size);
    return 0;
}
