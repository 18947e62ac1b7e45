/*
 * Two slots: replies and addresses of unusual shape, and what the client's own API says of a
 * download: the end of a range, silence, "is fetching", a user who cancels.
 */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"

/* ---- addresses ---- */

enum { URL_GOOD, URL_NO_HOST, URL_NO_PATH };

static int url_kind(const char *url)
{
    const char *host = strstr(url, "://");
    if (host == NULL)
        return URL_GOOD;
    host += 3;
    const size_t len = strcspn(host, "/?#");
    return len == 0 || host[0] == ':' ? URL_NO_HOST : host[len] != '/' ? URL_NO_PATH : URL_GOOD;
}

static const char *scripted_url(const struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    for (uint32_t i = 0; i < s->n_faults; i++)
        if (s->faults[i].kind == CF_URL)
            return s->faults[i].text;
    return "";
}

/* The state that tells it; null: the client has none of its own. */
static const char *url_state(const struct judge *j, int kind)
{
    static const char *const aiot[] = {"", "-0x0925", "-0x0926"}, *const uota[] = {"", "-6", "-5"};
    const enum device_agent agent = j->setup.scenario->device.agent;
    return agent == AGENT_AIOT ? aiot[kind] : agent == AGENT_UOTA ? uota[kind] : NULL;
}

/* The download has failed, or nothing more comes: the address must have been called what it is. */
static void judge_url(struct judge *j)
{
    const struct judge_client *c = &j->slots.client;
    if (c->bad_url == URL_GOOD)
        return;
    const char *state = url_state(j, c->bad_url);
    JUDGE(j, "DWN-23", state == NULL || c->url_said, "an address without %s, and no state %s",
          c->bad_url == URL_NO_HOST ? "a host" : "a path", state);
}

/* ---- requests ---- */

static void judge_range(struct judge *j, uint64_t from, uint64_t to)
{
    struct judge_client *c = &j->slots.client;
    if (c->range_end > 0 && from >= c->range_end)
        JUDGE(j, "DWN-07", c->range_said || j->net_any,
              "goes on at byte %lu; that the range ended there was not told", (unsigned long)from);
    else if (c->range_end > 0 && c->range_said)
        judge_fail(j, "DWN-07", "tells the end of a range before byte %lu, and asks for byte %lu",
                   (unsigned long)c->range_end, (unsigned long)from);
    const bool inside = to > from && j->package != NULL && to + 1 < j->package->len_bytes;
    c->range_end = inside ? to + 1 : 0;
    c->range_said = false;
}

static void on_request(struct judge *j, const struct ev *e)
{
    struct judge_client *c = &j->slots.client;
    const unsigned long from = judge_range_from(j, e);
    unsigned long at = 0, to = 0;
    if (sscanf(ev_text(e, "range"), "bytes=%lu-%lu", &at, &to) == 2)
        to += from - at;
    if (c->piece_next > 0)
        JUDGE(j, "DWN-22", from == c->piece_next || j->net_any,
              "a piece ended before byte %lu, asks for byte %lu", (unsigned long)c->piece_next,
              from);
    if (c->bad_url != URL_GOOD)
        judge_fail(j, "DWN-23", "asks for %s after an address without host or path",
                   ev_text(e, "path"));
    if (c->dribbled)
        JUDGE(j, "DWN-29", from != c->last_from,
              "asks for byte %lu again after a head that came in pieces", from);
    if (c->cancelled)
        judge_fail(j, "DWN-32", "is cancelled, and asks for byte %lu", from);
    judge_range(j, from, to);
    c->last_from = from;
    c->piece_next = 0;
    c->dribbled = c->chunked = false;
    c->silences = 0;
}

static void on_cloud(struct judge *j, const struct ev *e)
{
    struct judge_client *c = &j->slots.client;
    const bool download = strcmp(ev_text(e, "rq"), cloud_request_name(RQ_DOWNLOAD)) == 0;
    const char *kind = ev_text(e, "kind");
    if (ev_is(e, LANE_CLOUD, "request") && download) {
        on_request(j, e);
    } else if (ev_is(e, LANE_CLOUD, "fault") && strcmp(kind, cloud_fault_name(CF_URL)) == 0) {
        c->url_spoilt = true;
    } else if (ev_is(e, LANE_CLOUD, "fault") && strcmp(kind, cloud_fault_name(CF_SMALL)) == 0) {
        c->in_piece = true;
    } else if (ev_is(e, LANE_CLOUD, "fault") && strcmp(kind, cloud_fault_name(CF_CHUNKED)) == 0) {
        c->chunked = true;
        judge_seen(j, "DWN-28");
        if (j->setup.scenario->device.agent != AGENT_UOTA)
            judge_seen(j, "DWN-03");
    } else if (ev_is(e, LANE_CLOUD, "reply") && download && c->in_piece) {
        judge_seen(j, "DWN-22");
        c->piece_next = c->last_from + (uint64_t)ev_int(e, "bytes", 0);
        c->in_piece = false;
    } else if (ev_is(e, LANE_CLOUD, "push")) {
        c->bad_url = c->url_spoilt ? url_kind(scripted_url(j)) : URL_GOOD;
        c->url_spoilt = c->url_said = c->cancelled = false;
        if (c->bad_url != URL_GOOD)
            judge_seen(j, "DWN-23");
    }
}

/* ---- what the client says ---- */

static void on_finished(struct judge *j, bool finished)
{
    const struct judge_client *c = &j->slots.client;
    const uint32_t page = j->setup.scenario->device.geometry.page_bytes;
    JUDGE(j, "DWN-31", c->fetching != finished, "is fetching: %d, is finished: %d", c->fetching,
          finished);
    if (!finished || j->package == NULL || j->dirty || j->silent_faults)
        return;
    const uint32_t len = j->package->len_bytes;
    JUDGE(j, "DWN-31", judge_flash_holds(j, 0, len > page ? len - page : 0),
          "is finished, and flash does not hold all of the %u bytes", len);
}

static void on_yield(struct judge *j, int64_t result)
{
    struct judge_client *c = &j->slots.client;
    if (result == 0) {
        c->silences++;
        judge_seen(j, "DWN-30");
    } else if (j->byte_seen[LINK_STALL] && c->silences == 0 && !j->net_seen[NET_OUTAGE]) {
        judge_fail(j, "DWN-30", "a fetch without data in its time ends with %ld", (long)result);
    }
}

static void on_api(struct judge *j, const struct ev *e)
{
    const char *call = ev_text(e, "call");
    const int64_t result = ev_int(e, "result", 0);
    if (strcmp(call, "IOT_OTA_FetchYield") == 0)
        on_yield(j, result);
    else if (strcmp(call, "IOT_OTA_IsFetching") == 0)
        j->slots.client.fetching = result != 0;
    else if (strcmp(call, "IOT_OTA_IsFetchFinish") == 0)
        on_finished(j, result != 0);
}

static void on_state(struct judge *j, const char *code)
{
    struct judge_client *c = &j->slots.client;
    const char *want = c->bad_url != URL_GOOD ? url_state(j, c->bad_url) : NULL;
    c->range_said = c->range_said || strcmp(code, "-0x0907") == 0;
    c->url_said = c->url_said || (want != NULL && strcmp(code, want) == 0);
}

/* Connections: as many as before the download. */
static void on_heap(struct judge *j, int64_t sockets)
{
    struct judge_client *c = &j->slots.client;
    if (c->cancelled)
        JUDGE(j, "DWN-32", sockets <= c->idle_sockets, "is cancelled, and a connection is open");
    else if (j->phase != PHASE_DOWNLOAD)
        c->idle_sockets = sockets;
}

static void on_device(struct judge *j, const struct ev *e)
{
    struct judge_client *c = &j->slots.client;
    if (ev_is(e, LANE_DEVICE, "api")) {
        on_api(j, e);
    } else if (ev_is(e, LANE_DEVICE, "state")) {
        on_state(j, ev_text(e, "code"));
    } else if (ev_is(e, LANE_DEVICE, "progress") && ev_int(e, "step", 0) < 0) {
        judge_url(j);
        c->bad_url = URL_GOOD;
    } else if (ev_is(e, LANE_DEVICE, "verify") && c->piece_next > 0) {
        judge_fail(j, "DWN-22", "a piece ended before byte %lu, and the image is verified",
                   (unsigned long)c->piece_next);
    } else if (ev_is(e, LANE_DEVICE, "cancel")) {
        judge_seen(j, "DWN-32");
        c->cancelled = c->was_cancelled = true;
        j->slots.causes |= CAUSE_UPGRADE;
        j->phase = PHASE_IDLE;
    } else if (ev_is(e, LANE_DEVICE, "heap")) {
        on_heap(j, ev_int(e, "sockets", 0));
    }
}

/* A program of the slot that an update goes to, while the application runs. */
static void on_program(struct judge *j, const struct ev *e)
{
    struct judge_client *c = &j->slots.client;
    if ((!c->chunked && !c->cancelled) || !j->app_running || j->package == NULL)
        return;
    const uint32_t rel = (uint32_t)ev_int(e, "addr", 0) - j->setup.update_address(j->setup.ctx);
    const uint32_t len = (uint32_t)ev_int(e, "len", 0);
    if (rel >= j->setup.package_limit)
        return;
    if (c->cancelled)
        judge_fail(j, "DWN-32", "is cancelled, and programs byte %u of the image", rel);
    if (c->chunked && j->setup.scenario->device.agent != AGENT_UOTA)
        judge_fail(j, "DWN-03", "bytes of a reply without Content-Length are stored");
    if (c->chunked && rel + len <= j->package->len_bytes && !j->silent_faults &&
        !judge_flash_holds(j, rel, len))
        judge_fail(j, "DWN-28", "what came in chunks is stored with something else at byte %u",
                   rel);
}

void judge_client_event(struct judge *j, const struct ev *e)
{
    switch (e->lane) {
    case LANE_CLOUD:
        on_cloud(j, e);
        break;
    case LANE_DEVICE:
        on_device(j, e);
        break;
    case LANE_FLASH:
        if (strcmp(e->name, "program") == 0)
            on_program(j, e);
        break;
    default:
        break;
    }
}

void judge_client_dribble(struct judge *j)
{
    struct judge_slots *t = &j->slots;
    if (!t->on || j->phase != PHASE_DOWNLOAD || t->requests == 0)
        return;
    judge_seen(j, "DWN-29");
    t->client.dribbled = true;
}

void judge_client_new_start(struct judge *j)
{
    const bool was = j->slots.client.was_cancelled;
    memset(&j->slots.client, 0, sizeof j->slots.client);
    j->slots.client.was_cancelled = was;
}

void judge_client_main_over(struct judge *j)
{
    const struct scenario *s = j->setup.scenario;
    judge_url(j);
    /* Behind a power cut the user cancels once more, and the cloud may not try again. */
    if (j->slots.client.was_cancelled && s->expect.has_version && j->cuts == 0)
        JUDGE(j, "DWN-32", judge_got_there(j), "was cancelled, and version %s runs",
              j->main_version);
}
