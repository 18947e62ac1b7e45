/*
 * One task: fetch what is missing, verify, choose it for the next start.
 *
 * A break of the connection costs nothing that was written: the next request begins at the first
 * byte missing, at most as often in a row as the device is configured to try without a byte. A
 * refused status asks the cloud once for a fresh announcement and goes on with its URL.
 */
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/http/http_reply.h"
#include "sim_device/agent/link_kit/fetch.h"
#include "sim_device/agent/link_kit/url.h"
#include "sim_device/agent/uota/uota.h"

#define HEAD_MAX      4096
#define BUFFER_BYTES  1024
#define REQUEST_MAX   2560
#define SILENCES_MAX  12u  /* receives without a byte in a row */
#define SLOW_RECEIVES 64u  /* as many must bring */
#define SLOW_BYTES    512u /* so much, or the server trickles */
#define PAUSE_MS      1000u
#define PAUSE_MAX_MS  30000u
#define FRESH_MS      10000u

struct conn {
    int fd;
    void *ssl;
};

/* How an attempt ended. */
enum attempt {
    GOT_ALL,
    GOT_SOME, /* the connection ended early */
    NOT_ANSWERED,
    BUSY,       /* the server is in trouble: later */
    BAD_STATUS, /* the server refuses */
    BAD_REPLY,  /* of no use: length, range, coding */
    OUT_OF_RANGE,
    CANNOT_WRITE,
    NO_CONNECTION,
    NO_MEMORY,
    NO_URL,
    NO_HOST,
    NEWS /* something newer is announced */
};

static bool conn_open(struct conn *c, const struct kit_url *url)
{
    char host[KIT_HOST_MAX + 1];
    const char *ca = ota_get_ca();
    *c = (struct conn){.fd = -1};
    memcpy(host, url->host, url->host_bytes);
    host[url->host_bytes] = '\0';
    if (!url->tls)
        c->fd = ota_socket_connect(host, url->port);
    else if (ca != NULL)
        c->ssl = ota_ssl_connect(host, url->port, ca, (uint32_t)strlen(ca) + 1);
    return c->fd >= 0 || c->ssl != NULL;
}

static int conn_recv(const struct conn *c, void *out, uint32_t cap)
{
    return c->ssl != NULL ? ota_ssl_recv(c->ssl, out, cap) : ota_socket_recv(c->fd, out, cap);
}

static void conn_close(struct conn *c)
{
    ota_ssl_close(c->ssl);
    ota_socket_close(c->fd);
    *c = (struct conn){.fd = -1};
}

/* The request as uOTA words it: Host without a blank, last line. */
static bool conn_ask(const struct conn *c, const struct kit_url *url, uint32_t from)
{
    char *request = ota_malloc(REQUEST_MAX);
    char range[40] = "";
    if (request == NULL)
        return false;
    if (from > 0)
        (void)snprintf(range, sizeof range, "Range: bytes=%u-\r\n", (unsigned)from);
    int n = snprintf(request, REQUEST_MAX,
                     "GET %.*s HTTP/1.1\r\nAccept:*/*\r\nUser-Agent: Mozilla/5.0\r\n"
                     "Cache-Control: no-cache\r\nConnection: close\r\n%sHost:%.*s:%u\r\n\r\n",
                     (int)url->path_bytes, url->path, range, (int)url->host_bytes, url->host,
                     (unsigned)url->port);
    bool ok = n > 0 && n < REQUEST_MAX;
    if (ok && c->ssl != NULL)
        ok = ota_ssl_send(c->ssl, request, (uint32_t)n) == n;
    else if (ok)
        ok = ota_socket_send(c->fd, request, (size_t)n) == n;
    ota_free(request);
    return ok;
}

/* ---- what arrives ---- */

struct reply {
    struct http_reply http;
    uint32_t skip; /* bytes of the body in front of what was asked for */
    bool head;
    enum attempt end;
};

static enum attempt judge_head(const struct uota *u, struct reply *r)
{
    static const struct kit_quirks none;
    int status = r->http.status;
    if (status == 416)
        return OUT_OF_RANGE;
    /* A server in trouble is given time; another address would not help. */
    if (status == 408 || status == 429 || status >= 500)
        return BUSY;
    switch (kit_fetch_meaning(&r->http, u->at, KIT_FETCH_OPEN_END, u->task.size_bytes, &none,
                              &r->skip)) {
    case KIT_FETCH_BODY:
        return GOT_ALL;
    case KIT_FETCH_STATUS:
        return BAD_STATUS;
    default:
        return BAD_REPLY;
    }
}

/* 0, or the attempt is over with r->end. */
static int store(struct uota *u, struct reply *r, const uint8_t *data, size_t len)
{
    if (r->skip > 0) {
        uint32_t n = len < r->skip ? (uint32_t)len : r->skip;
        r->skip -= n;
        data += n;
        len -= n;
    }
    while (len > 0) {
        uint32_t to_save = UOTA_SAVE_BYTES - u->at % UOTA_SAVE_BYTES;
        uint32_t n = len < to_save ? (uint32_t)len : to_save;
        uint32_t off = u->at;
        if (n > u->task.size_bytes - u->at) {
            r->end = BAD_REPLY; /* more than announced: none of it is kept */
            return -1;
        }
        /* The vendor's type is not const; nobody writes through it. */
        if (hal_ota_write(NULL, &off, (uint8_t *)(uintptr_t)data, n) != stat_ok) {
            r->end = CANNOT_WRITE;
            return -1;
        }
        digest_state_update(&u->digest, data, n);
        u->at = off;
        data += n;
        len -= n;
        /* The end is not remembered before the port has kept its length: see pause_at_end. */
        if (u->at % UOTA_SAVE_BYTES == 0 && u->at < u->task.size_bytes)
            uota_remember(u, true);
    }
    uota_progress(u, uota_percent(u, u->at));
    return 0;
}

/* As a client does that knows no chunks: whatever comes until the connection ends. */
static void take_raw(struct reply *r)
{
    r->http.chunked = false;
    r->http.until_close = true;
    r->end = GOT_ALL;
}

/* True: the attempt is over. */
static bool feed(struct uota *u, struct reply *r, const uint8_t *in, size_t len)
{
    for (;;) {
        const uint8_t *data = NULL;
        size_t used = 0, n = 0;
        switch (http_reply_feed(&r->http, in, len, &used, &data, &n)) {
        case HTTP_MORE:
            return false;
        case HTTP_HEAD:
            r->head = true;
            r->end = judge_head(u, r);
            if (r->end == BAD_REPLY && r->http.chunked && uota_config()->quirks.raw_chunks)
                take_raw(r);
            if (r->end != GOT_ALL)
                return true;
            break;
        case HTTP_DATA:
            if (store(u, r, data, n) != 0)
                return true;
            break;
        case HTTP_END:
            r->end = u->at == u->task.size_bytes ? GOT_ALL : GOT_SOME;
            return true;
        case HTTP_BAD:
            r->end = r->head ? GOT_SOME : BAD_REPLY;
            return true;
        }
        in += used;
        len -= used;
    }
}

/* Whether something came that ends this download: a newer version. The same again: its URL. */
static bool look_at_news(struct uota *u)
{
    struct ota_push p;
    const char *why = "";
    if (uota_listen(u, 0, &p) != 0)
        return false;
    if (uota_same_image(&p, &u->task)) {
        memcpy(u->task.url, p.url, sizeof p.url);
        u->told_again = true;
        return false;
    }
    if (!uota_is_newer(p.version, u->task.version) ||
        !ota_user_may_install(p.version, p.size_bytes, &why))
        return false;
    u->next = p;
    return true;
}

static enum attempt receive(struct uota *u, const struct conn *c, uint8_t *buf)
{
    struct reply r = {.end = NOT_ANSWERED};
    uint32_t silences = 0, receives = 0, bytes = 0;
    http_reply_init(&r.http, HEAD_MAX);
    for (;;) {
        int n = conn_recv(c, buf, BUFFER_BYTES);
        if (look_at_news(u))
            return NEWS;
        if (n == BOARD_TIMEOUT && ++silences < SILENCES_MAX)
            continue;
        if (n <= 0)
            return r.head ? GOT_SOME : NOT_ANSWERED;
        silences = 0;
        bytes += (uint32_t)n;
        if (++receives == SLOW_RECEIVES) {
            if (bytes < SLOW_BYTES)
                return r.head ? GOT_SOME : NOT_ANSWERED;
            receives = bytes = 0;
        }
        if (feed(u, &r, buf, (size_t)n))
            return r.end;
        if (r.head && u->at == u->task.size_bytes)
            return GOT_ALL; /* a server that does not close costs no time-out */
    }
}

static enum attempt attempt(struct uota *u)
{
    struct kit_url url;
    struct conn c;
    enum attempt end = NOT_ANSWERED;
    enum kit_url_result parsed = kit_url_parse(&url, u->task.url);
    if (parsed != KIT_URL_OK)
        return parsed == KIT_URL_NO_HOST ? NO_HOST : NO_URL;
    if (url.tls && ota_get_ca() == NULL)
        return NO_URL;
    uint8_t *buf = ota_malloc(BUFFER_BYTES);
    if (buf == NULL)
        return NO_MEMORY;
    if (!conn_open(&c, &url)) {
        end = NO_CONNECTION;
    } else {
        if (conn_ask(&c, &url, u->at))
            end = receive(u, &c, buf);
        conn_close(&c);
    }
    ota_free(buf);
    return end;
}

/* ---- the task ---- */

/* The port's area, from u->at on. It may go back to where writing can be gone on with. */
static bool open_area(struct uota *u)
{
    uint32_t at = u->at;
    if (hal_ota_init(&at) != stat_ok)
        return false;
    if (at != u->at) {
        u->at = at;
        if (!uota_digest_flash(u, &u->digest))
            return false;
    }
    return true;
}

static bool restart(struct uota *u)
{
    u->at = u->first = 0;
    digest_state_begin(&u->digest, u->task.method);
    uota_begin_record(u);
    return open_area(u);
}

/* A fresh announcement of the same image, after asking for it. Its URL may read the same: some are
 * signed by the second. */
static bool fresh_url(struct uota *u)
{
    for (int i = 0; i < UOTA_INBOX; i++) /* what waits is no answer */
        if (look_at_news(u))
            return true;
    u->told_again = false;
    if (!uota_report_version(u))
        return false;
    for (uint32_t waited = 0; waited < FRESH_MS; waited += PAUSE_MS) {
        if (look_at_news(u) || u->told_again)
            return true;
        ota_msleep(PAUSE_MS);
    }
    return false;
}

static enum uota_stage fetch(struct uota *u)
{
    uint32_t failures = 0, refusals = 0, pause_ms = PAUSE_MS;
    while (u->at < u->task.size_bytes) {
        uint32_t before = u->at;
        enum attempt end = attempt(u);
        if (u->at > before) {
            failures = refusals = 0;
            pause_ms = PAUSE_MS;
        }
        switch (end) {
        case GOT_ALL:
            continue;
        case CANNOT_WRITE:
            return STAGE_BURN;
        case NEWS:
            return STAGE_CANCELLED;
        case NO_MEMORY:
            return STAGE_FETCH;
        case NO_URL:
            return STAGE_URL;
        case NO_HOST:
            return STAGE_HOST;
        case BAD_STATUS:
            if (refusals++ > 0 || !fresh_url(u))
                return STAGE_FETCH;
            if (u->next.size_bytes > 0)
                return STAGE_CANCELLED;
            ota_msleep(PAUSE_MS);
            continue;
        case OUT_OF_RANGE:
            if (refusals++ > 0 || !restart(u))
                return STAGE_FETCH;
            continue;
        case NO_CONNECTION:
        case BUSY:
        case GOT_SOME:
        case NOT_ANSWERED:
        case BAD_REPLY:
            break;
        }
        if (++failures > uota_config()->segment_retries)
            return end == NO_CONNECTION ? STAGE_CONNECT : STAGE_FETCH;
        ota_msleep(pause_ms);
        pause_ms = pause_ms < PAUSE_MAX_MS / 2 ? 2 * pause_ms : PAUSE_MAX_MS;
    }
    return STAGE_NONE;
}

static bool pause_at_end(struct uota *u)
{
    ota_finish_param_t param = {.update_type = OTA_ALL, .result_type = OTA_BREAKPOINT};
    /* The port writes its length through, and the position with it. */
    uota_remember(u, false);
    if (hal_ota_set_boot(NULL, &param) != stat_ok) {
        uota_forget(u);
        return false;
    }
    uota_remember(u, true);
    return true;
}

/* Everything is in flash. */
static enum uota_stage finish(struct uota *u)
{
    static const OTA_ENUM_UPDATE_TYPE types[] = {
        [IMAGE_SINGLE] = OTA_ALL, [IMAGE_KERNEL] = OTA_KERNEL, [IMAGE_APP] = OTA_APP};
    enum image_part part;
    enum uota_stage stage = uota_verify(u, &part);
    if (stage == STAGE_NONE && part != IMAGE_SINGLE)
        stage = STAGE_PART;
    if (stage != STAGE_NONE) {
        uota_forget(u);
        return stage;
    }
    ota_finish_param_t param = {.update_type = types[part],
                                .result_type = OTA_FINISH,
                                .firmware_type = u->task.is_diff ? OTA_DIFF : OTA_RAW};
    if (hal_ota_set_boot(NULL, &param) != stat_ok) {
        if (u->task.is_diff)
            uota_forget(u); /* it will not fit the next time either */
        return u->task.is_diff ? STAGE_DIFF : STAGE_BOOT;
    }
    UOTA_EVENT("pending", F_STR("version", u->task.version));
    uota_forget(u);
    return STAGE_NONE;
}

enum uota_stage uota_install(struct uota *u)
{
    UOTA_EVENT("package", F_INT("bytes", u->task.size_bytes), F_STR("version", u->task.version));
    uota_recall(u);
    if (u->at == 0)
        uota_begin_record(u);
    u->first = u->at;
    if (u->at < u->task.size_bytes) {
        if (!open_area(u))
            return STAGE_INIT;
        if (u->at > 0)
            UOTA_EVENT("resume", F_INT("from", u->at), F_INT("of", u->task.size_bytes));
        enum uota_stage stage = fetch(u);
        if (stage != STAGE_NONE)
            return stage;
        if (!pause_at_end(u))
            return STAGE_BURN;
    } else {
        UOTA_EVENT("resume", F_INT("from", u->at), F_INT("of", u->task.size_bytes));
    }
    return finish(u);
}
