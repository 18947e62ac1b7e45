/* A closure of a whole update in words, and as JSON. */
#include <inttypes.h>

#include "common/json.h"
#include "scenarios/engine/whole_internal.h"

/* ---- in words ---- */

static const char *kind_name(enum nor_op_kind kind)
{
    return kind == NOR_OP_ERASE ? "erase" : "program";
}

static int put_step(const struct whole_step *s, struct buf *out)
{
    const struct run_cut *c = &s->cut;
    int rc = 0;
    if (s->reset)
        return buf_text(out, "      the device resets itself\n");
    if (s->lost) {
        const char *how = c->action == LINK_STALL   ? "silent"
                          : c->action == LINK_CLOSE ? "closed"
                                                    : "reset";
        return buf_printf(out, "      connection %u %s before byte %" PRIu64 " %s\n", c->connection,
                          how, c->byte, c->dir == LINK_UP ? "up" : "down");
    }
    if (c->after == RUN_CUT_IDLE)
        rc = buf_printf(out, "      cut when idle, behind operation %" PRIu64, c->op);
    else if (c->after > 0)
        rc = buf_printf(out, "      cut behind operation %" PRIu64 ", at reply %u of the cloud",
                        c->op, c->after);
    else
        rc = buf_printf(out, "      cut at operation %" PRIu64 ", %s of %u bytes at 0x%x, %s",
                        c->op, kind_name(s->kind), s->len_bytes, s->addr, nor_tear_name(c->tear));
    if (rc == 0 && c->reading > 0)
        rc = buf_printf(out, "; weak cells then read by variant %u", c->reading - 1);
    return rc == 0 ? buf_text(out, "\n") : rc;
}

static int put_failure(const struct whole_failure *f, struct buf *out)
{
    int rc = buf_text(out, "   ");
    for (uint32_t i = 0; rc == 0 && i < f->n_ids; i++)
        rc = buf_printf(out, " %s", f->ids[i]);
    if (rc == 0)
        rc = buf_printf(out, ": %s\n", f->detail);
    if (rc == 0 && f->token[0] != '\0')
        rc = buf_printf(out, "      otabench replay '%s'\n", f->token);
    if (rc == 0 && !f->confirmed)
        rc = buf_printf(out, "      NOT confirmed: %s\n",
                        f->token[0] == '\0' ? "more cuts than a token holds"
                                            : "a run from the start with these cuts passes");
    for (uint32_t i = 0; rc == 0 && i < f->path_len && i < WHOLE_PATH_MAX; i++)
        rc = put_step(&f->path[i], out);
    if (rc == 0 && f->in_heal)
        rc = buf_text(out, "      it shows in the heal phase\n");
    return rc;
}

static int put_proof(const struct whole_result *r, struct buf *out)
{
    if (r->failing > 0)
        return buf_printf(out, "  %u run%s failed a requirement%s\n", r->failing,
                          r->failing == 1 ? "" : "s",
                          r->bound == NULL ? ", all other states were run" : "");
    if (!r->closed)
        return buf_printf(out,
                          "  bounded: %s. Of %u states, up to %u cuts in a row, none that was run "
                          "leads outside\n",
                          r->bound == NULL ? "it did not come to its end" : r->bound,
                          r->states + r->resets, r->depth);
    int rc = buf_printf(out,
                        "  closed: %u states, every one reaches %s%s within %u boot%s and can be "
                        "updated again; no cut sequence of any length leads outside",
                        r->states + r->resets, r->new_version,
                        r->ends_old > 0 ? " or keeps a complete older version" : "",
                        r->boots_needed, r->boots_needed == 1 ? "" : "s");
    if (rc == 0 && r->losses > 0)
        rc = buf_printf(out, ", with at most %u connection%s lost in each power-on", r->losses,
                        r->losses == 1 ? "" : "s");
    if (rc == 0)
        rc = buf_text(out, "\n");
    if (rc == 0 && !r->over_mqtt)
        rc = buf_text(out,
                      "  not in it: time between power-ons. Each begins at the same moment, so no "
                      "record of the cloud times out and no URL expires in between\n");
    if (rc == 0 && r->moments > 0)
        rc = buf_text(out, "  nor how long a power-on has lasted where starts are joined\n");
    if (rc != 0 || !r->over_mqtt)
        return rc;
    return buf_text(
        out, "  not in it: time between power-ons. At each of them signed URLs, trial deadlines "
             "and pauses begin anew, no record times out,\n"
             "  and the broker knows at once that the connection is gone\n");
}

static int put_counts(const struct whole_result *r, struct buf *out)
{
    int rc = buf_printf(out,
                        "  %u states after a cut and %u after a reset, of %u sets of contents of "
                        "the flash, %u of the "
                        "cloud, %u of the judge; the deepest after %u cuts\n",
                        r->states, r->resets, r->flash_states, r->cloud_states, r->judge_states,
                        r->depth);
    if (rc == 0)
        rc = buf_printf(
            out,
            "  executed: %" PRIu64 " starts and %" PRIu64 " heal phases; recalled: %" PRIu64
            " starts; %u starts were of known states, for a stricter judge\n"
            "  worked out: %" PRIu64 " cuts, %" PRIu64 " edges; decided: %" PRIu64 " cuts\n",
            r->starts, r->heals, r->recalled, r->again, r->points, r->edges, r->decided);
    if (rc == 0)
        rc = buf_printf(out,
                        "  starts that ended idle: %u on %s, %u on another complete version, "
                        "%u on none\n",
                        r->ends_new, r->new_version[0] == '\0' ? "the new version" : r->new_version,
                        r->ends_old, r->ends_other);
    if (rc == 0 && r->losses > 0)
        rc = buf_printf(out,
                        "  connections lost: %" PRIu64 " of the starts executed, %" PRIu64
                        " parts of states followed, %u ways to lose them; %u moments within "
                        "power-ons\n",
                        r->lost_starts, r->lost_parts, r->ways_lost, r->moments);
    if (rc == 0 && r->merged > 0)
        rc =
            buf_printf(out,
                       "  %" PRIu64 " parts of states differed from another only in what is erased "
                       "before anyone looks; one stands for all of them\n",
                       r->merged);
    if (rc == 0 && r->audited + r->audited_heals > 0)
        rc = buf_printf(out,
                        "  audited: %" PRIu64 " starts and %" PRIu64 " heal phases really run from "
                        "a content drawn, %" PRIu64 " of the starts cut as well\n",
                        r->audited, r->audited_heals, r->audited_cuts);
    if (rc == 0 && r->audited_moments > 0)
        rc = buf_printf(out, "  they went on through %" PRIu64 " moments as was known of these\n",
                        r->audited_moments);
    if (rc == 0 && r->closed)
        rc = buf_printf(out,
                        "  minimum useful power-on: %u flash operations, %" PRId64
                        " ms of virtual time; so much at most %u times\n",
                        r->work_ops, (r->work_ns + NS_PER_MS - 1) / NS_PER_MS, r->work_boots);
    return rc;
}

int whole_describe(const struct whole_result *r, const char *name, struct buf *out)
{
    int rc = buf_printf(out, "%-15s %s\n", verdict_name(whole_verdict(r)), name);
    if (rc == 0)
        rc = put_proof(r, out);
    for (uint32_t i = 0; rc == 0 && i < r->n_failures; i++)
        rc = put_failure(&r->failures[i], out);
    return rc == 0 ? put_counts(r, out) : rc;
}

/* ---- as JSON ---- */

static int json_step(const struct whole_step *s, bool first, struct buf *out)
{
    const struct run_cut *c = &s->cut;
    int rc = buf_text(out, first ? "" : ",");
    if (rc == 0 && s->reset)
        return buf_text(out, "{\"reset\":true}");
    if (rc == 0 && s->lost)
        return buf_printf(
            out, "{\"connection\":%u,\"direction\":\"%s\",\"byte\":%" PRIu64 ",\"lost_by\":\"%s\"}",
            c->connection, c->dir == LINK_UP ? "up" : "down", c->byte,
            c->action == LINK_STALL ? "silence" : link_action_name(c->action));
    if (rc == 0)
        rc = buf_printf(out, "{\"operation\":%" PRIu64, c->op);
    if (rc == 0 && c->after == RUN_CUT_IDLE)
        rc = buf_text(out, ",\"idle\":true");
    else if (rc == 0 && c->after > 0)
        rc = buf_printf(out, ",\"reply\":%u", c->after);
    else if (rc == 0)
        rc = buf_printf(out,
                        ",\"kind\":\"%s\",\"address\":%u,\"bytes\":%u,\"tear\":\"%s\",\"arg\":%u",
                        kind_name(s->kind), s->addr, s->len_bytes, nor_tear_name(c->tear), c->arg);
    if (rc == 0 && c->reading > 0)
        rc = buf_printf(out, ",\"reading\":%u", c->reading - 1);
    return rc == 0 ? buf_text(out, "}") : rc;
}

static int json_failure(const struct whole_failure *f, bool first, struct buf *out)
{
    int rc = buf_printf(out, "%s{\"confirmed\":%s,\"in_heal\":%s,\"cuts\":%u,\"ids\":[",
                        first ? "" : ",", f->confirmed ? "true" : "false",
                        f->in_heal ? "true" : "false", f->n_cuts);
    for (uint32_t i = 0; rc == 0 && i < f->n_ids; i++)
        rc = buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", f->ids[i]);
    if (rc == 0)
        rc = buf_text(out, "],\"detail\":");
    if (rc == 0)
        rc = json_put_string(out, f->detail);
    if (rc == 0)
        rc = buf_text(out, ",\"token\":");
    if (rc == 0)
        rc = f->token[0] == '\0' ? buf_text(out, "null") : json_put_string(out, f->token);
    if (rc == 0)
        rc = buf_text(out, ",\"path\":[");
    for (uint32_t i = 0; rc == 0 && i < f->path_len && i < WHOLE_PATH_MAX; i++)
        rc = json_step(&f->path[i], i == 0, out);
    return rc == 0 ? buf_text(out, "]}") : rc;
}

static int json_counts(const struct whole_result *r, struct buf *out)
{
    int rc = buf_printf(
        out,
        ",\"states\":%u,\"resets\":%u,\"flash_states\":%u,\"cloud_states\":%u,"
        "\"judge_states\":%u,\"depth\":%u,\"starts\":%" PRIu64 ",\"recalled\":%" PRIu64
        ",\"again\":%u,\"heals\":%" PRIu64 ",\"merged\":%" PRIu64 ",\"points_executed\":%" PRIu64
        ",\"points_decided\":%" PRIu64 ",\"edges\":%" PRIu64
        ",\"ends\":{\"new\":%u,\"old\":%u,\"none\":%u},\"boots_needed\":%u",
        r->states, r->resets, r->flash_states, r->cloud_states, r->judge_states, r->depth,
        r->starts, r->recalled, r->again, r->heals, r->merged, r->points, r->decided, r->edges,
        r->ends_new, r->ends_old, r->ends_other, r->boots_needed);
    if (rc == 0 && r->closed)
        rc = buf_printf(out,
                        ",\"power_on\":{\"operations\":%u,\"virtual_us\":%" PRId64 ",\"times\":%u}",
                        r->work_ops, r->work_ns / NS_PER_US, r->work_boots);
    if (rc == 0 && r->losses > 0)
        rc = buf_printf(out,
                        ",\"losses\":{\"per_power_on\":%u,\"starts\":%" PRIu64 ",\"parts\":%" PRIu64
                        ",\"ways\":%u,\"moments\":%u}",
                        r->losses, r->lost_starts, r->lost_parts, r->ways_lost, r->moments);
    if (rc == 0)
        rc = buf_printf(out,
                        ",\"audited\":{\"starts\":%" PRIu64 ",\"cuts\":%" PRIu64
                        ",\"heals\":%" PRIu64 ",\"moments\":%" PRIu64 "}",
                        r->audited, r->audited_cuts, r->audited_heals, r->audited_moments);
    if (rc == 0)
        rc = buf_printf(out, ",\"failing\":%u,\"unconfirmed\":%u", r->failing, r->unconfirmed);
    return rc;
}

int whole_json(const struct whole_result *r, const char *name, struct buf *out)
{
    int rc = buf_text(out, "{\"scenario\":");
    if (rc == 0)
        rc = json_put_string(out, name);
    if (rc == 0)
        rc = buf_printf(out, ",\"verdict\":\"%s\",\"closed\":%s,\"bound\":",
                        verdict_name(whole_verdict(r)), r->closed ? "true" : "false");
    if (rc == 0)
        rc = r->bound == NULL ? buf_text(out, "null") : json_put_string(out, r->bound);
    if (rc == 0)
        rc = buf_text(out, ",\"new_version\":");
    if (rc == 0)
        rc = json_put_string(out, r->new_version);
    if (rc == 0)
        rc = json_counts(r, out);
    if (rc == 0)
        rc = buf_text(out, ",\"failures\":[");
    for (uint32_t i = 0; rc == 0 && i < r->n_failures; i++)
        rc = json_failure(&r->failures[i], i == 0, out);
    return rc == 0 ? buf_text(out, "]}") : rc;
}
