#include "scenarios/cli/story_tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim_device/agent/cmiot/cmiot_type.h"

int64_t story_number(const struct story_event *e, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(e->fields, key);
    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : 0;
}

char story_slot(const struct story_event *e, const char *key)
{
    return story_number(e, key) == 0 ? 'A' : 'B';
}

const char *story_text(const struct story_event *e, const char *key)
{
    const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e->fields, key));
    return v == NULL ? "" : v;
}

struct story_cell *story_say(struct story *s, const struct story_event *e, const char *key,
                             enum story_mood mood, const char *fmt, ...)
{
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, key);
    if (c == NULL)
        return NULL;
    c->mood = mood;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c->text, sizeof c->text, fmt, ap);
    va_end(ap);
    if (c->count > 1) {
        size_t n = strlen(c->text);
        (void)snprintf(c->text + n, sizeof c->text - n, " ×%" PRIu64, c->count);
    }
    return c;
}

static void put_bytes(char *out, size_t cap, uint64_t bytes)
{
    if (bytes < 10000)
        (void)snprintf(out, cap, "%" PRIu64 " B", bytes);
    else
        (void)snprintf(out, cap, "%" PRIu64 ".%" PRIu64 " KiB", bytes / 1024,
                       bytes % 1024 * 10 / 1024);
}

static void put_ms(char *out, size_t cap, int64_t ms)
{
    if (ms < 1000)
        (void)snprintf(out, cap, "%" PRId64 " ms", ms);
    else
        (void)snprintf(out, cap, "%" PRId64 ".%d s", ms / 1000, (int)(ms % 1000 / 100));
}

/* ---- cloud ---- */

static void tell_publish(struct story *s, const struct story_event *e)
{
    char bytes[32];
    if (cJSON_HasObjectItem(e->fields, "refused")) {
        (void)story_say(s, e, "no publish", MOOD_BAD, "no task: %.100s", story_text(e, "refused"));
        return;
    }
    put_bytes(bytes, sizeof bytes, (uint64_t)story_number(e, "bytes"));
    const char *kind = story_text(e, "kind");
    (void)story_say(s, e, "publish", MOOD_PLAIN, "offers %s (%s%s%s)", story_text(e, "to"), kind,
                    kind[0] != '\0' ? ", " : "", bytes);
}

static void tell_record(struct story *s, const struct story_event *e)
{
    if (strcmp(s->record, story_text(e, "state")) == 0)
        return;
    (void)snprintf(s->record, sizeof s->record, "%s", story_text(e, "state"));
    s->record_news = true; /* said with the reply that follows */
}

static void tell_reply(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX], bytes[32] = "", end[32];
    const char *rq = story_text(e, "rq");
    int status = (int)story_number(e, "status"), code = (int)story_number(e, "code");
    bool download = strcmp(rq, "download") == 0;
    (void)snprintf(key, sizeof key, "%.20s %d %d", rq, status, code);
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, key);
    if (c == NULL)
        return;
    c->bytes += (uint64_t)story_number(e, "bytes");
    c->mood = status >= 400 || (code != 0 && code != 1000 && code != 2101) ? MOOD_BAD : MOOD_PLAIN;
    if (s->record_news) {
        (void)snprintf(c->tail, sizeof c->tail, ", task %s", s->record);
        c->mood = strcmp(s->record, "success") == 0 ? MOOD_GOOD : c->mood;
        s->record_news = false;
    }
    if (download && status < 300)
        put_bytes(bytes, sizeof bytes, c->bytes);
    if (code != 0)
        (void)snprintf(end, sizeof end, "%d", code);
    else
        (void)snprintf(end, sizeof end, status == 200 || status == 206 ? "%d" : "HTTP %d", status);
    if (c->count > 1)
        (void)snprintf(c->text, sizeof c->text, "%.20s ×%" PRIu64 " → %s%s%s%s", rq, c->count, end,
                       bytes[0] == '\0' ? "" : ", ", bytes, c->tail);
    else
        (void)snprintf(c->text, sizeof c->text, "%.20s → %s%s%s%s", rq, end,
                       bytes[0] == '\0' ? "" : ", ", bytes, c->tail);
}

static void tell_cloud_fault(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX];
    (void)snprintf(key, sizeof key, "fault %.30s %.20s", story_text(e, "kind"),
                   story_text(e, "rq"));
    (void)story_say(s, e, key, MOOD_BAD, "FAULT %.30s in %.20s %" PRId64, story_text(e, "kind"),
                    story_text(e, "rq"), story_number(e, "n"));
}

static void tell_late(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "late", MOOD_PLAIN, "late report ignored");
}

static void tell_cloud_error(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "error", MOOD_BAD, "store: %.100s", story_text(e, "what"));
}

/* ---- network ---- */

static void tell_connect(struct story *s, const struct story_event *e)
{
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, "conn");
    if (c == NULL)
        return;
    uint64_t conn = (uint64_t)story_number(e, "conn");
    c->first = c->first == 0 ? conn : c->first;
    c->last = conn;
    if (c->first == c->last)
        (void)snprintf(c->text, sizeof c->text, "conn %" PRIu64, conn);
    else
        (void)snprintf(c->text, sizeof c->text, "conns %" PRIu64 "–%" PRIu64, c->first, c->last);
}

static void tell_refused(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "refused", MOOD_BAD, "conn %" PRId64 " refused", story_number(e, "conn"));
}

static void tell_reset(struct story *s, const struct story_event *e)
{
    const struct story_cell *last = story_last(s, e->lane);
    if (last != NULL && strncmp(last->key, "fault", 5) == 0)
        return; /* its effect, not news */
    (void)story_say(s, e, "reset", MOOD_BAD, "conn %" PRId64 " reset", story_number(e, "conn"));
}

static void tell_net_fault(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX], lasts[32] = "";
    const char *what = story_text(e, "do");
    if (cJSON_HasObjectItem(e->fields, "byte")) {
        (void)snprintf(key, sizeof key, "fault %.30s", what);
        (void)story_say(s, e, key, MOOD_BAD, "FAULT %.30s: conn %" PRId64 " %.8s, byte %" PRId64,
                        what, story_number(e, "conn"), story_text(e, "dir"),
                        story_number(e, "byte"));
        return;
    }
    if (story_number(e, "begin") == 0) {
        (void)snprintf(key, sizeof key, "end %.30s", what);
        (void)story_say(s, e, key, MOOD_PLAIN, "%.30s is over", what);
        return;
    }
    if (story_number(e, "for_ms") > 0)
        put_ms(lasts, sizeof lasts, story_number(e, "for_ms"));
    (void)snprintf(key, sizeof key, "fault %.30s", what);
    (void)story_say(s, e, key, MOOD_BAD, "FAULT %.30s%s%s", what, lasts[0] == '\0' ? "" : " for ",
                    lasts);
}

/* ---- device ---- */

static void tell_start(struct story *s, const struct story_event *e)
{
    bool known = strcmp(story_text(e, "version"), "?") != 0;
    (void)story_say(s, e, "start", known ? MOOD_GOOD : MOOD_BAD,
                    known ? "version %.60s runs" : "no whole version (%.60s)",
                    story_text(e, "version"));
}

static const struct {
    int code;
    const char *text;
    enum story_mood mood;
} api_results[] = {
    {E_CMIOT_SUCCESS, "success", MOOD_GOOD},
    {E_CMIOT_FAILURE, "failure", MOOD_BAD},
    {E_CMIOT_NOMEMORY, "no memory", MOOD_BAD},
    {E_CMIOT_NOT_INITTED, "not initialised", MOOD_BAD},
    {E_CMIOT_LAST_VERSION, "latest version", MOOD_PLAIN},
    {E_CMIOT_NO_UPGRADE, "nothing to report", MOOD_PLAIN},
    {E_CMIOT_CTW_INIT_FAIL, "channel failed", MOOD_BAD},
    {E_CMIOT_PAKAGE_TOO_LARGE, "too large", MOOD_BAD},
    {E_CMIOT_NEW_VERSION_EXIST, "downloaded already", MOOD_GOOD},
};

static void tell_api(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX];
    const char *call = story_text(e, "call");
    int result = (int)story_number(e, "result");
    const char *word = "unknown result";
    enum story_mood mood = MOOD_BAD;
    for (size_t i = 0; i < sizeof api_results / sizeof api_results[0]; i++)
        if (api_results[i].code == result) {
            word = api_results[i].text;
            mood = api_results[i].mood;
        }
    char state[32];
    if (strncmp(call, "cmiot_", 6) == 0) {
        call += 6;
    } else { /* negative states are told in hex, as the SDKs' headers do */
        mood = result >= 0 ? MOOD_GOOD : MOOD_BAD;
        if (result < 0 && strncmp(call, "aiot_", 5) == 0)
            (void)snprintf(state, sizeof state, "-0x%04X", (unsigned)-(int64_t)result);
        else
            (void)snprintf(state, sizeof state, "%d", result);
        word = result >= 0 ? "success" : state;
        call += strncmp(call, "aiot_", 5) == 0 ? 5 : 0;
    }
    (void)snprintf(key, sizeof key, "api %.30s %d", call, result);
    /* "service code" repeats what the cloud's lane says */
    bool why = s->log[0] != '\0' && strncmp(s->log, "service code", 12) != 0;
    (void)story_say(s, e, key, mood, "%.30s: %s%s%s%s", call, word, why ? " (" : "",
                    why ? s->log : "", why ? ")" : "");
    s->log[0] = '\0';
    story_close(s);
}

static void tell_config(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "config", MOOD_BAD, "refuses its configuration: %.100s",
                    story_text(e, "error"));
}

static void tell_package(struct story *s, const struct story_event *e)
{
    char bytes[32];
    put_bytes(bytes, sizeof bytes, (uint64_t)story_number(e, "bytes"));
    (void)story_say(s, e, "package", MOOD_PLAIN, "package of %s", bytes);
}

static void tell_resume(struct story *s, const struct story_event *e)
{
    if (cJSON_HasObjectItem(e->fields, "from")) {
        char bytes[32];
        put_bytes(bytes, sizeof bytes, (uint64_t)story_number(e, "from"));
        (void)story_say(s, e, "resume", MOOD_GOOD, "resumes at %s", bytes);
        return;
    }
    (void)story_say(s, e, "resume", MOOD_GOOD, "resumes at segment %" PRId64 " of %" PRId64,
                    story_number(e, "segment"), story_number(e, "of"));
}

static void tell_segment(struct story *s, const struct story_event *e)
{
    uint64_t n = (uint64_t)story_number(e, "number");
    const struct story_cell *last = story_last(s, e->lane);
    bool gap = last != NULL && strncmp(last->key, "segment", 7) == 0 && n != last->last + 1;
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, gap ? "segment gap" : "segment");
    if (c == NULL)
        return;
    c->first = c->first == 0 ? n : c->first;
    c->last = n;
    if (c->first == c->last)
        (void)snprintf(c->text, sizeof c->text, "segment %" PRIu64 " stored", n);
    else
        (void)snprintf(c->text, sizeof c->text, "segments %" PRIu64 "–%" PRIu64 " stored", c->first,
                       c->last);
}

static void tell_verify(struct story *s, const struct story_event *e)
{
    bool ok = story_number(e, "ok") != 0;
    (void)story_say(s, e, ok ? "verify" : "mismatch", ok ? MOOD_GOOD : MOOD_BAD,
                    s->slots ? ok ? "digest matches" : "digest does not match"
                    : ok     ? "MD5 matches"
                             : "MD5 does not match");
}

static void tell_pending(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "pending", MOOD_GOOD, "ready to install");
}

static void tell_idle(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "idle", MOOD_PLAIN, "idle");
}

static void tell_log(struct story *s, const struct story_event *e)
{
    (void)snprintf(s->log, sizeof s->log, "%s", story_text(e, "text"));
}

static void tell_restart(struct story *s, const struct story_event *e)
{
    (void)e;
    s->restarting = true;
}

/* ---- flash, power ---- */

static void put_times(char *out, size_t cap, const char *what, uint64_t n)
{
    if (n == 1)
        (void)snprintf(out, cap, " %s", what);
    else if (n > 1)
        (void)snprintf(out, cap, " %s ×%" PRIu64, what, n);
}

static void tell_flash(struct story *s, const struct story_event *e)
{
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, "ops");
    if (c == NULL)
        return;
    uint64_t op = (uint64_t)story_number(e, "op");
    bool erase = strcmp(e->name, "erase") == 0;
    c->first = c->first == 0 ? op : c->first;
    c->last = op;
    c->erases += erase;
    uint64_t writes = c->count - c->erases;
    if (story_number(e, "torn") != 0) {
        c->mood = MOOD_BAD;
        (void)snprintf(c->tail, sizeof c->tail, ", torn %s", erase ? "erase" : "write");
    }
    if (story_number(e, "raised") != 0) {
        c->mood = MOOD_BAD;
        (void)snprintf(c->tail, sizeof c->tail, ", 0→1 asked at %" PRIu64, op);
    }
    char range[48], w[32] = "", x[32] = "";
    if (c->first == c->last)
        (void)snprintf(range, sizeof range, "#%" PRIu64, op);
    else
        (void)snprintf(range, sizeof range, "#%" PRIu64 "–%" PRIu64, c->first, c->last);
    put_times(w, sizeof w, "write", writes);
    put_times(x, sizeof x, "erase", c->erases);
    (void)snprintf(c->text, sizeof c->text, "%s%s%s%s", range, w, x, c->tail);
}

static void tell_cut(struct story *s, const struct story_event *e)
{
    s->off = true;
    story_rule(s, STORY_CUT, e->t_ns, "POWER CUT at flash operation %" PRId64 " (%s)",
               story_number(e, "op"), story_text(e, "tear"));
}

/* ---- boot ---- */

static void tell_boot(struct story *s, const struct story_event *e)
{
    const char *why = s->off          ? "power is back"
                      : s->restarting ? "the firmware restarts"
                      : s->starts > 0 ? "reset"
                                      : "power on";
    s->off = s->restarting = false;
    s->log[0] = '\0';
    s->slots = cJSON_HasObjectItem(e->fields, "slot");
    s->starts++;
    if (story_number(e, "mark") > 0)
        story_rule(s, STORY_START, e->t_ns, "%s: boot loader goes on after mark %" PRId64, why,
                   story_number(e, "mark"));
    else
        story_rule(s, STORY_START, e->t_ns, "%s: boot loader", why);
}

static void tell_boot_verify(struct story *s, const struct story_event *e)
{
    bool slots = cJSON_HasObjectItem(e->fields, "slot");
    if (story_number(e, "ok") != 0 && slots)
        (void)story_say(s, e, "check", MOOD_GOOD, "slot %c is sound", story_slot(e, "slot"));
    else if (slots)
        (void)story_say(s, e, "check bad", MOOD_BAD, "slot %c is not: %.100s",
                        story_slot(e, "slot"), story_text(e, "reason"));
    else if (story_number(e, "ok") != 0)
        (void)story_say(s, e, "check", MOOD_GOOD, "package is sound");
    else
        (void)story_say(s, e, "check bad", MOOD_BAD, "package refused: %.100s",
                        story_text(e, "reason"));
}

static void tell_refuse(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "refuse", MOOD_BAD, "refuses (%" PRId64 "): %.100s",
                    story_number(e, "result"), story_text(e, "reason"));
}

static void tell_prove(struct story *s, const struct story_event *e)
{
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, "check");
    if (c == NULL)
        return;
    c->mood = MOOD_GOOD;
    (void)snprintf(c->text, sizeof c->text, "package is sound, result proved in RAM");
}

static void tell_restore(struct story *s, const struct story_event *e)
{
    char key[STORY_KEY_MAX];
    const char *file = story_text(e, "file");
    (void)snprintf(key, sizeof key, "restore %.40s", file);
    struct story_cell *c = story_cell(s, e->lane, e->t_ns, key);
    if (c == NULL)
        return;
    uint64_t block = (uint64_t)story_number(e, "block") + 1; /* people count from 1 */
    if (c->first == 0)
        c->first = c->last = block;
    c->first = block < c->first ? block : c->first;
    c->last = block > c->last ? block : c->last;
    if (c->first == c->last)
        (void)snprintf(c->text, sizeof c->text, "%.40s: block %" PRIu64 " of %" PRId64, file, block,
                       story_number(e, "blocks"));
    else
        (void)snprintf(c->text, sizeof c->text, "%.40s: blocks %" PRIu64 "–%" PRIu64 " of %" PRId64,
                       file, c->first, c->last, story_number(e, "blocks"));
}

static void tell_restored(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "restored", MOOD_GOOD, "%" PRId64 " file%s restored",
                    story_number(e, "files"), story_number(e, "files") == 1 ? "" : "s");
}

static void tell_result(struct story *s, const struct story_event *e)
{
    const struct story_cell *last = story_last(s, e->lane);
    int64_t result = story_number(e, "update_result");
    if (result == 1 && last != NULL && strcmp(last->key, "restored") == 0)
        return; /* said already */
    (void)story_say(s, e, "result", result == 1 ? MOOD_GOOD : MOOD_BAD, "result %" PRId64, result);
}

static void tell_bricked(struct story *s, const struct story_event *e)
{
    (void)story_say(s, e, "bricked", MOOD_BAD, "BRICKED: %.100s", story_text(e, "reason"));
}

/* ---- bench ---- */

static void tell_heal(struct story *s, const struct story_event *e)
{
    if (!s->healing)
        story_undo_cut(s, e->t_ns); /* the bench switches off before it heals */
    if (!s->healing)
        story_rule(s, STORY_HEAL, e->t_ns,
                   "everything is healed, a known-good update is offered (heal phase)");
    if (!s->healing)
        s->heal_from_ns = e->t_ns;
    s->healing = true;
    s->heal_version[0] = '\0';
}

void story_tell_nothing(struct story *s, const struct story_event *e)
{
    (void)s;
    (void)e;
}

static const struct story_teller tellers[] = {
    {LANE_FLASH, "program", tell_flash},
    {LANE_FLASH, "erase", tell_flash},
    {LANE_CLOUD, "request", story_tell_nothing}, /* its reply says it all */
    {LANE_CLOUD, "reply", tell_reply},
    {LANE_CLOUD, "record", tell_record},
    {LANE_CLOUD, "publish", tell_publish},
    {LANE_CLOUD, "fault", tell_cloud_fault},
    {LANE_CLOUD, "late", tell_late},
    {LANE_CLOUD, "error", tell_cloud_error},
    {LANE_NETWORK, "connect", tell_connect},
    {LANE_NETWORK, "connected", story_tell_nothing},
    {LANE_NETWORK, "eof", story_tell_nothing},
    {LANE_NETWORK, "refused", tell_refused},
    {LANE_NETWORK, "reset", tell_reset},
    {LANE_NETWORK, "fault", tell_net_fault},
    {LANE_DEVICE, "segment", tell_segment},
    {LANE_DEVICE, "heap", story_tell_nothing},
    {LANE_DEVICE, "start", tell_start},
    {LANE_DEVICE, "api", tell_api},
    {LANE_DEVICE, "config", tell_config},
    {LANE_DEVICE, "package", tell_package},
    {LANE_DEVICE, "resume", tell_resume},
    {LANE_DEVICE, "verify", tell_verify},
    {LANE_DEVICE, "pending", tell_pending},
    {LANE_DEVICE, "reset", tell_restart},
    {LANE_DEVICE, "idle", tell_idle},
    {LANE_DEVICE, "log", tell_log},
    {LANE_BOOT, "boot", tell_boot},
    {LANE_BOOT, "verify", tell_boot_verify},
    {LANE_BOOT, "refuse", tell_refuse},
    {LANE_BOOT, "prove", tell_prove},
    {LANE_BOOT, "restore", tell_restore},
    {LANE_BOOT, "restored", tell_restored},
    {LANE_BOOT, "result", tell_result},
    {LANE_BOOT, "bricked", tell_bricked},
    {LANE_POWER, "cut", tell_cut},
    {LANE_BENCH, "scenario", story_tell_nothing},
    {LANE_BENCH, "heal", tell_heal},
};

static void count_heal(struct story *s, const struct story_event *e)
{
    if (e->lane == LANE_FLASH)
        s->heal_ops++;
    else if (e->lane == LANE_CLOUD &&
             (strcmp(e->name, "request") == 0 || strcmp(e->name, "message") == 0))
        s->heal_requests++;
    else if (e->lane == LANE_BOOT && strcmp(e->name, "boot") == 0)
        s->heal_starts++;
    else if (e->lane == LANE_DEVICE && strcmp(e->name, "start") == 0)
        (void)snprintf(s->heal_version, sizeof s->heal_version, "%s", story_text(e, "version"));
}

static bool tell_by(const struct story_teller *table, size_t n, struct story *s,
                    const struct story_event *e)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].lane == e->lane && strcmp(table[i].name, e->name) == 0) {
            table[i].tell(s, e);
            return true;
        }
    return false;
}

void story_tell(struct story *s, const struct story_event *e)
{
    if (s->healing && strcmp(e->name, "heal") != 0) {
        count_heal(s, e);
        return;
    }
    if (tell_by(tellers, sizeof tellers / sizeof tellers[0], s, e) ||
        tell_by(story_iot_tellers, story_iot_tellers_count, s, e))
        return;
    (void)story_say(s, e, e->name, MOOD_PLAIN, "%s", e->name);
}
