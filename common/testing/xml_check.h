/* Whether a report is well-formed XML, for tests of what writes XML. */
#ifndef OTABENCH_COMMON_TESTING_XML_CHECK_H
#define OTABENCH_COMMON_TESTING_XML_CHECK_H

#include <stdbool.h>

/*
 * Judges the part of XML our writers may use: one declaration, nested elements of lower-case names
 * (with dashes), double-quoted attributes, the five named entities and decimal references.
 */
bool xml_well_formed(const char *xml);

#endif
