/*
 * Serving a file over HTTP: ranges and entity tags as RFC 9110 has them, bent by the script.
 */
#ifndef OTABENCH_MOCK_CLOUD_CONTENT_H
#define OTABENCH_MOCK_CLOUD_CONTENT_H

#include "mock_cloud/cloud.h"

struct content {
    const uint8_t *data; /* lives as long as the reply's view */
    size_t bytes;
    char etag[40]; /* with its quotes */
};

/* The reply to GET or HEAD: 200, 206, 304, or 416 with an HTML page. Takes the range faults of the
 * script into account. */
void content_serve(struct cloud *c, const struct http_request *rq, const struct content *content,
                   struct http_reply *rp);

#endif
