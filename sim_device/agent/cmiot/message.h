/*
 * The messages of the CMS-OTA control protocol as text: requests written byte for byte as real
 * clients write them (cms-ota §1), replies read with a real JSON parser.
 */
#ifndef OTABENCH_AGENT_CMIOT_MESSAGE_H
#define OTABENCH_AGENT_CMIOT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "sim_device/agent/cmiot/cmiot_type.h"
#include "sim_device/device.h"

#define MESSAGE_REQUEST_MAX 1536 /* bytes of any request, terminator included */
#define OFFER_HOST_MAX      128  /* with terminator */
#define OFFER_PATH_MAX      512  /* with terminator */

/* An announced package. Texts are safe for a request line. */
struct offer {
    char host[OFFER_HOST_MAX];
    uint16_t port;
    char path[OFFER_PATH_MAX]; /* begins with '/' */
    uint32_t delta_id;         /* 1..2147483647 */
    uint32_t file_bytes;       /* > 0; UINT32_MAX stands for anything above it */
    uint8_t md5[MD5_BYTES];
    char version[CMIOT_VERSION_NAME_MAX]; /* empty: not announced */
    bool full;                            /* packageType 2 */
};

/* Who speaks: texts of the device, valid while the message is made. */
struct speaker {
    const struct device_config *config;
    const char *version;       /* running firmware */
    const char *mid;           /* device id callback */
    const char *device_id;     /* A: from register; C: OID */
    const char *device_secret; /* A: from register; C: "" */
};

/* Values of downloadStatus (cms-ota §4). */
enum { DOWNLOAD_OK = 1, DOWNLOAD_MISMATCH = 8, DOWNLOAD_TOO_LARGE = 10 };

/* Each fills out[MESSAGE_REQUEST_MAX] and returns the length, 0 if it does not fit. */
size_t message_register(char *out, const struct speaker *who);
size_t message_check(char *out, const struct speaker *who);
size_t message_download_report(char *out, const struct speaker *who, uint32_t delta_id, int status,
                               uint32_t size_bytes);
size_t message_upgrade_report(char *out, const struct speaker *who, uint32_t delta_id, int status);
/* GET of the bytes from..to, both inclusive. */
size_t message_get(char *out, const struct speaker *who, const struct offer *o, uint32_t from,
                   uint32_t to);

struct envelope {
    int status;   /* service code */
    bool success; /* 1000 and msg "success" */
};

/* What the data of a reply should hold; read only when success or, for zoo members, `force`. */
enum message_data { DATA_NONE, DATA_IDENTITY, DATA_OFFER };

struct reply_data {
    struct envelope envelope;
    char device_id[CMIOT_DEVICEID_MAX_LEN + 1];
    char device_secret[CMIOT_DEVICESECRET_MAX_LEN + 1];
    struct offer offer;
};

/*
 * Reads the JSON body of a control reply. 0; ERR_FORMAT, ERR_LIMIT: cannot be decoded, worth asking
 * again; ERR_UNSUPPORTED: decoded, and what it says is refused (URL, sizes, digest text, ids).
 */
int message_decode(struct reply_data *out, const char *body, size_t len_bytes,
                   enum message_data want, bool force, struct err *err);

#endif
