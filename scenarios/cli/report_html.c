/* The HTML report: one page that works from file://, with nothing to fetch and nothing to run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/xml.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/html_lanes.h"
#include "scenarios/cli/replay.h"
#include "scenarios/cli/report.h"

#define GROUPS_MAX 32

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;color:#1c2733;background:#fff;max-width:1180px;"
    "margin:2em auto;padding:0 1em}\n"
    "h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.15em;margin:2em 0 .5em}\n"
    ".sub{color:#5b6b7b;margin:0 0 1em}\n"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25em .5em;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #e4e9ee}th{font-weight:600;color:#5b6b7b}\n"
    ".matrix td,.matrix th{text-align:center;padding:.2em .3em}.matrix .name{text-align:left}\n"
    ".v{border-radius:3px;padding:.05em .45em;white-space:nowrap;font-size:.87em}\n"
    ".pass,.expected-fail{background:#dff3e4;color:#14632d}\n"
    ".fail,.unexpected-pass{background:#fbdcdc;color:#96161b}\n"
    ".error{background:#efdcf7;color:#6a1b87}.inconclusive{background:#fcefcb;color:#7a5400}\n"
    ".not-applicable,.not-observable{background:#eceff2;color:#5b6b7b}\n"
    "code{font:13px ui-monospace,monospace;background:#f3f5f7;padding:.15em .4em;"
    "border-radius:3px;overflow-wrap:anywhere}\n"
    "details{border:1px solid #e4e9ee;border-radius:5px;margin:.5em 0;padding:.5em .8em}"
    "summary{cursor:pointer}summary .v{margin-right:.6em}\n"
    ".detail,.cause{color:#5b6b7b}.num{white-space:nowrap}\n"
    "svg{width:100%;height:auto;border:1px solid #e4e9ee;border-radius:5px}\n";

static int put_tag_text(struct buf *out, const char *before, const char *text, const char *after)
{
    int rc = buf_text(out, before);
    if (rc == 0)
        rc = xml_put_text(out, text);
    return rc == 0 ? buf_text(out, after) : rc;
}

static int put_verdict(struct buf *out, enum verdict v)
{
    return buf_printf(out, "<span class=\"v %s\">%s</span>", verdict_name(v), verdict_name(v));
}

/* ---- summary ---- */

static int put_summary(struct buf *out, const struct session *s)
{
    size_t counts[VERDICT_COUNT];
    int64_t wall_ms = s->wall_ns / NS_PER_MS;
    session_tally(s, counts);
    int rc = buf_printf(out, "<h1>%zu of %zu scenario%s passed</h1>\n<p class=\"sub\">",
                        counts[VERDICT_PASS] + counts[VERDICT_EXPECTED_FAIL], s->count,
                        s->count == 1 ? "" : "s");
    for (int v = 0; v < VERDICT_COUNT && rc == 0; v++)
        if (counts[v] > 0) {
            rc = buf_printf(out, "%zu ", counts[v]);
            if (rc == 0)
                rc = put_verdict(out, (enum verdict)v);
            if (rc == 0)
                rc = buf_text(out, " ");
        }
    if (rc == 0)
        rc = buf_printf(out, "&#160; otabench " OTABENCH_VERSION ", %s, %" PRId64 ".%03d s</p>\n",
                        s->mode == RUN_WIRE ? "on the wire, real time" : "virtual time",
                        wall_ms / 1000, (int)(wall_ms % 1000));
    if (rc == 0 && s->interrupted)
        rc = buf_text(out, "<p class=\"cause\">Interrupted: the rest did not run.</p>\n");
    if (rc == 0 && s->fault[0] != '\0')
        rc = put_tag_text(out, "<p class=\"cause\">Bench fault: ", s->fault, "</p>\n");
    return rc;
}

/* ---- matrix: scenarios x requirement groups ---- */

/* What a cell shows when a group has several checks: the worst news. */
static int badness(enum verdict v)
{
    static const int order[VERDICT_COUNT] = {
        [VERDICT_NOT_APPLICABLE] = 1,  [VERDICT_NOT_OBSERVABLE] = 2, [VERDICT_PASS] = 3,
        [VERDICT_EXPECTED_FAIL] = 4,   [VERDICT_INCONCLUSIVE] = 5,   [VERDICT_ERROR] = 6,
        [VERDICT_UNEXPECTED_PASS] = 7, [VERDICT_FAIL] = 8,
    };
    return order[v];
}

static size_t groups(char names[GROUPS_MAX][REQUIREMENT_ID_MAX])
{
    const struct requirement *q;
    size_t n = 0;
    for (size_t i = 0; (q = requirement_at(i)) != NULL && n < GROUPS_MAX; i++) {
        char name[REQUIREMENT_ID_MAX];
        report_group(q->id, name);
        size_t k = 0;
        while (k < n && strcmp(names[k], name) != 0)
            k++;
        if (k == n)
            memcpy(names[n++], name, sizeof name);
    }
    return n;
}

static int put_cell(struct buf *out, const struct run_result *r, const char *group)
{
    const struct check_result *worst = NULL;
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_checks; i++) {
        char of[REQUIREMENT_ID_MAX];
        report_group(r->checks[i].id, of);
        if (strcmp(of, group) != 0)
            continue;
        n++;
        if (worst == NULL || badness(r->checks[i].verdict) > badness(worst->verdict))
            worst = &r->checks[i];
    }
    if (worst == NULL)
        return buf_text(out, "<td></td>");
    bool good = worst->verdict == VERDICT_PASS;
    return buf_printf(out, "<td><span class=\"v %s\" title=\"%s\">%s</span></td>",
                      verdict_name(worst->verdict), verdict_name(worst->verdict),
                      good ? "&#10003;" : worst->id);
}

static int put_matrix(struct buf *out, const struct session *s)
{
    char names[GROUPS_MAX][REQUIREMENT_ID_MAX];
    size_t n = groups(names);
    int rc = buf_text(out, "<h2>Scenarios and requirement groups</h2>\n<table class=\"matrix\">\n"
                           "<tr><th class=\"name\">scenario</th><th>verdict</th>");
    for (size_t g = 0; g < n && rc == 0; g++)
        rc = buf_printf(out, "<th>%s</th>", names[g]);
    if (rc == 0)
        rc = buf_text(out, "</tr>\n");
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        rc = buf_printf(out, "<tr><td class=\"name\"><a href=\"#s%zu\">", i);
        if (rc == 0)
            rc = put_tag_text(out, "", files_label(s->files, i), "</a></td><td>");
        if (rc == 0)
            rc = put_verdict(out, s->results[i].verdict);
        if (rc == 0)
            rc = buf_text(out, "</td>");
        for (size_t g = 0; g < n && rc == 0; g++)
            rc = put_cell(out, &s->results[i], names[g]);
        if (rc == 0)
            rc = buf_text(out, "</tr>\n");
    }
    return rc == 0 ? buf_text(out, "</table>\n") : rc;
}

/* ---- one scenario ---- */

static int put_checks(struct buf *out, const struct run_result *r)
{
    int rc = buf_text(out, "<table><tr><th>ID</th><th>verdict</th><th>requirement</th>"
                           "<th>source</th></tr>\n");
    for (uint32_t i = 0; i < r->n_checks && rc == 0; i++) {
        const struct check_result *c = &r->checks[i];
        const struct requirement *q = report_requirement(c->id);
        rc = put_tag_text(out, "<tr><td class=\"num\">", c->id, "</td><td>");
        if (rc == 0)
            rc = put_verdict(out, c->verdict);
        if (rc == 0)
            rc = put_tag_text(out, "</td><td>", q->text, "");
        if (rc == 0 && c->detail[0] != '\0')
            rc = put_tag_text(out, "<br><span class=\"detail\">", c->detail, "</span>");
        if (rc == 0)
            rc = put_tag_text(out, "</td><td class=\"num\">", q->source, "</td></tr>\n");
    }
    return rc == 0 ? buf_text(out, "</table>\n") : rc;
}

static int put_figures(struct buf *out, const struct run_result *r)
{
    int64_t ms = r->virtual_ns / NS_PER_MS;
    return buf_printf(
        out,
        "<p class=\"sub\">%" PRId64 ".%03d s %s time, %" PRIu32 " power cuts, %" PRIu32
        " starts, %" PRIu64 " flash operations, %" PRIu32 " requests, %" PRIu64
        " bytes downloaded, memory peak agent %" PRIu64 " B, boot loader %" PRIu64 " B</p>\n",
        ms / 1000, (int)(ms % 1000), r->mode == RUN_WIRE ? "real" : "virtual", r->cuts, r->boots,
        r->flash_ops, r->requests, r->bytes_down, r->agent_peak_bytes, r->boot_peak_bytes);
}

static int put_replay(struct buf *out, const struct run_result *r)
{
    struct buf command;
    buf_init(&command, 4096);
    int rc = replay_command(&command, r);
    if (rc == 0)
        rc = put_tag_text(out, "<p>Repeat it: <code>", (const char *)command.data, "</code></p>\n");
    buf_free(&command);
    return rc;
}

static int put_scenario(struct buf *out, const struct session *s, size_t i)
{
    const struct run_result *r = &s->results[i];
    bool open =
        s->count == 1 || (r->verdict != VERDICT_PASS && r->verdict != VERDICT_EXPECTED_FAIL);
    int rc = buf_printf(out, "<details id=\"s%zu\"%s><summary>", i, open ? " open" : "");
    if (rc == 0)
        rc = put_verdict(out, r->verdict);
    if (rc == 0)
        rc = put_tag_text(out, "", files_label(s->files, i), "</summary>\n");
    if (rc == 0 && s->files->item[i].text[0] != '\0')
        rc = put_tag_text(out, "<p>", s->files->item[i].text, "</p>\n");
    if (rc == 0 && r->cause[0] != '\0')
        rc = put_tag_text(out, "<p class=\"cause\">", r->cause, "</p>\n");
    if (rc == 0)
        rc = put_figures(out, r);
    if (rc == 0)
        rc = put_replay(out, r);
    if (rc == 0 && r->n_checks > 0)
        rc = put_checks(out, r);
    if (rc == 0 && r->trace_sha256[0] != '\0')
        rc = put_tag_text(out, "<p class=\"sub\">trace <code>", r->trace_sha256, "</code></p>\n");
    return rc == 0 ? buf_text(out, "</details>\n") : rc;
}

int report_html(struct buf *out, const struct session *s, const struct story *story)
{
    int rc = buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n"
                           "<title>otabench</title>\n<style>\n");
    if (rc == 0)
        rc = buf_text(out, style);
    if (rc == 0)
        rc = buf_text(out, "</style></head><body>\n");
    if (rc == 0)
        rc = put_summary(out, s);
    if (rc == 0 && s->count > 1)
        rc = put_matrix(out, s);
    if (rc == 0)
        rc = buf_text(out, "<h2>Verdicts</h2>\n");
    for (size_t i = 0; i < s->count && rc == 0; i++)
        rc = put_scenario(out, s, i);
    if (rc == 0 && story != NULL)
        rc = html_lanes(out, story);
    return rc == 0 ? buf_text(out, "</body></html>\n") : rc;
}
