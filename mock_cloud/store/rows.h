/*
 * Inside the store: the prepared statements and the few calls every table's file is written with.
 *
 * A row function begins a statement (row_begin), binds its parameters in order, steps it once
 * (row_get, or row_run when no row is expected) and ends it (row_end). Bound texts are not copied,
 * so they must live until row_end.
 */
#ifndef OTABENCH_MOCK_CLOUD_STORE_ROWS_H
#define OTABENCH_MOCK_CLOUD_STORE_ROWS_H

#include <sqlite3.h>

#include "mock_cloud/store/store.h"

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_PUT_PRODUCT,
    ST_GET_PRODUCT,
    ST_PUT_DEVICE,
    ST_GET_DEVICE,
    ST_FIND_DEVICE,
    ST_PUT_PACKAGE,
    ST_GET_PACKAGE,
    ST_GET_CONTENT,
    ST_WITHDRAW,
    ST_OFFERS,
    ST_PUT_RECORD,
    ST_GET_RECORD,
    ST_RECORD_AT,
    ST_OTHER_PENDING,
    ST_OLDEST_UPGRADING,
    ST_VISIT,
    ST_PUT_MESSAGE,
    ST_TRIM_MESSAGES,
    ST_MESSAGE_AT,
    ST_PUT_FIRMWARE,
    ST_GET_FIRMWARE,
    ST_FIND_FIRMWARE,
    ST_LAST_PACKAGE,
    ST_PUT_FILE,
    ST_GET_FILE,
    ST_PUT_TASK,
    ST_GET_TASK,
    ST_NEXT_TASK,
    ST_PUT_TASK_DEVICE,
    ST_HAS_TASK_DEVICE,
    ST_NEXT_RETRYING,
    ST_PUT_TAKEN,
    ST_GET_TAKEN,
    ST_NEXT_PRODUCT,
    ST_NEXT_FIRMWARE,
    ST_NEXT_ANY_TASK,
    ST_NEXT_RECORD,
    ST_OLDER_TASK,
    ST_OLDER_BATCH,
    ST_NEXT_DEVICE,
    ST_PUT_VERSION,
    ST_GET_VERSION,
    ST_NEXT_VERSION,
    ST_OPEN_RECORD,
    ST_NEWEST_RECORD,
    ST_RECORD_FOR_VERSION,
    ST_NEXT_RECORD_OF,
    ST_PUT_SUB_DEVICE,
    ST_GET_SUB_DEVICE,
    ST_NEXT_SUB_DEVICE,
    ST_COUNT_SUB_DEVICES,
    ST_DROP_SUB_DEVICE,
    ST_PUT_CONFIG,
    ST_GET_CONFIG,
    ST_PUT_SESSION,
    ST_GET_SESSION,
    ST_DROP_SESSIONS,
    ST_DROP_SESSION,
    ST_DUE_SESSION,
    ST_PUT_OVERTAKEN,
    ST_GET_OVERTAKEN,
    ST_NEXT_OVERTAKEN,
    ST_DROP_OVERTAKEN,
    ST_PUT_OUTGOING,
    ST_COUNT_OUTGOING,
    ST_FIRST_OUTGOING,
    ST_DROP_OUTGOING,
    ST_COUNT_REFUSAL,
    ST_KEEP_ANNOUNCED,
    ST_FIRST_ANNOUNCED,
    ST_ALL_DEVICES,
    ST_ALL_RECORDS,
    ST_ALL_SUB_DEVICES,
    ST_ALL_VERSIONS,
    ST_ALL_TASKS,
    ST_ALL_TAKEN,
    ST_NO_TAKEN,
    ST_NO_OVERTAKEN,
    ST_ALL_VERIFIED,
    ST_ALL_CONFIGS,
    ST_ALL_WITHDRAWN,
    ST_NO_WITHDRAWN,
    ST_NO_CONFIGS,
    ST_SET_TASK_STATE,
    ST_SET_VERIFIED,
    ST_NO_DEVICES,
    ST_NO_SUB_DEVICES,
    ST_NO_RECORDS,
    ST_NO_MESSAGES,
    ST_NO_VERSIONS,
    ST_NO_SESSIONS,
    ST_NO_OUTGOING,
    ST_NO_REFUSALS,
    ST_NO_ANNOUNCED,
    ST_COUNT
};

/* Package content in memory, ordered by delta_id. */
struct content {
    int64_t delta_id;
    uint8_t *data; /* owned; one byte even when empty */
    size_t len_bytes;
};

/* Rows of packages and files that were read, so that a range request needs no query: a row is at
 * the place its id chooses, 0 is no id. Emptied by whatever changes one of them. */
#define SEEN_ROWS 64u
struct seen {
    struct store_package package[SEEN_ROWS];
    struct store_file file[SEEN_ROWS];
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[ST_COUNT];
    struct content *content;
    size_t content_count, content_cap;
    struct seen seen;
    int depth;   /* of transactions that have begun */
    bool broken; /* a part of the outermost has failed */
};

struct row {
    sqlite3_stmt *st;
    int next; /* parameter or column */
};

struct row row_begin(struct store *s, enum statement which);
void row_bind_text(struct row *r, const char *text);
void row_bind_int(struct row *r, int64_t v);
void row_bind_blob(struct row *r, const void *data, size_t len_bytes);
/* 0 with a row to read, ERR_NOT_FOUND without one; what names the deed for the error text, whose
 * code is that of SQLite's own: ERR_NOMEM, ERR_LIMIT, ERR_ARG, ERR_FORMAT, ERR_IO. */
int row_get(struct store *s, struct row *r, const char *what, struct err *err);
/* The statement for what it does, whatever rows it has; and row_end. Codes as row_get's. */
int row_run(struct store *s, struct row *r, const char *what, struct err *err);
/* All columns of a record or device from the row's first one on. */
void read_record_row(struct row *r, struct store_record *out);
void read_device_row(struct row *r, struct store_device *out);
/* Columns in order. Text longer than room - 1 is cut. */
void row_text(struct row *r, char *out, size_t room);
int64_t row_int(struct row *r);
void row_end(struct row *r);

void content_drop_all(struct store *s);
void seen_drop_all(struct store *s);

#endif
