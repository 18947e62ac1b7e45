/* Any text as the signature of a digest: it is refused, and nothing else happens. */
#include <assert.h>
#include <string.h>

#include "common/signature.h"
#include "common/signature_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t digest[16];
    char text[2 * SIGNATURE_TEXT_MAX];
    size_t n = size < sizeof text - 1 ? size : sizeof text - 1;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    int rc = signature_check(signature_public_pem, digest, sizeof digest, text, NULL);
    assert(rc == ERR_FORMAT || rc == ERR_DIGEST);
    return 0;
}
