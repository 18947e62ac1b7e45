#include "sim_device/agent/link_kit/quirks.h"

#include <string.h>

#define ROW(member, name, text)                                                                    \
    {                                                                                              \
        name, text, offsetof(struct kit_quirks, member)                                            \
    }

static const struct kit_quirk table[] = {
    ROW(endless_renewal, "endless-renewal", "SDK: a failed request is repeated at once, for ever"),
    ROW(any_status_is_body, "any-status-is-body", "SDK: the body of any status is firmware"),
    ROW(append_whole_reply, "append-whole-reply", "SDK: a 200 to a range request is appended"),
    ROW(first_key_wins, "first-key-wins", "SDK: the first key of a name at any depth counts"),
    ROW(strict_sign_method, "strict-sign-method", "SDK: signMethod MD5 drops the message silently"),
    ROW(finished_on_mismatch, "finished-on-mismatch", "SDK: finished although the digest is wrong"),
    ROW(progress_restarts, "progress-restarts", "SDK: step 0 is reported at every request"),
    ROW(cut_range_header, "cut-range-header", "SDK: the Range line is cut from offset 1000000 on"),
    ROW(factory_inform, "factory-inform", "SDK: the first version reported is a constant"),
    ROW(crash_on_long_url, "crash-on-long-url", "SDK: a URL above 254 bytes crashes the device"),
    ROW(stray_comma, "stray-comma", "SDK: requests for file blocks are not valid JSON"),
    ROW(file_failure_is_burn, "file-failure-is-burn", "SDK: a file lost over MQTT is told as -4"),
    ROW(short_is_all, "short-is-all", "SDK: a range that is served in part counts as whole"),
    ROW(url_unchecked, "url-unchecked", "SDK: a URL without host or path is no error of its own"),
    ROW(head_in_one_read, "head-in-one-read", "SDK: a reply whose head comes in pieces is none"),
    ROW(length_not_needed, "length-not-needed", "SDK: a reply without Content-Length is taken"),
    ROW(range_unsaid, "range-unsaid", "SDK: goes on beyond the end of a range in silence"),
    ROW(silence_is_end, "silence-is-end", "SDK: a fetch without data in its time gives up"),
    ROW(always_fetching, "always-fetching", "SDK: is fetching even when all was fetched"),
    ROW(storming_reconnect, "storming-reconnect", "SDK: reconnects without a pause"),
    ROW(no_guard, "no-guard", "app: a repeated announcement starts the download again"),
    ROW(take_foreign, "take-foreign", "app: announcements for other devices count"),
    ROW(take_config, "take-config", "app: a configuration message counts as firmware"),
    ROW(take_older, "take-older", "app: versions are not compared"),
    ROW(no_size_limit, "no-size-limit", "app: the size of the slot is not checked"),
    ROW(no_exact_fit, "no-exact-fit", "app: an image as large as the slot is refused"),
    ROW(skip_digest, "skip-digest", "app: the digest is not compared"),
    ROW(digest_of_stream, "digest-of-stream", "app: the digest covers what arrived, not flash"),
    ROW(boot_before_verify, "boot-before-verify", "app: chooses the image before comparing it"),
    ROW(one_failure_code, "one-failure-code", "app: -1 whatever stage failed"),
    ROW(byte_codes, "byte-codes", "app: failure codes are written as bytes, 253 for -3"),
    ROW(report_or_nothing, "report-or-nothing", "app: a report that fails ends the download"),
    ROW(endless_tries, "endless-tries", "app: never gives up on an announcement"),
    ROW(no_version_report, "no-version-report", "app: the version is not reported"),
    ROW(confirm_at_start, "confirm-at-start", "app: confirms a trial before it reached the cloud"),
    ROW(never_confirm, "never-confirm", "app: a trial image never confirms itself"),
    ROW(first_file_only, "first-file-only", "app: of several files the first alone is compared"),
    ROW(cancel_goes_on, "cancel-goes-on", "app: a download that is cancelled goes on"),
    ROW(offset_first, "offset-first", "app: keeps the offset before the bytes are programmed"),
};

/* Every member has its row. */
_Static_assert(sizeof(table) / sizeof(table[0]) == sizeof(struct kit_quirks), "a row per quirk");

const struct kit_quirk *kit_quirk_at(size_t index)
{
    return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

bool kit_quirks_set(struct kit_quirks *q, const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        *(bool *)((char *)q + table[i].offset) = true;
        return true;
    }
    return false;
}
