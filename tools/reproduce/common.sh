# What the scripts of this folder share; sourced by them. A script sets `about`, `data` (paths that must exist) and
# `configs`, and may define `start_of CONFIG`, which prints the weights that a training starts from.
usage() {
    cat <<END
usage: $(basename "$0") [--print | --run] [--gpus N]

$about

--print   check the data, and print the commands with their expected time and memory (the default)
--run     check the data, and train one config after the other; what is finished is left out
--gpus N  GPUs of this machine (8)

Exit codes: 0 done, 1 data are missing (--print still prints the commands), 2 wrong usage.
END
}

main() {
    local action=--print gpus=8 missing=0 count=0 config path work words estimates python=${PYTHON:-python}
    while [ $# -gt 0 ]; do
        case $1 in
            --print | --run) action=$1 ;;
            --gpus) gpus=${2:?--gpus needs a number}; shift ;;
            -h | --help) usage; return 0 ;;
            *) echo "$(basename "$0"): unknown argument: '$1'; see --help" >&2; return 2 ;;
        esac
        shift
    done
    case $gpus in '' | *[!0-9]* | 0) echo "$(basename "$0"): --gpus must be a positive number, got '$gpus'" >&2; return 2 ;; esac
    cd "$(dirname "${BASH_SOURCE[0]}")/../.."
    for path in "${data[@]}"; do
        if [ ! -e "$path" ]; then echo "data not found: $path" >&2; missing=1; fi
    done
    if [ "$missing" = 1 ] && [ "$action" = --run ]; then
        echo "Nothing was run. Put the files there, or link them." >&2
        return 1
    fi
    mapfile -t estimates < <("$python" tools/reproduce/estimate.py --gpus "$gpus" "${configs[@]}")
    for config in "${configs[@]}"; do
        work=work_dirs/$(basename "$config" .py)
        words=("$config" "$gpus" --work-dir "$work")
        if [ -e "$work/last_checkpoint" ]; then  # --resume would leave load_from out where there is none
            words+=(--resume)
        elif [ "$(type -t start_of)" = function ]; then
            words+=(--cfg-options "load_from=$(start_of "$config")")
        fi
        echo "# ${estimates[count++]}"
        echo "tools/dist_train.sh ${words[*]}"
        [ "$action" = --run ] || continue
        if [ -e "$work/finished" ]; then echo "finished already: $work"; continue; fi
        tools/dist_train.sh "${words[@]}" || return
        touch "$work/finished"
    done
    return "$missing"
}
