#include "flash_emu/inspect.h"

#include <stdio.h>
#include <string.h>

#define UNITS_PER_LINE 64
#define DUMP_BYTES     16
#define DIFF_JOIN      16 /* equal stretches shorter than this do not split a range */
#define DIFF_SHOWN     8  /* bytes of either side on a line */

/* A stretch of the chip with one owner, in address order. */
struct section {
    const char *name;
    bool gap;
    uint32_t from;
    uint32_t to;
};

/* The section that begins at `from` (a border); false at the end of the chip. */
static bool section_at(const struct nor *n, const struct partition_table *t, uint32_t from,
                       struct section *out)
{
    uint32_t end = nor_geo(n)->size_bytes;
    if (from >= end)
        return false;
    *out = (struct section){.name = "chip", .from = from, .to = end};
    if (t == NULL)
        return true;
    const struct partition *p = partition_at(t, from);
    if (p != NULL) {
        out->name = p->name;
        uint32_t left = p->size_bytes - (from - p->offset);
        if (left < end - from)
            out->to = from + left;
        return true;
    }
    out->name = "(gap)";
    out->gap = true;
    for (size_t i = 0; i < t->count; i++)
        if (t->part[i].offset > from && t->part[i].offset < out->to)
            out->to = t->part[i].offset;
    return true;
}

static void size_text(char out[16], uint32_t bytes)
{
    if (bytes >= 1u << 20 && bytes % (1u << 20) == 0)
        (void)snprintf(out, 16, "%u MiB", (unsigned)(bytes >> 20));
    else if (bytes >= 1024 && bytes % 1024 == 0)
        (void)snprintf(out, 16, "%u KiB", (unsigned)(bytes >> 10));
    else
        (void)snprintf(out, 16, "%u B", (unsigned)bytes);
}

static int chip_line(struct buf *out, const struct nor *n)
{
    const struct nor_geometry *geo = nor_geo(n);
    char size[16];
    char unit[16];
    size_text(size, geo->size_bytes);
    size_text(unit, geo->erase_bytes);
    return buf_printf(out, "%s: %s, %u erase units of %s, %llu operations so far\n", geo->name,
                      size, (unsigned)(geo->size_bytes / geo->erase_bytes), unit,
                      (unsigned long long)nor_op_count(n));
}

static int section_line(struct buf *out, const struct section *s, const char *what)
{
    char size[16];
    size_text(size, s->to - s->from);
    return buf_printf(out, "%-15s 0x%08x  %9s  %s\n", s->name, (unsigned)s->from, size, what);
}

/* Draws a section, one character per unit as `symbol` says. */
static int draw_units(struct buf *out, const struct nor *n, const struct section *s,
                      char (*symbol)(const struct nor *n, const struct section *s, uint32_t addr))
{
    uint32_t unit = nor_geo(n)->erase_bytes;
    char line[UNITS_PER_LINE + 1];
    uint32_t addr = s->from;
    int rc = 0;
    while (rc == 0 && addr < s->to) {
        uint32_t first = addr;
        size_t k = 0;
        for (; k < UNITS_PER_LINE && addr < s->to; k++, addr += unit)
            line[k] = symbol(n, s, addr);
        line[k] = '\0';
        rc = buf_printf(out, "  0x%08x  %s\n", (unsigned)first, line);
    }
    return rc;
}

static uint32_t programmed_bytes(const struct nor *n, uint32_t from, uint32_t to)
{
    const uint8_t *cells = nor_peek(n);
    uint32_t count = 0;
    for (uint32_t a = from; a < to; a++)
        count += cells[a] != 0xFF;
    return count;
}

static char fill_symbol(const struct nor *n, const struct section *s, uint32_t addr)
{
    uint32_t unit = nor_geo(n)->erase_bytes;
    uint64_t used = programmed_bytes(n, addr, addr + unit);
    if (nor_is_torn(n, addr, unit))
        return 't';
    if (nor_weak_cells(n, addr, unit) > 0)
        return 'w';
    if (used == 0)
        return '.';
    if (s->gap)
        return partition_guard_holds(n, addr, unit) ? 'G' : '!';
    if (used * 4 < unit)
        return '-';
    return used * 4 < 3 * (uint64_t)unit ? '+' : '#';
}

int flash_map(struct buf *out, const struct nor *n, const struct partition_table *t)
{
    struct section s;
    int rc = chip_line(out, n);
    for (uint32_t at = 0; rc == 0 && section_at(n, t, at, &s); at = s.to) {
        char what[48];
        uint64_t used = programmed_bytes(n, s.from, s.to);
        (void)snprintf(what, sizeof(what), "%3u %% programmed",
                       (unsigned)(used * 100 / (s.to - s.from)));
        rc = section_line(out, &s, what);
        if (rc == 0)
            rc = draw_units(out, n, &s, fill_symbol);
    }
    if (rc == 0)
        rc = buf_text(out, ". erased  - under 1/4 programmed  + under 3/4  # more  G guard  "
                           "! data in a gap  w weak  t torn\n");
    return rc;
}

/* First count that the letter stands for. */
static const struct {
    uint32_t from;
    char symbol;
} wear_steps[] = {
    {50000, 'l'}, {20000, 'k'}, {10000, 'j'}, {5000, 'i'}, {2000, 'h'}, {1000, 'g'},
    {500, 'f'},   {200, 'e'},   {100, 'd'},   {50, 'c'},   {20, 'b'},   {10, 'a'},
};

static char wear_symbol(const struct nor *n, const struct section *s, uint32_t addr)
{
    uint32_t wear = nor_wear(n, addr);
    (void)s;
    if (wear == 0)
        return '.';
    if (wear > nor_geo(n)->endurance)
        return '!';
    for (size_t i = 0; i < sizeof(wear_steps) / sizeof(wear_steps[0]); i++)
        if (wear >= wear_steps[i].from)
            return wear_steps[i].symbol;
    return (char)('0' + wear);
}

int flash_wear_map(struct buf *out, const struct nor *n, const struct partition_table *t)
{
    struct section s;
    uint32_t unit = nor_geo(n)->erase_bytes;
    int rc = chip_line(out, n);
    for (uint32_t at = 0; rc == 0 && section_at(n, t, at, &s); at = s.to) {
        char what[80];
        uint64_t total = 0;
        uint32_t worst = s.from;
        for (uint32_t a = s.from; a < s.to; a += unit) {
            total += nor_wear(n, a);
            if (nor_wear(n, a) > nor_wear(n, worst))
                worst = a;
        }
        (void)snprintf(what, sizeof(what), "%llu erases, most %u at 0x%08x",
                       (unsigned long long)total, (unsigned)nor_wear(n, worst), (unsigned)worst);
        rc = section_line(out, &s, what);
        if (rc == 0)
            rc = draw_units(out, n, &s, wear_symbol);
    }
    if (rc == 0)
        rc = buf_printf(out,
                        ". none  1-9 cycles  a 10+  b 20+  c 50+  d 100+  e 200+  f 500+  g 1000+  "
                        "h 2000+\ni 5000+  j 10000+  k 20000+  l 50000+  ! beyond %u\n",
                        (unsigned)nor_geo(n)->endurance);
    return rc;
}

static int dump_line(struct buf *out, const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    const uint8_t *p = nor_peek(n) + addr;
    char hex[3 * DUMP_BYTES + 2];
    char text[DUMP_BYTES + 1];
    size_t k = 0;
    for (uint32_t i = 0; i < DUMP_BYTES; i++) {
        if (i == DUMP_BYTES / 2)
            hex[k++] = ' ';
        if (i < len_bytes)
            hex_encode(hex + k, p + i, 1);
        else
            memcpy(hex + k, "  ", 2);
        hex[k + 2] = ' ';
        k += 3;
    }
    hex[k] = '\0';
    for (uint32_t i = 0; i < len_bytes; i++)
        text[i] = p[i] >= 0x20 && p[i] < 0x7F ? (char)p[i] : '.';
    text[len_bytes] = '\0';
    const char *note = nor_is_torn(n, addr, len_bytes)          ? "  torn"
                       : nor_weak_cells(n, addr, len_bytes) > 0 ? "  weak"
                                                                : "";
    return buf_printf(out, "0x%08x  %s |%s|%s\n", (unsigned)addr, hex, text, note);
}

static bool marked(const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    return nor_is_torn(n, addr, len_bytes) || nor_weak_cells(n, addr, len_bytes) > 0;
}

int flash_dump(struct buf *out, const struct nor *n, uint32_t addr, uint32_t len_bytes)
{
    const uint8_t *cells = nor_peek(n);
    uint32_t size = nor_geo(n)->size_bytes;
    bool folding = false;
    int rc = 0;
    if (addr > size || len_bytes > size - addr)
        return ERR_ARG;
    uint32_t step;
    for (uint32_t done = 0; rc == 0 && done < len_bytes; done += step) {
        uint32_t at = addr + done;
        step = len_bytes - done < DUMP_BYTES ? len_bytes - done : DUMP_BYTES;
        bool same = done > 0 && step == DUMP_BYTES &&
                    memcmp(cells + at, cells + at - DUMP_BYTES, DUMP_BYTES) == 0 &&
                    !marked(n, at, step) && !marked(n, at - DUMP_BYTES, step);
        if (!same)
            rc = dump_line(out, n, at, step);
        else if (!folding)
            rc = buf_text(out, "*\n");
        folding = same;
    }
    if (rc == 0)
        rc = buf_printf(out, "0x%08x\n", (unsigned)(addr + len_bytes));
    return rc;
}

/* The next differing range in [*from, end): *from at its first, *to past its last differing byte.
 */
static bool next_difference(const uint8_t *a, const uint8_t *b, uint32_t end, uint32_t *from,
                            uint32_t *to, uint32_t *count)
{
    uint32_t at = *from;
    while (at < end && a[at] == b[at])
        at++;
    *from = *to = at;
    *count = 0;
    for (; at < end && at - *to < DIFF_JOIN; at++) {
        if (a[at] != b[at]) {
            *to = at + 1;
            (*count)++;
        }
    }
    return *count > 0;
}

static int diff_line(struct buf *out, const struct section *s, const uint8_t *a, const uint8_t *b,
                     uint32_t from, uint32_t to, uint32_t count)
{
    char was[2 * DIFF_SHOWN + 1];
    char is[2 * DIFF_SHOWN + 1];
    uint32_t shown = to - from < DIFF_SHOWN ? to - from : DIFF_SHOWN;
    hex_encode(was, a + from, shown);
    hex_encode(is, b + from, shown);
    return buf_printf(out, "0x%08x-0x%08x  %7u differ  %s+0x%x  %s -> %s\n", (unsigned)from,
                      (unsigned)(to - 1), (unsigned)count, s->name, (unsigned)(from - s->from), was,
                      is);
}

int flash_diff(struct buf *out, const struct nor *a, const struct nor *b,
               const struct partition_table *t, size_t max_ranges, uint64_t *differing)
{
    const uint8_t *was = nor_peek(a);
    const uint8_t *is = nor_peek(b);
    struct section s;
    uint64_t total = 0;
    uint64_t unlisted = 0;
    size_t ranges = 0;
    int rc = 0;
    if (nor_geo(a)->size_bytes != nor_geo(b)->size_bytes)
        return ERR_ARG;
    for (uint32_t at = 0; rc == 0 && section_at(a, t, at, &s); at = s.to) {
        uint32_t from = s.from;
        uint32_t to;
        uint32_t count;
        for (; rc == 0 && next_difference(was, is, s.to, &from, &to, &count); from = to) {
            total += count;
            if (ranges < max_ranges)
                rc = diff_line(out, &s, was, is, from, to, count);
            else
                unlisted += count;
            ranges++;
        }
    }
    if (differing != NULL)
        *differing = total;
    if (rc == 0 && total == 0)
        rc = buf_text(out, "no difference\n");
    else if (rc == 0 && ranges > max_ranges)
        rc = buf_printf(out, "and %zu more ranges with %llu differing bytes\n", ranges - max_ranges,
                        (unsigned long long)unlisted);
    return rc;
}
