#!/usr/bin/env bash
# explore-parallel.sh OUT.json SHARDS otabench-explore-arguments...: explores in shards with GNU
# parallel and joins them. The joined report has the same bytes as that of an undivided run.
#
#   ci/templates/explore-parallel.sh all.json 16 bug.json --depth 2 --sample 100000
#
# On several machines: name them in SSHLOGINS, as parallel's --sshlogin takes them ("4/build1,8/build2");
# each needs the same otabench in its PATH and the same scenarios at the same place.
# Exit: that of otabench merge, so of the whole exploration; 64 usage.
set -euo pipefail
[ $# -ge 3 ] || {
    echo "usage: explore-parallel.sh OUT.json SHARDS SCENARIO... [otabench explore option...]" >&2
    exit 64
}
out=$1
shards=$2
shift 2
otabench=${OTABENCH:-otabench}
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

hosts=()
[ -z "${SSHLOGINS:-}" ] || hosts=(--sshlogin "$SSHLOGINS" --workdir . --return "$parts/{}.json" --cleanup)
# A shard that finds something exits with 1: only a shard without a report is a failure.
# shellcheck disable=SC2016 # for the shell that parallel starts
seq "$shards" | parallel --will-cite --quote "${hosts[@]}" sh -c \
    'mkdir -p "$1"; shift; exec "$@"' - "$parts" \
    "$otabench" explore "$@" --shard "{}/$shards" --jobs 1 --quiet --json "$parts/{}.json" >"$parts/log" || true
for ((i = 1; i <= shards; i++)); do
    [ -s "$parts/$i.json" ] || {
        echo "explore-parallel.sh: shard $i left no report" >&2
        tail -n 20 "$parts/log" >&2
        exit 2
    }
done
"$otabench" merge "$parts"/*.json --json "$out"
