/* Replies of the cloud as text for people: lists as tables, one thing as lines of key and value. */
#ifndef OTABENCH_CLIENT_TABLE_H
#define OTABENCH_CLIENT_TABLE_H

#include "common/bytes.h"
#include "common/json.h"

#define TABLE_COLUMNS_MAX 9

struct table_column {
    const char *key;  /* of the row; ends in "_ms": a time, shown in UTC */
    const char *head; /* over the column */
};

/* Ends with a column without a key. Says so when there are no rows. 0, ERR_LIMIT, ERR_NOMEM. */
int table_rows(struct buf *out, const cJSON *rows, const struct table_column *columns);
int table_lines(struct buf *out, const cJSON *object);

#endif
