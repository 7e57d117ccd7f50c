#!/bin/bash
#
# bench.sh - the numbers of docs/performance.md.
#
#   bench.sh [copy|images|helper]...     [all]
#
# copy: an image of noise to a file and to a used block device, against other tools.
# images: an installed system, packed in every way, the same way; the same data in a disk
# of 10 GiB and of 1 TiB; what is left in the page cache. PARTS names the rows
# [all,flat,cache], ROUNDS [7] and TARGETS [file,loop] shorten it. What is packed is kept
# in build/bench/packed, of the base it was packed from.
# helper: whole customizations in CPU seconds against virt-customize and the boot
# of a whole Debian, ROUNDS [7] of them (VIRT_CUSTOMIZE=no leaves that one out),
# and the size of the helper image.

set -euo pipefail
cd "$(dirname "$0")/.."

work=build/bench
rounds=${ROUNDS:-7}
mkdir -p "$work"
[ $# -gt 0 ] || set -- copy images helper

copy() {
    go build -trimpath -o "$work/copy" ./tests/bench/copy
    "$work/copy" -rounds "$rounds" | tee "$work/copy.md"
}

images() {
    local image
    image=$(tests/images/debian.sh)
    go build -trimpath -o "$work/copy" ./tests/bench/copy
    mkdir -p "$work/packed"
    "$work/copy" -base "$image" -keep "$PWD/$work/packed" -rounds "$rounds" -targets "${TARGETS:-file,loop}" -rows "${PARTS:-all,flat,cache}" | tee "$work/images.md"
}

# median of the numbers on standard input.
median() { sort -n | awk '{v[NR]=$1} END {print (NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2)}'; }

# timed NAME COMMAND... adds the round's user, system and wall seconds to NAME.
timed() {
    local name=$1; shift
    /usr/bin/time -q -a -o "$work/$name.times" -f '%U %S %e' "$@" >"$work/$name.log" 2>&1 ||
        { echo "${0##*/}: $name failed:" >&2; tail -n 20 "$work/$name.log" >&2; exit 1; }
}

# row NAME LABEL prints medians, and of the same-round ratios to ours.
row() {
    local cpu wall ratio
    cpu=$(awk '{print $1+$2}' "$work/$1.times" | median)
    wall=$(awk '{print $3}' "$work/$1.times" | median)
    ratio=$(paste -d ' ' "$work/$1.times" "$work/customize.times" | awk '{print ($1+$2)/($4+$5)}' | median)
    printf '| %s | %.1f | %.1f | %.1f |\n' "$2" "$cpu" "$wall" "$ratio"
}

# profile REPORT... prints where the time went: the median of each task and step.
profile() {
    local name
    echo "| part | seconds, median |"
    echo "|---|---|"
    grep -hE -A 3 '^ {4,}"(name|step)": ' "$@" | awk -F'"' '/"(name|step)"/{n=$4} /"seconds"/{split($3, s, /[: ,]+/); print s[2] "\t" n}' >"$work/profile"
    cut -f 2 "$work/profile" | awk '!seen[$0]++' | while read -r name; do
        printf '| %s | %.2f |\n' "$name" "$(awk -F'\t' -v n="$name" '$2==n {print $1}' "$work/profile" | median)"
    done
}

# debian boots a whole Debian that powers itself off at the end of its boot.
debian() {
    timed debian qemu-system-x86_64 -machine q35,accel=tcg -cpu max -m 512 -display none -nodefaults -no-reboot \
        -serial null -drive "file=$work/debian.raw,format=raw,if=virtio,snapshot=on"
}

helper() {
    local image i
    image=$(tests/images/debian.sh)
    printf 'HELPER_DIR="%s"\n' "$PWD/$work/helper" > "$work/snf-image.conf"
    local snf=(bin/snf-image --config "$work/snf-image.conf")
    "${snf[@]}" helper build 2>"$work/build.log"
    echo "correct horse" > "$work/password"
    echo motd > "$work/motd"
    [ -e "$work/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$work/key"
    printf '[Service]\nType=oneshot\nExecStart=/bin/systemctl poweroff --no-block\n' > "$work/off.service"
    printf '[Unit]\nWants=off.service\n' > "$work/off.conf"
    rm -f "$work"/{ours,theirs,debian}.raw "$work"/*.times "$work"/report*.json
    local unit=/etc/systemd/system
    "${snf[@]}" deploy --image "$image" --disk "$work/ours.raw" --size 10G --name bench 2>"$work/deploy.log"
    cp --sparse=always "$work/ours.raw" "$work/theirs.raw"
    "${snf[@]}" deploy --image "$image" --disk "$work/debian.raw" --size 10G --name bench \
        --file "$work/off.service:$unit/off.service:0644" \
        --file "$work/off.conf:$unit/multi-user.target.d/off.conf:0644" 2>"$work/deploy.log"
    export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
    for ((i = 1; i <= rounds; i++)); do
        timed customize "${snf[@]}" customize --all --disk "$work/ours.raw" --name "bench$i.example.org" \
            --password-file "$work/password" --authorized-keys "$work/key.pub" --file "$work/motd:/etc/motd" \
            --property USERS=root --report "$work/report$i.json"
        debian
        [ "${VIRT_CUSTOMIZE:-yes}" = no ] ||
            timed virt-customize virt-customize -q -a "$work/theirs.raw" --hostname "bench$i.example.org" \
                --root-password "file:$work/password" --ssh-inject "root:file:$work/key.pub" --upload "$work/motd:/etc/motd"
    done
    { echo "Debian 12 on a 10 GiB disk, software emulation, $rounds interleaved rounds, medians:"
      echo
      echo "| contestant | CPU s, user and system | wall s | CPU of the same round, snf-image = 1 |"
      echo "|---|---|---|---|"
      row customize "snf-image customize: host name, password, key, file, host keys, identity, network"
      row debian "boot and power-off of a whole Debian"
      [ ! -e "$work/virt-customize.times" ] || row virt-customize "virt-customize: host name, password, key, file"
      echo
      echo "Helper image: $(du --apparent-size -sm "$work/helper" | cut -f 1) MiB."
      echo
      profile "$work"/report*.json
    } | tee "$work/helper.md"
}

for part; do
    case $part in
        copy|images|helper) "$part";;
        *) echo "usage: ${0##*/} [copy|images|helper]..." >&2; exit 2;;
    esac
done
