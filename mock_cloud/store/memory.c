/*
 * Method. A row is its texts, each with the zero behind it, then its numbers, 8 bytes each; first
 * the number of rows of a table. Rows are read in a fixed order, so equal tables give equal bytes.
 */
#include <string.h>

#include "common/bytes.h"
#include "mock_cloud/store/rows.h"

#define ROWS_MAX 1000

/* ---- writing ---- */

static int put_int(struct buf *out, int64_t v)
{
    uint8_t b[8];
    put_le64(b, (uint64_t)v);
    return buf_append(out, b, sizeof b);
}

static int put_text(struct buf *out, struct row *r)
{
    char text[STORE_TEXT_MAX];
    row_text(r, text, sizeof text);
    return buf_append(out, text, strlen(text) + 1);
}

/* All rows of a statement: so many texts, numbers where the mask says so. */
static int put_rows(struct store *s, enum statement which, uint32_t columns, uint32_t numbers,
                    struct buf *out, struct err *err)
{
    struct row r = row_begin(s, which);
    size_t at = out->len_bytes;
    uint64_t count = 0;
    int rc = put_int(out, 0), got;
    /* The end of the rows is no error to tell of. */
    while (rc == 0 && (got = row_get(s, &r, "remember", NULL)) != ERR_NOT_FOUND) {
        rc = got;
        for (uint32_t i = 0; rc == 0 && i < columns; i++)
            rc = numbers & 1u << i ? put_int(out, row_int(&r)) : put_text(out, &r);
        count++;
    }
    row_end(&r);
    if (rc == 0)
        put_le64(out->data + at, count);
    return rc == 0 ? 0 : err_set(err, rc, "store: what it knows does not fit into memory");
}

int store_remember(struct store *s, struct buf *out, struct err *err)
{
    int rc = put_rows(s, ST_ALL_DEVICES, 5, 0, out, err);
    if (rc == 0)
        rc = put_rows(s, ST_ALL_SUB_DEVICES, 3, 0x04, out, err);
    return rc == 0 ? put_rows(s, ST_ALL_RECORDS, 5, 0x1d, out, err) : rc;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static int64_t take_int(struct reader *r)
{
    r->bad = r->bad || r->end - r->at < 8;
    if (r->bad)
        return 0;
    r->at += 8;
    return (int64_t)get_le64(r->at - 8);
}

static void take_text(struct reader *r, char *out, size_t room)
{
    size_t left = (size_t)(r->end - r->at);
    size_t len = r->bad ? 0 : strnlen((const char *)r->at, left);
    out[0] = '\0';
    r->bad = r->bad || len == left || len >= room;
    if (r->bad)
        return;
    memcpy(out, r->at, len + 1);
    r->at += len + 1;
}

static int recall_devices(struct store *s, struct reader *r, int64_t now_ns, struct err *err)
{
    int64_t n = take_int(r);
    int rc = 0;
    r->bad = r->bad || n < 0 || n > ROWS_MAX;
    for (; rc == 0 && !r->bad && n > 0; n--) {
        struct store_device d = {.registered_ns = now_ns, .seen_ns = now_ns};
        take_text(r, d.device_id, sizeof d.device_id);
        take_text(r, d.product_id, sizeof d.product_id);
        take_text(r, d.mid, sizeof d.mid);
        take_text(r, d.secret, sizeof d.secret);
        take_text(r, d.version, sizeof d.version);
        if (!r->bad)
            rc = store_put_device(s, &d, err);
    }
    return rc;
}

static int recall_sub_devices(struct store *s, struct reader *r, struct err *err)
{
    int64_t n = take_int(r);
    int rc = 0;
    r->bad = r->bad || n < 0 || n > ROWS_MAX;
    for (; rc == 0 && !r->bad && n > 0; n--) {
        struct store_sub_device d;
        take_text(r, d.device_id, sizeof d.device_id);
        take_text(r, d.gateway_id, sizeof d.gateway_id);
        d.logs_in = take_int(r) != 0;
        if (!r->bad)
            rc = store_put_sub_device(s, &d, err);
    }
    return rc;
}

static int recall_records(struct store *s, struct reader *r, int64_t now_ns, struct err *err)
{
    int64_t n = take_int(r);
    int rc = 0;
    r->bad = r->bad || n < 0 || n > ROWS_MAX;
    for (; rc == 0 && !r->bad && n > 0; n--) {
        struct store_record rec = {.created_ns = now_ns, .changed_ns = now_ns};
        rec.delta_id = take_int(r);
        take_text(r, rec.device_id, sizeof rec.device_id);
        rec.state = (enum record_state)take_int(r);
        rec.download_status = (int)take_int(r);
        rec.upgrade_status = (int)take_int(r);
        if (!r->bad)
            rc = store_put_record(s, &rec, err);
    }
    return rc;
}

int store_recall(struct store *s, const void *memory, size_t len_bytes, int64_t now_ns,
                 struct err *err)
{
    static const enum statement emptied[] = {ST_NO_DEVICES, ST_NO_SUB_DEVICES, ST_NO_RECORDS,
                                             ST_NO_MESSAGES};
    struct reader r = {.at = memory, .end = (const uint8_t *)memory + len_bytes};
    int rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < sizeof emptied / sizeof emptied[0]; i++) {
        struct row row = row_begin(s, emptied[i]);
        rc = row_run(s, &row, "forget", err);
    }
    if (rc == 0)
        rc = recall_devices(s, &r, now_ns, err);
    if (rc == 0)
        rc = recall_sub_devices(s, &r, err);
    if (rc == 0)
        rc = recall_records(s, &r, now_ns, err);
    if (rc == 0 && (r.bad || r.at != r.end))
        rc = err_set(err, ERR_FORMAT, "store: no memory of a store");
    return store_finish(s, rc, err);
}
