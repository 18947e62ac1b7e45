#!/usr/bin/env bash
# Slurm: one exploration as an array of shards, then one job that joins them.
#
#   sbatch --array=1-64 --parsable explore-slurm.sh          # prints the job's number
#   sbatch --dependency=afterany:NUMBER explore-slurm.sh     # joins, whatever the shards found
#
# Every node needs the same otabench and the same scenario; PARTS is a folder all of them see. The
# number of shards is the size of the array: indexes must run from 1 without a gap.
#SBATCH --job-name=otabench
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --output=otabench-%A-%a.log
set -uo pipefail

SCENARIO=${SCENARIO:-ota/bug.json}
OPTIONS=${OPTIONS:---depth 2 --sample 1000000 --seed 1}
PARTS=${PARTS:-$SLURM_SUBMIT_DIR/parts}
mkdir -p "$PARTS"

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    # Exit 1 says that a cut did harm; the report tells, and the array goes on.
    # shellcheck disable=SC2086 # the options are words
    otabench explore "$SCENARIO" $OPTIONS --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
        --jobs "${SLURM_CPUS_PER_TASK:-1}" --quiet --json "$PARTS/$SLURM_ARRAY_TASK_ID.json"
    code=$?
    [ "$code" -le 1 ] && exit 0
    exit "$code"
fi
otabench merge "$PARTS"/*.json --json all.json --html all.html
