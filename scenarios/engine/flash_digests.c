#include "scenarios/engine/flash_digests.h"

#include <string.h>

#define MEMO_BYTES (256u << 20)

static bool find(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, uint8_t *out)
{
    struct flash_digests *f = ctx;
    bool known = f->memoise && digest_memo_find(f->memo, kind, data, len_bytes, out);
    f->recalled += known;
    f->computed += !known;
    return known;
}

static void keep(void *ctx, int kind, const uint8_t *data, uint32_t len_bytes, const uint8_t *out)
{
    struct flash_digests *f = ctx;
    if (f->memoise)
        digest_memo_keep(f->memo, kind, data, len_bytes, out);
}

/* Kept contents stay where they are, so what was compared on flash need not be again. */
static bool equal(void *ctx, const uint8_t *data, const uint8_t *kept, uint32_t len_bytes)
{
    struct flash_digests *f = ctx;
    uintptr_t at = (uintptr_t)data - (uintptr_t)nor_peek(f->chip);
    if (at >= nor_geo(f->chip)->size_bytes)
        return memcmp(data, kept, len_bytes) == 0;
    return flash_compare_equal(f->compare, (uint32_t)at, kept, len_bytes);
}

/* Restored images are expected again and again. */
static void lend_images(struct flash_digests *f, const struct closure_subject *s)
{
    for (uint32_t i = 0; i < s->boot.file_count; i++) {
        digest_memo_lend(f->memo, s->new_images[i].data, (uint32_t)s->new_images[i].len_bytes,
                         s->geometry.erase_bytes);
        digest_memo_lend(f->memo, s->old_images[i].data, (uint32_t)s->old_images[i].len_bytes,
                         s->geometry.erase_bytes);
    }
}

int flash_digests_open(struct flash_digests *f, struct closure_device *d, bool memoise)
{
    *f = (struct flash_digests){.chip = d->nor, .memoise = memoise};
    f->engine = (struct board_memo){.ctx = f, .find = find, .keep = keep};
    f->memo = digest_memo_new(MEMO_BYTES, equal, f);
    f->compare = flash_compare_new(d->nor);
    if (f->memo == NULL || f->compare == NULL)
        return ERR_NOMEM;
    lend_images(f, d->subject);
    d->compare = f->compare;
    d->board.memo = &f->engine;
    return 0;
}

void flash_digests_close(struct flash_digests *f)
{
    digest_memo_free(f->memo);
    flash_compare_free(f->compare);
    *f = (struct flash_digests){.chip = NULL};
}
