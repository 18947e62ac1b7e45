#include "mock_cloud/store/rows.h"

int store_put_product(struct store *s, const struct store_product *p, struct err *err)
{
    if (p->product_id[0] == '\0')
        return err_set(err, ERR_ARG, "store: a product needs an id");
    struct row r = row_begin(s, ST_PUT_PRODUCT);
    row_bind_text(&r, p->product_id);
    row_bind_text(&r, p->secret);
    row_bind_int(&r, p->cms);
    row_bind_int(&r, p->has_team);
    row_bind_text(&r, p->oem);
    row_bind_text(&r, p->model);
    row_bind_text(&r, p->platform);
    row_bind_text(&r, p->device_type);
    row_bind_text(&r, p->owner);
    row_bind_int(&r, p->device_visits_per_day);
    row_bind_int(&r, p->owner_visits_per_day);
    row_bind_int(&r, p->compare_block_kib);
    row_bind_int(&r, p->restore_block_bytes);
    row_bind_int(&r, p->window_bytes);
    return row_run(s, &r, "put a product", err);
}

static int read_product(struct store *s, struct row *r, struct store_product *out, struct err *err)
{
    int rc = row_get(s, r, "get a product", err);
    if (rc == 0) {
        row_text(r, out->product_id, sizeof out->product_id);
        row_text(r, out->secret, sizeof out->secret);
        out->cms = row_int(r) != 0;
        out->has_team = row_int(r) != 0;
        row_text(r, out->oem, sizeof out->oem);
        row_text(r, out->model, sizeof out->model);
        row_text(r, out->platform, sizeof out->platform);
        row_text(r, out->device_type, sizeof out->device_type);
        row_text(r, out->owner, sizeof out->owner);
        out->device_visits_per_day = (uint32_t)row_int(r);
        out->owner_visits_per_day = (uint32_t)row_int(r);
        out->compare_block_kib = (uint16_t)row_int(r);
        out->restore_block_bytes = (uint32_t)row_int(r);
        out->window_bytes = (uint32_t)row_int(r);
    }
    row_end(r);
    return rc;
}

int store_get_product(struct store *s, const char *product_id, struct store_product *out,
                      struct err *err)
{
    struct row r = row_begin(s, ST_GET_PRODUCT);
    row_bind_text(&r, product_id);
    return read_product(s, &r, out, err);
}

int store_next_product(struct store *s, const char *after, struct store_product *out,
                       struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_PRODUCT);
    row_bind_text(&r, after);
    return read_product(s, &r, out, err);
}

int store_put_device(struct store *s, const struct store_device *d, struct err *err)
{
    if (d->device_id[0] == '\0')
        return err_set(err, ERR_ARG, "store: a device needs an id");
    struct row r = row_begin(s, ST_PUT_DEVICE);
    row_bind_text(&r, d->device_id);
    row_bind_text(&r, d->product_id);
    row_bind_text(&r, d->mid);
    row_bind_text(&r, d->secret);
    row_bind_text(&r, d->version);
    row_bind_int(&r, d->registered_ns);
    row_bind_int(&r, d->seen_ns);
    return row_run(s, &r, "put a device", err);
}

void read_device_row(struct row *r, struct store_device *out)
{
    row_text(r, out->device_id, sizeof out->device_id);
    row_text(r, out->product_id, sizeof out->product_id);
    row_text(r, out->mid, sizeof out->mid);
    row_text(r, out->secret, sizeof out->secret);
    row_text(r, out->version, sizeof out->version);
    out->registered_ns = row_int(r);
    out->seen_ns = row_int(r);
}

static int read_device(struct store *s, struct row *r, struct store_device *out, struct err *err)
{
    int rc = row_get(s, r, "get a device", err);
    if (rc == 0)
        read_device_row(r, out);
    row_end(r);
    return rc;
}

int store_get_device(struct store *s, const char *device_id, struct store_device *out,
                     struct err *err)
{
    struct row r = row_begin(s, ST_GET_DEVICE);
    row_bind_text(&r, device_id);
    return read_device(s, &r, out, err);
}

int store_find_device_by_mid(struct store *s, const char *product_id, const char *mid,
                             struct store_device *out, struct err *err)
{
    struct row r = row_begin(s, ST_FIND_DEVICE);
    row_bind_text(&r, product_id);
    row_bind_text(&r, mid);
    return read_device(s, &r, out, err);
}

static int visit(struct store *s, int kind, const char *who, int64_t day, uint32_t *count,
                 struct err *err)
{
    struct row r = row_begin(s, ST_VISIT);
    row_bind_int(&r, kind);
    row_bind_text(&r, who);
    row_bind_int(&r, day);
    int rc = row_get(s, &r, "count a visit", err);
    if (rc == 0)
        *count = (uint32_t)row_int(&r);
    row_end(&r);
    return rc;
}

int store_count_visit(struct store *s, const char *device_id, const char *owner, int64_t now_ns,
                      uint32_t *device_visits, uint32_t *owner_visits, struct err *err)
{
    enum { VISIT_DEVICE, VISIT_OWNER };
    const int64_t day_ns = INT64_C(86400) * 1000000000;
    int64_t day = now_ns / day_ns;
    int rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    rc = visit(s, VISIT_DEVICE, device_id, day, device_visits, err);
    if (rc == 0)
        rc = visit(s, VISIT_OWNER, owner, day, owner_visits, err);
    return store_finish(s, rc, err);
}
