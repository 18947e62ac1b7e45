#include "mock_cloud/aliyun/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mock_cloud/aliyun/announce.h"
#include "mock_cloud/aliyun/push.h"

#define CONFIG_TEXT_MAX 2048

void aliyun_config_get(struct cloud *c, int64_t now_ns, const char *via,
                       const struct aliyun_name *name, const struct aliyun_message *m)
{
    struct store_config cfg;
    struct buf text;
    struct err err = {""};
    buf_init(&text, CONFIG_TEXT_MAX);
    int rc = store_get_config(cloud_store(c), name->product_key, &cfg, &err);
    if (rc == 0 && cloud_hit(c, CF_EMPTY) != NULL)
        rc = ERR_NOT_FOUND;
    if (rc == 0) {
        (void)buf_printf(&text, "{\"id\":%s,\"version\":\"1.0\",\"code\":200,\"data\":", m->id);
        rc = aliyun_put_config(c, now_ns, &cfg, &text, &err);
        (void)buf_text(&text, "}");
    }
    if (rc == ERR_NOT_FOUND) {
        buf_clear(&text);
        rc = buf_printf(&text,
                        "{\"id\":%s,\"version\":\"1.0\",\"code\":%d,\"data\":{},"
                        "\"message\":\"no data\"}",
                        m->id, ALIYUN_CONFIG_NONE);
    }
    if (rc == 0)
        aliyun_send(c, now_ns, via, TOPIC_CONFIG_GET_REPLY, name, text.data, text.len_bytes, 1);
    else
        aliyun_error(c, now_ns, &err);
    buf_free(&text);
}

static void push_config(struct cloud *c, int64_t now_ns, const struct store_session *x,
                        const struct store_config *cfg)
{
    struct aliyun_name name;
    struct buf text;
    struct err err = {""};
    if (!aliyun_name_parse(x->device_id, &name))
        return;
    buf_init(&text, CONFIG_TEXT_MAX);
    cloud_begin_push(c, now_ns);
    if (aliyun_put_config_push(c, now_ns, cfg, &text, &err) == 0)
        aliyun_send(c, now_ns, x->via, TOPIC_CONFIG_PUSH, &name, text.data, text.len_bytes, 1);
    else
        aliyun_error(c, now_ns, &err);
    cloud_end_push(c);
    buf_free(&text);
}

int aliyun_keep_config(struct cloud *c, const char *product_key, int64_t package_id,
                       const void *content, uint32_t bytes, struct err *err)
{
    struct store_package p = {.delta_id = package_id, .kind = PACKAGE_FULL, .bytes = bytes};
    char md5[DIGEST_HEX_MAX];
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", product_key);
    digest_hex_of(DIGEST_MD5, content, bytes, md5);
    memcpy(p.md5_hex, md5, sizeof p.md5_hex);
    p.offered_from_ns = INT64_MAX; /* no firmware: never an offer */
    return store_put_package(cloud_store(c), &p, content, err);
}

int aliyun_set_config(struct cloud *c, int64_t now_ns, const char *product_key,
                      const char *config_id, int64_t package_id, const void *content,
                      uint32_t bytes, struct err *err)
{
    struct store_config cfg = {.package_id = package_id};
    if (product_key[0] == '\0' || config_id[0] == '\0' ||
        strnlen(config_id, STORE_TEXT_MAX) == STORE_TEXT_MAX ||
        strnlen(product_key, STORE_TEXT_MAX) == STORE_TEXT_MAX)
        return err_set(err, ERR_ARG, "configuration: product and id of 1 to %d bytes are needed",
                       STORE_TEXT_MAX - 1);
    int rc = aliyun_keep_config(c, product_key, package_id, content, bytes, err);
    if (rc != 0)
        return rc;
    (void)snprintf(cfg.product_id, sizeof cfg.product_id, "%s", product_key);
    (void)snprintf(cfg.config_id, sizeof cfg.config_id, "%s", config_id);
    digest_hex_of(DIGEST_SHA256, content, bytes, cfg.sha256_hex);
    if ((rc = store_put_config(cloud_store(c), &cfg, err)) != 0)
        return rc;
    struct store_device d = {.device_id = ""};
    while (store_next_device(cloud_store(c), product_key, d.device_id, &d, NULL) == 0) {
        struct store_session x;
        if (store_get_session(cloud_store(c), d.device_id, &x, NULL) == 0)
            push_config(c, now_ns, &x, &cfg);
    }
    return 0;
}
