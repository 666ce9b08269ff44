#!/usr/bin/env bash
# Write requirements/{owner,attacks,docs,onedl,openmmlab}.txt anew: exact versions for Python 3.11 and 3.12.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/dev/uv.sh
find_uv
lock() {
    local out=$1
    shift
    "$UV" pip compile -q "$@" --universal --python-version 3.11 --custom-compile-command 'make lock' -o "requirements/$out.txt"
}
lock owner setup.py requirements/test.in
lock attacks setup.py requirements/test.in requirements/judges.in --extra attacks -c requirements/owner.txt
lock docs requirements/docs.in
for stack in onedl openmmlab; do
    lock "$stack" setup.py "requirements/extra-$stack.in" --extra "$stack" --extra dev --override requirements/overrides.in
done
