/* A cloud with its live operation, in a thread of its own, for tests of its client. */
#ifndef OTABENCH_CLIENT_CLIENT_TESTING_H
#define OTABENCH_CLIENT_CLIENT_TESTING_H

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/vtime.h"
#include "scenarios/cli/admin.h"
#include "scenarios/cli/admin_place.h"
#include "scenarios/cli/cloud_testing.h"

#define CLIENT_TOKEN "0123456789abcdef"

struct running {
    struct store *store;
    struct cloud *cloud;
    struct admin *admin;
    struct edge *edge, *devices; /* the live operation, and what devices talk to */
    int stop_fd;
    pthread_t thread;
    char dir[TEST_PATH_MAX];
    struct admin_place place;
};

static void *running_serve(void *ctx)
{
    struct running *r = ctx;
    for (int64_t now_ns = 1;; now_ns++) {
        (void)edge_run(r->edge, now_ns);
        (void)edge_run(r->devices, now_ns);
        struct pollfd fds[] = {{.fd = r->stop_fd, .events = POLLIN},
                               {.fd = edge_fd(r->edge), .events = POLLIN},
                               {.fd = edge_fd(r->devices), .events = POLLIN}};
        if (poll(fds, 3, 1000) < 0 || fds[0].revents != 0)
            return NULL;
    }
}

static void running_start(struct running *r)
{
    struct err err = {""};
    *r = (struct running){.stop_fd = eventfd(0, EFD_CLOEXEC)};
    test_tmpdir(r->dir);
    r->cloud = test_cloud_open(&r->store);
    const struct admin_config admin = {.cloud = r->cloud, .token = CLIENT_TOKEN, .dir = r->dir};
    r->admin = admin_new(&admin, &err);
    REQUIRE_OK(r->admin == NULL ? ERR_IO : 0, &err);
    const struct edge_address at = {.service = admin_service(r->admin)}, plain = {.port = 0};
    r->edge = edge_listen(r->cloud, &at, &err);
    r->devices = edge_listen(r->cloud, &plain, &err);
    REQUIRE_OK(r->edge == NULL || r->devices == NULL ? ERR_IO : 0, &err);
    (void)snprintf(r->place.url, sizeof r->place.url, "http://127.0.0.1:%u/admin",
                   edge_port(r->edge));
    (void)snprintf(r->place.token, sizeof r->place.token, CLIENT_TOKEN);
}

/* From here on the cloud belongs to its thread. */
static void running_go(struct running *r)
{
    REQUIRE(pthread_create(&r->thread, NULL, running_serve, r) == 0);
}

static void running_stop(struct running *r)
{
    const uint64_t one = 1;
    REQUIRE(write(r->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    (void)pthread_join(r->thread, NULL);
    edge_free(r->edge);
    edge_free(r->devices);
    admin_free(r->admin);
    cloud_free(r->cloud);
    store_close(r->store);
    (void)close(r->stop_fd);
}

#endif
