#!/usr/bin/env bash
# Test with Slurm. GPUS is the number of all processes (8).
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [flags of tools/test.py]
set -euo pipefail
. "$(dirname "$0")/srun.sh"
if [ $# -lt 4 ]; then
    echo "usage: [GPUS= GPUS_PER_NODE= CPUS_PER_TASK= SRUN_ARGS= PORT=] $0 PARTITION JOB_NAME CONFIG CHECKPOINT [flags]" >&2
    exit 2
fi
partition=$1 job=$2 config=$3 checkpoint=$4
shift 4
start "$partition" "$job" "$(dirname "$0")/test.py" "$config" "$checkpoint" "$@"
