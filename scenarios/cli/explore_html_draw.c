/* Strip and chip as SVG. Neighbours of one colour are one shape; lines on top make them cells. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/xml.h"
#include "scenarios/cli/explore_html.h"

#define LEFT_PX   92 /* tear names */
#define ROW_PX    11
#define MARKS_PX  8 /* above the rows: where something failed */
#define KIND_PX   7 /* below: erase or program */
#define PHASE_PX  16
#define AXIS_PX   13
#define LETTER_PX 6
#define NO_CLASS  ((char)0)

static uint32_t rows_px(const struct strip *s)
{
    return s->n_rows * ROW_PX;
}

static char cell(const struct strip *s, uint32_t tear, uint32_t op)
{
    return s->cells[(size_t)tear * s->n_columns + op];
}

static bool op_fails(const struct strip *s, uint32_t op)
{
    for (uint32_t t = 0; t < s->n_rows; t++) {
        char c = cell(s, t, op);
        if (c != STRIP_SKIPPED && explore_outcome_fails((enum explore_outcome)(c - '0')))
            return true;
    }
    return false;
}

/* ---- strip ---- */

static int put_row(struct buf *out, const struct strip *s, uint32_t tear, uint32_t from,
                   uint32_t to)
{
    int rc = 0;
    for (uint32_t i = from; i < to;) {
        uint32_t k = i + 1;
        char c = cell(s, tear, i);
        while (k < to && cell(s, tear, k) == c)
            k++;
        rc |= buf_printf(out, "<rect class=\"%s%c\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>",
                         c == STRIP_SKIPPED ? "s" : "o", c == STRIP_SKIPPED ? 'k' : c,
                         LEFT_PX + (i - from) * s->cell_px, MARKS_PX + tear * ROW_PX,
                         (k - i) * s->cell_px, ROW_PX);
        i = k;
    }
    return rc;
}

static int put_names(struct buf *out, const struct strip *s)
{
    int rc = 0;
    for (uint32_t t = 0; t < s->n_rows; t++) {
        char name[EXPLORE_TEAR_NAME_MAX];
        explore_strip_row_name(s, t, name);
        rc |= buf_printf(out, "<text class=\"name\" x=\"%u\" y=\"%u\">", LEFT_PX - 5,
                         MARKS_PX + t * ROW_PX + 9);
        rc |= xml_put_text(out, name);
        rc |= buf_text(out, "</text>");
    }
    return rc;
}

/* Lines between the cells, once the cells are wide enough to be told apart. */
static int put_grid(struct buf *out, const struct strip *s, uint32_t n)
{
    int rc = buf_text(out, "<path class=\"grid\" d=\"");
    for (uint32_t i = 1; s->cell_px >= 4 && i < n; i++)
        rc |= buf_printf(out, "M%u %uv%u", LEFT_PX + i * s->cell_px, MARKS_PX, rows_px(s));
    for (uint32_t t = 1; t < s->n_rows; t++)
        rc |= buf_printf(out, "M%u %uh%u", LEFT_PX, MARKS_PX + t * ROW_PX, n * s->cell_px);
    return rc | buf_text(out, "\"/>");
}

static int put_marks(struct buf *out, const struct strip *s, uint32_t from, uint32_t to)
{
    int rc = 0;
    for (uint32_t i = from; i < to; i++)
        if (op_fails(s, i)) {
            uint32_t mid = LEFT_PX + (i - from) * s->cell_px + s->cell_px / 2;
            rc |= buf_printf(out, "<path class=\"mark\" d=\"M%u 7l-3 -6h6z\"/>", mid);
        }
    return rc;
}

static int put_kinds(struct buf *out, const struct strip *s, uint32_t from, uint32_t to)
{
    static const char *const names[] = {[CUT_FLASH] = "erase, program",
                                        [CUT_MESSAGE] = "reply, request",
                                        [CUT_NETWORK] = "down, up"};
    int rc = buf_printf(out, "<text class=\"name dim\" x=\"%u\" y=\"%u\">%s</text>", LEFT_PX - 5,
                        MARKS_PX + rows_px(s) + KIND_PX + 1, names[s->kind]);
    for (uint32_t i = from; i < to;) {
        uint32_t k = i + 1;
        while (k < to && explore_strip_dark(s, k) == explore_strip_dark(s, i))
            k++;
        rc |= buf_printf(out, "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>",
                         explore_strip_dark(s, i) ? "erase" : "program",
                         LEFT_PX + (i - from) * s->cell_px, MARKS_PX + rows_px(s) + 2,
                         (k - i) * s->cell_px, KIND_PX - 2);
        i = k;
    }
    return rc;
}

static int put_phases(struct buf *out, const struct strip *s, uint32_t from, uint32_t to)
{
    int rc = 0;
    uint32_t y = MARKS_PX + rows_px(s) + KIND_PX + 2;
    for (uint32_t i = from; i < to;) {
        uint32_t k = i + 1;
        while (k < to && explore_strip_phase(s, k) == explore_strip_phase(s, i))
            k++;
        const char *name = run_phase_name(explore_strip_phase(s, i));
        uint32_t x = LEFT_PX + (i - from) * s->cell_px, w = (k - i) * s->cell_px;
        rc |=
            buf_printf(out,
                       "<g><title>%s</title><rect class=\"phase p%d\" x=\"%u\" y=\"%u\" "
                       "width=\"%u\" height=\"%u\"/>",
                       name, (int)explore_strip_phase(s, i), x, y, w > 1 ? w - 1 : 1, PHASE_PX - 3);
        if (w >= (uint32_t)strlen(name) * LETTER_PX + 4)
            rc |= buf_printf(out, "<text class=\"phase\" x=\"%u\" y=\"%u\">%s</text>", x + 4,
                             y + 10, name);
        rc |= buf_text(out, "</g>");
        i = k;
    }
    return rc;
}

static int put_axis(struct buf *out, const struct strip *s, uint32_t from, uint32_t to)
{
    int rc = 0;
    uint32_t y = MARKS_PX + rows_px(s) + KIND_PX + PHASE_PX;
    uint32_t step = s->cell_px >= 6 ? 10 : s->cell_px >= 3 ? 20 : 50;
    static const char *const names[] = {
        [CUT_FLASH] = "operation", [CUT_MESSAGE] = "message", [CUT_NETWORK] = "border"};
    rc |= buf_printf(out, "<text class=\"name dim\" x=\"%u\" y=\"%u\">%s</text>", LEFT_PX - 14,
                     y + 10, names[s->kind]);
    for (uint32_t i = from; i < to; i++)
        if (i == from || (i + 1) % step == 0) {
            if (i != from && (i - from) * s->cell_px < 30)
                continue; /* beside the first */
            rc |= buf_printf(out, "<text class=\"axis\" x=\"%u\" y=\"%u\">%u</text>",
                             LEFT_PX + (i - from) * s->cell_px + s->cell_px / 2, y + 10, i + 1);
        }
    return rc;
}

int explore_html_bands(struct buf *out, const struct strip *s)
{
    int rc = 0;
    uint32_t height = MARKS_PX + rows_px(s) + KIND_PX + PHASE_PX + AXIS_PX;
    uint32_t width = LEFT_PX + s->columns * s->cell_px + 12;
    for (uint32_t b = 0; b < s->bands; b++) {
        uint32_t from = b * s->columns;
        uint32_t to = from + s->columns < s->n_columns ? from + s->columns : s->n_columns;
        rc |=
            buf_printf(out,
                       "<svg class=\"band\" data-strip=\"%d\" data-from=\"%u\" data-left=\"%d\" "
                       "data-top=\"%d\" "
                       "data-row=\"%d\" viewBox=\"0 0 %u %u\" width=\"%u\" height=\"%u\">\n",
                       (int)s->kind, from, LEFT_PX, MARKS_PX, ROW_PX, width, height, width, height);
        rc |= put_names(out, s);
        for (uint32_t t = 0; t < s->n_rows; t++)
            rc |= put_row(out, s, t, from, to);
        rc |= put_grid(out, s, to - from);
        rc |= put_marks(out, s, from, to);
        rc |= put_kinds(out, s, from, to);
        rc |= put_phases(out, s, from, to);
        rc |= put_axis(out, s, from, to);
        rc |= buf_printf(out,
                         "<rect class=\"column\" x=\"-9\" y=\"%d\" width=\"%u\" height=\"%u\"/>"
                         "\n</svg>\n",
                         MARKS_PX, s->cell_px, rows_px(s));
    }
    return rc;
}

/* ---- chip ---- */

/* Worst outcome of the cuts in an erase unit; STRIP_SKIPPED when nothing happens there. */
static char unit_worst(const struct strip *s, uint32_t unit, uint32_t *ops)
{
    char worst = STRIP_SKIPPED;
    uint32_t from = unit * s->x->geometry.erase_bytes, size = s->x->geometry.erase_bytes;
    *ops = 0;
    for (uint32_t i = 0; i < s->n_columns; i++) {
        const struct run_op *op = &s->x->ops[i];
        if (op->addr + op->len_bytes <= from || op->addr >= from + size)
            continue;
        ++*ops;
        for (uint32_t t = 0; t < s->n_rows; t++) {
            char c = cell(s, t, i);
            worst = c != STRIP_SKIPPED && c > worst ? c : worst;
        }
    }
    return worst;
}

static int put_partition(struct buf *out, const struct strip *s, const struct partition *p)
{
    uint32_t erase = s->x->geometry.erase_bytes;
    uint32_t first = p->offset / erase, n = p->size_bytes / erase;
    uint32_t per_row = n > 512 ? 32 : 16, px = n > 512 ? 7 : 14;
    uint32_t rows = (n + per_row - 1) / per_row;
    int rc = buf_text(out, "<h4>");
    rc |= xml_put_text(out, p->name);
    rc |= buf_printf(out,
                     " <span>0x%x, %u KiB</span></h4>\n<svg class=\"units\" width=\"%u\" "
                     "height=\"%u\">",
                     p->offset, p->size_bytes / 1024, per_row * px + 1, rows * px + 1);
    for (uint32_t u = 0; u < n; u++) {
        uint32_t ops;
        char worst = unit_worst(s, first + u, &ops);
        rc |= buf_printf(out,
                         "<rect data-unit=\"%u\" class=\"%s%c\" x=\"%u\" y=\"%u\" width=\"%u\" "
                         "height=\"%u\"><title>0x%x: %u operations</title></rect>",
                         first + u, worst == STRIP_SKIPPED ? "e" : "o",
                         worst == STRIP_SKIPPED ? 'u' : worst, u % per_row * px + 1,
                         u / per_row * px + 1, px - 1, px - 1, (first + u) * erase, ops);
    }
    return rc | buf_text(out, "</svg>\n");
}

int explore_html_flash(struct buf *out, const struct strip *s)
{
    int rc = buf_printf(out, "<h3>Chip <span>a square is one erase unit of %u KiB</span></h3>\n",
                        s->x->geometry.erase_bytes / 1024);
    for (size_t i = 0; i < s->x->partitions.count; i++)
        rc |= put_partition(out, s, &s->x->partitions.part[i]);
    return rc;
}
