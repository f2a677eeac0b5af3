#!/bin/sh
# Installs what the named step needs and the machine lacks: as root by apt,
# otherwise it says which packages are missing.
#
#   pkg/dependencies.sh build|demo|bench|fuzz|test|vm
set -eu

build="gcc libc6-dev libpam0g-dev libcryptsetup-dev pkg-config"
demo="$build openssh-server openssh-client"
bench="$demo libpam-google-authenticator libpam-oath strace cryptsetup-bin bubblewrap"
fuzz="$build g++"   # libFuzzer is C++
test="$demo cryptsetup-bin systemd g++ make binutils rsync git zbar-tools gdb util-linux man-db strace bubblewrap \
libpam-google-authenticator libpam-oath libfaketime \
login sudo nginx libnginx-mod-http-auth-pam valgrind \
zsh tcsh fish ksh mosh sshfs borgbackup ansible-core python3-paramiko python3-cryptography"
vm="$build qemu-system-x86 mmdebstrap e2fsprogs cryptsetup-bin util-linux"

case "${1:-}" in
    build) wanted=$build ;;
    demo) wanted=$demo ;;
    bench) wanted=$bench ;;
    test) wanted=$test ;;
    fuzz) wanted=$fuzz ;;
    vm) wanted=$vm ;;
    *) echo "usage: pkg/dependencies.sh build|demo|bench|fuzz|test|vm" >&2; exit 2 ;;
esac

if ! command -v cargo >/dev/null; then
    echo "error: cargo is missing" >&2
    echo "hint: install Rust with rustup (https://rustup.rs), then try again" >&2
    exit 1
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    case "$state" in ii*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "error: these packages are missing:$missing" >&2
    echo "hint: sudo apt-get install$missing" >&2
    exit 1
fi

echo "Installing$missing"
# The servers that come along are not to be started: we start our own on loopback.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of packages
apt-get -qq install -y --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends $missing >/dev/null
}
