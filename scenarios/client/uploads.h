/* Files of this machine that lie at the cloud while something is made of them. */
#ifndef OTABENCH_CLIENT_UPLOADS_H
#define OTABENCH_CLIENT_UPLOADS_H

#include "common/json.h"
#include "scenarios/cli/admin_place.h"

#define UPLOAD_NAME_MAX 64

struct uploads {
    const struct admin_place *place;
    int count;
};

/* Uploads the file under a name that nothing else has. As ask(); ERR_FORMAT: it cannot be read. */
int uploads_add(struct uploads *u, const char *path, char name[UPLOAD_NAME_MAX], struct err *err);
/* Takes them all away again, whatever the cloud says to it. */
void uploads_drop(struct uploads *u);

/* One that stays. */
int upload_file(const struct admin_place *place, const char *path, const char *name,
                struct json *out, struct err *err);

#endif
