#!/bin/bash
#
# package-sources.sh - say where the sources of the helper package are.
#
# Writes for the helper image that "make package" left in build/package:
#
#   dist/snf-image-helper-sources_VERSION.txt   every package carried with its
#       source package, every source file with its digest, and how the helper
#       image was made of them
#   dist/snf-image-helper-sources_VERSION.sh    downloads and verifies them
#
# Publish both with the package. Needs apt on Debian and its archive; the lists
# of the system are not changed. Environment: VERSION.

set -euo pipefail
export LC_ALL=C

: "${VERSION:?}"
work=$PWD/build/package
config=$work/helper.conf
manifest=$work/helper/usr/lib/snf-image-helper/manifest.json
out=dist/snf-image-helper-sources_$VERSION
[ -e "$manifest" ] || { echo "no helper image to describe: run \"make package\"" >&2; exit 1; }

apt=(-q -o "Dir::State=$work/apt/state" -o "Dir::State::status=/dev/null"
     -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)

# uri KIND prints where this node has Debian's archive or, with "-security", the
# security updates.
uri() {
    # shellcheck disable=SC2016 # the variables are apt's
    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format '$(RELEASE) $(REPO_URI)' |
        awk -v kind="$1" '{sub(/^[a-z]+/, "", $1)} $1 == kind {print $2; exit}'
}

# fetch_lists fetches lists of the suite the helper image comes from, those of
# sources included.
fetch_lists() {
    local suite archive security keyring=/usr/share/keyrings/debian-archive-keyring.gpg type
    suite=$(sed -n 's/^  "suite": "\(.*\)",$/\1/p' "$manifest")
    archive=$(uri '') security=$(uri -security)
    if [ -z "$archive" ] || [ -z "$security" ]; then
        echo "the sources of apt name no mirror of Debian and its security updates: run apt-get update" >&2
        exit 1
    fi
    rm -rf "$work/apt"
    mkdir -p "$work"/apt/{state/lists,cache/archives}/partial
    for type in deb deb-src; do
        echo "$type [signed-by=$keyring] $archive $suite main"
        echo "$type [signed-by=$keyring] $archive $suite-updates main"
        echo "$type [signed-by=$keyring] $security $suite-security main"
    done > "$work/apt/sources.list"
    apt+=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o "Dir::Etc::sourceparts=-")
    apt-get "${apt[@]}" update
}

# field NAME reads a field of the stanza on stdin.
field() { sed -n "s/^$1: //p" | head -n 1; }

# carried lists NAME VERSION SHA256 SOURCE SOURCE-VERSION of each package. The
# digest must be the one in the manifest: nothing else was carried.
carried() {
    local name version stanza source digest
    bin/snf-image --config "$config" helper info | awk '$1 == "Package" {print $2, $3}' |
    while read -r name version; do
        stanza=$(apt-cache "${apt[@]}" show "$name=$version")
        source=$(field Source <<< "$stanza")
        case $source in
            '')     source="$name $version";;
            *' ('*) source=${source/ (/ } source=${source%)};;
            *)      source="$source $version";;
        esac
        digest=$(field SHA256 <<< "$stanza")
        grep -q "\"$digest\"" "$manifest" || { echo "$name $version: the archive has another file" >&2; exit 1; }
        echo "$name $version $digest $source"
        field Built-Using <<< "$stanza" | tr ',' '\n' | sed -n 's/^ *\([^ ]*\) (= \(.*\))/- - - \1 \2/p'
    done
}

# files lists SHA256 and NAME of the files of a source package.
files() {
    apt-get "${apt[@]}" -qq --only-source --print-uris source "$1=$2" |
        sed -n "s/^'[^']*' \([^ ]*\) [0-9]* SHA256:\([0-9a-f]*\)\$/\2  \1/p"
}

describe() {
    echo "Sources of snf-image-helper $VERSION"
    echo
    echo "The helper image was made by \"snf-image helper build\" of snf-image $VERSION,"
    echo "commit $(git rev-parse HEAD), which is published with it: the list of what is"
    echo "taken from which package is internal/host/helper/build/packages.go. The kernel is"
    echo "Debian's, taken out of its bzImage without sections that are not loaded; its"
    echo "configuration and build scripts are in its source package. Nothing was changed."
    echo
    echo "Packages carried: name, version, SHA-256 of the .deb, source package, its version"
    echo
    grep -v '^- ' "$work/carried"
    echo
    echo "Source files: SHA-256, name"
    echo
    cat "$work/sources"
}

downloader() {
    cat <<'EOF'
#!/bin/bash
# Downloads the Debian source packages of snf-image-helper into the current
# directory and verifies them. Needs deb-src entries in the sources of apt. What
# the archive does not have any more is in Debian's snapshot archive.
set -euo pipefail
EOF
    awk '{print "apt-get source --download-only --only-source " $1 "=" $2 " ||:"}' "$work/wanted"
    echo "sha256sum -c <<EOF"
    cat "$work/sources"
    echo EOF
}

fetch_lists
carried > "$work/carried"
awk '{print $4, $5}' "$work/carried" | sort -u > "$work/wanted"
while read -r name version; do
    list=$(files "$name" "$version")
    [ "$list" ] || { echo "the archive has no source $name $version" >&2; exit 1; }
    echo "$list"
done < "$work/wanted" > "$work/sources.all"
sort -u -k 2 "$work/sources.all" > "$work/sources"
describe > "$out.txt"
downloader > "$out.sh"
chmod 755 "$out.sh"
echo "$out.txt: $(wc -l < "$work/wanted") source packages"
