/* Parts of the page of an exploration: the strip of cuts, the map of the chip, style and script.
 * Used by explore_html.c only. */
#ifndef OTABENCH_CLI_EXPLORE_HTML_H
#define OTABENCH_CLI_EXPLORE_HTML_H

#include "common/bytes.h"
#include "scenarios/engine/explore.h"

#define STRIP_SKIPPED '-' /* leaves the same cells as a tear above it */

/* One kind of cut: columns are what can be cut, rows are how; broken into bands like lines of text.
 * Flash: operations and tears; messages, in one row; borders of messages and ways to lose a
 * connection there. */
struct strip {
    const struct exploration *x;
    const struct explore_options *options;
    enum run_cut_kind kind;
    char *cells; /* [row][column]: STRIP_SKIPPED or '0' + enum explore_outcome; owned */
    uint32_t n_columns, n_rows;
    uint32_t columns, bands, cell_px; /* of a band */
};
/* ERR_NOMEM. Free cells. */
int explore_strip_lay_out(struct strip *s, const struct exploration *x,
                          const struct explore_options *o, enum run_cut_kind kind);
void explore_strip_row_name(const struct strip *s, uint32_t row, char name[EXPLORE_TEAR_NAME_MAX]);
enum run_phase explore_strip_phase(const struct strip *s, uint32_t column);
/* The darker of the two kinds of columns: erase, reply, to the device. */
bool explore_strip_dark(const struct strip *s, uint32_t column);
/* The row a cut of this kind is in; n_rows when none. */
uint32_t explore_strip_row(const struct strip *s, const struct run_cut *cut);

int explore_html_bands(struct buf *out, const struct strip *s);
int explore_html_flash(struct buf *out, const struct strip *s);

extern const char explore_html_style[];
extern const char explore_html_script[];     /* what all maps share, then */
extern const char explore_html_script_map[]; /* each map */

#endif
