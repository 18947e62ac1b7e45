#include "scenarios/cli/timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "common/vtime.h"

static const struct {
    enum lane lane;
    int columns; /* of the widest paper, with the space that follows */
} lanes[] = {
    {LANE_CLOUD, 27}, {LANE_NETWORK, 14}, {LANE_DEVICE, 24}, {LANE_FLASH, 18}, {LANE_BOOT, 15},
};
#define LANES        (sizeof lanes / sizeof lanes[0])
#define TIME_COLUMNS 10 /* "12345.678" and a space */
#define LINES_MAX    16 /* of one cell */

/* ANSI: select graphic rendition. */
static const char *const mood_colour[] = {[MOOD_PLAIN] = "", [MOOD_GOOD] = "32", [MOOD_BAD] = "31"};
static const char *const rule_colour[] = {
    [STORY_CELLS] = "",  [STORY_CUT] = "1;31", [STORY_START] = "36",
    [STORY_HEAL] = "35", [STORY_REPEAT] = "2",
};

/* What a lane gets of narrower paper. */
static int lane_columns(const struct paper *p, size_t i)
{
    int margin = TIME_COLUMNS + 2;
    return lanes[i].columns * (p->columns - margin) / (PAPER_COLUMNS_MAX - margin);
}

static int repeat(struct buf *out, const char *text, int n)
{
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = buf_text(out, text);
    return rc;
}

static int put_time(struct buf *out, int64_t t_ns)
{
    return buf_printf(out, "%5" PRId64 ".%03d", t_ns / NS_PER_S,
                      (int)(t_ns % NS_PER_S / NS_PER_MS));
}

static int put_coloured(struct buf *out, const char *colour, const char *text, size_t len_bytes)
{
    bool on = colour != NULL && colour[0] != '\0';
    int rc = on ? buf_printf(out, "\x1b[%sm", colour) : 0;
    if (rc == 0)
        rc = buf_append(out, text, len_bytes);
    return rc == 0 && on ? buf_text(out, "\x1b[0m") : rc;
}

/* Takes from *text what fits into `width` columns, at a space if there is one. */
static size_t take(const char *text, int width, int *used)
{
    size_t at = 0, left = strlen(text), space = 0;
    int n = 0, space_n = 0;
    while (at < left && n < width) {
        size_t len = utf8_char(text + at, left - at);
        at += len == 0 ? 1 : len;
        n++;
        if (at == left || text[at] == ' ') {
            space = at;
            space_n = n;
        }
    }
    if (at < left && space > 0) {
        at = space;
        n = space_n;
    }
    *used = n;
    return at;
}

static int put_cells(struct buf *out, const struct story_row *r, const struct paper *p)
{
    const char *rest[LANES];
    int rc = 0;
    bool more = false;
    for (size_t i = 0; i < LANES; i++) {
        rest[i] = r->cell[lanes[i].lane].text;
        more = more || rest[i][0] != '\0';
    }
    for (int line = 0; more && line < LINES_MAX && rc == 0; line++) {
        rc = line == 0 ? put_time(out, r->from_ns) : repeat(out, " ", TIME_COLUMNS - 1);
        if (rc == 0)
            rc = buf_text(out, r->dark ? "   " : " ┃ ");
        more = false;
        int gap = 0;
        for (size_t i = 0; i < LANES && rc == 0; i++) {
            int used = 0;
            size_t n = take(rest[i], lane_columns(p, i) - 1, &used);
            const struct story_cell *c = &r->cell[lanes[i].lane];
            if (n > 0)
                rc = repeat(out, " ", gap);
            if (n > 0 && rc == 0)
                rc = put_coloured(out, p->colour ? mood_colour[c->mood] : "", rest[i], n);
            gap = n > 0 ? lane_columns(p, i) - used : gap + lane_columns(p, i);
            rest[i] += n;
            rest[i] += strspn(rest[i], " ");
            more = more || rest[i][0] != '\0';
        }
        if (rc == 0)
            rc = buf_text(out, "\n");
    }
    return rc;
}

static const struct {
    const char *before, *line; /* before the text; to the right margin */
    int before_columns;
} strokes[] = {
    [STORY_CELLS] = {"", "", 0},      [STORY_CUT] = {"━╋━ ", "━", 4},
    [STORY_START] = {"┄┰┄ ", "─", 4}, [STORY_HEAL] = {"═══ ", "═", 4},
    [STORY_REPEAT] = {" ↻  ", "", 4},
};

/* The stroke begins in the last column of the time, so that it crosses the power line. */
static int put_rule(struct buf *out, const struct story_row *r, const struct paper *p)
{
    struct buf rule;
    buf_init(&rule, 4096);
    int left = p->columns - (TIME_COLUMNS - 1) - strokes[r->kind].before_columns, used = 0;
    size_t len = take(r->text, left, &used);
    int rc = buf_text(&rule, strokes[r->kind].before);
    if (rc == 0)
        rc = buf_append(&rule, r->text, len);
    if (rc == 0 && strokes[r->kind].line[0] != '\0' && used < left)
        rc = buf_text(&rule, " ");
    if (rc == 0)
        rc = repeat(&rule, strokes[r->kind].line, left - used - 1);
    if (rc == 0)
        rc = put_time(out, r->from_ns);
    if (rc == 0)
        rc = put_coloured(out, p->colour ? rule_colour[r->kind] : "", (const char *)rule.data,
                          rule.len_bytes);
    buf_free(&rule);
    return rc == 0 ? buf_text(out, "\n") : rc;
}

static int put_head(struct buf *out, const struct paper *p)
{
    char line[PAPER_COLUMNS_MAX + 1];
    int at = snprintf(line, sizeof line, "%*s ", TIME_COLUMNS - 1, "s");
    at += snprintf(line + at, sizeof line - (size_t)at, "  ");
    for (size_t i = 0; i < LANES; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, "%-*s",
                       i + 1 < LANES ? lane_columns(p, i) : 0, lane_name(lanes[i].lane));
    int rc = put_coloured(out, p->colour ? "1" : "", line, strlen(line));
    return rc == 0 ? buf_text(out, "\n") : rc;
}

int timeline_put(struct buf *out, const struct story *s, const struct paper *p)
{
    int rc = put_head(out, p);
    for (size_t i = 0; i < s->count && rc == 0; i++)
        rc = s->rows[i].kind == STORY_CELLS ? put_cells(out, &s->rows[i], p)
                                            : put_rule(out, &s->rows[i], p);
    if (rc == 0 && s->left_out > 0)
        rc = buf_printf(out, "%*s %" PRIu64 " more events are not shown; --trace has them all\n",
                        TIME_COLUMNS, "", s->left_out);
    return rc;
}
