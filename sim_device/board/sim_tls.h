/*
 * TLS of the simulated world, as a model: nothing is encrypted. A handshake of TLS 1.2 with RSA key
 * exchange takes its two round trips and about its bytes (hello, certificate, key exchange,
 * finished); afterwards the stream passes as it is. What the client checks is real: who signed the
 * certificate, the name in it, and until when it holds.
 *
 * Records have the real framing (type, version 0x0303, length of 2 bytes); what is in them is not
 * TLS. Wire mode has OpenSSL here.
 */
#ifndef OTABENCH_SIM_DEVICE_SIM_TLS_H
#define OTABENCH_SIM_DEVICE_SIM_TLS_H

#include "common/bytes.h"

/* What the server's certificate is like. */
enum sim_tls_certificate {
    SIM_TLS_GOOD,
    SIM_TLS_UNTRUSTED,  /* signed by somebody else */
    SIM_TLS_WRONG_NAME, /* names another host */
    SIM_TLS_EXPIRED,    /* held until 2020 */
    SIM_TLS_CERTIFICATE_COUNT
};
const char *sim_tls_certificate_name(
    enum sim_tls_certificate c); /* "good", "untrusted", "wrong-name", "expired" */

/* What devices of the simulated world are given as the cloud's CA. */
extern const char sim_tls_ca_pem[];

#define SIM_TLS_RECORD_MAX 4096

/* The server's end of one connection. */
struct sim_tls_server {
    enum { SIM_TLS_HELLO, SIM_TLS_KEY, SIM_TLS_OPEN, SIM_TLS_FAILED } state;
    uint8_t record[SIM_TLS_RECORD_MAX]; /* being received */
    size_t record_bytes;
};

void sim_tls_server_init(struct sim_tls_server *t);
/*
 * Bytes from the client. What the server says goes to answer; *plain is what is for the server
 * behind it (null: nothing). 0; ERR_FORMAT: no handshake or the client gave up, close after the
 * answer.
 */
int sim_tls_server_data(struct sim_tls_server *t, enum sim_tls_certificate certificate,
                        const uint8_t *data, size_t len_bytes, struct buf *answer,
                        const uint8_t **plain, size_t *plain_bytes);

/* The client's messages; the board sends them. */
int sim_tls_client_hello(struct buf *out, const char *host);
int sim_tls_client_key(struct buf *out);
int sim_tls_client_alert(struct buf *out, uint8_t description);
/* Total bytes of the record that begins at data: > 0, 0: more needed, ERR_FORMAT: not TLS. */
int sim_tls_record_bytes(const uint8_t *data, size_t len_bytes);
/* What the client makes of the server's first answer, a whole record. 0 or the description for the
 * alert: 42 bad certificate (name), 45 expired, 48 unknown CA, 50 cannot be read. host null: the
 * name is not compared. */
uint8_t sim_tls_client_check(const uint8_t *record, size_t len_bytes, const char *host,
                             const char *ca_pem, int64_t utc_s);
bool sim_tls_is_finished(const uint8_t *record, size_t len_bytes);

#endif
