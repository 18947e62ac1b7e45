#include "sim_device/boot/boot.h"

#include <string.h>

#include "sim_device/boot/loader.h"

struct boot *boot_new(const struct boot_config *cfg)
{
    uint32_t page_bytes = nor_geo(cfg->board->nor)->page_bytes;
    if (cfg->ram_bytes < sizeof(struct boot) + page_bytes)
        return NULL;
    struct boot *b = board_alloc(cfg->board, sizeof *b);
    if (b == NULL)
        return NULL;
    memset(b, 0, sizeof *b);
    b->cfg = *cfg;
    b->file_index = NO_FILE;
    b->page_bytes = page_bytes;
    b->page = board_alloc(cfg->board, page_bytes);
    if (b->page == NULL) {
        boot_free(b);
        return NULL;
    }
    return b;
}

void boot_free(struct boot *b)
{
    if (b == NULL)
        return;
    struct board *board = b->cfg.board;
    board_free(board, b->block);
    board_free(board, b->window);
    board_free(board, b->page);
    board_free(board, b);
}

/* Addresses of the state are relative to the download partition. */

static int part_read(void *ctx, uint32_t addr, void *out, uint32_t len_bytes)
{
    struct boot *b = ctx;
    return nor_read(b->cfg.board->nor, b->cfg.download_offset + addr, out, len_bytes);
}

static int part_program(void *ctx, uint32_t addr, const void *data, uint32_t len_bytes)
{
    struct boot *b = ctx;
    return nor_program(b->cfg.board->nor, b->cfg.download_offset + addr, data, len_bytes);
}

static int part_erase(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    struct boot *b = ctx;
    return nor_erase(b->cfg.board->nor, b->cfg.download_offset + addr, len_bytes);
}

/* On to the next phase, which begins knowing what the state says and nothing else. */
static enum boot_result go(struct boot *b, enum loader_phase phase)
{
    b->phase = phase;
    b->work = WORK_NONE;
    b->looked = false;
    b->cursor = 0;
    b->tries = 0;
    loader_forget(b);
    return BOOT_MORE;
}

/* The result goes to bank B and then to A, so that no record of the pending update is left
 * (BOT-15). When it cannot be written the next start comes here again. */
static int write_result(struct boot *b, uint16_t result)
{
    int rc = state_home(&b->state, &b->err);
    struct state_record r = b->state.record;
    r.journal_base = r.index;
    if (b->cfg.breaks.clear_pending) {
        r.update_result = UPDATE_NONE;
        (void)state_write(&b->state, &r, &b->err);
    }
    r.update_result = result;
    if (rc == 0)
        rc = state_write(&b->state, &r, &b->err);
    if (rc == 0)
        rc = state_home(&b->state, &b->err);
    if (rc == 0)
        BOARD_EVENT(b->cfg.board, LANE_BOOT, "result", F_INT("update_result", result));
    return rc;
}

static enum boot_result bricked(struct boot *b)
{
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "bricked", F_STR("reason", b->err.text));
    return BOOT_BRICKED;
}

/* The old firmware is whole: back to it. */
static enum boot_result refuse(struct boot *b, int code)
{
    uint16_t result = code == ERR_DIGEST ? UPDATE_AUTH_FAIL : UPDATE_FAIL;
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "refuse", F_INT("result", result),
                F_STR("reason", b->err.text));
    (void)write_result(b, result);
    return BOOT_RUN;
}

static bool try_again(struct boot *b)
{
    b->delta_open = false;
    b->looked = false;
    b->work = WORK_NONE;
    return ++b->tries < LOADER_TRIES;
}

/* A check failed. Reading and asking for memory may be repeated; what was read and is wrong stays
 * wrong. */
static enum boot_result check_failed(struct boot *b, int code)
{
    if ((code == ERR_IO || code == ERR_NOMEM) && try_again(b))
        return BOOT_MORE;
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "verify", F_INT("ok", 0), F_STR("reason", b->err.text));
    return refuse(b, code);
}

static enum boot_result step_open(struct boot *b)
{
    struct state_io io = {
        .ctx = b, .read = part_read, .program = part_program, .erase = part_erase};
    if (state_open(&b->state, &io, &b->cfg.layout, &b->err) != 0)
        return try_again(b) ? BOOT_MORE : bricked(b);
    bool pending = b->state.valid && b->state.record.update_result == UPDATE_PENDING;
    b->mark = pending ? b->state.mark : 0;
    b->mark_arg = b->state.mark_arg;
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "boot", F_INT("mark", b->mark));
    if (!pending)
        return BOOT_RUN;
    if (b->cfg.breaks.begin_first && b->mark == 0) {
        (void)loader_begin(b);
        return go(b, PHASE_CHECK);
    }
    return go(b, b->mark == 0 ? PHASE_CHECK : PHASE_RESUME);
}

static enum boot_result step_check(struct boot *b)
{
    int rc = loader_check_package(b);
    if (rc != 0)
        return check_failed(b, rc);
    return go(b, b->cfg.breaks.skip_verify ? PHASE_BEGIN : PHASE_DIGESTS);
}

static enum boot_result step_digests(struct boot *b)
{
    int rc = loader_check_digests(b, b->cursor);
    if (rc != 0)
        return check_failed(b, rc);
    if (++b->cursor < b->head.file_count)
        return BOOT_MORE;
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "verify", F_INT("ok", 1), F_STR("reason", ""));
    return go(b, PHASE_PROVE);
}

static enum boot_result step_prove(struct boot *b)
{
    int rc = loader_prove(b, b->cursor);
    if (rc != 0)
        return check_failed(b, rc);
    BOARD_EVENT(b->cfg.board, LANE_BOOT, "prove", F_STR("file", b->file.name));
    return ++b->cursor < b->head.file_count ? BOOT_MORE : go(b, PHASE_BEGIN);
}

static enum boot_result step_begin(struct boot *b)
{
    int rc = loader_begin(b);
    if (rc == 0 && b->cfg.breaks.clear_first) {
        struct state_record r = b->state.record;
        r.update_result = UPDATE_OK;
        r.journal_base = r.index;
        rc = state_write(&b->state, &r, &b->err);
    }
    if (rc != 0)
        return try_again(b) ? BOOT_MORE : refuse(b, ERR_IO);
    return go(b, PHASE_RESTORE);
}

static enum boot_result step_resume(struct boot *b)
{
    int rc = loader_check_package(b);
    if (b->cfg.breaks.recheck_base) {
        for (uint32_t i = 0; rc == 0 && i < b->head.file_count; i++)
            rc = loader_check_digests(b, i);
        if (rc != 0)
            return check_failed(b, rc);
    }
    if (rc == 0)
        rc = loader_resume(b);
    if (rc != 0)
        return try_again(b) ? BOOT_MORE : bricked(b);
    b->phase = PHASE_REPAIR; /* tries go on */
    loader_forget(b);
    return BOOT_MORE;
}

/* What fails is looked at again. */
static enum boot_result step_repair(struct boot *b)
{
    if (loader_repair(b) == 0)
        return go(b, PHASE_RESTORE);
    b->phase = PHASE_RESUME;
    return try_again(b) ? BOOT_MORE : bricked(b);
}

static enum boot_result step_restore(struct boot *b)
{
    bool finished = false;
    uint32_t mark = b->mark;
    int rc = loader_restore(b, &finished);
    if (finished)
        return go(b, PHASE_FINISH);
    if (b->mark != mark) /* looking alone is no progress */
        b->tries = 0;
    if (rc == 0)
        return BOOT_MORE;
    if (try_again(b))
        return BOOT_MORE;
    return loader_untouched(b) ? refuse(b, ERR_IO) : bricked(b);
}

static enum boot_result step_finish(struct boot *b)
{
    if (b->cursor < b->head.file_count) {
        int rc = b->cfg.breaks.skip_verify ? 0 : loader_check_restored(b, b->cursor);
        if (rc != 0)
            return try_again(b) ? BOOT_MORE : bricked(b);
        b->cursor++;
        return BOOT_MORE;
    }
    if (b->tries == 0)
        BOARD_EVENT(b->cfg.board, LANE_BOOT, "restored", F_INT("files", b->head.file_count));
    bool forget = b->cfg.breaks.forget_if_resumed && b->resumed;
    if (write_result(b, forget ? UPDATE_NONE : UPDATE_OK) != 0 && try_again(b))
        return BOOT_MORE;
    return BOOT_RUN;
}

enum boot_result boot_step(struct boot *b)
{
    static enum boot_result (*const steps[])(struct boot *) = {
        [PHASE_OPEN] = step_open,       [PHASE_CHECK] = step_check,
        [PHASE_DIGESTS] = step_digests, [PHASE_PROVE] = step_prove,
        [PHASE_BEGIN] = step_begin,     [PHASE_RESUME] = step_resume,
        [PHASE_REPAIR] = step_repair,   [PHASE_RESTORE] = step_restore,
        [PHASE_FINISH] = step_finish,
    };
    return steps[b->phase](b);
}
