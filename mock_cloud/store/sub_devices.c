#include "mock_cloud/store/rows.h"

int store_put_sub_device(struct store *s, const struct store_sub_device *d, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_SUB_DEVICE);
    row_bind_text(&r, d->device_id);
    row_bind_text(&r, d->gateway_id);
    row_bind_int(&r, d->logs_in);
    return row_run(s, &r, "put a sub-device", err);
}

static int read_sub_device(struct store *s, struct row *r, struct store_sub_device *out,
                           struct err *err)
{
    int rc = row_get(s, r, "get a sub-device", err);
    if (rc == 0) {
        row_text(r, out->device_id, sizeof out->device_id);
        row_text(r, out->gateway_id, sizeof out->gateway_id);
        out->logs_in = row_int(r) != 0;
    }
    row_end(r);
    return rc;
}

int store_get_sub_device(struct store *s, const char *device_id, struct store_sub_device *out,
                         struct err *err)
{
    struct row r = row_begin(s, ST_GET_SUB_DEVICE);
    row_bind_text(&r, device_id);
    return read_sub_device(s, &r, out, err);
}

int store_next_sub_device(struct store *s, const char *gateway_id, const char *after,
                          struct store_sub_device *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_SUB_DEVICE);
    row_bind_text(&r, gateway_id);
    row_bind_text(&r, after);
    return read_sub_device(s, &r, out, err);
}

int store_count_sub_devices(struct store *s, const char *gateway_id, uint32_t *count,
                            struct err *err)
{
    struct row r = row_begin(s, ST_COUNT_SUB_DEVICES);
    row_bind_text(&r, gateway_id);
    int rc = row_get(s, &r, "count sub-devices", err);
    if (rc == 0)
        *count = (uint32_t)row_int(&r);
    row_end(&r);
    return rc;
}

int store_drop_sub_device(struct store *s, const char *device_id, struct err *err)
{
    struct row r = row_begin(s, ST_DROP_SUB_DEVICE);
    row_bind_text(&r, device_id);
    return row_run(s, &r, "drop a sub-device", err);
}
