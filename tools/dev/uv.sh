# Sourced: sets UV to a uv, from PATH or freshly installed from the package index into .venv-uv.
find_uv() {
    if command -v uv >/dev/null 2>&1; then
        UV=uv
        return
    fi
    UV=.venv-uv/bin/uv
    [ -x "$UV" ] && return
    local python
    for python in python3 python3.12 python3.11; do
        command -v "$python" >/dev/null 2>&1 || continue
        if "$python" -m venv .venv-uv >/dev/null 2>&1 && .venv-uv/bin/python -m pip install -q uv; then
            return
        fi
        # no ensurepip, as in Debian without python3-venv: let the system's pip put uv there
        rm -rf .venv-uv
        "$python" -m pip install -q --target .venv-uv uv 2>/dev/null && [ -x "$UV" ] && return
    done
    rm -rf .venv-uv
    echo "set-up: found no uv and could not install it: need uv, or a python3 with venv and pip" >&2
    return 1
}
