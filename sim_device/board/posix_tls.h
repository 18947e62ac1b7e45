/* TLS on the posix board: OpenSSL clients of TLS 1.2, for streams and for MQTT. Board-internal. */
#ifndef OTABENCH_SIM_DEVICE_POSIX_TLS_H
#define OTABENCH_SIM_DEVICE_POSIX_TLS_H

#include <openssl/ssl.h>

/* A context that accepts only a server whose certificate this CA signed and that names host; an
 * IPv4 literal or null is not compared, as the vendors' stacks do. Null: the CA cannot be read. */
SSL_CTX *posix_tls_context(const char *host, const char *ca_pem);

#endif
