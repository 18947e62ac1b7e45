/*
 * Fetching a package segment by segment into flash, resuming where the journal ends.
 *
 * Method. A segment is programmed only when its reply has turned out complete and exact, and marked
 * only when it is programmed; so the mark never exceeds durable data. Each erase block is erased
 * when its first segment is about to be programmed. A resume in the middle of a block may find the
 * next segment half programmed by a cut: on chips with rewritable bits the same bytes are
 * programmed again (if the new bytes do not fit into what is there, the block is started over); on
 * write-once chips the block is always started over. A mark carries the CRC-32 of its
 * block so far.
 */
#include <string.h>

#include "common/bytes.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/agent/cmiot/session.h"

#define VERIFY_TRIES   3     /* of reading the package before it counts as damaged */
#define ERROR_PAUSE_MS 1000u /* before repeating a GET after an HTTP server error */

struct download {
    struct session *s;
    const struct offer *o;
    struct link link;
    struct speaker who;
    uint32_t count;         /* segments of the package */
    uint32_t next;          /* segment being fetched, 1-based */
    uint32_t filled;        /* bytes of it in s->segment */
    uint32_t summed;        /* flash from the start of this block to here ... */
    uint32_t sum;           /* ... has this CRC-32 */
    uint32_t checked_until; /* flash below this may hold the rest of an earlier attempt */
    uint32_t resumed_at;    /* segment that a resume began with; 0: none */
    bool restarted;         /* a 416 has sent us back to the beginning */
};

/* What a GET led to. */
enum got {
    GOT_PART,  /* something was taken; go on with the next request */
    GOT_NOISE, /* nothing usable: worth asking again */
    GOT_ERROR, /* HTTP server error: worth asking again after a pause */
    GOT_LOST,  /* connection lost or silent: give up, resume in a later call */
    GOT_NO     /* asking again cannot help in this call */
};

static uint32_t segment_at(const struct download *d, uint32_t number)
{
    return (number - 1) * d->s->segment_bytes;
}

static uint32_t segment_len(const struct download *d, uint32_t number)
{
    uint32_t left = d->o->file_bytes - segment_at(d, number);
    return left < d->s->segment_bytes ? left : d->s->segment_bytes;
}

/* ---- flash ---- */

/* Sets progress back (or to 0) in the record. */
static int rewind_to(struct download *d, uint32_t stored)
{
    struct state_record r = d->s->state.record;
    r.index = stored;
    d->next = stored + 1;
    d->filled = 0;
    return session_store(d->s, &r) == E_CMIOT_SUCCESS ? 0 : -1;
}

/* Whether the segment buffer can be programmed over what flash holds there. */
static bool fits_over(struct download *d, uint32_t at, uint32_t len)
{
    uint8_t old[64];
    if (at >= d->checked_until)
        return true;
    for (uint32_t done = 0; done < len; done += sizeof(old)) {
        uint32_t n = len - done < sizeof(old) ? len - done : (uint32_t)sizeof(old);
        if (fal_part_read(d->s->part, at + done, old, n) != (int)n)
            return false;
        for (uint32_t i = 0; i < n; i++)
            if ((old[i] & d->s->segment[done + i]) != d->s->segment[done + i])
                return false;
    }
    return true;
}

/*
 * What a mark says: the CRC-32 of its erase block from the start to the end of its segment, as
 * flash holds it; 0 would mean nothing is said. 0 too when flash cannot be read.
 */
static uint32_t block_check(struct download *d, uint32_t number)
{
    uint8_t piece[64];
    uint32_t block = fal_part_block_size(d->s->part);
    uint32_t end = segment_at(d, number) + segment_len(d, number);
    uint32_t start = segment_at(d, number) / block * block;
    if (d->summed < start || d->summed > end) {
        d->summed = start;
        d->sum = 0;
    }
    while (d->summed < end) {
        uint32_t n = end - d->summed < sizeof(piece) ? end - d->summed : (uint32_t)sizeof(piece);
        if (fal_part_read(d->s->part, d->summed, piece, n) != (int)n)
            return 0;
        d->sum = crc32_update(d->summed == start ? 0 : d->sum, piece, n);
        d->summed += n;
    }
    return d->sum != 0 ? d->sum : 1;
}

/*
 * A mark that was cut while it was programmed may not read at one start, so that its block is
 * erased and begun again, and read at the next: the last mark is believed only if its block holds
 * what was there when it was written.
 */
static bool last_mark_holds(struct download *d)
{
    const struct state *st = &d->s->state;
    return st->mark == 0 || st->mark > d->count || st->mark_arg == 0 ||
           block_check(d, st->mark) == st->mark_arg;
}

/*
 * And what it held is made firm: the start that did not see the mark may have been cut in an erase
 * that left all cells reading as before, so the right bytes may come from cells that read otherwise
 * later. Programming the same bytes completes them; write-once chips cannot.
 */
static bool last_mark_is_firm(struct download *d)
{
    const struct state *st = &d->s->state;
    uint32_t block = fal_part_block_size(d->s->part);
    if (st->mark == 0 || st->mark > d->count || st->mark_arg == 0 || d->s->layout.write_once)
        return true;
    uint32_t at = segment_at(d, st->mark) / block * block;
    uint32_t end = segment_at(d, st->mark) + segment_len(d, st->mark);
    for (uint32_t n; at < end; at += n) {
        n = end - at < d->s->segment_bytes ? end - at : d->s->segment_bytes;
        if (fal_part_read(d->s->part, at, d->s->segment, n) != (int)n ||
            fal_part_write(d->s->part, at, d->s->segment, n) != (int)n)
            return false;
    }
    return true;
}

static int mark(struct download *d)
{
    struct err err;
    /* After a block was started over, some of its segments are marked already. */
    if (d->s->config->breaks.no_journal || d->next <= d->s->state.mark)
        return 0;
    /* Who marks first has nothing to hold the mark to. */
    uint32_t check = d->s->config->breaks.mark_before_write ? 0 : block_check(d, d->next);
    return state_mark(&d->s->state, d->s->state.mark + 1, check, &err);
}

static bool first_page_blank(struct download *d, uint32_t at)
{
    uint8_t byte = 0;
    uint32_t page = fal_part_page_size(d->s->part);
    for (uint32_t i = 0; i < page; i++)
        if (fal_part_read(d->s->part, at + i, &byte, 1) != 1 || byte != 0xFF)
            return false;
    return true;
}

/* Whether the block that the segment at `at` lies in is erased before it is programmed. The
 * reference: where it begins. */
static bool erase_due(struct download *d, uint32_t at)
{
    const struct device_breaks *broken = &d->s->config->breaks;
    if (broken->erase_ahead)
        return false;
    if (broken->erase_on_resume && d->next == d->resumed_at)
        return true;
    if (at % fal_part_block_size(d->s->part) != 0)
        return false;
    return !broken->short_blank_check || !first_page_blank(d, at);
}

/* Programs and journals the full segment buffer, and moves on. 0 or -1. */
static int store_segment(struct download *d)
{
    struct session *s = d->s;
    uint32_t at = segment_at(d, d->next), len = segment_len(d, d->next);
    uint32_t page = fal_part_page_size(s->part), block = fal_part_block_size(s->part);
    uint32_t padded = (len + page - 1) / page * page;
    memset(s->segment + len, 0xFF, s->segment_bytes - len);
    if (at % block == 0)
        d->summed = at;
    if (erase_due(d, at) && fal_part_erase(s->part, at / block * block, block) < 0)
        return -1;
    if (at % block != 0 && !fits_over(d, at, len))
        return rewind_to(d, at / block * block / s->segment_bytes);
    if (s->config->breaks.mark_before_write && mark(d) != 0)
        return -1;
    if (fal_part_write(s->part, at, s->segment, padded) != (int)padded)
        return -1;
    if (!s->config->breaks.mark_before_write && mark(d) != 0)
        return -1;
    AGENT_EVENT("segment", F_INT("number", d->next));
    d->next++;
    d->filled = 0;
    return 0;
}

/* ---- one GET ---- */

/* A reply being taken in. */
struct intake {
    struct http_reply http;
    bool whole;        /* 200: the body is the package from its first byte */
    uint32_t from, to; /* range asked for, inclusive */
    uint64_t expected; /* bytes of the body */
    uint64_t taken;    /* so far */
    uint32_t before;   /* d->filled when the request was made */
    uint32_t first;    /* d->next when the request was made */
};

/* Decides by the head whether the body is wanted; GOT_PART: yes. */
static enum got judge_head(struct download *d, struct intake *in)
{
    const struct http_reply *h = &in->http;
    uint32_t size = d->o->file_bytes;
    if (h->status == 429 || h->status == 503) {
        d->s->device->back_off = true;
        return GOT_NO;
    }
    if (h->status >= 500)
        return GOT_ERROR;
    if (h->status == 416) {
        /* The server has fewer bytes than announced, or is confused: from the start, once. */
        if (d->restarted || in->from == 0 || (h->has_total && h->range_total != size))
            return GOT_NO;
        d->restarted = true;
        return rewind_to(d, 0) == 0 ? GOT_NOISE : GOT_NO;
    }
    if (h->status != 200 && h->status != 206)
        return h->status >= 300 ? GOT_NO : GOT_NOISE;
    if (h->encoded)
        return GOT_NOISE;
    in->whole = h->status == 200;
    if (in->whole) {
        in->expected = size;
    } else {
        if (!h->has_range)
            return GOT_NOISE;
        if (h->has_total && h->range_total != size)
            return GOT_NO; /* another file than the announced one */
        if ((h->range_from != in->from || h->range_to > in->to) &&
            !d->s->config->breaks.ignore_range)
            return GOT_NOISE;
        in->expected = h->range_to - h->range_from + 1;
    }
    if (h->has_length && h->length_bytes != in->expected)
        return GOT_NOISE;
    return GOT_PART;
}

/* Takes a piece of the body. A 206 only fills the segment buffer; a 200 streams through it, all but
 * the last segment, whose body has to end first. */
static enum got take(struct download *d, struct intake *in, const uint8_t *data, size_t len)
{
    if (len > in->expected - in->taken)
        return GOT_NOISE; /* more than announced: never counts */
    while (len > 0) {
        uint64_t wanted = in->whole ? (uint64_t)segment_at(d, d->next) + d->filled : 0;
        size_t n = len;
        if (in->whole && in->taken < wanted) {
            n = n < wanted - in->taken ? n : (size_t)(wanted - in->taken);
        } else {
            uint32_t room = segment_len(d, d->next) - d->filled;
            if (room == 0 && in->whole) {
                uint32_t at = d->next;
                if (store_segment(d) != 0 || d->next != at + 1)
                    return GOT_NO;
                continue;
            }
            n = n < room ? n : room;
            if (n == 0)
                return GOT_NOISE; /* only with ignore_range: longer than the segment */
            memcpy(d->s->segment + d->filled, data, n);
            d->filled += (uint32_t)n;
        }
        in->taken += n;
        data += n;
        len -= n;
    }
    return GOT_PART;
}

/* The body is complete as far as HTTP goes. */
static enum got judge_end(struct download *d, const struct intake *in)
{
    if (in->taken == in->expected)
        return GOT_PART;
    /* A whole file without a length that ended early was something else: nothing of it counts. */
    if (in->whole && rewind_to(d, in->first - 1) != 0)
        return GOT_NO;
    return in->whole ? GOT_NO : GOT_NOISE;
}

static enum got receive(struct download *d, struct intake *in)
{
    enum http_step step = HTTP_MORE;
    bool any = false;
    os_tick_t start = os_tick_get();
    http_reply_init(&in->http, REPLY_HEAD_BYTES - 1);
    for (;;) {
        uint32_t before = d->next;
        int n = link_receive(&d->link, d->s->reply, d->s->reply_max_bytes);
        if (n == LINK_SILENT)
            return any && !in->whole ? GOT_NOISE : GOT_LOST;
        if (n == LINK_CLOSED)
            return http_reply_eof(&in->http) == HTTP_END ? judge_end(d, in) : GOT_LOST;
        any = true;
        for (size_t used = 0;;) {
            const uint8_t *data;
            size_t len, took;
            enum got g = GOT_PART;
            step = http_reply_feed(&in->http, d->s->reply + used, (size_t)n - used, &took, &data,
                                   &len);
            used += took;
            if (step == HTTP_MORE)
                break;
            if (step == HTTP_BAD) {
                agent_log("download: %s", in->http.reason);
                return GOT_NOISE;
            }
            if (step == HTTP_END)
                return used < (size_t)n ? GOT_NOISE : judge_end(d, in);
            if (step == HTTP_HEAD)
                g = judge_head(d, in);
            else
                g = take(d, in, data, len);
            if (g != GOT_PART)
                return g;
        }
        /* Without a length the body ends when all is there; the connection is of no more use. */
        if (in->http.until_close && in->taken == in->expected && in->expected > 0)
            return GOT_PART;
        if (d->next != before)
            start = os_tick_get();
        else if (agent_too_slow(start))
            return GOT_LOST;
    }
}

static enum got get(struct download *d)
{
    struct intake in = {.before = d->filled, .first = d->next};
    in.from = segment_at(d, d->next) + d->filled;
    in.to = segment_at(d, d->next) + segment_len(d, d->next) - 1;
    if (link_open(&d->link) != 0)
        return GOT_LOST;
    size_t request = message_get(d->s->request, &d->who, d->o, in.from, in.to);
    if (request == 0)
        return GOT_NO;
    enum got g = link_send(&d->link, d->s->request, request) == 0 ? receive(d, &in) : GOT_LOST;
    if (g != GOT_PART && d->next == in.first)
        d->filled = d->filled < in.before ? d->filled : in.before;
    else if (g != GOT_PART)
        d->filled = 0;
    if (g != GOT_PART || in.http.close)
        link_close(&d->link);
    if (g == GOT_PART && d->filled == segment_len(d, d->next) && store_segment(d) != 0)
        return GOT_NO;
    return g;
}

/* Between two segments: what lies behind is of no more use. */
static void tell_moment(const struct download *d, unsigned tried)
{
    const uint32_t at = segment_at(d, d->next);
    /* The sum of a block begins anew with the block. */
    const bool within = at % fal_part_block_size(d->s->part) != 0;
    const uint32_t words[AGENT_DOWNLOAD_WORDS] = {d->count,
                                                  d->next,
                                                  within ? d->summed : 0,
                                                  within ? d->sum : 0,
                                                  at < d->checked_until ? d->checked_until : 0,
                                                  d->next == d->resumed_at,
                                                  (d->restarted ? 1u : 0u) |
                                                      (d->link.fd >= 0 ? 2u : 0u),
                                                  tried};
    if (d->filled == 0)
        agent_moment(d->s->device, PLACE_SEGMENT, d->s, words);
}

/* All segments. 0 or -1. */
static int fetch(struct download *d)
{
    struct err err;
    /* Erasing a block must not pull the ground from under a record that a cut left weak. */
    if (d->next <= d->count && state_firm(&d->s->state, &err) != 0)
        return -1;
    unsigned repeats = d->s->config->segment_retries;
    unsigned tried = 0;
    while (d->next <= d->count) {
        uint32_t next = d->next, filled = d->filled;
        tell_moment(d, tried);
        enum got g = get(d);
        if (g == GOT_PART && (d->next > next || d->filled > filled)) {
            tried = 0;
            continue;
        }
        if (d->s->config->breaks.endless_retry)
            continue;
        if (g == GOT_LOST || g == GOT_NO || tried++ >= repeats)
            return -1;
        if (g == GOT_ERROR)
            cmiot_msleep(ERROR_PAUSE_MS);
    }
    return 0;
}

/* ---- the whole ---- */

bool download_verified(struct session *s)
{
    uint8_t md5[MD5_BYTES];
    const struct state_record *r = &s->state.record;
    int rc = s->config->breaks.skip_digest ? 0 : ERR_IO;
    memcpy(md5, r->md5, sizeof(md5));
    for (int i = 0; i < VERIFY_TRIES && (rc == ERR_IO || rc == ERR_NOMEM); i++)
        rc = agent_md5(s->part, r->file_bytes, md5);
    bool ok = rc == 0 && memcmp(md5, r->md5, sizeof(md5)) == 0;
    AGENT_EVENT("verify", F_INT("ok", ok));
    return ok;
}

static cmiot_int8 store_pending(struct session *s)
{
    struct state_record r = s->state.record;
    r.update_result = UPDATE_PENDING;
    r.index = r.index_max;
    r.report_due = 1;
    return session_store(s, &r);
}

static cmiot_int8 set_pending(struct session *s, const struct offer *o)
{
    if (store_pending(s) != E_CMIOT_SUCCESS)
        return E_CMIOT_FAILURE;
    struct state_record r = s->state.record;
    AGENT_EVENT("pending", F_INT("delta_id", o->delta_id));
    if (s->config->breaks.report_before_verify)
        return E_CMIOT_SUCCESS;
    if (control_report_download(s, o->delta_id, DOWNLOAD_OK, o->file_bytes) != DELIVERED)
        return E_CMIOT_FAILURE;
    r.report_due = 0;
    /* The vendor's record has no room for this. Should the write fail, the report is repeated. */
    if (s->layout.kind == STATE_SAFE)
        (void)session_store(s, &r);
    return E_CMIOT_SUCCESS;
}

static cmiot_int8 finish(struct session *s, const struct offer *o)
{
    if (s->config->breaks.report_before_verify)
        (void)control_report_download(s, o->delta_id, DOWNLOAD_OK, o->file_bytes);
    if (s->config->breaks.pending_before_verify && store_pending(s) != E_CMIOT_SUCCESS)
        return E_CMIOT_FAILURE;
    /* The vendor's record does not hold what is announced: compare with the announcement. */
    memcpy(s->state.record.md5, o->md5, MD5_BYTES);
    s->state.record.file_bytes = o->file_bytes;
    if (download_verified(s))
        return set_pending(s, o);
    struct state_record r = s->state.record;
    r.update_result = UPDATE_NONE;
    r.report_due = 0;
    r.index = 0;
    (void)session_store(s, &r);
    (void)control_report_download(s, o->delta_id, DOWNLOAD_MISMATCH, o->file_bytes);
    return E_CMIOT_FAILURE;
}

cmiot_int8 download_package(struct session *s, const struct offer *o)
{
    struct download d = {.s = s,
                         .o = o,
                         .link = link_to(o->host, o->port),
                         .who = session_speaker(s),
                         .count = s->state.record.index_max};
    uint32_t block = fal_part_block_size(s->part), stored = s->state.mark;
    if (!last_mark_holds(&d) || !last_mark_is_firm(&d))
        stored = segment_at(&d, stored) / block * block / s->segment_bytes;
    d.next = stored + 1;
    if (s->layout.write_once && stored < d.count)
        d.next = segment_at(&d, d.next) / block * block / s->segment_bytes + 1;
    if (s->config->breaks.resume_too_far && stored > 0)
        d.next++;
    if (s->config->breaks.resume_rounds_up && stored > 0) {
        uint32_t up = (stored * s->segment_bytes + block - 1) / block * block / s->segment_bytes;
        d.next = (up < d.count ? up : d.count) + 1;
    }
    d.resumed_at = stored > 0 ? d.next : 0;
    d.checked_until = (segment_at(&d, d.next) + block - 1) / block * block;
    if (stored > 0)
        AGENT_EVENT("resume", F_INT("segment", d.next), F_INT("of", d.count));
    if (s->config->breaks.reset_to_resume && stored > 0)
        board_current()->ops->reset(board_current());
    link_close(&s->control);
    int rc = fetch(&d);
    link_close(&d.link);
    return rc == 0 ? finish(s, o) : E_CMIOT_FAILURE;
}
