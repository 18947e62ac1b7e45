#include "sim_device/agent/link_kit/kit_testing.h"

#define IMAGE_BYTES 30011

static void installs(void)
{
    struct kit_world *w = kit_world_new(AGENT_IOT_OTA, IMAGE_BYTES);
    kit_world_live(w);
    if (!CHECK_STR(kw_version(w), "2.0"))
        fprintf(stderr, "%s\n%s", w->events, w->published);
    CHECK_INT(w->starts, 2);
    CHECK_INT(kw_record(w).state, SLOTS_STEADY);
    CHECK_INT(kw_record(w).active, 1);
    CHECK_HAS(w->published,
              "/inform/a1OtaBench1/device1 {\"id\":\"0\",\"params\":{\"version\":\"1.0\"}}");
    CHECK_HAS(w->published, "\"step\":\"100\"");
    CHECK_HAS(w->published, "{\"version\":\"2.0\"}");
    CHECK_HAS(w->subscribed, "/ota/device/upgrade/a1OtaBench1/device1 1\n");
    CHECK(!w->clean_session);
    kit_world_free(w);
}

static const struct test tests[] = {
    {"an announced image is installed and confirmed", installs},
};

TEST_MAIN("the application of the 3.x Link SDK", tests)
