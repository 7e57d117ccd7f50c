#!/bin/bash
#
# go-test.sh - go test without skips.
#
#   go-test.sh NAME ARGUMENTS-OF-GO-TEST...
#
# Shows failures and one summary line for each package; everything is kept in
# build/test/NAME.log. With SNF_STRICT=1 a skipped test is a failure: a check
# that did not run has shown nothing.

set -euo pipefail

name=$1; shift
log=build/test/$name.log
mkdir -p build/test

status=0
go test -count=1 -v "$@" 2>&1 | tee "$log" |
    grep --line-buffered -Ev '^(=== |[[:space:]]*--- PASS|PASS$|\?)' || status=${PIPESTATUS[0]}

if [ "${SNF_STRICT:-}" = 1 ] && grep -E '^[[:space:]]*--- SKIP' "$log"; then
    echo "skipped tests are failures here; the reasons are in $log" >&2
    status=1
fi
exit "$status"
