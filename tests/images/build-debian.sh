#!/bin/bash
#
# build-debian.sh - build a small, really bootable Debian disk image.
#
#   build-debian.sh [options] OUTPUT [SIZE]
#
#   OUTPUT              file to write (replaced if it exists)
#   SIZE                virtual size, truncate(1) syntax    [2G]
#   --fs FS             root filesystem: ext4, xfs, btrfs   [ext4]
#   --features LIST     features of ext4 for mkfs.ext4 -O, such as those that
#                       newer versions have by default
#   --suite SUITE       release of Debian                   [bookworm]
#   --label LABEL       partition table: gpt, dos           [gpt]
#   --esp               add an EFI system partition with GRUB (gpt only), so
#                       that UEFI firmware boots the image as well
#   --qcow2             write a compressed qcow2 instead of a sparse raw file
#   --hostname NAME     hostname baked into the image       [image]
#   --root-password PW  root password (default: root is locked)
#   --include PKG,...   further packages
#   --vendor            as vendors make it: no host name, machine id nor host keys,
#                       cloud-init without a datasource, sshd without passwords by
#                       its file and a drop-in, and of the network stacks netplan
#                       (without a file), systemd-networkd, systemd-resolved,
#                       NetworkManager and ifupdown, of which networkd and resolved
#                       are started. Debian 11 keeps the kernel's names of
#                       interfaces, as its cloud images do
#
# The image: BIOS + GRUB, the root filesystem as last partition, systemd,
# openssh-server (with host keys, so that deleting them can be tested),
# ifupdown with DHCP, and a login prompt on the first serial port and on tty1.
# With gpt, partition 1 is the BIOS boot partition and partition 2 the root, or
# with --esp, 2 the EFI system partition and 3 the root; with dos, partition 1
# is the root.
#
# Needs root, loop devices and a Debian-like host; installs what it misses.
# It does not need kernel support for partitions on loop devices.

set -euo pipefail

suite=bookworm features=''
fs=ext4 label=gpt esp=no qcow2=no hostname=image password='' include='' vendor=no

usage() { sed -n '3,27s/^# \{0,1\}//p' "$0"; exit "$1"; }
die()   { echo "${0##*/}: $*" >&2; exit 1; }

args=()
while [ $# -gt 0 ]; do
    case $1 in
        --fs)            fs=${2:?}; shift 2;;
        --features)      features=${2:?}; shift 2;;
        --suite)         suite=${2:?}; shift 2;;
        --label)         label=${2:?}; shift 2;;
        --hostname)      hostname=${2:?}; shift 2;;
        --root-password) password=${2:?}; shift 2;;
        --include)       include=${2:?}; shift 2;;
        --esp)           esp=yes; shift;;
        --vendor)        vendor=yes; shift;;
        --qcow2)         qcow2=yes; shift;;
        -h|--help)       usage 0;;
        -*)              die "unknown option $1";;
        *)               args+=("$1"); shift;;
    esac
done
case ${#args[@]} in 1|2) ;; *) usage 1;; esac
output=${args[0]} size=${args[1]:-2G}
case $fs in
    ext4)  progs=e2fsprogs;;
    xfs)   progs=xfsprogs;;
    btrfs) progs=btrfs-progs;;
    *)     die "unsupported filesystem $fs";;
esac
case $label in gpt|dos) ;; *) die "unsupported partition table $label";; esac
[ $esp = no ] || [ "$label" = gpt ] || die "--esp needs --label gpt"
[ "$(id -u)" = 0 ] || die "must run as root"

# -- host tools --------------------------------------------------------------

need=()
for pkg in mmdebstrap fdisk mount util-linux uuid-runtime "$progs"; do
    dpkg-query -W -f '${Status}' "$pkg" 2>/dev/null | grep -q ' installed$' ||
        need+=("$pkg")
done
[ $qcow2 = no ] || command -v qemu-img >/dev/null || need+=(qemu-utils)
[ $esp = no ] || command -v mcopy >/dev/null || need+=(mtools)
[ $esp = no ] || PATH=$PATH:/usr/sbin command -v mkfs.vfat >/dev/null || need+=(dosfstools)
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${need[@]}"
fi
PATH=$PATH:/usr/sbin:/sbin

# ship makes the root what vendors ship.
ship() {
    : >"$root/etc/hostname"
    : >"$root/etc/machine-id"
    printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
    printf 'source-directory /etc/network/interfaces.d\n' >"$root/etc/network/interfaces"
    rm -rf "$root"/etc/ssh/ssh_host_* "$root"/etc/netplan/* "$root"/var/lib/dbus/machine-id
    mkdir -p "$root/etc/netplan" "$root/etc/ssh/sshd_config.d"
    sed -i -e 's/^#*PasswordAuthentication .*/PasswordAuthentication no/' \
        -e 's/^#*PermitRootLogin .*/PermitRootLogin without-password/' "$root/etc/ssh/sshd_config"
    echo 'PasswordAuthentication no' >"$root/etc/ssh/sshd_config.d/60-cloudimg-settings.conf"
    chroot "$root" systemctl -q disable NetworkManager networking
    chroot "$root" systemctl -q enable systemd-networkd systemd-resolved
    ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
}

# -- disk, partition, filesystem ---------------------------------------------

raw=$output.building.$$
root='' loop=''
cleanup() {
    local rc=$?
    [ -z "$root" ] || { umount -R "$root" 2>/dev/null || :; rmdir "$root" || :; }
    [ -z "$loop" ] || losetup -d "$loop" || :
    [ $rc = 0 ] || rm -f "$raw" "$raw.esp"
}
trap cleanup EXIT

rm -f "$raw"
truncate -s "$size" "$raw"
uuid=$(uuidgen)

# All offsets in 512-byte sectors. GRUB's core image goes to the BIOS boot
# partition (gpt) or to the gap after the MBR (dos).
if [ "$label" = gpt ]; then
    core_lba=2048 esp_lba=4096 esp_sectors=0
    [ $esp = no ] || esp_sectors=32768
    root_lba=$((esp_lba + esp_sectors)) prefix=/boot/grub
    {   echo "label: gpt"
        echo "start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name=bios"
        [ $esp = no ] ||
            echo "start=$esp_lba, size=$esp_sectors, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp"
        echo "start=$root_lba, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root"
    } | sfdisk -q "$raw"
else
    core_lba=1 root_lba=2048 prefix=/boot/grub
    sfdisk -q "$raw" <<-END
	label: dos
	start=2048, type=83, bootable
	END
fi
root_sectors=$(sfdisk -l -q -o Sectors "$raw" | tail -n 1 | tr -d ' ')

loop=$(losetup --show -f -o $((root_lba * 512)) \
    --sizelimit $((root_sectors * 512)) "$raw")
case $fs in
    ext4)  mkfs.ext4 -q ${features:+-O "$features"} -L root -U "$uuid" "$loop";;
    xfs)   mkfs.xfs -q -L root -m uuid="$uuid" "$loop";;
    btrfs) mkfs.btrfs -q -L root -U "$uuid" "$loop";;
esac
root=$(mktemp -d)
mount "$loop" "$root"

# -- root filesystem ---------------------------------------------------------

pkgs=linux-image-cloud-amd64,systemd-sysv,dbus,udev,zstd,grub-pc-bin,grub2-common
pkgs+=,openssh-server,ifupdown,iproute2,netbase,$progs
case $suite in
    bullseye|bookworm|trixie) pkgs+=,isc-dhcp-client;;
    *)                        pkgs+=,dhcpcd-base;;
esac
if [ $vendor = yes ]; then
    pkgs+=,cloud-init,netplan.io,network-manager,libnss-myhostname,iputils-ping
    [ "$suite" = bullseye ] || pkgs+=,systemd-resolved
fi
[ $esp = no ] || pkgs+=,grub-efi-amd64-bin
[ -z "$include" ] || pkgs+=,$include

# The Release file of testing is valid for a week only, and the security archive of
# bullseye is not complete any more.
mirrors=()
[ "$suite" != bullseye ] || mirrors=("deb http://deb.debian.org/debian $suite main")
mmdebstrap --quiet --mode=root --variant=minbase --include="$pkgs" \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='force-unsafe-io' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$root" "${mirrors[@]}"

kernel=$(basename "$root"/boot/vmlinuz-*)
version=${kernel#vmlinuz-}
[ -e "$root/boot/initrd.img-$version" ] || die "no initramfs for $version"

echo "$hostname" > "$root/etc/hostname"
cat > "$root/etc/hosts" <<-END
	127.0.0.1	localhost
	127.0.1.1	$hostname
	::1		localhost ip6-localhost ip6-loopback
	END
case $fs in
    ext4) opts=errors=remount-ro pass=1;;
    *)    opts=defaults pass=0;;
esac
echo "UUID=$uuid / $fs $opts 0 $pass" > "$root/etc/fstab"
mkdir -p "$root/etc/network"
cat > "$root/etc/network/interfaces" <<-END
	auto lo
	iface lo inet loopback

	allow-hotplug eth0
	iface eth0 inet dhcp
	END
[ $vendor = no ] || ship
[ -z "$password" ] || chroot "$root" chpasswd <<<"root:$password"

# -- boot loader -------------------------------------------------------------

names=' net.ifnames=0'
[ $vendor = no ] || [ "$suite" = bullseye ] || names=''
cmdline="ro$names console=tty0 console=ttyS0,115200n8"
mkdir -p "$root/boot/grub/i386-pc" "$root/etc/default"
cat > "$root/etc/default/grub" <<-END
	GRUB_DEFAULT=0
	GRUB_TIMEOUT=0
	GRUB_DISTRIBUTOR=Debian
	GRUB_CMDLINE_LINUX_DEFAULT=""
	GRUB_CMDLINE_LINUX="${names# } console=tty0 console=ttyS0,115200n8"
	GRUB_TERMINAL="console serial"
	END
cat > "$root/boot/grub/grub.cfg" <<-END
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	set timeout=0
	set default=0
	search --no-floppy --fs-uuid --set=root $uuid
	menuentry "Debian GNU/Linux" {
	    linux /boot/vmlinuz-$version root=UUID=$uuid $cmdline
	    initrd /boot/initrd.img-$version
	}
	END
cp "$root"/usr/lib/grub/i386-pc/*.{mod,lst} "$root/boot/grub/i386-pc/"

# Find the root by UUID, so that it may be moved or renumbered.
grub_fs=$fs
[ "$fs" != ext4 ] || grub_fs=ext2
tmp=/boot/grub/i386-pc
cat > "$root$tmp/load.cfg" <<-END
	search.fs_uuid $uuid root
	set prefix=(\$root)/boot/grub
	END
chroot "$root" grub-mkimage -O i386-pc -o $tmp/core.img -c $tmp/load.cfg \
    -p "$prefix" biosdisk part_gpt part_msdos "$grub_fs" search_fs_uuid
core=$root$tmp/core.img
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root$tmp/boot.img"
bytes=$(stat -c %s "$core")
[ $((bytes / 512)) -lt 2000 ] || die "GRUB core image too large: $bytes"

# What grub-install would do: tell boot.img where core.img starts (at 0x5c,
# 64-bit) and core.img's first sector where its remainder is (at 0x1f4).
le64() {
    local n=$1 hex=''
    while [ ${#hex} -lt 32 ]; do
        hex+=$(printf '\\x%02x' $((n & 255)))
        n=$((n >> 8))
    done
    printf '%b' "$hex"
}
put() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
le64 $core_lba       | put "$root$tmp/boot.img" $((0x5c))
printf '\x90\x90'    | put "$root$tmp/boot.img" $((0x66))
le64 $((core_lba + 1)) | put "$core" $((0x1f4))
dd if="$root$tmp/boot.img" of="$raw" bs=440 count=1 conv=notrunc status=none
dd if="$core" of="$raw" bs=512 seek=$core_lba conv=notrunc status=none

# For UEFI: one self-contained GRUB on a FAT file system, which is made with
# mtools because the building kernel may lack vfat.
if [ $esp = yes ]; then
    chroot "$root" grub-mkimage -O x86_64-efi -o $tmp/bootx64.efi -c $tmp/load.cfg \
        -p "$prefix" part_gpt fat "$grub_fs" search search_fs_uuid normal \
        configfile linux serial terminal echo boot
    fat=$raw.esp
    rm -f "$fat"
    mkfs.vfat -C -F 16 -n ESP "$fat" $((esp_sectors / 2)) >/dev/null
    mmd -i "$fat" ::/EFI ::/EFI/BOOT
    mcopy -i "$fat" "$root$tmp/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
    dd if="$fat" of="$raw" bs=1M seek=$((esp_lba * 512)) oflag=seek_bytes \
        conv=notrunc status=none
    rm "$fat" "$root$tmp/bootx64.efi"
fi

# -- finish ------------------------------------------------------------------

rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
sync -f "$root"
fstrim "$root" 2>/dev/null || :
umount "$root"; rmdir "$root"; root=
losetup -d "$loop"; loop=

if [ $qcow2 = yes ]; then
    qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd "$raw" "$output"
    rm "$raw"
else
    mv "$raw" "$output"
fi
echo "$output: $label, $fs root $uuid, Linux $version, $(du -h "$output" | cut -f1) on disk"
