#include "sim_device/agent/link_kit/kit_app_testing.h"

static const struct app_case cases[] = {
    APP_CASES,
};

static void lives(const void *row)
{
    app_run(row, AGENT_IOT_OTA);
}

static void cut_before(void)
{
    app_cut_everywhere(AGENT_IOT_OTA, TEAR_NOTHING);
}

static void cut_scrambled(void)
{
    app_cut_everywhere(AGENT_IOT_OTA, TEAR_SCRAMBLED);
}

static void without_memory(void)
{
    app_without_memory(AGENT_IOT_OTA);
}

static const struct test tests[] = {
    TEST_ROWS("the device", lives, cases, app_case_name),
    {"a cut before each flash operation", cut_before},
    {"a cut inside each flash operation", cut_scrambled},
    {"any allocation may fail", without_memory},
};

TEST_MAIN("the application of the 3.x Link SDK", tests)
