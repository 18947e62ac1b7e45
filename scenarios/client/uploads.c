#include "scenarios/client/uploads.h"

#include <stdio.h>
#include <unistd.h>

#include "scenarios/client/ask.h"

#define FILES "/files/"

int upload_file(const struct admin_place *place, const char *path, const char *name,
                struct json *out, struct err *err)
{
    char to[ASK_PATH_MAX] = FILES;
    if (ask_escape(to, name) != 0)
        return err_set(err, ERR_ARG, "%s: the name is too long", path);
    const struct ask what = {.method = "PUT", .path = to, .file = path};
    int rc = ask(place, &what, out, err);
    return rc == ERR_WRONG_STATE ? err_prefix(err, rc, "%s", path) : rc;
}

/* Two clients at once are two processes. */
static void name_of(int number, char out[UPLOAD_NAME_MAX])
{
    (void)snprintf(out, UPLOAD_NAME_MAX, "client-%ld-%d", (long)getpid(), number);
}

int uploads_add(struct uploads *u, const char *path, char name[UPLOAD_NAME_MAX], struct err *err)
{
    struct json reply;
    name_of(u->count, name);
    int rc = upload_file(u->place, path, name, &reply, err);
    if (rc == 0) {
        json_free(&reply);
        u->count++;
    }
    return rc;
}

void uploads_drop(struct uploads *u)
{
    for (int i = 0; i < u->count; i++) {
        char name[UPLOAD_NAME_MAX], path[ASK_PATH_MAX];
        struct json reply;
        name_of(i, name);
        (void)snprintf(path, sizeof path, FILES "%s", name);
        const struct ask what = {.method = "DELETE", .path = path};
        if (ask(u->place, &what, &reply, NULL) == 0)
            json_free(&reply);
    }
    u->count = 0;
}
