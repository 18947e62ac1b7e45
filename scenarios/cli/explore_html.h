/* Parts of the page of an exploration: the strip of cuts, the map of the chip, style and script.
 * Used by explore_html.c only. */
#ifndef OTABENCH_CLI_EXPLORE_HTML_H
#define OTABENCH_CLI_EXPLORE_HTML_H

#include "common/bytes.h"
#include "scenarios/engine/explore.h"

#define STRIP_SKIPPED '-' /* leaves the same cells as a tear above it */

/* Columns are operations, rows are tears; broken into bands like lines of text. */
struct strip {
    const struct exploration *x;
    const struct explore_options *options;
    char *cells; /* [tear][operation]: STRIP_SKIPPED or '0' + enum explore_outcome; owned */
    uint32_t n_ops, n_tears;
    uint32_t columns, bands, cell_px;
};

int explore_html_bands(struct buf *out, const struct strip *s);
int explore_html_flash(struct buf *out, const struct strip *s);

extern const char explore_html_style[];
extern const char explore_html_script[];

#endif
