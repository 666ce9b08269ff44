#!/usr/bin/env bash
# Write requirements/{onedl,openmmlab}.txt anew from setup.py's extras: exact versions for Python 3.11 and 3.12.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/dev/uv.sh
find_uv
for stack in onedl openmmlab; do
    "$UV" pip compile -q setup.py "requirements/extra-$stack.in" --extra "$stack" --extra dev --universal --python-version 3.11 \
        --override requirements/overrides.in --custom-compile-command 'make lock' -o "requirements/$stack.txt"
done
