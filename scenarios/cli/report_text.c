/* Results for the terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "scenarios/cli/replay.h"
#include "scenarios/cli/report.h"

/* ANSI: select graphic rendition. */
static const char *const colours[VERDICT_COUNT] = {
    [VERDICT_PASS] = "32",           [VERDICT_FAIL] = "1;31",
    [VERDICT_EXPECTED_FAIL] = "32",  [VERDICT_UNEXPECTED_PASS] = "1;31",
    [VERDICT_NOT_APPLICABLE] = "2",  [VERDICT_NOT_OBSERVABLE] = "2",
    [VERDICT_INCONCLUSIVE] = "1;33", [VERDICT_ERROR] = "1;35",
};

static int put_verdict(struct buf *out, enum verdict v, int width, bool colour)
{
    int rc = colour ? buf_printf(out, "\x1b[%sm", colours[v]) : 0;
    if (rc == 0)
        rc = buf_printf(out, "%-*s", width, verdict_name(v));
    return rc == 0 && colour ? buf_text(out, "\x1b[0m") : rc;
}

int report_paragraph(struct buf *out, const char *text, int indent, int columns)
{
    int column = indent, rc = 0;
    while (*text != '\0' && rc == 0) {
        size_t word = strcspn(text, " "), at = 0;
        int width = 0;
        for (; at < word; width++) {
            size_t n = utf8_char(text + at, word - at);
            at += n == 0 ? 1 : n;
        }
        if (column > indent && column + 1 + width > columns) {
            rc = buf_printf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            rc = buf_text(out, " ");
            column++;
        }
        if (rc == 0)
            rc = buf_append(out, text, word);
        column += width;
        text += word;
        text += strspn(text, " ");
    }
    return rc == 0 ? buf_text(out, "\n") : rc;
}

int report_checks(struct buf *out, const struct run_result *r, const struct paper *p)
{
    int rc = 0;
    for (uint32_t i = 0; i < r->n_checks && rc == 0; i++) {
        const struct check_result *c = &r->checks[i];
        rc = buf_printf(out, "  %-7s ", c->id);
        if (rc == 0)
            rc = put_verdict(out, c->verdict, 15, p->colour);
        if (rc == 0)
            rc = buf_text(out, " ");
        if (rc == 0)
            rc = report_paragraph(out, report_requirement(c->id)->text, 26, p->columns);
        if (rc == 0 && c->detail[0] != '\0')
            rc = buf_printf(out, "%26s", "");
        if (rc == 0 && c->detail[0] != '\0')
            rc = report_paragraph(out, c->detail, 26, p->columns);
    }
    return rc;
}

static bool is_news(enum verdict v)
{
    return v != VERDICT_PASS && v != VERDICT_EXPECTED_FAIL && v != VERDICT_NOT_APPLICABLE &&
           v != VERDICT_NOT_OBSERVABLE;
}

static int put_bad(struct buf *out, const struct run_result *r, const char *label,
                   const struct paper *p)
{
    int rc = put_verdict(out, r->verdict, 13, p->colour);
    if (rc == 0)
        rc = buf_printf(out, " %s\n", label);
    if (rc == 0 && r->cause[0] != '\0')
        rc = buf_text(out, "  ");
    if (rc == 0 && r->cause[0] != '\0')
        rc = report_paragraph(out, r->cause, 2, p->columns);
    for (uint32_t i = 0; i < r->n_checks && rc == 0; i++) {
        const struct check_result *c = &r->checks[i];
        if (!is_news(c->verdict))
            continue;
        rc = buf_printf(out, "  %-7s ", c->id);
        if (rc == 0 && c->verdict != VERDICT_FAIL)
            rc = buf_printf(out, "%s: ", verdict_name(c->verdict));
        if (rc == 0)
            rc = report_paragraph(
                out, c->detail[0] != '\0' ? c->detail : report_requirement(c->id)->text, 10,
                p->columns);
    }
    if (rc == 0)
        rc = buf_text(out, "  ");
    if (rc == 0)
        rc = replay_command(out, r);
    return rc == 0 ? buf_text(out, "\n") : rc;
}

int report_text(struct buf *out, const struct session *s, const struct paper *p)
{
    size_t counts[VERDICT_COUNT];
    int64_t virtual_ms = 0, ran = 0, wall_ms = s->wall_ns / NS_PER_MS;
    int rc = 0;
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        virtual_ms += s->results[i].virtual_ns / NS_PER_MS;
        bool unrun = s->interrupted && strcmp(s->results[i].cause, "interrupted") == 0;
        ran += !unrun;
        if (is_news(s->results[i].verdict) && !unrun)
            rc = put_bad(out, &s->results[i], files_label(s->files, i), p);
    }
    session_tally(s, counts);
    if (rc == 0)
        rc = buf_printf(out, "%zu scenario%s:", s->count, s->count == 1 ? "" : "s");
    const char *separator = " ";
    for (int v = 0; v < VERDICT_COUNT && rc == 0; v++)
        if (counts[v] > 0) {
            rc = buf_printf(out, "%s%zu ", separator, counts[v]);
            if (rc == 0)
                rc = put_verdict(out, (enum verdict)v, 0, p->colour);
            separator = ", ";
        }
    if (rc == 0)
        rc = buf_printf(out, " in %" PRId64 ".%03d s", wall_ms / 1000, (int)(wall_ms % 1000));
    if (rc == 0 && s->count > 1 && wall_ms > 0)
        rc = buf_printf(out, " (%" PRId64 " scenarios/s)", ran * 1000 / wall_ms);
    if (rc == 0 && s->mode == RUN_SIM && virtual_ms > 0)
        rc = buf_printf(out, ", %" PRId64 ".%03d s of virtual time", virtual_ms / 1000,
                        (int)(virtual_ms % 1000));
    if (rc == 0)
        rc = buf_text(out, "\n");
    if (rc == 0 && s->interrupted)
        rc = buf_text(out, "interrupted: the rest did not run\n");
    if (rc == 0 && s->fault[0] != '\0')
        rc = buf_printf(out, "bench fault: %s\n", s->fault);
    return rc;
}
