/* Any bytes, split by the first one, into the server's end of the modelled TLS; and as the answer
 * a client has to judge. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "sim_device/board/sim_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = 1u + data[0];
    data++;
    size--;
    struct sim_tls_server t;
    struct buf answer;
    const uint8_t *plain;
    size_t n;
    sim_tls_server_init(&t);
    buf_init(&answer, 2 * SIM_TLS_RECORD_MAX);
    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        if (sim_tls_server_data(&t, SIM_TLS_GOOD, data + at, len, &answer, &plain, &n) != 0)
            break;
        assert(n <= len && (n == 0 || t.state == SIM_TLS_OPEN));
    }
    assert(answer.len_bytes <= 2 * SIM_TLS_RECORD_MAX);
    buf_free(&answer);
    uint8_t *record = malloc(size); /* exactly that many: reading past it is seen */
    if (record != NULL) {
        memcpy(record, data, size);
        (void)sim_tls_client_check(record, size, "localhost", sim_tls_ca_pem, 0);
        (void)sim_tls_record_bytes(record, size);
        (void)sim_tls_is_finished(record, size);
        free(record);
    }
    return 0;
}
