/*
 * The cloud's own certificate authority: made at first start, kept in a directory, one server
 * certificate signed by it for the MQTT and the HTTPS listener. RSA, because device stacks in the
 * field offer nothing but RSA key exchange (aliyun note §2.4); with both localhost and 127.0.0.1 in
 * it, because some compare the name and some do not.
 *
 * Files in the directory: ca.pem (give this to devices), ca.key, server.pem, server.key; the keys
 * are readable by their owner only. Existing ones are used again while they hold and fit.
 */
#ifndef OTABENCH_MOCK_CLOUD_TLS_CA_H
#define OTABENCH_MOCK_CLOUD_TLS_CA_H

#include <stddef.h>

#include "common/err.h"

#define CA_PATH_MAX  256
#define CA_NAMES_MAX 16
#define CA_PEM_MAX   8192

/* What a server certificate is like; the bad ones are for tests of devices. */
enum ca_certificate {
    CA_GOOD,
    CA_UNTRUSTED,  /* signed by another authority, which is thrown away */
    CA_WRONG_NAME, /* names other.example only */
    CA_EXPIRED,    /* ended a day ago */
    CA_CERTIFICATE_COUNT
};

struct ca_files {
    char ca_path[CA_PATH_MAX];
    char cert_path[CA_PATH_MAX];
    char key_path[CA_PATH_MAX];
};

/*
 * Makes what is missing. names: host names and IPv4 literals for the certificate besides localhost
 * and 127.0.0.1, at most CA_NAMES_MAX. Bad kinds are made anew each time, in files of their own.
 * Two processes may call it on one directory. ERR_IO, ERR_LIMIT (path, names), ERR_ARG (a name that
 * is none), ERR_NOMEM.
 */
int ca_ensure(const char *dir, enum ca_certificate kind, const char *const *names, size_t n_names,
              struct ca_files *out, struct err *err);

/* Reads a PEM file to a C string of at most CA_PEM_MAX bytes. ERR_IO, ERR_LIMIT. */
int ca_read_pem(const char *path, char out[CA_PEM_MAX], struct err *err);

#endif
