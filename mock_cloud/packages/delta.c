/*
 * Method: a window's addresses are relative to its source segment, so windows can be encoded by
 * separate runs against slices of the old image and joined: the 5-byte header is kept once, and the
 * slice's offset is added to every window's source segment position.
 */
#include "mock_cloud/packages/delta.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_cloud/packages/file.h"
#include "mock_cloud/packages/window.h"

/* xdelta3's limits for -W, and its smallest -B. A source of at most -B bytes is indexed as a whole;
 * a larger one only around the position read, which would miss what a block is made from. */
#define XDELTA_WINDOW_MIN 16384u
#define XDELTA_WINDOW_MAX (16u << 20)
#define XDELTA_SOURCE_MAX 524288u

/* A first direction this many times smaller than the image is good enough. */
#define SMALL_SHARE 50

#define DIR_MAX 512

enum { FILE_SLICE, FILE_PIECE, FILE_DELTA, FILE_LOG, FILES };

struct workshop {
    char dir[DIR_MAX];
    char path[FILES][DIR_MAX + 16];
};

struct job {
    struct buf *out;
    const struct package_head *head;
    const struct package_file *file;
    const uint8_t *old_image;
    const uint8_t *new_image;
    struct workshop shop;
};

static int workshop_open(struct workshop *w, const char *temp_dir, struct err *err)
{
    static const char *const names[FILES] = {"slice", "piece", "delta", "log"};
    int n = snprintf(w->dir, sizeof w->dir, "%s/otabench-XXXXXX", temp_dir);
    if (n < 0 || n >= (int)sizeof w->dir)
        return err_set(err, ERR_IO, "temporary directory %s: the path is too long", temp_dir);
    if (mkdtemp(w->dir) == NULL)
        return err_set(err, ERR_IO, "temporary directory %s: %s", w->dir, strerror(errno));
    for (int i = 0; i < FILES; i++)
        (void)snprintf(w->path[i], sizeof w->path[i], "%s/%s", w->dir, names[i]);
    return 0;
}

static void workshop_close(struct workshop *w)
{
    for (int i = 0; i < FILES; i++)
        (void)unlink(w->path[i]);
    (void)rmdir(w->dir);
}

static int spawn(const struct workshop *w, char *const *argv, int *status, struct err *err)
{
    /* Empty: the variable XDELTA would add options. The search path is the caller's all the same.
     */
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return err_set(err, ERR_NOMEM, "starting xdelta3: %s", strerror(error));
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, 1, w->path[FILE_LOG],
                                                 O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (error == 0)
        error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return err_set(err, ERR_IO,
                       "the program xdelta3 was not found in PATH; Debian: apt install xdelta3");
    if (error != 0)
        return err_set(err, ERR_IO, "starting xdelta3: %s", strerror(error));
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR)
            return err_set(err, ERR_IO, "waiting for xdelta3: %s", strerror(errno));
    }
    return 0;
}

/* Whether it ended well; if not, says how, with the first line it wrote. */
static int judge_exit(const struct workshop *w, int status, struct err *err)
{
    struct buf log;
    char line[200] = "";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    buf_init(&log, 1 << 16);
    if (file_read(&log, w->path[FILE_LOG], NULL) == 0)
        (void)snprintf(line, sizeof line, "%.*s", (int)strcspn((char *)log.data, "\n"), log.data);
    buf_free(&log);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_IO, "xdelta3 was ended by signal %d: %s", WTERMSIG(status), line);
    return err_set(err, ERR_IO, "xdelta3 ended with status %d: %s", WEXITSTATUS(status), line);
}

static int run_xdelta3(const struct workshop *w, bool with_source, uint32_t window_bytes,
                       struct err *err)
{
    char program[] = "xdelta3", encode[] = "-e", force[] = "-f", quiet[] = "-q", level[] = "-9";
    char opt_b[] = "-B", opt_w[] = "-W", opt_s[] = "-S", opt_source[] = "-s", none[] = "none";
    char no_adler[] = "-n", no_header[] = "-A=", source_max[12], window[12];
    char path[3][sizeof w->path[0]];
    char *argv[24];
    int n = 0, status = 0;

    (void)snprintf(source_max, sizeof source_max, "%u", XDELTA_SOURCE_MAX);
    (void)snprintf(window, sizeof window, "%u", window_bytes);
    memcpy(path[0], w->path[FILE_SLICE], sizeof path[0]);
    memcpy(path[1], w->path[FILE_PIECE], sizeof path[1]);
    memcpy(path[2], w->path[FILE_DELTA], sizeof path[2]);
    char *const options[] = {program, encode, force, quiet, level,    opt_b,    source_max,
                             opt_w,   window, opt_s, none,  no_adler, no_header};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        argv[n++] = options[i];
    if (with_source) {
        argv[n++] = opt_source;
        argv[n++] = path[0];
    }
    argv[n++] = path[1];
    argv[n++] = path[2];
    argv[n] = NULL;
    int rc = spawn(w, argv, &status, err);
    return rc != 0 ? rc : judge_exit(w, status, err);
}

/* Takes over what one run wrote: windows made from the old image's bytes at offset and behind. */
static int join(struct job *j, uint32_t offset, uint32_t piece_bytes, struct err *err)
{
    struct buf run;
    uint64_t made = 0;
    buf_init(&run, 2 * (size_t)piece_bytes + 4096);
    int rc = file_read(&run, j->shop.path[FILE_DELTA], err);
    if (rc == 0)
        rc = delta_head_check(run.data, run.len_bytes, err);
    if (rc == 0 && j->out->len_bytes == 0)
        rc = buf_append(j->out, run.data, DELTA_HEAD_BYTES);
    for (size_t at = DELTA_HEAD_BYTES; rc == 0 && at < run.len_bytes;) {
        struct window w;
        rc = window_parse(&w, run.data + at, run.len_bytes - at, err);
        if (rc != 0)
            break;
        made += w.target_len;
        rc = window_append_moved(j->out, &w, run.data + at, offset);
        at += w.len_bytes;
    }
    if (rc == ERR_FORMAT || rc == ERR_UNSUPPORTED || rc == ERR_NOT_FOUND)
        rc = err_prefix(err, ERR_IO, "xdelta3 wrote nothing that can be used");
    else if (rc == 0 && made != piece_bytes)
        rc = err_set(err, ERR_IO, "xdelta3 encoded %llu of %u bytes", (unsigned long long)made,
                     piece_bytes);
    buf_free(&run);
    return rc;
}

/* The part of the readable old bytes that xdelta3 gets: the nearest to the block. */
static void choose_slice(const struct package_file *f, uint32_t *from, uint32_t *to)
{
    if (*to - *from <= XDELTA_SOURCE_MAX)
        return;
    if (f->direction == PACKAGE_ASCENDING)
        *to = *from + XDELTA_SOURCE_MAX;
    else
        *from = *to - XDELTA_SOURCE_MAX;
}

/* Bytes of the new image given to one run: a block, or a window too small for -W. */
static uint32_t run_bytes(const struct package_head *h)
{
    return h->window_bytes >= XDELTA_WINDOW_MIN ? h->restore_block_bytes : h->window_bytes;
}

static int encode_block(struct job *j, uint32_t turn, struct err *err)
{
    const struct package_head *h = j->head;
    uint32_t from, to;
    const uint32_t block = package_block_at(h, j->file, turn, &from, &to);
    const uint32_t left = j->file->new_bytes - block * h->restore_block_bytes;
    const uint32_t block_bytes = left < h->restore_block_bytes ? left : h->restore_block_bytes;
    const uint8_t *target = j->new_image + (size_t)block * h->restore_block_bytes;
    uint32_t window = h->window_bytes;
    if (window < XDELTA_WINDOW_MIN)
        window = XDELTA_WINDOW_MIN;
    if (window > XDELTA_WINDOW_MAX)
        window = XDELTA_WINDOW_MAX;

    choose_slice(j->file, &from, &to);
    int rc = 0;
    if (to > from)
        rc = file_write(j->shop.path[FILE_SLICE], j->old_image + from, to - from, err);
    for (uint32_t at = 0; rc == 0 && at < block_bytes;) {
        const uint32_t n = block_bytes - at < run_bytes(h) ? block_bytes - at : run_bytes(h);
        rc = file_write(j->shop.path[FILE_PIECE], target + at, n, err);
        if (rc == 0)
            rc = run_xdelta3(&j->shop, to > from, window, err);
        if (rc == 0)
            rc = join(j, from, n, err);
        at += n;
    }
    return rc;
}

static int encode(struct job *j, struct err *err)
{
    const uint32_t blocks = package_blocks(j->head, j->file);
    int rc = 0;
    for (uint32_t turn = 0; rc == 0 && turn < blocks; turn++) {
        rc = encode_block(j, turn, err);
        if (rc != 0 && rc != ERR_LIMIT)
            err_prefix(err, rc, "block %u of %u", turn, blocks);
    }
    return rc;
}

static int check_runs(const struct package_head *h, const struct package_file *f, struct err *err)
{
    const uint64_t per_block = (h->restore_block_bytes + (uint64_t)run_bytes(h) - 1) / run_bytes(h);
    const uint64_t runs = package_blocks(h, f) * per_block;
    if (runs > DELTA_RUNS_MAX)
        return err_set(err, ERR_ARG,
                       "restore blocks of %u bytes in windows of %u take %llu runs of xdelta3, "
                       "allowed are %d; make them larger",
                       h->restore_block_bytes, h->window_bytes, (unsigned long long)runs,
                       DELTA_RUNS_MAX);
    return 0;
}

int delta_make(struct buf *out, const struct package_head *head, struct package_file *file,
               const uint8_t *old_image, const uint8_t *new_image, const char *temp_dir,
               struct err *err)
{
    struct job j = {
        .out = out, .head = head, .file = file, .old_image = old_image, .new_image = new_image};
    struct buf descending;
    int rc = check_runs(head, file, err);
    if (rc == 0)
        rc = workshop_open(&j.shop, temp_dir, err);
    if (rc != 0)
        return rc;
    file->direction = PACKAGE_ASCENDING;
    rc = encode(&j, err);
    const bool enough = rc == 0 && out->len_bytes < file->new_bytes / SMALL_SHARE;
    if (rc == ERR_LIMIT)
        buf_free(out);
    buf_init(&descending, out->len_bytes > 0 ? out->len_bytes - 1 : out->max_bytes);
    if ((rc == 0 || rc == ERR_LIMIT) && !enough && package_blocks(head, file) > 1) {
        const int ascending_rc = rc;
        file->direction = PACKAGE_DESCENDING;
        j.out = &descending;
        rc = encode(&j, err);
        if (rc == 0) {
            const size_t max_bytes = out->max_bytes;
            buf_free(out);
            *out = descending;
            out->max_bytes = max_bytes;
            buf_init(&descending, 0);
        } else if (rc == ERR_LIMIT) {
            file->direction = PACKAGE_ASCENDING;
            rc = ascending_rc;
        }
    }
    buf_free(&descending);
    workshop_close(&j.shop);
    return rc;
}
