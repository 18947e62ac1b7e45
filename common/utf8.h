/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef OTABENCH_COMMON_UTF8_H
#define OTABENCH_COMMON_UTF8_H

#include <stddef.h>

/*
 * Length in bytes (1..4) of the well-formed character at text[0..len_bytes), 0 if there is none:
 * malformed, cut short, or len_bytes is 0. U+0000 and other control characters are well-formed.
 */
size_t utf8_char(const char *text, size_t len_bytes);

#endif
