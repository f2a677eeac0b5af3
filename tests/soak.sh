#!/bin/sh
# Runs the suites with rounds again and again for SOAK_MINUTES, OATHGATE_ROUNDS
# each time, then every fuzz target for FUZZ_SECONDS. A suite that has begun
# comes to its end. Prints one line a suite; the output of one that fails is
# shown, and nothing runs after it.
#
#   tests/soak.sh [SUITE...]      a suite is PACKAGE:TEST[:FILTER]
set -eu
cd "$(dirname "$0")/.."

minutes=${SOAK_MINUTES:-60}
export OATHGATE_ROUNDS="${OATHGATE_ROUNDS:-300}"
out=${CARGO_TARGET_DIR:-target}/soak
cargo=${CARGO:-cargo}
end=$(($(date +%s) + minutes * 60))

[ $# -gt 0 ] || set -- otp_service:kill oathgate_tests:faults:kill oathgate_tests:faults:disk oathgate_tests:faults:memory \
    oathgate_tests:faults:descriptors oathgate_tests:faults:read_only oathgate_tests:flood \
    oathgate_tests:forced_command:races oathgate_tests:pam_sshd:races otp_store:store otp_service:program:of_many

run() {
    package=${1%%:*} rest=${1#*:}
    test=${rest%%:*} filter=${rest#"$test"}
    log=$out/$(printf %s "$1" | tr : -).log
    begun=$(date +%s)
    printf '%s  %3d min left  %-36s ' "$(date +%H:%M:%S)" $(((end - begun) / 60)) "$1"
    if "$cargo" test --locked --package "$package" --test "$test" -- ${filter#:} --nocapture >"$log" 2>&1; then
        printf '%5d s  ok\n' $(($(date +%s) - begun))
    else
        echo FAILED
        tail -n 60 "$log" >&2
        exit 1
    fi
}

mkdir -p "$out"
pass=0
while [ "$(date +%s)" -lt "$end" ]; do
    pass=$((pass + 1))
    for suite; do
        [ "$(date +%s)" -lt "$end" ] || break
        run "$suite"
    done
done
echo "$pass passes, $OATHGATE_ROUNDS rounds each"
FUZZ_SECONDS=${FUZZ_SECONDS:-600} CARGO="$cargo" fuzz/run.sh
