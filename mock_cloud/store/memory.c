/*
 * Method. A row is its texts, each with the zero behind it, then its numbers, 8 bytes each; first
 * the number of rows of a table. Rows are read in a fixed order, so equal tables give equal bytes.
 */
#include <string.h>

#include "common/cursor.h"
#include "mock_cloud/store/rows.h"

#define ROWS_MAX 1000

/* ---- writing ---- */

static int put_text(struct buf *out, struct row *r)
{
    char text[STORE_TEXT_MAX];
    row_text(r, text, sizeof text);
    return buf_put_text(out, text);
}

/* A table: numbers where the mask says so, else texts. */
static const struct table {
    enum statement all;
    uint32_t columns, numbers;
} tables[] = {{ST_ALL_DEVICES, 5, 0},  {ST_ALL_SUB_DEVICES, 3, 0x04}, {ST_ALL_RECORDS, 6, 0x3d},
              {ST_ALL_VERSIONS, 3, 0}, {ST_ALL_TASKS, 2, 3},          {ST_ALL_VERIFIED, 2, 3},
              {ST_ALL_TAKEN, 4, 0x0e}, {ST_ALL_CONFIGS, 4, 0x04},     {ST_ALL_WITHDRAWN, 1, 1}};

static int put_rows(struct store *s, const struct table *t, struct buf *out, struct err *err)
{
    struct row r = row_begin(s, t->all);
    size_t at = out->len_bytes;
    uint64_t count = 0;
    int rc = buf_put_int(out, 0), got;
    /* The end of the rows is no error to tell of. */
    while (rc == 0 && (got = row_get(s, &r, "remember", NULL)) != ERR_NOT_FOUND) {
        rc = got;
        for (uint32_t i = 0; rc == 0 && i < t->columns; i++)
            rc = t->numbers & 1u << i ? buf_put_int(out, row_int(&r)) : put_text(out, &r);
        count++;
    }
    row_end(&r);
    if (rc == 0)
        put_le64(out->data + at, count);
    return rc == 0 ? 0 : err_set(err, rc, "store: what it knows does not fit into memory");
}

int store_remember(struct store *s, struct buf *out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
        rc = put_rows(s, &tables[i], out, err);
    return rc;
}

/* ---- reading ---- */

struct reader {
    struct store *s;
    struct cursor c;
    int64_t now_ns;
    int rc;
    struct err *err;
};

static int64_t count_of_rows(struct reader *r)
{
    return r->rc == 0 ? cursor_int(&r->c, 0, ROWS_MAX) : 0;
}

static bool goes_on(const struct reader *r)
{
    return r->rc == 0 && !r->c.bad;
}

static void recall_devices(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        struct store_device d = {.registered_ns = r->now_ns, .seen_ns = r->now_ns};
        cursor_text(&r->c, d.device_id, sizeof d.device_id);
        cursor_text(&r->c, d.product_id, sizeof d.product_id);
        cursor_text(&r->c, d.mid, sizeof d.mid);
        cursor_text(&r->c, d.secret, sizeof d.secret);
        cursor_text(&r->c, d.version, sizeof d.version);
        if (!r->c.bad)
            r->rc = store_put_device(r->s, &d, r->err);
    }
}

static void recall_sub_devices(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        struct store_sub_device d;
        cursor_text(&r->c, d.device_id, sizeof d.device_id);
        cursor_text(&r->c, d.gateway_id, sizeof d.gateway_id);
        d.logs_in = cursor_int(&r->c, 0, 1) != 0;
        if (!r->c.bad)
            r->rc = store_put_sub_device(r->s, &d, r->err);
    }
}

/* Which one changed last is all that is left of their times. */
static void recall_records(struct reader *r)
{
    const int64_t all = count_of_rows(r);
    for (int64_t n = all; goes_on(r) && n > 0; n--) {
        struct store_record rec = {.created_ns = r->now_ns};
        rec.delta_id = cursor_int(&r->c, 1, INT32_MAX);
        cursor_text(&r->c, rec.device_id, sizeof rec.device_id);
        rec.state = (enum record_state)cursor_int(&r->c, RECORD_PENDING, RECORD_SUPERSEDED);
        rec.download_status = (int)cursor_int(&r->c, INT32_MIN, INT32_MAX);
        rec.upgrade_status = (int)cursor_int(&r->c, INT32_MIN, INT32_MAX);
        rec.changed_ns = r->now_ns - (all - 1) + cursor_int(&r->c, 0, all - 1);
        if (!r->c.bad)
            r->rc = store_put_record(r->s, &rec, r->err);
    }
}

static void recall_versions(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        char device[STORE_TEXT_MAX], module[STORE_TEXT_MAX], version[STORE_TEXT_MAX];
        cursor_text(&r->c, device, sizeof device);
        cursor_text(&r->c, module, sizeof module);
        cursor_text(&r->c, version, sizeof version);
        if (!r->c.bad)
            r->rc = store_put_version(r->s, device, module, version, r->err);
    }
}

/* A number of rows that are there already, found by their own. */
static void recall_number(struct reader *r, enum statement which, int64_t max)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        int64_t id = cursor_int(&r->c, 1, INT64_MAX), value = cursor_int(&r->c, 0, max);
        if (r->c.bad)
            return;
        struct row row = row_begin(r->s, which);
        row_bind_int(&row, value);
        row_bind_int(&row, id);
        r->rc = row_get(r->s, &row, "recall", r->err);
        row_end(&row);
        r->c.bad = r->rc == ERR_NOT_FOUND; /* of another store */
    }
}

static void recall_taken(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        char device[STORE_TEXT_MAX];
        struct store_taken t;
        cursor_text(&r->c, device, sizeof device);
        int64_t delta_id = cursor_int(&r->c, 1, INT32_MAX);
        t.task_id = cursor_int(&r->c, 0, INT64_MAX);
        t.tries = cursor_int(&r->c, 0, INT64_MAX);
        if (!r->c.bad)
            r->rc = store_put_taken(r->s, delta_id, device, &t, r->err);
    }
}

static void recall_configs(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        struct store_config c;
        cursor_text(&r->c, c.product_id, sizeof c.product_id);
        cursor_text(&r->c, c.config_id, sizeof c.config_id);
        c.package_id = cursor_int(&r->c, 1, INT32_MAX);
        cursor_text(&r->c, c.sha256_hex, sizeof c.sha256_hex);
        if (!r->c.bad)
            r->rc = store_put_config(r->s, &c, r->err);
    }
}

static void recall_withdrawn(struct reader *r)
{
    for (int64_t n = count_of_rows(r); goes_on(r) && n > 0; n--) {
        int64_t delta_id = cursor_int(&r->c, 1, INT32_MAX);
        if (!r->c.bad)
            r->rc = store_withdraw_package(r->s, delta_id, r->err);
        r->c.bad = r->c.bad || r->rc == ERR_NOT_FOUND; /* of another store */
    }
}

static int forget(struct store *s, struct err *err)
{
    static const enum statement emptied[] = {
        ST_NO_DEVICES,   ST_NO_SUB_DEVICES, ST_NO_RECORDS,  ST_NO_MESSAGES,  ST_NO_VERSIONS,
        ST_NO_SESSIONS,  ST_NO_OUTGOING,    ST_NO_REFUSALS, ST_NO_ANNOUNCED, ST_NO_TAKEN,
        ST_NO_OVERTAKEN, ST_NO_CONFIGS,     ST_NO_WITHDRAWN};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof emptied / sizeof emptied[0]; i++) {
        struct row row = row_begin(s, emptied[i]);
        rc = row_run(s, &row, "forget", err);
    }
    return rc;
}

int store_recall(struct store *s, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err)
{
    struct reader r = {.s = s, .c = cursor_over(memory, len_bytes), .now_ns = now_ns, .err = err};
    int rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    r.rc = forget(s, err);
    recall_devices(&r);
    recall_sub_devices(&r);
    recall_records(&r);
    recall_versions(&r);
    recall_number(&r, ST_SET_TASK_STATE, TASK_HELD);
    recall_number(&r, ST_SET_VERIFIED, 1);
    recall_taken(&r);
    recall_configs(&r);
    recall_withdrawn(&r);
    if (r.c.bad || (r.rc == 0 && !cursor_done(&r.c)))
        r.rc = err_set(err, ERR_FORMAT, "store: no memory of this store");
    return store_finish(s, r.rc, err);
}
