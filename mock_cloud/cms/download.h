/*
 * Package downloads: signed URLs that expire, ranges, strong entity tags.
 */
#ifndef OTABENCH_MOCK_CLOUD_CMS_DOWNLOAD_H
#define OTABENCH_MOCK_CLOUD_CMS_DOWNLOAD_H

#include "mock_cloud/cms/cms.h"

#define CMS_PATH_MAX 80 /* longest path real clients keep (cms-ota §1.7) */

/* Path of a package from now on for url_lifetime_ns, at most CMS_PATH_MAX - 1 characters. */
void cms_download_path(const struct cloud *c, int64_t now_ns, int64_t delta_id,
                       char out[CMS_PATH_MAX]);

/*
 * The face's answer to GET and HEAD below /fota/. 403: the path was edited or is expired. 404: the
 * package is withdrawn or gone. Else 200, 206, 304 or 416. The raw query names the device whose
 * record begins; without one, or with an unknown one, bytes are served all the same.
 */
bool cms_download(struct cloud *c, int64_t now_ns, const struct http_request *rq,
                  struct http_reply *rp);

#endif
