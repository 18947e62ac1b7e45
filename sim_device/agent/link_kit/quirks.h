/*
 * Personalities of the Link SDK clients: what the vendor's SDKs really do where that is wrong, and
 * what careless applications do. All off in the reference; each is one switch that removes one
 * protection, for the zoo and for scenarios that want the field's behaviour.
 *
 * "SDK" rows were seen on the vendor's own clients (aliyun note §2.5, §5.3, §8); "app" rows are
 * mistakes of applications.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_QUIRKS_H
#define OTABENCH_AGENT_LINK_KIT_QUIRKS_H

#include <stdbool.h>
#include <stddef.h>

struct kit_quirks {
    /* SDK */
    bool endless_renewal;      /* 4.x: a failed request is repeated at once, for ever */
    bool any_status_is_body;   /* 3.x: the body of any status is firmware */
    bool append_whole_reply;   /* a 200 to a range request is appended */
    bool first_key_wins;       /* 4.x: the first key of that name at any depth counts */
    bool strict_sign_method;   /* 4.x: "MD5" is unknown and the message dropped in silence */
    bool finished_on_mismatch; /* 4.x: "finished" although the digest is wrong */
    bool progress_restarts;    /* step 0 at every request */
    bool cut_range_header;     /* 3.x: header buffer of 128 bytes, no range beyond 1 000 000 */
    bool factory_inform;       /* 3.x: the first version reported is a constant of the SDK */
    bool crash_on_long_url;    /* 4.1: a URL above 254 bytes crashes the device */
    bool stray_comma;          /* 4.x: requests for file blocks are not valid JSON */
    bool file_failure_is_burn; /* 4.x: a file that does not come over MQTT is told as -4 */
    bool short_is_all;         /* 3.0: a range that is served in part counts as whole */
    bool url_unchecked;        /* 4.x: a URL without host or path is no error of its own */
    bool head_in_one_read;     /* a reply whose head comes in pieces is none */
    bool length_not_needed;    /* a reply without Content-Length is taken */
    bool range_unsaid;         /* 4.x: goes on beyond the end of a range without a word */
    bool silence_is_end;       /* 3.x: a fetch without data in its time gives up what it has */
    bool always_fetching;      /* 3.x: is fetching even when all was fetched */
    bool storming_reconnect;   /* reconnects without a pause */
    /* app */
    bool no_guard;           /* a repeated announcement starts the download again */
    bool take_foreign;       /* announcements for other devices count */
    bool take_config;        /* a configuration message counts as firmware */
    bool take_older;         /* versions are not compared */
    bool no_size_limit;      /* the slot's size is not checked */
    bool no_exact_fit;       /* an image as large as the slot counts as larger */
    bool skip_digest;        /* the digest is not compared */
    bool digest_of_stream;   /* the digest covers what arrived, not what flash holds */
    bool boot_before_verify; /* the boot choice is made before the digest is compared */
    bool one_failure_code;   /* -1 whatever stage failed */
    bool byte_codes;         /* aiot: failure codes are written as bytes, 253 for -3 */
    bool report_or_nothing;  /* aiot: progress that cannot be reported ends the download */
    bool endless_tries;      /* the application never gives up on an announcement */
    bool no_version_report;  /* the version is not reported after a start */
    bool confirm_at_start;   /* a trial image confirms itself before it reached the cloud */
    bool never_confirm;      /* a trial image never confirms itself */
    bool first_file_only;    /* 4.x: of several files the first alone is compared */
    bool cancel_goes_on;     /* a download that the user cancels goes on */
    bool offset_first;       /* 4.x: the offset is kept before the bytes are programmed */
};

/* One row of the table, in the order above. */
struct kit_quirk {
    const char *name; /* as in scenarios: the member with dashes, "endless-renewal" */
    const char *text; /* one line for people */
    size_t offset;    /* of the bool in struct kit_quirks */
};

/* Walks the table from 0; null at the end. */
const struct kit_quirk *kit_quirk_at(size_t index);
/* Switches one on. False: no such name. */
bool kit_quirks_set(struct kit_quirks *q, const char *name);

#endif
