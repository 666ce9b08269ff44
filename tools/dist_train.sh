#!/usr/bin/env bash
# Train on several GPUs, or, where there is none, in several processes on the CPU.
#   tools/dist_train.sh CONFIG GPUS [flags of tools/train.py]
set -euo pipefail
. "$(dirname "$0")/torchrun.sh"
if [ $# -lt 2 ]; then
    echo "usage: [NNODES= NODE_RANK= MASTER_ADDR= PORT= PYTHON=] $0 CONFIG GPUS [flags of tools/train.py]" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2
start "$gpus" "$(dirname "$0")/train.py" "$config" "$@"
