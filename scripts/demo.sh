#!/bin/bash
#
# demo.sh - deploy a real Debian image to a 10 GiB disk file and say how to
# boot it. The image (build/images, kept) and the result (build/demo, made anew) lie
# in build/.

set -euo pipefail
cd "$(dirname "$0")/.."

demo=build/demo
name=web1.example.org
step() { printf '\n== %s\n' "$*"; }

step "The Debian image (mmdebstrap; kept in build/images)"
image=$(tests/images/debian.sh --esp --include lvm2)
echo "$image"

step "The helper image"
rm -rf "$demo"
mkdir -p "$demo"
# Root takes a helper image and a configuration only from where nobody else may
# write, which a checkout need not be.
private=$(mktemp -d /var/tmp/snf-image-demo.XXXXXX)
trap 'rm -rf "$private"' EXIT
echo "HELPER_DIR=$private/helper" > "$private/snf-image.conf"
snf=(bin/snf-image --config "$private/snf-image.conf")
"${snf[@]}" helper build
"${snf[@]}" helper info | sed -n 1,7p

step "What is in the image"
"${snf[@]}" inspect "$image"

step "The deployment"
(umask 077; echo "correct horse" > "$demo/password")
ssh-keygen -q -t ed25519 -N '' -C demo -f "$demo/id_ed25519"
echo "This machine was made by snf-image." > "$demo/motd"
deploy=("${snf[@]}" deploy --image "$image" --disk "$demo/web1.raw" --size 10G
    --name "$name" --password-file "$demo/password"
    --authorized-keys "$demo/id_ed25519.pub" --file "$demo/motd:/etc/motd:0644"
    --property USERS=root --nic mac=52:54:00:00:00:01 --report "$demo/report.json")
printf '%q ' "${deploy[@]}"; echo
"${deploy[@]}"

step "The result"
"${snf[@]}" inspect "$demo/web1.raw"
du -h --apparent-size "$demo/web1.raw" | sed 's/\t.*/ apparent size/'
du -h "$demo/web1.raw" | sed 's/\t.*/ on disk/'
sed -n '/"known_hosts"/,/\]/s/^ *"\(.*\)",\{0,1\}$/\1/p' "$demo/report.json" > "$demo/known_hosts"
cut -c 1-100 "$demo/known_hosts"

# What ran the helper runs the machine.
accelerator=$(sed -n 's/^ *"accelerator": "\(.*\)",$/\1/p' "$demo/report.json")
step "Boot it: root's password is \"correct horse\", Ctrl-A X ends QEMU"
cat <<END
qemu-system-x86_64 -machine q35,accel=$accelerator -m 1024 -nographic \\
    -drive file=$demo/web1.raw,format=raw,if=virtio \\
    -nic user,model=virtio-net-pci,mac=52:54:00:00:00:01,hostfwd=tcp:127.0.0.1:2222-:22

and from another terminal:

ssh -p 2222 -i $demo/id_ed25519 -o UserKnownHostsFile=$demo/known_hosts \\
    -o HostKeyAlias=$name root@127.0.0.1
END
