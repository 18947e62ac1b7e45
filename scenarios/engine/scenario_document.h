/*
 * A scenario as a document: the tree behind its file, for those who change scenarios key by key.
 *
 * What a tree means is asked of the one parser there is: document_read. So a change that makes no
 * sense is refused like a file that makes none, and a key that is taken away has its default.
 */
#ifndef OTABENCH_ENGINE_SCENARIO_DOCUMENT_H
#define OTABENCH_ENGINE_SCENARIO_DOCUMENT_H

#include <cjson/cJSON.h>

#include "scenarios/engine/scenario.h"

#define DOCUMENT_BYTES_MAX ((size_t)1 << 20) /* what the parser takes */

/* The tree of s with everything explicit; the caller's, cJSON_Delete. Null: err. */
cJSON *document_of(const struct scenario *s, struct err *err);
/* Appends the document as text for people: two-blank indents, innermost objects on one line. 0;
 * ERR_LIMIT: nested too deeply, or out's; ERR_NOMEM. */
int document_write(const cJSON *doc, struct buf *out);
/* Parses it as the scenario name at path (both may be of another scenario; images are looked up
 * beside path). As scenario_parse. */
int document_read(const cJSON *doc, const char *name, const char *path, struct scenario *out,
                  struct err *err);

/* The name that a scenario has once it lies at path. ERR_ARG: too long. */
int document_name(const char *path, char out[SCENARIO_NAME_MAX], struct err *err);

/* Node number index of the tree at top, counted top-down from 0 (top itself). False: there are
 * fewer. parent is null for top. */
struct document_place {
    cJSON *node, *parent;
};
bool document_at(cJSON *top, size_t index, struct document_place *out);

#endif
