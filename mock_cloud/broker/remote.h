/*
 * An external MQTT broker or cluster in place of our own: the cloud is one of its clients. It
 * subscribes to what devices publish and knows a device by the topic, so logins, topic rules and
 * who is there are the broker's business; a device counts as online with its first message, and it
 * only hears what it subscribed to, or what the broker subscribes it to. A lost connection is made
 * again, at first after a second, later after half a minute.
 *
 * One thread: the owner polls remote_poll_fds and calls remote_run.
 */
#ifndef OTABENCH_MOCK_CLOUD_BROKER_REMOTE_H
#define OTABENCH_MOCK_CLOUD_BROKER_REMOTE_H

#include <poll.h>

#include "mock_cloud/cloud.h"

#define REMOTE_FDS     1
#define REMOTE_WAIT_NS 1000000000 /* call remote_run at least that often */
#define REMOTE_DEVICES 65536      /* it remembers as online; more are not told to the cloud */

struct remote_config {
    struct cloud *cloud;   /* not owned; its messages for devices go there until remote_stop */
    const char *url;       /* mqtt://[user[:password]@]host[:port], or mqtts:// */
    const char *ca_path;   /* PEM, for mqtts: the broker's CA; null: the system's */
    const char *client_id; /* null: "otabench" and the process id; one connection per id */
};

struct remote;
/* Begins to connect. Null: ERR_FORMAT or ERR_LIMIT (url; the story names the part), ERR_NOMEM,
 * ERR_IO (the CA cannot be used, the name has no address); *rc is the code. */
struct remote *remote_start(const struct remote_config *cfg, int *rc, struct err *err);
void remote_stop(struct remote *r); /* null is fine */

size_t remote_poll_fds(const struct remote *r, struct pollfd *out);
/* Does all that can be done now, except that connecting again may look up the broker's name. */
void remote_run(struct remote *r, int64_t now_ns);
bool remote_is_up(const struct remote *r);
/* Why the last attempt failed, for people; "" while it is up or nothing has failed. */
const char *remote_trouble(const struct remote *r);

/* The parts of a URL; password and user_name "" when absent. For remote_start and its tests. */
struct remote_url {
    bool tls;
    char user_name[128], password[128], host[128];
    uint16_t port;
};
int remote_url_parse(const char *text, struct remote_url *out, struct err *err);

#endif
