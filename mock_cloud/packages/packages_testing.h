/*
 * What the tests of packages share: image pairs, the xdelta3 program as the judge, files.
 */
#ifndef OTABENCH_MOCK_CLOUD_PACKAGES_TESTING_H
#define OTABENCH_MOCK_CLOUD_PACKAGES_TESTING_H

#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/rng.h"
#include "common/testing/testing.h"
#include "mock_cloud/packages/file.h"
#include "mock_cloud/packages/packages.h"

#define BYTES_MAX (4u << 20)

struct pair {
    struct buf was;
    struct buf is;
};

static inline void pair_make(struct pair *p, uint64_t seed, uint32_t len_bytes, int32_t grow_bytes)
{
    buf_init(&p->was, BYTES_MAX);
    buf_init(&p->is, BYTES_MAX);
    REQUIRE(package_generate(&p->was, seed, len_bytes) == 0);
    REQUIRE(package_generate_next(&p->is, seed, p->was.data, len_bytes, grow_bytes) == 0);
}

static inline void pair_free(struct pair *p)
{
    buf_free(&p->was);
    buf_free(&p->is);
}

static inline struct package_source source_of(const char *name, uint32_t address,
                                              const struct pair *p)
{
    struct package_source s = {.address = address,
                               .old_image = p->was.data,
                               .old_bytes = (uint32_t)p->was.len_bytes,
                               .new_image = p->is.data,
                               .new_bytes = (uint32_t)p->is.len_bytes};
    (void)snprintf(s.name, sizeof s.name, "%s", name);
    return s;
}

static inline struct package_params params_of(uint32_t block_bytes, uint32_t window_bytes)
{
    return (struct package_params){.from_version = "1.0",
                                   .to_version = "1.1",
                                   .compare_block_kib = 64,
                                   .restore_block_bytes = block_bytes,
                                   .window_bytes = window_bytes};
}

/* Decoded head and entries. */
struct opened {
    struct package_head head;
    struct package_file files[PACKAGE_FILES_MAX];
};

static inline void open_package(struct opened *o, const struct buf *package)
{
    struct err e = {""};
    REQUIRE(package->len_bytes > PACKAGE_HEAD_BYTES);
    REQUIRE_OK(package_head_decode(&o->head, package->data, &e), &e);
    for (uint32_t i = 0; i < o->head.file_count; i++)
        REQUIRE_OK(package_file_decode(
                       &o->files[i], &o->head,
                       package->data + PACKAGE_HEAD_BYTES + (size_t)i * PACKAGE_FILE_BYTES, &e),
                   &e);
}

/* Makes every digest and the CRC of a changed package right again. */
static inline void sign_package(struct buf *package)
{
    uint8_t *head = package->data, *table = head + PACKAGE_HEAD_BYTES;
    const uint32_t count = get_le16(head + 6);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *entry = table + (size_t)i * PACKAGE_FILE_BYTES;
        const uint32_t offset = get_le32(entry + 48), len = get_le32(entry + 52);
        if ((uint64_t)offset + len <= package->len_bytes)
            digest_of(DIGEST_SHA256, head + offset, len, entry + 96);
    }
    digest_of(DIGEST_SHA256, table, (size_t)count * PACKAGE_FILE_BYTES, head + 88);
    put_le32(head + PACKAGE_HEAD_BYTES - 4, crc32_update(0, head, PACKAGE_HEAD_BYTES - 4));
}

/* target = what `xdelta3 -d` makes of delta and source, in a directory made by test_tmpdir. */
static inline void xdelta3_decode(const char *dir, const uint8_t *source, size_t source_bytes,
                                  const struct buf *delta, struct buf *target)
{
    char from[FILE_PATH_MAX], coded[FILE_PATH_MAX], to[FILE_PATH_MAX];
    struct err e = {""};
    char *const environment[] = {NULL};
    pid_t pid = 0;
    int status = -1;
    (void)snprintf(from, sizeof from, "%s/from", dir);
    (void)snprintf(coded, sizeof coded, "%s/coded", dir);
    (void)snprintf(to, sizeof to, "%s/to", dir);
    REQUIRE_OK(file_write(from, source, source_bytes, &e), &e);
    REQUIRE_OK(file_write(coded, delta->data, delta->len_bytes, &e), &e);
    const char *const argv[] = {"xdelta3", "-d", "-f", "-q", "-s", from, coded, to, NULL};
    REQUIRE(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environment) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    buf_clear(target);
    REQUIRE_OK(file_read(target, to, &e), &e);
}

static inline void make(struct buf *out, const struct package_source *files, size_t n,
                        const struct package_params *params, enum package_kind *kind)
{
    struct err e = {""};
    buf_init(out, BYTES_MAX);
    REQUIRE_OK(package_make(out, files, n, params, kind, &e), &e);
    CHECK_OK(package_verify(out->data, out->len_bytes, &e), &e);
}

static inline int entries(const char *dir, char *one)
{
    int n = 0;
    DIR *d = opendir(dir);
    REQUIRE(d != NULL);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (one != NULL)
            (void)snprintf(one, FILE_PATH_MAX, "%s/%s", dir, e->d_name);
    }
    (void)closedir(d);
    return n;
}

#endif
