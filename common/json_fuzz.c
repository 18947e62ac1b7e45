/*
 * Any bytes into json_parse, with and without comments; of what is accepted, every node is found
 * again by its path, read by every getter, and every string survives being written and parsed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"

#define TEXT_BYTES_MAX 4096
#define DEPTH_MAX      16
#define NODES_MAX      64 /* looked at per document: the path of each is a search */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void string_survives(const char *s)
{
    struct buf text;
    buf_init(&text, (size_t)8 * TEXT_BYTES_MAX);
    int rc = json_put_string(&text, s);
    assert(rc == 0);
    const struct json_limits limits = {.max_bytes = text.max_bytes, .max_depth = 1};
    struct json doc;
    struct err err;
    rc = json_parse(&doc, (const char *)text.data, text.len_bytes, &limits, &err);
    assert(rc == 0);
    assert(cJSON_IsString(doc.root) && strcmp(doc.root->valuestring, s) == 0);
    json_free(&doc);
    buf_free(&text);
}

static void read_member(const cJSON *root, const cJSON *obj, const char *key)
{
    static const char *const words[] = {"a", "b"};
    struct err err;
    int64_t integer = 0;
    bool flag = false;
    const char *text = "";
    int word = 0;
    const cJSON *node = NULL;
    int rc = json_get_int(root, obj, key, INT64_MIN, INT64_MAX, &integer, &err);
    assert(rc == 0 || rc == ERR_FORMAT || rc == 1);
    assert(integer > -(INT64_C(1) << 53) && integer < (INT64_C(1) << 53));
    (void)json_get_bool(root, obj, key, &flag, &err);
    (void)json_get_string(root, obj, key, 1, 8, &text, &err);
    rc = json_get_word(root, obj, key, words, 2, &word, &err);
    assert(rc != 0 || word == 0 || word == 1);
    (void)json_get_object(root, obj, key, &node, &err);
    (void)json_get_array(root, obj, key, 1, 2, &node, &err);
    (void)json_only_keys(root, obj, words, 2, &err);
}

/* The place after node in the order of the text; the depth is bounded by the parser. */
static void look(const cJSON *root)
{
    const cJSON *stack[DEPTH_MAX + 2] = {root};
    size_t depth = 1;
    for (size_t seen = 0; depth > 0 && seen < NODES_MAX; seen++) {
        const cJSON *node = stack[--depth];
        char path[JSON_PATH_MAX];
        json_path(root, node, path);
        assert(path[0] == '$' && strcmp(path, "$.?") != 0);
        if (cJSON_IsString(node))
            string_survives(node->valuestring);
        if (node->string != NULL)
            string_survives(node->string);
        if (cJSON_IsObject(node) && node->child != NULL)
            read_member(root, node, node->child->string);
        if (node != root && node->next != NULL)
            stack[depth++] = node->next;
        if (node->child != NULL)
            stack[depth++] = node->child;
        assert(depth <= DEPTH_MAX + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that reading past the end is seen. */
    char *text = malloc(size > 0 ? size : 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    for (int comments = 0; comments < 2; comments++) {
        const struct json_limits limits = {
            .max_bytes = TEXT_BYTES_MAX, .max_depth = DEPTH_MAX, .comments = comments == 1};
        struct json doc;
        struct err err = {0};
        int rc = json_parse(&doc, text, size, &limits, &err);
        assert((rc == 0) == (doc.root != NULL));
        assert((rc == 0) == (err.text[0] == '\0'));
        if (rc == 0)
            look(doc.root);
        json_free(&doc);
    }
    free(text);
    return 0;
}
