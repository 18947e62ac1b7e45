#include <stdlib.h>
#include <string.h>

#include "mock_cloud/store/rows.h"

/* Where delta_id is, or would be, in the ordered array. */
static size_t content_find(const struct store *s, int64_t delta_id)
{
    size_t low = 0, high = s->content_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->content[mid].delta_id < delta_id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool content_has(const struct store *s, size_t at, int64_t delta_id)
{
    return at < s->content_count && s->content[at].delta_id == delta_id;
}

void content_drop_all(struct store *s)
{
    for (size_t i = 0; i < s->content_count; i++)
        free(s->content[i].data);
    s->content_count = 0;
}

void seen_drop_all(struct store *s)
{
    for (size_t i = 0; i < SEEN_ROWS; i++) {
        s->seen.package[i].delta_id = 0;
        s->seen.file[i].firmware_id = 0;
    }
}

/* Takes a copy; an older content of the same id is dropped. */
static int content_keep(struct store *s, int64_t delta_id, const void *data, size_t len_bytes,
                        struct err *err)
{
    size_t at = content_find(s, delta_id);
    bool known = content_has(s, at, delta_id);
    if (!known && s->content_count == STORE_PACKAGES_MAX)
        return err_set(err, ERR_LIMIT, "store: more than %d packages", STORE_PACKAGES_MAX);
    if (s->content_count == s->content_cap) {
        size_t cap = s->content_cap == 0 ? 8 : 2 * s->content_cap;
        struct content *grown = realloc(s->content, cap * sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_NOMEM, "store: no memory");
        s->content = grown;
        s->content_cap = cap;
    }
    uint8_t *copy = malloc(len_bytes == 0 ? 1 : len_bytes);
    if (copy == NULL)
        return err_set(err, ERR_NOMEM, "store: no memory for a package of %zu bytes", len_bytes);
    if (len_bytes > 0)
        memcpy(copy, data, len_bytes);
    struct content *slot = s->content + at;
    if (known) {
        free(slot->data);
    } else {
        memmove(slot + 1, slot, (s->content_count - at) * sizeof *slot);
        s->content_count++;
    }
    *slot = (struct content){.delta_id = delta_id, .data = copy, .len_bytes = len_bytes};
    return 0;
}

static int check_package(const struct store_package *p, struct err *err)
{
    if (p->delta_id < 1 || p->delta_id > INT32_MAX)
        return err_set(err, ERR_ARG, "store: package id %lld, must be 1..%d",
                       (long long)p->delta_id, INT32_MAX);
    if (p->bytes > STORE_PACKAGE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "store: package of %u bytes, at most %u are kept", p->bytes,
                       STORE_PACKAGE_BYTES_MAX);
    return 0;
}

int store_put_package(struct store *s, const struct store_package *p, const void *content,
                      struct err *err)
{
    int rc = check_package(p, err);
    if (rc == 0)
        rc = store_begin(s, err);
    if (rc != 0)
        return rc;
    struct row r = row_begin(s, ST_PUT_PACKAGE);
    row_bind_int(&r, p->delta_id);
    row_bind_text(&r, p->product_id);
    row_bind_text(&r, p->from_version);
    row_bind_text(&r, p->to_version);
    row_bind_int(&r, p->kind);
    row_bind_int(&r, p->bytes);
    row_bind_text(&r, p->md5_hex);
    row_bind_int(&r, p->offered_from_ns);
    row_bind_int(&r, p->withdrawn);
    row_bind_blob(&r, p->bytes == 0 ? "" : content, p->bytes);
    seen_drop_all(s);
    rc = row_run(s, &r, "put a package", err);
    if (rc == 0)
        rc = content_keep(s, p->delta_id, content, p->bytes, err);
    return store_finish(s, rc, err);
}

static void read_package(struct row *r, struct store_package *out)
{
    r->next = 0;
    out->delta_id = row_int(r);
    row_text(r, out->product_id, sizeof out->product_id);
    row_text(r, out->from_version, sizeof out->from_version);
    row_text(r, out->to_version, sizeof out->to_version);
    out->kind = (enum package_kind)row_int(r);
    out->bytes = (uint32_t)row_int(r);
    row_text(r, out->md5_hex, sizeof out->md5_hex);
    out->offered_from_ns = row_int(r);
    out->withdrawn = row_int(r) != 0;
}

int store_get_package(struct store *s, int64_t delta_id, struct store_package *out, struct err *err)
{
    struct store_package *seen = &s->seen.package[(uint64_t)delta_id % SEEN_ROWS];
    if (delta_id != 0 && seen->delta_id == delta_id) {
        *out = *seen;
        return 0;
    }
    struct row r = row_begin(s, ST_GET_PACKAGE);
    row_bind_int(&r, delta_id);
    int rc = row_get(s, &r, "get a package", err);
    if (rc == 0) {
        read_package(&r, out);
        *seen = *out;
    }
    row_end(&r);
    return rc;
}

/* After a reopen the content is only in the database: fetched on first use. */
static int content_load(struct store *s, int64_t delta_id, struct err *err)
{
    struct row r = row_begin(s, ST_GET_CONTENT);
    row_bind_int(&r, delta_id);
    int rc = row_get(s, &r, "get a package's content", err);
    if (rc == 0) {
        const void *data = sqlite3_column_blob(r.st, 0);
        rc = content_keep(s, delta_id, data, (size_t)sqlite3_column_bytes(r.st, 0), err);
    }
    row_end(&r);
    return rc;
}

int store_package_bytes(struct store *s, int64_t delta_id, const uint8_t **data, size_t *len_bytes,
                        struct err *err)
{
    size_t at = content_find(s, delta_id);
    if (!content_has(s, at, delta_id)) {
        int rc = content_load(s, delta_id, err);
        if (rc != 0)
            return rc;
        at = content_find(s, delta_id);
    }
    *data = s->content[at].data;
    *len_bytes = s->content[at].len_bytes;
    return 0;
}

int store_withdraw_package(struct store *s, int64_t delta_id, struct err *err)
{
    seen_drop_all(s);
    struct row r = row_begin(s, ST_WITHDRAW);
    row_bind_int(&r, delta_id);
    int rc = row_get(s, &r, "withdraw a package", err);
    row_end(&r);
    return rc;
}

/* Candidates come in the order of their ids, so a later equal one is the newer. */
static bool better_offer(const struct store_package *a, const struct store_package *best)
{
    int order = version_compare(a->to_version, best->to_version);
    if (order != 0)
        return order > 0;
    bool exact = a->from_version[0] != '\0', best_exact = best->from_version[0] != '\0';
    return exact || !best_exact;
}

int store_find_offer(struct store *s, const char *product_id, const char *version, int64_t now_ns,
                     struct store_package *out, struct err *err)
{
    struct row r = row_begin(s, ST_OFFERS);
    row_bind_text(&r, product_id);
    row_bind_text(&r, version);
    row_bind_int(&r, now_ns);
    bool found = false;
    int rc = 0;
    while ((rc = row_get(s, &r, "find an offer", err)) == 0) {
        struct store_package candidate;
        read_package(&r, &candidate);
        if (version_compare(candidate.to_version, version) > 0 &&
            (!found || better_offer(&candidate, out))) {
            *out = candidate;
            found = true;
        }
    }
    row_end(&r);
    return rc == ERR_NOT_FOUND && found ? 0 : rc;
}
