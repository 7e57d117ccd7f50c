#!/bin/bash
#
# openrc.sh - print the path of an image that starts as Alpine does, building it when need be.
#
#   openrc.sh
#
# The image is one of debian.sh with Debian's packages of what Alpine is made of, arranged as
# there: busybox is the init and the mdev that names interfaces by /etc/mactab, OpenRC starts
# the services, ifupdown-ng brings up the network, dhcpcd asks for addresses. systemd, udev and
# Debian's scripts of System V are gone. The services are a few lines each, not Alpine's.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
base=$("$here/debian.sh" --include openrc,busybox,dhcpcd-base,libbsd0 2G)
image=${base%.raw}-openrc-$(sha256sum <"$0" | cut -c -8).raw
exec 9>"$image.lock"
flock 9
[ ! -e "$image" ] || { echo "$image"; exit; }

PATH=$PATH:/usr/sbin:/sbin
root='' loop=''
work=$(mktemp -d)
cleanup() {
    [ -z "$root" ] || { umount "$root" || :; rmdir "$root"; }
    [ -z "$loop" ] || losetup -d "$loop" || :
    rm -rf "$image.building" "$work"
}
trap cleanup EXIT

(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download ifupdown-ng >&2)
cp --sparse=always "$base" "$image.building"
start=$(sfdisk -l -q -o Start "$image.building" | tail -n 1)
loop=$(losetup --show -f -o $((start * 512)) "$image.building")
root=$(mktemp -d)
mount "$loop" "$root"

rm -rf "$root"/{usr/,}lib/systemd "$root"/{usr/,}lib/udev "$root"/{usr/,}bin/udevadm "$root"/{usr/,}sbin/udevadm \
    "$root"/etc/systemd "$root"/etc/udev "$root"/etc/init.d/* "$root"/etc/rc?.d "$root"/etc/runlevels/*/* \
    "$root"/usr/sbin/{ifup,ifdown,ifquery,dhclient} "$root"/etc/network/if-*.d/*
dpkg-deb -x "$work"/ifupdown-ng_*.deb "$work/ng"
cp -a "$work"/ng/sbin/. "$root/usr/sbin/"
mkdir -p "$root/usr/libexec"
cp -a "$work"/ng/usr/libexec/ifupdown-ng "$root/usr/libexec/"
for name in init reboot poweroff halt nameif mdev; do ln -sf /bin/busybox "$root/usr/sbin/$name"; done

printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n' >"$root/etc/os-release"
echo 3.22.1 >"$root/etc/alpine-release"
rm -f "$root/etc/debian_version"
echo localhost >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost.localdomain localhost\n::1\t\tlocalhost.localdomain localhost\n' >"$root/etc/hosts"
printf 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n' >"$root/etc/network/interfaces"
printf -- '-SUBSYSTEM=net;DEVPATH=.*/net/.*;.*\troot:root 600 @/usr/sbin/nameif -s\n.* 0:0 660\n' >"$root/etc/mdev.conf"
cat >"$root/etc/inittab" <<'END'
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
ttyS0::respawn:/sbin/agetty -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
END

# service NAME RUNLEVEL adds a service, whose functions are on standard input.
service() {
    mkdir -p "$root/etc/runlevels/$2"
    { echo '#!/sbin/openrc-run'; cat; } >"$root/etc/init.d/$1"
    chmod 755 "$root/etc/init.d/$1"
    ln -sf "/etc/init.d/$1" "$root/etc/runlevels/$2/$1"
}
service root sysinit <<'END'
start() { mount -o remount,rw / && mkdir -p /run/lock && hostname -F /etc/hostname; }
END
service mdev sysinit <<'END'
depend() { after root; }
start() {
	modprobe -q virtio_net
	mdev -d
	for i in /sys/class/net/*/uevent; do echo add > $i; done
	sleep 2 # until it has read them
}
END
service networking boot <<'END'
start() { ifup -a; }
stop() { ifdown -a; }
END
service sshd default <<'END'
start() { mkdir -p /run/sshd; /usr/sbin/sshd; }
END
umount "$root"; rmdir "$root"; root=
losetup -d "$loop"; loop=
mv "$image.building" "$image"
echo "$image"
