#!/usr/bin/env bash
# Make the environment that `make` uses: setup_env.sh onedl|openmmlab|bench VENV
set -euo pipefail
cd "$(dirname "$0")/../.."
stack=$1 venv=$2
if [ ! -f "requirements/$stack.txt" ]; then
    echo "set-up: STACK must be onedl or openmmlab, got $stack" >&2
    exit 2
fi
. tools/dev/uv.sh
find_uv
if [ "$stack" = bench ]; then
    "$UV" pip install -q --python "$venv/bin/python" -r requirements/bench.txt
    touch "$venv/.bench"
    exit
fi
echo "set-up: making $venv with requirements/$stack.txt (about 3 GB of packages the first time)"
if ! "$UV" venv -q --clear --no-python-downloads --python "${PYTHON:->=3.11,<3.13}" "$venv"; then
    echo "set-up: need Python 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
fi
"$UV" pip install -q --python "$venv/bin/python" -r "requirements/$stack.txt"
"$UV" pip install -q --python "$venv/bin/python" --no-deps -e .
touch "$venv/.ready"
