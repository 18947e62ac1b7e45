/*
 * What both boards share: the emulated heap, events, and the digest engine.
 *
 * Method of the heap: each allocation is one block of the host with a header in front, so the
 * sanitizers see every overrun; new memory holds a fixed pattern, so firmware that reads what it
 * never wrote at least repeats itself; a grown block always moves, so stale pointers show.
 */
#include "sim_device/board/board.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define HEAP_PATTERN 0xA5
#define LOG_MAX      512
#define DIGEST_CHUNK 4096u

struct board_block {
    struct board_block *newer;
    struct board_block *older;
    size_t len_bytes;
    _Alignas(max_align_t) uint8_t data[];
};

static _Thread_local struct board *current;

struct board *board_current(void)
{
    return current;
}

void board_set_current(struct board *b)
{
    current = b;
}

static struct board_block *block_of(void *p)
{
    return (struct board_block *)(void *)((uint8_t *)p - offsetof(struct board_block, data));
}

/* Counts the call; whether freed_bytes may be exchanged for len_bytes now. */
static bool heap_grants(struct board_heap *h, size_t freed_bytes, size_t len_bytes)
{
    h->calls++;
    if (h->calls == h->fail_at)
        return false;
    size_t others_bytes = h->used_bytes - freed_bytes;
    size_t limit_bytes = h->limit_bytes != 0 ? h->limit_bytes : SIZE_MAX / 2;
    return others_bytes <= limit_bytes && len_bytes <= limit_bytes - others_bytes;
}

static void *block_new(struct board_heap *h, size_t len_bytes)
{
    struct board_block *blk = malloc(offsetof(struct board_block, data) + len_bytes);
    if (blk == NULL)
        return NULL;
    memset(blk->data, HEAP_PATTERN, len_bytes);
    blk->len_bytes = len_bytes;
    blk->newer = NULL;
    blk->older = h->blocks;
    if (h->blocks != NULL)
        h->blocks->newer = blk;
    h->blocks = blk;
    h->used_bytes += len_bytes;
    return blk->data;
}

static void block_drop(struct board_heap *h, struct board_block *blk)
{
    if (blk->newer != NULL)
        blk->newer->older = blk->older;
    else
        h->blocks = blk->older;
    if (blk->older != NULL)
        blk->older->newer = blk->newer;
    assert(h->used_bytes >= blk->len_bytes);
    h->used_bytes -= blk->len_bytes;
    free(blk);
}

static void note_peak(struct board_heap *h)
{
    if (h->used_bytes > h->peak_bytes)
        h->peak_bytes = h->used_bytes;
}

void *board_alloc(struct board *b, size_t len_bytes)
{
    if (len_bytes == 0 || !heap_grants(&b->heap, 0, len_bytes))
        return NULL;
    void *p = block_new(&b->heap, len_bytes);
    note_peak(&b->heap);
    return p;
}

void *board_realloc(struct board *b, void *p, size_t len_bytes)
{
    if (p == NULL)
        return board_alloc(b, len_bytes);
    if (len_bytes == 0) {
        board_free(b, p);
        return NULL;
    }
    struct board_block *old = block_of(p);
    if (!heap_grants(&b->heap, old->len_bytes, len_bytes))
        return NULL;
    void *moved = block_new(&b->heap, len_bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, p, old->len_bytes < len_bytes ? old->len_bytes : len_bytes);
    block_drop(&b->heap, old);
    note_peak(&b->heap);
    return moved;
}

void board_free(struct board *b, void *p)
{
    if (p != NULL)
        block_drop(&b->heap, block_of(p));
}

size_t board_heap_blocks(const struct board *b)
{
    size_t n = 0;
    for (const struct board_block *blk = b->heap.blocks; blk != NULL; blk = blk->older)
        n++;
    return n;
}

void board_heap_each(const struct board *b,
                     void (*visit)(void *ctx, const void *data, size_t len_bytes), void *ctx)
{
    for (const struct board_block *blk = b->heap.blocks; blk != NULL; blk = blk->older)
        visit(ctx, blk->data, blk->len_bytes);
}

void board_sleep_ns(struct board *b, int64_t ns)
{
    (void)b->ops->wait(b, NULL, ns);
}

void board_event(struct board *b, enum lane lane, const char *event,
                 const struct trace_field *fields, size_t n)
{
    if (b->event != NULL)
        b->event(b->event_ctx, b->ops->now_ns(b), lane, event, fields, n);
}

void board_log(struct board *b, const char *text, size_t len_bytes)
{
    char line[LOG_MAX + 1];
    while (len_bytes > 0 && (text[len_bytes - 1] == '\n' || text[len_bytes - 1] == '\r'))
        len_bytes--;
    if (len_bytes > LOG_MAX)
        len_bytes = LOG_MAX;
    memcpy(line, text, len_bytes);
    line[len_bytes] = '\0';
    BOARD_EVENT(b, LANE_DEVICE, "log", F_STR("text", line));
}

/* Reading takes time, and a task may be dropped while it waits: the board owns the digest. */
struct board_digest {
    struct board_digest *next;
    struct board_digest *prev;
    struct digest d;
};

struct board_digest *board_digest_begin(struct board *b, enum digest_kind kind)
{
    struct board_digest *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    if (digest_begin(&g->d, kind) != 0) {
        free(g);
        return NULL;
    }
    g->next = b->digests;
    if (g->next != NULL)
        g->next->prev = g;
    b->digests = g;
    return g;
}

void board_digest_free(struct board *b, struct board_digest *g)
{
    if (g->prev != NULL)
        g->prev->next = g->next;
    else
        b->digests = g->next;
    if (g->next != NULL)
        g->next->prev = g->prev;
    digest_abort(&g->d);
    free(g);
}

void board_digest_update(struct board_digest *g, const void *data, size_t len_bytes)
{
    digest_update(&g->d, data, len_bytes);
}

void board_digest_end(struct board_digest *g, uint8_t *out)
{
    digest_end(&g->d, out);
}

void board_heap_drop(struct board *b)
{
    while (b->digests != NULL)
        board_digest_free(b, b->digests);
    while (b->heap.blocks != NULL)
        block_drop(&b->heap, b->heap.blocks);
    b->heap = (struct board_heap){.limit_bytes = b->heap.limit_bytes, .fail_at = b->heap.fail_at};
}

/* Reads a range piece by piece; each, if not null, gets the pieces. */
static int read_range(struct board *b, uint32_t addr, uint32_t len_bytes,
                      void (*each)(void *ctx, const uint8_t *data, uint32_t len_bytes), void *ctx)
{
    const uint8_t *chunk = NULL;
    int rc = 0;
    for (uint32_t done = 0; rc == 0 && done < len_bytes;) {
        uint32_t n = len_bytes - done < DIGEST_CHUNK ? len_bytes - done : DIGEST_CHUNK;
        rc = nor_read_in_place(b->nor, addr + done, n, &chunk);
        if (rc == 0 && each != NULL)
            each(ctx, chunk, n);
        done += n;
    }
    return rc;
}

static bool is_on_chip(const struct board *b, uint32_t addr, uint32_t len_bytes)
{
    uint32_t size = nor_geo(b->nor)->size_bytes;
    return addr <= size && len_bytes <= size - addr;
}

static bool recalled(struct board *b, int kind, uint32_t addr, uint32_t len_bytes, uint8_t *out)
{
    return b->memo != NULL && is_on_chip(b, addr, len_bytes) &&
           b->memo->find(b->memo->ctx, kind, nor_peek(b->nor) + addr, len_bytes, out);
}

static void keep(struct board *b, int kind, uint32_t addr, uint32_t len_bytes, const uint8_t *out)
{
    if (b->memo != NULL)
        b->memo->keep(b->memo->ctx, kind, nor_peek(b->nor) + addr, len_bytes, out);
}

static void feed_digest(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
    digest_update(ctx, data, len_bytes);
}

int board_digest_flash(struct board *b, enum digest_kind kind, uint32_t addr, uint32_t len_bytes,
                       uint8_t *out)
{
    if (len_bytes > UINT32_MAX - addr)
        return ERR_ARG;
    if (recalled(b, (int)kind, addr, len_bytes, out))
        return read_range(b, addr, len_bytes, NULL, NULL);
    struct board_digest *g = board_digest_begin(b, kind);
    if (g == NULL)
        return ERR_NOMEM;
    int rc = read_range(b, addr, len_bytes, feed_digest, &g->d);
    if (rc == 0) {
        digest_end(&g->d, out);
        keep(b, (int)kind, addr, len_bytes, out);
    }
    board_digest_free(b, g);
    return rc;
}

static void feed_crc(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
    uint32_t *crc = ctx;
    *crc = crc32_update(*crc, data, len_bytes);
}

int board_crc32_flash(struct board *b, uint32_t addr, uint32_t len_bytes, uint32_t *crc)
{
    uint8_t bytes[4];
    *crc = 0;
    if (len_bytes > UINT32_MAX - addr)
        return ERR_ARG;
    if (recalled(b, BOARD_CRC32, addr, len_bytes, bytes)) {
        *crc = get_le32(bytes);
        return read_range(b, addr, len_bytes, NULL, NULL);
    }
    int rc = read_range(b, addr, len_bytes, feed_crc, crc);
    put_le32(bytes, *crc);
    if (rc == 0)
        keep(b, BOARD_CRC32, addr, len_bytes, bytes);
    return rc;
}

uint32_t board_crc32(struct board *b, uint32_t crc, const void *data, uint32_t len_bytes)
{
    uint8_t bytes[4];
    if (b->memo == NULL || crc != 0)
        return crc32_update(crc, data, len_bytes);
    if (b->memo->find(b->memo->ctx, BOARD_CRC32, data, len_bytes, bytes))
        return get_le32(bytes);
    crc = crc32_update(0, data, len_bytes);
    put_le32(bytes, crc);
    b->memo->keep(b->memo->ctx, BOARD_CRC32, data, len_bytes, bytes);
    return crc;
}

void board_moment(struct board *b, const void *memory, size_t len_bytes)
{
    if (b->moment != NULL)
        b->moment(b->moment_ctx, memory, len_bytes);
}

static int open_sockets(struct board *b)
{
    int n = 0;
    for (int fd = 0; fd < BOARD_SOCKETS; fd++)
        n += b->ops->sock_poll(b, fd, BOARD_WRITABLE, 0) >= 0;
    return n;
}

void board_heap_event(struct board *b)
{
    BOARD_EVENT(b, LANE_DEVICE, "heap", F_INT("peak", b->heap.peak_bytes),
                F_INT("used", b->heap.used_bytes), F_INT("blocks", board_heap_blocks(b)),
                F_INT("sockets", open_sockets(b)));
    b->heap.peak_bytes = b->heap.used_bytes;
}

void board_flash_lock(struct board *b)
{
    while (b->flash_busy)
        b->ops->wait(b, &b->flash_busy, BOARD_FOREVER);
    b->flash_busy = true;
}

void board_flash_unlock(struct board *b)
{
    b->flash_busy = false;
    b->ops->wake(b, &b->flash_busy, 1);
}

void board_flash_event(struct board *b, const struct nor_op *op)
{
    struct trace_field f[6] = {F_INT("op", op->number), F_INT("addr", op->addr),
                               F_INT("len", op->len_bytes)};
    size_t n = 3;
    if (op->torn) {
        f[n++] = F_INT("torn", 1);
        f[n++] = F_STR("tear", nor_tear_name(op->tear));
    }
    if (op->raised_bits)
        f[n++] = F_INT("raised", 1);
    board_event(b, LANE_FLASH, op->kind == NOR_OP_ERASE ? "erase" : "program", f, n);
}

void board_cut_event(struct board *b, uint64_t op, enum nor_tear tear)
{
    BOARD_EVENT(b, LANE_POWER, "cut", F_INT("op", op), F_STR("tear", nor_tear_name(tear)));
}

bool board_literal_ip(const char *text, uint32_t *ip)
{
    struct in_addr a;
    if (inet_pton(AF_INET, text, &a) != 1)
        return false;
    *ip = ntohl(a.s_addr);
    return true;
}
