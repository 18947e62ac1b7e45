/*
 * The page of an exploration: one file, nothing to fetch. Shapes and colours are drawn here as SVG,
 * so that the page says what it has to say without scripts; the script adds what the mouse is over,
 * and the replay command of a cell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xml.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/explore_html.h"
#include "scenarios/cli/explore_report.h"

/* ---- text ---- */

static int put_text(struct buf *out, const char *before, const char *text, const char *behind)
{
    int rc = buf_text(out, before);
    rc |= xml_put_text(out, text);
    return rc | buf_text(out, behind);
}

/* A string inside a script element: nothing in it may end the element. */
static int put_script_text(struct buf *out, const char *text)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    int rc = json_put_string(&b, text);
    for (size_t i = 0; rc == 0 && i < b.len_bytes; i++)
        rc = b.data[i] == '<' ? buf_text(out, "\\u003c") : buf_append(out, &b.data[i], 1);
    buf_free(&b);
    return rc;
}

static int put_verdict(struct buf *out, enum verdict v)
{
    return buf_printf(out, "<span class=\"v %s\">%s</span>", verdict_name(v), verdict_name(v));
}

static int put_swatch(struct buf *out, const char *class_name, const char *text)
{
    int rc = buf_printf(out,
                        "<svg class=\"swatch\" width=\"12\" height=\"12\"><rect class=\"%s\" "
                        "width=\"12\" height=\"12\"/></svg>",
                        class_name);
    return rc | xml_put_text(out, text);
}

/* ---- legend and figures ---- */

static const char *const outcome_text[EXPLORE_OUTCOMES] = {
    [EXPLORE_NOT_RUN] = "not run",
    [EXPLORE_NEW] = "reached the new version",
    [EXPLORE_OLD] = "kept the old version",
    [EXPLORE_HALTED] = "stood still until switched off and on",
    [EXPLORE_BENCH_ERROR] = "no verdict: bench error",
    [EXPLORE_WRONG_REPORT] = "wrong report to the cloud",
    [EXPLORE_OTHER] = "another requirement failed",
    [EXPLORE_BRICKED] = "bricked",
};

static int put_legend(struct buf *out, const struct exploration *x)
{
    struct explore_totals t;
    explore_sum(x, &t);
    int rc = buf_text(out, "<p class=\"legend\">");
    for (int o = EXPLORE_NEW; o < EXPLORE_OUTCOMES; o++) {
        char name[64];
        (void)snprintf(name, sizeof name, "o%d", o);
        rc |= buf_printf(out, "<span class=\"%s\">", t.counts[o] == 0 ? "none" : "some");
        rc |= put_swatch(out, name, outcome_text[o]);
        rc |= buf_printf(out, " <b>%" PRIu64 "</b></span>\n", t.counts[o]);
    }
    rc |= buf_text(out, "<span>");
    rc |= put_swatch(out, "sk", "skipped: leaves the same cells as a tear above");
    rc |= buf_text(out, "</span>\n");
    if (t.done < x->n_points) {
        rc |= buf_text(out, "<span>");
        rc |= put_swatch(out, "o0", outcome_text[EXPLORE_NOT_RUN]);
        rc |= buf_text(out, "</span>");
    }
    return rc | buf_text(out, "</p>\n");
}

static int put_row(struct buf *out, const char *name, const struct explore_row *row)
{
    if (row->points == 0)
        return 0;
    int rc = put_text(out, "<tr><td>", name, "</td>");
    return rc | buf_printf(
                    out, "<td>%" PRIu64 "</td><td>%" PRIu64 "</td><td%s>%" PRIu64 "</td></tr>\n",
                    row->points, row->runs, row->failing > 0 ? " class=\"bad\"" : "", row->failing);
}

static int put_tables(struct buf *out, const struct exploration *x, const struct explore_options *o)
{
    struct explore_table table;
    const struct explore_row *row;
    char name[EXPLORE_TEAR_NAME_MAX];
    explore_rows(x, o, &table);
    int rc = buf_text(out, "<div class=\"tables\"><table><tr><th>first cut</th><th>points</th>"
                           "<th>runs</th><th>failing</th></tr>\n");
    for (uint32_t i = 0; explore_row_at(&table, o, i, name, &row); i++)
        rc |= put_row(out, name, row);
    rc |= buf_text(out, "</table><table><tr><th>first cut in</th><th>points</th><th>runs</th>"
                        "<th>failing</th></tr>\n");
    for (int p = 0; p < RUN_PHASES; p++)
        rc |= put_row(out, run_phase_name((enum run_phase)p), &table.phases[p]);
    rc |= buf_text(out, "</table>\n");
    if (x->n_ids > 0) {
        rc |= buf_text(out, "<table><tr><th>failed</th>"
                            "<th class=\"text\">requirement</th><th>runs</th></tr>\n");
        for (uint32_t i = 0; i < x->n_ids; i++) {
            const struct requirement *q = requirement_find(x->ids[i].id);
            rc |= put_text(out, "<tr><td>", x->ids[i].id, "</td><td class=\"text\">");
            rc |= put_text(out, "", q == NULL ? "" : q->text, "</td>");
            rc |= buf_printf(out, "<td class=\"bad\">%" PRIu64 "</td></tr>\n", x->ids[i].runs);
        }
        rc |= buf_text(out, "</table>\n");
    }
    return rc | buf_text(out, "</div>\n");
}

static int put_failure(struct buf *out, const struct exploration *x,
                       const struct explore_failure *f, uint32_t alike)
{
    struct buf command;
    buf_init(&command, 4096);
    int rc = buf_printf(out,
                        "<tr><td class=\"num\"><svg class=\"swatch\" width=\"12\" height=\"12\">"
                        "<rect class=\"o%d\" width=\"12\" height=\"12\"/></svg>%s</td><td>",
                        (int)f->outcome, explore_outcome_name(f->outcome));
    for (uint32_t k = 0; k < f->n_ids; k++)
        rc |= buf_printf(out, "%s%s", k == 0 ? "" : " ", f->ids[k]);
    rc |= put_text(out, "</td><td>", f->detail, "<br><code>");
    rc |= explore_put_replay(&command, x, f->cuts, f->n_cuts);
    rc |= command.data == NULL ? 0 : xml_put_text(out, (const char *)command.data);
    buf_free(&command);
    return rc | buf_printf(out, "</code></td><td>%u</td></tr>\n", alike);
}

static int put_failures(struct buf *out, const struct exploration *x)
{
    if (x->n_failures == 0)
        return 0;
    int rc = buf_text(out, "<h3>What failed, and how to repeat it</h3>\n<table class=\"failures\">"
                           "<tr><th>outcome</th><th>requirements</th><th>why the first failed</th>"
                           "<th>alike</th></tr>\n");
    for (uint32_t i = 0; i < x->n_failures; i++) {
        uint32_t alike = explore_alike(x, i);
        if (alike > 0)
            rc |= put_failure(out, x, &x->failures[i], alike);
    }
    return rc | buf_text(out, "</table>\n");
}

/* ---- for the script ---- */

/* What a column is, for people, and how a cut of it begins in a token. */
static int put_column(struct buf *out, const struct strip *s, uint32_t i)
{
    const struct exploration *x = s->x;
    if (s->kind == CUT_FLASH) {
        const struct run_op *op = &x->ops[i];
        const struct explore_tear any = {.tear = TEAR_PREFIX, .spread = SPREAD_ANY};
        return buf_printf(out, "[%d,%u,%u,%d,%u]", op->kind == NOR_OP_ERASE, op->addr,
                          op->len_bytes, (int)op->phase, explore_cut(x, op, i + 1, &any).arg);
    }
    if (s->kind == CUT_MESSAGE) {
        const struct run_message *m = &x->messages[i];
        return buf_printf(out, "[\"message %u: %s \\\"%s\\\"%s\",\"m%u\",%d]", i + 1,
                          m->reply ? "reply to" : "request", cloud_request_name(m->about),
                          m->reply ? " has arrived" : " was served", i + 1, (int)m->phase);
    }
    const struct run_border *b = &x->borders[i];
    return buf_printf(
        out, "[\"connection %u, %s \\\"%s\\\": %s (byte %" PRIu64 ")\",\"n%u%c%" PRIu64 "\",%d]",
        b->connection, b->dir == LINK_UP ? "request" : "reply to", cloud_request_name(b->about),
        run_place_name(b->place), b->byte, b->connection, b->dir == LINK_UP ? 'u' : 'd', b->byte,
        (int)b->phase);
}

static int put_strip(struct buf *out, const struct strip *s)
{
    int rc = buf_printf(out, "{\"columns\":%u,\"cell\":%u,\"items\":[", s->columns, s->cell_px);
    for (uint32_t i = 0; i < s->n_columns; i++) {
        rc |= buf_text(out, i == 0 ? "" : ",");
        rc |= put_column(out, s, i);
    }
    rc |= buf_text(out, "],\"cells\":[");
    for (uint32_t t = 0; t < s->n_rows; t++) {
        rc |= buf_text(out, t == 0 ? "\"" : ",\"");
        rc |= buf_append(out, s->cells + (size_t)t * s->n_columns, s->n_columns);
        rc |= buf_text(out, "\"");
    }
    rc |= buf_text(out, "],\"rows\":[");
    for (uint32_t t = 0; t < s->n_rows; t++) {
        char name[EXPLORE_TEAR_NAME_MAX];
        explore_strip_row_name(s, t, name);
        rc |= buf_printf(out, "%s\"%s\"", t == 0 ? "" : ",", name);
    }
    return rc | buf_text(out, "]}");
}

/* Sequences: for a cell that stands for more than its own cut. Key: kind/column/row. */
static int put_sequences(struct buf *out, const struct exploration *x,
                         const struct strip strips[EXPLORE_KINDS])
{
    int rc = buf_text(out, "\"bad\":{");
    const char *comma = "";
    for (uint32_t i = 0; i < x->n_failures; i++) {
        const struct explore_failure *f = &x->failures[i];
        if (i > 0 && run_cut_same(&x->failures[i - 1].cuts[0], &f->cuts[0]))
            continue;
        char token[RESULT_TOKEN_MAX];
        explore_token(x, f->cuts, f->n_cuts, token);
        const char *cuts = strrchr(token, '@');
        const struct run_cut *first = &f->cuts[0];
        rc |= buf_printf(out, "%s\"%d/%u/%u\":[", comma, (int)first->kind,
                         explore_item_of(x, first), explore_strip_row(&strips[first->kind], first));
        rc |= put_script_text(out, cuts == NULL ? "" : cuts + 1);
        rc |= buf_text(out, ",\"");
        for (uint32_t k = 0; k < f->n_ids; k++)
            rc |= buf_printf(out, "%s%s", k == 0 ? "" : " ", f->ids[k]);
        rc |= buf_text(out, "\",");
        rc |= put_script_text(out, f->detail);
        rc |= buf_text(out, "]");
        comma = ",";
    }
    return rc | buf_text(out, "}");
}

static int put_script_data(struct buf *out, const struct explore_report *r, uint32_t index,
                           const struct strip strips[EXPLORE_KINDS])
{
    const struct exploration *x = &r->scenarios[index];
    const struct explore_options *o = &r->options;
    struct buf command;
    buf_init(&command, 4096);
    int rc = explore_put_replay(&command, x, NULL, 0);
    rc |= buf_printf(out,
                     "<script type=\"application/json\" id=\"data%u\">{\"granule\":%u,"
                     "\"erase\":%u,\"replay\":",
                     index, x->geometry.granule_bytes, x->geometry.erase_bytes);
    rc |= put_script_text(out, command.data == NULL ? "" : (const char *)command.data);
    buf_free(&command);
    rc |= buf_text(out, ",\"tears\":[");
    for (uint32_t t = 0; t < o->n_tears; t++)
        rc |= buf_printf(out, "%s[\"%s\",%d,%u,%d]", t == 0 ? "" : ",",
                         nor_tear_name(o->tears[t].tear), (int)o->tears[t].tear,
                         o->tears[t].spread == SPREAD_EACH ? x->geometry.granule_bytes
                                                           : o->tears[t].arg,
                         (int)o->tears[t].spread);
    rc |= buf_text(out, "],\"phases\":[");
    for (int p = 0; p < RUN_PHASES; p++)
        rc |= buf_printf(out, "%s\"%s\"", p == 0 ? "" : ",", run_phase_name((enum run_phase)p));
    rc |= buf_text(out, "],\"parts\":[");
    for (size_t i = 0; i < x->partitions.count; i++) {
        const struct partition *p = &x->partitions.part[i];
        rc |= buf_text(out, i == 0 ? "[" : ",[");
        rc |= put_script_text(out, p->name);
        rc |= buf_printf(out, ",%u,%u]", p->offset, p->size_bytes);
    }
    rc |= buf_text(out, "],\"strips\":[");
    for (int k = 0; k < EXPLORE_KINDS; k++) {
        rc |= buf_text(out, k == 0 ? "" : ",");
        rc |= put_strip(out, &strips[k]);
    }
    rc |= buf_text(out, "],");
    rc |= put_sequences(out, x, strips);
    return rc | buf_text(out, "}</script>\n");
}

/* ---- a scenario ---- */

static int put_strips(struct buf *out, const struct strip strips[EXPLORE_KINDS])
{
    static const char *const titles[EXPLORE_KINDS] = {
        [CUT_FLASH] = "Power lost in a flash operation <span>by the way its cells are left</span>",
        [CUT_MESSAGE] = "Power lost right after a message <span>the cloud may know more</span>",
        [CUT_NETWORK] = "Connection lost <span>before the byte at a border of a message</span>"};
    int rc = 0;
    for (int k = 0; k < EXPLORE_KINDS; k++) {
        if (strips[k].n_columns == 0 || (strips[k].options->kinds & (1u << k)) == 0)
            continue;
        rc |= buf_printf(out, "<h3>%s</h3>\n", titles[k]);
        rc |= explore_html_bands(out, &strips[k]);
    }
    return rc;
}

static int put_map(struct buf *out, const struct explore_report *r, uint32_t index)
{
    const struct exploration *x = &r->scenarios[index];
    struct strip strips[EXPLORE_KINDS] = {{.cells = NULL}};
    int rc = 0;
    for (int k = 0; k < EXPLORE_KINDS && rc == 0; k++)
        rc = explore_strip_lay_out(&strips[k], x, &r->options, (enum run_cut_kind)k);
    if (rc == 0) {
        rc = buf_printf(out, "<div class=\"map\" data-index=\"%u\">\n<div class=\"bands\">\n",
                        index);
        rc |= put_strips(out, strips);
        rc |= buf_text(out, "</div>\n<div class=\"flash\">\n");
        rc |= explore_html_flash(out, &strips[CUT_FLASH]);
        rc |= buf_text(out, "</div>\n</div>\n<p class=\"command\">Click a cell for the command "
                            "that repeats it.</p>\n");
        rc |= put_script_data(out, r, index, strips);
    }
    for (int k = 0; k < EXPLORE_KINDS; k++)
        free(strips[k].cells);
    return rc;
}

static int put_scenario(struct buf *out, const struct explore_report *r, uint32_t index)
{
    const struct exploration *x = &r->scenarios[index];
    struct explore_totals t;
    explore_sum(x, &t);
    enum verdict v = explore_verdict(x, explore_report_share(r, index));
    bool open = r->count == 1 ||
                (v != VERDICT_PASS && v != VERDICT_EXPECTED_FAIL && v != VERDICT_NOT_APPLICABLE);
    int rc = buf_printf(out, "<details id=\"s%u\"%s><summary>", index, open ? " open" : "");
    rc |= put_verdict(out, v);
    rc |= put_text(out, " <b>", x->name, "</b></summary>\n");
    if (x->cause[0] != '\0')
        return rc | put_text(out, "<p>Not explored: ", x->cause, "</p></details>\n");
    if (x->n_points == 0)
        return rc | buf_text(out, "<p>Nothing to cut.</p></details>\n");
    rc |= put_text(out, "<p class=\"sub\">From version ", x->old_version, " to ");
    rc |= put_text(out, "", x->new_version, ". ");
    rc |= buf_printf(out,
                     "%u flash operations, %u messages, %u points, %" PRIu64
                     " of them done with %" PRIu64 " runs; %" PRIu64
                     " runs failed. A cell shows the worst that came of a cut there.</p>\n",
                     x->n_ops, x->n_messages, x->n_points, t.done, t.runs, t.failing);
    rc |= put_legend(out, x);
    rc |= put_map(out, r, index);
    rc |= put_tables(out, x, &r->options);
    rc |= put_failures(out, x);
    return rc | buf_text(out, "</details>\n");
}

/* ---- the page ---- */

#define BAR_PX 240u

/* What became of all runs, as one bar: the bad news at least two pixels wide. */
static int put_bar(struct buf *out, const struct explore_totals *t)
{
    int rc = buf_printf(out, "<svg class=\"bar\" width=\"%u\" height=\"12\">", BAR_PX);
    uint64_t from = 0;
    for (int o = EXPLORE_OUTCOMES - 1; o >= EXPLORE_NEW && t->runs > 0; o--) {
        uint64_t w = t->counts[o] * BAR_PX / t->runs;
        w = t->counts[o] > 0 && w < 2 ? 2 : w;
        if (w > 0)
            rc |= buf_printf(
                out, "<rect class=\"o%d\" x=\"%" PRIu64 "\" width=\"%" PRIu64 "\" height=\"12\"/>",
                o, from, w);
        from += w;
    }
    return rc | buf_text(out, "</svg>");
}

static int put_overview(struct buf *out, const struct explore_report *r)
{
    int rc = buf_text(out, "<table class=\"overview\"><tr><th>verdict</th><th>scenario</th>"
                           "<th>outcomes</th><th>operations</th><th>runs</th><th>failing</th>"
                           "</tr>\n");
    for (uint32_t i = 0; i < r->count; i++) {
        const struct exploration *x = &r->scenarios[i];
        struct explore_totals t;
        explore_sum(x, &t);
        rc |= buf_text(out, "<tr><td>");
        rc |= put_verdict(out, explore_verdict(x, explore_report_share(r, i)));
        rc |= buf_printf(out, "</td><td><a href=\"#s%u\">", i);
        rc |= put_text(out, "", x->name, "</a></td><td>");
        rc |= put_bar(out, &t);
        rc |= buf_printf(out,
                         "</td><td class=\"num\">%u</td><td class=\"num\">%" PRIu64
                         "</td><td class=\"num%s\">%" PRIu64 "</td></tr>\n",
                         x->n_ops, t.runs, t.failing > 0 ? " bad" : "", t.failing);
    }
    return rc | buf_text(out, "</table>\n");
}

static int put_head(struct buf *out, const struct explore_report *r)
{
    uint64_t runs = 0, failing = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        struct explore_totals t;
        explore_sum(&r->scenarios[i], &t);
        runs += t.runs;
        failing += t.failing;
    }
    const struct explore_options *o = &r->options;
    int rc = buf_printf(out, "<h1>%" PRIu64 " of %" PRIu64 " cuts did harm</h1>\n", failing, runs);
    rc |= buf_text(out, "<p class=\"sub\">otabench " OTABENCH_VERSION " explore, ");
    rc |= o->sample > 0
              ? buf_printf(out, "%" PRIu64 " random sequences of up to %u cuts, seed 0x%" PRIx64,
                           o->sample, o->depth, o->sample_seed)
          : o->depth == 1 ? buf_text(out, "every single cut")
                          : buf_printf(out, "every sequence of up to %u cuts", o->depth);
    if (r->shards > 1)
        rc |= buf_printf(out, ", shard %u of %u", r->shard, r->shards);
    rc |= buf_text(out, "</p>\n");
    if (!r->complete)
        rc |= buf_text(out, "<p class=\"warning\">Incomplete: some points have no result.</p>\n");
    return rc;
}

int explore_html_put(struct buf *out, const struct explore_report *r)
{
    int rc = buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n"
                           "<title>otabench explore</title>\n<style>\n");
    rc |= buf_text(out, explore_html_style);
    rc |= buf_text(out, "</style></head><body>\n");
    rc |= put_head(out, r);
    if (r->count > 1)
        rc |= put_overview(out, r);
    for (uint32_t i = 0; i < r->count; i++)
        rc |= put_scenario(out, r, i);
    rc |= buf_text(out, "<div id=\"tip\"></div>\n<script>\n");
    rc |= buf_text(out, explore_html_script);
    rc |= buf_text(out, explore_html_script_map);
    rc |= buf_text(out, "</script></body></html>\n");
    return rc == 0 ? 0 : ERR_LIMIT;
}
