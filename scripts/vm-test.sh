#!/bin/bash
#
# vm-test.sh - every test that boots the helper: those of single packages, then the others.
#
#   vm-test.sh PATTERN
#
# PATTERN names the tests of single packages that need a helper; they get one
# built from bin/, and a real Debian image.

set -euo pipefail

# Root takes a helper image and a configuration only from where nobody else may
# write, which a checkout need not be.
private=$(mktemp -d /var/tmp/snf-image-helper.XXXXXX)
trap 'rm -rf "$private"' EXIT
helper=$private/helper
printf 'HELPER_DIR="%s"\n' "$helper" >"$private/snf-image.conf"
bin/snf-image --config "$private/snf-image.conf" helper build &
SNF_TEST_IMAGE=$(tests/images/debian.sh --esp --include lvm2) # as in tests/vm
wait $!
export SNF_HELPER=$helper SNF_TEST_IMAGE

scripts/go-test.sh vm-packages -p 2 -timeout 20m -run "$1" ./internal/guest/agent ./internal/guest/selinux ./internal/host/helper/build
scripts/go-test.sh vm -timeout 40m -skip '^TestTorture' ./tests/vm/...
