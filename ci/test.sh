#!/usr/bin/env bash
# The gate of main, stage by stage: `make test`. Every stage runs even where an earlier one failed; the end shows the
# minutes of each and one closing line, and the exit code is 1 where anything failed. Logs are kept in target/ci.
#
# With names of stages as arguments, only those run.
# ELEVEN_LONG=1 (`make test-long`) asks the tests for more cases and the fuzz targets for ten minutes each.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export PYTHONDONTWRITEBYTECODE=1
export ELEVEN_BIN="$PWD/target/debug/eleven"
if [ -n "${ELEVEN_LONG:-}" ]; then
    export ELEVEN_LONG PROPTEST_CASES="${PROPTEST_CASES:-5000}"
fi

readonly logs=target/ci
readonly python="$PWD/.venv/bin/python"
readonly nothing=77
report=()
passed=0
failed=0
skipped=0
running=""

# Whoever ends the script ends what it started.
trap '[ -z "$running" ] || kill -TERM -- "-$running" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

# --- what stages are made of ------------------------------------------------------------------------------------------

# Ends a stage that has nothing to run on this machine. The reason is shown in the table at the end.
skip() {
    echo "skipped: $*"
    exit "$nothing"
}

# Runs a command in its own process group for at most $1 seconds, and ends whatever of that group is left over.
bounded() (
    seconds=$1
    shift
    group=""
    trap '[ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null || true' EXIT
    trap 'exit 130' INT TERM
    timeout --kill-after=10 "$seconds" "$@" &
    group=$!
    wait "$group"
)

# Runs one stage, prints what it prints, and keeps its minutes and its result for the end: the numbers, and whatever did not
# run and why.
stage() { # name
    local name=$1 begun=$EPOCHREALTIME log status=0 p f s minutes
    log="$logs/$name.log"
    printf '\n=== %s\n' "$name"
    # A job of its own, so that the script can end it as a whole; and not a condition, where `set -e` would not hold.
    set -m
    { set +e; (set -euo pipefail; "$name") 2>&1; echo $? >"$log.status"; } | tee "$log" &
    set +m
    running=$(jobs -p %%)
    wait
    running=""
    status=$(cat "$log.status")
    rm "$log.status"
    minutes=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", (b - a) / 60 }')
    if [ "$status" -eq "$nothing" ]; then
        p=0 f=0 s=1
    else
        read -r p f s < <(awk -v status="$status" -f ci/count.awk "$log")
    fi
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
    report+=("$(printf '%-16s %7s  %d passed, %d failed, %d skipped' "$name" "$minutes" "$p" "$f" "$s")")
    report+=("$({ grep -aE '^skip(ped)?[: ]' "$log" || true; } | sed 's/^/                          /')")
}

# --- the stages -------------------------------------------------------------------------------------------------------

format() {
    cargo fmt --all --check
}

clippy() {
    cargo clippy --locked --workspace --all-targets -- -D warnings
}

# What proofs are made and verified by, on a processor of another kind: checking it needs no linker of that one's.
arm() {
    local target=aarch64-unknown-linux-gnu
    bounded 300 rustup target add "$target" >"$logs/arm-target.log" 2>&1 ||
        skip "the standard library of $target is not here and could not be had"
    cargo clippy --locked --target "$target" -p eleven-core -p eleven-verify -- -D warnings
}

# Licences, bans and sources need no network. Advisories need their database; where that can't be had, they are skipped.
deny() {
    bounded 1200 ci/tool.sh cargo-deny || skip "cargo-deny is not here and could not be installed"
    PATH="$PWD/target/tools/bin:$PATH"
    cargo deny --all-features --locked check --hide-inclusion-graph bans licenses sources
    if ! bounded 60 cargo deny --all-features --locked fetch db >"$logs/advisories.log" 2>&1; then
        echo "skipped: advisories, whose database can't be fetched from here ($logs/advisories.log)"
        echo "1 passed, 0 failed, 1 skipped"
        return 0
    fi
    cargo deny --all-features --locked check --disable-fetch advisories
    echo "2 passed, 0 failed"
}

# Tests and binaries in one profile and with one set of features, so that dependencies are built once for all that follows. What
# stage environment makes of downloads is begun beside it: where that fails, the stage says why.
build() {
    local bad=0
    [[ " ${asked[*]} " != *" environment "* ]] || ci/venv.sh >"$logs/environment-begun.log" 2>&1 &
    cargo build --locked --workspace --bins --tests || bad=1
    wait
    return "$bad"
}

# Each test in a process of its own, ended when it hangs (.config/nextest.toml). Where nextest can't be had, all tests of a
# binary share a process, and what hangs is ended with the stage.
rust() {
    local seconds=3600
    [ -z "${ELEVEN_LONG:-}" ] || seconds=14400
    bounded 1200 ci/tool.sh cargo-nextest || true
    PATH="$PWD/target/tools/bin:$PATH"
    # What these tests can't show here they pass over, and the runner does not print what passes.
    if ! grep -qw avx512ifma /proc/cpuinfo; then
        echo "skipped: signatures in eight lanes, for which this processor has no AVX-512 IFMA"
        echo "0 passed, 0 failed, 1 skipped"
    fi
    if [ -r /sys/kernel/security/lsm ] && ! grep -qw landlock /sys/kernel/security/lsm; then
        echo "skipped: the confinement of corners, for which this kernel has no Landlock"
        echo "0 passed, 0 failed, 1 skipped"
    fi
    if cargo nextest --version >/dev/null 2>&1; then
        bounded "$seconds" cargo nextest run --locked --workspace --no-fail-fast \
            --profile gate --test-threads "$((2 * $(nproc)))"
    else
        echo "cargo-nextest is not here: cargo test instead"
        bounded "$seconds" cargo test --locked --workspace --lib --bins --tests --no-fail-fast -- --test-threads=4
    fi
}

doctests() {
    cargo test --locked --workspace --doc --no-fail-fast
}

conformance() {
    bounded 300 "$ELEVEN_BIN" conformance vectors spec/vectors
}

environment() {
    local begun="$logs/environment-begun.log"
    [ ! -f "$begun" ] || { cat "$begun"; rm "$begun"; }
    ci/venv.sh
}

# What compares the two implementations takes about as long as all the rest, and each runs one thing after the other for most of it:
# side by side. What the rest prints is shown at its end, so that no line of it is broken by the other's.
python() {
    local file name compared=() others=() rest="$logs/python-rest.log" bad=0
    for file in sdk/python/tests/test_*.py; do
        name=tests.$(basename "$file" .py)
        case "$name" in
            tests.test_differential*) compared+=("$name") ;;
            *) others+=("$name") ;;
        esac
    done
    (cd sdk/python && "$python" -m unittest "${others[@]}") >"$rest" 2>&1 &
    (cd sdk/python && "$python" -m unittest "${compared[@]}") || bad=1
    wait "$!" || bad=1
    cat "$rest"
    (cd sdk/python && bounded 300 "$python" -m eleven_verify conformance ../../spec/vectors) || bad=1
    return "$bad"
}

# The demo is a test of everything together: it exits with 0 only where every outcome was the expected one. What it
# wrote is then verified by both implementations, which share no code.
demo() {
    rm -rf "$logs/demo"
    bounded 120 "$ELEVEN_BIN" demo --out "$logs/demo"
    local bundle
    for bundle in lineage denial; do
        "$ELEVEN_BIN" verify "$logs/demo/$bundle.proof.json" --root "$logs/demo/root.json"
        PYTHONPATH=sdk/python "$python" -m eleven_verify verify "$logs/demo/$bundle.proof.json" --root "$logs/demo/root.json"
    done
}

# Clients that others wrote. Each script starts what it needs from $ELEVEN_BIN, ends it, and closes with its numbers.
clients() {
    local scripts=(tests/clients/*.py) script bad=0
    for script in "${scripts[@]}"; do
        echo "--- $script"
        bounded 300 "$python" "$script" || bad=1
    done
    return "$bad"
}

# The cosignatures of the demo's witness, by a crate that others wrote; its own project, built apart.
cosignatures() {
    [ -f "$logs/demo/lineage.proof.json" ] || skip "the demo wrote no bundle"
    local project=tests/cosignatures/Cargo.toml said="$logs/cosignatures-fetch.log"
    # What it brings along can't be had on every machine. What is there has to build.
    if ! bounded 300 cargo fetch --locked --manifest-path "$project" >"$said" 2>&1; then
        ! grep -F -e '--locked was passed' "$said" || return 1
        skip "metamorphic-log can't be fetched from here ($said)"
    fi
    bounded 600 cargo build --quiet --locked --offline --manifest-path "$project" --target-dir target/cosignatures
    bounded 60 target/cosignatures/debug/eleven-cosignatures "$logs/demo/lineage.proof.json" "$logs/demo/root.json"
}

# The units of deploy/systemd as systemd reads them, with the binary that was built in the place of the installed one.
units() {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    rm -rf "$logs/units"
    mkdir -p "$logs/units"
    cp deploy/systemd/eleven* "$logs/units"
    sed -i "s|^ExecStart=/usr/local/bin/eleven |ExecStart=$ELEVEN_BIN |" "$logs"/units/*.service
    # What is named there for whoever needs it is read, too.
    sed -i 's|^#LoadCredential=|LoadCredential=|' "$logs"/units/*.service
    local said="$logs/units/said"
    bounded 60 systemd-analyze verify "$logs"/units/*.service "$logs"/units/*.socket "$logs"/units/*.target >"$said" 2>&1 \
        || { cat "$said"; return 1; }
    cat "$said"
    # What it does not know it ignores, and ends well.
    ! grep -E 'Unknown|Failed to parse' "$said" >/dev/null || return 1
    # systemd gives up on what falls often, and then closes its socket, unless it is told not to.
    local unit
    for unit in "$logs"/units/*.service; do
        grep -qx 'StartLimitIntervalSec=0' "$unit" || { echo "$unit"; return 1; }
    done
    for unit in "$logs"/units/*.socket; do
        grep -qx 'TriggerLimitIntervalSec=0' "$unit" || { echo "$unit"; return 1; }
    done
    # The page names as credentials what the units hand over.
    local name names
    names=$(grep -oE '/run/credentials/eleven-[a-z]+\.service/[a-z.]+' deploy/systemd/README.md | sort -u)
    for name in $names; do
        grep -qx "LoadCredential=${name##*/}:/etc/eleven/.*" "$logs/units/$(basename "$(dirname "$name")")" \
            || { echo "no unit hands over $name"; return 1; }
    done
}

# A guided fuzzer where there is one. The seeded mutator over the same inputs is an ordinary test and always runs.
fuzz() {
    cargo +nightly --version >/dev/null 2>&1 || skip "no nightly toolchain; the seeded mutator ran in stage rust"
    # It takes a build of all dependencies of its own, ten minutes on two cores: got by whoever has asked for more.
    [ -z "${ELEVEN_LONG:-}" ] || bounded 1200 ci/tool.sh cargo-fuzz || true
    PATH="$PWD/target/tools/bin:$PATH"
    cargo +nightly fuzz --version >/dev/null 2>&1 ||
        skip "no cargo-fuzz here, which \`make test-long\` gets; the seeded mutator ran in stage rust"
    local targets target seconds=10
    [ -z "${ELEVEN_LONG:-}" ] || seconds=600
    # A list that can't be had ends the stage; in the head of the loop it would be a list of nothing.
    targets=$(cargo +nightly fuzz list)
    [ -n "$targets" ] || { echo "no targets"; return 1; }
    for target in $targets; do
        echo "--- $target"
        bounded $((seconds + 1200)) cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=1024
    done
}

# --- all of them, in order --------------------------------------------------------------------------------------------

readonly stages=(format clippy arm deny build rust doctests conformance environment python demo cosignatures clients units fuzz)
for name in "$@"; do
    [[ " ${stages[*]} " == *" $name "* ]] || { echo "no stage '$name'; there are: ${stages[*]}" >&2; exit 2; }
done
[ $# -gt 0 ] || set -- "${stages[@]}"
readonly asked=("$@")

ci/setup.sh
mkdir -p "$logs"
for name in "$@"; do
    stage "$name"
done

printf '\n%-16s %7s\n' stage minutes
printf '%s\n' "${report[@]}" | sed '/^$/d'
printf '%-16s %7s\n' all "$(awk -v s="$SECONDS" 'BEGIN { printf "%.2f", s / 60 }')"
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
