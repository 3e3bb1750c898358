#!/usr/bin/env bash
# What the workspace needs before anything is built: a C compiler (for the TLS library), the pinned Rust toolchain, and
# Python with venv. Installs what is missing where it may, and says what to do where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."

# Installs Debian packages where there is apt and the right to use it.
packages() {
    local as=()
    if ! command -v apt-get >/dev/null; then
        echo "setup: install these with your system's package manager: $*" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || { echo "setup: install these as an administrator: $*" >&2; return 1; }
        as=(sudo -n)
    fi
    "${as[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "$@"
}

command -v cc >/dev/null || packages gcc libc6-dev
command -v python3 >/dev/null || packages python3 python3-venv
python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3-venv

if ! command -v cargo >/dev/null; then
    echo "setup: install a Rust toolchain first (rustup), then run this again" >&2
    exit 1
fi
# rust-toolchain.toml pins the version; rustup installs it unless it was told not to.
cargo --version >/dev/null 2>&1 || rustup toolchain install
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# Go's own packages of the checksum database read a ledger in stage clients, and are a witness and a log there; without them those
# cases are skipped.
[ -d /usr/share/gocode/src/golang.org/x/mod/sumdb ] || packages golang-golang-x-mod-dev ||
    echo "setup: no golang-golang-x-mod-dev here: Go's packages do not read the ledger in stage clients" >&2
