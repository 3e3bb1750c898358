#!/usr/bin/env bash
# Makes sure that a cargo tool of the pinned version is there: on the path, or built once into target/tools. Unoptimised,
# since it works for seconds: each is built in some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1
parts=()
case "$tool" in
    cargo-deny) version=0.20.2 ;;
    # Without what replaces it by a newer version.
    cargo-nextest) version=0.9.143 parts=(--no-default-features --features default-no-update) ;;
    *) echo "tool: $tool is not one of ours" >&2; exit 2 ;;
esac

PATH="$PWD/target/tools/bin:$PATH"
# "cargo-deny 0.20.2", "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)"
if read -r _ found _ < <("$tool" --version 2>/dev/null) && [ "$found" = "$version" ]; then
    exit 0
fi
echo "$tool $version is not here, building it into target/tools"
CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_PANIC=unwind \
    cargo install "$tool" "${parts[@]}" --version "=$version" --locked --quiet --root target/tools --target-dir target/tools/build
rm -rf target/tools/build
