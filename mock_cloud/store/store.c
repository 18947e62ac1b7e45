#include "mock_cloud/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/store/rows.h"

#define APPLICATION_ID 0x4F544142 /* "OTAB" */
#define SCHEMA_VERSION 4
#define PAGE_BYTES     4096
#define BUSY_MS        5000

static const char schema[] =
    "CREATE TABLE product("
    " product_id TEXT PRIMARY KEY, secret TEXT NOT NULL, cms INT NOT NULL, has_team INT NOT NULL,"
    " oem TEXT NOT NULL, model TEXT NOT NULL, platform TEXT NOT NULL, device_type TEXT NOT NULL,"
    " owner TEXT NOT NULL, device_visits_per_day INT NOT NULL, owner_visits_per_day INT NOT NULL,"
    " compare_block_kib INT NOT NULL, restore_block_bytes INT NOT NULL, window_bytes INT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE device("
    " device_id TEXT PRIMARY KEY, product_id TEXT NOT NULL, mid TEXT NOT NULL,"
    " secret TEXT NOT NULL, version TEXT NOT NULL, registered_ns INT NOT NULL,"
    " seen_ns INT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX device_by_mid ON device(product_id, mid);"
    "CREATE TABLE package("
    " delta_id INTEGER PRIMARY KEY CHECK(delta_id BETWEEN 1 AND 2147483647),"
    " product_id TEXT NOT NULL, from_version TEXT NOT NULL, to_version TEXT NOT NULL,"
    " kind INT NOT NULL, bytes INT NOT NULL, md5_hex TEXT NOT NULL, offered_from_ns INT NOT NULL,"
    " withdrawn INT NOT NULL, content BLOB NOT NULL) STRICT;"
    "CREATE INDEX package_by_product ON package(product_id);"
    "CREATE TABLE record("
    " sequence INTEGER PRIMARY KEY, delta_id INT NOT NULL, device_id TEXT NOT NULL,"
    " state INT NOT NULL, download_status INT NOT NULL, upgrade_status INT NOT NULL,"
    " created_ns INT NOT NULL, changed_ns INT NOT NULL, UNIQUE(delta_id, device_id)) STRICT;"
    "CREATE INDEX record_by_device ON record(device_id);"
    "CREATE INDEX record_by_state ON record(state, changed_ns);"
    "CREATE TABLE visit("
    " kind INT NOT NULL, who TEXT NOT NULL, day INT NOT NULL, count INT NOT NULL,"
    " PRIMARY KEY(kind, who)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE message("
    " sequence INTEGER PRIMARY KEY, now_ns INT NOT NULL, face TEXT NOT NULL, what TEXT NOT NULL,"
    " text TEXT NOT NULL) STRICT;";

/* What version 2 adds. */
static const char schema_campaigns[] =
    "CREATE TABLE firmware("
    " delta_id INTEGER PRIMARY KEY, product_id TEXT NOT NULL, module TEXT NOT NULL,"
    " version TEXT NOT NULL, sign INT NOT NULL, diff INT NOT NULL, over_mqtt INT NOT NULL,"
    " verified INT NOT NULL, file_count INT NOT NULL, extra TEXT NOT NULL) STRICT;"
    "CREATE TABLE file("
    " firmware_id INT NOT NULL, number INT NOT NULL, package_id INT NOT NULL, name TEXT NOT NULL,"
    " sha256_hex TEXT NOT NULL, PRIMARY KEY(firmware_id, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE task("
    " task_id INTEGER PRIMARY KEY, delta_id INT NOT NULL, kind INT NOT NULL, state INT NOT NULL,"
    " device_id TEXT NOT NULL, from_version TEXT NOT NULL, starts_ns INT NOT NULL) STRICT;"
    "CREATE INDEX task_by_state ON task(state, starts_ns);"
    "CREATE INDEX task_by_firmware ON task(delta_id);"
    "CREATE INDEX device_by_product ON device(product_id, device_id);"
    "CREATE TABLE module("
    " device_id TEXT NOT NULL, module TEXT NOT NULL, version TEXT NOT NULL,"
    " PRIMARY KEY(device_id, module)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sub_device("
    " device_id TEXT PRIMARY KEY, gateway_id TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE config("
    " product_id TEXT PRIMARY KEY, config_id TEXT NOT NULL, package_id INT NOT NULL,"
    " sha256_hex TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/* What version 3 adds. */
static const char schema_topology[] =
    "ALTER TABLE sub_device ADD COLUMN logs_in INT NOT NULL DEFAULT 0;"
    "CREATE INDEX sub_device_by_gateway ON sub_device(gateway_id, device_id);";

/* What version 4 adds: batches as the console has them. */
static const char schema_batches[] =
    "ALTER TABLE task RENAME COLUMN from_version TO sources;"
    "ALTER TABLE task ADD COLUMN chosen INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN fixed INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN percent INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN silent INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN yields INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN retries INT NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN retry_after_ns INT NOT NULL DEFAULT 0;"
    "CREATE TABLE task_device("
    " task_id INT NOT NULL, device_id TEXT NOT NULL, PRIMARY KEY(task_id, device_id))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE taken("
    " delta_id INT NOT NULL, device_id TEXT NOT NULL, task_id INT NOT NULL, tries INT NOT NULL,"
    " PRIMARY KEY(delta_id, device_id)) STRICT, WITHOUT ROWID;";

/* What ends with the process. */
static const char schema_sessions[] =
    "PRAGMA temp_store = MEMORY;"
    "CREATE TEMP TABLE session("
    " device_id TEXT PRIMARY KEY, via TEXT NOT NULL, listens INT NOT NULL, told INT NOT NULL,"
    " pushed_ns INT NOT NULL, due_ns INT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX temp.session_by_due ON session(due_ns, device_id);"
    "CREATE INDEX temp.session_by_via ON session(via);"
    "CREATE TEMP TABLE outgoing("
    " sequence INTEGER PRIMARY KEY, due_ns INT NOT NULL, device_id TEXT NOT NULL,"
    " topic TEXT NOT NULL, qos INT NOT NULL, payload BLOB NOT NULL) STRICT;"
    "CREATE INDEX temp.outgoing_by_due ON outgoing(due_ns, sequence);"
    "CREATE TEMP TABLE overtaken("
    " sequence INTEGER PRIMARY KEY, device_id TEXT NOT NULL, module TEXT NOT NULL,"
    " delta_id INT NOT NULL, UNIQUE(device_id, module)) STRICT;"
    "CREATE TEMP TABLE refusal(path TEXT PRIMARY KEY, count INT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TEMP TABLE announced("
    " device_id TEXT PRIMARY KEY, payload BLOB NOT NULL) STRICT, WITHOUT ROWID;";

static const char forget[] = "DELETE FROM announced; DELETE FROM refusal; DELETE FROM overtaken; "
                             "DELETE FROM outgoing; DELETE FROM session;"
                             "DELETE FROM config; DELETE FROM sub_device; DELETE FROM module;"
                             "DELETE FROM taken; DELETE FROM task_device;"
                             "DELETE FROM task; DELETE FROM file; DELETE FROM firmware;"
                             "DELETE FROM message; DELETE FROM visit; DELETE FROM record;"
                             "DELETE FROM package; DELETE FROM device; DELETE FROM product;";

#define PRODUCT_COLUMNS                                                                            \
    "product_id, secret, cms, has_team, oem, model, platform, device_type, owner,"                 \
    " device_visits_per_day, owner_visits_per_day, compare_block_kib, restore_block_bytes,"        \
    " window_bytes"
#define DEVICE_COLUMNS "device_id, product_id, mid, secret, version, registered_ns, seen_ns"
#define PACKAGE_COLUMNS                                                                            \
    "delta_id, product_id, from_version, to_version, kind, bytes, md5_hex, offered_from_ns,"       \
    " withdrawn"
#define RECORD_COLUMNS                                                                             \
    "delta_id, device_id, state, download_status, upgrade_status, created_ns, changed_ns"
#define RECORD_OF_FIRMWARE                                                                         \
    "SELECT r.delta_id, r.device_id, r.state, r.download_status, r.upgrade_status, r.created_ns,"  \
    " r.changed_ns FROM record r JOIN firmware f ON f.delta_id = r.delta_id"                       \
    " WHERE r.device_id = ?1 AND ?2 IN ('*', f.module)"
#define FIRMWARE_COLUMNS                                                                           \
    "delta_id, product_id, module, version, sign, diff, over_mqtt, verified, file_count, extra"
#define TASK_COLUMNS                                                                               \
    "task_id, task.delta_id, kind, state, device_id, starts_ns, sources, chosen, fixed, percent,"  \
    " silent, yields, retries, retry_after_ns"
#define SUB_DEVICE_COLUMNS "device_id, gateway_id, logs_in"
#define SESSION_COLUMNS    "device_id, via, listens, told, pushed_ns, due_ns"

static const char *const statements[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_PUT_PRODUCT] = "INSERT OR REPLACE INTO product(" PRODUCT_COLUMNS ")"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ST_GET_PRODUCT] = "SELECT " PRODUCT_COLUMNS " FROM product WHERE product_id = ?",
    [ST_PUT_DEVICE] = "INSERT OR REPLACE INTO device(" DEVICE_COLUMNS ") VALUES(?,?,?,?,?,?,?)",
    [ST_GET_DEVICE] = "SELECT " DEVICE_COLUMNS " FROM device WHERE device_id = ?",
    [ST_FIND_DEVICE] = "SELECT " DEVICE_COLUMNS " FROM device WHERE product_id = ? AND mid = ?"
                       " ORDER BY device_id LIMIT 1",
    [ST_PUT_PACKAGE] = "INSERT OR REPLACE INTO package(" PACKAGE_COLUMNS ", content)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?)",
    [ST_GET_PACKAGE] = "SELECT " PACKAGE_COLUMNS " FROM package WHERE delta_id = ?",
    [ST_GET_CONTENT] = "SELECT content FROM package WHERE delta_id = ?",
    [ST_WITHDRAW] = "UPDATE package SET withdrawn = 1 WHERE delta_id = ? RETURNING delta_id",
    [ST_OFFERS] = "SELECT " PACKAGE_COLUMNS " FROM package WHERE product_id = ?1"
                  " AND from_version IN ('', ?2) AND offered_from_ns <= ?3 AND withdrawn = 0"
                  " ORDER BY delta_id",
    [ST_PUT_RECORD] = "INSERT INTO record(" RECORD_COLUMNS ") VALUES(?,?,?,?,?,?,?)"
                      " ON CONFLICT(delta_id, device_id) DO UPDATE SET state = excluded.state,"
                      " download_status = excluded.download_status,"
                      " upgrade_status = excluded.upgrade_status,"
                      " created_ns = excluded.created_ns, changed_ns = excluded.changed_ns",
    [ST_GET_RECORD] = "SELECT " RECORD_COLUMNS " FROM record WHERE delta_id = ? AND device_id = ?",
    [ST_RECORD_AT] = "SELECT " RECORD_COLUMNS " FROM record ORDER BY sequence LIMIT 1 OFFSET ?",
    [ST_OTHER_PENDING] = "SELECT " RECORD_COLUMNS " FROM record WHERE device_id = ?"
                         " AND delta_id <> ? AND state = ? ORDER BY sequence LIMIT 1",
    [ST_OLDEST_UPGRADING] = "SELECT " RECORD_COLUMNS " FROM record WHERE state = ?"
                            " ORDER BY changed_ns, sequence LIMIT 1",
    /* One row per visitor: a new day starts its count again. */
    [ST_VISIT] = "INSERT INTO visit(kind, who, day, count) VALUES(?,?,?,1)"
                 " ON CONFLICT(kind, who) DO UPDATE SET"
                 " count = iif(day = excluded.day, min(count + 1, 4294967295), 1),"
                 " day = excluded.day RETURNING count",
    [ST_PUT_MESSAGE] = "INSERT INTO message(now_ns, face, what, text) VALUES(?,?,?,?)"
                       " RETURNING sequence",
    [ST_TRIM_MESSAGES] = "DELETE FROM message WHERE sequence <= ?",
    [ST_MESSAGE_AT] = "SELECT now_ns, face, what, text FROM message ORDER BY sequence"
                      " LIMIT 1 OFFSET ?",
    [ST_PUT_FIRMWARE] = "INSERT OR REPLACE INTO firmware(" FIRMWARE_COLUMNS ")"
                        " VALUES(?,?,?,?,?,?,?,?,?,?)",
    [ST_GET_FIRMWARE] = "SELECT " FIRMWARE_COLUMNS " FROM firmware WHERE delta_id = ?",
    [ST_FIND_FIRMWARE] = "SELECT " FIRMWARE_COLUMNS " FROM firmware WHERE product_id = ?"
                         " AND module = ? AND version = ? ORDER BY delta_id DESC LIMIT 1",
    [ST_LAST_PACKAGE] = "SELECT coalesce(max(delta_id), 0) FROM package",
    [ST_PUT_FILE] = "INSERT OR REPLACE INTO file(firmware_id, number, package_id, name, sha256_hex)"
                    " VALUES(?,?,?,?,?)",
    [ST_GET_FILE] = "SELECT firmware_id, number, package_id, name, sha256_hex FROM file"
                    " WHERE firmware_id = ? AND number = ?",
    [ST_PUT_TASK] =
        "INSERT OR REPLACE INTO task(task_id, delta_id, kind, state, device_id, starts_ns,"
        " sources, chosen, fixed, percent, silent, yields, retries, retry_after_ns)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING task_id",
    [ST_GET_TASK] = "SELECT " TASK_COLUMNS " FROM task WHERE task_id = ?",
    [ST_NEXT_TASK] = "SELECT " TASK_COLUMNS " FROM task WHERE state = ?"
                     " ORDER BY starts_ns, task_id LIMIT 1",
    [ST_OLDER_TASK] = "SELECT " TASK_COLUMNS " FROM task WHERE delta_id = ?1"
                      " AND (?2 = 0 OR task_id < ?2) ORDER BY task_id DESC LIMIT 1",
    [ST_PUT_TASK_DEVICE] = "INSERT OR REPLACE INTO task_device(task_id, device_id) VALUES(?,?)",
    [ST_HAS_TASK_DEVICE] = "SELECT 1 FROM task_device WHERE task_id = ? AND device_id = ?",
    [ST_NEXT_RETRYING] = "SELECT " TASK_COLUMNS " FROM task WHERE task_id > ? AND state = ?"
                         " AND retries > 0 ORDER BY task_id LIMIT 1",
    [ST_PUT_TAKEN] = "INSERT OR REPLACE INTO taken(delta_id, device_id, task_id, tries)"
                     " VALUES(?,?,?,?)",
    [ST_GET_TAKEN] = "SELECT task_id, tries FROM taken WHERE delta_id = ? AND device_id = ?",
    [ST_NEXT_PRODUCT] = "SELECT " PRODUCT_COLUMNS " FROM product WHERE product_id > ?"
                        " ORDER BY product_id LIMIT 1",
    [ST_NEXT_FIRMWARE] = "SELECT " FIRMWARE_COLUMNS " FROM firmware WHERE ?1 IN ('', product_id)"
                         " AND delta_id > ?2 ORDER BY delta_id LIMIT 1",
    [ST_NEXT_ANY_TASK] = "SELECT " TASK_COLUMNS " FROM task WHERE ?1 IN (0, delta_id)"
                         " AND task_id > ?2 ORDER BY task_id LIMIT 1",
    [ST_NEXT_RECORD] = "SELECT " RECORD_COLUMNS ", sequence FROM record WHERE sequence > ?1"
                       " AND ?2 IN ('', device_id) AND ?3 IN (0, delta_id) AND ?4 IN (-1, state)"
                       " ORDER BY sequence LIMIT 1",
    [ST_OLDER_BATCH] =
        "SELECT " TASK_COLUMNS " FROM task JOIN firmware f ON f.delta_id = task.delta_id"
        " WHERE state = ?1 AND kind = ?2 AND f.product_id = ?3 AND f.module = ?4"
        " AND fixed = 0"
        " AND (?5 = 0 OR task_id < ?5) ORDER BY task_id DESC LIMIT 1",
    [ST_NEXT_DEVICE] = "SELECT " DEVICE_COLUMNS " FROM device WHERE product_id = ?"
                       " AND device_id > ? ORDER BY device_id LIMIT 1",
    [ST_PUT_VERSION] =
        "INSERT OR REPLACE INTO module(device_id, module, version) SELECT ?1, ?2, ?3"
        " WHERE (SELECT count(*) FROM module WHERE device_id = ?1 AND module <> ?2) < ?4",
    [ST_GET_VERSION] = "SELECT version FROM module WHERE device_id = ? AND module = ?",
    [ST_NEXT_VERSION] = "SELECT module, version FROM module WHERE device_id = ?1"
                        " AND (?2 IS NULL OR module > ?2) ORDER BY module LIMIT 1",
    [ST_OPEN_RECORD] = RECORD_OF_FIRMWARE " AND r.state IN (?3, ?4)"
                                          " ORDER BY r.sequence DESC LIMIT 1 OFFSET ?5",
    [ST_NEWEST_RECORD] = RECORD_OF_FIRMWARE " ORDER BY r.changed_ns DESC, r.sequence DESC LIMIT 1",
    [ST_RECORD_FOR_VERSION] = RECORD_OF_FIRMWARE " AND f.version = ?3 AND r.state <> ?4"
                                                 " ORDER BY r.sequence DESC LIMIT 1",
    [ST_NEXT_RECORD_OF] = "SELECT " RECORD_COLUMNS " FROM record WHERE delta_id = ?"
                          " AND device_id > ? AND state IN (?, ?) ORDER BY device_id LIMIT 1",
    [ST_PUT_SUB_DEVICE] = "INSERT OR REPLACE INTO sub_device(" SUB_DEVICE_COLUMNS ") VALUES(?,?,?)",
    [ST_GET_SUB_DEVICE] = "SELECT " SUB_DEVICE_COLUMNS " FROM sub_device WHERE device_id = ?",
    [ST_NEXT_SUB_DEVICE] = "SELECT " SUB_DEVICE_COLUMNS " FROM sub_device WHERE gateway_id = ?"
                           " AND device_id > ? ORDER BY device_id LIMIT 1",
    [ST_COUNT_SUB_DEVICES] = "SELECT count(*) FROM sub_device WHERE gateway_id = ?",
    [ST_DROP_SUB_DEVICE] = "DELETE FROM sub_device WHERE device_id = ?",
    [ST_PUT_CONFIG] = "INSERT OR REPLACE INTO config(product_id, config_id, package_id, sha256_hex)"
                      " VALUES(?,?,?,?)",
    [ST_GET_CONFIG] = "SELECT product_id, config_id, package_id, sha256_hex FROM config"
                      " WHERE product_id = ?",
    [ST_PUT_SESSION] = "INSERT OR REPLACE INTO session(" SESSION_COLUMNS ") VALUES(?,?,?,?,?,?)",
    [ST_GET_SESSION] = "SELECT " SESSION_COLUMNS " FROM session WHERE device_id = ?",
    [ST_DROP_SESSIONS] = "DELETE FROM session WHERE via = ?",
    [ST_DROP_SESSION] = "DELETE FROM session WHERE device_id = ?",
    [ST_DUE_SESSION] = "SELECT " SESSION_COLUMNS " FROM session WHERE due_ns < ?"
                       " ORDER BY due_ns, device_id LIMIT 1",
    [ST_PUT_OVERTAKEN] = "INSERT OR REPLACE INTO overtaken(device_id, module, delta_id)"
                         " VALUES(?,?,?)",
    [ST_GET_OVERTAKEN] = "SELECT sequence, device_id, module, delta_id FROM overtaken"
                         " WHERE device_id = ? AND module = ?",
    [ST_NEXT_OVERTAKEN] = "SELECT sequence, device_id, module, delta_id FROM overtaken"
                          " WHERE sequence > ? ORDER BY sequence LIMIT 1",
    [ST_DROP_OVERTAKEN] = "DELETE FROM overtaken WHERE device_id = ?1 AND ?2 IN ('*', module)",
    [ST_PUT_OUTGOING] = "INSERT INTO outgoing(due_ns, device_id, topic, qos, payload)"
                        " VALUES(?,?,?,?,?)",
    [ST_COUNT_OUTGOING] = "SELECT count(*) FROM outgoing",
    [ST_FIRST_OUTGOING] = "SELECT sequence, due_ns, device_id, topic, qos, payload FROM outgoing"
                          " ORDER BY due_ns, sequence LIMIT 1",
    [ST_DROP_OUTGOING] = "DELETE FROM outgoing WHERE sequence = ?",
    [ST_COUNT_REFUSAL] = "INSERT INTO refusal(path, count) VALUES(?, 1) ON CONFLICT(path)"
                         " DO UPDATE SET count = min(count + 1, 4294967295) RETURNING count",
    [ST_KEEP_ANNOUNCED] = "INSERT OR IGNORE INTO announced(device_id, payload) VALUES(?,?)",
    [ST_FIRST_ANNOUNCED] = "SELECT payload FROM announced WHERE device_id = ?",
    [ST_ALL_DEVICES] = "SELECT device_id, product_id, mid, secret, version FROM device"
                       " ORDER BY device_id",
    [ST_ALL_SUB_DEVICES] = "SELECT " SUB_DEVICE_COLUMNS " FROM sub_device ORDER BY device_id",
    /* Progress of a firmware in percent: nothing hangs on how much of it. */
    [ST_ALL_RECORDS] = "SELECT delta_id, device_id, state,"
                       " iif(download_status BETWEEN 1 AND 99 AND EXISTS(SELECT 1 FROM firmware f"
                       " WHERE f.delta_id = r.delta_id), 1, download_status), upgrade_status,"
                       " (SELECT count(DISTINCT o.changed_ns) FROM record o"
                       " WHERE o.changed_ns < r.changed_ns) FROM record r ORDER BY sequence",
    [ST_ALL_VERSIONS] = "SELECT device_id, module, version FROM module ORDER BY device_id, module",
    [ST_ALL_TAKEN] = "SELECT device_id, delta_id, task_id, tries FROM taken"
                     " ORDER BY device_id, delta_id",
    [ST_NO_TAKEN] = "DELETE FROM taken",
    [ST_NO_OVERTAKEN] = "DELETE FROM overtaken",
    [ST_ALL_WITHDRAWN] = "SELECT delta_id FROM package WHERE withdrawn = 1 ORDER BY delta_id",
    [ST_NO_WITHDRAWN] = "UPDATE package SET withdrawn = 0 WHERE withdrawn = 1",
    [ST_ALL_CONFIGS] = "SELECT product_id, config_id, package_id, sha256_hex FROM config"
                       " ORDER BY product_id",
    [ST_NO_CONFIGS] = "DELETE FROM config",
    [ST_ALL_TASKS] = "SELECT task_id, state FROM task ORDER BY task_id",
    [ST_ALL_VERIFIED] = "SELECT delta_id, verified FROM firmware ORDER BY delta_id",
    [ST_SET_TASK_STATE] = "UPDATE task SET state = ? WHERE task_id = ? RETURNING task_id",
    [ST_SET_VERIFIED] = "UPDATE firmware SET verified = ? WHERE delta_id = ? RETURNING delta_id",
    [ST_NO_DEVICES] = "DELETE FROM device",
    [ST_NO_SUB_DEVICES] = "DELETE FROM sub_device",
    [ST_NO_RECORDS] = "DELETE FROM record",
    [ST_NO_MESSAGES] = "DELETE FROM message",
    [ST_NO_VERSIONS] = "DELETE FROM module",
    [ST_NO_SESSIONS] = "DELETE FROM session",
    [ST_NO_OUTGOING] = "DELETE FROM outgoing",
    [ST_NO_REFUSALS] = "DELETE FROM refusal",
    [ST_NO_ANNOUNCED] = "DELETE FROM announced",
};

/* SQLite's result as ours, with its words. */
static int failed(struct store *s, int rc, const char *what, struct err *err)
{
    static const struct {
        int sqlite;
        int code;
    } table[] = {
        {SQLITE_NOMEM, ERR_NOMEM},    {SQLITE_FULL, ERR_LIMIT},    {SQLITE_TOOBIG, ERR_LIMIT},
        {SQLITE_CONSTRAINT, ERR_ARG}, {SQLITE_NOTADB, ERR_FORMAT}, {SQLITE_CORRUPT, ERR_FORMAT},
        {SQLITE_READONLY, ERR_IO},
    };
    int code = ERR_IO;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((rc & 0xff) == table[i].sqlite)
            code = table[i].code;
    return err_set(err, code, "store: cannot %s: %s", what, sqlite3_errmsg(s->db));
}

struct row row_begin(struct store *s, enum statement which)
{
    return (struct row){.st = s->statement[which], .next = 1};
}

void row_bind_text(struct row *r, const char *text)
{
    (void)sqlite3_bind_text(r->st, r->next++, text, -1, SQLITE_STATIC);
}

void row_bind_int(struct row *r, int64_t v)
{
    (void)sqlite3_bind_int64(r->st, r->next++, v);
}

void row_bind_blob(struct row *r, const void *data, size_t len_bytes)
{
    (void)sqlite3_bind_blob64(r->st, r->next++, data, len_bytes, SQLITE_STATIC);
}

int row_get(struct store *s, struct row *r, const char *what, struct err *err)
{
    int rc = sqlite3_step(r->st);
    r->next = 0;
    if (rc == SQLITE_ROW)
        return 0;
    if (rc == SQLITE_DONE)
        return err_set(err, ERR_NOT_FOUND, "store: %s: there is none", what);
    return failed(s, rc, what, err);
}

int row_run(struct store *s, struct row *r, const char *what, struct err *err)
{
    int rc = sqlite3_step(r->st);
    int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : failed(s, rc, what, err);
    row_end(r);
    return result;
}

void row_text(struct row *r, char *out, size_t room)
{
    const char *text = (const char *)sqlite3_column_text(r->st, r->next++);
    (void)snprintf(out, room, "%s", text == NULL ? "" : text);
}

int64_t row_int(struct row *r)
{
    return sqlite3_column_int64(r->st, r->next++);
}

void row_end(struct row *r)
{
    (void)sqlite3_reset(r->st);
    (void)sqlite3_clear_bindings(r->st);
}

int store_begin(struct store *s, struct err *err)
{
    if (s->depth == 0) {
        struct row r = row_begin(s, ST_BEGIN);
        int rc = row_run(s, &r, "begin", err);
        if (rc != 0)
            return rc;
        s->broken = false;
    }
    s->depth++;
    return 0;
}

int store_finish(struct store *s, int rc, struct err *err)
{
    s->broken = s->broken || rc != 0;
    if (--s->depth > 0)
        return rc;
    if (rc == 0 && s->broken)
        rc = err_set(err, ERR_WRONG_STATE, "store: a part of it has failed");
    if (rc == 0) {
        struct row r = row_begin(s, ST_COMMIT);
        rc = row_run(s, &r, "commit", err);
    }
    if (rc != 0 && sqlite3_get_autocommit(s->db) == 0) {
        struct row r = row_begin(s, ST_ROLLBACK);
        (void)row_run(s, &r, "roll back", NULL);
        seen_drop_all(s);
    }
    return rc;
}

/* The write-ahead log, which nothing else waits for. */
int store_sync(struct store *s, struct err *err)
{
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log != NULL && log->pMethods != NULL) /* null: in memory */
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK ? 0 : failed(s, rc, "write to the disk", err);
}

static int execute(struct store *s, const char *sql, const char *what, struct err *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : failed(s, rc, what, err);
}

static int pragma_int(struct store *s, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    int result = rc == SQLITE_ROW ? 0 : failed(s, rc, "read the file's head", err);
    (void)sqlite3_finalize(st);
    return result;
}

/* Brings the tables from that version (0: none) to ours. */
static int raise_schema(struct store *s, int64_t version, struct err *err)
{
    char stamp[96];
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   APPLICATION_ID, SCHEMA_VERSION);
    int rc = execute(s, "BEGIN IMMEDIATE", "begin", err);
    if (rc == 0 && version < 1)
        rc = execute(s, schema, "create the tables", err);
    if (rc == 0 && version < 2)
        rc = execute(s, schema_campaigns, "create the tables of campaigns", err);
    if (rc == 0 && version < 3)
        rc = execute(s, schema_topology, "extend the table of sub-devices", err);
    if (rc == 0 && version < 4)
        rc = execute(s, schema_batches, "create the tables of batches", err);
    if (rc == 0)
        rc = execute(s, stamp, "stamp the file", err);
    if (rc == 0)
        rc = execute(s, "COMMIT", "commit", err);
    return rc;
}

/* An empty file becomes ours; any other must be ours already, not newer than we are. */
static int check_schema(struct store *s, struct err *err)
{
    int64_t tables = 0, application = 0, version = 0;
    int rc = pragma_int(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == 0)
        rc = pragma_int(s, "PRAGMA application_id", &application, err);
    if (rc == 0)
        rc = pragma_int(s, "PRAGMA user_version", &version, err);
    if (rc != 0)
        return rc;
    if (tables == 0 && application == 0)
        return raise_schema(s, 0, err);
    if (application != APPLICATION_ID)
        return err_set(err, ERR_FORMAT, "store: a database of another program");
    if (version < 1 || version > SCHEMA_VERSION)
        return err_set(err, ERR_FORMAT, "store: schema version %lld, must be 1 to %d",
                       (long long)version, SCHEMA_VERSION);
    return version < SCHEMA_VERSION ? raise_schema(s, version, err) : 0;
}

static int prepare(struct store *s, struct err *err)
{
    for (int i = 0; i < ST_COUNT; i++) {
        int rc = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->statement[i], NULL);
        if (rc != SQLITE_OK)
            return failed(s, rc, "prepare a statement", err);
    }
    return 0;
}

static int set_up(struct store *s, const char *path, struct err *err)
{
    int rc = sqlite3_open_v2(
        path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (s->db == NULL)
        return err_set(err, ERR_NOMEM, "store: no memory");
    if (rc != SQLITE_OK)
        return failed(s, rc, "open the database", err);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    char limits[160];
    /* Debian's SQLite overwrites what is deleted unless told not to: nothing here is secret. */
    (void)snprintf(limits, sizeof limits,
                   "PRAGMA secure_delete = OFF; PRAGMA max_page_count = %lld",
                   (long long)(STORE_BYTES_MAX / PAGE_BYTES));
    int result = check_schema(s, err);
    if (result == 0)
        result = execute(s, limits, "set limits", err);
    if (result == 0)
        result = execute(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                         "use a write-ahead log", err);
    if (result == 0)
        result = execute(s, schema_sessions, "create the tables of sessions", err);
    if (result == 0)
        result = prepare(s, err);
    return result;
}

struct store *store_open(const char *path, struct err *err)
{
    const char *name = path == NULL ? ":memory:" : path;
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)err_set(err, ERR_NOMEM, "store: no memory");
        return NULL;
    }
    int rc = set_up(s, name, err);
    if (rc != 0) {
        (void)err_prefix(err, rc, "%s", name);
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < ST_COUNT; i++)
        (void)sqlite3_finalize(s->statement[i]);
    content_drop_all(s);
    free(s->content);
    (void)sqlite3_close(s->db);
    free(s);
}

int store_reset(struct store *s, struct err *err)
{
    int rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    rc = store_finish(s, execute(s, forget, "forget everything", err), err);
    if (rc == 0) {
        content_drop_all(s);
        seen_drop_all(s);
    }
    return rc;
}
