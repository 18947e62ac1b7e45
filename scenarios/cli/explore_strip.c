/* What the strips of the page show: cells by what can be cut and how. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/explore_html.h"
#include "scenarios/cli/explore_report.h"

#define STRIP_COLUMNS_PX 900

static uint32_t cell_width(uint32_t columns)
{
    return columns <= 220 ? 8 : columns <= 1200 ? 6 : columns <= 2400 ? 4 : columns <= 4800 ? 3 : 2;
}

uint32_t explore_strip_row(const struct strip *s, const struct run_cut *cut)
{
    if (cut->kind != s->kind)
        return s->n_rows;
    return s->kind == CUT_FLASH     ? explore_tear_of(s->x, s->options, cut)
           : s->kind == CUT_NETWORK ? explore_way_of(cut)
                                    : 0;
}

/* Not run, or skipped where another tear leaves the same. */
static char empty_cell(const struct strip *s, uint32_t row, uint32_t column)
{
    bool skipped =
        s->kind == CUT_FLASH && explore_same_tear(s->x, &s->x->ops[column], s->options, row) != row;
    return skipped ? STRIP_SKIPPED : '0';
}

int explore_strip_lay_out(struct strip *s, const struct exploration *x,
                          const struct explore_options *o, enum run_cut_kind kind)
{
    const uint32_t columns[] = {
        [CUT_FLASH] = x->n_ops, [CUT_MESSAGE] = x->n_messages, [CUT_NETWORK] = x->n_borders};
    const uint32_t rows[] = {
        [CUT_FLASH] = o->n_tears, [CUT_MESSAGE] = 1, [CUT_NETWORK] = EXPLORE_WAYS};
    *s = (struct strip){.x = x,
                        .options = o,
                        .kind = kind,
                        .n_columns = columns[kind],
                        .n_rows = rows[kind],
                        .cell_px = cell_width(columns[kind])};
    uint32_t most = STRIP_COLUMNS_PX / s->cell_px;
    s->bands = (s->n_columns + most - 1) / most;
    s->columns = s->bands == 0 ? 1 : (s->n_columns + s->bands - 1) / s->bands;
    s->cells = malloc((size_t)s->n_columns * s->n_rows + 1);
    if (s->cells == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n_columns; i++)
        for (uint32_t r = 0; r < s->n_rows; r++)
            s->cells[(size_t)r * s->n_columns + i] = empty_cell(s, r, i);
    for (uint32_t i = 0; i < x->n_points; i++) {
        const struct explore_point *p = &x->points[i];
        uint32_t row = explore_strip_row(s, &p->cuts[0]);
        uint32_t column = explore_item_of(x, &p->cuts[0]);
        if (p->outcome == EXPLORE_NOT_RUN || row >= s->n_rows || column >= s->n_columns)
            continue;
        char *cell = &s->cells[(size_t)row * s->n_columns + column];
        char worst = (char)('0' + explore_worst(p));
        if (worst > *cell) /* samples may share a first cut */
            *cell = worst;
    }
    return 0;
}

void explore_strip_row_name(const struct strip *s, uint32_t row, char name[EXPLORE_TEAR_NAME_MAX])
{
    if (s->kind == CUT_FLASH)
        explore_tear_name(&s->options->tears[row], name);
    else
        (void)snprintf(name, EXPLORE_TEAR_NAME_MAX, "%s",
                       s->kind == CUT_MESSAGE ? "power cut" : explore_way_name(row));
}

enum run_phase explore_strip_phase(const struct strip *s, uint32_t column)
{
    return s->kind == CUT_FLASH     ? s->x->ops[column].phase
           : s->kind == CUT_MESSAGE ? s->x->messages[column].phase
                                    : s->x->borders[column].phase;
}

bool explore_strip_dark(const struct strip *s, uint32_t column)
{
    return s->kind == CUT_FLASH     ? s->x->ops[column].kind == NOR_OP_ERASE
           : s->kind == CUT_MESSAGE ? s->x->messages[column].reply
                                    : s->x->borders[column].dir == LINK_DOWN;
}
