#!/bin/bash
#
# ganeti-test.sh - the tests in a Ganeti cluster, with the node's Ganeti or another.
#
#   ganeti-test.sh [VERSION]      3.0, of Debian 12, or 3.1, of Debian 13
#
# Another Ganeti than the node's runs in a root of its release, in build/ganeti-VERSION:
# nothing is installed on the node. The root is kept; remove it for a newer one. In the
# root snf-image is installed from its package: the tests pass on such a node, too.
# Environment: RUN, a pattern of tests [all], besides what the tests take.

set -euo pipefail

version=${1:-}
declare -A suites=([3.0]=bookworm [3.1]=trixie)
suite=${suites[${version:-3.0}]:-}
[ -n "$suite" ] || { echo "${0##*/}: there is no Ganeti $version in Debian; use ${!suites[*]}" >&2; exit 2; }

if [ -z "$version" ] || [ -d "/usr/share/ganeti/$version" ]; then
    exec scripts/go-test.sh ganeti -timeout 90m -run "${RUN:-.}" ./tests/ganeti/...
fi

root=$PWD/build/ganeti-$version log=build/test/ganeti-$version.log
mkdir -p build/test
if [ ! -e "$root.made" ]; then
    rm -rf "$root"
    mmdebstrap --quiet --mode=root --variant=apt --include=mount --skip=cleanup/apt/lists "$suite" "$root"
    touch "$root.made"
fi
cat /etc/resolv.conf >"$root/etc/resolv.conf"
tests/images/debian.sh --esp --include lvm2 >/dev/null # takes more than the root has
go test -c -o build/test/ganeti.test ./tests/ganeti
package=$(VERSION=$(cat VERSION) scripts/package.sh host)

# The root sees the tree and Go where they are on the node. Everything that is mounted
# and started in it ends with this command.
# shellcheck disable=SC2016
inside='set -e
root=$1 tree=$2 go=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root$tree" "$root$go"
mount -t proc proc "$root/proc"
for dir in /dev /sys; do mount --rbind "$dir" "$root$dir"; done
mount -t tmpfs -o mode=755 none "$root/run"
mount --bind "$tree" "$root$tree"
mount --bind "$go" "$root$go"
cd "$root"
pivot_root . . # nsenter leaves a chroot
umount --lazy .
cd "$tree"
exec "$@"'
export PATH=$PATH:/usr/sbin:/sbin
status=0
# shellcheck disable=SC2016
unshare --mount --pid --fork --kill-child sh -c "$inside" sh "$root" "$PWD" "$(go env GOROOT)" /bin/bash -c '
    set -e
    scripts/install-deps.sh ganeti-root
    [ -d "/usr/share/ganeti/$1" ] || { echo "there is no Ganeti $1 in the root" >&2; exit 1; }
    # Exports fail in Debian 13 (3.1.0~rc2), whatever the OS: github.com/ganeti/ganeti/issues/1839.
    sed -i "s/openssl-commonname=%s\" % x509_cert_cn/openssl-commonname=%s\" % constants.X509_CERT_CN/" \
        "/usr/share/ganeti/$1/ganeti/impexpd/__init__.py"
    apt-get -qq install --reinstall --no-install-recommends "./$3"
    [ -x /usr/share/ganeti/os/snf-image/create ] || { echo "$3 holds no OS definition" >&2; exit 1; }
    cd tests/ganeti
    exec ../../build/test/ganeti.test -test.v -test.timeout 90m -test.run "$2"' bash "$version" "${RUN:-.}" "$package" 2>&1 |
    tee "$log" | { grep --line-buffered -Ev '^(=== |PASS$)' || :; } || status=$?
if [ "${SNF_STRICT:-}" = 1 ] && grep -E '^[[:space:]]*--- SKIP' "$log"; then status=1; fi
exit "$status"
