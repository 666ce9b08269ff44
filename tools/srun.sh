# Sourced by slurm_train.sh and slurm_test.sh: run a script in GPUS processes through Slurm, whose own settings
# (SRUN_ARGS) go first. PORT is where the processes meet; by default one drawn from the job's name and time.
start() {
    local partition=$1 job=$2
    shift 2
    local gpus=${GPUS:-8}
    local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    # one port for all processes: they cannot agree on a free one before they have met
    MASTER_PORT=${PORT:-$((20000 + ($$ + $(date +%s)) % 20000))} \
        exec srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" \
        --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$@" --launcher slurm
}
