/*
 * A set-up file of `otabench cloud`. The files it names are looked for where there are none, and
 * texts that begin with a slash are not tried, so nothing of this machine is read.
 */
#include <assert.h>
#include <string.h>

#include "mock_cloud/aliyun/aliyun.h"
#include "scenarios/cli/cloud_setup_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct face *const faces[] = {&aliyun_face};
    static struct store *store; /* kept between inputs, emptied for each */
    static struct cloud_setup setup;
    if (memmem(data, size, "\"/", 2) != NULL || memmem(data, size, "\\", 1) != NULL)
        return 0;
    if (store == NULL)
        store = store_open(NULL, NULL);
    struct cloud_config cfg = {
        .store = store, .download_host = "h", .download_port = 80, .project_key = "k"};
    assert(store != NULL && store_reset(store, NULL) == 0);
    struct cloud *c = cloud_new(&cfg, faces, 1, NULL);
    assert(c != NULL);
    struct err err = {""};
    memset(&setup, 0, sizeof setup);
    setup.cloud = c;
    const struct setup_files files = {.dir = "/nonexistent/"};
    int rc = setup_text(&setup, (const char *)data, size, &files, &err);
    assert(rc == 0 || err.text[0] != '\0');
    if (rc != 0 && size > 0) /* or one object of it */
        rc = setup_one(&setup, data[0] % 3, (const char *)data + 1, size - 1, &files, &err);
    assert(rc == 0 || err.text[0] != '\0');
    if (rc == 0) {
        rc = setup_start(&setup, 1, &err);
        assert(rc >= 0 || err.text[0] != '\0');
    }
    setup_free(&setup);
    cloud_free(c);
    return 0;
}
