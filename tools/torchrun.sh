# Sourced by dist_train.sh and dist_test.sh: run a script in GPUS processes on each of NNODES machines.
# NNODES, NODE_RANK, MASTER_ADDR and PORT come from the environment; on one machine a free port is taken by default.
start() {
    local gpus=$1
    shift
    if ! [[ $gpus =~ ^[1-9][0-9]*$ ]]; then
        echo "$(basename "$0"): GPUS must be a whole number of processes from 1 on, got '$gpus'" >&2
        exit 2
    fi
    local nodes=${NNODES:-1} where=(--standalone)
    if [ "$nodes" != 1 ] || [ -n "${PORT:-}" ]; then
        where=(--nnodes "$nodes" --node-rank "${NODE_RANK:-0}"
            --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}")
    fi
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} \
        exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" --nproc-per-node "$gpus" "$@" --launcher pytorch
}
