/*
 * The reports of a session, each appended to a buffer as one whole document. All return 0 or the
 * buffer's error. What they quote may be any text: it is escaped.
 */
#ifndef OTABENCH_CLI_REPORT_H
#define OTABENCH_CLI_REPORT_H

#include "scenarios/cli/paper.h"
#include "scenarios/cli/session.h"
#include "scenarios/cli/story.h"

#define REPORT_BYTES_MAX ((size_t)256 << 20)

/* {"otabench", "results": [...], "summary": {...}}; keys in docs/design.md section 4. Seeds are
 * "0x..." strings: JSON numbers do not keep 64 bits. */
int report_json(struct buf *out, const struct session *s);

/*
 * JUnit XML: a suite per requirement group, a case per requirement and scenario; scenarios without
 * a verdict of their own (errors, inconclusive) in the suite RUN. Failed checks are failures whose
 * body ends with the replay command; inconclusive and not applicable ones are skipped.
 */
int report_junit(struct buf *out, const struct session *s);

/* One page without any other file: summary, matrix, verdicts, replay commands; with a story (of the
 * single scenario) its lanes. */
int report_html(struct buf *out, const struct session *s, const struct story *story);

/* For the terminal: one paragraph per scenario that did not pass, then the totals. */
int report_text(struct buf *out, const struct session *s, const struct paper *p);
/* The verdict table of one result: ID, verdict, text, detail. */
int report_checks(struct buf *out, const struct run_result *r, const struct paper *p);

/* Text wrapped at blanks to so many columns, continued at column `indent`; the first line is that
 * far already. Ends with a newline. */
int report_paragraph(struct buf *out, const char *text, int indent, int columns);

/* Replaces the file as a whole: it is written beside it, as PATH.part, first. What is no file (a
 * device, a pipe, a link) is written to. ERR_IO naming it. */
int report_save(const char *path, const struct buf *document, struct err *err);
/* Before long work: whether report_save could write each of n paths, null ones left out. ERR_IO
 * naming the first that it could not; ERR_ARG: two are the same. */
int report_probe(const char *const *paths, size_t n, struct err *err);

/* Requirement group of an ID: the part before "-". */
void report_group(const char *id, char out[REQUIREMENT_ID_MAX]);
/* For reports: what the catalogue says of the ID; never null. */
const struct requirement *report_requirement(const char *id);

#endif
