#!/bin/bash
#
# relayout.sh - print the path of a Debian image with another layout than its base.
#
#   relayout.sh BASE LAYOUT
#
#   BASE    image that build-debian.sh made, on ext4, with lvm2 for the layout lvm
#   LAYOUT  xfs              GPT; the root on XFS
#           btrfs            GPT; the root is the top level of btrfs
#           btrfs-subvolume  GPT; the root is the subvolume @rootfs
#           btrfs-snapshot   GPT; the root is the default subvolume, a snapshot as openSUSE
#                            makes it, /home and /.snapshots are others; quota groups, and
#                            a swap file
#           lvm              GPT; /boot on ext4, the root on XFS on LVM
#           usr              GPT; /boot, /usr and the root on ext4 each
#           none             no table; ext4 on the whole disk, GRUB in its boot blocks
#           logical          MBR; a data partition, and the root in a logical one
#           extlinux         no table; ext4 as EXTLINUX can read it, with EXTLINUX: a dump of one
#                            partition
#
# The image boots by BIOS. It is kept in build/images under a name that stands for base,
# layout and this script. Needs root, loop devices and lvm2, no device mapper.

set -euo pipefail

[ $# = 2 ] || { sed -n '3,22s/^# \{0,1\}//p' "$0" >&2; exit 2; }
base=$1 layout=$2
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/build/images
key=$({ cat "$here/relayout.sh"; printf '%s\n' "${base##*/}" "$layout"; } | sha256sum | cut -c -12)
image=$cache/layout-$layout-$key.raw
mkdir -p "$cache"
exec 9>"$image.lock"
flock 9
if [ -e "$image" ]; then echo "$image"; exit; fi
exec 3>&1 >&2 # standard output is for the path alone

raw=$image.building work=$(mktemp -d)
mounts=() loops=()
cleanup() {
    local rc=$? i
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}" 2>/dev/null || :; done
    for i in "${loops[@]}"; do losetup -d "$i" 2>/dev/null || :; done
    rm -rf --one-file-system "$work"
    [ $rc = 0 ] || rm -f "$raw"
}
trap cleanup EXIT

# part FILE FIRST_MIB MIB sets $loop to a loop device of a part of a file.
part() {
    loop=$(losetup --show -f -o $(($2 << 20)) --sizelimit $(($3 << 20)) "$1" 9>&-)
    loops+=("$loop")
}

attach() { mkdir -p "$3"; mount -t "$1" "$2" "$3"; mounts+=("$3"); }

# -- table and file systems ----------------------------------------------------

data=0FC63DAF-8483-4772-8E79-3D69D8477DE4 bios=21686148-6449-6E6F-744E-656564454649
fs=ext4 boot='' usr='' root_at=2 root_mib=1398 core_lba=2048 cmdline='' prefix=/boot features=''
table="label: gpt
start=1MiB, size=1MiB, type=$bios"
case $layout in
    xfs)              fs=xfs;;
    btrfs)            fs=btrfs;;
    btrfs-subvolume)  fs=btrfs cmdline=' rootflags=subvol=@rootfs' prefix=/@rootfs/boot;;
    btrfs-snapshot)   fs=btrfs prefix=/@/.snapshots/1/snapshot/boot;;
    lvm)              fs=xfs boot=2 root_at=258 root_mib=1400 prefix='' table+=$'\n'"size=256MiB, type=$data";;
    usr)              boot=2 usr=258 root_at=1258 root_mib=400 prefix=''
                      table+=$'\n'"size=256MiB, type=$data"$'\n'"size=1000MiB, type=$data";;
    none | extlinux)  table='' root_at=0 root_mib=1400;;
    logical)          core_lba=1 root_at=66
                      table=$'label: dos\nstart=2048, size=63MiB, type=83\ntype=5\nstart=66MiB, type=83, size=1398MiB';;
    *)                echo "${0##*/}: unknown layout $layout" >&2; exit 2;;
esac
if [ "$layout" = extlinux ]; then features=^64bit,^metadata_csum; fi
rm -f "$raw"
truncate -s $((root_at + root_mib + 1))M "$raw"
if [ -z "$table" ]; then truncate -s ${root_mib}M "$raw"; fi
case $layout in lvm) kind=E6D6D379-F507-44C2-A23C-238F2A3DF928;; *) kind=$data;; esac
case $layout in
    none | extlinux) ;;
    logical) sfdisk -q "$raw" <<<"$table";;
    *)       sfdisk -q "$raw" <<<"$table"$'\n'"start=${root_at}MiB, size=${root_mib}MiB, type=$kind";;
esac

part "$raw" $root_at $root_mib
device=UUID=$(uuidgen)
if [ "$layout" = lvm ]; then
    lv() { LVM_SUPPRESS_FD_WARNINGS=1 lvm "$@" --driverloaded n --config "devices { filter=[\"a|^$loop\$|\",\"r|.*|\"]
        global_filter=[\"a|^$loop\$|\",\"r|.*|\"] use_devicesfile=0 obtain_device_list_from_udev=0 } backup { backup=0 archive=0 }
        global { event_activation=0 use_lvmpolld=0 locking_dir=\"$work/lock\" }" >&2 9>&-; }
    lv pvcreate -y --dataalignment 1m "$loop"
    lv vgcreate sys "$loop"
    lv lvcreate -an -Zn -Wn -l $(((root_mib - 4) / 4)) -n root sys
    losetup -d "$loop"
    loops=() # somebody else may get the device
    part "$raw" $((root_at + 1)) $(((root_mib - 4) / 4 * 4))
    device=/dev/mapper/sys-root
fi
root=$work/root uuid=${device#UUID=}
[ "$layout" != lvm ] || uuid=$(uuidgen)
case $fs in
    ext4)  mkfs.ext4 -q -U "$uuid" ${features:+-O "$features"} "$loop";;
    xfs)   mkfs.xfs -q -m uuid="$uuid" "$loop";;
    btrfs) mkfs.btrfs -q -U "$uuid" "$loop";;
esac
root_loop=$loop boot_uuid=$uuid grub_fs=$fs
attach $fs "$loop" "$root"
if [ "$layout" = btrfs-subvolume ]; then
    btrfs -q subvolume create "$root/@rootfs" >&2
    umount "$root"
    mount -t btrfs -o subvol=@rootfs "$loop" "$root"
fi
if [ "$layout" = btrfs-snapshot ]; then
    for i in @ @/home @/swap @/.snapshots @/.snapshots/1/snapshot; do
        mkdir -p "$(dirname "$root/$i")"
        btrfs -q subvolume create "$root/$i" >&2
    done
    btrfs filesystem mkswapfile --size 16m "$root/@/swap/swapfile" >&2
    btrfs subvolume set-default "$root/@/.snapshots/1/snapshot"
    btrfs quota enable "$root"
    umount "$root"
    mount -t btrfs "$loop" "$root"
    mkdir "$root/home" "$root/.snapshots" "$root/swap"
fi
case $fs in ext4) opts='errors=remount-ro 0 1';; *) opts="defaults${cmdline:+,subvol=@rootfs} 0 0";; esac
fstab="$device / $fs $opts"
if [ "$layout" = btrfs-snapshot ]; then
    for i in home .snapshots swap; do fstab+=$'\n'"$device /$i btrfs subvol=/@/$i 0 0"; done
    fstab+=$'\n/swap/swapfile none swap defaults 0 0'
fi
if [ -n "$boot" ]; then
    boot_uuid=$(uuidgen) grub_fs=ext4
    part "$raw" "$boot" 256; mkfs.ext4 -q -U "$boot_uuid" "$loop"; attach ext4 "$loop" "$root/boot"
    fstab+=$'\n'"UUID=$boot_uuid /boot ext4 defaults 0 2"
fi
if [ -n "$usr" ]; then
    usr_uuid=$(uuidgen)
    part "$raw" "$usr" 1000; mkfs.ext4 -q -U "$usr_uuid" "$loop"; attach ext4 "$loop" "$root/usr"
    fstab+=$'\n'"UUID=$usr_uuid /usr ext4 defaults 0 2"
fi

# -- the system ------------------------------------------------------------------

read -r first sectors < <(sfdisk -l -q -o Start,Sectors "$base" | tail -n 1)
part "$base" $((first >> 11)) $((sectors >> 11))
mkdir "$work/base"
mount -o ro,noload "$loop" "$work/base"; mounts+=("$work/base")
cp -a --sparse=always "$work/base/." "$root/"
echo "$fstab" > "$root/etc/fstab"
# With software emulation on a busy machine a device can take longer than 90 seconds.
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n' > "$root/etc/systemd/system.conf.d/50-slow.conf"

# -- boot loader -----------------------------------------------------------------

# finish unmounts everything and prints the path.
finish() {
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}"; done
    mounts=()
    for i in "${loops[@]}"; do losetup -d "$i" 2>/dev/null || :; done
    loops=()
    mv "$raw" "$image"
    echo "$image" >&3
}

kernel=$(basename "$root"/boot/vmlinuz-*)
if [ "$layout" = extlinux ]; then
    mkdir "$root/boot/extlinux"
    cat > "$root/boot/extlinux/extlinux.conf" <<-END
	SERIAL 0 115200
	DEFAULT debian
	PROMPT 0
	LABEL debian
	  LINUX ../$kernel
	  INITRD ../initrd.img-${kernel#vmlinuz-}
	  APPEND root=$device ro net.ifnames=0 console=tty0 console=ttyS0,115200n8
	END
    cp /usr/lib/syslinux/modules/bios/ldlinux.c32 "$root/boot/extlinux/"
    extlinux --install "$root/boot/extlinux"
    sync -f "$root"
    fstrim "$root" 2>/dev/null || :
    finish
    exit
fi
cat > "$root/boot/grub/grub.cfg" <<-END
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	set timeout=0
	search --no-floppy --fs-uuid --set=root $boot_uuid
	menuentry "Debian GNU/Linux" {
	    linux $prefix/$kernel root=$device$cmdline ro net.ifnames=0 console=tty0 console=ttyS0,115200n8
	    initrd $prefix/initrd.img-${kernel#vmlinuz-}
	}
	END
grub=/boot/grub/i386-pc
cat > "$root$grub/load.cfg" <<-END
	search.fs_uuid $boot_uuid root
	set prefix=(\$root)$prefix/grub
	END
[ $grub_fs != ext4 ] || grub_fs=ext2
chroot "$root" grub-mkimage -O i386-pc -o $grub/core.img -c $grub/load.cfg -p $prefix/grub \
    biosdisk part_gpt part_msdos "$grub_fs" search_fs_uuid 9>&-
cp "$root/usr/lib/grub/i386-pc/boot.img" "$work/boot.img"
cp "$root$grub/core.img" "$work/core.img"
sync -f "$root"
fstrim "$root" 2>/dev/null || :

# What grub-install would do, see build-debian.sh. Without a table the core image is the
# file itself, whose blocks have to follow one another; written through the device, whose
# first block the mounted file system shares.
core_at=$core_lba target=$raw code=440
if [ "$layout" = none ]; then
    blocks=$(debugfs -R "blocks $grub/core.img" "$root_loop" 2>/dev/null)
    read -r first _ <<<"$blocks"
    [ "$(seq -s ' ' "$first" $((first + $(wc -w <<<"$blocks") - 1)))" = "${blocks% }" ] ||
        { echo "the core image lies in pieces" >&2; exit 1; }
    core_at=$((first * 8)) target=$root_loop code=512
fi
le64() { local n=$1 i; for i in 0 1 2 3 4 5 6 7; do printf "%b" "\\x$(printf %02x $((n >> 8 * i & 255)))"; done; }
put() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
le64 "$core_at" | put "$work/boot.img" $((0x5c))
printf '\x90\x90' | put "$work/boot.img" $((0x66))
le64 $((core_at + 1)) | put "$work/core.img" $((0x1f4))
dd if="$work/boot.img" of="$target" bs=$code count=1 conv=notrunc,fsync status=none
dd if="$work/core.img" of="$target" bs=512 seek="$core_at" conv=notrunc,fsync status=none
finish
