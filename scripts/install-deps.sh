#!/bin/bash
#
# install-deps.sh - install the Debian packages a make verb needs.
#
#   install-deps.sh VERB     build, test, test-ganeti, test-package, lint, bench, demo or package;
#                            ganeti-root is a root of another release for test-ganeti
#
# Installs only what is missing, and starts no daemon. Without root, or without
# apt, it names the missing packages and fails.

set -euo pipefail

helper_image=(apt dpkg xz-utils zstd debian-archive-keyring)
machine=(qemu-system-x86 qemu-utils fdisk gdisk e2fsprogs xfsprogs btrfs-progs util-linux)
debian_image=(mmdebstrap uuid-runtime mount)
ganeti=(ganeti openssh-server openssh-client iproute2 iputils-arping fping socat
        util-linux procps qemu-utils qemu-system-x86)
fresh_node=("${debian_image[@]}" lintian git)

case ${1:-} in
    build) packages=();;
    demo)  packages=("${helper_image[@]}" "${machine[@]}" "${debian_image[@]}" openssh-client);;
    test-ganeti) packages=("${ganeti[@]}");;
    ganeti-root) packages=("${helper_image[@]}" "${machine[@]}" "${ganeti[@]}" openssl ca-certificates);;
    test-package) packages=("${fresh_node[@]}");;
    test)  packages=("${helper_image[@]}" "${machine[@]}" "${debian_image[@]}"
                     "${ganeti[@]}" "${fresh_node[@]}"
                     gcc libc6-dev openssh-client strace ovmf dosfstools xfsprogs lvm2 extlinux syslinux-common xxd whois openssl time
                     dnsmasq-base dhcpcd-base nbdkit libnbd-bin libxml2-utils socat attr acl cpio procps gpg minisign bzip2 lz4
                     systemd ntfs-3g libfsntfs-utils libhivex-bin libwin-hivex-perl libregf-utils);;
    bench) packages=("${helper_image[@]}" "${machine[@]}" "${debian_image[@]}" libnbd-bin time openssh-client
                     pigz lbzip2 bmap-tools zstd xz-utils curl iproute2 util-linux libguestfs-tools linux-image-cloud-amd64);;
    lint)  packages=(shellcheck);;
    package) packages=("${helper_image[@]}" git);;
    *)     echo "usage: ${0##*/} build|test|test-ganeti|test-package|lint|bench|demo|package" >&2; exit 2;;
esac

need_go() {
    local have want
    want=$(sed -n 's/^go //p' "$(dirname "$0")/../go.mod")
    if ! command -v go >/dev/null; then
        echo "Go $want or later is needed: install it and put it in PATH" >&2
        exit 1
    fi
    have=$(go env GOVERSION); have=${have#go}
    if [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n 1)" != "$want" ]; then
        echo "Go $want or later is needed, this is $have" >&2
        exit 1
    fi
}

# install installs packages. A daemon that comes along is not started; a policy
# of this machine is left alone.
install() {
    local policy=/usr/sbin/policy-rc.d apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod 755 $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null
}

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
        missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "these Debian packages are needed: ${missing[*]}" >&2
        exit 1
    fi
    install "${missing[@]}"
fi
need_go
