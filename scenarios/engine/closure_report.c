/* A closure's result in words and in JSON. */
#include <inttypes.h>

#include "common/json.h"
#include "scenarios/engine/closure_internal.h"

const char *closure_end_text(enum closure_end end)
{
    static const char *const texts[CLOSURE_ENDS] = {
        [CLOSURE_OLD] = "the old firmware runs",
        [CLOSURE_NEW] = "the new firmware runs",
        [CLOSURE_BRICKED] = "the boot loader gives up: bricked",
        [CLOSURE_MIXED] = "firmware is started that is neither the old nor the new one",
        [CLOSURE_WEAK] = "firmware is started that rests on cells which may read otherwise",
        [CLOSURE_WRONG_RESULT] = "the record's result is not what runs",
        [CLOSURE_FOREIGN] = "flash outside firmware and download area was changed",
        [CLOSURE_FELL_BACK] = "another firmware starts than before",
        [CLOSURE_LIVELOCK] = "the boot loader goes round in circles",
    };
    return (unsigned)end < CLOSURE_ENDS ? texts[end] : "?";
}

static int put_cut(const struct closure_cut *k, uint32_t boot, struct buf *out)
{
    if (k->op == 0)
        return buf_printf(out, "  start %" PRIu32 ": runs to its end, then power goes\n", boot);
    int rc = buf_printf(out,
                        "  start %" PRIu32 ": cut at operation %" PRIu32 ", %s of %" PRIu32
                        " bytes at 0x%" PRIx32 ", %s",
                        boot, k->op, k->kind == NOR_OP_ERASE ? "erase" : "program", k->len_bytes,
                        k->addr, nor_tear_name(k->tear));
    if (rc == 0 && k->arg != 0)
        rc = buf_printf(out, " %" PRIu32, k->arg);
    if (rc == 0 && k->reading != 0)
        rc = buf_printf(out, " (weak cells read by variant %" PRIu32 ")", k->reading);
    return rc == 0 ? buf_text(out, "\n") : rc;
}

static int put_example(const struct closure_result *r, struct buf *out)
{
    uint32_t told = r->path_len < CLOSURE_PATH_MAX ? r->path_len : CLOSURE_PATH_MAX;
    int rc = buf_printf(out, "Counter-example of %" PRIu32 " cuts%s:\n", r->path_len,
                        r->confirmed ? ", repeated with real ones" : ", NOT confirmed");
    if (rc == 0 && told < r->path_len)
        rc = buf_printf(out, "  ... %" PRIu32 " cuts before ...\n", r->path_len - told);
    for (uint32_t i = 0; rc == 0 && i < told; i++)
        rc = put_cut(&r->path[i], r->path_len - told + i + 1, out);
    if (rc == 0)
        rc = buf_printf(out, "  start %" PRIu32 ": %s", r->path_len + 1, closure_end_text(r->end));
    if (rc == 0 && r->last_reading != 0)
        rc = buf_printf(out, " (weak cells read by variant %" PRIu32 ")", r->last_reading);
    return rc == 0 ? buf_text(out, "\n") : rc;
}

static int put_proof(const struct closure_result *r, struct buf *out)
{
    if (r->mixed_starts > 0)
        return buf_printf(out,
                          "Closed, but %" PRIu64 " starts had more than %d units with weak cells, "
                          "which were read alike: no proof.\n",
                          r->mixed_starts, CLOSURE_WEAK_UNITS);
    return buf_printf(out,
                      "%" PRIu32 " states, every one reaches the old or the new firmware within "
                      "%" PRIu32 " boot%s; no cut sequence of any length leads outside.\n",
                      r->states, r->boots_needed, r->boots_needed == 1 ? "" : "s");
}

int closure_describe(const struct closure_result *r, const struct nor_geometry *geo,
                     struct buf *out)
{
    int rc;
    if (r->end >= CLOSURE_BRICKED)
        rc = put_example(r, out);
    else if (r->closed)
        rc = put_proof(r, out);
    else
        rc = buf_printf(out,
                        "Bounded: %s. %" PRIu32 " states, up to %" PRIu32
                        " cuts in a row, and none leads outside.\n",
                        r->bound, r->states, r->depth);
    if (rc == 0)
        rc =
            buf_printf(out,
                       "  states %" PRIu32 " (old %" PRIu32 ", new %" PRIu32 "), edges %" PRIu64
                       ", deepest new state after %" PRIu32 " cuts\n"
                       "  the device was powered on %" PRIu64 " times; runs joined %" PRIu64
                       ", recalled %" PRIu64 "; points executed %" PRIu64 ", decided %" PRIu64 "\n",
                       r->states, r->ends[CLOSURE_OLD], r->ends[CLOSURE_NEW], r->edges, r->depth,
                       r->starts, r->joins, r->recalled, r->points, r->decided);
    if (rc == 0 && r->audited > 0)
        rc = buf_printf(out, "  audited: %" PRIu64 " runs repeated by the device to their end\n",
                        r->audited);
    if (rc == 0 && r->closed && r->end < CLOSURE_BRICKED)
        rc = buf_printf(out,
                        "  minimum useful power-on: %" PRIu32 " flash operations, %" PRId64
                        " ms of chip time (%s); then at most %" PRIu32 " starts\n",
                        r->work_ops, (r->work_ns + 999999) / 1000000, geo->name, r->work_boots);
    return rc;
}

static int json_cut(const struct closure_cut *k, bool first, struct buf *out)
{
    return buf_printf(out,
                      "%s{\"operation\":%" PRIu32 ",\"kind\":\"%s\",\"address\":%" PRIu32
                      ",\"bytes\":%" PRIu32 ",\"tear\":\"%s\",\"arg\":%" PRIu32
                      ",\"reading\":%" PRIu32 "}",
                      first ? "" : ",", k->op, k->kind == NOR_OP_ERASE ? "erase" : "program",
                      k->addr, k->len_bytes, nor_tear_name(k->tear), k->arg, k->reading);
}

int closure_json(const struct closure_result *r, struct buf *out)
{
    uint32_t told = r->path_len < CLOSURE_PATH_MAX ? r->path_len : CLOSURE_PATH_MAX;
    bool failed = r->end >= CLOSURE_BRICKED;
    int rc = buf_printf(out,
                        "{\"closed\":%s,\"proved\":%s,\"states\":%" PRIu32 ",\"old\":%" PRIu32
                        ",\"new\":%" PRIu32 ",\"edges\":%" PRIu64 ",\"depth\":%" PRIu32
                        ",\"starts\":%" PRIu64 ",\"joins\":%" PRIu64 ",\"points_executed\":%" PRIu64
                        ",\"points_decided\":%" PRIu64 ",\"mixed_starts\":%" PRIu64
                        ",\"boots_needed\":%" PRIu32 ",\"bound\":",
                        r->closed ? "true" : "false",
                        r->closed && !failed && r->mixed_starts == 0 ? "true" : "false", r->states,
                        r->ends[CLOSURE_OLD], r->ends[CLOSURE_NEW], r->edges, r->depth, r->starts,
                        r->joins, r->points, r->decided, r->mixed_starts, r->boots_needed);
    if (rc == 0)
        rc = r->bound == NULL ? buf_text(out, "null") : json_put_string(out, r->bound);
    if (rc == 0 && r->closed && !failed)
        rc = buf_printf(out,
                        ",\"power_on\":{\"operations\":%" PRIu32 ",\"chip_us\":%" PRId64
                        ",\"starts\":%" PRIu32 "}",
                        r->work_ops, r->work_ns / 1000, r->work_boots);
    if (rc == 0 && failed) {
        rc = buf_printf(out, ",\"counterexample\":{\"cuts\":%" PRIu32 ",\"confirmed\":%s,\"end\":",
                        r->path_len, r->confirmed ? "true" : "false");
        if (rc == 0)
            rc = json_put_string(out, closure_end_text(r->end));
        if (rc == 0)
            rc = buf_printf(out, ",\"last_reading\":%" PRIu32 ",\"path\":[", r->last_reading);
        for (uint32_t i = 0; rc == 0 && i < told; i++)
            rc = json_cut(&r->path[i], i == 0, out);
        if (rc == 0)
            rc = buf_text(out, "]}");
    }
    return rc == 0 ? buf_text(out, "}") : rc;
}
