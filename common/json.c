#include "common/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json_text.h"
#include "common/utf8.h"

#define INTEGER_MAX ((INT64_C(1) << 53) - 1) /* 2^53 is also what 2^53 + 1 rounds to */
#define SHOWN_CHARS 40                       /* of an offending string */
#define LIST_BYTES  256                      /* of a list of what is allowed */
#define PROBE       "\"\":0"                 /* a member, for key_due */

/* ---- bounded text for messages ---- */

/* What does not fit is cut at a whole character, and nothing follows. Always terminated. */
struct text {
    char *out;
    size_t cap_bytes;
    size_t len_bytes;
    bool full;
};

static struct text text_begin(char *out, size_t cap_bytes)
{
    out[0] = '\0';
    return (struct text){.out = out, .cap_bytes = cap_bytes};
}

static void put(struct text *t, const char *s)
{
    size_t left = strlen(s);
    while (left > 0 && !t->full) {
        size_t n = utf8_char(s, left);
        n = n > 0 ? n : 1;
        t->full = t->len_bytes + n >= t->cap_bytes;
        if (t->full)
            return;
        memcpy(t->out + t->len_bytes, s, n);
        t->len_bytes += n;
        t->out[t->len_bytes] = '\0';
        s += n;
        left -= n;
    }
}

#define PIECE_BYTES 8

/*
 * The character at *s as it stands inside a JSON string, as a C string in piece; *s moves past it.
 * A byte that is not UTF-8 becomes U+FFFD.
 */
static void next_piece(const char **s, size_t *left, char piece[PIECE_BYTES])
{
    unsigned char c = (unsigned char)**s;
    size_t n = utf8_char(*s, *left);
    if (n == 0) {
        n = 1;
        memcpy(piece, "\\ufffd", 7);
    } else if (c == '"' || c == '\\') {
        memcpy(piece, (char[]){'\\', (char)c, '\0'}, 3);
    } else if (c < 0x20) {
        (void)snprintf(piece, PIECE_BYTES, "\\u%04x", c);
    } else {
        memcpy(piece, *s, n);
        piece[n] = '\0';
    }
    *s += n;
    *left -= n;
}

/* In quotes, escaped, on one line; cut after max_chars with dots. */
static void put_quoted(struct text *t, const char *s, size_t max_chars)
{
    size_t left = strlen(s);
    put(t, "\"");
    for (size_t i = 0; left > 0 && i < max_chars; i++) {
        char piece[PIECE_BYTES];
        next_piece(&s, &left, piece);
        put(t, piece);
    }
    put(t, left > 0 ? "...\"" : "\"");
}

static void put_list(struct text *t, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(t, i > 0 ? ", " : "");
        put_quoted(t, words[i], SHOWN_CHARS);
    }
}

int json_put_string(struct buf *out, const char *s)
{
    size_t before = out->len_bytes;
    size_t left = strlen(s);
    int rc = buf_text(out, "\"");
    while (left > 0 && rc == 0) {
        char piece[PIECE_BYTES];
        next_piece(&s, &left, piece);
        rc = buf_text(out, piece);
    }
    if (rc == 0)
        rc = buf_text(out, "\"");
    if (rc != 0 && out->data != NULL) {
        out->len_bytes = before;
        out->data[before] = 0;
    }
    return rc;
}

/* ---- the tree, walked without recursion ---- */

/* Parents before children. at[0] is the root, at[depth] the current node. */
struct walk {
    const cJSON *at[CJSON_NESTING_LIMIT + 1];
    size_t depth;
};

static const cJSON *walk_next(struct walk *w)
{
    const cJSON *node = w->at[w->depth];
    if (node->child != NULL && w->depth < CJSON_NESTING_LIMIT)
        return w->at[++w->depth] = node->child;
    while (w->depth > 0 && w->at[w->depth]->next == NULL)
        w->depth--;
    if (w->depth == 0)
        return NULL;
    return w->at[w->depth] = w->at[w->depth]->next;
}

static bool plain_key(const char *key)
{
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && key[n] == '\0' && (key[0] < '0' || key[0] > '9');
}

static void put_step(struct text *t, const cJSON *parent, const cJSON *child)
{
    if (cJSON_IsArray(parent)) {
        size_t index = 0;
        for (const cJSON *c = parent->child; c != child; c = c->next)
            index++;
        char number[32];
        (void)snprintf(number, sizeof number, "[%zu]", index);
        put(t, number);
    } else if (plain_key(child->string)) {
        put(t, ".");
        put(t, child->string);
    } else {
        put(t, "[");
        put_quoted(t, child->string, JSON_PATH_MAX);
        put(t, "]");
    }
}

void json_path(const cJSON *root, const cJSON *node, char out[JSON_PATH_MAX])
{
    struct text t = text_begin(out, JSON_PATH_MAX);
    struct walk w = {.at = {root}};
    const cJSON *found = root;
    while (found != NULL && found != node)
        found = walk_next(&w);
    put(&t, "$");
    if (found == NULL)
        put(&t, ".?");
    for (size_t i = 0; found != NULL && i < w.depth; i++)
        put_step(&t, w.at[i], w.at[i + 1]);
}

int json_error(const cJSON *root, const cJSON *node, struct err *err, const char *fmt, ...)
{
    char path[JSON_PATH_MAX];
    char story[ERR_TEXT_MAX];
    json_path(root, node, path);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(story, sizeof story, fmt, ap);
    va_end(ap);
    return err_set(err, ERR_FORMAT, "%s: %s", path, story);
}

/* ---- parsing ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because a text of a megabyte may hold a hundred thousand keys. */
static int check_keys(const cJSON *root, const cJSON *object, struct err *err)
{
    size_t n = (size_t)cJSON_GetArraySize(object);
    if (n < 2)
        return 0;
    const char **keys = calloc(n, sizeof *keys);
    if (keys == NULL)
        return err_set(err, ERR_NOMEM, "no memory for %zu keys", n);
    size_t i = 0;
    for (const cJSON *c = object->child; c != NULL; c = c->next)
        keys[i++] = c->string;
    qsort(keys, n, sizeof *keys, by_text);
    int rc = 0;
    for (i = 1; i < n && rc == 0; i++) {
        if (strcmp(keys[i - 1], keys[i]) != 0)
            continue;
        char key[LIST_BYTES];
        struct text t = text_begin(key, sizeof key);
        put_quoted(&t, keys[i], SHOWN_CHARS);
        rc = json_error(root, object, err, "has the key %s more than once", key);
    }
    free(keys);
    return rc;
}

static int check_duplicates(const cJSON *root, struct err *err)
{
    struct walk w = {.at = {root}};
    int rc = 0;
    for (const cJSON *node = root; node != NULL && rc == 0; node = walk_next(&w))
        if (cJSON_IsObject(node))
            rc = check_keys(root, node, err);
    return rc;
}

/*
 * cJSON points one character too far when it misses a key. Whether a key was due at a place, it
 * knows itself: given one there, it reads to the end.
 */
static bool key_due(char *clean, size_t at)
{
    size_t before = at;
    while (before > 0 && strchr(" \t\r\n", clean[before - 1]) != NULL)
        before--;
    bool closes = clean[at] == '}' && before > 0 && clean[before - 1] == '{';
    if (clean[at] == '"' || closes)
        return false;
    const char *end = clean;
    memcpy(clean + at, PROBE, sizeof PROBE);
    cJSON *none = cJSON_ParseWithLengthOpts(clean, at + sizeof PROBE, &end, 1);
    cJSON_Delete(none);
    return none == NULL && end == clean + at + sizeof PROBE - 1;
}

/* Uses clean up. */
static int syntax_error(const char *text, char *clean, size_t len_bytes, size_t at, struct err *err)
{
    if (at > 0 && at <= len_bytes && key_due(clean, at - 1))
        at--;
    if (at >= len_bytes)
        return json_text_error(text, len_bytes, ERR_FORMAT, err, "unexpected end of the text");
    if (text[at] == '\\')
        return json_text_error(text, at, ERR_FORMAT, err,
                               "unexpected escape (surrogates must come in pairs)");
    char shown[16];
    char one[5] = "";
    struct text t = text_begin(shown, sizeof shown);
    memcpy(one, text + at, utf8_char(text + at, len_bytes - at));
    put_quoted(&t, one, 1);
    return json_text_error(text, at, ERR_FORMAT, err, "unexpected %s", shown);
}

int json_parse(struct json *doc, const char *text, size_t len_bytes,
               const struct json_limits *limits, struct err *err)
{
    doc->root = NULL;
    if (limits->max_depth < 1 || limits->max_depth > CJSON_NESTING_LIMIT)
        return err_set(err, ERR_ARG, "max_depth is %d, must be from 1 to %d", limits->max_depth,
                       CJSON_NESTING_LIMIT);
    if (len_bytes > limits->max_bytes)
        return err_set(err, ERR_LIMIT, "text of %zu bytes, at most %zu are allowed", len_bytes,
                       limits->max_bytes);
    char *clean = calloc(1, len_bytes + sizeof PROBE);
    if (clean == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a text of %zu bytes", len_bytes);

    int rc = json_text_check(clean, text, len_bytes, limits, err);
    if (rc == 0) {
        const char *end = clean;
        /* Only with its terminator inside the length does cJSON refuse what follows the value. */
        doc->root = cJSON_ParseWithLengthOpts(clean, len_bytes + 1, &end, 1);
        if (doc->root == NULL)
            rc = syntax_error(text, clean, len_bytes, (size_t)(end - clean), err);
    }
    if (rc == 0)
        rc = check_duplicates(doc->root, err);
    if (rc != 0)
        json_free(doc);
    free(clean);
    return rc;
}

int json_parse_file(struct json *doc, const char *path, const struct json_limits *limits,
                    struct err *err)
{
    doc->root = NULL;
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct buf text;
    buf_init(&text, limits->max_bytes);
    int rc = 0;
    for (;;) {
        char piece[4096];
        size_t n = fread(piece, 1, sizeof piece, f);
        if (n == 0)
            break;
        rc = buf_append(&text, piece, n);
        if (rc == ERR_LIMIT)
            err_set(err, rc, "%s: longer than the %zu bytes allowed", path, limits->max_bytes);
        else if (rc != 0)
            err_set(err, rc, "%s: no memory", path);
        if (rc != 0)
            break;
    }
    if (rc == 0 && ferror(f))
        rc = err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    (void)fclose(f);
    if (rc == 0) {
        const char *data = text.data != NULL ? (const char *)text.data : "";
        rc = json_parse(doc, data, text.len_bytes, limits, err);
        if (rc != 0)
            err_prefix(err, rc, "%s", path);
    }
    buf_free(&text);
    return rc;
}

void json_free(struct json *doc)
{
    cJSON_Delete(doc->root);
    doc->root = NULL;
}

/* ---- reading ---- */

static bool whole_number(double d)
{
    return d >= -(double)INTEGER_MAX && d <= (double)INTEGER_MAX && d == (double)(int64_t)d;
}

/* What a value is, for "is ...". */
static void put_value(struct text *t, const cJSON *node)
{
    char number[40];
    if (cJSON_IsString(node)) {
        put_quoted(t, node->valuestring, SHOWN_CHARS);
    } else if (cJSON_IsNumber(node)) {
        if (whole_number(node->valuedouble))
            (void)snprintf(number, sizeof number, "%" PRId64, (int64_t)node->valuedouble);
        else
            (void)snprintf(number, sizeof number, "%.17g", node->valuedouble);
        put(t, number);
    } else if (cJSON_IsBool(node)) {
        put(t, cJSON_IsTrue(node) ? "true" : "false");
    } else if (cJSON_IsNull(node)) {
        put(t, "null");
    } else {
        put(t, cJSON_IsArray(node) ? "an array" : "an object");
    }
}

static int wrong(const cJSON *root, const cJSON *node, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int wrong(const cJSON *root, const cJSON *node, struct err *err, const char *fmt, ...)
{
    char is[LIST_BYTES];
    char must[ERR_TEXT_MAX];
    struct text t = text_begin(is, sizeof is);
    put_value(&t, node);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(must, sizeof must, fmt, ap);
    va_end(ap);
    return json_error(root, node, err, "is %s, must be %s", is, must);
}

/* 0 and *out, 1 if there is no such member, ERR_FORMAT if obj is not an object. */
static int member(const cJSON *root, const cJSON *obj, const char *key, const cJSON **out,
                  struct err *err)
{
    if (!cJSON_IsObject(obj))
        return wrong(root, obj, err, "an object");
    *out = cJSON_GetObjectItemCaseSensitive(obj, key);
    return *out != NULL ? 0 : 1;
}

int json_get_int(const cJSON *root, const cJSON *obj, const char *key, int64_t min, int64_t max,
                 int64_t *out, struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    if (min < -INTEGER_MAX)
        min = -INTEGER_MAX;
    if (max > INTEGER_MAX)
        max = INTEGER_MAX;
    bool ok = cJSON_IsNumber(m) && whole_number(m->valuedouble);
    if (!ok || (int64_t)m->valuedouble < min || (int64_t)m->valuedouble > max)
        return wrong(root, m, err, "an integer from %" PRId64 " to %" PRId64, min, max);
    *out = (int64_t)m->valuedouble;
    return 0;
}

int json_get_bool(const cJSON *root, const cJSON *obj, const char *key, bool *out, struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    if (!cJSON_IsBool(m))
        return wrong(root, m, err, "true or false");
    *out = cJSON_IsTrue(m);
    return 0;
}

int json_get_string(const cJSON *root, const cJSON *obj, const char *key, size_t min_len,
                    size_t max_len, const char **out, struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    if (!cJSON_IsString(m))
        return wrong(root, m, err, "a string of %zu to %zu bytes", min_len, max_len);
    size_t len = strlen(m->valuestring);
    if (len < min_len || len > max_len)
        return json_error(root, m, err, "is a string of %zu bytes, must be %zu to %zu bytes", len,
                          min_len, max_len);
    *out = m->valuestring;
    return 0;
}

int json_get_word(const cJSON *root, const cJSON *obj, const char *key, const char *const *words,
                  size_t n, int *out, struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; cJSON_IsString(m) && i < n; i++) {
        if (strcmp(m->valuestring, words[i]) == 0) {
            *out = (int)i;
            return 0;
        }
    }
    char list[LIST_BYTES];
    struct text t = text_begin(list, sizeof list);
    put_list(&t, words, n);
    return wrong(root, m, err, "one of %s", list);
}

int json_get_object(const cJSON *root, const cJSON *obj, const char *key, const cJSON **out,
                    struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    if (!cJSON_IsObject(m))
        return wrong(root, m, err, "an object");
    *out = m;
    return 0;
}

int json_get_array(const cJSON *root, const cJSON *obj, const char *key, int min_items,
                   int max_items, const cJSON **out, struct err *err)
{
    const cJSON *m = NULL;
    int rc = member(root, obj, key, &m, err);
    if (rc != 0)
        return rc;
    if (!cJSON_IsArray(m))
        return wrong(root, m, err, "an array of %d to %d items", min_items, max_items);
    int n = cJSON_GetArraySize(m);
    if (n < min_items || n > max_items)
        return json_error(root, m, err, "is an array of %d items, must be %d to %d items", n,
                          min_items, max_items);
    *out = m;
    return 0;
}

int json_need(int rc, const cJSON *root, const cJSON *obj, const char *key, struct err *err)
{
    return rc == 1 ? json_error(root, obj, err, "needs \"%s\"", key) : rc;
}

int json_only_keys(const cJSON *root, const cJSON *obj, const char *const *keys, size_t n,
                   struct err *err)
{
    if (!cJSON_IsObject(obj))
        return wrong(root, obj, err, "an object");
    for (const cJSON *c = obj->child; c != NULL; c = c->next) {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++)
            known = strcmp(c->string, keys[i]) == 0;
        if (known)
            continue;
        char key[LIST_BYTES];
        char list[LIST_BYTES];
        struct text k = text_begin(key, sizeof key);
        struct text l = text_begin(list, sizeof list);
        put_quoted(&k, c->string, SHOWN_CHARS);
        put_list(&l, keys, n);
        return json_error(root, obj, err, "has the unknown key %s, allowed are %s", key,
                          n > 0 ? list : "none");
    }
    return 0;
}
