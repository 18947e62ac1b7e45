#include "mock_cloud/store/rows.h"

const char *task_kind_name(enum task_kind kind)
{
    static const char *const names[] = {"verify", "batch", "again"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {"waiting", "running", "ended", "held"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

int store_put_firmware(struct store *s, const struct store_firmware *f, struct err *err)
{
    if (f->product_id[0] == '\0' || f->version[0] == '\0')
        return err_set(err, ERR_ARG, "store: a firmware needs a product and a version");
    if (f->file_count < 1 || f->file_count > STORE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "store: a firmware of %u files, must be 1 to %d",
                       f->file_count, STORE_FILES_MAX);
    struct row r = row_begin(s, ST_PUT_FIRMWARE);
    row_bind_int(&r, f->delta_id);
    row_bind_text(&r, f->product_id);
    row_bind_text(&r, f->module);
    row_bind_text(&r, f->version);
    row_bind_int(&r, f->sign);
    row_bind_int(&r, f->diff);
    row_bind_int(&r, f->over_mqtt);
    row_bind_int(&r, f->verified);
    row_bind_int(&r, f->file_count);
    row_bind_text(&r, f->extra);
    return row_run(s, &r, "put a firmware", err);
}

static int read_firmware(struct store *s, struct row *r, struct store_firmware *out,
                         struct err *err)
{
    int rc = row_get(s, r, "get a firmware", err);
    if (rc == 0) {
        out->delta_id = row_int(r);
        row_text(r, out->product_id, sizeof out->product_id);
        row_text(r, out->module, sizeof out->module);
        row_text(r, out->version, sizeof out->version);
        out->sign = (enum firmware_sign)row_int(r);
        out->diff = row_int(r) != 0;
        out->over_mqtt = row_int(r) != 0;
        out->verified = row_int(r) != 0;
        out->file_count = (uint32_t)row_int(r);
        row_text(r, out->extra, sizeof out->extra);
    }
    row_end(r);
    return rc;
}

int store_get_firmware(struct store *s, int64_t delta_id, struct store_firmware *out,
                       struct err *err)
{
    struct row r = row_begin(s, ST_GET_FIRMWARE);
    row_bind_int(&r, delta_id);
    return read_firmware(s, &r, out, err);
}

int store_find_firmware(struct store *s, const char *product_id, const char *module,
                        const char *version, struct store_firmware *out, struct err *err)
{
    struct row r = row_begin(s, ST_FIND_FIRMWARE);
    row_bind_text(&r, product_id);
    row_bind_text(&r, module);
    row_bind_text(&r, version);
    return read_firmware(s, &r, out, err);
}

int store_last_package(struct store *s, int64_t *delta_id, struct err *err)
{
    struct row r = row_begin(s, ST_LAST_PACKAGE);
    int rc = row_get(s, &r, "get the last package", err);
    if (rc == 0)
        *delta_id = row_int(&r);
    row_end(&r);
    return rc;
}

int store_put_file(struct store *s, const struct store_file *f, struct err *err)
{
    seen_drop_all(s);
    struct row r = row_begin(s, ST_PUT_FILE);
    row_bind_int(&r, f->firmware_id);
    row_bind_int(&r, f->number);
    row_bind_int(&r, f->package_id);
    row_bind_text(&r, f->name);
    row_bind_text(&r, f->sha256_hex);
    return row_run(s, &r, "put a file", err);
}

int store_get_file(struct store *s, int64_t firmware_id, uint32_t number, struct store_file *out,
                   struct err *err)
{
    struct store_file *seen = &s->seen.file[((uint64_t)firmware_id + number) % SEEN_ROWS];
    if (firmware_id != 0 && seen->firmware_id == firmware_id && seen->number == number) {
        *out = *seen;
        return 0;
    }
    struct row r = row_begin(s, ST_GET_FILE);
    row_bind_int(&r, firmware_id);
    row_bind_int(&r, number);
    int rc = row_get(s, &r, "get a file", err);
    if (rc == 0) {
        out->firmware_id = row_int(&r);
        out->number = (uint32_t)row_int(&r);
        out->package_id = row_int(&r);
        row_text(&r, out->name, sizeof out->name);
        row_text(&r, out->sha256_hex, sizeof out->sha256_hex);
        *seen = *out;
    }
    row_end(&r);
    return rc;
}

int store_put_task(struct store *s, struct store_task *t, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_TASK);
    if (t->task_id == 0)
        r.next++; /* stays null: the next free id */
    else
        row_bind_int(&r, t->task_id);
    row_bind_int(&r, t->delta_id);
    row_bind_int(&r, t->kind);
    row_bind_int(&r, t->state);
    row_bind_text(&r, t->device_id);
    row_bind_int(&r, t->starts_ns);
    row_bind_text(&r, t->sources);
    row_bind_int(&r, t->chosen);
    row_bind_int(&r, t->fixed);
    row_bind_int(&r, t->percent);
    row_bind_int(&r, t->silent);
    row_bind_int(&r, t->yields);
    row_bind_int(&r, t->retries);
    row_bind_int(&r, t->retry_after_ns);
    int rc = row_get(s, &r, "put a task", err);
    if (rc == 0)
        t->task_id = row_int(&r);
    row_end(&r);
    return rc;
}

static int read_task(struct store *s, struct row *r, struct store_task *out, struct err *err)
{
    int rc = row_get(s, r, "get a task", err);
    if (rc == 0) {
        out->task_id = row_int(r);
        out->delta_id = row_int(r);
        out->kind = (enum task_kind)row_int(r);
        out->state = (enum task_state)row_int(r);
        row_text(r, out->device_id, sizeof out->device_id);
        out->starts_ns = row_int(r);
        row_text(r, out->sources, sizeof out->sources);
        out->chosen = row_int(r) != 0;
        out->fixed = row_int(r) != 0;
        out->percent = (int)row_int(r);
        out->silent = row_int(r) != 0;
        out->yields = row_int(r) != 0;
        out->retries = (int)row_int(r);
        out->retry_after_ns = row_int(r);
    }
    row_end(r);
    return rc;
}

int store_get_task(struct store *s, int64_t task_id, struct store_task *out, struct err *err)
{
    struct row r = row_begin(s, ST_GET_TASK);
    row_bind_int(&r, task_id);
    return read_task(s, &r, out, err);
}

int store_put_task_device(struct store *s, int64_t task_id, const char *device_id, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_TASK_DEVICE);
    row_bind_int(&r, task_id);
    row_bind_text(&r, device_id);
    return row_run(s, &r, "put a task's device", err);
}

bool store_has_task_device(struct store *s, int64_t task_id, const char *device_id)
{
    struct row r = row_begin(s, ST_HAS_TASK_DEVICE);
    row_bind_int(&r, task_id);
    row_bind_text(&r, device_id);
    int rc = row_get(s, &r, "get a task's device", NULL);
    row_end(&r);
    return rc == 0;
}

int store_next_retrying(struct store *s, int64_t task_id, struct store_task *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_RETRYING);
    row_bind_int(&r, task_id);
    row_bind_int(&r, TASK_RUNNING);
    return read_task(s, &r, out, err);
}

int store_put_taken(struct store *s, int64_t delta_id, const char *device_id,
                    const struct store_taken *t, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_TAKEN);
    row_bind_int(&r, delta_id);
    row_bind_text(&r, device_id);
    row_bind_int(&r, t->task_id);
    row_bind_int(&r, t->tries);
    return row_run(s, &r, "put a taken device", err);
}

int store_get_taken(struct store *s, int64_t delta_id, const char *device_id,
                    struct store_taken *out, struct err *err)
{
    struct row r = row_begin(s, ST_GET_TAKEN);
    row_bind_int(&r, delta_id);
    row_bind_text(&r, device_id);
    int rc = row_get(s, &r, "get a taken device", err);
    if (rc == 0) {
        out->task_id = row_int(&r);
        out->tries = row_int(&r);
    }
    row_end(&r);
    return rc;
}

int store_next_firmware(struct store *s, const char *product_id, int64_t after,
                        struct store_firmware *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_FIRMWARE);
    row_bind_text(&r, product_id);
    row_bind_int(&r, after);
    return read_firmware(s, &r, out, err);
}

int store_next_any_task(struct store *s, int64_t delta_id, int64_t after, struct store_task *out,
                        struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_ANY_TASK);
    row_bind_int(&r, delta_id);
    row_bind_int(&r, after);
    return read_task(s, &r, out, err);
}

int store_next_task(struct store *s, struct store_task *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_TASK);
    row_bind_int(&r, TASK_WAITING);
    return read_task(s, &r, out, err);
}

int store_older_task(struct store *s, int64_t delta_id, int64_t task_id, struct store_task *out,
                     struct err *err)
{
    struct row r = row_begin(s, ST_OLDER_TASK);
    row_bind_int(&r, delta_id);
    row_bind_int(&r, task_id);
    return read_task(s, &r, out, err);
}

int store_older_batch(struct store *s, const char *product_id, const char *module, int64_t task_id,
                      struct store_task *out, struct err *err)
{
    struct row r = row_begin(s, ST_OLDER_BATCH);
    row_bind_int(&r, TASK_RUNNING);
    row_bind_int(&r, TASK_BATCH);
    row_bind_text(&r, product_id);
    row_bind_text(&r, module);
    row_bind_int(&r, task_id);
    return read_task(s, &r, out, err);
}

int store_next_device(struct store *s, const char *product_id, const char *after,
                      struct store_device *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_DEVICE);
    row_bind_text(&r, product_id);
    row_bind_text(&r, after);
    int rc = row_get(s, &r, "get a device", err);
    if (rc == 0)
        read_device_row(&r, out);
    row_end(&r);
    return rc;
}

int store_put_version(struct store *s, const char *device_id, const char *module,
                      const char *version, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_VERSION);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    row_bind_text(&r, version);
    row_bind_int(&r, STORE_MODULES_MAX);
    int rc = row_run(s, &r, "put a version", err);
    if (rc == 0 && sqlite3_changes(s->db) == 0)
        rc = err_set(err, ERR_LIMIT, "store: %s has told more than %d modules", device_id,
                     STORE_MODULES_MAX);
    return rc;
}

int store_get_version(struct store *s, const char *device_id, const char *module,
                      char out[STORE_TEXT_MAX], struct err *err)
{
    struct row r = row_begin(s, ST_GET_VERSION);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    int rc = row_get(s, &r, "get a version", err);
    if (rc == 0)
        row_text(&r, out, STORE_TEXT_MAX);
    row_end(&r);
    return rc;
}

int store_next_version(struct store *s, const char *device_id, const char *after,
                       char module[STORE_TEXT_MAX], char version[STORE_TEXT_MAX], struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_VERSION);
    row_bind_text(&r, device_id);
    row_bind_text(&r, after); /* null is null */
    int rc = row_get(s, &r, "get a version", err);
    if (rc == 0) {
        row_text(&r, module, STORE_TEXT_MAX);
        row_text(&r, version, STORE_TEXT_MAX);
    }
    row_end(&r);
    return rc;
}

static int read_record_of(struct store *s, struct row *r, struct store_record *out, struct err *err)
{
    int rc = row_get(s, r, "get a record", err);
    if (rc == 0)
        read_record_row(r, out);
    row_end(r);
    return rc;
}

int store_open_record(struct store *s, const char *device_id, const char *module, size_t index,
                      struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_OPEN_RECORD);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    row_bind_int(&r, RECORD_PENDING);
    row_bind_int(&r, RECORD_UPGRADING);
    row_bind_int(&r, (int64_t)index);
    return read_record_of(s, &r, out, err);
}

int store_newest_record(struct store *s, const char *device_id, const char *module,
                        struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEWEST_RECORD);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    return read_record_of(s, &r, out, err);
}

int store_record_for_version(struct store *s, const char *device_id, const char *module,
                             const char *version, struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_RECORD_FOR_VERSION);
    row_bind_text(&r, device_id);
    row_bind_text(&r, module);
    row_bind_text(&r, version);
    row_bind_int(&r, RECORD_SUPERSEDED);
    return read_record_of(s, &r, out, err);
}

static int next_record(struct store *s, int64_t delta_id, const char *after, enum record_state a,
                       enum record_state b, struct store_record *out, struct err *err)
{
    struct row r = row_begin(s, ST_NEXT_RECORD_OF);
    row_bind_int(&r, delta_id);
    row_bind_text(&r, after);
    row_bind_int(&r, a);
    row_bind_int(&r, b);
    return read_record_of(s, &r, out, err);
}

int store_next_failed(struct store *s, int64_t delta_id, const char *after,
                      struct store_record *out, struct err *err)
{
    return next_record(s, delta_id, after, RECORD_FAILED, RECORD_FAILED, out, err);
}

int store_next_open(struct store *s, int64_t delta_id, const char *after, struct store_record *out,
                    struct err *err)
{
    return next_record(s, delta_id, after, RECORD_PENDING, RECORD_UPGRADING, out, err);
}

int store_put_config(struct store *s, const struct store_config *c, struct err *err)
{
    struct row r = row_begin(s, ST_PUT_CONFIG);
    row_bind_text(&r, c->product_id);
    row_bind_text(&r, c->config_id);
    row_bind_int(&r, c->package_id);
    row_bind_text(&r, c->sha256_hex);
    return row_run(s, &r, "put a configuration", err);
}

int store_get_config(struct store *s, const char *product_id, struct store_config *out,
                     struct err *err)
{
    struct row r = row_begin(s, ST_GET_CONFIG);
    row_bind_text(&r, product_id);
    int rc = row_get(s, &r, "get a configuration", err);
    if (rc == 0) {
        row_text(&r, out->product_id, sizeof out->product_id);
        row_text(&r, out->config_id, sizeof out->config_id);
        out->package_id = row_int(&r);
        row_text(&r, out->sha256_hex, sizeof out->sha256_hex);
    }
    row_end(&r);
    return rc;
}
