#!/bin/bash
#
# enter.sh - run a program of Windows in the root that tests/images/wine.sh makes.
#
#   enter.sh ROOT PROGRAM [ARGUMENT...]
#
# It has no network, no display, and processes of its own, which end with it.

set -euo pipefail

export PATH=$PATH:/usr/sbin:/sbin
if [ -z "${SNF_WINE_INSIDE:-}" ]; then
    SNF_WINE_INSIDE=1 exec unshare --mount --pid --net --fork "$0" "$@"
fi
root=$1; shift
mount -t proc proc "$root/proc"
mount -t tmpfs dev "$root/dev"
for node in null zero full random urandom; do
    : > "$root/dev/$node"
    mount --bind /dev/$node "$root/dev/$node"
done
unset SNF_WINE_INSIDE
env -i HOME=/root PATH=/usr/bin LC_ALL=C WINEPATH="C:\\windows\\system32;C:\\windows" WINESERVER=/usr/lib/wine/wineserver64 WINEPREFIX=/root/.wine WINEDEBUG=-all \
    WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d${WINE_NATIVE:+;$WINE_NATIVE=n}" \
    "$(command -v chroot)" "$root" /usr/lib/wine/wine64 "$@"
