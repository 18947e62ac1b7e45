/*
 * What a judge remembers, as plain bytes: so that a run can be judged in pieces, from one power-on
 * to the next, and so that two histories can be told to be the same to it.
 *
 * Memory that can no longer turn a verdict is in one fixed form; times are left out. Three things
 * are not exact, and all only make the judge stricter:
 *
 *   - What a download may cost (DWN-19) is a bound that every break and every legitimate start over
 *     raises. Of what was served so much is forgiven, not below 0, and the bound is that without
 *     them.
 *   - After judge_recall all requirements count as seen, so a verdict that hangs on whether a
 *     requirement was exercised before (judge_segment) does not depend on the history.
 *   - Of a device with two slots it does not keep what it would be lenient for: that nothing has
 * come late or twice so far, that progress was told or all was received before this start, that no
 *     start has followed the confirmation yet.
 *
 * A new field of the judge goes into it, or into judge_memory_test.c with the reason why not.
 *
 * Not in it: how many starts came in a row (a search sees that a state comes again), which checks
 * failed (who goes on has none), what expectations count, peaks of RAM.
 */
#ifndef OTABENCH_ENGINE_JUDGE_MEMORY_H
#define OTABENCH_ENGINE_JUDGE_MEMORY_H

#include "scenarios/engine/judge.h"

/*
 * Of two memories that are equal but for this, one is as strict as the other when it has at least
 * as many bytes served and segments stored and no weak cut that the other has not: what it finds
 * nothing wrong with, the other does not either. (Stored segments demand a resume behind them.
 * Where a download may have to begin again they allow for that, too: then they are 0 here.)
 */
struct judge_severity {
    uint32_t served_bytes;
    uint32_t weak_cut; /* 0 or 1 */
    uint32_t stored_segments;
    uint32_t lost; /* 0 or 1: there was a fault of the network; of two slots 0, where it is a flag,
                      for what a device tells of a failure is checked the more then */
};
bool judge_as_strict(const struct judge_severity *a, const struct judge_severity *than);

/*
 * Of a device with two slots (judge_slots.h): what a start does not begin anew. Sessions, reports
 * and the download under way end with power, and so do the clocks that wait for them.
 */
enum judge_slots_flag {
    SLOTS_OWED,
    SLOTS_RECORD_UPGRADING,
    SLOTS_CHOSEN,
    SLOTS_ROLLED_BACK,
    SLOTS_CONFIRMED,
    SLOTS_CRASH_SEEN,
    SLOTS_LOST_SEEN,
    SLOTS_MQTT_FAULT,
    SLOTS_FAULT_IN_DOWNLOAD,
    SLOTS_PUBLISH_FAILED,
    SLOTS_LATE_OR_AGAIN,
    SLOTS_FLAGS
};
struct judge_slots_memory {
    int64_t newest_bytes;
    uint64_t written_end;      /* and how far it was written */
    uint64_t stored_at_cut;    /* where an image is long enough for a resume to matter */
    int32_t codes_arrived[16]; /* failure codes that the device had not told */
    uint32_t n_arrived, zero1;
    uint32_t refused_in_row;
    uint8_t chosen_slot, back_to, zero0[2];
    uint8_t flags[16];
    char newest[DEVICE_TEXT_MAX], refused[DEVICE_TEXT_MAX], interrupted[DEVICE_TEXT_MAX];
    char fate[DEVICE_TEXT_MAX], confirmed[DEVICE_TEXT_MAX];
};

/* Plain data without padding; compared and hashed as bytes. */
struct judge_memory {
    int64_t due_result, boot_result;
    int64_t pause_ns[RQ_COUNT]; /* still to be waited; at a reset only, as limited */
    struct judge_severity severity;
    int32_t code, code_on, last_request, last_download_http;
    uint32_t stored_apart; /* stored segments, where they are not in severity */
    uint32_t boots_since_cut, run_of_same, outages, limited;
    uint8_t phase, offer_fault, announced_fault, package; /* 0: none, else 1 + index */
    uint8_t cuts, breaks, restored_count, zero0;          /* cuts, breaks: 0 or 1 */
    uint8_t faults_on_download, sent_download_status, sent_upgrade_status, due_download_status;
    uint8_t flags[20];
    uint8_t record_open[JUDGE_PACKAGES_MAX], was_proven[JUDGE_PACKAGES_MAX];
    uint8_t faults_hit[CF_KIND_COUNT];
    uint8_t net_seen[NET_ACTION_COUNT], byte_seen[LINK_ACTION_COUNT];
    uint8_t zero[2]; /* up to a multiple of 8 */
    char version[DEVICE_TEXT_MAX];
    char restored_to[SCENARIO_VERSIONS_MAX][DEVICE_TEXT_MAX];
    struct judge_slots_memory slots; /* zero for a device without */
};

/* As it is now: at a reset, or at the end of the main phase. */
void judge_remember(const struct judge *j, int64_t now_ns, struct judge_memory *out);
/* As it would be if power went now. In an operation that leaves weak cells, severity.weak_cut is 1
 * as well. j stays; scratch is any other judge, and of no use afterwards. */
void judge_remember_cut(const struct judge *j, int64_t now_ns, struct judge *scratch,
                        struct judge_memory *out);
/* Of what was remembered after a cut: what is over before power is back. */
void judge_remember_off(const struct judge *j, struct judge_memory *m);
/* Makes a judge of the same setup and packages go on from there; nothing has failed yet. */
void judge_recall(struct judge *j, const struct judge_memory *m, int64_t now_ns);
/* Bytes as a memory for a judge like j. ERR_FORMAT says what cannot be one: another length, a value
 * out of range, a text without end. */
int judge_memory_read(const struct judge *j, const void *bytes, size_t len_bytes,
                      struct judge_memory *out, struct err *err);

/*
 * What a judge remembers besides in the midst of a power-on, while the application of a device
 * without slots runs: two runs in which memory and this are equal are judged the same from there
 * on. Plain data; times are how long ago. Verdicts are not in it: nothing has failed yet.
 */
struct judge_moment {
    int64_t heap_base_used, idle_ns, limited_ns;
    int32_t last_download_http;
    uint32_t requests_in_call[RQ_COUNT], spoilt_in_call[RQ_COUNT];
    uint32_t refused_in_row, ranges_refused, asked_bytes;
    uint8_t phase, flags[7];
};
/* A search that loses connections in every way: silence is judged from the start, as if one had
 * gone silent already. It only makes the judge stricter, and fewer memories differ. */
void judge_expect_silence(struct judge *j);
/* What a download may cost becomes what judge_remember makes of it. */
void judge_forgive(struct judge *j);
void judge_remember_moment(const struct judge *j, int64_t now_ns, struct judge_moment *out);
bool judge_has_failed(const struct judge *j);

/* For judge_memory.c: the part of devices with two slots. */
void judge_remember_slots(const struct judge *j, struct judge_memory *out);
void judge_recall_slots(struct judge *j, const struct judge_memory *m);
const char *judge_slots_memory_wrong(const struct judge_slots_memory *m); /* null: nothing */

#endif
