#!/bin/bash
#
# wine.sh - print a directory that is a root with Debian's wine, for console programs.
#
#   wine.sh
#
# It is of Debian 13, whatever this machine is, and needs no display. C: is
# root/.wine/drive_c in it. Kept in build/images. Needs root.

set -euo pipefail

[ $# -eq 0 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
export PATH=$PATH:/usr/sbin:/sbin
cache=$(cd "$(dirname "$0")/../.." && pwd)/build/images
root=$cache/wine
mkdir -p "$cache"
exec 9>"$root.lock"
flock 9
if [ ! -d "$root" ]; then
    new=$root.building
    trap 'rm -rf "$new"' EXIT
    rm -rf "$new"
    mmdebstrap --quiet --mode=root --variant=extract --include=wine64,libwine trixie "$new" 9>&- >&2
    # Unpacked, not installed: what the scripts of the packages would have made.
    for dir in bin sbin lib lib64; do [ -e "$new/$dir" ] || ln -s usr/$dir "$new/$dir"; done
    mkdir -p "$new"/{proc,dev,root,tmp}
    wine=$new/usr/lib/x86_64-linux-gnu/wine
    rm -rf "$wine/i386-windows" "$new"/usr/i686-w64-mingw32 "$new"/usr/share/{doc,man,fonts,icons}
    cp "$new"/usr/x86_64-w64-mingw32/lib/*.dll "$wine/x86_64-windows"
    "$(dirname "$0")/../wine/enter.sh" "$new" wineboot --init 9>&- >&2 || :
    cp "$new"/usr/x86_64-w64-mingw32/lib/*.dll "$new/root/.wine/drive_c/windows/system32"
    "$(dirname "$0")/../wine/enter.sh" "$new" cmd /c ver 9>&- >&2
    mv "$new" "$root"
    trap - EXIT
fi
echo "$root"
