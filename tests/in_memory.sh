#!/bin/sh
# Runs a command with its temporary files in memory, if root runs it: on a disk
# that others write to, an fsync takes seconds at times. Who waits for it is
# refused, rightly, and a test that expects a login fails.
#
#   tests/in_memory.sh COMMAND [ARGUMENT...]
set -eu
size=6g   # at most; the suites take a part of it

# Nobody else sees the mount, and it ends with the last process inside.
if [ "${1:-}" = --mount ]; then
    mount -t tmpfs -o "mode=1777,size=$size" oathgate "$TMPDIR"
    shift
    exec "$@"
fi

if [ "$(id -u)" != 0 ] || ! unshare --mount mount -t tmpfs oathgate /tmp 2>/dev/null; then
    exec "$@"
fi
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rmdir "$TMPDIR"' EXIT
trap 'exit 130' INT TERM
unshare --mount sh "$0" --mount "$@"
