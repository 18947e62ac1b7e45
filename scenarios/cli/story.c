#include "scenarios/cli/story.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/vtime.h"
#include "scenarios/cli/story_tell.h"

#define LINE_MAX_BYTES 8192 /* a trace line is shorter (common/trace.h) */
#define PERIOD_MAX     12   /* rows of a repeated block */

static const struct json_limits limits = {.max_bytes = LINE_MAX_BYTES, .max_depth = 2};

void story_init(struct story *s)
{
    memset(s, 0, sizeof *s);
}

void story_free(struct story *s)
{
    free(s->rows);
    story_init(s);
}

/* ---- rows ---- */

/* Null when there are too many; story_line reports no memory. */
static struct story_row *new_row(struct story *s, enum story_kind kind, int64_t t_ns)
{
    if (s->count == STORY_ROWS_MAX)
        return NULL;
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 64 : s->cap * 2;
        struct story_row *rows = realloc(s->rows, cap * sizeof *rows);
        if (rows == NULL)
            return NULL;
        s->rows = rows;
        s->cap = cap;
    }
    struct story_row *r = &s->rows[s->count++];
    memset(r, 0, sizeof *r);
    r->kind = kind;
    r->from_ns = r->to_ns = t_ns;
    r->dark = s->off;
    return r;
}

struct story_cell *story_cell(struct story *s, enum lane lane, int64_t t_ns, const char *key)
{
    struct story_row *r = s->count > 0 ? &s->rows[s->count - 1] : NULL;
    if (r == NULL || r->kind != STORY_CELLS || r->closed ||
        (r->cell[lane].key[0] != '\0' && strcmp(r->cell[lane].key, key) != 0))
        r = new_row(s, STORY_CELLS, t_ns);
    if (r == NULL) {
        s->left_out++;
        return NULL;
    }
    struct story_cell *c = &r->cell[lane];
    if (c->key[0] == '\0') {
        (void)snprintf(c->key, sizeof c->key, "%s", key);
        c->from_ns = t_ns;
    }
    c->count++;
    c->to_ns = t_ns;
    r->to_ns = t_ns;
    return c;
}

const struct story_cell *story_last(const struct story *s, enum lane lane)
{
    const struct story_row *r = s->count > 0 ? &s->rows[s->count - 1] : NULL;
    return r != NULL && r->kind == STORY_CELLS && r->cell[lane].key[0] != '\0' ? &r->cell[lane]
                                                                               : NULL;
}

void story_rule(struct story *s, enum story_kind kind, int64_t t_ns, const char *fmt, ...)
{
    struct story_row *r = new_row(s, kind, t_ns);
    if (r == NULL) {
        s->left_out++;
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
}

void story_close(struct story *s)
{
    if (s->count > 0)
        s->rows[s->count - 1].closed = true;
}

void story_undo_cut(struct story *s, int64_t t_ns)
{
    if (s->count > 0 && s->rows[s->count - 1].kind == STORY_CUT &&
        s->rows[s->count - 1].from_ns == t_ns)
        s->count--;
}

/* ---- reading ---- */

static int parse(struct json *doc, struct story_event *e, const char *line, size_t len_bytes,
                 struct err *err)
{
    int rc = json_parse(doc, line, len_bytes, &limits, err);
    if (rc != 0)
        return rc;
    const char *lane = NULL;
    *e = (struct story_event){.fields = doc->root};
    rc =
        json_need(json_get_int(doc->root, doc->root, "t", 0, (INT64_C(1) << 53) - 1, &e->t_ns, err),
                  doc->root, doc->root, "t", err);
    if (rc == 0)
        rc = json_need(json_get_string(doc->root, doc->root, "lane", 1, 16, &lane, err), doc->root,
                       doc->root, "lane", err);
    if (rc == 0)
        rc = json_need(json_get_string(doc->root, doc->root, "event", 1, 64, &e->name, err),
                       doc->root, doc->root, "event", err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < LANE_COUNT; i++)
        if (strcmp(lane, lane_name((enum lane)i)) == 0) {
            e->lane = (enum lane)i;
            return 0;
        }
    return err_set(err, ERR_FORMAT, "there is no lane \"%s\"", lane);
}

int story_line(struct story *s, const char *line, size_t len_bytes, struct err *err)
{
    struct json doc;
    struct story_event e;
    int rc = parse(&doc, &e, line, len_bytes, err);
    if (rc == 0) {
        s->events++;
        s->last_ns = e.t_ns;
        story_tell(s, &e);
    }
    json_free(&doc);
    return rc;
}

/* ---- repeats ---- */

static bool same_row(const struct story_row *a, const struct story_row *b)
{
    if (a->kind != b->kind || (a->kind != STORY_CELLS && strcmp(a->text, b->text) != 0))
        return false;
    for (int i = 0; i < LANE_COUNT; i++)
        if (strcmp(a->cell[i].key, b->cell[i].key) != 0)
            return false;
    return true;
}

static bool same_block(const struct story_row *a, const struct story_row *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!same_row(&a[i], &b[i]))
            return false;
    return true;
}

/* How often the block of n rows at `at` stands there in a row. */
static uint64_t repeats(const struct story *s, size_t at, size_t n)
{
    uint64_t times = 1;
    while (at + (times + 1) * n <= s->count &&
           same_block(&s->rows[at], &s->rows[at + times * n], n))
        times++;
    return times;
}

/* Folding hides rows; twice the same is not worth it where that would hide a rule. */
static bool worth_it(const struct story *s, size_t at, size_t n, uint64_t times)
{
    bool rule = false;
    for (size_t i = 0; i < n; i++)
        rule = rule || s->rows[at + i].kind != STORY_CELLS;
    return rule ? times > 2 : times > 1 && (times - 1) * n > 1;
}

static void fold_repeats(struct story *s)
{
    size_t out = 0;
    for (size_t at = 0; at < s->count;) {
        size_t n = 1;
        uint64_t times = 1;
        for (; n <= PERIOD_MAX && at + 2 * n <= s->count; n++) {
            times = repeats(s, at, n);
            if (worth_it(s, at, n, times))
                break;
            times = 1;
        }
        if (times == 1) {
            s->rows[out++] = s->rows[at++];
            continue;
        }
        int64_t end_ns = s->rows[at + times * n - 1].to_ns;
        int64_t from_ns = s->rows[at + n].from_ns;
        memmove(&s->rows[out], &s->rows[at], n * sizeof s->rows[0]);
        out += n;
        bool dark = s->rows[at + times * n - 1].dark;
        s->rows[out] = (struct story_row){.kind = STORY_REPEAT,
                                          .from_ns = from_ns,
                                          .to_ns = end_ns,
                                          .dark = dark,
                                          .rows = n,
                                          .times = times};
        (void)snprintf(s->rows[out].text, sizeof s->rows[out].text,
                       "the %s above: %" PRIu64 " times in all, until %" PRId64 ".%03d",
                       n == 1 ? "row" : "rows", times, end_ns / NS_PER_S,
                       (int)(end_ns % NS_PER_S / NS_PER_MS));
        if (n > 1)
            (void)snprintf(s->rows[out].text, sizeof s->rows[out].text,
                           "the %zu rows above: %" PRIu64 " times in all, until %" PRId64 ".%03d",
                           n, times, end_ns / NS_PER_S, (int)(end_ns % NS_PER_S / NS_PER_MS));
        out++;
        at += times * n;
    }
    s->count = out;
}

int story_end(struct story *s, struct err *err)
{
    fold_repeats(s);
    if (s->healing) {
        struct story_row *r = new_row(s, STORY_HEAL, s->last_ns);
        int64_t took_ms = (s->last_ns - s->heal_from_ns) / NS_PER_MS;
        if (r == NULL)
            return err_set(err, ERR_NOMEM, "no memory for the timeline");
        (void)snprintf(r->text, sizeof r->text,
                       "after %" PRId64 ".%03d s, %" PRIu64 " start%s, %" PRIu64
                       " requests, %" PRIu64 " flash operations: %s runs",
                       took_ms / 1000, (int)(took_ms % 1000), s->heal_starts,
                       s->heal_starts == 1 ? "" : "s", s->heal_requests, s->heal_ops,
                       s->heal_version[0] == '\0' ? "nothing" : s->heal_version);
    }
    return 0;
}

int story_read(struct story *s, const char *path, struct err *err)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    char line[LINE_MAX_BYTES];
    int rc = 0;
    for (uint64_t n = 1; rc == 0 && fgets(line, sizeof line, f) != NULL; n++) {
        size_t len = strlen(line);
        if (len == 0 || line[len - 1] != '\n')
            break; /* the run died while writing it */
        rc = story_line(s, line, len - 1, err);
        if (rc != 0)
            rc = err_prefix(err, rc, "%s: line %" PRIu64, path, n);
    }
    (void)fclose(f);
    return rc == 0 ? story_end(s, err) : rc;
}
