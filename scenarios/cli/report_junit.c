/* The JUnit report: what CI systems show. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/xml.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/replay.h"
#include "scenarios/cli/report.h"

#define GROUPS_MAX 32
#define RUN_GROUP  "RUN" /* scenarios whose own outcome no check carries */

struct group {
    char name[REQUIREMENT_ID_MAX];
    size_t tests, failures, errors, skipped;
    int64_t time_ns;
};

struct groups {
    struct group item[GROUPS_MAX];
    size_t count;
};

/* A scenario of its own standing: crashed, inconclusive, or without any check. */
static bool needs_case(const struct run_result *r)
{
    return r->verdict == VERDICT_ERROR || r->verdict == VERDICT_INCONCLUSIVE || r->n_checks == 0;
}

static bool is_failure(enum verdict v)
{
    return v == VERDICT_FAIL || v == VERDICT_UNEXPECTED_PASS;
}

static bool is_skip(enum verdict v)
{
    return v == VERDICT_INCONCLUSIVE || v == VERDICT_NOT_APPLICABLE || v == VERDICT_NOT_OBSERVABLE;
}

/* Every case of a scenario gets an equal share of its time, so that the sum is right. */
static int64_t case_time(const struct run_result *r)
{
    return r->wall_ns / (int64_t)(r->n_checks + (needs_case(r) ? 1 : 0));
}

static struct group *group_of(struct groups *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->item[i].name, name) == 0)
            return &g->item[i];
    if (g->count == GROUPS_MAX)
        return NULL;
    struct group *new = &g->item[g->count++];
    (void)snprintf(new->name, sizeof new->name, "%s", name);
    return new;
}

static void count(struct groups *g, const char *name, enum verdict v, const struct run_result *r)
{
    struct group *of = group_of(g, name);
    if (of == NULL)
        return;
    of->tests++;
    of->failures += is_failure(v);
    of->errors += v == VERDICT_ERROR;
    of->skipped += is_skip(v);
    of->time_ns += case_time(r);
}

/* Groups in the order of the catalogue, RUN first. */
static void collect(struct groups *g, const struct session *s)
{
    char name[REQUIREMENT_ID_MAX];
    const struct requirement *q;
    (void)group_of(g, RUN_GROUP);
    for (size_t i = 0; (q = requirement_at(i)) != NULL; i++) {
        report_group(q->id, name);
        (void)group_of(g, name);
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct run_result *r = &s->results[i];
        if (needs_case(r))
            count(g, RUN_GROUP, r->verdict, r);
        for (uint32_t k = 0; k < r->n_checks; k++) {
            report_group(r->checks[k].id, name);
            count(g, name, r->checks[k].verdict, r);
        }
    }
}

static int put_number(struct buf *out, const char *name, uint64_t value)
{
    return buf_printf(out, " %s=\"%" PRIu64 "\"", name, value);
}

static int put_time(struct buf *out, int64_t time_ns)
{
    return buf_printf(out, " time=\"%" PRId64 ".%06" PRId64 "\"", time_ns / NS_PER_S,
                      time_ns % NS_PER_S / NS_PER_US);
}

static int put_counts(struct buf *out, const struct group *g)
{
    int rc = put_number(out, "tests", g->tests);
    if (rc == 0)
        rc = put_number(out, "failures", g->failures);
    if (rc == 0)
        rc = put_number(out, "errors", g->errors);
    if (rc == 0)
        rc = put_number(out, "skipped", g->skipped);
    return rc == 0 ? put_time(out, g->time_ns) : rc;
}

static int put_property(struct buf *out, const char *name, const char *value)
{
    int rc = buf_text(out, "        <property");
    if (rc == 0)
        rc = xml_put_attribute(out, "name", name);
    if (rc == 0)
        rc = xml_put_attribute(out, "value", value);
    return rc == 0 ? buf_text(out, "/>\n") : rc;
}

static int put_properties(struct buf *out, const struct run_result *r, const char *clause)
{
    char cuts[24];
    (void)snprintf(cuts, sizeof cuts, "%" PRIu32, r->cuts);
    int rc = buf_text(out, "      <properties>\n");
    if (rc == 0 && clause[0] != '\0')
        rc = put_property(out, "clause", clause);
    if (rc == 0)
        rc = put_property(out, "scenario", r->path);
    if (rc == 0)
        rc = put_property(out, "mode", r->mode == RUN_WIRE ? "wire" : "sim");
    if (rc == 0)
        rc = put_property(out, "token", r->token);
    if (rc == 0)
        rc = put_property(out, "cuts", cuts);
    if (rc == 0 && r->trace_sha256[0] != '\0')
        rc = put_property(out, "trace_sha256", r->trace_sha256);
    return rc == 0 ? buf_text(out, "      </properties>\n") : rc;
}

/* <failure> or <error> with the story and the command that repeats it. */
static int put_outcome(struct buf *out, const char *element, const struct run_result *r,
                       enum verdict v, const char *detail)
{
    struct buf body;
    buf_init(&body, 65536);
    int rc = buf_printf(&body, "%s\n%s\n", detail, r->cause);
    if (rc == 0 && r->cause[0] == '\0')
        body.len_bytes--;
    if (rc == 0)
        rc = replay_command(&body, r);
    if (rc == 0)
        rc = buf_printf(out, "      <%s", element);
    if (rc == 0)
        rc = xml_put_attribute(out, "type", verdict_name(v));
    if (rc == 0)
        rc = xml_put_attribute(out, "message", detail[0] != '\0' ? detail : verdict_name(v));
    if (rc == 0)
        rc = buf_text(out, ">");
    if (rc == 0)
        rc = xml_put_lines(out, (const char *)body.data);
    if (rc == 0)
        rc = buf_printf(out, "</%s>\n", element);
    buf_free(&body);
    return rc;
}

static int put_skipped(struct buf *out, enum verdict v, const char *why)
{
    char message[ERR_TEXT_MAX + 32];
    (void)snprintf(message, sizeof message, "%s%s%s", verdict_name(v), why[0] == '\0' ? "" : ": ",
                   why);
    int rc = buf_text(out, "      <skipped");
    if (rc == 0)
        rc = xml_put_attribute(out, "message", message);
    return rc == 0 ? buf_text(out, "/>\n") : rc;
}

static int put_case(struct buf *out, const char *group, const char *name,
                    const struct run_result *r, const char *clause, enum verdict v,
                    const char *detail)
{
    int rc = buf_text(out, "    <testcase");
    if (rc == 0)
        rc = xml_put_attribute(out, "classname", group);
    if (rc == 0)
        rc = xml_put_attribute(out, "name", name);
    if (rc == 0)
        rc = put_time(out, case_time(r));
    if (rc == 0)
        rc = buf_text(out, ">\n");
    if (rc == 0)
        rc = put_properties(out, r, clause);
    if (rc == 0 && v == VERDICT_ERROR)
        rc = put_outcome(out, "error", r, v, detail);
    else if (rc == 0 && is_failure(v))
        rc = put_outcome(out, "failure", r, v, detail);
    else if (rc == 0 && is_skip(v))
        rc = put_skipped(out, v, detail);
    else if (rc == 0 && v == VERDICT_EXPECTED_FAIL)
        rc = buf_text(out, "      <system-out>expected-fail: the declared defect was caught"
                           "</system-out>\n");
    return rc == 0 ? buf_text(out, "    </testcase>\n") : rc;
}

static int put_cases(struct buf *out, const struct session *s, const char *group)
{
    int rc = 0;
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        const struct run_result *r = &s->results[i];
        const char *label = files_label(s->files, i);
        char name[512], of[REQUIREMENT_ID_MAX];
        if (strcmp(group, RUN_GROUP) == 0 && needs_case(r)) {
            (void)snprintf(name, sizeof name, "the scenario gets a verdict — %s", label);
            rc = put_case(out, group, name, r, "", r->verdict, r->cause);
        }
        for (uint32_t k = 0; k < r->n_checks && rc == 0; k++) {
            const struct check_result *c = &r->checks[k];
            report_group(c->id, of);
            if (strcmp(of, group) != 0)
                continue;
            const struct requirement *q = report_requirement(c->id);
            (void)snprintf(name, sizeof name, "%s %s — %s", c->id, q->text, label);
            rc = put_case(out, group, name, r, q->source, c->verdict, c->detail);
        }
    }
    return rc;
}

static int put_suite(struct buf *out, const struct session *s, const struct group *g,
                     const char *timestamp)
{
    int rc = buf_text(out, "  <testsuite");
    if (rc == 0)
        rc = xml_put_attribute(out, "name", g->name);
    if (rc == 0)
        rc = put_counts(out, g);
    if (rc == 0)
        rc = xml_put_attribute(out, "timestamp", timestamp);
    if (rc == 0)
        rc = buf_text(out, ">\n");
    if (rc == 0)
        rc = put_cases(out, s, g->name);
    return rc == 0 ? buf_text(out, "  </testsuite>\n") : rc;
}

int report_junit(struct buf *out, const struct session *s)
{
    struct groups g = {.count = 0};
    struct group all = {.tests = 0};
    char timestamp[32] = "";
    struct tm tm;
    time_t started = (time_t)s->started_utc_s;
    if (gmtime_r(&started, &tm) != NULL)
        (void)strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%S", &tm);
    collect(&g, s);
    for (size_t i = 0; i < g.count; i++) {
        all.tests += g.item[i].tests;
        all.failures += g.item[i].failures;
        all.errors += g.item[i].errors;
        all.skipped += g.item[i].skipped;
    }
    all.time_ns = s->wall_ns;
    int rc = buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<testsuites name=\"otabench " OTABENCH_VERSION "\"");
    if (rc == 0)
        rc = put_counts(out, &all);
    if (rc == 0)
        rc = buf_text(out, ">\n");
    for (size_t i = 0; i < g.count && rc == 0; i++)
        if (g.item[i].tests > 0)
            rc = put_suite(out, s, &g.item[i], timestamp);
    return rc == 0 ? buf_text(out, "</testsuites>\n") : rc;
}
