#include "scenarios/engine/scenario_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define DEPTH_MAX 16

static bool holds_others(const cJSON *n)
{
    return cJSON_IsObject(n) || cJSON_IsArray(n);
}

bool document_at(cJSON *top, size_t index, struct document_place *out)
{
    cJSON *above[DEPTH_MAX];
    int depth = 0;
    cJSON *n = top;
    for (size_t i = 0; n != NULL; i++) {
        if (i == index) {
            *out =
                (struct document_place){.node = n, .parent = depth > 0 ? above[depth - 1] : NULL};
            return true;
        }
        if (n->child != NULL && depth < DEPTH_MAX) {
            above[depth++] = n;
            n = n->child;
            continue;
        }
        while (depth > 0 && n->next == NULL)
            n = above[--depth];
        n = depth > 0 ? n->next : NULL;
    }
    return false;
}

/* ---- text ---- */

static void write_leaf(struct writer *w, const cJSON *n)
{
    if (cJSON_IsBool(n))
        write_bool(w, n->string, cJSON_IsTrue(n));
    else if (cJSON_IsNumber(n))
        write_int(w, n->string, (int64_t)n->valuedouble);
    else
        write_text(w, n->string, cJSON_IsString(n) ? n->valuestring : "");
}

int document_write(const cJSON *doc, struct buf *out)
{
    struct writer w = {.out = out, .first = true};
    const cJSON *above[DEPTH_MAX];
    int depth = 0;
    for (const cJSON *n = doc; n != NULL;) {
        if (holds_others(n)) {
            if (depth == DEPTH_MAX)
                return ERR_LIMIT;
            write_open(&w, n->string, cJSON_IsObject(n) ? '{' : '[');
            above[depth++] = n;
            n = n->child;
        } else {
            write_leaf(&w, n);
            n = n->next;
        }
        while (n == NULL && depth > 0) {
            const cJSON *over = above[--depth];
            write_close(&w, cJSON_IsObject(over) ? '}' : ']');
            n = depth > 0 ? over->next : NULL;
        }
    }
    return w.rc == 0 ? buf_text(out, "\n") : w.rc;
}

/* ---- to and from a scenario ---- */

/* {"number": "40"} means the same as {"number": 40}, which reads better. */
static void numbers_of_where(cJSON *doc)
{
    struct document_place p;
    for (size_t i = 0; document_at(doc, i, &p); i++) {
        bool where =
            p.parent != NULL && p.parent->string != NULL && strcmp(p.parent->string, "where") == 0;
        if (!where || !cJSON_IsString(p.node))
            continue;
        char again[24];
        long long v = strtoll(p.node->valuestring, NULL, 10);
        (void)snprintf(again, sizeof again, "%lld", v);
        cJSON *number = v < -EXACT_MAX || v > EXACT_MAX || strcmp(again, p.node->valuestring) != 0
                            ? NULL
                            : cJSON_CreateNumber((double)v);
        /* Its only member: the key is looked up, the old node freed. */
        if (number != NULL &&
            !cJSON_ReplaceItemInObjectCaseSensitive(p.parent, p.node->string, number))
            cJSON_Delete(number);
    }
}

cJSON *document_of(const struct scenario *s, struct err *err)
{
    static const struct json_limits limits = {.max_bytes = DOCUMENT_BYTES_MAX, .max_depth = 12};
    struct json doc = {.root = NULL};
    struct buf text;
    buf_init(&text, DOCUMENT_BYTES_MAX);
    int rc = scenario_write(s, &text);
    if (rc == ERR_UNSUPPORTED)
        (void)err_set(err, rc, "a time of the scenario is no whole millisecond");
    else if (rc != 0)
        (void)err_set(err, rc, "the scenario cannot be written: %s", err_name(rc));
    else
        rc = json_parse(&doc, (const char *)text.data, text.len_bytes, &limits, err);
    buf_free(&text);
    if (rc == 0)
        numbers_of_where(doc.root);
    return doc.root;
}

int document_read(const cJSON *doc, const char *name, const char *path, struct scenario *out,
                  struct err *err)
{
    struct buf text;
    buf_init(&text, DOCUMENT_BYTES_MAX);
    int rc = document_write(doc, &text);
    if (rc != 0)
        (void)err_set(err, rc, "the document cannot be written: %s", err_name(rc));
    else
        rc = scenario_parse(out, (const char *)text.data, text.len_bytes, name, err);
    if (rc == 0)
        (void)snprintf(out->path, sizeof out->path, "%s", path);
    buf_free(&text);
    return rc;
}

int document_name(const char *path, char out[SCENARIO_NAME_MAX], struct err *err)
{
    return scenario_name_of(path, out, err);
}
