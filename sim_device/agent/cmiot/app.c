/*
 * The application of the vendor's one-key demo.
 */
#include "common/vtime.h"
#include "sim_device/agent/cmiot/agent.h"
#include "sim_device/agent/cmiot/cmiot_client.h"
#include "sim_device/agent/cmiot/cmiot_user.h"

#define BACK_OFF_TIMES 10 /* check intervals to wait when the server asked for patience */

static cmiot_int8 told(struct board *b, const char *call, cmiot_int8 result)
{
    BOARD_EVENT(b, LANE_DEVICE, "api", F_STR("call", call), F_INT("result", result));
    board_heap_event(b);
    return result;
}

static void report(struct device *d, struct board *b)
{
    for (uint32_t i = 0; i < d->config->tries; i++) {
        d->tried = i;
        agent_moment(d, PLACE_REPORT, NULL, NULL);
        cmiot_int8 rc = told(b, "cmiot_report_upgrade", cmiot_report_upgrade());
        if (rc == E_CMIOT_SUCCESS || rc == E_CMIOT_NO_UPGRADE || d->back_off)
            return;
    }
}

static cmiot_int8 upgrade_once(const struct device *d, struct board *b)
{
    char version[CMIOT_VERSION_NAME_MAX];
    if (d->config->app == APP_ONE_KEY)
        return told(b, "cmiot_upgrade", cmiot_upgrade());
    cmiot_int8 rc = told(b, "cmiot_check_version", cmiot_check_version(version));
    if (d->config->app == APP_CHECK_FIRST && rc == E_CMIOT_SUCCESS)
        rc = told(b, "cmiot_only_upgrade", cmiot_only_upgrade());
    return rc;
}

/* True: a package is complete and waits for the restart. */
static bool upgrade(struct device *d, struct board *b)
{
    for (uint32_t i = 0; i < d->config->tries; i++) {
        d->tried = i;
        agent_moment(d, PLACE_UPGRADE, NULL, NULL);
        cmiot_int8 rc = upgrade_once(d, b);
        bool ready = rc == E_CMIOT_SUCCESS || rc == E_CMIOT_NEW_VERSION_EXIST;
        if (d->config->app == APP_CHECK_ONLY && (ready || rc == E_CMIOT_LAST_VERSION))
            return false;
        if (ready)
            return true;
        if (rc == E_CMIOT_LAST_VERSION || rc == E_CMIOT_PAKAGE_TOO_LARGE || d->back_off)
            return false;
    }
    return false;
}

static void application(struct device *d, struct board *b)
{
    const struct device_config *c = d->config;
    for (uint32_t round = 1; round <= c->rounds; round++) {
        bool patience = false;
        d->round = round;
        report(d, b);
        patience = d->back_off;
        if (!patience && upgrade(d, b)) {
            BOARD_EVENT(b, LANE_DEVICE, "reset", F_INT("round", round));
            b->ops->reset(b);
        }
        patience = patience || d->back_off;
        if (round < c->rounds)
            board_sleep_ns(b, (int64_t)c->check_interval_ms * NS_PER_MS *
                                  (patience ? BACK_OFF_TIMES : 1));
    }
    BOARD_EVENT(b, LANE_DEVICE, "idle", F_INT("rounds", c->rounds));
    b->ops->idle(b);
}

void cmiot_app(struct board *b, const struct device_config *c, const char *version)
{
    struct device software;
    agent_start(b, &software, c, version);
    (void)cmiot_init();
    application(&software, b);
}
