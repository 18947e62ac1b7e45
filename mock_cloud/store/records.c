#include <stdio.h>

#include "mock_cloud/store/rows.h"

const char *record_state_name(enum record_state state)
{
    static const char *const names[] = {"pending", "upgrading", "success", "failed", "superseded"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

int store_put_record(struct store *s, const struct store_record *rec, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_RECORD);
    row_bind_int(&r, rec->delta_id);
    row_bind_text(&r, rec->device_id);
    row_bind_int(&r, rec->state);
    row_bind_int(&r, rec->download_status);
    row_bind_int(&r, rec->upgrade_status);
    row_bind_int(&r, rec->created_ns);
    row_bind_int(&r, rec->changed_ns);
    return row_run(s, &r, "put a record", err);
}

void read_record_row(struct row *r, struct store_record *out)
{
    out->delta_id = row_int(r);
    row_text(r, out->device_id, sizeof out->device_id);
    out->state = (enum record_state)row_int(r);
    out->download_status = (int)row_int(r);
    out->upgrade_status = (int)row_int(r);
    out->created_ns = row_int(r);
    out->changed_ns = row_int(r);
}

static int read_record(struct store *s, struct row *r, struct store_record *out, struct err *err)
{
    int rc = row_get(s, r, "get a record", err);
    if (rc == 0)
        read_record_row(r, out);
    row_end(r);
    return rc;
}

int store_get_record(struct store *s, int64_t delta_id, const char *device_id,
                     struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_GET_RECORD);
    row_bind_int(&r, delta_id);
    row_bind_text(&r, device_id);
    return read_record(s, &r, out, err);
}

int store_record_at(struct store *s, size_t index, struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_RECORD_AT);
    row_bind_int(&r, (int64_t)index);
    return read_record(s, &r, out, err);
}

int store_next_record(struct store *s, const struct store_record_filter *f, int64_t *sequence,
                      struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_RECORD);
    row_bind_int(&r, *sequence);
    row_bind_text(&r, f->device_id);
    row_bind_int(&r, f->delta_id);
    row_bind_int(&r, f->state);
    int rc = row_get(s, &r, "get a record", err);
    if (rc == 0) {
        read_record_row(&r, out);
        *sequence = row_int(&r);
    }
    row_end(&r);
    return rc;
}

int store_find_other_pending(struct store *s, const char *device_id, int64_t delta_id,
                             struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_OTHER_PENDING);
    row_bind_text(&r, device_id);
    row_bind_int(&r, delta_id);
    row_bind_int(&r, RECORD_PENDING);
    return read_record(s, &r, out, err);
}

int store_find_oldest_upgrading(struct store *s, struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_OLDEST_UPGRADING);
    row_bind_int(&r, RECORD_UPGRADING);
    return read_record(s, &r, out, err);
}

int store_log_message(struct store *s, int64_t now_ns, const char *face, const char *what,
                      const char *text, struct err *err)
{
    char cut[STORE_MESSAGE_TEXT_MAX];
    (void)snprintf(cut, sizeof cut, "%s", text);
    struct row r = row_begin(s, ST_PUT_MESSAGE);
    row_bind_int(&r, now_ns);
    row_bind_text(&r, face);
    row_bind_text(&r, what);
    row_bind_text(&r, cut);
    int rc = row_get(s, &r, "log a message", err);
    int64_t sequence = rc == 0 ? row_int(&r) : 0;
    row_end(&r);
    if (rc != 0 || sequence <= STORE_MESSAGES_MAX)
        return rc;
    struct row trim = row_begin(s, ST_TRIM_MESSAGES);
    row_bind_int(&trim, sequence - STORE_MESSAGES_MAX);
    return row_run(s, &trim, "trim the log", err);
}

int store_message_at(struct store *s, size_t index, struct store_message *out, struct err *err)
{
    struct row r = row_begin(s, ST_MESSAGE_AT);
    row_bind_int(&r, (int64_t)index);
    int rc = row_get(s, &r, "get a message", err);
    if (rc == 0) {
        out->now_ns = row_int(&r);
        row_text(&r, out->face, sizeof out->face);
        row_text(&r, out->what, sizeof out->what);
        row_text(&r, out->text, sizeof out->text);
    }
    row_end(&r);
    return rc;
}
