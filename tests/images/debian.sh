#!/bin/bash
#
# debian.sh - print the path of a Debian image, building it when need be.
#
#   debian.sh [options of build-debian.sh] [SIZE]
#
# Images are kept in build/images under a name that stands for the options and
# for the builder itself, so that a changed builder makes a new image.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/build/images
size=()
case ${*: -1} in [0-9]*) size=("${*: -1}"); set -- "${@:1:$#-1}";; esac

key=$({ cat "$here/build-debian.sh"; printf '%s\n' "$@" "${size[@]}"; } | sha256sum | cut -c -12)
image=$cache/debian-$key.raw
mkdir -p "$cache"
if [ ! -e "$image" ]; then
    exec 9>"$cache/debian-$key.lock"
    flock 9
    [ -e "$image" ] || "$here/build-debian.sh" "$@" "$image" "${size[@]}" 9>&- >&2
fi
echo "$image"
