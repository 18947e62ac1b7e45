/*
 * What devices publish: JSON objects with id and params, read as leniently as the real clients
 * write them (aliyun note §4, §10): a number or a text as id or step, a zero byte at the end, in
 * requests for files a comma before a closing brace, and in one of a gateway a text as params.
 */
#ifndef OTABENCH_MOCK_CLOUD_ALIYUN_MESSAGE_H
#define OTABENCH_MOCK_CLOUD_ALIYUN_MESSAGE_H

#include "common/bytes.h"
#include "common/json.h"
#include "mock_cloud/mqtt.h"

#define ALIYUN_MESSAGE_MAX 8192 /* bytes that a device may publish */
#define ALIYUN_ID_MAX      320  /* id as JSON, with quotes when it was a text */

struct aliyun_message {
    struct json doc;
    const cJSON *params; /* an object; null: there is none, or it is of another type */
    const cJSON *list;   /* params when they are a list; null: they are not */
    char id[ALIYUN_ID_MAX];
};

/* 0, ERR_FORMAT, ERR_LIMIT, ERR_NOMEM; afterwards aliyun_message_close in any case. */
int aliyun_message_open(struct aliyun_message *m, const uint8_t *payload, size_t len_bytes,
                        struct err *err);
void aliyun_message_close(struct aliyun_message *m);

/* A text member of params, 0 to room - 1 bytes; "" when absent. */
int aliyun_message_text(const struct aliyun_message *m, const char *key, char *out, size_t room,
                        struct err *err);
/* A whole number, or a text that is one: 32 bits with sign. Required. */
int aliyun_message_number(const struct aliyun_message *m, const cJSON *object, const char *key,
                          int64_t min, int64_t max, int64_t *out, struct err *err);

/* Appends "before", the quoted key, a colon and the value as a JSON string; the buffer keeps its
 * error. */
void aliyun_put_member(struct buf *out, const char *before, const char *key, const char *value);

#endif
