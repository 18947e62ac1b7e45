/* CMS-OTA products of a set-up document, with their packages. */
#include <stdio.h>
#include <string.h>

#include "scenarios/cli/cloud_setup_walk.h"

static int read_cms_package(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"from", "to", "file"};
    const char *product = ctx, *from = "", *to = "";
    struct store *st = cloud_store(w->s->cloud);
    struct store_package p = {.kind = PACKAGE_FULL};
    struct store_package known = {.md5_hex = ""};
    struct buf content;
    char md5[DIGEST_HEX_MAX];
    buf_init(&content, STORE_PACKAGE_BYTES_MAX);
    int rc = json_only_keys(w->root, obj, keys, 3, w->err);
    if (rc == 0)
        rc = setup_get_text(w, obj, "from", false, &from);
    if (rc == 0)
        rc = setup_get_text(w, obj, "to", true, &to);
    if (rc == 0)
        rc = setup_read_beside(w, obj, &content);
    if (rc == 0 && w->apply) {
        (void)snprintf(p.product_id, sizeof p.product_id, "%s", product);
        (void)snprintf(p.from_version, sizeof p.from_version, "%s", from);
        (void)snprintf(p.to_version, sizeof p.to_version, "%s", to);
        p.kind = from[0] == '\0' ? PACKAGE_FULL : PACKAGE_DELTA;
        p.bytes = (uint32_t)content.len_bytes;
        digest_hex_of(DIGEST_MD5, content.data, content.len_bytes, md5);
        memcpy(p.md5_hex, md5, sizeof p.md5_hex);
        bool there = store_find_offer(st, product, from, INT64_MAX, &known, NULL) == 0 &&
                     strcmp(known.md5_hex, md5) == 0 && strcmp(known.to_version, to) == 0;
        int64_t last = 0;
        if (!there && (rc = store_last_package(st, &last, w->err)) == 0) {
            p.delta_id = last + 1;
            rc = store_put_package(st, &p, content.data, w->err);
        }
    }
    buf_free(&content);
    return rc;
}

int setup_read_cms(const struct setup_walk *w, const cJSON *obj, void *ctx)
{
    static const char *const keys[] = {"product_id", "secret",   "variant",     "oem",
                                       "model",      "platform", "device_type", "packages"};
    static const char *const variants[] = {"direct", "cms"};
    struct store_product p = {.has_team = true};
    const struct {
        const char *key;
        char *out;
        bool needed;
    } texts[] = {{"product_id", p.product_id, true},
                 {"secret", p.secret, false},
                 {"oem", p.oem, false},
                 {"model", p.model, false},
                 {"platform", p.platform, false},
                 {"device_type", p.device_type, false}};
    int variant = 0;
    (void)ctx;
    int rc = json_only_keys(w->root, obj, keys, sizeof keys / sizeof keys[0], w->err);
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = "";
        rc = setup_get_text(w, obj, texts[i].key, texts[i].needed, &text);
        (void)snprintf(texts[i].out, STORE_TEXT_MAX, "%s", text);
    }
    if (rc == 0)
        rc = setup_optional(json_get_word(w->root, obj, "variant", variants, 2, &variant, w->err));
    p.cms = variant == 1;
    if (rc == 0 && w->apply)
        rc = store_put_product(cloud_store(w->s->cloud), &p, w->err);
    return rc == 0
               ? setup_each(w, obj, "packages", SETUP_FIRMWARE_MAX, read_cms_package, p.product_id)
               : rc;
}
