/*
 * Inside the core: the cloud's state, shared by cloud.c (requests, events) and faults.c (script).
 */
#ifndef OTABENCH_MOCK_CLOUD_CORE_H
#define OTABENCH_MOCK_CLOUD_CORE_H

#include "mock_cloud/cloud.h"

/* The request being answered. */
struct current {
    const struct http_request *request; /* null between requests */
    int64_t now_ns;
    enum cloud_request rq;
    uint32_t n, n_any; /* its number among its kind, and over all */
    int code;          /* service code, 0: none */
    bool part;         /* partial content: from..to of total */
    uint64_t from, to, total;
};

struct cloud {
    struct cloud_config cfg;
    char project_key[CLOUD_KEY_MAX];
    const struct face *face[CLOUD_FACES_MAX];
    size_t face_count;
    struct cloud_fault fault[CLOUD_FAULTS_MAX];
    size_t fault_count;
    uint32_t seen[RQ_COUNT], seen_any;
    struct current now, before; /* before: what a push within a request interrupted */
    int64_t due_ns;             /* when cloud_tick has something to do */
    void *kept;                 /* of a face */
    void (*free_kept)(void *kept);
};

static inline bool is_control(enum cloud_request rq)
{
    return rq < RQ_DOWNLOAD || rq == RQ_REPORT_DOWNLOAD || rq == RQ_REPORT_UPGRADE || rq == RQ_ANY;
}

/* Whether it came or goes over MQTT. */
static inline bool is_mqtt(enum cloud_request rq)
{
    return rq >= RQ_INFORM && rq < RQ_ANY;
}

/* Whether a message is what the cloud answers, or sends by itself. */
static inline bool is_answered(enum cloud_request rq)
{
    return rq == RQ_QUERY || rq == RQ_CONFIG || rq == RQ_BLOCK || rq == RQ_PUSH;
}

/* What the script does to a finished reply. */
void faults_apply(struct cloud *c, struct http_reply *rp);
/* Sends the messages that were held back until now; when the next one is due. */
int64_t outgoing_tick(struct cloud *c, int64_t now_ns);

#endif
