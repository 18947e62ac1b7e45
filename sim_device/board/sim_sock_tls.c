/* The device's side of the modelled handshake (sim_tls.h) on a stream socket of the board. */
#include "common/err.h"
#include "sim_device/board/sim_board_internal.h"
#include "sim_device/board/sim_tls.h"

static int send_all(struct board *b, int fd, const struct buf *out)
{
    for (size_t at = 0; at < out->len_bytes;) {
        int n = sim_sock_send(b, fd, out->data + at, out->len_bytes - at);
        if (n <= 0)
            return ERR_IO;
        at += (size_t)n;
    }
    return 0;
}

/* Exactly len_bytes bytes, not one more: the rest is the application's. */
static int recv_all(struct sim_board *s, int fd, uint8_t *out, size_t len_bytes,
                    int64_t deadline_ns)
{
    while (len_bytes > 0) {
        int64_t left_ns = deadline_ns - s->now_ns;
        if (left_ns <= 0 || sim_sock_poll(&s->board, fd, BOARD_READABLE, left_ns) <= 0)
            return ERR_IO;
        int n = sim_sock_recv(&s->board, fd, out, len_bytes);
        if (n <= 0)
            return ERR_IO;
        out += n;
        len_bytes -= (size_t)n;
    }
    return 0;
}

/* One whole record; its length or a negative code. */
static int recv_record(struct sim_board *s, int fd, uint8_t record[SIM_TLS_RECORD_MAX],
                       int64_t deadline_ns)
{
    const size_t head_bytes = 5;
    int rc = recv_all(s, fd, record, head_bytes, deadline_ns);
    int total = rc == 0 ? sim_tls_record_bytes(record, head_bytes) : rc;
    if (total <= 0)
        return ERR_FORMAT;
    rc = recv_all(s, fd, record + head_bytes, (size_t)total - head_bytes, deadline_ns);
    return rc == 0 ? total : rc;
}

static int shake_hands(struct sim_board *s, int fd, const char *host, const char *ca_pem,
                       struct buf *out)
{
    struct board *b = &s->board;
    uint8_t record[SIM_TLS_RECORD_MAX];
    int64_t deadline_ns = vtime_after(s->now_ns, s->cfg.connect_timeout_ns);
    int n = -1;
    if (sim_tls_client_hello(out, host) == 0 && send_all(b, fd, out) == 0)
        n = recv_record(s, fd, record, deadline_ns);
    if (n < 0)
        return ERR_IO;
    int64_t utc_s = s->cfg.utc_start_s + s->now_ns / NS_PER_S;
    uint32_t ip;
    const char *compared = host != NULL && board_literal_ip(host, &ip) ? NULL : host;
    uint8_t alert = sim_tls_client_check(record, (size_t)n, compared, ca_pem, utc_s);
    buf_clear(out);
    if (alert != 0) {
        if (sim_tls_client_alert(out, alert) == 0)
            (void)send_all(b, fd, out);
        return ERR_DIGEST;
    }
    n = -1;
    if (sim_tls_client_key(out) == 0 && send_all(b, fd, out) == 0)
        n = recv_record(s, fd, record, deadline_ns);
    return n > 0 && sim_tls_is_finished(record, (size_t)n) ? 0 : ERR_IO;
}

int sim_sock_tls(struct board *b, int fd, const char *host, const char *ca_pem)
{
    struct buf out;
    buf_init(&out, SIM_TLS_RECORD_MAX);
    int rc = shake_hands((struct sim_board *)b, fd, host, ca_pem, &out);
    buf_free(&out);
    return rc == 0 ? 0 : -1;
}
