#!/bin/bash
#
# install.sh - copy what was built to where a package has it.
#
# Environment: DESTDIR, PREFIX [/usr], SYSCONF [/etc]. An existing
# configuration file is kept.

set -euo pipefail

root=${DESTDIR:-}${PREFIX:-/usr}
etc=${DESTDIR:-}${SYSCONF:-/etc}

install -D -m 755 bin/snf-image       "$root/bin/snf-image"
install -D -m 755 bin/snf-image-agent "$root/lib/snf-image/snf-image-agent"
for page in docs/man/*.[18]; do
    install -d -m 755 "$root/share/man/man${page##*.}"
    gzip -9nc "$page" > "$root/share/man/man${page##*.}/${page##*/}.gz"
done
for doc in README.md CHANGELOG.md LICENSE docs/*.md; do
    install -D -m 644 "$doc" "$root/share/doc/snf-image/${doc##*/}"
done
install -d -m 755 "$root/share/bash-completion/completions"
bin/snf-image completion bash > "$root/share/bash-completion/completions/snf-image"

# More names of the program.
install -d -m 755 "$root/sbin"
for name in snf-image-update-helper snf-image-create-helper; do
    ln -sfn ../bin/snf-image "$root/sbin/$name"
done

for conf in default/snf-image ganeti/snf-image/variants.list; do
    [ -e "$etc/$conf" ] || install -D -m 644 "etc/$conf" "$etc/$conf"
done
for conf in etc/ganeti/snf-image/variants/*.conf; do
    [ -e "$etc/${conf#etc/}" ] || install -D -m 644 "$conf" "$etc/${conf#etc/}"
done

# The catalogue and the keys of its vendors; those of the node's administrator.
for shipped in share/catalogue.d/*.conf share/keys/*.asc; do
    install -D -m 644 "$shipped" "$root/share/snf-image/${shipped#share/}"
done
install -d -m 755 "$etc/snf-image/catalogue.d" "$etc/snf-image/keys"

# The OS definition, whose scripts are the program itself.
os=$root/share/ganeti/os/snf-image
install -d -m 755 "$os"
install -m 644 os/ganeti_api_version os/parameters.list "$os"
ln -sfn "${SYSCONF:-/etc}/ganeti/snf-image/variants.list" "$os/variants.list"
for script in create import export rename verify; do
    ln -sfn ../../../../bin/snf-image "$os/$script"
done
install -d -m 755 "${DESTDIR:-}/var/lib/snf-image" "${DESTDIR:-}/var/lib/snf-image/helper"
