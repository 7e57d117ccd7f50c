#!/bin/bash
#
# package.sh - make the packages of this version in dist/, from bin/.
#
#   package.sh [host] [helper]      both by default
#
# Environment: VERSION; optionally RELEASE [1], MAINTAINER [author of the last
# commit] and SOURCE_DATE_EPOCH [its time]. The same sources, Debian packages and
# SOURCE_DATE_EPOCH make the same packages.

set -euo pipefail
export LC_ALL=C

: "${VERSION:?}" "${RELEASE:=1}"
export MAINTAINER=${MAINTAINER:-$(git log -1 --format='%an <%ae>')}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=build/package
umask 022
mkdir -p "$work" dist

# lay_out_host fills $work/host with the files of a node.
lay_out_host() {
    DESTDIR=$work/host PREFIX=/usr SYSCONF=/etc scripts/install.sh
    rm "$work/host/usr/share/doc/snf-image/LICENSE" # the same as copyright
    add_documents host LICENSE
}

# lay_out_helper fills $work/helper with a new helper image.
lay_out_helper() {
    local into=usr/lib/snf-image-helper
    # Root takes neither from where others may write, which a checkout need not be.
    local private
    private=$(mktemp -d /var/tmp/snf-image-package.XXXXXX)
    echo "HELPER_DIR=$private/helper" > "$private/helper.conf"
    bin/snf-image --config "$private/helper.conf" helper build --agent bin/snf-image-agent
    mkdir -p "$work/helper/$into"
    mv "$private"/helper/* "$work/helper/$into"
    rm -rf "$private"
    {
        echo "The program /init in the initramfs is part of snf-image:"
        echo
        cat LICENSE
        echo
        echo "The kernel and every other program come from Debian packages, unchanged. Their"
        echo "licences follow. Where to get their sources: snf-image-helper-sources_$VERSION.txt,"
        echo "which is published with this package."
        echo
        cat "$work/helper/$into"/copyright-*
    } > "$work/copyright"
    add_documents helper "$work/copyright"
}

# add_documents PACKAGE COPYRIGHT adds what every Debian package has.
add_documents() {
    local doc=$work/$1/usr/share/doc/snf-image-$1
    install -D -m 644 "$2" "$doc/copyright"
    changelog "snf-image-$1" | gzip -9n > "$doc/changelog.Debian.gz"
    install -D -m 644 "packaging/$1.lintian-overrides" "$work/$1/usr/share/lintian/overrides/snf-image-$1"
}

changelog() {
    echo "$1 (1:$VERSION-$RELEASE) unstable; urgency=medium"
    printf '\n  * Release %s. What changed: CHANGELOG.md of snf-image.\n\n' "$VERSION"
    echo " -- $MAINTAINER  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# contents DIR lists the files of a package for nfpm: what is in /etc belongs to
# the administrator.
contents() {
    local path type
    echo "contents:"
    find "$1" -mindepth 1 \( ! -type d -o -empty \) -printf '%P\n' | sort | while IFS= read -r path; do
        type='file'
        [[ $path != etc/* ]] || type='config|noreplace'
        if [ -L "$1/$path" ]; then
            echo "- {dst: '/$path', type: symlink, src: '$(readlink "$1/$path")'}"
        elif [ -d "$1/$path" ]; then
            echo "- {dst: '/$path', type: dir, file_info: {mode: 0755}}"
        else
            echo "- {dst: '/$path', type: '$type', src: '$1/$path', file_info: {mode: 0$(stat -c %a "$1/$path")}}"
        fi
    done
}

# pack PACKAGE makes dist/snf-image-PACKAGE_*.deb and the .rpm.
pack() {
    local format file=snf-image-$1_$VERSION-${RELEASE}_amd64
    find "$work/$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    {
        cat "packaging/$1.yaml"
        echo "version: '$VERSION'"
        echo "version_schema: none"
        echo "release: '$RELEASE'"
        echo "epoch: '1'" # the earlier implementation has higher versions
        echo "mtime: $(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)"
        echo "disable_globbing: true"
        contents "$work/$1"
    } > "$work/$1.yaml"
    for format in deb rpm; do
        "$work/nfpm" package -f "$work/$1.yaml" -p "$format" -t "dist/$file.$format" >/dev/null
    done
    echo "dist/$file.deb"
}

go -C tools/nfpm build -o "$PWD/$work/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
[ $# -gt 0 ] || set -- host helper
for package; do
    rm -rf "${work:?}/$package"
    "lay_out_$package"
    pack "$package"
done
