#!/bin/bash
#
# corpora.sh - print a directory with damaged and odd file systems, downloading them when need
# be.
#
#   corpora.sh [SUITE]      [trixie]
#
# They are those that the makers of the tools test these with: the sources of btrfs-progs,
# e2fsprogs, dosfstools and util-linux (blkid) in Debian. What they hold is unpacked, each to
# a file PACKAGE/NAME.img; what has more than 512 MiB is left out. Kept in build/images under a
# name that stands for suite and script. Needs btrfs-image and xxd.

set -euo pipefail

suite=${1:-trixie}
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/build/images
dir=$cache/corpora-$suite-$(sha256sum <"$0" | cut -c -8)
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9
if [ -d "$dir" ]; then echo "$dir"; exit; fi
exec 3>&1 >&2 # standard output is for the path alone

PATH=$PATH:/usr/sbin:/sbin
work=$dir.building
rm -rf "$work"
trap 'rm -rf "$work" "$work-sources"' EXIT
mkdir -p "$work-sources/lists/partial" "$work-sources/archives/partial" "$work"
cd "$work-sources"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" >sources.list
apt=(apt-get -qq -o Acquire::Retries=3 -o Acquire::Languages=none -o Debug::NoLocking=1 -o APT::Sandbox::User=root
     -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::status=/dev/null
     -o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD")
"${apt[@]}" update -o APT::Update::Error-Mode=any 9>&-
"${apt[@]}" source --download-only --tar-only btrfs-progs e2fsprogs dosfstools util-linux 9>&-

# put NAME makes standard input an image, unless it is too large.
put() {
    local file=$work/$1.img
    mkdir -p "${file%/*}"
    dd of="$file" bs=64K count=8193 iflag=fullblock conv=sparse status=none
    truncate -s ">$(stat -c %s "$file")" "$file"
    [ "$(stat -c %s "$file")" -le $((512 << 20)) ] || rm "$file"
}

# unpack PACKAGE PATTERN FIELD hands out what a source has: its files, each with a name made of
# the last FIELD parts of its path.
unpack() {
    local file name
    mkdir "$1"
    tar -x -C "$1" --strip-components 1 --wildcards -f "$1"_*.orig.tar.* "$2"
    while read -r file; do
        name=$(rev <<<"$file" | cut -d / -f "-$3" | rev | tr / _)
        name=$1/${name%%.*}
        case $file in
            *.img.xz | *.raw.xz) xz -dc "$file" >image;;
            *.gz)  gzip -dc "$file" >image;;
            *.bz2) bzip2 -dc "$file" >image;;
            *.xxd) xxd -r "$file" image;;
            *.raw | *.img | */image) cp "$file" image;;
            *)     continue;;
        esac
        case $file in # a dump of metadata alone, or what it says
            btrfs-progs/*.img*) if btrfs-image -r image restored 2>/dev/null; then mv restored image; fi;;
        esac
        put "$name" <image
        rm -f image restored
    done < <(find "$1" -type f ! -name '*.tar.*' | sort)
    rm -rf "$1"
}
unpack btrfs-progs '*/tests/f*-tests/*' 2
unpack e2fsprogs '*/tests/?_*/image*' 2
unpack dosfstools '*/tests/*.xxd' 1
unpack util-linux '*/tests/ts/blkid/images-*/*' 1
mv "$work" "$dir"
echo "$dir" >&3
