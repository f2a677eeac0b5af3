#!/bin/sh
# Makes the guest of `make test-vm` in the folder OUT, unless it is there:
# a minimal Debian with its own kernel (root.img, vmlinuz, initrd.img), and its
# root volume once more in LUKS2 (encrypted.img), from the sources that this
# machine's apt knows. Takes a minute; as root.
#
#   tests/vm/image.sh OUT
set -eu
out=$(realpath -m "$1")
cd "$(dirname "$0")"
suite=bookworm
packages=systemd-sysv,udev,kmod,linux-image-cloud-amd64,initramfs-tools,busybox,lz4
packages=$packages,e2fsprogs,openssh-server,openssh-client,cryptsetup-bin,cryptsetup-initramfs

# Whatever this script and the files for the root volume say, the image is made of.
recipe=$(find image.sh root -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum)
[ "$(cat "$out/recipe" 2>/dev/null)" = "$recipe" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "error: the guest's image is missing or old, and only root can make it" >&2
    echo "hint: sudo tests/vm/image.sh $out" >&2
    exit 1
fi

echo "Making the guest's image in $out; the log is image.log there"
rm -rf "$out/root" "$out/recipe"
mkdir -p "$out"

# Nothing here waits for the network, looks after itself or shows a login.
quiet="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
    fstrim.timer systemd-networkd.service systemd-timesyncd.service systemd-pstore.service getty-static.service getty@tty1.service
    systemd-random-seed.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount
    dev-hugepages.mount dev-mqueue.mount systemd-sysctl.service"

# From here on everything goes to the log, whose end is shown when something fails.
exec 3>&2 >"$out/image.log" 2>&1
trap '[ -e "$out/recipe" ] || tail -n 20 "$out/image.log" >&3' EXIT

# Debian's archives, without what else this machine is fed from.
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | grep " $suite" | sort -u >"$out/sources.list" || true
if [ ! -s "$out/sources.list" ]; then
    echo "error: apt knows no source of Debian $suite"
    echo "hint: add one to /etc/apt/sources.list.d, then: apt-get update"
    exit 1
fi
mmdebstrap --mode=root --variant=minbase --format=directory --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --extract-hook='cp -r root/. "$1"' \
    --customize-hook="chroot \"\$1\" systemctl --quiet mask $(echo $quiet)" \
    --customize-hook='chroot "$1" systemctl --quiet enable scenario.service' \
    --customize-hook='chroot "$1" systemctl --quiet disable ssh.service' \
    --customize-hook='chroot "$1" passwd --quiet --delete root' \
    --customize-hook='echo guest >"$1/etc/hostname"' \
    "$suite" "$out/root" - <"$out/sources.list"
cp "$out"/root/boot/vmlinuz-* "$out/vmlinuz"
cp "$out"/root/boot/initrd.img-* "$out/initrd.img"
rm -f "$out/root.img" "$out/encrypted.img"
mkfs.ext4 -q -L root -E lazy_itable_init=0 -d "$out/root" "$out/root.img" 1G
# Encrypted here, without device mapper: an emulated processor takes minutes for it.
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0 -d "$out/root" "$out/encrypted.img" 480M
truncate -s +32M "$out/encrypted.img"
printf 'the old passphrase' | cryptsetup reencrypt --encrypt --type luks2 --reduce-device-size 32M \
    --batch-mode --key-file - --sector-size 4096 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$out/encrypted.img"
rm -rf "$out/root"
echo "$recipe" >"$out/recipe"
