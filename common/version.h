/*
 * Order of firmware versions: field by field between dots, two numbers by value ("1.9" < "1.10"),
 * text by bytes, a number before text; missing fields count as 0, so "1" equals "1.0". Cloud and
 * device use the same rule (written default of docs/design.md: the vendor says only "from low to
 * high").
 */
#ifndef OTABENCH_COMMON_VERSION_H
#define OTABENCH_COMMON_VERSION_H

int version_compare(const char *a, const char *b); /* < 0, 0, > 0 */

#endif
