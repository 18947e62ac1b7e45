/*
 * A request of the live operation: first line, a line of query, then the body. Every one is
 * answered, with a sentence when it is refused.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/aliyun/aliyun.h"
#include "scenarios/cli/admin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN    "0123456789abcdef"
#define LINE_MAX 256

/* The next line, cut; what is left. */
static size_t take_line(const uint8_t **data, size_t size, char out[LINE_MAX])
{
    const uint8_t *end = memchr(*data, '\n', size);
    size_t len = end == NULL ? size : (size_t)(end - *data);
    size_t kept = len < LINE_MAX ? len : LINE_MAX - 1;
    memcpy(out, *data, kept);
    out[kept] = '\0';
    size_t used = end == NULL ? len : len + 1;
    *data += used;
    return size - used;
}

static void prepare(struct cloud *c)
{
    static const char image[] = "image";
    struct store *s = cloud_store(c);
    struct store_product p = {.product_id = "pk", .has_team = true};
    struct store_device d = {.device_id = "d1&pk", .product_id = "pk", .mid = "d1"};
    struct store_package k = {.delta_id = 1, .product_id = "pk", .bytes = 5};
    struct store_firmware f = {
        .delta_id = 1, .product_id = "pk", .version = "2", .verified = true, .file_count = 1};
    struct store_file file = {.firmware_id = 1, .number = 1, .package_id = 1};
    assert(store_put_product(s, &p, NULL) == 0 && store_put_device(s, &d, NULL) == 0);
    assert(store_put_package(s, &k, image, NULL) == 0 && store_put_firmware(s, &f, NULL) == 0);
    assert(store_put_file(s, &file, NULL) == 0 &&
           store_put_version(s, "d1&pk", "", "1", NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct face *const faces[] = {&aliyun_face};
    static struct store *store; /* kept between inputs, emptied for each */
    char method[LINE_MAX], path[LINE_MAX], query[LINE_MAX];
    if (store == NULL)
        store = store_open(NULL, NULL);
    struct cloud_config cfg = {
        .store = store, .download_host = "h", .download_port = 80, .project_key = "k"};
    assert(store != NULL && store_reset(store, NULL) == 0);
    struct cloud *c = cloud_new(&cfg, faces, 1, NULL);
    assert(c != NULL);
    prepare(c);
    /* No uploads: nothing of this machine is read or written. */
    const struct admin_config admin = {.cloud = c, .token = TOKEN, .dir = "/nonexistent"};
    struct admin *a = admin_new(&admin, NULL);
    assert(a != NULL);
    size = take_line(&data, size, method);
    size = take_line(&data, size, path);
    size = take_line(&data, size, query);
    uint8_t *body = malloc(size + 1);
    assert(body != NULL);
    memcpy(body, data, size);
    body[size] = '\0';
    struct http_request rq = {.method = method,
                              .path = path,
                              .query = query,
                              .authorization = "Bearer " TOKEN,
                              .body = body,
                              .body_bytes = size};
    struct http_reply rp = {.status = 0};
    buf_init(&rp.text, 16 << 20);
    const struct edge_service *s = admin_service(a);
    if (s->admit(s->ctx, &rq, &rp) >= 0)
        s->answer(s->ctx, 1, &rq, &rp);
    assert(rp.status >= 200 && rp.status <= 500 && rp.text.len_bytes > 0);
    assert(rp.status == 200 || strncmp((const char *)rp.text.data, "{\"error\":\"", 10) == 0);
    buf_free(&rp.text);
    free(body);
    admin_free(a);
    cloud_free(c);
    return 0;
}
