#!/bin/bash
#
# tools.sh - print a directory that holds programs of another Debian release.
#
#   tools.sh SUITE PACKAGE...
#
# The packages and what they depend on are unpacked, not installed: run a program
# by the dynamic linker in the directory. Kept in build/images. Needs root.

set -euo pipefail

[ $# -ge 2 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cache=$(cd "$(dirname "$0")/../.." && pwd)/build/images
root=$cache/tools-$(IFS=-; echo "$*")
suite=$1; shift
mkdir -p "$cache"
exec 9>"$root.lock"
flock 9
if [ ! -d "$root" ]; then
    mmdebstrap --quiet --mode=root --variant=extract --include="$(IFS=,; echo "$*")" "$suite" "$root.building" 9>&- >&2 ||
        { rm -rf "$root.building"; exit 1; }
    mv "$root.building" "$root"
fi
echo "$root"
