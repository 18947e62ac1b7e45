/*
 * Where a chip's memory lies: on the heap, or in two files that survive the process: the image
 * itself (`path`, size_bytes of content, nothing else) and its sidecar (`path`.meta). Both are
 * mapped shared, so a process killed at any instant loses nothing that an operation had stored.
 *
 * Sidecar, all integers little-endian:
 *     0  "otanor1\n"
 *     8  size, erase unit, page, granule, policy, endurance: 32 bits each
 *    32  program, erase, read-per-byte time in ns: 64 bits each
 *    56  operations so far, power-ons so far: 64 bits each
 *    72  chip name, 24 bytes, zero-filled
 *   128  wear: 32 bits per erase unit
 *        flags: 1 byte per erase unit
 *        written marks, torn marks: 1 bit per granule, whole bytes per unit (not for NOR_REWRITE)
 *        weak cells: 1 bit per bit of content
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "flash_emu/nor_chip.h"

#define META_MAGIC     "otanor1\n"
#define META_SIZE      8
#define META_TIMES     32
#define META_POWER_ONS 64
#define META_NAME      72
#define META_HEAD      128
#define PATH_BYTES     4096

_Static_assert(META_NAME + NOR_NAME_MAX <= META_HEAD, "the name fits the sidecar's head");

uint64_t nor_meta_power_ons(const struct nor *n)
{
    return get_le64(n->meta + META_POWER_ONS);
}

void nor_meta_set_power_ons(struct nor *n, uint64_t count)
{
    put_le64(n->meta + META_POWER_ONS, count);
}

static bool has_marks(const struct nor *n)
{
    return n->geo.policy != NOR_REWRITE;
}

static void measure(struct nor *n)
{
    n->units = n->geo.size_bytes / n->geo.erase_bytes;
    n->mark_bytes = has_marks(n) ? (n->geo.erase_bytes / n->geo.granule_bytes + 7) / 8 : 0;
    n->meta_bytes =
        META_HEAD + (size_t)n->units * (5 + 2 * (size_t)n->mark_bytes) + (size_t)n->geo.size_bytes;
}

static void point_into_meta(struct nor *n)
{
    n->wear = n->meta + META_HEAD;
    n->flags = n->wear + (size_t)n->units * 4;
    uint8_t *p = n->flags + n->units;
    n->written = has_marks(n) ? p : NULL;
    p += (size_t)n->units * n->mark_bytes;
    n->torn = has_marks(n) ? p : NULL;
    p += (size_t)n->units * n->mark_bytes;
    n->weak = p;
}

static void write_head(const struct nor_geometry *geo, uint8_t head[META_HEAD])
{
    const uint32_t sizes[] = {geo->size_bytes,    geo->erase_bytes,      geo->page_bytes,
                              geo->granule_bytes, (uint32_t)geo->policy, geo->endurance};
    const int64_t times[] = {geo->program_ns, geo->erase_ns, geo->read_ns_per_byte};
    memset(head, 0, META_HEAD);
    memcpy(head, META_MAGIC, 8);
    for (size_t i = 0; i < 6; i++)
        put_le32(head + META_SIZE + 4 * i, sizes[i]);
    for (size_t i = 0; i < 3; i++)
        put_le64(head + META_TIMES + 8 * i, (uint64_t)times[i]);
    (void)snprintf((char *)head + META_NAME, NOR_NAME_MAX, "%s", geo->name);
}

static int read_head(struct nor_geometry *geo, char name[NOR_NAME_MAX],
                     const uint8_t head[META_HEAD], const char *path, struct err *err)
{
    if (memcmp(head, META_MAGIC, 8) != 0)
        return err_set(err, ERR_FORMAT, "%s.meta: not a flash sidecar of this version", path);
    uint32_t policy = get_le32(head + META_SIZE + 16);
    if (policy > NOR_ECC)
        return err_set(err, ERR_FORMAT, "%s.meta: write policy %u, must be 0 to %d", path,
                       (unsigned)policy, NOR_ECC);
    memcpy(name, head + META_NAME, NOR_NAME_MAX - 1);
    name[NOR_NAME_MAX - 1] = '\0';
    *geo = (struct nor_geometry){
        .name = name,
        .text = "",
        .size_bytes = get_le32(head + META_SIZE),
        .erase_bytes = get_le32(head + META_SIZE + 4),
        .page_bytes = get_le32(head + META_SIZE + 8),
        .granule_bytes = get_le32(head + META_SIZE + 12),
        .policy = (enum nor_policy)policy,
        .endurance = get_le32(head + META_SIZE + 20),
        .program_ns = (int64_t)get_le64(head + META_TIMES),
        .erase_ns = (int64_t)get_le64(head + META_TIMES + 8),
        .read_ns_per_byte = (int64_t)get_le64(head + META_TIMES + 16),
    };
    if (nor_geometry_check(geo, err) != 0)
        return err_prefix(err, ERR_FORMAT, "%s.meta", path);
    return 0;
}

int nor_memory_heap(struct nor *n, struct err *err)
{
    measure(n);
    n->cells = malloc(n->geo.size_bytes);
    n->meta = calloc(1, n->meta_bytes);
    if (n->cells == NULL || n->meta == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a chip of %u bytes",
                       (unsigned)n->geo.size_bytes);
    memset(n->cells, 0xFF, n->geo.size_bytes);
    write_head(&n->geo, n->meta);
    point_into_meta(n);
    return 0;
}

static int io_error(struct err *err, const char *what, const char *path)
{
    return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", what, path,
                   strerror(errno));
}

static int write_all(int fd, const void *data, size_t len_bytes)
{
    const uint8_t *p = data;
    while (len_bytes > 0) {
        ssize_t done = write(fd, p, len_bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        p += done;
        len_bytes -= (size_t)done;
    }
    return 0;
}

/*
 * A file of `total` bytes that begins with head and goes on with fill, complete or not there: made
 * under another name and renamed. Written rather than left sparse, so that a full disk is an error
 * here and not a signal in the middle of a run.
 */
static int make_file(const char *path, const uint8_t *head, size_t head_bytes, uint8_t fill,
                     size_t total, struct err *err)
{
    char part[PATH_BYTES];
    uint8_t block[4096];
    int rc = 0;
    int len = snprintf(part, sizeof(part), "%s.part", path);
    if (len < 0 || (size_t)len >= sizeof(part))
        return err_set(err, ERR_ARG, "the path of a flash image is too long: %s", path);
    int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(err, "cannot create", part);
    memset(block, fill, sizeof(block));
    if (write_all(fd, head, head_bytes) != 0)
        rc = io_error(err, "cannot write", part);
    for (size_t done = head_bytes; rc == 0 && done < total;) {
        size_t step = total - done < sizeof(block) ? total - done : sizeof(block);
        if (write_all(fd, block, step) != 0)
            rc = io_error(err, "cannot write", part);
        done += step;
    }
    if (close(fd) != 0 && rc == 0)
        rc = io_error(err, "cannot write", part);
    if (rc == 0 && rename(part, path) != 0)
        rc = io_error(err, "cannot create", path);
    if (rc != 0)
        (void)unlink(part);
    return rc;
}

/* shared: read and write, changes reach the file; else a private copy. */
static int map_file(const char *path, size_t want, bool shared, uint8_t **out, struct err *err)
{
    struct stat st;
    int fd = open(path, (shared ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return io_error(err, "cannot open", path);
    if (fstat(fd, &st) != 0) {
        int rc = io_error(err, "cannot read the size of", path);
        (void)close(fd);
        return rc;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != want) {
        (void)close(fd);
        return err_set(err, ERR_FORMAT, "%s: %lld bytes, must be a plain file of %zu bytes", path,
                       (long long)st.st_size, want);
    }
    void *p = mmap(NULL, want, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    int rc = p == MAP_FAILED ? io_error(err, "cannot map", path) : 0;
    (void)close(fd);
    if (rc == 0)
        *out = p;
    return rc;
}

static int read_stored_head(const char *meta_path, uint8_t head[META_HEAD], struct err *err)
{
    int fd = open(meta_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return io_error(err, "cannot open", meta_path);
    ssize_t got = read(fd, head, META_HEAD);
    (void)close(fd);
    if (got != META_HEAD)
        return err_set(err, ERR_FORMAT, "%s: shorter than its head of %d bytes", meta_path,
                       META_HEAD);
    return 0;
}

static int check_same_chip(const struct nor_geometry *want, const struct nor_geometry *stored,
                           const char *path, struct err *err)
{
    if (want->size_bytes == stored->size_bytes && want->erase_bytes == stored->erase_bytes &&
        want->page_bytes == stored->page_bytes && want->granule_bytes == stored->granule_bytes &&
        want->policy == stored->policy)
        return 0;
    return err_set(err, ERR_FORMAT,
                   "%s: holds a %s of %u bytes with %u-byte erase units, but a %s of %u bytes with "
                   "%u-byte erase units is asked for",
                   path, stored->name, (unsigned)stored->size_bytes, (unsigned)stored->erase_bytes,
                   want->name, (unsigned)want->size_bytes, (unsigned)want->erase_bytes);
}

static int meta_path_of(const char *path, char out[PATH_BYTES], struct err *err)
{
    int len = snprintf(out, PATH_BYTES, "%s.meta", path);
    if (len < 0 || len >= PATH_BYTES)
        return err_set(err, ERR_ARG, "the path of a flash image is too long: %s", path);
    return 0;
}

static int map_both(struct nor *n, const char *path, const char *meta_path, bool shared,
                    struct err *err)
{
    n->mapped = true;
    int rc = map_file(path, n->geo.size_bytes, shared, &n->cells, err);
    if (rc == 0)
        rc = map_file(meta_path, n->meta_bytes, shared, &n->meta, err);
    if (rc == 0)
        point_into_meta(n);
    return rc;
}

int nor_memory_file(struct nor *n, const char *path, struct err *err)
{
    char meta_path[PATH_BYTES];
    uint8_t head[META_HEAD];
    struct stat st;
    measure(n);
    int rc = meta_path_of(path, meta_path, err);
    if (rc != 0)
        return rc;
    bool have_image = stat(path, &st) == 0;
    if (have_image && (uint64_t)st.st_size != n->geo.size_bytes)
        return err_set(err, ERR_FORMAT, "%s: %lld bytes, must be the %u bytes of a %s", path,
                       (long long)st.st_size, (unsigned)n->geo.size_bytes, n->geo.name);
    bool have_meta = have_image && stat(meta_path, &st) == 0;
    if (have_meta) {
        struct nor_geometry stored;
        char name[NOR_NAME_MAX];
        rc = read_stored_head(meta_path, head, err);
        if (rc == 0)
            rc = read_head(&stored, name, head, path, err);
        if (rc == 0)
            rc = check_same_chip(&n->geo, &stored, path, err);
    } else {
        /* The sidecar first: an image without one is complete, a sidecar without one is remade. */
        write_head(&n->geo, head);
        rc = make_file(meta_path, head, META_HEAD, 0, n->meta_bytes, err);
        if (rc == 0 && !have_image)
            rc = make_file(path, NULL, 0, 0xFF, n->geo.size_bytes, err);
    }
    if (rc == 0)
        rc = map_both(n, path, meta_path, true, err);
    if (rc == 0 && have_image && !have_meta)
        nor_derive_marks(n, 0, n->geo.size_bytes);
    return rc;
}

/* An image that some other tool made: no sidecar, so the geometry must be told. */
static int view_plain(struct nor *n, const char *path, struct err *err)
{
    uint8_t *image = NULL;
    int rc = map_file(path, n->geo.size_bytes, false, &image, err);
    if (rc != 0)
        return rc;
    rc = nor_memory_heap(n, err);
    if (rc == 0) {
        memcpy(n->cells, image, n->geo.size_bytes);
        nor_derive_marks(n, 0, n->geo.size_bytes);
    }
    (void)munmap(image, n->geo.size_bytes);
    return rc;
}

int nor_memory_view(struct nor *n, const char *path, struct err *err)
{
    char meta_path[PATH_BYTES];
    uint8_t head[META_HEAD];
    struct stat st;
    int rc = meta_path_of(path, meta_path, err);
    if (rc != 0)
        return rc;
    if (stat(meta_path, &st) != 0 && n->geo.size_bytes != 0)
        return view_plain(n, path, err);
    rc = read_stored_head(meta_path, head, err);
    if (rc == 0)
        rc = read_head(&n->geo, n->name, head, path, err);
    if (rc != 0)
        return rc;
    measure(n);
    return map_both(n, path, meta_path, false, err);
}

int nor_export(const struct nor *n, const char *path, struct err *err)
{
    char meta_path[PATH_BYTES];
    struct stat st;
    int rc = meta_path_of(path, meta_path, err);
    if (rc == 0 && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(err, ERR_ARG, "%s: a flash image must be a plain file", path);
    if (rc == 0)
        rc = make_file(meta_path, n->meta, n->meta_bytes, 0, n->meta_bytes, err);
    if (rc == 0)
        rc = make_file(path, n->cells, n->geo.size_bytes, 0xFF, n->geo.size_bytes, err);
    return rc;
}

void nor_memory_free(struct nor *n)
{
    if (!n->mapped) {
        free(n->cells);
        free(n->meta);
        return;
    }
    if (n->cells != NULL)
        (void)munmap(n->cells, n->geo.size_bytes);
    if (n->meta != NULL)
        (void)munmap(n->meta, n->meta_bytes);
}
