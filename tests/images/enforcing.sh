#!/bin/bash
#
# enforcing.sh - print the path of a Debian image with SELinux enforcing, building it when
# need be.
#
#   enforcing.sh [options of build-debian.sh] [SIZE]
#
# The image is one of debian.sh with Debian's policy as it is, all files labelled, and the
# kernel told to use it.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
base=$("$here/debian.sh" --include selinux-policy-default,policycoreutils "$@")
image=${base%.raw}-enforcing-$(sha256sum <"$0" | cut -c -8).raw
exec 9>"$image.lock"
flock 9
[ ! -e "$image" ] || { echo "$image"; exit; }

PATH=$PATH:/usr/sbin:/sbin
root='' loop=''
cleanup() {
    [ -z "$root" ] || { umount "$root" || :; rmdir "$root"; }
    [ -z "$loop" ] || losetup -d "$loop" || :
    rm -f "$image.building"
}
trap cleanup EXIT

cp --sparse=always "$base" "$image.building"
start=$(sfdisk -l -q -o Start "$image.building" | tail -n 1)
sectors=$(sfdisk -l -q -o Sectors "$image.building" | tail -n 1)
loop=$(losetup --show -f -o $((start * 512)) --sizelimit $((sectors * 512)) "$image.building")
root=$(mktemp -d)
mount "$loop" "$root"

sed -i 's/^SELINUX=.*/SELINUX=enforcing/' "$root/etc/selinux/config"
sed -i '/^ *linux /s/$/ security=selinux selinux=1/' "$root/boot/grub/grub.cfg"
# setfiles sets labels by way of /proc.
# shellcheck disable=SC2016 # the inner shell expands $1
unshare -m sh -c 'mount -t proc proc "$1/proc" && chroot "$1" setfiles -m -F -e /proc \
    /etc/selinux/default/contexts/files/file_contexts /' sh "$root" >&2

umount "$root"; rmdir "$root"; root=
losetup -d "$loop"; loop=
mv "$image.building" "$image"
echo "$image"
