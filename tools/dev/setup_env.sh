#!/usr/bin/env bash
# Create an environment that `make` uses: setup_env.sh onedl|openmmlab|owner|attacks|docs|bench VENV
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1 venv=$2
if [ ! -f "requirements/$name.txt" ]; then
    echo "set-up: expected one of onedl, openmmlab, owner, attacks, docs, bench; got $name" >&2
    exit 2
fi
. tools/dev/uv.sh
find_uv
if [ "$name" = bench ]; then
    "$UV" pip install -q --python "$venv/bin/python" -r requirements/bench.txt
    touch "$venv/.bench"
    exit
fi
echo "set-up: creating $venv from requirements/$name.txt"
case $name in onedl | openmmlab) echo "set-up: about 3 GB of packages the first time" ;; esac
if ! "$UV" venv -q --clear --no-python-downloads --python "${PYTHON:->=3.11,<3.13}" "$venv"; then
    echo "set-up: need Python 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
fi
"$UV" pip install -q --python "$venv/bin/python" -r "requirements/$name.txt"
"$UV" pip install -q --python "$venv/bin/python" --no-deps -e .
touch "$venv/.ready"
