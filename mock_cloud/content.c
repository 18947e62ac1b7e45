#include "mock_cloud/content.h"

#include <stdio.h>
#include <string.h>

#include "mock_cloud/range.h"

static bool wants_range(struct cloud *c, const struct http_request *rq, const char *etag)
{
    if (rq->range == NULL || strcmp(rq->method, "GET") != 0)
        return false;
    if (cloud_hit(c, CF_IGNORE_RANGE) != NULL)
        return false;
    return if_range_holds(rq->if_range, etag);
}

/* Where bytes are taken from (served) and which range the head claims. */
struct slice {
    uint64_t from, bytes;
    uint64_t claim_from, claim_to;
};

static void shift_slice(struct cloud *c, const struct content *content, struct slice *s)
{
    const struct cloud_fault *f = cloud_peek(c, CF_SHIFT);
    int64_t size = (int64_t)content->bytes;
    if (f != NULL && (int64_t)s->from + f->bytes >= 0 && (int64_t)s->from + f->bytes < size) {
        (void)cloud_hit(c, CF_SHIFT);
        s->from = (uint64_t)((int64_t)s->from + f->bytes);
        if (s->bytes > content->bytes - s->from)
            s->bytes = content->bytes - s->from;
        s->claim_from = s->from;
        s->claim_to = s->from + s->bytes - 1;
    }
    f = cloud_peek(c, CF_SHIFT_SILENT);
    if (f == NULL)
        return;
    /* The length must stay, so the last place that has so many bytes is as far as it goes. */
    int64_t at = (int64_t)s->from + f->bytes, last = size - (int64_t)s->bytes;
    at = at < 0 ? 0 : at > last ? last : at;
    if ((uint64_t)at == s->from)
        return;
    (void)cloud_hit(c, CF_SHIFT_SILENT);
    s->from = (uint64_t)at;
}

static void serve_range(struct cloud *c, const struct http_request *rq,
                        const struct content *content, struct http_reply *rp)
{
    uint64_t from = 0, to = 0;
    enum range_kind kind = range_parse(rq->range, content->bytes, &from, &to);
    if (kind == RANGE_WHOLE)
        return;
    if (cloud_hit(c, CF_RANGE_416) != NULL)
        kind = RANGE_UNSATISFIABLE;
    if (kind == RANGE_UNSATISFIABLE) {
        cloud_page(rp, 416);
        (void)snprintf(rp->content_range, sizeof rp->content_range, "bytes */%zu", content->bytes);
        return;
    }
    struct slice s = {.from = from, .bytes = to - from + 1, .claim_from = from, .claim_to = to};
    shift_slice(c, content, &s);
    cloud_range(c, rp, s.claim_from, s.claim_to, content->bytes);
    rp->view = content->data + s.from;
    rp->view_bytes = (size_t)s.bytes;
}

void content_serve(struct cloud *c, const struct http_request *rq, const struct content *content,
                   struct http_reply *rp)
{
    rp->content_type = "application/octet-stream";
    rp->accept_ranges = true;
    (void)snprintf(rp->etag, sizeof rp->etag, "%s", content->etag);
    rp->status = 200;
    rp->view = content->data;
    rp->view_bytes = content->bytes;
    if (if_none_match_hits(rq->if_none_match, content->etag))
        rp->status = 304; /* with the length of the whole, like HEAD; the edge sends no body */
    else if (wants_range(c, rq, content->etag))
        serve_range(c, rq, content, rp);
}
