/* Any bytes as frames of the plugin, and any text as the URL of an external broker. */
#include <assert.h>
#include <string.h>

#include "mock_cloud/broker/broker_frame.h"
#include "mock_cloud/broker/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    struct remote_url url;
    size_t n = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = '\0';
    if (remote_url_parse(text, &url, NULL) == 0)
        assert(url.host[0] != '\0' && url.port != 0);
    int64_t whole;
    while ((whole = frame_bytes(data, size)) > 0) {
        uint8_t kind;
        assert((size_t)whole <= size);
        struct frame_reader r = frame_open(data, (size_t)whole, &kind);
        while (r.ok && r.left > 0) {
            if (frame_text(&r, text, 64))
                assert(strlen(text) < 64);
            (void)frame_8(&r);
        }
        data += whole;
        size -= (size_t)whole;
    }
    return 0;
}
