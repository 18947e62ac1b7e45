# Shared by the scripts of this folder; sourced, never run. Sets root and goes there.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

say() { printf '%s\n' "$@"; } # each argument is a line
die() { # die CODE text...
    local code=$1
    shift
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit "$code"
}

# quietly LOG command...: output goes to LOG, on a terminal with its last line to look at; on failure
# its end is shown and the code returned.
quietly() {
    local log=$1 rc=0 pid
    shift
    mkdir -p "$(dirname "$log")"
    if [ -t 1 ]; then
        "$@" >"$log" 2>&1 &
        pid=$!
        trap 'kill "$pid" 2>/dev/null; exit 130' INT
        while kill -0 "$pid" 2>/dev/null; do
            printf '\r\033[K  %.70s' "$(tail -n 1 "$log" | tr -dc '[:print:]')"
            sleep 0.5
        done
        printf '\r\033[K'
        trap - INT
        wait "$pid" || rc=$?
    else
        "$@" >"$log" 2>&1 || rc=$?
    fi
    if [ "$rc" -ne 0 ]; then
        say "failed ($rc): $*" "-- end of $log:"
        tail -n 40 "$log"
    fi
    return "$rc"
}

# build PRESET [ninja targets...]
build() {
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null &&
        cmake --build --preset "$preset" ${1:+--target "$@"}
}

# results FILE: the result objects of an otabench --json file, one per line.
results() { jq -c '.. | objects | select(has("trace_sha256"))' "$1"; }

# judged LOG command...: runs otabench where its verdict is not the question (exit 0, 1 and 2 are
# all right); any other code is a failure and shows the end of LOG.
judged() {
    local log=$1 rc=0
    shift
    "$@" </dev/null >"$log" 2>&1 || rc=$?
    [ "$rc" -le 2 ] && return 0
    say "exit code $rc: $*" "-- end of $log:"
    tail -n 20 "$log"
    return "$rc"
}
