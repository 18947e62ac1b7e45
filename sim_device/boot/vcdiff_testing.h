/*
 * What the VCDIFF tests share: the decoder over memory with every read watched, the xdelta3
 * program as the second opinion, and the assembling of windows out of sections.
 */
#ifndef OTABENCH_SIM_DEVICE_BOOT_VCDIFF_TESTING_H
#define OTABENCH_SIM_DEVICE_BOOT_VCDIFF_TESTING_H

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "common/bytes.h"
#include "common/testing/testing.h"
#include "sim_device/boot/vcdiff.h"

#define BYTES_MAX  (4u << 20)
#define WINDOW_MAX (1u << 20)

/* ---- The decoder under test, over memory ---------------------------------------------------- */

struct memory {
    const struct buf *source, *delta;
    uint32_t calls;
    uint32_t strays;  /* reads outside what the contract allows */
    uint32_t fail_at; /* this call, counted from 1, fails; 0: none */
    int fail_code;
};

static inline int read_range(struct memory *m, const struct buf *from, uint32_t off, void *out,
                             uint32_t len)
{
    if (++m->calls == m->fail_at)
        return m->fail_code;
    if (len == 0 || off > from->len_bytes || len > from->len_bytes - off) {
        m->strays++;
        return ERR_BENCH;
    }
    memcpy(out, from->data + off, len);
    return 0;
}

static inline int read_delta(void *ctx, uint32_t off, void *out, uint32_t len)
{
    struct memory *m = ctx;
    return read_range(m, m->delta, off, out, len);
}

static inline int read_source(void *ctx, uint32_t off, void *out, uint32_t len)
{
    struct memory *m = ctx;
    return read_range(m, m->source, off, out, len);
}

static inline int open_memory(struct vcdiff *v, struct memory *m, struct err *e)
{
    const struct vcdiff_io io = {m, read_delta, read_source};
    return vcdiff_open(v, &io, (uint32_t)m->delta->len_bytes, (uint32_t)m->source->len_bytes, e);
}

/*
 * Decodes a whole delta into target: 0 or the error. Each window goes into a heap block of exactly
 * its size, so that the address sanitizer sees a byte too many. *check tells whether vcdiff_check
 * judged every window as vcdiff_decode did.
 */
static inline int decode_all(struct memory *m, struct buf *target, bool *check, struct err *e)
{
    struct vcdiff v;
    struct vcdiff_window w;
    *check = true;
    buf_clear(target);
    int rc = open_memory(&v, m, e);
    while (rc == 0 && (rc = vcdiff_next(&v, &w, e)) == 0) {
        if (w.target_len > WINDOW_MAX)
            return err_set(e, ERR_LIMIT, "window of %u bytes", w.target_len);
        uint8_t *out = malloc(w.target_len > 0 ? w.target_len : 1);
        REQUIRE(out != NULL);
        const int checked = m->fail_at == 0 ? vcdiff_check(&v, &w, NULL) : 0;
        rc = vcdiff_decode(&v, &w, out, w.target_len, e);
        if (m->fail_at == 0)
            *check = *check && checked == (rc == ERR_DIGEST ? 0 : rc);
        if (rc == 0)
            rc = buf_append(target, out, w.target_len);
        free(out);
    }
    return rc == VCDIFF_END ? 0 : rc;
}

static inline bool same_bytes(const struct buf *a, const struct buf *b)
{
    return a->len_bytes == b->len_bytes &&
           (a->len_bytes == 0 || memcmp(a->data, b->data, a->len_bytes) == 0);
}

/* ---- The xdelta3 program --------------------------------------------------------------------- */

static inline void write_file(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f != NULL);
    const bool ok = b->len_bytes == 0 || fwrite(b->data, 1, b->len_bytes, f) == b->len_bytes;
    REQUIRE(fclose(f) == 0 && ok);
}

static inline bool read_file(const char *path, struct buf *b)
{
    uint8_t piece[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    buf_clear(b);
    if (f == NULL)
        return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        REQUIRE(buf_append(b, piece, n) == 0);
    (void)fclose(f);
    return true;
}

/* Exit status, or -1 when killed. The empty environment keeps options in XDELTA out. */
static inline int run_xdelta3(const char *const argv[])
{
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    REQUIRE(posix_spawn_file_actions_init(&actions) == 0);
    REQUIRE(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) ==
            0);
    const int rc = posix_spawnp(&pid, "xdelta3", &actions, NULL, (char *const *)argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    REQUIRE(rc == 0); /* the xdelta3 program is missing */
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Paths of one exchange with the program, in a directory of their own. */
struct exchange {
    char source[TEST_PATH_MAX + 8], target[TEST_PATH_MAX + 8], delta[TEST_PATH_MAX + 8];
};

static inline void exchange_init(struct exchange *x)
{
    char dir[TEST_PATH_MAX];
    test_tmpdir(dir);
    (void)snprintf(x->source, sizeof x->source, "%s/old", dir);
    (void)snprintf(x->target, sizeof x->target, "%s/new", dir);
    (void)snprintf(x->delta, sizeof x->delta, "%s/delta", dir);
}

static inline bool xdelta3_decodes(const struct buf *source, const struct buf *delta,
                                   struct buf *target)
{
    struct exchange x;
    exchange_init(&x);
    write_file(x.source, source);
    write_file(x.delta, delta);
    const char *const argv[] = {"xdelta3", "-d",    "-f",     "-q", "-s",
                                x.source,  x.delta, x.target, NULL};
    return run_xdelta3(argv) == 0 && read_file(x.target, target);
}

/* ---- Assembling deltas ----------------------------------------------------------------------- */

static inline void put(struct buf *b, const void *data, size_t len)
{
    REQUIRE(len == 0 || buf_append(b, data, len) == 0);
}

static inline void put_byte(struct buf *b, unsigned byte)
{
    const uint8_t x = (uint8_t)byte;
    put(b, &x, 1);
}

static inline void put_hex(struct buf *b, const char *hex)
{
    for (const char *p = hex; p != NULL && *p != '\0'; p++) {
        uint8_t x;
        if (*p == ' ')
            continue;
        const char pair[3] = {p[0], p[1], '\0'};
        REQUIRE(hex_decode(&x, 1, pair));
        put(b, &x, 1);
        p++;
    }
}

static inline void put_number(struct buf *b, uint32_t n)
{
    for (int shift = 28; shift > 0; shift -= 7)
        if (n >> shift != 0)
            put_byte(b, 0x80 | (n >> shift & 0x7f));
    put_byte(b, n & 0x7f);
}

static inline void put_adler(struct buf *b, const void *data, size_t len, int lie)
{
    const uint32_t sum =
        (uint32_t)adler32(1, len > 0 ? data : (const void *)"", (uInt)len) + (uint32_t)lie;
    for (int shift = 24; shift >= 0; shift -= 8)
        put_byte(b, sum >> shift & 0xff);
}

/* A window as the vectors describe it; put_window uses indicators, segment and lies. */
struct vector_window {
    uint8_t indicator; /* bit 0: segment follows, bit 2: Adler-32 follows */
    uint32_t seg_len, seg_pos;
    const char *target; /* announced length and Adler-32 are of this text; null: no window */
    const char *data;   /* text */
    const char *inst;   /* hex */
    const char *addr;   /* hex */
    const char *raw;    /* hex of the whole window; then only target counts of the above */
    uint8_t delta_indicator;
    int lie_target, lie_delta, lie_data, lie_inst, lie_addr, lie_adler;
};

/* Appends one window out of its sections. */
static inline void put_window(struct buf *delta, const struct vector_window *w,
                              const struct buf *target, const struct buf *data,
                              const struct buf *inst, const struct buf *addr)
{
    struct buf rest;
    buf_init(&rest, BYTES_MAX);
    put_number(&rest, (uint32_t)target->len_bytes + (uint32_t)w->lie_target);
    put_byte(&rest, w->delta_indicator);
    put_number(&rest, (uint32_t)data->len_bytes + (uint32_t)w->lie_data);
    put_number(&rest, (uint32_t)inst->len_bytes + (uint32_t)w->lie_inst);
    put_number(&rest, (uint32_t)addr->len_bytes + (uint32_t)w->lie_addr);
    if ((w->indicator & 4) != 0)
        put_adler(&rest, target->data, target->len_bytes, w->lie_adler);
    put(&rest, data->data, data->len_bytes);
    put(&rest, inst->data, inst->len_bytes);
    put(&rest, addr->data, addr->len_bytes);
    put_byte(delta, w->indicator);
    if ((w->indicator & 3) != 0) {
        put_number(delta, w->seg_len);
        put_number(delta, w->seg_pos);
    }
    put_number(delta, (uint32_t)rest.len_bytes + (uint32_t)w->lie_delta);
    put(delta, rest.data, rest.len_bytes);
    buf_free(&rest);
}

/* Source, delta and the target to expect. */
struct sample {
    struct buf source, delta, target;
};

static inline void sample_init(struct sample *s)
{
    buf_init(&s->source, BYTES_MAX);
    buf_init(&s->delta, BYTES_MAX);
    buf_init(&s->target, BYTES_MAX);
}

static inline void sample_free(struct sample *s)
{
    buf_free(&s->source);
    buf_free(&s->delta);
    buf_free(&s->target);
}

/* ---- Checks -------------------------------------------------------------------------------- */

/* Ours decodes s to the expected target, and vcdiff_check agrees. */
static inline void check_decodes(const struct sample *s)
{
    struct memory m = {.source = &s->source, .delta = &s->delta};
    struct buf got;
    struct err e = {""};
    bool check;
    buf_init(&got, BYTES_MAX);
    CHECK_OK(decode_all(&m, &got, &check, &e), &e);
    CHECK(same_bytes(&got, &s->target));
    CHECK(check);
    CHECK_INT(m.strays, 0);
    buf_free(&got);
}

static inline void check_xdelta3(const struct sample *s, bool decodes)
{
    struct buf got;
    buf_init(&got, BYTES_MAX);
    CHECK_INT(xdelta3_decodes(&s->source, &s->delta, &got), decodes);
    CHECK(!decodes || same_bytes(&got, &s->target));
    buf_free(&got);
}

#endif
