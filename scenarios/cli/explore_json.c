/* Writing the JSON report. Written by hand: cJSON prints integers through a double. */
#include <inttypes.h>
#include <string.h>

#include "common/json.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/explore_report.h"

/* A buffer that is full stays full: errors add up, and the caller looks once. */
static int put_text(struct buf *out, const char *key, const char *value, const char *behind)
{
    int rc = buf_printf(out, "\"%s\":", key);
    rc |= json_put_string(out, value);
    return rc | buf_text(out, behind);
}

static const char *dir_name(enum link_dir dir)
{
    return dir == LINK_UP ? "up" : "down";
}

static int put_cuts(struct buf *out, const struct run_cut *cuts, uint32_t n)
{
    int rc = buf_text(out, "\"cuts\":[");
    for (uint32_t i = 0; i < n; i++) {
        const struct run_cut *c = &cuts[i];
        rc |= buf_text(out, i == 0 ? "[" : ",[");
        if (c->kind == CUT_FLASH)
            rc |= buf_printf(out, "%" PRIu64 ",\"%s\",%u", c->op, nor_tear_name(c->tear), c->arg);
        else if (c->kind == CUT_MESSAGE)
            rc |= buf_printf(out, "\"message\",%" PRIu64, c->op);
        else
            rc |= buf_printf(out, "\"net\",%u,\"%s\",%" PRIu64 ",\"%s\"", c->connection,
                             dir_name(c->dir), c->byte, explore_way_name(explore_way_of(c)));
        rc |= buf_text(out, "]");
    }
    return rc | buf_text(out, "]");
}

static const char *explore_spread_text(enum explore_spread s)
{
    return s == SPREAD_EACH ? ",\"each\"" : s == SPREAD_ANY ? ",\"any\"" : "";
}

static int put_options(struct buf *out, const struct explore_report *r)
{
    const struct explore_options *o = &r->options;
    int rc = buf_printf(out, "\"shard\":%u,\"shards\":%u,\"complete\":%s,\n\"kinds\":[", r->shard,
                        r->shards, r->complete ? "true" : "false");
    const char *comma = "";
    for (int k = 0; k < EXPLORE_KINDS; k++)
        if ((o->kinds & (1u << k)) != 0) {
            rc |= buf_printf(out, "%s\"%s\"", comma, explore_kind_name((enum run_cut_kind)k));
            comma = ",";
        }
    rc |= buf_printf(out, "],\"depth\":%u,\"tears\":[", o->depth);
    for (uint32_t t = 0; t < o->n_tears; t++)
        rc |= buf_printf(out, "%s[\"%s\",%u%s]", t == 0 ? "" : ",", nor_tear_name(o->tears[t].tear),
                         o->tears[t].arg, explore_spread_text(o->tears[t].spread));
    return rc | buf_printf(out, "],\"sample\":%" PRIu64 ",\"sample_seed\":\"0x%" PRIx64 "\",\n",
                           o->sample, o->sample_seed);
}

static int put_chip(struct buf *out, const struct exploration *x)
{
    int rc = buf_printf(out,
                        "  \"chip\":{\"size_bytes\":%u,\"erase_bytes\":%u,\"granule_bytes\":%u,"
                        "\"write_back_ops\":%u,\"partitions\":[",
                        x->geometry.size_bytes, x->geometry.erase_bytes, x->geometry.granule_bytes,
                        x->geometry.write_back_ops);
    for (size_t i = 0; i < x->partitions.count; i++) {
        const struct partition *p = &x->partitions.part[i];
        rc |= buf_text(out, i == 0 ? "{" : ",{");
        rc |= put_text(out, "name", p->name, ",");
        rc |= buf_printf(out, "\"offset\":%u,\"size_bytes\":%u}", p->offset, p->size_bytes);
    }
    return rc | buf_text(out, "]},\n");
}

static int put_ops(struct buf *out, const struct exploration *x)
{
    int rc = buf_text(out, "  \"ops\":[");
    for (uint32_t i = 0; i < x->n_ops; i++) {
        const struct run_op *op = &x->ops[i];
        rc |= buf_printf(out, "%s[\"%s\",%u,%u,\"%s\"]", i == 0 ? "\n" : ",\n",
                         op->kind == NOR_OP_ERASE ? "erase" : "program", op->addr, op->len_bytes,
                         run_phase_name(op->phase));
    }
    rc |= buf_text(out, "],\n  \"messages\":[");
    for (uint32_t i = 0; i < x->n_messages; i++) {
        const struct run_message *m = &x->messages[i];
        rc |= buf_printf(out, "%s[\"%s\",\"%s\",%u,\"%s\"]", i == 0 ? "\n" : ",\n",
                         m->reply ? "reply" : "request", cloud_request_name(m->about), m->ops,
                         run_phase_name(m->phase));
    }
    rc |= buf_text(out, "],\n  \"borders\":[");
    for (uint32_t i = 0; i < x->n_borders; i++) {
        const struct run_border *b = &x->borders[i];
        rc |= buf_printf(out, "%s[%u,\"%s\",%" PRIu64 ",\"%s\",\"%s\",%u,%u,\"%s\"]",
                         i == 0 ? "\n" : ",\n", b->connection, dir_name(b->dir), b->byte,
                         run_place_name(b->place), cloud_request_name(b->about), b->ops,
                         b->messages, run_phase_name(b->phase));
    }
    return rc | buf_text(out, "]");
}

static int put_points(struct buf *out, const struct exploration *x)
{
    int rc = buf_text(out, "  \"points\":[");
    bool first = true;
    for (uint32_t i = 0; i < x->n_points; i++) {
        const struct explore_point *p = &x->points[i];
        if (p->outcome == EXPLORE_NOT_RUN)
            continue;
        rc |= buf_printf(out, "%s{\"point\":%u,", first ? "\n" : ",\n", i);
        rc |= put_cuts(out, p->cuts, p->n_cuts);
        rc |= buf_printf(out, ",\"outcome\":\"%s\",\"runs\":{", explore_outcome_name(p->outcome));
        const char *comma = "";
        for (int o = 0; o < EXPLORE_OUTCOMES; o++)
            if (p->counts[o] > 0) {
                rc |= buf_printf(out, "%s\"%s\":%u", comma,
                                 explore_outcome_name((enum explore_outcome)o), p->counts[o]);
                comma = ",";
            }
        rc |= buf_text(out, "}}");
        first = false;
    }
    return rc | buf_text(out, "],\n");
}

static int put_failures(struct buf *out, const struct exploration *x)
{
    int rc = buf_text(out, "  \"failures\":[");
    for (uint32_t i = 0; i < x->n_failures; i++) {
        const struct explore_failure *f = &x->failures[i];
        char token[RESULT_TOKEN_MAX];
        explore_token(x, f->cuts, f->n_cuts, token);
        rc |= buf_printf(out, "%s{\"point\":%u,", i == 0 ? "\n" : ",\n", f->point);
        rc |= put_cuts(out, f->cuts, f->n_cuts);
        rc |= buf_printf(out, ",\"outcome\":\"%s\",\"ids\":[", explore_outcome_name(f->outcome));
        for (uint32_t k = 0; k < f->n_ids; k++)
            rc |= buf_printf(out, "%s\"%s\"", k == 0 ? "" : ",", f->ids[k]);
        rc |= buf_text(out, "],");
        rc |= put_text(out, "detail", f->detail, ",");
        rc |= put_text(out, "token", token, "}");
    }
    return rc | buf_text(out, "],\n");
}

static int put_scenario(struct buf *out, const struct explore_report *r, uint32_t index)
{
    const struct exploration *x = &r->scenarios[index];
    struct explore_totals t;
    explore_sum(x, &t);
    int rc = buf_text(out, "{");
    rc |= put_text(out, "name", x->name, ",\n  ");
    rc |= put_text(out, "path", x->path, ",\n");
    rc |= buf_printf(out, "  \"seed\":\"0x%" PRIx64 "\",", x->seed);
    rc |= put_text(out, "old_version", x->old_version, ",");
    rc |= put_text(out, "new_version", x->new_version, ",\n  ");
    rc |= put_text(out, "trace_sha256", x->trace_sha256, ",\n  ");
    rc |= put_text(out, "baseline", verdict_name(x->baseline), ",");
    rc |= put_text(out, "cause", x->cause, ",\n  ");
    rc |= put_text(out, "verdict", verdict_name(explore_verdict(x, explore_report_share(r, index))),
                   ",\n");
    rc |= buf_printf(out,
                     "  \"summary\":{\"operations\":%u,\"points\":%u,\"done\":%" PRIu64
                     ",\"runs\":%" PRIu64 ",\"failing\":%" PRIu64 ",\"flash_ops\":%" PRIu64,
                     x->n_ops, x->n_points, t.done, t.runs, t.failing, x->flash_ops);
    for (int o = EXPLORE_NEW; o < EXPLORE_OUTCOMES; o++)
        rc |= buf_printf(out, ",\"%s\":%" PRIu64, explore_outcome_name((enum explore_outcome)o),
                         t.counts[o]);
    rc |= buf_text(out, "},\n  \"fails\":[");
    for (uint32_t i = 0; i < x->n_fails; i++)
        rc |= buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", x->fails[i]);
    rc |= buf_text(out, "],\"requirements\":{");
    for (uint32_t i = 0; i < x->n_ids; i++)
        rc |= buf_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", x->ids[i].id, x->ids[i].runs);
    rc |= buf_text(out, "},\n");
    rc |= put_failures(out, x);
    rc |= put_chip(out, x);
    rc |= put_points(out, x);
    rc |= put_ops(out, x);
    return rc | buf_text(out, "}");
}

int explore_json_put(struct buf *out, const struct explore_report *r)
{
    int rc = buf_text(out, "{\"otabench\":\"" OTABENCH_VERSION "\",\"report\":\"explore\",\n");
    rc |= put_options(out, r);
    rc |= buf_text(out, "\"scenarios\":[\n");
    for (uint32_t i = 0; i < r->count; i++) {
        rc |= put_scenario(out, r, i);
        rc |= buf_text(out, i + 1 < r->count ? ",\n" : "\n");
    }
    rc |= buf_printf(out, "],\"exit_code\":%d}\n", explore_report_exit_code(r));
    return rc == 0 ? 0 : ERR_LIMIT;
}
