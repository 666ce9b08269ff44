#!/usr/bin/env bash
# Test on several GPUs, or, where there is none, in several processes on the CPU.
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [flags of tools/test.py]
set -euo pipefail
. "$(dirname "$0")/torchrun.sh"
if [ $# -lt 3 ]; then
    echo "usage: [NNODES= NODE_RANK= MASTER_ADDR= PORT= PYTHON=] $0 CONFIG CHECKPOINT GPUS [flags of tools/test.py]" >&2
    exit 2
fi
config=$1 checkpoint=$2 gpus=$3
shift 3
start "$gpus" "$(dirname "$0")/test.py" "$config" "$checkpoint" "$@"
