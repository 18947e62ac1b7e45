#include "scenarios/cli/html_lanes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "common/vtime.h"
#include "common/xml.h"

#define LINE_PX   15
#define GAP_PX    6
#define TIME_PX   90
#define WIDTH_PX  1150
#define HEAD_PX   30
#define CELL_ROWS 6 /* lines of text in a cell; more is in its tooltip */

static const struct {
    enum lane lane;
    int x, width, characters; /* of a line of text */
} columns[] = {
    {LANE_CLOUD, 90, 260, 36},  {LANE_NETWORK, 355, 180, 25}, {LANE_DEVICE, 540, 230, 32},
    {LANE_FLASH, 775, 180, 25}, {LANE_BOOT, 960, 180, 25},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static const struct {
    const char *fill, *stroke;
} moods[] = {
    [MOOD_PLAIN] = {"#eef2f6", "#b9c5d0"},
    [MOOD_GOOD] = {"#dff3e4", "#7fc494"},
    [MOOD_BAD] = {"#fbdcdc", "#e08a8d"},
};
static const char *const rule_colour[] = {
    [STORY_CELLS] = "#1c2733", [STORY_CUT] = "#c01c28",    [STORY_START] = "#1a6fb0",
    [STORY_HEAL] = "#6a1b87",  [STORY_REPEAT] = "#5b6b7b",
};

/* Bytes of the first line of at most n characters, at a blank if there is one. */
static size_t line_bytes(const char *text, int characters)
{
    size_t at = 0, left = strlen(text), space = 0;
    for (int n = 0; at < left && n < characters; n++) {
        size_t step = utf8_char(text + at, left - at);
        at += step == 0 ? 1 : step;
        if (at == left || text[at] == ' ')
            space = at;
    }
    return at < left && space > 0 ? space : at;
}

static int lines_of(const char *text, int characters)
{
    int n = 0;
    while (*text != '\0' && n < CELL_ROWS) {
        text += line_bytes(text, characters);
        text += strspn(text, " ");
        n++;
    }
    return n;
}

static int row_lines(const struct story_row *r)
{
    int most = 1;
    for (size_t i = 0; i < COLUMNS; i++) {
        int n = lines_of(r->cell[columns[i].lane].text, columns[i].characters);
        most = n > most ? n : most;
    }
    return most;
}

static int row_px(const struct story_row *r)
{
    return (r->kind == STORY_CELLS ? row_lines(r) : 1) * LINE_PX + 2 * GAP_PX;
}

static int put_text(struct buf *out, int x, int y, const char *colour, const char *text, size_t len)
{
    char part[STORY_TEXT_MAX + 1];
    if (len >= sizeof part)
        len = sizeof part - 1;
    memcpy(part, text, len);
    part[len] = '\0';
    int rc = buf_printf(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\">", x, y, colour);
    if (rc == 0)
        rc = xml_put_text(out, part);
    return rc == 0 ? buf_text(out, "</text>\n") : rc;
}

static int put_time(struct buf *out, int y, int64_t t_ns)
{
    return buf_printf(out,
                      "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#5b6b7b\">%" PRId64
                      ".%03d s</text>\n",
                      TIME_PX - 14, y, t_ns / NS_PER_S, (int)(t_ns % NS_PER_S / NS_PER_MS));
}

static int put_cell(struct buf *out, const struct story_cell *c, size_t column, int y)
{
    int lines = lines_of(c->text, columns[column].characters);
    int rc = buf_printf(out, "<g><title>%" PRId64 ".%03d s to %" PRId64 ".%03d s: ",
                        c->from_ns / NS_PER_S, (int)(c->from_ns % NS_PER_S / NS_PER_MS),
                        c->to_ns / NS_PER_S, (int)(c->to_ns % NS_PER_S / NS_PER_MS));
    if (rc == 0)
        rc = xml_put_text(out, c->text);
    if (rc == 0)
        rc = buf_printf(out,
                        "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"3\" "
                        "fill=\"%s\" stroke=\"%s\"/>\n",
                        columns[column].x, y + GAP_PX / 2, columns[column].width,
                        lines * LINE_PX + GAP_PX, moods[c->mood].fill, moods[c->mood].stroke);
    const char *text = c->text;
    for (int i = 0; i < lines && rc == 0; i++) {
        size_t n = line_bytes(text, columns[column].characters);
        rc = put_text(out, columns[column].x + 6, y + GAP_PX / 2 + (i + 1) * LINE_PX - 1, "#1c2733",
                      text, n);
        text += n;
        text += strspn(text, " ");
    }
    return rc == 0 ? buf_text(out, "</g>\n") : rc;
}

static int put_rule(struct buf *out, const struct story_row *r, int y)
{
    const char *colour = rule_colour[r->kind];
    int middle = y + row_px(r) / 2;
    int text_px = 30 + (int)strlen(r->text) * 7;
    int rc = buf_printf(out,
                        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" "
                        "stroke-width=\"%d\"%s/>\n",
                        columns[0].x + text_px, middle, WIDTH_PX - 10, middle, colour,
                        r->kind == STORY_CUT ? 3 : 1,
                        r->kind == STORY_REPEAT ? " stroke-dasharray=\"3 4\"" : "");
    if (rc == 0)
        rc = put_time(out, middle + 4, r->from_ns);
    return rc == 0 ? put_text(out, columns[0].x + 6, middle + 4, colour, r->text, strlen(r->text))
                   : rc;
}

static int put_row(struct buf *out, const struct story_row *r, int y)
{
    int rc = 0;
    if (!r->dark) /* the power lane: a line while there is power */
        rc = buf_printf(out,
                        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#7fc494\" "
                        "stroke-width=\"3\"/>\n",
                        TIME_PX - 6, y, TIME_PX - 6, y + row_px(r));
    if (rc == 0 && r->kind != STORY_CELLS)
        return put_rule(out, r, y);
    if (rc == 0)
        rc = put_time(out, y + GAP_PX / 2 + LINE_PX - 1, r->from_ns);
    for (size_t i = 0; i < COLUMNS && rc == 0; i++)
        if (r->cell[columns[i].lane].text[0] != '\0')
            rc = put_cell(out, &r->cell[columns[i].lane], i, y);
    return rc;
}

int html_lanes(struct buf *out, const struct story *s)
{
    int height = HEAD_PX + 10;
    for (size_t i = 0; i < s->count; i++)
        height += row_px(&s->rows[i]);
    int rc = buf_printf(out,
                        "<h2>What happened</h2>\n<p class=\"sub\">%" PRIu64
                        " events, folded; hover for the exact times. The green line is power."
                        "</p>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                        "font-family=\"ui-monospace,monospace\" font-size=\"11\">\n",
                        s->events, WIDTH_PX, height);
    for (size_t i = 0; i < COLUMNS && rc == 0; i++)
        rc = buf_printf(out, "<text x=\"%d\" y=\"20\" font-weight=\"bold\">%s</text>\n",
                        columns[i].x + 6, lane_name(columns[i].lane));
    int y = HEAD_PX;
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        rc = put_row(out, &s->rows[i], y);
        y += row_px(&s->rows[i]);
    }
    if (rc == 0)
        rc = buf_text(out, "</svg>\n");
    if (rc == 0 && s->left_out > 0)
        rc = buf_printf(out, "<p class=\"sub\">%" PRIu64 " more events are not shown.</p>\n",
                        s->left_out);
    return rc;
}
