#include "common/bytes.h"
#include "common/vtime.h"
#include "mock_cloud/store/rows.h"

int store_put_session(struct store *s, const struct store_session *x, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_SESSION);
    row_bind_text(&r, x->device_id);
    row_bind_text(&r, x->via);
    row_bind_int(&r, x->listens);
    row_bind_int(&r, x->told);
    row_bind_int(&r, x->pushed_ns);
    row_bind_int(&r, x->due_ns);
    return row_run(s, &r, "put a session", err);
}

static int read_session(struct store *s, struct row *r, struct store_session *out, struct err *err)
{
    int rc = row_get(s, r, "get a session", err);
    if (rc == 0) {
        row_text(r, out->device_id, sizeof out->device_id);
        row_text(r, out->via, sizeof out->via);
        out->listens = row_int(r) != 0;
        out->told = row_int(r) != 0;
        out->pushed_ns = row_int(r);
        out->due_ns = row_int(r);
    }
    row_end(r);
    return rc;
}

int store_get_session(struct store *s, const char *device_id, struct store_session *out,
                      struct err *err)
{
    struct row r = row_begin(s, ST_GET_SESSION);
    row_bind_text(&r, device_id);
    return read_session(s, &r, out, err);
}

int store_drop_sessions(struct store *s, const char *via, struct err *err)
{
    struct row r = row_begin(s, ST_DROP_SESSIONS);
    row_bind_text(&r, via);
    return row_run(s, &r, "drop sessions", err);
}

int store_drop_session(struct store *s, const char *device_id, struct err *err)
{
    struct row r = row_begin(s, ST_DROP_SESSION);
    row_bind_text(&r, device_id);
    return row_run(s, &r, "drop a session", err);
}

int store_due_session(struct store *s, struct store_session *out, struct err *err)
{
    struct row r = row_begin(s, ST_DUE_SESSION);
    row_bind_int(&r, VTIME_NEVER);
    return read_session(s, &r, out, err);
}

int store_put_overtaken(struct store *s, const struct store_overtaken *x, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_OVERTAKEN);
    row_bind_text(&r, x->device_id);
    row_bind_text(&r, x->module);
    row_bind_int(&r, x->delta_id);
    return row_run(s, &r, "put an overtaken upgrade", err);
}

static int read_overtaken(struct store *s, struct row *r, struct store_overtaken *out,
                          struct err *err)
{
    int rc = row_get(s, r, "get an overtaken upgrade", err);
    if (rc == 0) {
        out->sequence = row_int(r);
        row_text(r, out->device_id, sizeof out->device_id);
        row_text(r, out->module, sizeof out->module);
        out->delta_id = row_int(r);
    }
    row_end(r);
    return rc;
}

int store_get_overtaken(struct store *s, const char *device_id, const char *module,
                        struct store_overtaken *out, struct err *err)
{
    struct row r = row_begin(s, ST_GET_OVERTAKEN);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    return read_overtaken(s, &r, out, err);
}

int store_next_overtaken(struct store *s, int64_t sequence, struct store_overtaken *out,
                         struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_OVERTAKEN);
    row_bind_int(&r, sequence);
    return read_overtaken(s, &r, out, err);
}

int store_drop_overtaken(struct store *s, const char *device_id, const char *module,
                         struct err *err)
{
    struct row r = row_begin(s, ST_DROP_OVERTAKEN);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    return row_run(s, &r, "drop overtaken upgrades", err);
}

static int count_outgoing(struct store *s, int64_t *count, struct err *err)
{
    struct row r = row_begin(s, ST_COUNT_OUTGOING);
    int rc = row_get(s, &r, "count messages", err);
    if (rc == 0)
        *count = row_int(&r);
    row_end(&r);
    return rc;
}

int store_put_outgoing(struct store *s, const struct store_outgoing *m, const void *payload,
                       size_t len_bytes, struct err *err)
{
    int64_t count = 0;
    int rc = count_outgoing(s, &count, err);
    if (rc != 0)
        return rc;
    if (count >= STORE_OUTGOING_MAX || len_bytes > STORE_OUTGOING_BYTES)
        return err_set(err, ERR_LIMIT, "store: at most %d messages of %u bytes are held back",
                       STORE_OUTGOING_MAX, STORE_OUTGOING_BYTES);
    struct row r = row_begin(s, ST_PUT_OUTGOING);
    row_bind_int(&r, m->due_ns);
    row_bind_text(&r, m->device_id);
    row_bind_text(&r, m->topic);
    row_bind_int(&r, m->qos);
    row_bind_blob(&r, len_bytes == 0 ? "" : payload, len_bytes);
    return row_run(s, &r, "hold a message back", err);
}

static int append_blob(struct row *r, struct buf *out)
{
    const void *data = sqlite3_column_blob(r->st, r->next);
    size_t len = (size_t)sqlite3_column_bytes(r->st, r->next++);
    return len == 0 ? 0 : buf_append(out, data, len);
}

int store_take_outgoing(struct store *s, int64_t now_ns, struct store_outgoing *out,
                        struct buf *payload, struct err *err)
{
    struct row r = row_begin(s, ST_FIRST_OUTGOING);
    int rc = row_get(s, &r, "take a message", err);
    out->due_ns = VTIME_NEVER;
    if (rc == 0) {
        out->sequence = row_int(&r);
        out->due_ns = row_int(&r);
        row_text(&r, out->device_id, sizeof out->device_id);
        row_text(&r, out->topic, sizeof out->topic);
        out->qos = (int)row_int(&r);
        rc = out->due_ns > now_ns ? ERR_NOT_FOUND : append_blob(&r, payload);
    }
    row_end(&r);
    if (rc != 0)
        return rc;
    struct row drop = row_begin(s, ST_DROP_OUTGOING);
    row_bind_int(&drop, out->sequence);
    return row_run(s, &drop, "take a message", err);
}

int store_count_refusal(struct store *s, const char *path, uint32_t *count, struct err *err)
{
    struct row r = row_begin(s, ST_COUNT_REFUSAL);
    row_bind_text(&r, path);
    int rc = row_get(s, &r, "count a refusal", err);
    if (rc == 0)
        *count = (uint32_t)row_int(&r);
    row_end(&r);
    return rc;
}

int store_keep_announced(struct store *s, const char *device_id, const void *payload,
                         size_t len_bytes, struct err *err)
{
    struct row r = row_begin(s, ST_KEEP_ANNOUNCED);
    row_bind_text(&r, device_id);
    row_bind_blob(&r, payload, len_bytes);
    return row_run(s, &r, "keep an announcement", err);
}

int store_first_announced(struct store *s, const char *device_id, struct buf *payload,
                          struct err *err)
{
    struct row r = row_begin(s, ST_FIRST_ANNOUNCED);
    row_bind_text(&r, device_id);
    int rc = row_get(s, &r, "get an announcement", err);
    if (rc == 0)
        rc = append_blob(&r, payload);
    row_end(&r);
    return rc;
}
