/* An exploration on the terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/cli/explore_report.h"

static const char *shade(enum verdict v, bool colour)
{
    if (!colour)
        return "";
    switch (v) {
    case VERDICT_PASS:
    case VERDICT_EXPECTED_FAIL:
        return "\x1b[32m";
    case VERDICT_FAIL:
    case VERDICT_UNEXPECTED_PASS:
        return "\x1b[31;1m";
    case VERDICT_ERROR:
    case VERDICT_INCONCLUSIVE:
        return "\x1b[33m";
    case VERDICT_NOT_APPLICABLE:
    case VERDICT_NOT_OBSERVABLE:
        break;
    }
    return "";
}

static int put_outcomes(struct buf *out, const struct exploration *x)
{
    struct explore_totals t;
    explore_sum(x, &t);
    int rc = buf_printf(out, "  %" PRIu64 " runs", t.runs);
    const char *comma = ":";
    for (int o = EXPLORE_NEW; o < EXPLORE_OUTCOMES; o++)
        if (t.counts[o] > 0) {
            rc |= buf_printf(out, "%s %" PRIu64 " %s", comma, t.counts[o],
                             explore_outcome_name((enum explore_outcome)o));
            comma = ",";
        }
    return rc | buf_text(out, "\n");
}

/* Tears that leave the same cells, and how many points that saved. */
static int put_skipped(struct buf *out, const struct exploration *x,
                       const struct explore_options *o)
{
    int rc = 0;
    for (uint32_t t = 0; t < o->n_tears && (o->kinds & EXPLORE_FLASH) != 0; t++)
        for (uint32_t like = 0; like < t; like++)
            for (int kind = NOR_OP_PROGRAM; kind <= NOR_OP_ERASE; kind++) {
                uint32_t n = 0;
                for (uint32_t i = 0; i < x->n_ops; i++)
                    n += x->ops[i].kind == (enum nor_op_kind)kind &&
                         explore_same_tear(x, &x->ops[i], o, t) == like;
                if (n == 0)
                    continue;
                char a[EXPLORE_TEAR_NAME_MAX], b[EXPLORE_TEAR_NAME_MAX];
                explore_tear_name(&o->tears[t], a);
                explore_tear_name(&o->tears[like], b);
                rc |= buf_printf(out, "  skipped: %s leaves the same as %s on %u %s\n", a, b, n,
                                 kind == NOR_OP_ERASE ? "erases" : "programs");
            }
    return rc;
}

static int put_row(struct buf *out, const char *name, const struct explore_row *row)
{
    if (row->points == 0)
        return 0;
    int rc = buf_printf(out, "    %-15s %7" PRIu64 " %8" PRIu64 " %8" PRIu64, name, row->points,
                        row->runs, row->failing);
    if (row->errors > 0)
        rc |= buf_printf(out, "  (%" PRIu64 " bench errors)", row->errors);
    return rc | buf_text(out, "\n");
}

static int put_tables(struct buf *out, const struct exploration *x, const struct explore_options *o)
{
    struct explore_table table;
    const struct explore_row *row;
    char name[EXPLORE_TEAR_NAME_MAX];
    explore_rows(x, o, &table);
    int rc = buf_printf(out, "    %-15s %7s %8s %8s\n", "first cut", "points", "runs", "failing");
    for (uint32_t i = 0; explore_row_at(&table, o, i, name, &row); i++)
        rc |= put_row(out, name, row);
    rc |= buf_printf(out, "    %-15s %7s %8s %8s\n", "first cut in", "points", "runs", "failing");
    for (int p = 0; p < RUN_PHASES; p++)
        rc |= put_row(out, run_phase_name((enum run_phase)p), &table.phases[p]);
    return rc;
}

static int put_failures(struct buf *out, const struct exploration *x, uint32_t most)
{
    int rc = 0;
    for (uint32_t i = 0; i < x->n_ids; i++) {
        const struct requirement *q = requirement_find(x->ids[i].id);
        rc |= buf_printf(out, "  %-7s failed in %" PRIu64 " runs: %s\n", x->ids[i].id,
                         x->ids[i].runs, q == NULL ? "" : q->text);
    }
    uint32_t shown = 0;
    for (uint32_t i = 0; i < x->n_failures && shown < most; i++) {
        const struct explore_failure *f = &x->failures[i];
        uint32_t alike = explore_alike(x, i);
        if (alike == 0)
            continue;
        shown++;
        rc |= buf_printf(out, "  %s", explore_outcome_name(f->outcome));
        for (uint32_t k = 0; k < f->n_ids; k++)
            rc |= buf_printf(out, " %s", f->ids[k]);
        rc |= buf_printf(out, ": %s\n    ", f->detail);
        rc |= explore_put_replay(out, x, f->cuts, f->n_cuts);
        rc |= alike > 1 ? buf_printf(out, "  # and %u more like it\n", alike - 1)
                        : buf_text(out, "\n");
    }
    return rc;
}

int explore_text_put(struct buf *out, const struct explore_report *r, uint32_t failures,
                     bool colour)
{
    int rc = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct exploration *x = &r->scenarios[i];
        uint64_t share = explore_report_share(r, i);
        enum verdict v = explore_verdict(x, share);
        rc |= buf_printf(out, "%s%-15s%s %s\n", shade(v, colour), verdict_name(v),
                         colour ? "\x1b[0m" : "", x->name);
        if (x->cause[0] != '\0') {
            rc |= buf_printf(out, "  not explored: %s\n", x->cause);
            continue;
        }
        struct explore_totals t;
        explore_sum(x, &t);
        rc |= buf_printf(out, "  %u flash operations, %u messages", x->n_ops, x->n_messages);
        if ((r->options.kinds & EXPLORE_NETWORK) != 0)
            rc |= buf_printf(out, ", %u borders", x->n_borders);
        rc |= buf_printf(out, ", %u points", x->n_points);
        if (r->shards > 1)
            rc |= buf_printf(out, ", %" PRIu64 " in this shard", share);
        rc |= t.done < share ? buf_printf(out, ", only %" PRIu64 " done\n", t.done)
                             : buf_text(out, "\n");
        rc |= put_outcomes(out, x);
        if (t.runs == 0)
            continue;
        rc |= put_skipped(out, x, &r->options);
        rc |= put_tables(out, x, &r->options);
        rc |= put_failures(out, x, failures);
    }
    return rc == 0 ? 0 : ERR_LIMIT;
}
