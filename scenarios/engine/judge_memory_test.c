/*
 * Every field of the judge is part of a state or has a reason not to be, and what the table says is
 * true: another value of what is kept is another memory and comes back from it, another value of
 * what is left out is the same memory.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/fields_testing.h"
#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/judge_memory.h"

/* Of what the memory treats apart, one that it keeps as much of as it ever does. */
static struct scenario scenario = {.n_net = 1, .n_offers = 3};

static uint32_t address(void *ctx)
{
    (void)ctx;
    return 1;
}

static const uint8_t *flash(void *ctx)
{
    return ctx;
}

static void look(void *ctx, uint32_t addr, uint32_t len_bytes)
{
    (void)ctx;
    (void)addr;
    (void)len_bytes;
}

static const char *version(void *ctx)
{
    return ctx;
}

static const struct buf image;
static const struct build_part part;
static int anything;

#define HUGE_BYTES 0x10000000
#define NOW_NS     1

static const struct judge every = {
    {&scenario, true, address, 1, 1, flash, look, version, address, &anything}, /* setup */
    {{1, (const uint8_t *)"x", HUGE_BYTES, 1, 1, PACKAGE_FULL + 1, &image, &part, 1,
      TAMPER_NONE + 1, true}}, /* packages */
    1,                         /* n_packages */
    {{true, true, "x"}},       /* checks */

    /* device */
    PHASE_DOWNLOAD, /* phase */
    true,           /* app_running */
    true,           /* config_refused */
    true,           /* bricked */
    true,           /* main_over */
    1,              /* boots */
    1,              /* cuts */
    1,              /* resets */
    true,           /* weak_cut */
    true,           /* dead_cut */
    1,              /* boots_since_cut */
    1,              /* boots_in_row */
    1,              /* starts */
    "x",            /* version */
    "x",            /* main_version */
    1,              /* heap_peak_agent */
    1,              /* heap_peak_boot */
    1,              /* heap_base_used */

    /* API calls */
    {1},  /* results */
    1,    /* n_results */
    1,    /* last_result */
    true, /* has_result */
    1,    /* last_progress_ns */

    /* cloud */
    {1},                     /* requests */
    {1},                     /* requests_in_call */
    {1},                     /* spoilt_in_call */
    1,                       /* run_of_same */
    1,                       /* last_request */
    {1},                     /* download_status */
    1,                       /* n_download_status */
    {1},                     /* upgrade_status */
    1,                       /* n_upgrade_status */
    {1},                     /* failures */
    1,                       /* n_failures */
    "x",                     /* record */
    {true},                  /* state_seen */
    1,                       /* sent_download_status */
    1,                       /* due_download_status */
    1,                       /* sent_upgrade_status */
    true,                    /* code_seen */
    1,                       /* code */
    1,                       /* code_on */
    1,                       /* limited_ns */
    {1},                     /* faults_hit */
    CF_KIND_COUNT - 1,       /* offer_fault */
    CF_KIND_COUNT - 1,       /* announced_fault */
    1,                       /* refused_in_row */
    1,                       /* ranges_refused */
    {NOW_NS + 1},            /* pause_until_ns */
    {true},                  /* record_open */
    1,                       /* faults_on_download */
    1,                       /* active_ns */
    true,                    /* connected */
    &every.packages[0],      /* package */
    INT64_C(5) * HUGE_BYTES, /* served_bytes */
    1,                       /* asked_bytes */
    1,                       /* stored_segments */
    1,                       /* breaks */
    1,                       /* restarts */
    true,                    /* resume_expected */
    true,                    /* cut_since_range */
    true,                    /* oversize_taken */
    true,                    /* silent_faults */
    true,                    /* dirty */
    true,                    /* clean_start_due */
    true,                    /* replaced */
    true,                    /* verified */
    true,                    /* pending */
    true,                    /* proven */
    {true},                  /* was_proven */
    404,                     /* last_download_http */
    1,                       /* first_range_from */
    true,                    /* resumed */

    /* boot loader */
    true,    /* boot_verified */
    true,    /* restore_allowed */
    1,       /* boot_result */
    1,       /* due_result */
    true,    /* report_owed */
    true,    /* report_accepted */
    1,       /* restored_count */
    {{"x"}}, /* restored_to */

    {
        true, /* on */

        /* announcements */
        {"x", 1}, /* newest */
        true,     /* good */
        1,        /* bad */
        1,        /* spoils */
        1,        /* scripted_ns */
        1,        /* take_by_ns */
        true,     /* owed */
        true,     /* came_online */
        true,     /* published */
        "x",      /* refused */
        true,     /* late_or_again */
        true,     /* on_trial */
        true,     /* trial_push */

        /* session */
        true, /* online */
        true, /* login_refused */
        1,    /* refused_ns */
        1,    /* connect_ns */
        1,    /* refusals */
        1,    /* connects_in_row */
        1,    /* connection */
        true, /* silent */
        1,    /* back_by_ns */
        true, /* mqtt_fault */
        true, /* fault_in_download */

        /* reports */
        1,    /* informs */
        1,    /* logins */
        1,    /* pushes */
        true, /* was_cut */
        1,    /* pushes_again */
        true, /* reported */
        "x",  /* informed */
        1,    /* online_ns */
        1,    /* last_step */
        true, /* final */
        true, /* step_seen */
        true, /* said_100 */
        1,    /* causes */
        true, /* record_upgrading */
        true, /* finished */
        true, /* publish_failed */
        {1},  /* codes_told */
        {1},  /* codes_arrived */
        1,    /* n_told */
        1,    /* n_arrived */

        {{"x"}}, /* taken */
        1,       /* n_taken */

        /* download */
        "x",   /* version */
        true,  /* bad_body */
        true,  /* missing */
        true,  /* expired */
        {1},   /* spoilt_before */
        true,  /* repeat_in_download */
        true,  /* cause_to_restart */
        1,     /* written_end */
        1,     /* stored_at_cut */
        "x",   /* spoilt */
        "x",   /* interrupted */
        &part, /* part */
        1,     /* requests */
        true,  /* verify_ok */
        1,     /* high_bytes */
        1,     /* again_bytes */
        1,     /* allowed_bytes */
        1,     /* fetch_breaks */

        {1, true, 1, true, true, 1, true, true, true, 1, 1, true, true, 1, true}, /* client */

        /* boot */
        true,         /* chosen */
        1,            /* chosen_slot */
        {true},       /* slot_good */
        true,         /* rolled_back */
        1,            /* back_to */
        true,         /* fate_crash */
        true,         /* fate_lost */
        {true, true}, /* fates_seen */
        "x",          /* fate_version */
        true,         /* confirmed_untold */
        true,         /* confirmed */
        "x",          /* confirmed_version */
        1,            /* starts_since_confirm */
        "x",          /* op_part */
    },

    /* network */
    {true},                  /* net_seen */
    {[LINK_CORRUPT] = true}, /* byte_seen */
    1,                       /* outages */
    true,                    /* net_any */
};

/* Why a state goes without. */
static const char of_setup[] = "set up before anything is recalled";
static const char verdict[] = "who goes on has no failure, and all counts as seen";
static const char anew[] = "a start begins it anew";
static const char over[] = "over at a reset or a cut";
static const char clock_[] = "a time: states have none";
static const char expected[] =
    "for what the scenario expects or reports, which states are not asked";
static const char strict[] = "without it the judge is stricter";

#define IN(member)       KEPT(struct judge, member)
#define OUT(member, why) LEFT_OUT(struct judge, member, why)
static const struct field fields[] = {
    OUT(setup, of_setup),
    OUT(packages, of_setup),
    OUT(n_packages, of_setup),
    OUT(checks, verdict),
    IN(phase),
    OUT(app_running, anew),
    IN(config_refused),
    IN(bricked),
    OUT(main_over, "a state lies before the end of the main phase"),
    OUT(boots, expected),
    IN(cuts),
    OUT(resets, expected),
    IN(weak_cut),
    OUT(dead_cut, "of a tear that no closure follows"),
    IN(boots_since_cut),
    OUT(boots_in_row, "who goes from state to state sees that one comes again"),
    OUT(starts, expected),
    IN(version),
    OUT(main_version, "taken at the end of the main phase"),
    OUT(heap_peak_agent, expected),
    OUT(heap_peak_boot, expected),
    OUT(heap_base_used, over),
    OUT(results, expected),
    OUT(n_results, expected),
    OUT(last_result, expected),
    OUT(has_result, expected),
    OUT(last_progress_ns, clock_),
    OUT(requests, expected),
    OUT(requests_in_call, over),
    OUT(spoilt_in_call, over),
    IN(run_of_same),
    IN(last_request),
    OUT(download_status, expected),
    OUT(n_download_status, expected),
    OUT(upgrade_status, expected),
    OUT(n_upgrade_status, expected),
    OUT(failures, expected),
    OUT(n_failures, expected),
    OUT(record, expected),
    OUT(state_seen, expected),
    IN(sent_download_status),
    IN(due_download_status),
    IN(sent_upgrade_status),
    IN(code_seen),
    IN(code),
    IN(code_on),
    IN(limited_ns),
    IN(faults_hit),
    IN(offer_fault),
    IN(announced_fault),
    IN(refused_in_row),
    OUT(ranges_refused, over),
    IN(pause_until_ns),
    IN(record_open),
    IN(faults_on_download),
    OUT(active_ns, clock_),
    OUT(connected, over),
    IN(package),
    IN(served_bytes),
    OUT(asked_bytes, over),
    IN(stored_segments),
    IN(breaks),
    IN(restarts),
    OUT(resume_expected, strict),
    IN(cut_since_range),
    IN(oversize_taken),
    OUT(silent_faults, of_setup),
    IN(dirty),
    IN(clean_start_due),
    IN(replaced),
    IN(verified),
    IN(pending),
    IN(proven),
    IN(was_proven),
    IN(last_download_http),
    OUT(first_range_from, over),
    OUT(resumed, over),
    OUT(boot_verified, anew),
    IN(restore_allowed),
    IN(boot_result),
    IN(due_result),
    IN(report_owed),
    IN(report_accepted),
    IN(restored_count),
    IN(restored_to),
    OUT(slots.on, of_setup),
    IN(slots.newest),
    OUT(slots.good, anew),
    OUT(slots.bad, anew),
    OUT(slots.spoils, anew),
    OUT(slots.scripted_ns, clock_),
    OUT(slots.take_by_ns, clock_),
    IN(slots.owed),
    OUT(slots.came_online, over),
    OUT(slots.published, over),
    IN(slots.refused),
    IN(slots.late_or_again),
    OUT(slots.on_trial, anew),
    OUT(slots.trial_push, anew),
    OUT(slots.online, over),
    OUT(slots.login_refused, over),
    OUT(slots.refused_ns, clock_),
    OUT(slots.connect_ns, clock_),
    OUT(slots.refusals, over),
    OUT(slots.connects_in_row, over),
    OUT(slots.connection, over),
    OUT(slots.silent, strict),
    OUT(slots.back_by_ns, clock_),
    IN(slots.mqtt_fault),
    IN(slots.fault_in_download),
    OUT(slots.informs, anew),
    OUT(slots.logins, anew),
    OUT(slots.pushes, anew),
    OUT(slots.was_cut, anew),
    OUT(slots.pushes_again, strict),
    OUT(slots.reported, anew),
    OUT(slots.informed, anew),
    OUT(slots.online_ns, clock_),
    OUT(slots.last_step, anew),
    OUT(slots.final, anew),
    OUT(slots.step_seen, anew),
    OUT(slots.said_100, strict),
    OUT(slots.causes, anew),
    IN(slots.record_upgrading),
    OUT(slots.finished, strict),
    IN(slots.publish_failed),
    IN(slots.codes_told),
    IN(slots.codes_arrived),
    IN(slots.n_told),
    IN(slots.n_arrived),
    OUT(slots.taken, over),
    OUT(slots.n_taken, over),
    OUT(slots.version, anew),
    OUT(slots.bad_body, anew),
    OUT(slots.missing, "what was told of it before is not kept either"),
    OUT(slots.expired, anew),
    OUT(slots.spoilt_before, anew),
    OUT(slots.repeat_in_download, anew),
    OUT(slots.cause_to_restart, anew),
    IN(slots.written_end),
    IN(slots.stored_at_cut),
    OUT(slots.spoilt, strict),
    IN(slots.interrupted),
    OUT(slots.part, anew),
    OUT(slots.requests, anew),
    OUT(slots.verify_ok, anew),
    OUT(slots.high_bytes, anew),
    OUT(slots.again_bytes, anew),
    OUT(slots.allowed_bytes, anew),
    OUT(slots.fetch_breaks, anew),
    OUT(slots.client.range_end, anew),
    OUT(slots.client.range_said, anew),
    OUT(slots.client.piece_next, anew),
    OUT(slots.client.in_piece, anew),
    OUT(slots.client.url_spoilt, anew),
    OUT(slots.client.bad_url, anew),
    OUT(slots.client.url_said, anew),
    OUT(slots.client.chunked, anew),
    OUT(slots.client.dribbled, anew),
    OUT(slots.client.last_from, anew),
    OUT(slots.client.silences, anew),
    OUT(slots.client.fetching, anew),
    OUT(slots.client.cancelled, anew),
    OUT(slots.client.idle_sockets, anew),
    OUT(slots.client.was_cancelled, expected),
    IN(slots.chosen),
    IN(slots.chosen_slot),
    OUT(slots.slot_good, anew),
    IN(slots.rolled_back),
    IN(slots.back_to),
    OUT(slots.fate_crash, anew),
    OUT(slots.fate_lost, anew),
    IN(slots.fates_seen),
    IN(slots.fate_version),
    OUT(slots.confirmed_untold, strict),
    IN(slots.confirmed),
    IN(slots.confirmed_version),
    OUT(slots.starts_since_confirm, strict),
    OUT(slots.op_part, anew),
    IN(net_seen),
    IN(byte_seen),
    OUT(outages, expected),
    IN(net_any),
};
#define FIELDS (sizeof fields / sizeof fields[0])

static void every_field_is_listed(void)
{
    fields_listed(&every, sizeof every, fields, FIELDS);
}

/* ---- and the table is true ---- */

static void fresh(struct judge *out, bool slots)
{
    scenario.device.agent = slots ? AGENT_UOTA : AGENT_CMIOT;
    struct judge *j = judge_new(&every.setup);
    REQUIRE(j != NULL);
    memcpy(out, j, sizeof *out);
    memcpy(out->packages, every.packages, sizeof out->packages);
    out->n_packages = 1;
    judge_free(j);
}

static void used(struct judge *out, bool slots)
{
    memcpy(out, &every, sizeof *out);
    out->slots.on = slots;
}

/* One judge with a field of the other; and what it remembers. */
static void mixed(const struct judge *base, const struct judge *other, const struct field *f,
                  struct judge_memory *out)
{
    static struct judge j;
    memcpy(&j, base, sizeof j);
    if (f != NULL)
        memcpy((uint8_t *)&j + f->at, (const uint8_t *)other + f->at, f->size);
    j.package = j.package == NULL ? NULL : &j.packages[0];
    judge_remember(&j, NOW_NS, out);
}

static bool shows(const struct judge *base, const struct judge *other, const struct field *f)
{
    struct judge_memory without, with, again;
    static struct judge j;
    mixed(base, other, NULL, &without);
    mixed(base, other, f, &with);
    memcpy(&j, base, sizeof j);
    judge_recall(&j, &with, NOW_NS);
    judge_remember(&j, NOW_NS, &again);
    if (!CHECK_MEM(&again, &with, sizeof with)) /* what is kept comes back */
        CHECK_STR(f->name, "");
    return memcmp(&with, &without, sizeof with) != 0;
}

static void a_field_is_kept_or_not(const void *row)
{
    const struct field *f = row;
    static struct judge some, none;
    bool any = false;
    if (f->why == of_setup)
        CHECK(true);
    for (int slots = 0; slots < 2 && f->why != of_setup; slots++) {
        used(&some, slots != 0);
        fresh(&none, slots != 0);
        any = shows(&some, &none, f) || any;
        any = shows(&none, &some, f) || any;
    }
    if (f->why != of_setup)
        CHECK_INT(any, f->why == NULL);
}

static const char *field_name(const void *row)
{
    return ((const struct field *)row)->name;
}

static const struct test tests[] = {
    {"every field is listed", every_field_is_listed, NULL, NULL, 0, 0, NULL},
    {"a field is kept or not", NULL, a_field_is_kept_or_not, fields, sizeof fields[0], FIELDS,
     field_name},
};

TEST_MAIN("engine judge memory", tests)
