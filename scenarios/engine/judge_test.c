/* Every row is a run with something wrong in it, and the requirements that must say so. */
#include "scenarios/engine/judge_testing.h"

#define AFTER_CUT                                                                                  \
    "power/cut op=20 tear=nothing\n"                                                               \
    "boot/boot mark=0\n"                                                                           \
    "device/start version=1.0\n"                                                                   \
    "cloud/request rq=check n=2\n"                                                                 \
    "cloud/reply rq=check n=2 status=200 code=1000\n"                                              \
    "device/package bytes=2300 delta_id=1000\n"

/* The call ends without success, and the application tries again. */
#define BROKEN_CALL                                                                                \
    "device/api call=cmiot_upgrade result=-1\n"                                                    \
    "cloud/request rq=check n=2\n"                                                                 \
    "cloud/reply rq=check n=2 status=200 code=1000\n"                                              \
    "device/package bytes=2300 delta_id=1000\n"

#define DOWNLOAD(from, to, n)                                                                      \
    "cloud/request rq=download range=bytes=" #from "-" #to "\n"                                    \
    "cloud/reply rq=download status=206 bytes=" #n "\n"

/* The task that was left ends by the cloud's own time-out. */
#define END "cloud/record delta_id=1000 state=failed\n@main\n@healed\n"

/* ---- what is fine ---- */

static const struct run_row clean[] = {
    {"nothing happens at all", {{NO_EDIT, NULL, NULL}}, .fails = ""},
    {"resume after a break",
     {{AFTER, "segment number=2", "@net reset\n" BROKEN_CALL}},
     .fails = ""},
    {"resume after a cut", {{AFTER, "segment number=4", AFTER_CUT}}, .fails = ""},
    {"a cut costs the segment under way",
     {{AFTER, "segment number=2", AFTER_CUT},
      {INSTEAD, "range=bytes=1024", DOWNLOAD(512, 1023, 512)}},
     .fails = ""},
    {"a cut in the restore",
     {{AFTER, "flash/erase addr=0",
       "power/cut op=90 tear=half-erased\n"
       "@version ?\n"
       "boot/boot mark=1\n"
       "boot/restore file=0 block=0 blocks=1 phase=copy\n"}},
     .fails = ""},
    {"a cut between the result and its event",
     {{INSTEAD, "boot/result", "power/cut op=90 tear=nothing\nboot/boot mark=0\n"}},
     .fails = ""},
    {"a cut during the report, which the cloud had accepted",
     {{INSTEAD, "call=cmiot_report_upgrade result=0",
       "power/cut op=99 tear=nothing\n"
       "boot/boot mark=0\n"
       "device/start version=1.1\n"
       "cloud/request rq=report-upgrade body={\"updateStatus\":1}\n"
       "cloud/reply rq=report-upgrade status=200 code=1000\n"
       "device/api call=cmiot_report_upgrade result=0\n"}},
     .fails = ""},
    {"a digest mismatch, then a clean start",
     {{BEFORE, "device/verify",
       "cloud/fault kind=corrupt rq=download n=3\n"
       "device/verify ok=0\n"
       "cloud/request rq=report-download body={\"downloadStatus\":8}\n"
       "cloud/reply rq=report-download status=200 code=1000\n"
       "device/api call=cmiot_upgrade result=-1\n"
       "cloud/request rq=check n=2\n"
       "cloud/reply rq=check n=2 status=200 code=1000\n"
       "device/package bytes=2300 delta_id=1000\n" DOWNLOAD(0, 511, 512) DOWNLOAD(512, 1023, 512)
           DOWNLOAD(1024, 1535, 512) DOWNLOAD(1536, 2047, 512) DOWNLOAD(2048, 2299, 252)}},
     .fails = ""},
    {"visit limit and patience",
     {{INSTEAD, "check n=1 status=200 code=1000",
       "cloud/reply rq=check n=1 status=200 code=1010\n"
       "device/api call=cmiot_upgrade result=-1\n"
       "@wait 60000\n"
       "cloud/request rq=check n=2\n"
       "cloud/reply rq=check n=2 status=200 code=1000\n"}},
     .fails = ""},
    {"an update that is refused and reported",
     {{INSTEAD, "boot/verify", "boot/refuse result=98 reason=digest\n"},
      {UNTIL_END, "boot/restore",
       "boot/result update_result=98\n"
       "device/start version=1.0\n"
       "cloud/request rq=report-upgrade body={\"updateStatus\":98}\n"
       "cloud/reply rq=report-upgrade status=200 code=1000\n"
       "cloud/record delta_id=1000 state=failed\n"
       "device/api call=cmiot_report_upgrade result=0\n" END}},
     .fails = ""},
};

/* ---- what is wrong ---- */

static const struct run_row violations[] = {
    /* cloud */
    {"downloads although not registered",
     {{INSTEAD, "check n=1 status=200 code=1000", "cloud/reply rq=check status=200 code=2103\n"}},
     .fails = "CLD-05 CLD-07"},
    {"downloads although the signature is wrong",
     {{INSTEAD, "check n=1 status=200 code=1000", "cloud/reply rq=check status=200 code=2001\n"}},
     .fails = "CLD-02 CLD-05"},
    {"downloads although the cloud says system error",
     {{INSTEAD, "check n=1 status=200 code=1000", "cloud/reply rq=check status=200 code=1005\n"}},
     .fails = "CLD-05"},
    {"2101 becomes a failure",
     {{INSTEAD, "call=cmiot_upgrade result=-4", "device/api call=cmiot_upgrade result=-1\n"}},
     .fails = "CLD-05 CLD-06"},
    {"1005 becomes latest version",
     {{INSTEAD, "check n=2 status=200 code=2101",
       "cloud/reply rq=check n=2 status=200 code=1005\n"}},
     .fails = "CLD-05"},
    {"asks again right after the visit limit",
     {{INSTEAD, "check n=1 status=200 code=1000",
       "cloud/reply rq=check n=1 status=200 code=1015\n"
       "device/api call=cmiot_upgrade result=-1\n"
       "@wait 59000\n"
       "cloud/request rq=check n=2\n"
       "cloud/reply rq=check n=2 status=200 code=1000\n"}},
     .fails = "CLD-08"},
    {"asks an eighth time when seven are allowed",
     {{AFTER, "rq=check n=1",
       "cloud/request rq=check\ncloud/request rq=check\ncloud/request rq=check\n"
       "cloud/request rq=check\ncloud/request rq=check\ncloud/request rq=check\n"
       "cloud/request rq=check\n"}},
     .fails = "CLD-09"},
    {"gives up on unreadable answers too early",
     {{INSTEAD, "check n=2 status=200 code=2101", "cloud/fault kind=not-json rq=check n=2\n"},
      {INSTEAD, "call=cmiot_upgrade result=-4", "device/api call=cmiot_upgrade result=-1\n"}},
     .fails = "LIM-09"},
    {"makes something of an unreadable answer",
     {{INSTEAD, "check n=2 status=200 code=2101", "cloud/fault kind=not-json rq=check n=2\n"}},
     .fails = "LIM-16",
     .device = ", \"try_count\": 0"},
    {"asks a failing server again at once",
     {{BEFORE, "range=bytes=1024",
       "cloud/request rq=download range=bytes=1024-1535\n"
       "cloud/reply rq=download status=503 bytes=40\n"}},
     .fails = "NET-16"},
    {"follows a redirect",
     {{BEFORE, "range=bytes=1024",
       "cloud/request rq=download range=bytes=1024-1535\n"
       "cloud/fault kind=redirect rq=download n=3\n"
       "cloud/reply rq=download status=302 bytes=0\n"
       "cloud/request rq=other path=/elsewhere\n"}},
     .fails = "DWN-27"},

    /* download */
    {"stores a segment from an error page",
     {{INSTEAD, "rq=download n=2", "cloud/reply rq=download n=2 status=404 bytes=512\n"}},
     .fails = "DWN-02"},
    {"programs past the announced size",
     {{AFTER, "flash/program addr=268288", "flash/program addr=268540 len=1\n"}},
     .fails = "DWN-06"},
    {"resumes early after a break",
     {{AFTER, "segment number=2", "@net reset\n" BROKEN_CALL},
      {INSTEAD, "range=bytes=1024", "cloud/request rq=download range=bytes=512-1023\n"}},
     .fails = "DWN-08"},
    {"a cut costs the progress",
     {{AFTER, "segment number=4", AFTER_CUT DOWNLOAD(512, 1023, 512)}},
     .fails = "DWN-08 PWR-05"},
    {"asks for bytes behind a gap",
     {{INSTEAD, "range=bytes=512", "cloud/request rq=download range=bytes=1024-1535\n"}},
     .fails = "DWN-18 PWR-04"},
    {"resumes too far after a cut",
     {{AFTER, "segment number=2", AFTER_CUT DOWNLOAD(1536, 2047, 512)}},
     .fails = "DWN-08 DWN-18 PWR-04"},
    {"downloads the same bytes again and again",
     {{AFTER, "segment number=2",
       "@net reset\n" DOWNLOAD(512, 1023, 512) DOWNLOAD(512, 1023, 512) DOWNLOAD(512, 1023, 512)
           DOWNLOAD(512, 1023, 512)}},
     .fails = "DWN-19"},
    {"asks for small pieces",
     {{INSTEAD, "range=bytes=0-511", "cloud/request rq=download range=bytes=0-99\n"}},
     .fails = "DWN-20"},
    {"asks for pieces across two segments",
     {{INSTEAD, "range=bytes=0-511", "cloud/request rq=download range=bytes=0-1023\n"}},
     .fails = "DWN-20"},
    {"uses more RAM than configured",
     {{INSTEAD, "heap peak=2000", "device/heap peak=524289 used=0\n"}},
     .fails = "DWN-35"},
    {"keeps memory after a call",
     {{INSTEAD, "heap peak=2000", "device/heap peak=2000 used=16\n"}},
     .fails = "LIM-12"},
    {"keeps a socket after a call",
     {{INSTEAD, "heap peak=2000", "device/heap peak=2000 used=0 sockets=1\n"}},
     .fails = "LIM-12"},
    {"only_upgrade succeeds with nothing",
     {{INSTEAD, "call=cmiot_upgrade result=-4", "device/api call=cmiot_only_upgrade result=0\n"},
      {INSTEAD, "check n=2 status=200 code=2101",
       "cloud/reply rq=check n=2 status=200 code=1000\n"}},
     .fails = "DWN-36 INT-01"},
    {"says already downloaded and fetches",
     {{INSTEAD, "call=cmiot_upgrade result=0", "device/api call=cmiot_upgrade result=-8\n"}},
     .fails = "DWN-37"},
    {"goes on in the middle of another package",
     {{BEFORE, "range=bytes=1024", "device/package bytes=2300 delta_id=1001\n"},
      {UNTIL_END, "rq=download n=3", END}},
     .fails = "DWN-10 DWN-18 DWN-33 PWR-04"},

    /* integrity */
    {"accepts bytes that are not the package",
     {{INSTEAD, "@flash 1024", "@flash 1024 1535\n"}},
     .fails = "DWN-01 DWN-18 INT-01 INT-16 PWR-04"},
    {"accepts a flipped bit",
     {{BEFORE, "rq=download n=5", "cloud/fault kind=corrupt rq=download n=5\n"},
      {INSTEAD, "@flash 2048", "@flash 2048 2299\n"}},
     .fails = "DWN-01 INT-01 INT-03 INT-05 INT-16"},
    {"accepts another announced digest",
     {{AFTER, "rq=check n=1", "cloud/fault kind=wrong-digest rq=check n=1\n"}},
     .fails = "INT-01 INT-05"},
    {"accepts a digest that is none",
     {{AFTER, "rq=check n=1", "cloud/fault kind=bad-digest rq=check n=1\n"}},
     .fails = "INT-06"},
    {"accepts another announced size",
     {{AFTER, "rq=check n=1", "cloud/fault kind=wrong-size rq=check n=1\n"}},
     .fails = "DWN-04 LIM-08"},
    {"goes on in the middle after a mismatch",
     {{BEFORE, "range=bytes=2048",
       "cloud/fault kind=corrupt rq=download n=4\n"
       "device/verify ok=0\n"}},
     .fails = "INT-09"},
    {"succeeds without a package", {{INSTEAD, "device/pending", ""}}, .fails = "INT-01"},
    {"reports success before it verified",
     {{BEFORE, "device/verify",
       "cloud/request rq=report-download body={\"downloadStatus\":1}\n"
       "cloud/reply rq=report-download status=200 code=1000\n"}},
     .fails = "INT-16"},

    /* boot loader */
    {"old firmware claims the new one's success",
     {{INSTEAD, "@version 1.1", ""}},
     .fails = "BOT-01 BOT-03"},
    {"a ruin is started", {{INSTEAD, "@version 1.1", "@version ?\n"}}, .fails = "BOT-01 BOT-03"},
    {"a ruin is started after a cut",
     {{AFTER, "flash/erase addr=0",
       "power/cut op=90 tear=nothing\n@version ?\n"
       "boot/boot mark=0\ndevice/start version=?\n"
       "power/cut op=91 tear=nothing\n"
       "boot/boot mark=0\nboot/restore phase=copy\n"}},
     .fails = "PWR-02"},
    {"files of two versions are started",
     {{INSTEAD, "@version 1.1", "@version ?\n"}},
     .fails = "BOT-01 BOT-03 BOT-16",
     .device = ", \"files\": [{}, {\"name\": \"b\"}]"},
    {"running firmware is changed",
     {{AFTER, "segment number=3", "flash/program addr=4096 len=16\n"}},
     .fails = "BOT-02"},
    {"the boot loader's RAM is exceeded",
     {{INSTEAD, "heap peak=3000", "device/heap peak=524289 used=0\n"}},
     .fails = "BOT-04"},
    {"firmware is rewritten unverified",
     {{INSTEAD, "boot/verify", "flash/erase addr=0 len=4096\n"}},
     .fails = "BOT-08"},
    {"restores without a package",
     {{INSTEAD, "device/idle", "boot/boot mark=0\nboot/verify ok=1\nboot/restore phase=copy\n"}},
     .fails = "BOT-15"},
    {"writes beside the files",
     {{AFTER, "flash/erase addr=0", "flash/erase addr=65536 len=4096\n"}},
     .fails = "BOT-17",
     .device = ", \"files\": [{\"area_bytes\": \"0x10000\"}], \"compare_block_kib\": 4"},
    {"a grown image is not what was built",
     {{INSTEAD, "@version 1.1", ""}},
     .fails = "BOT-01 BOT-03 BOT-19",
     .rest = ", \"versions\": [{\"version\": \"1.0\"}, {\"version\": \"1.1\", \"images\": "
             "[{\"edit\": {\"grow_bytes\": 100}}]}]"},
    {"bricked without a cut",
     {{AFTER, "flash/erase addr=0", "boot/bricked reason=journal\n"}},
     .fails = "BOT-01"},
    {"bricked by a cut",
     {{AFTER, "flash/erase addr=0", "power/cut op=90 tear=nothing\nboot/bricked reason=journal\n"}},
     .fails = "BOT-01 PWR-02"},

    /* reports */
    {"says reported, but was not heard",
     {{INSTEAD, "rq=report-upgrade status=200", ""}},
     .fails = "RPT-01 RPT-02"},
    {"says nothing to report after a report",
     {{INSTEAD, "call=cmiot_report_upgrade result=0",
       "device/api call=cmiot_report_upgrade result=-5\n"}},
     .fails = "RPT-01"},
    {"forgets its result",
     {{INSTEAD, "rq=report-upgrade body", ""},
      {INSTEAD, "rq=report-upgrade status=200", ""},
      {INSTEAD, "call=cmiot_report_upgrade result=0",
       "device/api call=cmiot_report_upgrade result=-5\n"}},
     .fails = "RPT-02"},
    {"the boot loader leaves no result",
     {{INSTEAD, "boot/result", "boot/restored files=1\nboot/result update_result=0\n"},
      {INSTEAD, "rq=report-upgrade body", ""},
      {INSTEAD, "rq=report-upgrade status=200", ""},
      {INSTEAD, "call=cmiot_report_upgrade result=0",
       "device/api call=cmiot_report_upgrade result=-5\n"}},
     .fails = "RPT-02"},
    {"forgets its result in a cut",
     {{BEFORE, "device/start version=1.1", "power/cut op=99 tear=nothing\nboot/boot mark=0\n"},
      {INSTEAD, "rq=report-upgrade body", ""},
      {INSTEAD, "rq=report-upgrade status=200", ""},
      {INSTEAD, "call=cmiot_report_upgrade result=0", ""}},
     .fails = "RPT-02 PWR-08"},
    {"reports an upgrade that never was",
     {{BEFORE, "call=cmiot_report_upgrade result=-5",
       "cloud/request rq=report-upgrade body={\"updateStatus\":1}\n"},
      {INSTEAD, "call=cmiot_report_upgrade result=-5",
       "device/api call=cmiot_report_upgrade result=-1\n"}},
     .fails = "RPT-03"},
    {"reports twice",
     {{BEFORE, "device/idle",
       "cloud/request rq=report-upgrade body={\"updateStatus\":1}\n"
       "cloud/reply rq=report-upgrade status=200 code=1000\n"
       "device/api call=cmiot_report_upgrade result=0\n"}},
     .fails = "RPT-14"},
    {"reports another cause",
     {{INSTEAD, "rq=report-upgrade body",
       "cloud/request rq=report-upgrade body={\"updateStatus\":99}\n"}},
     .fails = "RPT-16"},
    {"downloads what has no digest",
     {{BEFORE, "device/package", "cloud/fault kind=bad-digest rq=check n=1\n"},
      {UNTIL_END, "segment number=1", "device/api call=cmiot_upgrade result=-1\n" END}},
     .fails = "INT-06"},
    {"resumes what is announced with another digest",
     {{UNTIL_END, "bytes=1024-1535",
       "@net reset\n"
       "device/api call=cmiot_upgrade result=-1\n"
       "cloud/request rq=check n=2\n"
       "cloud/fault kind=wrong-digest rq=check n=2\n"
       "cloud/reply rq=check n=2 status=200 code=1000\n"
       "device/package bytes=2300 delta_id=1000\n" DOWNLOAD(1024, 1535, 512) END}},
     .fails = "DWN-10 DWN-33"},
    {"accepts a package of no bytes",
     {{INSTEAD, "device/package", "device/package bytes=0 delta_id=1000\n"}},
     .fails = "LIM-08"},
    {"waits long after everything has gone silent",
     {{UNTIL_END, "bytes=1024-1535",
       "@net outage\n"
       "network/connect conn=2\n"
       "@wait 36000\n"
       "device/api call=cmiot_upgrade result=-1\n" END}},
     .fails = "NET-01"},
    {"reports another status than that the digest differs",
     {{UNTIL_END, "device/verify",
       "cloud/fault kind=corrupt rq=download n=3\n"
       "device/verify ok=0\n"
       "cloud/request rq=report-download body={\"downloadStatus\":10}\n"
       "cloud/reply rq=report-download status=200 code=1000\n"
       "device/api call=cmiot_upgrade result=-1\n" END}},
     .fails = "RPT-16"},
    {"reports the download of another package",
     {{INSTEAD, "rq=report-download body",
       "cloud/request rq=report-download body={\"deltaID\":\"1001\",\"downloadStatus\":1}\n"}},
     .fails = "INT-16"},
    {"a check offers again what waits for its restart",
     {{AFTER, "call=cmiot_upgrade result=0", "device/api call=cmiot_check_version result=0\n"}},
     .fails = "DWN-37"},
    {"leaves the cloud's record open",
     {{INSTEAD, "delta_id=1000 state=success", ""}},
     .fails = "RPT-17"},

    /* limits */
    {"takes a package that is too large",
     {{NO_EDIT, NULL, NULL}},
     .fails = "LIM-01 LIM-02",
     .limit_bytes = PACKAGE_LEN - 1},
    {"erases for a package that is too large",
     {{INSTEAD, "@flash 0 512", ""},
      {UNTIL_END, "segment number=1",
       "cloud/request rq=report-download body={\"downloadStatus\":10}\n"
       "device/api call=cmiot_upgrade result=-7\n" END}},
     .fails = "LIM-01",
     .limit_bytes = PACKAGE_LEN - 1},
    {"refuses a package too large and tells nobody",
     {{UNTIL_END, "bytes=0-511", "device/api call=cmiot_upgrade result=-7\n" END}},
     .fails = "RPT-16",
     .limit_bytes = PACKAGE_LEN - 1},
    {"refuses a package that just fits",
     {{UNTIL_END, "bytes=0-511", "device/api call=cmiot_upgrade result=-7\n" END}},
     .fails = "LIM-02",
     .limit_bytes = PACKAGE_LEN},
    {"runs with a segment index out of range",
     {{UNTIL_END, "rq=check n=1", END}},
     .fails = "LIM-14",
     .device = ", \"segment_index\": 1"},
    {"runs with a mixed protocol",
     {{UNTIL_END, "rq=check n=1", END}},
     .fails = "CLD-01",
     .device = ", \"network_protocol\": 1"},

    /* security */
    {"downloads what is running",
     {{BEFORE, "device/start version=1.0", "@version 1.1\n"},
      {INSTEAD, "device/start version=1.0", "device/start version=1.1\n"}},
     .fails = "SEC-02"},
    {"installs a lower version",
     {{BEFORE, "device/start version=1.0", "@version 1.1\n"},
      {INSTEAD, "device/start version=1.0", "device/start version=1.1\n"},
      {INSTEAD, "@version 1.1\nboot/restored", "@version 1.0\n"},
      {INSTEAD, "mark=0\nboot/verify", "boot/boot mark=0\n"}},
     .fails = "SEC-01",
     .back = true},

    /* power */
    {"downloads a verified package again",
     {{AFTER, "device/pending", AFTER_CUT DOWNLOAD(0, 511, 512)}},
     .fails = "PWR-06"},
    {"starts without end after a cut",
     {{AFTER, "segment number=2",
       "power/cut op=20 tear=nothing\nboot/boot mark=0\nboot/boot mark=0\nboot/boot mark=0\n"
       "boot/boot mark=0\nboot/boot mark=0\ndevice/start version=1.0\n"}},
     .fails = "PWR-15"},
    {"writes a guard area",
     {{AFTER, "segment number=2", "flash/erase addr=262144 len=4096\n"}},
     .fails = "PWR-16"},
    {"writes user data",
     {{AFTER, "segment number=2", "flash/erase addr=925696 len=4096\n"}},
     .fails = "PWR-16"},
    {"leaves a change where nobody may write",
     {{BEFORE, "@main", "@foreign 925700\n"}},
     .fails = "PWR-16"},
    {"a cut kills it",
     {{UNTIL_END, "range=bytes=1024", "power/cut op=20 tear=scrambled\n@main\n@dead\n"}},
     .fails = "BOT-01 PWR-01 PWR-03"},
    {"two cuts kill it",
     {{UNTIL_END, "range=bytes=1024", AFTER_CUT "power/cut op=40 tear=nothing\n@main\n@dead\n"}},
     .fails = "BOT-01 PWR-01 PWR-11"},
    {"a flash fault kills it",
     {{UNTIL_END, "range=bytes=1024", "@main\n@dead\n"}},
     .fails = "BOT-01 PWR-17",
     .rest = ", \"flash\": [{\"fail\": \"erase\", \"address\": \"0x41000\"}]"},

    /* network */
    {"an outage kills it",
     {{UNTIL_END, "range=bytes=1024", "@net outage\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-01 NET-08"},
    {"a reset kills it",
     {{UNTIL_END, "range=bytes=1024", "@net reset\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-06"},
    {"a half-close kills it",
     {{UNTIL_END, "range=bytes=1024", "@net half-close\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-07"},
    {"a stall kills it",
     {{UNTIL_END, "range=bytes=1024", "@net stall\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-08"},
    {"single bytes kill it",
     {{UNTIL_END, "range=bytes=1024", "@net dribble\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-14"},
    {"a closed door kills it",
     {{UNTIL_END, "range=bytes=1024", "@net refuse\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-03"},
    {"flapping kills it",
     {{UNTIL_END, "range=bytes=1024", "@net outage\n@net outage\n@net outage\n@main\n@dead\n"}},
     .fails = "BOT-01 NET-01 NET-08 NET-12"},
    {"a reset and a cut kill it",
     {{UNTIL_END, "range=bytes=1024", "@net reset\npower/cut op=20 tear=nothing\n@main\n@dead\n"}},
     .fails = "BOT-01 PWR-01 NET-06 NET-22"},
    {"never gets there although the network is back",
     {{UNTIL_END, "range=bytes=1024", "@net outage\n" END}},
     .fails = "NET-13 NET-20 EXPECT",
     .rest = ", \"expect\": {\"version\": \"1.1\"}"},
    {"never gets there on a slow network",
     {{UNTIL_END, "range=bytes=1024", END}},
     .fails = "NET-05 EXPECT",
     .rest = ", \"network\": {\"profile\": \"gprs\"}, \"expect\": {\"version\": \"1.1\"}"},

    /* what a scenario demands */
    {"another version",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"version\": \"1.0\"}"},
    {"another last result",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"result\": 0}"},
    {"other results",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"results\": [0]}"},
    {"results in another order",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"results\": [-4, 0]}"},
    {"other download reports",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"download_status\": []}"},
    {"other upgrade reports",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"upgrade_status\": [1, 1]}"},
    {"fewer requests",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"requests\": {\"download\": 4}}"},
    {"too many requests",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"requests_max\": {\"download\": 4}}"},
    {"a configuration to be refused",
     {{NO_EDIT, NULL, NULL}},
     .fails = "EXPECT",
     .rest = ", \"expect\": {\"config_refused\": true}"},
    {"a configuration refused unasked",
     {{UNTIL_END, "device/start", "device/config error=ids\n" END}},
     .fails = "EXPECT"},
};

static void exactly_these_fail(const void *row)
{
    const struct run_row *r = row;
    struct bench *b = bench_run(r);
    char got[512];
    failed(b, got);
    CHECK_STR(got, r->fails);
    CHECK_INT(b->result.verdict, r->fails[0] == '\0' ? VERDICT_PASS : VERDICT_FAIL);
    bench_free(b);
}

/* ---- packages that were damaged on purpose ---- */

struct tamper_row {
    enum tamper tamper;
    bool base_altered;
    const char *ids;
};

static const struct tamper_row tampers[] = {
    {TAMPER_SOURCE_DIGEST, false, "INT-13 BOT-07"},
    {TAMPER_PAYLOAD_DIGEST, false, "INT-05"},
    {TAMPER_TARGET_DIGEST, false, "INT-05 BOT-03"},
    {TAMPER_PAYLOAD_BYTE, false, "INT-03"},
    {TAMPER_COMPARE_BLOCK, false, "BOT-05"},
    {TAMPER_ALGORITHM, false, "BOT-06"},
    {TAMPER_ADDRESS, false, "BOT-17"},
    {TAMPER_NAME, false, "BOT-17"},
    {TAMPER_HEAD, false, "INT-05"},
    {TAMPER_TRUNCATE, false, "INT-04"},
    {TAMPER_EMPTY, false, "INT-14"},
    {TAMPER_NONE, true, "INT-13 BOT-07"},
};
_Static_assert(sizeof tampers / sizeof tampers[0] == TAMPER_TRAILER_MAGIC,
               "one row per kind of packages");

static const char *tamper_row_name(const void *row)
{
    const struct tamper_row *t = row;
    return t->base_altered ? "an altered base" : tamper_name(t->tamper);
}

static struct run_row tampered_run(const struct tamper_row *t)
{
    return (struct run_row){.tamper = t->tamper,
                            .kind = PACKAGE_DELTA,
                            .device = t->base_altered ? ", \"base_altered\": true" : NULL};
}

static void damage_that_is_installed_is_named(const void *row)
{
    const struct tamper_row *t = row;
    struct run_row r = tampered_run(t);
    struct bench *b = bench_run(&r);
    char got[512];
    failed(b, got);
    CHECK_STR(got, t->ids);
    bench_free(b);
}

static void damage_that_is_refused_is_credited(const void *row)
{
    const struct tamper_row *t = row;
    struct run_row r = tampered_run(t);
    r.edit[0] = (struct edit){INSTEAD, "boot/verify", "boot/refuse result=99 reason=x\n"};
    r.edit[1] = (struct edit){UNTIL_END, "boot/restore",
                              "boot/result update_result=99\n"
                              "device/start version=1.0\n"
                              "cloud/request rq=report-upgrade body={\"updateStatus\":99}\n"
                              "cloud/reply rq=report-upgrade status=200 code=1000\n"
                              "device/api call=cmiot_report_upgrade result=0\n" END};
    struct bench *b = bench_run(&r);
    char got[512];
    failed(b, got);
    CHECK_STR(got, "");
    char ids[64];
    char *rest = NULL;
    (void)snprintf(ids, sizeof ids, "%s", t->ids);
    for (char *id = strtok_r(ids, " ", &rest); id != NULL; id = strtok_r(NULL, " ", &rest)) {
        const struct check_result *c = check_of(b, id);
        CHECK(c != NULL && c->verdict == VERDICT_PASS);
    }
    bench_free(b);
}

/* ---- verdicts ---- */

static void only_what_was_exercised_is_in_the_result(void)
{
    struct run_row r = {.name = ""};
    struct bench *b = bench_run(&r);
    CHECK_INT(b->result.boots, 1);
    CHECK_INT(b->result.cuts, 0);
    CHECK_INT(b->result.agent_peak_bytes, 2000);
    CHECK_INT(b->result.boot_peak_bytes, 3000);
    CHECK(check_of(b, "DWN-01") != NULL && check_of(b, "BOT-01") != NULL);
    CHECK(check_of(b, "PWR-01") == NULL && check_of(b, "NET-06") == NULL);
    CHECK(check_of(b, "EXPECT") == NULL);
    for (uint32_t i = 0; i < b->result.n_checks; i++)
        CHECK_STR(b->result.checks[i].detail, "");
    bench_free(b);
}

static void the_first_violation_explains(void)
{
    struct run_row r = {.edit = {{AFTER, "segment number=2", "flash/program addr=4096 len=16\n"},
                                 {AFTER, "segment number=3", "flash/program addr=8192 len=16\n"}}};
    struct bench *b = bench_run(&r);
    const struct check_result *c = check_of(b, "BOT-02");
    REQUIRE(c != NULL);
    CHECK_STR(c->detail, "the running firmware is changed at 0x1000");
    bench_free(b);
}

static void a_declared_failure_is_expected(void)
{
    struct run_row r = {.edit = {{AFTER, "segment number=2", "flash/program addr=4096 len=16\n"}},
                        .rest = ", \"expect\": {\"fails\": [\"BOT-02\"]}"};
    struct bench *b = bench_run(&r);
    CHECK_INT(b->result.verdict, VERDICT_EXPECTED_FAIL);
    CHECK_INT(check_of(b, "BOT-02")->verdict, VERDICT_EXPECTED_FAIL);
    CHECK_INT(check_of(b, "DWN-01")->verdict, VERDICT_PASS);
    bench_free(b);
    /* Declared, and not found. */
    r.edit[0].kind = NO_EDIT;
    b = bench_run(&r);
    CHECK_INT(b->result.verdict, VERDICT_FAIL);
    CHECK_INT(check_of(b, "BOT-02")->verdict, VERDICT_UNEXPECTED_PASS);
    bench_free(b);
    /* Declared, and not even exercised. */
    r.rest = ", \"expect\": {\"fails\": [\"PWR-01\"]}";
    b = bench_run(&r);
    CHECK_INT(b->result.verdict, VERDICT_FAIL);
    CHECK_INT(check_of(b, "PWR-01")->verdict, VERDICT_UNEXPECTED_PASS);
    CHECK_HAS(check_of(b, "PWR-01")->detail, "declared to fail");
    bench_free(b);
    /* Declared and found, and another one. */
    r.rest = ", \"expect\": {\"fails\": [\"BOT-02\"]}";
    r.edit[0] = (struct edit){AFTER, "segment number=2", "flash/program addr=4096 len=16\n"};
    r.edit[1] = (struct edit){BEFORE, "@main", "@foreign 925700\n"};
    b = bench_run(&r);
    CHECK_INT(b->result.verdict, VERDICT_FAIL);
    CHECK_INT(check_of(b, "PWR-16")->verdict, VERDICT_FAIL);
    bench_free(b);
}

static void without_events_nothing_applies(void)
{
    struct run_row r = {.name = ""};
    struct bench *b = bench_new(&r);
    judge_results(b->j, &b->result);
    CHECK_INT(b->result.verdict, VERDICT_NOT_APPLICABLE);
    CHECK_INT(b->result.n_checks, 0);
    struct judge_package p = {.bytes = b->package, .len_bytes = 1};
    int rc = 0;
    for (int i = 0; i < JUDGE_PACKAGES_MAX && rc == 0; i++)
        rc = judge_add_package(b->j, &p);
    CHECK_ERR(rc, ERR_LIMIT);
    bench_free(b);
}

/* A package that reaches past the end of the chip is not compared with what lies there. */
static void the_chip_has_an_end(void)
{
    struct run_row r = {.name = "", .rest = ", \"offers\": []"};
    struct bench *b = bench_new(&r);
    uint32_t len = b->s.device.geometry.size_bytes;
    uint8_t *large = calloc(1, len);
    REQUIRE(large != NULL);
    memset(b->flash, 0, len);
    struct judge_package p = {
        .delta_id = 5, .bytes = large, .len_bytes = len, .from = 0, .to = 1, .kind = PACKAGE_FULL};
    REQUIRE(judge_add_package(b->j, &p) == 0);
    char lines[][64] = {"device/start version=1.0", "device/package delta_id=5 bytes=2097152",
                        "device/verify ok=1", "device/pending delta_id=5"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        bench_line(b, lines[i]);
    judge_results(b->j, &b->result);
    char got[512];
    failed(b, got);
    CHECK_STR(got, "DWN-01 DWN-17 INT-01 LIM-01 LIM-02");
    free(large);
    bench_free(b);
}

static const struct test tests[] = {
    TEST_ROWS("no fault is found", exactly_these_fail, clean, run_row_name),
    TEST_ROWS("found", exactly_these_fail, violations, run_row_name),
    TEST_ROWS("damage installed", damage_that_is_installed_is_named, tampers, tamper_row_name),
    TEST_ROWS("damage refused", damage_that_is_refused_is_credited, tampers, tamper_row_name),
    {"only what was exercised is in the result", only_what_was_exercised_is_in_the_result},
    {"the first violation explains", the_first_violation_explains},
    {"a declared failure is expected", a_declared_failure_is_expected},
    {"without events nothing applies", without_events_nothing_applies},
    {"the chip has an end", the_chip_has_an_end},
};
TEST_MAIN("judge", tests)
