#include <string.h>

#include "common/bytes.h"
#include "common/vtime.h"
#include "sim_device/agent/aiot/aiot_ota.h"
#include "sim_device/agent/link_kit/fetch.h"

#define BODY_BYTES     2048u
#define BODY_BYTES_MAX 65536u
#define RECV_MS        5000u
#define RANGE_OPEN     UINT32_MAX

struct aiot_download {
    struct kit *kit;
    struct board *board;
    aiot_download_task_desc_t *task;
    char *ca_pem;
    uint16_t port;
    uint32_t recv_ms;
    uint32_t range_start, range_end;
    uint32_t body_bytes;
    aiot_download_recv_handler_t handler;
    void *userdata;
    uint8_t *body;               /* body_bytes, made at the first receive */
    struct kit_fetch *fetch;     /* a reply under way */
    bool head_known;             /* of fetch */
    uint32_t skip;               /* of its body: bytes that are there already */
    uint32_t received;           /* of the range, handed over */
    struct board_digest *digest; /* null: a range that begins elsewhere, or done */
    int32_t outcome;             /* told once all was received; 0: not yet */
};

void *aiot_download_init(void)
{
    struct kit *k = kit_self();
    struct aiot_download *d = k != NULL ? kit_calloc(k->board, sizeof(*d)) : NULL;
    if (d == NULL)
        return NULL;
    d->kit = k;
    d->board = k->board;
    d->recv_ms = RECV_MS;
    d->range_end = RANGE_OPEN;
    d->body_bytes = BODY_BYTES;
    return d;
}

static void drop_digest(struct aiot_download *d)
{
    if (d->digest != NULL)
        board_digest_free(d->board, d->digest);
    d->digest = NULL;
}

static void drop_fetch(struct aiot_download *d)
{
    kit_fetch_close(d->fetch);
    d->fetch = NULL;
    d->head_known = false;
}

int32_t aiot_download_deinit(void **handle)
{
    if (handle == NULL || *handle == NULL)
        return aiot_state(STATE_DOWNLOAD_DEINIT_HANDLE_IS_NULL);
    struct aiot_download *d = *handle;
    drop_fetch(d);
    drop_digest(d);
    board_free(d->board, d->task);
    board_free(d->board, d->ca_pem);
    board_free(d->board, d->body);
    board_free(d->board, d);
    *handle = NULL;
    return STATE_SUCCESS;
}

/* ---- options ---- */

/* The digest object is the library's; what it stands for is counted as the device's memory. */
static int32_t begin_digest(struct aiot_download *d)
{
    uint8_t method = d->task->digest_method;
    drop_digest(d);
    void *room = board_alloc(d->board, 1);
    if (room != NULL)
        d->digest = board_digest_begin(d->board, aiot_ota_digest_kind(method));
    board_free(d->board, room);
    if (d->digest != NULL)
        return STATE_SUCCESS;
    return method == AIOT_OTA_DIGEST_SHA256 ? STATE_DOWNLOAD_SETOPT_MALLOC_SHA256_CTX_FAILED
                                            : STATE_DOWNLOAD_SETOPT_MALLOC_MD5_CTX_FAILED;
}

static bool same_file(const aiot_download_task_desc_t *a, const aiot_download_task_desc_t *b)
{
    return a->size_total == b->size_total && a->digest_method == b->digest_method &&
           a->expect_digest != NULL && b->expect_digest != NULL &&
           strcmp(a->expect_digest, b->expect_digest) == 0;
}

static int32_t set_task(struct aiot_download *d, const aiot_download_task_desc_t *task)
{
    if (task->product_key == NULL || task->device_name == NULL)
        return STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL;
    if (task->digest_method >= AIOT_OTA_DIGEST_MAX || task->protocol_type >= AIOT_OTA_PROTOCOL_MAX)
        return STATE_USER_INPUT_OUT_OF_RANGE;
    aiot_download_task_desc_t *copy = aiot_ota_copy_task(d->board, task);
    if (copy == NULL)
        return STATE_DOWNLOAD_SETOPT_COPIED_DATA_IS_NULL;
    bool goes_on = d->task != NULL && same_file(d->task, copy);
    board_free(d->board, d->task);
    d->task = copy;
    drop_fetch(d);
    if (goes_on)
        return STATE_SUCCESS;
    d->received = 0;
    d->outcome = 0;
    return d->range_start == 0 ? begin_digest(d) : STATE_SUCCESS;
}

/* The range decides what is asked for, and whether a digest means anything. */
static int32_t set_range(struct aiot_download *d, uint32_t start, uint32_t end)
{
    if (start > end)
        return STATE_USER_INPUT_OUT_OF_RANGE;
    bool moved = start != d->range_start;
    d->range_start = start;
    d->range_end = end;
    drop_fetch(d);
    if (!moved)
        return STATE_SUCCESS;
    d->received = 0;
    d->outcome = 0;
    drop_digest(d);
    return start == 0 && d->task != NULL ? begin_digest(d) : STATE_SUCCESS;
}

static int32_t set_number(struct aiot_download *d, aiot_download_option_t option, const void *data)
{
    uint32_t v = 0;
    memcpy(&v, data, sizeof(v));
    switch (option) {
    case AIOT_DLOPT_RANGE_START:
        return set_range(d, v, d->range_end);
    case AIOT_DLOPT_RANGE_END:
        return set_range(d, d->range_start, v);
    case AIOT_DLOPT_RECV_TIMEOUT_MS:
        if (v == 0 || v > INT32_MAX)
            return STATE_USER_INPUT_OUT_OF_RANGE;
        d->recv_ms = v;
        return STATE_SUCCESS;
    default: /* AIOT_DLOPT_BODY_BUFFER_MAX_LEN */
        if (v == 0 || v > BODY_BYTES_MAX)
            return STATE_USER_INPUT_OUT_OF_RANGE;
        d->body_bytes = v;
        board_free(d->board, d->body);
        d->body = NULL;
        return STATE_SUCCESS;
    }
}

static int32_t set_ca(struct aiot_download *d, const char *pem)
{
    char *copy = kit_strdup(d->board, pem);
    if (copy == NULL)
        return STATE_SYS_DEPEND_MALLOC_FAILED;
    board_free(d->board, d->ca_pem);
    d->ca_pem = copy;
    return STATE_SUCCESS;
}

int32_t aiot_download_setopt(void *handle, aiot_download_option_t option, void *data)
{
    struct aiot_download *d = handle;
    int32_t rc = STATE_SUCCESS;
    if (d == NULL)
        return aiot_state(STATE_DOWNLOAD_SETOPT_HANDLE_IS_NULL);
    if (data == NULL && option != AIOT_DLOPT_USERDATA)
        return aiot_state(STATE_DOWNLOAD_SETOPT_DATA_IS_NULL);
    switch (option) {
    case AIOT_DLOPT_NETWORK_CRED:
        rc = set_ca(d, data);
        break;
    case AIOT_DLOPT_NETWORK_PORT:
        memcpy(&d->port, data, sizeof(d->port));
        break;
    case AIOT_DLOPT_TASK_DESC:
        rc = set_task(d, data);
        break;
    case AIOT_DLOPT_RECV_HANDLER:
        memcpy(&d->handler, &data, sizeof(data));
        break;
    case AIOT_DLOPT_USERDATA:
        d->userdata = data;
        break;
    case AIOT_DLOPT_RECV_TIMEOUT_MS:
    case AIOT_DLOPT_RANGE_START:
    case AIOT_DLOPT_RANGE_END:
    case AIOT_DLOPT_BODY_BUFFER_MAX_LEN:
        rc = set_number(d, option, data);
        break;
    default:
        rc = STATE_USER_INPUT_UNKNOWN_OPTION;
    }
    return rc == STATE_SUCCESS ? rc : aiot_state(rc);
}

/* ---- request ---- */

/* Last byte of the file that is wanted. */
static uint32_t last_byte(const struct aiot_download *d)
{
    uint32_t end = d->task->size_total - 1;
    return d->range_end < end ? d->range_end : end;
}

static int32_t percent_of(const struct aiot_download *d)
{
    uint64_t done = (uint64_t)d->range_start + d->received;
    return (int32_t)(done * 100 / d->task->size_total);
}

static int32_t request(struct aiot_download *d)
{
    static const int32_t url_codes[] = {[KIT_URL_BAD] = STATE_OTA_PARSE_URL_HOST_IS_NULL,
                                        [KIT_URL_NO_HOST] = STATE_OTA_PARSE_URL_HOST_IS_NULL,
                                        [KIT_URL_NO_PATH] = STATE_OTA_PARSE_URL_PATH_IS_NULL,
                                        [KIT_URL_LONG_HOST] = STATE_OTA_HOST_STRING_OVERFLOW,
                                        [KIT_URL_LONG_PATH] = STATE_OTA_PATH_STRING_OVERFLOW};
    const struct kit_fetch_config c = {
        .url = d->task->url,
        .ca_pem = d->ca_pem,
        .port = d->port,
        .from = d->range_start + d->received,
        .to = d->range_end == RANGE_OPEN ? KIT_FETCH_OPEN_END : d->range_end,
        .recv_timeout_ns = d->recv_ms * NS_PER_MS,
        .generation = KIT_4X,
        .quirks = &d->kit->quirks,
    };
    enum kit_url_result url = KIT_URL_OK;
    drop_fetch(d);
    if (d->kit->quirks.progress_restarts)
        (void)aiot_ota_report_step(d->task, percent_of(d));
    switch (kit_fetch_open(&d->fetch, d->board, &c, &url)) {
    case 0:
        return STATE_SUCCESS;
    case KIT_FETCH_URL:
        return d->kit->quirks.url_unchecked ? STATE_DOWNLOAD_SEND_REQUEST_FAILED : url_codes[url];
    case KIT_FETCH_NOMEM:
        return STATE_SYS_DEPEND_MALLOC_FAILED;
    default:
        return STATE_DOWNLOAD_SEND_REQUEST_FAILED;
    }
}

int32_t aiot_download_send_request(void *handle)
{
    struct aiot_download *d = handle;
    if (d == NULL)
        return aiot_state(STATE_DOWNLOAD_REQUEST_HANDLE_IS_NULL);
    if (d->task == NULL)
        return aiot_state(STATE_DOWNLOAD_REQUEST_TASK_DESC_IS_NULL);
    if (d->task->url == NULL)
        return aiot_state(STATE_DOWNLOAD_REQUEST_URL_IS_NULL);
    if (d->task->size_total == 0 || d->range_start >= d->task->size_total)
        return aiot_state(STATE_USER_INPUT_OUT_OF_RANGE);
    int32_t rc = request(d);
    return rc == STATE_SUCCESS ? rc : aiot_state(rc);
}

/* ---- reply ---- */

/* The reply broke off: says so and asks for the rest. */
static int32_t renew(struct aiot_download *d)
{
    (void)aiot_state(STATE_DOWNLOAD_RECV_ERROR);
    int32_t rc = request(d);
    return rc == STATE_SUCCESS ? STATE_DOWNLOAD_RENEWAL_REQUEST_SENT : rc;
}

/* 0, or the code that this reply ends with. */
static int32_t read_head(struct aiot_download *d)
{
    uint32_t from = d->range_start + d->received;
    int rc = kit_fetch_head(d->fetch);
    if (rc != 0)
        return renew(d);
    d->head_known = true;
    enum kit_fetch_meaning m = kit_fetch_meaning(
        &d->fetch->http, from, d->range_end == RANGE_OPEN ? KIT_FETCH_OPEN_END : d->range_end,
        d->task->size_total, &d->kit->quirks, &d->skip);
    if (m == KIT_FETCH_BODY)
        return 0;
    drop_fetch(d);
    if (d->kit->quirks.endless_renewal) {
        (void)aiot_state(STATE_DOWNLOAD_HTTPRSP_CODE_ERROR);
        return renew(d);
    }
    return m == KIT_FETCH_STATUS       ? STATE_DOWNLOAD_HTTPRSP_CODE_ERROR
           : m == KIT_FETCH_LENGTHLESS ? STATE_DOWNLOAD_HTTPRSP_HEADER_ERROR
           : m == KIT_FETCH_OVERSIZED  ? STATE_DOWNLOAD_FETCH_TOO_MANY
                                       : STATE_DOWNLOAD_RECV_ERROR;
}

/* All bytes are there: the digest decides. */
static int32_t judge(struct aiot_download *d)
{
    uint8_t want[DIGEST_BYTES_MAX], got[DIGEST_BYTES_MAX];
    size_t len = digest_bytes(aiot_ota_digest_kind(d->task->digest_method));
    (void)aiot_state(STATE_DOWNLOAD_FINISHED);
    if (d->digest == NULL)
        return STATE_DOWNLOAD_FINISHED;
    board_digest_end(d->digest, got);
    drop_digest(d);
    if (d->task->expect_digest != NULL && hex_decode(want, len, d->task->expect_digest) &&
        memcmp(want, got, len) == 0) {
        (void)aiot_state(STATE_OTA_DIGEST_MATCH);
        return STATE_DOWNLOAD_FINISHED;
    }
    (void)aiot_state(STATE_OTA_DIGEST_MISMATCH);
    if (!d->kit->quirks.finished_on_mismatch)
        return STATE_OTA_DIGEST_MISMATCH;
    (void)aiot_ota_report_step(d->task, AIOT_OTAERR_CHECKSUM_MISMATCH);
    return STATE_DOWNLOAD_FINISHED;
}

/* Fills the body buffer as far as bytes come. Bytes, or the result that ended it. */
static uint32_t fill(struct aiot_download *d, int *end)
{
    uint32_t filled = 0, room = d->body_bytes;
    uint64_t wanted = (uint64_t)last_byte(d) - d->range_start + 1 - d->received;
    *end = 1;
    while (filled < room && filled < wanted) {
        int n = kit_fetch_read(d->fetch, d->body + filled, room - filled);
        if (n <= 0) {
            *end = n;
            break;
        }
        if (d->skip > 0) {
            uint32_t over = d->skip < (uint32_t)n ? d->skip : (uint32_t)n;
            memmove(d->body + filled, d->body + filled + over, (uint32_t)n - over);
            d->skip -= over;
            n -= (int)over;
        }
        filled += (uint32_t)n;
    }
    return filled < wanted ? filled : (uint32_t)wanted;
}

static void hand_over(struct aiot_download *d, uint32_t len)
{
    aiot_download_recv_t packet = {.type = AIOT_DLRECV_HTTPBODY};
    d->received += len;
    if (d->digest != NULL)
        board_digest_update(d->digest, d->body, len);
    packet.data.buffer = d->body;
    packet.data.len = len;
    packet.data.percent = percent_of(d);
    if (d->handler != NULL)
        d->handler(d, &packet, d->userdata);
}

/* Whether all of the range was handed over; a code then, else 0. */
static int32_t ended(struct aiot_download *d)
{
    uint32_t next = d->range_start + d->received;
    if (d->outcome != 0)
        return d->outcome;
    if (next <= last_byte(d))
        return 0;
    drop_fetch(d);
    if (d->kit->quirks.range_unsaid && next < d->task->size_total) {
        d->range_end = RANGE_OPEN;
        return 0;
    }
    d->outcome = next == d->task->size_total ? judge(d) : STATE_DOWNLOAD_RANGE_FINISHED;
    if (d->outcome == STATE_DOWNLOAD_RANGE_FINISHED)
        (void)aiot_state(d->outcome);
    return d->outcome;
}

int32_t aiot_download_recv(void *handle)
{
    struct aiot_download *d = handle;
    int end;
    if (d == NULL)
        return aiot_state(STATE_DOWNLOAD_RECV_HANDLE_IS_NULL);
    if (d->task == NULL)
        return aiot_state(STATE_DOWNLOAD_REQUEST_TASK_DESC_IS_NULL);
    int32_t rc = ended(d);
    if (rc != 0)
        return rc;
    if (d->body == NULL)
        d->body = board_alloc(d->board, d->body_bytes);
    if (d->body == NULL)
        return aiot_state(STATE_SYS_DEPEND_MALLOC_FAILED);
    if (d->fetch == NULL)
        return aiot_state(renew(d));
    if (!d->head_known && (rc = read_head(d)) != 0)
        return aiot_state(rc);
    uint32_t len = fill(d, &end);
    if (len > 0) {
        hand_over(d, len);
        return (int32_t)len;
    }
    return aiot_state(renew(d));
}

int32_t aiot_download_report_progress(void *handle, int32_t percent)
{
    struct aiot_download *d = handle;
    if (d == NULL)
        return aiot_state(STATE_DOWNLOAD_REPORT_HANDLE_IS_NULL);
    if (d->task == NULL)
        return aiot_state(STATE_DOWNLOAD_REPORT_TASK_DESC_IS_NULL);
    if (percent < AIOT_OTAERR_BURN_FAILED || percent > 100)
        return aiot_state(STATE_USER_INPUT_OUT_OF_RANGE);
    return aiot_ota_report_step(d->task, percent);
}
