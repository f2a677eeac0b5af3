#!/bin/sh
# Builds the fuzz targets and runs them from their seeds, FUZZ_JOBS at a time,
# FUZZ_SECONDS each. Prints one line a target; the input that breaks one is left
# in fuzz/crashes. With a FUZZ_SEED the same inputs are tried in each run, else
# others.
#
#   fuzz/run.sh [TARGET...]
set -eu
cd "$(dirname "$0")"

out=${CARGO_TARGET_DIR:-target}
seconds=${FUZZ_SECONDS:-20}

# The longest input in bytes that is tried.
longest() {
    case $1 in
        input) echo 128 ;;
        decide) echo 512 ;;
        request | reply | import_database) echo 16384 ;;
        picture) echo 65536 ;;
        *) echo 4096 ;;
    esac
}

run() {
    corpus=$out/corpus${FUZZ_SEED:+-$FUZZ_SEED}/$1 log=$out/corpus/$1.log
    # What was found in earlier runs is kept, but where the same is to be tried again.
    [ -z "${FUZZ_SEED:-}" ] || rm -rf "$corpus"
    mkdir -p "$corpus" "$out/corpus" crashes
    code=0
    "$(ls "$out"/*/release/"$1")" "$corpus" "seeds/$1" -artifact_prefix="crashes/$1-" -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" \
        -max_len="$(longest "$1")" -rss_limit_mb=512 -timeout=10 -print_final_stats=1 >"$log" 2>&1 || code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-16s %10s runs  coverage %5s  %4s s  ' "$1" "${runs:-?}" "${cover:-?}" "$seconds"
    [ "$code" -eq 0 ] && { echo ok; return; }
    echo FAILED
    grep -a -A 4 -e 'panicked at' -e 'ERROR: libFuzzer' -e 'Test unit written to' "$log" >&2 || tail -n 20 "$log" >&2
    exit 1
}

if [ "${1:-}" = --one ]; then
    run "$2"
    exit
fi

# Flags from outside would replace those of .cargo/config.toml.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
"${CARGO:-cargo}" build --locked --release --bins
[ $# -gt 0 ] || set -- $(basename -s .rs -a src/bin/*.rs)
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -n 1 ./run.sh --one
