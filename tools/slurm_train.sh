#!/usr/bin/env bash
# Train with Slurm. GPUS is the number of all processes (8).
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [flags of tools/train.py]
set -euo pipefail
. "$(dirname "$0")/srun.sh"
if [ $# -lt 4 ]; then
    echo "usage: [GPUS= GPUS_PER_NODE= CPUS_PER_TASK= SRUN_ARGS= PORT=] $0 PARTITION JOB_NAME CONFIG WORK_DIR [flags]" >&2
    exit 2
fi
partition=$1 job=$2 config=$3 work_dir=$4
shift 4
start "$partition" "$job" "$(dirname "$0")/train.py" "$config" --work-dir "$work_dir" "$@"
