/*
 * The requirements this bench judges so far, in report order. IDs are stable; the full list with
 * what is not judged yet is in docs/requirements.md. Sources: S = clause of the CMS-OTA porting
 * document (V1.5), B = default of this bench where the document is silent.
 */
#include <string.h>

#include "scenarios/engine/result.h"

static const struct requirement rows[] = {
    {"CLD-01", "HTTP goes with the MQTT channel; a mixed protocol setting is refused", "S 3.4.1-2"},
    {"CLD-02", "A wrong product or signature is answered 1001/1002/2001 and nothing is downloaded",
     "S 3.4.1, 5.5"},
    {"CLD-05", "Every service code ends in its documented API result", "S 5.5"},
    {"CLD-06", "Code 2101 becomes 'latest version'", "S 5.5, 3.2.2.8"},
    {"CLD-07", "Code 2103 never leads to a download", "S 5.5"},
    {"CLD-08", "Visit-limit answers make the device wait longer", "S 5.5"},
    {"CLD-09", "Undecodable answers are asked for again at most the configured number of times",
     "S 3.2.2.2"},
    {"DWN-01", "The stored package equals the served bytes, in exactly the announced size", "B"},
    {"DWN-02", "Only 200 and 206 are taken as data", "B"},
    {"DWN-04", "A length that contradicts the announced size never ends in success", "B"},
    {"DWN-05", "A body cut short leads to resume or error, never to 'finished'", "B"},
    {"DWN-06", "More bytes than announced are not written past the size", "B"},
    {"DWN-08", "After a break the next request starts at the first byte not stored", "S 5.4"},
    {"DWN-10", "Resume happens only if the new announcement equals the record", "B"},
    {"DWN-12", "A server that ignores ranges still yields a correct image", "B"},
    {"DWN-13", "416 leads to restart or completion", "B"},
    {"DWN-14", "A partial reply that starts elsewhere is not stored at the wrong place", "B"},
    {"DWN-17", "Resume with all bytes stored verifies without harm", "B"},
    {"DWN-18", "Resume leaves no gap and no repeat", "B"},
    {"DWN-19", "With n breaks, total traffic stays under size + n x bound", "B"},
    {"DWN-20", "The segment size follows the configured index", "S 3.4.2"},
    {"DWN-24", "An expired URL is not retried for ever", "B"},
    {"DWN-27", "Redirects follow the declared policy (none) and end", "B"},
    {"DWN-33", "A newer announcement replaces an older one cleanly", "B"},
    {"DWN-34", "Three updates in a row succeed", "B"},
    {"DWN-35", "Data goes to flash while downloading; memory stays under the limit", "S 3.4.2"},
    {"DWN-36", "Check and download separately give the same result as the one-call upgrade",
     "S 3.2.2.8-11"},
    {"DWN-37", "Check says 'already downloaded' for a complete package and fetches nothing",
     "S 3.2.2.10"},
    {"INT-01", "Nothing is accepted before the announced MD5 matches", "S 5.5"},
    {"INT-03", "A single flipped bit ends in the mismatch code and the old version", "B"},
    {"INT-04", "A truncated package with a correct beginning is refused", "B"},
    {"INT-05", "Right size and wrong content is refused", "B"},
    {"INT-06", "Malformed digest text is refused", "B"},
    {"INT-07", "The digest covers what flash holds, so a write fault is caught", "B"},
    {"INT-08", "After resume the digest covers the bytes from before the break", "S 5.4"},
    {"INT-09", "After a mismatch the next attempt starts clean", "B"},
    {"INT-13", "A delta package is applied only on its source version", "S 4.3.2"},
    {"INT-14", "Empty and one-byte packages are refused", "B"},
    {"INT-16", "Download success is reported only after verification", "B"},
    {"BOT-01", "After success and restart the target version runs, and the cloud says so",
     "S 3.2.2.8"},
    {"BOT-02", "Without a restart the running version and its data are untouched", "S 4.4.1, 5.1"},
    {"BOT-03", "Every restored file equals the target build", "S 3.4.2"},
    {"BOT-04", "Restore stays within the configured RAM", "S 3.4.2"},
    {"BOT-05", "A package made for another compare-block size is refused", "S 3.4.2"},
    {"BOT-06", "A package of another algorithm is refused", "S 3.4.2"},
    {"BOT-07", "A package for another source leaves the old version running", "S 4.3.2"},
    {"BOT-08", "Firmware is rewritten only after verification", "B"},
    {"BOT-15", "Left-over metadata of an earlier update does not start a restore", "B"},
    {"BOT-16", "Several files update together or not at all", "S 3.4.2"},
    {"BOT-17", "Nothing outside the listed target addresses is written", "S 3.4.2"},
    {"BOT-19", "Growing and shrinking images both restore", "B"},
    {"RPT-01", "Report call: success when accepted, 'nothing to report' otherwise", "S 3.2.2.9"},
    {"RPT-02", "A pending result is reported after the next start until accepted", "S 5.1(5)"},
    {"RPT-03", "Without an upgrade no result is sent", "S 3.2.2.9"},
    {"RPT-14", "After a final state nothing more is sent for that task", "B"},
    {"RPT-16", "The first cause is reported", "B"},
    {"RPT-17", "The cloud's record is never left in between", "B"},
    {"LIM-01", "A package larger than the area is refused before anything is erased",
     "S 3.2.2.8, .10"},
    {"LIM-02", "Exactly the area size fits; one byte more does not", "B"},
    {"LIM-05", "20 files work; 21 are refused", "S 3.4.2"},
    {"LIM-08", "An impossible size is refused", "B"},
    {"LIM-09", "The retry count is exact", "S 3.2.2.2"},
    {"LIM-11", "Allocation failure ends in 'no memory' or recovery, never in a crash",
     "S 3.2.2.8-11"},
    {"LIM-12", "Memory returns to the start level after each call", "B"},
    {"LIM-14", "A segment index outside the legal range is refused", "S 3.4.2"},
    {"LIM-16", "Hostile reply text is refused safely", "B"},
    {"SEC-01", "A lower version is never installed", "S 3.4.2"},
    {"SEC-02", "The running version is not downloaded again", "B"},
    {"SEC-06", "An endless body is cut at the announced size", "B"},
    {"PWR-01", "Cut in a download: the old version starts and a later update succeeds", "S 5.4"},
    {"PWR-02", "Cut in a restore: finally old or new runs, complete", "B"},
    {"PWR-03", "Cut inside an operation: same outcome", "B"},
    {"PWR-04", "The resume position never exceeds durable data", "S 5.4"},
    {"PWR-05", "A record torn by a cut does not cost identity or progress", "B"},
    {"PWR-06", "Cut after verification: nothing is lost, nothing is downloaded again",
     "S 3.2.2.10"},
    {"PWR-08", "Cut after the restore: its result is still reported", "S 5.1(5)"},
    {"PWR-09", "Cut during reporting: the cloud ends with one final state", "S 3.2.2.9"},
    {"PWR-11", "Several cuts give the same outcomes as one", "B"},
    {"PWR-15", "The number of starts until the service is back is bounded", "B"},
    {"PWR-16", "No cut ever changes other partitions", "B"},
    {"PWR-17", "Failure of a flash write or erase is survived", "B"},
    {"NET-01", "Without network every call fails within tries x time-out", "S 3.2.2.8, 5.2"},
    {"NET-03", "Refused and unanswered connections both end", "B"},
    {"NET-04", "Latency above the time-out is retried", "S 3.2.2.1, 5.2"},
    {"NET-05", "The update completes on a slow, lossy link", "S 5.4"},
    {"NET-06", "Reset after byte k is followed by resume", "B"},
    {"NET-07", "Close after byte k is followed by resume", "B"},
    {"NET-08", "A silent peer is detected by time-out", "B"},
    {"NET-12", "On/off flapping ends in success", "B"},
    {"NET-13", "Given windows of up-time the update finishes", "S 5.4"},
    {"NET-14", "One-byte segments work", "B"},
    {"NET-16", "HTTP errors are retried politely", "B"},
    {"NET-20", "The documented five-try loop succeeds once the network is back", "S 4.4.1"},
    {"NET-22", "Network faults and power cuts together keep the outcomes", "B"},
    {"EXPECT", "What this scenario demands besides", "scenario"},
};

const struct requirement *requirement_at(size_t index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

const struct requirement *requirement_find(const char *id)
{
    const struct requirement *r;
    for (size_t i = 0; (r = requirement_at(i)) != NULL; i++)
        if (strcmp(r->id, id) == 0)
            return r;
    return NULL;
}
