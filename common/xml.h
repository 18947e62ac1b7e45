/*
 * Text for XML and HTML: markup escaped, and what XML cannot carry at all (control characters,
 * broken UTF-8) replaced by "?", so that a report is well-formed whatever it quotes.
 */
#ifndef OTABENCH_COMMON_XML_H
#define OTABENCH_COMMON_XML_H

#include "common/bytes.h"

/* Element content or the inside of a double-quoted attribute. 0 or the buffer's error. */
int xml_put_text(struct buf *out, const char *text);
/* The same with newlines kept as they are, for the body of an element. */
int xml_put_lines(struct buf *out, const char *text);
/* ' name="value"' with its leading space. */
int xml_put_attribute(struct buf *out, const char *name, const char *value);

#endif
