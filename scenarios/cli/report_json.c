/* The JSON report. Written by hand: cJSON prints integers through a double. */
#include <inttypes.h>

#include "common/json.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/report.h"

static int put_text(struct buf *out, const char *key, const char *value)
{
    int rc = buf_printf(out, "\"%s\":", key);
    if (rc == 0)
        rc = json_put_string(out, value);
    return rc == 0 ? buf_text(out, ",") : rc;
}

static int put_checks(struct buf *out, const struct run_result *r)
{
    int rc = buf_text(out, "\"checks\":[");
    for (uint32_t i = 0; i < r->n_checks && rc == 0; i++) {
        rc = buf_text(out, i > 0 ? ",\n    {" : "\n    {");
        if (rc == 0)
            rc = put_text(out, "id", r->checks[i].id);
        if (rc == 0)
            rc = put_text(out, "verdict", verdict_name(r->checks[i].verdict));
        if (rc == 0)
            rc = buf_text(out, "\"detail\":");
        if (rc == 0)
            rc = json_put_string(out, r->checks[i].detail);
        if (rc == 0)
            rc = buf_text(out, "}");
    }
    return rc == 0 ? buf_text(out, "]") : rc;
}

static int put_result(struct buf *out, const struct run_result *r)
{
    const struct {
        const char *key;
        uint64_t value;
    } figures[] = {
        {"virtual_ms", (uint64_t)(r->virtual_ns / NS_PER_MS)},
        {"wall_ms", (uint64_t)(r->wall_ns / NS_PER_MS)},
        {"cuts", r->cuts},
        {"boots", r->boots},
        {"flash_ops", r->flash_ops},
        {"main_ops", r->main_ops},
        {"requests", r->requests},
        {"bytes_down", r->bytes_down},
        {"agent_peak_bytes", r->agent_peak_bytes},
        {"boot_peak_bytes", r->boot_peak_bytes},
    };
    int rc = buf_text(out, "  {");
    if (rc == 0)
        rc = put_text(out, "name", r->name);
    if (rc == 0)
        rc = put_text(out, "path", r->path);
    if (rc == 0)
        rc = put_text(out, "mode", r->mode == RUN_WIRE ? "wire" : "sim");
    if (rc == 0)
        rc = buf_printf(out, "\"seed\":\"0x%" PRIx64 "\",", r->seed);
    if (rc == 0)
        rc = put_text(out, "verdict", verdict_name(r->verdict));
    if (rc == 0)
        rc = put_text(out, "cause", r->cause);
    if (rc == 0)
        rc = put_text(out, "token", r->token);
    if (rc == 0)
        rc = put_text(out, "trace_sha256", r->trace_sha256);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0] && rc == 0; i++)
        rc = buf_printf(out, "\"%s\":%" PRIu64 ",", figures[i].key, figures[i].value);
    if (rc == 0)
        rc = put_text(out, "final_version", r->final_version);
    if (rc == 0)
        rc = put_checks(out, r);
    return rc == 0 ? buf_text(out, "}") : rc;
}

static int put_summary(struct buf *out, const struct session *s)
{
    size_t counts[VERDICT_COUNT];
    session_tally(s, counts);
    int rc = buf_printf(out, "\"summary\":{\"scenarios\":%zu", s->count);
    for (int v = 0; v < VERDICT_COUNT && rc == 0; v++)
        rc = buf_printf(out, ",\"%s\":%zu", verdict_name((enum verdict)v), counts[v]);
    if (rc == 0)
        rc = buf_printf(
            out, ",\"wall_ms\":%" PRId64 ",\"interrupted\":%s,\"exit_code\":%d,\"fault\":",
            s->wall_ns / NS_PER_MS, s->interrupted ? "true" : "false", session_exit_code(s));
    if (rc == 0)
        rc = json_put_string(out, s->fault);
    return rc == 0 ? buf_text(out, "}") : rc;
}

int report_json(struct buf *out, const struct session *s)
{
    int rc = buf_text(out, "{\"otabench\":\"" OTABENCH_VERSION "\",\"results\":[\n");
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        rc = put_result(out, &s->results[i]);
        if (rc == 0)
            rc = buf_text(out, i + 1 < s->count ? ",\n" : "\n");
    }
    if (rc == 0)
        rc = buf_text(out, "],\n");
    if (rc == 0)
        rc = put_summary(out, s);
    return rc == 0 ? buf_text(out, "}\n") : rc;
}
