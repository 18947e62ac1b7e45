/* Writing by tables: everything explicit, two-blank indents, one line per innermost object. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

#define LINES_DEPTH 3 /* objects and arrays nested deeper stay on their line */

static void put(struct writer *w, const char *text)
{
    if (w->rc == 0)
        w->rc = buf_text(w->out, text);
}

static void line(struct writer *w)
{
    if (w->depth >= LINES_DEPTH)
        return;
    put(w, "\n");
    for (int i = 0; i < w->depth; i++)
        put(w, "  ");
}

/* What stands before a value: comma, line, key. */
static void begin(struct writer *w, const char *key)
{
    if (!w->first)
        put(w, w->depth >= LINES_DEPTH ? ", " : ",");
    if (w->depth > 0)
        line(w);
    w->first = false;
    if (key == NULL)
        return;
    if (w->rc == 0)
        w->rc = json_put_string(w->out, key);
    put(w, ": ");
}

void write_open(struct writer *w, const char *key, char bracket)
{
    begin(w, key);
    put(w, (const char[]){bracket, '\0'});
    w->depth++;
    w->first = true;
}

void write_close(struct writer *w, char bracket)
{
    bool lines = w->depth < LINES_DEPTH;
    w->depth--;
    if (lines && !w->first)
        line(w);
    put(w, (const char[]){bracket, '\0'});
    w->first = false;
}

void write_int(struct writer *w, const char *key, int64_t v)
{
    begin(w, key);
    if (w->rc == 0)
        w->rc = buf_printf(w->out, "%" PRId64, v);
}

void write_size(struct writer *w, const char *key, uint64_t v)
{
    if (v <= (uint64_t)EXACT_MAX) {
        write_int(w, key, (int64_t)v);
        return;
    }
    begin(w, key);
    if (w->rc == 0)
        w->rc = buf_printf(w->out, "\"0x%" PRIx64 "\"", v);
}

void write_bool(struct writer *w, const char *key, bool yes)
{
    begin(w, key);
    put(w, yes ? "true" : "false");
}

void write_text(struct writer *w, const char *key, const char *text)
{
    begin(w, key);
    if (w->rc == 0)
        w->rc = json_put_string(w->out, text);
}

void write_word(struct writer *w, const char *key, const char *word)
{
    if (word == NULL && w->rc == 0)
        w->rc = ERR_ARG;
    if (w->rc == 0)
        write_text(w, key, word);
}

static uint64_t load(const void *from, uint32_t width)
{
    uint8_t v1;
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;
    switch (width) {
    case 1:
        memcpy(&v1, from, width);
        return v1;
    case 2:
        memcpy(&v2, from, width);
        return v2;
    case 4:
        memcpy(&v4, from, width);
        return v4;
    default:
        memcpy(&v8, from, sizeof v8);
        return v8;
    }
}

static int64_t load_signed(const void *from, uint32_t width)
{
    uint64_t v = load(from, width);
    return width == 4 ? (int64_t)(int32_t)v : (int64_t)v;
}

static void write_ms(struct writer *w, const char *key, int64_t ns)
{
    if (ns % NS_PER_MS != 0 && w->rc == 0)
        w->rc = ERR_UNSUPPORTED;
    write_int(w, key, ns / NS_PER_MS);
}

static void write_list(struct writer *w, const struct field *f, const void *base)
{
    uint32_t n = (uint32_t)load((const char *)base + f->count_offset, sizeof n);
    write_open(w, f->key, '[');
    for (uint32_t i = 0; i < n && i < (uint32_t)f->max; i++) {
        write_open(w, NULL, '{');
        fields_write(w, f->table, (const char *)base + f->offset + i * f->table->item_bytes);
        write_close(w, '}');
    }
    write_close(w, ']');
}

static void write_ints(struct writer *w, const struct field *f, const void *base)
{
    uint32_t n = (uint32_t)load((const char *)base + f->count_offset, sizeof n);
    write_open(w, f->key, '[');
    for (uint32_t i = 0; i < n && i < SCENARIO_EXPECT_MAX; i++)
        write_int(w, NULL, load_signed((const char *)base + f->offset + i * sizeof(int), 4));
    write_close(w, ']');
}

static void write_field(struct writer *w, const struct field *f, const void *base)
{
    const char *from = (const char *)base + f->offset;
    switch (f->kind) {
    case FIELD_INT:
        write_int(w, f->key,
                  f->min < 0 ? load_signed(from, f->width) : (int64_t)load(from, f->width));
        break;
    case FIELD_SIZE:
        write_size(w, f->key, load(from, f->width));
        break;
    case FIELD_MS:
        write_ms(w, f->key, load_signed(from, f->width));
        break;
    case FIELD_BOOL:
        write_bool(w, f->key, load(from, f->width) != 0);
        break;
    case FIELD_TEXT:
        if (*from != '\0' || f->min == 0)
            write_text(w, f->key, from);
        break;
    case FIELD_WORD:
        write_word(w, f->key, f->word((int)load(from, f->width)));
        break;
    case FIELD_OBJECT:
        write_open(w, f->key, '{');
        fields_write(w, f->table, from);
        write_close(w, '}');
        break;
    case FIELD_LIST:
        write_list(w, f, base);
        break;
    case FIELD_INTS:
        write_ints(w, f, base);
        break;
    case FIELD_SPECIAL:
        f->write(w, f, base);
        break;
    }
}

/* A count of requests that is not demanded is -1, which no file may say. */
static bool is_undemanded(const struct field *f, const void *base)
{
    return f->kind == FIELD_INT && f->width == sizeof(int64_t) && f->min == 0 &&
           (int64_t)load((const char *)base + f->offset, sizeof(int64_t)) < 0;
}

void fields_write(struct writer *w, const struct table *t, const void *base)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        bool has = f->has_offset == 0 || load((const char *)base + f->has_offset, 1) != 0;
        if (has && field_applies(t, f->key, base) && !is_undemanded(f, base))
            write_field(w, f, base);
    }
}

int scenario_write(const struct scenario *s, struct buf *out)
{
    struct writer w = {.out = out, .s = s, .first = true};
    write_open(&w, NULL, '{');
    fields_write(&w, &scenario_table, s);
    write_close(&w, '}');
    put(&w, "\n");
    return w.rc;
}
