#include "sim_device/board/sim_tls.h"

#include <string.h>

#include "common/digest.h"
#include "common/err.h"

#define HEAD_BYTES  5u
#define HOST_MAX    128u
#define NAMES_MAX   255u
#define ALERT       21
#define HANDSHAKE   22
#define FINGERPRINT 32u

/* First byte of a handshake record's body: the message it stands for. */
enum message { CLIENT_HELLO = 1, CERTIFICATE = 11, CLIENT_KEY = 16, FINISHED = 20 };

/* What such messages take on the wire with an RSA-2048 certificate of one link, with record heads:
 * client hello with SNI; server hello, certificate, done; client key exchange, change cipher spec,
 * finished; change cipher spec, finished. */
#define HELLO_BYTES       250u
#define CERTIFICATE_BYTES 1200u
#define KEY_BYTES         342u
#define FINISHED_BYTES    91u

#define UNTIL_EXPIRED_S INT64_C(1577836800) /* 2020-01-01 */
#define UNTIL_GOOD_S    INT64_C(4102444800) /* 2100-01-01 */

const char sim_tls_ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "T1RBQkVOQ0ggU0lNVUxBVEVEIFdPUkxEIENBCg==\n"
                              "-----END CERTIFICATE-----\n";

static const char *const certificate_names[SIM_TLS_CERTIFICATE_COUNT] = {"good", "untrusted",
                                                                         "wrong-name", "expired"};

const char *sim_tls_certificate_name(enum sim_tls_certificate c)
{
    return certificate_names[c];
}

static int put_record(struct buf *out, uint8_t type, size_t total_bytes, const void *body,
                      size_t body_bytes)
{
    uint8_t head[HEAD_BYTES] = {type, 3, 3, (uint8_t)((total_bytes - HEAD_BYTES) >> 8),
                                (uint8_t)(total_bytes - HEAD_BYTES)};
    size_t before = out->len_bytes;
    int rc = buf_append(out, head, sizeof head);
    if (rc == 0)
        rc = buf_append(out, NULL, total_bytes - HEAD_BYTES);
    if (rc != 0)
        return rc;
    memcpy(out->data + before + HEAD_BYTES, body, body_bytes);
    return 0;
}

int sim_tls_client_hello(struct buf *out, const char *host)
{
    uint8_t body[2 + HOST_MAX] = {CLIENT_HELLO};
    size_t n = host == NULL ? 0 : strlen(host);
    if (n > HOST_MAX)
        n = HOST_MAX;
    body[1] = (uint8_t)n;
    if (n > 0)
        memcpy(body + 2, host, n);
    return put_record(out, HANDSHAKE, HELLO_BYTES, body, 2 + n);
}

int sim_tls_client_key(struct buf *out)
{
    const uint8_t body = CLIENT_KEY;
    return put_record(out, HANDSHAKE, KEY_BYTES, &body, 1);
}

int sim_tls_client_alert(struct buf *out, uint8_t description)
{
    const uint8_t body[2] = {2, description};
    return put_record(out, ALERT, HEAD_BYTES + sizeof body, body, sizeof body);
}

int sim_tls_record_bytes(const uint8_t *data, size_t len_bytes)
{
    if ((len_bytes > 0 && data[0] != HANDSHAKE && data[0] != ALERT) ||
        (len_bytes > 1 && data[1] != 3) || (len_bytes > 2 && data[2] != 3))
        return ERR_FORMAT;
    if (len_bytes < HEAD_BYTES)
        return 0;
    size_t total = HEAD_BYTES + ((size_t)data[3] << 8 | data[4]);
    if (total > SIM_TLS_RECORD_MAX || total == HEAD_BYTES)
        return ERR_FORMAT;
    return (int)total;
}

static bool is_message(const uint8_t *record, size_t len_bytes, enum message m)
{
    return len_bytes > HEAD_BYTES && record[0] == HANDSHAKE && record[HEAD_BYTES] == m;
}

bool sim_tls_is_finished(const uint8_t *record, size_t len_bytes)
{
    return is_message(record, len_bytes, FINISHED);
}

static void fingerprint(const char *pem, uint8_t out[FINGERPRINT])
{
    digest_of(DIGEST_SHA256, pem, strlen(pem), out);
}

/* Body: message, who signed (32 bytes), holds until (8), length of the name (1), the name. */
static int put_certificate(struct buf *out, enum sim_tls_certificate c, const uint8_t *hello)
{
    static const char other[] = "other.example";
    uint8_t body[1 + FINGERPRINT + 8 + 1 + NAMES_MAX] = {CERTIFICATE};
    uint8_t *at = body + 1;
    fingerprint(c == SIM_TLS_UNTRUSTED ? "somebody else" : sim_tls_ca_pem, at);
    at += FINGERPRINT;
    put_le64(at, (uint64_t)(c == SIM_TLS_EXPIRED ? UNTIL_EXPIRED_S : UNTIL_GOOD_S));
    at += 8;
    /* One cloud serves every name: the one that was asked for is in its certificate. */
    const uint8_t *name = c == SIM_TLS_WRONG_NAME ? (const uint8_t *)other : hello + 2;
    size_t n = c == SIM_TLS_WRONG_NAME ? sizeof other - 1 : hello[1];
    *at++ = (uint8_t)n;
    memcpy(at, name, n);
    return put_record(out, HANDSHAKE, CERTIFICATE_BYTES, body, (size_t)(at - body) + n);
}

uint8_t sim_tls_client_check(const uint8_t *record, size_t len_bytes, const char *host,
                             const char *ca_pem, int64_t utc_s)
{
    enum { BAD_CERTIFICATE = 42, EXPIRED = 45, UNKNOWN_CA = 48, DECODE_ERROR = 50 };
    const uint8_t *at = record + HEAD_BYTES + 1;
    if (!is_message(record, len_bytes, CERTIFICATE) ||
        len_bytes < HEAD_BYTES + 1 + FINGERPRINT + 8 + 1)
        return DECODE_ERROR;
    uint8_t want[FINGERPRINT];
    fingerprint(ca_pem, want);
    if (memcmp(at, want, FINGERPRINT) != 0)
        return UNKNOWN_CA;
    at += FINGERPRINT;
    if (utc_s > (int64_t)get_le64(at))
        return EXPIRED;
    at += 8;
    size_t n = *at++;
    if ((size_t)(record + len_bytes - at) < n)
        return DECODE_ERROR;
    if (host != NULL && (strlen(host) != n || memcmp(at, host, n) != 0))
        return BAD_CERTIFICATE;
    return 0;
}

/* ---- server ---- */

void sim_tls_server_init(struct sim_tls_server *t)
{
    t->state = SIM_TLS_HELLO;
    t->record_bytes = 0;
}

static int on_record(struct sim_tls_server *t, enum sim_tls_certificate certificate,
                     struct buf *answer)
{
    const uint8_t *body = t->record + HEAD_BYTES;
    if (t->state == SIM_TLS_HELLO && is_message(t->record, t->record_bytes, CLIENT_HELLO) &&
        t->record_bytes >= HEAD_BYTES + 2u + HOST_MAX && body[1] <= HOST_MAX) {
        t->state = SIM_TLS_KEY;
        return put_certificate(answer, certificate, body);
    }
    if (t->state == SIM_TLS_KEY && is_message(t->record, t->record_bytes, CLIENT_KEY)) {
        const uint8_t finished = FINISHED;
        t->state = SIM_TLS_OPEN;
        return put_record(answer, HANDSHAKE, FINISHED_BYTES, &finished, 1);
    }
    return ERR_FORMAT;
}

int sim_tls_server_data(struct sim_tls_server *t, enum sim_tls_certificate certificate,
                        const uint8_t *data, size_t len_bytes, struct buf *answer,
                        const uint8_t **plain, size_t *plain_bytes)
{
    *plain = NULL;
    *plain_bytes = 0;
    while (len_bytes > 0 && t->state != SIM_TLS_OPEN) {
        int total = sim_tls_record_bytes(t->record, t->record_bytes);
        size_t want = total > 0 ? (size_t)total : HEAD_BYTES;
        size_t n = want - t->record_bytes < len_bytes ? want - t->record_bytes : len_bytes;
        if (t->state == SIM_TLS_FAILED)
            return ERR_FORMAT;
        memcpy(t->record + t->record_bytes, data, n);
        t->record_bytes += n;
        data += n;
        len_bytes -= n;
        total = sim_tls_record_bytes(t->record, t->record_bytes);
        int rc = total < 0 ? ERR_FORMAT : 0;
        if (total > 0 && t->record_bytes == (size_t)total) {
            rc = on_record(t, certificate, answer);
            t->record_bytes = 0;
        }
        if (rc != 0) {
            t->state = SIM_TLS_FAILED;
            return ERR_FORMAT;
        }
    }
    if (len_bytes > 0) {
        *plain = data;
        *plain_bytes = len_bytes;
    }
    return 0;
}
