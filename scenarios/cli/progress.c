#include "scenarios/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"

#define BAR_COLUMNS    20
#define BAR_EVERY_NS   (NS_PER_S / 10)
#define LINES_EVERY_NS (2 * NS_PER_S)

enum progress progress_kind(bool quiet)
{
    if (quiet)
        return PROGRESS_NONE;
    return isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_LINES;
}

void progress_init(struct progress_state *p, enum progress kind, size_t total, int64_t now_ns)
{
    *p = (struct progress_state){
        .kind = kind, .total = total, .start_ns = now_ns, .shown_ns = now_ns};
}

void progress_text(const struct progress_state *p, int64_t now_ns, char *out, size_t cap)
{
    int64_t ms = (now_ns - p->start_ns) / NS_PER_MS;
    uint64_t tenths = ms <= 0 ? 0 : (uint64_t)p->done * 10000 / (uint64_t)ms;
    char eta[48] = "";
    if (p->done > 0 && p->done < p->total) {
        uint64_t left_s = (uint64_t)ms * (uint64_t)(p->total - p->done) / (uint64_t)p->done / 1000;
        (void)snprintf(eta, sizeof eta, ", %" PRIu64 ":%02u left", left_s / 60,
                       (unsigned)(left_s % 60));
    }
    (void)snprintf(out, cap, "%zu/%zu  %zu %%  %" PRIu64 ".%" PRIu64 "/s%s, %zu not passed",
                   p->done, p->total, p->total == 0 ? 100 : p->done * 100 / p->total, tenths / 10,
                   tenths % 10, eta, p->bad);
}

static void draw_bar(struct progress_state *p, int64_t now_ns)
{
    char text[160];
    progress_text(p, now_ns, text, sizeof text);
    size_t filled = p->total == 0 ? BAR_COLUMNS : p->done * BAR_COLUMNS / p->total;
    char bar[BAR_COLUMNS * 3 + 1];
    size_t at = 0;
    for (size_t i = 0; i < BAR_COLUMNS; i++)
        at += (size_t)snprintf(bar + at, sizeof bar - at, "%s", i < filled ? "█" : "·");
    cli_status("[%s] %s", bar, text);
    p->drawn = true;
}

void progress_show(struct progress_state *p, int64_t now_ns)
{
    if (p->total < 2)
        return;
    if (p->kind == PROGRESS_BAR && now_ns - p->shown_ns >= BAR_EVERY_NS) {
        p->shown_ns = now_ns;
        draw_bar(p, now_ns);
    }
    bool tenth = p->done * 10 / p->total > p->shown_done * 10 / p->total;
    if (p->kind == PROGRESS_LINES && p->done > p->shown_done && p->done < p->total &&
        now_ns - p->shown_ns >= (tenth ? LINES_EVERY_NS / 4 : LINES_EVERY_NS)) {
        char text[160];
        p->shown_ns = now_ns;
        p->shown_done = p->done;
        progress_text(p, now_ns, text, sizeof text);
        (void)fprintf(stderr, "%s\n", text);
    }
}

void progress_done(struct progress_state *p, bool bad, int64_t now_ns)
{
    p->done++;
    p->bad += bad;
    progress_show(p, now_ns);
}

void progress_clear(struct progress_state *p)
{
    if (!p->drawn)
        return;
    cli_status_clear();
    p->drawn = false;
}
